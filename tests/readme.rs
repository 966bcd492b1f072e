//! Keeps the documents true where a machine can tell: versions, commands, names and links.

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
    for (feature, _) in features.filter_map(|line| line.split_once(" = ")) {
        let row = format!("//! | `{feature}` | ");
        let known = feature == "default" || crate_docs.contains(&row);
        assert!(known, "no row for the feature {feature}");
    }
}

/// What a heading is linked to by.
fn anchor(heading: &str) -> String {
    let words = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = words.chars().filter_map(|letter| match letter {
        ' ' | '-' => Some('-'),
        letter if letter.is_alphanumeric() || letter == '_' => Some(letter),
        _ => None,
    });
    kept.collect()
}

#[test]
fn every_link_to_a_file_or_a_heading_leads_somewhere() {
    for document in [
        "README.md",
        "ARCHITECTURE.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
        "SECURITY.md",
        "benches/results.md",
        "compare/README.md",
        "docs/coming-from-libzmq.md",
        "docs/internals.md",
        "docs/performance.md",
        "tests/conformance/README.md",
    ] {
        let text = read(document);
        let place = Path::new(env!("CARGO_MANIFEST_DIR")).join(document);
        let folder = place.parent().unwrap();
        for rest in text.split("](").skip(1) {
            let target = rest.split(')').next().unwrap_or_default();
            if target.contains("://") {
                continue;
            }
            let (file, heading) = target.split_once('#').unwrap_or((target, ""));
            let file = if file.is_empty() {
                place.clone()
            } else {
                folder.join(file)
            };
            assert!(file.exists(), "{document} links to {target}");
            if !heading.is_empty() {
                let there = fs::read_to_string(&file).unwrap();
                let mut headings = there.lines().filter(|line| line.starts_with('#'));
                let found = headings.any(|line| anchor(line) == heading);
                assert!(found, "{document} links to {target}: no such heading");
            }
        }
    }
}

/// The cells of a table's row.
fn cells(row: &str) -> Vec<&str> {
    let row = row.trim().trim_matches('|');
    row.split('|').map(str::trim).collect()
}

#[test]
fn the_figures_of_the_readme_are_those_of_the_results() {
    let results = read("benches/results.md");
    let measured: Vec<_> = results.lines().map(cells).collect();
    let readme = read("README.md");
    let table = readme.split("\n| cell | ").nth(1).expect("a table");
    let rows = table.lines().skip(2).take_while(|row| row.starts_with('|'));
    let ways = [
        "current_thread",
        "multi_thread, main task",
        "multi_thread, spawned task",
    ];
    let mut compared = 0;
    for row in rows.map(cells) {
        let [cell, measure, libzmq, ratios @ ..] = &row[..] else {
            panic!("{row:?} is no row of figures");
        };
        assert_eq!(ratios.len(), ways.len(), "{row:?}");
        for (way, ratio) in ways.iter().zip(ratios) {
            let known = measured.iter().any(|line| {
                line.starts_with(&[cell, way, measure, libzmq]) && line.get(5) == Some(ratio)
            });
            assert!(known, "{cell}, {way}: {measure} {libzmq}, {ratio}");
            compared += 1;
        }
    }
    assert!(compared >= 30, "only {compared} figures");
}
