//! Keeps the documents true where a machine can tell: versions, commands, names and links.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

#[path = "readme/libzmq.rs"]
mod libzmq;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

fn read(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    fs::read_to_string(path).expect(name)
}

/// The lines of the fenced blocks of shell commands.
fn commands(document: &str) -> Vec<String> {
    let blocks = document.split("```sh\n").skip(1);
    blocks
        .filter_map(|rest| rest.split("```").next())
        .flat_map(|block| block.lines().map(str::to_owned))
        .collect()
}

#[test]
fn the_readme_names_the_rust_version_of_the_manifest() {
    let claim = format!("Rust {} or later", env!("CARGO_PKG_RUST_VERSION"));
    assert!(read("README.md").contains(&claim), "README: {claim}");
}

#[test]
fn the_checks_run_the_test_command_of_the_readme() {
    let commands = commands(&read("README.md"));
    let tests: Vec<_> = commands
        .iter()
        .filter(|command| command.starts_with("cargo test"))
        .collect();
    assert_eq!(tests.len(), 1, "one test command in {commands:?}");
    let step = format!("step \"test\" {}\n", tests[0]);
    assert!(read(".ci/run").contains(&step), ".ci/run: {step}");
}

#[test]
fn the_readme_lists_every_example_and_no_other() {
    let readme = read("README.md");
    let section = readme.split("\n## Examples\n").nth(1).unwrap();
    let rows = section.split("\n## ").next().unwrap().lines();
    let mut listed: Vec<String> = rows
        .filter_map(|row| row.strip_prefix("| `")?.split(" |").next())
        .flat_map(|names| names.split(", "))
        .map(|name| name.trim_matches('`').to_owned())
        .collect();
    listed.sort();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut present: Vec<String> = fs::read_dir(folder)
        .expect("the examples")
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter_map(|name| name.strip_suffix(".rs").map(str::to_owned))
        .collect();
    present.sort();
    assert_eq!(listed, present);
}

#[test]
fn the_crate_documentation_lists_every_feature() {
    let manifest = read("Cargo.toml");
    let features = manifest.split("\n[features]\n").nth(1).unwrap();
    let features = features.split("\n[").next().unwrap().lines();
    let crate_docs = read("src/lib.rs");
    for feature in features.filter_map(|line| line.split(" = ").next()) {
        let row = format!("//! | `{feature}` | ");
        let known = feature.is_empty() || feature == "default" || crate_docs.contains(&row);
        assert!(known, "no row for the feature {feature}");
    }
}

#[test]
fn every_link_to_a_file_leads_somewhere() {
    for document in [
        "README.md",
        "ARCHITECTURE.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
        "tests/conformance/README.md",
    ] {
        let text = read(document);
        let place = Path::new(env!("CARGO_MANIFEST_DIR")).join(document);
        let folder = place.parent().unwrap();
        for rest in text.split("](").skip(1) {
            let target = rest.split([')', '#']).next().unwrap_or_default();
            if !target.contains("://") && !target.is_empty() {
                let target = folder.join(target);
                assert!(target.exists(), "{document} links to {target:?}");
            }
        }
    }
}

/// One line of the tables of conformance: somebody else's test, ours, and what comes of it.
struct Row {
    theirs: String,
    ours: Vec<String>,
    verdict: String,
}

/// Those of libzmq's table, and of pyzmq's.
fn conformance() -> [Vec<Row>; 2] {
    let document = read("tests/conformance/README.md");
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
    let known: BTreeSet<&str> = libzmq::TESTS.iter().copied().collect();
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
            "differs" | "not applicable" | "later" => {
                assert!(!reason.is_empty(), "{theirs}: for which reason?");
            }
            "security" => assert_eq!(reason, "later", "{theirs}"),
            _ => {
                assert!(kind.starts_with("same"), "{theirs}: {verdict}");
                assert!(!ours.is_empty(), "{theirs}: the same as what?");
            }
        }
    }
}
