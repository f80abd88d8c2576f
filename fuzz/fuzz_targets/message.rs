//! Any octets as a message: read, decoded, checked, converted.
#![no_main]

use libfuzzer_sys::fuzz_target;
use posta_message::{Entity, Message, downgrade, report};

fuzz_target!(|octets: &[u8]| {
    let message = Message::parse(octets);
    assert_eq!(message.raw(), octets);
    for entity in message.entities() {
        read(&entity, octets);
    }
    assert!(message.check().iter().all(|defect| defect.offset <= octets.len()));
    let _ =
        (message.readable_text(), message.root().html_text(), message.attachments(), report::find(&message));
    let done = downgrade::to_7bit(octets);
    if done.is_7bit {
        assert!(done.octets.is_ascii());
    }
});

/// All that can be asked of one entity.
fn read(entity: &Entity<'_>, octets: &[u8]) {
    let start = entity.offset();
    assert_eq!(&octets[start..start + entity.raw().len()], entity.raw());
    assert!(start <= entity.body_offset() && entity.raw_body().len() <= entity.raw().len());
    if let Some(parent) = entity.parent() {
        assert!(parent.body_offset() <= start);
        assert!(start + entity.raw().len() <= parent.offset() + parent.raw().len());
    }
    let name = entity.safe_file_name();
    assert!(!name.is_empty() && !name.contains(['/', '\\', '\0']));
    let _ = (entity.text(), entity.readable_text(), entity.content_type(), entity.disposition());
    let _ = (entity.file_name(), entity.message(), entity.preamble(), entity.epilogue());
    let _ = (entity.message_id(), entity.references(), entity.languages(), entity.location());
    for field in entity.fields() {
        let _ = (field.text(), field.addresses(), field.ids(), field.date());
    }
}
