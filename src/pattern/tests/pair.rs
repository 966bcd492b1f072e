//! PAIR: one seat, and who has it.

use std::collections::VecDeque;

use proptest::prelude::*;

use super::{departure, drain, pipe};
use crate::message::Message;
use crate::pattern::fair_queue::{FairQueue, Next};
use crate::pattern::pair::Pair;
use crate::pattern::round_robin::{RoundRobin, Sent};
use crate::pattern::{Pattern as _, PeerId};
use crate::peer_handle::Peer as Handle;
use crate::pipe::sync::Arc;
use crate::pipe::{CloseReason, Pipe};

#[derive(Clone, Debug)]
enum Op {
    /// A newcomer's handshake is complete.
    Come,
    /// `connect`, which queues ahead.
    Connect,
    /// The holder of the seat leaves, or is disconnected.
    Leave,
    /// Somebody in line is disconnected.
    GiveUp(usize),
    Send,
    /// The connection writes.
    Write,
    /// The peer sends.
    Hear,
    Recv,
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        2 => Just(Op::Come),
        1 => Just(Op::Connect),
        2 => Just(Op::Leave),
        1 => (0usize..3).prop_map(Op::GiveUp),
        6 => Just(Op::Send),
        2 => Just(Op::Write),
        4 => Just(Op::Hear),
        4 => Just(Op::Recv),
    ]
}

struct Peer {
    id: PeerId,
    outbound: Arc<Pipe>,
    inbound: Arc<Pipe>,
    /// Sent to it and not written.
    queued: Vec<String>,
}

fn texts(messages: Vec<Message>) -> Vec<String> {
    let texts = messages.iter().map(|message| message.text().into_owned());
    texts.collect()
}

const CAPACITY: usize = 4;

proptest! {
    #[test]
    fn there_is_one_peer_at_a_time_and_nothing_goes_to_another(
        ops in prop::collection::vec(op(), 1..120),
    ) {
        let (robin, queue) = (Arc::new(RoundRobin::default()), Arc::new(FairQueue::in_sequence()));
        let law = Pair::new(Arc::clone(&robin), Arc::clone(&queue));
        let (mut seat, mut line) = (None::<Peer>, VecDeque::<Peer>::new());
        let mut unread = VecDeque::new();
        for (number, op) in ops.into_iter().enumerate() {
            let text = number.to_string();
            prop_assert_eq!(law.has_seat(None), seat.is_none());
            match op {
                Op::Come | Op::Connect => {
                    let peer = Peer {
                        id: PeerId(number as u64),
                        outbound: pipe(CAPACITY),
                        inbound: pipe(CAPACITY),
                        queued: Vec::new(),
                    };
                    let standing = matches!(op, Op::Connect);
                    if !standing {
                        prop_assert_eq!(law.take_seat(peer.id), seat.is_none());
                    }
                    if standing || seat.is_none() {
                        law.attach_outbound(peer.id, &peer.outbound);
                    }
                    if seat.is_none() {
                        prop_assert!(law.has_seat(Some(peer.id)));
                        prop_assert!(law.take_seat(peer.id));
                        law.attach_inbound(peer.id, &Handle::somebody(), &peer.inbound);
                        seat = Some(peer);
                    } else if standing {
                        prop_assert!(!law.has_seat(Some(peer.id)));
                        line.push_back(peer);
                    }
                }
                Op::Leave => {
                    let Some(peer) = seat.take() else { continue };
                    peer.outbound.close(CloseReason::Lost);
                    let unwritten = peer.outbound.drain();
                    let departure = departure(unwritten, false);
                    peer.inbound.close(CloseReason::Lost);
                    prop_assert_eq!(law.detach(peer.id, departure), peer.queued.len());
                    prop_assert!(law.give_up_seat(peer.id));
                    seat = line.pop_front();
                    if let Some(peer) = &seat {
                        prop_assert!(law.take_seat(peer.id));
                        law.attach_inbound(peer.id, &Handle::somebody(), &peer.inbound);
                    }
                }
                Op::GiveUp(place) => {
                    if let Some(peer) = line.remove(place) {
                        law.detach(peer.id, departure(Vec::new(), false));
                        prop_assert!(!law.give_up_seat(peer.id));
                    }
                }
                Op::Send => {
                    let sent = robin.try_send(&[], &mut Message::from(text.as_str()));
                    match &mut seat {
                        Some(peer) if peer.queued.len() < CAPACITY => {
                            prop_assert_eq!(sent, Sent::To(peer.id));
                            peer.queued.push(text);
                        }
                        _ => prop_assert_eq!(sent, Sent::Full),
                    }
                }
                Op::Write => {
                    if let Some(peer) = &mut seat {
                        let written = texts(drain(&peer.outbound));
                        prop_assert_eq!(written, std::mem::take(&mut peer.queued));
                    }
                }
                Op::Hear => {
                    let Some(peer) = &seat else { continue };
                    if peer.inbound.push(&[], &Message::from(text.as_str())).is_ok() {
                        unread.push_back(text);
                    }
                }
                Op::Recv => match queue.try_next(|_, batch| batch.pop()) {
                    Next::Message(message) => {
                        prop_assert_eq!(Some(message.text().into_owned()), unread.pop_front());
                    }
                    _ => prop_assert!(unread.is_empty()),
                },
            }
            for peer in &line {
                prop_assert_eq!(peer.outbound.load().messages, 0);
            }
        }
    }
}
