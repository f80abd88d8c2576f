//! The examples of the RFCs, and the messages that textbooks print.

use posta_message::{Entity, Message};

/// `type [octets]` per entity, indented.
fn tree(raw: &str) -> String {
    fn show(entity: Entity<'_>, depth: usize, out: &mut String) {
        let size = if entity.is_multipart() { String::new() } else { format!(" {}", entity.content().len()) };
        out.push_str(&format!("{}{}{size}\n", "  ".repeat(depth), entity.media_type()));
        entity.parts().chain(entity.message()).for_each(|below| show(below, depth + 1, out));
    }
    let raw = raw.replace('\n', "\r\n");
    let message = Message::parse(raw.as_bytes());
    let mut out = String::new();
    show(message.root(), 0, &mut out);
    out
}

/// RFC 2049 appendix A.
const COMPLEX: &str = "MIME-Version: 1.0
From: Nathaniel Borenstein <nsb@nsb.fv.com>
To: Ned Freed <ned@innosoft.com>
Date: Fri, 07 Oct 1994 16:15:05 -0700 (PDT)
Subject: A multipart example
Content-Type: multipart/mixed;
              boundary=unique-boundary-1

This is the preamble area of a multipart message.

--unique-boundary-1

  ... Some text appears here ...

--unique-boundary-1
Content-type: text/plain; charset=US-ASCII

This could have been part of the previous part.

--unique-boundary-1
Content-Type: multipart/parallel; boundary=unique-boundary-2

--unique-boundary-2
Content-Type: audio/basic
Content-Transfer-Encoding: base64

YXVkaW8=

--unique-boundary-2
Content-Type: image/jpeg
Content-Transfer-Encoding: base64

aW1hZ2U=

--unique-boundary-2--

--unique-boundary-1
Content-type: text/enriched

This is <bold><italic>enriched.</italic></bold>
<smaller>as defined in RFC 1896</smaller>

Isn't it
<bigger><bigger>cool?</bigger></bigger>

--unique-boundary-1
Content-Type: message/rfc822

From: (mailbox in US-ASCII)
To: (address in US-ASCII)
Subject: (subject in US-ASCII)
Content-Type: Text/plain; charset=ISO-8859-1
Content-Transfer-Encoding: Quoted-printable

Additional text in ISO-8859-1: =E4

--unique-boundary-1--
";

#[test]
fn rfc_2049_appendix_a() {
    assert_eq!(
        tree(COMPLEX),
        "multipart/mixed\n  text/plain 34\n  text/plain 49\n  multipart/parallel\n    audio/basic 5\n    image/jpeg 5\n  \
         text/enriched 145\n  message/rfc822 217\n    text/plain 34\n"
    );
    let raw = COMPLEX.replace('\n', "\r\n");
    let message = Message::parse(raw.as_bytes());
    let text = message.readable_text();
    assert!(
        text.contains("Some text appears here") && text.contains("This is enriched. as defined in RFC 1896"),
        "{text}"
    );
    let inner = message.root().parts().last().and_then(|part| part.message()).expect("a message");
    assert!(inner.text().contains("ISO-8859-1: ä"));
    assert_eq!(message.root().preamble(), b"This is the preamble area of a multipart message.\r\n");
}

/// RFC 2046 §5.1.1.
#[test]
fn a_simple_multipart() {
    let raw = "From: Nathaniel Borenstein <nsb@bellcore.com>\nTo: Ned Freed <ned@innosoft.com>\n\
        Date: Sun, 21 Mar 1993 23:56:48 -0800 (PST)\nSubject: Sample message\nMIME-Version: 1.0\n\
        Content-type: multipart/mixed; boundary=\"simple boundary\"\n\n\
        This is the preamble.\n\n--simple boundary\n\n\
        This is implicitly typed plain US-ASCII text.\nIt does NOT end with a linebreak.\n--simple boundary\n\
        Content-type: text/plain; charset=us-ascii\n\n\
        This is explicitly typed plain US-ASCII text.\nIt DOES end with a linebreak.\n\n--simple boundary--\n\n\
        This is the epilogue.\n";
    let raw = raw.replace('\n', "\r\n");
    let message = Message::parse(raw.as_bytes());
    let texts: Vec<_> = message.root().parts().map(|part| part.text()).collect();
    assert!(texts[0].ends_with("linebreak.") && texts[1].ends_with("linebreak.\r\n"), "{texts:?}");
    assert_eq!(message.root().epilogue(), b"\r\nThis is the epilogue.\r\n");
    assert_eq!(message.check(), vec![]);
}

/// RFC 2046 §5.1.5: parts of a digest are messages unless they say otherwise.
#[test]
fn a_digest() {
    let raw = "MIME-Version: 1.0\nContent-Type: multipart/digest; boundary=\"---- next message ----\"\n\n\
        ------ next message ----\n\nFrom: someone-else\nDate: Fri, 26 Mar 1993 11:13:32 +0200\nSubject: my opinion\n\n...body goes here ...\n\n\
        ------ next message ----\nContent-Type: text/plain\n\ntext\n------ next message ------\n";
    assert_eq!(tree(raw), "multipart/digest\n  message/rfc822 105\n    text/plain 23\n  text/plain 4\n");
}

/// RFC 2045 §6.7: a long line with soft breaks.
#[test]
fn quoted_printable_lines() {
    let raw = "Content-Transfer-Encoding: quoted-printable\n\nNow's the time =\nfor all folk to come=\n to the aid of their country.\n";
    let raw = raw.replace('\n', "\r\n");
    assert_eq!(
        Message::parse(raw.as_bytes()).root().text(),
        "Now's the time for all folk to come to the aid of their country.\r\n"
    );
}

/// Boundaries of which one begins with the other (RFC 2046 §5.1.2).
#[test]
fn nested_boundaries_with_one_beginning() {
    let raw = "Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: multipart/mixed; boundary=ab\n\n--ab\n\none\n--ab--\n--a\n\ntwo\n--a--\n";
    assert_eq!(tree(raw), "multipart/mixed\n  multipart/mixed\n    text/plain 3\n  text/plain 3\n");
}

/// A closing boundary that is not there ends with the one around it.
#[test]
fn a_missing_end() {
    let raw = "Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\none\n--a\n\ntwo\n--a--\n";
    assert_eq!(tree(raw), "multipart/mixed\n  multipart/mixed\n    text/plain 3\n  text/plain 3\n");
}

/// What a lecture on mail prints: fields without a space behind the colon, encoded words that
/// touch, a charset without its hyphen, white space before the closing dashes.
#[test]
fn as_lectures_print_it() {
    let raw = "Subject:=?ISO-8859-1?B?SWYgeW91IGNhbiByZWFkIHRoaXMgeW8=?==?ISO8859-2?B?dSB1bmRlcnN0YW5kIHRoZSBleGFtcGxlLg==?=\n\
        Mime-Version:1.0\nContent-Type: multipart/alternative; boundary=boundary42\n\n--boundary42\nContent-Type: text/plain; charset=us-ascii\n\n\
        ...plain text version of message goes here....\n--boundary42\nContent-Type: text/richtext\n\n.... richtext version of same message goes here ...\n\
        --boundary42\nContent-Type: text/x-whatever\n\n.... fanciest formatted version of same message goes here\n--boundary42 --\n";
    let message = Message::parse(raw.as_bytes());
    assert_eq!(message.root().subject().unwrap(), "If you can read this you understand the example.");
    assert_eq!(message.root().parts().count(), 3);
    assert_eq!(message.readable_text(), "...plain text version of message goes here....");
    assert_eq!(
        message.root().parts().last().unwrap().text(),
        ".... fanciest formatted version of same message goes here"
    );
}
