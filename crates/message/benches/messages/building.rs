//! The builders: one message with a text, its HTML form and a file of 100,000 octets.

use posta_message::{Address, DateTime, HeaderText, MediaType, MessageBuilder, Part};

/// What is built.
pub(crate) struct Letter {
    text: String,
    html: String,
    file: Vec<u8>,
}

/// A way of building it.
pub(crate) type Builder = fn(&Letter) -> Vec<u8>;

/// All of them, ours first.
pub(crate) const BUILDERS: [(&str, Builder); 3] =
    [("posta-message", ours), ("mail-builder", mail_builder), ("lettre", lettre)];

const SUBJECT: &str = "Ein Gruß aus dem Norden";

impl Letter {
    pub(crate) fn new() -> Self {
        let text = "Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich.\n".repeat(40);
        let html = format!("<p>{text}</p>");
        let file = (0..100_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 11) as u8).collect();
        Letter { text, html, file }
    }
}

fn ours(letter: &Letter) -> Vec<u8> {
    MessageBuilder::new(
        Address::named("Ada Lovelace", "ada@north.example").expect("an address"),
        DateTime::utc(jiff::Timestamp::UNIX_EPOCH),
    )
    .to(Address::parse("bob@south.example").expect("an address"))
    .subject(HeaderText::clean(SUBJECT))
    .body(Part::mixed(vec![
        Part::alternative(vec![Part::text(letter.text.as_str()), Part::html(letter.html.as_str())]),
        Part::attachment(HeaderText::clean("photo.jpg"), MediaType::octet_stream(), letter.file.as_slice()),
    ]))
    .build()
    .octets
}

fn mail_builder(letter: &Letter) -> Vec<u8> {
    mail_builder::MessageBuilder::new()
        .from(("Ada Lovelace", "ada@north.example"))
        .to("bob@south.example")
        .date(0i64)
        .message_id("1@north.example")
        .subject(SUBJECT)
        .text_body(letter.text.as_str())
        .html_body(letter.html.as_str())
        .attachment("application/octet-stream", "photo.jpg", letter.file.as_slice())
        .write_to_vec()
        .expect("memory takes it")
}

fn lettre(letter: &Letter) -> Vec<u8> {
    use lettre::message::{Attachment, MultiPart, header::ContentType};
    let file = Attachment::new("photo.jpg".to_owned())
        .body(letter.file.clone(), ContentType::parse("application/octet-stream").expect("a type"));
    lettre::Message::builder()
        .from("Ada Lovelace <ada@north.example>".parse().expect("an address"))
        .to("bob@south.example".parse().expect("an address"))
        .date(std::time::UNIX_EPOCH)
        .message_id(Some("<1@north.example>".to_owned()))
        .subject(SUBJECT)
        .multipart(
            MultiPart::mixed()
                .multipart(MultiPart::alternative_plain_html(letter.text.clone(), letter.html.clone()))
                .singlepart(file),
        )
        .expect("a message")
        .formatted()
}
