//! Judging a peer: what the socket demands of it, and the verdict, in time or not at all.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::FutureExt;

use super::Hub;
use super::session::Place;
use crate::peer_handle::Claims;
use crate::security::access::Authorised;
use crate::security::authenticator::AuthRequest;
use crate::security::choice::Security;
use crate::security::credentials::Credentials;
use crate::security::denial::{Cause, Denial};
use crate::wire::connection::PeerInfo;
use crate::wire::mechanism::Mechanism;

/// What the protocol has to know of it.
pub(super) fn mechanism(security: &Security) -> Mechanism {
    match security {
        Security::Null | Security::NullServer { .. } => Mechanism::Null,
        Security::Plain { login } => Mechanism::PlainClient {
            username: login.username.clone(),
            password: login.password.clone(),
        },
        Security::PlainServer { .. } => Mechanism::PlainServer,
        #[cfg(feature = "curve")]
        Security::Curve { server, keys } => Mechanism::curve_client(keys.clone(), *server),
        #[cfg(feature = "curve")]
        Security::CurveServer { keys, .. } => Mechanism::curve_server(keys.clone()),
    }
}

/// The verdict on a peer that has said all that it says. Asks nobody where nobody is to be asked.
///
/// *Cancel safety*: dropping it drops the question. Nobody is let in then.
pub(super) async fn judge(
    hub: &dyn Hub,
    place: &Place,
    peer: &PeerInfo,
    credentials: Credentials,
) -> Result<Authorised, Denial> {
    let options = hub.options();
    let Some(access) = options.security.access() else {
        return Ok(Authorised::unasked(&options.security));
    };
    let request = AuthRequest {
        credentials,
        domain: Arc::from(""),
        endpoint: place.endpoint.clone(),
        address: place.address.clone(),
        local_address: place.local_address,
        own_identity: options.identity.clone(),
        socket_type: peer.socket_type,
        claims: Claims::new(peer.identity.clone(), peer.properties.clone()),
    };
    let limit = access.limit();
    // A block of its own, so that what is dropped at the deadline may panic, too.
    // Boxed, since most peers are never asked about, and those that never get that far are to cost little.
    let asked = Box::pin(async { tokio::time::timeout(limit, access.ask(request)).await });
    // Nothing of ours is shared with what panics but the authenticator itself, whose affair it is.
    match AssertUnwindSafe(asked).catch_unwind().await {
        Ok(Ok(verdict)) => verdict,
        Ok(Err(_)) => Err(Denial::not_now(Cause::TooLate { limit })),
        Err(_) => Err(Denial::not_now(Cause::Panicked)),
    }
}
