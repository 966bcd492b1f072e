//! Request-reply envelopes: the frames in front of a request that lead its reply home.
//!
//! RFC 28: a REQ puts an empty delimiter frame in front of every request; ROUTERs on the way put
//! addresses in front of that. A REP keeps everything up to and including the first empty frame
//! and puts it in front of the reply.

use crate::message::Message;
use crate::wire::frame::{self, MORE};

/// What a REQ puts in front of a request: one empty frame that announces more.
pub(crate) const DELIMITER: &[u8] = &[MORE, 0];

/// Encoded frames, all of which announce more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Envelope(Box<[u8]>);

impl Envelope {
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Takes a request apart into its envelope and its body; `None` where the delimiter or the body is
/// missing.
pub(crate) fn open_request(message: Message) -> Option<(Envelope, Message)> {
    let delimiter = message.frames().position(<[u8]>::is_empty)?;
    let mut envelope = Vec::new();
    for address in message.frames().take(delimiter + 1) {
        frame::put_frame(&mut envelope, MORE, address);
    }
    let body = message.skip_frames(delimiter + 1)?;
    Some((Envelope(envelope.into()), body))
}

/// Takes the delimiter off a reply; `None` where there is no delimiter in front or no body behind.
pub(crate) fn open_reply(message: Message) -> Option<Message> {
    if !message.first().is_empty() {
        return None;
    }
    message.skip_frames(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_the_first_empty_frame_are_the_envelope() {
        let request = Message::from(["far", "near", "", "body", "", "tail"]);
        let (envelope, body) = open_request(request).unwrap();
        assert_eq!(envelope.as_bytes(), b"\x01\x03far\x01\x04near\x01\x00");
        assert_eq!(body, Message::from(["body", "", "tail"]));
    }

    #[test]
    fn without_delimiter_or_body_there_is_no_request() {
        assert_eq!(open_request(Message::from("body")), None);
        assert_eq!(open_request(Message::from("")), None);
        assert_eq!(open_request(Message::from(["a", ""])), None);
    }

    #[test]
    fn a_reply_starts_with_the_delimiter() {
        assert_eq!(
            open_reply(Message::from(["", "yes"])),
            Some(Message::from("yes"))
        );
        assert_eq!(open_reply(Message::from(["", ""])), Some(Message::from("")));
        assert_eq!(open_reply(Message::from(["x", "yes"])), None);
        assert_eq!(open_reply(Message::from("")), None);
    }
}
