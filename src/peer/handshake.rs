//! The handshake of one connection: from its first byte to where the socket can admit the peer or not.

use std::future::poll_fn;
use std::time::Instant;

use bytes::Bytes;
use tokio::sync::watch;

use super::session::{Place, io, poll_read, poll_write};
use super::turnstile::Turnstile;
use super::{Hub, Stop, auth};
use crate::event::DisconnectReason;
use crate::pipe::sync::Arc;
use crate::security::access::Authorised;
use crate::security::credentials::Credentials;
use crate::transport::{ReadHalf, WriteHalf};
use crate::wire::batch::Batch;
use crate::wire::connection::{Connection, Incoming, Limits, Local, Origin, PeerInfo, Room};
use crate::wire::heartbeat;
use crate::wire::subscription::TOPIC_MAX;
use crate::wire::transmit::Transmit;

/// What the protocol has to know of the socket.
pub(super) fn local(hub: &dyn Hub, origin: Origin) -> Local {
    let options = hub.options();
    Local {
        origin,
        mechanism: auth::mechanism(&options.security),
        socket_type: hub.socket_type(),
        identity: options.identity.clone(),
        properties: options.metadata.as_slice().to_vec(),
        limits: Limits {
            max_message: options.max_message_size.unwrap_or(usize::MAX),
            max_frames: options.max_frames.unwrap_or(usize::MAX),
            max_topic: TOPIC_MAX,
        },
        heartbeat: options
            .heartbeat
            .as_ref()
            .map(|chosen| heartbeat::Settings {
                interval: Some(chosen.interval()),
                timeout: Some(chosen.timeout()),
                ttl: chosen.ttl(),
                context: chosen.context().clone(),
            })
            .unwrap_or_default(),
    }
}

/// Greeting, mechanism and verdict, within one absolute deadline that no byte moves. What the verdict has to be
/// said with is still to be said then.
///
/// The reason that `expelled` yields ends it before that, unless it is just through.
pub(super) async fn shake(
    hub: &Arc<dyn Hub>,
    place: &Place,
    (read, write, connection): (&mut ReadHalf, &WriteHalf, &mut Connection),
    stop: &mut watch::Receiver<Stop>,
    expelled: impl Future<Output = DisconnectReason>,
) -> Result<(PeerInfo, Authorised), DisconnectReason> {
    let limit = hub.options().handshake_timeout;
    tokio::select! {
        biased;
        // Made in place: a future that is moved lies in this one twice, and whoever connects makes us keep it.
        result = tokio::time::timeout(limit, introduce(hub, place, (read, write, connection))) => {
            result.unwrap_or(Err(DisconnectReason::HandshakeTimeout { limit }))
        }
        Ok(_) = stop.wait_for(|stop| *stop == Stop::Halt) => Err(DisconnectReason::Closed),
        reason = expelled => Err(reason),
    }
}

/// Lets the peer say who it is, and judges it.
async fn introduce(
    hub: &Arc<dyn Hub>,
    place: &Place,
    (read, write, connection): (&mut ReadHalf, &WriteHalf, &mut Connection),
) -> Result<(PeerInfo, Authorised), DisconnectReason> {
    let (peer, credentials) =
        match negotiate(read, write, connection, place.turnstile.as_deref()).await {
            Err(DisconnectReason::Fault(fault)) => {
                // Our own verdict: tell the peer why before we close, if it will listen.
                connection.refuse(&fault);
                let _ = flush(write, connection).await;
                return Err(DisconnectReason::Fault(fault));
            }
            other => other?,
        };
    match auth::judge(&**hub, place, &peer, credentials).await {
        Ok(authorised) => Ok((peer, authorised)),
        Err(denial) => {
            connection.deny(&denial);
            let _ = flush(write, connection).await;
            Err(DisconnectReason::Denied(denial))
        }
    }
}

async fn negotiate(
    read: &mut ReadHalf,
    write: &WriteHalf,
    connection: &mut Connection,
    turnstile: Option<&Turnstile>,
) -> Result<(PeerInfo, Credentials), DisconnectReason> {
    let no_room = Room {
        messages: 0,
        bytes: 0,
    };
    loop {
        flush(write, connection).await?;
        let turn = match turnstile {
            Some(turnstile) if connection.is_laborious() => turnstile.enter().await,
            _ => None,
        };
        let received = connection.receive(no_room, Instant::now());
        if let Some(turn) = turn {
            turn.end().await;
        }
        match received {
            Ok(Some(Incoming::Introduced(peer, credentials))) => {
                flush(write, connection).await?;
                return Ok((peer, credentials));
            }
            Ok(Some(Incoming::Messages(_))) => continue,
            Ok(None) => {}
            Err(fault) => return Err(DisconnectReason::Fault(fault)),
        }
        flush(write, connection).await?;
        let came = poll_fn(|cx| {
            let came = poll_read(cx, read, connection);
            if came.is_pending() {
                // It may be long until the peer says more, and whoever connects may be silent from here on.
                connection.release_idle_buffer();
            }
            came
        });
        if came.await.map_err(io)? == 0 {
            return Err(DisconnectReason::PeerClosed);
        }
    }
}

/// Writes what the protocol wants to say.
async fn flush(write: &WriteHalf, connection: &mut Connection) -> Result<(), DisconnectReason> {
    let bytes = std::mem::take(connection.outgoing());
    let mut transmit = Transmit::new(Batch::from_wire(Bytes::from(bytes), 0));
    poll_fn(|cx| poll_write(cx, write, &mut transmit))
        .await
        .map_err(io)
}

#[cfg(test)]
pub(super) mod tests {
    use std::pin::pin;
    use std::task::{Context, Waker};

    use tokio::io::AsyncWriteExt;
    use tokio::net::{TcpListener, TcpStream};

    use super::*;
    use crate::socket_type::SocketType;
    use crate::transport::Stream;
    use crate::wire::mechanism::Mechanism;

    /// That of a PAIR that has been dialled.
    pub(in crate::peer) fn connection() -> Connection {
        Connection::new(Local {
            origin: Origin::Accepted,
            mechanism: Mechanism::Null,
            socket_type: SocketType::Pair,
            identity: Bytes::new(),
            properties: Vec::new(),
            limits: Limits {
                max_message: 1,
                max_frames: 1,
                max_topic: 1,
            },
            heartbeat: heartbeat::Settings::default(),
        })
    }

    /// Both ends of a connection, the accepted one as the library has it.
    pub(in crate::peer) async fn streams() -> (TcpStream, Stream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let other = TcpStream::connect(listener.local_addr().unwrap()).await;
        let (stream, _) = listener.accept().await.unwrap();
        (other.unwrap(), Stream::Tcp(stream))
    }

    /// Whoever connects may say nothing, from the start or after the greeting.
    #[tokio::test]
    async fn who_is_silent_in_the_handshake_costs_no_buffer() {
        let (mut other, stream) = streams().await;
        let (mut read, write) = stream.split();
        let (mut connection, mut peer) = (connection(), connection());
        for said in [Vec::new(), std::mem::take(peer.outgoing())] {
            other.write_all(&said).await.unwrap();
            if !said.is_empty() {
                poll_fn(|cx| read.poll_read_ready(cx)).await.unwrap();
            }
            {
                let negotiation = pin!(negotiate(&mut read, &write, &mut connection, None));
                let mut cx = Context::from_waker(Waker::noop());
                assert!(negotiation.poll(&mut cx).is_pending());
            }
            assert!(connection.has_no_buffer(), "after {} bytes", said.len());
        }
    }
}
