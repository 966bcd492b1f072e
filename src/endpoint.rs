//! Addresses: what stands in `bind("tcp://*:5555")`, as a value. Parses and prints, nothing else: no name is
//! resolved here and no file is looked at.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::str::FromStr;

pub use error::{EndpointError, EndpointProblem};
pub use peer_address::PeerAddress;

use error::quote;

mod error;
mod peer_address;

/// The longest text after `ipc://`: `sun_path` has 108 bytes on Linux, one of which ends the name. The `@` of an
/// abstract name counts, as it does in libzmq.
const MAX_IPC_PATH: usize = 107;
/// The longest name after `inproc://`, as libzmq's manual has it.
const MAX_INPROC_NAME: usize = 256;
/// The longest host name and the longest part of it between two dots (RFC 1035).
const MAX_HOST_NAME: usize = 253;
const MAX_HOST_LABEL: usize = 63;
/// The longest name of a network interface (`IFNAMSIZ` without the final zero).
const MAX_ZONE: usize = 15;

/// An address that a socket can bind or connect to.
///
/// Made from text by [`str::parse`] or `TryFrom`; printed as the same text, except that numbers take their usual
/// form (`tcp://[0:0::1]:080` becomes `tcp://[::1]:80`, port `0` becomes `*`).
///
/// ```
/// use wirelark::Endpoint;
/// let endpoint: Endpoint = "tcp://127.0.0.1:5555".parse()?;
/// assert_eq!(endpoint.port(), Some(5555));
/// assert_eq!(endpoint.to_string(), "tcp://127.0.0.1:5555");
/// assert!("tcp://127.0.0.1:70000".parse::<Endpoint>().is_err());
/// # Ok::<(), wirelark::EndpointError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Endpoint {
    /// `tcp://host:port`
    Tcp(TcpEndpoint),
    /// `ipc://path`, `ipc://*`, `ipc://@name`
    Ipc(IpcEndpoint),
    /// `inproc://name`
    Inproc(InprocEndpoint),
}

impl Endpoint {
    /// The port of a tcp endpoint; none for a wildcard port and for the other transports.
    pub fn port(&self) -> Option<u16> {
        match self {
            Self::Tcp(tcp) => tcp.port(),
            Self::Ipc(_) | Self::Inproc(_) => None,
        }
    }

    /// A source is for connections; a listener has none.
    pub(crate) fn check_bindable(&self) -> Result<(), EndpointError> {
        match self {
            Self::Tcp(tcp) if tcp.source.is_some() => Err(EndpointError::new(
                &self.to_string(),
                EndpointProblem::SourceInBind,
            )),
            _ => Ok(()),
        }
    }

    /// A wildcard can be bound, because the bind chooses; it cannot be connected to. `0.0.0.0` is no wildcard: it
    /// is what a bind to `*` prints, and connecting to it reaches this host.
    pub(crate) fn check_connectable(&self) -> Result<(), EndpointError> {
        let problem = match self {
            Self::Tcp(tcp) if tcp.host == Host::Any => EndpointProblem::WildcardHost,
            Self::Tcp(tcp) if tcp.port == 0 => EndpointProblem::WildcardPort,
            Self::Ipc(ipc) if ipc.place == IpcPlace::Any => EndpointProblem::WildcardPath,
            Self::Tcp(_) | Self::Ipc(_) | Self::Inproc(_) => return Ok(()),
        };
        Err(EndpointError::new(&self.to_string(), problem))
    }

    fn parse(text: &str) -> Result<Self, EndpointProblem> {
        let (scheme, rest) = text
            .split_once("://")
            .ok_or(EndpointProblem::MissingScheme)?;
        match scheme {
            "tcp" => TcpEndpoint::parse(rest).map(Self::Tcp),
            "ipc" => IpcEndpoint::parse(rest).map(Self::Ipc),
            "inproc" => InprocEndpoint::parse(rest).map(Self::Inproc),
            _ => Err(EndpointProblem::UnknownScheme {
                scheme: quote(scheme),
            }),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(tcp) => write!(f, "tcp://{tcp}"),
            Self::Ipc(ipc) => write!(f, "ipc://{ipc}"),
            Self::Inproc(inproc) => write!(f, "inproc://{inproc}"),
        }
    }
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, EndpointError> {
        Self::parse(text).map_err(|problem| EndpointError::new(text, problem))
    }
}

impl TryFrom<&str> for Endpoint {
    type Error = EndpointError;

    fn try_from(text: &str) -> Result<Self, EndpointError> {
        text.parse()
    }
}

impl TryFrom<String> for Endpoint {
    type Error = EndpointError;

    fn try_from(text: String) -> Result<Self, EndpointError> {
        text.parse()
    }
}

impl TryFrom<&String> for Endpoint {
    type Error = EndpointError;

    fn try_from(text: &String) -> Result<Self, EndpointError> {
        text.parse()
    }
}

impl From<&Self> for Endpoint {
    fn from(endpoint: &Self) -> Self {
        endpoint.clone()
    }
}

impl From<SocketAddr> for Endpoint {
    fn from(address: SocketAddr) -> Self {
        let host = match address {
            SocketAddr::V4(v4) => Host::V4(*v4.ip()),
            SocketAddr::V6(v6) => {
                let zone = (v6.scope_id() != 0).then(|| v6.scope_id().to_string());
                Host::V6(*v6.ip(), zone)
            }
        };
        Self::Tcp(TcpEndpoint {
            host,
            port: address.port(),
            source: None,
        })
    }
}

/// Host and port of a [tcp endpoint](Endpoint::Tcp), and perhaps a source before them: to connect to
/// `tcp://eth1:*;server:5555` uses an address of `eth1`, and a port that the system chooses.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TcpEndpoint {
    host: Host,
    /// 0: the bind chooses.
    port: u16,
    /// Where a connection comes from; boxed, since hardly any has it.
    source: Option<Box<Self>>,
}

/// Where a tcp endpoint points, before any resolution.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Host {
    /// `*`: every IPv4 address of this host.
    Any,
    V4(Ipv4Addr),
    /// With the zone (interface name or index) that a link-local address needs.
    V6(Ipv6Addr, Option<String>),
    /// A DNS name, as it was written.
    Name(String),
}

impl TcpEndpoint {
    /// The port; none if the bind is to choose one (`*` or `0`).
    pub fn port(&self) -> Option<u16> {
        (self.port != 0).then_some(self.port)
    }

    /// The host without brackets: `*`, an address, an address with its zone, or a name.
    pub fn host(&self) -> String {
        self.host.to_string()
    }

    /// Where a connection comes from, if that is not left to the system: what stands before the `;`.
    pub fn source(&self) -> Option<&Self> {
        self.source.as_deref()
    }

    /// The host as a value, for whoever resolves it.
    pub(crate) fn host_kind(&self) -> &Host {
        &self.host
    }

    fn parse(text: &str) -> Result<Self, EndpointProblem> {
        let Some((source, peer)) = text.split_once(';') else {
            return Self::parse_one(text);
        };
        let source = Self::parse_one(source)?;
        let peer = Self::parse_one(peer)?;
        Ok(Self {
            source: Some(Box::new(source)),
            ..peer
        })
    }

    fn parse_one(text: &str) -> Result<Self, EndpointProblem> {
        let (host, port) = if let Some(rest) = text.strip_prefix('[') {
            let (literal, rest) = rest
                .split_once(']')
                .ok_or_else(|| EndpointProblem::InvalidIpv6 { host: quote(text) })?;
            let host = Host::parse_ipv6(literal)?;
            let port = rest.strip_prefix(':').ok_or(EndpointProblem::MissingPort)?;
            (host, port)
        } else if let Some((host, port)) = text.rsplit_once(':') {
            (Host::parse(host)?, port)
        } else if text.is_empty() {
            return Err(EndpointProblem::EmptyHost);
        } else {
            // Whatever is wrong with the host, as in `*5555`: the colon has probably been forgotten.
            return Err(EndpointProblem::MissingPort);
        };
        let port = parse_port(port)?;
        Ok(Self {
            host,
            port,
            source: None,
        })
    }
}

impl fmt::Display for TcpEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(source) = &self.source {
            write!(f, "{source};")?;
        }
        match &self.host {
            host @ Host::V6(..) => write!(f, "[{host}]:")?,
            host => write!(f, "{host}:")?,
        }
        match self.port {
            0 => f.write_str("*"),
            port => write!(f, "{port}"),
        }
    }
}

impl Host {
    fn parse(text: &str) -> Result<Self, EndpointProblem> {
        if text.is_empty() {
            return Err(EndpointProblem::EmptyHost);
        }
        if text == "*" {
            return Ok(Self::Any);
        }
        if text.contains(':') {
            return Err(EndpointProblem::UnbracketedIpv6 { host: quote(text) });
        }
        let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if let Some(character) = text.chars().find(|c| !is_allowed(*c)) {
            return Err(EndpointProblem::HostCharacter {
                host: quote(text),
                character,
            });
        }
        if text.len() > MAX_HOST_NAME {
            return Err(EndpointProblem::HostTooLong {
                length: text.len(),
                limit: MAX_HOST_NAME,
            });
        }
        if let Ok(address) = text.parse() {
            return Ok(Self::V4(address));
        }
        // One final dot is the root of DNS and belongs to a full name; any other empty part is a slip.
        let mut labels = text.strip_suffix('.').unwrap_or(text).split('.');
        for label in labels.clone() {
            if label.is_empty() || label.len() > MAX_HOST_LABEL {
                return Err(EndpointProblem::HostLabel {
                    host: quote(text),
                    label: quote(label),
                    limit: MAX_HOST_LABEL,
                });
            }
        }
        // No top-level domain is a number. Resolvers read "127.1" and "010.0.0.1" in ways that surprise. But "eth0.100"
        // is a network interface.
        let last = labels.next_back().unwrap_or_default();
        let begins_as_number = text.starts_with(|c: char| c.is_ascii_digit());
        if begins_as_number && last.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(EndpointProblem::InvalidIpv4 { host: quote(text) });
        }
        Ok(Self::Name(text.to_owned()))
    }

    fn parse_ipv6(text: &str) -> Result<Self, EndpointProblem> {
        let (address, zone) = match text.split_once('%') {
            Some((address, zone)) => (address, Some(zone)),
            None => (text, None),
        };
        let address = address
            .parse()
            .map_err(|_| EndpointProblem::InvalidIpv6 { host: quote(text) })?;
        if let Some(zone) = zone {
            let is_allowed =
                |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
            if zone.is_empty() || zone.len() > MAX_ZONE || !zone.bytes().all(is_allowed) {
                return Err(EndpointProblem::InvalidZone {
                    zone: quote(zone),
                    limit: MAX_ZONE,
                });
            }
        }
        Ok(Self::V6(address, zone.map(str::to_owned)))
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::V4(address) => write!(f, "{address}"),
            Self::V6(address, None) => write!(f, "{address}"),
            Self::V6(address, Some(zone)) => write!(f, "{address}%{zone}"),
            Self::Name(name) => f.write_str(name),
        }
    }
}

fn parse_port(text: &str) -> Result<u16, EndpointProblem> {
    if text.is_empty() {
        return Err(EndpointProblem::MissingPort);
    }
    if text == "*" {
        return Ok(0);
    }
    // `u16::from_str` would also accept "+5555".
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse()
        .ok()
        .filter(|_| is_number)
        .ok_or_else(|| EndpointProblem::InvalidPort { port: quote(text) })
}

/// The place of an [ipc endpoint](Endpoint::Ipc): a socket file, or a name in Linux's abstract namespace.
///
/// An abstract name has no file and no permissions: every process of the same network namespace can connect to it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct IpcEndpoint {
    place: IpcPlace,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum IpcPlace {
    /// `*`: the bind makes a file in a directory of its own.
    Any,
    Path(String),
    /// Without the `@`.
    Abstract(String),
}

impl IpcEndpoint {
    /// The path of the socket file; none for a wildcard or an abstract name.
    pub fn path(&self) -> Option<&Path> {
        match &self.place {
            IpcPlace::Path(path) => Some(Path::new(path)),
            IpcPlace::Any | IpcPlace::Abstract(_) => None,
        }
    }

    /// The abstract name without its `@`.
    pub fn abstract_name(&self) -> Option<&str> {
        match &self.place {
            IpcPlace::Abstract(name) => Some(name),
            IpcPlace::Any | IpcPlace::Path(_) => None,
        }
    }

    #[cfg(all(unix, feature = "ipc"))]
    pub(crate) fn place(&self) -> &IpcPlace {
        &self.place
    }

    fn parse(text: &str) -> Result<Self, EndpointProblem> {
        if text.is_empty() {
            return Err(EndpointProblem::EmptyPath);
        }
        if text.contains('\0') {
            return Err(EndpointProblem::Nul);
        }
        if text.len() > MAX_IPC_PATH {
            return Err(EndpointProblem::PathTooLong {
                length: text.len(),
                limit: MAX_IPC_PATH,
            });
        }
        let place = match text.strip_prefix('@') {
            Some("") => return Err(EndpointProblem::EmptyAbstractName),
            Some(name) => IpcPlace::Abstract(name.to_owned()),
            None if text == "*" => IpcPlace::Any,
            None => IpcPlace::Path(text.to_owned()),
        };
        Ok(Self { place })
    }
}

impl fmt::Display for IpcEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            IpcPlace::Any => f.write_str("*"),
            IpcPlace::Path(path) => f.write_str(path),
            IpcPlace::Abstract(name) => write!(f, "@{name}"),
        }
    }
}

/// The name of an [inproc endpoint](Endpoint::Inproc), unique within its context.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct InprocEndpoint {
    name: String,
}

impl InprocEndpoint {
    /// The name after `inproc://`.
    pub fn name(&self) -> &str {
        &self.name
    }

    fn parse(text: &str) -> Result<Self, EndpointProblem> {
        if text.is_empty() {
            return Err(EndpointProblem::EmptyName);
        }
        if text.contains('\0') {
            return Err(EndpointProblem::Nul);
        }
        if text.len() > MAX_INPROC_NAME {
            return Err(EndpointProblem::NameTooLong {
                length: text.len(),
                limit: MAX_INPROC_NAME,
            });
        }
        Ok(Self {
            name: text.to_owned(),
        })
    }
}

impl fmt::Display for InprocEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.name)
    }
}

#[cfg(test)]
mod tests;
