//! A process of its own for a test about its whole process, in which others run at the same time.

use std::process::Command;

/// Set in a process that runs one test only.
const ALONE: &str = "WIRELARK_TEST_ALONE";

/// Whether this process runs the test of this name only. Where it does not, another one does, and when this
/// returns the test has passed there.
pub(crate) fn is_alone(test: &str) -> bool {
    if std::env::var_os(ALONE).is_some() {
        return true;
    }
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(ALONE, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{test} alone: {said}{complained}"
    );
    false
}
