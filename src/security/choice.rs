//! [`Security`]: what a socket does to know its peers, and to be known by them.

use std::fmt;

use super::access::Access;
#[cfg(feature = "curve")]
use super::keys::{KeyPair, PublicKey};
use super::secret::{LENGTH_MAX, Secret};
use crate::options::OptionError;

/// What a socket does to know its peers, and to be known by them; both sides of a connection have to
/// choose the same mechanism.
///
/// | | the other side is | who they are | what is on the wire |
/// |---|---|---|---|
/// | `Null` | `Null` or `NullServer` | nobody knows | readable, changeable |
/// | `Plain`, `PlainServer` | the other of both | the server knows, by name and password | readable, passwords included |
/// | `Curve`, `CurveServer` | the other of both | each knows, by keys | encrypted |
///
/// Which side is the server has nothing to do with who binds. A socket that has chosen another mechanism,
/// or the same role, is refused: nothing is ever negotiated down. Within a process (`inproc://`)
/// there is no mechanism, as in libzmq: both ends are in the same memory.
///
/// `Debug` shows no password and no secret key.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use wirelark::{Access, Login, Passwords, PullSocket, PushSocket, Security};
///
/// let passwords = Passwords::new().with("ada", "lovelace");
/// let security = Security::PlainServer { access: Access::by(passwords) };
/// let pull = PullSocket::builder().security(security).build();
/// let endpoint = pull.bind("tcp://127.0.0.1:*").await?;
///
/// let login = Login::new("ada", "lovelace")?;
/// let push = PushSocket::builder().security(Security::Plain { login }).build();
/// push.connect(endpoint)?;
/// push.send("hello").await?;
///
/// let (peer, message) = pull.recv_from().await?;
/// assert_eq!(message.text(), "hello");
/// assert_eq!(peer.user().map(|user| user.id()), Some("ada"));
/// # push.close().await;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum Security {
    /// No proof, no encryption: whoever reaches an endpoint is let in. The default. libzmq:
    /// `ZMQ_MECHANISM` NULL.
    #[default]
    Null,
    /// The same, but peers are judged by what is known of them without a proof: their address.
    /// libzmq: NULL with a `ZMQ_ZAP_DOMAIN`. The side that connects speaks first and is judged last, so
    /// this is for the side that binds.
    NullServer {
        /// Who decides.
        access: Access,
    },
    /// Gives every peer a name and a password, in the clear. For networks that nobody else reads, such as
    /// ipc. libzmq: `ZMQ_PLAIN_USERNAME`, `ZMQ_PLAIN_PASSWORD`.
    Plain {
        /// What is given.
        login: Login,
    },
    /// Has every peer give a name and a password. libzmq: `ZMQ_PLAIN_SERVER`, and a handler of ZAP.
    PlainServer {
        /// Who decides.
        access: Access,
    },
    /// Encrypts, and talks only to who has the secret half of `server`. libzmq: `ZMQ_CURVE_SERVERKEY`,
    /// `ZMQ_CURVE_PUBLICKEY`, `ZMQ_CURVE_SECRETKEY`.
    #[cfg(feature = "curve")]
    Curve {
        /// The key of the server.
        server: PublicKey,
        /// Our own. The server knows us by the public half; a pair made for the occasion will do for a
        /// server that lets anybody in.
        keys: KeyPair,
    },
    /// Encrypts, and has every peer prove that it has a key; [`ClientKeys`](crate::ClientKeys) shows both sides.
    /// libzmq: `ZMQ_CURVE_SERVER`, `ZMQ_CURVE_SECRETKEY`.
    #[cfg(feature = "curve")]
    CurveServer {
        /// Our own. Peers have to know the public half beforehand.
        keys: KeyPair,
        /// Who decides about the keys of peers. [`Access::anybody`] if encryption is all that is wanted.
        access: Access,
    },
}

impl Security {
    /// Who judges peers, if anybody does.
    pub(crate) const fn access(&self) -> Option<&Access> {
        match self {
            Self::Null | Self::Plain { .. } => None,
            Self::NullServer { access } | Self::PlainServer { access } => Some(access),
            #[cfg(feature = "curve")]
            Self::Curve { .. } => None,
            #[cfg(feature = "curve")]
            Self::CurveServer { access, .. } => Some(access),
        }
    }
}

/// A name and a password for [`Security::Plain`].
#[derive(Clone)]
pub struct Login {
    pub(crate) username: Secret,
    pub(crate) password: Secret,
}

impl Login {
    /// Text or bytes, mostly UTF-8, each at most 255 bytes (RFC 24).
    ///
    /// *Errors*: one of them is longer. It is not repeated in the error.
    pub fn new(
        username: impl AsRef<[u8]>,
        password: impl AsRef<[u8]>,
    ) -> Result<Self, OptionError> {
        let check = |option, text: &[u8]| match text.len() {
            0..=LENGTH_MAX => Ok(Secret::new(text)),
            length => Err(OptionError {
                option,
                given: format!("{length} bytes long"),
                allowed: "at most 255 bytes",
            }),
        };
        Ok(Self {
            username: check("a user name", username.as_ref())?,
            password: check("a password", password.as_ref())?,
        })
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Login(..)")
    }
}
