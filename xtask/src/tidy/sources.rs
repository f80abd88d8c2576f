//! What each source file must have and must not have.

use super::Report;
use crate::{SourceFile, Workspace};

/// A file longer than this should be cut.
const FILE_LINES_MAX: usize = 800;
/// A function longer than this doesn't fit a screen.
const FUNCTION_LINES_MAX: usize = 75;

/// Words that say that something isn't done. Put together here so that this file doesn't say them.
const UNFINISHED: &[&str] = &[
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("X", "XX:"),
    concat!("todo", "!("),
    concat!("unimplemented", "!("),
    concat!("#[", "ignore"),
];

/// Beginnings of paths that exist on one machine only.
const MACHINE_PATHS: &[&str] = &[
    concat!("/wo", "rk/"),
    concat!("/fa", "rm/"),
    concat!("/ro", "ot/"),
    concat!("/Us", "ers/"),
    concat!("C:", "\\Users"),
];

/// State that two servers in one process would share (ARCHITECTURE.md, invariant 5).
const SHARED_STATE: &[&str] = &[
    "Mutex<",
    "RwLock<",
    "AtomicU",
    "AtomicI",
    "AtomicBool",
    "AtomicPtr",
    "RefCell<",
    "OnceLock<",
    "OnceCell<",
];

/// Runs the checks of single files.
pub(super) fn check(workspace: &Workspace, report: &mut Report) {
    for file in workspace.files() {
        check_paths(file, report);
        if file.is_rust() {
            check_module_docs(file, report);
            check_unfinished(file, report);
            check_shared_state(file, report);
            check_lengths(file, report);
        }
    }
}

/// The lines of a Rust file before its unit tests, numbered from 1.
pub(super) fn lines_before_tests(file: &SourceFile) -> impl Iterator<Item = (usize, &str)> {
    let end = file.text.find("#[cfg(test)]\nmod ").unwrap_or(file.text.len());
    file.text[..end].lines().enumerate().map(|(index, line)| (index + 1, line))
}

fn check_module_docs(file: &SourceFile, report: &mut Report) {
    // Attributes of the crate and a shebang may stand before.
    let first = file.text.lines().find(|line| !line.trim().is_empty() && !line.starts_with("#!"));
    if !first.is_some_and(|line| line.starts_with("//!") && line.trim().len() > 10) {
        report.error(&file.path, "begins without `//!` that says what the file is for");
    }
}

fn check_unfinished(file: &SourceFile, report: &mut Report) {
    for (index, line) in file.text.lines().enumerate() {
        for word in UNFINISHED.iter().filter(|word| contains_word(line, word)) {
            report.error(
                format!("{}:{}", file.path, index + 1),
                format!("says {word}: finish it, or file an issue"),
            );
        }
    }
}

/// `word` in `line`, not as a part of a longer word.
fn contains_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        let ends_open = !word.ends_with(char::is_alphanumeric);
        !before.is_some_and(|c| c.is_alphanumeric() || c == '_')
            && (ends_open || !after.is_some_and(|c| c.is_alphanumeric() || c == '_'))
    })
}

fn check_paths(file: &SourceFile, report: &mut Report) {
    for (index, line) in file.text.lines().enumerate() {
        for path in MACHINE_PATHS {
            let found = line.match_indices(path).any(|(at, _)| {
                // After a name it is a path inside something; alone it is a place on a machine.
                !line[..at].chars().next_back().is_some_and(|c| c.is_alphanumeric() || "._-}/".contains(c))
            });
            if found {
                report.error(
                    format!("{}:{}", file.path, index + 1),
                    format!("names a place of one machine: {path}"),
                );
            }
        }
    }
}

fn check_shared_state(file: &SourceFile, report: &mut Report) {
    if file.crate_of_source().is_none() {
        return;
    }
    for (number, line) in lines_before_tests(file) {
        let code = line.trim_start();
        let declaration = code.strip_prefix("pub ").unwrap_or(code);
        let declaration = declaration.strip_prefix("pub(crate) ").unwrap_or(declaration);
        let shared = declaration.starts_with("static mut ")
            || (declaration.starts_with("static ") && SHARED_STATE.iter().any(|kind| code.contains(kind)))
            || code.starts_with("thread_local!");
        if shared {
            report.error(
                format!("{}:{number}", file.path),
                "process-wide mutable state: two servers live in one process",
            );
        }
    }
}

fn check_lengths(file: &SourceFile, report: &mut Report) {
    let lines: Vec<&str> = file.text.lines().collect();
    if lines.len() > FILE_LINES_MAX {
        report.warn(&file.path, format!("{} lines (over {FILE_LINES_MAX})", lines.len()));
    }
    for (start, line) in lines.iter().enumerate() {
        let Some(name) = function_name(line) else { continue };
        let indent = &line[..line.len() - line.trim_start().len()];
        // rustfmt puts the closing brace alone, as deep as the `fn`.
        let end = lines[start..].iter().position(|line| {
            line.strip_prefix(indent).is_some_and(|rest| rest == "}")
                || (*line == lines[start] && line.ends_with('}'))
        });
        if let Some(length) = end.map(|end| end + 1)
            && length > FUNCTION_LINES_MAX
        {
            report.warn(
                format!("{}:{}", file.path, start + 1),
                format!("fn {name} has {length} lines (over {FUNCTION_LINES_MAX})"),
            );
        }
    }
}

/// The name, if the line begins the definition of a function with a body.
fn function_name(line: &str) -> Option<&str> {
    if line.trim_end().ends_with(';') {
        return None;
    }
    let mut rest = line.trim_start();
    if let Some(after) = rest.strip_prefix("pub") {
        rest = after.trim_start();
        if rest.starts_with('(') {
            rest = rest.split_once(')')?.1.trim_start();
        }
    }
    for word in ["const ", "async ", "unsafe ", "extern \"C\" "] {
        rest = rest.strip_prefix(word).unwrap_or(rest);
    }
    let name = rest.strip_prefix("fn ")?;
    // A macro's `fn $name` has none.
    name.split(|c: char| !c.is_alphanumeric() && c != '_').next().filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn findings(path: &str, text: &str) -> Vec<String> {
        let file = SourceFile { path: path.to_owned(), text: text.to_owned() };
        let workspace = Workspace::of_files(Path::new("."), vec![file]);
        let mut report = Report::default();
        check(&workspace, &mut report);
        report.errors.iter().chain(&report.warnings).map(|finding| finding.place.clone()).collect()
    }

    #[test]
    fn a_tidy_file_gives_nothing() {
        let text = "//! What this is for.\n\n/// In the method: todos are fine words.\nfn f() {}\n";
        assert!(findings("crates/wire/src/a.rs", text).is_empty());
    }

    #[test]
    fn what_is_missing_or_left_over_is_found() {
        let path = "crates/wire/src/a.rs";
        assert_eq!(findings(path, "fn f() {}\n"), [path]);
        for line in [
            concat!("// TO", "DO: later"),
            concat!("    unimplemented", "!()"),
            concat!("#[", "ignore = \"slow\"]"),
            concat!("let path = \"/wo", "rk/x\";"),
            "static COUNT: AtomicU64 = AtomicU64::new(0);",
            "    pub(crate) static TABLE: Mutex<u8> = Mutex::new(0);",
        ] {
            assert_eq!(
                findings(path, &format!("//! What this is for.\n{line}\n")),
                [format!("{path}:2")],
                "{line}"
            );
        }
    }

    #[test]
    fn long_functions_are_reported() {
        let body = "    call();\n".repeat(80);
        let text = format!("//! What this is for.\npub(crate) async fn long(\n    a: u8,\n) {{\n{body}}}\n");
        assert_eq!(findings("crates/wire/src/a.rs", &text), ["crates/wire/src/a.rs:2"]);
    }
}
