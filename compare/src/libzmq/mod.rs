//! The libzmq side: the C library behind thin handles, and what each role does with it.
//!
//! Used the way its documentation shows: plain threads, blocking `send` and `recv`, one I/O thread.

mod exchange;
mod fan_out;
mod ffi;
mod idle;
mod matching;
mod roles;
mod round_trip;
mod socket;

pub use roles::play;
pub use socket::version;
