//! One round: fresh worker processes for one contestant in one cell, watched until their deadline.
//!
//! Every round has its own processes, so that no contestant inherits another's threads, sockets or
//! memory, and so that a contestant that hangs can be ended without harm to the rest.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};

use crate::acks::HWM_EPOCHS;
use crate::affinity;
use crate::cell::{Cell, Condition, Kind, Transport};
use crate::contestant::Contestant;
use crate::crew::{Crew, Said};
use crate::memory;
use crate::meter::Measured;
use crate::spinner::Spinners;
use crate::task::{Role, Task};

/// What starting two processes, connecting and flushing may take on a busy machine, beyond the
/// phases themselves.
const GRACE: Duration = Duration::from_secs(10);
/// A stalled machine stretches the phases too.
const PATIENCE: u32 = 4;
/// Files that a process has open beside the connections that are counted.
const OTHER_FILES: usize = 100;

/// How all rounds of a run are made.
#[derive(Debug, Clone)]
pub struct Setting {
    pub warm_up: Duration,
    pub measure: Duration,
    /// How long idle peers are left alone, and then watched.
    pub settle: Duration,
    pub idle: Duration,
    /// Messages, at both ends, for small messages.
    pub hwm: usize,
    /// The program that other libraries' workers are started from.
    pub peers: Option<PathBuf>,
}

/// What one round showed, all processes together.
#[derive(Debug, Clone, Default)]
pub struct Sample {
    pub measured: Measured,
    /// Sent but not received. Only PUB may lose messages, and only then is this not an error.
    pub lost: u64,
}

/// Runs one round to its end, or ends it at its deadline with an error that says so.
pub fn run(cell: Cell, contestant: Contestant, setting: &Setting) -> Result<Sample> {
    let directory = tempfile::Builder::new().prefix("compare").tempdir()?;
    let mut spinners = match cell.condition {
        Condition::Spinners => Some(Spinners::start()?),
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
    let program = match Contestant::PEERS.contains(&contestant) {
        true => setting.peers.clone().context("where is compare-peers?")?,
        false => std::env::current_exe()?,
    };
    let mut crew = Crew::new(program, deadline);
    let mut between = None;
    if cell.kind == Kind::Proxy {
        // The two that are measured meet at the two ends of a third.
        task.role = Role::Forward;
        let (front, back) = start(&mut crew, &task)?;
        task.endpoint = front;
        between = Some(back.context("a proxy with one end")?);
    }
    let (binder, connector) = roles(cell);
    let [binders, connectors] = processors(cell)?;
    task.role = binder;
    task.cpu = binders;
    if let Some(connector) = connector {
        let (endpoint, acks) = start(&mut crew, &task)?;
        task.role = connector;
        task.cpu = connectors;
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
    sample.measured.cpu += helped;
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

/// Who binds and says so, and who connects to it; or who does both.
fn roles(cell: Cell) -> (Role, Option<Role>) {
    match cell.kind {
        Kind::Push if cell.is_within() => (Role::Pipeline, None),
        Kind::Push | Kind::Curve => (Role::Pull, Some(Role::Push)),
        Kind::Pair if cell.is_within() => (Role::Pair, None),
        Kind::Pair => (Role::PairIn, Some(Role::PairOut)),
        Kind::Req if cell.is_within() => (Role::RoundTrip, None),
        Kind::Req => (Role::Reply, Some(Role::Request)),
        Kind::Pub if cell.is_within() => (Role::Distribute, None),
        Kind::Pub => (Role::Publish, Some(Role::Subscribe)),
        Kind::Proxy => (Role::PublishTo, Some(Role::Subscribe)),
        Kind::Match => (Role::PublishTopics, Some(Role::SubscribeTopics)),
        Kind::Router => (Role::Route, Some(Role::Deal)),
        Kind::Connect => (Role::Route, Some(Role::Call)),
        Kind::Idle => (Role::Host, Some(Role::Idle)),
    }
}

/// The one processor that each of the two processes may use, where it is only one.
fn processors(cell: Cell) -> Result<[Option<usize>; 2]> {
    let allowed = affinity::allowed()?;
    Ok(match cell.condition {
        Condition::Plain | Condition::Busy => [None; 2],
        Condition::Spinners => [allowed.first().copied(), allowed.last().copied()],
        Condition::Pinned => [allowed.last().copied(); 2],
    })
}

fn first_task(
    cell: Cell,
    contestant: Contestant,
    setting: &Setting,
    directory: &Path,
) -> Result<Task> {
    let endpoint = match cell.transport {
        Transport::Tcp => "tcp://127.0.0.1:*".to_owned(),
        Transport::Ipc => format!("ipc://{}/socket", directory.display()),
        Transport::Inproc => "inproc://compare".to_owned(),
    };
    let ahead = setting.hwm.saturating_mul(HWM_EPOCHS);
    let (peers, prefixes, hwm) = match cell.kind {
        Kind::Pub | Kind::Proxy => (cell.count, 0, ahead),
        // Subscriptions wait in the same queue, and libzmq drops them, too.
        Kind::Match => (1, cell.count, ahead.saturating_add(cell.count)),
        Kind::Idle => (cell.count.min(open_files()?), 0, setting.hwm),
        _ => (cell.count, 0, cell.high_water_mark(setting.hwm)),
    };
    let (warm_up, measure) = match cell.kind {
        Kind::Idle => (setting.settle, setting.idle),
        _ => (setting.warm_up, setting.measure),
    };
    Ok(Task {
        contestant,
        role: roles(cell).0,
        endpoint,
        size: cell.size,
        warm_up_ms: u64::try_from(warm_up.as_millis())?,
        measure_ms: u64::try_from(measure.as_millis())?,
        hwm,
        peers,
        prefixes,
        busy: cell.is_busy(),
        acks: None,
        curve: cell.kind == Kind::Curve,
        cpu: None,
    })
}

/// How many connections a process may have, which has some other files open, too.
fn open_files() -> Result<usize> {
    Ok(memory::raise_open_files()?.saturating_sub(OTHER_FILES))
}

/// Puts the two processes' accounts together and checks them against each other.
fn combine(cell: Cell, binder: Measured, connector: Option<Measured>) -> Result<Sample> {
    let Some(connector) = connector else {
        return Ok(Sample {
            measured: binder,
            lost: 0,
        });
    };
    let cpu = binder.cpu + connector.cpu;
    let memory = binder.memory + connector.memory;
    let (counted, lost) = match cell.kind {
        Kind::Push | Kind::Curve | Kind::Pair => (binder.check_sent(connector.count)?, 0),
        Kind::Req | Kind::Router | Kind::Connect => {
            ensure!(
                binder.count == connector.count,
                "{} requests answered, {} replies received",
                binder.count,
                connector.count
            );
            (connector, 0)
        }
        Kind::Pub | Kind::Proxy | Kind::Match => {
            let due = binder.count * u64::try_from(cell.count_of_subscribers())?;
            let lost = due.checked_sub(connector.count);
            (
                connector,
                lost.context("more messages delivered than sent")?,
            )
        }
        Kind::Idle => (binder, 0),
    };
    let count = match cell.kind {
        // Those that nobody has subscribed to are work, too.
        Kind::Match => counted.count * 2,
        _ => counted.count,
    };
    let measured = Measured {
        count,
        cpu,
        memory,
        ..counted
    };
    Ok(Sample { measured, lost })
}
