//! The alarm of a pipe into which messages did not fit and were dropped.
//!
//! Somebody should hear of that, but not of every message: when, and how often, is the alarm's affair.
//! It has a clock, and a pipe has none. A message that is not dropped does not come near it.

use std::fmt;

use super::Pipe;
use super::state::State;
use super::sync::Arc;
use super::wake::{Due, Wake};

/// See the [module](self).
pub(crate) trait Alarm: fmt::Debug + Send + Sync {
    /// A message has been dropped, and `dropped` are so far. Returns for how many of them the alarm is to
    /// be raised now, if it is. Called with the pipe locked.
    fn is_due(&self, dropped: u64) -> Option<u64>;

    /// Called with no pipe and no pattern locked.
    fn raise(&self, messages: u64);
}

impl Pipe {
    /// Who hears of what is dropped from now on.
    pub(crate) fn set_alarm(&self, alarm: Arc<dyn Alarm>) {
        self.state.lock().alarm = Some(alarm);
    }

    /// Counts a message for which there was no room. What this calls for is added to `due`.
    pub(crate) fn overflow(&self, due: &mut Due) {
        let mut state = self.state.lock();
        due.add(state.overflow());
    }
}

impl State {
    /// Counts a message for which there was no room; returns the alarm, if it is to be raised.
    #[cold]
    pub(super) fn overflow(&mut self) -> Option<Wake> {
        self.passed.dropped = self.passed.dropped.saturating_add(1);
        let alarm = self.alarm.as_ref()?;
        let messages = alarm.is_due(self.passed.dropped)?;
        Some(Wake::Alarm(Arc::clone(alarm), messages))
    }
}

#[cfg(all(test, not(pipe_loom)))]
mod tests {
    use super::super::sync::Mutex;
    use super::*;
    use crate::options::Capacity;
    use crate::pipe::CloseReason;
    use crate::wire::batch::Batch;

    /// Raised for every second message.
    #[derive(Debug, Default)]
    struct EverySecond {
        pipe: Mutex<Option<Arc<Pipe>>>,
        raised: Mutex<Vec<u64>>,
    }

    impl Alarm for EverySecond {
        fn is_due(&self, dropped: u64) -> Option<u64> {
            (dropped % 2 == 0).then_some(2)
        }

        fn raise(&self, messages: u64) {
            // Would hang if the pipe was locked.
            let pipe = self.pipe.lock().take();
            pipe.inspect(|pipe| assert!(pipe.load().messages == 1));
            self.raised.lock().push(messages);
        }
    }

    #[test]
    fn only_what_is_dropped_for_want_of_room_raises_the_alarm() {
        let (messages, bytes) = (1, usize::MAX);
        let capacity = Capacity { messages, bytes };
        let pipe = Pipe::new(capacity, 1024);
        let alarm = Arc::new(EverySecond::default());
        *alarm.pipe.lock() = Some(Arc::clone(&pipe));
        pipe.set_alarm(Arc::clone(&alarm) as Arc<dyn Alarm>);
        let mut batch = Batch::default();
        batch.push(&[], &"x".into(), 1024);
        let push = || {
            let mut due = Due::default();
            // The outcome is what is counted.
            let _ = pipe.push_encoded(&batch, &mut due);
        };
        push();
        assert_eq!(*alarm.raised.lock(), []);
        push();
        push();
        assert_eq!(*alarm.raised.lock(), [2]);
        pipe.overflow(&mut Due::default());
        pipe.overflow(&mut Due::default());
        assert_eq!(*alarm.raised.lock(), [2, 2]);
        // Nobody is slow who has left.
        pipe.close(CloseReason::Now);
        push();
        push();
        assert_eq!((alarm.raised.lock().len(), pipe.passed().dropped), (2, 6));
    }
}
