//! [`Courtesy`]: when a session offers its processor to others before it goes on.
//!
//! Sessions and those who use the socket may run on different threads that want the same processor. Whom a
//! session wakes, or whom it waits for, then gets on better if the session stands back for a moment. On a processor
//! of its own the session goes on at once.

use std::thread;
use std::time::{Duration, Instant};

/// What is taken so soon after something else belongs to the same burst.
const BURST: Duration = Duration::from_micros(10);

/// An offer that takes longer than this went to somebody who computes, not to who was meant.
const PATIENCE: Duration = Duration::from_millis(1);

/// For so long then nobody is waited for.
const IMPATIENCE: Duration = Duration::from_millis(100);

/// See the [module](self).
#[derive(Debug)]
pub(super) struct Courtesy {
    /// Whether senders and receivers may run on other threads than this session.
    has_threads: bool,
    /// When the session last took messages from its pipe.
    took_at: Option<Instant>,
    /// How many, if it has delivered nothing since.
    took: usize,
    /// No answer is awaited before this.
    impatient_until: Option<Instant>,
}

impl Courtesy {
    pub(super) const fn new(has_threads: bool) -> Self {
        Self {
            has_threads,
            took_at: None,
            took: 0,
            impatient_until: None,
        }
    }

    /// The session has taken so many messages that are to be written.
    pub(super) fn has_taken(&mut self, messages: usize) {
        self.took_at = Some(Instant::now());
        self.took = messages;
    }

    /// In the middle of a burst, lets a sender on another thread gather more before the session
    /// takes what there is, if that `is_light`. Only matters where both want the same processor: the sender would be
    /// stopped for a write of a few messages, each time anew.
    ///
    /// What senders write by themselves is not a burst: who has just done so waits for an answer.
    pub(super) fn give_way(&self, is_light: impl FnOnce() -> bool) {
        let is_burst = || self.took_at.is_some_and(|at| at.elapsed() < BURST);
        if self.has_threads && is_burst() && is_light() {
            thread::yield_now();
        }
    }

    /// The session has delivered so many messages, which has woken somebody who `is_apart`: on a thread that is
    /// none of the runtime's.
    ///
    /// Who answers in batches answers at once, and gets the processor for it before the session goes to rest. The
    /// session would have to be woken for the first answer, on another processor if one is idle, and would
    /// write it alone while the others are being made.
    pub(super) fn has_delivered(&mut self, messages: usize, is_apart: bool) {
        if self.is_exchange(messages) && is_apart && self.is_patient(Instant::now()) {
            let began = Instant::now();
            thread::yield_now();
            self.has_waited(began, Instant::now());
        }
    }

    /// Whether both sides speak in turn, and one of them in batches. A lone answer is written by whoever makes it.
    fn is_exchange(&mut self, delivered: usize) -> bool {
        let took = std::mem::take(&mut self.took);
        self.has_threads && took > 0 && (took > 1 || delivered > 1)
    }

    fn is_patient(&self, now: Instant) -> bool {
        self.impatient_until.is_none_or(|until| until <= now)
    }

    fn has_waited(&mut self, began: Instant, now: Instant) {
        if now.saturating_duration_since(began) > PATIENCE {
            self.impatient_until = Some(now + IMPATIENCE);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exchange_is_both_ways_and_in_batches() {
        let mut courtesy = Courtesy::new(true);
        assert!(!courtesy.is_exchange(16), "nothing was said to it");
        for (took, delivered, is_exchange) in
            [(1, 1, false), (2, 1, true), (1, 2, true), (16, 16, true)]
        {
            courtesy.has_taken(took);
            assert_eq!(courtesy.is_exchange(delivered), is_exchange);
            assert!(!courtesy.is_exchange(delivered), "that was answered");
        }
        let mut alone = Courtesy::new(false);
        alone.has_taken(16);
        assert!(!alone.is_exchange(16), "there is no other thread");
    }

    #[test]
    fn who_waited_for_somebody_that_computes_waits_no_more_for_a_while() {
        let mut courtesy = Courtesy::new(true);
        let began = Instant::now();
        assert!(courtesy.is_patient(began));
        courtesy.has_waited(began, began + PATIENCE);
        assert!(courtesy.is_patient(began + PATIENCE));
        let ended = began + 2 * PATIENCE;
        courtesy.has_waited(began, ended);
        assert!(!courtesy.is_patient(ended));
        assert!(courtesy.is_patient(ended + IMPATIENCE));
    }
}
