//! [`Connection`]: one peer's protocol, from the greeting to the last message.
//!
//! ```text
//! Greeting ──both match──▶ Handshake ──it has said who it is──▶ Introduced ──accept──▶ Traffic
//!     └──────────────────────┴──────────── a fault ────────────────┴──────────────────────┴──▶ Closed
//! ```
//!
//! Between [`Incoming::Introduced`] and [`accept`](Connection::accept) the socket judges the peer, for as
//! long as it likes: nothing is read and nothing said. Without an [`Admission`] there is no traffic, and
//! no READY where it is ours to speak last. A peer that is turned away by a close instead has never
//! been ready, so it has sent nothing that could be lost.
//!
//! Bytes go in through [`read_target`](Connection::read_target) and
//! [`receive`](Connection::receive), bytes come out of [`outgoing`](Connection::outgoing); time
//! passes only through [`deadline`](Connection::deadline) and
//! [`on_deadline`](Connection::on_deadline). The first fault is final.

use std::mem;
use std::time::Instant;

use super::batch::Batch;
use super::command::{self, Command, printable};
use super::decoder::{Decoded, Decoder};
use super::greeting;
use super::heartbeat::Heartbeat;
use super::partials::Share;
use super::read_buffer::ReadTarget;
use super::rules::Rules;
#[cfg(feature = "curve")]
use super::seal::Seal;
use super::subscription::Subscription;
use super::transmit::Transmit;
use crate::fault::{PeerFault, ProtocolError};
use crate::security::denial::Denial;
use crate::socket_type::SocketType;

mod effort;
mod phase;
mod terms;

pub(crate) use super::decoder::Room;
pub(crate) use super::rules::Limits;
use phase::Phase;
pub(crate) use terms::{Admission, Incoming, Local, Origin, PeerInfo};

/// PONGs that wait to be written. The peer has sixteen answers on the way then, and anything that
/// arrives tells it that we live: further PINGs get no answer of their own.
pub(crate) const PENDING_PONGS_MAX: usize = 16;

/// PINGs that are taken while none of the answers has been written. A peer may have pinged every
/// second of the quarter of an hour for which we did not read; a flood has more in one buffer.
pub(crate) const PENDING_PINGS_MAX: usize = 1024;

/// The protocol state of one connection.
#[derive(Debug)]
pub(crate) struct Connection {
    /// What only the handshake needs to know; none in traffic, of which there are many at rest.
    local: Option<Box<Local>>,
    socket_type: SocketType,
    decoder: Decoder,
    phase: Phase,
    heartbeat: Heartbeat,
    outgoing: Vec<u8>,
    /// PINGs taken since `outgoing` was last found empty.
    pings: usize,
    /// Where the mechanism encrypts, between the network and `decoder`.
    #[cfg(feature = "curve")]
    seal: Option<Box<Seal>>,
}

impl Connection {
    /// Starts a connection; our whole greeting is in [`outgoing`](Self::outgoing) at once.
    pub(crate) fn new(mut local: Local) -> Self {
        let rules = Rules::new(local.socket_type, local.limits);
        Self {
            socket_type: local.socket_type,
            decoder: Decoder::new(rules),
            phase: Phase::Greeting,
            heartbeat: Heartbeat::new(mem::take(&mut local.heartbeat)),
            outgoing: greeting::encode(local.mechanism.name(), local.mechanism.is_server())
                .to_vec(),
            pings: 0,
            #[cfg(feature = "curve")]
            seal: None,
            local: Some(Box::new(local)),
        }
    }

    /// Has unfinished messages counted, and ends when they are too much.
    pub(crate) fn count(&mut self, share: Share) {
        self.decoder.share = share;
    }

    /// Where the session reads next. Always takes at least one byte, never more than may be read.
    ///
    /// To be called anew for every read, and only after [`receive`](Self::receive) gave `None` with
    /// room to spare: otherwise what is read piles up.
    pub(crate) fn read_target(&mut self) -> ReadTarget<'_> {
        #[cfg(feature = "curve")]
        if let Some(seal) = &mut self.seal {
            return seal.read_target();
        }
        self.decoder.read_target()
    }

    /// What the bytes read so far amount to, piece by piece; `None` when that takes more bytes, or
    /// more room. Without room the commands before the next message are still obeyed.
    #[inline]
    pub(crate) fn receive(
        &mut self,
        room: Room,
        now: Instant,
    ) -> Result<Option<Incoming>, PeerFault> {
        if self.arrived() {
            self.heartbeat.heard();
        }
        let result = match self.phase {
            Phase::Traffic { .. } => self.traffic(room, now),
            Phase::Greeting | Phase::Handshake { .. } => self.shake_hands(),
            Phase::Introduced { .. } | Phase::Closed { .. } => Ok(None),
        };
        if result.is_err() {
            self.close();
        }
        result
    }

    /// Whether the last [`receive`](Self::receive) gave `None` for lack of room: a message has
    /// arrived, or begun to.
    #[cfg(test)]
    pub(crate) const fn has_unread_message(&self) -> bool {
        self.decoder.is_starved()
    }

    /// Bytes to be written between batches: greeting, READY, PING, PONG, ERROR. Whoever writes
    /// takes all of it away.
    pub(crate) const fn outgoing(&mut self) -> &mut Vec<u8> {
        &mut self.outgoing
    }

    /// The batch in the form that the peer understands: a peer below ZMTP 3.1 wants subscriptions
    /// as messages, and where the mechanism encrypts all of it is encrypted.
    ///
    /// What is in [`outgoing`](Self::outgoing) is written before it: a mechanism that counts counts both.
    pub(crate) fn outbound(&mut self, batch: Batch) -> Result<Transmit, PeerFault> {
        debug_assert!(self.outgoing.is_empty(), "it is counted as written before");
        let batch = self.as_understood(batch);
        #[cfg(feature = "curve")]
        if let Some(seal) = &mut self.seal {
            return match seal.seal(batch) {
                Ok(transmit) => Ok(transmit),
                Err(fault) => {
                    self.close();
                    Err(fault)
                }
            };
        }
        Ok(Transmit::new(batch))
    }

    /// Takes back what has been written, and returns the batch that it was, whose buffer can be used again.
    pub(crate) fn recycle(&mut self, written: Transmit) -> Batch {
        let (batch, sealed) = written.into_batches();
        #[cfg(feature = "curve")]
        if let (Some(seal), Some(sealed)) = (&mut self.seal, sealed) {
            seal.recycle(sealed);
        }
        #[cfg(not(feature = "curve"))]
        let _ = sealed;
        batch
    }

    /// Whether what is written is what was queued, so that a sender may write by itself.
    pub(crate) const fn is_clear(&self) -> bool {
        #[cfg(feature = "curve")]
        let is_clear = self.seal.is_none();
        #[cfg(not(feature = "curve"))]
        let is_clear = true;
        is_clear
    }

    fn as_understood(&self, mut batch: Batch) -> Batch {
        let below_3_1 = matches!(self.phase, Phase::Traffic { version } if version < (3, 1));
        if !below_3_1 || !self.socket_type.subscribes() {
            return batch;
        }
        let mut converted = Batch::default();
        while let Some(first) = batch.peek() {
            if first.command {
                if let Some(subscription) = Subscription::read(first) {
                    converted.push(&[], &subscription.to_message(), usize::MAX);
                }
                batch.skip();
            } else if let Some(message) = batch.pop() {
                converted.push(&[], &message, usize::MAX);
            }
        }
        converted
    }

    /// The peer is admitted: traffic begins, after our READY if that has been held back for this.
    pub(crate) fn accept(&mut self, _: Admission, now: Instant) {
        let closed = Phase::Closed { explain: false };
        match mem::replace(&mut self.phase, closed) {
            #[cfg(not(feature = "curve"))]
            Phase::Introduced { answer, version } => {
                answer.give(&mut self.outgoing);
                self.begin_traffic(version, now);
            }
            #[cfg(feature = "curve")]
            Phase::Introduced {
                answer,
                sealing,
                version,
            } => {
                answer.give(&mut self.outgoing);
                if let Some(sealing) = sealing {
                    let input = self.decoder.take_input();
                    let share = self.decoder.share.another();
                    self.seal = Some(Box::new(Seal::new(*sealing, input, share)));
                }
                self.begin_traffic(version, now);
            }
            phase => self.phase = phase,
        }
    }

    fn begin_traffic(&mut self, version: (u8, u8), now: Instant) {
        self.phase = Phase::Traffic { version };
        self.heartbeat.start(now);
        self.local = None;
        // Whoever is silent from the first moment on never has one.
        self.release_idle_buffer();
    }

    /// Tells the peer why it is turned away, if the protocol allows that: after the greetings,
    /// before the end of the handshake, and when the verdict is ours and final.
    pub(crate) fn refuse(&mut self, fault: &PeerFault) {
        let allowed = self.phase.may_explain();
        // An ERROR is not answered with an ERROR, and it forbids the peer to try again, which a
        // peer that was only slow may.
        let ours = matches!(fault, PeerFault::Protocol(_) | PeerFault::Incompatible(_));
        let explains = |local: &Local| local.mechanism.explains();
        if allowed && ours && self.local.as_deref().is_some_and(explains) {
            command::put_error(&mut self.outgoing, &printable(fault.to_string().as_bytes()));
        }
        self.phase = Phase::Closed { explain: false };
    }

    /// As if it had sent so many encrypted frames.
    #[cfg(all(test, feature = "curve"))]
    pub(super) fn skip_nonces(&mut self, next: u64) {
        self.seal.as_mut().expect("it encrypts").skip_nonces(next);
    }

    /// Tells a peer that it is not let in, as far as it is to be told.
    pub(crate) fn deny(&mut self, denial: &Denial) {
        if let (Phase::Introduced { .. }, Some(status)) = (&self.phase, denial.told()) {
            command::put_error(&mut self.outgoing, status);
        }
        self.phase = Phase::Closed { explain: false };
    }

    /// Says an empty message before anything else: by it a ROUTER learns of this side.
    pub(crate) fn probe(&mut self) -> Result<(), PeerFault> {
        self.say(|out| out.extend([0, 0]))
    }

    /// Says one frame, which `put` appends.
    fn say(&mut self, put: impl FnOnce(&mut Vec<u8>)) -> Result<(), PeerFault> {
        #[cfg(feature = "curve")]
        if let Some(seal) = &mut self.seal {
            let mut frame = Vec::new();
            put(&mut frame);
            return seal.seal_frame(&frame, &mut self.outgoing);
        }
        put(&mut self.outgoing);
        Ok(())
    }

    /// Whether the handshake is over and the connection still good.
    pub(crate) const fn is_ready(&self) -> bool {
        matches!(self.phase, Phase::Traffic { .. })
    }

    /// When [`on_deadline`](Self::on_deadline) wants to be called, if at all.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        if self.is_ready() {
            self.heartbeat.deadline()
        } else {
            None
        }
    }

    /// The deadline has come, perhaps: sends a PING or finds the peer dead. Calling it early does
    /// nothing.
    pub(crate) fn on_deadline(&mut self, now: Instant) -> Result<(), PeerFault> {
        if !self.is_ready() {
            return Ok(());
        }
        match self.heartbeat.on_deadline(now) {
            Ok(Some(ttl)) => {
                let context = self.heartbeat.context().to_vec();
                self.say(|out| command::put_ping(out, ttl, &context))
            }
            Ok(None) => Ok(()),
            Err(fault) => {
                self.close();
                Err(fault)
            }
        }
    }

    /// The session stops or resumes reading. A peer that cannot be heard is not found dead.
    pub(crate) fn set_reading(&mut self, reading: bool, now: Instant) {
        self.heartbeat.set_reading(reading, now);
    }

    /// Whether nothing can be read without asking for a buffer first: one had better wait until there is
    /// something to read.
    #[inline]
    pub(crate) fn has_no_buffer(&self) -> bool {
        #[cfg(feature = "curve")]
        if let Some(seal) = &self.seal {
            return seal.has_no_buffer();
        }
        self.decoder.has_no_buffer()
    }

    /// Frees the read buffer if it holds nothing, and reads small pieces again at first.
    pub(crate) fn release_idle_buffer(&mut self) {
        self.decoder.release_idle_buffer();
        #[cfg(feature = "curve")]
        if let Some(seal) = &mut self.seal {
            seal.release_idle_buffer();
        }
    }

    /// Whether anything was read since the last call of [`read_target`](Self::read_target).
    #[inline]
    fn arrived(&mut self) -> bool {
        #[cfg(feature = "curve")]
        if let Some(seal) = &mut self.seal {
            return seal.arrived();
        }
        self.decoder.arrived()
    }

    fn close(&mut self) {
        let explain = self.phase.may_explain();
        self.phase = Phase::Closed { explain };
    }

    fn traffic(&mut self, room: Room, now: Instant) -> Result<Option<Incoming>, PeerFault> {
        loop {
            match self.decoder.next(room)? {
                #[cfg(feature = "curve")]
                None => match &mut self.seal {
                    Some(seal) if !self.decoder.is_starved() => {
                        if !seal.unseal(&mut self.decoder)? {
                            return Ok(None);
                        }
                    }
                    _ => return Ok(None),
                },
                #[cfg(not(feature = "curve"))]
                None => return Ok(None),
                Some(Decoded::Messages(batch)) => {
                    self.heartbeat.heard();
                    return Ok(Some(Incoming::Messages(batch)));
                }
                Some(Decoded::Command(body)) => self.obey(&body, now)?,
            }
        }
    }

    /// Obeys a command of the traffic phase.
    fn obey(&mut self, body: &[u8], now: Instant) -> Result<(), PeerFault> {
        match command::parse(body)? {
            Command::Ping { ttl, context } => {
                self.heartbeat.pinged(ttl, now);
                if self.outgoing.is_empty() {
                    self.pings = 0;
                }
                self.pings = self.pings.saturating_add(1);
                if self.pings > PENDING_PINGS_MAX {
                    let limit = PENDING_PINGS_MAX;
                    return Err(ProtocolError::PingFlood { limit }.into());
                }
                if self.pings > PENDING_PONGS_MAX {
                    return Ok(());
                }
                self.say(|out| command::put_pong(out, context))
            }
            // A peer that sent READY before it judged ours says so now.
            Command::Error { reason } => Err(PeerFault::Refused {
                reason: printable(reason),
            }),
            // A second READY, an answer to our PING, a subscription to a socket that has none to
            // give, the command of a later version: nothing to do.
            Command::Ready { .. } | Command::Pong | Command::Other { .. } => Ok(()),
        }
    }
}
