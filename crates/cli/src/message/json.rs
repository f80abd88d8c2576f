//! `posta message json`: all that is in a message, in a stable form.
//!
//! What is absent is left out. Addresses, identifiers and texts are decoded; octets that are not
//! UTF-8 are read as windows-1252. Offsets count octets from the start of the message.

use super::octets_of;
use crate::output::{say, say_aside, say_json};
use posta_message::field::address::{Address, AddressList, Mailbox};
use posta_message::{Entity, Message};
use serde::{Serialize, Serializer, ser::SerializeMap};
use sha2::{Digest, Sha256};
use std::{path::PathBuf, process::ExitCode};

#[derive(Debug, clap::Args)]
pub(crate) struct Json {
    /// Messages; `-` is standard input
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// One line of JSON for each file, in their order
    #[arg(long)]
    lines: bool,
    /// The decoded text of all text parts too
    #[arg(long)]
    text: bool,
}

impl Json {
    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        let mut code = ExitCode::SUCCESS;
        for file in &self.files {
            let raw = match octets_of(file) {
                Ok(raw) => raw,
                // The other files still count; a line stays a line.
                Err(error) if self.files.len() > 1 => {
                    say_aside(format!("posta: {error:#}"));
                    if self.lines {
                        say(serde_json::json!({ "error": format!("{error:#}") }))?;
                    }
                    code = ExitCode::FAILURE;
                    continue;
                }
                Err(error) => return Err(error),
            };
            let message = Message::parse(&raw);
            let mut whole = MessageJson::of(message.root(), self.text);
            whole.defects = Some(defects(&message));
            if self.lines { say(serde_json::to_string(&whole)?)? } else { say_json(&whole)? }
        }
        Ok(code)
    }
}

fn is_empty<T>(list: &[T]) -> bool {
    list.is_empty()
}

/// A message, embedded ones too.
#[derive(Serialize)]
struct MessageJson {
    headers: Vec<FieldJson>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    from: Vec<AddressJson>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    sender: Vec<AddressJson>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    reply_to: Vec<AddressJson>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    to: Vec<AddressJson>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    cc: Vec<AddressJson>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    bcc: Vec<AddressJson>,
    #[serde(skip_serializing_if = "Option::is_none")]
    date: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message_id: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    in_reply_to: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    references: Vec<String>,
    root: EntityJson,
    #[serde(skip_serializing_if = "Option::is_none")]
    defects: Option<Vec<DefectJson>>,
}

#[derive(Serialize)]
struct FieldJson {
    name: String,
    raw: String,
    value: String,
}

#[derive(Serialize)]
#[serde(untagged)]
enum AddressJson {
    Mailbox {
        #[serde(skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        address: String,
    },
    Group {
        group: String,
        members: Vec<AddressJson>,
    },
}

#[derive(Serialize)]
struct EntityJson {
    #[serde(rename = "type")]
    media_type: String,
    #[serde(skip_serializing_if = "Pairs::is_empty")]
    parameters: Pairs,
    #[serde(skip_serializing_if = "Option::is_none")]
    charset: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    encoding: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    disposition: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    filename: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    octets: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    preamble: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    epilogue: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parts: Option<Vec<EntityJson>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<Box<MessageJson>>,
}

#[derive(Serialize)]
struct DefectJson {
    offset: usize,
    kind: &'static str,
    text: String,
}

/// Names and values as an object in their order.
struct Pairs(Vec<(String, String)>);

impl Pairs {
    fn is_empty(&self) -> bool {
        is_empty(&self.0)
    }
}

impl Serialize for Pairs {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

fn defects(message: &Message<'_>) -> Vec<DefectJson> {
    let json = |defect: posta_message::Defect| DefectJson {
        offset: defect.offset,
        kind: defect.kind.slug(),
        text: format!("{} ({})", defect.kind.text(), defect.kind.section()),
    };
    message.check().into_iter().map(json).collect()
}

fn mailbox(mailbox: &Mailbox<'_>) -> AddressJson {
    let name = mailbox.name.as_deref().map(str::to_owned);
    AddressJson::Mailbox { name, address: mailbox.address.clone().into_owned() }
}

fn addresses(list: &AddressList<'_>) -> Vec<AddressJson> {
    let json = |address: &Address<'_>| match address {
        Address::Mailbox(one) => mailbox(one),
        Address::Group { name, members } => AddressJson::Group {
            group: name.clone().into_owned(),
            members: members.iter().map(mailbox).collect(),
        },
    };
    list.addresses.iter().map(json).collect()
}

fn raw_text(octets: &[u8]) -> String {
    posta_message::charset::decode_unlabelled(octets).text.into_owned()
}

impl MessageJson {
    fn of(entity: Entity<'_>, with_text: bool) -> Self {
        let fields = entity.fields().filter(|field| !field.name.is_empty());
        let owned = |ids: Vec<std::borrow::Cow<'_, str>>| ids.into_iter().map(|id| id.into_owned()).collect();
        MessageJson {
            headers: fields
                .map(|field| FieldJson {
                    name: field.name_text().into_owned(),
                    raw: raw_text(field.value),
                    value: field.text().text.into_owned(),
                })
                .collect(),
            subject: entity.subject().map(|subject| subject.into_owned()),
            from: addresses(&entity.from()),
            sender: addresses(&entity.sender()),
            reply_to: addresses(&entity.reply_to()),
            to: addresses(&entity.to()),
            cc: addresses(&entity.cc()),
            bcc: addresses(&entity.bcc()),
            date: entity.date().map(|date| rfc_3339(&date)),
            message_id: entity.message_id().map(|id| id.into_owned()),
            in_reply_to: owned(entity.in_reply_to()),
            references: owned(entity.references()),
            root: EntityJson::of(entity, with_text),
            defects: None,
        }
    }
}

/// `2007-11-17T20:18:49-05:00`.
fn rfc_3339(date: &posta_message::DateTime) -> String {
    let local = date.offset.to_datetime(date.instant);
    let minutes = date.offset.seconds() / 60;
    let sign = if minutes < 0 { '-' } else { '+' };
    let minutes = minutes.unsigned_abs();
    format!("{}{sign}{:02}:{:02}", local.strftime("%Y-%m-%dT%H:%M:%S"), minutes / 60, minutes % 60)
}

impl EntityJson {
    fn of(entity: Entity<'_>, with_text: bool) -> Self {
        let content_type = entity.content_type();
        let parameters = content_type.parameters.list.iter();
        let parameters =
            parameters.map(|one| (one.name.to_ascii_lowercase(), one.value.clone().into_owned()));
        let has_content = !entity.is_multipart();
        let content = entity.content();
        let is_text = content_type.kind() == "text";
        let text = |octets: &[u8]| if octets.is_empty() { None } else { Some(raw_text(octets)) };
        let encoding = entity.field("Content-Transfer-Encoding");
        let encoding = encoding
            .map(|field| raw_text(posta_message::field::content::token(field.value)).to_ascii_lowercase());
        EntityJson {
            media_type: content_type.essence.clone().into_owned(),
            parameters: Pairs(parameters.collect()),
            charset: content_type.parameters.get("charset").map(str::to_owned),
            encoding: encoding.filter(|encoding| !encoding.is_empty()),
            disposition: entity
                .disposition()
                .map(|found| found.kind.into_owned())
                .filter(|kind| !kind.is_empty()),
            filename: entity.file_name(),
            content_id: entity.content_id().map(|id| id.into_owned()),
            description: entity.description().map(|text| text.into_owned()),
            octets: has_content.then_some(content.len()),
            sha256: has_content
                .then(|| Sha256::digest(&content).iter().map(|octet| format!("{octet:02x}")).collect()),
            text: (with_text && is_text && has_content).then(|| entity.text().into_owned()),
            preamble: text(entity.preamble()),
            epilogue: text(entity.epilogue()),
            parts: entity
                .is_multipart()
                .then(|| entity.parts().map(|part| EntityJson::of(part, with_text)).collect()),
            message: entity.message().map(|message| Box::new(MessageJson::of(message, with_text))),
        }
    }
}
