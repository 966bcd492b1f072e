//! [`PeerFault`]: why a peer was dropped, for events and logs.
//!
//! One enum per kind of guilt: the peer broke the protocol, or it keeps to the protocol but cannot
//! match this socket. Every limit that a peer ran into is named with its figure.

use std::time::Duration;

use thiserror::Error;

/// Why the conversation with one peer ended at our or its verdict.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PeerFault {
    /// The peer broke the rules of ZMTP or ran into one of our limits.
    #[error(transparent)]
    Protocol(#[from] ProtocolError),
    /// The peer follows the rules but cannot talk to this socket.
    #[error(transparent)]
    Incompatible(#[from] Incompatible),
    /// The peer refused us with an ERROR command.
    #[error("the peer refused the connection: \"{reason}\"")]
    Refused {
        /// The peer's words, with `?` in place of what is not printable ASCII.
        reason: String,
    },
    /// Nothing came from the peer for as long as the heartbeat allows.
    #[error("nothing came from the peer for {waited:?}")]
    Silent {
        /// How long it was given: our heartbeat timeout, or the time to live that it announced.
        waited: Duration,
    },
}

/// How a peer broke the protocol.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ProtocolError {
    /// The first byte is not that of a ZMTP greeting: a browser, a port scanner, another protocol.
    #[error("not a ZMTP peer: its first byte is {first:#04x}, not 0xff")]
    NotZmtp {
        /// What came instead of `0xff`.
        first: u8,
    },
    /// Reserved bits are set in the flags of a frame.
    #[error("reserved bits are set in the frame flags {flags:#04x}")]
    ReservedFlags {
        /// The flags byte.
        flags: u8,
    },
    /// A command announced that more frames follow; a command is always alone.
    #[error("a command frame announces more frames")]
    CommandWithMore,
    /// A frame length has its top bit set, which ZMTP forbids.
    #[error("the frame length {declared:#x} has its top bit set")]
    FrameLength {
        /// The length as declared.
        declared: u64,
    },
    /// A message is larger than the limit.
    #[error("a message of at least {declared} bytes exceeds the limit of {limit}")]
    MessageTooLarge {
        /// The declared payload of all frames up to the offending one.
        declared: u64,
        /// The limit in bytes.
        limit: usize,
    },
    /// A message has more frames than the limit.
    #[error("a message has more than {limit} frames")]
    TooManyFrames {
        /// The limit.
        limit: usize,
    },
    /// A command is larger than any command needs to be.
    #[error("a command of {declared} bytes exceeds the limit of {limit}")]
    CommandTooLarge {
        /// The declared size.
        declared: u64,
        /// The limit in bytes.
        limit: usize,
    },
    /// The handshake takes more bytes than the limit.
    #[error("a handshake of at least {declared} bytes exceeds the limit of {limit}")]
    HandshakeTooLarge {
        /// What the peer has sent and announced so far.
        declared: u64,
        /// The limit in bytes.
        limit: usize,
    },
    /// A command cannot be read.
    #[error("malformed {command} command: {what}")]
    MalformedCommand {
        /// The name of the command, or `unnamed`.
        command: &'static str,
        /// What is wrong with it.
        what: &'static str,
    },
    /// A command or message came when it may not.
    #[error("unexpected \"{name}\" during the handshake")]
    UnexpectedCommand {
        /// What came: the name of a command, printable.
        name: String,
    },
    /// A property was given twice.
    #[error("the property {name} was given twice")]
    DuplicateProperty {
        /// The name, in the peer's spelling.
        name: String,
    },
    /// The handshake carries more properties than the limit.
    #[error("the handshake carries more than {limit} properties")]
    TooManyProperties {
        /// The limit.
        limit: usize,
    },
    /// The peer sends PINGs faster than it takes the answers.
    #[error("more than {limit} PINGs came while the answers to earlier ones were waiting")]
    PingFlood {
        /// The limit.
        limit: usize,
    },
    /// A subscription is longer than the limit.
    #[error("a topic of {length} bytes exceeds the limit of {limit}")]
    TopicTooLong {
        /// The length of the topic as declared.
        length: u64,
        /// The limit in bytes.
        limit: usize,
    },
    /// The peer has more subscriptions than the limit.
    #[error("the peer has more than {limit} subscriptions")]
    TooManySubscriptions {
        /// The limit.
        limit: usize,
    },
    /// A reply does not begin with the empty frame that REQ and REP put in front.
    #[error("a reply does not begin with an empty delimiter frame")]
    Envelope,
}

/// Why a peer that keeps to the rules cannot talk to this socket.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Incompatible {
    /// The peer speaks a version of ZMTP from before 3.0.
    #[error("the peer speaks ZMTP {major}.{minor}; 3.0 is the oldest that is accepted")]
    Version {
        /// Its major version: 1 or 2.
        major: u8,
        /// Its minor version.
        minor: u8,
    },
    /// The peer uses another security mechanism.
    #[error("the peer's security mechanism is \"{theirs}\", ours is {ours}")]
    Mechanism {
        /// Our mechanism.
        ours: &'static str,
        /// The peer's, printable.
        theirs: String,
    },
    /// The peer's socket type cannot talk to ours.
    #[error("the peer is a {theirs} socket, which cannot talk to {ours}")]
    SocketType {
        /// Our socket type.
        ours: &'static str,
        /// The peer's, printable. It may be one that this library does not know.
        theirs: String,
    },
}
