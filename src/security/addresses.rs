//! [`Addresses`]: an authenticator that looks at where a peer comes from.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use super::access::Access;
use super::authenticator::{AuthRequest, Authenticator, Judging, Verdict};
use crate::endpoint::PeerAddress;

/// Looks at the IP address of a peer before another authenticator judges what it gives.
///
/// An address only tells where packets come from. It keeps strangers away from what they might guess; it
/// proves nobody's identity.
///
/// - What is [denied](Self::deny) is refused.
/// - If anything is [allowed](Self::allow), what is not is refused. A peer over ipc has no address, and is refused then, too.
/// - Who gets so far is judged by the one [behind](Self::before), with its password or its key.
///
/// ```
/// use wirelark::{Access, Addresses, Security};
///
/// let addresses = Addresses::new().allow([10, 0, 0, 0], 8).deny([10, 0, 0, 13], 32);
/// let security = Security::NullServer { access: Access::by(addresses) };
/// ```
#[derive(Clone)]
pub struct Addresses {
    allowed: Vec<Network>,
    denied: Vec<Network>,
    next: Option<Arc<dyn Authenticator>>,
}

/// Bits before the IPv4 address in `::ffff:a.b.c.d`.
const MAPPED: u8 = 96;

/// Addresses that begin with the same bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Network {
    address: IpAddr,
    prefix: u8,
}

impl Addresses {
    /// Lets every address pass. With nobody behind, who passes is let in as [`Access::anybody`] does.
    #[expect(
        clippy::new_without_default,
        reason = "it reads as a default that lets nobody in"
    )]
    pub const fn new() -> Self {
        Self {
            allowed: Vec::new(),
            denied: Vec::new(),
            next: None,
        }
    }

    /// Allows the addresses that share so many bits with this one: 32 (of IPv4) or 128 (of IPv6) for one alone.
    /// Everything above counts as that. `::ffff:10.0.0.0` with 104 bits is `10.0.0.0` with 8.
    pub fn allow(mut self, address: impl Into<IpAddr>, prefix: u8) -> Self {
        self.allowed.push(Network::new(address.into(), prefix));
        self
    }

    /// Denies them; as in [`allow`](Self::allow).
    pub fn deny(mut self, address: impl Into<IpAddr>, prefix: u8) -> Self {
        self.denied.push(Network::new(address.into(), prefix));
        self
    }

    /// Who judges peers whose address has passed.
    pub fn before(mut self, next: impl Authenticator) -> Self {
        self.next = Some(Arc::new(next));
        self
    }

    fn passes(&self, address: &PeerAddress) -> bool {
        let PeerAddress::Tcp(address) = address else {
            return self.allowed.is_empty();
        };
        let address = address.ip().to_canonical();
        let within = |network: &Network| network.contains(address);
        !self.denied.iter().any(within)
            && (self.allowed.is_empty() || self.allowed.iter().any(within))
    }
}

impl Authenticator for Addresses {
    fn judge<'a>(&'a self, request: &'a AuthRequest) -> Judging<'a> {
        if !self.passes(request.address()) {
            return Box::pin(async { Ok(Verdict::refuse("its address is not allowed")) });
        }
        match &self.next {
            Some(next) => next.judge(request),
            None => Box::pin(async { Ok(Access::verdict_on_anybody(request)) }),
        }
    }
}

impl Network {
    /// An IPv4 address in the form of IPv6 is the IPv4 address that peers are known by, and has that many fewer bits.
    fn new(address: IpAddr, prefix: u8) -> Self {
        let canonical = address.to_canonical();
        let is_mapped = canonical.is_ipv4() && address.is_ipv6();
        Self {
            address: canonical,
            prefix: if is_mapped {
                prefix.saturating_sub(MAPPED)
            } else {
                prefix
            },
        }
    }

    fn contains(self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                let differing = own.to_bits() ^ other.to_bits();
                differing.leading_zeros() >= u32::from(self.prefix.min(32))
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                let differing = own.to_bits() ^ other.to_bits();
                differing.leading_zeros() >= u32::from(self.prefix.min(128))
            }
            _ => false,
        }
    }
}

impl fmt::Debug for Addresses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Addresses")
            .field("allowed", &self.allowed)
            .field("denied", &self.denied)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp(address: &str) -> PeerAddress {
        PeerAddress::Tcp(format!("{address}:5555").parse().unwrap())
    }

    /// What is written as IPv6 is no smaller network than the same written as IPv4.
    #[test]
    fn ipv4_in_the_form_of_ipv6() {
        let mapped = |text: &str| text.parse::<IpAddr>().unwrap();
        for (network, prefix) in [
            ("::ffff:10.0.0.0", 104),
            ("::ffff:10.1.2.3", 104),
            ("::ffff:0.0.0.0", 96),
            ("::ffff:0.0.0.0", 0),
            ("::ffff:10.0.0.13", 128),
            ("::ffff:10.0.0.13", 255),
        ] {
            let denying = Addresses::new().deny(mapped(network), prefix);
            assert!(!denying.passes(&tcp("10.0.0.13")), "{network}/{prefix}");
            assert!(!denying.passes(&tcp("[::ffff:10.0.0.13]")));
            assert!(denying.passes(&tcp("[2001:db8::1]")));
            let allowing = Addresses::new().allow(mapped(network), prefix);
            assert!(allowing.passes(&tcp("10.0.0.13")), "{network}/{prefix}");
            assert_eq!(allowing.passes(&tcp("11.0.0.1")), prefix <= 96);
        }
    }

    #[test]
    fn allowed_and_denied() {
        let none = Addresses::new();
        assert!(none.passes(&tcp("192.0.2.1")) && none.passes(&PeerAddress::Inproc));
        let addresses = Addresses::new()
            .allow([10, 0, 0, 0], 8)
            .allow([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32)
            .deny([10, 0, 0, 13], 99);
        for (address, passes) in [
            ("10.0.0.1", true),
            ("10.255.255.255", true),
            ("11.0.0.1", false),
            ("10.0.0.13", false),
            ("[::ffff:10.0.0.1]", true),
            ("[::ffff:10.0.0.13]", false),
            ("[2001:db8::1]", true),
            ("[2001:db9::1]", false),
        ] {
            assert_eq!(addresses.passes(&tcp(address)), passes, "{address}");
        }
        let ipc = PeerAddress::Ipc {
            uid: Some(0),
            gid: None,
            pid: None,
        };
        assert!(!addresses.passes(&ipc));
        assert!(Addresses::new().deny([10, 0, 0, 1], 0).passes(&ipc));
        assert!(
            !Addresses::new()
                .deny([10, 0, 0, 1], 0)
                .passes(&tcp("1.2.3.4"))
        );
        assert!(
            Addresses::new()
                .deny([10, 0, 0, 1], 0)
                .passes(&tcp("[::1]"))
        );
    }
}
