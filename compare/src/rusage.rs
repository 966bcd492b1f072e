//! Processor time of this process, all threads, user and system, and how often they were woken.

use std::mem::MaybeUninit;
use std::time::Duration;

/// What the process has used since it started.
pub fn cpu_time() -> Duration {
    let usage = usage();
    duration(usage.ru_utime) + duration(usage.ru_stime)
}

/// How often a thread of the process has slept and been woken.
pub fn wake_ups() -> u64 {
    u64::try_from(usage().ru_nvcsw).unwrap_or(0)
}

/// What the calling thread has used since it started.
pub fn thread_time() -> Duration {
    let mut time = MaybeUninit::<libc::timespec>::zeroed();
    // SAFETY: a valid out-pointer; the clock of the calling thread cannot fail, and zero is a valid
    // answer if it did.
    let time = unsafe {
        libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, time.as_mut_ptr());
        time.assume_init()
    };
    Duration::new(
        u64::try_from(time.tv_sec).unwrap_or(0),
        u32::try_from(time.tv_nsec).unwrap_or(0),
    )
}

fn usage() -> libc::rusage {
    let mut usage = MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: a valid out-pointer; RUSAGE_SELF cannot fail, and zero is a valid answer if it did.
    unsafe {
        libc::getrusage(libc::RUSAGE_SELF, usage.as_mut_ptr());
        usage.assume_init()
    }
}

fn duration(time: libc::timeval) -> Duration {
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let micros = u64::try_from(time.tv_usec).unwrap_or(0);
    Duration::from_secs(seconds) + Duration::from_micros(micros)
}

/// Processor time since the measured part of a round began.
#[derive(Default)]
pub struct CpuClock {
    start: Option<Duration>,
}

impl CpuClock {
    pub fn start_once(&mut self) {
        if self.start.is_none() {
            self.start = Some(cpu_time());
        }
    }

    pub fn elapsed(&self) -> Duration {
        self.start
            .map_or(Duration::ZERO, |start| cpu_time().saturating_sub(start))
    }
}
