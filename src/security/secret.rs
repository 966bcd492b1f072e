//! Comparing secrets in a time that says nothing about them.

use std::hint::black_box;

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
}
