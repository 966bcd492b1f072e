//! The two ends of a pipeline, for every pair of types that can make one.

use std::future::Future;

use anyhow::Result;
use wirelark::{Message, PairSocket, PullSocket, PushSocket};

use super::{UNLIMITED, context, curve};
use crate::task::Task;
use crate::worker::Post;

/// The end that binds and receives.
pub trait Receiving: Send + Sync + Sized + 'static {
    fn open(task: &Task, post: &Post) -> impl Future<Output = Result<Self>> + Send;
    fn next(&self) -> impl Future<Output = Result<Message>> + Send;
}

/// The end that connects and sends.
pub trait Sending: Send + Sync + Sized + 'static {
    fn open(task: &Task) -> Result<Self>;
    fn put(&self, payload: &[u8]) -> impl Future<Output = Result<()>> + Send;
}

impl Receiving for PullSocket {
    async fn open(task: &Task, post: &Post) -> Result<Self> {
        let socket = Self::builder()
            .context(&context(task)?)
            .recv_hwm(task.hwm)
            .recv_hwm_bytes(UNLIMITED)
            .security(curve::server(task)?)
            .build();
        let endpoint = socket.bind(task.endpoint.as_str()).await?;
        post.ready(&endpoint.to_string(), None);
        Ok(socket)
    }

    async fn next(&self) -> Result<Message> {
        Ok(self.recv().await?)
    }
}

impl Sending for PushSocket {
    fn open(task: &Task) -> Result<Self> {
        let socket = Self::builder()
            .context(&context(task)?)
            .send_hwm(task.hwm)
            .send_hwm_bytes(UNLIMITED)
            .security(curve::client(task)?)
            .build();
        socket.connect(task.endpoint.as_str())?;
        Ok(socket)
    }

    async fn put(&self, payload: &[u8]) -> Result<()> {
        Ok(self.send(payload).await?)
    }
}

impl Receiving for PairSocket {
    async fn open(task: &Task, post: &Post) -> Result<Self> {
        let socket = pair(task)?;
        let endpoint = socket.bind(task.endpoint.as_str()).await?;
        post.ready(&endpoint.to_string(), None);
        Ok(socket)
    }

    async fn next(&self) -> Result<Message> {
        Ok(self.recv().await?)
    }
}

impl Sending for PairSocket {
    fn open(task: &Task) -> Result<Self> {
        let socket = pair(task)?;
        socket.connect(task.endpoint.as_str())?;
        Ok(socket)
    }

    async fn put(&self, payload: &[u8]) -> Result<()> {
        Ok(self.send(payload).await?)
    }
}

fn pair(task: &Task) -> Result<PairSocket> {
    let socket = PairSocket::builder()
        .context(&context(task)?)
        .send_hwm(task.hwm)
        .recv_hwm(task.hwm)
        .send_hwm_bytes(UNLIMITED)
        .recv_hwm_bytes(UNLIMITED)
        .build();
    Ok(socket)
}
