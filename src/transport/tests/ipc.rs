//! ipc: socket files, whose they are, who may open them, and what is left.

use std::fs;
use std::os::unix::fs::{FileTypeExt, PermissionsExt, symlink};
use std::os::unix::net::UnixListener as StdListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use super::*;
use crate::transport::path_lock::PathLock;

/// A fresh directory and an ipc endpoint in it.
fn place() -> (TempDir, PathBuf, Endpoint) {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("s");
    let endpoint = endpoint_at(&path);
    (directory, path, endpoint)
}

fn endpoint_at(path: &Path) -> Endpoint {
    endpoint(&format!("ipc://{}", path.display()))
}

fn names(directory: &TempDir) -> Vec<String> {
    let entries = fs::read_dir(directory.path()).expect("readable");
    entries
        .map(|entry| entry.expect("an entry").file_name())
        .map(|name| name.to_string_lossy().into_owned())
        .collect()
}

/// What a crashed server leaves behind.
async fn make_stale(path: &Path) {
    let _quiet = STARTING.read().await;
    drop(StdListener::bind(path).expect("free"));
}

async fn refused(endpoint: &Endpoint) -> BindError {
    let error = bind(endpoint, &TransportOptions::default())
        .await
        .expect_err("not ours");
    assert!(error.to_string().contains(&endpoint.to_string()), "{error}");
    error
}

#[tokio::test]
async fn a_path_carries_bytes_and_leaves_nothing() {
    let (directory, path, endpoint) = place();
    let listener = bound(&endpoint.to_string()).await;
    assert_eq!(listener.endpoint(), &endpoint);
    assert_eq!(names(&directory), ["s"]);
    let mode = fs::metadata(&path).expect("a file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    exercise(&listener).await;
    drop(listener);
    assert_eq!(names(&directory), [""; 0]);
}

#[tokio::test]
async fn peers_are_named_by_credentials() {
    let (_directory, _, endpoint) = place();
    let listener = bound(&endpoint.to_string()).await;
    for (_, peer) in pair(&listener).await {
        let PeerAddress::Ipc { uid, gid, pid, .. } = peer else {
            panic!("not ipc")
        };
        assert!(uid.is_some() && gid.is_some());
        if cfg!(target_os = "linux") {
            assert_eq!(pid, i32::try_from(std::process::id()).ok());
            assert!(peer.to_string().contains("pid="), "{peer}");
        }
    }
}

#[tokio::test]
async fn the_mode_can_be_chosen() {
    let (_directory, path, endpoint) = place();
    let options = TransportOptions {
        ipc_mode: 0o666,
        ..TransportOptions::default()
    };
    let _listener = bind(&endpoint, &options).await.expect("free");
    let mode = fs::metadata(&path).expect("a file").permissions().mode();
    assert_eq!(mode & 0o777, 0o666);
}

#[tokio::test]
async fn a_stale_socket_is_replaced() {
    let (directory, path, endpoint) = place();
    make_stale(&path).await;
    let listener = bound(&endpoint.to_string()).await;
    exercise(&listener).await;
    drop(listener);
    assert_eq!(names(&directory), [""; 0]);
}

#[tokio::test]
async fn a_live_server_keeps_its_path() {
    let (directory, _, endpoint) = place();
    let listener = bound(&endpoint.to_string()).await;
    let error = refused(&endpoint).await;
    assert!(matches!(error, BindError::AddressInUse { .. }), "{error:?}");
    assert_eq!(names(&directory), ["s"]);
    // The visit of the newcomer is in the backlog, and has ended.
    drop(listener.accept().await);
    exercise(&listener).await;
}

#[tokio::test]
async fn a_live_server_with_a_full_backlog_keeps_its_path() {
    let (_directory, path, endpoint) = place();
    let options = TransportOptions {
        backlog: 0,
        ..TransportOptions::default()
    };
    let _listener = bind(&endpoint, &options).await.expect("free");
    let mut visitors = Vec::new();
    while let Ok(visitor) = connect(&endpoint, &options).await {
        visitors.push(visitor);
        assert!(visitors.len() < 100, "the backlog has an end");
    }
    let error = refused(&endpoint).await;
    assert!(matches!(error, BindError::AddressInUse { .. }), "{error:?}");
    assert!(path.exists());
}

#[tokio::test]
async fn files_that_are_no_sockets_are_not_touched() {
    let (directory, path, endpoint) = place();
    fs::write(&path, "precious").expect("written");
    let error = refused(&endpoint).await;
    assert!(matches!(error, BindError::NotASocket { .. }), "{error:?}");
    assert_eq!(fs::read_to_string(&path).expect("still there"), "precious");
    assert_eq!(names(&directory), ["s"]);

    fs::remove_file(&path).expect("removed");
    fs::create_dir(&path).expect("made");
    let error = refused(&endpoint).await;
    assert!(matches!(error, BindError::NotASocket { .. }), "{error:?}");
    assert!(path.is_dir());
}

#[tokio::test]
async fn symbolic_links_are_not_touched() {
    let (directory, path, endpoint) = place();
    let target = directory.path().join("target");
    symlink(&target, &path).expect("linked");
    for kind in ["dangling", "to a stale socket"] {
        let error = refused(&endpoint).await;
        assert!(matches!(error, BindError::NotASocket { .. }), "{error:?}");
        assert!(path.is_symlink(), "{kind}");
        if kind == "dangling" {
            make_stale(&target).await;
        }
    }
    let kind = fs::symlink_metadata(&target).expect("there").file_type();
    assert!(kind.is_socket());
}

#[tokio::test]
async fn a_stolen_path_is_not_removed() {
    let (_directory, path, endpoint) = place();
    let listener = bound(&endpoint.to_string()).await;
    fs::remove_file(&path).expect("removed");
    let _thief = StdListener::bind(&path).expect("free now");
    drop(listener);
    assert!(path.exists());
}

#[tokio::test]
async fn a_missing_directory_is_an_error_with_the_endpoint() {
    let (directory, _, _) = place();
    let error = refused(&endpoint_at(&directory.path().join("no/s"))).await;
    assert!(matches!(error, BindError::Io { .. }), "{error:?}");
}

#[tokio::test]
async fn nobody_there_is_a_failed_attempt() {
    let (_directory, path, endpoint) = place();
    let options = TransportOptions::default();
    let failure = connect(&endpoint, &options).await.expect_err("no file");
    assert_eq!(failure.source.kind(), io::ErrorKind::NotFound);
    make_stale(&path).await;
    let failure = connect(&endpoint, &options).await.expect_err("no server");
    assert_eq!(failure.source.kind(), io::ErrorKind::ConnectionRefused);
    assert!(failure.to_string().contains(&endpoint.to_string()));
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_longest_path_has_all_the_rights() {
    let directory = tempfile::tempdir().expect("a directory");
    let room = 107 - directory.path().as_os_str().len() - 1;
    let path = directory.path().join("p".repeat(room));
    make_stale(&path).await;
    let listener = bound(&endpoint_at(&path).to_string()).await;
    exercise(&listener).await;
    drop(listener);
    assert_eq!(names(&directory), [""; 0]);
}

#[tokio::test]
async fn a_wildcard_is_a_file_in_a_private_directory() {
    let listener = bound("ipc://*").await;
    let Endpoint::Ipc(ipc) = listener.endpoint().clone() else {
        panic!("not ipc")
    };
    let path = ipc.path().expect("a path").to_owned();
    let directory = path.parent().expect("a directory").to_owned();
    let mode = fs::metadata(&directory)
        .expect("there")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o700);
    exercise(&listener).await;
    let another = bound("ipc://*").await;
    assert_ne!(another.endpoint(), listener.endpoint());
    drop(listener);
    assert!(!directory.exists());
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn abstract_names() {
    let _quiet = STARTING.read().await;
    let (directory, _, _) = place();
    // Unlike the name, the directory is ours alone.
    let name = endpoint(&format!("ipc://@{}", directory.path().display()));
    let listener = bound(&name.to_string()).await;
    assert_eq!(listener.endpoint(), &name);
    exercise(&listener).await;
    let error = refused(&name).await;
    assert!(matches!(error, BindError::AddressInUse { .. }), "{error:?}");
    drop(listener);
    drop(bound(&name.to_string()).await);
    let options = TransportOptions::default();
    let failure = connect(&name, &options).await.expect_err("nobody");
    assert_eq!(failure.source.kind(), io::ErrorKind::ConnectionRefused);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_tasks_that_find_a_stale_socket_one_gets_it() {
    for _ in 0..20 {
        let (directory, path, endpoint) = place();
        make_stale(&path).await;
        let tasks: Vec<_> = (0..16)
            .map(|_| {
                let endpoint = endpoint.clone();
                tokio::spawn(async move { bind(&endpoint, &TransportOptions::default()).await })
            })
            .collect();
        let mut winners = Vec::new();
        for task in tasks {
            match task.await.expect("no panic") {
                Ok(listener) => winners.push(listener),
                Err(error) => assert!(matches!(error, BindError::AddressInUse { .. }), "{error}"),
            }
        }
        assert_eq!(winners.len(), 1);
        assert_eq!(names(&directory), ["s"]);
    }
}

#[tokio::test]
async fn a_stale_socket_is_looked_at_under_the_lock() {
    let (_directory, path, endpoint) = place();
    make_stale(&path).await;
    let held = PathLock::acquire(&path).await.expect("free");
    let options = TransportOptions::default();
    let mut bind = std::pin::pin!(bind(&endpoint, &options));
    let waits = poll_fn(|cx| Poll::Ready(bind.as_mut().poll(cx).is_pending())).await;
    assert!(waits, "somebody else decides");
    // Their decision: the path is theirs.
    fs::remove_file(&path).expect("removed");
    let _server = StdListener::bind(&path).expect("free");
    drop(held);
    let error = bind.await.expect_err("taken");
    assert!(matches!(error, BindError::AddressInUse { .. }), "{error:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_lock_has_one_holder_though_holders_die() {
    let (directory, path, _) = place();
    let lock = directory.path().join("s.lock");
    let held = Arc::new(AtomicBool::new(false));
    let tasks: Vec<_> = (0..8)
        .map(|task| {
            let (path, lock, held) = (path.clone(), lock.clone(), Arc::clone(&held));
            tokio::spawn(async move {
                for round in 0..25 {
                    let guard = PathLock::acquire(&path).await.expect("in time");
                    assert!(!held.swap(true, Ordering::SeqCst), "two holders");
                    tokio::task::yield_now().await;
                    // What a holder that dies leaves, for all others to find at once.
                    make_stale(&lock.join(format!("{task}-{round}"))).await;
                    assert!(held.swap(false, Ordering::SeqCst));
                    drop(guard);
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("one holder at a time");
    }
    drop(PathLock::acquire(&path).await.expect("free"));
    assert_eq!(names(&directory), [""; 0]);
}

#[tokio::test]
async fn a_lock_waits_for_its_holder_and_survives_its_death() {
    let (directory, path, _) = place();
    let held = PathLock::acquire(&path).await.expect("free");
    {
        let mut next = std::pin::pin!(PathLock::acquire(&path));
        let first_poll = poll_fn(|cx| Poll::Ready(next.as_mut().poll(cx).is_pending())).await;
        assert!(first_poll, "it is held");
        drop(held);
        drop(next.await.expect("free again"));
    }
    assert_eq!(names(&directory), [""; 0]);

    let lock = directory.path().join("s.lock");
    fs::create_dir(&lock).expect("made");
    make_stale(&lock.join("token of a dead process")).await;
    drop(PathLock::acquire(&path).await.expect("free again"));
    assert_eq!(names(&directory), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_lock_that_never_comes_free_is_an_error() {
    let (directory, path, endpoint) = place();
    let lock = directory.path().join("s.lock");
    fs::create_dir(&lock).expect("made");
    fs::write(lock.join("note"), "not ours").expect("written");
    let error = refused(&endpoint).await;
    assert!(matches!(error, BindError::Io { .. }), "{error:?}");
    assert!(error.to_string().contains("s.lock"), "{error}");
    assert!(lock.join("note").exists() && !path.exists());
    assert_eq!(names(&directory), ["s.lock"]);
}

// ── two processes ──────────────────────────────────────────────────────

/// Names the endpoint for `child`; without it that test does nothing.
const CHILD_ENDPOINT: &str = "WIRELARK_TEST_CHILD_ENDPOINT";

/// Another process: binds, says how that went, and holds what it has until it is killed or its input ends.
#[tokio::test]
async fn child() {
    let Ok(endpoint) = std::env::var(CHILD_ENDPOINT) else {
        return;
    };
    let outcome = bind(&super::endpoint(&endpoint), &TransportOptions::default()).await;
    let word = match &outcome {
        Ok(_) => "bound",
        Err(BindError::AddressInUse { .. }) => "in use",
        Err(_) => "failed",
    };
    println!("\nchild: {word}");
    let _ = tokio::io::stdin().read(&mut [0]).await;
}

async fn spawn_child(endpoint: &Endpoint, directory: &TempDir) -> Child {
    let _alone = STARTING.write().await;
    Command::new("sh")
        .args(["-c", "umask 0; exec \"$@\"", "sh"])
        .arg(std::env::current_exe().expect("this program"))
        .args(["--exact", "transport::tests::ipc::child", "--nocapture"])
        .env(CHILD_ENDPOINT, endpoint.to_string())
        .env("TMPDIR", directory.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        // The harness in the child complains there when it is ended in the middle.
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("a child")
}

async fn outcome(child: &mut Child) -> String {
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let find = async {
        while let Some(line) = lines.next_line().await.expect("readable") {
            if let Some(word) = line.strip_prefix("child: ") {
                return word.to_owned();
            }
        }
        panic!("the child said nothing")
    };
    tokio::time::timeout(DEADLINE, find)
        .await
        .expect("the child speaks in time")
}

#[tokio::test]
async fn another_process_keeps_its_path_until_it_is_killed() {
    let (directory, path, endpoint) = place();
    let mut child = spawn_child(&endpoint, &directory).await;
    assert_eq!(outcome(&mut child).await, "bound");
    // The child's umask was 0.
    let mode = fs::metadata(&path).expect("a file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let error = refused(&endpoint).await;
    assert!(matches!(error, BindError::AddressInUse { .. }), "{error:?}");

    child.kill().await.expect("killed");
    assert!(path.exists());
    exercise(&bound(&endpoint.to_string()).await).await;
    assert_eq!(names(&directory), [""; 0]);
}

#[tokio::test]
async fn wildcards_go_where_temporary_files_shall_go() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut child = spawn_child(&endpoint("ipc://*"), &directory).await;
    assert_eq!(outcome(&mut child).await, "bound");
    let names = names(&directory);
    let [name] = names.as_slice() else {
        panic!("{names:?}")
    };
    let options = TransportOptions::default();
    let socket = directory.path().join(name).join("socket");
    connect(&endpoint_at(&socket), &options)
        .await
        .expect("it listens there");

    // Input that ends ends the child in peace. (Its status is worth nothing: nobody reads its last words.)
    drop(child.stdin.take());
    let end = tokio::time::timeout(DEADLINE, child.wait()).await;
    end.expect("it ends").expect("a status");
    assert!(!directory.path().join(name).exists());
}

#[tokio::test]
async fn of_many_processes_that_find_a_stale_socket_one_gets_it() {
    let (directory, path, endpoint) = place();
    make_stale(&path).await;
    let mut children = Vec::new();
    for _ in 0..8 {
        children.push(spawn_child(&endpoint, &directory).await);
    }
    let mut outcomes = Vec::new();
    for child in &mut children {
        outcomes.push(outcome(child).await);
    }
    outcomes.sort();
    let mut expected = vec!["in use"; 7];
    expected.insert(0, "bound");
    assert_eq!(outcomes, expected);
    assert_eq!(names(&directory), ["s"]);
}
