//! `posta message structure`.

use super::numbered;
use crate::output::{octets, say_table};
use posta_message::Message;
use posta_ua::terminal::harmless_line;

pub(super) fn structure(raw: &[u8]) -> anyhow::Result<()> {
    let message = Message::parse(raw);
    let mut rows = Vec::new();
    numbered(message.root(), "", &mut |number, entity| {
        let depth = if number.is_empty() { 0 } else { number.split('.').count() };
        let content_type = entity.content_type();
        let charset = content_type.parameters.get("charset").unwrap_or_default();
        let encoding = entity.text_field("Content-Transfer-Encoding").unwrap_or_default();
        let disposition = entity.disposition().map(|found| found.kind.into_owned()).unwrap_or_default();
        let size = if entity.is_multipart() {
            let parts = entity.parts().count();
            if parts == 1 { "1 part".to_owned() } else { format!("{parts} parts") }
        } else {
            octets(entity.content().len() as u64)
        };
        let texts = [
            format!("{}{}", "  ".repeat(depth), content_type.essence),
            charset.to_owned(),
            encoding.trim().to_owned(),
            disposition,
            size,
            entity.file_name().unwrap_or_default(),
        ];
        let place = if number.is_empty() { "·".to_owned() } else { number.to_owned() };
        rows.push(std::iter::once(place).chain(texts.iter().map(|text| harmless_line(text))).collect());
    });
    say_table(&["PART", "TYPE", "CHARSET", "ENCODING", "DISPOSITION", "SIZE", "NAME"], rows, "no parts")?;
    Ok(())
}
