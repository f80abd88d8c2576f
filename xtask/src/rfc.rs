//! Citations of RFCs: each must exist, and the index of them shows how far we are.

use crate::{Workspace, tidy::Report};
use anyhow::{Context, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::PathBuf;

/// The RFCs that may be cited.
const LIST: &str = "docs/rfcs.txt";

/// A citation found in a file: `RFC 5321 §4.5.2`, or the RFC alone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Citation {
    rfc: u32,
    section: Option<String>,
    line: usize,
}

/// By their order in the RFC: how a section is written, and the files that cite it.
type Sections<'a> = BTreeMap<Vec<u32>, (String, BTreeSet<&'a str>)>;

/// Checks that each cited RFC is in the list, and each cited section in the text, where texts are at hand.
pub fn check(workspace: &Workspace, report: &mut Report) -> Result<()> {
    let known = known(workspace)?;
    let folder = texts_folder(workspace);
    if !folder.is_dir() {
        report.notes.push(
            "the RFC texts are not at hand (../shared/rfc or POSTA_RFC_DIR): sections not looked up".into(),
        );
    }
    let mut sections = BTreeMap::new();
    for file in workspace.files().iter().filter(|file| cites(&file.path)) {
        for citation in citations(&file.text) {
            let place = || format!("{}:{}", file.path, citation.line);
            if !known.contains_key(&citation.rfc) {
                report.error(place(), format!("cites RFC {}, which is not in {LIST}", citation.rfc));
                continue;
            }
            let Some(section) = &citation.section else { continue };
            let present: &mut Option<BTreeSet<String>> = sections.entry(citation.rfc).or_insert_with(|| {
                let text = std::fs::read_to_string(folder.join(format!("rfc{}.txt", citation.rfc))).ok()?;
                Some(sections_of(&text))
            });
            if present.as_ref().is_some_and(|present| !present.contains(section)) {
                report.error(place(), format!("RFC {} has no section {section}", citation.rfc));
            }
        }
    }
    Ok(())
}

/// `docs/rfc-index.md`: each cited section of each RFC, with the files that cite it.
pub fn index(workspace: &Workspace) -> Result<String> {
    let known = known(workspace)?;
    let mut cited: BTreeMap<u32, Sections<'_>> = BTreeMap::new();
    for file in workspace.files().iter().filter(|file| cites(&file.path)) {
        for citation in citations(&file.text) {
            let section = citation.section.unwrap_or_default();
            let order = section.split('.').map(|part| part.parse().unwrap_or(u32::MAX)).collect();
            let of_rfc = cited.entry(citation.rfc).or_default();
            of_rfc.entry(order).or_insert_with(|| (section, BTreeSet::new())).1.insert(&file.path);
        }
    }
    let mut page = String::from(
        "# Where each RFC stands in the code\n\n\
         Written by `cargo xtask rfc-index` from the citations (`RFC 5321 §4.5.2`) in sources and tests.\n",
    );
    for (rfc, sections) in cited {
        let title = known.get(&rfc).map_or("", String::as_str);
        writeln!(page, "\n## RFC {rfc}: {title}\n\n| section | cited in |\n|---|---|")?;
        for (section, files) in sections.values() {
            let section = if section.is_empty() { "as a whole".to_owned() } else { format!("§{section}") };
            writeln!(page, "| {section} | {} |", files.iter().copied().collect::<Vec<_>>().join(", "))?;
        }
    }
    Ok(page)
}

fn cites(path: &str) -> bool {
    path != LIST && path != "docs/rfc-index.md" && path != "xtask/src/rfc.rs"
}

fn texts_folder(workspace: &Workspace) -> PathBuf {
    std::env::var_os("POSTA_RFC_DIR").map_or_else(|| workspace.root().join("../shared/rfc"), PathBuf::from)
}

fn known(workspace: &Workspace) -> Result<BTreeMap<u32, String>> {
    let list = &workspace.file(LIST)?.text;
    list.lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
        .map(|line| {
            let (number, title) = line.split_once(' ').with_context(|| format!("{LIST}: {line}"))?;
            Ok((number.parse().with_context(|| format!("{LIST}: {line}"))?, title.to_owned()))
        })
        .collect()
}

/// Finds `RFC N`, `RFC N §S`, and further sections after it: `RFC N §S, §T and §U`, `RFC N §§S, T`.
fn citations(text: &str) -> Vec<Citation> {
    let mut found = Vec::new();
    for (index, line) in text.lines().enumerate() {
        for (at, _) in line.match_indices("RFC ") {
            let rest = &line[at + 4..];
            let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            let Ok(rfc) = rest[..digits].parse() else { continue };
            let rest = &rest[digits..];
            // What belongs to this citation ends where the next one begins.
            let rest = rest.find("RFC ").map_or(rest, |next| &rest[..next]);
            let before = found.len();
            sections_cited(rest, |section| {
                found.push(Citation { rfc, section: Some(section.to_owned()), line: index + 1 });
            });
            if found.len() == before {
                found.push(Citation { rfc, section: None, line: index + 1 });
            }
        }
    }
    found
}

fn sections_cited(mut rest: &str, mut each: impl FnMut(&str)) {
    loop {
        let start = rest.trim_start_matches([' ', ',']);
        let start = start.strip_prefix("and ").unwrap_or(start);
        let Some(after) = start.strip_prefix('§') else { return };
        let after = after.trim_start_matches(['§', ' ']);
        let length = after.find(|c: char| !c.is_ascii_alphanumeric() && c != '.').unwrap_or(after.len());
        let section = after[..length].trim_end_matches('.');
        if section.is_empty() {
            return;
        }
        each(section);
        rest = &after[length..];
    }
}

/// All section numbers that head a line of an RFC: `4.5.2.  Transparency`, `A.1  Example`, `Appendix B.`
fn sections_of(text: &str) -> BTreeSet<String> {
    let mut sections = BTreeSet::new();
    for line in text.lines() {
        let line = line.trim_start();
        let line = line.strip_prefix("Appendix ").or_else(|| line.strip_prefix("APPENDIX ")).unwrap_or(line);
        let word = line.split_whitespace().next().unwrap_or_default().trim_end_matches([':', '.']);
        let mut parts = word.split('.');
        let head_fits = parts.next().is_some_and(|head| {
            !head.is_empty()
                && (head.chars().all(|c| c.is_ascii_digit())
                    || (head.len() == 1 && head.starts_with(|c: char| c.is_ascii_uppercase())))
        });
        if head_fits && parts.all(|part| !part.is_empty() && part.chars().all(|c| c.is_ascii_digit())) {
            sections.insert(word.to_owned());
        }
    }
    sections
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cited(text: &str) -> Vec<(u32, Option<String>)> {
        citations(text).into_iter().map(|citation| (citation.rfc, citation.section)).collect()
    }

    #[test]
    fn citations_are_found_as_people_write_them() {
        let section = |text: &str| Some(text.to_owned());
        assert_eq!(cited("// RFC 5321 §4.5.2: dots."), [(5321, section("4.5.2"))]);
        assert_eq!(
            cited("RFC 5321 §4.1.1.4, §4.5.2 and §2.3.8."),
            [(5321, section("4.1.1.4")), (5321, section("4.5.2")), (5321, section("2.3.8")),]
        );
        assert_eq!(cited("(RFC 1939 and RFC 2449 §5)"), [(1939, None), (2449, section("5"))]);
        assert_eq!(cited("RFC 822 §A.1.1"), [(822, section("A.1.1"))]);
        assert!(cited("an RFC that says").is_empty());
    }

    #[test]
    fn sections_are_found_as_editors_set_them() {
        let text = "4.5.2.  Transparency\n\n   3.8  Terminating\nAppendix B.  Generating\n   A.1. Example\nSome 5 text\n";
        let sections = sections_of(text);
        for section in ["4.5.2", "3.8", "B", "A.1"] {
            assert!(sections.contains(section), "{section}");
        }
        assert!(!sections.contains("5"));
    }
}
