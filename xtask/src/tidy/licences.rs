//! No copyleft: each package's licence expression must be satisfied by the list in `deny.toml`, or by what that
//! lets a single package have.

use super::Report;
use crate::Workspace;
use anyhow::{Context, Result};
use serde_json::Value;

/// Checks every package in the tree, those only built or tested with included.
pub(super) fn check(workspace: &Workspace, metadata: &Value, report: &mut Report) -> Result<()> {
    let deny: toml::Table = workspace.file("deny.toml")?.text.parse().context("deny.toml")?;
    let licenses = &deny["licenses"];
    let allowed = strings(&licenses["allow"]).context("licenses.allow")?;
    let exceptions = licenses["exceptions"].as_array().context("licenses.exceptions")?;
    for package in metadata["packages"].as_array().context("packages")? {
        if package["source"].is_null() {
            continue;
        }
        let name = format!(
            "{} {}",
            package["name"].as_str().unwrap_or("?"),
            package["version"].as_str().unwrap_or("")
        );
        let own =
            exceptions.iter().filter(|exception| exception["crate"].as_str() == package["name"].as_str());
        let mut allowed = allowed.clone();
        allowed.extend(own.filter_map(|exception| strings(&exception["allow"])).flatten());
        match package["license"].as_str() {
            Some(expression) if satisfied(expression, &allowed) => {}
            Some(expression) => {
                report.error(name, format!("licence {expression} is not in deny.toml's list"))
            }
            None => report.error(name, "names no licence"),
        }
    }
    Ok(())
}

fn strings(list: &toml::Value) -> Option<Vec<&str>> {
    Some(list.as_array()?.iter().filter_map(toml::Value::as_str).collect())
}

/// Evaluates an SPDX expression (`OR`, `AND`, `WITH`, parentheses; the old `/` means OR).
fn satisfied(expression: &str, allowed: &[&str]) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut place = 0;
    let result = alternatives(&words, &mut place, allowed);
    result && place == words.len()
}

fn alternatives(words: &[&str], place: &mut usize, allowed: &[&str]) -> bool {
    let mut result = conjunction(words, place, allowed);
    while words.get(*place) == Some(&"OR") {
        *place += 1;
        result |= conjunction(words, place, allowed);
    }
    result
}

fn conjunction(words: &[&str], place: &mut usize, allowed: &[&str]) -> bool {
    let mut result = single(words, place, allowed);
    while words.get(*place) == Some(&"AND") {
        *place += 1;
        result &= single(words, place, allowed);
    }
    result
}

fn single(words: &[&str], place: &mut usize, allowed: &[&str]) -> bool {
    let Some(word) = words.get(*place) else { return false };
    *place += 1;
    if *word == "(" {
        let result = alternatives(words, place, allowed);
        *place += 1;
        return result;
    }
    if words.get(*place) == Some(&"WITH")
        && let Some(exception) = words.get(*place + 1)
    {
        *place += 2;
        return allowed.contains(&format!("{word} WITH {exception}").as_str());
    }
    allowed.contains(word)
}

#[cfg(test)]
mod tests {
    use super::satisfied;

    #[test]
    fn expressions_are_evaluated() {
        let allowed = ["MIT", "Apache-2.0", "Apache-2.0 WITH LLVM-exception", "Unicode-3.0"];
        for (expression, expected) in [
            ("MIT", true),
            ("AGPL-3.0-only", false),
            ("MIT OR GPL-3.0", true),
            ("MIT/Apache-2.0", true),
            ("MIT AND GPL-3.0", false),
            ("(MIT OR Apache-2.0) AND Unicode-3.0", true),
            ("(LGPL-2.1 OR GPL-3.0) AND Unicode-3.0", false),
            ("Apache-2.0 WITH LLVM-exception OR GPL-2.0", true),
            ("GPL-2.0 WITH Classpath-exception-2.0", false),
            ("", false),
        ] {
            assert_eq!(satisfied(expression, &allowed), expected, "{expression}");
        }
    }
}
