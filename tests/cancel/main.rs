//! Futures, dropped at every poll: nothing is lost, nothing comes twice, and no wake-up is swallowed that somebody else
//! waits for.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../kit/dropping.rs"]
mod dropping;

mod pair;
mod pipeline;
mod publish;
mod req;
mod router;

use wirelark::AnySocket;

/// What a sender takes at once, text by text, until it has no room.
fn filled(try_send: impl Fn(&str) -> bool) -> Vec<String> {
    let texts = (0..).map(|number| format!("first {number}"));
    texts.take_while(|text| try_send(text)).collect()
}

/// All that comes, up to the text "last".
async fn read_until_last(receiver: AnySocket) -> Vec<String> {
    let mut texts = Vec::new();
    while texts.last().is_none_or(|text| text != "last") {
        let message = receiver.recv().await.expect("the socket is open");
        texts.push(message.text().into_owned());
    }
    texts
}
