//! [`Heartbeat`]: when to send a PING and when a peer is dead. Pure functions of instants.
//!
//! Two clocks may run. Ours starts with a PING of ours and is stopped by anything that arrives.
//! The peer's starts with a PING of its own that names a time to live, and is stopped the same way.
//! While the session does not read, neither runs: what has arrived cannot be seen then, and a
//! consumer that is slow must not cost the peer its connection.

use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::fault::PeerFault;

/// What a socket wants of heartbeats.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Settings {
    /// How often a PING is sent; `None` for never.
    pub(crate) interval: Option<Duration>,
    /// How long anything at all may be missing after a PING; the interval if not given.
    pub(crate) timeout: Option<Duration>,
    /// What our PINGs ask the peer to do on its side; less than 100 ms means nothing.
    pub(crate) ttl: Duration,
    /// What goes with each PING and comes back with its PONG.
    pub(crate) context: Bytes,
}

/// The heartbeat of one connection.
#[derive(Debug)]
pub(super) struct Heartbeat {
    settings: Settings,
    next_ping: Option<Instant>,
    /// Runs since a PING of ours.
    answer: Option<Clock>,
    /// Runs since a PING of the peer that named a time to live.
    life: Option<Clock>,
    reading: bool,
}

/// Something must arrive before `end`, which may be too far away to be an [`Instant`].
#[derive(Clone, Copy, Debug)]
struct Clock {
    allowed: Duration,
    end: Option<Instant>,
}

impl Clock {
    fn start(allowed: Duration, now: Instant) -> Self {
        Self {
            allowed,
            end: now.checked_add(allowed),
        }
    }
}

impl Heartbeat {
    pub(super) fn new(settings: Settings) -> Self {
        Self {
            settings: Settings {
                // A PING after no time at all would be all that is ever sent.
                interval: settings.interval.filter(|interval| !interval.is_zero()),
                ..settings
            },
            next_ping: None,
            answer: None,
            life: None,
            reading: true,
        }
    }

    /// The handshake is over: the first PING is due after one interval.
    pub(super) fn start(&mut self, now: Instant) {
        self.next_ping = self
            .settings
            .interval
            .and_then(|interval| now.checked_add(interval));
    }

    /// Something arrived.
    #[inline]
    pub(super) const fn heard(&mut self) {
        self.answer = None;
        self.life = None;
    }

    /// A PING of the peer arrived, with a time to live in tenths of a second.
    pub(super) fn pinged(&mut self, ttl: u16, now: Instant) {
        if ttl > 0 {
            let allowed = Duration::from_millis(u64::from(ttl).saturating_mul(100));
            self.life = Some(Clock::start(allowed, now));
        }
    }

    /// The session stopped or resumed reading. Clocks that were running start afresh.
    pub(super) fn set_reading(&mut self, reading: bool, now: Instant) {
        if reading && !self.reading {
            for clock in [&mut self.answer, &mut self.life].into_iter().flatten() {
                *clock = Clock::start(clock.allowed, now);
            }
        }
        self.reading = reading;
    }

    /// When [`on_deadline`](Self::on_deadline) has something to do.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let clocks = [self.answer, self.life]
            .into_iter()
            .flatten()
            .filter(|_| self.reading)
            .filter_map(|clock| clock.end);
        clocks.chain(self.next_ping).min()
    }

    /// What goes with a PING.
    pub(super) fn context(&self) -> &[u8] {
        &self.settings.context
    }

    /// Says whether to send a PING now and with which time to live, or that the peer is dead.
    pub(super) fn on_deadline(&mut self, now: Instant) -> Result<Option<u16>, PeerFault> {
        for clock in [self.answer, self.life].into_iter().flatten() {
            if self.reading && clock.end.is_some_and(|end| end <= now) {
                let waited = clock.allowed;
                return Err(PeerFault::Silent { waited });
            }
        }
        let (Some(next), Some(interval)) = (self.next_ping, self.settings.interval) else {
            return Ok(None);
        };
        if next > now {
            return Ok(None);
        }
        self.next_ping = now.checked_add(interval);
        if self.answer.is_none() {
            let allowed = self.settings.timeout.unwrap_or(interval);
            self.answer = Some(Clock::start(allowed, now));
        }
        let tenths = self.settings.ttl.as_millis().checked_div(100);
        Ok(Some(tenths.map_or(0, |tenths| {
            u16::try_from(tenths).unwrap_or(u16::MAX)
        })))
    }
}
