//! What a process measured, and the counter at the receiving end that measures it.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use crate::pace::Phase;
use crate::rusage::cpu_time;

/// One process' account of one round.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Measured {
    /// Messages, deliveries or round trips of the measured phase.
    pub count: u64,
    /// From the first of them to the end; zero in a process that only helps.
    pub elapsed: Duration,
    /// Processor time over the same stretch.
    pub cpu: Duration,
    /// Round trips only.
    pub median: Duration,
    /// Round trips only.
    pub p99: Duration,
    /// Bytes that the process has grown by, where that is measured.
    pub memory: u64,
    /// How often its threads were woken, where that is measured.
    pub wake_ups: u64,
}

impl Measured {
    /// Many receivers in one process: all messages, from the earliest first to the latest last.
    pub fn of_many(meters: impl Iterator<Item = Meter>) -> Result<Self> {
        let mut all = Meter::default();
        for meter in meters {
            all.merge(&meter);
        }
        all.finish()
    }

    /// Both ends of a pipeline in one process: nothing may be lost between them.
    pub fn check_sent(self, sent: u64) -> Result<Self> {
        ensure!(
            self.count == sent,
            "{sent} messages sent, {} received",
            self.count
        );
        Ok(self)
    }

    pub fn per_second(&self) -> f64 {
        self.count as f64 / self.seconds()
    }

    pub fn cpu_seconds_per_million(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.count.max(1) as f64
    }

    pub fn memory_per_one(&self) -> f64 {
        self.memory as f64 / self.count.max(1) as f64
    }

    pub fn cpu_per_second(&self) -> f64 {
        self.cpu.as_secs_f64() / self.seconds()
    }

    pub fn wake_ups_per_second(&self) -> f64 {
        self.wake_ups as f64 / self.seconds()
    }

    fn seconds(&self) -> f64 {
        self.elapsed.as_secs_f64().max(f64::MIN_POSITIVE)
    }

    /// One line for the parent process.
    pub fn to_line(&self) -> String {
        format!(
            "{} {} {} {} {} {} {}",
            self.count,
            self.elapsed.as_nanos(),
            self.cpu.as_nanos(),
            self.median.as_nanos(),
            self.p99.as_nanos(),
            self.memory,
            self.wake_ups,
        )
    }

    /// Reads [`Measured::to_line`] back.
    pub fn from_line(line: &str) -> Result<Self> {
        let mut words = line.split(' ');
        let mut next =
            || -> Result<u64> { Ok(words.next().context("a result that breaks off")?.parse()?) };
        Ok(Self {
            count: next()?,
            elapsed: Duration::from_nanos(next()?),
            cpu: Duration::from_nanos(next()?),
            median: Duration::from_nanos(next()?),
            p99: Duration::from_nanos(next()?),
            memory: next()?,
            wake_ups: next()?,
        })
    }
}

/// A moment on both clocks.
#[derive(Debug, Clone, Copy)]
struct Stamp {
    wall: Instant,
    cpu: Duration,
}

impl Stamp {
    fn now() -> Self {
        Self {
            wall: Instant::now(),
            cpu: cpu_time(),
        }
    }
}

/// Counts the measured messages of one receiver.
#[derive(Debug, Default)]
pub struct Meter {
    count: u64,
    first: Option<Stamp>,
    last: Option<Stamp>,
}

impl Meter {
    /// Notes one received message and hands its phase back. The clocks are read twice a round.
    pub fn see(&mut self, phase: Phase) -> Phase {
        match phase {
            Phase::WarmUp => {}
            Phase::Measured => {
                if self.first.is_none() {
                    self.first = Some(Stamp::now());
                }
                self.count += 1;
            }
            Phase::End => self.last = Some(Stamp::now()),
        }
        phase
    }

    fn merge(&mut self, other: &Self) {
        self.count += other.count;
        let earlier = |a: Stamp, b: Stamp| if a.wall <= b.wall { a } else { b };
        let later = |a: Stamp, b: Stamp| if a.wall >= b.wall { a } else { b };
        self.first = match (self.first, other.first) {
            (Some(a), Some(b)) => Some(earlier(a, b)),
            (a, b) => a.or(b),
        };
        self.last = match (self.last, other.last) {
            (Some(a), Some(b)) => Some(later(a, b)),
            (a, b) => a.or(b),
        };
    }

    pub fn finish(self) -> Result<Measured> {
        let first = self
            .first
            .context("no message of the measured phase arrived")?;
        let last = self.last.context("the last message did not arrive")?;
        Ok(Measured {
            count: self.count,
            elapsed: last.wall - first.wall,
            cpu: last.cpu.saturating_sub(first.cpu),
            ..Measured::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_survives_the_line() {
        let measured = Measured {
            count: 7,
            elapsed: Duration::from_nanos(1_500),
            cpu: Duration::from_micros(9),
            median: Duration::from_nanos(3),
            p99: Duration::from_nanos(4),
            memory: 5,
            wake_ups: 6,
        };
        assert_eq!(Measured::from_line(&measured.to_line()).unwrap(), measured);
        assert!(Measured::from_line("1 2").is_err());
    }
}
