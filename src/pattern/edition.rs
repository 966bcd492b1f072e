//! [`Edition`]: messages that are for the same subscribers, encoded once and handed to all of them together.
//!
//! A publisher holds its lock for every message anyway. To take the lock of each subscriber's pipe as well,
//! and to copy the message into each, is nearly all of what publishing costs, although most messages go to the
//! very peers to which the last one went. While they do, messages are gathered here; what the pipes have
//! room for is known in advance, as in a [`Feed`](crate::pipe::feed::Feed). Pipes get the whole edition, as one
//! piece of memory that they share, when it is full, or as soon as one of their consumers wants something.

use crate::pipe::sync::Arc;
use crate::pipe::wake::{Due, Token};
use crate::pipe::{BATCH_BYTES, Load, Pipe, PushError, buffer_like};
use crate::wire::batch::Batch;

/// An edition that is shorter than this, without its large bodies, is copied: a few bytes in each pipe's own batch
/// are written in one go with what comes next. Large bodies are shared in any case.
const SHARE_FROM: usize = 2 * 1024;

/// How many messages go to those who have no room, where nobody else has any, before it is looked again who has.
const LONELY: Load = Load {
    messages: 64,
    bytes: usize::MAX,
};

/// See the [module](self).
#[derive(Debug, Default)]
pub(super) struct Edition {
    /// Whom the last message was for.
    tokens: Vec<Token>,
    /// Those of them that had room when it was last looked for.
    readers: Vec<Arc<Pipe>>,
    /// Those that had none: they get each message by itself, or lose it.
    others: Vec<Arc<Pipe>>,
    /// Accepted, and not handed to the readers' pipes yet.
    staged: Batch,
    /// What every reader still has room for; none when it is to be looked for.
    credit: Load,
    /// How much of its buffer the edition filled that was handed over last.
    last: usize,
}

impl Edition {
    /// Whether a message for these peers is one for the same as the last one was.
    #[inline]
    pub(super) fn is_for(&self, tokens: &[Token]) -> bool {
        self.tokens == tokens
    }

    /// Ends with what has been accepted. The next one, if there is one, is for these.
    pub(super) fn end(&mut self, next: &[Token], due: &mut Due) {
        self.hand_over(due);
        self.tokens.clear();
        self.tokens.extend_from_slice(next);
        self.look_again();
    }

    /// A consumer wants what there is for it.
    pub(super) fn wanted_by(&mut self, token: Token, due: &mut Due) {
        if !self.staged.is_empty() && self.tokens.contains(&token) {
            self.hand_over(due);
        }
    }

    /// What was known of the readers' room is no longer true.
    pub(super) fn distrust(&mut self, due: &mut Due) {
        self.hand_over(due);
        self.credit = Load::default();
    }

    /// Who has room is to be looked for anew.
    fn look_again(&mut self) {
        self.readers.clear();
        self.others.clear();
        self.credit = Load::default();
    }

    /// Looks who has room, unless that is known: of those for whom it [is](Self::is_for).
    pub(super) fn open<'a>(&mut self, pipes: impl Iterator<Item = &'a Arc<Pipe>>) {
        if !self.credit.is_no_room() {
            return;
        }
        self.look_again();
        let mut credit = Load::MOST;
        for pipe in pipes {
            match pipe.room() {
                Ok(room) => {
                    credit = credit.least(room);
                    self.readers.push(Arc::clone(pipe));
                }
                Err(_) => self.others.push(Arc::clone(pipe)),
            }
        }
        self.credit = if self.readers.is_empty() {
            LONELY
        } else {
            credit
        };
    }

    /// Whether somebody has no room for a message.
    pub(super) fn has_full(&self) -> bool {
        let mut rooms = self.others.iter().map(|pipe| pipe.check_room());
        rooms.any(|room| matches!(room, Err(PushError::Full)))
    }

    /// Accepts a message for all. Returns how many get it, and whether somebody has no room for another one.
    pub(super) fn add(
        &mut self,
        encode: impl FnOnce(&mut Batch),
        scratch: &mut Batch,
        due: &mut Due,
    ) -> (usize, bool) {
        if self.last > 0 {
            self.begin();
        }
        let before = self.staged.bytes();
        let (mut copies, mut filled) = (self.readers.len(), false);
        if self.others.is_empty() {
            encode(&mut self.staged);
        } else {
            scratch.clear();
            encode(scratch);
            for pipe in &self.others {
                // Full or closing: the pipe has counted the loss.
                if let Ok(room) = pipe.push_encoded(scratch, due) {
                    copies += 1;
                    filled |= !room;
                }
            }
            if !self.readers.is_empty() {
                self.staged.append(scratch);
            }
            scratch.release_large();
        }
        self.credit.messages = self.credit.messages.saturating_sub(1);
        let added = self.staged.bytes() - before;
        self.credit.bytes = self.credit.bytes.saturating_sub(added);
        filled |= self.credit.is_no_room();
        let is_due = filled
            || !self.staged.is_open(BATCH_BYTES)
            || self.readers.iter().any(|pipe| pipe.is_hungry());
        if is_due {
            self.hand_over(due);
        }
        (copies, filled)
    }

    /// Gets a buffer for an edition that is likely as long as the last one.
    #[cold]
    fn begin(&mut self) {
        if let Some(buffer) = buffer_like(std::mem::take(&mut self.last)) {
            self.staged = Batch::in_buffer(buffer);
        }
    }

    /// Gives the readers what is staged. Who is gone by now has lost it, and counts it.
    fn hand_over(&mut self, due: &mut Due) {
        if self.staged.is_empty() {
            return;
        }
        let mut credit = Load::MOST;
        if let [reader] = &self.readers[..] {
            self.last = self.staged.filled();
            match reader.accept(&mut self.staged, due) {
                Ok(room) => credit = room,
                Err(PushError::Full) => credit = Load::default(),
                Err(PushError::Closed) => {
                    reader.count_dropped(self.staged.messages() as u64);
                    due.lose(std::mem::take(&mut self.staged));
                    credit = Load::default();
                }
            }
        } else {
            let mut staged = std::mem::take(&mut self.staged);
            let is_shared = staged.filled() >= SHARE_FROM;
            if is_shared {
                self.last = staged.filled();
                staged.share_store();
            }
            for reader in &self.readers {
                credit = match reader.push_shared(&staged, due) {
                    Ok(room) => credit.least(room),
                    Err(_) => Load::default(),
                };
            }
            if is_shared || staged.has_large() {
                // The pipes may all be gone.
                due.lose(staged);
            } else {
                staged.clear();
                self.staged = staged;
            }
        }
        // Who had no room may have some by now.
        self.credit = if self.others.is_empty() {
            credit
        } else {
            Load::default()
        };
    }
}
