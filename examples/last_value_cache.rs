//! *Last value cache*: who subscribes to something that rarely changes gets the last value at once,
//! and does not have to wait for the next.
//!
//! ```text
//! cargo run --example last_value_cache -- publisher             # publishes lines: TOPIC VALUE
//! cargo run --example last_value_cache -- cache
//! cargo run --example last_value_cache -- subscriber weather    # whenever you like
//! ```
//!
//! The cache stands between publisher and subscribers. To the publisher it is a subscriber like any
//! other; to the subscribers it is a publisher with a memory. Neither has to know of it, and
//! the values are there even while the publisher is not.

mod console;

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use clap::{Args, Parser};
use console::{Lines, Outcome, until_ctrl_c};
use wirelark::{Message, PubSocket, SubSocket, SubscribeRequest, SubscriberMessage, XPubSocket};

/// How many topics are remembered. A memory of what others send needs a bound; newer topics than
/// these are passed on and not kept.
const TOPICS_MAX: usize = 100_000;
/// The longest wait before a lost connection is made again.
const REDIAL_MAX: Duration = Duration::from_secs(1);

#[derive(Parser)]
#[command(about = "Publishes what changes, and remembers it for those who come late")]
enum Role {
    /// Publishes a value for each line of input: TOPIC VALUE
    Publisher(Publisher),
    /// Passes values on, and remembers the last one of each topic
    Cache(Cache),
    /// Prints the values of some topics
    Subscriber(Subscriber),
}

#[tokio::main]
async fn main() -> Outcome {
    match Role::parse() {
        Role::Publisher(publisher) => publisher.run().await,
        Role::Cache(cache) => cache.run().await,
        Role::Subscriber(subscriber) => subscriber.run().await,
    }
}

#[derive(Args)]
struct Publisher {
    /// Where the cache connects
    #[arg(long, value_name = "ENDPOINT", default_value = "tcp://*:5557")]
    endpoint: String,
}

impl Publisher {
    async fn run(self) -> Outcome {
        let publisher = PubSocket::new();
        let bound = publisher.bind(self.endpoint.as_str()).await?;
        eprintln!("Publishing on {bound}");
        let outcome = until_ctrl_c(async {
            let mut lines = Lines::read();
            while let Some(line) = lines.ask("Topic and value> ").await {
                let (topic, value) = line.split_once(' ').unwrap_or((&line, ""));
                // Two frames: the topic is one whole, and cannot run into the value.
                publisher.send([topic, value]).await?;
            }
            Ok(())
        })
        .await;
        publisher.close().await;
        outcome
    }
}

#[derive(Args)]
struct Cache {
    /// The publisher
    #[arg(long, value_name = "ENDPOINT", default_value = "tcp://localhost:5557")]
    publisher: String,
    /// Where subscribers connect
    #[arg(long, value_name = "ENDPOINT", default_value = "tcp://*:5558")]
    subscribers: String,
}

impl Cache {
    async fn run(self) -> Outcome {
        // Everything, whether anybody has asked for it or not: it might be asked for later.
        let news = SubSocket::builder()
            .subscribe("")
            .reconnect_interval_max(REDIAL_MAX)
            .build();
        news.connect(self.publisher.as_str())?;
        // An XPUB is a PUB that shows who subscribes to what. On a manual one a subscription begins
        // when we accept it, so that we decide what comes before and what after.
        let readers = XPubSocket::builder().manual(true).build();
        let bound = readers.bind(self.subscribers.as_str()).await?;
        eprintln!("Subscribers at {bound}");
        let outcome = until_ctrl_c(serve(&news, &readers)).await;
        news.close().await;
        readers.close().await;
        outcome
    }
}

async fn serve(news: &SubSocket, readers: &XPubSocket) -> Outcome {
    let mut values = BTreeMap::new();
    loop {
        // One thing after the other: while a newcomer is told what there is, nothing changes. So
        // there is no gap between the past and the future, and no overlap.
        tokio::select! {
            update = news.recv() => {
                let update = update?;
                let topic = update.frame_bytes(0).unwrap_or_default();
                if values.len() < TOPICS_MAX || values.contains_key(&topic) {
                    println!("kept: {}", update.text());
                    values.insert(topic, update.clone());
                }
                readers.send(update).await?;
            }
            request = readers.recv() => match request? {
                SubscriberMessage::Subscribe(request) => welcome(&request, &values),
                SubscriberMessage::Cancel(request) => request.accept(),
                // What an XSUB might say, which we have not asked for.
                _ => {}
            },
        }
    }
}

/// Begins a subscription, with the last values of all that it is about.
fn welcome(request: &SubscribeRequest, values: &BTreeMap<Bytes, Message>) {
    println!("wanted: {}", request.text());
    if let Err(error) = request.accept() {
        return eprintln!("{}: {error}", request.text());
    }
    let prefix = request.topic();
    let from = Bytes::copy_from_slice(prefix);
    for (_, value) in values
        .range(from..)
        .take_while(|(topic, _)| topic.starts_with(prefix))
    {
        // To this subscriber and nobody else. Like any publisher we do not wait for one who
        // does not read.
        if let Err(error) = request.try_send(value) {
            return eprintln!("{}: {error}", request.text());
        }
    }
}

#[derive(Args)]
struct Subscriber {
    /// What to listen to: prefixes of topics. By default everything
    topics: Vec<String>,
    /// The cache, or a publisher without one
    #[arg(long, value_name = "ENDPOINT", default_value = "tcp://localhost:5558")]
    publisher: String,
}

impl Subscriber {
    async fn run(mut self) -> Outcome {
        if self.topics.is_empty() {
            self.topics.push(String::new());
        }
        let mut builder = SubSocket::builder().reconnect_interval_max(REDIAL_MAX);
        for topic in &self.topics {
            builder = builder.subscribe(topic);
        }
        let subscriber = builder.build();
        subscriber.connect(self.publisher.as_str())?;
        let outcome = until_ctrl_c(async {
            loop {
                let update = subscriber.recv().await?;
                let value = update.frame_text(1).unwrap_or_default();
                println!("{}: {value}", update.text());
            }
        })
        .await;
        subscriber.close().await;
        outcome
    }
}
