//! A server that answers questions: the REP side of *request and reply*.
//!
//! ```text
//! cargo run --example rep            # serves on ports 5555 and 5556
//! cargo run --example req            # in another terminal: asks
//! ```
//!
//! A REP socket may be bound to any number of endpoints and serve any number of clients. It takes
//! their requests in turns, and each reply finds its own way back to the client that asked.

mod console;

use clap::Parser;
use wirelark::RepSocket;

#[derive(Parser)]
#[command(about = "Answers every request TEXT with `* TEXT`")]
struct Arguments {
    /// Where to listen. `*` stands for all addresses of this machine
    #[arg(value_name = "ENDPOINT", default_values = ["tcp://*:5555", "tcp://*:5556"])]
    endpoints: Vec<String>,
}

#[tokio::main]
async fn main() -> console::Outcome {
    let arguments = Arguments::parse();

    let rep = RepSocket::new();
    for endpoint in &arguments.endpoints {
        // `bind` tells which endpoint it got in the end: with port 0 the system picks a free one.
        let bound = rep.bind(endpoint.as_str()).await?;
        eprintln!("Listening on {bound}");
    }

    // A server runs until somebody presses Ctrl-C. Both branches may be waiting; the first that is
    // done decides.
    tokio::select! {
        result = serve(&rep) => result?,
        _ = tokio::signal::ctrl_c() => {}
    }

    // Replies that are still on their way are sent before the program ends.
    console::see_off(rep.close()).await;
    Ok(())
}

async fn serve(rep: &RepSocket) -> console::Outcome {
    loop {
        let request = rep.recv().await?;
        println!("Received request: {}", request.text());
        let reply = format!("* {}", request.text());
        // A request knows whom to answer. It could as well be moved to another task and be answered
        // later, while this loop takes the next one.
        if let Err(error) = request.reply(reply).await {
            // One client that did not wait is no reason to leave the others alone.
            eprintln!("Not answered: {error}");
        }
    }
}
