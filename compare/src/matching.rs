//! Topics as devices would publish them, and which of them are subscribed to.

use std::io::Write;
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::acks::Window;
use crate::pace::Phase;
use crate::payload::Payload;
use crate::task::Task;

/// Where the payload begins in a message, behind the longest topic.
const ROOM: usize = 24;
/// Where in the order of the prefixes the next topic comes from; has no divisor in common with how many
/// there are, so each has its turn, and the next is never near.
const STRIDE: usize = 7_919;
const REGIONS: [&str; 4] = ["eu", "us-east", "us-west", "apac"];
const KINDS: [&str; 4] = ["temp", "rpm", "amp", "load"];

/// Between two of the messages that find out whether all subscriptions have arrived. An XPUB would show
/// them, but to show a hundred thousand takes memory that a PUB does not need.
pub const PROBE_EVERY: Duration = Duration::from_millis(1);

/// The prefix with this number: 8 to 20 bytes, as long as it has no more than six digits.
fn prefix(number: usize) -> Vec<u8> {
    let region = REGIONS.iter().cycle().nth(number % 4).unwrap_or(&"");
    let kind = KINDS.iter().cycle().nth(number / 4 % 4).unwrap_or(&"");
    format!("{region}.{number}.{kind}.").into_bytes()
}

/// The prefixes that are subscribed to before there is a connection. The one that is left follows when
/// a message has shown that there is: only then is it certain that no other one comes after it.
pub fn first_prefixes(task: &Task) -> impl Iterator<Item = Vec<u8>> {
    (0..task.prefixes.saturating_sub(1)).map(prefix)
}

pub fn last_prefix(task: &Task) -> Vec<u8> {
    prefix(task.prefixes.saturating_sub(1))
}

/// The payload of a message that has a topic.
pub fn payload_of(message: &[u8]) -> Result<&[u8]> {
    message
        .get(ROOM..)
        .context("a message shorter than a topic")
}

/// The messages of the publisher, every other one of which is subscribed to. The others are of
/// devices that nobody has asked for.
pub struct Topics {
    /// First those that are subscribed to, then as many others.
    topics: Vec<[u8; ROOM]>,
    prefixes: usize,
    next: usize,
    message: Vec<u8>,
    payload: Payload,
}

impl Topics {
    pub fn new(task: &Task) -> Self {
        let topic = |number| {
            let mut topic = [b' '; ROOM];
            // All of it has room.
            (&mut topic[..]).write_all(&prefix(number)).ok();
            topic
        };
        Self {
            topics: (0..task.prefixes * 2).map(topic).collect(),
            prefixes: task.prefixes,
            next: 0,
            message: Vec::with_capacity(task.size),
            payload: Payload::new(task.size.saturating_sub(ROOM)),
        }
    }

    /// Messages outside of what is counted, one of which the first prefix matches and the other the last.
    pub fn probes(&mut self) -> [Vec<u8>; 2] {
        self.payload.set_phase(Phase::WarmUp);
        self.payload.set_sequence(0);
        let last = self.prefixes.saturating_sub(1);
        [0, last].map(|number| {
            let topic = self.topics.get(number).into_iter().flatten();
            topic.chain(self.payload.bytes()).copied().collect()
        })
    }

    /// Whether the next message is subscribed to. The last one of all is.
    pub fn is_wanted(&self, phase: Phase) -> bool {
        self.next % 2 == 0 || phase.is_end()
    }

    /// The next message; only those that arrive somewhere are numbered.
    pub fn next(&mut self, phase: Phase, window: &mut Window) -> &[u8] {
        let number = (self.next * STRIDE) % self.prefixes.max(1);
        let others = match self.is_wanted(phase) {
            true => {
                self.payload.set_sequence(window.next_sequence());
                0
            }
            false => self.prefixes,
        };
        self.next += 1;
        self.payload.set_phase(phase);
        self.message.clear();
        let topic = self.topics.get(number + others);
        self.message.extend(topic.into_iter().flatten());
        self.message.extend(self.payload.bytes());
        &self.message
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_prefix_is_another_or_begins_one() {
        let prefixes: HashSet<Vec<u8>> = (0..200_000).map(prefix).collect();
        assert_eq!(prefixes.len(), 200_000);
        assert!(
            prefixes
                .iter()
                .all(|prefix| (8..=20).contains(&prefix.len()))
        );
        let within = |prefix: &[u8]| (1..prefix.len()).any(|end| prefixes.contains(&prefix[..end]));
        assert!(!prefixes.iter().any(|prefix| within(prefix)));
    }
}
