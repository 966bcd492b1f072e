//! The head of a *pipeline*: hands out jobs to whoever is free.
//!
//! ```text
//! cargo run --example sink                         # collects results on port 5000
//! cargo run --example worker                       # in as many terminals as you like
//! cargo run --example ventilator                   # hands out jobs on port 5001
//! ```
//!
//! PUSH sends each message to exactly one of its peers, in turns. Add workers, and the work is done
//! sooner; no line of any program changes.

mod console;

use std::time::Duration;

use clap::Parser;
use console::Lines;
use wirelark::PushSocket;

#[derive(Parser)]
#[command(about = "Hands out batches of jobs to the workers")]
struct Arguments {
    /// How many jobs make a batch
    #[arg(long, value_name = "N", default_value_t = 10)]
    jobs: u32,
    /// How many batches to send without asking; by default each Return starts one
    #[arg(long, value_name = "N")]
    batches: Option<u32>,
    /// Where the workers connect
    #[arg(long, value_name = "ENDPOINT", default_value = "tcp://*:5001")]
    workers: String,
    /// The sink
    #[arg(long, value_name = "ENDPOINT", default_value = "tcp://localhost:5000")]
    sink: String,
}

#[tokio::main]
async fn main() -> console::Outcome {
    let arguments = Arguments::parse();

    let workers = PushSocket::new();
    let bound = workers.bind(arguments.workers.as_str()).await?;
    eprintln!("Handing out jobs on {bound}");

    // What cannot be delivered is kept for this long when the program is about to end.
    let sink = PushSocket::builder().linger(Duration::from_secs(5)).build();
    sink.connect(arguments.sink.as_str())?;

    tokio::select! {
        result = run(&arguments, &workers, &sink) => result?,
        _ = tokio::signal::ctrl_c() => {}
    }

    // `send` puts a message on its way; `close` sees it off. Without it the last jobs might be
    // lost.
    console::see_off(workers.close()).await;
    console::see_off(sink.close()).await;
    Ok(())
}

async fn run(arguments: &Arguments, workers: &PushSocket, sink: &PushSocket) -> console::Outcome {
    if let Some(batches) = arguments.batches {
        for _ in 0..batches {
            send_batch(arguments.jobs, workers, sink).await?;
        }
        return Ok(());
    }
    let mut lines = Lines::read();
    while lines
        .ask("Press Return when the workers are ready> ")
        .await
        .is_some()
    {
        send_batch(arguments.jobs, workers, sink).await?;
    }
    Ok(())
}

async fn send_batch(jobs: u32, workers: &PushSocket, sink: &PushSocket) -> console::Outcome {
    // The sink is told that work begins. It needs no socket of its own kind for that: a PULL takes
    // from anyone.
    sink.send("Go").await?;
    for job in 0..jobs {
        println!("Send job {job}");
        // Waits while there is no worker, or while all of them have their hands full.
        workers.send(format!("job {job}")).await?;
    }
    Ok(())
}
