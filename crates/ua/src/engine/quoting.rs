//! Drafts that go on from a message: answers with the quotation, forwarded mail with its files.

use super::drafts::{draft_attachments, draft_of};
use super::room::Room;
use crate::desk::*;
use crate::reader::html::sanitise_own;
use crate::reader::{self, Reading};
use bytes::Bytes;
use jiff::tz::TimeZone;
use posta_message::{Message, field::list};

/// Above a forwarded message. Other agents know the line and fold what is below.
const FORWARDED: &str = "---------- Forwarded message ----------";

/// What a quotation is made of.
struct Original {
    read: Reading,
    text: String,
    html: Option<String>,
    list_post: Option<String>,
}

fn original(octets: &Bytes) -> Original {
    let message = Message::parse(octets);
    let post = message.root().field("List-Post").and_then(|field| {
        let urls = list::urls(field.value);
        let mail = urls
            .iter()
            .find(|url| url.get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case("mailto:")))?;
        Some(mail[7..].split('?').next().unwrap_or_default().to_owned())
    });
    Original {
        read: reader::reading(octets, false, ""),
        text: message.readable_text().replace("\r\n", "\n"),
        html: message.root().html_text().and_then(|html| sanitise_own(&html)),
        list_post: post,
    }
}

impl Room {
    pub(super) async fn begin_reply(&self, key: &MessageKey, kind: ReplyKind) -> Result<Draft, DeskError> {
        self.fresh().await?;
        let (_, octets) = self.whole(key).await?;
        if kind == ReplyKind::Again {
            return Ok(Draft { source: None, ..draft_of(&octets, key) });
        }
        let read_from = octets.clone();
        let original = tokio::task::spawn_blocking(move || original(&read_from)).await;
        let original = original.map_err(|error| DeskError::Failed(error.to_string()))?;
        let settings: Settings = self.document(super::documents::SETTINGS).await?;
        let zone = TimeZone::get(&settings.zone).unwrap_or(TimeZone::UTC);
        let identity = self.identity_for(&original.read).await?;
        let own = self.own_addresses().await?;
        let base = reader::base_subject(&original.read.subject);
        let mut draft = Draft {
            from: Some(identity.person.clone()),
            source: Some(DraftSource { message: key.clone(), kind }),
            ..Draft::default()
        };
        let (to, cc) = recipients(&original, kind, &own)?;
        (draft.to, draft.cc) = (to, cc);
        match kind {
            ReplyKind::Forward => {
                draft.subject = format!("Fwd: {base}");
                draft.body = forwarded(&original, &identity, &zone);
                draft.attachments = draft_attachments(&octets, key);
            }
            ReplyKind::ForwardAttached => {
                draft.subject = format!("Fwd: {base}");
                draft.body = DraftBody::Text(with_signature(String::new(), &identity));
                draft.attachments = vec![DraftAttachment {
                    octets: AttachmentSource::Part { message: key.clone(), path: PartPath::new("0") },
                    name: String::new(),
                    media_type: String::new(),
                    size_octets: octets.len() as u64,
                    content_id: None,
                }];
            }
            _ => {
                draft.subject = format!("Re: {base}");
                draft.body = answered(&original, &identity, &zone, settings.reply_above);
                let (DraftBody::Text(body) | DraftBody::Html(body)) = &draft.body;
                // Pictures inside the quotation come along, files don't.
                let mut pictures = draft_attachments(&octets, key);
                pictures.retain(|file| {
                    file.content_id.as_deref().is_some_and(|id| body.contains(&format!("cid:{id}")))
                });
                draft.attachments = pictures;
            }
        }
        Ok(draft)
    }

    /// The identity that the message was written to, else the default one.
    async fn identity_for(&self, read: &Reading) -> Result<Identity, DeskError> {
        let identities = self.all_identities().await?;
        let named = || read.to.iter().chain(&read.cc).chain(&read.bcc).chain(&read.authors);
        let is_named = |identity: &&Identity| {
            named().any(|person| person.address.eq_ignore_ascii_case(&identity.person.address))
        };
        let found =
            identities.iter().find(is_named).or(identities.iter().find(|identity| identity.is_default));
        Ok(found.or(identities.first()).cloned().unwrap_or_default())
    }
}

type Recipients = (Vec<Person>, Vec<Person>);

/// RFC 5322 §3.6.3: To and Cc of an answer.
fn recipients(original: &Original, kind: ReplyKind, own: &[String]) -> Result<Recipients, DeskError> {
    let read = &original.read;
    let is_own = |person: &Person| own.iter().any(|address| address.eq_ignore_ascii_case(&person.address));
    if matches!(kind, ReplyKind::Forward | ReplyKind::ForwardAttached | ReplyKind::Again) {
        return Ok(Recipients::default());
    }
    if kind == ReplyKind::ReplyList {
        let post =
            original.list_post.clone().filter(|address| posta_address::Mailbox::parse(address).is_ok());
        let post = post
            .ok_or_else(|| DeskError::Invalid("the message came by no list that takes answers".to_owned()))?;
        return Ok((vec![Person::new(read.list.clone().unwrap_or_default(), post)], Vec::new()));
    }
    let mut to = if read.reply_to.is_empty() { read.authors.clone() } else { read.reply_to.clone() };
    // Who answers an own message goes on writing to the same people.
    if !to.is_empty() && to.iter().all(is_own) && !read.to.is_empty() {
        to.clone_from(&read.to);
    }
    let mut cc: Vec<Person> = Vec::new();
    if kind == ReplyKind::ReplyAll {
        let known = |list: &[Person], person: &Person| {
            list.iter().any(|known| known.address.eq_ignore_ascii_case(&person.address))
        };
        for person in read.to.iter().chain(&read.cc) {
            if !is_own(person) && !known(&to, person) && !known(&cc, person) {
                cc.push(person.clone());
            }
        }
    }
    to.truncate(limits::DRAFT_RECIPIENTS_MAX / 2);
    cc.truncate(limits::DRAFT_RECIPIENTS_MAX / 2);
    Ok((to, cc))
}

fn with_signature(text: String, identity: &Identity) -> String {
    if identity.signature.trim().is_empty() {
        text
    } else {
        format!("{text}\n-- \n{}\n", identity.signature.trim_end())
    }
}

fn attribution(read: &Reading, zone: &TimeZone) -> String {
    let who = read.authors.first().map_or("somebody", Person::shown);
    match read.date {
        Some(date) => {
            format!("On {}, {who} wrote:", date.to_zoned_datetime(zone.clone()).strftime("%Y-%m-%d %H:%M"))
        }
        None => format!("{who} wrote:"),
    }
}

fn quoted(text: &str) -> String {
    let lines = text.trim_end().lines().map(|line| match line {
        "" => ">\n".to_owned(),
        line if line.starts_with('>') => format!(">{line}\n"),
        line => format!("> {line}\n"),
    });
    lines.collect()
}

fn answered(original: &Original, identity: &Identity, zone: &TimeZone, above: bool) -> DraftBody {
    let attribution = attribution(&original.read, zone);
    match &original.html {
        Some(html) => {
            let signature = html_signature(identity);
            let quotation =
                format!("<div>{}</div><blockquote type=\"cite\">{html}</blockquote>", escaped(&attribution));
            DraftBody::Html(match above {
                true => format!("<p><br></p>{signature}{quotation}"),
                false => format!("{quotation}<p><br></p>{signature}"),
            })
        }
        None => {
            let quotation = format!("{attribution}\n{}", quoted(without_signature(&original.text)));
            DraftBody::Text(match above {
                true => format!("{}\n{quotation}", with_signature("\n".to_owned(), identity)),
                false => with_signature(format!("{quotation}\n"), identity),
            })
        }
    }
}

/// A signature isn't quoted.
fn without_signature(text: &str) -> &str {
    text.find("\n-- \n").map_or(text, |at| &text[..at])
}

fn forwarded(original: &Original, identity: &Identity, zone: &TimeZone) -> DraftBody {
    let read = &original.read;
    let listed = |people: &[Person]| people.iter().take(50).map(person_text).collect::<Vec<_>>().join(", ");
    let date =
        read.date.map(|date| date.to_zoned_datetime(zone.clone()).strftime("%Y-%m-%d %H:%M %Z").to_string());
    let fields = [
        ("From", listed(&read.authors)),
        ("Date", date.unwrap_or_default()),
        ("Subject", read.subject.clone()),
        ("To", listed(&read.to)),
        ("Cc", listed(&read.cc)),
    ];
    let fields = fields.iter().filter(|(_, value)| !value.is_empty());
    match &original.html {
        Some(html) => {
            let lines: String =
                fields.map(|(name, value)| format!("{name}: {}<br>", escaped(value))).collect();
            DraftBody::Html(format!(
                "<p><br></p>{}<div>{FORWARDED}<br>{lines}</div><br>{html}",
                html_signature(identity)
            ))
        }
        None => {
            let lines: String = fields.map(|(name, value)| format!("{name}: {value}\n")).collect();
            DraftBody::Text(format!(
                "{}\n{FORWARDED}\n{lines}\n{}",
                with_signature("\n".to_owned(), identity),
                original.text
            ))
        }
    }
}

fn person_text(person: &Person) -> String {
    if person.name.is_empty() {
        person.address.clone()
    } else {
        format!("{} <{}>", person.name, person.address)
    }
}

fn html_signature(identity: &Identity) -> String {
    if identity.signature.trim().is_empty() {
        return String::new();
    }
    let lines: Vec<String> = identity.signature.trim_end().lines().map(escaped).collect();
    format!("<p>-- <br>{}</p>", lines.join("<br>"))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
