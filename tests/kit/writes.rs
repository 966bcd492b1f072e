//! What a thread, or this process, has had the system write.

use std::fs;

/// Calls that write, and the bytes that they wrote, so far.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Writes {
    pub(crate) calls: u64,
    pub(crate) bytes: u64,
}

impl Writes {
    /// By the thread that asks.
    pub(crate) fn of_this_thread() -> Self {
        read("/proc/thread-self/io")
    }

    /// By all threads.
    pub(crate) fn of_this_process() -> Self {
        read("/proc/self/io")
    }

    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            calls: self.calls - before.calls,
            bytes: self.bytes - before.bytes,
        }
    }
}

fn read(path: &str) -> Writes {
    let text = fs::read_to_string(path)
        .unwrap_or_else(|error| panic!("{path}: {error}: does this kernel count what is written?"));
    let field = |name: &str| {
        let value = text.lines().find_map(|line| line.strip_prefix(name));
        value.unwrap().trim().parse().unwrap()
    };
    Writes {
        calls: field("syscw:"),
        bytes: field("wchar:"),
    }
}
