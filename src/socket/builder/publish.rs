//! The options of the publishing and the subscribing types.

use super::{Build, SocketBuilder};
use crate::message::Message;
#[cfg(doc)]
use crate::socket::xpub::XPubSocket;

/// A type that matches messages with subscriptions.
pub trait Matches: Build {}

/// A type that publishes.
pub trait Publishes: Build {}

/// A type that sends or reads subscriptions in the form of messages.
pub trait SpeaksUpstream: Build {}

/// A type that shows its user what subscribers ask for.
pub trait SeesSubscribers: Build {}

/// A type that passes on what its user wants to hear as it stands.
pub trait ForwardsSubscriptions: Build {}

impl<S: Matches> SocketBuilder<S> {
    /// Turns matching round: a publisher sends each message to the peers that have *no*
    /// subscription for it, and a SUB keeps what it has *not* subscribed to. Both sides have to
    /// agree. An XSUB keeps everything in either case. Default false. libzmq:
    /// `ZMQ_INVERT_MATCHING`.
    pub fn invert_matching(mut self, invert: bool) -> Self {
        self.options.publish.invert_matching = invert;
        self
    }
}

impl<S: Publishes> SocketBuilder<S> {
    /// A message that every peer is sent as soon as it is connected, before any other and without a
    /// subscription. A SUB drops it unless it has subscribed to a prefix of it. Default: none.
    /// libzmq: `ZMQ_XPUB_WELCOME_MSG`, one frame.
    pub fn welcome(mut self, message: impl Into<Message>) -> Self {
        self.options.publish.welcome = Some(message.into());
        self
    }
}

impl<S: SpeaksUpstream> SocketBuilder<S> {
    /// Whether a message from a subscriber to its publishers is looked through for subscriptions
    /// only if it begins with one. By default every frame that begins with a byte 1 or 0 is one,
    /// also in the middle of a message that is meant for the publisher's user. Default false.
    /// libzmq: `ZMQ_ONLY_FIRST_SUBSCRIBE`.
    pub fn only_first_subscribe(mut self, only: bool) -> Self {
        self.options.publish.only_first_subscribe = only;
        self
    }
}

impl<S: SeesSubscribers> SocketBuilder<S> {
    /// Shows every subscription. By default only the first one for a prefix is shown, not those
    /// that other subscribers add, and the cancellation of the last one. Default false. libzmq:
    /// `ZMQ_XPUB_VERBOSE`.
    pub fn verbose(mut self, verbose: bool) -> Self {
        self.options.publish.shows.verbose(verbose);
        self
    }

    /// Shows every subscription and every cancellation. Sets, or unsets, what
    /// [`verbose`](Self::verbose) does, too. Default false. libzmq: `ZMQ_XPUB_VERBOSER`.
    pub fn verboser(mut self, verboser: bool) -> Self {
        self.options.publish.shows.verboser(verboser);
        self
    }

    /// Lets the program decide what subscribers get: a subscription takes effect when its
    /// [`SubscribeRequest`](crate::SubscribeRequest) is accepted, and every request is shown.
    /// Default false. libzmq: `ZMQ_XPUB_MANUAL`, and `ZMQ_XPUB_MANUAL_LAST_VALUE`, whose purpose
    /// [`SubscribeRequest::send`](crate::SubscribeRequest::send) serves.
    pub fn manual(mut self, manual: bool) -> Self {
        self.options.publish.shows.manual = manual;
        self
    }

    /// Makes [`send`](XPubSocket::send) wait until every subscriber that wants the message has
    /// room, instead of dropping it for those that have none. One that has stopped reading holds up
    /// all others. Default false. libzmq: `ZMQ_XPUB_NODROP`.
    pub fn no_drop(mut self, no_drop: bool) -> Self {
        self.options.publish.no_drop = no_drop;
        self
    }
}

impl<S: ForwardsSubscriptions> SocketBuilder<S> {
    /// Tells publishers of every cancellation. By default they are told of the last one of a
    /// prefix only. Default false. libzmq: `ZMQ_XSUB_VERBOSE_UNSUBSCRIBE`.
    pub fn verbose_unsubscribe(mut self, verbose: bool) -> Self {
        self.options.publish.verbose_unsubscribe = verbose;
        self
    }
}
