//! What must hold of all messages: what is built comes back, any octets can be read, the work grows
//! with the length only.

use jiff::{Timestamp, tz::Offset};
use posta_address::{Domain, LocalPart, Mailbox};
use posta_message::build::NamedMailbox;
use posta_message::field::address;
use posta_message::{
    Address, DateTime, Entity, HeaderName, HeaderText, MediaType, Message, MessageBuilder, MessageId, Part,
};
use proptest::prelude::*;

fn header_text() -> impl Strategy<Value = HeaderText> {
    let word = prop_oneof![
        6 => "[ -~]{0,12}",
        2 => "\\PC{0,12}",
        1 => "[äöüß漢字😀 \t]{0,30}",
        1 => Just("=?utf-8?Q?a?=".to_owned()),
        1 => "[a-z]{900,1100}",
    ];
    proptest::collection::vec(word, 0..6).prop_map(|words| HeaderText::clean(&words.join(" ")))
}

fn mailbox() -> impl Strategy<Value = NamedMailbox> {
    let local_part = prop_oneof![3 => "[a-z0-9.!#$%&'*+/=?^_`{|}~-]{1,20}", 1 => "[ -~]{1,20}"];
    let address = (local_part, "[a-z]{1,10}\\.example").prop_map(|(local_part, domain)| {
        Mailbox::new(LocalPart::from_unquoted(&local_part).unwrap(), Domain::parse(&domain).unwrap())
    });
    (proptest::option::of(header_text()), address).prop_map(|(name, mailbox)| NamedMailbox { name, mailbox })
}

fn addresses() -> impl Strategy<Value = Vec<Address>> {
    let group = (header_text(), proptest::collection::vec(mailbox(), 0..3))
        .prop_filter("a group needs a name", |(name, _)| !name.as_str().trim().is_empty())
        .prop_map(|(name, members)| Address::Group { name, members });
    proptest::collection::vec(prop_oneof![4 => mailbox().prop_map(Address::from), 1 => group], 0..5)
}

/// A part tree with what has to come back.
#[derive(Debug, Clone)]
enum Tree {
    Text(String),
    File(HeaderText, Vec<u8>),
    Multipart(Vec<Tree>),
    Message(Box<Tree>),
}

fn content() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..400),
        "[ -~\r\n]{0,200}".prop_map(String::into_bytes),
        "([a-z=. ]{0,90}\r\n){0,6}".prop_map(String::into_bytes),
        "(From |\\.|--=_[0-9a-f]{4}|--x--| |\t|=\r\n|\r\n){0,12}".prop_map(String::into_bytes),
    ]
}

fn tree() -> impl Strategy<Value = Tree> {
    let leaf = prop_oneof![
        "(\\PC{0,60}\r\n){0,5}".prop_map(Tree::Text),
        (header_text(), content()).prop_map(|(name, content)| Tree::File(name, content)),
    ];
    leaf.prop_recursive(4, 16, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 1..4).prop_map(Tree::Multipart),
            inner.prop_map(|tree| Tree::Message(Box::new(tree))),
        ]
    })
}

fn date() -> DateTime {
    DateTime { instant: Timestamp::UNIX_EPOCH, offset: Offset::UTC }
}

fn part(tree: &Tree) -> Part<'static> {
    match tree {
        Tree::Text(text) => Part::text(text.clone()),
        Tree::File(name, content) => {
            Part::attachment(name.clone(), MediaType::octet_stream(), content.clone())
        }
        Tree::Multipart(parts) => Part::mixed(parts.iter().map(part).collect()),
        Tree::Message(inner) => {
            let from = Address::parse("inner@x.example").unwrap();
            Part::message(MessageBuilder::new(from, date()).body(part(inner)).build().octets)
        }
    }
}

fn check_tree(tree: &Tree, entity: Entity<'_>) {
    match tree {
        Tree::Text(text) => {
            assert_eq!(entity.text(), text.as_str());
        }
        Tree::File(name, content) => {
            assert_eq!(entity.file_name().unwrap_or_default(), name.as_str());
            assert_eq!(entity.content().as_ref(), content.as_slice());
        }
        Tree::Multipart(parts) => {
            assert_eq!(entity.parts().count(), parts.len());
            parts.iter().zip(entity.parts()).for_each(|(tree, part)| check_tree(tree, part));
        }
        Tree::Message(inner) => check_tree(inner, entity.message().expect("a message")),
    }
}

fn check_lines(octets: &[u8]) {
    assert!(octets.ends_with(b"\r\n"));
    for line in octets.strip_suffix(b"\r\n").unwrap().split(|octet| *octet == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        assert!(
            line.len() <= 998 && line.is_ascii() && !line.contains(&b'\r'),
            "{:?}",
            String::from_utf8_lossy(line)
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_built_comes_back(subject in header_text(), extra in header_text(), to in addresses(), tree in tree()) {
        let id = MessageId::parse("a.b@c.example").unwrap();
        let mut builder = MessageBuilder::new(Address::parse("from@x.example").unwrap(), date())
            .subject(subject.clone())
            .message_id(id)
            .field(HeaderName::of("X-Extra"), extra.clone())
            .body(part(&tree));
        builder = to.iter().cloned().fold(builder, MessageBuilder::to);
        let built = builder.build();
        check_lines(&built.octets);
        prop_assert!(!built.needs_8bitmime && !built.needs_smtputf8);
        let message = Message::parse(&built.octets);
        let root = message.root();
        prop_assert_eq!(root.subject().unwrap(), subject.as_str());
        prop_assert_eq!(root.text_field("X-Extra").unwrap(), extra.as_str());
        prop_assert_eq!(root.message_id().unwrap(), "a.b@c.example");
        prop_assert_eq!(root.date().unwrap(), date());
        let expected: Vec<Address> = to.iter().map(without_empty_names).collect();
        prop_assert_eq!(read_addresses(&root.to()), expected);
        check_tree(&tree, root);
        prop_assert_eq!(message.check(), vec![]);
    }

    #[test]
    fn utf8_headers_come_back(subject in header_text(), to in addresses()) {
        let mut builder = MessageBuilder::new(Address::parse("from@x.example").unwrap(), date()).subject(subject.clone()).utf8_header();
        builder = to.iter().cloned().fold(builder, MessageBuilder::to);
        let built = builder.build();
        let message = Message::parse(&built.octets);
        prop_assert_eq!(message.root().subject().unwrap(), subject.as_str());
        let expected: Vec<Address> = to.iter().map(without_empty_names).collect();
        prop_assert_eq!(read_addresses(&message.root().to()), expected);
    }

    #[test]
    fn any_octets_can_be_read(octets in proptest::collection::vec(any::<u8>(), 0..600)) {
        exercise(&octets);
    }

    #[test]
    fn anything_like_a_message_can_be_read(pieces in proptest::collection::vec(fragment(), 0..40)) {
        exercise(&pieces.concat());
    }
}

/// Pieces of which messages are made, whole and broken.
fn fragment() -> impl Strategy<Value = Vec<u8>> {
    const PIECES: &[&str] = &[
        "Content-Type: multipart/mixed; boundary=a\r\n",
        "Content-Type: multipart/alternative; boundary=\"ab\"\r\n",
        "Content-Type: multipart/digest; boundary=a\n",
        "Content-Type: message/rfc822\r\n",
        "Content-Type: text/html; charset=iso-2022-jp\r\n",
        "Content-Transfer-Encoding: base64\r\n",
        "Content-Transfer-Encoding: quoted-printable\r\n",
        "Content-Transfer-Encoding: x-uuencode\r\n",
        "From: a <b@c>, (d",
        "To: g: \"x\\",
        "Subject: =?utf-8?B?4pi6?= =?utf-8?Q?=E2=98?=\r\n",
        "Date: Sat, 17 Nov 2007 20:18:49 -0500\r\n",
        "Content-Disposition: attachment; filename*0*=utf-8''%41; filename*1=b\r\n",
        "References: <a@b> <c\r\n",
        "\r\n",
        "\n",
        "\r\n\r\n",
        "--a\r\n",
        "--ab\r\n",
        "--a--\r\n",
        "--ab--",
        "--a",
        " folded\r\n",
        "\tx\n",
        "YWJj=\r\n",
        "=C3=\r\n",
        "begin 644 x\n#0V%T\n",
        "<b>&amp;<table><tr><td>x",
        "\0",
        "é",
        ":",
        "Subject",
        "From x\n",
    ];
    prop_oneof![
        8 => proptest::sample::select(PIECES).prop_map(|piece| piece.as_bytes().to_vec()),
        1 => proptest::collection::vec(any::<u8>(), 0..20),
    ]
}

/// Reads everything that there is to read.
fn exercise(octets: &[u8]) {
    let message = Message::parse(octets);
    assert_eq!(message.raw(), octets);
    for entity in message.entities() {
        let joined = [entity.raw_header(), entity.raw_body()].map(<[u8]>::len);
        assert!(joined.iter().sum::<usize>() <= octets.len());
        if let Some(parent) = entity.parent() {
            let [end, parent_end] = [entity, parent].map(|entity| entity.offset() + entity.raw().len());
            assert!(parent.body_offset() <= entity.offset() && end <= parent_end);
        }
        for field in entity.fields() {
            let _ = (field.text(), field.addresses(), field.ids(), field.date());
            let _ = posta_message::field::received::parse(field.value);
            let _ = posta_message::field::content::content_disposition(field.value);
            let _ = (
                posta_message::field::list::list_id(field.value),
                posta_message::field::list::urls(field.value),
            );
        }
        let _ =
            (entity.content_type(), entity.text(), entity.file_name(), entity.preamble(), entity.epilogue());
        assert!(!entity.safe_file_name().is_empty() && !entity.safe_file_name().contains(['/', '\\']));
    }
    let _ = (message.readable_text(), message.root().html_text(), message.attachments());
    for defect in message.check() {
        assert!(defect.offset <= octets.len(), "{defect:?}");
    }
}

/// The line end before a boundary belongs to the boundary, and to a header that it cuts off as well.
#[test]
fn a_part_cut_off_in_its_header_lies_within_its_parents() {
    for cut_off in ["", "\r\n", "A: b\r\n", "A: b\r\n\r\n", "A: b\r\n\r\nc\r\n"] {
        let octets = format!(
            "Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\nContent-Type: message/rfc822\r\n\r\n\
            Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n{cut_off}--a--\r\n"
        );
        exercise(octets.as_bytes());
    }
}

fn without_empty_names(address: &Address) -> Address {
    let named = |mailbox: &NamedMailbox| {
        // A name of white space alone is none when read.
        let name = mailbox.name.clone().filter(|name| !name.is_empty());
        NamedMailbox { name, mailbox: mailbox.mailbox.clone() }
    };
    match address {
        Address::Mailbox(mailbox) => Address::Mailbox(named(mailbox)),
        Address::Group { name, members } => {
            Address::Group { name: name.clone(), members: members.iter().map(named).collect() }
        }
    }
}

fn read_addresses(list: &address::AddressList<'_>) -> Vec<Address> {
    let one = |mailbox: &address::Mailbox<'_>| NamedMailbox::try_from(mailbox).expect("an address");
    let entry = |entry: &address::Address<'_>| match entry {
        address::Address::Mailbox(mailbox) => Address::Mailbox(one(mailbox)),
        address::Address::Group { name, members } => {
            Address::Group { name: HeaderText::clean(name), members: members.iter().map(one).collect() }
        }
    };
    list.addresses.iter().map(entry).collect()
}

/// Counts the work instead of measuring time would need hooks; so the shapes that make careless
/// readers quadratic are read at a size at which that would take minutes.
#[test]
fn hostile_shapes_are_read() {
    let size = 400_000;
    let repeated = |piece: &str| piece.repeat(size / piece.len());
    for text in [
        repeated("a:b\r\n"),
        repeated(" \r\n"),
        repeated("(") + ")",
        format!("From: {}", repeated("(")),
        format!("To: {}", repeated("a,")),
        format!("To: {}", repeated("<")),
        format!("To: {}", repeated("\"")),
        format!("To: {}", repeated("a:")),
        format!("To: {}", repeated("a@")),
        format!("Subject: {}", repeated("=?")),
        format!("Subject: {}", repeated("=?utf-8?Q?")),
        format!("Subject: {}", repeated("=?utf-8?Q?a?= ")),
        format!("Subject: {}", repeated("=?utf-8?B??=")),
        format!("Content-Type: text/plain; {}", repeated("a=b;")),
        format!("Content-Type: text/plain; {}", repeated("a*1=b;")),
        format!("Content-Type: text/plain; {}", repeated("\"")),
        format!("Content-Type: text/plain; a={}", repeated("b ")),
        format!("References: {}", repeated("<")),
        format!("Date: {}", repeated("(a)")),
        format!("Content-Type: multipart/mixed; boundary=a\r\n\r\n{}", repeated("--a\r\n")),
        format!(
            "Content-Type: multipart/mixed; boundary=a\r\n\r\n{}",
            repeated("--a\r\nContent-Type: multipart/mixed; boundary=a\r\n\r\n")
        ),
        format!("Content-Type: multipart/mixed; boundary=a\r\n\r\n{}", repeated("--\r\n")),
        repeated("Content-Type: message/rfc822\r\n\r\n"),
        format!("Content-Transfer-Encoding: base64\r\n\r\n{}", repeated("AA==")),
        format!("Content-Transfer-Encoding: base64\r\n\r\n{}", repeated("=")),
        format!("Content-Transfer-Encoding: base64\r\n\r\n{}", repeated("A\r\n")),
        format!("Content-Transfer-Encoding: quoted-printable\r\n\r\n{}", repeated("=")),
        format!("Content-Transfer-Encoding: quoted-printable\r\n\r\n{}", repeated("= ")),
        format!("Content-Transfer-Encoding: quoted-printable\r\n\r\n{}", repeated(" \n")),
    ] {
        exercise(text.as_bytes());
    }
}
