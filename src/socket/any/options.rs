//! Options for a type that is chosen at run time: the builder has all of them, and `build` refuses
//! those that the type does not have.

use super::AnySocket;
use crate::error::NoSuchOption;
use crate::options::Options;
use crate::socket::builder::{
    Asks, Build, Conflates, ForwardsSubscriptions, Identified, Matches, Parts, Probes, Publishes,
    QueuesAhead, Receives, Routes, SeesSubscribers, Sends, SpeaksUpstream, Subscribes, TakesMany,
    sealed,
};
use crate::socket_type::SocketType;

type Outcome = Result<AnySocket, NoSuchOption>;

impl sealed::Sealed for Outcome {}
impl Sends for Outcome {}
impl Receives for Outcome {}
impl TakesMany for Outcome {}
impl QueuesAhead for Outcome {}
impl Conflates for Outcome {}
impl Identified for Outcome {}
impl Probes for Outcome {}
impl Routes for Outcome {}
impl Asks for Outcome {}
impl Subscribes for Outcome {}
impl Matches for Outcome {}
impl Publishes for Outcome {}
impl SpeaksUpstream for Outcome {}
impl SeesSubscribers for Outcome {}
impl ForwardsSubscriptions for Outcome {}

impl Build for Outcome {
    fn build(parts: Parts) -> Self {
        let socket_type = parts.socket_type;
        match misplaced(&parts, socket_type) {
            Some(option) => Err(NoSuchOption {
                socket_type,
                option,
            }),
            None => Ok(AnySocket::build(parts)),
        }
    }
}

impl sealed::Sealed for AnySocket {}

/// Of a builder whose options have been looked through; so its `options` are those of every type.
impl Build for AnySocket {
    fn build(parts: Parts) -> Self {
        Self::build(parts)
    }
}

impl AnySocket {
    pub(super) fn build(parts: Parts) -> Self {
        match parts.socket_type {
            SocketType::Pair => Self::Pair(Build::build(parts)),
            SocketType::Pub => Self::Pub(Build::build(parts)),
            SocketType::Sub => Self::Sub(Build::build(parts)),
            SocketType::Req => Self::Req(Build::build(parts)),
            SocketType::Rep => Self::Rep(Build::build(parts)),
            SocketType::Dealer => Self::Dealer(Build::build(parts)),
            SocketType::Router => Self::Router(Build::build(parts)),
            SocketType::Pull => Self::Pull(Build::build(parts)),
            SocketType::Push => Self::Push(Build::build(parts)),
            SocketType::XPub => Self::XPub(Build::build(parts)),
            SocketType::XSub => Self::XSub(Build::build(parts)),
        }
    }
}

/// The first option that is not as it is by default, and that a type does not have.
fn misplaced(parts: &Parts, socket_type: SocketType) -> Option<&'static str> {
    use SocketType::{Dealer, Pair, Pub, Pull, Push, Req, Router, Sub, XPub, XSub};
    let default = Options::default();
    let Parts {
        options,
        subscriptions,
        ..
    } = parts;
    let publish = &options.publish;
    let is = |types: &[SocketType]| types.contains(&socket_type);
    let shows = publish.shows;
    let sends = !is(&[Pull, Sub]);
    let receives = !is(&[Push, Pub]);
    let publishes = is(&[Pub, XPub]);
    let set_and_had = [
        (
            "send_hwm",
            options.send.messages != default.send.messages,
            sends,
        ),
        (
            "send_hwm_bytes",
            options.send.bytes != default.send.bytes,
            sends,
        ),
        (
            "recv_hwm",
            options.recv.messages != default.recv.messages,
            receives,
        ),
        (
            "recv_hwm_bytes",
            options.recv.bytes != default.recv.bytes,
            receives,
        ),
        (
            "max_peers",
            options.max_peers != default.max_peers,
            !is(&[Pair]),
        ),
        (
            "immediate",
            options.immediate,
            is(&[Push, Pair, Dealer, Req]),
        ),
        (
            "conflate",
            options.conflate,
            is(&[Push, Pull, Pub, Sub, Dealer]),
        ),
        (
            "identity",
            !options.identity.is_empty(),
            is(&[Req, Dealer, Router]),
        ),
        ("probe", options.probe, is(&[Req, Dealer, Router])),
        ("relaxed", options.relaxed, is(&[Req])),
        ("correlate", options.correlate, is(&[Req])),
        ("handover", options.handover, is(&[Router])),
        ("drop_unroutable", options.drop_unroutable, is(&[Router])),
        ("subscribe", !subscriptions.is_empty(), is(&[Sub, XSub])),
        (
            "invert_matching",
            publish.invert_matching,
            is(&[Pub, XPub, Sub, XSub]),
        ),
        ("welcome", publish.welcome.is_some(), publishes),
        (
            "only_first_subscribe",
            publish.only_first_subscribe,
            is(&[XPub, XSub]),
        ),
        ("verbose", shows.repeats, is(&[XPub])),
        ("verboser", shows.cancels, is(&[XPub])),
        ("manual", shows.manual, is(&[XPub])),
        ("no_drop", publish.no_drop, is(&[XPub])),
        (
            "verbose_unsubscribe",
            publish.verbose_unsubscribe,
            is(&[XSub]),
        ),
    ];
    set_and_had
        .into_iter()
        .find_map(|(option, is_set, is_had)| (is_set && !is_had).then_some(option))
}
