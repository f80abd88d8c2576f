//! Any strings through the builder: what is built is read as what was given.
#![no_main]

use jiff::{Timestamp, tz::Offset};
use libfuzzer_sys::{
    arbitrary::{Result, Unstructured},
    fuzz_target,
};
use posta_address::{Domain, LocalPart, Mailbox};
use posta_message::{
    DateTime, Entity, HeaderName, HeaderText, MediaType, Message, MessageBuilder, MessageId, Part,
    build::NamedMailbox,
};

fuzz_target!(|octets: &[u8]| {
    // Choices run out in the middle of a message: that is none.
    let _ = build_and_read(&mut Unstructured::new(octets));
});

/// A part tree with what has to come back.
enum Tree {
    Text(String),
    File(HeaderText, Vec<u8>),
    Multipart(Vec<Tree>),
    Message(Box<Tree>),
}

fn build_and_read(choices: &mut Unstructured<'_>) -> Result<()> {
    let (utf8_header, allows_8bit) = (choices.arbitrary()?, choices.arbitrary()?);
    let date = DateTime {
        instant: Timestamp::from_second(choices.int_in_range(0..=100_000_000_000)?).expect("in range"),
        offset: Offset::from_seconds(choices.int_in_range(-720..=840)? * 60).expect("in range"),
    };
    let (subject, extra) = (header_text(choices)?, header_text(choices)?);
    let id = MessageId::parse(choices.arbitrary()?).ok();
    let mut to = Vec::new();
    for _ in 0..choices.int_in_range(0..=4)? {
        to.extend(mailbox(choices)?);
    }
    let tree = tree(choices, 4)?;

    let mut builder = MessageBuilder::new(author(), date)
        .subject(subject.clone())
        .field(HeaderName::of("X-Extra"), extra.clone())
        .body(part(&tree));
    if utf8_header {
        builder = builder.utf8_header();
    }
    if allows_8bit {
        builder = builder.allow_8bit();
    }
    if let Some(id) = &id {
        builder = builder.message_id(id.clone()).references([id.clone(), id.clone()]);
    }
    let built = to.iter().cloned().fold(builder, MessageBuilder::to).build();

    check_lines(&built.octets, built.needs_8bitmime || built.needs_smtputf8);
    assert!(allows_8bit || !built.needs_8bitmime);
    let message = Message::parse(&built.octets);
    let root = message.root();
    assert_eq!(root.subject().expect("a subject"), subject.as_str());
    assert_eq!(root.text_field("X-Extra").expect("the field"), extra.as_str());
    assert_eq!(root.date(), Some(date));
    if let Some(id) = &id {
        assert_eq!(root.message_id().as_deref(), Some(id.as_str()));
        assert_eq!(root.references(), [id.as_str(), id.as_str()]);
    }
    let read: Vec<_> = root.to().mailboxes().map(|mailbox| NamedMailbox::try_from(mailbox).ok()).collect();
    assert_eq!(read, to.into_iter().map(Some).collect::<Vec<_>>());
    check_tree(&tree, root);
    Ok(())
}

fn author() -> Mailbox {
    "alice@north.example".parse().expect("a mailbox")
}

fn header_text(choices: &mut Unstructured<'_>) -> Result<HeaderText> {
    Ok(HeaderText::clean(choices.arbitrary()?))
}

fn mailbox(choices: &mut Unstructured<'_>) -> Result<Option<NamedMailbox>> {
    // A name of nothing is none when read.
    let name = Some(header_text(choices)?).filter(|name| !name.is_empty());
    let local_part = LocalPart::from_unquoted(choices.arbitrary()?);
    let domain =
        Domain::parse(choices.arbitrary()?).unwrap_or_else(|_| "x.example".parse().expect("a domain"));
    Ok(local_part.ok().map(|local_part| NamedMailbox { name, mailbox: Mailbox::new(local_part, domain) }))
}

fn tree(choices: &mut Unstructured<'_>, depth: u32) -> Result<Tree> {
    Ok(match choices.int_in_range(0..=if depth == 0 { 1 } else { 3 })? {
        0 => {
            let mut text = String::new();
            for line in choices.arbitrary::<&str>()?.lines() {
                // A byte order mark in front is not part of a text.
                let is_text = |c: &char| !c.is_control() && *c != '\u{feff}';
                text.extend(line.chars().filter(is_text));
                text.push_str("\r\n");
            }
            Tree::Text(text)
        }
        1 => Tree::File(header_text(choices)?, choices.arbitrary::<&[u8]>()?.to_vec()),
        2 => {
            let count = choices.int_in_range(1..=3)?;
            Tree::Multipart((0..count).map(|_| tree(choices, depth - 1)).collect::<Result<_>>()?)
        }
        _ => Tree::Message(Box::new(tree(choices, depth - 1)?)),
    })
}

fn part(tree: &Tree) -> Part<'static> {
    match tree {
        Tree::Text(text) => Part::text(text.clone()),
        Tree::File(name, content) => {
            Part::attachment(name.clone(), MediaType::octet_stream(), content.clone())
        }
        Tree::Multipart(parts) => Part::mixed(parts.iter().map(part).collect()),
        Tree::Message(inner) => {
            let date = DateTime { instant: Timestamp::UNIX_EPOCH, offset: Offset::UTC };
            Part::message(MessageBuilder::new(author(), date).body(part(inner)).build().octets)
        }
    }
}

fn check_tree(tree: &Tree, entity: Entity<'_>) {
    match tree {
        Tree::Text(text) => assert_eq!(entity.text(), text.as_str()),
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

/// RFC 5322 §2.1.1, §2.3: CRLF alone, and no line beyond 998 octets.
fn check_lines(octets: &[u8], may_have_8bit: bool) {
    let lines = octets.strip_suffix(b"\r\n").expect("the last line ends");
    for line in lines.split(|octet| *octet == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        assert!(line.len() <= 998 && !line.contains(&b'\r') && (may_have_8bit || line.is_ascii()));
    }
    let faults = posta_wire::ContentFacts::of(octets).1;
    assert!(!faults.bare_cr && !faults.bare_lf && !faults.nul);
}
