//! The letter that makes the trip: accents everywhere, and a picture.

use super::place::{NORTH, SOUTH};
use anyhow::{Context, bail};
use jiff::tz::TimeZone;
use posta_message::{DateTime, Message};
use posta_ua::{Attachment, Draft, Letter, parse_mailboxes};

const SUBJECT: &str = "Grüße from the north: crème brûlée on Friday?";
const BODY: &str = "Dear Bob,

the café by the fjord is open again, and they do have crème brûlée – à volonté!
Shall we meet there on Friday at ½ past 7? Dave reads this too.

...and bring the map: this line begins with a dot, which SMTP and POP3 take special care of.

Ciao, Alice
";
const FILE_NAME: &str = "café-sign.bmp";
/// Pixels of the picture's sides.
const SIDE: u32 = 24;

/// Writes it.
pub(crate) fn write(now: jiff::Timestamp, random: u64) -> anyhow::Result<Letter> {
    let named = |person: &super::place::Person| format!("{} <{}>", person.name, person.address);
    let mailboxes = |text: &str| parse_mailboxes(text).with_context(|| format!("the address {text}"));
    let [alice, _] = &NORTH.people;
    let [bob, dave] = &SOUTH.people;
    let draft = Draft {
        from: mailboxes(&named(alice))?.remove(0),
        to: mailboxes(&named(bob))?,
        // By his other name, which is an alias in the DNS (CNAME) and in the directory.
        cc: mailboxes(&format!("{} <dave@www.south.example>", dave.name))?,
        bcc: Vec::new(),
        subject: SUBJECT.into(),
        body: BODY.into(),
        attachments: vec![Attachment::new(FILE_NAME, picture())],
    };
    let offset = TimeZone::system().to_offset(now);
    Ok(draft.compose(DateTime { instant: now, offset }, random)?)
}

/// What Bob sees, as lines; an error if anything of it is not what Alice wrote.
pub(crate) fn read(octets: &[u8]) -> anyhow::Result<Vec<String>> {
    let message = Message::parse(octets);
    let root = message.root();
    let subject = root.subject().unwrap_or_default();
    if subject != SUBJECT {
        bail!("the subject came as `{subject}`");
    }
    let text = message.readable_text().replace("\r\n", "\n");
    if text.trim_end() != BODY.trim_end() {
        bail!("the text came as:\n{text}");
    }
    let attachments = message.attachments();
    let [attachment] = attachments.as_slice() else { bail!("{} attachments came", attachments.len()) };
    let name = attachment.entity.file_name().unwrap_or_default();
    if name != FILE_NAME || attachment.entity.content() != picture() {
        bail!("the attachment came as `{name}`, or with other content");
    }
    let mut lines = Vec::new();
    for field in ["From", "To", "Cc", "Date", "Subject"] {
        if let Some(text) = root.text_field(field) {
            lines.push(format!("{:<9}{text}", format!("{field}:")));
        }
    }
    lines.push(String::new());
    lines.extend(text.trim_end().lines().map(str::to_owned));
    lines.push(String::new());
    let octets = attachment.entity.content().len();
    lines.push(format!("[attached: {name}, {}, {octets} octets]", attachment.entity.media_type()));
    Ok(lines)
}

/// A small picture, made here: a bitmap with 24 bits per pixel, rows from below.
fn picture() -> Vec<u8> {
    const HEADER_OCTETS: u32 = 54;
    let pixel_octets = SIDE * SIDE * 3;
    let mut octets = b"BM".to_vec();
    for number in [HEADER_OCTETS + pixel_octets, 0, HEADER_OCTETS, 40, SIDE, SIDE] {
        octets.extend(number.to_le_bytes());
    }
    // One plane, 24 bits.
    octets.extend([1, 0, 24, 0]);
    for number in [0, pixel_octets, 2835, 2835, 0, 0] {
        octets.extend(number.to_le_bytes());
    }
    let middle = i64::from(SIDE) / 2;
    for y in 0..i64::from(SIDE) {
        for x in 0..i64::from(SIDE) {
            // A ring on paper.
            let distance = (x - middle).pow(2) + (y - middle).pow(2);
            octets.extend(if (50..90).contains(&distance) { [40, 60, 190] } else { [225, 240, 250] });
        }
    }
    octets
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_alice_writes_is_what_bob_reads() {
        let letter = write("2026-11-23T19:00:00Z".parse().expect("a time"), 7).expect("writes");
        assert!(letter.octets.is_ascii(), "accents travel encoded");
        let lines = read(&letter.octets).expect("reads");
        assert!(lines.iter().any(|line| line.contains("crème brûlée – à volonté!")), "{lines:#?}");
        assert!(lines.iter().any(|line| line.contains("Alice Ångström")), "{lines:#?}");
        let spoiled: Vec<u8> =
            letter.octets.iter().map(|octet| if *octet == b'Q' { b'R' } else { *octet }).collect();
        assert!(read(&spoiled).is_err());
    }
}
