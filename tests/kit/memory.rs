//! How much memory this process has resident: the only measure that needs no allocator of our own.

/// Resident bytes now.
pub(crate) fn resident() -> u64 {
    field("VmRSS:")
}

/// The most that has ever been resident, in bytes.
pub(crate) fn peak() -> u64 {
    field("VmHWM:")
}

fn field(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    let number = line.split_whitespace().nth(1).unwrap();
    number.parse::<u64>().unwrap() * 1024
}
