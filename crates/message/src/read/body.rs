//! The body as a person reads it: the best alternative, plain text from HTML, attachments.

use super::structure::Kind;
use super::{Entity, Message};
use crate::text::enriched::{self, Dialect};
use crate::text::flowed;
use std::borrow::Cow;

/// Columns that plain text made from HTML is laid out for.
const TEXT_COLUMNS: usize = 78;
/// Octets of HTML that are turned into text; what is beyond is left out.
const HTML_OCTETS_MAX: usize = 4 * 1024 * 1024;
/// Octets of a file name, which file systems have at most 255 of.
const FILE_NAME_OCTETS_MAX: usize = 200;

/// Something that comes with the message and is not shown as its text.
#[derive(Debug, Clone)]
pub struct Attachment<'m> {
    /// The entity that holds it.
    pub entity: Entity<'m>,
    /// Whether the text refers to it (RFC 2387): an image in HTML mostly.
    pub is_related: bool,
}

/// What the body is divided into.
#[derive(Default)]
struct Layout<'m> {
    texts: Vec<Entity<'m>>,
    attachments: Vec<Attachment<'m>>,
}

/// Which form of an alternative is wanted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Plain,
    Html,
}

impl Message<'_> {
    /// The text of the message as one reads it in a terminal: of alternatives the plain one, or
    /// else the HTML as text; the texts of several parts one after another.
    pub fn readable_text(&self) -> String {
        self.root().readable_text()
    }

    /// What is not part of that text, in the order of the message.
    pub fn attachments(&self) -> Vec<Attachment<'_>> {
        self.root().attachments()
    }
}

impl<'m> Entity<'m> {
    /// See [`Message::readable_text`].
    pub fn readable_text(&self) -> String {
        let mut layout = Layout::default();
        layout.take(*self, Wanted::Plain, false);
        let mut text = String::new();
        for entity in layout.texts {
            if !text.is_empty() && !text.ends_with('\n') {
                text.push_str("\r\n");
            }
            text.push_str(&entity.plain_text());
        }
        text
    }

    /// The HTML form, if the message has one.
    pub fn html_text(&self) -> Option<Cow<'m, str>> {
        let mut layout = Layout::default();
        layout.take(*self, Wanted::Html, false);
        layout.texts.into_iter().find(|entity| entity.media_type() == "text/html").map(|entity| entity.text())
    }

    /// See [`Message::attachments`].
    pub fn attachments(&self) -> Vec<Attachment<'m>> {
        let mut layout = Layout::default();
        layout.take(*self, Wanted::Plain, false);
        layout.attachments
    }

    /// One text entity as plain text. A multipart without parts is shown as it stands.
    fn plain_text(&self) -> Cow<'m, str> {
        match &*self.media_type() {
            "text/html" | "application/xhtml+xml" => Cow::Owned(plain_of_html(&self.text())),
            "text/enriched" => Cow::Owned(enriched::to_plain(&self.text(), Dialect::Enriched)),
            "text/richtext" => Cow::Owned(enriched::to_plain(&self.text(), Dialect::Richtext)),
            "text/plain" => {
                let content_type = self.content_type();
                let is = |name, value| {
                    content_type.parameters.get(name).is_some_and(|found| found.eq_ignore_ascii_case(value))
                };
                if !is("format", "flowed") {
                    return self.text();
                }
                Cow::Owned(flowed::unflow(&self.text(), is("delsp", "yes")))
            }
            _ => self.text(),
        }
    }

    /// A name that is safe to create a file with in a directory of one's own: no separators, no
    /// control characters, no leading dot, no name that a system reserves, never empty.
    pub fn safe_file_name(&self) -> String {
        let proposed = self.file_name().or_else(|| {
            let message = self.message()?;
            message.subject().map(|subject| format!("{subject}.eml"))
        });
        let name = proposed.map(|name| safe_name(&name)).unwrap_or_default();
        if !name.is_empty() {
            return name;
        }
        format!("part.{}", extension_of(&self.media_type()))
    }

    fn is_shown_as_text(&self) -> bool {
        let media_type = self.media_type();
        if !matches!(
            &*media_type,
            "text/plain" | "text/html" | "text/enriched" | "text/richtext" | "application/xhtml+xml"
        ) {
            return false;
        }
        match self.disposition() {
            Some(disposition) => {
                !disposition.is_attachment()
                    && disposition.parameters.get("filename").is_none_or(|_| disposition.kind == "inline")
            }
            None => self.content_type().parameters.get("name").is_none(),
        }
    }
}

impl<'m> Layout<'m> {
    fn take(&mut self, entity: Entity<'m>, wanted: Wanted, is_related: bool) {
        if !entity.is_multipart() {
            return self.take_leaf(entity, is_related);
        }
        if entity.parts().next().is_none() {
            return self.texts.push(entity);
        }
        match &*entity.media_type() {
            "multipart/alternative" => self.take_alternative(entity, wanted, is_related),
            "multipart/related" => self.take_related(entity, wanted),
            _ => {
                for part in entity.parts() {
                    self.take(part, wanted, is_related);
                }
            }
        }
    }

    fn take_leaf(&mut self, entity: Entity<'m>, is_related: bool) {
        let is_broken_multipart = entity.media_type().starts_with("multipart/");
        let is_message = matches!(entity.node().kind, Kind::Message | Kind::EncodedMessage);
        // Of the type text/plain by default or by name, and not meant as a file.
        if is_broken_multipart || (!is_message && entity.is_shown_as_text()) {
            self.texts.push(entity);
        } else if entity.media_type() != "message/delivery-status" || !entity.raw_body().is_empty() {
            self.attachments.push(Attachment { entity, is_related });
        }
    }

    /// RFC 2046 §5.1.4: the last form that one can show is the best; for text, the plain one.
    /// What an alternative holds besides its text is still attached: senders put files there.
    fn take_alternative(&mut self, entity: Entity<'m>, wanted: Wanted, is_related: bool) {
        let mut chosen: Option<(u8, Layout<'m>)> = None;
        for part in entity.parts() {
            let mut layout = Layout::default();
            layout.take(part, wanted, is_related);
            let rank = layout.rank(wanted);
            let better = chosen.as_ref().is_none_or(|(best, _)| rank >= *best);
            let (winner, loser) = if better {
                (Some((rank, layout)), chosen.take().map(|(_, layout)| layout))
            } else {
                (chosen.take(), Some(layout))
            };
            chosen = winner;
            // Related images of a form that is not shown are still of use when saved.
            self.attachments.extend(loser.into_iter().flat_map(|layout| layout.attachments));
        }
        if let Some((_, layout)) = chosen {
            self.texts.extend(layout.texts);
            self.attachments.extend(layout.attachments);
        }
    }

    /// How well a form serves: 0 without text.
    fn rank(&self, wanted: Wanted) -> u8 {
        let is_blank = |entity: &Entity<'m>| entity.raw_body().trim_ascii().is_empty();
        let Some(first) = self.texts.iter().find(|entity| !is_blank(entity)) else { return 0 };
        match (&*first.media_type(), wanted) {
            ("text/plain", Wanted::Plain) | ("text/html", Wanted::Html) => 4,
            ("text/html", Wanted::Plain) | ("text/plain", Wanted::Html) => 2,
            _ => 1,
        }
    }

    /// RFC 2387: one part is the root (named by `start`, or the first), the rest belongs to it.
    fn take_related(&mut self, entity: Entity<'m>, wanted: Wanted) {
        let content_type = entity.content_type();
        let start =
            content_type.parameters.get("start").map(|id| id.trim_matches(['<', '>', ' ']).to_owned());
        let is_start =
            |part: &Entity<'m>| start.is_some() && part.content_id().as_deref() == start.as_deref();
        let root = entity.parts().position(|part| is_start(&part)).unwrap_or(0);
        for (number, part) in entity.parts().enumerate() {
            self.take(part, wanted, number != root);
        }
    }
}

/// HTML as plain text. Never fails: what cannot be laid out is shown with its tags taken out.
pub(crate) fn plain_of_html(html: &str) -> String {
    let mut end = html.len().min(HTML_OCTETS_MAX);
    while !html.is_char_boundary(end) {
        end -= 1;
    }
    let html = without_spans(&html[..end]);
    // The library has panicked on hostile tables (found by fuzzing); what it can't lay out is no
    // reason for us to fall.
    let laid_out = std::panic::catch_unwind(|| {
        html2text::config::plain_no_decorate()
            .link_footnotes(true)
            .no_table_borders()
            .string_from_read(html.as_bytes(), TEXT_COLUMNS)
    });
    laid_out.ok().and_then(Result::ok).unwrap_or_else(|| without_tags(&html))
}

/// Cells that say how many columns or rows they span make the library panic (zero beside other
/// numbers) or work for ever (a billion rows); plain text does well without. The names are changed
/// everywhere, not only where a tag seems to be, because what a tag is can be disguised.
fn without_spans(html: &str) -> Cow<'_, str> {
    let lower = html.to_ascii_lowercase();
    let mut harmless = String::new();
    let mut kept = 0;
    for at in memchr::memmem::find_iter(lower.as_bytes(), b"span") {
        let before = &lower[..at];
        if before.ends_with("col") || before.ends_with("row") {
            harmless.push_str(&html[kept..at]);
            harmless.push('-');
            kept = at;
        }
    }
    if kept == 0 {
        return Cow::Borrowed(html);
    }
    harmless.push_str(&html[kept..]);
    Cow::Owned(harmless)
}

fn without_tags(html: &str) -> String {
    let mut text = String::with_capacity(html.len());
    let mut in_tag = false;
    for character in html.chars() {
        match character {
            '<' => in_tag = true,
            '>' => in_tag = false,
            _ if !in_tag => text.push(character),
            _ => {}
        }
    }
    text
}

fn safe_name(proposed: &str) -> String {
    // Only the last component; both separators, because senders run other systems.
    let last = proposed.rsplit(['/', '\\']).next().unwrap_or_default();
    let mut name: String = last.chars().map(|c| if is_unsafe(c) { '_' } else { c }).collect();
    let trimmed = name.trim_start_matches(['.', ' ', '~', '-']).trim_end_matches(['.', ' ']);
    name = trimmed.to_owned();
    while name.len() > FILE_NAME_OCTETS_MAX {
        shorten(&mut name);
    }
    let stem = name.split('.').next().unwrap_or_default().to_ascii_uppercase();
    let is_reserved = matches!(&*stem, "CON" | "PRN" | "AUX" | "NUL")
        || (stem.len() == 4
            && (stem.starts_with("COM") || stem.starts_with("LPT"))
            && stem.ends_with(|c: char| c.is_ascii_digit()));
    if is_reserved { format!("_{name}") } else { name }
}

/// Control characters, characters of path and shell syntax, and those that turn the direction of
/// the text, with which `gpj.exe` shows as `exe.jpg`.
fn is_unsafe(character: char) -> bool {
    character.is_control()
        || "<>:\"|?*\0".contains(character)
        || matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}' | '\u{2028}' | '\u{2029}')
}

/// Takes a character off the stem, so that the extension stays.
fn shorten(name: &mut String) {
    let extension = name.rfind('.').filter(|dot| name.len() - dot <= 16 && *dot > 0).unwrap_or(name.len());
    let last = name[..extension].char_indices().next_back().map_or(0, |(at, _)| at);
    name.replace_range(last..extension, "");
}

fn extension_of(media_type: &str) -> &str {
    match media_type {
        "text/plain" => "txt",
        "text/html" => "html",
        "text/calendar" => "ics",
        "text/csv" => "csv",
        "message/rfc822" | "message/global" => "eml",
        "image/jpeg" => "jpg",
        "image/png" => "png",
        "image/gif" => "gif",
        "image/svg+xml" => "svg",
        "application/pdf" => "pdf",
        "application/zip" => "zip",
        "application/json" => "json",
        "application/xml" | "text/xml" => "xml",
        "application/pgp-signature" => "asc",
        "application/pkcs7-signature" => "p7s",
        "audio/mpeg" => "mp3",
        "video/mp4" => "mp4",
        _ if media_type.starts_with("text/") => "txt",
        _ => "bin",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_tables_are_read() {
        let zero = "<table><tr><td colspan=0>a</td><td rowspan=3>b</td></tr><tr><td COLSPAN=7>c</td></table>";
        let endless = "<table><tr><td rowspan=4000000000 colspan=4000000000>a</td></tr><tr><td>b</table>";
        for html in [zero, endless] {
            let text = plain_of_html(html);
            assert!(text.contains('a') && text.contains('b'), "{text}");
        }
        assert_eq!(plain_of_html("<p>of a rowspan, a span</p>").trim(), "of a row-span, a span");
    }

    #[test]
    fn names_of_files() {
        for (proposed, expected) in [
            ("plain.txt", "plain.txt"),
            ("../../etc/passwd", "passwd"),
            ("C:\\windows\\system.ini", "system.ini"),
            (".bashrc", "bashrc"),
            ("a\u{202e}gpj.exe", "a_gpj.exe"),
            ("nul.txt", "_nul.txt"),
            ("a\r\nb?.txt ", "a__b_.txt"),
            ("..", ""),
            ("-rf", "rf"),
            ("grüße.txt", "grüße.txt"),
        ] {
            assert_eq!(safe_name(proposed), expected, "{proposed:?}");
        }
        let long = safe_name(&format!("{}.pdf", "ä".repeat(300)));
        assert!(long.len() <= FILE_NAME_OCTETS_MAX && long.ends_with("ä.pdf"), "{long}");
    }

    #[test]
    fn html_as_text() {
        let text = plain_of_html(
            "<html><body><p>Hello <b>you</b> <a href='https://x.example/'>there</a></p><ul><li>one</li></ul><script>x()</script></body></html>",
        );
        assert!(
            text.contains("Hello you [there][1]")
                && text.contains("https://x.example/")
                && text.contains("* one")
                && !text.contains("x()"),
            "{text}"
        );
        assert_eq!(without_tags("<p>a</p>"), "a");
    }
}
