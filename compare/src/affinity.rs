//! Which processors a process may use.

use std::io;
use std::mem;

use anyhow::{Context as _, Result};

/// The processors that this process may use.
pub fn allowed() -> Result<Vec<usize>> {
    // SAFETY: a CPU set is plain bits, zero is the empty set; size and pointer belong together.
    let set = unsafe {
        let mut set: libc::cpu_set_t = mem::zeroed();
        let code = libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &mut set);
        if code != 0 {
            return Err(io::Error::last_os_error()).context("sched_getaffinity");
        }
        set
    };
    let capacity = size_of::<libc::cpu_set_t>() * 8;
    // SAFETY: every number is below the capacity of the set.
    Ok((0..capacity)
        .filter(|&cpu| unsafe { libc::CPU_ISSET(cpu, &set) })
        .collect())
}

/// Keeps the calling thread, and the threads it starts from now on, on one processor.
pub fn pin_to(cpu: usize) -> Result<()> {
    // SAFETY: as above; a number beyond the capacity is ignored by CPU_SET and refused below.
    let code = unsafe {
        let mut set: libc::cpu_set_t = mem::zeroed();
        libc::CPU_SET(cpu, &mut set);
        libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &set)
    };
    if code != 0 {
        return Err(io::Error::last_os_error()).with_context(|| format!("cannot pin to CPU {cpu}"));
    }
    Ok(())
}
