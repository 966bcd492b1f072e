//! The end of a *pipeline*: collects what the ventilator and the workers have to say.
//!
//! ```text
//! cargo run --example sink                         # until Ctrl-C
//! cargo run --example sink -- --count 11           # one batch: a `Go` and ten results
//! ```
//!
//! PULL takes messages from all its peers in turns, so that a busy one cannot silence the others.

mod console;

use clap::Parser;
use wirelark::PullSocket;

#[derive(Parser)]
#[command(about = "Prints what the ventilator and the workers report")]
struct Arguments {
    /// How many messages to wait for; by default it runs until Ctrl-C
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    /// Where to listen
    #[arg(long, value_name = "ENDPOINT", default_value = "tcp://*:5000")]
    endpoint: String,
}

#[tokio::main]
async fn main() -> console::Outcome {
    let arguments = Arguments::parse();

    let pull = PullSocket::new();
    let bound = pull.bind(arguments.endpoint.as_str()).await?;
    eprintln!("Collecting on {bound}");

    tokio::select! {
        result = collect(&pull, arguments.count) => result?,
        _ = tokio::signal::ctrl_c() => {}
    }
    pull.close().await;
    Ok(())
}

async fn collect(pull: &PullSocket, count: Option<u64>) -> console::Outcome {
    let mut received = 0;
    while count.is_none_or(|count| received < count) {
        let message = pull.recv().await?;
        println!("sink > {}", message.text());
        received += 1;
    }
    Ok(())
}
