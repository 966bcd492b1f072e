//! Who may come in, and how it is proved: what a socket chooses, keys and the files that keep them,
//! who judges peers, and the proof that somebody has.

pub(crate) mod access;
pub(crate) mod addresses;
pub(crate) mod authenticator;
#[cfg(feature = "curve")]
pub(crate) mod certificate;
pub(crate) mod choice;
#[cfg(feature = "curve")]
pub(crate) mod client_keys;
pub(crate) mod credentials;
pub(crate) mod denial;
#[cfg(feature = "curve")]
pub(crate) mod keys;
pub(crate) mod passwords;
pub(crate) mod secret;
#[cfg(feature = "curve")]
mod z85;
