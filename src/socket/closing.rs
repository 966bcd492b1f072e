//! [`Closing`]: sees a socket's end through, also where a runtime ends before it.

use std::sync::Arc;

use tokio::runtime;

use super::attached::Attached;
use super::core::Core;

/// The flush of a closing socket, which ends with its report.
///
/// It runs where the socket was closed. When that runtime ends first, it goes on in the runtime of
/// the socket's connections, and when that has ended, too, there is nothing left to wait for:
/// whoever awaits the report gets it in any case.
#[derive(Debug)]
pub(super) struct Closing {
    core: Arc<Core>,
    endpoints: Vec<Arc<Attached>>,
    /// Where it may still run, the best one last.
    runtimes: Vec<runtime::Handle>,
    flushed: bool,
}

impl Closing {
    pub(super) fn start(
        core: Arc<Core>,
        endpoints: Vec<Arc<Attached>>,
        mut runtimes: Vec<runtime::Handle>,
    ) {
        let best = runtimes.pop();
        let closing = Self {
            core,
            endpoints,
            runtimes,
            // Without a runtime no task was ever started: there is nothing to wait for.
            flushed: best.is_none(),
        };
        if let Some(runtime) = best {
            runtime.spawn(closing.run());
        }
    }

    async fn run(mut self) {
        self.core.flush(&self.endpoints).await;
        self.flushed = true;
    }
}

impl Drop for Closing {
    fn drop(&mut self) {
        let endpoints = std::mem::take(&mut self.endpoints);
        let runtimes = std::mem::take(&mut self.runtimes);
        if !self.flushed && !runtimes.is_empty() {
            return Self::start(Arc::clone(&self.core), endpoints, runtimes);
        }
        if !self.flushed {
            self.core.warn_of_unsent();
        }
        self.core.conclude(&endpoints);
    }
}
