//! Holds the floor plan of ARCHITECTURE.md: which module may use which, and what the layers
//! without I/O must not touch.
//!
//! It reads the sources as tokens, so comments and strings cannot confuse it, and follows every
//! `use` tree and every path that is written in place. It says file, line and the broken rule.

#[path = "architecture/source.rs"]
mod source;

use std::fs;
use std::path::{Path, PathBuf};

use source::{Read, Reference, read};

/// Everything below the layers: no I/O, no async. They may use one another.
const WORDS: &[&str] = &[
    "endpoint",
    "error",
    "event",
    "fault",
    "identity",
    "message",
    "options",
    "peer_handle",
    "spares",
    "security",
    "socket_type",
    "trace",
];

/// The arrows: a module, and what it may use beside itself and the words. The longest name that
/// fits a module decides. Tests obey, too.
const ARROWS: &[(&str, &[&str])] = &[
    ("words", &[]),
    ("wire", &[]),
    ("pipe", &["wire::batch", "wire::transmit"]),
    ("transport", &[]),
    ("transport::inproc", &["transport", "pipe::sync"]),
    (
        "pattern",
        &["pipe", "wire::batch", "wire::frame", "wire::subscription"],
    ),
    (
        "peer",
        &[
            "wire",
            "pipe",
            "transport",
            "pattern::PeerId",
            "pattern::Departure",
        ],
    ),
    (
        "socket",
        &["wire", "pipe", "transport", "pattern", "peer", "lib"],
    ),
];

/// The layers that are tested without a runtime, and what would tie them to one. Their tests are
/// exempt.
const PURE: &[&str] = &["wire", "pipe", "pattern"];
const IMPURE: &[&[&str]] = &[
    &["tokio"],
    &["std", "net"],
    &["Instant", "now"],
    &["elapsed"],
    &["SystemTime"],
];

/// What one module alone may make: whoever else did would let a peer in that nobody has judged. Tests are
/// exempt.
const GRANTS: &[(&[&str], &str)] = &[
    (&["Admission", "granted"], "socket::core"),
    (&["Authorised", "unasked"], "peer::auth"),
    (&["Authorised", "in_process"], "peer::link"),
];

/// A file longer than this is two files.
const LINES_MAX: usize = 500;

#[test]
fn the_floor_plan_holds() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    collect(&root.join("src"), &mut files);
    assert!(files.len() > 40, "where are the sources?");
    let sources: Vec<(String, String)> = files
        .iter()
        .map(|path| {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap();
            (
                name.replace('\\', "/"),
                fs::read_to_string(path).expect("a source file is text"),
            )
        })
        .collect();
    let broken = check(&sources);
    assert!(
        broken.is_empty(),
        "the floor plan is broken:\n{}",
        broken.join("\n")
    );
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("the folder of sources") {
        let path = entry.expect("its entry").path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
}

/// Every broken rule, as `file:line: what`.
fn check(sources: &[(String, String)]) -> Vec<String> {
    let read: Vec<_> = sources
        .iter()
        .map(|(name, text)| (name, text, read(&module_of(name), text)))
        .collect();
    let test_modules: Vec<&Vec<String>> =
        read.iter().flat_map(|(_, _, read)| &read.tests).collect();
    let mut broken = Vec::new();
    for (name, text, Read { paths, .. }) in &read {
        let file = module_of(name);
        let in_test_file = test_modules.iter().any(|module| file.starts_with(module));
        let lines = text.lines().count();
        if lines > LINES_MAX {
            broken.push(format!(
                "{name}:{lines}: no file is longer than {LINES_MAX} lines"
            ));
        }
        for path in paths {
            let verdict = if path.segments == ["unsafe"] {
                Some("there is no unsafe code".to_owned())
            } else {
                arrow(path).or_else(|| {
                    let exempt = in_test_file || path.in_test;
                    (!exempt)
                        .then(|| impure(path).or_else(|| usurped(path)))
                        .flatten()
                })
            };
            if let Some(verdict) = verdict {
                broken.push(format!("{name}:{}: {verdict}", path.line));
            }
        }
    }
    broken
}

/// What is wrong with a path to another module of the crate, if anything.
fn arrow(path: &Reference) -> Option<String> {
    let target = path.target()?;
    let from = room_of(&path.module);
    let to = room_of(&target);
    if from.first().is_none_or(|room| room == "lib") {
        return None; // the front door names everything
    }
    let (rule, allowed) = ARROWS
        .iter()
        .filter(|(room, _)| starts_with(&from, room))
        .max_by_key(|(room, _)| room.len())
        .map_or(("no layer", [].as_slice()), |(room, allowed)| {
            (*room, *allowed)
        });
    let own = rule.split("::").next().unwrap_or_default();
    let is_allowed = [&["words", own], allowed]
        .concat()
        .iter()
        .any(|room| starts_with(&to, room));
    (!is_allowed).then(|| {
        format!(
            "{rule} may not use {} (it may use: {})",
            to.join("::"),
            [&["words"], allowed].concat().join(", ")
        )
    })
}

fn impure(path: &Reference) -> Option<String> {
    let layer = path.module.first()?;
    if !PURE.contains(&layer.as_str()) {
        return None;
    }
    let found = IMPURE.iter().find(|impure| {
        path.segments
            .windows(impure.len())
            .any(|window| window == **impure)
    })?;
    Some(format!(
        "{layer} has no I/O, no runtime and no clock: not `{}`",
        found.join("::")
    ))
}

fn usurped(path: &Reference) -> Option<String> {
    let is_called = |grant: &[&str]| {
        path.segments
            .windows(grant.len())
            .any(|window| window == grant)
    };
    let (grant, owner) = GRANTS
        .iter()
        .find(|(grant, owner)| is_called(grant) && !starts_with(&path.module, owner))?;
    Some(format!("only {owner} may call `{}`", grant.join("::")))
}

/// A path with its layer in front: words are one room, what the root re-exports is `lib`.
fn room_of(module: &[String]) -> Vec<String> {
    let layer = |name: &str| ARROWS.iter().any(|(room, _)| *room == name);
    let room = match module.first() {
        Some(first) if WORDS.contains(&first.as_str()) => "words",
        Some(first) if layer(first) => return module.to_vec(),
        _ => "lib",
    };
    [&[room.to_owned()], module].concat()
}

fn starts_with(path: &[String], room: &str) -> bool {
    let mut segments = path.iter();
    room.split("::")
        .all(|name| segments.next().is_some_and(|segment| segment == name))
}

/// `src/wire/frame.rs` is `[wire, frame]`.
fn module_of(file: &str) -> Vec<String> {
    let path = file.trim_start_matches("src/").trim_end_matches(".rs");
    path.split('/')
        .filter(|name| *name != "mod" && *name != "lib")
        .map(str::to_owned)
        .collect()
}

/// The checker itself, on sources that break a rule and on sources that only look as if.
mod checker {
    use super::check;

    fn broken(file: &str, text: &str) -> Vec<String> {
        check(&[(file.to_owned(), text.to_owned())])
    }

    /// Exactly one rule is broken, in this line, and the verdict says this.
    fn assert_broken(file: &str, text: &str, line: usize, verdict: &str) {
        let broken = broken(file, text);
        let expected = format!("{file}:{line}: {verdict}");
        assert!(
            broken.len() == 1 && broken[0].starts_with(&expected),
            "expected {expected:?}, found {broken:?}"
        );
    }

    #[test]
    fn finds_an_arrow_that_points_up() {
        let verdict = "wire may not use transport::tcp";
        let file = "src/wire/frame.rs";
        assert_broken(file, "\nuse crate::transport::tcp;", 2, verdict);
        assert_broken(file, "use super::super::transport::tcp;", 1, verdict);
        assert_broken(
            file,
            "use crate::{\n    fault::X,\n    transport::{\n        {tcp as t},\n    },\n};",
            4,
            verdict,
        );
        let inline = "fn f(\n    x: crate::transport::tcp::Stream,\n) {}";
        assert_broken(file, inline, 2, verdict);
        let nested = "mod inner {\n    use super::super::super::transport::tcp;\n}";
        assert_broken(file, nested, 2, verdict);
        let after_a_test = "#[cfg(test)]\nmod tests {}\nuse crate::transport::tcp;";
        assert_broken(file, after_a_test, 3, verdict);
    }

    #[test]
    fn finds_what_only_part_of_a_layer_may_use() {
        let sync = "use crate::pipe::sync::Mutex;";
        assert!(broken("src/transport/inproc.rs", sync).is_empty());
        let verdict = "transport may not use pipe::sync";
        assert_broken("src/transport/tcp.rs", sync, 1, verdict);
        let law = "use crate::pattern::{Departure, Pattern};";
        let verdict = "peer may not use pattern::Pattern";
        assert_broken("src/peer/session.rs", law, 1, verdict);
        let frame = "use crate::wire::{batch::Batch, frame};";
        let verdict = "pipe may not use wire::frame";
        assert_broken("src/pipe/mod.rs", frame, 1, verdict);
    }

    #[test]
    fn finds_the_front_door_and_rooms_without_a_name() {
        let verdict = "words may not use lib::PushSocket";
        assert_broken("src/message.rs", "use crate::PushSocket;", 1, verdict);
        assert_broken(
            "src/peer/mod.rs",
            "use crate::*;",
            1,
            "peer may not use lib",
        );
        let verdict = "words may not use lib::attic";
        assert_broken("src/error.rs", "use crate::attic::Old;", 1, verdict);
    }

    #[test]
    fn finds_a_runtime_a_clock_and_unsafe_code() {
        let clock = "wire has no I/O, no runtime and no clock: not `Instant::now`";
        let file = "src/wire/connection.rs";
        assert_broken(file, "fn f() {\n    g(Instant::now());\n}", 2, clock);
        let net = "pattern has no I/O, no runtime and no clock: not `std::net`";
        assert_broken("src/pattern/line.rs", "use std::{io, net::IpAddr};", 1, net);
        let tokio = "pipe has no I/O, no runtime and no clock: not `tokio`";
        assert_broken("src/pipe/wake.rs", "use tokio::sync::Notify;", 1, tokio);
        let unsafe_code = "fn f() { unsafe { g() } }";
        let verdict = "there is no unsafe code";
        assert_broken("src/peer/mod.rs", unsafe_code, 1, verdict);
    }

    #[test]
    fn finds_who_lets_peers_in_unasked() {
        let verdict = "only socket::core may call `Admission::granted`";
        let grant = "fn f() {\n    accept(Admission::granted());\n}";
        assert_broken("src/peer/session.rs", grant, 2, verdict);
        let roundabout = "fn f() { crate::wire::connection::Admission::granted(); }";
        assert_broken("src/socket/lifecycle.rs", roundabout, 1, verdict);
        assert!(broken("src/socket/core.rs", grant).is_empty());
        let test = "#[cfg(test)]\nmod tests {\n    fn f() { Admission::granted(); }\n}";
        assert!(broken("src/wire/connection.rs", test).is_empty());
        let fuzzed = test.replace("cfg(test)", "cfg(fuzzing)");
        assert!(broken("src/wire/connection.rs", &fuzzed).is_empty());
        let without = test.replace("cfg(test)", "cfg(not(fuzzing))");
        assert!(!broken("src/wire/connection.rs", &without).is_empty());
    }

    #[test]
    fn finds_a_file_that_is_too_long() {
        let verdict = "no file is longer than 500 lines";
        assert_broken("src/event.rs", &"\n".repeat(501), 501, verdict);
        assert!(broken("src/event.rs", &"\n".repeat(500)).is_empty());
    }

    #[test]
    fn lets_tests_read_the_clock_but_not_turn_arrows() {
        let clock = "#[cfg(test)]\nmod tests {\n    fn f() { Instant::now(); }\n}";
        assert!(broken("src/wire/frame.rs", clock).is_empty());
        let sources = [
            ("src/wire/mod.rs", "#[cfg(test)]\nmod sim;\nmod clock;"),
            ("src/wire/sim.rs", "fn f() { Instant::now(); }"),
            ("src/wire/clock.rs", "fn f() { Instant::now(); }"),
        ];
        let sources = sources.map(|(file, text)| (file.to_owned(), text.to_owned()));
        let broken_now = check(&sources);
        assert_eq!(broken_now.len(), 1, "{broken_now:?}");
        assert!(broken_now[0].starts_with("src/wire/clock.rs:1:"));
        let upwards = "#[cfg(test)]\nmod tests {\n    use crate::peer::Hub;\n}";
        let verdict = "wire may not use peer::Hub";
        assert_broken("src/wire/frame.rs", upwards, 3, verdict);
    }

    #[test]
    fn is_not_fooled_by_what_is_no_code() {
        for text in [
            "// crate::transport::tcp, unsafe",
            "/* crate::peer /* unsafe */ tokio */",
            "const A: &str = \"crate::peer \\\" unsafe tokio\";",
            "const A: &str = r#\"\"crate::peer\" unsafe\"#;",
            "const A: [char; 2] = ['\"', '\\''];\nfn f<'a>(x: &'a str) {} // unsafe",
            "pub(super) fn f(self) {}",
            "use super::batch::Batch;\nuse crate::message::Message;",
        ] {
            let found = broken("src/wire/frame.rs", text);
            assert!(found.is_empty(), "{text}: {found:?}");
        }
    }
}
