//! [`SocketType`]: the types of ZeroMQ sockets and who may talk to whom.

use std::fmt;
use std::str::FromStr;

/// The type of a ZeroMQ socket, as peers announce it to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SocketType {
    /// Talks to exactly one other PAIR.
    Pair,
    /// Publishes to subscribers.
    Pub,
    /// Subscribes to publishers.
    Sub,
    /// Asks, then waits for the reply.
    Req,
    /// Answers requests.
    Rep,
    /// Asks without waiting.
    Dealer,
    /// Addresses its peers one by one.
    Router,
    /// Receives from a pipeline.
    Pull,
    /// Feeds a pipeline.
    Push,
    /// Publishes, and sees the subscriptions.
    XPub,
    /// Subscribes by messages.
    XSub,
}

impl SocketType {
    pub(crate) const ALL: [Self; 11] = [
        Self::Pair,
        Self::Pub,
        Self::Sub,
        Self::Req,
        Self::Rep,
        Self::Dealer,
        Self::Router,
        Self::Pull,
        Self::Push,
        Self::XPub,
        Self::XSub,
    ];

    /// The name as it stands in a handshake.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pair => "PAIR",
            Self::Pub => "PUB",
            Self::Sub => "SUB",
            Self::Req => "REQ",
            Self::Rep => "REP",
            Self::Dealer => "DEALER",
            Self::Router => "ROUTER",
            Self::Pull => "PULL",
            Self::Push => "PUSH",
            Self::XPub => "XPUB",
            Self::XSub => "XSUB",
        }
    }

    /// The type with this name, in exactly this spelling.
    pub(crate) fn parse(name: &[u8]) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|known| known.as_str().as_bytes() == name)
    }

    /// Whether a socket of this type and one of type `peer` may be connected (RFC 37).
    pub const fn can_talk_to(self, peer: Self) -> bool {
        use SocketType::{Dealer, Pair, Pub, Pull, Push, Rep, Req, Router, Sub, XPub, XSub};
        matches!(
            (self, peer),
            (Pair, Pair)
                | (Pub | XPub, Sub | XSub)
                | (Sub | XSub, Pub | XPub)
                | (Req, Rep | Router)
                | (Rep, Req | Dealer)
                | (Dealer, Rep | Dealer | Router)
                | (Router, Req | Dealer | Router)
                | (Push, Pull)
                | (Pull, Push)
        )
    }

    /// Whether subscriptions may arrive here.
    pub(super) const fn takes_subscriptions(self) -> bool {
        matches!(self, Self::Pub | Self::XPub)
    }

    /// Whether subscriptions leave from here.
    pub(super) const fn subscribes(self) -> bool {
        matches!(self, Self::Sub | Self::XSub)
    }

    /// Whether the handshake carries an identity: the types whose peer may be a ROUTER.
    pub(super) const fn announces_identity(self) -> bool {
        matches!(self, Self::Req | Self::Dealer | Self::Router)
    }
}

impl fmt::Display for SocketType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The text is not the name of a socket type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{given:?} is no socket type; known are {}", known())]
#[non_exhaustive]
pub struct UnknownSocketType {
    /// The text.
    pub given: String,
}

fn known() -> String {
    SocketType::ALL.map(SocketType::as_str).join(", ")
}

/// For what people write: in capitals or not. In a handshake only capitals count (RFC 37).
impl FromStr for SocketType {
    type Err = UnknownSocketType;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let mut all = Self::ALL.into_iter();
        all.find(|known| known.as_str().eq_ignore_ascii_case(name))
            .ok_or_else(|| UnknownSocketType {
                given: name.to_owned(),
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_matrix_is_that_of_the_rfc() {
        let table = [
            ("PAIR", "PAIR"),
            ("PUB", "SUB XSUB"),
            ("SUB", "PUB XPUB"),
            ("XPUB", "SUB XSUB"),
            ("XSUB", "PUB XPUB"),
            ("REQ", "REP ROUTER"),
            ("REP", "REQ DEALER"),
            ("DEALER", "REP DEALER ROUTER"),
            ("ROUTER", "REQ DEALER ROUTER"),
            ("PUSH", "PULL"),
            ("PULL", "PUSH"),
        ];
        assert_eq!(table.len(), SocketType::ALL.len());
        for (ours, peers) in table {
            let ours: SocketType = ours.parse().unwrap();
            for theirs in SocketType::ALL {
                let expected = peers.split(' ').any(|peer| peer == theirs.as_str());
                assert_eq!(ours.can_talk_to(theirs), expected, "{ours} and {theirs}");
                assert_eq!(theirs.can_talk_to(ours), expected, "{theirs} and {ours}");
            }
        }
    }

    #[test]
    fn people_write_names_as_they_like() {
        for name in ["PUSH", "push", "Push"] {
            assert_eq!(name.parse(), Ok(SocketType::Push), "{name}");
        }
        for (unknown, quoted) in [("", "\"\""), ("pus", "\"pus\""), ("PUB\n", "\"PUB\\n\"")] {
            let error = unknown.parse::<SocketType>().unwrap_err();
            assert_eq!(error.given, unknown);
            let known = "PAIR, PUB, SUB, REQ, REP, DEALER, ROUTER, PULL, PUSH, XPUB, XSUB";
            let told = format!("{quoted} is no socket type; known are {known}");
            assert_eq!(error.to_string(), told);
        }
    }

    #[test]
    fn names_in_a_handshake_are_exact() {
        for known in SocketType::ALL {
            assert_eq!(SocketType::parse(known.as_str().as_bytes()), Some(known));
        }
        for unknown in ["", "pub", "PUBS", "CLIENT", "PUB\0"] {
            assert_eq!(SocketType::parse(unknown.as_bytes()), None, "{unknown}");
        }
    }
}
