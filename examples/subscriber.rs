//! A listener that hears what it asked for: the SUB side of *publish and subscribe*.
//!
//! ```text
//! cargo run --example subscriber                                # hears all of port 5557
//! cargo run --example subscriber tcp://localhost:5557 weather   # only what begins with `weather`
//! ```
//!
//! The prefix is sent to the publisher, so that what nobody wants does not travel. Should the
//! publisher be restarted, the socket finds it again and repeats its subscriptions; what was
//! published in between is missed.

mod console;

use clap::Parser;
use wirelark::SubSocket;

#[derive(Parser)]
#[command(about = "Prints every message that begins with a prefix")]
struct Arguments {
    /// The publisher
    #[arg(value_name = "ENDPOINT", default_value = "tcp://localhost:5557")]
    endpoint: String,
    /// What messages must begin with; everything does begin with nothing
    #[arg(value_name = "PREFIX", default_value = "")]
    prefix: String,
}

#[tokio::main]
async fn main() -> console::Outcome {
    let arguments = Arguments::parse();

    // A SUB socket without a subscription receives nothing.
    let subscriber = SubSocket::builder().subscribe(arguments.prefix).build();
    subscriber.connect(arguments.endpoint.as_str())?;

    tokio::select! {
        result = listen(&subscriber) => result?,
        _ = tokio::signal::ctrl_c() => {}
    }
    subscriber.close().await;
    Ok(())
}

async fn listen(subscriber: &SubSocket) -> console::Outcome {
    loop {
        let message = subscriber.recv().await?;
        println!("Got: {}", message.text());
    }
}
