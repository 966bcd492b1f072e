//! The cells of the table: what is measured, under which name, and how a filter picks them.

use anyhow::{Result, bail};

/// Bytes that may wait at one end; bounds the high-water mark of large messages.
const QUEUE_BYTES: usize = 64 << 20;
/// The message size of the fan-out cells that goes without saying.
const FAN_OUT_SIZE: usize = 64;
/// Sizes and subscribers of the fan-out cells. What is on its way to 512 of them, in messages of 1 KiB,
/// would measure the memory.
const FAN_OUT: [(usize, &[usize]); 2] = [(FAN_OUT_SIZE, &[1, 8, 64, 512]), (1 << 10, &[1, 8, 64])];
const PIPELINE_SIZES: [usize; 7] = [16, 64, 256, 1 << 10, 4 << 10, 64 << 10, 1 << 20];
const CURVE_SIZES: [usize; 3] = [64, 1 << 10, 64 << 10];
const ROUND_TRIP_SIZES: [usize; 3] = [1, 64, 1 << 10];
/// Message size of the exchange cells, and of PAIR.
const EXCHANGE_SIZE: usize = 64;
const DEALERS: [usize; 5] = [1, 4, 64, 200, 1000];

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

/// What the processors do while a round trip is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// Nothing is arranged: idle processors sleep.
    Plain,
    /// Lowest-priority spinners keep them awake.
    Spinners,
    /// Both processes on one processor.
    Pinned,
}

impl Condition {
    fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Spinners => "spin",
            Self::Pinned => "pin",
        }
    }
}

/// One row group of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cell {
    /// PUSH to PULL as fast as it goes.
    Pipeline { transport: Transport, size: usize },
    /// As a pipeline over tcp, encrypted by CURVE.
    Curve { size: usize },
    /// REQ and REP, one request at a time.
    RoundTrip {
        transport: Transport,
        size: usize,
        condition: Condition,
    },
    /// One PUB to many SUBs over tcp.
    FanOut { subscribers: usize, size: usize },
    /// Many DEALERs that ask one ROUTER over tcp, each with some requests under way.
    Exchange { dealers: usize },
    /// PAIR to PAIR as fast as it goes.
    Pair { transport: Transport },
    /// PUB to SUB over tcp through a proxy of XSUB and XPUB in a third process.
    Forward,
}

impl Cell {
    /// Every cell, in the order of the table.
    pub fn all() -> Vec<Self> {
        let mut cells = Vec::new();
        for transport in [Transport::Tcp, Transport::Ipc, Transport::Inproc] {
            cells.extend(PIPELINE_SIZES.map(|size| Self::Pipeline { transport, size }));
        }
        for transport in [Transport::Tcp, Transport::Ipc] {
            for condition in [Condition::Plain, Condition::Spinners, Condition::Pinned] {
                cells.extend(ROUND_TRIP_SIZES.map(|size| Self::RoundTrip {
                    transport,
                    size,
                    condition,
                }));
            }
        }
        for (size, subscribers) in FAN_OUT {
            let cell = |&subscribers| Self::FanOut { subscribers, size };
            cells.extend(subscribers.iter().map(cell));
        }
        cells.extend(DEALERS.map(|dealers| Self::Exchange { dealers }));
        cells.extend([Transport::Tcp, Transport::Inproc].map(|transport| Self::Pair { transport }));
        cells.push(Self::Forward);
        if cfg!(feature = "curve") {
            cells.extend(CURVE_SIZES.map(|size| Self::Curve { size }));
        }
        cells
    }

    /// One of every kind: what a smoke run has to get through.
    pub fn smoke() -> Vec<Self> {
        let pipeline = |transport, size| Self::Pipeline { transport, size };
        let round_trip = |transport, condition| Self::RoundTrip {
            transport,
            size: 64,
            condition,
        };
        let mut cells = vec![
            pipeline(Transport::Tcp, 64),
            pipeline(Transport::Tcp, 1 << 20),
            pipeline(Transport::Ipc, 1 << 10),
            pipeline(Transport::Inproc, 64),
            round_trip(Transport::Tcp, Condition::Plain),
            round_trip(Transport::Ipc, Condition::Spinners),
            round_trip(Transport::Tcp, Condition::Pinned),
            Self::FanOut {
                subscribers: 8,
                size: FAN_OUT_SIZE,
            },
            Self::Exchange { dealers: 4 },
            Self::Pair {
                transport: Transport::Tcp,
            },
            Self::Forward,
        ];
        if cfg!(feature = "curve") {
            cells.push(Self::Curve { size: 64 });
        }
        cells
    }

    /// For example `push/tcp/64B`, `req/ipc/1KiB/pin`, `pub/tcp/8sub`, `router/tcp/4dealer`.
    pub fn name(self) -> String {
        match self {
            Self::Pipeline { transport, size } => {
                format!("push/{}/{}", transport.name(), size_name(size))
            }
            Self::Curve { size } => format!("curve/tcp/{}", size_name(size)),
            Self::RoundTrip {
                transport,
                size,
                condition,
            } => {
                format!(
                    "req/{}/{}/{}",
                    transport.name(),
                    size_name(size),
                    condition.name()
                )
            }
            Self::FanOut {
                subscribers,
                size: FAN_OUT_SIZE,
            } => format!("pub/tcp/{subscribers}sub"),
            Self::FanOut { subscribers, size } => {
                format!("pub/tcp/{subscribers}sub/{}", size_name(size))
            }
            Self::Exchange { dealers } => format!("router/tcp/{dealers}dealer"),
            Self::Pair { transport } => {
                format!("pair/{}/{}", transport.name(), size_name(EXCHANGE_SIZE))
            }
            Self::Forward => format!("proxy/tcp/{}", size_name(FAN_OUT_SIZE)),
        }
    }

    /// Whether the words of the filter, between slashes, follow each other in the name.
    fn matches(self, filter: &str) -> bool {
        let name = self.name().to_lowercase();
        let name: Vec<&str> = name.split('/').collect();
        let filter: Vec<String> = filter.split('/').map(filter_word).collect();
        name.windows(filter.len()).any(|words| words == filter)
    }

    pub fn transport(self) -> Transport {
        match self {
            Self::Pipeline { transport, .. }
            | Self::RoundTrip { transport, .. }
            | Self::Pair { transport } => transport,
            Self::Curve { .. } | Self::FanOut { .. } | Self::Exchange { .. } | Self::Forward => {
                Transport::Tcp
            }
        }
    }

    pub fn size(self) -> usize {
        match self {
            Self::Pipeline { size, .. }
            | Self::Curve { size }
            | Self::RoundTrip { size, .. }
            | Self::FanOut { size, .. } => size,
            Self::Forward => FAN_OUT_SIZE,
            Self::Exchange { .. } | Self::Pair { .. } => EXCHANGE_SIZE,
        }
    }

    /// The high-water mark of this cell where small messages have `base`: a thousand messages of
    /// 1 MiB at each end would measure the memory, on either side.
    pub fn high_water_mark(self, base: usize) -> usize {
        base.min(QUEUE_BYTES / self.size()).max(1)
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

/// A word of a filter as it would stand in a name: a bare number is a size in bytes.
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
            names("pub"),
            ["pub/tcp/1sub", "pub/tcp/8sub", "pub/tcp/64sub"]
        );
        assert_eq!(names("router/tcp/4dealer"), ["router/tcp/4dealer"]);
        assert_eq!(names("req/tcp/1kib/pin"), ["req/tcp/1KiB/pin"]);
        assert_eq!(names("tcp/64").len(), 6);
        assert!(select(&["udp".to_owned()]).is_err());
    }

    #[test]
    fn large_messages_get_a_lower_mark() {
        let mark = |size| {
            Cell::Pipeline {
                transport: Transport::Tcp,
                size,
            }
            .high_water_mark(1000)
        };
        assert_eq!((mark(16), mark(64 << 10), mark(1 << 20)), (1000, 1000, 64));
    }
}
