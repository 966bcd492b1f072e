//! The page for those who come from libzmq is complete: it names everything of theirs, and all
//! options of ours.

#![allow(clippy::unwrap_used, reason = "in a test an error is a failure")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

const PAGE: &str = include_str!("../docs/coming-from-libzmq.md");

/// Socket types, options of sockets and contexts, flags, events: what `zmq.h` defines for users,
/// drafts and deprecated names among them.
const CONSTANTS: &str = "
    AFFINITY BACKLOG BINDTODEVICE BLOCKY BUSY_POLL CHANNEL CLIENT CONFLATE CONNECT_RID
    CONNECT_ROUTING_ID CONNECT_TIMEOUT CURVE_PUBLICKEY CURVE_SECRETKEY CURVE_SERVER
    CURVE_SERVERKEY DEALER DELAY_ATTACH_ON_CONNECT DGRAM DISCONNECT_MSG DISH DONTWAIT EVENTS
    EVENT_ACCEPTED EVENT_ACCEPT_FAILED EVENT_ALL EVENT_BIND_FAILED EVENT_CLOSED
    EVENT_CLOSE_FAILED EVENT_CONNECTED EVENT_CONNECT_DELAYED EVENT_CONNECT_RETRIED
    EVENT_DISCONNECTED EVENT_HANDSHAKE_FAILED_AUTH EVENT_HANDSHAKE_FAILED_NO_DETAIL
    EVENT_HANDSHAKE_FAILED_PROTOCOL EVENT_HANDSHAKE_SUCCEEDED EVENT_LISTENING
    EVENT_MONITOR_STOPPED EVENT_PIPES_STATS FAIL_UNROUTABLE FD FORWARDER GATHER
    GSSAPI_PLAINTEXT GSSAPI_PRINCIPAL GSSAPI_PRINCIPAL_NAMETYPE GSSAPI_SERVER
    GSSAPI_SERVICE_PRINCIPAL GSSAPI_SERVICE_PRINCIPAL_NAMETYPE HANDSHAKE_IVL HEARTBEAT_IVL
    HEARTBEAT_TIMEOUT HEARTBEAT_TTL HELLO_MSG HICCUP_MSG IDENTITY IMMEDIATE INVERT_MATCHING
    IN_BATCH_SIZE IO_THREADS IPC_FILTER_GID IPC_FILTER_PID IPC_FILTER_UID IPV4ONLY IPV6
    LAST_ENDPOINT LINGER LOOPBACK_FASTPATH MAXMSGSIZE MAX_MSGSZ MAX_SOCKETS MECHANISM METADATA
    MORE MSG_T_SIZE MULTICAST_HOPS MULTICAST_LOOP MULTICAST_MAXTPDU NOBLOCK NORM_BLOCK_SIZE
    NORM_BUFFER_SIZE NORM_MODE NORM_NUM_AUTOPARITY NORM_NUM_PARITY NORM_PUSH NORM_SEGMENT_SIZE
    NORM_UNICAST_NACK NOTIFY_CONNECT NOTIFY_DISCONNECT ONLY_FIRST_SUBSCRIBE OUT_BATCH_SIZE PAIR
    PEER PLAIN_PASSWORD PLAIN_SERVER PLAIN_USERNAME POLLERR POLLIN POLLOUT POLLPRI PRIORITY
    PROBE_ROUTER PROTOCOL_ERROR_ZMTP_UNSPECIFIED PUB PULL PUSH QUEUE RADIO RATE RCVBUF RCVHWM
    RCVMORE RCVTIMEO RECONNECT_IVL RECONNECT_IVL_MAX RECONNECT_STOP
    RECONNECT_STOP_AFTER_DISCONNECT RECONNECT_STOP_CONN_REFUSED RECONNECT_STOP_HANDSHAKE_FAILED
    RECOVERY_IVL REP REQ REQ_CORRELATE REQ_RELAXED ROUTER ROUTER_BEHAVIOR ROUTER_HANDOVER
    ROUTER_MANDATORY ROUTER_NOTIFY ROUTER_RAW ROUTING_ID SCATTER SERVER SHARED SNDBUF SNDHWM
    SNDMORE SNDTIMEO SOCKET_LIMIT SOCKS_PASSWORD SOCKS_PROXY SOCKS_USERNAME SRCFD STREAM
    STREAMER STREAM_NOTIFY SUB SUBSCRIBE TCP_ACCEPT_FILTER TCP_KEEPALIVE TCP_KEEPALIVE_CNT
    TCP_KEEPALIVE_IDLE TCP_KEEPALIVE_INTVL TCP_MAXRT THREAD_AFFINITY_CPU_ADD
    THREAD_AFFINITY_CPU_REMOVE THREAD_NAME_PREFIX THREAD_PRIORITY THREAD_SAFE
    THREAD_SCHED_POLICY TOPICS_COUNT TOS TYPE UNSUBSCRIBE USE_FD VMCI_BUFFER_MAX_SIZE
    VMCI_BUFFER_MIN_SIZE VMCI_BUFFER_SIZE VMCI_CONNECT_TIMEOUT WSS_CERT_PEM WSS_HOSTNAME
    WSS_KEY_PEM WSS_TRUST_PEM WSS_TRUST_SYSTEM XPUB XPUB_MANUAL XPUB_MANUAL_LAST_VALUE
    XPUB_NODROP XPUB_VERBOSE XPUB_VERBOSER XPUB_WELCOME_MSG XREP XREQ XSUB
    XSUB_VERBOSE_UNSUBSCRIBE ZAP_DOMAIN ZAP_ENFORCE_DOMAIN ZERO_COPY_RECV
";

/// The functions of `zmq.h`; of families of which the page names the first, only that.
const FUNCTIONS: &str = "
    atomic_counter_new bind close connect connect_peer ctx_destroy ctx_get ctx_get_ext ctx_new
    ctx_set ctx_set_ext ctx_shutdown ctx_term curve_keypair curve_public device disconnect
    disconnect_peer errno getsockopt has init join leave msg_close msg_copy msg_data msg_get
    msg_gets msg_group msg_init msg_init_buffer msg_init_data msg_init_size msg_more msg_move
    msg_recv msg_routing_id msg_send msg_set msg_set_group msg_set_routing_id msg_size poll
    poller_add poller_add_fd poller_destroy poller_fd poller_modify poller_modify_fd poller_new
    poller_remove poller_remove_fd poller_size poller_wait poller_wait_all ppoll proxy
    proxy_steerable recv recviov recvmsg send send_const sendiov sendmsg setsockopt sleep socket
    socket_get_peer_state socket_monitor socket_monitor_pipes_stats socket_monitor_versioned
    stopwatch_start strerror term threadclose threadstart timers_add timers_cancel
    timers_destroy timers_execute timers_new timers_reset timers_set_interval timers_timeout
    unbind version z85_decode z85_encode
";

/// What stands in `code`, as words.
fn code_words() -> BTreeSet<&'static str> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let code = PAGE.split('`').skip(1).step_by(2);
    code.flat_map(|code| code.split(move |c| !is_word(c)))
        .collect()
}

#[test]
fn everything_of_libzmq_is_on_the_page() {
    let words = code_words();
    let names = CONSTANTS
        .split_whitespace()
        .map(|name| format!("ZMQ_{name}"));
    let functions = FUNCTIONS
        .split_whitespace()
        .map(|name| format!("zmq_{name}"));
    let missing: Vec<String> = names
        .chain(functions)
        .filter(|name| !words.contains(name.as_str()))
        .collect();
    assert!(missing.is_empty(), "not on the page: {missing:?}");
}

/// The public methods in the sources of a folder or file.
fn methods(path: &Path) -> Vec<String> {
    if path.is_dir() {
        let entries = fs::read_dir(path).expect("sources");
        let files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        return files.iter().flat_map(|file| methods(file)).collect();
    }
    let text = fs::read_to_string(path).expect("a source");
    text.lines()
        .filter_map(|line| line.trim_start().strip_prefix("pub fn "))
        .map(|rest| rest.split(['(', '<']).next().unwrap().to_owned())
        .collect()
}

#[test]
fn every_option_of_ours_is_on_the_page() {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/socket");
    let words = code_words();
    let mut options = methods(&sources.join("builder.rs"));
    options.extend(methods(&sources.join("builder")));
    assert!(options.len() > 30, "where are the options? {options:?}");
    let missing: Vec<&String> = options
        .iter()
        .filter(|name| !words.contains(name.as_str()))
        .collect();
    assert!(missing.is_empty(), "not on the page: {missing:?}");
}

#[test]
fn no_row_is_left_open() {
    let mut columns = 0;
    for line in PAGE.lines() {
        if !line.starts_with('|') {
            columns = 0;
            continue;
        }
        let cells = line.replace("\\|", "").matches('|').count();
        if columns == 0 {
            columns = cells;
        }
        assert!(cells > 2 && cells == columns, "{line}");
        assert!(!line.to_lowercase().contains("missing"), "{line}");
    }
}
