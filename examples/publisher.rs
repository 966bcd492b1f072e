//! A station that broadcasts: the PUB side of *publish and subscribe*.
//!
//! ```text
//! cargo run --example publisher        # broadcasts on port 5557
//! cargo run --example subscriber       # in as many other terminals as you like: listens
//! ```
//!
//! A publisher sends each message to those who have subscribed to a prefix of it. It never waits
//! for anyone: who is not there misses the message, and who cannot keep up misses some.

mod console;

use clap::Parser;
use console::Lines;
use wirelark::PubSocket;

#[derive(Parser)]
#[command(about = "Publishes `TOPIC CONTENT` for every line of topic and line of content")]
struct Arguments {
    /// Where to listen for subscribers
    #[arg(value_name = "ENDPOINT", default_value = "tcp://*:5557")]
    endpoint: String,
}

#[tokio::main]
async fn main() -> console::Outcome {
    let arguments = Arguments::parse();

    let publisher = PubSocket::new();
    let bound = publisher.bind(arguments.endpoint.as_str()).await?;
    eprintln!("Publishing on {bound}");

    tokio::select! {
        result = publish(&publisher) => result?,
        _ = tokio::signal::ctrl_c() => {}
    }
    console::see_off(publisher.close()).await;
    Ok(())
}

/// Ends at an empty topic or at the end of the input.
async fn publish(publisher: &PubSocket) -> console::Outcome {
    let mut lines = Lines::read();
    while let Some(topic) = lines.ask("Topic> ").await {
        if topic.is_empty() {
            break;
        }
        let Some(content) = lines.ask("Content> ").await else {
            break;
        };
        // Topic and content are one frame here: subscriptions match the beginning of a message's
        // first frame. `[topic, content]` would send two, which keeps them apart for the receiver.
        publisher.send(format!("{topic} {content}")).await?;
    }
    Ok(())
}
