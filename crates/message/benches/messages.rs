//! Messages read and built by this crate and by others, in one run, doing the same work: all header
//! fields decoded by their kind, all bodies decoded to octets, texts to UTF-8.
//!
//! `cargo bench -p posta-message [CLASS [READER]]`
#![allow(clippy::print_stdout)]

use posta_message::field::{content, received};
use posta_message::{Address, DateTime, Entity, HeaderText, MediaType, Message, MessageBuilder, Part};
use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

/// How long each reader is given for a class.
const RUN: Duration = Duration::from_millis(1200);
/// Rounds in which the readers take turns; the best of each counts.
const ROUNDS: usize = 5;

/// A way of reading a message; the number keeps the work from being left out.
type Reader = fn(&[u8]) -> usize;

struct Class {
    name: &'static str,
    messages: Vec<Vec<u8>>,
}

fn main() {
    let mut arguments = std::env::args().skip(1).filter(|argument| !argument.starts_with('-'));
    let (wanted, wanted_reader) = (arguments.next(), arguments.next());
    println!("{:<22} {:>12} {:>9} {:>12} {:>9}", "reading", "MB/s", "", "messages/s", "");
    for class in classes() {
        if wanted.as_deref().is_some_and(|wanted| !class.name.contains(wanted)) {
            continue;
        }
        let readers: [(&str, Reader); 3] =
            [("posta-message", ours), ("mail-parser", mail_parser), ("mailparse", mailparse)];
        let mut best = [Duration::MAX; 3];
        for _ in 0..ROUNDS {
            for (index, (_, read)) in readers.iter().enumerate() {
                if wanted_reader.as_deref().is_some_and(|wanted| wanted != readers[index].0) {
                    continue;
                }
                best[index] = best[index].min(time(&class.messages, *read, RUN / ROUNDS as u32));
            }
        }
        report(&class, &readers.map(|(name, _)| name), &best);
    }
    if wanted.is_none() {
        building();
    }
}

fn report(class: &Class, names: &[&str], best: &[Duration]) {
    let octets: usize = class.messages.iter().map(Vec::len).sum();
    println!("{} ({} messages, {} octets)", class.name, class.messages.len(), octets);
    for (name, time) in names.iter().zip(best) {
        let seconds = time.as_secs_f64();
        let ratio = seconds / best[0].as_secs_f64();
        println!(
            "  {name:<20} {:>12.1} {ratio:>8.2}x {:>12.0}",
            octets as f64 / 1e6 / seconds,
            class.messages.len() as f64 / seconds
        );
    }
}

/// The mean time of going once through all messages.
fn time(messages: &[Vec<u8>], read: Reader, run: Duration) -> Duration {
    let start = Instant::now();
    let mut passes = 0;
    while passes == 0 || start.elapsed() < run {
        for message in messages {
            black_box(read(black_box(message)));
        }
        passes += 1;
    }
    start.elapsed() / passes
}

fn ours(raw: &[u8]) -> usize {
    fn entity(entity: Entity<'_>) -> usize {
        let mut sum = 0;
        for field in entity.fields() {
            sum += decode(&field);
        }
        if entity.is_multipart() {
            return sum;
        }
        if entity.media_type().starts_with("text/") {
            sum + entity.text().len()
        } else {
            sum + entity.content().len()
        }
    }
    let message = Message::parse(raw);
    message.entities().map(entity).sum()
}

/// A field decoded by its kind, as mail-parser does with all of them.
fn decode(field: &posta_message::read::Field<'_>) -> usize {
    let is = |names: &[&str]| names.iter().any(|name| field.is(name));
    match field.name.len() {
        2 | 3 | 4 | 6 | 8 if is(&["To", "Cc", "Bcc", "From", "Sender", "Reply-To"]) => {
            field.addresses().addresses.len()
        }
        4 if field.is("Date") => field.date().map_or(0, |date| date.date.offset.seconds() as usize),
        8 if field.is("Received") => usize::from(received::parse(field.value).date.is_some()),
        10 | 11 if is(&["Message-ID", "References", "In-Reply-To", "Content-ID"]) => field.ids().ids.len(),
        12 if field.is("Content-Type") => content::content_type(field.value).parameters.list.len(),
        19 if field.is("Content-Disposition") => {
            content::content_disposition(field.value).parameters.list.len()
        }
        _ => field.text().text.len(),
    }
}

fn mail_parser(raw: &[u8]) -> usize {
    let Some(message) = mail_parser::MessageParser::default().parse(raw) else { return 0 };
    message.parts.iter().map(|part| part.headers.len() + part.len()).sum()
}

fn mailparse(raw: &[u8]) -> usize {
    fn work(part: &mailparse::ParsedMail<'_>) -> usize {
        let mut sum: usize = part.headers.iter().map(|header| header.get_value().len()).sum();
        for header in &part.headers {
            let key = header.get_key_ref();
            if ["From", "To", "Cc", "Bcc", "Sender", "Reply-To"]
                .iter()
                .any(|name| key.eq_ignore_ascii_case(name))
            {
                sum += mailparse::addrparse_header(header).map_or(0, |list| list.len());
            } else if key.eq_ignore_ascii_case("Date") {
                sum += mailparse::dateparse(&header.get_value()).map_or(0, |date| date as usize & 1);
            }
        }
        if part.subparts.is_empty() {
            let is_text = part.ctype.mimetype.starts_with("text/");
            sum += if is_text {
                part.get_body().map_or(0, |body| body.len())
            } else {
                part.get_body_raw().map_or(0, |body| body.len())
            };
        }
        sum + part.subparts.iter().map(work).sum::<usize>()
    }
    mailparse::parse_mail(raw).map_or(0, |mail| work(&mail))
}

fn classes() -> Vec<Class> {
    let date = DateTime::utc(jiff::Timestamp::UNIX_EPOCH);
    let builder = || {
        MessageBuilder::new(Address::named("Ada Lovelace", "ada@north.example").expect("an address"), date)
            .to(Address::parse("bob@south.example").expect("an address"))
            .subject(HeaderText::clean("Ein Gruß aus dem Norden"))
    };
    let noise = |octets: usize| -> Vec<u8> {
        let mut state = 1u64;
        let next = |state: &mut u64| {
            *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (*state >> 56) as u8
        };
        (0..octets).map(|_| next(&mut state)).collect()
    };
    let english = "The quick brown fox jumps over the lazy dog, and then it sleeps.\n";
    let german = "Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich.\n";
    let file =
        |octets| Part::attachment(HeaderText::clean("photo.jpg"), MediaType::octet_stream(), noise(octets));
    let build = |part: Part<'_>| builder().body(part).build().octets;
    let mut classes = vec![
        Class { name: "text 10 KiB", messages: vec![build(Part::text(english.repeat(160)))] },
        Class { name: "quoted-printable", messages: vec![build(Part::text(german.repeat(4000)))] },
        Class {
            name: "attachments 1 MiB",
            messages: vec![build(Part::mixed(vec![
                Part::text(german.repeat(40)),
                file(400_000),
                file(300_000),
            ]))],
        },
        Class { name: "base64 25 MiB", messages: vec![build(file(18 << 20))] },
        Class {
            name: "small 10,000",
            messages: (0..10_000).map(|n| build(Part::text(format!("Message {n}.\n{english}")))).collect(),
        },
    ];
    classes.extend(shared());
    classes
}

/// The messages that other projects test with, if they are here.
fn shared() -> Option<Class> {
    let corpus = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/corpus"));
    let mut messages = Vec::new();
    for source in std::fs::read_dir(corpus).ok()?.flatten() {
        let Ok(oracle) = std::fs::read_to_string(source.path().join("oracle-agreed.json")) else { continue };
        let Ok(serde_json::Value::Object(names)) = serde_json::from_str(&oracle) else { continue };
        messages.extend(names.keys().filter_map(|name| std::fs::read(source.path().join(name)).ok()));
    }
    Some(Class { name: "shared messages", messages })
}

/// One message with a text, its HTML form and a file of 100,000 octets.
fn building() {
    let text = "Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich.\n".repeat(40);
    let html = format!("<p>{text}</p>");
    let file: Vec<u8> = (0..100_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 11) as u8).collect();
    let ours = || {
        MessageBuilder::new(
            Address::named("Ada Lovelace", "ada@north.example").expect("an address"),
            DateTime::utc(jiff::Timestamp::UNIX_EPOCH),
        )
        .to(Address::parse("bob@south.example").expect("an address"))
        .subject(HeaderText::clean("Ein Gruß aus dem Norden"))
        .body(Part::mixed(vec![
            Part::alternative(vec![Part::text(text.as_str()), Part::html(html.as_str())]),
            Part::attachment(HeaderText::clean("photo.jpg"), MediaType::octet_stream(), file.as_slice()),
        ]))
        .build()
        .octets
    };
    let theirs = || {
        mail_builder::MessageBuilder::new()
            .from(("Ada Lovelace", "ada@north.example"))
            .to("bob@south.example")
            .date(0i64)
            .message_id("1@north.example")
            .subject("Ein Gruß aus dem Norden")
            .text_body(text.as_str())
            .html_body(html.as_str())
            .attachment("application/octet-stream", "photo.jpg", file.as_slice())
            .write_to_vec()
            .unwrap_or_default()
    };
    let mut best = [Duration::MAX; 2];
    for _ in 0..ROUNDS {
        for (index, build) in [&ours as &dyn Fn() -> Vec<u8>, &theirs].iter().enumerate() {
            let start = Instant::now();
            let mut passes = 0;
            while start.elapsed() < RUN / ROUNDS as u32 {
                black_box(build());
                passes += 1;
            }
            best[index] = best[index].min(start.elapsed() / passes);
        }
    }
    println!("building (text, HTML, a file of 100,000 octets)");
    for (name, time) in ["posta-message", "mail-builder"].iter().zip(best) {
        println!("  {name:<20} {:>12.1} µs", time.as_secs_f64() * 1e6);
    }
}
