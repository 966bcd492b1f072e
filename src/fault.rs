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
    /// What protects the connection does not hold. The peer is not told.
    #[error(transparent)]
    Security(#[from] SecurityFault),
    /// The peer has judged our credentials, and does not let us in. With the status 400 this socket
    /// does not dial it again.
    #[error("the peer does not let us in, with the status {status}")]
    #[non_exhaustive]
    Denied {
        /// RFC 27's: 300 for a temporary failure, 400 for credentials that are not accepted, 500 for a
        /// failure of the peer.
        status: u16,
    },
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
    /// What all peers of the socket have sent of messages that are not whole yet exceeds the limit, and this
    /// peer was the one to exceed it.
    #[error("messages that have arrived in part exceed the limit of {limit} bytes for all peers")]
    #[non_exhaustive]
    TooMuchUnfinished {
        /// The socket's [`max_partial_bytes`](crate::SocketBuilder::max_partial_bytes), in bytes; its
        /// [`max_message_size`](crate::SocketBuilder::max_message_size) if that is more.
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
    #[error("\"{name}\" came when something else had to come")]
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
    /// The subscriptions of the peer are longer together than the limit.
    #[error("the peer's subscriptions have more than {limit} bytes together")]
    SubscriptionsTooLong {
        /// The limit in bytes.
        limit: usize,
    },
    /// A reply does not begin with the empty frame that REQ and REP put in front.
    #[error("a reply does not begin with an empty delimiter frame")]
    Envelope,
}

/// What protects a connection with CURVE, and does not hold.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SecurityFault {
    /// A box does not open: the peer has a wrong key (as a client, that of another server), or
    /// bytes were changed on the way.
    #[error("the box of the {command} does not open: a wrong key, or changed bytes")]
    #[non_exhaustive]
    Box {
        /// What it belongs to.
        command: &'static str,
    },
    /// A frame came as it is after the keys had been agreed upon.
    #[error("a frame is not encrypted")]
    NotEncrypted,
    /// The peer does not vouch for the key that it uses in this connection.
    #[error("the client's key does not vouch for the key of this connection")]
    Vouch,
    /// The nonce of a frame does not follow the last one: something was repeated, left out, or put into another order.
    #[error("the nonce {given} does not follow {last}: a repeated or missing message")]
    #[non_exhaustive]
    Nonce {
        /// The one that came.
        given: u64,
        /// The one before it.
        last: u64,
    },
    /// This side has used up the nonces of a connection: 2^64 messages.
    #[error("the nonces of this connection are used up")]
    NoncesExhausted,
    /// The peer's key is one of the few with which everybody shares the same secret.
    #[error("the peer's key keeps no secret")]
    WeakKey,
    /// The operating system gives no random bytes.
    #[error("the operating system gives no random bytes")]
    NoRandomness,
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
    /// Both sides are servers of their mechanism: one of them has to be a client.
    #[error("both sides are servers of {mechanism}")]
    #[non_exhaustive]
    TwoServers {
        /// PLAIN or CURVE.
        mechanism: &'static str,
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
