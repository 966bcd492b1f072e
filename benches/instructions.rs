//! Holds how many instructions a message takes, which is the same on a busy machine as on a quiet one.
//!
//! `cargo bench --bench instructions` runs each loop under valgrind's callgrind, with fewer and with more
//! messages, and compares the difference with `instructions/bounds.txt`; `-- tcp` runs those that have the
//! word in their name. It leaves callgrind's profiles in `target/tmp`: `callgrind_annotate
//! target/tmp/instructions-*-6000.callgrind` says where the instructions went.
//!
//! What is not counted: what the kernel does, and how long an instruction takes. `micro` and `compare`
//! measure time.

#[path = "instructions/bounds.rs"]
mod bounds;
#[path = "instructions/counting.rs"]
mod counting;
mod kit;
#[path = "instructions/loops.rs"]
mod loops;

use std::env;
use std::process::ExitCode;

use loops::LOOPS;

/// Set to anything but nothing, this skips the guard.
const SKIP_VARIABLE: &str = "WIRELARK_SKIP_VALGRIND";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match *words {
        [counting::RUN, name, messages] => run(name, messages),
        // What cargo says to a benchmark; without it, this is a test whether it works at all.
        _ if words.contains(&"--bench") => guard(&words),
        _ => LOOPS.iter().try_for_each(|each| run(each.name, "100")),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("{reason}");
            ExitCode::FAILURE
        }
    }
}

fn run(name: &str, messages: &str) -> Result<(), String> {
    let found = LOOPS.iter().find(|each| each.name == name);
    let found = found.ok_or_else(|| format!("there is no loop {name}"))?;
    let messages = messages.parse().map_err(|_| "not a number".to_owned())?;
    (found.run)(messages);
    Ok(())
}

fn guard(words: &[&str]) -> Result<(), String> {
    let bounds = bounds::read()?;
    if env::var_os(SKIP_VARIABLE).is_some_and(|value| !value.is_empty()) {
        eprintln!("skipped: needs valgrind, and {SKIP_VARIABLE} is set");
        return Ok(());
    }
    counting::find_valgrind().map_err(|reason| {
        format!(
            "{reason}\nThe guard counts instructions with valgrind (on Debian and Ubuntu: apt install \
             valgrind). To skip it, set {SKIP_VARIABLE}=1."
        )
    })?;
    let wanted: Vec<&&str> = words.iter().filter(|word| !word.starts_with('-')).collect();
    println!(
        "{:30} {:>8} {:>8} {:>8}",
        "instructions per message", "now", "was", "bound"
    );
    let mut broken = Vec::new();
    for each in LOOPS {
        if !wanted.is_empty() && !wanted.iter().any(|word| each.name.contains(**word)) {
            continue;
        }
        let bound = bounds[each.name];
        let now = counting::instructions_per_message(each.name)?;
        println!(
            "{:30} {now:>8} {:>8} {:>8}",
            each.name, bound.counted, bound.at_most
        );
        if now * 100 < bound.counted * 85 {
            println!("    which is so much less that its bound can be lowered");
        }
        if now > bound.at_most {
            broken.push(format!(
                "{}: {now} instructions, at most {}",
                each.name, bound.at_most
            ));
        }
    }
    if broken.is_empty() {
        return Ok(());
    }
    let broken = broken.join("\n");
    if cfg!(target_arch = "x86_64") {
        Err(format!("too many instructions per message:\n{broken}"))
    } else {
        println!("not held on this processor, since the bounds are those of x86_64:\n{broken}");
        Ok(())
    }
}
