//! The options of those who ask: how strictly questions and answers alternate. RFC 28.

use super::{Asks, SocketBuilder};

impl<S: Asks> SocketBuilder<S> {
    /// Whether [`send`](crate::ReqSocket::send) may be called again before the reply to the
    /// request before has been received. That request is abandoned then, and its reply is never
    /// given out. Default false: it is an error. libzmq: `ZMQ_REQ_RELAXED`.
    ///
    /// Unless the requests are also [`correlate`](Self::correlate)d, nothing but its connection
    /// tells a late reply from the one that is waited for. So the connection of an abandoned
    /// request is closed and made anew, if the request had been written. (libzmq keeps it, and
    /// then may give out the reply to another question.)
    pub fn relaxed(mut self, relaxed: bool) -> Self {
        self.options.relaxed = relaxed;
        self
    }

    /// Whether each request has a number, a frame of four bytes before the delimiter, and only a
    /// reply that brings it back is taken for its answer. REP returns it by itself; a server made
    /// from ROUTER or DEALER has to return every frame up to the empty one. Default false. libzmq:
    /// `ZMQ_REQ_CORRELATE`.
    ///
    /// Then several [`request`](crate::ReqSocket::request)s may be open at once: up to 1,024,
    /// further ones wait. Replies that answer nothing (late, twice, without a number, or from a
    /// peer that was not asked) are dropped and counted.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use wirelark::{RepSocket, ReqSocket};
    /// let rep = RepSocket::new();
    /// let req = ReqSocket::builder().correlate(true).build();
    /// req.connect(rep.bind("tcp://127.0.0.1:*").await?)?;
    ///
    /// let questions = async { tokio::try_join!(req.request("one"), req.request("two")) };
    /// let answers = async {
    ///     let (one, two) = (rep.recv().await?, rep.recv().await?);
    ///     two.reply("2").await?; // in any order
    ///     one.reply("1").await?;
    ///     Ok::<_, Box<dyn std::error::Error>>(())
    /// };
    /// let (replies, answered) = tokio::join!(questions, answers);
    /// answered?;
    /// let (one, two) = replies?;
    /// assert_eq!((&*one.text(), &*two.text()), ("1", "2"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn correlate(mut self, correlate: bool) -> Self {
        self.options.correlate = correlate;
        self
    }
}
