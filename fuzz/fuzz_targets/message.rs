//! Any octets as a message: read, decoded, checked, converted.
#![no_main]

use libfuzzer_sys::fuzz_target;
use posta_message::{Message, downgrade, report};

fuzz_target!(|octets: &[u8]| {
    let message = Message::parse(octets);
    for entity in message.entities() {
        let name = entity.safe_file_name();
        assert!(!name.is_empty() && !name.contains(['/', '\\', '\0']));
        let _ = (
            entity.text(),
            entity.content_type(),
            entity.disposition(),
            entity.preamble(),
            entity.epilogue(),
        );
        entity.fields().for_each(|field| drop(field.text()));
    }
    assert!(message.check().iter().all(|defect| defect.offset <= octets.len()));
    let _ =
        (message.readable_text(), message.root().html_text(), message.attachments(), report::find(&message));
    let done = downgrade::to_7bit(octets);
    if done.is_7bit {
        assert!(done.octets.is_ascii());
    }
});
