//! Holds README.md of this folder: every test of libzmq stands there, every test of ours that is named
//! there exists, and every verdict has its reason.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

mod names;

/// One line of the tables of conformance: somebody else's test, ours, and what comes of it.
struct Row {
    theirs: String,
    ours: Vec<String>,
    verdict: String,
}

/// Those of libzmq's table, and of pyzmq's.
fn conformance() -> [Vec<Row>; 2] {
    let document = include_str!("README.md");
    let (libzmq, pyzmq) = document.split_once("\n## pyzmq\n").unwrap();
    [libzmq, pyzmq].map(|part| {
        let lines = part.lines().filter_map(|line| line.strip_prefix("| "));
        let rows = lines.filter(|line| line.starts_with("test_") || line.starts_with("unittest_"));
        rows.map(row).collect()
    })
}

fn row(line: &str) -> Row {
    let cells: Vec<&str> = line.trim_end_matches(" |").split(" | ").collect();
    let [theirs, _, ours, verdict] = cells[..] else {
        panic!("not four cells: {line}");
    };
    let ours = ours.split(", ").filter(|name| !name.is_empty());
    Row {
        theirs: theirs.to_owned(),
        ours: ours.map(|name| name.trim_matches('`').to_owned()).collect(),
        verdict: verdict.to_owned(),
    }
}

/// Whether `file::name` is a test: marked as one, or listed for a macro that makes tests of it.
fn is_a_test(name: &str) -> bool {
    let (file, name) = name.rsplit_once("::").unwrap_or_default();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let places = [format!("tests/{file}.rs"), format!("{file}.rs")];
    let mut found = places
        .iter()
        .filter_map(|place| fs::read_to_string(root.join(place)).ok());
    let Some(text) = found.next() else {
        return false;
    };
    let (function, listed) = (format!("fn {name}("), format!("{name},"));
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let Some(at) = lines.iter().position(|line| line.contains(&function)) else {
        return false;
    };
    let mut above = lines[..at]
        .iter()
        .rev()
        .take_while(|line| line.starts_with('#') || line.starts_with('/'));
    let is_listed = || {
        let macros = text.split("on_every_").skip(1);
        macros
            .filter_map(|rest| rest.split_once(')'))
            .flat_map(|(list, _)| list.split(['(', ',']))
            .any(|word| word.trim() == name)
    };
    lines.contains(&listed.as_str())
        || above.any(|line| line.starts_with('#') && line.contains("test"))
        || is_listed()
}

#[test]
fn the_table_of_conformance_has_every_test_of_libzmq_once() {
    let [rows, _] = conformance();
    let named: BTreeSet<&str> = rows.iter().map(|row| row.theirs.as_str()).collect();
    let known: BTreeSet<&str> = names::LIBZMQ.iter().copied().collect();
    let missing: Vec<_> = known.difference(&named).collect();
    assert!(missing.is_empty(), "no row for {missing:?}");
    let unknown: Vec<_> = named.difference(&known).collect();
    assert!(unknown.is_empty(), "libzmq has no {unknown:?}");
    assert_eq!(rows.len(), known.len(), "a test has two rows");
}

#[test]
fn the_table_of_conformance_names_tests_that_exist() {
    for row in conformance().iter().flatten() {
        for name in &row.ours {
            assert!(is_a_test(name), "{}: there is no test {name}", row.theirs);
        }
    }
}

#[test]
fn the_table_of_conformance_gives_reasons() {
    for Row {
        theirs,
        ours,
        verdict,
    } in conformance().iter().flatten()
    {
        let (kind, reason) = verdict.split_once(": ").unwrap_or((verdict, ""));
        match kind {
            "differs" | "not applicable" => {
                assert!(!reason.is_empty(), "{theirs}: for which reason?");
            }
            _ => {
                assert!(kind.starts_with("same"), "{theirs}: {verdict}");
                assert!(!ours.is_empty(), "{theirs}: the same as what?");
            }
        }
    }
}
