//! The Python that the peers run in: a virtual environment with a pinned pyzmq, made once under
//! `target/`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use super::{Peer, Program};

/// The version under test. Pinned, so that a failure is ours and not that of a release of last
/// night.
const PYZMQ_VERSION: &str = "27.1.0";

/// Set to anything but nothing, this skips every test that needs pyzmq.
const SKIP_VARIABLE: &str = "WIRELARK_SKIP_PYZMQ";

/// A Python interpreter that can import pyzmq.
#[derive(Clone, Debug)]
pub(crate) struct Python {
    interpreter: PathBuf,
}

impl Python {
    /// The interpreter, or `None` if the user asked for these tests to be skipped.
    ///
    /// # Panics
    ///
    /// If there is no Python, no pip or no pyzmq to be had; the message says what to install.
    pub(crate) fn find() -> Option<Self> {
        static FOUND: OnceLock<Result<Option<Python>, String>> = OnceLock::new();
        match FOUND.get_or_init(prepare) {
            Ok(python) => {
                if python.is_none() {
                    eprintln!("skipped: needs pyzmq, and {SKIP_VARIABLE} is set");
                }
                python.clone()
            }
            Err(reason) => panic!("{reason}"),
        }
    }

    /// Starts a pyzmq socket of this type, `PUSH` for instance, in a process of its own.
    pub(crate) async fn peer(&self, socket_type: &str) -> Peer {
        Peer::start(&self.interpreter, &script("peer.py"), socket_type).await
    }

    /// Starts one of the small programs in `tests/python`, under an alarm that ends it should the
    /// test be killed.
    pub(crate) fn program(&self, name: &str, arguments: &[&str]) -> Program {
        let interpreter = self
            .interpreter
            .to_str()
            .expect("the target folder has a UTF-8 name");
        let (watched, program) = (script("watched.py"), script(name));
        let mut words = vec![utf8(&watched), interpreter, utf8(&program)];
        words.extend(arguments);
        Program::start(name, &self.interpreter, &words)
    }
}

fn prepare() -> Result<Option<Python>, String> {
    if std::env::var_os(SKIP_VARIABLE).is_some_and(|value| !value.is_empty()) {
        return Ok(None);
    }
    let advice = format!(
        "These tests talk to pyzmq {PYZMQ_VERSION}. They need python3 with the modules venv and pip \
         (on Debian and Ubuntu: apt install python3-venv python3-pip) and, for the first run, a \
         package index that pip can reach. \
         To skip them, set {SKIP_VARIABLE}=1."
    );
    let output = Command::new("python3")
        .arg(script("environment.py"))
        .args([env!("CARGO_TARGET_TMPDIR"), PYZMQ_VERSION])
        .output()
        .map_err(|error| format!("python3 cannot be run: {error}\n{advice}"))?;
    if !output.status.success() {
        return Err(format!(
            "{}\n{advice}",
            String::from_utf8_lossy(&output.stderr).trim_end()
        ));
    }
    let interpreter = String::from_utf8_lossy(&output.stdout).trim_end().into();
    Ok(Some(Python { interpreter }))
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/python")
        .join(name)
}

fn utf8(path: &Path) -> &str {
    path.to_str()
        .expect("the project lies in a folder with a UTF-8 name")
}
