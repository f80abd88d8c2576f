//! Bounces, complaints, and messages in pieces.

use crate::differences::Report as Differences;
use crate::{corpus, json};
use posta_message::report::{self, Report};
use posta_message::{Message, partial};
use serde_json::Value;

/// A bounce with a machine-readable part names every address that others find in it.
#[test]
fn failing_addresses_of_flufl() {
    let Some(corpus) = corpus() else { return };
    let folder = corpus.join("flufl-bounce");
    let Some(Value::Object(cases)) = json(folder.join("expected.json")) else { panic!("no table") };
    let mut differences = Differences::new("flufl:");
    for (name, expected) in &cases {
        let raw = std::fs::read(folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        let Some(Report::Delivery(status)) = report::find(&Message::parse(&raw)) else { continue };
        let ours: Vec<String> = status
            .recipients
            .iter()
            .flat_map(|one| {
                [&one.final_recipient, &one.original_recipient].map(|text| text.clone().unwrap_or_default())
            })
            .map(|address| address.to_lowercase())
            .collect();
        // Other detectors of theirs read the text for people.
        for detector in expected.as_array().into_iter().flatten().filter(|one| one["detector"] == "dsn") {
            for address in detector["addresses"].as_array().into_iter().flatten().filter_map(Value::as_str) {
                let found = ours.iter().any(|one| *one == address.to_lowercase());
                differences.compare(
                    &format!("flufl:{name}"),
                    address,
                    if found { address } else { "absent" },
                    address,
                );
            }
        }
    }
    differences.finish(8);
}

/// Where a bounce tells an enhanced status, it is what others make of it, mostly: theirs is often
/// taken from the text, so that only agreement in nine of ten is asked for.
#[test]
fn statuses_of_sisimai() {
    let Some(corpus) = corpus() else { return };
    let folder = corpus.join("sisimai-bounces");
    let Some(Value::Object(cases)) = json(folder.join("expected.json")) else { panic!("no table") };
    let (mut same, mut all) = (0, 0);
    for (name, expected) in &cases {
        let Ok(raw) = std::fs::read(folder.join(name)) else { continue };
        let Some(Report::Delivery(status)) = report::find(&Message::parse(&raw)) else { continue };
        let theirs = expected.as_array().map(Vec::as_slice).unwrap_or_default();
        if status.recipients.len() != theirs.len() {
            continue;
        }
        for (ours, theirs) in status.recipients.iter().zip(theirs) {
            let (Some(ours), Some(theirs)) = (ours.status, theirs["status"].as_str()) else { continue };
            all += 1;
            same += usize::from(ours.to_string().split('.').next() == theirs.split('.').next());
        }
    }
    assert!(all > 100, "only {all} statuses");
    assert!(same * 10 >= all * 9, "{same} of {all}");
}

#[test]
fn abuse_reports_of_mail_auth() {
    let Some(corpus) = corpus() else { return };
    let folder = corpus.join("stalwart-mail-auth/arf");
    let mut count = 0;
    for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten().map(|entry| entry.path()) {
        if entry.extension().is_none_or(|extension| extension != "eml") {
            continue;
        }
        let raw = std::fs::read(&entry).unwrap_or_default();
        let Some(Report::Feedback(ours)) = report::find(&Message::parse(&raw)) else {
            panic!("{entry:?}: no report")
        };
        let Some(theirs) = json(entry.with_extension("json")) else { continue };
        let case = entry.display();
        let text = |key: &str| theirs[key].as_str().map(str::to_owned);
        assert_eq!(ours.user_agent, text("user_agent"), "{case}");
        assert_eq!(ours.source_ip.map(|ip| ip.to_string()), text("source_ip"), "{case}");
        let list = |key: &str| theirs[key].as_array().map_or(0, Vec::len);
        assert_eq!(ours.reported_domain.len(), list("reported_domain"), "{case}");
        assert_eq!(ours.reported_uri.len(), list("reported_uri"), "{case}");
        count += 1;
    }
    assert!(count >= 2, "only {count} reports");
}

#[test]
fn pieces_of_mimekit() {
    let Some(corpus) = corpus() else { return };
    for (name, pieces) in [("message-partial", 3), ("rfc2046", 2)] {
        let read = |file: String| {
            std::fs::read(corpus.join("mimekit-partial").join(&file))
                .unwrap_or_else(|error| panic!("{file}: {error}"))
        };
        let pieces: Vec<Vec<u8>> =
            (0..pieces).rev().map(|number| read(format!("{name}.{number}.eml"))).collect();
        let pieces: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();
        let ours = partial::reassemble(&pieces).unwrap_or_else(|error| panic!("{name}: {error}"));
        let theirs = read(format!("{name}.eml"));
        let lines = |raw: &[u8]| {
            let (header, body) = posta_message::header::split(raw);
            let mut fields: Vec<String> = posta_message::header::Fields::new(header)
                .map(|field| String::from_utf8_lossy(field.raw).replace("\r\n", "\n"))
                .collect();
            fields.sort();
            (fields, String::from_utf8_lossy(body).replace("\r\n", "\n").trim_end().to_owned())
        };
        assert_eq!(lines(&ours), lines(&theirs), "{name}");
    }
}
