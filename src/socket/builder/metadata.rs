//! What a socket tells about itself.

use super::{Build, SocketBuilder};
use crate::options::Metadata;

impl<S: Build> SocketBuilder<S> {
    /// Tells every peer these properties of the application's own in the handshake. Peers find them
    /// among the [`claims`](crate::Peer::claims) of the [`Peer`](crate::Peer), in libzmq by
    /// `zmq_msg_gets`. Default: none. libzmq: `ZMQ_METADATA`, one property at a time.
    pub fn metadata(mut self, metadata: Metadata) -> Self {
        self.options.metadata = metadata;
        self
    }
}
