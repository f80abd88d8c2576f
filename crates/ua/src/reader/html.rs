//! HTML of strangers made harmless.
//!
//! This is a security boundary. Two passes: ammonia parses as a browser does and writes only what is on the list
//! below; a second pass over that well-formed text takes out remote images, says where links lead and folds the
//! quotation at the end. The result is still to be shown in a frame without scripts and without the page's origin:
//! two walls, so that a hole in one is none in both.

use super::css::safe_style;
use super::html_finish;
use crate::desk::{HtmlView, LinkView, limits::HTML_OCTETS_MAX};
use ammonia::{Builder, UrlRelative};
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

/// Octets of one address in a link or an image.
const URL_OCTETS_MAX: usize = 8 * 1024;
/// Tags in a document; beyond it the text form is shown. Browsers are slow with such pages too.
const TAGS_MAX: usize = 50_000;
/// Tags open inside one another.
const DEPTH_MAX: usize = 400;

/// Elements that show text. None of them loads, runs, submits, refreshes or changes how what follows is parsed.
const TAGS: &[&str] = &[
    "a",
    "abbr",
    "address",
    "b",
    "bdi",
    "bdo",
    "big",
    "blockquote",
    "br",
    "caption",
    "center",
    "cite",
    "code",
    "col",
    "colgroup",
    "dd",
    "del",
    "dfn",
    "div",
    "dl",
    "dt",
    "em",
    "figcaption",
    "figure",
    "font",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "hr",
    "i",
    "img",
    "ins",
    "kbd",
    "li",
    "mark",
    "ol",
    "p",
    "pre",
    "q",
    "s",
    "samp",
    "small",
    "span",
    "strike",
    "strong",
    "sub",
    "sup",
    "table",
    "tbody",
    "td",
    "tfoot",
    "th",
    "thead",
    "tr",
    "tt",
    "u",
    "ul",
    "var",
    "wbr",
];

/// Elements of which not even the text is kept.
const DROPPED: &[&str] = &[
    "script",
    "style",
    "title",
    "head",
    "noscript",
    "template",
    "textarea",
    "select",
    "option",
    "iframe",
    "object",
    "embed",
    "applet",
    "frame",
    "frameset",
    "noframes",
    "noembed",
    "svg",
    "math",
    "xmp",
    "plaintext",
    "audio",
    "video",
    "canvas",
    "dialog",
    "portal",
    "fencedframe",
];

/// Attributes that any element may have.
const ATTRIBUTES: &[&str] = &["style", "dir", "lang", "align", "valign", "width", "height", "bgcolor"];

/// How pictures are to be treated.
#[derive(Debug, Clone, Default)]
pub struct ImagePolicy {
    /// Remote ones are shown.
    pub remote: bool,
    /// Addresses of pictures inside the message by their Content-ID; others that are asked for are left out.
    pub inside: HashMap<String, String>,
}

/// Sanitises. `None` where the HTML is too large or too deep to be shown; its text still can be.
pub fn sanitise(html: &str, policy: &ImagePolicy) -> Option<HtmlView> {
    if html.len() > HTML_OCTETS_MAX || !is_sane(html) {
        return None;
    }
    // Parsers have fallen over hostile input before; the text form is then what is shown.
    let clean = std::panic::catch_unwind(|| cleaner(filter).clean(html).to_string()).ok()?;
    Some(html_finish::finish(&clean, policy))
}

/// Sanitises what a person wrote in an editor: pictures by `cid:` stay as they are, remote ones are taken out.
pub fn sanitise_own(html: &str) -> Option<String> {
    if html.len() > HTML_OCTETS_MAX || !is_sane(html) {
        return None;
    }
    std::panic::catch_unwind(|| cleaner(filter_own).clean(html).to_string()).ok()
}

/// As [`filter`], without remote pictures.
fn filter_own<'v>(element: &str, attribute: &str, value: &'v str) -> Option<Cow<'v, str>> {
    match (element, attribute) {
        ("img", "src") if !value.starts_with("cid:") => None,
        _ => filter(element, attribute, value),
    }
}

/// A rough measure before anything is parsed, so that nobody can make us work for minutes.
fn is_sane(html: &str) -> bool {
    let (mut tags, mut depth) = (0, 0usize);
    let octets = html.as_bytes();
    for at in memchr::memchr_iter(b'<', octets) {
        tags += 1;
        match octets.get(at + 1) {
            Some(b'/') => depth = depth.saturating_sub(1),
            Some(octet) if octet.is_ascii_alphabetic() && !is_void(&octets[at + 1..]) => depth += 1,
            _ => {}
        }
        if tags > TAGS_MAX || depth > DEPTH_MAX + tags / 4 {
            return false;
        }
    }
    true
}

/// Elements that are mostly left open.
fn is_void(name: &[u8]) -> bool {
    let end = name.iter().position(|octet| !octet.is_ascii_alphanumeric()).unwrap_or(name.len());
    let name = name[..end].to_ascii_lowercase();
    matches!(
        &*name,
        b"br"
            | b"img"
            | b"hr"
            | b"meta"
            | b"link"
            | b"p"
            | b"li"
            | b"td"
            | b"tr"
            | b"col"
            | b"input"
            | b"wbr"
    )
}

type Filter = for<'v> fn(&str, &str, &'v str) -> Option<Cow<'v, str>>;

fn cleaner(filter: Filter) -> Builder<'static> {
    let set = |list: &[&'static str]| list.iter().copied().collect::<HashSet<_>>();
    let mut builder = Builder::empty();
    builder
        .tags(set(TAGS))
        .clean_content_tags(set(DROPPED))
        .generic_attributes(set(ATTRIBUTES))
        .tag_attributes(HashMap::from([
            ("a", set(&["href"])),
            ("img", set(&["src", "alt"])),
            ("blockquote", set(&["type"])),
            ("font", set(&["color", "face", "size"])),
            ("table", set(&["border", "cellpadding", "cellspacing"])),
            ("td", set(&["colspan", "rowspan", "nowrap"])),
            ("th", set(&["colspan", "rowspan", "nowrap"])),
            ("col", set(&["span"])),
            ("ol", set(&["start", "type"])),
            ("ul", set(&["type"])),
        ]))
        // The marks by which other agents say what they quoted; the second pass takes them away.
        .allowed_classes(HashMap::from([("div", set(html_finish::QUOTE_CLASSES))]))
        .url_schemes(set(&["http", "https", "mailto", "tel", "cid", "data"]))
        .url_relative(UrlRelative::Deny)
        .link_rel(None)
        .strip_comments(true)
        .attribute_filter(filter);
    builder
}

fn filter<'v>(element: &str, attribute: &str, value: &'v str) -> Option<Cow<'v, str>> {
    match attribute {
        "style" => Some(safe_style(value)).filter(|style| !style.is_empty()).map(Cow::Owned),
        "href" => Some(value).filter(|target| is_link(target)).map(Cow::Borrowed),
        "src" => Some(value).filter(|source| is_picture(source)).map(Cow::Borrowed),
        "class" => Some(Cow::Borrowed(value)),
        "alt" => Some(Cow::Borrowed(cut(value, 500))),
        "colspan" | "rowspan" | "span" => number(value, 100).map(Cow::Owned),
        "start" => number(value, 1_000_000).map(Cow::Owned),
        "width" | "height" | "border" | "cellpadding" | "cellspacing" => length(value).map(Cow::Borrowed),
        "dir" => Some(value).filter(|value| is_one_of(value, &["ltr", "rtl", "auto"])).map(Cow::Borrowed),
        _ if element == "bdo" && attribute == "style" => None,
        // align, valign, bgcolor, color, face, size, lang, type, nowrap: words and numbers.
        _ => Some(value).filter(|value| is_wordy(value)).map(Cow::Borrowed),
    }
}

fn is_one_of(value: &str, words: &[&str]) -> bool {
    words.iter().any(|word| value.eq_ignore_ascii_case(word))
}

fn is_wordy(value: &str) -> bool {
    value.len() <= 200 && value.chars().all(|c| c.is_ascii_alphanumeric() || " #%.,-+".contains(c))
}

fn number(value: &str, max: u32) -> Option<String> {
    value.trim().parse().ok().map(|number: u32| number.min(max).to_string())
}

/// `600` or `100%`.
fn length(value: &str) -> Option<&str> {
    let digits = value.strip_suffix('%').or_else(|| value.strip_suffix("px")).unwrap_or(value);
    ((1..=4).contains(&digits.len()) && digits.bytes().all(|octet| octet.is_ascii_digit())).then_some(value)
}

fn is_link(target: &str) -> bool {
    let scheme = target.split_once(':').map(|(scheme, _)| scheme.to_ascii_lowercase()).unwrap_or_default();
    target.len() <= URL_OCTETS_MAX && matches!(&*scheme, "http" | "https" | "mailto" | "tel")
}

/// A remote picture (https or http), one inside the message, or a small one written out as `data:`.
fn is_picture(source: &str) -> bool {
    let lower = cut(source, 64).to_ascii_lowercase();
    if ["https://", "http://", "cid:"].iter().any(|scheme| lower.starts_with(scheme)) {
        return source.len() <= URL_OCTETS_MAX;
    }
    // Pictures made of dots only: SVG is a document, with all that can be in one.
    let kinds = [
        "data:image/png;base64,",
        "data:image/jpeg;base64,",
        "data:image/gif;base64,",
        "data:image/webp;base64,",
    ];
    let is_base64 = |c: u8| c.is_ascii_alphanumeric() || b"+/=\r\n ".contains(&c);
    kinds.iter().any(|kind| lower.starts_with(*kind) && source[kind.len()..].bytes().all(is_base64))
}

/// `%20` and the like as what they stand for.
pub(super) fn percent_decoded(text: &str) -> String {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        let hex =
            (*first == b'%').then(|| behind.get(..2)).flatten().and_then(|hex| std::str::from_utf8(hex).ok());
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(octet) => {
                octets.push(octet);
                rest = &behind[2..];
            }
            None => {
                octets.push(*first);
                rest = behind;
            }
        }
    }
    String::from_utf8_lossy(&octets).into_owned()
}

/// The first octets, whole characters only.
pub(crate) fn cut(text: &str, octets_max: usize) -> &str {
    let mut end = text.len().min(octets_max);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// Whether a link looks like the address of another host than it leads to.
pub(crate) fn is_deceptive(link: &LinkView) -> bool {
    super::deceit::is_deceptive(&link.text, &link.target)
}
