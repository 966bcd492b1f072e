//! [`Context`]: a namespace for inproc names, and threads for those who want them.

mod builder;

use std::sync::{Arc, OnceLock, Weak};

pub use builder::ContextBuilder;

use super::core::Core;
use super::io_threads::IoThreads;
use super::stats::CloseReport;
#[cfg(feature = "inproc")]
use crate::peer::link::Names;
use crate::pipe::sync::Mutex;

/// The namespace in which `inproc://` names are looked up.
///
/// Sockets of one process find each other by name when they have the same context. All sockets
/// share the global one unless their builder is given another, so that most programs never see
/// this type; separate ones keep, say, two tests apart that use the same names. Unlike in libzmq a
/// context need not be terminated, and it owns threads only when it is told to: by
/// [`io_threads`](ContextBuilder::io_threads) connections run beside the application's runtime
/// instead of in it.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use wirelark::{Context, PullSocket};
///
/// let (one, other) = (Context::new(), Context::new());
/// let first = PullSocket::builder().context(&one).build();
/// let second = PullSocket::builder().context(&other).build();
/// first.bind("inproc://jobs").await?;
/// second.bind("inproc://jobs").await?; // another namespace, so the name is free
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Context {
    #[cfg(feature = "inproc")]
    names: Arc<Names>,
    /// Without inproc there is nothing to keep apart.
    #[cfg(not(feature = "inproc"))]
    _names: (),
    /// On which the connections of its sockets run; else in the runtimes of those who make them.
    threads: Option<Arc<IoThreads>>,
    /// Those that have been made in it, some of which may be gone.
    sockets: Arc<Mutex<Vec<Weak<Core>>>>,
}

impl Context {
    /// What a context can be made with beside a namespace.
    pub fn builder() -> ContextBuilder {
        ContextBuilder::default()
    }

    /// A namespace of its own.
    pub fn new() -> Self {
        Self::default()
    }

    /// The namespace of the process, which sockets use by default.
    pub fn global() -> Self {
        static GLOBAL: OnceLock<Context> = OnceLock::new();
        GLOBAL.get_or_init(Self::new).clone()
    }

    /// Closes every socket that has been made in this context, as its `close` would, and waits
    /// until all of them have ended: each sends what it has queued, for as long as its own linger
    /// allows. The report is that of all together. A socket that is made later is not concerned:
    /// a context can be used again. libzmq: `zmq_ctx_term`.
    ///
    /// At the end of `main`, `Context::global().shutdown().await` is for programs whose sockets lie
    /// in many places.
    ///
    /// *Cancel safety*: the sockets go on closing when the future is dropped.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use wirelark::{Context, PullSocket, PushSocket};
    ///
    /// let context = Context::new();
    /// let pull = PullSocket::builder().context(&context).build();
    /// let push = PushSocket::builder().context(&context).build();
    /// pull.bind("inproc://jobs").await?;
    /// push.connect("inproc://jobs")?;
    ///
    /// let waiting = tokio::spawn(async move { pull.recv().await });
    /// context.shutdown().await;
    /// assert!(waiting.await?.is_err()); // the socket is closed
    /// # Ok(())
    /// # }
    /// ```
    pub async fn shutdown(&self) -> CloseReport {
        let sockets: Vec<Arc<Core>> = {
            let sockets = self.sockets.lock();
            sockets.iter().filter_map(Weak::upgrade).collect()
        };
        sockets.iter().for_each(Core::begin_close);
        let mut unsent = 0_u64;
        for socket in sockets {
            unsent = unsent.saturating_add(socket.close().await.unsent);
        }
        CloseReport { unsent }
    }

    /// How many threads it has: see [`ContextBuilder::io_threads`].
    pub fn io_threads(&self) -> usize {
        self.threads.as_ref().map_or(0, |threads| threads.count())
    }

    pub(super) fn threads(&self) -> Option<&IoThreads> {
        self.threads.as_deref()
    }

    /// Notes a socket that has been made in it.
    pub(super) fn register(&self, core: &Arc<Core>) {
        let mut sockets = self.sockets.lock();
        // Only before it would grow: that costs nothing on the average.
        if sockets.len() == sockets.capacity() {
            sockets.retain(|socket| socket.strong_count() > 0);
        }
        sockets.push(Arc::downgrade(core));
    }

    #[cfg(feature = "inproc")]
    pub(crate) const fn names(&self) -> &Arc<Names> {
        &self.names
    }
}
