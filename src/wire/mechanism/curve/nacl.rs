//! [`Nacl`]: the cipher of CURVE: X25519, XSalsa20 and Poly1305, as in NaCl's `crypto_box`.

use cryptoxide::mac::Mac;
use cryptoxide::poly1305::Poly1305;
use salsa20::cipher::consts::U10;
use salsa20::cipher::{KeyIvInit, StreamCipher};
use salsa20::{Salsa20, hsalsa};
use x25519_dalek::{X25519_BASEPOINT_BYTES, x25519};

use super::cipher::{Cipher, Key, TAG};
#[cfg(target_arch = "x86_64")]
use super::keystream::Keystream;
#[cfg(target_arch = "x86_64")]
use super::x86::Level;

/// From so many bytes on, blocks are made side by side.
#[cfg(target_arch = "x86_64")]
const LONG_STREAM: usize = 320;

/// From so many bytes on, the proof is made with AVX2.
#[cfg(target_arch = "x86_64")]
const LONG_PROOF: usize = 5 * 1024;

/// Bytes of a body that the first block is for, behind the key of the proof.
#[cfg(target_arch = "x86_64")]
const IN_FIRST: usize = 32;

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
        let (stream, once) = begin(key, nonce);
        mix(stream, key, nonce, body);
        prove(&once, body)
    }

    fn open(&self, key: &Key, nonce: &[u8; 8], tag: &[u8; TAG], body: &mut [u8]) -> bool {
        let (stream, once) = begin(key, nonce);
        let holds = crate::security::secret::is_same(&prove(&once, body), tag);
        if holds {
            mix(stream, key, nonce, body);
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

/// Encrypts or decrypts `body`. `stream` is that of the nonce, behind the key of the proof.
fn mix(mut stream: Salsa20, key: &Key, nonce: &[u8; 8], body: &mut [u8]) {
    #[cfg(target_arch = "x86_64")]
    if body.len() >= LONG_STREAM {
        if let (Some(level), Some((first, rest))) =
            (Level::best(), body.split_first_chunk_mut::<IN_FIRST>())
        {
            stream.apply_keystream(first);
            return Keystream::new(level, key, nonce).apply(1, rest);
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (key, nonce);
    stream.apply_keystream(body);
}

fn prove(once: &Key, body: &[u8]) -> [u8; TAG] {
    #[cfg(target_arch = "x86_64")]
    if body.len() >= LONG_PROOF && Level::best().is_some_and(Level::has_avx2) {
        return prove_long(once, body);
    }
    prove_short(once, body)
}

fn prove_short(once: &Key, body: &[u8]) -> [u8; TAG] {
    let mut proof = Poly1305::new(once);
    proof.input(body);
    let mut tag = [0; TAG];
    proof.raw_result(&mut tag);
    tag
}

/// The same, by a crate that has it for AVX2.
#[cfg(target_arch = "x86_64")]
fn prove_long(once: &Key, body: &[u8]) -> [u8; TAG] {
    use poly1305::universal_hash::{KeyInit, UniversalHash};
    use poly1305::{Block, Poly1305};

    let (blocks, rest) = Block::slice_as_chunks(body);
    let mut proof = Poly1305::new((&**once).into());
    proof.update(blocks);
    proof.compute_unpadded(rest).into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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
            319,
            "ed80b3b5c2aa877d79fda238ff3a2c69",
            "037396adc85d1361f9778adc11bdf7a0",
        ),
        (
            320,
            "47ba55d35639311ea1ebd66a042a1d59",
            "7396adc85d1361f9778adc11bdf7a012",
        ),
        (
            321,
            "0925fa2cf3c20367c00fc3fb5379a82b",
            "96adc85d1361f9778adc11bdf7a01229",
        ),
        (
            543,
            "50db0a942f6327fc8204e725f9418051",
            "8deb480e99a59ab924102d21a4fa52f2",
        ),
        (
            544,
            "974d0114ef20ac9ead623e90ca416f0b",
            "eb480e99a59ab924102d21a4fa52f29b",
        ),
        (
            545,
            "cd4fdfaf77df5cda7989f773af80ab3d",
            "480e99a59ab924102d21a4fa52f29b3c",
        ),
        (
            1055,
            "67d61c004e24150f9c834d6a7e59c9b0",
            "6ac6d3058ebff095590fd6aa8ce0a955",
        ),
        (
            1056,
            "951f7b17543a8effc66af8d540e80cdb",
            "c6d3058ebff095590fd6aa8ce0a955fe",
        ),
        (
            1057,
            "79ba0bb9052d3fd15b6dcf00d1b40171",
            "d3058ebff095590fd6aa8ce0a955fe47",
        ),
        (
            2079,
            "2a8946686a0abfd94db0052e4301c6d2",
            "18174d8653144de25586219fc1d06553",
        ),
        (
            2080,
            "b1641297aad3dce9c5b4cff478859bca",
            "174d8653144de25586219fc1d065536b",
        ),
        (
            2081,
            "9182bc408caa84960b71b3854e0ea4bf",
            "4d8653144de25586219fc1d065536b97",
        ),
        (
            5119,
            "ab2779d13cf956306423dde89e47983b",
            "acb63a58328eb8691b1f0884a174e1e6",
        ),
        (
            5120,
            "b2d5ef5d7ed9a61b77748c689dd43aaf",
            "b63a58328eb8691b1f0884a174e1e60b",
        ),
        (
            5121,
            "b59ae5f56f4fa702a52c880f6e29dda1",
            "3a58328eb8691b1f0884a174e1e60b92",
        ),
        (
            5135,
            "bc4464eba644416a2fda1823519293ff",
            "0b92dab633915979477ae3e076bc65eb",
        ),
        (
            5183,
            "257660bb1dffd05447db210b5e5746ef",
            "37c617daefcc00200e1287800e23a2fc",
        ),
        (
            5184,
            "624eb2849e75307fb5dea6faf98073d1",
            "c617daefcc00200e1287800e23a2fcfc",
        ),
        (
            5185,
            "f7d1ccb83434cea0b5246892e83d5e7b",
            "17daefcc00200e1287800e23a2fcfc9a",
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

    /// Lengths around those at which somebody else does it, or does it otherwise.
    const LENGTHS: [usize; 6] = [33, 320, 32 + 1024, 32 + 1024 + 1, 5 * 1024, 9000];

    #[test]
    fn a_box_of_which_any_bit_was_changed_is_left_alone() {
        let key = Key::from([5; 32]);
        for length in LENGTHS {
            let message: Vec<u8> = (0..length).map(|at| (at % 241) as u8).collect();
            let mut sealed = message.clone();
            let tag = Nacl.seal(&key, b"12345678", &mut sealed);
            let mut body = sealed.clone();
            for bit in 0..8 * length {
                body[bit / 8] ^= 1 << (bit % 8);
                let before = body.clone();
                assert!(
                    !Nacl.open(&key, b"12345678", &tag, &mut body),
                    "{length}, {bit}"
                );
                assert!(
                    body == before,
                    "what is not proved is left alone: {length}, {bit}"
                );
                body[bit / 8] ^= 1 << (bit % 8);
            }
            for bit in 0..8 * TAG {
                let mut wrong = tag;
                wrong[bit / 8] ^= 1 << (bit % 8);
                assert!(!Nacl.open(&key, b"12345678", &wrong, &mut body));
                assert!(body == sealed);
            }
            // A byte less, one more, and blocks that have changed places.
            let mut shorter = sealed[..length - 1].to_vec();
            assert!(!Nacl.open(&key, b"12345678", &tag, &mut shorter));
            let mut longer = [&sealed[..], &[0]].concat();
            assert!(!Nacl.open(&key, b"12345678", &tag, &mut longer));
            let mut turned = sealed.clone();
            turned.rotate_left(16);
            assert!(!Nacl.open(&key, b"12345678", &tag, &mut turned));
            assert!(Nacl.open(&key, b"12345678", &tag, &mut body));
            assert!(body == message);
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn both_crates_prove_the_same() {
        let once = Key::from(std::array::from_fn(|at| 0xff - 3 * at as u8));
        let body: Vec<u8> = (0..3 * LONG_PROOF)
            .map(|at| (at * at % 253) as u8)
            .collect();
        let lengths = (0..1200).chain(LONG_PROOF - 70..LONG_PROOF + 70);
        for length in lengths.chain([body.len()]) {
            assert_eq!(
                prove_short(&once, &body[..length]),
                prove_long(&once, &body[..length]),
                "{length}"
            );
        }
        // Where all carries are.
        for once in [[0xff; 32], [0; 32]] {
            let (once, body) = (Key::from(once), vec![0xff; 3 * LONG_PROOF + 5]);
            assert_eq!(prove_short(&once, &body), prove_long(&once, &body));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// As the crates make it that know nothing of each other.
        #[test]
        fn boxes_are_those_of_the_crates(
            key: [u8; 32],
            nonce: [u8; 8],
            start in 0..40usize,
            message in prop::collection::vec(any::<u8>(), 40..20_000),
        ) {
            let key = Key::from(key);
            let message = &message[start..];
            let (mut stream, once) = begin(&key, &nonce);
            let mut expected = message.to_vec();
            stream.apply_keystream(&mut expected);
            let proof = prove_short(&once, &expected);
            // At any address.
            let mut place = vec![0; start];
            place.extend_from_slice(message);
            let body = &mut place[start..];
            prop_assert_eq!(Nacl.seal(&key, &nonce, body), proof);
            prop_assert!(body == expected);
            prop_assert!(Nacl.open(&key, &nonce, &proof, body));
            prop_assert!(body == message);
        }
    }
}
