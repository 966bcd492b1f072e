//! One round: fresh worker processes for one contestant in one cell, watched until their deadline.
//!
//! Every round has its own processes, so that no contestant inherits another's threads, sockets or
//! memory, and so that a contestant that hangs can be ended without harm to the rest.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};

use crate::acks::HWM_EPOCHS;
use crate::affinity;
use crate::cell::{Cell, Condition, Transport};
use crate::contestant::Contestant;
use crate::crew::{Crew, Said};
use crate::meter::Measured;
use crate::spinner::Spinners;
use crate::task::{Role, Task};

/// What starting two processes, connecting and flushing may take on a busy machine, beyond the
/// phases themselves.
const GRACE: Duration = Duration::from_secs(10);
/// A stalled machine stretches the phases too.
const PATIENCE: u32 = 4;

/// How all rounds of a run are made.
#[derive(Debug, Clone)]
pub struct Setting {
    pub warm_up: Duration,
    pub measure: Duration,
    /// Messages, at both ends, for small messages.
    pub hwm: usize,
}

/// What one round showed, both processes together.
#[derive(Debug, Clone, Default)]
pub struct Sample {
    /// Messages, deliveries or round trips.
    pub count: u64,
    pub elapsed: Duration,
    /// Of both processes.
    pub cpu: Duration,
    /// Sent but not received. Only PUB may lose messages, and only then is this not an error.
    pub lost: u64,
    pub median: Duration,
    pub p99: Duration,
}

impl Sample {
    pub fn per_second(&self) -> f64 {
        self.count as f64 / self.elapsed.as_secs_f64().max(f64::MIN_POSITIVE)
    }

    pub fn cpu_seconds_per_million(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.count.max(1) as f64
    }
}

/// Runs one round to its end, or ends it at its deadline with an error that says so.
pub fn run(cell: Cell, contestant: Contestant, setting: &Setting) -> Result<Sample> {
    let directory = tempfile::Builder::new().prefix("compare").tempdir()?;
    let mut spinners = match cell {
        Cell::RoundTrip {
            condition: Condition::Spinners,
            ..
        } => Some(Spinners::start()?),
        _ => None,
    };
    let sample = play(cell, contestant, setting, directory.path())?;
    if let Some(spinners) = &mut spinners {
        spinners.check()?;
    }
    Ok(sample)
}

fn play(cell: Cell, contestant: Contestant, setting: &Setting, directory: &Path) -> Result<Sample> {
    let deadline = Instant::now() + (setting.warm_up + setting.measure) * PATIENCE + GRACE;
    let (binder, connector) = roles(cell);
    let mut task = first_task(cell, contestant, setting, directory)?;
    let mut crew = Crew::new(deadline);

    task.role = binder;
    crew.start(&task)?;
    if let Some(connector) = connector {
        let Said::Ready { endpoint, acks } = crew.listen()?.1 else {
            bail!("the {binder:?} process had a result before it was ready");
        };
        task.role = connector;
        task.endpoint = endpoint;
        task.acks = acks;
        crew.start(&task)?;
    }

    let mut results: [Option<Measured>; 2] = [None, None];
    let members = if connector.is_some() { 2 } else { 1 };
    while results.iter().flatten().count() < members {
        if let (member, Said::Result(measured)) = crew.listen()? {
            *results.get_mut(member).context("a result from nobody")? = Some(measured);
            // Whoever has a result was the one that counts, or has been told already.
            crew.tell_done();
        }
    }
    let [first, second] = results;
    let first = first.context("no result")?;
    combine(cell, first, second)
}

/// Who binds and says so, and who connects to it.
fn roles(cell: Cell) -> (Role, Option<Role>) {
    match cell {
        Cell::Pipeline {
            transport: Transport::Inproc,
            ..
        } => (Role::Pipeline, None),
        Cell::Pipeline { .. } => (Role::Pull, Some(Role::Push)),
        Cell::RoundTrip { .. } => (Role::Reply, Some(Role::Request)),
        Cell::FanOut { .. } => (Role::Publish, Some(Role::Subscribe)),
    }
}

fn first_task(
    cell: Cell,
    contestant: Contestant,
    setting: &Setting,
    directory: &Path,
) -> Result<Task> {
    let endpoint = match cell.transport() {
        Transport::Tcp => "tcp://127.0.0.1:*".to_owned(),
        Transport::Ipc => format!("ipc://{}/socket", directory.display()),
        Transport::Inproc => "inproc://compare".to_owned(),
    };
    let (subscribers, hwm) = match cell {
        Cell::FanOut { subscribers } => (subscribers, setting.hwm.saturating_mul(HWM_EPOCHS)),
        _ => (0, cell.high_water_mark(setting.hwm)),
    };
    let cpu = match cell {
        Cell::RoundTrip {
            condition: Condition::Pinned,
            ..
        } => Some(*affinity::allowed()?.last().context("no processor")?),
        _ => None,
    };
    Ok(Task {
        contestant,
        role: roles(cell).0,
        endpoint,
        size: cell.size(),
        warm_up_ms: u64::try_from(setting.warm_up.as_millis())?,
        measure_ms: u64::try_from(setting.measure.as_millis())?,
        hwm,
        subscribers,
        acks: None,
        cpu,
    })
}

/// Puts the two processes' accounts together and checks them against each other.
fn combine(cell: Cell, binder: Measured, connector: Option<Measured>) -> Result<Sample> {
    let Some(connector) = connector else {
        return Ok(sample(&binder, binder.cpu, 0));
    };
    let cpu = binder.cpu + connector.cpu;
    match cell {
        Cell::Pipeline { .. } => Ok(sample(&binder.check_sent(connector.count)?, cpu, 0)),
        Cell::RoundTrip { .. } => {
            ensure!(
                binder.count == connector.count,
                "{} requests answered, {} replies received",
                binder.count,
                connector.count
            );
            Ok(sample(&connector, cpu, 0))
        }
        Cell::FanOut { subscribers } => {
            let due = binder.count * u64::try_from(subscribers)?;
            let lost = due.checked_sub(connector.count);
            let lost = lost.context("more messages delivered than sent")?;
            Ok(sample(&connector, cpu, lost))
        }
    }
}

fn sample(counted: &Measured, cpu: Duration, lost: u64) -> Sample {
    Sample {
        count: counted.count,
        elapsed: counted.elapsed,
        cpu,
        lost,
        median: counted.median,
        p99: counted.p99,
    }
}
