//! Whole messages and address lists against the reference output of other projects: mime4j's XML,
//! mail-parser's JSON, the traces of Postfix.

use crate::differences::Report;
use crate::{corpus, json};
use posta_message::field::address;
use posta_message::{Entity, Message};
use serde_json::Value;
use std::path::Path;

/// White space aside: the files have LF, the messages CRLF or either, and XML readers trim.
fn solid(text: &str) -> String {
    text.split_whitespace().collect()
}

fn text(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).into_owned()
}

/// The files of a folder with this ending, by their names without it, in order.
fn names(folder: &Path, ending: &str) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.file_name().to_str()?.strip_suffix(ending).map(str::to_owned))
        .collect();
    names.sort();
    names
}

/// A message as mime4j writes its events, without white space.
fn xml(entity: Entity<'_>, out: &mut String) {
    let escaped =
        |octets: &[u8]| text(octets).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    out.push_str("<header>");
    for field in entity.fields().filter(|field| !field.name.is_empty()) {
        let raw = format!("{}:{}", escaped(field.name), escaped(field.value));
        out.push_str(&format!("<field>{}</field>", solid(&raw)));
    }
    out.push_str("</header>");
    if let Some(message) = entity.message() {
        out.push_str("<message>");
        xml(message, out);
        return out.push_str("</message>");
    }
    if !entity.is_multipart() {
        return out.push_str(&format!("<body>{}</body>", solid(&escaped(entity.raw_body()))));
    }
    let preamble = solid(&escaped(entity.preamble()));
    out.push_str(&format!("<multipart><preamble>{preamble}</preamble>"));
    for part in entity.parts() {
        out.push_str("<body-part>");
        xml(part, out);
        out.push_str("</body-part>");
    }
    out.push_str(&format!("<epilogue>{}</epilogue></multipart>", solid(&escaped(entity.epilogue()))));
}

#[test]
fn events_of_mime4j() {
    let Some(corpus) = corpus() else { return };
    let folder = corpus.join("mime4j-testmsgs");
    let mut report = Report::new("mime4j:");
    for name in names(&folder, ".msg") {
        let raw = std::fs::read(folder.join(format!("{name}.msg"))).expect("it was listed");
        let expected = std::fs::read(folder.join(format!("{name}.xml"))).expect("each has its events");
        let expected = solid(&text(&expected)).replace("<preamble></preamble>", "");
        let mut ours = "<message>".to_owned();
        xml(Message::parse(&raw).root(), &mut ours);
        ours.push_str("</message>");
        let ours = ours.replace("<preamble></preamble>", "").replace("<epilogue></epilogue>", "");
        let expected = expected.replace("<epilogue></epilogue>", "");
        report.compare(&format!("mime4j:{name}"), "events", &ours, &expected);
        decoded(&folder, &name, &raw, &mut report);
    }
    report.finish(25);
}

/// The decoded bodies, each in a file named for its place: `…_decoded_1_2.txt` is the second part.
fn decoded(folder: &Path, name: &str, raw: &[u8], report: &mut Report) {
    let message = Message::parse(raw);
    for place in
        names(folder, ".txt").iter().filter_map(|file| file.strip_prefix(&format!("{name}_decoded_")))
    {
        let mut entity = Some(message.root());
        for number in place.split('_').skip(1) {
            let number: usize = number.parse().expect("places are numbers");
            entity = entity.and_then(|entity| match entity.message() {
                Some(message) => Some(message),
                None => entity.parts().nth(number - 1),
            });
        }
        let expected =
            std::fs::read(folder.join(format!("{name}_decoded_{place}.txt"))).expect("it was listed");
        let ours = entity.map_or_else(|| "absent".to_owned(), |entity| entity.text().into_owned());
        report.compare(
            &format!("mime4j:{name}"),
            &format!("text {place}"),
            &solid(&ours),
            &solid(&text(&expected)),
        );
    }
}

/// `type: text`, indented by depth, one line for each entity of mail-parser's JSON.
fn mail_parser_tree(message: &Value, part: usize, depth: usize, out: &mut Vec<String>) {
    let part = &message["parts"][part];
    let headers = part["headers"].as_array().map(Vec::as_slice).unwrap_or_default();
    let content_type = headers.iter().rev().find(|header| header["name"] == "content_type");
    let content_type = content_type.map(|header| &header["value"]["ContentType"]);
    let word = |name: &str| content_type.and_then(|found| found[name].as_str()).unwrap_or_default();
    let essence = match (word("c_type"), word("c_subtype")) {
        ("", _) | (_, "") => "?".to_owned(),
        (kind, subtype) => format!("{kind}/{subtype}").to_ascii_lowercase(),
    };
    let indent = " ".repeat(depth);
    let body = &part["body"];
    if let Some(parts) = body["Multipart"].as_array() {
        out.push(format!("{indent}{essence}"));
        for number in parts.iter().filter_map(Value::as_u64) {
            mail_parser_tree(message, number as usize, depth + 1, out);
        }
    } else if body["Message"].is_object() {
        out.push(format!("{indent}{essence}"));
        mail_parser_tree(&body["Message"], 0, depth + 1, out);
    } else {
        let shown = body["Text"].as_str().or(body["Html"].as_str()).map(solid).unwrap_or_default();
        out.push(format!("{indent}{essence}: {shown}"));
    }
}

/// The same of ours. mail-parser has no type where there is no field, and shows no text of others than
/// `text/…`.
fn tree(entity: Entity<'_>, depth: usize, out: &mut Vec<String>) {
    let essence = match entity.field("Content-Type") {
        Some(_) if entity.content_type().is_clean => entity.media_type().into_owned(),
        _ => "?".to_owned(),
    };
    let indent = " ".repeat(depth);
    let below: Vec<Entity<'_>> = entity.parts().chain(entity.message()).collect();
    if entity.is_multipart() || !below.is_empty() {
        out.push(format!("{indent}{essence}"));
        below.into_iter().for_each(|entity| tree(entity, depth + 1, out));
        return;
    }
    let is_text = entity.media_type().starts_with("text/");
    let shown = if is_text { solid(&entity.text()) } else { String::new() };
    out.push(format!("{indent}{essence}: {shown}"));
}

#[test]
fn parts_of_mail_parser() {
    let Some(corpus) = corpus() else { return };
    let mut report = Report::new("mail-parser-parts:");
    for folder in ["legacy", "malformed", "rfc", "thirdparty"] {
        let path = corpus.join("stalwart-mail-parser").join(folder);
        for name in names(&path, ".eml") {
            let raw = std::fs::read(path.join(format!("{name}.eml"))).expect("it was listed");
            let expected = json(path.join(format!("{name}.json"))).expect("each has its parts");
            let (mut ours, mut theirs) = (Vec::new(), Vec::new());
            tree(Message::parse(&raw).root(), 0, &mut ours);
            mail_parser_tree(&expected, 0, 0, &mut theirs);
            let case = format!("mail-parser-parts:{folder}/{name}");
            let types = |lines: &[String]| {
                let types = lines.iter().map(|line| line.split(':').next().unwrap_or_default().to_owned());
                types.collect::<Vec<_>>()
            };
            if types(&ours) != types(&theirs) {
                report.compare(&case, "tree", &types(&ours).join(","), &types(&theirs).join(","));
                continue;
            }
            for (number, (ours, theirs)) in ours.iter().zip(&theirs).enumerate() {
                report.compare(&case, &format!("text {number}"), ours, theirs);
            }
        }
    }
    report.finish(150);
}

/// A trace of Postfix: the fields it found, each with where it stands, and the boundaries.
fn postfix_trace(reference: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut in_field = false;
    for line in reference.lines() {
        let field = ["MAIN", "MULT", "NEST"].iter().find(|kind| line.starts_with(*kind));
        match (field, line.split_once('|'), line.split_once("PUSH boundary ")) {
            (Some(kind), Some((_, field)), _) => found.push(format!("{kind} {field}")),
            (None, _, Some((_, boundary))) => found.push(format!("boundary {boundary}")),
            (None, ..) if in_field && line.starts_with([' ', '\t']) => {
                if let Some(last) = found.last_mut() {
                    last.push_str(line);
                }
            }
            _ => {}
        }
        in_field = field.is_some() || in_field && line.starts_with([' ', '\t']);
    }
    found.sort();
    found.iter().map(|line| solid(line)).collect()
}

fn our_trace(entity: Entity<'_>, kind: &str, found: &mut Vec<String>) {
    for field in entity.fields().filter(|field| !field.name.is_empty()) {
        found.push(solid(&format!("{kind} {}:{}", text(field.name), text(field.value))));
    }
    if entity.is_multipart() {
        let boundary = entity.content_type().parameters.get("boundary").unwrap_or_default().to_owned();
        found.push(solid(&format!("boundary {boundary}")));
    }
    entity.parts().for_each(|part| our_trace(part, "MULT", found));
    if let Some(message) = entity.message() {
        our_trace(message, "NEST", found);
    }
}

#[test]
fn traces_of_postfix() {
    let Some(corpus) = corpus() else { return };
    let folder = corpus.join("postfix-mime");
    let mut report = Report::new("postfix:");
    for name in names(&folder, ".in").iter().filter(|name| name.starts_with("mime_")) {
        let raw = std::fs::read(folder.join(format!("{name}.in"))).expect("it was listed");
        let reference = std::fs::read(folder.join(format!("{name}.ref"))).expect("each has its trace");
        let mut ours = Vec::new();
        our_trace(Message::parse(&raw).root(), "MAIN", &mut ours);
        ours.sort();
        let mut theirs = postfix_trace(&text(&reference));
        theirs.sort();
        report.compare(&format!("postfix:{name}"), "fields", &ours.join(" | "), &theirs.join(" | "));
    }
    addresses_of_postfix(&folder, &mut report);
    report.finish(25);
}

/// An address list, and the same as Postfix writes it after reading: both are to be read alike.
fn addresses_of_postfix(folder: &Path, report: &mut Report) {
    let shown = |list: &str| {
        let list = address::parse(list.as_bytes());
        let addresses = list.mailboxes().map(|mailbox| mailbox.address.to_string());
        addresses.filter(|address| !address.is_empty()).collect::<Vec<_>>().join(" ")
    };
    for name in ["tok822_parse", "tok822_limit"] {
        let reference = std::fs::read(folder.join(format!("{name}.ref"))).expect("the traces are there");
        let reference = text(&reference);
        for (number, block) in reference.split(">>>").enumerate().skip(1) {
            let Some((input, rest)) = block.split_once("<<<\n") else { continue };
            let written = rest.split("Externalized, no newlines inserted:\n").nth(1).unwrap_or_default();
            let written = written.split("\n\n").next().unwrap_or_default();
            report.compare(&format!("postfix:{name} {number}"), "addresses", &shown(input), &shown(written));
        }
    }
}

/// All files below a folder.
fn files(folder: &Path, found: &mut Vec<std::path::PathBuf>) {
    for path in std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()) {
        if path.is_dir() { files(&path, found) } else { found.push(path) }
    }
}

/// Every file of every source, message or not, is read: its parts lie within one another, its text is
/// had, and what can be made 7bit keeps its leaves.
#[test]
fn any_file_at_all() {
    let Some(corpus) = corpus() else { return };
    let mut paths = Vec::new();
    files(&corpus, &mut paths);
    for path in &paths {
        let raw = std::fs::read(path).expect("it was listed");
        let message = Message::parse(&raw);
        for entity in message.entities() {
            let outer = entity.parent().map_or(&raw[..], |parent| parent.raw_body());
            let inner = entity.raw();
            assert!(outer.as_ptr_range().start <= inner.as_ptr_range().start, "{}", path.display());
            assert!(inner.as_ptr_range().end <= outer.as_ptr_range().end, "{}", path.display());
        }
        message.check();
        message.readable_text();
        let done = posta_message::downgrade::to_7bit(&raw);
        let leaves = |message: &Message<'_>| message.entities().count();
        assert_eq!(leaves(&message), leaves(&Message::parse(&done.octets)), "{}", path.display());
    }
    assert!(paths.len() > 1000, "only {} files", paths.len());
}
