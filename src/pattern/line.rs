//! The meeting place of pipes that signal and tasks that wait, at one end of a socket.
//!
//! It has a lock of its own that is held for a few instructions and under which nothing is called.
//! So a pipe may signal from anywhere, even while another pattern is locked: two sockets of one
//! process that feed each other cannot lock each other up.

use std::collections::HashSet;
use std::task::{Context, Waker};

use crate::pipe::sync::{AtomicBool, AtomicUsize, Mutex, Ordering};
use crate::pipe::wake::{Ticket, Token, WaitQueue};

/// See the [module](self). All methods but [`signal`](Self::signal) and [`leave`](Self::leave) are
/// called with the owner's own lock held, which is what makes "look, then wait" one step.
#[derive(Debug, Default)]
pub(super) struct Line {
    state: Mutex<State>,
    /// Whether `signalled` has something: spares a lock per message.
    news: AtomicBool,
    /// How many stand in line: likewise.
    waiting: AtomicUsize,
    /// See [`is_awaited_apart`](Self::is_awaited_apart).
    apart: AtomicBool,
    closed: AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    signalled: Vec<Token>,
    /// How many signals may wait before the repeated ones among them are forgotten.
    crowded: usize,
    waiters: WaitQueue,
    /// Whether signals cannot wait until somebody looks.
    urgent: bool,
}

/// Signals that may wait to be collected before anybody looks for repeated ones.
const CROWDED: usize = 64;

impl State {
    /// Peers may come and go while nobody looks: what is kept of their signals is bounded by how
    /// many tokens there are.
    fn note(&mut self, token: Token) {
        if self.signalled.len() >= self.crowded.max(CROWDED) {
            let mut seen = HashSet::new();
            self.signalled.retain(|&token| seen.insert(token));
            self.crowded = self.signalled.len().saturating_mul(2);
        }
        self.signalled.push(token);
    }
}

impl Line {
    /// The pipe of `token` has changed: whoever is first in line should look. Returns whether the
    /// owner wants to look at once, even if nobody stands in line.
    #[must_use]
    pub(super) fn signal(&self, token: Token) -> bool {
        let mut state = self.state.lock();
        state.note(token);
        self.news.store(true, Ordering::Release);
        let wake = state.waiters.wake_one();
        self.apart.store(false, Ordering::Relaxed);
        let urgent = state.urgent;
        drop(state);
        wake.into_iter().for_each(Waker::wake);
        urgent
    }

    /// Whether the owner wants to look at every signal at once from now on. What has been
    /// signalled before is still to be [collected](Self::collect).
    pub(super) fn set_urgent(&self, urgent: bool) {
        self.state.lock().urgent = urgent;
    }

    /// Wakes the first in line.
    pub(super) fn wake_one(&self) {
        let wake = self.state.lock().waiters.wake_one();
        wake.into_iter().for_each(Waker::wake);
    }

    /// Wakes everybody in line.
    pub(super) fn wake_all(&self) {
        if self.waiting.load(Ordering::Acquire) > 0 {
            let wakers = self.state.lock().waiters.wake_all();
            wakers.into_iter().for_each(Waker::wake);
        }
    }

    /// Hands every signal that has come to `each`.
    #[inline]
    pub(super) fn collect(&self, each: impl FnMut(Token)) {
        if self.news.load(Ordering::Acquire) {
            self.collect_news(each);
        }
    }

    #[cold]
    fn collect_news(&self, each: impl FnMut(Token)) {
        let mut state = self.state.lock();
        self.news.store(false, Ordering::Release);
        state.signalled.drain(..).for_each(each);
    }

    /// Stands in line, or says `false` because there is news to look at first.
    #[must_use]
    pub(super) fn wait(&self, cx: &Context<'_>, ticket: &mut Ticket) -> bool {
        let mut state = self.state.lock();
        if !state.signalled.is_empty() || self.is_closed() {
            return false;
        }
        state.waiters.wait(ticket, cx.waker());
        self.waiting.store(state.waiters.len(), Ordering::Release);
        true
    }

    /// Who has just begun to wait, on a thread of its own or not.
    pub(super) fn note_apart(&self, apart: bool) {
        self.apart.store(apart, Ordering::Relaxed);
    }

    /// Whether the next signal wakes another thread than those of the runtime, as far as one can tell
    /// beforehand: nothing but speed may depend on it.
    pub(super) fn is_awaited_apart(&self) -> bool {
        self.apart.load(Ordering::Relaxed)
    }

    /// The holder of `ticket` got what it came for. A pipe signals once for all that it has, so
    /// while there is `more` the next in line is woken.
    #[inline]
    pub(super) fn served(&self, ticket: &mut Ticket, more: bool) {
        if ticket.is_waiting() || (more && self.waiting.load(Ordering::Acquire) > 0) {
            self.served_in_line(ticket, more);
        }
    }

    #[cold]
    fn served_in_line(&self, ticket: &mut Ticket, more: bool) {
        let mut state = self.state.lock();
        let passed_on = state.waiters.leave(ticket);
        let wake = if more {
            passed_on.or_else(|| state.waiters.wake_one())
        } else {
            passed_on
        };
        self.waiting.store(state.waiters.len(), Ordering::Release);
        drop(state);
        wake.into_iter().for_each(Waker::wake);
    }

    /// Gives up waiting; a wake-up that had come goes to the next in line.
    pub(super) fn leave(&self, ticket: &mut Ticket) {
        if ticket.is_waiting() {
            self.served_in_line(ticket, false);
        }
    }

    /// Wakes everybody, for good.
    pub(super) fn close(&self) {
        let mut state = self.state.lock();
        self.closed.store(true, Ordering::Release);
        let wakers = state.waiters.wake_all();
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
    }

    #[inline]
    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }
}

#[cfg(all(test, not(pipe_loom)))]
mod tests {
    use super::*;

    #[test]
    fn signals_that_nobody_collects_do_not_pile_up() {
        let line = Line::default();
        for round in 0..10_000 {
            let _ = line.signal(round % 100);
        }
        let mut collected = Vec::new();
        line.collect(|token| collected.push(token));
        assert!(collected.len() <= 200, "{}", collected.len());
        let first: Vec<Token> = collected.iter().take(100).copied().collect();
        assert_eq!(first, (0..100).collect::<Vec<_>>(), "in order");
    }
}
