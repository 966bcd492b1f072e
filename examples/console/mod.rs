//! What the examples need around ZeroMQ: lines from the keyboard, the end at Ctrl-C, and errors that
//! a person can read.

#![allow(dead_code, reason = "every example uses a part of this")]

use std::error::Error;
use std::fmt;
use std::io::{self, BufRead as _, IsTerminal as _, Write as _};
use std::time::Duration;

use tokio::sync::mpsc;
use wirelark::CloseReport;

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

/// Waits until a closing socket has sent what it had, and says what nobody took. Whoever does not want to wait
/// that long presses Ctrl-C once more.
pub(crate) async fn see_off(closing: impl Future<Output = CloseReport>) {
    let hint = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        eprintln!("Waiting for somebody to take what is left. Ctrl-C gives it up");
        std::future::pending().await
    };
    tokio::select! {
        report = closing => match report.unsent {
            0 => {}
            1 => eprintln!("One message was not sent: nobody took it"),
            unsent => eprintln!("{unsent} messages were not sent: nobody took them"),
        },
        _ = tokio::signal::ctrl_c() => eprintln!("Given up: not everything was sent"),
        () = hint => {}
    }
}

/// The lines of standard input, as text: what is not UTF-8 becomes U+FFFD.
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
            for line in io::stdin().lock().split(b'\n') {
                let Ok(line) = line else { return };
                let line = line.strip_suffix(b"\r").unwrap_or(&line);
                let line = String::from_utf8_lossy(line).into_owned();
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
