//! What the documentation tells people to type exists.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

/// The commands below some words, or nothing if these are no command.
fn commands_below(words: &[String]) -> Option<Vec<String>> {
    let help =
        Command::new(env!("CARGO_BIN_EXE_posta")).args(words).arg("--help").output().expect("posta runs");
    if !help.status.success() {
        return None;
    }
    let text = String::from_utf8_lossy(&help.stdout).into_owned();
    let listed = text.lines().skip_while(|line| *line != "Commands:").skip(1);
    // Names are indented by two; descriptions that go on in a further line by more.
    let names = listed.take_while(|line| !line.is_empty()).filter_map(|line| line.strip_prefix("  "));
    let names = names.filter(|line| !line.starts_with(' ')).filter_map(|line| line.split(' ').next());
    Some(names.map(str::to_owned).collect())
}

/// The plain words behind `posta` wherever a page has it in code, with the page.
fn told(page: &Path, commands: &mut BTreeMap<Vec<String>, String>) {
    let text = std::fs::read_to_string(page).expect("readable");
    let mut in_block = false;
    for line in text.lines() {
        if line.starts_with("```") {
            in_block = !in_block;
            continue;
        }
        let spans: Vec<&str> = match in_block {
            true => vec![line],
            false => line.split('`').skip(1).step_by(2).collect(),
        };
        for span in spans.iter().filter_map(|span| span.strip_prefix("posta ")) {
            let is_plain =
                |word: &&str| word.bytes().all(|octet| octet.is_ascii_lowercase() || octet == b'-');
            let words =
                span.split_whitespace().take_while(|word| !word.starts_with('-')).take_while(is_plain);
            commands.insert(words.map(str::to_owned).collect(), page.display().to_string());
        }
    }
}

#[test]
fn every_command_that_the_documentation_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut commands = BTreeMap::new();
    for page in ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"] {
        told(&root.join(page), &mut commands);
    }
    for page in
        std::fs::read_dir(root.join("docs")).expect("docs").map(|entry| entry.expect("an entry").path())
    {
        if page.extension().is_some_and(|extension| extension == "md") {
            told(&page, &mut commands);
        }
    }
    assert!(commands.len() > 30, "only {} commands are told", commands.len());
    let mut known = BTreeMap::new();
    for (words, page) in &commands {
        for length in 0..words.len() {
            let (above, word) = (&words[..length], &words[length]);
            let below =
                known.entry(above.to_vec()).or_insert_with(|| commands_below(above).expect("a command"));
            // Below a command without further ones come its arguments.
            if below.is_empty() {
                break;
            }
            assert!(below.contains(word), "{page}: posta {}: there is no `{word}`", words.join(" "));
        }
    }
}
