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
/// Both sides with files as pyzmq's `zmq.auth.create_certificates` makes them, or the example `keygen`; either side may
/// be pyzmq instead:
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use wirelark::{Access, Certificate, ClientKeys, PullSocket, PushSocket, Security};
///
/// # use wirelark::KeyPair;
/// # let (ours, theirs, clients) = (tempfile::tempdir()?, tempfile::tempdir()?, tempfile::tempdir()?);
/// # let (ours, theirs, clients) = (ours.path(), theirs.path(), clients.path());
/// # Certificate::of(&KeyPair::generate()?).save(ours, "server")?;
/// # Certificate::of(&KeyPair::generate()?).save(theirs, "ada")?;
/// # std::fs::copy(theirs.join("ada.key"), clients.join("ada.key"))?;
/// # std::fs::copy(ours.join("server.key"), theirs.join("server.key"))?;
/// // The server has its own pair, and in a directory the public keys of those who may come in.
/// let own = Certificate::load(ours.join("server.key_secret"))?;
/// let security = Security::CurveServer {
///     keys: own.keys().ok_or("this is the public half")?,
///     access: Access::by(ClientKeys::load(clients)?),
/// };
/// let pull = PullSocket::builder().security(security).build();
/// let endpoint = pull.bind("tcp://127.0.0.1:*").await?;
///
/// // A client has its own pair, and the public key of the server.
/// let own = Certificate::load(theirs.join("ada.key_secret"))?;
/// let security = Security::Curve {
///     server: *Certificate::load(theirs.join("server.key"))?.public_key(),
///     keys: own.keys().ok_or("this is the public half")?,
/// };
/// let push = PushSocket::builder().security(security).build();
/// push.connect(endpoint)?;
/// push.send("hello").await?;
///
/// let (peer, _) = pull.recv_from().await?;
/// assert_eq!(peer.user().map(|user| user.id()), Some(&*own.public_key().to_string()));
/// # push.close().await;
/// # Ok(())
/// # }
/// ```
///
/// Who is turned away, and why, is told by the [`Event::HandshakeFailed`](crate::Event::HandshakeFailed) of the server.
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
