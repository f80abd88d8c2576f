//! Single fields against the vectors of other projects.

use crate::differences::Report;
use crate::{corpus, json};
use posta_message::encoded_word;
use posta_message::field::address::{Address, AddressList, Mailbox};
use posta_message::field::{address, content, date, ids, received};
use serde_json::Value;

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key].as_str().unwrap_or_default()
}

fn vectors(path: &str) -> Vec<Value> {
    let Some(corpus) = corpus() else { return Vec::new() };
    match json(corpus.join(path)) {
        Some(Value::Array(vectors)) => vectors,
        _ => panic!("no vectors in {path}"),
    }
}

fn shown(list: &AddressList<'_>) -> String {
    let one =
        |mailbox: &Mailbox<'_>| format!("{} <{}>", mailbox.name.as_deref().unwrap_or(""), mailbox.address);
    let entry = |address: &Address<'_>| match address {
        Address::Mailbox(mailbox) => one(mailbox),
        Address::Group { name, members } => {
            format!("{name}:{};", members.iter().map(one).collect::<Vec<_>>().join(", "))
        }
    };
    list.addresses.iter().map(entry).collect::<Vec<_>>().join(", ")
}

/// mail-parser's addresses in the same form; its groups without a name are plain entries.
fn mail_parser_addresses(expected: &Value) -> String {
    let one = |value: &Value| format!("{} <{}>", text(value, "name"), text(value, "address"));
    let all = |value: &Value| {
        value.as_array().map(|list| list.iter().map(one).collect::<Vec<_>>().join(", ")).unwrap_or_default()
    };
    if expected["List"].is_array() {
        return all(&expected["List"]);
    }
    let groups = expected["Group"].as_array().map(Vec::as_slice).unwrap_or_default();
    let group = |value: &Value| match value["name"].as_str() {
        Some(name) => format!("{name}:{};", all(&value["addresses"])),
        None => all(&value["addresses"]),
    };
    groups.iter().map(group).collect::<Vec<_>>().join(", ")
}

#[test]
fn mail_parser_address_lists() {
    if corpus().is_none() {
        return;
    }
    let mut report = Report::new("mail-parser:address ");
    for (number, vector) in vectors("stalwart-mail-parser-fields/address.shared.json").iter().enumerate() {
        let ours = shown(&address::parse(text(vector, "header").as_bytes()));
        report.compare(
            &format!("mail-parser:address {number}"),
            "list",
            &ours,
            &mail_parser_addresses(&vector["expected"]),
        );
    }
    report.finish(10);
}

#[test]
fn mail_parser_texts() {
    if corpus().is_none() {
        return;
    }
    let mut report = Report::new("mail-parser:unstructured ");
    for (number, vector) in vectors("stalwart-mail-parser-fields/unstructured.shared.json").iter().enumerate()
    {
        let ours = encoded_word::decode(text(vector, "header").as_bytes()).text.into_owned();
        report.compare(
            &format!("mail-parser:unstructured {number}"),
            "text",
            &ours,
            text(vector, "expected"),
        );
    }
    report.finish(5);
}

#[test]
fn mail_parser_identifiers() {
    if corpus().is_none() {
        return;
    }
    let mut report = Report::new("mail-parser:id ");
    for (number, vector) in vectors("stalwart-mail-parser-fields/id.shared.json").iter().enumerate() {
        let ours = ids::parse(text(vector, "header").as_bytes()).ids.join(" ");
        let expected = &vector["expected"];
        let list = |value: &Value| {
            value.as_array().map(|ids| ids.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" "))
        };
        let theirs = list(expected)
            .or_else(|| list(&expected["TextList"]))
            .or_else(|| expected["Text"].as_str().map(str::to_owned))
            .or_else(|| expected.as_str().map(str::to_owned))
            .unwrap_or_default();
        report.compare(&format!("mail-parser:id {number}"), "ids", &ours, &theirs);
    }
    report.finish(3);
}

#[test]
fn mail_parser_media_types() {
    if corpus().is_none() {
        return;
    }
    let mut report = Report::new("mail-parser:content_type ");
    for (number, vector) in vectors("stalwart-mail-parser-fields/content_type.shared.json").iter().enumerate()
    {
        let read = content::content_type(text(vector, "header").as_bytes());
        let mut ours: Vec<String> = read
            .parameters
            .list
            .iter()
            .map(|one| format!("{}={}", one.name.to_lowercase(), one.value))
            .collect();
        ours.sort();
        let expected = &vector["expected"];
        let kind = [text(expected, "c_type"), text(expected, "c_subtype")].join("/");
        let pairs = expected["attributes"].as_array().map(Vec::as_slice).unwrap_or_default();
        // Languages are a value of the parameter with us.
        let mut theirs: Vec<String> = pairs
            .iter()
            .map(|pair| {
                format!("{}={}", pair[0].as_str().unwrap_or_default(), pair[1].as_str().unwrap_or_default())
            })
            .filter(|pair| !pair.contains("-language="))
            .collect();
        theirs.sort();
        let case = format!("mail-parser:content_type {number}");
        // Without a slash it is a disposition, or broken.
        if expected["c_subtype"].is_string() {
            report.compare(&case, "type", &read.essence, &kind);
        }
        report.compare(&case, "parameters", &ours.join("; "), &theirs.join("; "));
    }
    report.finish(30);
}

#[test]
fn mail_parser_dates() {
    if corpus().is_none() {
        return;
    }
    let mut report = Report::new("mail-parser:date ");
    for (number, vector) in vectors("stalwart-mail-parser-fields/date.shared.json").iter().enumerate() {
        let ours = date::parse(text(vector, "header").as_bytes())
            .map(|parsed| parsed.date.instant.to_string())
            .unwrap_or_default();
        report.compare(
            &format!("mail-parser:date {number}"),
            "instant",
            &ours,
            &instant_of(&vector["expected"]),
        );
    }
    report.finish(5);
}

#[test]
fn mail_parser_trace_fields() {
    if corpus().is_none() {
        return;
    }
    let mut report = Report::new("mail-parser:received ");
    for (number, vector) in vectors("stalwart-mail-parser-fields/received.shared.json").iter().enumerate() {
        let read = received::parse(text(vector, "header").as_bytes());
        let case = format!("mail-parser:received {number}");
        let expected = &vector["expected"];
        report.compare(&case, "id", read.id.as_deref().unwrap_or(""), text(expected, "id"));
        let ours = read.date.map(|date| date.instant.to_string()).unwrap_or_default();
        report.compare(&case, "date", &ours, &instant_of(&expected["date"]));
    }
    report.finish(50);
}

fn instant_of(expected: &Value) -> String {
    let number = |key: &str| expected[key].as_i64().unwrap_or_default();
    if !expected["year"].is_i64() {
        return String::new();
    }
    let sign = if expected["tz_before_gmt"] == true { '-' } else { '+' };
    let text = format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}{sign}{:02}:{:02}",
        number("year"),
        number("month"),
        number("day"),
        number("hour"),
        number("minute"),
        number("second"),
        number("tz_hour"),
        number("tz_minute")
    );
    text.parse::<jiff::Timestamp>().map(|instant| instant.to_string()).unwrap_or_default()
}

#[test]
fn cpython_vectors() {
    let Some(corpus) = corpus() else { return };
    let mut report = Report::new("cpython-headers:");
    let Some(Value::Object(tables)) = json(corpus.join("cpython-headers/vectors.shared.json")) else {
        panic!("no vectors")
    };
    for (table, cases) in &tables {
        for (name, vector) in cases.as_object().into_iter().flatten() {
            let case = format!("cpython-headers:{table}/{name}");
            let source = text(vector, "source").as_bytes();
            let parameters = |read: &posta_message::field::parameter::Parameters<'_>| {
                let mut list: Vec<String> = read
                    .list
                    .iter()
                    .map(|one| format!("{}={}", one.name.to_lowercase(), one.value))
                    .collect();
                list.sort();
                list.join("; ")
            };
            let expected_parameters = || {
                let mut list: Vec<String> = vector["params"]
                    .as_object()
                    .into_iter()
                    .flatten()
                    .map(|(name, value)| {
                        format!("{}={}", name.to_lowercase(), value.as_str().unwrap_or_default())
                    })
                    .collect();
                list.sort();
                list.join("; ")
            };
            if table == "content_type" {
                let read = content::content_type(source);
                report.compare(&case, "type", &read.essence, text(vector, "content_type"));
                if vector["params"].is_object() {
                    report.compare(
                        &case,
                        "parameters",
                        &parameters(&read.parameters),
                        &expected_parameters(),
                    );
                }
            } else if table.starts_with("content_disp") {
                let read = content::content_disposition(source);
                if vector["content_disposition"].is_string() {
                    report.compare(&case, "disposition", &read.kind, text(vector, "content_disposition"));
                }
                if vector["params"].is_object() {
                    report.compare(
                        &case,
                        "parameters",
                        &parameters(&read.parameters),
                        &expected_parameters(),
                    );
                }
            } else if vector["addr_spec"].is_string() {
                let list = address::parse(source);
                let ours = list
                    .mailboxes()
                    .next()
                    .map(|mailbox| format!("{} <{}>", mailbox.name.as_deref().unwrap_or(""), mailbox.address))
                    .unwrap_or_default();
                report.compare(
                    &case,
                    "address",
                    &ours,
                    &format!("{} <{}>", text(vector, "display_name"), text(vector, "addr_spec")),
                );
            }
        }
    }
    report.finish(40);
}

#[test]
fn thunderbird_vectors() {
    if corpus().is_none() {
        return;
    }
    let mut report = Report::new("jsmime:");
    for (number, vector) in vectors("jsmime-headers/vectors.shared.json").iter().enumerate() {
        let case = format!("jsmime:{number}");
        // Others make their octets by a function of their own.
        let Some(source) = vector["args"][0].as_str() else { continue };
        let expected = &vector["expected"];
        match text(vector, "function") {
            "parseParameterHeader" => {
                let read = content::content_type(source.as_bytes());
                let mut ours: Vec<String> = read
                    .parameters
                    .list
                    .iter()
                    .map(|one| format!("{}={}", one.name.to_lowercase(), one.value))
                    .collect();
                ours.sort();
                let mut theirs: Vec<String> = expected["params"]
                    .as_object()
                    .into_iter()
                    .flatten()
                    .map(|(name, value)| {
                        format!("{}={}", name.to_lowercase(), value.as_str().unwrap_or_default())
                    })
                    .collect();
                theirs.sort();
                report.compare(
                    &case,
                    &format!("parameters of {source:?}"),
                    &ours.join("; "),
                    &theirs.join("; "),
                );
            }
            "parseAddressingHeader" => {
                let one = |value: &Value| format!("{} <{}>", text(value, "name"), text(value, "email"));
                let entry = |value: &Value| match value["group"].as_array() {
                    Some(members) => format!(
                        "{}:{};",
                        text(value, "name"),
                        members.iter().map(one).collect::<Vec<_>>().join(", ")
                    ),
                    None => one(value),
                };
                let theirs = expected
                    .as_array()
                    .map(|list| list.iter().map(entry).collect::<Vec<_>>().join(", "))
                    .unwrap_or_default();
                report.compare(
                    &case,
                    &format!("addresses of {source:?}"),
                    &shown(&address::parse(source.as_bytes())),
                    &theirs,
                );
            }
            "decodeRFC2047Words" => {
                let ours = encoded_word::decode(source.as_bytes()).text.into_owned();
                report.compare(
                    &case,
                    &format!("text of {source:?}"),
                    &ours,
                    expected.as_str().unwrap_or_default().trim(),
                );
            }
            _ => {}
        }
    }
    report.finish(60);
}
