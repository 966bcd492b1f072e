//! [`Secret`]: bytes that nobody else shall see, and how secrets are compared.

use std::fmt;
use std::hint::black_box;
use std::sync::Arc;

use zeroize::Zeroizing;

/// A password, as it came from a peer or is given to one.
///
/// It is in no `Debug` output; clones share one place in memory, which is overwritten when the last of
/// them is dropped. Compare it with [`is`](Self::is), which takes the same time whatever differs.
#[derive(Clone)]
pub struct Secret(Arc<Zeroizing<Vec<u8>>>);

/// PLAIN has one byte for the length of a name or a password (RFC 24).
pub(crate) const LENGTH_MAX: usize = 255;

impl Secret {
    pub(crate) fn new(bytes: &[u8]) -> Self {
        Self(Arc::new(Zeroizing::new(bytes.to_vec())))
    }

    /// The bytes. Whoever copies them has to keep them secret.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// Whether it is this one. The time it takes depends on neither.
    pub fn is(&self, other: impl AsRef<[u8]>) -> bool {
        let (own, own_fits) = padded(&self.0);
        let (other, other_fits) = padded(other.as_ref());
        // Both are always done, in this order.
        is_same(&own, &other) & own_fits & other_fits
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// The bytes at the front of a fixed number, and their length at its end; and whether they fit.
fn padded(bytes: &[u8]) -> (Zeroizing<[u8; LENGTH_MAX + 1]>, bool) {
    let mut out = Zeroizing::new([0; LENGTH_MAX + 1]);
    let length = u8::try_from(bytes.len());
    for (out, byte) in out.iter_mut().zip(bytes) {
        *out = *byte;
    }
    if let Some(last) = out.last_mut() {
        *last = length.unwrap_or_default();
    }
    (out, length.is_ok())
}

/// Whether both are the same, in a time that depends on their length only.
///
/// Every byte is looked at, whatever the ones before it were; `black_box` keeps the compiler from
/// seeing that the rest no longer matters after the first difference.
pub(crate) fn is_same<const N: usize>(left: &[u8; N], right: &[u8; N]) -> bool {
    let differences = left
        .iter()
        .zip(right)
        .fold(0, |sum, (left, right)| black_box(sum | (left ^ right)));
    black_box(differences) == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn any_bit_makes_a_difference() {
        let secret = [0x5a; 32];
        assert!(is_same(&secret, &secret.clone()));
        for bit in 0..256 {
            let mut other = secret;
            other[bit / 8] ^= 1 << (bit % 8);
            assert!(!is_same(&secret, &other), "bit {bit}");
        }
    }

    #[test]
    fn lengths_count() {
        assert!(Secret::new(b"").is(""));
        assert!(!Secret::new(b"").is("\0"));
        assert!(!Secret::new(b"a\0").is("a"));
        assert!(Secret::new(&[7; 255]).is([7; 255]));
        // Longer than any password that can come.
        assert!(!Secret::new(&[7; 255]).is([7; 256]));
        assert!(!Secret::new(&[7; 256]).is([7; 256]));
        assert_eq!(format!("{:?}", Secret::new(b"hush")), "Secret(..)");
    }

    proptest! {
        #[test]
        fn it_is_equality(left in prop::collection::vec(0u8..3, 0..6), right in prop::collection::vec(0u8..3, 0..6)) {
            prop_assert_eq!(Secret::new(&left).is(&right), left == right);
        }
    }
}
