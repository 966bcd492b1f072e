//! Busy loops of the lowest priority, one on each processor.
//!
//! On a virtual machine an idle processor takes tens of microseconds to wake, which hides every
//! difference between two libraries. A `SCHED_IDLE` loop (what `chrt -i 0` starts) keeps it awake
//! and gives way at once to anything else.

use std::hint;
use std::io::{self, Read};
use std::process::{self, Child, Command, Stdio};
use std::thread;

use anyhow::{Context as _, Result, ensure};

use crate::affinity;

/// The hidden subcommand that runs one of them.
pub const COMMAND: &str = "spin";

/// The running spinners; dropping this ends them.
pub struct Spinners(Vec<Child>);

impl Spinners {
    pub fn start() -> Result<Self> {
        let mut spinners = Self(Vec::new());
        for cpu in affinity::allowed()? {
            let child = Command::new(std::env::current_exe()?)
                .arg(COMMAND)
                .arg(cpu.to_string())
                .stdin(Stdio::piped())
                .stdout(Stdio::null())
                .spawn()
                .context("cannot start a spinner")?;
            spinners.0.push(child);
        }
        Ok(spinners)
    }

    /// An error if one of them has ended: the round was not measured under this condition.
    pub fn check(&mut self) -> Result<()> {
        for child in &mut self.0 {
            ensure!(child.try_wait()?.is_none(), "a spinner has ended early");
        }
        Ok(())
    }
}

impl Drop for Spinners {
    fn drop(&mut self) {
        for child in &mut self.0 {
            child.kill().ok();
            child.wait().ok();
        }
    }
}

/// Spins until standard input closes, that is until the parent ends, however it ends.
pub fn spin(cpu: usize) -> Result<()> {
    affinity::pin_to(cpu)?;
    // The watcher starts before the priority falls, or it would rarely get to run.
    thread::spawn(|| {
        io::stdin().lock().read_to_end(&mut Vec::new()).ok();
        process::exit(0);
    });
    let lowest = libc::sched_param { sched_priority: 0 };
    // SAFETY: a valid parameter block; 0 is the calling thread.
    let code = unsafe { libc::sched_setscheduler(0, libc::SCHED_IDLE, &lowest) };
    ensure!(
        code == 0,
        "cannot lower the priority: {}",
        io::Error::last_os_error()
    );
    loop {
        hint::spin_loop();
    }
}
