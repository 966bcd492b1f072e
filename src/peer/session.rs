//! One connection from its first byte to its last: handshake, admission, traffic, departure.

use std::future::{pending, poll_fn};
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Instant;

use tokio::io::AsyncReadExt;
use tokio::sync::watch;

use super::handshake;
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
use crate::trace::Span;
use crate::transport::{ReadHalf, Stream, WriteHalf};
use crate::wire::batch::Batch;
use crate::wire::connection::{Connection, Origin, PeerInfo};
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

/// A connection over which messages pass.
///
/// Most sessions of a socket with many peers are at rest, so what is kept here is kept many times: what only the
/// handshake needs is in the future of [`open`], which is gone by then.
#[derive(Debug)]
pub(crate) struct Session {
    // Dropped first: the connection ends before the socket hears of it.
    traffic: Traffic,
    member: Member,
    since: Instant,
}

/// Drives a connection that was dialled until it ends.
///
/// *Cancel safety*: as of [`open`] and [`Session::carry`].
pub(crate) fn run(
    hub: &Arc<dyn Hub>,
    stream: Stream,
    place: Place,
    stop: &mut watch::Receiver<Stop>,
) -> impl Future<Output = Outcome> + Send {
    let span = Span::connection(&place.endpoint, &place.address);
    let opening = Box::pin(async move { open(hub, stream, &place, stop, pending(), || {}).await });
    follow(span, opening)
}

/// Drives a connection that is being [opened](open) until it ends.
pub(super) fn follow<F>(span: Span, opening: Pin<Box<F>>) -> impl Future<Output = Outcome> + Send
where
    F: Future<Output = Result<Box<Session>, Outcome>> + Send,
{
    span.around(async move {
        // Freed as soon as it is through.
        let opened = opening.await;
        match opened {
            Ok(session) => session.carry().await,
            Err(outcome) => outcome,
        }
    })
}

/// Brings a connection to where messages pass, or to its end. Large, and to be boxed: nothing of it is needed
/// for longer.
///
/// Until the peer has said who it is, the reason that `expelled` yields ends it. `judged` is called when it has,
/// just before the socket admits it or does not.
///
/// *Cancel safety*: dropping it closes the connection.
pub(crate) async fn open(
    hub: &Arc<dyn Hub>,
    stream: Stream,
    place: &Place,
    stop: &mut watch::Receiver<Stop>,
    expelled: impl Future<Output = DisconnectReason> + Send,
    judged: impl FnOnce() + Send,
) -> Result<Box<Session>, Outcome> {
    if !hub.has_seat(place.standing.as_ref().map(|standing| standing.id)) {
        return Err(fail(&**hub, place, DisconnectReason::Occupied));
    }
    let (mut read, write) = stream.split();
    let mut connection = Connection::new(handshake::local(&**hub, place.origin));
    connection.count(hub.partials().share(hub.options().partial_limit()));
    let line = (&mut read, &write, &mut connection);
    let (peer, authorised) = match handshake::shake(hub, place, line, stop, expelled).await {
        Ok(introduced) => introduced,
        Err(reason) => return Err(fail(&**hub, place, reason)),
    };
    judged();
    let newcomer = newcomer(&**hub, place, peer, authorised);
    let (id, pipes) = (newcomer.id, newcomer.pipes.clone());
    let peer = newcomer.peer.clone();
    let Admitted {
        admission,
        displaced,
    } = match hub.admit(newcomer) {
        Ok(admitted) => admitted,
        // A close, without an ERROR: that would forbid the peer to come again.
        Err(reason) => return Err(fail(&**hub, place, reason)),
    };
    let member = Member {
        hub: Arc::clone(hub),
        id,
        peer: peer.clone(),
        stands: place.standing.is_some(),
        pipes: pipes.clone(),
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
    Ok(Box::new(Session {
        since: Instant::now(),
        traffic: Traffic::new(&**hub, read, write, connection, pipes, peer),
        member,
    }))
}

impl Session {
    /// Moves messages until the connection ends.
    ///
    /// *Cancel safety*: dropping it closes the connection, and the peer departs. What it had taken from its
    /// outbound pipe is lost then; a session is therefore ended through that pipe, unless its runtime ends.
    pub(crate) async fn carry(mut self: Box<Self>) -> Outcome {
        let reason = poll_fn(|cx| self.traffic.poll(cx)).await;
        while !self.member.hub.shed(self.member.id) {
            tokio::task::yield_now().await;
        }
        let unwritten = poll_fn(|cx| self.traffic.poll_unwritten(cx)).await;
        let Self {
            traffic,
            member,
            since,
        } = *self;
        drop(traffic);
        member.depart(unwritten, reason.clone());
        Outcome {
            lasted: Some(since.elapsed()),
            reason,
        }
    }
}

/// A peer that takes part. It departs also when its session is dropped, as the end of a runtime does: a
/// socket may outlive that, and nobody else would ever free the peer's name and its queues.
#[derive(Debug)]
struct Member {
    hub: Arc<dyn Hub>,
    id: PeerId,
    peer: Peer,
    /// Whether its outbound queue outlives the connection.
    stands: bool,
    pipes: Pipes,
    departed: bool,
}

impl Member {
    fn depart(mut self, unwritten: Batch, reason: DisconnectReason) {
        self.departed = true;
        self.leave(unwritten, reason);
    }

    /// Gives back what was not sent: to the pipe if that stays, else to the pattern.
    fn leave(&self, begun: Batch, reason: DisconnectReason) {
        let Pipes { outbound, inbound } = &self.pipes;
        let mut unwritten = Vec::new();
        if self.stands {
            outbound.leave();
            outbound.put_back(begun);
        } else {
            outbound.close(CloseReason::Lost);
            unwritten.push(begun);
            unwritten.extend(outbound.drain());
        }
        if let Some(inbound) = inbound {
            inbound.close(CloseReason::Lost);
        }
        let departure = Departure {
            unwritten,
            keeps_outbound: self.stands,
            endpoint: self.peer.endpoint().clone(),
            reason,
        };
        self.hub.depart(self.id, departure);
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        if !self.departed {
            let begun = self.pipes.outbound.drop_shortcut();
            let unwritten = begun.map(Transmit::into_unwritten).unwrap_or_default();
            self.leave(unwritten, DisconnectReason::Closed);
        }
    }
}

/// Ends a connection through which no message has passed.
pub(super) fn fail(hub: &dyn Hub, place: &Place, reason: DisconnectReason) -> Outcome {
    hub.tell(Event::HandshakeFailed {
        endpoint: place.endpoint.clone(),
        address: place.address.clone(),
        local_address: place.local_address,
        reason: reason.clone(),
    });
    Outcome {
        lasted: None,
        reason,
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
        uninvited: place.origin == Origin::Accepted,
        #[cfg(feature = "inproc")]
        link: None,
    }
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
    if connection.has_no_buffer() {
        // Asked for only now, so that a peer that says nothing costs none.
        std::task::ready!(read.poll_read_ready(cx))?;
    }
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

#[cfg(test)]
mod tests {
    use std::future::Pending;

    use tokio::io::AsyncWriteExt;

    use super::*;
    use crate::peer::dialer;
    use crate::wire::connection::Room;

    /// Thousands of peers may be connected and say nothing.
    #[test]
    fn a_session_at_rest_is_small() {
        const SESSION_MAX: usize = 1_024;
        const TASK_MAX: usize = 256;
        const DIALER_MAX: usize = 768;
        let opening = Box::pin(pending());
        let span = Span::connection(&"tcp://[::1]:1".parse().unwrap(), &PeerAddress::Inproc);
        assert!(size_of::<Session>() <= SESSION_MAX);
        assert!(size_of_val(&follow(span, opening)) <= TASK_MAX);
        let size = dialer_size(dialer::run);
        assert!(size <= DIALER_MAX, "{size} bytes");
    }

    /// Whoever connects makes us keep this, for as long as a handshake may take.
    #[test]
    fn a_handshake_is_small() {
        const OPENING_MAX: usize = 2_048;
        type Accepted = (
            &'static Arc<dyn Hub>,
            Stream,
            &'static Place,
            &'static mut watch::Receiver<Stop>,
            Pin<&'static mut Pending<DisconnectReason>>,
        );
        const fn size<F>(_: fn(Accepted) -> F) -> usize {
            size_of::<F>()
        }
        let size = size(|(hub, stream, place, stop, expelled): Accepted| {
            open(hub, stream, place, stop, expelled, || {})
        });
        assert!(size <= OPENING_MAX, "{size} bytes");
    }

    const fn dialer_size<A, B, C, D, F>(_: fn(A, B, C, D) -> F) -> usize {
        size_of::<F>()
    }

    #[tokio::test]
    async fn who_says_nothing_costs_no_buffer() {
        let (mut other, stream) = handshake::tests::streams().await;
        let (mut read, _write) = stream.split();
        let mut connection = handshake::tests::connection();
        let greeting = std::mem::take(connection.outgoing());
        other.write_all(&greeting).await.unwrap();
        let came = poll_fn(|cx| poll_read(cx, &mut read, &mut connection)).await;
        assert_eq!(came.unwrap(), greeting.len());
        let none = connection.receive(Room::UNLIMITED, Instant::now());
        assert!(matches!(none, Ok(None)));
        assert!(!connection.has_no_buffer());
        // It does not come back by itself.
        connection.release_idle_buffer();
        let mut cx = Context::from_waker(std::task::Waker::noop());
        assert!(poll_read(&mut cx, &mut read, &mut connection).is_pending());
        assert!(connection.has_no_buffer());
    }
}
