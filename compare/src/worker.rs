//! A worker process: one contestant in one role for one round.
//!
//! Lines it prints: `ready ENDPOINT [ADDRESS]` once bound, then `result …` or `error …`. Lines it
//! reads: `done`. When its standard input closes, the parent has gone and so does the worker.

use std::fmt::Display;
use std::io::{self, BufRead, Write};
use std::process;
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use anyhow::Result;
use tokio::task::spawn_blocking;

use crate::affinity;
use crate::memory;
use crate::meter::Measured;
use crate::task::Task;

/// First words of the lines above.
pub const READY: &str = "ready";
pub const RESULT: &str = "result";
pub const ERROR: &str = "error";
pub const DONE: &str = "done";

/// A worker's line to its parent.
#[derive(Clone)]
pub struct Post {
    done: Arc<Mutex<Receiver<()>>>,
}

impl Post {
    fn open() -> Self {
        let (sender, done) = mpsc::channel();
        thread::spawn(move || {
            for line in io::stdin().lock().lines() {
                match line {
                    Ok(line) if line == DONE => sender.send(()).ok(),
                    _ => break,
                };
            }
            process::exit(2);
        });
        Self {
            done: Arc::new(Mutex::new(done)),
        }
    }

    /// Bound: peers may connect to this endpoint, and to the other one if there is one.
    pub fn ready(&self, endpoint: &str, also: Option<&dyn Display>) {
        match also {
            Some(also) => say(&format!("{READY} {endpoint} {also}")),
            None => say(&format!("{READY} {endpoint}")),
        }
    }

    /// Blocks until the process that counts has its result. Until then messages may be on their
    /// way, and ending would lose them.
    pub fn wait_until_done(&self) {
        // The sender is dropped only when the process ends, so an error cannot be met.
        self.done
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .recv()
            .ok();
    }

    /// The same without holding up the runtime, which still has messages to deliver.
    pub async fn until_done(self) -> Result<()> {
        Ok(spawn_blocking(move || self.wait_until_done()).await?)
    }
}

/// Plays the task's role and ends the process.
///
/// Ends it with the threads and sockets in it: an orderly close is not part of a round.
pub fn run(task: &Task, play: impl FnOnce(&Task, &Post) -> Result<Measured>) -> ! {
    let post = Post::open();
    match prepare(task).and_then(|()| play(task, &post)) {
        Ok(measured) => {
            say(&format!("{RESULT} {}", measured.to_line()));
            process::exit(0)
        }
        Err(error) => {
            say(&format!("{ERROR} {error:#}").replace('\n', " "));
            process::exit(1)
        }
    }
}

fn prepare(task: &Task) -> Result<()> {
    if let Some(cpu) = task.cpu {
        // Before the first thread of any library, so that all of them inherit it.
        affinity::pin_to(cpu)?;
    }
    memory::raise_open_files()?;
    Ok(())
}

fn say(line: &str) {
    let mut out = io::stdout().lock();
    // A parent that no longer listens ends this process through its standard input.
    writeln!(out, "{line}").and_then(|()| out.flush()).ok();
}
