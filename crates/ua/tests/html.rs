//! The sanitiser against attacks that were published: whatever comes in, only what is on the list comes out.

use posta_ua::desk::HtmlView;
use posta_ua::reader::html::{ImagePolicy, sanitise};
use proptest::prelude::*;
use std::collections::HashMap;

/// All elements that may ever come out, `details` and `summary` by our own hand.
const ALLOWED: &[&str] = &[
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
    "details",
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
    "summary",
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

/// All attributes that may ever come out.
const ATTRIBUTES: &[&str] = &[
    "style",
    "dir",
    "lang",
    "align",
    "valign",
    "width",
    "height",
    "bgcolor",
    "href",
    "title",
    "target",
    "rel",
    "src",
    "alt",
    "class",
    "referrerpolicy",
    "loading",
    "type",
    "color",
    "face",
    "size",
    "border",
    "cellpadding",
    "cellspacing",
    "colspan",
    "rowspan",
    "nowrap",
    "span",
    "start",
];

fn clean(html: &str) -> HtmlView {
    sanitise(html, &ImagePolicy::default()).expect("small enough")
}

/// Reads the output as a browser's tokeniser would, and checks each tag against the lists.
fn check(input: &str, view: &HtmlView, remote: bool) {
    let mut rest = view.html.as_str();
    while let Some(start) = rest.find('<') {
        let tag = &rest[start + 1..];
        let mut quoted = false;
        let end = tag.bytes().position(|octet| {
            quoted ^= octet == b'"';
            octet == b'>' && !quoted
        });
        let end = end.unwrap_or_else(|| panic!("an open tag from {input:?}: {}", view.html));
        let inner = tag[..end].trim_start_matches('/');
        let (name, mut attributes) = inner.split_once(' ').unwrap_or((inner, ""));
        assert!(ALLOWED.contains(&name), "<{name}> from {input:?}: {}", view.html);
        while let Some((attribute, behind)) = attributes.split_once("=\"") {
            let (value, behind) = behind.split_once('"').expect("values are quoted");
            let attribute = attribute.trim();
            assert!(ATTRIBUTES.contains(&attribute), "{attribute} from {input:?}: {}", view.html);
            check_value(input, attribute, value, remote);
            attributes = behind;
        }
        assert!(attributes.trim().is_empty(), "{attributes:?} from {input:?}: {}", view.html);
        rest = &tag[end + 1..];
    }
}

fn check_value(input: &str, attribute: &str, value: &str, remote: bool) {
    let lower = value.to_ascii_lowercase();
    match attribute {
        "href" => assert!(
            ["http://", "https://", "mailto:", "tel:", "http:", "https:"]
                .iter()
                .any(|scheme| lower.starts_with(scheme)),
            "{value} from {input:?}"
        ),
        "src" => assert!(
            lower.starts_with("data:image/") && !lower.contains("svg")
                || lower.starts_with("/part/")
                || remote && lower.starts_with("http"),
            "{value} from {input:?}"
        ),
        "style" => assert!(
            !lower.contains("url")
                && !lower.contains("expression")
                && !lower.contains("position")
                && !lower.contains('\\'),
            "{value} from {input:?}"
        ),
        "class" => assert!(["quoted", "hidden-image"].contains(&value), "{value} from {input:?}"),
        _ => {}
    }
}

/// One on each line of `attacks.txt`, from OWASP's list, html5sec.org, and the findings against DOMPurify and Bleach;
/// `\\t`, `\\\\` and `\\u{…}` as in Rust.
fn attacks() -> Vec<String> {
    let read = |line: &str| {
        let mut text = line.replace("\\t", "\t").replace("\\\\", "\\");
        for (escape, character) in [("\\u{0}", "\0"), ("\\u{c}", "\u{c}"), ("\\u{feff}", "\u{feff}")] {
            text = text.replace(escape, character);
        }
        text
    };
    include_str!("attacks.txt").lines().map(read).collect()
}

#[test]
fn published_attacks_come_to_nothing() {
    let attacks = attacks();
    assert!(attacks.len() > 100, "the list is there");
    for attack in &attacks {
        let view = clean(attack);
        check(attack, &view, false);
        // What came out means the same when it is read again: nothing was hidden in it.
        let again = clean(&view.html);
        check(attack, &again, false);
        let shown = sanitise(attack, &ImagePolicy { remote: true, ..ImagePolicy::default() }).unwrap();
        check(attack, &shown, true);
    }
}

#[test]
fn honest_mail_looks_as_it_should() {
    let view = clean(
        "<p style='color:red'>Dear <b>Bob</b>,</p><ul><li>one</li></ul><table width=600><tr><td align=left>x</td></tr></table>",
    );
    for part in [
        "<p style=\"color:red\">",
        "<b>Bob</b>",
        "<li>one</li>",
        "<table width=\"600\">",
        "<td align=\"left\">",
    ] {
        assert!(view.html.contains(part), "{part} in {}", view.html);
    }
    let view = clean(
        "<a href=\"https://x.example/?a=1&amp;b=2\">go &amp; see</a> <a href='https://evil.example'>https://bank.example/</a>",
    );
    assert!(
        view.html.contains(
            "title=\"https://x.example/?a=1&amp;b=2\" target=\"_blank\" rel=\"noopener noreferrer nofollow\""
        ),
        "{}",
        view.html
    );
    assert_eq!(
        (view.links[0].text.as_str(), view.links[0].target.as_str()),
        ("go & see", "https://x.example/?a=1&b=2")
    );
    assert!(!view.links[0].is_deceptive && view.links[1].is_deceptive);
}

#[test]
fn remote_images_wait_for_leave() {
    let html = "<img src='https://x.example/a.png' alt='A' width=100><img src=\"http://t.example/p.gif\" width=1 height=1><img src=https://t.example/q style='display:none'>";
    let view = clean(html);
    assert_eq!((view.remote_images, view.trackers, view.remote_blocked), (1, 2, true));
    assert!(!view.html.contains("http") && view.html.contains("alt=\"A\""), "{}", view.html);
    let view = sanitise(html, &ImagePolicy { remote: true, ..ImagePolicy::default() }).unwrap();
    assert_eq!((view.remote_images, view.trackers, view.remote_blocked), (1, 2, false));
    assert!(
        view.html.contains("src=\"https://x.example/a.png\"") && !view.html.contains("t.example"),
        "{}",
        view.html
    );
}

#[test]
fn pictures_inside_have_addresses() {
    let policy =
        ImagePolicy { remote: false, inside: HashMap::from([("a@b".to_owned(), "/part/m/1.2".to_owned())]) };
    let view = sanitise("<img src='cid:a%40b'><img src='CID:a@b'><img src='cid:other'>", &policy).unwrap();
    assert_eq!(view.html.matches("src=\"/part/m/1.2\"").count(), 2, "{}", view.html);
    assert_eq!((view.html.matches("hidden-image").count(), view.remote_images), (1, 0));
}

#[test]
fn only_the_quotation_at_the_end_is_folded() {
    let folded = |html: &str| clean(html).html.contains("<details class=\"quoted\">");
    assert!(folded("<p>Yes</p><blockquote type=cite>Tea?</blockquote>"));
    assert!(folded("Yes<div class=\"gmail_quote\">On Monday:<blockquote>Tea?</blockquote></div><br>&nbsp;"));
    assert!(!folded("<blockquote>Tea?</blockquote><p>Yes</p>"));
    assert!(!folded("<blockquote>All of it</blockquote>"));
    assert!(folded("Hi<blockquote>Tea?</blockquote>Yes<blockquote>Cake?</blockquote>"));
    let view = clean("Yes<blockquote>Tea?</blockquote>");
    assert_eq!(
        view.html,
        "Yes<details class=\"quoted\"><summary>\u{2026}</summary><blockquote>Tea?</blockquote></details>"
    );
}

#[test]
fn what_is_too_deep_is_not_shown() {
    assert!(sanitise(&"<div>".repeat(100_000), &ImagePolicy::default()).is_none());
    assert!(sanitise(&"<b>".repeat(5_000), &ImagePolicy::default()).is_none_or(|view| !view.html.is_empty()));
    assert!(sanitise(&"<br>".repeat(10_000), &ImagePolicy::default()).is_some());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Anything made of the pieces that attacks are made of.
    #[test]
    fn only_the_list_comes_out(pieces in prop::collection::vec(prop::sample::select(vec![
        "<", ">", "\"", "'", "=", " ", "/", "&lt;", "&quot;", "<svg>", "</svg>", "<math>", "<style>", "</style>", "<!--", "-->", "<table>", "<td>",
        "<img ", "src=", "onerror=x", "<a ", "href=", "javascript:x", "https://x.example/", "<p title='", "<noscript>", "</noscript>", "<mtext>",
        "<blockquote>", "</blockquote>", "<div class=gmail_quote>", "</div>", "style='color:url(x)'", "text", "\0", "<mglyph>", "</a>", "<template>",
        "<select>", "cid:x", "data:image/svg+xml,", "`", "<xmp>", "</p>", "<form>", "<annotation-xml encoding='text/html'>",
    ]), 0..40)) {
        let html = pieces.concat();
        let view = clean(&html);
        check(&html, &view, false);
        check(&html, &clean(&view.html), false);
    }
}
