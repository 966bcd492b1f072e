//! [`Nacl`]: the cipher of CURVE: X25519, XSalsa20 and Poly1305, as in NaCl's `crypto_box`.

use cryptoxide::mac::Mac;
use cryptoxide::poly1305::Poly1305;
use salsa20::cipher::consts::U10;
use salsa20::cipher::{KeyIvInit, StreamCipher};
use salsa20::{Salsa20, hsalsa};
use x25519_dalek::{X25519_BASEPOINT_BYTES, x25519};

use super::cipher::{Cipher, Key, TAG};

/// See the [module](self).
#[derive(Clone, Copy, Debug)]
pub(in crate::wire) struct Nacl;

impl Cipher for Nacl {
    fn fill(&self, out: &mut [u8]) -> bool {
        getrandom::fill(out).is_ok()
    }

    fn public(&self, secret: &[u8; 32]) -> [u8; 32] {
        x25519(*secret, X25519_BASEPOINT_BYTES)
    }

    fn agree(&self, secret: &[u8; 32], public: &[u8; 32]) -> Option<Key> {
        let shared = Key::from(x25519(*secret, *public));
        // A public key of small order makes the result zero whatever the secret is.
        let any = shared.iter().fold(0, |any, byte| any | byte);
        (any != 0).then(|| self.derive(&shared, &[0; 16]))
    }

    fn derive(&self, key: &Key, prefix: &[u8; 16]) -> Key {
        Key::from(<[u8; 32]>::from(hsalsa::<U10>(
            (&**key).into(),
            prefix.into(),
        )))
    }

    fn seal(&self, key: &Key, nonce: &[u8; 8], body: &mut [u8]) -> [u8; TAG] {
        let (mut stream, once) = begin(key, nonce);
        stream.apply_keystream(body);
        prove(&once, body)
    }

    fn open(&self, key: &Key, nonce: &[u8; 8], tag: &[u8; TAG], body: &mut [u8]) -> bool {
        let (mut stream, once) = begin(key, nonce);
        let holds = crate::security::secret::is_same(&prove(&once, body), tag);
        if holds {
            stream.apply_keystream(body);
        }
        holds
    }
}

/// The stream of a nonce, whose first 32 bytes are the key of the proof.
fn begin(key: &Key, nonce: &[u8; 8]) -> (Salsa20, Key) {
    let mut stream = Salsa20::new((&**key).into(), nonce.into());
    let mut once = Key::default();
    stream.apply_keystream(once.as_mut_slice());
    (stream, once)
}

fn prove(once: &Key, body: &[u8]) -> [u8; TAG] {
    let mut proof = Poly1305::new(once);
    proof.input(body);
    let mut tag = [0; TAG];
    proof.raw_result(&mut tag);
    tag
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What libsodium makes of the same; written by `tests/python/vectors.py`.
    const PUBLIC: &str = "7d9c24316539825c1896e57f28197746793ce60cbee3ad47da9d07b85fa55e2a";
    const SHARED: &str = "20c410df7f451bbb8784e165024d5b80c4095d74a33c9fa41bacf4a54a43d5f1";
    const BOXES: &[(usize, &str, &str)] = &[
        (0, "fe680119e9807701a06cdaa181a800aa", ""),
        (1, "21188abf2d3162d25dae33fad36a553c", "bd"),
        (
            15,
            "4046b666c5257df7ac5590e03930cef9",
            "bd5aa4d8fff39214a99d0627edc979",
        ),
        (
            16,
            "9f74a77f95cde7595b05cc1be3e3e6c9",
            "bd5aa4d8fff39214a99d0627edc97971",
        ),
        (
            17,
            "25dac88e03225a4e4902519744384ce0",
            "5aa4d8fff39214a99d0627edc97971cc",
        ),
        (
            31,
            "10fc0470e01ae5ab7bdca5e2f87a163d",
            "71ccbbfe97540c7ebacdc218e2f65c97",
        ),
        (
            32,
            "5ed729416cb49b6ce1a1672c1290f2a1",
            "ccbbfe97540c7ebacdc218e2f65c9727",
        ),
        (
            33,
            "20679963fc384cc423856e7c4fbc93ad",
            "bbfe97540c7ebacdc218e2f65c9727fd",
        ),
        (
            63,
            "72516d63ee9b79f1979ad6a88a4304d9",
            "0e1f113daf0eb3e12d0b64d50970d4d0",
        ),
        (
            64,
            "6f653f39f134a464ee90b3ad53fae474",
            "1f113daf0eb3e12d0b64d50970d4d06c",
        ),
        (
            65,
            "cded66ccda5e2c7addf912b247903267",
            "113daf0eb3e12d0b64d50970d4d06cce",
        ),
        (
            96,
            "b27b8acdf2f8569769c8a2c4fc4a4fcb",
            "e9c5b359dfa95bd2005d753bfef16eed",
        ),
        (
            97,
            "4a184276cb5b33cd8486ff7a4451ede9",
            "c5b359dfa95bd2005d753bfef16eed03",
        ),
        (
            255,
            "5a9f0e47834071db88557e095ebf3824",
            "f4047466681caecbc4c19840df87f7d9",
        ),
        (
            256,
            "ee45f59174bca7bd3ea882e6b6daa420",
            "047466681caecbc4c19840df87f7d91d",
        ),
        (
            1000,
            "30716ad52d09ccadb48fc66d4306253c",
            "a4deb95a8b19f569267cdf45c892707a",
        ),
        (
            65537,
            "cd2e777e8ce31bc10eb6071bed3c6d09",
            "5c507ab5c2680b8303019b4ce59e357f",
        ),
    ];

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn boxes_are_those_of_libsodium() {
        let client: [u8; 32] = std::array::from_fn(|at| at as u8);
        let server: [u8; 32] = std::array::from_fn(|at| at as u8 + 100);
        let public = Nacl.public(&server);
        assert_eq!(hex(&public), PUBLIC);
        let shared = Nacl.agree(&client, &public).unwrap();
        assert_eq!(hex(&shared[..]), SHARED);
        assert_eq!(
            *shared,
            *Nacl.agree(&server, &Nacl.public(&client)).unwrap()
        );
        let key = Nacl.derive(&shared, b"CurveZMQMESSAGEC");
        let nonce = [0, 0, 0, 0, 0, 0, 1, 2];
        for (length, tag, end) in BOXES {
            let message: Vec<u8> = (0..*length).map(|at| (at % 251) as u8).collect();
            let mut body = message.clone();
            let made = Nacl.seal(&key, &nonce, &mut body);
            assert_eq!(hex(&made), *tag, "{length}");
            assert_eq!(hex(&body[length.saturating_sub(16)..]), *end, "{length}");
            let mut wrong = made;
            wrong[length % 16] ^= 1 << (length % 8);
            let sealed = body.clone();
            assert!(!Nacl.open(&key, &nonce, &wrong, &mut body));
            assert_eq!(body, sealed, "what is not proved is left alone");
            assert!(Nacl.open(&key, &nonce, &made, &mut body));
            assert_eq!(body, message);
        }
    }
}
