//! What a socket tells about itself.

use bytes::Bytes;

use super::{Build, SocketBuilder};
use crate::options::MetadataError;

impl<S: Build> SocketBuilder<S> {
    /// Tells every peer this property of the application's own in the handshake: a name that
    /// starts with `X-`, and any value. Given twice, the last value counts. Peers find it among
    /// the [`claims`](crate::Peer::claims) of the [`Peer`](crate::Peer), in libzmq by
    /// `zmq_msg_gets`. Default: none. libzmq: `ZMQ_METADATA`.
    ///
    /// *Errors*: the name does not start with `X-`, or is not 3 to 255 letters, digits, and
    /// `-`, `_`, `.`, `+` (RFC 37, "Metadata"); more than 14 properties; more than 7 KiB of names and
    /// values in all.
    pub fn metadata(mut self, name: &str, value: impl AsRef<[u8]>) -> Result<Self, MetadataError> {
        self.options
            .metadata
            .set(name, Bytes::copy_from_slice(value.as_ref()))?;
        Ok(self)
    }
}
