//! Options that are read from a living socket, and changed on it.

use std::time::Duration;

use wirelark::{
    Event, Identity, Metadata, PullSocket, PushSocket, ReconnectStop, ReqSocket, RouterSocket,
};

use crate::kit::raw::RawPeer;
use crate::kit::{frames, soon, until, wait_for};
use crate::transport::{Transport, on_every_transport};

on_every_transport!(
    marks_change_on_a_living_socket,
    linger_can_be_changed_until_the_close,
);

/// How many messages go in before there is no room.
fn fill(push: &PushSocket) -> usize {
    let mut count = 0;
    while count < 10_000 && push.try_send("x").is_ok() {
        count += 1;
    }
    count
}

async fn marks_change_on_a_living_socket(transport: Transport) {
    let place = transport.somewhere();
    let push = PushSocket::builder().send_hwm(5).build();
    push.connect(&place).unwrap();
    assert_eq!(fill(&push), 5);
    push.options().set_send_hwm(8);
    assert_eq!(fill(&push), 3);
    // What is queued beyond a lower mark stays, and counts.
    push.options().set_send_hwm(2);
    assert_eq!(fill(&push), 0);
    push.options().set_send_hwm(9);
    assert_eq!(fill(&push), 1);
    push.options().set_send_hwm_bytes(1);
    assert_eq!(fill(&push), 0);
    push.options().set_send_hwm_bytes(None);
    assert_eq!(
        (push.options().send_hwm(), push.options().send_hwm_bytes()),
        (Some(9), None)
    );
    push.options().set_send_hwm(None);
    assert_eq!(fill(&push), 10_000);
    push.options().set_send_hwm(0); // as in libzmq
    assert_eq!(push.options().send_hwm(), None);
}

/// Whoever waits for room finds it when the mark is raised.
#[tokio::test]
async fn a_waiting_sender_is_woken_by_a_higher_mark() {
    let push = PushSocket::builder().send_hwm(1).build();
    push.connect(Transport::Tcp.somewhere()).unwrap();
    push.try_send("first").unwrap();
    let other = push.clone();
    let waiting = tokio::spawn(async move { other.send("second").await });
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished());
    push.options().set_send_hwm(2);
    soon(waiting).await.unwrap().unwrap();
}

/// Both ends count within a process, before and after they meet.
#[tokio::test]
async fn marks_change_on_both_ends_of_inproc() {
    let place = Transport::Inproc.somewhere();
    let push = PushSocket::builder().send_hwm(1).build();
    let pull = PullSocket::builder().recv_hwm(1).build();
    pull.bind(&place).await.unwrap();
    push.connect(&place).unwrap();
    assert_eq!(fill(&push), 2);
    pull.options().set_recv_hwm(10);
    assert_eq!(fill(&push), 9);
    push.options().set_send_hwm(20);
    assert_eq!(fill(&push), 19);
    // A lower mark loses nothing, and counts when that has been read.
    push.options().set_send_hwm(5);
    assert_eq!(fill(&push), 0);
    for _ in 0..30 {
        soon(pull.recv()).await.unwrap();
    }
    assert_eq!(pull.try_recv().unwrap_err(), wirelark::TryRecvError::Empty);
    assert_eq!(fill(&push), 15);
    push.options().set_send_hwm(20);
    assert_eq!(fill(&push), 15);
    // When the other end has gone only one's own mark counts, and what it had not read as well.
    soon(pull.close()).await;
    until(|| push.peers().is_empty()).await;
    assert_eq!(fill(&push), 0);
    push.options().set_send_hwm(33);
    assert_eq!(fill(&push), 3);
}

/// A receiver that takes more in from its connection than it did.
#[tokio::test]
async fn the_receiving_mark_changes_on_a_living_connection() {
    let pull = PullSocket::builder().recv_hwm(2).build();
    let endpoint = pull.bind("tcp://127.0.0.1:*").await.unwrap();
    let mut peer = RawPeer::established(&endpoint, "PUSH").await;
    let queued = || {
        pull.peers()
            .first()
            .map_or(0, |peer| peer.recv_queue.messages)
    };
    // One at a time: what came in one piece is queued in one piece.
    for count in 1..=2 {
        peer.send(frames::last("x")).await;
        until(|| queued() == count).await;
    }
    peer.send(frames::last("x")).await;
    pull.options().set_recv_hwm(3);
    until(|| queued() == 3).await;
}

async fn linger_can_be_changed_until_the_close(transport: Transport) {
    let push = PushSocket::builder().linger(None).build();
    push.connect(transport.somewhere()).unwrap();
    push.try_send("nobody comes for it").unwrap();
    assert_eq!(push.options().linger(), None);
    push.options().set_linger(Duration::ZERO);
    assert_eq!(soon(push.close()).await.unsent, 1);
    push.options().set_linger(None);
    assert_eq!(push.options().linger(), None);
}

/// What a peer is told, and what it may send, follows the options for each new connection of an
/// old endpoint; a connection that stands keeps its rules.
#[tokio::test]
async fn new_connections_get_the_new_options() {
    let req = ReqSocket::new();
    req.options().set_identity(Identity::new("first").unwrap());
    let endpoint = req.bind("tcp://127.0.0.1:*").await.unwrap();
    // The last of what it says of itself.
    let identity = async |expected: &str| {
        let mut peer = RawPeer::connect(&endpoint).await;
        peer.greet().await;
        peer.send(frames::ready(&[("Socket-Type", "REP")])).await;
        let ready = peer.frame().await;
        assert!(ready.body.ends_with(expected.as_bytes()), "{ready:?}");
    };
    identity("first").await;
    req.options().set_identity(Identity::new("second").unwrap());
    assert_eq!(req.options().identity(), Identity::new("second").ok());
    identity("second").await;
    // What a ROUTER calls somebody is nobody's own name.
    let made_up = Identity::of_peer("\0four").unwrap();
    req.options().set_identity(made_up);
    assert_eq!(req.options().identity(), Identity::new("second").ok());
    identity("second").await;
    let metadata = Metadata::new().with("X-Room", "cellar").unwrap();
    req.options().set_metadata(metadata);
    identity("cellar").await;

    let pull = PullSocket::new();
    let mut events = pull.events();
    let endpoint = pull.bind("tcp://127.0.0.1:*").await.unwrap();
    let mut old = RawPeer::established(&endpoint, "PUSH").await;
    wait_for(&mut events, |event| matches!(event, Event::Ready { .. })).await;
    pull.options().set_max_message_size(3);
    let mut new = RawPeer::established(&endpoint, "PUSH").await;
    old.send(frames::last("four")).await;
    assert_eq!(soon(pull.recv()).await.unwrap().text(), "four");
    new.send(frames::last("four")).await;
    new.expect_eof().await;
}

/// Every option that is only kept and handed on has its own place.
#[tokio::test]
async fn options_are_read_back() {
    let push = PushSocket::new();
    let options = push.options();
    let second = Duration::from_secs(1);
    macro_rules! each {
        ($($get:ident $set:ident $value:expr;)+) => { $(
            assert_ne!(options.$get(), $value, "the default");
            options.$set($value);
            assert_eq!(options.$get(), $value);
        )+ $(
            assert_eq!(options.$get(), $value, "another option has changed it");
        )+ };
    }
    each! {
        reconnect_interval set_reconnect_interval second * 2;
        reconnect_interval_max set_reconnect_interval_max second * 3;
        reconnect_stop set_reconnect_stop ReconnectStop::always();
        connect_timeout set_connect_timeout Some(second * 4);
        handshake_timeout set_handshake_timeout second * 5;
        heartbeat set_heartbeat wirelark::Heartbeat::every(second).ok();
        max_message_size set_max_message_size Some(7);
        max_frames set_max_frames Some(8);
        max_partial_bytes set_max_partial_bytes Some(19);
        max_peers set_max_peers Some(18);
        keep_alive set_keep_alive None;
        tcp_user_timeout set_tcp_user_timeout Some(second * 9);
        send_buffer set_send_buffer Some(10);
        recv_buffer set_recv_buffer Some(11);
        backlog set_backlog 12;
        ipv6 set_ipv6 false;
        tos set_tos Some(13);
        priority set_priority Some(14);
        busy_poll set_busy_poll Some(second * 15);
        interface set_interface Some(wirelark::Interface::new("lo").unwrap());
        ipc_mode set_ipc_mode 0o660;
        send_hwm set_send_hwm Some(16);
        send_hwm_bytes set_send_hwm_bytes Some(17);
        immediate set_immediate true;
        metadata set_metadata Metadata::new().with("X-Room", "cellar").unwrap();
    }
}

/// What the builder sets is what the living socket has.
#[tokio::test]
async fn the_builder_and_the_socket_agree() {
    let second = Duration::from_secs(1);
    let push = PushSocket::builder()
        .linger(second)
        .connect_timeout(second * 2)
        .tcp_user_timeout(second * 3)
        .reconnect_stop(ReconnectStop::never().on_refused())
        .send_buffer(4)
        .recv_buffer(5)
        .backlog(6)
        .max_peers(10)
        .tos(7)
        .priority(8)
        .busy_poll(second * 9)
        .ipv6(false)
        .keep_alive(None)
        .build();
    let options = push.options();
    assert_eq!(options.linger(), Some(second));
    assert_eq!(options.connect_timeout(), Some(second * 2));
    assert_eq!(options.tcp_user_timeout(), Some(second * 3));
    assert_eq!(
        options.reconnect_stop(),
        ReconnectStop::never().on_refused()
    );
    assert_eq!(
        (
            options.send_buffer(),
            options.recv_buffer(),
            options.backlog()
        ),
        (Some(4), Some(5), 6)
    );
    assert_eq!(
        (options.tos(), options.priority(), options.busy_poll()),
        (Some(7), Some(8), Some(second * 9))
    );
    assert_eq!((options.ipv6(), options.keep_alive()), (false, None));
    assert_eq!(options.max_peers(), Some(10));
    let unlimited = PushSocket::builder().max_peers(None).build();
    assert_eq!(unlimited.options().max_peers(), None);
    assert_eq!(PushSocket::new().options().max_peers(), Some(10_000));
}

/// What libzmq lets a program change under way at a ROUTER, at once.
#[tokio::test]
async fn a_living_router_changes_its_ways() {
    let router = RouterSocket::new();
    let nobody = Identity::new("nobody").unwrap();
    router.try_send_to(&nobody, "x").unwrap_err();
    router.options().set_drop_unroutable(true);
    router.try_send_to(&nobody, "x").unwrap();
    router.options().set_drop_unroutable(false);
    router.try_send_to(&nobody, "x").unwrap_err();

    let mut events = router.events();
    let endpoint = router.bind("tcp://127.0.0.1:*").await.unwrap();
    let named = async || {
        let mut peer = RawPeer::connect(&endpoint).await;
        peer.greet().await;
        let properties = [("Socket-Type", "DEALER"), ("Identity", "me")];
        peer.send(frames::ready(&properties)).await;
        peer
    };
    let mut first = named().await;
    assert!(first.frame().await.is("READY"));
    wait_for(&mut events, |event| matches!(event, Event::Ready { .. })).await;
    named().await.expect_eof().await;
    router.options().set_handover(true);
    router.options().set_probe(true);
    let mut second = named().await;
    first.expect_eof().await;
    assert!(second.frame().await.is("READY"));
    assert_eq!(second.message().await, [b""]);
}
