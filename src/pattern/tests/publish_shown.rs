//! What an XPUB shows, against a model that keeps every peer's wishes in plain sets.

use std::collections::{BTreeSet, VecDeque};

use proptest::prelude::*;

use super::pipe;
use crate::message::Message;
use crate::options::{PublishOptions, Shows};
use crate::pattern::PeerId;
use crate::pattern::audience::{Policy, Sent, To};
use crate::pattern::fan_out::FanOut;
use crate::pattern::notices::Notice;
use crate::pattern::subscribers::Member;
use crate::peer_handle::Peer;
use crate::pipe::Pipe;
use crate::pipe::sync::Arc;
use crate::pipe::wake::Due;
use crate::wire::subscription::Subscription;

#[derive(Clone, Debug)]
enum Op {
    Attach,
    Detach(usize),
    /// As a command.
    Ask(usize, bool, u8),
    /// As a message, among frames that are none.
    Say(usize, Vec<(bool, u8)>),
    Read,
    Accept(u8),
    /// The options change.
    Change(Shows),
}

fn op() -> impl Strategy<Value = Op> {
    let (peer, topic) = (0usize..3, 0u8..3);
    prop_oneof![
        1 => Just(Op::Attach),
        1 => peer.clone().prop_map(Op::Detach),
        6 => (peer.clone(), any::<bool>(), topic.clone())
            .prop_map(|(peer, subscribe, topic)| Op::Ask(peer, subscribe, topic)),
        3 => (peer, prop::collection::vec((any::<bool>(), topic.clone()), 0..3))
            .prop_map(|(peer, asks)| Op::Say(peer, asks)),
        4 => Just(Op::Read),
        2 => topic.prop_map(Op::Accept),
        1 => shows().prop_map(Op::Change),
    ]
}

#[derive(Debug, Default)]
struct Model {
    shows: Shows,
    shown: VecDeque<Vec<u8>>,
    peers: Vec<Known>,
}

#[derive(Debug)]
struct Known {
    id: PeerId,
    inbound: Arc<Pipe>,
    held: BTreeSet<u8>,
    asked: BTreeSet<u8>,
}

impl Model {
    fn holders(&self, topic: u8) -> usize {
        let holds = |peer: &&Known| peer.held.contains(&topic);
        self.peers.iter().filter(holds).count()
    }

    fn show(&mut self, subscribe: bool, topic: u8) {
        self.shown.push_back(vec![u8::from(subscribe), topic]);
    }

    fn ask(&mut self, peer: usize, subscribe: bool, topic: u8) {
        let Shows {
            repeats,
            cancels,
            manual,
        } = self.shows;
        let before = self.holders(topic);
        let known = &mut self.peers[peer];
        if manual {
            if subscribe {
                known.asked.insert(topic);
            } else {
                known.asked.remove(&topic);
            }
        } else if subscribe {
            known.held.insert(topic);
        } else {
            known.held.remove(&topic);
        }
        let shown = match subscribe {
            _ if manual => true,
            true => before == 0 || repeats,
            false => self.holders(topic) == 0 || cancels,
        };
        if shown {
            self.show(subscribe, topic);
        }
    }

    fn change(&mut self, shows: Shows) {
        if shows.manual != self.shows.manual {
            for peer in &mut self.peers {
                peer.asked.clear();
                if shows.manual {
                    peer.asked.clone_from(&peer.held);
                }
            }
        }
        self.shows = shows;
    }

    fn detach(&mut self, peer: usize) -> PeerId {
        let known = self.peers.remove(peer);
        if self.shows.manual {
            for &topic in &known.asked {
                self.show(false, topic);
            }
        } else {
            for &topic in &known.held {
                if self.shows.cancels || self.holders(topic) == 0 {
                    self.show(false, topic);
                }
            }
        }
        known.id
    }

    fn topics(&self) -> usize {
        let held = self.peers.iter().flat_map(|peer| &peer.held);
        held.collect::<BTreeSet<_>>().len()
    }
}

fn as_bytes(notice: &Notice) -> Vec<u8> {
    let (kind, topic) = match notice {
        Notice::Subscribe(asked) => (1, &asked.prefix[..]),
        Notice::Cancel(asked) => (0, &asked.prefix[..]),
        Notice::Message(message) => return message.first().to_vec(),
    };
    [&[kind], topic].concat()
}

fn shows() -> impl Strategy<Value = Shows> {
    let shows = |repeats, cancels, manual| Shows {
        repeats,
        cancels,
        manual,
    };
    prop_oneof![
        Just(shows(false, false, false)),
        Just(shows(true, false, false)),
        Just(shows(true, true, false)),
        Just(shows(false, false, true)),
    ]
}

proptest! {
    #[test]
    fn everything_is_shown_that_should_be(
        shows in shows(),
        ops in prop::collection::vec(op(), 1..100),
    ) {
        let fan_out = FanOut::new(Policy { shows: Some(shows), ..Policy::default() });
        let mut model = Model { shows, ..Model::default() };
        // Who asked last, of those that were read.
        let mut last: Option<Member> = None;
        let mut ids = 0;
        for op in ops {
            match op {
                Op::Attach => {
                    let (outbound, inbound) = (pipe(1), pipe(4));
                    fan_out.attach_outbound(PeerId(ids), &outbound);
                    fan_out.attach_inbound(PeerId(ids), &Peer::somebody(), &inbound);
                    model.peers.push(Known {
                        id: PeerId(ids),
                        inbound,
                        held: BTreeSet::new(),
                        asked: BTreeSet::new(),
                    });
                    ids += 1;
                }
                Op::Detach(peer) if peer < model.peers.len() => {
                    fan_out.detach(model.detach(peer));
                }
                Op::Ask(peer, subscribe, topic) if peer < model.peers.len() => {
                    model.ask(peer, subscribe, topic);
                    let topic = &[topic];
                    let subscription = Subscription { subscribe, topic };
                    let pipe = &model.peers[peer].inbound;
                    pipe.push_control(|batch| subscription.push_command(batch), &mut Due::default());
                }
                Op::Say(peer, asks) if peer < model.peers.len() => {
                    let mut frames = vec![b"said".to_vec()];
                    for (subscribe, topic) in asks {
                        model.ask(peer, subscribe, topic);
                        frames.push(vec![u8::from(subscribe), topic]);
                    }
                    model.shown.push_back(b"said".to_vec());
                    let pipe = &model.peers[peer].inbound;
                    // Whatever a session would have waited for.
                    pipe.push_control(|batch| {
                        batch.push(&[], &Message::from(frames), usize::MAX);
                    }, &mut Due::default());
                }
                Op::Read => {
                    let next = fan_out.try_next().unwrap();
                    let notice = next.map(|(_, notice)| notice);
                    prop_assert_eq!(notice.as_ref().map(as_bytes), model.shown.pop_front());
                    if let Some(Notice::Subscribe(asked) | Notice::Cancel(asked)) = notice {
                        last = asked.member.filter(|_| asked.pending);
                    }
                }
                Op::Change(shows) => {
                    let options = PublishOptions { shows, ..PublishOptions::default() };
                    fan_out.adopt(&options);
                    model.change(shows);
                }
                Op::Accept(topic) => {
                    if let Some(member) = last {
                        let known = model.peers.iter_mut().find(|peer| peer.id == member.id());
                        let granted = fan_out.grant(member, &[topic]).is_ok();
                        prop_assert_eq!(granted, known.is_some());
                        known.map(|peer| peer.held.insert(topic));
                    }
                }
                _ => {}
            }
            prop_assert_eq!(fan_out.topics(), model.topics());
        }
        while let Some(expected) = model.shown.pop_front() {
            let (_, notice) = fan_out.try_next().unwrap().unwrap();
            prop_assert_eq!(as_bytes(&notice), expected);
        }
        prop_assert!(fan_out.try_next().unwrap().is_none());
        // Everything that was read has been given back.
        for peer in &model.peers {
            prop_assert_eq!(peer.inbound.load().messages, 0);
        }
        fan_out.close();
        prop_assert!(fan_out.try_next().is_err());
        prop_assert_eq!(fan_out.try_send(To::Everybody, &Message::from("x")), Sent::Closed);
    }
}

/// Peers that come, ask and go again, and nobody reads: the queue ends, and goes on when it is read.
#[test]
fn what_departed_peers_leave_behind_is_bounded() {
    let shows = Some(Shows::default());
    let fan_out = FanOut::new(Policy {
        shows,
        ..Policy::default()
    });
    let visit = |number: u64| {
        let (outbound, inbound) = (pipe(1), pipe(usize::MAX));
        fan_out.attach_outbound(PeerId(number), &outbound);
        fan_out.attach_inbound(PeerId(number), &Peer::somebody(), &inbound);
        for topic in 0..1_000u32 {
            let subscription = Subscription {
                subscribe: true,
                topic: &topic.to_be_bytes(),
            };
            inbound.push_control(
                |batch| subscription.push_command(batch),
                &mut Due::default(),
            );
        }
        inbound
    };
    for number in 0..200 {
        visit(number);
        fan_out.detach(PeerId(number));
    }
    let waits = visit(200);
    assert_eq!(fan_out.topics(), 0);
    assert_eq!(waits.load().messages, 1_000);
    let mut shown = 0;
    while fan_out.try_next().unwrap().is_some() {
        shown += 1;
    }
    // Fifty visits of a thousand requests and as many ends, and the one that waited.
    assert_eq!(shown, 50 * 2_000 + 1_000);
    assert_eq!(fan_out.topics(), 1_000);
}

/// It takes several turns to forget a peer that has asked for much. What only it wanted is told in order.
#[test]
fn a_departed_peer_is_forgotten_in_order() {
    for manual in [false, true] {
        let shows = Shows {
            manual,
            ..Shows::default()
        };
        let fan_out = FanOut::new(Policy {
            shows: Some(shows),
            ..Policy::default()
        });
        let topics = |step: usize| (0..2_500u16).step_by(step).map(u16::to_be_bytes);
        let inbounds = [0, 1].map(|id| {
            let (outbound, inbound) = (pipe(1), pipe(usize::MAX));
            fan_out.attach_outbound(PeerId(id), &outbound);
            fan_out.attach_inbound(PeerId(id), &Peer::somebody(), &inbound);
            inbound
        });
        let ask = |inbound: &Pipe, topic: &[u8]| {
            let subscribe = true;
            let subscription = Subscription { subscribe, topic };
            let mut due = Due::default();
            inbound.push_control(|batch| subscription.push_command(batch), &mut due);
        };
        // Not in their order.
        topics(1).rev().for_each(|topic| ask(&inbounds[0], &topic));
        topics(2).for_each(|topic| ask(&inbounds[1], &topic));
        while let Some((_, notice)) = fan_out.try_next().unwrap() {
            if let Notice::Subscribe(asked) = notice {
                if let Some(member) = asked.member.filter(|_| manual) {
                    fan_out.grant(member, &asked.prefix).unwrap();
                }
            }
        }
        assert_eq!(fan_out.topics(), 2_500);
        fan_out.detach(PeerId(0));
        assert_eq!(fan_out.topics(), 1_250);
        let expected = topics(1).skip(usize::from(!manual));
        for topic in expected.step_by(if manual { 1 } else { 2 }) {
            let (_, notice) = fan_out.try_next().unwrap().unwrap();
            assert_eq!(as_bytes(&notice), [&[0], &topic[..]].concat());
        }
        assert!(fan_out.try_next().unwrap().is_none());
    }
}
