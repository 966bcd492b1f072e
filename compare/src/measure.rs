//! What the numbers of a cell mean: the sections of the report and the measures in them.

use crate::cell::{Cell, Kind, Transport};
use crate::contestant::Contestant;
use crate::meter::Measured;

/// What a column of numbers means.
pub struct Measure {
    pub name: &'static str,
    pub of: fn(&Measured) -> f64,
    /// Whether more is better; the ratio is always how many times better wirelark is.
    pub more_is_better: bool,
}

const MESSAGES: Measure = Measure {
    name: "million messages/s",
    of: |measured| measured.per_second() / 1e6,
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
const CONNECTIONS: Measure = Measure {
    name: "connections/s",
    of: Measured::per_second,
    more_is_better: true,
};
pub const MEDIAN: Measure = Measure {
    name: "median, us",
    of: |measured| measured.median.as_secs_f64() * 1e6,
    more_is_better: false,
};
pub const P99: Measure = Measure {
    name: "p99, us",
    of: |measured| measured.p99.as_secs_f64() * 1e6,
    ..MEDIAN
};
const MEMORY: Measure = Measure {
    name: "memory of both, MiB",
    of: |measured| measured.memory as f64 / f64::from(1 << 20),
    more_is_better: false,
};
const MEMORY_PER_PEER: Measure = Measure {
    name: "memory of a peer, KiB",
    of: |measured| measured.memory_per_one() / 1024.0,
    more_is_better: false,
};
const IDLE_CPU: Measure = Measure {
    name: "processor time, ms/s",
    of: |measured| measured.cpu_per_second() * 1e3,
    more_is_better: false,
};
const WAKE_UPS: Measure = Measure {
    name: "wake-ups/s",
    of: Measured::wake_ups_per_second,
    more_is_better: false,
};
pub const CPU: Measure = Measure {
    name: "CPU",
    of: Measured::cpu_seconds_per_million,
    more_is_better: false,
};

/// Cells that are measured alike and stand in one table.
pub struct Section {
    pub title: &'static str,
    pub measures: &'static [Measure],
    /// Whether there are cells that a plain program can be measured in.
    pub has_plain: bool,
    /// Whether processor time per message says anything.
    pub has_cpu: bool,
}

/// The section that a cell stands in.
pub fn section(cell: Cell) -> Section {
    let (title, measures): (_, &'static [Measure]) = match cell.kind {
        Kind::Push if cell.is_busy() => {
            ("PUSH to PULL while the application computes", &[MESSAGES])
        }
        Kind::Req if cell.is_busy() => {
            ("REQ and REP while the application computes", &[MEDIAN, P99])
        }
        Kind::Push => ("PUSH to PULL", &[MESSAGES]),
        Kind::Curve => ("PUSH to PULL with CURVE", &[MESSAGES]),
        Kind::Pair => ("PAIR to PAIR", &[MESSAGES]),
        Kind::Req => ("REQ and REP", &[MEDIAN, P99]),
        Kind::Pub => ("PUB to many SUBs", &[DELIVERIES]),
        Kind::Proxy => ("PUB to SUB through a proxy", &[DELIVERIES]),
        Kind::Match => ("PUB to a SUB with many prefixes", &[MESSAGES, MEMORY]),
        Kind::Router => ("ROUTER and its DEALERs", &[EXCHANGES]),
        Kind::Connect => ("Connections made and closed", &[CONNECTIONS]),
        Kind::Idle => ("Idle peers", &[MEMORY_PER_PEER, IDLE_CPU, WAKE_UPS]),
    };
    Section {
        title,
        measures,
        has_plain: Contestant::Plain.takes_part(Cell {
            transport: Transport::Tcp,
            ..cell
        }),
        has_cpu: !cell.is_busy() && cell.kind != Kind::Idle,
    }
}
