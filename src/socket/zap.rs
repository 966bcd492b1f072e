//! [`Zap`]: an authenticator that asks a handler of RFC 27 in this process.

use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use thiserror::Error as ThisError;

use super::context::Context;
use super::req::ReqSocket;
use crate::endpoint::PeerAddress;
use crate::message::Message;
use crate::security::authenticator::{AuthRequest, Authenticator, Judging, User, Verdict};
use crate::security::credentials::Credentials;
use crate::wire::metadata;

/// Where RFC 27 has handlers wait.
const ENDPOINT: &str = "inproc://zeromq.zap.01";

/// The version of the protocol.
const VERSION: &[u8] = b"1.0";

/// There is one request per connection to the handler, so one name for all of them will do, as in libzmq.
const REQUEST_ID: &[u8] = b"1";

/// Asks a handler of ZAP (RFC 27): a REP or ROUTER socket of this process that is bound to
/// `inproc://zeromq.zap.01`. For handlers that exist; a new one is simpler as an
/// [`Authenticator`].
///
/// A handler that is missing, says nothing, or answers by other rules than RFC 27's lets nobody in. libzmq lets everybody
/// in over NULL and CURVE where there is no handler. As in libzmq, what a handler is told as the identity is the one
/// of this side, and as the address an IP address without a port; for an ipc peer that is
/// `localhost:uid:gid:pid`.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use wirelark::{Access, Login, PullSocket, PushSocket, RepSocket, Security, Zap};
///
/// let handler = RepSocket::new();
/// handler.bind("inproc://zeromq.zap.01").await?;
/// tokio::spawn(async move {
///     while let Ok(request) = handler.recv().await {
///         // Version, id, domain, address, identity, mechanism, and with PLAIN name and password.
///         let fits = request.frame(7) == Some(b"sesame");
///         let status = if fits { "200" } else { "400" };
///         request.reply(["1.0", "1", status, "", "ali", ""]).await.ok();
///     }
/// });
///
/// let access = Access::by(Zap::new()).domain("cave");
/// let pull = PullSocket::builder().security(Security::PlainServer { access }).build();
/// let endpoint = pull.bind("tcp://127.0.0.1:*").await?;
/// let login = Login::new("ali", "sesame")?;
/// let push = PushSocket::builder().security(Security::Plain { login }).build();
/// push.connect(endpoint)?;
/// push.send("open").await?;
/// let (peer, _) = pull.recv_from().await?;
/// assert_eq!(peer.user().map(|user| user.id()), Some("ali"));
/// # push.close().await;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Zap {
    context: Context,
}

impl Zap {
    /// The handler of the process.
    #[expect(
        clippy::new_without_default,
        reason = "a default authenticator is nobody's wish"
    )]
    pub fn new() -> Self {
        Self::of(&Context::global())
    }

    /// The handler of this context.
    pub fn of(context: &Context) -> Self {
        let context = context.clone();
        Self { context }
    }

    async fn ask(&self, request: &AuthRequest) -> Result<Verdict, Box<dyn Error + Send + Sync>> {
        let builder = ReqSocket::builder().context(&self.context);
        let socket = builder.linger(Duration::ZERO).build();
        socket.connect(ENDPOINT)?;
        let reply = socket.request(question(request)).await?;
        Ok(verdict(&reply)?)
    }
}

impl Authenticator for Zap {
    fn judge<'a>(&'a self, request: &'a AuthRequest) -> Judging<'a> {
        Box::pin(self.ask(request))
    }
}

fn question(request: &AuthRequest) -> Message {
    let address = match request.address() {
        PeerAddress::Tcp(address) => address.ip().to_string(),
        PeerAddress::Ipc { uid, gid, pid } => {
            let text = |id: Option<i64>| id.map(|id| id.to_string()).unwrap_or_default();
            let (uid, gid) = (uid.map(i64::from), gid.map(i64::from));
            let pid = pid.map(i64::from);
            format!("localhost:{}:{}:{}", text(uid), text(gid), text(pid))
        }
        PeerAddress::Inproc => String::new(),
    };
    let credentials = request.credentials();
    let mut frames = vec![
        Bytes::from_static(VERSION),
        Bytes::from_static(REQUEST_ID),
        Bytes::copy_from_slice(request.domain().as_bytes()),
        Bytes::from(address),
        request.own_identity().clone(),
        Bytes::from_static(credentials.mechanism().as_bytes()),
    ];
    match credentials {
        Credentials::Null => {}
        Credentials::Plain { username, password } => {
            frames.push(Bytes::copy_from_slice(username));
            frames.push(Bytes::copy_from_slice(password.expose()));
        }
        #[cfg(feature = "curve")]
        Credentials::Curve { client } => {
            frames.push(Bytes::copy_from_slice(client.as_bytes()));
        }
    }
    Message::from(frames)
}

/// How a handler broke RFC 27. Its frames are not repeated.
#[derive(Clone, Debug, PartialEq, Eq, ThisError)]
enum ZapError {
    #[error("the handler's reply has {0} frames instead of six")]
    Frames(usize),
    #[error("the handler's reply has another version than 1.0")]
    Version,
    #[error("the handler's reply is to another request")]
    RequestId,
    #[error("the handler's status is none of 200, 300, 400 and 500")]
    Status,
    #[error("the handler's user id is not UTF-8")]
    UserId,
    #[error("the handler's metadata cannot be read")]
    Metadata,
}

fn verdict(reply: &Message) -> Result<Verdict, ZapError> {
    let frames: Vec<&[u8]> = reply.frames().collect();
    let &[version, id, status, text, user, metadata] = frames.as_slice() else {
        return Err(ZapError::Frames(frames.len()));
    };
    if version != VERSION {
        return Err(ZapError::Version);
    }
    if id != REQUEST_ID {
        return Err(ZapError::RequestId);
    }
    let text = String::from_utf8_lossy(text);
    match status {
        b"200" => {}
        b"300" => return Ok(Verdict::refuse_for_now(text)),
        b"400" => return Ok(Verdict::refuse(text)),
        b"500" => return Ok(Verdict::fail(text)),
        _ => return Err(ZapError::Status),
    }
    let id = std::str::from_utf8(user).map_err(|_| ZapError::UserId)?;
    let properties = metadata::properties(metadata).ok_or(ZapError::Metadata)?;
    let properties = properties.into_iter();
    let user = properties.fold(User::new(id), |user, (name, value)| user.with(name, value));
    Ok(Verdict::admit(user))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::security::authenticator::Judgement;

    fn judged(frames: &[&[u8]]) -> Result<Verdict, ZapError> {
        verdict(
            &frames
                .iter()
                .map(|frame| frame.to_vec())
                .collect::<Vec<_>>()
                .into(),
        )
    }

    #[test]
    fn replies_are_read_by_the_letter() {
        let good: [&[u8]; 6] = [b"1.0", b"1", b"200", b"OK", b"ada", b"\x01a\0\0\0\x02xy"];
        let Ok(Verdict(Judgement::Admit(Some(user)))) = judged(&good) else {
            panic!("{:?}", judged(&good));
        };
        assert_eq!((user.id(), user.property("A")), ("ada", Some(&b"xy"[..])));
        for (status, expected) in [(b"300", 300), (b"400", 400), (b"500", 500)] {
            let mut frames = good;
            frames[2] = status;
            let verdict = judged(&frames);
            assert!(
                matches!(verdict, Ok(Verdict(Judgement::Refuse { status, .. })) if status == expected)
            );
        }
        let cases: [(usize, &[u8], ZapError); 9] = [
            (0, b"1.1", ZapError::Version),
            (0, b"", ZapError::Version),
            (1, b"2", ZapError::RequestId),
            (2, b"201", ZapError::Status),
            (2, b"", ZapError::Status),
            (2, b"2000", ZapError::Status),
            (4, b"\xff", ZapError::UserId),
            (5, b"\x01a\0\0\0\x03xy", ZapError::Metadata),
            (5, b"\x01", ZapError::Metadata),
        ];
        for (at, frame, error) in cases {
            let mut frames = good;
            frames[at] = frame;
            assert_eq!(judged(&frames).unwrap_err(), error, "{at} {frame:?}");
        }
        for length in 1..6 {
            assert_eq!(
                judged(&good[..length]).unwrap_err(),
                ZapError::Frames(length)
            );
        }
        let seven = [&good[..], &[b"x"]].concat();
        assert_eq!(judged(&seven).unwrap_err(), ZapError::Frames(7));
    }
}
