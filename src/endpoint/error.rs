//! What can be wrong with an endpoint: the text, the part of it, and the limit.

use std::convert::Infallible;

/// Errors quote what they were given, but no more characters of it than this: configuration may be hostile, and
/// logs are read.
const MAX_QUOTED: usize = 300;

/// A text that is no endpoint, or an endpoint that cannot be used this way.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("endpoint {endpoint:?}: {problem}")]
#[non_exhaustive]
pub struct EndpointError {
    /// The text as it was given; cut if it was very long.
    pub endpoint: String,
    /// The part that is wrong.
    pub problem: EndpointProblem,
}

impl EndpointError {
    pub(super) fn new(text: &str, problem: EndpointProblem) -> Self {
        Self {
            endpoint: quote(text),
            problem,
        }
    }
}

/// An [`Endpoint`](crate::Endpoint) given where text could have been given needs no parsing.
impl From<Infallible> for EndpointError {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

/// What is wrong with an endpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[expect(
    missing_docs,
    reason = "the messages say it, and the fields are the numbers in them"
)]
pub enum EndpointProblem {
    #[error("there is no \"://\"; an endpoint starts with tcp://, ipc:// or inproc://")]
    MissingScheme,
    #[error("the transport {scheme:?} is unknown; known are tcp, ipc and inproc")]
    UnknownScheme { scheme: String },
    #[error("the host is empty; write * to bind to every address")]
    EmptyHost,
    #[error("the host {host:?} contains {character:?}")]
    HostCharacter { host: String, character: char },
    #[error("the host has {length} bytes; at most {limit} are allowed")]
    HostTooLong { length: usize, limit: usize },
    #[error("the host {host:?} has the part {label:?}; a part has 1 to {limit} characters")]
    HostLabel {
        host: String,
        label: String,
        limit: usize,
    },
    #[error("the host {host:?} is no IPv4 address of four numbers up to 255")]
    InvalidIpv4 { host: String },
    #[error("the host {host:?} is no IPv6 address")]
    InvalidIpv6 { host: String },
    #[error("the host {host:?} contains a colon; an IPv6 address stands in [brackets]")]
    UnbracketedIpv6 { host: String },
    #[error("the zone {zone:?} is no interface: 1 to {limit} letters, digits, '-', '_' or '.'")]
    InvalidZone { zone: String, limit: usize },
    #[error("the port is missing; a tcp endpoint is tcp://host:port")]
    MissingPort,
    #[error("the port {port:?} is no number from 0 to 65535 and no *")]
    InvalidPort { port: String },
    #[error("the path is empty")]
    EmptyPath,
    #[error("there is a NUL character in it")]
    Nul,
    #[error("the path has {length} bytes; at most {limit} are allowed")]
    PathTooLong { length: usize, limit: usize },
    #[error("the abstract name after @ is empty")]
    EmptyAbstractName,
    #[error("the name is empty")]
    EmptyName,
    #[error("the name has {length} bytes; at most {limit} are allowed")]
    NameTooLong { length: usize, limit: usize },
    #[error("the host * can be bound, not connected to; write localhost, or the server's name")]
    WildcardHost,
    #[error("a source (before the ;) is for connect; a bind has one address")]
    SourceInBind,
    #[error("the port must be given to connect")]
    WildcardPort,
    #[error("the path * can be bound, not connected to; connect to the path that bind returned")]
    WildcardPath,
}

/// What an error repeats of a text that it was given.
pub(super) fn quote(text: &str) -> String {
    match text.char_indices().nth(MAX_QUOTED) {
        None => text.to_owned(),
        Some((end, _)) => text.get(..end).unwrap_or_default().to_owned() + "…",
    }
}
