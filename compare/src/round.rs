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
    let mut task = first_task(cell, contestant, setting, directory)?;
    let mut crew = Crew::new(deadline);
    let mut between = None;
    if cell == Cell::Forward {
        // The two that are measured meet at the two ends of a third.
        task.role = Role::Forward;
        let (front, back) = start(&mut crew, &task)?;
        task.endpoint = front;
        between = Some(back.context("a proxy with one end")?);
    }
    let (binder, connector) = roles(cell);
    task.role = binder;
    if let Some(connector) = connector {
        let (endpoint, acks) = start(&mut crew, &task)?;
        task.role = connector;
        task.endpoint = between.clone().unwrap_or(endpoint);
        task.acks = acks.map(|acks| acks.parse()).transpose()?;
    }
    crew.start(&task)?;

    let members = crew.len();
    let mut results: Vec<Option<Measured>> = vec![None; members];
    while results.iter().flatten().count() < members {
        if let (member, Said::Result(measured)) = crew.listen()? {
            *results.get_mut(member).context("a result from nobody")? = Some(measured);
            // Whoever has a result was the one that counts, or has been told already.
            crew.tell_done();
        }
    }
    let mut results = results.into_iter().flatten();
    let helped = match between {
        Some(_) => results.next().context("no result")?.cpu,
        None => Duration::ZERO,
    };
    let first = results.next().context("no result")?;
    let mut sample = combine(cell, first, results.next())?;
    sample.cpu += helped;
    Ok(sample)
}

/// Starts a member that others connect to; gives back where.
fn start(crew: &mut Crew, task: &Task) -> Result<(String, Option<String>)> {
    crew.start(task)?;
    match crew.listen()?.1 {
        Said::Ready { endpoint, also } => Ok((endpoint, also)),
        Said::Result(_) => bail!("{:?} had a result before it was ready", task.role),
    }
}

/// Who binds and says so, and who connects to it.
fn roles(cell: Cell) -> (Role, Option<Role>) {
    match cell {
        Cell::Pipeline {
            transport: Transport::Inproc,
            ..
        } => (Role::Pipeline, None),
        Cell::Pipeline { .. } | Cell::Curve { .. } => (Role::Pull, Some(Role::Push)),
        Cell::RoundTrip { .. } => (Role::Reply, Some(Role::Request)),
        Cell::FanOut { .. } => (Role::Publish, Some(Role::Subscribe)),
        Cell::Forward => (Role::PublishTo, Some(Role::Subscribe)),
        Cell::Exchange { .. } => (Role::Route, Some(Role::Deal)),
        Cell::Pair {
            transport: Transport::Inproc,
        } => (Role::Pair, None),
        Cell::Pair { .. } => (Role::PairIn, Some(Role::PairOut)),
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
    let (peers, hwm) = match cell {
        Cell::FanOut { subscribers, .. } => (subscribers, setting.hwm.saturating_mul(HWM_EPOCHS)),
        Cell::Forward => (1, setting.hwm.saturating_mul(HWM_EPOCHS)),
        Cell::Exchange { dealers } => (dealers, setting.hwm),
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
        peers,
        acks: None,
        curve: matches!(cell, Cell::Curve { .. }),
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
        Cell::Pipeline { .. } | Cell::Curve { .. } | Cell::Pair { .. } => {
            Ok(sample(&binder.check_sent(connector.count)?, cpu, 0))
        }
        Cell::RoundTrip { .. } | Cell::Exchange { .. } => {
            ensure!(
                binder.count == connector.count,
                "{} requests answered, {} replies received",
                binder.count,
                connector.count
            );
            Ok(sample(&connector, cpu, 0))
        }
        Cell::FanOut { .. } | Cell::Forward => {
            let subscribers = match cell {
                Cell::FanOut { subscribers, .. } => u64::try_from(subscribers)?,
                _ => 1,
            };
            let due = binder.count * subscribers;
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
