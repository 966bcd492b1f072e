//! Measures wirelark and libzmq side by side and prints Markdown tables.
//!
//! This process measures nothing itself: it starts the workers, which are this program again with
//! a hidden subcommand, and puts their numbers together.

mod acks;
mod affinity;
mod busy;
mod cell;
mod contestant;
mod crew;
mod exchange;
mod host;
mod idle;
mod keys;
mod lark;
mod latency;
mod libzmq;
mod matching;
mod measure;
mod memory;
mod meter;
mod pace;
mod payload;
mod plain;
mod play;
mod report;
mod round;
mod rusage;
mod spinner;
mod stats;
mod task;
mod worker;

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::{Parser, Subcommand};

use cell::Cell;
use contestant::Contestant;
use report::{CellReport, Series};
use round::Setting;
use task::Task;

/// Part of the measured time that each round warms up first.
const WARM_UP: f64 = 0.25;
/// Length of a round of a smoke run.
const SMOKE_SECONDS: f64 = 0.04;
/// Idle peers have been idle for so long before they are watched: what follows on a handshake is over.
const SETTLE_SECONDS: f64 = 1.5;
/// Idle peers are watched for longer than other things last: what happens once a second has to show.
const IDLE_SECONDS: f64 = 1.0;

/// Measures wirelark and libzmq side by side; prints Markdown tables.
#[derive(Debug, Parser)]
#[command(version)]
#[command(subcommand_negates_reqs = true, args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    hidden: Option<Hidden>,
    /// Only cells whose name contains one of these, word by word: tcp/64, req/tcp, pub/tcp/8sub
    #[arg(long, value_delimiter = ',')]
    cells: Vec<String>,
    /// Print the names of the cells and end
    #[arg(long)]
    list: bool,
    /// Rounds of each contestant in each cell
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Measured length of one round (a quarter of it is spent on warming up before)
    #[arg(long, default_value_t = 1.0)]
    seconds: f64,
    /// High-water mark in messages, at both ends, for both libraries
    #[arg(long, default_value_t = 1000)]
    hwm: usize,
    /// Only these ways of running wirelark
    #[arg(long, value_delimiter = ',')]
    runtime: Vec<Contestant>,
    /// The program compare-peers, to measure other libraries in Rust, too
    #[arg(long)]
    peers: Option<PathBuf>,
    /// Print every round below the table
    #[arg(long)]
    raw: bool,
    /// Write what is printed to this file, too
    #[arg(long)]
    out: Option<PathBuf>,
    /// Every kind of cell once, for some milliseconds: shows that everything works, measures nothing
    #[arg(long, conflicts_with_all = ["rounds", "seconds"])]
    smoke: bool,
}

/// What the program starts itself as.
#[derive(Debug, Subcommand)]
enum Hidden {
    #[command(name = crew::COMMAND, hide = true)]
    Worker(Task),
    #[command(name = spinner::COMMAND, hide = true)]
    Spin { cpu: usize },
}

fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    match &arguments.hidden {
        Some(Hidden::Worker(task)) => worker::run(task, play::play),
        Some(Hidden::Spin { cpu }) => {
            spinner::spin(*cpu)?;
            Ok(ExitCode::FAILURE)
        }
        None => compare(&arguments),
    }
}

fn compare(arguments: &Arguments) -> Result<ExitCode> {
    let cells = match (arguments.smoke, arguments.cells.is_empty()) {
        (true, true) => Cell::smoke(),
        _ => cell::select(&arguments.cells)?,
    };
    if arguments.list {
        cells.iter().for_each(|cell| println!("{}", cell.name()));
        return Ok(ExitCode::SUCCESS);
    }
    let (rounds, seconds) = match arguments.smoke {
        true => (1, SMOKE_SECONDS),
        false => (arguments.rounds.max(1), arguments.seconds),
    };
    let [settle, idle] = match arguments.smoke {
        true => [seconds; 2],
        false => [SETTLE_SECONDS, IDLE_SECONDS],
    };
    let setting = Setting {
        warm_up: duration(seconds * WARM_UP)?,
        measure: duration(seconds)?,
        settle: duration(settle)?,
        idle: duration(idle)?,
        hwm: arguments.hwm.max(1),
        peers: arguments.peers.clone(),
    };
    let contestants = contestants(&arguments.runtime, arguments.peers.is_some());

    let load_before = host::load();
    let mut reports = Vec::new();
    for (index, &cell) in cells.iter().enumerate() {
        eprintln!("[{}/{}] {}", index + 1, cells.len(), cell.name());
        reports.push(measure(cell, &contestants, rounds, &setting));
    }

    let mut text = report::heading(&command_line(), rounds, seconds, &load_before);
    text.push_str(&report::tables(&reports));
    if arguments.raw {
        text.push_str("\n```tsv\n");
        text.push_str(&report::raw(&reports));
        text.push_str("```\n");
    }
    print!("{text}");
    if let Some(path) = &arguments.out {
        fs::write(path, &text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    let all_well = reports
        .iter()
        .flat_map(|report| &report.series)
        .all(|series| series.rounds.is_ok());
    Ok(if all_well {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Libzmq first, then the plain program, then the chosen ways of running wirelark and the
/// other libraries.
fn contestants(chosen: &[Contestant], with_peers: bool) -> Vec<Contestant> {
    let mut contestants = vec![Contestant::Libzmq, Contestant::Plain];
    contestants.extend(
        Contestant::WIRELARK
            .into_iter()
            .filter(|contestant| chosen.is_empty() || chosen.contains(contestant)),
    );
    if with_peers {
        contestants.extend(Contestant::PEERS);
    }
    contestants
}

/// All rounds of one cell. The contestants take turns, so that whatever else the machine does
/// meets all of them. One that fails sits out the rest of the cell.
fn measure(cell: Cell, contestants: &[Contestant], rounds: usize, setting: &Setting) -> CellReport {
    let mut series: Vec<Series> = contestants
        .iter()
        .filter(|contestant| contestant.takes_part(cell))
        .map(|&contestant| Series {
            contestant,
            rounds: Ok(Vec::with_capacity(rounds)),
        })
        .collect();
    for _ in 0..rounds {
        for Series { contestant, rounds } in &mut series {
            let Ok(samples) = rounds else { continue };
            match round::run(cell, *contestant, setting) {
                Ok(sample) => samples.push(sample),
                Err(error) => {
                    eprintln!("  {}: FAILED: {error:#}", contestant.label());
                    *rounds = Err(format!("{error:#}"));
                }
            }
        }
    }
    CellReport { cell, series }
}

fn duration(seconds: f64) -> Result<Duration> {
    Duration::try_from_secs_f64(seconds).context("--seconds must be a positive number")
}

/// As somebody else would type it: without the path of this machine.
fn command_line() -> String {
    let mut words = vec!["compare".to_owned()];
    words.extend(std::env::args().skip(1));
    words.join(" ")
}
