//! Prints the parts of a message, and the decoded content of the one whose number is given.
#![allow(clippy::print_stdout)]

use posta_message::{Entity, Message};
use std::io::Write;

fn show(entity: Entity<'_>, number: &str, wanted: Option<&str>) {
    match wanted {
        None => println!("{number:<10} {} ({} octets)", entity.media_type(), entity.content().len()),
        Some(wanted) if wanted == number => drop(std::io::stdout().write_all(&entity.content())),
        Some(_) => {}
    }
    for (index, part) in entity.parts().chain(entity.message()).enumerate() {
        show(part, format!("{number}.{}", index + 1).trim_start_matches('.'), wanted);
    }
}

fn main() -> std::io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let raw = std::fs::read(arguments.next().unwrap_or_default())?;
    let message = Message::parse(&raw);
    show(message.root(), "", arguments.next().as_deref());
    Ok(())
}
