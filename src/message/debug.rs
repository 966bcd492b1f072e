//! A message in a log: recognisable, and never a flood.

use std::fmt;

use super::Message;

/// Bytes shown of each frame.
const PREFIX: usize = 32;

/// Frames shown of each message.
const FRAMES: usize = 16;

impl fmt::Debug for Message {
    /// The readable prefix of each frame, with its size where the prefix is cut; how many frames
    /// and bytes follow where there are more than 16.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Message")?;
        let mut list = f.debug_list();
        list.entries(self.frames().take(FRAMES).map(FramePreview));
        let (frames, bytes) = self
            .frames()
            .skip(FRAMES)
            .fold((0_usize, 0_usize), |(frames, bytes), frame| {
                (frames + 1, bytes.saturating_add(frame.len()))
            });
        if frames > 0 {
            list.entry(&format_args!("… ({frames} more frames, {bytes} bytes)"));
        }
        list.finish()
    }
}

struct FramePreview<'a>(&'a [u8]);

impl fmt::Debug for FramePreview<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.0.get(..PREFIX).unwrap_or(self.0);
        write!(f, "\"{}\"", shown.escape_ascii())?;
        if shown.len() < self.0.len() {
            write!(f, "… ({} bytes)", self.0.len())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_a_readable_prefix_are_shown() {
        let message = Message::from([&b"a\x00b"[..], &[b'x'; 100]]);
        let shown = format!("{message:?}");
        assert!(shown.starts_with(r#"Message["a\x00b", "xxxx"#), "{shown}");
        assert!(shown.ends_with("… (100 bytes)]"), "{shown}");
    }

    #[test]
    fn what_is_shown_is_bounded_whatever_the_message() {
        let message = Message::from(vec![[0xff_u8; 1000].as_slice(); 8192]);
        let shown = format!("{message:?}");
        assert!(
            shown.ends_with("… (8176 more frames, 8176000 bytes)]"),
            "{shown}"
        );
        assert!(shown.len() < FRAMES * (PREFIX * 4 + 32) + 64);
    }
}
