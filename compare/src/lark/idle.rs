//! A ROUTER with many peers that say nothing.

use std::time::Duration;

use anyhow::Result;
use tokio::io::AsyncReadExt;
use tokio::time::sleep;
use wirelark::RouterSocket;

use super::{UNLIMITED, fan_out};
use crate::acks::AckListener;
use crate::idle::Watch;
use crate::memory::Baseline;
use crate::meter::Measured;
use crate::task::Task;
use crate::worker::Post;

pub async fn host(task: &Task, post: &Post) -> Result<Measured> {
    let baseline = Baseline::take()?;
    let socket = RouterSocket::builder()
        .send_hwm(task.hwm)
        .recv_hwm(task.hwm)
        .send_hwm_bytes(UNLIMITED)
        .recv_hwm_bytes(UNLIMITED)
        .build();
    let listener = AckListener::bind()?;
    let endpoint = socket.bind(task.endpoint.as_str()).await?;
    post.ready(&endpoint.to_string(), Some(&listener.address()?));
    let mut acks = fan_out::accept(listener).await?;
    acks.read_exact(&mut [0]).await?;
    sleep(Duration::from_millis(task.warm_up_ms)).await;
    let watch = Watch::begin(task, &baseline)?;
    sleep(Duration::from_millis(task.measure_ms)).await;
    watch.end()
}
