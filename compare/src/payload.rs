//! The bytes that both sides send: phase, sequence number, filling.

use std::ops::Range;

use anyhow::{Context as _, Result, ensure};

use crate::pace::Phase;

/// Where a fan-out message carries its number.
const SEQUENCE: Range<usize> = 8..16;

/// What a sender copies into each message. Never shorter than the phase byte.
pub struct Payload(Vec<u8>);

impl Payload {
    pub fn new(size: usize) -> Self {
        Self(vec![b'x'; size.max(1)])
    }

    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    pub fn set_phase(&mut self, phase: Phase) {
        if let Some(first) = self.0.first_mut() {
            *first = phase.byte();
        }
    }

    pub fn set_sequence(&mut self, sequence: u64) {
        if let Some(room) = self.0.get_mut(SEQUENCE) {
            room.copy_from_slice(&sequence.to_le_bytes());
        }
    }

    pub fn sequence_of(message: &[u8]) -> Result<u64> {
        let bytes = message
            .get(SEQUENCE)
            .context("a message without a sequence number")?;
        Ok(u64::from_le_bytes(bytes.try_into()?))
    }

    /// A wrong reply must not count as a fast one.
    pub fn check_echo(&self, reply: &[u8]) -> Result<()> {
        ensure!(
            reply == self.0,
            "the reply is not what was sent ({} bytes)",
            reply.len()
        );
        Ok(())
    }
}
