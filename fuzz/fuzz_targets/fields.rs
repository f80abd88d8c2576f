//! Any octets as the value of every structured field.
#![no_main]

use libfuzzer_sys::fuzz_target;
use posta_message::field::{address, content, date, ids, list, parameter, received};
use posta_message::{charset::Charset, encoded_word, text};

fuzz_target!(|octets: &[u8]| {
    let addresses = address::parse(octets);
    // A value that is in order reads the same when its mailboxes are written plainly again.
    for mailbox in addresses.mailboxes() {
        assert!(!mailbox.address.contains(['\r', '\n']));
    }
    let _ = (content::content_type(octets), content::content_disposition(octets), parameter::parse(octets));
    let _ = (date::parse(octets), ids::parse(octets), received::parse(octets));
    let _ = (list::list_id(octets), list::urls(octets), encoded_word::decode(octets));
    let (name, rest) = octets.split_at(octets.len().min(12));
    if let Some(charset) = Charset::by_name(name) {
        let _ = charset.decode(rest);
    }
    let plain = String::from_utf8_lossy(octets);
    let _ = text::flowed::unflow(&text::flowed::flow(&plain), false);
    let _ = text::enriched::to_html(&plain, text::enriched::Dialect::Enriched);
    let _ = text::enriched::to_plain(&plain, text::enriched::Dialect::Richtext);
});
