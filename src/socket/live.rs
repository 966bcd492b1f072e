//! [`SocketOptions`]: the options of a socket that exists, to read and to change.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use super::builder::{
    Asks, Build, ForwardsSubscriptions, Identified, Matches, Probes, Publishes, QueuesAhead,
    Receives, Routes, SeesSubscribers, Sends, SpeaksUpstream, TakesMany,
};
use super::core::Core;
use crate::identity::Identity;
use crate::message::Message;
use crate::options::{Capacity, Heartbeat, Interface, KeepAlive, Metadata, Options, ReconnectStop};
use crate::peer::{Hub, Newcomer, Standing};

/// The options of a living socket, got from its `options` method. Each has the name that it has on
/// the [`SocketBuilder`](crate::SocketBuilder), where it is described, and exists for the same
/// socket types. On the builder only are `conflate`, `context`, `security` and `subscribe`.
///
/// When a change takes effect:
///
/// - `linger`: when the socket is closed, or an endpoint taken away. A close that has begun keeps
///   its time.
/// - The high-water marks: at once, for the queues of all peers. A queue that holds more than it
///   now may stays full until it has drained. libzmq changes them for living connections, too.
/// - `ipv6`, `interface`, buffers, marks on packets and timeouts: for every connection that is made
///   from then on, by endpoints old and new. For a listener, what the kernel is told before it
///   listens counts from the next bind on: `backlog`, `ipc_mode`, `recv_buffer`, `send_buffer`,
///   `interface`, `ipv6`.
/// - `handover` and `drop_unroutable`: at once.
/// - `max_peers`: for whoever comes from then on; nobody is sent away.
/// - `relaxed`: for the next `send`. `correlate`: when no request is open, so that each is ended by the
///   rule by which it was begun; further requests wait for that.
/// - The options of publishing and subscribing: for what is sent, asked for and said from then on, and
///   `welcome` for whoever connects from then on. Who waits for room is let go when `no_drop` ends.
///   A request that was shown on a `manual` socket can still be accepted when it is not manual any more.
/// - `immediate`: for endpoints that are connected to from then on.
/// - Everything else: for every connection that is made from then on, those included that a
///   listener takes and those that are made again. (libzmq applies a change only to later
///   calls of bind and connect.)
///
/// ```
/// use std::time::Duration;
/// use wirelark::PushSocket;
///
/// let push = PushSocket::new();
/// push.options().set_linger(Duration::from_secs(1));
/// push.options().set_send_hwm(50);
/// assert_eq!(push.options().linger(), Some(Duration::from_secs(1)));
/// assert_eq!(push.options().send_hwm(), Some(50));
/// ```
///
/// ZeroMQ's `zmq_setsockopt` and `zmq_getsockopt`, typed.
pub struct SocketOptions<'a, S> {
    core: &'a Arc<Core>,
    socket: PhantomData<fn() -> S>,
}

impl<S> fmt::Debug for SocketOptions<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.core.options(), f)
    }
}

impl Core {
    /// Gives the queues of all peers the bounds that are chosen now.
    fn fit_queues(&self) {
        let (standing, peers) = {
            let state = self.state.lock();
            let standing = state.endpoints.iter().filter_map(|known| known.standing());
            let peers = state.peers.values().map(|peer| peer.newcomer.clone());
            (
                standing.cloned().collect::<Vec<_>>(),
                peers.collect::<Vec<_>>(),
            )
        };
        // A queue whose connection stands is fitted with it.
        let is_alone = |standing: &Standing| peers.iter().all(|peer| peer.id != standing.id);
        for standing in standing.iter().filter(|standing| is_alone(standing)) {
            standing.outbound.set_capacity(self.options().send);
        }
        peers.iter().for_each(|peer| self.fit(peer));
    }

    /// Gives the queues of one peer the bounds that are chosen now.
    pub(super) fn fit(&self, peer: &Newcomer) {
        #[cfg(feature = "inproc")]
        if let Some(link) = &peer.link {
            return link.fit();
        }
        let options = self.options();
        peer.pipes.outbound.set_capacity(options.send);
        if let Some(inbound) = &peer.pipes.inbound {
            inbound.set_capacity(options.recv);
        }
    }
}

/// A pair of methods for an option whose value lies in one field.
macro_rules! options {
    ($($name:ident, $set:ident: $given:ty as $kept:ty => $($field:ident).+;)+) => { $(
        #[doc = concat!("See [`SocketBuilder::", stringify!($name), "`](crate::SocketBuilder::",
            stringify!($name), ").")]
        pub fn $name(&self) -> $kept {
            self.core.options().$($field).+.clone()
        }

        #[doc = concat!("Changes [`", stringify!($name), "`](Self::", stringify!($name),
            "); [when](Self) that takes effect.")]
        pub fn $set(&self, value: $given) {
            let value: $kept = value.into();
            self.core.change_options(|options| options.$($field).+ = value);
        }
    )+ };
}

/// A pair of methods for a high-water mark, which also fits the queues that there are.
macro_rules! marks {
    ($($name:ident, $set:ident => $side:ident . $what:ident;)+) => { $(
        #[doc = concat!("See [`SocketBuilder::", stringify!($name), "`](crate::SocketBuilder::",
            stringify!($name), ").")]
        pub fn $name(&self) -> Option<usize> {
            Capacity::mark(self.core.options().$side.$what)
        }

        #[doc = concat!("Changes [`", stringify!($name), "`](Self::", stringify!($name),
            "), at once.")]
        pub fn $set(&self, mark: impl Into<Option<usize>>) {
            let bound = Capacity::bound(mark.into());
            self.core.change_options(|options| options.$side.$what = bound);
            self.core.fit_queues();
        }
    )+ };
}

/// Options that every socket has.
impl<'a, S: Build> SocketOptions<'a, S> {
    pub(super) const fn new(core: &'a Arc<Core>) -> Self {
        Self {
            core,
            socket: PhantomData,
        }
    }

    options! {
        linger, set_linger: impl Into<Option<Duration>> as Option<Duration> => linger;
        reconnect_interval, set_reconnect_interval: Duration as Duration => reconnect_interval;
        reconnect_interval_max, set_reconnect_interval_max: Duration as Duration
            => reconnect_interval_max;
        reconnect_stop, set_reconnect_stop: ReconnectStop as ReconnectStop => reconnect_stop;
        connect_timeout, set_connect_timeout: impl Into<Option<Duration>> as Option<Duration>
            => transport.connect_timeout;
        handshake_timeout, set_handshake_timeout: Duration as Duration => handshake_timeout;
        heartbeat, set_heartbeat: impl Into<Option<Heartbeat>> as Option<Heartbeat> => heartbeat;
        max_message_size, set_max_message_size: impl Into<Option<usize>> as Option<usize>
            => max_message_size;
        max_frames, set_max_frames: impl Into<Option<usize>> as Option<usize> => max_frames;
        max_partial_bytes, set_max_partial_bytes: impl Into<Option<usize>> as Option<usize>
            => max_partial_bytes;
        metadata, set_metadata: Metadata as Metadata => metadata;
        keep_alive, set_keep_alive: impl Into<Option<KeepAlive>> as Option<KeepAlive>
            => transport.keep_alive;
        tcp_user_timeout, set_tcp_user_timeout: impl Into<Option<Duration>> as Option<Duration>
            => transport.tcp_user_timeout;
        send_buffer, set_send_buffer: impl Into<Option<u32>> as Option<u32>
            => transport.send_buffer;
        recv_buffer, set_recv_buffer: impl Into<Option<u32>> as Option<u32>
            => transport.recv_buffer;
        backlog, set_backlog: u32 as u32 => transport.backlog;
        ipv6, set_ipv6: bool as bool => transport.ipv6;
        tos, set_tos: impl Into<Option<u8>> as Option<u8> => transport.tos;
        priority, set_priority: impl Into<Option<u32>> as Option<u32> => transport.priority;
        busy_poll, set_busy_poll: impl Into<Option<Duration>> as Option<Duration>
            => transport.busy_poll;
        interface, set_interface: impl Into<Option<Interface>> as Option<Interface>
            => transport.interface;
        ipc_mode, set_ipc_mode: u32 as u32 => transport.ipc_mode;
    }
}

impl<S: Sends> SocketOptions<'_, S> {
    marks! {
        send_hwm, set_send_hwm => send.messages;
        send_hwm_bytes, set_send_hwm_bytes => send.bytes;
    }
}

impl<S: Receives> SocketOptions<'_, S> {
    marks! {
        recv_hwm, set_recv_hwm => recv.messages;
        recv_hwm_bytes, set_recv_hwm_bytes => recv.bytes;
    }
}

impl<S: TakesMany> SocketOptions<'_, S> {
    options! {
        max_peers, set_max_peers: impl Into<Option<usize>> as Option<usize> => max_peers;
    }
}

impl<S: QueuesAhead> SocketOptions<'_, S> {
    options! {
        immediate, set_immediate: bool as bool => immediate;
    }
}

impl<S: Probes> SocketOptions<'_, S> {
    options! {
        probe, set_probe: bool as bool => probe;
    }
}

/// For names that are claimed, and for messages that are sent, from then on.
impl<S: Routes> SocketOptions<'_, S> {
    options! {
        handover, set_handover: bool as bool => handover;
        drop_unroutable, set_drop_unroutable: bool as bool => drop_unroutable;
    }
}

impl<S: Asks> SocketOptions<'_, S> {
    options! {
        relaxed, set_relaxed: bool as bool => relaxed;
        correlate, set_correlate: bool as bool => correlate;
    }
}

impl<S: Matches> SocketOptions<'_, S> {
    options! {
        invert_matching, set_invert_matching: bool as bool => publish.invert_matching;
    }
}

impl<S: Publishes> SocketOptions<'_, S> {
    options! {
        welcome, set_welcome: impl Into<Option<Message>> as Option<Message> => publish.welcome;
    }
}

impl<S: SpeaksUpstream> SocketOptions<'_, S> {
    options! {
        only_first_subscribe, set_only_first_subscribe: bool as bool
            => publish.only_first_subscribe;
    }
}

impl<S: SeesSubscribers> SocketOptions<'_, S> {
    options! {
        manual, set_manual: bool as bool => publish.shows.manual;
        no_drop, set_no_drop: bool as bool => publish.no_drop;
    }

    /// See [`SocketBuilder::verbose`](crate::SocketBuilder::verbose).
    pub fn verbose(&self) -> bool {
        self.core.options().publish.shows.repeats
    }

    /// Changes [`verbose`](Self::verbose), and takes [`verboser`](Self::verboser) back.
    pub fn set_verbose(&self, verbose: bool) {
        self.core
            .change_options(|options| options.publish.shows.verbose(verbose));
    }

    /// See [`SocketBuilder::verboser`](crate::SocketBuilder::verboser).
    pub fn verboser(&self) -> bool {
        self.core.options().publish.shows.cancels
    }

    /// Changes [`verboser`](Self::verboser), and [`verbose`](Self::verbose) with it.
    pub fn set_verboser(&self, verboser: bool) {
        self.core
            .change_options(|options| options.publish.shows.verboser(verboser));
    }
}

impl<S: ForwardsSubscriptions> SocketOptions<'_, S> {
    options! {
        verbose_unsubscribe, set_verbose_unsubscribe: bool as bool
            => publish.verbose_unsubscribe;
    }
}

impl<S: Identified> SocketOptions<'_, S> {
    /// See [`SocketBuilder::identity`](crate::SocketBuilder::identity); none if it has no name.
    pub fn identity(&self) -> Option<Identity> {
        Identity::new(self.core.options().identity.clone()).ok()
    }

    /// Changes [`identity`](Self::identity), or takes it away with `None`; [when](Self) that takes
    /// effect. A name that a ROUTER has made up is passed over, as on the builder.
    pub fn set_identity(&self, identity: impl Into<Option<Identity>>) {
        let identity: Option<Identity> = identity.into();
        if identity.as_ref().is_some_and(Identity::is_made_up) {
            return;
        }
        let name = identity.map_or_else(Default::default, Into::into);
        self.core
            .change_options(|options: &mut Options| options.identity = name);
    }
}
