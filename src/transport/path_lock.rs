//! A lock on a path between processes, which a crash cannot leave locked.
//!
//! The lock on `p` is a directory `p.lock` with one socket in it, on which the holder listens. It is taken by
//! renaming a directory that holds one's own listening socket to `p.lock`: the kernel does that in one step, and only if
//! `p.lock` is not there or is empty. So whoever finds a socket in it that refuses connections knows that the holder
//! died, and removes *that socket*, whose name nobody will ever use again: two that find the same dead holder cannot
//! remove each other. Afterwards the directory is empty, and the next rename succeeds.

use std::collections::hash_map::RandomState;
use std::ffi::OsString;
use std::fs::{self, DirBuilder, File};
use std::hash::BuildHasher;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use socket2::{Domain, SockAddr, Socket, Type};

use super::socket_file::is_dead;

/// The lock is held for some system calls. Whoever holds it for 10 s has been stopped.
const ATTEMPTS: usize = 2500;
const PAUSE: Duration = Duration::from_millis(4);

/// The longest path that fits into a socket address.
const MAX_SOCKET_PATH: usize = if cfg!(target_os = "linux") { 107 } else { 103 };

/// The lock on one path, or a directory about to become it. Released when dropped.
#[derive(Debug)]
pub(super) struct PathLock {
    directory: PathBuf,
    token: String,
    /// Its being open says that we live. Closed after the token is removed, since fields are dropped after `drop`.
    socket: Socket,
}

impl PathLock {
    /// Waits until the lock is ours.
    ///
    /// *Cancel safety*: nothing is left behind.
    pub(super) async fn acquire(path: &Path) -> io::Result<Self> {
        let target = std::path::absolute(with_suffix(path, ".lock"))?;
        let mut lock = Self::prepare(path)?;
        for _ in 0..ATTEMPTS {
            match fs::rename(&lock.directory, &target) {
                Ok(()) => {
                    lock.directory = target;
                    return Ok(lock);
                }
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::AlreadyExists
                    ) => {}
                Err(error) => return Err(error),
            }
            if !remove_dead_holder(&target) {
                tokio::time::sleep(PAUSE).await;
            }
        }
        Err(io::Error::new(
            io::ErrorKind::TimedOut,
            format!("another process holds {}", target.display()),
        ))
    }

    fn prepare(path: &Path) -> io::Result<Self> {
        let token = unique();
        let directory = std::path::absolute(with_suffix(path, &format!(".{token}")))?;
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        DirBuilder::new().mode(0o700).create(&directory)?;
        // From here on dropping it cleans up.
        let lock = Self {
            directory,
            token,
            socket,
        };
        let handle = File::open(&lock.directory)?;
        let address = reach(&handle, &lock.directory, &lock.token);
        lock.socket.bind(&SockAddr::unix(address)?)?;
        lock.socket.listen(1)?;
        Ok(lock)
    }
}

impl Drop for PathLock {
    fn drop(&mut self) {
        let _ = fs::remove_file(self.directory.join(&self.token));
        // Fails if the next holder has moved in already, and then it should.
        let _ = fs::remove_dir(&self.directory);
    }
}

/// Whether the lock may be free now. What cannot be looked at counts as alive.
fn remove_dead_holder(target: &Path) -> bool {
    let (Ok(handle), Ok(entries)) = (File::open(target), fs::read_dir(target)) else {
        return false;
    };
    let mut removed = false;
    for entry in entries.flatten() {
        let is_socket = entry.file_type().is_ok_and(|kind| kind.is_socket());
        let token = entry.file_name();
        let address = reach(&handle, target, &token.to_string_lossy());
        if is_socket && is_dead(&address).unwrap_or(false) {
            removed |= fs::remove_file(entry.path()).is_ok();
        }
    }
    removed
}

/// A path of a socket in a directory that fits into a socket address, if there is one: the path may have used up
/// all the room, but Linux also knows the directory by our handle of it.
fn reach(handle: &File, directory: &Path, token: &str) -> PathBuf {
    let path = directory.join(token);
    if cfg!(target_os = "linux") && path.as_os_str().len() > MAX_SOCKET_PATH {
        let handle = handle.as_raw_fd();
        return PathBuf::from(format!("/proc/self/fd/{handle}/{token}"));
    }
    path
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut text = OsString::from(path);
    text.push(suffix);
    PathBuf::from(text)
}

/// A name that nobody has used: std seeds its hash maps with random numbers, each anew.
pub(super) fn unique() -> String {
    let random = RandomState::new().hash_one(std::process::id());
    format!("{random:016x}")
}
