//! Keeps a connection to one endpoint alive: dials, runs the session, waits, dials again.

use std::time::Duration;

use tokio::sync::watch;

use super::backoff::Backoff;
use super::session::{self, Outcome, Place};
use super::{Hub, Standing, Stop};
use crate::endpoint::Endpoint;
use crate::event::{DisconnectReason, Event};
use crate::fault::PeerFault;
use crate::options::ReconnectStop;
use crate::pipe::sync::Arc;
use crate::transport;
use crate::wire::connection::Origin;

/// A connection that lasted this long proves that the peer is well: the next one is dialled after
/// the shortest wait. A handshake alone does not, since a peer that accepts and closes at once
/// would be dialled at the fastest rate for ever.
const WELL: Duration = Duration::from_secs(1);

/// How a dialer came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// It was told to.
    Stopped,
    /// By the socket's [`ReconnectStop`]: the endpoint is still attached.
    GaveUp,
}

/// Dials until it is stopped, or the options say that it is enough. With `Drain` it goes on for as
/// long as messages wait in the standing pipe. What the options say is asked anew for each attempt.
pub(crate) async fn run(
    hub: Arc<dyn Hub>,
    endpoint: Endpoint,
    standing: Option<Standing>,
    mut stop: watch::Receiver<Stop>,
) -> End {
    let mut options = hub.options();
    let mut backoff = Backoff::new(options.reconnect_interval, options.reconnect_interval_max);
    while !is_over(&stop, standing.as_ref()) {
        hub.tell(Event::Connecting {
            endpoint: endpoint.clone(),
        });
        let attempt = tokio::select! {
            // Boxed, as is the handshake: the task lives on for as long as the connection does.
            attempt = Box::pin(transport::connect(&endpoint, &options.transport)) => attempt,
            () = over(&mut stop, standing.as_ref()) => break,
        };
        let retry_in = match attempt {
            Err(failure) => {
                options = hub.options();
                if stops_after_failure(options.reconnect_stop, &failure.source) {
                    hub.tell(Event::ConnectFailed {
                        endpoint,
                        error: Arc::new(failure.source),
                        retry_in: None,
                    });
                    return End::GaveUp;
                }
                backoff.set_limits(options.reconnect_interval, options.reconnect_interval_max);
                let retry_in = backoff.next();
                hub.tell(Event::ConnectFailed {
                    endpoint: endpoint.clone(),
                    error: Arc::new(failure.source),
                    retry_in: Some(retry_in),
                });
                retry_in
            }
            Ok((stream, address)) => {
                let local_address = stream.local_address();
                let place = Place {
                    origin: Origin::Dialled,
                    endpoint: endpoint.clone(),
                    address: address.clone(),
                    local_address,
                    standing: standing.clone(),
                    turnstile: None,
                };
                hub.tell(Event::Connected {
                    endpoint: endpoint.clone(),
                    address,
                    local_address,
                });
                let outcome = session::run(&hub, stream, place, &mut stop).await;
                if is_over(&stop, standing.as_ref()) {
                    break;
                }
                options = hub.options();
                if stops_after(options.reconnect_stop, &outcome) {
                    return End::GaveUp;
                }
                backoff.set_limits(options.reconnect_interval, options.reconnect_interval_max);
                let retry_in = wait_after(&outcome, &mut backoff);
                hub.tell(Event::Redialing {
                    endpoint: endpoint.clone(),
                    retry_in,
                });
                retry_in
            }
        };
        tokio::select! {
            () = tokio::time::sleep(retry_in) => {}
            () = over(&mut stop, standing.as_ref()) => break,
        }
        options = hub.options();
    }
    End::Stopped
}

fn stops_after_failure(stop: ReconnectStop, error: &std::io::Error) -> bool {
    let refused = error.kind() == std::io::ErrorKind::ConnectionRefused;
    stop.failed || (stop.refused && refused)
}

fn stops_after(stop: ReconnectStop, outcome: &Outcome) -> bool {
    match (&outcome.reason, outcome.lasted) {
        // We want a new connection ourselves.
        (DisconnectReason::Reset, _) => false,
        // Our credentials are not accepted; asking again would only look like guessing.
        (DisconnectReason::Fault(PeerFault::Denied { status: 400 }), _) => true,
        (_, None) => stop.handshake,
        (_, Some(_)) => stop.disconnected,
    }
}

/// How long to wait before the next attempt.
fn wait_after(outcome: &Outcome, backoff: &mut Backoff) -> Duration {
    if outcome.lasted.is_some_and(|lasted| lasted >= WELL) {
        backoff.reset();
    }
    match &outcome.reason {
        // The peer is fine; we only want a connection without a past.
        DisconnectReason::Reset => Duration::ZERO,
        // It broke the protocol or cannot match us: that may change, but not soon.
        DisconnectReason::Fault(_) => backoff.longest(),
        _ => backoff.next(),
    }
}

/// Whether there is nothing left to dial for.
fn is_over(stop: &watch::Receiver<Stop>, standing: Option<&Standing>) -> bool {
    match *stop.borrow() {
        Stop::Run => false,
        Stop::Drain => standing.is_none_or(|standing| standing.outbound.load().messages == 0),
        Stop::Halt => true,
    }
}

/// Waits until there is nothing left to dial for. A closed pipe does not fill again, and without a
/// connection it does not drain, so the answer only changes with the order to stop.
async fn over(stop: &mut watch::Receiver<Stop>, standing: Option<&Standing>) {
    while !is_over(stop, standing) {
        if stop.changed().await.is_err() {
            // An endpoint that was taken away and lingers for ever: no other order will come.
            std::future::pending::<()>().await;
        }
    }
}
