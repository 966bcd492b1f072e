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
