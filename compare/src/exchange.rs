//! The asking end of an exchange: one DEALER with a window of requests under way.

use anyhow::{Result, ensure};

use crate::meter::{Measured, Meter};
use crate::pace::{Pacer, Phase};
use crate::payload::Payload;
use crate::rusage::CpuClock;
use crate::task::Task;

/// Requests that each DEALER keeps under way: enough to keep both processes busy with one of them,
/// few enough that hundreds fit into every queue.
pub const WINDOW: usize = 16;

/// One DEALER's side of the talk, whichever library carries it.
pub struct Asker {
    pacer: Pacer,
    payload: Payload,
    meter: Meter,
    said_end: bool,
}

impl Asker {
    pub fn new(task: &Task) -> Self {
        Self {
            pacer: Pacer::new(task),
            payload: Payload::new(task.size),
            meter: Meter::default(),
            said_end: false,
        }
    }

    /// What to ask next; nothing once the last request has been made.
    pub fn ask(&mut self) -> Option<&[u8]> {
        if self.said_end {
            return None;
        }
        let phase = self.pacer.next();
        self.said_end = phase.is_end();
        self.payload.set_phase(phase);
        Some(self.payload.bytes())
    }

    /// Notes one reply; `true` when it is that to the last request.
    pub fn hear(&mut self, reply: &[u8]) -> Result<bool> {
        ensure!(
            reply.len() == self.payload.bytes().len(),
            "a reply of {} bytes",
            reply.len()
        );
        Ok(self.meter.see(Phase::of(reply)?).is_end())
    }

    pub fn into_meter(self) -> Meter {
        self.meter
    }
}

/// The answering end: counts requests until every DEALER has said that it was its last.
#[derive(Default)]
pub struct Answerer {
    count: u64,
    ended: usize,
    cpu: CpuClock,
}

impl Answerer {
    /// Notes one request; `true` when it was the last of all.
    pub fn see(&mut self, request: &[u8], dealers: usize) -> Result<bool> {
        match Phase::of(request)? {
            Phase::WarmUp => {}
            Phase::Measured => {
                self.cpu.start_once();
                self.count += 1;
            }
            Phase::End => self.ended += 1,
        }
        Ok(self.ended == dealers)
    }

    pub fn finish(self) -> Measured {
        Measured {
            count: self.count,
            cpu: self.cpu.elapsed(),
            ..Measured::default()
        }
    }
}
