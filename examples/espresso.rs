//! *Espresso*: a proxy between publishers and subscribers, which lets you read along.
//!
//! ```text
//! cargo run --example espresso -- proxy               # prints whatever passes
//! cargo run --example espresso -- publisher           # one, or many
//! cargo run --example espresso -- subscriber A B      # comes and goes
//! ```
//!
//! With a proxy in the middle publishers and subscribers have one fixed address to know, and none
//! of each other. It forwards messages one way and subscriptions the other: what nobody
//! wants is not even sent to the proxy. Start a subscriber, and the publishers wake up; stop
//! it, and they fall silent.

mod console;

use std::time::Duration;

use clap::{Args, Parser};
use console::{Outcome, until_ctrl_c};
use tokio::time::interval;
use wirelark::{
    Message, Proxy, PubSocket, PullSocket, PushSocket, SubSocket, XPubSocket, XSubSocket,
};

/// The longest wait before a lost connection is made again.
const REDIAL_MAX: Duration = Duration::from_secs(1);

#[derive(Parser)]
#[command(about = "Publishers and subscribers that meet at a proxy, which shows what passes")]
enum Role {
    /// Stands in the middle, and prints what passes
    Proxy(Middle),
    /// Publishes numbers under the topics A to E
    Publisher(Publisher),
    /// Prints the messages of some topics
    Subscriber(Subscriber),
}

#[tokio::main]
async fn main() -> Outcome {
    match Role::parse() {
        Role::Proxy(middle) => middle.run().await,
        Role::Publisher(publisher) => publisher.run().await,
        Role::Subscriber(subscriber) => subscriber.run().await,
    }
}

#[derive(Args)]
struct Middle {
    /// Where publishers connect
    #[arg(long, value_name = "ENDPOINT", default_value = "tcp://*:5557")]
    publishers: String,
    /// Where subscribers connect
    #[arg(long, value_name = "ENDPOINT", default_value = "tcp://*:5558")]
    subscribers: String,
}

impl Middle {
    async fn run(self) -> Outcome {
        // The X types hand over as messages what SUB and PUB keep to themselves: who subscribes
        // to what. That is what a proxy has to pass on.
        let (frontend, backend) = (XSubSocket::new(), XPubSocket::new());
        let publishers = frontend.bind(self.publishers.as_str()).await?;
        let subscribers = backend.bind(self.subscribers.as_str()).await?;
        eprintln!("Publishers at {publishers}, subscribers at {subscribers}");

        // A copy of everything goes to another task of this program. The copies never hold
        // up the originals: if the reader falls behind, it misses some.
        let (capture, copies) = (PushSocket::new(), PullSocket::new());
        copies.bind("inproc://capture").await?;
        capture.connect("inproc://capture")?;

        let mut proxy = Proxy::new(&frontend, &backend).capture(&capture);
        let outcome = until_ctrl_c(async {
            tokio::select! {
                ended = proxy.run() => ended.map(drop).map_err(Into::into),
                outcome = show(&copies) => outcome,
            }
        })
        .await;
        frontend.close().await;
        backend.close().await;
        capture.close().await;
        copies.close().await;
        outcome
    }
}

async fn show(copies: &PullSocket) -> Outcome {
    loop {
        println!("{}", describe(&copies.recv().await?));
    }
}

/// A subscription is a message, too: of one frame, a byte 1 and what is wanted; its end is a byte 0
/// and the same.
fn describe(message: &Message) -> String {
    match (message.len(), message.first()) {
        (1, [1, topic @ ..]) => format!("wanted: {}", String::from_utf8_lossy(topic)),
        (1, [0, topic @ ..]) => format!("no longer wanted: {}", String::from_utf8_lossy(topic)),
        _ => describe_news(message),
    }
}

fn describe_news(message: &Message) -> String {
    let content = message.frame_text(1).unwrap_or_default();
    format!("{} {content}", message.text())
}

#[derive(Args)]
struct Publisher {
    /// The proxy
    #[arg(long, value_name = "ENDPOINT", default_value = "tcp://localhost:5557")]
    proxy: String,
    /// The time between two messages
    #[arg(long, value_name = "N", default_value_t = 200)]
    interval_ms: u64,
    /// Where to begin to count
    #[arg(long, value_name = "N", default_value_t = 1)]
    first: u64,
}

impl Publisher {
    async fn run(self) -> Outcome {
        let publisher = PubSocket::builder()
            .reconnect_interval_max(REDIAL_MAX)
            .build();
        publisher.connect(self.proxy.as_str())?;
        let mut ticks = interval(Duration::from_millis(self.interval_ms.max(1)));
        let outcome = until_ctrl_c(async {
            for number in self.first.. {
                for topic in ["A", "B", "C", "D", "E"] {
                    ticks.tick().await;
                    publisher.send([topic, &number.to_string()]).await?;
                }
            }
            Ok(())
        })
        .await;
        publisher.close().await;
        outcome
    }
}

#[derive(Args)]
struct Subscriber {
    /// What to listen to
    #[arg(default_value = "A")]
    topics: Vec<String>,
    /// The proxy
    #[arg(long, value_name = "ENDPOINT", default_value = "tcp://localhost:5558")]
    proxy: String,
}

impl Subscriber {
    async fn run(self) -> Outcome {
        let mut builder = SubSocket::builder().reconnect_interval_max(REDIAL_MAX);
        for topic in &self.topics {
            builder = builder.subscribe(topic);
        }
        let subscriber = builder.build();
        subscriber.connect(self.proxy.as_str())?;
        let outcome = until_ctrl_c(async {
            loop {
                println!("{}", describe_news(&subscriber.recv().await?));
            }
        })
        .await;
        subscriber.close().await;
        outcome
    }
}
