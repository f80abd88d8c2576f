//! The second pass over HTML that has been sanitised: pictures, links, the quotation at the end.
//!
//! What comes in was written by a serialiser: `<` begins a tag and nothing else, attributes are in double quotes
//! and escaped. So reading it tag by tag is safe; what this pass writes itself are fixed words and escaped texts.

use super::html::{ImagePolicy, is_deceptive, percent_decoded};
use crate::desk::{HtmlView, LinkView};

/// What other agents wrap their quotations in.
pub(super) const QUOTE_CLASSES: &[&str] = &[
    "gmail_quote",
    "gmail_quote_container",
    "moz-cite-prefix",
    "yahoo_quoted",
    "protonmail_quote",
    "posta-quote",
];
/// Links that are told of.
const LINKS_MAX: usize = 200;
/// Characters of a link's text that are told.
const LINK_TEXT_CHARS_MAX: usize = 200;

const FOLD_BEGIN: &str = "<details class=\"quoted\"><summary>\u{2026}</summary>";
const FOLD_END: &str = "</details>";

struct Finish<'p> {
    policy: &'p ImagePolicy,
    out: String,
    view: HtmlView,
    /// Names of open elements.
    open: Vec<(String, bool)>,
    /// Where the outermost quotation that is open begins in `out`.
    quote_start: Option<usize>,
    /// The last whole one: from, to.
    last_quote: Option<(usize, usize)>,
    /// Visible text before the first quotation, and since the last.
    has_text_before: bool,
    has_text_after: bool,
    link: Option<LinkView>,
}

pub(super) fn finish(clean: &str, policy: &ImagePolicy) -> HtmlView {
    let mut finish = Finish {
        policy,
        out: String::with_capacity(clean.len() + 256),
        view: HtmlView::default(),
        open: Vec::new(),
        quote_start: None,
        last_quote: None,
        has_text_before: false,
        has_text_after: false,
        link: None,
    };
    let mut rest = clean;
    while let Some(start) = rest.find('<') {
        finish.text(&rest[..start]);
        let Some(end) = tag_end(&rest[start..]) else {
            rest = "";
            break;
        };
        finish.tag(&rest[start..=start + end]);
        rest = &rest[start + end + 1..];
    }
    finish.text(rest);
    finish.end_link();
    finish.fold();
    finish.view.html = finish.out;
    finish.view.remote_blocked = finish.view.remote_images > 0 && !policy.remote;
    finish.view
}

/// Behind which octet the tag ends: a `>` outside of quotes.
fn tag_end(tag: &str) -> Option<usize> {
    let mut quoted = false;
    tag.bytes().position(|octet| {
        quoted ^= octet == b'"';
        octet == b'>' && !quoted
    })
}

/// Attributes of a start tag, as they stand (escaped).
fn attributes(tag: &str) -> Vec<(&str, &str)> {
    let inner = tag.trim_start_matches('<').trim_end_matches('>');
    let mut rest = inner.split_once(' ').map_or("", |(_, rest)| rest);
    let mut found = Vec::new();
    while let Some((name, behind)) = rest.split_once("=\"") {
        let Some((value, behind)) = behind.split_once('"') else { break };
        found.push((name.trim(), value));
        rest = behind;
    }
    found
}

impl Finish<'_> {
    fn text(&mut self, text: &str) {
        if let Some(link) = &mut self.link {
            let room = LINK_TEXT_CHARS_MAX.saturating_sub(link.text.chars().count());
            link.text.extend(unescape(text).chars().take(room));
        }
        if self.quote_start.is_none() && is_visible(text) {
            if self.last_quote.is_some() {
                self.has_text_after = true;
            } else {
                self.has_text_before = true;
            }
        }
        self.out.push_str(text);
    }

    fn tag(&mut self, tag: &str) {
        if let Some(name) = tag.strip_prefix("</") {
            return self.end_tag(name.trim_end_matches('>'), tag);
        }
        let name = tag[1..].split([' ', '>', '/']).next().unwrap_or_default().to_owned();
        match &*name {
            "img" => self.image(tag),
            "a" => self.begin_link(tag),
            "br" | "hr" | "wbr" | "col" => self.out.push_str(tag),
            _ => self.begin(name, tag),
        }
    }

    fn begin(&mut self, name: String, tag: &str) {
        let attributes = attributes(tag);
        let is_quote = self.quote_start.is_none()
            && (name == "blockquote"
                || attributes
                    .iter()
                    .any(|(attribute, value)| *attribute == "class" && *value != "moz-cite-prefix"));
        if is_quote {
            if self.has_text_after {
                // An answer stood between two quotations: the earlier ones are part of the letter.
                self.has_text_before = true;
                self.has_text_after = false;
            }
            self.quote_start = Some(self.out.len());
        }
        self.out.push('<');
        self.out.push_str(&name);
        for (attribute, value) in attributes.iter().filter(|(attribute, _)| *attribute != "class") {
            self.out.push_str(&format!(" {attribute}=\"{value}\""));
        }
        self.out.push('>');
        self.open.push((name, is_quote));
    }

    fn end_tag(&mut self, name: &str, tag: &str) {
        if name == "a" {
            self.out.push_str(tag);
            return self.end_link();
        }
        self.out.push_str(tag);
        let Some(at) = self.open.iter().rposition(|(open, _)| open == name) else { return };
        for (_, is_quote) in self.open.split_off(at) {
            if is_quote && let Some(start) = self.quote_start.take() {
                self.last_quote = Some((start, self.out.len()));
                self.has_text_after = false;
            }
        }
    }

    fn image(&mut self, tag: &str) {
        let attributes = attributes(tag);
        let get =
            |name: &str| attributes.iter().find(|(attribute, _)| *attribute == name).map(|(_, value)| *value);
        let source = get("src").unwrap_or_default();
        let is_remote = source.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("http"));
        if is_remote && is_pixel(get("width"), get("height"), get("style").unwrap_or_default()) {
            self.view.trackers += 1;
            return;
        }
        self.view.remote_images += u32::from(is_remote);
        let shown = match source.get(..4).map(str::to_ascii_lowercase).as_deref() {
            Some("cid:") => self.address_inside(&source[4..]),
            Some("http") => self.policy.remote.then(|| source.to_owned()),
            _ => Some(source.to_owned()).filter(|source| !source.is_empty()),
        };
        self.out.push_str("<img");
        for (attribute, value) in attributes.iter().filter(|(attribute, _)| *attribute != "src") {
            self.out.push_str(&format!(" {attribute}=\"{value}\""));
        }
        if let Some(address) = &shown {
            self.out.push_str(&format!(" src=\"{address}\""));
        }
        let hidden = shown.is_none();
        if hidden {
            self.out.push_str(" class=\"hidden-image\"");
        } else {
            // Tells the other host nothing of the page that the picture is on.
            self.out.push_str(" referrerpolicy=\"no-referrer\" loading=\"lazy\"");
        }
        self.out.push('>');
        if self.quote_start.is_none() && self.last_quote.is_some() && !is_remote {
            self.has_text_after = true;
        }
    }

    /// The address of a picture inside the message, escaped.
    fn address_inside(&self, id: &str) -> Option<String> {
        let id = percent_decoded(&unescape(id));
        let address = self.policy.inside.get(id.trim_matches(['<', '>']))?;
        Some(address.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;").replace('>', "&gt;"))
    }

    fn begin_link(&mut self, tag: &str) {
        self.end_link();
        let attributes = attributes(tag);
        self.out.push_str("<a");
        for (attribute, value) in &attributes {
            self.out.push_str(&format!(" {attribute}=\"{value}\""));
        }
        if let Some((_, target)) = attributes.iter().find(|(attribute, _)| *attribute == "href") {
            // Escaped already, as it is another attribute's value.
            self.out.push_str(&format!(
                " title=\"{target}\" target=\"_blank\" rel=\"noopener noreferrer nofollow\""
            ));
            let target = unescape(target);
            self.link = Some(LinkView { text: String::new(), target, is_deceptive: false });
        }
        self.out.push('>');
    }

    fn end_link(&mut self) {
        let Some(mut link) = self.link.take() else { return };
        link.text = link.text.split_whitespace().collect::<Vec<_>>().join(" ");
        link.is_deceptive = is_deceptive(&link);
        if self.view.links.len() < LINKS_MAX || link.is_deceptive && self.view.links.len() < 2 * LINKS_MAX {
            self.view.links.push(link);
        }
    }

    /// Folds the last quotation where nothing is behind it and something is before.
    fn fold(&mut self) {
        if let Some((start, end)) = self.last_quote
            && self.has_text_before
            && !self.has_text_after
        {
            self.out.insert_str(end, FOLD_END);
            self.out.insert_str(start, FOLD_BEGIN);
        }
    }
}

fn is_visible(text: &str) -> bool {
    let text = text.replace("&nbsp;", " ");
    text.chars()
        .any(|c| !c.is_whitespace() && c != '\u{a0}' && c != '\u{200b}' && c != '\u{200c}' && c != '\u{feff}')
}

/// A picture that nobody is meant to see.
fn is_pixel(width: Option<&str>, height: Option<&str>, style: &str) -> bool {
    let is_tiny = |length: &str| matches!(length.trim().trim_end_matches("px"), "0" | "1");
    let of_style = |name: &str| {
        let found =
            style.split(';').find_map(|declaration| declaration.strip_prefix(name)?.strip_prefix(':'));
        found.is_some_and(is_tiny)
    };
    let is_tiny_both = (width.is_some_and(is_tiny) || of_style("width"))
        && (height.is_some_and(is_tiny) || of_style("height"));
    is_tiny_both || style.contains("display:none")
}

/// What the serialiser escaped.
fn unescape(text: &str) -> String {
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&nbsp;", "\u{a0}")
        .replace("&amp;", "&")
}
