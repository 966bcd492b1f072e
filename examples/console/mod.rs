//! What the examples need around ZeroMQ: lines from the keyboard, the end at Ctrl-C, and errors that
//! a person can read.

#![allow(dead_code, reason = "every example uses a part of this")]

use std::error::Error;
use std::fmt;
use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use tokio::sync::mpsc;

/// What `main` returns. `?` turns any error into a [`Failure`].
pub(crate) type Outcome = Result<(), Failure>;

/// An error for the user: prints as sentences, with its causes, where a plain `Box<dyn Error>`
/// would print its fields.
pub(crate) struct Failure(Box<dyn Error>);

impl<E: Error + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(Box::new(error))
    }
}

/// `main` shows the error it returns by way of `Debug`.
impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

/// Works until the work is done, or until somebody presses Ctrl-C. Sockets are closed after that.
pub(crate) async fn until_ctrl_c(work: impl Future<Output = Outcome>) -> Outcome {
    tokio::select! {
        outcome = work => outcome,
        _ = tokio::signal::ctrl_c() => Ok(()),
    }
}

/// The lines of standard input.
///
/// A thread of its own reads them. Reading in a task would block the runtime, and even tokio's own
/// standard input keeps a program that is done from ending until somebody presses Return; a thread
/// is simply left behind.
pub(crate) struct Lines(mpsc::Receiver<String>);

impl Lines {
    /// Starts to read.
    pub(crate) fn read() -> Self {
        let (sender, receiver) = mpsc::channel(1);
        std::thread::spawn(move || {
            for line in io::stdin().lock().lines() {
                let Ok(line) = line else { return };
                if sender.blocking_send(line).is_err() {
                    return;
                }
            }
        });
        Self(receiver)
    }

    /// The next line, or `None` at the end of the input. The prompt is shown only to a person at a
    /// terminal.
    pub(crate) async fn ask(&mut self, prompt: &str) -> Option<String> {
        if io::stdin().is_terminal() {
            print!("{prompt}");
            io::stdout().flush().ok()?;
        }
        self.0.recv().await
    }
}
