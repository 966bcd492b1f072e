//! A ROUTER with many peers that say nothing.

use std::io::Read;
use std::thread;
use std::time::Duration;

use anyhow::Result;

use super::ffi;
use super::socket::Context;
use crate::acks::AckListener;
use crate::idle::Watch;
use crate::memory::Baseline;
use crate::meter::Measured;
use crate::task::Task;
use crate::worker::Post;

#[expect(clippy::disallowed_methods, reason = "no runtime runs here")]
pub fn host(context: Context, task: &Task, post: &Post) -> Result<Measured> {
    let baseline = Baseline::take()?;
    let socket = context.socket(ffi::ROUTER, task.hwm)?;
    let listener = AckListener::bind()?;
    post.ready(&socket.bind(&task.endpoint)?, Some(&listener.address()?));
    listener.accept()?.read_exact(&mut [0])?;
    thread::sleep(Duration::from_millis(task.warm_up_ms));
    let watch = Watch::begin(task, &baseline)?;
    thread::sleep(Duration::from_millis(task.measure_ms));
    watch.end()
}
