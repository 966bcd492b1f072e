//! *Ironhouse*: the Guide's five ways to protect a pair of sockets, from none to all, one after the other.
//!
//! ```text
//! cargo run --features curve --example ironhouse                    # all five
//! cargo run --features curve --example ironhouse -- stonehouse      # one of them
//! ```
//!
//! | | who may come in | who may listen on the way |
//! |---|---|---|
//! | grasslands | everybody | everybody |
//! | strawhouse | who calls from the right address | everybody |
//! | woodhouse | who knows a password, which is readable on the way | everybody |
//! | stonehouse | everybody who knows the server's key | nobody |
//! | ironhouse | who has a key that the server knows | nobody |
//!
//! In each house a server deals out one message to a guest it lets in, and tells why it does not let another
//! one in.

mod console;

use clap::{Parser, ValueEnum};
use console::Outcome;
use wirelark::{
    Access, Addresses, ClientKeys, Event, KeyPair, Login, Passwords, PullSocket, PushSocket,
    Security,
};

#[derive(Parser)]
#[command(about = "Five ways to protect a pair of sockets, from none to all")]
struct Arguments {
    /// Which of them; all if none is given
    house: Option<House>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum House {
    Grasslands,
    Strawhouse,
    Woodhouse,
    Stonehouse,
    Ironhouse,
}

#[tokio::main]
async fn main() -> Outcome {
    let only = Arguments::parse().house;
    for house in House::value_variants() {
        if only.is_none_or(|only| only == *house) {
            println!("\n===== {house:?} =====");
            visit(*house).await?;
        }
    }
    Ok(())
}

/// What the server of a house demands, and what a guest and a stranger bring along.
struct Doors {
    server: Security,
    guest: Security,
    /// Nobody is a stranger where everybody may come in.
    stranger: Option<Security>,
}

fn doors(house: House) -> Result<Doors, console::Failure> {
    Ok(match house {
        House::Grasslands => Doors {
            server: Security::Null,
            guest: Security::Null,
            stranger: None,
        },
        House::Strawhouse => Doors {
            // An address can be forged by whoever is on the way. It only keeps honest mistakes out.
            server: Security::NullServer {
                access: Access::by(Addresses::new().allow([127, 0, 0, 1], 32)),
            },
            guest: Security::Null,
            stranger: None,
        },
        House::Woodhouse => Doors {
            server: Security::PlainServer {
                access: Access::by(Passwords::new().with("ada", "lovelace")),
            },
            guest: Security::Plain {
                login: Login::new("ada", "lovelace")?,
            },
            stranger: Some(Security::Plain {
                login: Login::new("ada", "byron")?,
            }),
        },
        House::Stonehouse => {
            let server = KeyPair::generate()?;
            let wants = |server| -> Result<_, console::Failure> {
                let keys = KeyPair::generate()?;
                Ok(Security::Curve { server, keys })
            };
            Doors {
                guest: wants(*server.public())?,
                // It took another key for the server's, perhaps from somebody who wants to be taken for it.
                stranger: Some(wants(*KeyPair::generate()?.public())?),
                server: Security::CurveServer {
                    keys: server,
                    access: Access::anybody(),
                },
            }
        }
        House::Ironhouse => {
            // In life each side makes its own pair (see the example `keygen`), and they give each other
            // the public halves. The secret ones stay where they were made.
            let (server, guest) = (KeyPair::generate()?, KeyPair::generate()?);
            let stranger = KeyPair::generate()?;
            Doors {
                guest: Security::Curve {
                    server: *server.public(),
                    keys: guest.clone(),
                },
                stranger: Some(Security::Curve {
                    server: *server.public(),
                    keys: stranger,
                }),
                server: Security::CurveServer {
                    keys: server,
                    access: Access::by(ClientKeys::new([*guest.public()])),
                },
            }
        }
    })
}

async fn visit(house: House) -> Outcome {
    let Doors {
        server,
        guest,
        stranger,
    } = doors(house)?;
    let server = PullSocket::builder().security(server).build();
    let mut events = server.events();
    let endpoint = server.bind("tcp://127.0.0.1:*").await?;

    let guest = PushSocket::builder().security(guest).build();
    guest.connect(&endpoint)?;
    guest.send("Knock, knock.").await?;
    let (peer, message) = server.recv_from().await?;
    let who = peer.user().map_or("somebody", |user| user.id());
    println!("{who} says: {}", message.text());

    if let Some(stranger) = stranger {
        let stranger = PushSocket::builder().security(stranger).build();
        let mut its_events = stranger.events();
        stranger.connect(&endpoint)?;
        while let Some(event) = events.next().await {
            if let Event::HandshakeFailed { reason, .. } = event {
                println!("The server turns a stranger away: {reason}.");
                break;
            }
        }
        while let Some(event) = its_events.next().await {
            if let Event::HandshakeFailed { reason, .. } = event {
                println!("The stranger only learns this: {reason}.");
                break;
            }
        }
        stranger.close().await;
    }
    guest.close().await;
    server.close().await;
    Ok(())
}
