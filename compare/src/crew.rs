//! The worker processes of one round, as their parent sees them.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::Instant;

use anyhow::{Context as _, Result, anyhow, bail};

use crate::meter::Measured;
use crate::task::{Role, Task};
use crate::worker::{DONE, ERROR, READY, RESULT};

/// The hidden subcommand that runs a worker.
pub const COMMAND: &str = "worker";

/// What a worker tells.
pub enum Said {
    Ready {
        endpoint: String,
        /// A second address, of what the role is known for.
        also: Option<String>,
    },
    Result(Measured),
}

/// One worker process.
struct Member {
    role: Role,
    child: Child,
    stdin: ChildStdin,
}

/// The processes of a round. Dropping this ends those that still run.
pub struct Crew {
    program: PathBuf,
    deadline: Instant,
    members: Vec<Member>,
    sender: Sender<(usize, Option<String>)>,
    /// Lines by member; `None` when a member's output has ended.
    lines: Receiver<(usize, Option<String>)>,
}

impl Crew {
    pub fn new(program: PathBuf, deadline: Instant) -> Self {
        let (sender, lines) = mpsc::channel();
        Self {
            program,
            deadline,
            members: Vec::new(),
            sender,
            lines,
        }
    }

    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Starts the next member; members are numbered from 0.
    pub fn start(&mut self, task: &Task) -> Result<()> {
        let mut child = Command::new(&self.program)
            .arg(COMMAND)
            .args(task.arguments())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start a worker")?;
        let stdin = child.stdin.take().context("a worker without stdin")?;
        let stdout = child.stdout.take().context("a worker without stdout")?;
        let number = self.members.len();
        self.members.push(Member {
            role: task.role,
            child,
            stdin,
        });
        let sender = self.sender.clone();
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                // The parent has stopped listening: the round is over.
                sender.send((number, Some(line))).ok();
            }
            sender.send((number, None)).ok();
        });
        Ok(())
    }

    /// The next thing that a member says. A member that fails, ends without a result or keeps the
    /// round waiting past its deadline is an error that names it.
    pub fn listen(&mut self) -> Result<(usize, Said)> {
        loop {
            let left = self.deadline.saturating_duration_since(Instant::now());
            let (number, line) = match self.lines.recv_timeout(left) {
                Ok(line) => line,
                Err(RecvTimeoutError::Timeout) => bail!("hangs: {}", self.still_running()),
                Err(RecvTimeoutError::Disconnected) => bail!("all workers have gone"),
            };
            match line {
                Some(line) => {
                    let said = self.understand(number, &line)?;
                    return Ok((number, said));
                }
                None => self.check_end(number)?,
            }
        }
    }

    /// Tells every member that the counting is over. Those that have ended do not hear it.
    pub fn tell_done(&mut self) {
        for member in &mut self.members {
            writeln!(member.stdin, "{DONE}")
                .and_then(|()| member.stdin.flush())
                .ok();
        }
    }

    fn understand(&self, number: usize, line: &str) -> Result<Said> {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            READY => {
                let mut words = rest.split(' ');
                let endpoint = words
                    .next()
                    .context("ready without an endpoint")?
                    .to_owned();
                let also = words.next().map(str::to_owned);
                Ok(Said::Ready { endpoint, also })
            }
            RESULT => Ok(Said::Result(Measured::from_line(rest)?)),
            ERROR => Err(anyhow!("{}: {rest}", self.role_name(number))),
            _ => bail!("{}: prints {line:?}", self.role_name(number)),
        }
    }

    /// A member's output has ended: after a result that is how it should be.
    fn check_end(&mut self, number: usize) -> Result<()> {
        let name = self.role_name(number);
        let member = self.members.get_mut(number).context("a line from nobody")?;
        let status = member.child.wait()?;
        if status.success() {
            Ok(())
        } else {
            bail!("{name}: ended without a result, {status}")
        }
    }

    fn still_running(&mut self) -> String {
        let running = |member: &mut Member| matches!(member.child.try_wait(), Ok(None));
        let names: Vec<String> = self
            .members
            .iter_mut()
            .filter_map(|member| running(member).then(|| format!("{:?}", member.role)))
            .collect();
        format!("{} still running at the deadline", names.join(" and "))
    }

    fn role_name(&self, number: usize) -> String {
        self.members
            .get(number)
            .map_or_else(String::new, |member| format!("{:?}", member.role))
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        for member in &mut self.members {
            member.child.kill().ok();
            member.child.wait().ok();
        }
    }
}
