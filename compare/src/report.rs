//! The Markdown table, and the raw rounds behind it.

use std::fmt::Write as _;

use crate::cell::Cell;
use crate::contestant::Contestant;
use crate::round::Sample;
use crate::stats::median;
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

/// What a column of numbers means.
struct Measure {
    name: &'static str,
    of: fn(&Sample) -> f64,
    /// Whether more is better; the ratio is always how many times better wirelark is.
    more_is_better: bool,
}

const MESSAGES: Measure = Measure {
    name: "million messages/s",
    of: |sample| sample.per_second() / 1e6,
    more_is_better: true,
};
const DELIVERIES: Measure = Measure {
    name: "million deliveries/s",
    ..MESSAGES
};
const EXCHANGES: Measure = Measure {
    name: "million replies/s",
    ..MESSAGES
};
const MEDIAN: Measure = Measure {
    name: "median, us",
    of: |sample| sample.median.as_secs_f64() * 1e6,
    more_is_better: false,
};
const P99: Measure = Measure {
    name: "p99, us",
    of: |sample| sample.p99.as_secs_f64() * 1e6,
    ..MEDIAN
};
const CPU: Measure = Measure {
    name: "CPU",
    of: Sample::cpu_seconds_per_million,
    more_is_better: false,
};

fn measures(cell: Cell) -> &'static [Measure] {
    match cell {
        Cell::Pipeline { .. } | Cell::Curve { .. } | Cell::Pair { .. } => &[MESSAGES],
        Cell::RoundTrip { .. } => &[MEDIAN, P99],
        Cell::FanOut { .. } | Cell::Forward => &[DELIVERIES],
        Cell::Exchange { .. } => &[EXCHANGES],
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

/// One table for all cells.
pub fn table(reports: &[CellReport]) -> String {
    let mut text = String::from(
        "| cell | wirelark on | measure | libzmq | wirelark | ratio | CPU s/million libzmq \
         | CPU s/million wirelark | CPU ratio |\n|---|---|---|--:|--:|--:|--:|--:|--:|\n",
    );
    let mut notes = String::new();
    for report in reports {
        let Some(libzmq) = report
            .series
            .iter()
            .find(|series| series.contestant == Contestant::Libzmq)
        else {
            continue;
        };
        for series in &report.series {
            note(&mut notes, report.cell, series);
            if series.contestant == Contestant::Libzmq {
                continue;
            }
            for measure in measures(report.cell) {
                row(&mut text, report.cell, measure, libzmq, series);
            }
        }
    }
    if !notes.is_empty() {
        text.push('\n');
        text.push_str(&notes);
    }
    text
}

fn row(text: &mut String, cell: Cell, measure: &Measure, libzmq: &Series, wirelark: &Series) {
    let _ = writeln!(
        text,
        "| {} | {} | {} | {} | {} | {} | {} | {} | {} |",
        cell.name(),
        wirelark.contestant.label(),
        measure.name,
        number(measure, libzmq),
        number(measure, wirelark),
        ratio(measure, libzmq, wirelark),
        number(&CPU, libzmq),
        number(&CPU, wirelark),
        ratio(&CPU, libzmq, wirelark),
    );
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
        }
    }
}

fn value(measure: &Measure, series: &Series) -> Option<f64> {
    median(series.rounds.as_ref().ok()?.iter().map(measure.of))
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

fn ratio(measure: &Measure, libzmq: &Series, wirelark: &Series) -> String {
    match (value(measure, libzmq), value(measure, wirelark)) {
        (Some(theirs), Some(ours)) if theirs > 0.0 && ours > 0.0 => {
            let ratio = if measure.more_is_better {
                ours / theirs
            } else {
                theirs / ours
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
         \tp99_us\tlost\n",
    );
    for report in reports {
        for series in &report.series {
            for (index, sample) in series.rounds.iter().flatten().enumerate() {
                let _ = writeln!(
                    text,
                    "{}\t{}\t{}\t{}\t{:.4}\t{:.0}\t{:.4}\t{:.2}\t{:.2}\t{}",
                    report.cell.name(),
                    series.contestant.argument(),
                    index + 1,
                    sample.count,
                    sample.elapsed.as_secs_f64(),
                    sample.per_second(),
                    sample.cpu_seconds_per_million(),
                    (MEDIAN.of)(sample),
                    (P99.of)(sample),
                    sample.lost,
                );
            }
        }
    }
    text
}
