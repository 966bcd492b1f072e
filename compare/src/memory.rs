//! How much memory a process has, and how many files it may have open.

use std::fs;
use std::io;

use anyhow::{Context as _, Result, ensure};

/// Bytes of this process that are in memory.
fn resident() -> Result<u64> {
    let pages = fs::read_to_string("/proc/self/statm").context("/proc/self/statm")?;
    let pages = pages.split(' ').nth(1).context("/proc/self/statm")?;
    // SAFETY: no pointers.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    Ok(pages.parse::<u64>()? * u64::try_from(page)?)
}

/// What the process had at some time.
pub struct Baseline(u64);

impl Baseline {
    pub fn take() -> Result<Self> {
        Ok(Self(resident()?))
    }

    /// Bytes that have been added since.
    pub fn growth(&self) -> Result<u64> {
        Ok(resident()?.saturating_sub(self.0))
    }
}

/// Lets this process open as many files as it may; gives back how many that is.
pub fn raise_open_files() -> Result<usize> {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: a valid out-pointer, then a valid parameter block.
    let code = unsafe {
        match libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) {
            0 => {
                limit.rlim_cur = limit.rlim_max;
                libc::setrlimit(libc::RLIMIT_NOFILE, &limit)
            }
            failed => failed,
        }
    };
    ensure!(
        code == 0,
        "cannot raise the number of open files: {}",
        io::Error::last_os_error()
    );
    Ok(usize::try_from(limit.rlim_max).unwrap_or(usize::MAX))
}
