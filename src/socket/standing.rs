//! Queues that are there before the peer and stay after it.

use std::sync::Arc;

use super::core::Core;
use crate::endpoint::Endpoint;
use crate::error::ConnectError;
use crate::identity::Identity;
use crate::peer::{Hub, Standing};
use crate::pipe::Pipe;

impl Core {
    /// The queue of a new connecting end, where this type of socket queues ahead, or knows beforehand
    /// how the peer is called.
    pub(super) fn standing(
        &self,
        outbound: Arc<Pipe>,
        endpoint: &Endpoint,
        name: Option<&Identity>,
    ) -> Result<Option<Standing>, ConnectError> {
        let id = self.next_peer_id();
        self.watch(id, &outbound);
        match name {
            Some(name) if self.pattern.reserve_name(id, name, &outbound) => {}
            Some(name) => {
                return Err(ConnectError::IdentityTaken {
                    endpoint: endpoint.clone(),
                    identity: name.clone(),
                });
            }
            None if !self.pattern.queues_ahead() || self.options().immediate => return Ok(None),
            None => self.pattern.attach_outbound(id, &outbound),
        }
        Ok(Some(Standing { id, outbound }))
    }
}
