//! Who may come in, and how it is proved: keys, certificates, and the ways to keep them.

#[cfg(feature = "curve")]
pub(crate) mod certificate;
#[cfg(feature = "curve")]
pub(crate) mod keys;
#[cfg(feature = "curve")]
mod secret;
#[cfg(feature = "curve")]
mod z85;
