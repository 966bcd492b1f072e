//! ipc: Unix domain sockets, at a path or with a name of Linux's abstract namespace.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use socket2::{Domain, SockAddr, Socket, Type};
use tokio::net::{UnixListener, UnixStream};

use super::Stream;
use super::path_lock::unique;
use super::socket_file::{ClaimError, SocketFile};
use crate::endpoint::{Endpoint, IpcEndpoint, IpcPlace, PeerAddress};
use crate::options::TransportOptions;

/// Where `ipc://*` makes its directory: the first of these that is set and a directory, as in libzmq.
const TEMPORARY: [&str; 3] = ["TMPDIR", "TEMPDIR", "TMP"];

/// A listening Unix socket. The fields are dropped in this order: the file goes while the socket still listens, so
/// that nobody takes it for stale in between.
#[derive(Debug)]
pub(crate) struct IpcListener {
    _file: Option<SocketFile>,
    _directory: Option<TemporaryDirectory>,
    listener: UnixListener,
    endpoint: Endpoint,
}

impl IpcListener {
    pub(super) async fn bind(
        endpoint: &IpcEndpoint,
        options: &TransportOptions,
    ) -> Result<Self, ClaimError> {
        match endpoint.place() {
            IpcPlace::Path(path) => {
                let (file, socket) =
                    SocketFile::claim(Path::new(path), options.ipc_mode, options.backlog).await?;
                let endpoint = Endpoint::Ipc(endpoint.clone());
                Ok(Self::new(Some(file), None, socket, endpoint)?)
            }
            IpcPlace::Any => {
                let directory = TemporaryDirectory::new(&temporary_base())?;
                let path = directory.path.join("socket");
                let endpoint = Endpoint::try_from(format!("ipc://{}", path.display()))
                    .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
                // Nobody else writes in this directory, so no lock is needed.
                let (file, socket) = SocketFile::create(&path, options.ipc_mode, options.backlog)?;
                Ok(Self::new(Some(file), Some(directory), socket, endpoint)?)
            }
            IpcPlace::Abstract(name) => {
                let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
                socket.bind(&SockAddr::unix(abstract_path(name)?)?)?;
                socket.listen(i32::try_from(options.backlog).unwrap_or(i32::MAX))?;
                let endpoint = Endpoint::Ipc(endpoint.clone());
                Ok(Self::new(None, None, socket, endpoint)?)
            }
        }
    }

    /// A listener that the program has made. Its file stays when it is closed: it is not ours.
    pub(super) fn adopt(
        listener: std::os::unix::net::UnixListener,
        endpoint: Endpoint,
    ) -> io::Result<Self> {
        Self::new(None, None, Socket::from(listener), endpoint)
    }

    fn new(
        file: Option<SocketFile>,
        directory: Option<TemporaryDirectory>,
        socket: Socket,
        endpoint: Endpoint,
    ) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        Ok(Self {
            _file: file,
            _directory: directory,
            listener: UnixListener::from_std(socket.into())?,
            endpoint,
        })
    }

    pub(super) async fn accept(&self) -> io::Result<(Stream, PeerAddress)> {
        let (stream, _) = self.listener.accept().await?;
        let address = peer_address(&stream);
        Ok((Stream::Ipc(stream), address))
    }

    pub(super) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }
}

pub(super) async fn connect(endpoint: &IpcEndpoint) -> io::Result<(Stream, PeerAddress)> {
    let path = match endpoint.place() {
        IpcPlace::Path(path) => PathBuf::from(path),
        IpcPlace::Abstract(name) => abstract_path(name)?,
        IpcPlace::Any => return Err(io::ErrorKind::InvalidInput.into()),
    };
    let stream = UnixStream::connect(path).await?;
    let address = peer_address(&stream);
    Ok((Stream::Ipc(stream), address))
}

fn peer_address(stream: &UnixStream) -> PeerAddress {
    let credentials = stream.peer_cred().ok();
    PeerAddress::Ipc {
        uid: credentials.map(|c| c.uid()),
        gid: credentials.map(|c| c.gid()),
        pid: credentials.and_then(|c| c.pid()),
    }
}

/// Abstract names start with a zero byte in the kernel's eyes.
fn abstract_path(name: &str) -> io::Result<PathBuf> {
    if cfg!(any(target_os = "linux", target_os = "android")) {
        Ok(PathBuf::from(format!("\0{name}")))
    } else {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// The endpoint of a Unix address, as text; none if it has no name.
pub(super) fn text_of(address: &std::os::unix::net::SocketAddr) -> Option<String> {
    if let Some(path) = address.as_pathname() {
        return Some(format!("ipc://{}", path.to_str()?));
    }
    #[cfg(target_os = "linux")]
    {
        use std::os::linux::net::SocketAddrExt;
        let name = std::str::from_utf8(address.as_abstract_name()?).ok()?;
        Some(format!("ipc://@{name}"))
    }
    #[cfg(not(target_os = "linux"))]
    None
}

fn temporary_base() -> PathBuf {
    TEMPORARY
        .iter()
        .filter_map(std::env::var_os)
        .map(PathBuf::from)
        .find(|path| path.is_dir())
        .unwrap_or_else(std::env::temp_dir)
}

/// A directory for one socket file, closed to others. Removed when dropped, if it is empty.
#[derive(Debug)]
struct TemporaryDirectory {
    path: PathBuf,
}

impl TemporaryDirectory {
    fn new(base: &Path) -> io::Result<Self> {
        let base = std::path::absolute(base)?;
        loop {
            let path = base.join(format!("wirelark-{}", unique()));
            match DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => return Ok(Self { path }),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
    }
}

impl Drop for TemporaryDirectory {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.path);
    }
}
