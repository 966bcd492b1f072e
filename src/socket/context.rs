//! [`Context`]: a namespace for inproc names.

#[cfg(feature = "inproc")]
use std::sync::Arc;
use std::sync::OnceLock;

#[cfg(feature = "inproc")]
use crate::peer::link::Names;

/// The namespace in which `inproc://` names are looked up.
///
/// Sockets of one process find each other by name when they have the same context. All sockets
/// share the global one unless their builder is given another, so that most programs never see
/// this type; separate ones keep, say, two tests apart that use the same names. Unlike in libzmq a
/// context owns no threads and need not be terminated.
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
}

impl Context {
    /// A namespace of its own.
    pub fn new() -> Self {
        Self::default()
    }

    /// The namespace of the process, which sockets use by default.
    pub fn global() -> Self {
        static GLOBAL: OnceLock<Context> = OnceLock::new();
        GLOBAL.get_or_init(Self::new).clone()
    }

    #[cfg(feature = "inproc")]
    pub(crate) const fn names(&self) -> &Arc<Names> {
        &self.names
    }
}
