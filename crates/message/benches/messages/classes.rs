//! What is read: synthetic messages, and those that other projects test with.

use posta_message::{Address, DateTime, HeaderText, MediaType, MessageBuilder, Part};
use std::path::Path;

/// Messages of one kind.
pub(crate) struct Class {
    pub(crate) name: &'static str,
    pub(crate) messages: Vec<Vec<u8>>,
}

impl Class {
    pub(crate) fn octets(&self) -> usize {
        self.messages.iter().map(Vec::len).sum()
    }
}

/// Those whose name holds this; all without it.
pub(crate) fn classes(wanted: Option<&str>) -> Vec<Class> {
    let mut classes = synthetic();
    classes.extend(shared());
    classes.retain(|class| wanted.is_none_or(|wanted| class.name.contains(wanted)));
    classes
}

fn synthetic() -> Vec<Class> {
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
    vec![
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
    ]
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
