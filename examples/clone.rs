//! *Clone*: any number of programs that all hold the same table of keys and values. Each may change
//! it; a server puts the changes into one order.
//!
//! ```text
//! cargo run --example clone -- server
//! cargo run --example clone -- client            # type: KEY=VALUE, and in another terminal, too
//! ```
//!
//! Changes alone are not enough: who comes late has missed some. A copy of the table alone is not
//! enough either: it is old when it arrives. So a client listens to the changes first, then asks for
//! the table, and the number that each change bears tells which of them the table holds already.
//! The same number shows when something has been lost; then the client asks for the table again.
//!
//! The server keeps the table in its memory. If it is started again it begins with an empty one, and
//! its clients follow; a server that should remember more would write it to a disk.

mod console;

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use clap::{Args, Parser};
use console::{Failure, Lines, Outcome, until_ctrl_c};
use tokio::time::{interval, timeout};
use wirelark::{
    DealerSocket, Identity, Message, PubSocket, PullSocket, PushSocket, RouterSocket, SubSocket,
};

/// How many entries the table may have. What others fill needs a bound.
const ENTRIES_MAX: usize = 100_000;

#[derive(Parser)]
#[command(about = "A table of which every client has an exact copy")]
enum Role {
    /// Puts changes into an order, and tells them to everybody
    Server(Server),
    /// Has a copy of the table, and changes it: KEY=VALUE sets, KEY= removes
    Client(Client),
}

#[tokio::main]
async fn main() -> Outcome {
    match Role::parse() {
        Role::Server(server) => server.run().await,
        Role::Client(client) => client.run().await,
    }
}

/// Where a table is: the life of a server, and the changes since its beginning.
#[derive(Clone, PartialEq, Eq)]
struct Version {
    /// When the server was started. After a restart it counts from zero again, and nobody shall take
    /// its third change for the third change of its predecessor.
    life: String,
    number: u64,
}

/// The one kind of message that a server sends: `[key, value, life, number]`. Without a key it
/// changes nothing; it tells how far the server is.
struct Update {
    key: String,
    value: String,
    version: Version,
}

impl Update {
    fn write(key: &str, value: &str, version: &Version) -> Message {
        let number = version.number.to_string();
        Message::from([key, value, &version.life, &number])
    }

    /// `None` if it is something else.
    fn read(message: &Message) -> Option<Self> {
        let text = |index| std::str::from_utf8(message.frame(index)?).ok();
        Some(Self {
            key: text(0)?.to_owned(),
            value: text(1)?.to_owned(),
            version: Version {
                life: text(2)?.to_owned(),
                number: text(3)?.parse().ok()?,
            },
        })
    }
}

#[derive(Clone)]
struct Table {
    entries: BTreeMap<String, String>,
    version: Version,
}

impl Table {
    fn set(&mut self, key: &str, value: &str) {
        if value.is_empty() {
            self.entries.remove(key);
        } else {
            self.entries.insert(key.to_owned(), value.to_owned());
        }
        self.version.number += 1;
    }
}

#[derive(Args)]
struct Server {
    /// Where to ask for the table
    #[arg(long, value_name = "ENDPOINT", default_value = "tcp://*:5556")]
    tables: String,
    /// Where to hear of changes
    #[arg(long, value_name = "ENDPOINT", default_value = "tcp://*:5557")]
    updates: String,
    /// Where to send changes
    #[arg(long, value_name = "ENDPOINT", default_value = "tcp://*:5558")]
    changes: String,
    /// How often to say how far the table is
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    heartbeat_ms: u64,
}

impl Server {
    async fn run(self) -> Outcome {
        let (tables, updates) = (RouterSocket::new(), PubSocket::new());
        let changes = PullSocket::new();
        tables.bind(self.tables.as_str()).await?;
        updates.bind(self.updates.as_str()).await?;
        changes.bind(self.changes.as_str()).await?;
        let outcome = until_ctrl_c(self.serve(&tables, &updates, &changes)).await;
        tables.close().await;
        updates.close().await;
        changes.close().await;
        outcome
    }

    async fn serve(
        &self,
        tables: &RouterSocket,
        updates: &PubSocket,
        changes: &PullSocket,
    ) -> Outcome {
        let started = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
        let mut table = Table {
            entries: BTreeMap::new(),
            version: Version {
                life: started.as_nanos().to_string(),
                number: 0,
            },
        };
        let mut ticks = interval(Duration::from_millis(self.heartbeat_ms.max(1)));
        loop {
            tokio::select! {
                change = changes.recv() => {
                    let change = change?;
                    let key = change.text();
                    let value = change.frame_text(1).unwrap_or_default();
                    if key.is_empty() || table.entries.len() >= ENTRIES_MAX {
                        eprintln!("{change:?} is turned away");
                        continue;
                    }
                    // First into the table, then to the listeners: so whoever has heard of a change
                    // and then asks for the table finds it there.
                    table.set(&key, &value);
                    updates.send(Update::write(&key, &value, &table.version)).await?;
                    println!("#{} {key}={value}", table.version.number);
                }
                request = tables.recv() => {
                    let (client, _) = request?;
                    // From a copy, and in a task of its own, since a client may be slow to take it,
                    // and nobody else shall wait for that.
                    tokio::spawn(send_table(tables.clone(), client, table.clone()));
                }
                // A change that was lost shows when the next one comes. There should always be
                // a next one.
                _ = ticks.tick() => updates.send(Update::write("", "", &table.version)).await?,
            }
        }
    }
}

async fn send_table(tables: RouterSocket, client: Identity, table: Table) {
    // An entry to a message, and one without a key at the end.
    let entries = table
        .entries
        .iter()
        .map(|(key, value)| (&key[..], &value[..]));
    for (key, value) in entries.chain([("", "")]) {
        let update = Update::write(key, value, &table.version);
        if tables.send_to(&client, update).await.is_err() {
            return; // the client has left
        }
    }
}

#[derive(Args)]
struct Client {
    /// Where the server gives its table
    #[arg(long, value_name = "ENDPOINT", default_value = "tcp://localhost:5556")]
    tables: String,
    /// Where it tells changes
    #[arg(long, value_name = "ENDPOINT", default_value = "tcp://localhost:5557")]
    updates: String,
    /// Where it takes changes
    #[arg(long, value_name = "ENDPOINT", default_value = "tcp://localhost:5558")]
    changes: String,
    /// How long to wait for the table before asking again
    #[arg(long, value_name = "N", default_value_t = 2_500)]
    timeout_ms: u64,
}

impl Client {
    async fn run(self) -> Outcome {
        let patience = Duration::from_millis(self.timeout_ms);
        let updates = SubSocket::builder()
            .subscribe("")
            .reconnect_interval_max(patience)
            .build();
        updates.connect(self.updates.as_str())?;
        let changes = PushSocket::builder()
            .reconnect_interval_max(patience)
            .build();
        changes.connect(self.changes.as_str())?;
        let outcome = until_ctrl_c(async {
            tokio::select! {
                outcome = self.follow(&updates) => outcome,
                outcome = edit(&changes) => outcome,
            }
        })
        .await;
        updates.close().await;
        changes.close().await;
        outcome
    }

    /// Keeps a copy of the table, for as long as the program runs.
    async fn follow(&self, updates: &SubSocket) -> Outcome {
        let mut copy: Option<Table> = None;
        loop {
            let message = updates.recv().await?;
            let Some(update) = Update::read(&message) else {
                eprintln!("{message:?} is no update");
                continue;
            };
            if copy.as_mut().is_some_and(|table| follow(table, &update)) {
                continue;
            }
            // We have no copy, or it does not fit what we hear. Hearing something is the sign that
            // the subscription works: whatever changes from here on, we will hear of it. Only
            // now it makes sense to ask for the table.
            copy = self.fetch().await?;
            match &copy {
                Some(table) => {
                    println!("table at #{}", table.version.number);
                    for (key, value) in &table.entries {
                        println!("{key}={value}");
                    }
                }
                None => eprintln!("The server does not give its table; asking again"),
            }
        }
    }

    /// Asks for the table. `None` if the server takes too long between two entries.
    async fn fetch(&self) -> Result<Option<Table>, Failure> {
        // A socket for this one table: what is left of a former attempt cannot get into it.
        let dealer = DealerSocket::builder().linger(Duration::ZERO).build();
        dealer.connect(self.tables.as_str())?;
        dealer.send("table, please").await?;
        let mut entries = BTreeMap::new();
        let table = loop {
            let patience = Duration::from_millis(self.timeout_ms);
            let Ok(message) = timeout(patience, dealer.recv()).await else {
                break None;
            };
            let Some(Update {
                key,
                value,
                version,
            }) = Update::read(&message?)
            else {
                break None;
            };
            if key.is_empty() {
                break Some(Table { entries, version });
            }
            entries.insert(key, value);
        };
        dealer.close().await;
        Ok(table)
    }
}

/// Takes an update over into the copy. `false` if one is missing between them.
fn follow(table: &mut Table, update: &Update) -> bool {
    if update.version.life != table.version.life {
        return false; // another server, and another table
    }
    if update.version.number <= table.version.number {
        return true; // older than the copy, which holds it already
    }
    if update.key.is_empty() || update.version.number != table.version.number + 1 {
        return false;
    }
    table.set(&update.key, &update.value);
    println!("#{} {}={}", table.version.number, update.key, update.value);
    true
}

/// Sends what is typed. The copy does not change before the server says so, even for our own changes:
/// somebody else's might come first.
async fn edit(changes: &PushSocket) -> Outcome {
    let mut lines = Lines::read();
    while let Some(line) = lines.ask("KEY=VALUE> ").await {
        match line.split_once('=') {
            Some((key, value)) if !key.is_empty() => changes.send([key, value]).await?,
            _ => eprintln!("Type KEY=VALUE to set something, KEY= to remove it"),
        }
    }
    // Who does not type any more still reads.
    std::future::pending().await
}
