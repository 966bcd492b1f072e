//! The Markdown tables, and the raw rounds behind it.

use std::fmt::Write as _;

use crate::cell::{Cell, Kind};
use crate::contestant::Contestant;
use crate::measure::{CPU, MEDIAN, Measure, P99, Section, section};
use crate::round::Sample;
use crate::stats::median;
use crate::task::word;
use crate::{host, libzmq};

/// All rounds of one contestant in one cell, or why there are none.
#[derive(Debug)]
pub struct Series {
    pub contestant: Contestant,
    pub rounds: Result<Vec<Sample>, String>,
}

/// All contestants of one cell.
#[derive(Debug)]
pub struct CellReport {
    pub cell: Cell,
    pub series: Vec<Series>,
}

impl CellReport {
    fn of(&self, contestant: Contestant) -> Option<&Series> {
        self.series
            .iter()
            .find(|series| series.contestant == contestant)
    }
}

/// When, where and how the table was made.
pub fn heading(command_line: &str, rounds: usize, seconds: f64, load_before: &str) -> String {
    let mut text = String::new();
    let commit = host::commit().map_or_else(String::new, |commit| format!(" ({commit})"));
    // Writing to a string cannot fail.
    let _ = writeln!(
        text,
        "{}: wirelark {}{commit}, libzmq {}, {}, {}, load before {load_before}, after {}\n",
        host::today(),
        env!("COMPARE_WIRELARK_VERSION"),
        libzmq::version(),
        host::processors(),
        host::kernel(),
        host::load(),
    );
    let _ = writeln!(
        text,
        "`{command_line}`: medians of {rounds} alternated rounds of {seconds} s\n"
    );
    if env!("COMPARE_OPT_LEVEL") != "3" {
        let _ = writeln!(
            text,
            "**Not a release build: these numbers mean nothing.**\n"
        );
    }
    text
}

/// A table for every kind of cell, under its heading.
pub fn tables(reports: &[CellReport]) -> String {
    let mut text = String::new();
    let mut notes = String::new();
    let mut title = "";
    for report in reports {
        let section = section(report.cell);
        if section.title != title {
            title = section.title;
            head(&mut text, &section);
        }
        rows(&mut text, report, &section);
        for series in &report.series {
            note(&mut notes, report.cell, series);
        }
    }
    if !notes.is_empty() {
        let _ = writeln!(text, "\n## Notes\n\n{notes}");
    }
    text
}

fn head(text: &mut String, section: &Section) {
    let columns = ["cell", "wirelark on", "measure"];
    let mut numbers = vec!["libzmq", "wirelark", "ratio"];
    if section.has_plain {
        numbers.extend(["plain program", "its lead"]);
    }
    if section.has_cpu {
        numbers.extend([
            "CPU s/million libzmq",
            "CPU s/million wirelark",
            "CPU ratio",
        ]);
    }
    let space = if text.is_empty() { "" } else { "\n" };
    let _ = writeln!(text, "{space}## {}\n", section.title);
    let _ = writeln!(
        text,
        "| {} | {} |",
        columns.join(" | "),
        numbers.join(" | ")
    );
    let _ = writeln!(
        text,
        "|{}{}",
        "---|".repeat(columns.len()),
        "--:|".repeat(numbers.len())
    );
}

fn rows(text: &mut String, report: &CellReport, section: &Section) {
    let Some(libzmq) = report.of(Contestant::Libzmq) else {
        return;
    };
    for wirelark in &report.series {
        if [Contestant::Libzmq, Contestant::Plain].contains(&wirelark.contestant) {
            continue;
        }
        for measure in section.measures {
            let mut row = vec![
                report.cell.name(),
                wirelark.contestant.label().to_owned(),
                measure.name.to_owned(),
            ];
            let compared = |measure| {
                [
                    number(measure, libzmq),
                    number(measure, wirelark),
                    ratio(measure, libzmq, wirelark),
                ]
            };
            row.extend(compared(measure));
            if section.has_plain {
                row.extend(match report.of(Contestant::Plain) {
                    Some(plain) => [number(measure, plain), ratio(measure, wirelark, plain)],
                    None => ["-", "-"].map(str::to_owned),
                });
            }
            if section.has_cpu {
                row.extend(compared(&CPU));
            }
            let _ = writeln!(text, "| {} |", row.join(" | "));
        }
    }
}

/// Failures and losses stand below the table, where they cannot be overlooked.
fn note(notes: &mut String, cell: Cell, series: &Series) {
    let who = format!("- {} on {}", cell.name(), series.contestant.label());
    match &series.rounds {
        Err(reason) => {
            let _ = writeln!(notes, "{who}: FAILED: {reason}");
        }
        Ok(rounds) => {
            let lost: u64 = rounds.iter().map(|sample| sample.lost).sum();
            if lost > 0 {
                let _ = writeln!(notes, "{who}: {lost} messages dropped in all rounds");
            }
            let peers = rounds.iter().map(|sample| sample.measured.count).min();
            match (cell.kind, peers) {
                (Kind::Idle, Some(peers)) if peers < cell.count as u64 => {
                    let _ = writeln!(notes, "{who}: {peers} peers, for want of open files");
                }
                _ => {}
            }
        }
    }
}

fn value(measure: &Measure, series: &Series) -> Option<f64> {
    let rounds = series.rounds.as_ref().ok()?.iter();
    median(rounds.map(|sample| (measure.of)(&sample.measured)))
}

fn number(measure: &Measure, series: &Series) -> String {
    value(measure, series).map_or_else(|| "failed".to_owned(), significant)
}

/// Three significant digits: a table holds 20 million small messages and a thousand large ones.
fn significant(value: f64) -> String {
    let decimals = match value {
        _ if value >= 100.0 => 0,
        _ if value >= 10.0 => 1,
        _ if value >= 1.0 => 2,
        _ if value >= 0.1 => 3,
        _ if value >= 0.01 => 4,
        _ => 5,
    };
    format!("{value:.decimals$}")
}

/// How many times better the second is.
fn ratio(measure: &Measure, first: &Series, second: &Series) -> String {
    match (value(measure, first), value(measure, second)) {
        (Some(that), Some(this)) if that > 0.0 && this > 0.0 => {
            let ratio = if measure.more_is_better {
                this / that
            } else {
                that / this
            };
            format!("{ratio:.2}x")
        }
        _ => "-".to_owned(),
    }
}

/// Every round on its own line, tab-separated, in the order of the cells.
pub fn raw(reports: &[CellReport]) -> String {
    let mut text = String::from(
        "cell\tcontestant\tround\tcount\tseconds\tper_second\tcpu_s_per_million\tmedian_us\
         \tp99_us\tmemory_bytes\twake_ups\tlost\n",
    );
    for report in reports {
        for series in &report.series {
            for (index, sample) in series.rounds.iter().flatten().enumerate() {
                let measured = &sample.measured;
                let _ = writeln!(
                    text,
                    "{}\t{}\t{}\t{}\t{:.4}\t{:.0}\t{:.4}\t{:.2}\t{:.2}\t{}\t{}\t{}",
                    report.cell.name(),
                    word(series.contestant),
                    index + 1,
                    measured.count,
                    measured.elapsed.as_secs_f64(),
                    measured.per_second(),
                    measured.cpu_seconds_per_million(),
                    (MEDIAN.of)(measured),
                    (P99.of)(measured),
                    measured.memory,
                    measured.wake_ups,
                    sample.lost,
                );
            }
        }
    }
    text
}
