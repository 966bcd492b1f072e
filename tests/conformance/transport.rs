//! The three transports, as places to meet at, and the macro that runs a check on each of them.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::kit::ports;

/// See the [module](self).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    Tcp,
    Ipc,
    Inproc,
}

impl Transport {
    pub(crate) const ALL: [Self; 3] = [Self::Tcp, Self::Ipc, Self::Inproc];

    /// Text to bind to where nobody needs to know the endpoint before.
    pub(crate) fn anywhere(self) -> String {
        match self {
            Self::Tcp => "tcp://127.0.0.1:*".to_owned(),
            Self::Ipc => "ipc://*".to_owned(),
            Self::Inproc => self.somewhere(),
        }
    }

    /// An endpoint that nobody is at, for those who connect first.
    pub(crate) fn somewhere(self) -> String {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        match self {
            Self::Tcp => format!("tcp://127.0.0.1:{}", ports::free()),
            Self::Ipc => {
                let name = format!("wirelark-{}-{number}", std::process::id());
                let path: PathBuf = std::env::temp_dir().join(name);
                format!("ipc://{}", path.display())
            }
            Self::Inproc => format!("inproc://conformance {number}"),
        }
    }
}

/// Makes tests of async functions that take a [`Transport`]: one for each transport.
macro_rules! on_every_transport {
    ($($check:ident),+ $(,)?) => {
        mod tcp {
            $(#[tokio::test]
            async fn $check() {
                super::$check(crate::transport::Transport::Tcp).await;
            })+
        }

        mod ipc {
            $(#[tokio::test]
            async fn $check() {
                super::$check(crate::transport::Transport::Ipc).await;
            })+
        }

        mod inproc {
            $(#[tokio::test]
            async fn $check() {
                super::$check(crate::transport::Transport::Inproc).await;
            })+
        }
    };
}
pub(crate) use on_every_transport;
