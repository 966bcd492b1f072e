//! Request-reply envelopes: the frames in front of a request that lead its reply home.
//!
//! RFC 28: a REQ puts an empty delimiter frame in front of every request; ROUTERs on the way put
//! addresses in front of that. A REP keeps everything up to and including the first empty frame
//! and puts it in front of the reply.

use crate::message::Message;
use crate::wire::frame::{self, MORE};

/// What a REQ puts in front of a request: one empty frame that announces more.
pub(crate) const DELIMITER: &[u8] = &[MORE, 0];

/// What a correlating REQ puts there instead: its number for the request, which a REP sends back
/// without looking at it, and the delimiter.
pub(crate) const fn numbered(number: u32) -> [u8; 8] {
    let [a, b, c, d] = number.to_be_bytes();
    [MORE, 4, a, b, c, d, MORE, 0]
}

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
pub(crate) fn open_reply(message: &Message) -> Option<Message> {
    if !message.first().is_empty() {
        return None;
    }
    message.skip_frames(1)
}

/// A reply, as a correlating REQ sees it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Numbered {
    /// To the request of this number.
    Reply(u32, Message),
    /// It has a delimiter and a body, but no number: nobody can say what it answers.
    Unnumbered,
    Malformed,
}

/// Takes a reply apart into number and body.
pub(crate) fn open_numbered(message: &Message) -> Numbered {
    let (first, second) = (message.first(), message.frame(1));
    match (first.first_chunk(), second) {
        (Some(number), Some([])) if first.len() == number.len() => {
            let number = u32::from_be_bytes(*number);
            message
                .skip_frames(2)
                .map_or(Numbered::Malformed, |body| Numbered::Reply(number, body))
        }
        (None, Some(_)) if first.is_empty() => Numbered::Unnumbered,
        _ => Numbered::Malformed,
    }
}

/// Whether a reply brings a number back.
pub(crate) fn is_numbered(reply: &Message) -> bool {
    reply.first().len() == size_of::<u32>()
        && reply.frame(1).is_some_and(<[u8]>::is_empty)
        && reply.len() > 2
}

/// The number in the first frame of a request that was sent behind [`numbered`].
pub(crate) fn number(first: &[u8]) -> Option<u32> {
    let number = first.try_into().ok()?;
    Some(u32::from_be_bytes(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_numbered_reply_brings_its_number_back() {
        let message =
            |frames: &[&[u8]]| Message::from(frames.iter().map(|f| f.to_vec()).collect::<Vec<_>>());
        let number = 0x0102_0304;
        assert_eq!(numbered(number), *b"\x01\x04\x01\x02\x03\x04\x01\x00");
        let reply = message(&[b"\x01\x02\x03\x04", b"", b"yes", b""]);
        assert_eq!(super::number(reply.first()), Some(number));
        let body = Message::from(["yes", ""]);
        assert_eq!(open_numbered(&reply), Numbered::Reply(number, body));
        for unnumbered in [&[&b""[..], b"yes"][..], &[b"", b""]] {
            assert_eq!(open_numbered(&message(unnumbered)), Numbered::Unnumbered);
        }
        for malformed in [
            &[&b""[..]][..],
            &[b"1234"],
            &[b"1234", b""],
            &[b"1234", b"x", b"yes"],
            &[b"123", b"", b"yes"],
            &[b"12345", b"", b"yes"],
        ] {
            assert_eq!(open_numbered(&message(malformed)), Numbered::Malformed);
        }
    }

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
            open_reply(&Message::from(["", "yes"])),
            Some(Message::from("yes"))
        );
        assert_eq!(
            open_reply(&Message::from(["", ""])),
            Some(Message::from(""))
        );
        assert_eq!(open_reply(&Message::from(["x", "yes"])), None);
        assert_eq!(open_reply(&Message::from("")), None);
    }
}
