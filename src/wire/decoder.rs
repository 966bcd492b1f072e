//! [`Decoder`]: bytes as they are read → runs of whole messages, each limit held on the first byte
//! that breaks it.
//!
//! Messages stay encoded. One pass over the headers finds how many whole messages lie in the read
//! buffer, and that piece of the buffer is handed over as it is. Three things leave this path:
//!
//! - a command ends the run and is peeled off (SUBSCRIBE and CANCEL for a publisher stay in it);
//! - a frame larger than the read buffer gets a [buffer of its own](super::large::LargeFrame);
//! - a message of which a part cannot stay in the read buffer (because of a large frame, because
//!   it fills the buffer, or because a command came between its frames) is put together in a
//!   [`Batch`] of its own, `partial`.
//!
//! No frame is looked at twice, except for the header of the one that has not arrived whole.

use super::batch::Batch;
#[cfg(feature = "curve")]
use super::frame::header_len;
use super::frame::{self, Header, MORE};
use super::large::LargeFrame;
use super::partials::Share;
use super::read_buffer::{READ_MAX, ReadBuffer, ReadTarget};
use super::rules::{Kind, Rules};
use crate::fault::ProtocolError;

/// Runs shorter than this are copied out instead of sharing the read buffer, so that a trickle of
/// small messages that nobody fetches does not keep a 64 KiB buffer alive for each. At this size a
/// copy costs about as much as sharing.
const COPIED_RUN_MAX: usize = 2 * 1024;

/// What the receiving pipe can take. The last message may go beyond `bytes`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Room {
    pub(crate) messages: usize,
    pub(crate) bytes: usize,
}

impl Room {
    /// No limit.
    pub(crate) const UNLIMITED: Self = Self {
        messages: usize::MAX,
        bytes: usize::MAX,
    };

    const fn is_used_up(self, messages: usize, bytes: usize) -> bool {
        messages >= self.messages || bytes >= self.bytes
    }
}

/// What the bytes of a peer in traffic amount to.
#[derive(Debug)]
pub(super) enum Decoded {
    /// Whole messages.
    Messages(Batch),
    /// The body of a command.
    Command(Box<[u8]>),
}

#[derive(Debug)]
pub(super) struct Decoder {
    input: ReadBuffer,
    rules: Rules,
    run: Run,
    /// The frames of the message in progress that have left the read buffer.
    partial: Option<Partial>,
    /// The frame that is being read into its own buffer; it belongs to `partial` unless it is a
    /// command.
    large: Option<LargeFrame>,
    /// The body of the last frame in `input`, which is only a header there.
    #[cfg(feature = "curve")]
    apart: Option<(Vec<u8>, usize)>,
    /// What the message in progress counts for.
    pub(super) share: Share,
    /// The last [`next`](Self::next) stopped before a message because there was no room.
    starved: bool,
}

/// How far the read buffer has been scanned: `[ whole messages | whole frames | rest ]`.
#[derive(Clone, Copy, Debug, Default)]
struct Run {
    messages: usize,
    /// Where the whole messages end.
    end: usize,
    /// Where the whole frames end.
    at: usize,
    /// Frames of the message in progress, those in `partial` included.
    frames: usize,
    /// Payload of those frames.
    payload: u64,
}

/// A message of which some frames are known.
#[derive(Debug, Default)]
struct Partial {
    batch: Batch,
    bytes: usize,
}

/// Why a scan stopped. The frame in question, if any, starts at `Run::at`.
#[derive(Clone, Copy, Debug)]
enum Stop {
    /// More bytes are needed; the frame will take so many together.
    Bytes { frame: usize },
    /// A message is there, or its beginning, and no room for it.
    Room,
    /// A whole command that is not part of a run.
    Command(Header),
    /// A whole SUBSCRIBE or CANCEL between the frames of a message.
    Subscription { frame: usize },
    /// A frame that will never fit the read buffer.
    Large(Header),
    /// The last frame of the message in `partial` is there.
    PartialDone,
}

impl Decoder {
    pub(super) fn new(rules: Rules) -> Self {
        Self {
            input: ReadBuffer::new(),
            rules,
            run: Run::default(),
            partial: None,
            large: None,
            #[cfg(feature = "curve")]
            apart: None,
            share: Share::unlimited(),
            starved: false,
        }
    }

    /// Where to read next. Takes at least one byte.
    pub(super) fn read_target(&mut self) -> ReadTarget<'_> {
        match &mut self.large {
            Some(large) if !large.is_complete() => large.read_target(),
            _ => self.input.read_target(),
        }
    }

    /// Whether anything was read since the last call of [`read_target`](Self::read_target).
    pub(super) fn arrived(&mut self) -> bool {
        // Only one of them was read into; the other has no read under way.
        let large = self.large.as_mut().is_some_and(LargeFrame::take_arrived);
        self.input.take_arrived() || large
    }

    /// Whether the last [`next`](Self::next) gave nothing although a message has begun to arrive.
    #[cfg(any(test, feature = "curve"))]
    pub(super) const fn is_starved(&self) -> bool {
        self.starved
    }

    /// Bytes of memory in both buffers.
    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.input.capacity() + self.large.as_ref().map_or(0, LargeFrame::capacity)
    }

    /// Whether there is nothing to read into yet.
    #[inline]
    pub(super) fn has_no_buffer(&self) -> bool {
        self.large.is_none() && self.input.has_no_memory()
    }

    /// Frees the read buffer if it holds nothing.
    pub(super) fn release_idle_buffer(&mut self) {
        self.input.release_if_empty();
    }

    /// Takes what has been read behind a handshake: from now on the decoder is fed.
    #[cfg(feature = "curve")]
    pub(super) fn take_input(&mut self) -> ReadBuffer {
        std::mem::replace(&mut self.input, ReadBuffer::new())
    }

    /// So many bytes will be fed.
    #[cfg(feature = "curve")]
    pub(super) fn expect(&mut self, bytes: usize) {
        self.input.reserve(bytes);
    }

    /// Takes a frame that somebody else has read.
    #[cfg(feature = "curve")]
    pub(super) fn feed(&mut self, flags: u8, body: &[u8]) {
        let (header, length) = frame::header(flags, body.len());
        self.input.put(header.get(..length).unwrap_or_default());
        self.input.put(body);
    }

    /// Takes a large frame that somebody else has read, behind `skip` other bytes, without a copy where that can be.
    #[cfg(feature = "curve")]
    pub(super) fn feed_large(&mut self, flags: u8, body: Vec<u8>, skip: usize) {
        let inside = body.get(skip..).unwrap_or_default();
        let whole = header_len(inside.len()).saturating_add(inside.len());
        // A publisher looks into a frame before it takes it.
        if whole <= READ_MAX || flags & frame::COMMAND != 0 || self.rules.takes_subscriptions() {
            return self.feed(flags, inside);
        }
        let (header, length) = frame::header(flags, inside.len());
        self.input.put(header.get(..length).unwrap_or_default());
        self.apart = Some((body, skip));
    }

    /// Judges the length of a frame before it can be opened, when nobody can tell what it is.
    #[cfg(feature = "curve")]
    pub(super) fn judge_sealed(&self, length: u64) -> Result<(), ProtocolError> {
        self.rules.judge_sealed(length, self.run.payload)
    }

    /// What has been read and not used, for the greeting.
    pub(super) fn unread(&self) -> &[u8] {
        self.input.bytes()
    }

    /// Forgets the first `count` bytes.
    pub(super) fn consume(&mut self, count: usize) {
        self.input.consume(count);
    }

    /// Takes the next frame of a handshake, of which `spent` bytes are behind us.
    ///
    /// libzmq does not look at the command flag here, so neither do we.
    pub(super) fn handshake_frame(
        &mut self,
        spent: usize,
    ) -> Result<Option<Box<[u8]>>, ProtocolError> {
        let bytes = self.input.bytes();
        let Some(header) = frame::parse(bytes)? else {
            return Ok(None);
        };
        if header.more {
            return Err(ProtocolError::UnexpectedCommand {
                name: "multipart message".to_owned(),
            });
        }
        self.rules.judge_handshake(spent, header)?;
        let Some(total) = frame_length(header) else {
            return Ok(None);
        };
        let Some(body) = bytes.get(header.head..total) else {
            return Ok(None);
        };
        let body = body.into();
        self.input.consume(total);
        Ok(Some(body))
    }

    /// What comes next; `None` when that takes more bytes, or more room than there is.
    pub(super) fn next(&mut self, room: Room) -> Result<Option<Decoded>, ProtocolError> {
        self.starved = false;
        loop {
            if self.large.is_some() {
                match self.take_large(room) {
                    Some(Some(batch)) => return Ok(Some(Decoded::Messages(batch))),
                    Some(None) => self.charge()?,
                    None => {
                        self.charge()?;
                        return Ok(None);
                    }
                }
            }
            let stop = self.scan(room);
            if self.run.messages > 0 {
                // Whatever comes next, a fault included, comes after these.
                return Ok(Some(Decoded::Messages(self.take_run())));
            }
            match stop? {
                Stop::Bytes { frame } => {
                    if self.run.at.saturating_add(frame) > READ_MAX {
                        self.set_aside()?;
                    }
                    return Ok(None);
                }
                Stop::Room => {
                    self.starved = true;
                    return Ok(None);
                }
                Stop::Command(header) => {
                    self.set_aside()?;
                    let total = frame_length(header).unwrap_or_default();
                    let body = self.input.bytes().get(header.head..total);
                    let body = body.unwrap_or_default().into();
                    self.input.consume(total);
                    return Ok(Some(Decoded::Command(body)));
                }
                Stop::Subscription { frame } => {
                    self.set_aside()?;
                    let command = self.input.bytes().get(..frame).unwrap_or_default();
                    let batch = Batch::copied(command, 1);
                    self.input.consume(frame);
                    return Ok(Some(Decoded::Messages(batch)));
                }
                Stop::Large(header) => {
                    self.set_aside()?;
                    self.begin_large(header);
                }
                Stop::PartialDone => {
                    self.set_aside()?;
                    if let Some(batch) = self.finish_partial() {
                        return Ok(Some(Decoded::Messages(batch)));
                    }
                }
            }
        }
    }

    /// Goes over the headers from where the last scan stopped.
    fn scan(&mut self, room: Room) -> Result<Stop, ProtocolError> {
        let bytes = self.input.bytes();
        let begun = self.partial.is_some();
        let mut run = self.run;
        let stop = loop {
            let rest = bytes.get(run.at..).unwrap_or_default();
            let full = run.at == run.end && room.is_used_up(run.messages, run.end);
            // The commonest message by far: one short frame that breaks no rule.
            match rest {
                [0, length, ..]
                    if *length <= self.rules.harmless && run.at == run.end && !begun && !full =>
                {
                    let frame = usize::from(*length).saturating_add(2);
                    if frame > rest.len() {
                        break Ok(Stop::Bytes { frame });
                    }
                    run.at = run.at.saturating_add(frame);
                    run.end = run.at;
                    run.messages = run.messages.saturating_add(1);
                    continue;
                }
                _ => {}
            }
            if full && run.messages > 0 {
                break Ok(Stop::Room);
            }
            let (header, kind) = match self.rules.judge(rest, run.frames, run.payload) {
                Ok(Some(judged)) => judged,
                Ok(None) => {
                    let frame = frame::HEADER_MAX;
                    let message = rest
                        .first()
                        .is_some_and(|flags| flags & frame::COMMAND == 0);
                    break Ok(if full && message {
                        Stop::Room
                    } else {
                        Stop::Bytes { frame }
                    });
                }
                Err(fault) => break Err(fault),
            };
            if full && kind != Kind::Command {
                break Ok(Stop::Room);
            }
            let frame = frame_length(header).unwrap_or(usize::MAX);
            if frame > READ_MAX {
                break Ok(Stop::Large(header));
            }
            if frame > rest.len() {
                break Ok(Stop::Bytes { frame });
            }
            match kind {
                Kind::Command => break Ok(Stop::Command(header)),
                Kind::Subscription if run.at > run.end || begun => {
                    break Ok(Stop::Subscription { frame });
                }
                Kind::Subscription => {}
                Kind::Message => {
                    run.frames = run.frames.saturating_add(1);
                    run.payload = run.payload.saturating_add(header.body);
                }
            }
            run.at = run.at.saturating_add(frame);
            if !header.more {
                if kind == Kind::Message {
                    (run.frames, run.payload) = (0, 0);
                }
                if begun {
                    break Ok(Stop::PartialDone);
                }
                run.end = run.at;
                run.messages = run.messages.saturating_add(1);
            }
        };
        self.run = run;
        stop
    }

    /// Hands over the whole messages at the front of the read buffer.
    fn take_run(&mut self) -> Batch {
        let Run { messages, end, .. } = self.run;
        self.run.at = self.run.at.saturating_sub(end);
        (self.run.messages, self.run.end) = (0, 0);
        if end < COPIED_RUN_MAX {
            let batch = Batch::copied(self.input.bytes().get(..end).unwrap_or_default(), messages);
            self.input.consume(end);
            batch
        } else {
            Batch::from_wire(self.input.split_to(end), messages)
        }
    }

    /// Moves the whole frames at the front of the read buffer to the partial message.
    fn set_aside(&mut self) -> Result<(), ProtocolError> {
        let at = std::mem::take(&mut self.run.at);
        if at > 0 {
            let partial = self.partial.get_or_insert_default();
            partial
                .batch
                .put_encoded(self.input.bytes().get(..at).unwrap_or_default());
            partial.bytes = partial.bytes.saturating_add(at);
            self.input.consume(at);
            self.charge()?;
        }
        Ok(())
    }

    /// Counts the message in progress, and makes room for more of its large frame.
    fn charge(&mut self) -> Result<(), ProtocolError> {
        let payload = usize::try_from(self.run.payload).unwrap_or(usize::MAX);
        match &mut self.large {
            Some(large) => large.prepare(payload, &mut self.share),
            None => self.share.hold(payload),
        }
    }

    fn begin_large(&mut self, header: Header) {
        self.input.consume(header.head);
        #[cfg(feature = "curve")]
        if let Some((body, skip)) = self.apart.take() {
            self.note_large(header);
            self.large = Some(LargeFrame::complete(header, body, skip));
            return;
        }
        let mut large = LargeFrame::new(header);
        let here = self.input.bytes();
        let here = here.get(..large.missing()).unwrap_or(here);
        large.extend(here);
        let taken = here.len();
        self.input.consume(taken);
        // What follows is likely as large: read its header and little more, so that the body is
        // not copied from one buffer into the other.
        self.input.shrink_reads();
        self.note_large(header);
        self.large = Some(large);
    }

    fn note_large(&mut self, header: Header) {
        if !header.command {
            self.run.frames = self.run.frames.saturating_add(1);
            self.run.payload = self.run.payload.saturating_add(header.body);
        }
    }

    /// Takes the large frame out once it is whole: `None` when it is not or has no room, else the
    /// message that it completes, if it does.
    fn take_large(&mut self, room: Room) -> Option<Option<Batch>> {
        let large = self.large.take_if(|large| {
            self.starved = large.is_complete() && room.is_used_up(0, 0);
            large.is_complete() && !self.starved
        })?;
        let (header, body) = large.into_parts();
        if header.command {
            let mut batch = Batch::default();
            let bytes = batch.put(frame::COMMAND, &body, 0);
            batch.finish_message(bytes);
            return Some(Some(batch));
        }
        let partial = self.partial.get_or_insert_default();
        let flags = if header.more { MORE } else { 0 };
        let bytes = partial.batch.put(flags, &body, 0);
        partial.bytes = partial.bytes.saturating_add(bytes);
        if header.more {
            return Some(None);
        }
        (self.run.frames, self.run.payload) = (0, 0);
        Some(self.finish_partial())
    }

    fn finish_partial(&mut self) -> Option<Batch> {
        self.share.release();
        let Partial { mut batch, bytes } = self.partial.take()?;
        batch.finish_message(bytes);
        if batch.stored().len() >= COPIED_RUN_MAX {
            batch.share_store();
        }
        Some(batch)
    }
}

/// Header and body together; `None` when no machine can hold that.
fn frame_length(header: Header) -> Option<usize> {
    usize::try_from(header.body).ok()?.checked_add(header.head)
}
