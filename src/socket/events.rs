//! The stream of a socket's events, for any number of readers.
//!
//! Telling an event never waits: a reader that is too slow loses the oldest ones and is told how
//! many. A socket without readers keeps nothing.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};

use futures::Stream;

use super::core::Core;
use crate::error::BindError;
use crate::event::Event;
use crate::peer::Hub;
use crate::pipe::sync::Mutex;

/// Events that one reader may be behind before it loses the oldest: a storm of reconnections of a
/// thousand peers fits, and it is a few hundred KiB. Where every peer claims as much as it may in its
/// handshake, it is 32 MiB.
const BEHIND_MAX: usize = 4_096;

/// Where a socket's events are told.
#[derive(Debug, Default)]
pub(crate) struct EventHub {
    state: Mutex<HubState>,
    /// Whether there may be readers.
    heard: Arc<AtomicBool>,
}

#[derive(Debug, Default)]
struct HubState {
    readers: Vec<Arc<Mutex<Reader>>>,
    closed: bool,
}

#[derive(Debug, Default)]
struct Reader {
    queue: VecDeque<Event>,
    missed: u64,
    waker: Option<Waker>,
    closed: bool,
}

impl EventHub {
    pub(crate) fn tell(&self, event: &Event) {
        let mut wakers = Vec::new();
        // What a reader loses may be the last handle of something: dropped with nothing locked.
        let mut lost = Vec::new();
        let mut state = self.state.lock();
        // A reader that nobody else holds has been dropped.
        state.readers.retain(|reader| Arc::strong_count(reader) > 1);
        self.heard
            .store(!state.readers.is_empty(), Ordering::Relaxed);
        for reader in &state.readers {
            let mut reader = reader.lock();
            if reader.queue.len() >= BEHIND_MAX {
                lost.extend(reader.queue.pop_front());
                reader.missed += 1;
            }
            reader.queue.push_back(event.clone());
            wakers.extend(reader.waker.take());
        }
        drop(state);
        // A waker may do anything, also call this socket.
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Whether an event may have readers, for those who would have to take pains to tell it.
    pub(crate) const fn heard(&self) -> &Arc<AtomicBool> {
        &self.heard
    }

    /// No event follows: readers end after what they have.
    pub(crate) fn close(&self) {
        let readers = {
            let mut state = self.state.lock();
            state.closed = true;
            std::mem::take(&mut state.readers)
        };
        for reader in readers {
            let waker = {
                let mut reader = reader.lock();
                reader.closed = true;
                reader.waker.take()
            };
            waker.into_iter().for_each(Waker::wake);
        }
    }

    pub(crate) fn subscribe(&self) -> Events {
        let mut state = self.state.lock();
        let reader = Arc::new(Mutex::new(Reader {
            closed: state.closed,
            ..Reader::default()
        }));
        if !state.closed {
            state.readers.push(Arc::clone(&reader));
            self.heard.store(true, Ordering::Relaxed);
        }
        Events { reader }
    }
}

impl Core {
    /// Tells the readers what a caller of bind has been told.
    pub(crate) fn tell_of(&self, error: &BindError) {
        if let Some(event) = error.to_event() {
            self.tell(event);
        }
    }
}

/// What happens to a socket's endpoints and connections, from the moment of the call on.
///
/// Got from a socket's `events` method; also a [`Stream`]. It keeps no socket open and holds up no
/// traffic: a reader that falls 4,096 events behind loses the oldest and gets an
/// [`Event::Lagged`] instead. It ends when the socket has been closed.
#[derive(Debug)]
pub struct Events {
    reader: Arc<Mutex<Reader>>,
}

impl Events {
    /// Waits for the next event; `None` after the last event of a closed socket.
    ///
    /// *Cancel safety*: a dropped future loses no event.
    pub async fn next(&mut self) -> Option<Event> {
        std::future::poll_fn(|cx| self.poll(cx)).await
    }

    /// The next event if there is one already.
    pub fn try_next(&mut self) -> Option<Event> {
        self.reader.lock().take()
    }

    fn poll(&self, cx: &Context<'_>) -> Poll<Option<Event>> {
        let mut reader = self.reader.lock();
        match reader.take() {
            Some(event) => Poll::Ready(Some(event)),
            None if reader.closed => Poll::Ready(None),
            None => {
                reader.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl Reader {
    fn take(&mut self) -> Option<Event> {
        if self.missed > 0 {
            return Some(Event::Lagged {
                missed: std::mem::take(&mut self.missed),
            });
        }
        self.queue.pop_front()
    }
}

impl Stream for Events {
    type Item = Event;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        self.poll(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::task::Wake;
    use std::time::Duration;

    use super::*;

    fn event() -> Event {
        Event::Closed {
            endpoint: "inproc://x".parse().unwrap(),
        }
    }

    #[test]
    fn a_slow_reader_is_told_what_it_missed() {
        let hub = EventHub::default();
        let mut events = hub.subscribe();
        for _ in 0..BEHIND_MAX + 3 {
            hub.tell(&event());
        }
        assert!(matches!(
            events.try_next(),
            Some(Event::Lagged { missed: 3 })
        ));
        for _ in 0..BEHIND_MAX {
            assert!(matches!(events.try_next(), Some(Event::Closed { .. })));
        }
        assert!(events.try_next().is_none());
    }

    /// Looks into the hub that wakes it, as a waker may that runs what it wakes at once.
    struct Curious {
        hub: Arc<EventHub>,
        looked: mpsc::Sender<bool>,
    }

    impl Wake for Curious {
        fn wake(self: Arc<Self>) {
            let (hub, done) = (Arc::clone(&self.hub), mpsc::channel());
            // A thread of its own, so that a lock that is held fails the test instead of hanging it.
            std::thread::spawn(move || {
                drop(hub.subscribe());
                done.0.send(()).ok();
            });
            let free = done.1.recv_timeout(Duration::from_secs(60)).is_ok();
            self.looked.send(free).ok();
        }
    }

    #[test]
    fn nothing_is_locked_when_a_reader_is_woken() {
        let hub = Arc::new(EventHub::default());
        let (looked, results) = mpsc::channel();
        let curious = Curious {
            hub: Arc::clone(&hub),
            looked,
        };
        let waker = Waker::from(Arc::new(curious));
        let events = hub.subscribe();
        assert!(events.poll(&Context::from_waker(&waker)).is_pending());
        hub.tell(&event());
        assert!(results.recv().unwrap());
        assert!(events.poll(&Context::from_waker(&waker)).is_ready());
        assert!(events.poll(&Context::from_waker(&waker)).is_pending());
        hub.close();
        assert!(results.recv().unwrap());
    }

    #[test]
    fn a_dropped_reader_is_forgotten() {
        let hub = EventHub::default();
        drop(hub.subscribe());
        hub.tell(&event());
        assert!(hub.state.lock().readers.is_empty());
    }
}
