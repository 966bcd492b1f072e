//! [`ClientKeys`]: an authenticator for CURVE.

use std::collections::HashSet;
use std::io;
use std::path::Path;

use super::authenticator::{AuthRequest, Authenticator, Judging, Verdict};
use super::certificate::{Certificate, CertificateError};
use super::credentials::Credentials;
use super::keys::PublicKey;

/// Lets in who has proved one of these keys, and refuses every other mechanism. The user is the key in
/// Z85, as with pyzmq's authenticator.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use wirelark::{Access, ClientKeys, KeyPair, Security};
///
/// let (server, client) = (KeyPair::generate()?, KeyPair::generate()?);
/// let security = Security::CurveServer {
///     keys: server,
///     access: Access::by(ClientKeys::new([*client.public()])),
/// };
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientKeys {
    known: HashSet<PublicKey>,
}

impl ClientKeys {
    /// These, and nobody else.
    pub fn new(keys: impl IntoIterator<Item = PublicKey>) -> Self {
        Self {
            known: keys.into_iter().collect(),
        }
    }

    /// The public keys of all files `*.key` in a directory, as pyzmq's `configure_curve` takes them. They are
    /// read now; to have later files count, make a new one for a new socket. Blocks while the files are read.
    ///
    /// *Errors*: the directory cannot be read, or one of the files is no certificate. A directory of which a
    /// part counts would let in fewer than it seems to, or, after an error with the ones that are revoked, more.
    pub fn load(directory: impl AsRef<Path>) -> Result<Self, CertificateError> {
        let directory = directory.as_ref();
        let failed = |source: io::Error| CertificateError::File {
            path: directory.to_owned(),
            source,
        };
        let mut keys = HashSet::new();
        for entry in std::fs::read_dir(directory).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            if path.extension().is_some_and(|extension| extension == "key") {
                keys.insert(*Certificate::load(&path)?.public_key());
            }
        }
        Ok(Self { known: keys })
    }

    /// Whether it is one of them.
    pub fn contains(&self, key: &PublicKey) -> bool {
        self.known.contains(key)
    }

    fn verdict(&self, request: &AuthRequest) -> Verdict {
        match request.credentials() {
            Credentials::Curve { client } if self.contains(client) => {
                Verdict::admit(client.to_string())
            }
            Credentials::Curve { client } => Verdict::refuse(format!("{client} is not known")),
            _ => Verdict::refuse("keys are all that is known"),
        }
    }
}

impl Authenticator for ClientKeys {
    fn judge<'a>(&'a self, request: &'a AuthRequest) -> Judging<'a> {
        Box::pin(async { Ok(self.verdict(request)) })
    }
}
