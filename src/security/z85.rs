//! Z85: 32 bytes of a key as 40 printable characters (RFC 32).

use zeroize::Zeroizing;

/// Characters of a key.
pub(super) const KEY_CHARS: usize = 40;

const ALPHABET: &[u8; 85] =
    b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";

/// The text of a key.
///
/// The time it takes does not depend on the key's bytes, apart from what an index into a table of
/// 85 bytes may tell through the cache: keys are printed once, not per message.
pub(super) fn encode(bytes: &[u8; 32]) -> String {
    let mut text = String::with_capacity(KEY_CHARS);
    for group in bytes.chunks_exact(4) {
        let value = group
            .iter()
            .fold(0u32, |value, &byte| (value << 8) | u32::from(byte));
        for place in [85u32.pow(4), 85u32.pow(3), 85u32.pow(2), 85, 1] {
            let digit = usize::try_from(value / place % 85).unwrap_or_default();
            text.push(char::from(ALPHABET.get(digit).copied().unwrap_or(b'0')));
        }
    }
    text
}

/// The bytes of a key; none if the text is not 40 characters of the alphabet, or a group of five stands
/// for more than 32 bits.
pub(super) fn decode(text: &str) -> Option<Zeroizing<[u8; 32]>> {
    let text: &[u8; KEY_CHARS] = text.as_bytes().try_into().ok()?;
    let mut bytes = Zeroizing::new([0; 32]);
    for (group, out) in text.chunks_exact(5).zip(bytes.chunks_exact_mut(4)) {
        let mut value = 0u32;
        for character in group {
            let digit = ALPHABET.iter().position(|known| known == character)?;
            let digit = u32::try_from(digit).ok()?;
            value = value.checked_mul(85)?.checked_add(digit)?;
        }
        out.copy_from_slice(&value.to_be_bytes());
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_vector_of_rfc_32_four_times() {
        let bytes = [0x86, 0x4f, 0xd2, 0x6f, 0xb5, 0x59, 0xf7, 0x5b].repeat(4);
        let bytes: [u8; 32] = bytes.try_into().unwrap();
        let text = "HelloWorld".repeat(4);
        assert_eq!(encode(&bytes), text);
        assert_eq!(decode(&text).map(|bytes| *bytes), Some(bytes));
    }

    #[test]
    fn what_is_no_key() {
        let good = "0".repeat(40);
        assert!(decode(&good).is_some());
        for bad in [&good[1..], &format!("{good}0"), ""] {
            assert!(decode(bad).is_none(), "{bad:?}");
        }
        // Among those of the alphabet, and on either side of them.
        for character in ["~", "\"", ",", "|", " ", "\x10", "\x7f", "\0"] {
            let bad = format!("{}{character}", &good[1..]);
            assert!(decode(&bad).is_none(), "{bad:?}");
        }
        // 2^32 is one more than five characters may stand for.
        let most = "%nSc0".repeat(8);
        assert_eq!(decode(&most).map(|bytes| *bytes), Some([0xff; 32]));
        assert!(decode(&"%nSc1".repeat(8)).is_none());
        assert!(decode(&"#####".repeat(8)).is_none());
        assert!(decode(&format!("ä{}", "0".repeat(38))).is_none());
    }

    proptest! {
        #[test]
        fn keys_round_trip(bytes: [u8; 32]) {
            let text = encode(&bytes);
            prop_assert_eq!(text.len(), KEY_CHARS);
            prop_assert_eq!(decode(&text).map(|bytes| *bytes), Some(bytes));
        }

        #[test]
        fn text_round_trips_or_is_refused(text in "[0-9a-zA-Z.:+=^!/*?&<>()\\[\\]{}@%$#-]{40}") {
            if let Some(bytes) = decode(&text) {
                prop_assert_eq!(encode(&bytes), text);
            }
        }
    }
}
