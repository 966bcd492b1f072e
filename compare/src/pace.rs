//! How long a round lasts: the sender's clock, told to the receiver in the first byte of a message.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::task::Task;

/// Small messages sent between two looks at the clock, so that looking costs next to nothing.
const SMALL_STRIDE: u32 = 64;
/// From this size on a message costs far more than a look at the clock.
const LARGE: usize = 4096;

/// Which part of the round a message belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Not counted: connections, allocators and caches settle.
    WarmUp,
    /// Counted.
    Measured,
    /// The last message of the round.
    End,
}

impl Phase {
    /// Reads the phase off a received message.
    pub fn of(message: &[u8]) -> Result<Self> {
        match message.first() {
            Some(0) => Ok(Self::WarmUp),
            Some(1) => Ok(Self::Measured),
            Some(2) => Ok(Self::End),
            other => bail!("a message that nobody sent: first byte {other:?}"),
        }
    }

    /// The first byte of a message of this phase.
    pub fn byte(self) -> u8 {
        match self {
            Self::WarmUp => 0,
            Self::Measured => 1,
            Self::End => 2,
        }
    }

    /// Whether nothing comes after this message.
    pub fn is_end(self) -> bool {
        self == Self::End
    }
}

/// Gives each message its phase. Every phase has at least one message, however slow the machine.
pub struct Pacer {
    warm_up: Duration,
    measure: Duration,
    /// When the current phase ends; unknown before the first message.
    until: Option<Instant>,
    phase: Phase,
    stride: u32,
    /// Messages to go before the next look at the clock.
    unchecked: u32,
}

impl Pacer {
    pub fn new(task: &Task) -> Self {
        let stride = if task.is_slow() || task.size >= LARGE {
            1
        } else {
            SMALL_STRIDE
        };
        Self {
            warm_up: Duration::from_millis(task.warm_up_ms),
            measure: Duration::from_millis(task.measure_ms),
            until: None,
            phase: Phase::WarmUp,
            stride,
            unchecked: 0,
        }
    }

    /// The phase of the next message.
    pub fn next(&mut self) -> Phase {
        if self.unchecked > 0 {
            self.unchecked -= 1;
            return self.phase;
        }
        self.unchecked = self.stride - 1;
        let now = Instant::now();
        match self.until {
            None => self.until = Some(now + self.warm_up),
            Some(until) if now >= until => match self.phase {
                Phase::WarmUp => {
                    self.phase = Phase::Measured;
                    self.until = Some(now + self.measure);
                }
                Phase::Measured | Phase::End => self.phase = Phase::End,
            },
            Some(_) => {}
        }
        self.phase
    }
}
