//! The cells of the table: what is measured, under which name, and how a filter picks them.

use anyhow::{Result, bail};

/// Bytes that may wait at one end; bounds the high-water mark of large messages.
const QUEUE_BYTES: usize = 64 << 20;
const PIPELINE_SIZES: [usize; 7] = [16, 64, 256, 1 << 10, 4 << 10, 64 << 10, 1 << 20];
const CURVE_SIZES: [usize; 3] = [64, 1 << 10, 64 << 10];
const ROUND_TRIP_SIZES: [usize; 3] = [1, 64, 1 << 10];
/// The message size that goes without saying where a name has none.
const USUAL_SIZE: usize = 64;
/// Sizes and subscribers of the fan-out cells. What is on its way to 512 of them, in messages of 1 KiB,
/// would measure the memory.
const FAN_OUT: [(usize, &[usize]); 2] = [(USUAL_SIZE, &[1, 8, 64, 512]), (1 << 10, &[1, 8, 64])];
const FAN_OUT_INPROC: [usize; 3] = [1, 8, 64];
const DEALERS: [usize; 5] = [1, 4, 64, 200, 1000];
const PREFIXES: [usize; 2] = [10_000, 100_000];
const IDLE_PEERS: usize = 10_000;
/// Sockets that connect and close at the same time.
const CONNECTORS: usize = 16;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    Tcp,
    Ipc,
    Inproc,
}

impl Transport {
    fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Ipc => "ipc",
            Self::Inproc => "inproc",
        }
    }
}

/// What the processors do meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// Nothing is arranged: idle processors sleep.
    Plain,
    /// Lowest-priority spinners keep them awake, and each process has one for itself.
    Spinners,
    /// Both processes on one processor.
    Pinned,
    /// The application computes on every one of them.
    Busy,
}

impl Condition {
    fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Spinners => "spin",
            Self::Pinned => "pin",
            Self::Busy => "busy",
        }
    }
}

/// What kind of work a cell measures. The kinds are the sections of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// PUSH to PULL as fast as it goes.
    Push,
    /// The same over tcp, encrypted by CURVE.
    Curve,
    /// PAIR to PAIR as fast as it goes.
    Pair,
    /// REQ and REP, one request at a time.
    Req,
    /// One PUB to many SUBs.
    Pub,
    /// PUB to SUB through a proxy of XSUB and XPUB in a third process.
    Proxy,
    /// PUB to one SUB with many prefixes.
    Match,
    /// Many DEALERs that ask one ROUTER, each with some requests under way.
    Router,
    /// DEALERs that connect, ask once and close.
    Connect,
    /// One ROUTER with many peers that say nothing.
    Idle,
}

/// One row group of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cell {
    pub kind: Kind,
    pub transport: Transport,
    /// Bytes of a message.
    pub size: usize,
    /// Subscribers, dealers, idle peers or prefixes.
    pub count: usize,
    pub condition: Condition,
}

/// What a cell is where nothing else is said.
const USUAL: Cell = Cell {
    kind: Kind::Push,
    transport: Transport::Tcp,
    size: USUAL_SIZE,
    count: 1,
    condition: Condition::Plain,
};

impl Cell {
    /// Every cell, in the order of the table.
    pub fn all() -> Vec<Self> {
        use Transport::{Inproc, Ipc, Tcp};

        let of = |kind| Self { kind, ..USUAL };
        let with = |kind, count| Self { count, ..of(kind) };
        let mut cells = Vec::new();
        for transport in [Tcp, Ipc, Inproc] {
            cells.extend(PIPELINE_SIZES.map(|size| Self {
                transport,
                size,
                ..USUAL
            }));
        }
        if cfg!(feature = "curve") {
            cells.extend(CURVE_SIZES.map(|size| Self {
                size,
                ..of(Kind::Curve)
            }));
        }
        cells.extend([Tcp, Inproc].map(|transport| Self {
            transport,
            ..of(Kind::Pair)
        }));
        for (transport, conditions) in [
            (Tcp, CONDITIONS),
            (Ipc, CONDITIONS),
            (Inproc, &[Condition::Plain]),
        ] {
            for &condition in conditions {
                cells.extend(ROUND_TRIP_SIZES.map(|size| Self {
                    transport,
                    size,
                    condition,
                    ..of(Kind::Req)
                }));
            }
        }
        for (size, counts) in FAN_OUT {
            let cell = |&count| Self {
                size,
                ..with(Kind::Pub, count)
            };
            cells.extend(counts.iter().map(cell));
        }
        cells.extend(FAN_OUT_INPROC.map(|count| Self {
            transport: Inproc,
            ..with(Kind::Pub, count)
        }));
        cells.push(of(Kind::Proxy));
        cells.extend(PREFIXES.map(|count| with(Kind::Match, count)));
        cells.extend(DEALERS.map(|count| with(Kind::Router, count)));
        cells.push(with(Kind::Connect, CONNECTORS));
        cells.push(with(Kind::Idle, IDLE_PEERS));
        cells.extend([Kind::Push, Kind::Req].map(|kind| Self {
            condition: Condition::Busy,
            ..of(kind)
        }));
        cells
    }

    /// Some of every kind: what a smoke run has to get through.
    pub fn smoke() -> Vec<Self> {
        let mut cells = Self::all();
        cells.retain(|cell| SMOKE.contains(&cell.name().as_str()));
        for (kind, count) in [(Kind::Match, 1_000), (Kind::Idle, 100)] {
            cells.push(Self {
                kind,
                count,
                ..USUAL
            });
        }
        cells
    }

    /// For example `push/tcp/64B`, `req/ipc/1KiB/pin`, `pub/tcp/8sub`, `router/tcp/4dealer`.
    pub fn name(self) -> String {
        let Self { kind, count, .. } = self;
        let (transport, size) = (self.transport.name(), size_name(self.size));
        match kind {
            _ if self.is_busy() => format!("busy/{}", kind.word()),
            Kind::Req if self.transport != Transport::Inproc => {
                format!("req/{transport}/{size}/{}", self.condition.name())
            }
            Kind::Push | Kind::Curve | Kind::Pair | Kind::Req | Kind::Proxy => {
                format!("{}/{transport}/{size}", kind.word())
            }
            Kind::Pub if self.size == USUAL_SIZE => format!("pub/{transport}/{count}sub"),
            Kind::Pub => format!("pub/{transport}/{count}sub/{size}"),
            Kind::Match => format!("match/{}k", count / 1000),
            Kind::Router => format!("router/{transport}/{count}dealer"),
            Kind::Connect => format!("connect/{transport}"),
            Kind::Idle => format!("idle/{count}"),
        }
    }

    /// Whether the words of the filter, between slashes, follow each other in the name.
    fn matches(self, filter: &str) -> bool {
        let name = self.name().to_lowercase();
        let name: Vec<&str> = name.split('/').collect();
        let as_typed = filter.to_lowercase();
        let as_typed: Vec<&str> = as_typed.split('/').collect();
        let as_sizes: Vec<String> = filter.split('/').map(filter_word).collect();
        name.windows(as_typed.len())
            .any(|words| words == as_typed || words == as_sizes)
    }

    /// How many sockets each message is due at.
    pub fn count_of_subscribers(self) -> usize {
        match self.kind {
            Kind::Pub => self.count,
            _ => 1,
        }
    }

    pub fn is_busy(self) -> bool {
        self.condition == Condition::Busy
    }

    /// Whether both ends are in one process.
    pub fn is_within(self) -> bool {
        self.transport == Transport::Inproc
    }

    /// The high-water mark of this cell where small messages have `base`: a thousand messages of
    /// 1 MiB at each end would measure the memory, on either side.
    pub fn high_water_mark(self, base: usize) -> usize {
        base.min(QUEUE_BYTES / self.size).max(1)
    }
}

/// The conditions of a round trip between two processes.
const CONDITIONS: &[Condition] = &[Condition::Plain, Condition::Spinners, Condition::Pinned];

/// Cells of a smoke run, beside small ones of the kinds that take long.
const SMOKE: &[&str] = &[
    "push/tcp/64B",
    "push/tcp/1MiB",
    "push/ipc/1KiB",
    "push/inproc/64B",
    "curve/tcp/64B",
    "pair/tcp/64B",
    "req/tcp/64B/plain",
    "req/tcp/64B/pin",
    "req/ipc/64B/spin",
    "req/inproc/64B",
    "pub/tcp/8sub",
    "pub/inproc/8sub",
    "proxy/tcp/64B",
    "router/tcp/4dealer",
    "connect/tcp",
    "busy/push",
    "busy/req",
];

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Self::Push => "push",
            Self::Curve => "curve",
            Self::Pair => "pair",
            Self::Req => "req",
            Self::Pub => "pub",
            Self::Proxy => "proxy",
            Self::Match => "match",
            Self::Router => "router",
            Self::Connect => "connect",
            Self::Idle => "idle",
        }
    }
}

/// The cells that any of the filters picks; all cells when there is no filter.
pub fn select(filters: &[String]) -> Result<Vec<Cell>> {
    let mut cells = Cell::all();
    for filter in filters {
        if !cells.iter().any(|cell| cell.matches(filter)) {
            let names: Vec<String> = cells.into_iter().map(Cell::name).collect();
            bail!(
                "no cell matches {filter:?}; there are:\n{}",
                names.join("\n")
            );
        }
    }
    if !filters.is_empty() {
        cells.retain(|cell| filters.iter().any(|filter| cell.matches(filter)));
    }
    Ok(cells)
}

/// A word of a filter as it would stand in a name where it is a size: a bare number of bytes.
fn filter_word(word: &str) -> String {
    let word = match word.parse() {
        Ok(bytes) => size_name(bytes),
        Err(_) => word.to_owned(),
    };
    word.to_lowercase()
}

fn size_name(bytes: usize) -> String {
    match bytes {
        0..1024 => format!("{bytes}B"),
        1024..1_048_576 => format!("{}KiB", bytes >> 10),
        _ => format!("{}MiB", bytes >> 20),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn names(filter: &str) -> Vec<String> {
        select(&[filter.to_owned()])
            .unwrap()
            .into_iter()
            .map(Cell::name)
            .collect()
    }

    #[test]
    fn filters_match_whole_words_in_a_row() {
        assert_eq!(names("push/tcp/64"), ["push/tcp/64B"]);
        assert_eq!(names("push/inproc/1024"), ["push/inproc/1KiB"]);
        assert_eq!(
            names("pub/inproc"),
            ["pub/inproc/1sub", "pub/inproc/8sub", "pub/inproc/64sub"]
        );
        assert_eq!(names("router/tcp/4dealer"), ["router/tcp/4dealer"]);
        assert_eq!(names("req/tcp/1kib/pin"), ["req/tcp/1KiB/pin"]);
        assert_eq!(names("match"), ["match/10k", "match/100k"]);
        assert_eq!(names("idle/10000"), ["idle/10000"]);
        assert_eq!(names("push/tcp").len(), PIPELINE_SIZES.len());
        assert!(select(&["udp".to_owned()]).is_err());
        assert!(select(&["us".to_owned()]).is_err());
    }

    #[test]
    fn no_two_cells_have_one_name() {
        let names: Vec<String> = Cell::all().into_iter().map(Cell::name).collect();
        let different: HashSet<&String> = names.iter().collect();
        assert_eq!(different.len(), names.len());
    }

    #[test]
    fn a_smoke_run_has_every_kind() {
        let (all, smoke) = (Cell::all(), Cell::smoke());
        let left_out = usize::from(cfg!(not(feature = "curve")));
        assert_eq!(smoke.len(), SMOKE.len() - left_out + 2);
        for cell in all {
            let same = |other: &Cell| (other.kind, other.is_busy()) == (cell.kind, cell.is_busy());
            assert!(smoke.iter().any(same), "{}", cell.name());
        }
    }

    #[test]
    fn large_messages_get_a_lower_mark() {
        let mark = |size| Cell { size, ..USUAL }.high_water_mark(1000);
        assert_eq!((mark(16), mark(64 << 10), mark(1 << 20)), (1000, 1000, 64));
    }
}
