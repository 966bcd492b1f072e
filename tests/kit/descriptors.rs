//! File descriptors for a crowd: many systems give a process 1,024, and more to whoever asks.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Whether this process may have so many files open; raises its limit as far as the system allows if it is
/// lower, and says what is missing where that does not suffice, for the test to be skipped.
pub(crate) fn are_enough(count: u64) -> bool {
    let has_room = |limits: &Rlimit| limits.current.is_none_or(|most| most >= count);
    let limits = getrlimit(Resource::Nofile);
    if !has_room(&limits) {
        // All tests ask for the same, so that none takes away what another one was given.
        let highest = Rlimit {
            current: limits.maximum,
            maximum: limits.maximum,
        };
        let _ = setrlimit(Resource::Nofile, highest);
    }
    let limits = getrlimit(Resource::Nofile);
    let suffices = has_room(&limits);
    if !suffices {
        let most = limits.current.unwrap_or(u64::MAX);
        eprintln!(
            "skipped: needs {count} open files, and the system allows {most} (see `ulimit -Hn`)"
        );
    }
    suffices
}
