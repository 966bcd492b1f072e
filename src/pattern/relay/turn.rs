//! [`Turn`]: what may be moved out of the batch of one peer before it is another's turn.

use super::Relayed;
use crate::pattern::interest::Interest;
use crate::wire::batch::{Batch, Encoded, Extent};

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct Turn<'a> {
    batch: &'a Batch,
    /// What goes in front of each message.
    name: Option<&'a [u8]>,
    /// What is wanted, if that is not everything.
    interest: Option<&'a Interest>,
    /// How many messages may still go.
    left: usize,
    /// What has gone, or was not wanted.
    gone: Extent,
    relayed: Relayed,
    gives_way: bool,
    /// Whether there is no other turn for what is left.
    is_last: bool,
}

impl<'a> Turn<'a> {
    pub(super) fn new(
        batch: &'a Batch,
        name: Option<&'a [u8]>,
        interest: Option<&'a Interest>,
        messages: usize,
    ) -> Self {
        Self {
            batch,
            name,
            interest,
            left: messages.min(batch.messages()),
            gone: Extent::default(),
            relayed: Relayed::default(),
            gives_way: false,
            is_last: false,
        }
    }

    /// A turn of copies: what it leaves is never offered again.
    pub(super) const fn without_another(mut self) -> Self {
        self.is_last = true;
        self
    }

    /// Whether there is one more message. Passes over those that are not wanted.
    pub(crate) fn has_next(&mut self) -> bool {
        if let Some(interest) = self.interest {
            while let Some(message) = self.look(1, usize::MAX) {
                if interest.wants(message.first()) {
                    return true;
                }
                self.go(&message);
            }
        }
        self.left > 0
    }

    /// The next message.
    pub(crate) fn next(&mut self) -> Option<Encoded<'a>> {
        self.next_run(1, usize::MAX)
    }

    /// The next messages: at most so many, and none after so many bytes. They stay the next ones until
    /// they are said to be [moved](Self::moved) or [dropped](Self::dropped).
    pub(crate) fn next_run(&mut self, messages: usize, bytes: usize) -> Option<Encoded<'a>> {
        if !self.has_next() {
            return None;
        }
        let alike = self.name.is_none() && self.interest.is_none();
        let run = self.look(if alike { messages } else { 1 }, bytes)?;
        Some(match self.name {
            Some(name) => run.behind(name),
            None => run,
        })
    }

    /// These have a place now.
    pub(crate) fn moved(&mut self, run: &Encoded<'_>) {
        self.relayed.taken.messages += run.messages();
        self.relayed.taken.bytes += run.payload();
        self.go(run);
    }

    /// There is no place for these, and they do not wait for one.
    pub(crate) fn dropped(&mut self, run: &Encoded<'_>) {
        self.relayed.dropped.messages += run.messages();
        self.relayed.dropped.bytes += run.payload();
        self.moved(run);
    }

    /// Nothing more goes now, if there is another turn for it: others are to have theirs first, those who
    /// read as well.
    pub(crate) const fn give_way(&mut self) {
        if !self.is_last {
            self.gives_way = true;
            self.left = 0;
        }
    }

    pub(super) const fn gives_way(&self) -> bool {
        self.gives_way
    }

    /// What is to be forgotten of the batch.
    pub(crate) const fn gone(&self) -> Extent {
        self.gone
    }

    /// Whether nothing is to be forgotten.
    pub(crate) const fn is_untouched(&self) -> bool {
        self.gone.messages == 0
    }

    pub(super) const fn relayed(&self) -> Relayed {
        self.relayed
    }

    fn look(&self, messages: usize, bytes: usize) -> Option<Encoded<'a>> {
        self.batch
            .encoded(self.gone, messages.min(self.left), bytes)
    }

    fn go(&mut self, run: &Encoded<'_>) {
        self.gone = self.gone.and(run.extent());
        self.left = self.left.saturating_sub(run.messages());
    }
}
