//! Frames of ZMTP: made once and copied, and found again in what arrives.

use anyhow::{Result, ensure};

use crate::pace::Phase;
use crate::payload::Payload;

/// What is written and read at a time.
pub const BUFFER: usize = 64 << 10;
const LONG_HEADER: usize = 9;

/// The first bytes of a frame whose body has this length.
pub fn header(length: usize) -> Vec<u8> {
    match u8::try_from(length) {
        Ok(length) => vec![0, length],
        Err(_) => {
            let mut header = vec![2];
            header.extend((length as u64).to_be_bytes());
            header
        }
    }
}

/// A message that is sent many times, but for its phase and its number.
pub struct Frame {
    payload: Payload,
    header: Vec<u8>,
}

impl Frame {
    pub fn new(size: usize) -> Self {
        Self {
            payload: Payload::new(size),
            header: header(size),
        }
    }

    pub fn set(&mut self, phase: Phase, sequence: Option<u64>) {
        self.payload.set_phase(phase);
        if let Some(sequence) = sequence {
            self.payload.set_sequence(sequence);
        }
    }

    pub fn len(&self) -> usize {
        self.header.len() + self.payload.bytes().len()
    }

    pub fn write_to(&self, buffer: &mut Vec<u8>) {
        put(buffer, &self.header, self.payload.bytes());
    }
}

/// One frame more in the buffer.
pub fn put(buffer: &mut Vec<u8>, header: &[u8], body: &[u8]) {
    buffer.extend_from_slice(header);
    buffer.extend_from_slice(body);
}

/// The buffer of a reader. It never holds more than one frame that is larger than itself.
pub struct Frames {
    buffer: Vec<u8>,
    start: usize,
    end: usize,
}

impl Frames {
    pub fn new(size: usize) -> Self {
        Self {
            buffer: vec![0; BUFFER.max(size + LONG_HEADER)],
            start: 0,
            end: 0,
        }
    }

    /// Where to read next: behind the beginning of a frame that has not arrived yet.
    pub fn room(&mut self) -> &mut [u8] {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        self.buffer.get_mut(self.end..).unwrap_or_default()
    }

    /// So many bytes have been read there; none means that the other side has gone.
    pub fn arrived(&mut self, bytes: usize) -> Result<()> {
        ensure!(bytes > 0, "the connection has been closed");
        self.end += bytes;
        Ok(())
    }

    /// The body of the next frame, if all of it is there.
    pub fn next(&mut self) -> Option<&[u8]> {
        let bytes = self.buffer.get(self.start..self.end)?;
        let (header, length) = match bytes {
            [0, length, ..] => (2, usize::from(*length)),
            [2, rest @ ..] => {
                let length = u64::from_be_bytes(*rest.first_chunk()?);
                (LONG_HEADER, usize::try_from(length).ok()?)
            }
            _ => return None,
        };
        let body = bytes.get(header..)?.get(..length)?;
        self.start += header + length;
        Some(body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_back_whatever_the_reads() {
        for size in [1, 255, 256, 70_000] {
            let mut sent = Vec::new();
            for _ in 0..3 {
                Frame::new(size).write_to(&mut sent);
            }
            let mut frames = Frames::new(size);
            let mut seen = 0;
            let mut rest = sent.as_slice();
            while !rest.is_empty() {
                let room = frames.room();
                let (read, later) = rest.split_at(room.len().min(rest.len()).min(1000));
                room[..read.len()].copy_from_slice(read);
                frames.arrived(read.len()).unwrap();
                rest = later;
                while let Some(body) = frames.next() {
                    assert_eq!(body, Payload::new(size).bytes());
                    seen += 1;
                }
            }
            assert_eq!(seen, 3);
        }
    }
}
