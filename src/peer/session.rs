//! One connection from its first byte to its last: handshake, admission, traffic, departure.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::pin;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use tokio::io::AsyncReadExt;
use tokio::sync::watch;

use super::auth;
use super::traffic::Traffic;
use super::turnstile::Turnstile;
use super::{Admitted, Hub, Newcomer, Pipes, Standing, Stop, outbound_pipe};
use crate::endpoint::{Endpoint, PeerAddress};
use crate::event::{DisconnectReason, Event};
use crate::fault::PeerFault;
use crate::pattern::{Departure, PeerId};
use crate::peer_handle::{Claims, Peer, Standpoint};
use crate::pipe::sync::Arc;
use crate::pipe::{CloseReason, Pipe};
use crate::security::access::Authorised;
use crate::security::credentials::Credentials;
use crate::trace::Span;
use crate::transport::{ReadHalf, Stream, WriteHalf};
use crate::wire::batch::Batch;
use crate::wire::connection::{Connection, Incoming, Limits, Local, Origin, PeerInfo, Room};
use crate::wire::heartbeat;
use crate::wire::subscription::TOPIC_MAX;
use crate::wire::transmit::{SLICES_MAX, Transmit};

/// How a session ended, for whoever may start the next one.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// How long messages could pass; none when the handshake did not complete.
    pub(crate) lasted: Option<std::time::Duration>,
    pub(crate) reason: DisconnectReason,
}

/// What a session is about.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) origin: Origin,
    pub(crate) endpoint: Endpoint,
    pub(crate) address: PeerAddress,
    pub(crate) local_address: Option<SocketAddr>,
    pub(crate) standing: Option<Standing>,
    /// Where a step of the handshake that takes long waits for its turn; none where nobody else decides
    /// how many there are.
    pub(crate) turnstile: Option<Arc<Turnstile>>,
}

/// Drives a connection until it ends. `judged` is called when its peer has said who it is, just before the
/// socket admits it or does not.
///
/// *Cancel safety*: dropping it closes the connection, and the peer departs. What it had taken from its
/// outbound pipe is lost then; a session that has been admitted is therefore ended through that pipe, unless
/// its runtime ends.
pub(crate) async fn run(
    hub: &Arc<dyn Hub>,
    stream: Stream,
    place: Place,
    stop: &mut watch::Receiver<Stop>,
    judged: impl FnOnce() + Send,
) -> Outcome {
    let span = Span::connection(&place.endpoint, &place.address);
    span.around(drive(hub, stream, place, stop, judged)).await
}

async fn drive(
    hub: &Arc<dyn Hub>,
    stream: Stream,
    place: Place,
    stop: &mut watch::Receiver<Stop>,
    judged: impl FnOnce() + Send,
) -> Outcome {
    if !hub.has_seat(place.standing.as_ref().map(|standing| standing.id)) {
        return fail(&**hub, place, DisconnectReason::Occupied);
    }
    let (mut read, write) = stream.split();
    let mut connection = Connection::new(local(&**hub, place.origin));
    let (peer, authorised) =
        match handshake(hub, &place, &mut read, &write, &mut connection, stop).await {
            Ok(judged) => judged,
            Err(reason) => return fail(&**hub, place, reason),
        };
    judged();
    let newcomer = newcomer(&**hub, &place, peer, authorised);
    let (id, pipes) = (newcomer.id, newcomer.pipes.clone());
    let peer = newcomer.peer.clone();
    let Admitted {
        admission,
        displaced,
    } = match hub.admit(newcomer) {
        Ok(admitted) => admitted,
        // A close, without an ERROR: that would forbid the peer to come again.
        Err(reason) => return fail(&**hub, place, reason),
    };
    let member = Member {
        hub,
        id,
        place: &place,
        pipes: &pipes,
        departed: false,
    };
    // What this has it say goes out before anything that has been queued.
    connection.accept(admission, Instant::now());
    hub.tell(Event::Ready { peer: peer.clone() });
    if let Some(other) = displaced {
        hub.displace(other);
    }
    if hub.options().probe {
        // One nonce of many is left, or there is nothing to count: a failure shows with the first message.
        let _ = connection.probe();
    }
    let since = Instant::now();
    let mut traffic = Traffic::new(&**hub, read, write, connection, pipes.clone(), peer);
    let reason = poll_fn(|cx| traffic.poll(cx)).await;
    let unwritten = traffic.into_unwritten().await;
    member.depart(unwritten, reason.clone());
    Outcome {
        lasted: Some(since.elapsed()),
        reason,
    }
}

/// A peer that takes part. It departs also when its session is dropped, as the end of a runtime does: a
/// socket may outlive that, and nobody else would ever free the peer's name and its queues.
struct Member<'a> {
    hub: &'a Arc<dyn Hub>,
    id: PeerId,
    place: &'a Place,
    pipes: &'a Pipes,
    departed: bool,
}

impl Member<'_> {
    fn depart(mut self, unwritten: Batch, reason: DisconnectReason) {
        self.departed = true;
        self.leave(unwritten, reason);
    }

    fn leave(&self, unwritten: Batch, reason: DisconnectReason) {
        let departure = leave(self.pipes, self.place, unwritten, reason);
        self.hub.depart(self.id, departure);
    }
}

impl Drop for Member<'_> {
    fn drop(&mut self) {
        if !self.departed {
            let begun = self.pipes.outbound.drop_shortcut();
            let unwritten = begun.map(Transmit::into_unwritten).unwrap_or_default();
            self.leave(unwritten, DisconnectReason::Closed);
        }
    }
}

/// Ends a connection through which no message has passed.
fn fail(hub: &dyn Hub, place: Place, reason: DisconnectReason) -> Outcome {
    hub.tell(Event::HandshakeFailed {
        endpoint: place.endpoint,
        address: place.address,
        local_address: place.local_address,
        reason: reason.clone(),
    });
    Outcome {
        lasted: None,
        reason,
    }
}

fn local(hub: &dyn Hub, origin: Origin) -> Local {
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

fn newcomer(hub: &dyn Hub, place: &Place, peer: PeerInfo, authorised: Authorised) -> Newcomer {
    let options = hub.options();
    let (id, outbound) = match &place.standing {
        Some(standing) => (standing.id, Arc::clone(&standing.outbound)),
        None => (hub.next_peer_id(), outbound_pipe(options.send)),
    };
    let inbound = hub.listens().then(|| Pipe::new(options.recv, 0));
    Newcomer {
        id,
        peer: Peer::new(
            Standpoint {
                endpoint: place.endpoint.clone(),
                address: place.address.clone(),
                local_address: place.local_address,
            },
            peer.socket_type,
            Some(peer.version),
            Claims::new(peer.identity, peer.properties),
            authorised,
        ),
        pipes: Pipes { outbound, inbound },
        standing: place.standing.is_some(),
        #[cfg(feature = "inproc")]
        link: None,
    }
}

/// Gives back what was not sent: to the pipe if that stays, else to the pattern.
fn leave(pipes: &Pipes, place: &Place, begun: Batch, reason: DisconnectReason) -> Departure {
    let standing = place.standing.is_some();
    let mut unwritten = Vec::new();
    if standing {
        pipes.outbound.leave();
        pipes.outbound.put_back(begun);
    } else {
        pipes.outbound.close(CloseReason::Lost);
        unwritten.push(begun);
        unwritten.extend(pipes.outbound.drain());
    }
    if let Some(inbound) = &pipes.inbound {
        inbound.close(CloseReason::Lost);
    }
    Departure {
        unwritten,
        keeps_outbound: standing,
        endpoint: place.endpoint.clone(),
        reason,
    }
}

/// Greeting, mechanism and verdict, within one absolute deadline that no byte moves. What the verdict has to be
/// said with is still to be said then.
async fn handshake(
    hub: &Arc<dyn Hub>,
    place: &Place,
    read: &mut ReadHalf,
    write: &WriteHalf,
    connection: &mut Connection,
    stop: &mut watch::Receiver<Stop>,
) -> Result<(PeerInfo, Authorised), DisconnectReason> {
    let limit = hub.options().handshake_timeout;
    let work = async {
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
    };
    tokio::select! {
        result = tokio::time::timeout(limit, work) => {
            result.unwrap_or(Err(DisconnectReason::HandshakeTimeout { limit }))
        }
        Ok(_) = stop.wait_for(|stop| *stop == Stop::Halt) => Err(DisconnectReason::Closed),
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
        let mut target = connection.read_target();
        if read.read_buf(&mut target).await.map_err(io)? == 0 {
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

/// Writes until everything is in the kernel.
pub(super) fn poll_write(
    cx: &mut Context<'_>,
    write: &WriteHalf,
    transmit: &mut Transmit,
) -> Poll<std::io::Result<()>> {
    while !transmit.is_done() {
        std::task::ready!(write.poll_write_ready(cx))?;
        let mut slices = [std::io::IoSlice::new(&[]); SLICES_MAX];
        let used = transmit.slices(&mut slices);
        match write.try_write_vectored(slices.get(..used).unwrap_or_default()) {
            Ok(0) => return Poll::Ready(Err(std::io::ErrorKind::WriteZero.into())),
            Ok(written) => transmit.advance(written),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Poll::Ready(Err(error)),
        }
    }
    Poll::Ready(Ok(()))
}

/// Reads once into where the connection wants its bytes; 0 is the end of the stream.
pub(super) fn poll_read(
    cx: &mut Context<'_>,
    read: &mut ReadHalf,
    connection: &mut Connection,
) -> Poll<std::io::Result<usize>> {
    let mut target = connection.read_target();
    let read = pin!(read.read_buf(&mut target));
    read.poll(cx)
}

pub(super) fn io(error: std::io::Error) -> DisconnectReason {
    DisconnectReason::Io(Arc::new(error))
}

pub(super) const fn fault(fault: PeerFault) -> DisconnectReason {
    DisconnectReason::Fault(fault)
}
