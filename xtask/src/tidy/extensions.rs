//! `docs/extensions.md` tells all that the servers announce, and what proves it.

use super::Report;
use crate::Workspace;
use anyhow::{Context, Result};
use std::{collections::BTreeSet, path::Path};

/// The page.
const PAGE: &str = "docs/extensions.md";

/// What the page need not tell: the commands of RFC 5321 itself, and of RFC 1939.
const BASIC: &[&str] =
    &["HELO", "EHLO", "MAIL", "RCPT", "DATA", "RSET", "NOOP", "QUIT", "HELP", "TOP", "USER", "UIDL"];

/// Where the code says what it announces: the file, and between which texts of it the literals stand.
const ANNOUNCED: &[(&str, &str, &str, Protocol)] = &[
    ("crates/smtp/src/extension.rs", "fn offered(", "\n}\n", Protocol::Smtp),
    ("crates/smtp/src/command.rs", "const ALL:", "];", Protocol::Smtp),
    ("crates/pop3/src/capability.rs", "impl fmt::Display for Capability", "\n}\n", Protocol::Pop3),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Protocol {
    Smtp,
    Pop3,
}

/// A row of the page's table.
struct Row<'a> {
    line: usize,
    text: &'a str,
    protocol: Protocol,
    proofs: &'a str,
}

/// Checks that each keyword has its row, and that what proves it is there.
pub(super) fn check(workspace: &Workspace, report: &mut Report) -> Result<()> {
    let page = workspace.file(PAGE)?;
    let rows = rows(&page.text);
    for (path, from, to, protocol) in ANNOUNCED {
        for keyword in literals(&workspace.file(path)?.text, from, to).with_context(|| (*path).to_owned())? {
            let is_told = rows.iter().any(|row| row.protocol == *protocol && has_word(row.text, &keyword));
            if !BASIC.contains(&keyword.as_str()) && !is_told {
                report.error(PAGE, format!("{path} announces {keyword}, which has no row here"));
            }
        }
    }
    for row in &rows {
        let place = format!("{PAGE}:{}", row.line);
        let mut any = row.proofs.contains("all dialogues");
        for proof in row.proofs.split('`').skip(1).step_by(2) {
            any = true;
            if !exists(workspace, proof) {
                report.error(&*place, format!("`{proof}` is neither a dialogue, nor a file, nor a test"));
            }
        }
        if !any {
            report.error(&*place, "nothing proves it");
        }
    }
    Ok(())
}

/// The rows of the table, without its head.
fn rows(page: &str) -> Vec<Row<'_>> {
    page.lines()
        .enumerate()
        .filter(|(_, text)| !text.starts_with("|-") && !text.starts_with("| Extension |"))
        .filter_map(|(index, text)| {
            let inner = text.strip_prefix('|')?.trim_end().strip_suffix('|')?;
            let (first, proofs) = (inner.split('|').next()?.trim(), inner.rsplit('|').next()?);
            let is_pop3 = first.starts_with("POP3") || first.starts_with("STLS");
            let protocol = if is_pop3 { Protocol::Pop3 } else { Protocol::Smtp };
            Some(Row { line: index + 1, text, protocol, proofs })
        })
        .collect()
}

/// The keywords with which string literals between two texts begin.
fn literals(text: &str, from: &str, to: &str) -> Result<BTreeSet<String>> {
    let start = text.find(from).with_context(|| format!("`{from}` is missing"))?;
    let length = text[start..].find(to).with_context(|| format!("`{to}` is missing"))?;
    // What follows each odd quotation mark.
    let literals = text[start..start + length].split('"').skip(1).step_by(2);
    let keyword = |literal: &str| {
        let is_part = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '-';
        let end = literal.find(|c| !is_part(c)).unwrap_or(literal.len());
        (end >= 3).then(|| literal[..end].trim_end_matches('-').to_owned())
    };
    Ok(literals.filter_map(keyword).collect())
}

/// Whether it occurs by itself, not as a part of another word.
fn has_word(text: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '-';
    text.match_indices(word)
        .any(|(at, _)| !text[..at].ends_with(is_part) && !text[at + word.len()..].starts_with(is_part))
}

/// A dialogue (perhaps several, by `*`), a file of the repository, or a test function.
fn exists(workspace: &Workspace, proof: &str) -> bool {
    if proof.contains('/') && !proof.starts_with("server/") {
        return workspace.root().join(proof).exists();
    }
    if proof.contains('.') {
        let path = workspace.root().join("tests/dialogs").join(proof);
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return false };
        return names(folder).iter().any(|found| fits(&name.to_string_lossy(), found));
    }
    let function = format!("fn {proof}(");
    workspace.files().iter().any(|file| file.is_rust() && file.text.contains(&function))
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

/// One `*` stands for anything.
fn fits(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((before, after)) => {
            name.len() >= before.len() + after.len() && name.starts_with(before) && name.ends_with(after)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SourceFile;

    const CODE: &str = "fn offered() {\n    offer(on, \"SIZE {octets}\");\n    offer(on, \"DSN\".into());\n}\n\
        const ALL: x = [(\"MAIL\", 1), (\"BDAT\", 2)];\n\
        impl fmt::Display for Capability {\n    \"STLS\" \" USER\" \"EXPIRE \"\n}\n";

    fn checked(rows: &str) -> Vec<String> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let page = format!("| Extension | RFC | Proved by |\n|---|---|---|\n{rows}");
        let mut files = vec![SourceFile { path: PAGE.into(), text: page }];
        let file = |path: &str| SourceFile { path: path.into(), text: CODE.into() };
        files.extend(ANNOUNCED.iter().map(|(path, ..)| file(path)));
        files.push(SourceFile { path: "tests/it.rs".into(), text: "fn it_works() {}".into() });
        let mut report = Report::default();
        check(&Workspace::of_files(&root, files), &mut report).expect("checked");
        report.errors.iter().map(ToString::to_string).collect()
    }

    const ROWS: &str = "| SIZE | 1870 | `rfc5321-d1.smtp` |\n| DSN | 3461 | `it_works`, `xtask/src/lib.rs` |\n\
        | CHUNKING: BDAT | 3030 | `server/bdat*.smtp` |\n| STLS, EXPIRE | 2595 | all dialogues |\n";

    #[test]
    fn what_is_announced_is_told_and_proven() {
        assert_eq!(checked(ROWS), Vec::<String>::new());
        let table = [
            (ROWS.replace("SIZE", "SIZE-ISH"), "announces SIZE"),
            (ROWS.replace("BDAT", "bdat"), "announces BDAT"),
            (ROWS.replace("| STLS, EXPIRE", "| EXPIRE, STLS"), "announces EXPIRE"),
            (ROWS.replace("it_works", "it_is_gone"), "`it_is_gone` is neither"),
            (ROWS.replace("server/bdat*", "server/bdatum*"), "`server/bdatum*.smtp` is neither"),
            (ROWS.replace("xtask/src/lib.rs", "xtask/src/liberty.rs"), "`xtask/src/liberty.rs` is neither"),
            (ROWS.replace("all dialogues", "trust"), "nothing proves it"),
        ];
        for (rows, expected) in table {
            let found = checked(&rows);
            assert!(found.iter().any(|error| error.contains(expected)), "{expected}: {found:?}");
        }
    }
}
