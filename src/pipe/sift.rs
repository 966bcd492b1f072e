//! Sifting a pipe: what is queued is taken out again when nobody wants it any more.

use super::wake::Due;
use super::{Load, Pipe};

impl Pipe {
    /// Has the feed be asked before anything is taken again: it is going to take something
    /// [out](Self::retain) by then.
    pub(crate) fn sift_before_next(&self) {
        self.state.lock().unsifted = true;
    }

    /// Takes out what is queued and not `wanted`, which is asked for the first frame of each message, in order. It
    /// counts no more; what this calls for is added to `due`.
    pub(crate) fn retain(&self, mut wanted: impl FnMut(&[u8]) -> bool, due: &mut Due) {
        let mut state = self.state.lock();
        state.unsifted = false;
        let before = Load::of_all(&state.queue);
        for batch in &mut state.queue {
            if let Some(rest) = batch.sifted(&mut wanted) {
                due.lose(std::mem::replace(batch, rest));
            }
        }
        state.queue.retain(|batch| !batch.is_empty());
        let left = Load::of_all(&state.queue);
        let gone = Load {
            messages: before.messages.saturating_sub(left.messages),
            bytes: before.bytes.saturating_sub(left.bytes),
        };
        due.add(state.release(gone));
    }
}
