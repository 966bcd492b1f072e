//! [`Sim`]: two connections, a link between them and a clock that only the test moves.
//!
//! The link delays bytes and cuts them into pieces; it can be told to lose everything, to change a
//! byte, or to end. Nothing is random and nothing waits.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytes::BufMut;

use super::batch::Batch;
use super::connection::{Admission, Connection, Incoming, Local, Origin, PeerInfo, Room};
use crate::fault::PeerFault;
use crate::message::Message;

/// One side: a connection and what its session would know.
pub(super) struct Side {
    pub(super) connection: Connection,
    pub(super) peer: Option<PeerInfo>,
    /// Whether it admits its peer; else it closes.
    pub(super) admits: bool,
    pub(super) messages: Vec<Message>,
    pub(super) fault: Option<PeerFault>,
    /// Room for incoming messages; none means that the session does not read.
    pub(super) room: Room,
    /// What lies in the kernel: arrived, not read.
    kernel: VecDeque<u8>,
    /// The other side has closed and everything it wrote has been read.
    pub(super) ended: bool,
    queued: Batch,
    closes: bool,
}

/// One direction of the link.
pub(super) struct Lane {
    pub(super) delay: Duration,
    /// The most bytes that one read gets.
    pub(super) piece: usize,
    /// From here on everything is lost, as when a cable is pulled.
    pub(super) dead: bool,
    /// The byte at this offset of the stream is changed.
    pub(super) corrupt: Option<u64>,
    in_flight: VecDeque<(Instant, Vec<u8>)>,
    carried: u64,
}

pub(super) struct Sim {
    pub(super) now: Instant,
    pub(super) sides: [Side; 2],
    /// `lanes[0]` carries what side 0 writes.
    pub(super) lanes: [Lane; 2],
}

impl Sim {
    /// The second side has accepted the connection.
    pub(super) fn new(first: Local, second: Local) -> Self {
        let second = Local {
            origin: Origin::Accepted,
            ..second
        };
        let side = |local| Side {
            connection: Connection::new(local),
            peer: None,
            admits: true,
            messages: Vec::new(),
            fault: None,
            room: Room::UNLIMITED,
            kernel: VecDeque::new(),
            ended: false,
            queued: Batch::default(),
            closes: false,
        };
        let lane = || Lane {
            delay: Duration::from_millis(1),
            piece: usize::MAX,
            dead: false,
            corrupt: None,
            in_flight: VecDeque::new(),
            carried: 0,
        };
        Self {
            now: Instant::now(),
            sides: [side(first), side(second)],
            lanes: [lane(), lane()],
        }
    }

    pub(super) fn send(&mut self, from: usize, message: &Message) {
        self.sides[from].queued.push(&[], message, usize::MAX);
    }

    /// Changes how much a side reads and tells its connection, as a session does.
    pub(super) fn set_room(&mut self, side: usize, room: Room) {
        let reading = room.messages > 0;
        self.sides[side].room = room;
        self.sides[side].connection.set_reading(reading, self.now);
    }

    /// Lets `time` pass; stops at every moment at which something happens.
    pub(super) fn run(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            self.settle();
            let arrivals = self.lanes.iter().filter_map(|lane| lane.in_flight.front());
            let arrivals = arrivals.map(|(at, _)| *at);
            let live = self.sides.iter().filter(|side| !side.ended);
            let deadlines = live.filter_map(|side| side.connection.deadline());
            let next = arrivals.chain(deadlines).min().unwrap_or(end);
            if next > end {
                self.now = end;
                return;
            }
            self.now = next.max(self.now);
            if self.now == end && next == end && !self.due(end) {
                return;
            }
        }
    }

    fn due(&self, now: Instant) -> bool {
        let mut arrivals = self.lanes.iter().filter_map(|lane| lane.in_flight.front());
        let mut deadlines = self.sides.iter().filter(|side| !side.ended);
        arrivals.any(|(at, _)| *at <= now)
            || deadlines.any(|side| side.connection.deadline().is_some_and(|at| at <= now))
    }

    /// Everything that happens at this instant.
    fn settle(&mut self) {
        let now = self.now;
        for index in [0, 1] {
            let (mut arrived, mut closed) = (Vec::new(), false);
            let lane = &mut self.lanes[index];
            while lane.in_flight.front().is_some_and(|(at, _)| *at <= now) {
                let (_, bytes) = lane.in_flight.pop_front().unwrap();
                closed |= bytes.is_empty();
                arrived.extend(bytes);
            }
            let piece = lane.piece;
            let side = &mut self.sides[1 - index];
            side.kernel.extend(arrived);
            side.read(piece, now);
            side.ended |= closed;
        }
        for index in [0, 1] {
            let side = &mut self.sides[index];
            if side.ended {
                continue;
            }
            if side.fault.is_none() {
                side.fault = side.connection.on_deadline(now).err();
            }
            let mut written = side.write();
            let lane = &mut self.lanes[index];
            let changed = lane.corrupt.and_then(|at| at.checked_sub(lane.carried));
            let changed = changed.map(|at| usize::try_from(at).unwrap());
            if let Some(byte) = changed.and_then(|at| written.get_mut(at)) {
                *byte ^= 0xf8;
            }
            lane.carried += written.len() as u64;
            let mut put = |bytes: Vec<u8>| {
                if !lane.dead {
                    lane.in_flight.push_back((now + lane.delay, bytes));
                }
            };
            if !written.is_empty() {
                put(written);
            }
            if side.fault.is_some() || side.closes {
                // Closed: the end of the stream travels behind the last bytes.
                side.ended = true;
                put(Vec::new());
            }
        }
    }
}

impl Side {
    /// Messages that have not been written.
    pub(super) fn unsent(&self) -> usize {
        self.queued.messages()
    }

    /// Reads what the kernel holds, piece by piece, for as long as there is room.
    fn read(&mut self, piece: usize, now: Instant) {
        self.receive(now);
        while self.fault.is_none()
            && !self.ended
            && self.room.messages > 0
            && !self.kernel.is_empty()
        {
            let mut target = self.connection.read_target();
            let count = target.remaining_mut().min(piece).min(self.kernel.len());
            let bytes: Vec<u8> = self.kernel.drain(..count).collect();
            target.put_slice(&bytes);
            self.receive(now);
        }
    }

    fn receive(&mut self, now: Instant) {
        while self.fault.is_none() {
            match self.connection.receive(self.room, now) {
                Ok(None) => return,
                Ok(Some(Incoming::Introduced(peer, _))) => {
                    self.peer = Some(peer);
                    if self.admits {
                        self.connection.accept(Admission::granted(), now);
                    } else {
                        self.closes = true;
                        return;
                    }
                }
                Ok(Some(Incoming::Messages(mut batch))) => {
                    while let Some(message) = batch.pop() {
                        self.messages.push(message);
                    }
                }
                Err(fault) => {
                    self.connection.refuse(&fault);
                    self.fault = Some(fault);
                }
            }
        }
    }

    /// What the session writes now: control bytes, then messages if the peer is ready.
    fn write(&mut self) -> Vec<u8> {
        let mut out = std::mem::take(self.connection.outgoing());
        if self.connection.is_ready() {
            match self.connection.outbound(std::mem::take(&mut self.queued)) {
                Ok(transmit) => out.extend(transmit.contents()),
                Err(fault) => self.fault = Some(fault),
            }
        }
        out
    }
}
