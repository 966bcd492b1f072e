//! [`Certificate`]: a key, or a pair, as pyzmq and CZMQ keep them in files.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use thiserror::Error;
use zeroize::Zeroizing;

use super::keys::{KeyError, KeyPair, PublicKey, SecretKey};

/// Bytes of a file that are looked at. Two keys and a few lines about their owner take less than one
/// KiB; whatever else lies in a directory of certificates is not read into memory.
const FILE_MAX: usize = 64 * 1024;

/// Where the section of the keys begins.
const CURVE: &str = "curve";
const METADATA: &str = "metadata";
const PUBLIC_KEY: &str = "public-key";
const SECRET_KEY: &str = "secret-key";

/// A public key or a pair, and what its owner wrote beside it: the files `name.key` and
/// `name.key_secret` of pyzmq's `zmq.auth` and of CZMQ.
///
/// Despite the name nobody has signed it: it is as good as the way by which the file came.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use wirelark::{Certificate, KeyPair};
///
/// # let directory = tempfile::tempdir()?;
/// # let directory = directory.path();
/// let keys = KeyPair::generate()?;
/// Certificate::of(&keys).save(directory, "client")?;
///
/// // The other side gets this file and knows the client by it.
/// let public = Certificate::load(directory.join("client.key"))?;
/// assert_eq!(public.public_key(), keys.public());
/// assert!(public.keys().is_none());
/// // The client keeps this one.
/// let own = Certificate::load(directory.join("client.key_secret"))?;
/// assert_eq!(own.keys(), Some(keys));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    public: PublicKey,
    secret: Option<SecretKey>,
    metadata: Vec<(String, String)>,
}

impl Certificate {
    /// The certificate of a pair, to be kept by its owner.
    pub fn of(keys: &KeyPair) -> Self {
        Self {
            public: *keys.public(),
            secret: Some(keys.secret().clone()),
            metadata: Vec::new(),
        }
    }

    /// The certificate of somebody else, of whom the public key is known.
    pub const fn of_public(public: PublicKey) -> Self {
        Self {
            public,
            secret: None,
            metadata: Vec::new(),
        }
    }

    /// Writes something beside the key, such as an owner or a date. Given twice, the last value counts.
    ///
    /// *Errors*: the name is empty or has characters other than letters, digits and `-`, `_`, `.`, `/`;
    /// the value has a quotation mark or a control character in it.
    pub fn metadata(mut self, name: &str, value: &str) -> Result<Self, CertificateError> {
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./".contains(&byte);
        let is_legal = !name.is_empty()
            && name.bytes().all(is_name)
            && !value.contains(|character: char| character == '"' || character.is_control());
        if !is_legal {
            return Err(CertificateError::Metadata {
                name: name.to_owned(),
            });
        }
        self.metadata.retain(|(known, _)| known != name);
        self.metadata.push((name.to_owned(), value.to_owned()));
        Ok(self)
    }

    /// The public key.
    pub const fn public_key(&self) -> &PublicKey {
        &self.public
    }

    /// The pair; none if this is the certificate of somebody else.
    pub fn keys(&self) -> Option<KeyPair> {
        // They belong together: that was asked when they came in.
        self.secret.clone().map(KeyPair::from)
    }

    /// What stands beside the key, in order.
    pub fn properties(&self) -> impl Iterator<Item = (&str, &str)> {
        let all = self.metadata.iter();
        all.map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Reads a certificate from either file of pyzmq or CZMQ. Blocks while the file is read.
    ///
    /// *Errors*: the file cannot be read, is larger than 64 KiB, is not text, has no public key, or has keys that
    /// are malformed or do not belong together. No error repeats what stands in the file, which may have the two
    /// keys in each other's place.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, CertificateError> {
        let path = path.as_ref();
        let text = read(path).map_err(|source| CertificateError::File {
            path: path.to_owned(),
            source,
        })?;
        let malformed = |problem| CertificateError::Malformed {
            path: path.to_owned(),
            problem,
        };
        let text = std::str::from_utf8(&text).map_err(|_| malformed(CertificateProblem::NoText))?;
        Self::parse(text).map_err(malformed)
    }

    /// Writes `name.key`, and with a secret key `name.key_secret`, which only this user may read, into
    /// the directory. Returns their paths, that of the secret one if there is one. Blocks while the files are written.
    ///
    /// *Errors*: the name is no plain file name, one of the files exists already (a key that is overwritten
    /// is lost), or cannot be written. Nothing is left then of what was written before it.
    pub fn save(
        &self,
        directory: impl AsRef<Path>,
        name: &str,
    ) -> Result<(PathBuf, Option<PathBuf>), CertificateError> {
        let directory = directory.as_ref();
        if Path::new(name).file_name() != Some(name.as_ref()) {
            return Err(CertificateError::Name {
                name: name.to_owned(),
            });
        }
        let put = |suffix: &str, text: &str, mode| {
            let path = directory.join(format!("{name}.{suffix}"));
            match write(&path, text, mode) {
                Ok(()) => Ok(path),
                Err(source) => Err(CertificateError::File { path, source }),
            }
        };
        // The secret one first: should it fail, nobody is told a key that no one has.
        let secret = match &self.secret {
            Some(secret) => Some(put("key_secret", &self.secret_text(secret), 0o600)?),
            None => None,
        };
        let public = put("key", &self.public_text(), 0o644).inspect_err(|_| {
            // We have just made it, and the caller has the key: half of a pair would be in the way of the next try.
            if let Some(secret) = &secret {
                let _ = std::fs::remove_file(secret);
            }
        })?;
        Ok((public, secret))
    }

    fn parse(text: &str) -> Result<Self, CertificateProblem> {
        let (mut public, mut secret) = (None, None);
        let mut metadata = Vec::new();
        let mut section = "";
        for line in text.lines() {
            let content = line.trim();
            if content.is_empty() || content.starts_with('#') {
                continue;
            }
            if !line.starts_with([' ', '\t']) {
                section = content;
                continue;
            }
            let Some((name, value)) = content.split_once('=') else {
                continue;
            };
            let name = name.trim();
            let value = value.trim_matches([' ', '\t', '"', '\'']);
            match (section, name) {
                (CURVE, PUBLIC_KEY) => public = Some(value.parse::<PublicKey>()?),
                (CURVE, SECRET_KEY) => secret = Some(value.parse::<SecretKey>()?),
                (METADATA, name) => metadata.push((name.to_owned(), value.to_owned())),
                _ => {}
            }
        }
        let public = public.ok_or(CertificateProblem::NoPublicKey)?;
        let secret = match secret {
            Some(secret) => Some(KeyPair::new(public, secret)?.secret().clone()),
            None => None,
        };
        Ok(Self {
            public,
            secret,
            metadata,
        })
    }

    fn public_text(&self) -> String {
        format!(
            "#   CURVE public certificate, written by wirelark\n\
             #   For everybody who talks to its owner; to be handed over in a way that nobody can tamper with.\n\
             \n{}",
            self.body()
        )
    }

    fn secret_text(&self, secret: &SecretKey) -> Zeroizing<String> {
        let key = Zeroizing::new(secret.expose_z85());
        Zeroizing::new(format!(
            "#   CURVE secret certificate, written by wirelark\n\
             #   For its owner only.\n\
             \n{}    {SECRET_KEY} = \"{}\"\n",
            self.body(),
            *key
        ))
    }

    fn body(&self) -> String {
        let mut body = format!("{METADATA}\n");
        for (name, value) in self.properties() {
            body.push_str(&format!("    {name} = \"{value}\"\n"));
        }
        body.push_str(&format!(
            "{CURVE}\n    {PUBLIC_KEY} = \"{}\"\n",
            self.public
        ));
        body
    }
}

/// The whole file, unless it is too large to be a certificate.
fn read(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    // As large as it may become, so that no piece of a secret is left where a smaller one was.
    let mut bytes = Zeroizing::new(Vec::with_capacity(FILE_MAX + 1));
    let limit = u64::try_from(FILE_MAX).unwrap_or(u64::MAX);
    File::open(path)?
        .take(limit.saturating_add(1))
        .read_to_end(&mut bytes)?;
    if bytes.len() > FILE_MAX {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("a certificate has at most {FILE_MAX} bytes"),
        ));
    }
    Ok(bytes)
}

fn write(path: &Path, text: &str, mode: u32) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
    #[cfg(not(unix))]
    let _ = mode;
    let mut file = options.open(path)?;
    let written = file.write_all(text.as_bytes());
    written.and_then(|()| file.sync_all()).inspect_err(|_| {
        let _ = std::fs::remove_file(path);
    })
}

/// Why a certificate was not read or written.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// The file could not be read or written.
    #[error("the certificate {}: {source}", path.display())]
    #[non_exhaustive]
    File {
        /// Which file.
        path: PathBuf,
        /// What the operating system said. The message repeats it, so it is no `Error::source`.
        r#source: io::Error,
    },
    /// What stands in the file is no certificate.
    #[error("the certificate {}: {problem}", path.display())]
    #[non_exhaustive]
    Malformed {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        problem: CertificateProblem,
    },
    /// This cannot be the name of two files.
    #[error(
        "{name:?} is no name for the files of a certificate: it has to be a file name without a directory"
    )]
    #[non_exhaustive]
    Name {
        /// As it was given.
        name: String,
    },
    /// This cannot stand in a certificate.
    #[error(
        "the name {name:?} has to be letters, digits, or any of \"-_./\", and its value free of quotation marks and control characters"
    )]
    #[non_exhaustive]
    Metadata {
        /// As it was given.
        name: String,
    },
}

/// What is wrong with the text of a certificate.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CertificateProblem {
    /// It is not UTF-8.
    #[error("it is not text")]
    NoText,
    /// It has no line `public-key` in a section `curve`.
    #[error("it has no public key")]
    NoPublicKey,
    /// A key is none, or the keys do not belong together.
    #[error(transparent)]
    Key(#[from] KeyError),
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As pyzmq 27 writes it, with the test keys of libzmq's manual.
    const PYZMQ: &str = "#   ****  Generated on 2026-11-23 08:00:00.000000 by pyzmq  ****\n\
        #   ZeroMQ CURVE **Secret** Certificate\n\n\
        metadata\n    owner = Ada\ncurve\n\
        \x20   public-key = \"Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID\"\n\
        \x20   secret-key = \"D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs\"\n";

    #[test]
    fn a_certificate_of_pyzmq_is_read() {
        let certificate = Certificate::parse(PYZMQ).unwrap();
        let keys = certificate.keys().unwrap();
        assert_eq!(
            keys.public().to_string(),
            "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID"
        );
        assert_eq!(keys.public(), certificate.public_key());
        assert_eq!(
            certificate.properties().collect::<Vec<_>>(),
            [("owner", "Ada")]
        );
    }

    #[test]
    fn what_is_written_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let keys = KeyPair::generate().unwrap();
        let own = Certificate::of(&keys)
            .metadata("owner", "Ada")
            .unwrap()
            .metadata("owner", "Grace = \u{e9}")
            .unwrap();
        let (public, secret) = own.save(folder.path(), "grace").unwrap();
        let secret = secret.unwrap();
        assert_eq!(Certificate::load(&secret).unwrap(), own);
        let read = Certificate::load(&public).unwrap();
        assert_eq!((read.public_key(), read.keys()), (keys.public(), None));
        let shown = std::fs::read_to_string(&public).unwrap();
        assert!(!shown.contains(&keys.secret().expose_z85()));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::metadata(&secret).unwrap().permissions().mode();
            assert_eq!(mode & 0o077, 0);
        }
        // A key is never overwritten.
        assert!(matches!(
            own.save(folder.path(), "grace"),
            Err(CertificateError::File { .. })
        ));
        // Nor is half of a pair left where the other half is in the way.
        std::fs::write(folder.path().join("ada.key"), "another").unwrap();
        let refused = own.save(folder.path(), "ada").unwrap_err();
        assert!(refused.to_string().contains("ada.key:"), "{refused}");
        assert!(!folder.path().join("ada.key_secret").exists());
        let other = std::fs::read_to_string(folder.path().join("ada.key"));
        assert_eq!(other.unwrap(), "another");
        for name in ["", "..", "a/b", "/a", "."] {
            assert!(matches!(
                own.save(folder.path(), name),
                Err(CertificateError::Name { .. })
            ));
        }
    }

    #[test]
    fn what_is_no_certificate() {
        use CertificateProblem::{Key, NoPublicKey};
        let other = KeyPair::generate().unwrap();
        let swapped = PYZMQ.replace(
            "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID",
            &other.public().to_string(),
        );
        let cases = [
            ("", NoPublicKey),
            // A key among the remarks of its owner is none.
            (&PYZMQ.replace("curve\n", ""), NoPublicKey),
            (&PYZMQ.replace("Yne@", "Yne"), Key(KeyError::NotZ85)),
            (&PYZMQ.replace("D:)Q", "D:~Q"), Key(KeyError::NotZ85)),
            (
                &swapped,
                Key(KeyError::NoPair {
                    public: *Certificate::parse(PYZMQ).unwrap().public_key(),
                }),
            ),
        ];
        for (text, problem) in cases {
            assert_eq!(Certificate::parse(text), Err(problem), "{text}");
        }
        // Nor is the secret key told to whoever takes it for the public one.
        let mixed_up = PYZMQ.replace("public", "other").replace("secret", "public");
        let problem = Certificate::parse(&mixed_up.replace("other", "secret")).unwrap_err();
        assert!(matches!(problem, Key(KeyError::NoPair { .. })));
        assert!(
            !format!("{problem} {problem:?}").contains("D:)Q"),
            "{problem}"
        );
        let folder = tempfile::tempdir().unwrap();
        let large = folder.path().join("large.key");
        std::fs::write(&large, vec![b'#'; FILE_MAX + 1]).unwrap();
        assert!(matches!(
            Certificate::load(&large),
            Err(CertificateError::File { .. })
        ));
        let error = Certificate::of(&other).metadata("a\nb", "c").unwrap_err();
        assert!(matches!(error, CertificateError::Metadata { .. }));
        assert!(Certificate::of(&other).metadata("a", "c\"\n").is_err());
    }
}
