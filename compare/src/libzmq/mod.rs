//! The libzmq side: the C library behind thin handles, and what each role does with it.
//!
//! Used the way its documentation shows: plain threads, blocking `send` and `recv`, one I/O thread.

mod exchange;
mod ffi;
mod roles;
mod socket;

pub use roles::play;
pub use socket::version;
