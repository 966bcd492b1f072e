//! An [`Event`] as one line of text, for logs.

use std::fmt::{self, Write};

use super::Event;

/// One line, for people: the endpoint, what happened, with whom and why. Programs match on the variants.
/// Control characters in a name or a reason are escaped, and of what a peer claims only its socket type is told.
impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let f = &mut Line(f);
        if let Some(endpoint) = self.endpoint() {
            write!(f, "{endpoint}: ")?;
        }
        match self {
            Self::Listening { .. } => f.write_str("listening"),
            Self::BindFailed { error, .. } => write!(f, "cannot bind: {error}"),
            Self::Accepted { address, .. } => write!(f, "accepted {address}"),
            Self::AcceptFailed {
                error, retry_in, ..
            } => write!(f, "cannot accept: {error}; again in {retry_in:?}"),
            Self::Connecting { .. } => f.write_str("connecting"),
            Self::Connected { address, .. } => write!(f, "connected to {address}"),
            Self::ConnectFailed {
                error, retry_in, ..
            } => match retry_in {
                Some(wait) => write!(f, "cannot connect: {error}; again in {wait:?}"),
                None => write!(f, "cannot connect: {error}; given up"),
            },
            Self::Ready { peer } => write!(f, "{peer} is ready"),
            Self::HandshakeFailed {
                address, reason, ..
            } => write!(f, "handshake with {address} failed: {reason}"),
            Self::Disconnected {
                peer,
                reason,
                dropped,
            } => {
                write!(f, "disconnected from {}: {reason}", peer.address())?;
                match dropped {
                    0 => Ok(()),
                    dropped => write!(f, "; messages lost: {dropped}"),
                }
            }
            Self::Dropping { peer, dropped, .. } => {
                f.write_str("the queue ")?;
                if let Some(peer) = peer {
                    write!(f, "to {} ", peer.address())?;
                }
                write!(f, "is full; messages dropped: {dropped}")
            }
            Self::Redialing { retry_in, .. } => write!(f, "connecting again in {retry_in:?}"),
            Self::Closed { .. } => f.write_str("closed"),
            Self::Lagged { missed } => write!(f, "events missed: {missed}"),
        }
    }
}

/// Lets nothing through that would begin another line, or move what has been written.
struct Line<'a, 'f>(&'a mut fmt::Formatter<'f>);

impl Write for Line<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut plain = text.split_inclusive(char::is_control);
        plain.try_for_each(|part| match part.chars().next_back() {
            Some(last) if last.is_control() => {
                let before = part.len().saturating_sub(last.len_utf8());
                self.0.write_str(part.get(..before).unwrap_or_default())?;
                write!(self.0, "{}", last.escape_default())
            }
            _ => self.0.write_str(part),
        })
    }
}

#[cfg(all(test, not(pipe_loom)))]
mod tests {
    use std::io;
    use std::sync::Arc;
    use std::time::Duration;

    use std::net::SocketAddr;

    use super::*;
    use crate::endpoint::{Endpoint, PeerAddress};
    use crate::event::DisconnectReason;
    use crate::peer_handle::Peer;

    fn text(event: Event) -> String {
        event.to_string()
    }

    #[test]
    fn every_event_is_one_line() {
        let endpoint: Endpoint = "tcp://127.0.0.1:5555".parse().unwrap();
        let address = PeerAddress::Tcp("127.0.0.1:40000".parse().unwrap());
        let here: Option<SocketAddr> = Some("127.0.0.1:5555".parse().unwrap());
        let error = Arc::new(io::Error::other("no\nway\u{1b}[2J"));
        let retry_in = Duration::from_millis(100);
        let secret = "swordfish";
        let peer = Peer::calling_itself(secret.into());
        let reason = DisconnectReason::PeerClosed;
        let lost = |dropped| Event::Disconnected {
            peer: peer.clone(),
            reason: reason.clone(),
            dropped,
        };
        let failed = |retry_in| Event::ConnectFailed {
            endpoint: endpoint.clone(),
            error: Arc::clone(&error),
            retry_in,
        };
        let lines = [
            (
                Event::Listening {
                    endpoint: endpoint.clone(),
                },
                "tcp://127.0.0.1:5555: listening",
            ),
            (
                Event::BindFailed {
                    endpoint: endpoint.clone(),
                    error: Arc::clone(&error),
                },
                r"tcp://127.0.0.1:5555: cannot bind: no\nway\u{1b}[2J",
            ),
            (
                Event::Accepted {
                    endpoint: endpoint.clone(),
                    address: address.clone(),
                    local_address: here,
                },
                "tcp://127.0.0.1:5555: accepted tcp://127.0.0.1:40000",
            ),
            (
                Event::AcceptFailed {
                    endpoint: endpoint.clone(),
                    error: Arc::clone(&error),
                    retry_in,
                },
                r"tcp://127.0.0.1:5555: cannot accept: no\nway\u{1b}[2J; again in 100ms",
            ),
            (
                Event::Connecting {
                    endpoint: endpoint.clone(),
                },
                "tcp://127.0.0.1:5555: connecting",
            ),
            (
                Event::Connected {
                    endpoint: endpoint.clone(),
                    address: address.clone(),
                    local_address: None,
                },
                "tcp://127.0.0.1:5555: connected to tcp://127.0.0.1:40000",
            ),
            (
                failed(Some(retry_in)),
                r"tcp://127.0.0.1:5555: cannot connect: no\nway\u{1b}[2J; again in 100ms",
            ),
            (
                failed(None),
                r"tcp://127.0.0.1:5555: cannot connect: no\nway\u{1b}[2J; given up",
            ),
            (
                Event::Ready { peer: peer.clone() },
                "inproc://somebody: PAIR at inproc peer is ready",
            ),
            (
                Event::HandshakeFailed {
                    endpoint: endpoint.clone(),
                    address,
                    local_address: here,
                    reason: reason.clone(),
                },
                "tcp://127.0.0.1:5555: handshake with tcp://127.0.0.1:40000 failed: \
                 the peer closed the connection",
            ),
            (
                lost(0),
                "inproc://somebody: disconnected from inproc peer: the peer closed the connection",
            ),
            (
                lost(1),
                "inproc://somebody: disconnected from inproc peer: the peer closed the connection; \
                 messages lost: 1",
            ),
            (
                lost(2),
                "inproc://somebody: disconnected from inproc peer: the peer closed the connection; \
                 messages lost: 2",
            ),
            (
                Event::Redialing {
                    endpoint: endpoint.clone(),
                    retry_in,
                },
                "tcp://127.0.0.1:5555: connecting again in 100ms",
            ),
            (
                Event::Dropping {
                    endpoint: endpoint.clone(),
                    peer: Some(peer),
                    dropped: 17,
                },
                "tcp://127.0.0.1:5555: the queue to inproc peer is full; messages dropped: 17",
            ),
            (
                Event::Dropping {
                    endpoint: endpoint.clone(),
                    peer: None,
                    dropped: 1,
                },
                "tcp://127.0.0.1:5555: the queue is full; messages dropped: 1",
            ),
            (Event::Closed { endpoint }, "tcp://127.0.0.1:5555: closed"),
            (Event::Lagged { missed: 7 }, "events missed: 7"),
        ];
        for (event, line) in lines {
            assert_eq!(text(event), line);
        }
    }
}
