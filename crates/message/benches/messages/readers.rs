//! The readers: all header fields decoded by their kind, all bodies decoded to octets, texts to UTF-8.

use posta_message::field::{content, received};
use posta_message::{Entity, Message};

/// A way of reading a message; the number keeps the work from being left out.
pub(crate) type Reader = fn(&[u8]) -> usize;

/// All of them, ours first.
pub(crate) const READERS: [(&str, Reader); 3] =
    [("posta-message", ours), ("mail-parser", mail_parser), ("mailparse", mailparse)];

fn ours(raw: &[u8]) -> usize {
    fn entity(entity: Entity<'_>) -> usize {
        let mut sum = 0;
        for field in entity.fields() {
            sum += decode(&field);
        }
        if entity.is_multipart() {
            return sum;
        }
        if entity.media_type().starts_with("text/") {
            sum + entity.text().len()
        } else {
            sum + entity.content().len()
        }
    }
    let message = Message::parse(raw);
    message.entities().map(entity).sum()
}

/// A field decoded by its kind, as mail-parser does with all of them.
fn decode(field: &posta_message::read::Field<'_>) -> usize {
    let is = |names: &[&str]| names.iter().any(|name| field.is(name));
    match field.name.len() {
        2 | 3 | 4 | 6 | 8 if is(&["To", "Cc", "Bcc", "From", "Sender", "Reply-To"]) => {
            field.addresses().addresses.len()
        }
        4 if field.is("Date") => field.date().map_or(0, |date| date.date.offset.seconds() as usize),
        8 if field.is("Received") => usize::from(received::parse(field.value).date.is_some()),
        10 | 11 if is(&["Message-ID", "References", "In-Reply-To", "Content-ID"]) => field.ids().ids.len(),
        12 if field.is("Content-Type") => content::content_type(field.value).parameters.list.len(),
        19 if field.is("Content-Disposition") => {
            content::content_disposition(field.value).parameters.list.len()
        }
        _ => field.text().text.len(),
    }
}

fn mail_parser(raw: &[u8]) -> usize {
    let Some(message) = mail_parser::MessageParser::default().parse(raw) else { return 0 };
    message.parts.iter().map(|part| part.headers.len() + part.len()).sum()
}

fn mailparse(raw: &[u8]) -> usize {
    fn work(part: &mailparse::ParsedMail<'_>) -> usize {
        let mut sum: usize = part.headers.iter().map(|header| header.get_value().len()).sum();
        for header in &part.headers {
            let key = header.get_key_ref();
            if ["From", "To", "Cc", "Bcc", "Sender", "Reply-To"]
                .iter()
                .any(|name| key.eq_ignore_ascii_case(name))
            {
                sum += mailparse::addrparse_header(header).map_or(0, |list| list.len());
            } else if key.eq_ignore_ascii_case("Date") {
                sum += mailparse::dateparse(&header.get_value()).map_or(0, |date| date as usize & 1);
            }
        }
        if part.subparts.is_empty() {
            let is_text = part.ctype.mimetype.starts_with("text/");
            sum += if is_text {
                part.get_body().map_or(0, |body| body.len())
            } else {
                part.get_body_raw().map_or(0, |body| body.len())
            };
        }
        sum + part.subparts.iter().map(work).sum::<usize>()
    }
    mailparse::parse_mail(raw).map_or(0, |mail| work(&mail))
}
