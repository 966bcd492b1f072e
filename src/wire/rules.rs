//! [`Limits`] and [`Rules`]: what a peer may send to a socket of some type, frame by frame.
//!
//! Judged from the first byte that can break a rule: flags on their byte, a length on its last.

use super::frame::{self, Header, HeaderError, MORE};
use super::metadata::METADATA_MAX;
use super::subscription::{self, PREFIX_MAX, Recognised};
use crate::fault::ProtocolError;
use crate::socket_type::SocketType;

/// Bytes that a peer may spend on a whole handshake, greeting included. NULL takes about a hundred,
/// the largest mechanism below a thousand without properties; strangers get no more.
pub(crate) const HANDSHAKE_MAX: usize = 64 * 1024;

/// Bytes of the body of one command, except for subscriptions, which have a limit of their own. The
/// largest is the INITIATE of CURVE, which has 257 bytes besides its metadata; a command has to lie in the
/// read buffer whole.
pub(crate) const COMMAND_MAX: usize = METADATA_MAX + 257;

/// What a socket accepts from each of its peers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Payload of all frames of one message together; `usize::MAX` lifts it.
    pub(crate) max_message: usize,
    /// Frames of one message. An empty frame costs its peer two bytes and us more, so the limit on
    /// payload alone would not bound a message.
    pub(crate) max_frames: usize,
    /// Bytes of the topic of one subscription.
    pub(crate) max_topic: usize,
}

/// What a frame in traffic is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Part of a message.
    Message,
    /// A SUBSCRIBE or CANCEL that the socket wants to see.
    Subscription,
    /// Any other command.
    Command,
}

#[derive(Debug)]
pub(super) struct Rules {
    limits: Limits,
    /// Subscriptions arrive here (PUB, XPUB).
    subscriptions: bool,
    /// Nothing but subscriptions arrives here (PUB).
    nothing_else: bool,
    /// A message of one frame of at most so many bytes breaks no rule, whatever it holds.
    pub(super) harmless: u8,
}

impl Rules {
    pub(super) fn new(socket_type: SocketType, limits: Limits) -> Self {
        let subscriptions = socket_type.takes_subscriptions();
        let mut harmless = limits.max_message;
        if subscriptions {
            harmless = harmless.min(limits.max_topic.saturating_add(1));
        }
        Self {
            limits: Limits {
                // A message has at least one frame.
                max_frames: limits.max_frames.max(1),
                ..limits
            },
            subscriptions,
            nothing_else: socket_type == SocketType::Pub,
            harmless: u8::try_from(harmless).unwrap_or(u8::MAX),
        }
    }

    /// Reads and judges the header at the start of `rest`, behind `frames` frames and `payload`
    /// bytes of the same message; `None` when more bytes are needed for that.
    pub(super) fn judge(
        &self,
        rest: &[u8],
        frames: usize,
        payload: u64,
    ) -> Result<Option<(Header, Kind)>, ProtocolError> {
        let header = frame::parse(rest)?;
        if rest
            .first()
            .is_some_and(|flags| flags & frame::COMMAND == 0)
        {
            self.judge_frames(rest, frames)?;
        }
        let Some(header) = header else {
            return Ok(None);
        };
        let body = rest.get(header.head..).unwrap_or_default();
        if header.command {
            return self.judge_command(header, body);
        }
        let limits = &self.limits;
        let declared = payload.saturating_add(header.body);
        if self.nothing_else {
            topic_fits(declared.saturating_sub(1), limits.max_topic)?;
        }
        if exceeds(declared, limits.max_message) {
            return Err(ProtocolError::MessageTooLarge {
                declared,
                limit: limits.max_message,
            });
        }
        let length = header.body.saturating_sub(1);
        if self.subscriptions && frames == 0 && exceeds(length, limits.max_topic) {
            // Only its first byte tells whether this is a subscription.
            match body.first() {
                None => return Ok(None),
                Some(0 | 1) => topic_fits(length, limits.max_topic)?,
                Some(_) => {}
            }
        }
        Ok(Some((header, Kind::Message)))
    }

    /// Whether subscriptions arrive here.
    #[cfg(feature = "curve")]
    pub(super) const fn takes_subscriptions(&self) -> bool {
        self.subscriptions
    }

    /// Judges the length of a frame that cannot be looked into yet, behind `payload` bytes of the same
    /// message: nothing that is allowed is as long as that.
    #[cfg(feature = "curve")]
    pub(super) fn judge_sealed(&self, length: u64, payload: u64) -> Result<(), ProtocolError> {
        let limits = &self.limits;
        let declared = payload.saturating_add(length);
        let prefixed = limits.max_topic.saturating_add(PREFIX_MAX);
        if !exceeds(length, COMMAND_MAX.max(prefixed)) {
            // It may be a command.
            return Ok(());
        }
        if self.nothing_else {
            topic_fits(declared.saturating_sub(1), limits.max_topic)?;
        }
        if exceeds(declared, limits.max_message) {
            return Err(ProtocolError::MessageTooLarge {
                declared,
                limit: limits.max_message,
            });
        }
        Ok(())
    }

    /// A frame that announces more is already one too many if the next one would be.
    fn judge_frames(&self, rest: &[u8], frames: usize) -> Result<(), ProtocolError> {
        let more = usize::from(rest.first().is_some_and(|flags| flags & MORE != 0));
        let known = frames.saturating_add(1).saturating_add(more);
        let limit = self.limits.max_frames;
        if known > limit {
            return Err(ProtocolError::TooManyFrames { limit });
        }
        Ok(())
    }

    fn judge_command(
        &self,
        header: Header,
        body: &[u8],
    ) -> Result<Option<(Header, Kind)>, ProtocolError> {
        let declared = header.body;
        if !self.subscriptions {
            command_fits(declared)?;
            return Ok(Some((header, Kind::Command)));
        }
        let max_topic = self.limits.max_topic;
        let longest = max_topic.saturating_add(PREFIX_MAX).max(COMMAND_MAX);
        if exceeds(declared, longest) {
            // Whatever it is: nothing but a subscription could be meant to be so large.
            topic_fits(declared.saturating_sub(PREFIX_BYTES), max_topic)?;
        }
        let whole = usize::try_from(declared).ok();
        let start = whole.and_then(|whole| body.get(..whole));
        match subscription::recognise(start.unwrap_or(body), start.is_some()) {
            Recognised::NeedsMore => Ok(None),
            Recognised::Other => {
                command_fits(declared)?;
                Ok(Some((header, Kind::Command)))
            }
            Recognised::Subscription { prefix } => {
                let prefix = u64::try_from(prefix).unwrap_or(u64::MAX);
                topic_fits(declared.saturating_sub(prefix), max_topic)?;
                Ok(Some((header, Kind::Subscription)))
            }
        }
    }

    /// Judges a frame of the handshake, of which `spent` bytes are behind us.
    pub(super) fn judge_handshake(
        &self,
        spent: usize,
        header: Header,
    ) -> Result<(), ProtocolError> {
        let spent = spent.saturating_add(header.head);
        let spent = u64::try_from(spent).unwrap_or(u64::MAX);
        let declared = spent.saturating_add(header.body);
        if exceeds(declared, HANDSHAKE_MAX) {
            let limit = HANDSHAKE_MAX;
            return Err(ProtocolError::HandshakeTooLarge { declared, limit });
        }
        command_fits(header.body)
    }
}

const PREFIX_BYTES: u64 = 10;

fn exceeds(declared: u64, limit: usize) -> bool {
    // A limit that does not fit 64 bits is above everything that can be declared.
    u64::try_from(limit).is_ok_and(|limit| declared > limit)
}

fn topic_fits(length: u64, limit: usize) -> Result<(), ProtocolError> {
    if exceeds(length, limit) {
        return Err(ProtocolError::TopicTooLong { length, limit });
    }
    Ok(())
}

fn command_fits(declared: u64) -> Result<(), ProtocolError> {
    if exceeds(declared, COMMAND_MAX) {
        let limit = COMMAND_MAX;
        return Err(ProtocolError::CommandTooLarge { declared, limit });
    }
    Ok(())
}

impl From<HeaderError> for ProtocolError {
    fn from(error: HeaderError) -> Self {
        match error {
            HeaderError::ReservedFlags(flags) => Self::ReservedFlags { flags },
            HeaderError::CommandWithMore => Self::CommandWithMore,
            HeaderError::Length(declared) => Self::FrameLength { declared },
        }
    }
}
