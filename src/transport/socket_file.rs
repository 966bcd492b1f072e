//! A socket file: how one comes to be at a path, who may open it, when one of somebody else may be removed, and
//! when ours.

use std::fs::{self, Metadata, Permissions};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use socket2::{Domain, SockAddr, Socket, Type};

use super::path_lock::PathLock;

/// Between the look at what is at the path and the next attempt, others may come and go; not for ever.
const MAX_ATTEMPTS: usize = 8;

/// Why a path could not be had.
#[derive(Debug, thiserror::Error)]
pub(super) enum ClaimError {
    #[error("there is a file, and it is no socket")]
    NotASocket,
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// A socket file that we made. Dropping it removes the file, unless another has taken its place.
///
/// Drop it before the socket is closed: as long as the socket is open its inode number cannot be given to another
/// file, and nobody who follows our rules takes the file for stale.
#[derive(Debug)]
pub(super) struct SocketFile {
    /// Absolute, since the process may change its directory.
    path: PathBuf,
    inode: (u64, u64),
}

impl SocketFile {
    /// Makes a listening socket at `path`.
    ///
    /// A socket that is there already is removed if nobody listens on it, which is what a crashed server leaves
    /// behind. If somebody does, the path is theirs. Anything else is not ours to remove, symbolic links included.
    ///
    /// *Cancel safety*: nothing is left behind.
    pub(super) async fn claim(
        path: &Path,
        mode: u32,
        backlog: u32,
    ) -> Result<(Self, Socket), ClaimError> {
        // Held until the socket listens. Two processes that find the same stale file could otherwise remove, one
        // after the other, the file and then the other's new one; and a socket that is bound and does not listen
        // yet looks as stale as a dead one.
        let _lock = PathLock::acquire(path).await?;
        for _ in 0..MAX_ATTEMPTS {
            match Self::create(path, mode, backlog) {
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => remove_stale(path)?,
                result => return Ok(result?),
            }
        }
        Err(io::Error::from(io::ErrorKind::AddrInUse).into())
    }

    /// Makes a listening socket at `path`, where nothing may be.
    pub(super) fn create(path: &Path, mode: u32, backlog: u32) -> io::Result<(Self, Socket)> {
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        let address = SockAddr::unix(path)?;
        let path = std::path::absolute(path)?;
        socket.bind(&address)?;
        let file = Self {
            inode: inode(&fs::symlink_metadata(&path)?),
            path,
        };
        // Until `listen` every connect is refused, so nobody gets in on the permissions that the umask left.
        fs::set_permissions(&file.path, Permissions::from_mode(mode & 0o777))?;
        socket.listen(i32::try_from(backlog).unwrap_or(i32::MAX))?;
        Ok((file, socket))
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if fs::symlink_metadata(&self.path).is_ok_and(|found| inode(&found) == self.inode) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn inode(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

/// Makes room at `path` if what is there is a dead socket.
fn remove_stale(path: &Path) -> Result<(), ClaimError> {
    let removed = match fs::symlink_metadata(path) {
        Ok(found) if !found.file_type().is_socket() => return Err(ClaimError::NotASocket),
        Ok(_) => match is_dead(path) {
            Ok(true) => fs::remove_file(path),
            Ok(false) => Err(io::Error::new(
                io::ErrorKind::AddrInUse,
                "a live server answers there",
            )),
            Err(error) => Err(error),
        },
        Err(error) => Err(error),
    };
    match removed {
        // Gone in the meantime, which is as good.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => Ok(other?),
    }
}

/// Whether the socket at `path` has lost its server. Only a refused connection says so.
pub(super) fn is_dead(path: &Path) -> io::Result<bool> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    match socket.connect(&SockAddr::unix(path)?) {
        Ok(()) => Ok(false),
        Err(error) => match error.kind() {
            io::ErrorKind::ConnectionRefused => Ok(true),
            // Somebody is slow to accept.
            io::ErrorKind::WouldBlock => Ok(false),
            _ => Err(error),
        },
    }
}
