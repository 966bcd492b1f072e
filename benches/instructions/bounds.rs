//! The file of bounds.

use std::collections::BTreeMap;

use crate::loops::LOOPS;

/// Read when this is built, so that bounds and loops are of the same state.
const FILE: &str = include_str!("bounds.txt");

/// One line of the file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bound {
    /// What was counted when the bound was set.
    pub(crate) counted: u64,
    /// What must not be exceeded.
    pub(crate) at_most: u64,
}

/// The bounds by the names of their loops. Each loop has one, and each is one of a loop.
pub(crate) fn read() -> Result<BTreeMap<&'static str, Bound>, String> {
    let mut bounds = BTreeMap::new();
    for line in FILE.lines() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (name, bound) = parse(line).ok_or_else(|| {
            format!("not \"NAME  COUNTED  BOUND  DATE, REASON\" in bounds.txt: {line}")
        })?;
        if bounds.insert(name, bound).is_some() {
            return Err(format!("{name} has two bounds in bounds.txt"));
        }
    }
    let missing = LOOPS.iter().find(|each| !bounds.contains_key(each.name));
    if let Some(each) = missing {
        return Err(format!("{} has no bound in bounds.txt", each.name));
    }
    let is_known = |name: &str| LOOPS.iter().any(|each| each.name == name);
    match bounds.keys().find(|name| !is_known(name)) {
        Some(name) => Err(format!(
            "there is no loop {name}, of which bounds.txt speaks"
        )),
        None => Ok(bounds),
    }
}

fn parse(line: &'static str) -> Option<(&'static str, Bound)> {
    let mut words = line.split_whitespace();
    let name = words.next()?;
    let counted = words.next()?.parse().ok()?;
    let at_most = words
        .next()?
        .parse()
        .ok()
        .filter(|bound| *bound >= counted)?;
    // The date, and at least a word of a reason.
    words.nth(1)?;
    Some((name, Bound { counted, at_most }))
}
