//! The few C functions and constants of libzmq 4.3.5 that the comparison calls, as in `zmq.h`.

use std::ffi::{c_char, c_int, c_long, c_short, c_void};

/// `zmq_msg_t`: opaque, 64 bytes, aligned like a pointer.
#[repr(C, align(8))]
pub struct RawMessage {
    pub opaque: [u8; 64],
}

/// `zmq_pollitem_t`.
#[repr(C)]
pub struct PollItem {
    pub socket: *mut c_void,
    pub fd: c_int,
    pub events: c_short,
    pub revents: c_short,
}

pub const PAIR: c_int = 0;
pub const PUB: c_int = 1;
pub const SUB: c_int = 2;
pub const REQ: c_int = 3;
pub const REP: c_int = 4;
pub const DEALER: c_int = 5;
pub const ROUTER: c_int = 6;
pub const PULL: c_int = 7;
pub const PUSH: c_int = 8;
pub const XPUB: c_int = 9;
pub const XSUB: c_int = 10;

pub const SUBSCRIBE: c_int = 6;
pub const SNDHWM: c_int = 23;
pub const RCVHWM: c_int = 24;
pub const LAST_ENDPOINT: c_int = 32;
pub const XPUB_VERBOSE: c_int = 40;
pub const CURVE_SERVER: c_int = 47;
pub const CURVE_PUBLICKEY: c_int = 48;
pub const CURVE_SECRETKEY: c_int = 49;
pub const CURVE_SERVERKEY: c_int = 50;

pub const DONTWAIT: c_int = 1;
pub const SNDMORE: c_int = 2;
pub const POLLIN: c_short = 1;

unsafe extern "C" {
    pub fn zmq_version(major: *mut c_int, minor: *mut c_int, patch: *mut c_int);
    pub fn zmq_errno() -> c_int;
    pub fn zmq_strerror(number: c_int) -> *const c_char;
    pub fn zmq_ctx_new() -> *mut c_void;
    pub fn zmq_socket(context: *mut c_void, kind: c_int) -> *mut c_void;
    pub fn zmq_close(socket: *mut c_void) -> c_int;
    pub fn zmq_bind(socket: *mut c_void, endpoint: *const c_char) -> c_int;
    pub fn zmq_connect(socket: *mut c_void, endpoint: *const c_char) -> c_int;
    pub fn zmq_setsockopt(
        socket: *mut c_void,
        option: c_int,
        value: *const c_void,
        length: usize,
    ) -> c_int;
    pub fn zmq_getsockopt(
        socket: *mut c_void,
        option: c_int,
        value: *mut c_void,
        length: *mut usize,
    ) -> c_int;
    pub fn zmq_msg_init(message: *mut RawMessage) -> c_int;
    pub fn zmq_msg_init_size(message: *mut RawMessage, size: usize) -> c_int;
    pub fn zmq_msg_data(message: *mut RawMessage) -> *mut c_void;
    pub fn zmq_msg_size(message: *const RawMessage) -> usize;
    pub fn zmq_msg_send(message: *mut RawMessage, socket: *mut c_void, flags: c_int) -> c_int;
    pub fn zmq_msg_recv(message: *mut RawMessage, socket: *mut c_void, flags: c_int) -> c_int;
    pub fn zmq_msg_close(message: *mut RawMessage) -> c_int;
    pub fn zmq_proxy(frontend: *mut c_void, backend: *mut c_void, capture: *mut c_void) -> c_int;
    pub fn zmq_poll(items: *mut PollItem, count: c_int, timeout: c_long) -> c_int;
}
