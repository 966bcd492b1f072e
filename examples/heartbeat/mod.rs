//! How often two programs tell each other that they are alive, and how long they believe it: the
//! options of the examples that watch their peers.

use std::time::Duration;

use clap::Args;
use tokio::time::{Interval, MissedTickBehavior, interval};

/// Both sides have to agree about this, more or less.
#[derive(Args, Clone, Copy)]
pub(crate) struct Pace {
    /// How often to say that one is alive
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    heartbeat_ms: u64,
    /// How many heartbeats of silence mean that the other side is gone
    #[arg(long, value_name = "N", default_value_t = 3)]
    liveness: u32,
}

impl Pace {
    /// From one heartbeat to the next.
    pub(crate) fn interval(self) -> Duration {
        Duration::from_millis(self.heartbeat_ms.max(1))
    }

    /// The silence after which a peer is given up.
    pub(crate) fn patience(self) -> Duration {
        self.interval() * self.liveness
    }

    /// Ticks when a heartbeat is due.
    pub(crate) fn ticks(self) -> Interval {
        let mut ticks = interval(self.interval());
        // After a delay, one heartbeat is as good as many.
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ticks
    }
}
