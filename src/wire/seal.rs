//! [`Seal`]: what stands between the frames of a connection and the network where a mechanism encrypts.
//!
//! Inbound, it is a reader in front of the [`Decoder`]: it takes whole encrypted frames from its own buffer,
//! opens them in place, and feeds the decoder with the frames in the clear, as if they had come from
//! the network. So every rule is held in one place, encrypted or not. Nothing is fed before its proof has
//! been checked, so nobody on the way can make the decoder see anything.
//!
//! Outbound, it turns a whole batch into encrypted frames. The batch in the clear is kept until they are
//! written: what has to be taken back is taken back from there.

use super::batch::Batch;
use super::decoder::Decoder;
use super::frame::{self, Header};
use super::large::LargeFrame;
use super::mechanism::curve::message::{OVERHEAD, Opener, Sealer, Sealing};
use super::partials::Share;
use super::read_buffer::{READ_MAX, ReadBuffer, ReadTarget};
use super::transmit::Transmit;
use crate::fault::{PeerFault, ProtocolError};

/// A buffer that has grown beyond this is not kept for the next batch.
const KEPT_MAX: usize = 256 * 1024;

/// See the [module](self).
#[derive(Debug)]
pub(super) struct Seal {
    sealer: Sealer,
    opener: Opener,
    /// What has been read.
    input: ReadBuffer,
    /// The frame that is being read into its own buffer.
    large: Option<LargeFrame>,
    /// What that counts for.
    share: Share,
    /// Found behind frames that go first.
    fault: Option<PeerFault>,
    /// The buffer of the last encrypted batch.
    spare: Vec<u8>,
}

impl Seal {
    /// `input` is what has been read behind the handshake.
    pub(super) fn new(
        Sealing { sealer, opener }: Sealing,
        input: ReadBuffer,
        share: Share,
    ) -> Self {
        Self {
            sealer,
            opener,
            input,
            large: None,
            share,
            fault: None,
            spare: Vec::new(),
        }
    }

    /// Where to read next. Takes at least one byte.
    pub(super) fn read_target(&mut self) -> ReadTarget<'_> {
        match &mut self.large {
            Some(large) if !large.is_complete() => large.read_target(),
            _ => self.input.read_target(),
        }
    }

    /// Whether anything was read since the last call of [`read_target`](Self::read_target).
    pub(super) fn arrived(&mut self) -> bool {
        let large = self.large.as_mut().is_some_and(LargeFrame::take_arrived);
        self.input.take_arrived() || large
    }

    /// Whether there is nothing to read into yet.
    pub(super) fn has_no_buffer(&self) -> bool {
        self.large.is_none() && self.input.has_no_memory()
    }

    pub(super) fn release_idle_buffer(&mut self) {
        self.input.release_if_empty();
        self.spare = Vec::new();
    }

    /// Opens what has arrived and feeds the decoder, which has used up what it was fed before; false if
    /// that takes more bytes.
    pub(super) fn unseal(&mut self, decoder: &mut Decoder) -> Result<bool, PeerFault> {
        if let Some(fault) = self.fault.take() {
            return Err(fault);
        }
        if let Some(large) = self.large.take_if(|large| large.is_complete()) {
            self.share.release();
            self.unseal_large(large.into_body(), decoder)?;
            return Ok(true);
        }
        if let Some(large) = &mut self.large {
            let length = large.length();
            large.prepare(length, &mut self.share)?;
            return Ok(false);
        }
        // What is inside is shorter than what is around it.
        let most = self.input.bytes().len().min(READ_MAX);
        decoder.expect(most);
        let mut fed = 0usize;
        while fed < READ_MAX {
            match self.unseal_next(decoder, fed > 0) {
                Ok(0) => break,
                Ok(more) => fed = fed.saturating_add(more),
                Err(fault) if fed == 0 => return Err(fault),
                Err(fault) => {
                    self.fault = Some(fault);
                    break;
                }
            }
        }
        Ok(fed > 0)
    }

    /// Opens the next frame, if it is there: how many bytes it was, or zero.
    fn unseal_next(&mut self, decoder: &mut Decoder, any: bool) -> Result<usize, PeerFault> {
        let Some(header) = parse(self.input.bytes(), decoder)? else {
            return Ok(0);
        };
        let total = usize::try_from(header.body)
            .unwrap_or(usize::MAX)
            .saturating_add(header.head);
        if total > READ_MAX {
            // What has been fed goes first.
            if !any {
                self.begin_large(header);
            }
            return Ok(0);
        }
        let Some(body) = self.input.bytes_mut().get_mut(header.head..total) else {
            return Ok(0);
        };
        let (flags, start) = self.opener.open(body)?;
        decoder.feed(flags, body.get(start..).unwrap_or_default());
        self.input.consume(total);
        Ok(total)
    }

    fn begin_large(&mut self, header: Header) {
        self.input.consume(header.head);
        let mut large = LargeFrame::new(header);
        let here = self.input.bytes();
        let here = here.get(..large.missing()).unwrap_or(here);
        large.extend(here);
        let taken = here.len();
        self.input.consume(taken);
        self.input.shrink_reads();
        self.large = Some(large);
    }

    fn unseal_large(&mut self, mut body: Vec<u8>, decoder: &mut Decoder) -> Result<(), PeerFault> {
        let (flags, start) = self.opener.open(&mut body)?;
        decoder.feed_large(flags, body, start);
        Ok(())
    }

    /// Encrypts a whole batch.
    pub(super) fn seal(&mut self, batch: Batch) -> Result<Transmit, PeerFault> {
        let mut out = std::mem::take(&mut self.spare);
        out.clear();
        let mut result = Ok(());
        batch.each_frame(|flags, body| {
            if result.is_ok() {
                result = self.sealer.seal(flags, body, &mut out);
            }
        });
        result?;
        Ok(Transmit::sealed(batch, out, OVERHEAD))
    }

    /// Encrypts one frame, which is in wire form.
    pub(super) fn seal_frame(
        &mut self,
        encoded: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), PeerFault> {
        let mut result = Ok(());
        Batch::copied(encoded, 1).each_frame(|flags, body| {
            result = self.sealer.seal(flags, body, out);
        });
        result
    }

    #[cfg(test)]
    pub(super) fn skip_nonces(&mut self, next: u64) {
        self.sealer.skip_to(next);
        self.opener.skip_to(next);
    }

    /// Takes the buffer of a batch that has been written.
    pub(super) fn recycle(&mut self, buffer: Vec<u8>) {
        if buffer.capacity() <= KEPT_MAX {
            self.spare = buffer;
        }
    }
}

/// The header of the next encrypted frame, within the limits for what is inside it.
fn parse(bytes: &[u8], decoder: &Decoder) -> Result<Option<Header>, PeerFault> {
    // Whether it is a message or a command outside does not matter, nor what it announces: only what is
    // inside has been proved.
    let header = match frame::parse(bytes) {
        Ok(header) => header,
        Err(error) => return Err(ProtocolError::from(error).into()),
    };
    if let Some(header) = header {
        let overhead = u64::try_from(OVERHEAD).unwrap_or(u64::MAX);
        decoder.judge_sealed(header.body.saturating_sub(overhead))?;
    }
    Ok(header)
}
