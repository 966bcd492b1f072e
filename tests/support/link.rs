//! Where the two sides of a test meet: over which transport, and which of them binds.

use std::net::{TcpListener, UdpSocket};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU16, Ordering};

use tempfile::TempDir;
use wirelark::{
    AnySocket, DealerSocket, Event, Events, PairSocket, PubSocket, PullSocket, PushSocket,
    RepSocket, ReqSocket, RouterSocket, SubSocket, XPubSocket, XSubSocket,
};

use super::{Peer, within};

/// The transports that reach another process. Whatever holds for one must hold for all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    Tcp,
    Ipc,
}

/// A supply of endpoints of one transport, which no other test uses.
#[derive(Debug)]
pub(crate) struct Place {
    transport: Transport,
    /// Holds the socket files; removed with the test.
    folder: TempDir,
}

impl Place {
    pub(crate) fn new(transport: Transport) -> Self {
        Self {
            transport,
            folder: folder(),
        }
    }

    /// An endpoint to bind, which need not be known before.
    pub(crate) fn any_endpoint(&self) -> String {
        match self.transport {
            Transport::Tcp => "tcp://127.0.0.1:0".to_owned(),
            Transport::Ipc => self.new_path(),
        }
    }

    /// An endpoint that can be connected to before anyone binds it, and bound again after a
    /// restart.
    pub(crate) fn fixed_endpoint(&self) -> String {
        match self.transport {
            Transport::Tcp => format!("tcp://127.0.0.1:{}", free_port()),
            Transport::Ipc => self.new_path(),
        }
    }

    fn new_path(&self) -> String {
        static COUNTER: AtomicU16 = AtomicU16::new(0);
        let name = format!("socket-{}", COUNTER.fetch_add(1, Ordering::Relaxed));
        format!("ipc://{}", self.folder.path().join(name).display())
    }
}

/// A temporary folder whose path leaves room for a name in the 107 bytes of an address, and is one word in an
/// order to a peer: `TMPDIR` may be neither.
pub(crate) fn folder() -> TempDir {
    let chosen = std::env::temp_dir();
    let fits = |path: &str| path.len() <= 64 && !path.contains(char::is_whitespace);
    let base = match chosen.to_str() {
        Some(path) if fits(path) => chosen,
        _ => "/tmp".into(),
    };
    tempfile::tempdir_in(base).expect("there is room for a temporary folder")
}

/// A port that no other test uses, in this process or another, until this process ends.
///
/// It lies below the range from which the system picks ports for outgoing connections and for port
/// 0, so that it is not given away while its owner is restarted. It is claimed by holding the UDP
/// port of the same number, which is in nobody's way.
pub(crate) fn free_port() -> u16 {
    const FIRST: u16 = 20_000;
    const COUNT: u16 = 10_000;
    static NEXT: AtomicU16 = AtomicU16::new(0);
    static CLAIMS: Mutex<Vec<UdpSocket>> = Mutex::new(Vec::new());
    loop {
        let port = FIRST + NEXT.fetch_add(1, Ordering::Relaxed) % COUNT;
        let Ok(claim) = UdpSocket::bind(("127.0.0.1", port)) else {
            continue;
        };
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            CLAIMS
                .lock()
                .expect("nothing panics under this lock")
                .push(claim);
            return port;
        }
    }
}

/// Which side of a link waits for the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Binder {
    We,
    They,
}

/// One of the ways in which a socket of ours can meet one of theirs.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) place: Place,
    binder: Binder,
}

impl Link {
    pub(crate) fn new(transport: Transport, binder: Binder) -> Self {
        Self {
            place: Place::new(transport),
            binder,
        }
    }

    /// Binds one side and connects the other. The connection may be in the making when this
    /// returns.
    pub(crate) async fn join(&self, ours: &impl Attach, theirs: &mut Peer) {
        let endpoint = self.place.any_endpoint();
        match self.binder {
            Binder::We => theirs.connect(&ours.attach_bind(&endpoint).await).await,
            Binder::They => ours.attach_connect(&theirs.bind(&endpoint).await),
        }
    }

    /// Connects the one side first, and binds the other when that has tried for a while in vain.
    pub(crate) async fn join_backwards(&self, ours: &impl Attach, theirs: &mut Peer) {
        let endpoint = self.place.fixed_endpoint();
        match self.binder {
            Binder::We => {
                theirs.connect(&endpoint).await;
                ours.attach_bind(&endpoint).await;
            }
            Binder::They => {
                let mut events = ours.watch();
                ours.attach_connect(&endpoint);
                let failed = |event: &Event| matches!(event, Event::ConnectFailed { .. });
                while !failed(&within(events.next()).await.expect("the socket is open")) {}
                theirs.bind(&endpoint).await;
            }
        }
    }
}

/// What the sockets have in common, for helpers that take any of them.
pub(crate) trait Attach {
    /// Binds and returns the resolved endpoint.
    async fn attach_bind(&self, endpoint: &str) -> String;
    fn attach_connect(&self, endpoint: &str);
    fn watch(&self) -> Events;
    fn peer_count(&self) -> usize;
}

macro_rules! attach {
    ($($socket:ty),*) => { $(
        impl Attach for $socket {
            async fn attach_bind(&self, endpoint: &str) -> String {
                within(self.bind(endpoint)).await.expect("the endpoint is free").to_string()
            }
            fn attach_connect(&self, endpoint: &str) {
                self.connect(endpoint).expect("the endpoint is well formed");
            }
            fn watch(&self) -> Events {
                self.events()
            }
            fn peer_count(&self) -> usize {
                self.peers().len()
            }
        }
    )* };
}

attach!(
    AnySocket,
    PairSocket,
    PushSocket,
    PullSocket,
    PubSocket,
    SubSocket,
    XPubSocket,
    XSubSocket,
    ReqSocket,
    RepSocket,
    DealerSocket,
    RouterSocket
);

/// Waits until `socket` has exactly this many peers. Looks again at every event of the socket.
pub(crate) async fn until_peers(socket: &impl Attach, count: usize) {
    let mut events = socket.watch();
    while socket.peer_count() != count {
        within(events.next()).await.expect("the socket is open");
    }
}

/// Makes tests of `async fn scenario(link: Link)`: over every transport, with either side binding,
/// on both runtimes.
macro_rules! on_every_link {
    ($($scenario:ident),+ $(,)?) => { $(
        mod $scenario {
            use crate::support::link::{Binder, Link, Transport};

            on_both_runtimes! {
                tcp_we_bind => super::super::$scenario(Link::new(Transport::Tcp, Binder::We));
                tcp_they_bind => super::super::$scenario(Link::new(Transport::Tcp, Binder::They));
                ipc_we_bind => super::super::$scenario(Link::new(Transport::Ipc, Binder::We));
                ipc_they_bind => super::super::$scenario(Link::new(Transport::Ipc, Binder::They));
            }
        }
    )+ };
}

/// Makes tests of `async fn scenario(place: Place)`: over every transport, on both runtimes.
macro_rules! on_every_transport {
    ($($scenario:ident),+ $(,)?) => { $(
        mod $scenario {
            use crate::support::link::{Place, Transport};

            on_both_runtimes! {
                tcp => super::super::$scenario(Place::new(Transport::Tcp));
                ipc => super::super::$scenario(Place::new(Transport::Ipc));
            }
        }
    )+ };
}

macro_rules! on_both_runtimes {
    ($($name:ident => $run:expr;)+) => {
        mod current_thread {
            $(
                #[tokio::test]
                async fn $name() {
                    use super::*;
                    $run.await;
                }
            )+
        }
        mod multi_thread {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    use super::*;
                    $run.await;
                }
            )+
        }
    };
}
