//! What goes to `tracing`: a span for each socket and each connection, and a line for each event.
//! Nothing of it is on the path of a message. Without the feature nothing is here.

#[cfg(feature = "tracing")]
use tracing::{field::display, level_filters::LevelFilter};

use crate::endpoint::{Endpoint, PeerAddress};
use crate::event::Event;
use crate::socket_type::SocketType;

/// A span, or nothing.
#[derive(Clone, Debug)]
pub(crate) struct Span(#[cfg(feature = "tracing")] tracing::Span);

#[cfg(feature = "tracing")]
impl Span {
    /// A socket's, in whatever span its maker is.
    pub(crate) fn socket(socket_type: SocketType) -> Self {
        Self(tracing::debug_span!(target: "wirelark", "socket", r#type = %socket_type))
    }

    /// A connection's, in its socket's.
    pub(crate) fn connection(endpoint: &Endpoint, address: &PeerAddress) -> Self {
        Self(tracing::debug_span!(target: "wirelark", "connection", %endpoint, %address))
    }

    /// The future, in this span whenever it is polled.
    pub(crate) fn around<F: Future>(&self, future: F) -> impl Future<Output = F::Output> + use<F> {
        tracing::Instrument::instrument(future, self.0.clone())
    }

    /// Writes a line about the event. Those that a connection or its making tells are in its span
    /// already.
    pub(crate) fn log(&self, event: &Event) {
        match event {
            Event::Listening { .. }
            | Event::BindFailed { .. }
            | Event::Closed { .. }
            | Event::Dropping { .. } => self.0.in_scope(|| log(event)),
            Event::Ready { peer } | Event::Disconnected { peer, .. }
                if *peer.address() == PeerAddress::Inproc =>
            {
                self.0.in_scope(|| log(event));
            }
            _ => log(event),
        }
    }

    /// Whether lines about events may be wanted; calls nobody.
    pub(crate) fn is_heard() -> bool {
        LevelFilter::current() >= LevelFilter::DEBUG
    }

    /// The runtime has ended before the flush.
    pub(crate) fn log_unsent(&self, unsent: u64) {
        let _entered = self.0.enter();
        tracing::warn!(
            target: "wirelark",
            unsent,
            "the runtime ended before these messages were sent: await close() to flush"
        );
    }
}

#[cfg(feature = "tracing")]
fn log(event: &Event) {
    macro_rules! line {
        ($level:ident, $($rest:tt)*) => {
            tracing::$level!(target: "wirelark", $($rest)*)
        };
    }
    match event {
        Event::Listening { endpoint } => line!(debug, %endpoint, "listening"),
        Event::BindFailed { endpoint, error } => {
            line!(debug, %endpoint, %error, "bind failed");
        }
        Event::Accepted {
            endpoint, address, ..
        } => line!(debug, %endpoint, %address, "accepted"),
        Event::AcceptFailed {
            endpoint,
            error,
            retry_in,
        } => line!(warn, %endpoint, %error, ?retry_in, "accept failed"),
        Event::Connecting { endpoint } => line!(debug, %endpoint, "connecting"),
        Event::Connected {
            endpoint, address, ..
        } => line!(debug, %endpoint, %address, "connected"),
        Event::ConnectFailed {
            endpoint,
            error,
            retry_in,
        } => line!(debug, %endpoint, %error, ?retry_in, "connect failed"),
        Event::Ready { peer } => line!(
            debug,
            endpoint = %peer.endpoint(),
            address = %peer.address(),
            peer = %peer.socket_type(),
            "ready"
        ),
        Event::HandshakeFailed {
            endpoint,
            address,
            reason,
            ..
        } => line!(debug, %endpoint, %address, %reason, "handshake failed"),
        Event::Disconnected {
            peer,
            reason,
            dropped,
        } => {
            let (endpoint, address) = (peer.endpoint(), peer.address());
            // Who is to blame may be a stranger, who would fill the log if he was to be warned of.
            if *dropped > 0 {
                line!(warn, %endpoint, %address, %reason, dropped, "disconnected");
            } else {
                line!(debug, %endpoint, %address, %reason, "disconnected");
            }
        }
        // Any stranger can fall behind, so this is no warning.
        Event::Dropping {
            endpoint,
            peer,
            dropped,
        } => {
            let address = peer.as_ref().map(|peer| display(peer.address()));
            line!(debug, %endpoint, address, dropped, "dropping");
        }
        Event::Redialing { endpoint, retry_in } => {
            line!(debug, %endpoint, ?retry_in, "dialling again");
        }
        Event::Closed { endpoint } => line!(debug, %endpoint, "closed"),
        // A reader's affair: nobody tells it.
        Event::Lagged { .. } => {}
    }
}

#[cfg(not(feature = "tracing"))]
impl Span {
    pub(crate) const fn socket(_: SocketType) -> Self {
        Self()
    }

    pub(crate) const fn connection(_: &Endpoint, _: &PeerAddress) -> Self {
        Self()
    }

    pub(crate) fn around<F: Future>(&self, future: F) -> F {
        future
    }

    pub(crate) const fn log(&self, _: &Event) {}

    pub(crate) const fn is_heard() -> bool {
        false
    }

    pub(crate) const fn log_unsent(&self, _: u64) {}
}
