//! Makes a pair of keys for CURVE, and writes it into the two files that pyzmq and CZMQ use as well.
//!
//! ```text
//! cargo run --features curve --example keygen -- server            # server.key, server.key_secret
//! cargo run --features curve --example keygen -- client --directory keys --owner Ada
//! ```
//!
//! `NAME.key` is for everybody who talks to its owner, `NAME.key_secret` for its owner only. A program
//! reads them with `Certificate::load`, a server that knows its clients by a directory of such files with
//! `ClientKeys::load`.

mod console;

use std::path::PathBuf;

use clap::Parser;
use console::Outcome;
use wirelark::{Certificate, KeyPair};

#[derive(Parser)]
#[command(about = "Makes a pair of keys for CURVE")]
struct Arguments {
    /// What the files are called
    name: String,
    /// Where they go
    #[arg(long, default_value = ".")]
    directory: PathBuf,
    /// Written into them, beside the keys
    #[arg(long)]
    owner: Option<String>,
}

fn main() -> Outcome {
    let Arguments {
        name,
        directory,
        owner,
    } = Arguments::parse();
    let keys = KeyPair::generate()?;
    let mut certificate = Certificate::of(&keys);
    if let Some(owner) = owner {
        certificate = certificate.metadata("owner", &owner)?;
    }
    let (public, secret) = certificate.save(directory, &name)?;
    println!("public key: {}", keys.public());
    println!("to be given away: {}", public.display());
    if let Some(secret) = secret {
        println!("to be kept: {}", secret.display());
    }
    Ok(())
}
