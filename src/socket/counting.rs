//! What a socket has counted: by itself, by its pattern, and by the pipes of its peers.

use std::sync::Arc;

use super::core::Core;
use super::stats::{Drops, Flow, PeerStats, SocketStats};
use crate::pattern::Dropped;
use crate::peer::Newcomer;
use crate::pipe::{Passed, Pipe};

/// A peer of a socket, from its admission until it departs.
#[derive(Clone, Debug)]
pub(super) struct Peer {
    pub(super) newcomer: Newcomer,
    /// What had come through the inbound pipe before: within a process it may have been somebody
    /// else's.
    before: Passed,
    /// Whether it takes part: only then it is shown.
    pub(super) takes_part: bool,
}

impl Core {
    pub(crate) fn stats(&self) -> SocketStats {
        let (mut stats, outbound, peers) = {
            let state = self.state.lock();
            let standing = state
                .endpoints
                .iter()
                .filter_map(|attached| attached.standing());
            let own = state.peers.values().map(|peer| &peer.newcomer);
            let own = own.filter(|peer| !peer.standing);
            let outbound: Vec<Arc<Pipe>> = standing
                .map(|standing| &standing.outbound)
                .chain(own.map(|peer| &peer.pipes.outbound))
                .cloned()
                .collect();
            let peers: Vec<Peer> = state.peers.values().cloned().collect();
            (state.totals.clone(), outbound, peers)
        };
        for pipe in outbound {
            count_sent(&mut stats, pipe.passed());
        }
        for peer in peers {
            count_received(&mut stats, peer.received());
        }
        let Dropped {
            unroutable,
            unusable,
            departed,
        } = self.pattern.dropped();
        stats.drops.unroutable = unroutable;
        stats.drops.unusable = stats.drops.unusable.saturating_add(unusable);
        stats.drops.departed = stats.drops.departed.saturating_add(departed);
        let dropped = unroutable.saturating_add(unusable).saturating_add(departed);
        stats.dropped = stats.dropped.saturating_add(dropped);
        stats
    }

    pub(crate) fn peers(&self) -> Vec<PeerStats> {
        let mut peers: Vec<Peer> = self.state.lock().peers.values().cloned().collect();
        peers.retain(|peer| peer.takes_part);
        peers.sort_unstable_by_key(|peer| peer.newcomer.id);
        peers.iter().map(Peer::stats).collect()
    }
}

impl Peer {
    pub(super) fn new(newcomer: Newcomer) -> Self {
        let inbound = newcomer.pipes.inbound.as_ref();
        let before = inbound.map_or_else(Passed::default, |pipe| {
            let (passed, queued) = (pipe.passed(), pipe.load());
            Passed {
                messages: passed.messages.saturating_sub(queued.messages as u64),
                bytes: passed.bytes.saturating_sub(queued.bytes as u64),
                ..passed
            }
        });
        Self {
            newcomer,
            before,
            takes_part: false,
        }
    }

    /// What has come from it.
    fn received(&self) -> Passed {
        let Some(inbound) = &self.newcomer.pipes.inbound else {
            return Passed::default();
        };
        let passed = inbound.passed();
        Passed {
            messages: passed.messages.saturating_sub(self.before.messages),
            bytes: passed.bytes.saturating_sub(self.before.bytes),
            dropped: passed.dropped.saturating_sub(self.before.dropped),
            outdated: passed.outdated.saturating_sub(self.before.outdated),
            unusable: passed.unusable.saturating_sub(self.before.unusable),
        }
    }

    /// What has passed that is counted nowhere else.
    pub(super) fn passed(&self) -> SocketStats {
        let mut passed = SocketStats::default();
        if !self.newcomer.standing {
            count_sent(&mut passed, self.newcomer.pipes.outbound.passed());
        }
        count_received(&mut passed, self.received());
        passed
    }

    fn stats(&self) -> PeerStats {
        fn queue(pipe: &Pipe) -> Flow {
            pipe.settle();
            let load = pipe.load();
            Flow {
                messages: load.messages as u64,
                bytes: load.bytes as u64,
            }
        }
        let Newcomer { peer, pipes, .. } = &self.newcomer;
        let sent = pipes.outbound.passed();
        let received = self.received();
        let mut drops = Drops::default();
        drops.count(sent);
        drops.count(received);
        PeerStats {
            peer: peer.clone(),
            sent: Flow {
                messages: sent.messages,
                bytes: sent.bytes,
            },
            received: Flow {
                messages: received.messages,
                bytes: received.bytes,
            },
            send_queue: queue(&pipes.outbound),
            recv_queue: pipes
                .inbound
                .as_ref()
                .map(|pipe| queue(pipe))
                .unwrap_or_default(),
            dropped: drops.total(),
            drops,
        }
    }
}

pub(super) fn count_sent(stats: &mut SocketStats, passed: Passed) {
    stats.sent.add(passed.messages, passed.bytes);
    count_dropped(stats, passed);
}

fn count_received(stats: &mut SocketStats, passed: Passed) {
    stats.received.add(passed.messages, passed.bytes);
    count_dropped(stats, passed);
}

fn count_dropped(stats: &mut SocketStats, passed: Passed) {
    let dropped = passed.dropped.saturating_add(passed.outdated);
    let dropped = dropped.saturating_add(passed.unusable);
    stats.dropped = stats.dropped.saturating_add(dropped);
    stats.drops.count(passed);
}
