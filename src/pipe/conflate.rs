//! Conflation: a pipe that holds only the newest message (libzmq's `ZMQ_CONFLATE`).
//!
//! Such a pipe is never full: what arrives takes the place of what is there, so its producer never
//! waits. Its consumer always asks the feed before it takes, since a newer message may be staged
//! there.

use super::Load;
use super::state::State;
use super::wake::Due;
use crate::wire::batch::{Batch, Extent};

impl State {
    /// Whether only the newest message is kept.
    pub(super) const fn is_conflating(&self) -> bool {
        self.capacity.is_newest()
    }

    /// Forgets and counts all but the newest message, where that is asked for. What is forgotten is dropped
    /// with `due`.
    #[inline]
    pub(super) fn conflate(&mut self, due: &mut Due) {
        if self.is_conflating() {
            self.keep_newest(due);
        }
    }

    #[cold]
    fn keep_newest(&mut self, due: &mut Due) {
        let older = |batch: &Batch| batch.messages() > 1;
        if self.queue.len() <= 1 && !self.queue.back().is_some_and(older) {
            return;
        }
        let before = Load::of_all(&self.queue);
        let Some(last) = self.queue.pop_back() else {
            return;
        };
        let outdated = last.messages().saturating_sub(1);
        let older = last.encoded(Extent::default(), outdated, usize::MAX);
        let start = older.map_or_else(Extent::default, |older| older.extent());
        // A copy, since what came before it stays in the buffer.
        let mut copy = Batch::in_buffer(self.buffer(0));
        if let Some(newest) = last.encoded(start, 1, usize::MAX) {
            copy.append_encoded(&newest, usize::MAX);
        }
        self.queue.drain(..).for_each(|older| due.lose(older));
        let kept = Load::of(&copy);
        let gone = before.messages.saturating_sub(kept.messages);
        self.used.messages = self.used.messages.saturating_sub(gone);
        let bytes = before.bytes.saturating_sub(kept.bytes);
        self.used.bytes = self.used.bytes.saturating_sub(bytes);
        self.passed.outdated = self.passed.outdated.saturating_add(gone as u64);
        if last.has_large() {
            due.lose(last);
        } else {
            self.recycle(last);
        }
        self.queue.push_back(copy);
    }
}

#[cfg(all(test, not(pipe_loom)))]
mod tests {
    use super::super::feed::Feed;
    use super::super::sync::Arc;
    use super::super::wake::{Due, Listener, Signal, Token};
    use super::super::{Load, Pipe, Take};
    use crate::message::Message;
    use crate::options::Capacity;
    use crate::wire::batch::Batch;

    fn texts(pipe: &Pipe) -> Vec<String> {
        let mut texts = Vec::new();
        while let Take::Batch(mut batch) = pipe.take() {
            pipe.release(Load::of(&batch));
            while let Some(message) = batch.pop() {
                texts.push(
                    message
                        .frames()
                        .map(|f| f.len().to_string())
                        .collect::<Vec<_>>()
                        .join(" "),
                );
            }
        }
        texts
    }

    fn message(number: usize) -> Message {
        vec![vec![0; number], vec![0; 1_000]].into()
    }

    #[test]
    fn the_newest_message_is_kept_whole() {
        let pipe = Pipe::new(Capacity::NEWEST, 256);
        for number in 1..=3_000 {
            pipe.push(&[], &message(number)).unwrap();
            assert_eq!(pipe.load().messages, 1);
        }
        assert_eq!((pipe.passed().outdated, pipe.passed().dropped), (2_999, 0));
        assert_eq!(texts(&pipe), ["3000 1000"]);
        assert_eq!(pipe.load(), Load::default());
    }

    #[test]
    fn of_what_comes_at_once_the_newest_is_kept() {
        let pipe = Pipe::new(Capacity::NEWEST, 256);
        for size in [1, 700] {
            let mut chunk = Batch::default();
            for number in 1..=10 {
                chunk.push(&[], &message(number * size), usize::MAX);
            }
            pipe.push_chunk(chunk).unwrap();
        }
        let mut put_back = Batch::default();
        put_back.push(&[], &message(5), usize::MAX);
        pipe.put_back(put_back);
        assert_eq!(texts(&pipe), ["7000 1000"]);
        assert_eq!(pipe.load(), Load::default());
    }

    struct Feeds(super::super::sync::Mutex<Option<Feed>>);

    impl Listener for Feeds {
        fn signal(&self, _: Token, signal: Signal) {
            if signal == Signal::Wanted {
                if let Some(feed) = &mut *self.0.lock() {
                    feed.hand_over(&mut Due::default());
                }
            }
        }
    }

    #[test]
    fn what_is_staged_counts() {
        let pipe = Pipe::new(Capacity::NEWEST, 256);
        let feeds = Arc::new(Feeds(super::super::sync::Mutex::new(None)));
        *feeds.0.lock() = Some(Feed::new(Arc::clone(&pipe), Arc::clone(&feeds) as _, 0));
        for number in 1..=20 {
            let mut feed = feeds.0.lock();
            feed.as_mut()
                .unwrap()
                .push(&[], &mut message(number), &mut Due::default())
                .unwrap();
            if number == 1 {
                // This one lies in the pipe when the others are staged.
                feed.as_mut().unwrap().hand_over(&mut Due::default());
            }
        }
        assert_eq!(texts(&pipe), ["20 1000"]);
    }
}
