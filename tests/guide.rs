//! The examples from the Guide, as programs beside each other: each test takes away what the pattern
//! is meant to survive, and checks that it did.
//!
//! On a busy machine a heartbeat may come too late, a worker be given up that is well, a question
//! be asked twice. The patterns survive that as they survive the real thing; so the tests demand
//! what must hold in spite of it, and read over the lines that it adds.

#[macro_use]
mod support;

#[path = "guide/answering.rs"]
mod answering;
#[path = "guide/spreading.rs"]
mod spreading;

use support::{Program, free_port};

fn new_endpoint() -> String {
    format!("tcp://127.0.0.1:{}", free_port())
}

/// Starts a part of an example.
fn start(name: &str, arguments: &[&[&str]]) -> Program {
    Program::example(name, &arguments.concat())
}

/// Presses Ctrl-C and expects a proper end.
async fn stop(mut program: Program) {
    program.interrupt().await;
    program.remaining_lines().await;
    assert!(program.ended().await.success());
}
