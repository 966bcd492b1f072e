//! The middle of a *pipeline*: takes jobs from the ventilator and reports to the sink.
//!
//! ```text
//! cargo run --example worker                       # and again in other terminals
//! cargo run --example worker -- --delay-ms 500     # a slow one
//! ```
//!
//! A worker connects on both sides, so that workers can come and go while the ventilator and the
//! sink stay where everybody finds them.

mod console;

use std::time::Duration;

use clap::Parser;
use wirelark::{PullSocket, PushSocket};

#[derive(Parser)]
#[command(about = "Does jobs and tells the sink when they are done")]
struct Arguments {
    /// How long a job takes
    #[arg(long, value_name = "N", default_value_t = 0)]
    delay_ms: u64,
    /// The ventilator
    #[arg(long, value_name = "ENDPOINT", default_value = "tcp://localhost:5001")]
    ventilator: String,
    /// The sink
    #[arg(long, value_name = "ENDPOINT", default_value = "tcp://localhost:5000")]
    sink: String,
}

#[tokio::main]
async fn main() -> console::Outcome {
    let arguments = Arguments::parse();

    let jobs = PullSocket::new();
    jobs.connect(arguments.ventilator.as_str())?;
    let sink = PushSocket::builder().linger(Duration::from_secs(5)).build();
    sink.connect(arguments.sink.as_str())?;

    tokio::select! {
        result = work(&jobs, &sink, Duration::from_millis(arguments.delay_ms)) => result?,
        _ = tokio::signal::ctrl_c() => {}
    }
    jobs.close().await;
    console::see_off(sink.close()).await;
    Ok(())
}

async fn work(jobs: &PullSocket, sink: &PushSocket, delay: Duration) -> console::Outcome {
    loop {
        let job = jobs.recv().await?;
        println!("got > {}", job.text());
        tokio::time::sleep(delay).await;
        sink.send(format!("Done with {}", job.text())).await?;
    }
}
