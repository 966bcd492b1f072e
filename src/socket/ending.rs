//! Connections that this side ends, one at a time: the peer broke the rules, its name is another's now, or nobody
//! waits for its answer any more.

use super::core::Core;
#[cfg(feature = "inproc")]
use crate::event::DisconnectReason;
use crate::fault::PeerFault;
#[cfg(feature = "inproc")]
use crate::pattern::Departure;
use crate::pattern::{Doorman, PeerId};
#[cfg(feature = "inproc")]
use crate::peer::Hub;
use crate::pipe::CloseReason;

impl Core {
    /// Ends the connection to one peer, for the given reason.
    pub(crate) fn end_peer(&self, id: PeerId, reason: CloseReason) {
        let Some(newcomer) = self
            .state
            .lock()
            .peers
            .get(&id)
            .map(|peer| peer.newcomer.clone())
        else {
            return;
        };
        #[cfg(feature = "inproc")]
        if let Some(link) = &newcomer.link {
            let reason = match reason {
                CloseReason::Fault(fault) => DisconnectReason::Fault(fault),
                CloseReason::Reset => DisconnectReason::Reset,
                CloseReason::Replaced => DisconnectReason::Replaced,
                _ => DisconnectReason::Closed,
            };
            self.pattern.forget(id);
            if newcomer.standing {
                // What is sent from here on is for whoever comes next.
                newcomer.pipes.outbound.leave();
            }
            let departure = Departure::with_nothing_left(
                newcomer.standing,
                newcomer.peer.endpoint().clone(),
                reason.clone(),
            );
            return link.hang_up(reason, || self.depart(id, departure));
        }
        // The session watches both pipes; the one that outlives it must stay open.
        match &newcomer.pipes.inbound {
            Some(inbound) => inbound.close(reason),
            None => newcomer.pipes.outbound.close(reason),
        }
    }
}

impl Doorman for Core {
    fn expel(&self, id: PeerId, fault: PeerFault) {
        #[cfg(feature = "inproc")]
        {
            let peers = &self.state.lock().peers;
            let link = peers.get(&id).and_then(|peer| peer.newcomer.link.clone());
            if link.is_some_and(|link| link.leaves_to_holder(&fault)) {
                return;
            }
        }
        self.end_peer(id, CloseReason::Fault(fault));
    }
}
