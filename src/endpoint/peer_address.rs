//! Who is at the other end of a connection, as far as the operating system says.

use std::fmt;
use std::net::SocketAddr;

/// The other end of one connection, by what the operating system knows of it; nothing in it was said by the peer.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PeerAddress {
    /// Address and port. An IPv4 peer of a dual-stack listener is shown with its IPv4 address.
    Tcp(SocketAddr),
    /// The process at the other end when the connection was made, and its user and group; none of what the
    /// operating system does not tell.
    #[non_exhaustive]
    Ipc {
        /// User of the process.
        uid: Option<u32>,
        /// Group of the process.
        gid: Option<u32>,
        /// Id of the process. It may have ended since, and its id be another's.
        pid: Option<i32>,
    },
    /// A socket of this process.
    Inproc,
}

impl fmt::Display for PeerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "tcp://{address}"),
            Self::Ipc { uid, gid, pid } => {
                f.write_str("ipc peer")?;
                if let Some(pid) = pid {
                    write!(f, " pid={pid}")?;
                }
                if let Some(uid) = uid {
                    write!(f, " uid={uid}")?;
                }
                if let Some(gid) = gid {
                    write!(f, " gid={gid}")?;
                }
                Ok(())
            }
            Self::Inproc => f.write_str("inproc peer"),
        }
    }
}
