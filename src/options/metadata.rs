//! [`Metadata`]: the `X-` properties that a socket tells its peers about itself.

use bytes::Bytes;
use thiserror::Error;

/// Properties of the application's own, for [`metadata`](crate::SocketBuilder::metadata): what a
/// socket tells every peer of itself (RFC 37, "Metadata").
///
/// ```
/// use wirelark::{Metadata, PushSocket};
///
/// let metadata = Metadata::new().with("X-Room", "cellar")?.with("X-Floor", "-1")?;
/// assert_eq!(metadata.property("x-room"), Some(&b"cellar"[..]));
/// let push = PushSocket::builder().metadata(metadata).build();
/// assert!(Metadata::new().with("Room", "cellar").is_err());
/// # Ok::<(), wirelark::MetadataError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metadata(Vec<(String, Bytes)>);

/// Our own side of a limit that it also holds strangers to: 16 properties in a handshake, two of
/// which are the socket type and the identity.
const PROPERTIES_MAX: usize = 14;

/// All names and values together. Peers like this one take 8 KiB, from which the socket type and the
/// longest identity go off.
const BYTES_MAX: usize = 7 * 1024;

/// RFC 37: a name has one byte for its length.
const NAME_MAX: usize = 255;

/// Why a property cannot be told.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum MetadataError {
    /// Only names that start with `X-` are the application's own.
    #[error("the property {name:?} has to start with \"X-\"")]
    #[non_exhaustive]
    Reserved {
        /// As it was given.
        name: String,
    },
    /// A name has 3 to 255 letters, digits, and `-`, `_`, `.`, `+`.
    #[error("the property {name:?} has to be 3 to {NAME_MAX} letters, digits, or any of \"-_.+\"")]
    #[non_exhaustive]
    Malformed {
        /// As it was given.
        name: String,
    },
    /// A socket tells at most 14 properties.
    #[error("the property {name:?} is one too many: a socket tells at most {PROPERTIES_MAX}")]
    #[non_exhaustive]
    TooMany {
        /// As it was given.
        name: String,
    },
    /// Names and values have 7 KiB together.
    #[error("with {name:?} the properties have {length} bytes, of at most {BYTES_MAX}")]
    #[non_exhaustive]
    TooLong {
        /// As it was given.
        name: String,
        /// Names and values together.
        length: usize,
    },
}

impl Metadata {
    /// No properties yet.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// With this property, in place of one whose name differs at most in its case: a name that
    /// starts with `X-`, and any value.
    ///
    /// *Errors*: the name does not start with `X-`, or is not 3 to 255 letters, digits, and `-`,
    /// `_`, `.`, `+`; more than 14 properties; more than 7 KiB of names and values in all.
    pub fn with(mut self, name: &str, value: impl AsRef<[u8]>) -> Result<Self, MetadataError> {
        self.set(name, Bytes::copy_from_slice(value.as_ref()))?;
        Ok(self)
    }

    /// The value of a property; case does not matter in its name.
    pub fn property(&self, name: &str) -> Option<&[u8]> {
        self.properties()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// Every property, in the order in which they were set.
    pub fn properties(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_str(), &value[..]))
    }

    fn set(&mut self, name: &str, value: Bytes) -> Result<(), MetadataError> {
        let owned = || name.to_owned();
        if !matches!(name.as_bytes(), [b'X' | b'x', b'-', ..]) {
            return Err(MetadataError::Reserved { name: owned() });
        }
        let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.+".contains(&byte);
        if !(3..=NAME_MAX).contains(&name.len()) || !name.bytes().all(is_legal) {
            return Err(MetadataError::Malformed { name: owned() });
        }
        let others = || {
            let others = self.0.iter();
            others.filter(|(known, _)| !known.eq_ignore_ascii_case(name))
        };
        if others().count() >= PROPERTIES_MAX {
            return Err(MetadataError::TooMany { name: owned() });
        }
        let length = others()
            .map(|(name, value)| name.len().saturating_add(value.len()))
            .fold(
                name.len().saturating_add(value.len()),
                usize::saturating_add,
            );
        if length > BYTES_MAX {
            let name = owned();
            return Err(MetadataError::TooLong { name, length });
        }
        self.0
            .retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        self.0.push((owned(), value));
        Ok(())
    }

    pub(crate) fn as_slice(&self) -> &[(String, Bytes)] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(metadata: &mut Metadata, name: &str, value: &'static str) -> Result<(), MetadataError> {
        metadata.set(name, Bytes::from(value))
    }

    #[test]
    fn names_are_checked() {
        let mut metadata = Metadata::default();
        for reserved in ["", "X", "Identity", "Socket-Type", "User-Id", "Y-x"] {
            let refused = set(&mut metadata, reserved, "");
            assert!(matches!(refused, Err(MetadataError::Reserved { .. })));
        }
        let long = format!("X-{}", "x".repeat(254));
        for malformed in ["X-", "X-a b", "X-ä", "X-\0", &long] {
            let refused = set(&mut metadata, malformed, "");
            assert!(matches!(refused, Err(MetadataError::Malformed { .. })));
        }
        assert_eq!(metadata.as_slice(), []);
        set(&mut metadata, &long[..255], "").unwrap();
        set(&mut metadata, "x-0_.+-", "").unwrap();
    }

    #[test]
    fn the_last_value_counts() {
        let mut metadata = Metadata::default();
        set(&mut metadata, "X-a", "1").unwrap();
        set(&mut metadata, "X-A", "2").unwrap();
        assert_eq!(metadata.as_slice(), [("X-A".to_owned(), Bytes::from("2"))]);
    }

    #[test]
    fn number_and_length_have_limits() {
        let mut metadata = Metadata::default();
        for number in 0..PROPERTIES_MAX {
            set(&mut metadata, &format!("X-{number}"), "").unwrap();
        }
        let refused = set(&mut metadata, "X-more", "");
        assert!(matches!(refused, Err(MetadataError::TooMany { .. })));
        set(&mut metadata, "X-0", "another value").unwrap();

        let mut metadata = Metadata::default();
        let fits = Bytes::from(vec![0; BYTES_MAX - 3]);
        metadata.set("X-a", fits.clone()).unwrap();
        metadata.set("X-a", fits).unwrap();
        let refused = metadata.set("X-b", Bytes::new());
        let (name, length) = ("X-b".to_owned(), BYTES_MAX + 3);
        assert_eq!(refused, Err(MetadataError::TooLong { name, length }));
    }
}
