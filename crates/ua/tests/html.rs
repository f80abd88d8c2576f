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

#[test]
fn published_attacks_come_to_nothing() {
    let attacks = [
        // Scripts, plain and disguised (OWASP's and html5sec's lists).
        "<script>alert(1)</script>",
        "<ScRiPt >alert(1)</sCrIpT >",
        "<<SCRIPT>alert(1);//<</SCRIPT>",
        "<script/xss src=//x.example></script>",
        "<SCRIPT SRC=http://x.example/x.js?< B >",
        "<script\\x20type=\"text/javascript\">alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "<img src=\"x` `<script>alert(1)</script>\"` `>",
        "<img \"\"\"><script>alert(1)</script>\">",
        "<body onload=alert(1)>",
        "<div onmouseover='alert(1)'>x</div>",
        "<div/onclick=alert(1)>x",
        "<p onfocus=alert(1) tabindex=1 autofocus>x",
        "<details open ontoggle=alert(1)>",
        "<marquee onstart=alert(1)>",
        "<video><source onerror=\"alert(1)\">",
        "<audio src=x onerror=alert(1)>",
        // Addresses that run.
        "<a href=javascript:alert(1)>x</a>",
        "<a href=\"jAvAsCrIpT:alert(1)\">x</a>",
        "<a href=\"java\tscript:alert(1)\">x</a>",
        "<a href=\"&#14; javascript:alert(1)\">x</a>",
        "<a href=\"&#x6A&#x61&#x76&#x61&#x73&#x63&#x72&#x69&#x70&#x74&#x3A;alert(1)\">x</a>",
        "<a href='vbscript:msgbox(1)'>x</a>",
        "<a href=data:text/html;base64,PHNjcmlwdD4=>x</a>",
        "<a href=\"data:image/svg+xml,<svg onload=alert(1)>\">x</a>",
        "<a href=\"//x.example\">x</a>",
        "<a href=\"file:///etc/passwd\">x</a>",
        "<a href=\"blob:x\">x</a>",
        "<a href=\"about:blank\">x</a>",
        "<img src=\"javascript:alert(1)\">",
        "<img src='data:image/svg+xml;base64,PHN2Zz4='>",
        "<img src='data:text/html,x'>",
        "<img src=/relative.png>",
        "<img src='data:image/png;base64,\"onerror=alert(1)//'>",
        "<img srcset='https://x.example/a 1x'>",
        "<img lowsrc=https://x.example/a dynsrc=y>",
        "<a href=x ping=https://x.example/>x</a>",
        "<a href=https://x.example download=x>x</a>",
        // What loads, frames, submits or refreshes.
        "<iframe src=javascript:alert(1)>",
        "<iframe srcdoc='<script>alert(1)</script>'>",
        "<object data=x><embed src=y>",
        "<applet code=x>",
        "<meta http-equiv=refresh content='0;url=https://x.example'>",
        "<base href=https://x.example/>",
        "<link rel=stylesheet href=https://x.example/a.css>",
        "<form action=https://x.example><input name=p><button formaction=javascript:alert(1)>go</button></form>",
        "<isindex action=javascript:alert(1)>",
        "<input type=image src=https://x.example onerror=alert(1)>",
        "<keygen autofocus onfocus=alert(1)>",
        "<textarea autofocus onfocus=alert(1)>",
        "<table background=https://x.example/a><td background=javascript:alert(1)>x",
        "<body background=https://x.example/a>",
        "<frameset onload=alert(1)><frame src=x>",
        "<portal src=https://x.example>",
        "<dialog open onclose=alert(1)>",
        // Style.
        "<style>@import 'https://x.example/a.css'; body{background:url(x)}</style>",
        "<div style='background:url(https://x.example)'>x",
        "<div style=\"width:expression(alert(1))\">x",
        "<div style='behavior:url(x)'>x",
        "<div style=\"background:u\\72l(https://x.example)\">x",
        "<div style='position:fixed;inset:0;z-index:99999'>x",
        "<div style=\"color:red;}*{display:none\">x",
        "<div style=\"font-family:'x;background:url(y)'\">x",
        "<font style='a:b;-moz-binding:url(x)'>x",
        "<x style='x:&#92;65xpression(alert(1))'>x",
        // Clobbering.
        "<img id=cookie name=body>",
        "<form id=document><input id=body></form>",
        "<a id=defaultView name=x href=cid:a>x</a>",
        "<div class='toast modal'>x",
        // SVG and MathML.
        "<svg onload=alert(1)>",
        "<svg><script>alert(1)</script></svg>",
        "<svg><a xlink:href=javascript:alert(1)><text>x",
        "<svg><animate onbegin=alert(1)>",
        "<svg><use href='data:image/svg+xml,x'>",
        "<math><maction actiontype=statusline xlink:href=javascript:alert(1)>x",
        "<svg><foreignObject><iframe src=x>",
        "<svg><style><img src=x onerror=alert(1)></style>",
        // Mutations: what means another thing when parsed again (Heiderich 2013, DOMPurify's and Bleach's findings).
        "<svg></p><style><a title=\"</style><img src onerror=alert(1)>\">",
        "<math><mtext><table><mglyph><style><!--</style><img title=\"--&gt;&lt;img src=1 onerror=alert(1)&gt;\">",
        "<form><math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>",
        "<noscript><p title=\"</noscript><img src=x onerror=alert(1)>\">",
        "<noscript><style></noscript><img src=x onerror=alert(1)>",
        "<math><annotation-xml encoding=\"text/html\"><style><img title=\"</style><img src onerror=alert(1)>\"></style>",
        "<svg><desc><noscript>&lt;/noscript>&lt;/desc>&lt;s>&lt;/s>&lt;style>&lt;a title=\"&lt;/style>&lt;img src onerror=alert(1)>\">",
        "<listing>&lt;img src=1 onerror=alert(1)&gt;</listing>",
        "<xmp><p title=\"</xmp><img src=x onerror=alert(1)>\">",
        "<plaintext><img src=x onerror=alert(1)>",
        "<noembed><img title=\"</noembed><img src=x onerror=alert(1)>\"></noembed>",
        "<title><a title=\"</title><img src=x onerror=alert(1)>\">",
        "<textarea><a title=\"</textarea><img src=x onerror=alert(1)>\">",
        "<template><img src=x onerror=alert(1)></template>",
        "<select><style></select><img src=x onerror=alert(1)></style>",
        "<!--><img src=x onerror=alert(1)>-->",
        "<!--[if gte IE 4]><script>alert(1)</script><![endif]-->",
        "<![CDATA[<img src=x onerror=alert(1)>]]>",
        "<?xml version=1?><img src=x onerror=alert(1)>",
        "<!doctype html [<!ENTITY x '<img src=x onerror=alert(1)>'>]>&x;",
        "<a title='&quot;&gt;&lt;img src=x onerror=alert(1)&gt;' href='https://x.example/\"><script>'>x</a>",
        "<img alt='\"><script>alert(1)</script>' src=https://x.example/a>",
        "<p title='</p><script>'>x",
        "<img src=\"https://x.example/\u{0}\" alt=`>`>",
        "<a href='https://x.example/&quot;onclick=alert(1)//'>x</a>",
        "<font color='\" onclick=alert(1)'>x",
        "<td colspan='\"onclick=x'>x",
        "<table><tr><td><a href=\"https://x.example\"><table><tr><td></a><img src=x onerror=alert(1)>",
        "<b><i><p></b></i><script>alert(1)</script>",
        "<img\u{c}src=x\u{c}onerror=alert(1)>",
        "<img/src=x/onerror=alert(1)//",
        "<a href=https://x.example style=color:red;x:url(y) style=z>x",
        "\u{feff}<script>",
        "<iframe><!--</iframe><img src=x onerror=alert(1)>-->",
        "<a<script>alert(1)//</a>",
        "<details class=quoted><summary onclick=alert(1)>x</summary></details>",
    ];
    for attack in attacks {
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
