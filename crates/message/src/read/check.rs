//! All defects of a message: those of the structure, of every field, of every body.

use super::{BodyEncoding, Entity, Field, Message};
use crate::charset::Charset;
use crate::defect::{Defect, DefectKind};
use crate::encoding::{ContentFacts, TransferEncoding};
use crate::field::content;
use crate::limits::{DEFECTS_MAX, LINE_OCTETS_MAX};
use memchr::{memchr, memchr_iter};

/// Fields that occur at most once (RFC 5322 §3.6).
const SINGLE: [&str; 13] = [
    "Date",
    "From",
    "Sender",
    "Reply-To",
    "To",
    "Cc",
    "Bcc",
    "Message-ID",
    "In-Reply-To",
    "References",
    "Subject",
    "MIME-Version",
    "Content-Type",
];

struct Checker {
    defects: Vec<Defect>,
}

impl Message<'_> {
    /// Reads every field and decodes every body, and gives all defects in the order of their
    /// places. Those inside encoded messages count as one of the entity that holds them.
    pub fn check(&self) -> Vec<Defect> {
        let mut checker = Checker { defects: self.defects.clone() };
        checker.lines(&self.raw);
        for entity in self.entities() {
            let is_message = entity.parent().is_none_or(|parent| !parent.is_multipart());
            checker.header(&entity, is_message);
            checker.body(&entity);
        }
        for (node, message) in &self.encoded {
            let offset = Entity { message: self, node: *node }.body_offset();
            let kinds = message.check().into_iter().map(|defect| Defect { offset, kind: defect.kind });
            checker.defects.extend(kinds);
        }
        checker.defects.sort();
        checker.defects.dedup();
        checker.defects.truncate(DEFECTS_MAX);
        checker.defects
    }
}

impl Checker {
    fn add(&mut self, offset: usize, kind: DefectKind) {
        // Room for more than are kept, because they are put in order at the end.
        if self.defects.len() < DEFECTS_MAX * 4 {
            self.defects.push(Defect { offset, kind });
        }
    }

    /// Line ends, NUL and lengths: the first of each kind tells enough.
    fn lines(&mut self, raw: &[u8]) {
        let mut start = 0;
        let (mut bare_lf, mut too_long) = (None, None);
        for end in memchr_iter(b'\n', raw) {
            let has_cr = end > start && raw[end - 1] == b'\r';
            if !has_cr {
                bare_lf.get_or_insert(end);
            }
            if end - usize::from(has_cr) - start > LINE_OCTETS_MAX {
                too_long.get_or_insert(start);
            }
            start = end + 1;
        }
        if raw.len() - start > LINE_OCTETS_MAX {
            too_long.get_or_insert(start);
        }
        let bare_cr = memchr_iter(b'\r', raw).find(|at| raw.get(at + 1) != Some(&b'\n'));
        let found = [
            (bare_lf, DefectKind::BareLineFeed),
            (too_long, DefectKind::LineTooLong),
            (bare_cr, DefectKind::BareCarriageReturn),
            (memchr(0, raw), DefectKind::Null),
        ];
        for (offset, kind) in found {
            if let Some(offset) = offset {
                self.add(offset, kind);
            }
        }
    }

    fn header(&mut self, entity: &Entity<'_>, is_message: bool) {
        let mut seen = [false; SINGLE.len()];
        for field in entity.fields().filter(|field| !field.name.is_empty()) {
            if let Some(index) = SINGLE.iter().position(|name| field.is(name)) {
                if seen[index] {
                    self.add(field.offset, DefectKind::FieldRepeated);
                }
                seen[index] = true;
            }
            self.field(&field);
        }
        let has = |name: &str| entity.field(name).is_some();
        if is_message && (!has("From") || !has("Date")) {
            self.add(entity.offset(), DefectKind::FieldMissing);
        }
        if is_message && !has("Sender") && entity.from().mailboxes().count() > 1 {
            self.add(entity.offset(), DefectKind::SenderMissing);
        }
        let has_content_field = || has("Content-Type") || has("Content-Transfer-Encoding");
        if is_message && !has("MIME-Version") && has_content_field() {
            self.add(entity.offset(), DefectKind::MimeVersionMissing);
        }
    }

    fn field(&mut self, field: &Field<'_>) {
        if simdutf8::basic::from_utf8(field.value).is_err() {
            self.add(field.offset, DefectKind::EightBitHeader);
        }
        let is_any = |names: &[&str]| names.iter().any(|name| field.is(name));
        if is_any(&["From", "Sender", "Reply-To", "To", "Cc", "Bcc", "Resent-From", "Resent-To", "Resent-Cc"])
        {
            if !field.addresses().is_clean {
                self.add(field.offset, DefectKind::BadAddress);
            }
        } else if is_any(&["Date", "Resent-Date"]) {
            match field.date() {
                None => self.add(field.offset, DefectKind::BadDate),
                Some(date) if !date.is_strict => self.add(field.offset, DefectKind::ObsoleteDate),
                Some(_) => {}
            }
        } else if is_any(&["Message-ID", "In-Reply-To", "References", "Content-ID", "Resent-Message-ID"]) {
            if !field.ids().is_clean {
                self.add(field.offset, DefectKind::BadMessageId);
            }
        } else if field.is("Content-Type") {
            self.content_type(field);
        } else if field.is("Content-Disposition") {
            if !content::content_disposition(field.value).parameters.is_clean {
                self.add(field.offset, DefectKind::BadParameter);
            }
        } else if field.is("Content-Transfer-Encoding") {
            if BodyEncoding::by_name(content::token(field.value)) == BodyEncoding::Unknown {
                self.add(field.offset, DefectKind::UnknownEncoding);
            }
        } else if crate::encoded_word::may_hold_word(field.value) && !field.text().is_clean {
            self.add(field.offset, DefectKind::BadEncodedWord);
        }
    }

    fn content_type(&mut self, field: &Field<'_>) {
        let read = content::content_type(field.value);
        if !read.is_clean {
            self.add(field.offset, DefectKind::BadContentType);
        }
        if !read.parameters.is_clean {
            self.add(field.offset, DefectKind::BadParameter);
        }
        let charset = read.parameters.get("charset").filter(|_| read.kind() == "text");
        if charset.is_some_and(|name| Charset::by_name(name.as_bytes()).is_none()) {
            self.add(field.offset, DefectKind::UnknownCharset);
        }
    }

    fn body(&mut self, entity: &Entity<'_>) {
        if entity.is_multipart() {
            return;
        }
        let offset = entity.body_offset();
        let (content, is_clean) = entity.content_and_state();
        if !is_clean {
            let kind = match entity.encoding() {
                BodyEncoding::Standard(TransferEncoding::QuotedPrintable) => DefectKind::BadQuotedPrintable,
                BodyEncoding::Uuencode => DefectKind::BadUuencode,
                _ => DefectKind::BadBase64,
            };
            self.add(offset, kind);
        }
        let is_7bit = entity.encoding() == BodyEncoding::default();
        if is_7bit && entity.message().is_none() && ContentFacts::of(&content).octets_8bit > 0 {
            self.add(offset, DefectKind::EightBitIn7bit);
        } else if entity.media_type().starts_with("text/") && !entity.decoded_text(&content).is_clean {
            self.add(offset, DefectKind::BadCharsetOctets);
        }
    }
}
