//! [`ContextBuilder`]: a context with threads of its own.

use std::sync::Arc;

use super::Context;
use crate::error::ContextError;
use crate::socket::io_threads::IoThreads;

/// More are no use: one thread moves a million messages a second.
const IO_THREADS_MAX: usize = 256;

/// The options of a [`Context`], got from [`Context::builder`].
#[derive(Clone, Copy, Debug, Default)]
#[must_use = "a builder does nothing until it is built"]
pub struct ContextBuilder {
    io_threads: usize,
}

impl ContextBuilder {
    /// How many threads the context has for the connections of its sockets over tcp and ipc. With 0, the
    /// default, connections are tasks of the runtime in which `bind` or `connect` is called; at most 256.
    /// libzmq: `ZMQ_IO_THREADS`, default 1.
    ///
    /// With threads of the context's own
    ///
    /// - an application that keeps its runtime busy, or blocks it, keeps no connection waiting: what has
    ///   been sent leaves, what arrives is queued up to the high-water mark, heartbeats are answered,
    ///   lost connections are made again;
    /// - a socket needs no tokio runtime at all. `connect` and the `try_` methods can be called anywhere,
    ///   and every future can be polled by any executor;
    /// - connections do not end with the caller's runtime, nor does what a dropped socket still has to
    ///   send; only with the process;
    /// - each message pays for the way between two threads. A program that mostly waits for its messages
    ///   is faster without.
    ///
    /// Each connection stays on one thread, the one that has the fewest when it begins. One thread is
    /// enough for most programs. [`Authenticator`](crate::Authenticator)s run there, too, and must not block.
    /// Within a process (inproc) no thread stands between two sockets, and these have nothing to do.
    ///
    /// The threads are called `wirelark-io-0` and so on (what looks up host names: `wirelark-lookup`). They
    /// end by themselves when the context, its clones and its sockets have been dropped and all sockets have
    /// ended: a socket that is dropped with messages in its queues keeps them for as long as its linger
    /// allows. Nobody waits for that; [`close`](crate::PushSocket::close) and
    /// [`Context::shutdown`] wait until everything has been sent.
    ///
    /// ```
    /// use futures::executor::block_on; // or any other executor
    /// use wirelark::{Context, PullSocket, PushSocket};
    ///
    /// fn main() -> Result<(), Box<dyn std::error::Error>> {
    ///     let context = Context::builder().io_threads(1).build()?;
    ///     let pull = PullSocket::builder().context(&context).build();
    ///     let push = PushSocket::builder().context(&context).build();
    ///     push.connect(block_on(pull.bind("tcp://127.0.0.1:*"))?)?;
    ///     push.try_send("hello")?;
    ///     // Whatever this thread does now, the message is on its way.
    ///     assert_eq!(block_on(pull.recv())?.text(), "hello");
    ///     block_on(context.shutdown());
    ///     Ok(())
    /// }
    /// ```
    pub fn io_threads(mut self, threads: usize) -> Self {
        self.io_threads = threads;
        self
    }

    /// Makes the context and starts its threads.
    ///
    /// *Errors*: too many threads are asked for, or the operating system gives none. Without threads it
    /// cannot fail.
    pub fn build(self) -> Result<Context, ContextError> {
        let asked = self.io_threads;
        if asked > IO_THREADS_MAX {
            return Err(ContextError::TooManyThreads {
                asked,
                limit: IO_THREADS_MAX,
            });
        }
        let mut context = Context::new();
        if asked > 0 {
            let threads = IoThreads::start(asked)
                .map_err(|source| ContextError::Threads { asked, source })?;
            context.threads = Some(Arc::new(threads));
        }
        Ok(context)
    }
}
