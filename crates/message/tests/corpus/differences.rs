//! The cases in which we differ on purpose.

use std::cell::Cell;
use std::collections::BTreeSet;

/// `case | aspect | why`, one a line; `#` begins a remark.
const TEXT: &str = include_str!("differences.txt");

/// Gathers what differs, leaving out what is meant to.
pub(crate) struct Report {
    prefix: &'static str,
    found: Vec<String>,
    used: BTreeSet<String>,
    compared: Cell<usize>,
}

impl Report {
    /// For cases whose names begin so.
    pub(crate) fn new(prefix: &'static str) -> Self {
        Report { prefix, found: Vec::new(), used: BTreeSet::new(), compared: Cell::new(0) }
    }

    /// Compares one aspect of one case.
    pub(crate) fn compare(&mut self, case: &str, aspect: &str, ours: &str, expected: &str) {
        self.compared.set(self.compared.get() + 1);
        if ours == expected {
            return;
        }
        let key = format!("{case} | {aspect}");
        if listed().any(|line| line == key) {
            self.used.insert(key);
        } else {
            self.found.push(format!("{key}\n    ours:     {ours}\n    expected: {expected}"));
        }
    }

    /// Fails if something differs that is not listed, or is listed and does not differ.
    pub(crate) fn finish(self, compared_min: usize) {
        let stale: Vec<String> =
            listed().filter(|line| line.starts_with(self.prefix) && !self.used.contains(line)).collect();
        assert!(self.found.is_empty(), "{} differ:\n{}", self.found.len(), self.found.join("\n"));
        assert!(stale.is_empty(), "listed, but the same: {stale:#?}");
        assert!(self.compared.get() >= compared_min, "only {} compared", self.compared.get());
    }
}

fn listed() -> impl Iterator<Item = String> {
    let lines = TEXT.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty());
    lines.map(|line| {
        let mut parts = line.split(" | ");
        let (case, aspect) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        assert!(parts.next().is_some_and(|why| !why.trim().is_empty()), "no reason: {line}");
        format!("{case} | {aspect}")
    })
}
