//! The requesting end of a round trip: every measured trip is kept, then ranked.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use crate::meter::Measured;
use crate::pace::Phase;
use crate::rusage::CpuClock;
use crate::stats::quantile;

/// Round trips of one round.
#[derive(Default)]
pub struct Latencies {
    trips: Vec<Duration>,
    cpu: CpuClock,
    first: Option<Instant>,
    began: Option<Instant>,
}

impl Latencies {
    /// Just before the request is made.
    pub fn begin(&mut self, phase: Phase) {
        if phase == Phase::Measured {
            self.cpu.start_once();
        }
        let now = Instant::now();
        if phase == Phase::Measured && self.first.is_none() {
            self.first = Some(now);
        }
        self.began = Some(now);
    }

    /// As soon as the reply is in hand.
    pub fn end(&mut self, phase: Phase) {
        let now = Instant::now();
        if let (Some(began), Phase::Measured) = (self.began, phase) {
            self.trips.push(now - began);
        }
    }

    pub fn finish(mut self) -> Result<Measured> {
        let first = self.first.context("no measured round trip")?;
        let elapsed = first.elapsed();
        let cpu = self.cpu.elapsed();
        self.trips.sort_unstable();
        Ok(Measured {
            count: u64::try_from(self.trips.len())?,
            elapsed,
            cpu,
            median: quantile(&self.trips, 0.5).context("no measured round trip")?,
            p99: quantile(&self.trips, 0.99).context("no measured round trip")?,
            ..Measured::default()
        })
    }
}
