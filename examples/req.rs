//! A client that asks questions: the REQ side of *request and reply*.
//!
//! ```text
//! cargo run --example req                          # asks the server on this machine, port 5555
//! cargo run --example req 5556                     # another port
//! cargo run --example req tcp://example.org:5555   # another machine
//! ```
//!
//! Start it before the server if you like: the connection is made when the server appears.

mod console;

use clap::Parser;
use console::Lines;
use wirelark::ReqSocket;

#[derive(Parser)]
#[command(about = "Sends each line of input as a request and prints the reply")]
struct Arguments {
    /// The server: an endpoint, or the number of a port on this machine
    #[arg(value_name = "ENDPOINT or PORT", default_value = "5555")]
    server: String,
}

#[tokio::main]
async fn main() -> console::Outcome {
    let arguments = Arguments::parse();
    let is_port = arguments.server.parse::<u32>().is_ok();
    let endpoint = if is_port {
        format!("tcp://localhost:{}", arguments.server)
    } else {
        arguments.server
    };

    // `connect` does not wait for the network. It is an error only if the endpoint makes no sense.
    let req = ReqSocket::new();
    req.connect(endpoint.as_str())?;

    tokio::select! {
        () = talk(&req) => {}
        _ = tokio::signal::ctrl_c() => {}
    }
    console::see_off(req.close()).await;
    Ok(())
}

/// Ends at an empty line or at the end of the input.
async fn talk(req: &ReqSocket) {
    let mut lines = Lines::read();
    while let Some(line) = lines.ask("Message> ").await {
        if line.is_empty() {
            return;
        }
        match req.request(line).await {
            Ok(reply) => println!("> {}", reply.text()),
            // The server went away before it answered. Whether it has done what we asked, nobody
            // knows; so it is for us to decide whether to ask again. The socket reconnects by
            // itself.
            Err(error) => eprintln!("No reply: {error}"),
        }
    }
}
