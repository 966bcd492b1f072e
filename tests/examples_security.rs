//! The examples of security, as a reader runs them.
#![cfg(feature = "curve")]
#![allow(clippy::unwrap_used, reason = "in a test an error is a failure")]

mod support;

use support::{Program, Python};
use wirelark::Certificate;

#[tokio::test]
async fn every_house_lets_its_guest_in_and_no_stranger() {
    let mut program = Program::example::<&str>("ironhouse", &[]);
    for house in ["Grasslands", "Strawhouse"] {
        program.until_line(&format!("===== {house} =====")).await;
        program.expect_line("somebody says: Knock, knock.").await;
    }
    program.until_line("===== Woodhouse =====").await;
    program.expect_line("ada says: Knock, knock.").await;
    let refused = "The server turns a stranger away: the authenticator refused the peer (400): ";
    let denied = "The stranger only learns this: the peer does not let us in, with the status 400.";
    program.until(|line| line.starts_with(refused)).await;
    program.expect_line(denied).await;
    program.until_line("===== Stonehouse =====").await;
    program.expect_line("somebody says: Knock, knock.").await;
    let no_box = "The server turns a stranger away: the box of the HELLO does not open: a wrong key, or changed bytes.";
    program.expect_line(no_box).await;
    program.until_line("===== Ironhouse =====").await;
    program
        .until(|line| line.ends_with(" says: Knock, knock."))
        .await;
    program.until(|line| line.starts_with(refused)).await;
    program.expect_line(denied).await;
    assert!(program.ended().await.success());
}

#[tokio::test]
async fn a_pair_is_made_once() {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().to_str().unwrap();
    let arguments = ["ada", "--directory", directory, "--owner", "Ada"];
    let mut program = Program::example("keygen", &arguments);
    let line = program.next_line().await.unwrap();
    let key = line.strip_prefix("public key: ").unwrap().to_owned();
    assert!(program.ended().await.success());
    let own = Certificate::load(folder.path().join("ada.key_secret")).unwrap();
    assert_eq!(own.keys().unwrap().public().to_string(), key);
    assert_eq!(own.properties().next(), Some(("owner", "Ada")));
    let mut again = Program::example("keygen", &arguments);
    assert!(!again.ended().await.success());

    // pyzmq reads both files.
    let Some(python) = Python::find() else { return };
    for name in ["ada.key", "ada.key_secret"] {
        let file = folder.path().join(name);
        let mut reader = python.program("certificate.py", &[file.to_str().unwrap()]);
        reader.expect_line(&key).await;
        assert!(reader.ended().await.success());
    }
}
