//! Which step of a handshake takes much computing, so that it can be made to wait for its turn.

use super::{Connection, Phase};
use crate::wire::{frame, greeting};

impl Connection {
    /// Whether the next [`receive`](Self::receive) computes longer than a stranger may ask for at any time.
    /// Never while it only waits for more bytes.
    pub(crate) fn is_laborious(&self) -> bool {
        let unread = self.decoder.unread();
        match &self.phase {
            // The command behind it may be there already.
            Phase::Greeting => {
                let local = self.local.as_deref();
                local.is_some_and(|local| local.mechanism.is_laborious())
                    && unread.len() >= greeting::LENGTH
            }
            Phase::Handshake { mechanism, .. } => {
                mechanism.is_laborious() && is_whole_frame(unread)
            }
            Phase::Introduced { .. } | Phase::Traffic { .. } | Phase::Closed { .. } => false,
        }
    }
}

fn is_whole_frame(bytes: &[u8]) -> bool {
    let Ok(Some(header)) = frame::parse(bytes) else {
        return false;
    };
    let behind = bytes.len().saturating_sub(header.head);
    u64::try_from(behind).is_ok_and(|behind| behind >= header.body)
}
