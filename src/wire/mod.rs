//! ZMTP as pure functions and state machines: bytes in, events out.

pub(crate) mod batch;
pub(crate) mod frame;
pub(crate) mod transmit;
