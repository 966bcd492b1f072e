//! A program that runs beside the test: its input is written and its output is read line by line.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::{DEADLINE, within};

/// A running child process. Dropping it kills it, so that a test that fails leaves nothing behind.
pub(crate) struct Program {
    name: String,
    child: Child,
    input: Option<ChildStdin>,
    output: Lines<BufReader<ChildStdout>>,
    /// What it has printed so far, for the message of a test that fails.
    said: Vec<String>,
    errors: JoinHandle<Vec<String>>,
}

impl Program {
    /// Starts an example of this crate, which `cargo test` has built beside the tests.
    pub(crate) fn example<S: AsRef<OsStr>>(name: &str, arguments: &[S]) -> Self {
        Self::start(name, &example_path(name), arguments)
    }

    /// Starts `program`; `name` is what messages call it.
    pub(crate) fn start<S: AsRef<OsStr>>(name: &str, program: &Path, arguments: &[S]) -> Self {
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| panic!("could not start {}: {error}", program.display()));
        Self {
            name: name.to_owned(),
            input: child.stdin.take(),
            output: BufReader::new(child.stdout.take().expect("output is piped")).lines(),
            said: Vec::new(),
            errors: tokio::spawn(pass_on(
                name.to_owned(),
                child.stderr.take().expect("piped"),
            )),
            child,
        }
    }

    /// Writes one line to the program's input.
    pub(crate) async fn write_line(&mut self, line: impl AsRef<[u8]>) {
        let input = self.input.as_mut().expect("the input is still open");
        within(input.write_all(&[line.as_ref(), b"\n"].concat()))
            .await
            .unwrap_or_else(|error| panic!("{} does not read its input: {error}", self.name));
    }

    /// Ends the program's input.
    pub(crate) fn end_input(&mut self) {
        self.input = None;
    }

    /// The next line of output, or `None` when the program has closed it. Dropping the future loses
    /// nothing.
    pub(crate) async fn next_line(&mut self) -> Option<String> {
        let Ok(line) = timeout(DEADLINE, self.output.next_line()).await else {
            panic!("{} says nothing more after {:#?}", self.name, self.said);
        };
        let line = line.unwrap_or_else(|error| panic!("{} mumbles: {error}", self.name));
        self.said.extend(line.clone());
        line
    }

    /// Reads on until this line has come; what comes before it is of no interest. Programs that
    /// watch each other may say more than the test is about, on a machine that is busy.
    pub(crate) async fn until_line(&mut self, expected: &str) {
        self.until(|line| line == expected).await;
    }

    /// As [`until_line`](Self::until_line), for a line that has this property.
    pub(crate) async fn until(&mut self, wanted: impl Fn(&str) -> bool) -> String {
        let begun = tokio::time::Instant::now();
        loop {
            match self.next_line().await {
                Some(line) if wanted(&line) => return line,
                Some(_) if begun.elapsed() < DEADLINE => {}
                _ => panic!(
                    "{} does not say what is waited for: {:#?}",
                    self.name, self.said
                ),
            }
        }
    }

    /// Fails unless the next line of output is this one.
    pub(crate) async fn expect_line(&mut self, expected: &str) {
        let line = self.next_line().await;
        assert_eq!(line.as_deref(), Some(expected), "what {} prints", self.name);
    }

    /// The next `count` lines, sorted: for output whose order is nobody's promise.
    pub(crate) async fn sorted_lines(&mut self, count: usize) -> Vec<String> {
        let mut lines = Vec::new();
        while lines.len() < count {
            match self.next_line().await {
                Some(line) => lines.push(line),
                None => panic!(
                    "{} ended after {lines:?}; {count} lines were expected",
                    self.name
                ),
            }
        }
        lines.sort();
        lines
    }

    /// All that is still to come, until the program closes its output.
    pub(crate) async fn remaining_lines(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        while let Some(line) = self.next_line().await {
            lines.push(line);
        }
        lines
    }

    /// What the program has written to standard error, when it has ended.
    pub(crate) async fn error_lines(&mut self) -> Vec<String> {
        within(&mut self.errors)
            .await
            .expect("reading does not fail")
    }

    /// Presses Ctrl-C, as it were.
    pub(crate) async fn interrupt(&self) {
        self.signal("INT").await;
    }

    /// Stops the program in the middle of whatever it does: its connections stay open, with nobody
    /// behind them.
    pub(crate) async fn freeze(&self) {
        self.signal("STOP").await;
    }

    /// Lets a frozen program go on.
    pub(crate) async fn thaw(&self) {
        self.signal("CONT").await;
    }

    async fn signal(&self, signal: &str) {
        let id = self.child.id().expect("the program still runs").to_string();
        let status = within(Command::new("kill").args(["-s", signal, &id]).status()).await;
        assert!(
            status.expect("`kill` can be run").success(),
            "{} gets no {signal}",
            self.name
        );
    }

    /// Kills the program and waits until it is gone.
    pub(crate) async fn kill(&mut self) {
        within(self.child.kill())
            .await
            .expect("a child can be killed");
    }

    /// Waits until the program ends by itself.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        within(self.child.wait())
            .await
            .expect("a child can be waited for")
    }
}

/// Repeats a program's complaints as the test's own, which are shown if the test fails.
async fn pass_on(name: String, errors: ChildStderr) -> Vec<String> {
    let mut incoming = BufReader::new(errors).lines();
    let mut lines = Vec::new();
    while let Ok(Some(line)) = incoming.next_line().await {
        eprintln!("{name}: {line}");
        lines.push(line);
    }
    lines
}

/// Where cargo puts the examples: `target/<profile>/examples`, beside the `deps` that the test
/// itself lies in.
fn example_path(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a test knows its own path");
    let profile = test
        .parent()
        .and_then(Path::parent)
        .expect("tests lie in target/<profile>/deps");
    let path = profile
        .join("examples")
        .join(name)
        .with_extension(std::env::consts::EXE_EXTENSION);
    assert!(
        path.exists(),
        "{} is missing: run `cargo build --examples`",
        path.display()
    );
    path
}
