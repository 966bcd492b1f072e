//! Which addresses an endpoint means: a literal, a name, `*`, or a network interface.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV6};

use crate::endpoint::{Host, TcpEndpoint};

/// The addresses at which to listen, or from which to connect: of this host. A network interface of that name comes
/// before a host of that name; its IPv4 addresses come before its IPv6 ones.
pub(super) async fn local(endpoint: &TcpEndpoint, ipv6: bool) -> io::Result<Vec<SocketAddr>> {
    if let Host::Name(name) = endpoint.host_kind() {
        let port = endpoint.port().unwrap_or(0);
        let mut addresses = of_interface(name, port)?;
        if !addresses.is_empty() {
            addresses.sort_by_key(SocketAddr::is_ipv6);
            return of_families(addresses, ipv6);
        }
    }
    remote(endpoint, ipv6).await
}

/// The addresses of a peer. Names are resolved anew each time, since servers move.
pub(super) async fn remote(endpoint: &TcpEndpoint, ipv6: bool) -> io::Result<Vec<SocketAddr>> {
    let port = endpoint.port().unwrap_or(0);
    let name = match endpoint.host_kind() {
        Host::Any => return Ok(vec![(Ipv4Addr::UNSPECIFIED, port).into()]),
        Host::V4(address) => return Ok(vec![(*address, port).into()]),
        Host::V6(address, None) => return of_families(vec![(*address, port).into()], ipv6),
        Host::V6(address, Some(zone)) => {
            if let Ok(index) = zone.parse() {
                let address = SocketAddrV6::new(*address, port, 0, index);
                return of_families(vec![address.into()], ipv6);
            }
            // The resolver knows the interfaces by name.
            format!("{address}%{zone}")
        }
        Host::Name(name) => name.clone(),
    };
    let mut addresses = Vec::new();
    for address in tokio::net::lookup_host((name.as_str(), port)).await? {
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    of_families(addresses, ipv6)
}

fn of_families(mut addresses: Vec<SocketAddr>, ipv6: bool) -> io::Result<Vec<SocketAddr>> {
    if ipv6 {
        return Ok(addresses);
    }
    addresses.retain(SocketAddr::is_ipv4);
    if addresses.is_empty() {
        return Err(io::Error::new(
            io::ErrorKind::AddrNotAvailable,
            "there are only IPv6 addresses, and the option ipv6 is off",
        ));
    }
    Ok(addresses)
}

/// The addresses of the interface of this name; none if there is no such interface.
fn of_interface(name: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    let mut addresses = Vec::new();
    for interface in if_addrs::get_if_addrs()? {
        if interface.name != name {
            continue;
        }
        addresses.push(match interface.ip() {
            IpAddr::V6(address) if address.is_unicast_link_local() => {
                let zone = interface.index.unwrap_or(0);
                SocketAddrV6::new(address, port, 0, zone).into()
            }
            address => SocketAddr::new(address, port),
        });
    }
    Ok(addresses)
}
