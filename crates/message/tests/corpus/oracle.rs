//! Whole messages against `oracle-agreed.json` (what two of three other readers say) and the part
//! tree of `oracle-cpython.json`.

use crate::differences::Report;
use crate::{corpus, json};
use posta_message::{Entity, Message};
use serde_json::Value;
use sha2::{Digest, Sha256};

const SOURCES: [&str; 17] = [
    "cpython-email",
    "deltachat",
    "enmime",
    "flanker",
    "flufl-bounce",
    "mime4j-mimetools-testmsgs",
    "mime4j-testmsgs",
    "mimekit-messages",
    "mimekit-partial",
    "nodemailer-mailparser",
    "php-mime-mail-parser",
    "rspamd",
    "ruby-mail",
    "sisimai-bounces",
    "spamassassin",
    "stalwart-mail-auth",
    "stalwart-mail-parser",
];

/// Runs over every message of a source that an oracle file knows.
fn each(oracle: &str, mut check: impl FnMut(&str, &Message<'_>, &Value)) {
    let Some(corpus) = corpus() else { return };
    for source in SOURCES {
        let folder = corpus.join(source);
        let Some(Value::Object(cases)) = json(folder.join(oracle)) else {
            panic!("{source} has no {oracle}")
        };
        for (name, expected) in &cases {
            let raw =
                std::fs::read(folder.join(name)).unwrap_or_else(|error| panic!("{source}/{name}: {error}"));
            check(&format!("{source}/{name}"), &Message::parse(&raw), expected);
        }
    }
}

fn squeezed(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn strings(value: &Value) -> Vec<String> {
    let list = value.as_array().map(Vec::as_slice).unwrap_or_default();
    list.iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

#[test]
fn what_other_readers_agree_on() {
    let mut report = Report::new("agreed:");
    each("oracle-agreed.json", |case, message, expected| {
        let case = format!("agreed:{case}");
        let root = message.root();
        if let Some(subject) = expected["subject"].as_str() {
            let ours = squeezed(&root.subject().unwrap_or_default());
            report.compare(&case, "subject", &ours, &squeezed(subject));
        }
        for (aspect, list) in [("from", root.from()), ("to", root.to()), ("cc", root.cc())] {
            if expected[aspect].is_array() {
                let mut ours: Vec<String> = list
                    .mailboxes()
                    .map(|mailbox| mailbox.address.to_ascii_lowercase())
                    .filter(|address| !address.is_empty())
                    .collect();
                let mut theirs: Vec<String> = strings(&expected[aspect])
                    .iter()
                    .map(|one| one.to_ascii_lowercase())
                    .filter(|one| !one.is_empty())
                    .collect();
                ours.sort();
                theirs.sort();
                report.compare(&case, aspect, &ours.join(" "), &theirs.join(" "));
            }
        }
        if let Some(date) = expected["date_utc"].as_str() {
            let ours = root.date().map(|date| date.instant.to_string()).unwrap_or_default();
            let theirs: Option<jiff::Timestamp> = date.parse().ok();
            report.compare(&case, "date", &ours, &theirs.map(|date| date.to_string()).unwrap_or_default());
        }
        let ours = entities(root).into_iter().flat_map(|leaf| hashes(&leaf)).collect::<Vec<_>>();
        for hash in strings(&expected["decoded_part_sha256"]) {
            let found = if ours.contains(&hash) { hash.clone() } else { "absent".to_owned() };
            report.compare(&case, "part", &found, &hash);
        }
    });
    if corpus().is_some() {
        report.finish(3000);
    }
}

/// All entities, embedded messages' included.
fn entities(entity: Entity<'_>) -> Vec<Entity<'_>> {
    let below = entity.parts().chain(entity.message()).flat_map(entities);
    std::iter::once(entity).chain(below).collect()
}

fn sha256(octets: &[u8]) -> String {
    Sha256::digest(octets).iter().map(|octet| format!("{octet:02x}")).collect()
}

/// As the oracle has them: as decoded; with LF and without line ends at the end.
fn hashes(leaf: &Entity<'_>) -> [String; 2] {
    let content = leaf.content();
    let is_kept = |at: usize| content[at] != b'\r' || content.get(at + 1) != Some(&b'\n');
    let text: Vec<u8> = (0..content.len()).filter(|at| is_kept(*at)).map(|at| content[at]).collect();
    let end = text.iter().rposition(|octet| *octet != b'\n').map_or(0, |last| last + 1);
    [sha256(&content), sha256(&text[..end])]
}

/// `type`, indented by depth, one a line; leaves with their hash if `with_hash`.
fn tree(entity: Entity<'_>, depth: usize, out: &mut Vec<(String, Option<[String; 2]>)>) {
    let media_type = entity.media_type().into_owned();
    let line = format!("{}{media_type}", " ".repeat(depth));
    if let Some(message) = entity.message() {
        out.push((line, None));
        return tree(message, depth + 1, out);
    }
    if entity.is_multipart() && entity.parts().next().is_some() {
        out.push((line, None));
        entity.parts().for_each(|part| tree(part, depth + 1, out));
        return;
    }
    out.push((line, Some(hashes(&entity))));
}

#[test]
fn the_part_tree_of_cpython() {
    let mut report = Report::new("cpython:");
    each("oracle-cpython.json", |case, message, expected| {
        let case = format!("cpython:{case}");
        let parts = expected["parts"].as_array().map(Vec::as_slice).unwrap_or_default();
        // CPython makes a tree of the fields of a status part and the like; these are no parts.
        let status: Vec<&str> = parts
            .iter()
            .filter(|part| {
                part["type"].as_str().is_some_and(|kind| {
                    kind.starts_with("message/") && kind != "message/rfc822"
                        || kind == "message/rfc822-headers"
                })
            })
            .filter_map(|part| part["part"].as_str())
            .collect();
        let in_status = |number: &str| {
            status.iter().any(|outer| {
                number.len() > outer.len()
                    && number.starts_with(outer)
                    && (outer.is_empty() || number.as_bytes()[outer.len()] == b'.')
            })
        };
        let theirs: Vec<&Value> =
            parts.iter().filter(|part| !in_status(part["part"].as_str().unwrap_or_default())).collect();
        let shown: Vec<String> = theirs
            .iter()
            .map(|part| {
                let number = part["part"].as_str().unwrap_or_default();
                let depth = if number.is_empty() { 0 } else { number.split('.').count() };
                format!("{}{}", " ".repeat(depth), part["type"].as_str().unwrap_or_default())
            })
            .collect();
        let mut ours = Vec::new();
        tree(message.root(), 0, &mut ours);
        let our_shape: Vec<&str> = ours.iter().map(|(line, _)| line.as_str()).collect();
        report.compare(&case, "tree", &our_shape.join("/"), &shown.join("/"));
        if our_shape != shown {
            return;
        }
        for (part, (_, hashes)) in theirs.iter().zip(&ours) {
            let (Some(hash), Some(ours)) = (part["sha256_lf_stripped"].as_str(), hashes) else { continue };
            let number = part["part"].as_str().unwrap_or_default();
            let exact = part["sha256"].as_str().unwrap_or_default();
            let ours = if ours[0] == exact { hash } else { &ours[1] };
            report.compare(&case, &format!("part {number}"), ours, hash);
        }
    });
    if corpus().is_some() {
        report.finish(2000);
    }
}
