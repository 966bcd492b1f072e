//! Counts instructions, by valgrind's callgrind.

use std::env;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// The first argument of a process that is to be counted; what follows is the name of a loop and how
/// many messages.
pub(crate) const RUN: &str = "--run-loop";

/// Two lengths, whose difference is free of what it takes to begin and to end. The shorter one is long
/// enough for buffers to have got their size.
const LENGTHS: [usize; 2] = [1_000, 6_000];

/// Instructions for one message of a loop, by two runs at the same time.
pub(crate) fn instructions_per_message(name: &str) -> Result<u64, String> {
    let [short, long] = LENGTHS.map(|messages| start(name, messages));
    let (short, long) = (collected(name, short?)?, collected(name, long?)?);
    let counted = (LENGTHS[1] - LENGTHS[0]) as u64;
    let more = long.checked_sub(short).filter(|more| *more >= counted);
    let more = more.ok_or_else(|| {
        format!("{name}: {short} instructions in a short run and {long} in a long one")
    })?;
    Ok((more + counted / 2) / counted)
}

/// Whether valgrind is there.
pub(crate) fn find_valgrind() -> Result<(), String> {
    match valgrind().arg("--version").output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
        Err(error) => Err(format!("valgrind cannot be run: {error}")),
    }
}

fn valgrind() -> Command {
    Command::new("valgrind")
}

fn start(name: &str, messages: usize) -> Result<Child, String> {
    let program = env::current_exe().map_err(|error| format!("who am I? {error}"))?;
    let profile = profile_of(name, messages);
    valgrind()
        .arg("--tool=callgrind")
        .arg(format!("--callgrind-out-file={}", profile.display()))
        .arg(program)
        .args([RUN, name, &messages.to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("valgrind cannot be run: {error}"))
}

/// Where callgrind puts its profile: `callgrind_annotate` tells what the instructions were spent on.
fn profile_of(name: &str, messages: usize) -> PathBuf {
    let file = format!(
        "instructions-{}-{messages}.callgrind",
        name.replace('/', "-")
    );
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(file)
}

/// What callgrind says at the end: `==1234== Collected : 56789`.
fn collected(name: &str, child: Child) -> Result<u64, String> {
    let output = child
        .wait_with_output()
        .map_err(|error| format!("{name}: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    said.lines()
        .filter(|_| output.status.success())
        .find_map(|line| line.split_once("Collected :")?.1.trim().parse().ok())
        .ok_or_else(|| format!("{name}: nothing was counted ({})\n{said}", output.status))
}
