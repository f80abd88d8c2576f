//! A data directory as it was written before there were folders: octets set by hand, which no change of
//! this crate changes with it.

use super::fact::Fact;
use super::record::{Header, MAGIC, TRAILER_OCTETS, seed};
use super::volume::new_header;
use super::{EmbeddedStore, Settings};
use crate::{AccountId, Flags, FolderId, MailboxChange, MailboxSelection, QueueId, Store, Tally};
use jiff::Timestamp;
use std::path::Path;
use std::sync::Arc;

const STORE_ID: [u8; 16] = *b"an older store!!";

/// The account 7.
const ACCOUNT: &[u8] = b"\x03\x07\x13alice@north.example\0\0\0\0\x01";
/// Message 300 of 5 octets from <>, delivered to account 7 behind "P\r\n", 100 s after 1970.
const ACCEPTED: &[u8] = b"\xac\x02\x05\0\0\0\x05\0\0\0\x03\0\0\xc8\x01\0\x01\x07\x03P\r\n\0\0\0";
/// Message 301 of 5 octets, in the maildrop of account 7 with nothing before it, since 101 s after 1970.
const KEPT: &[u8] = b"\xad\x02\x05\0\x01\x07\0\xca\x01\0\0";

fn put_record(volume: &mut Vec<u8>, kind: u8, sequence: u64, meta: &[u8], content: &[u8]) {
    let header = Header {
        kind,
        meta_octets: meta.len() as u32,
        content_octets: content.len() as u32,
        sequence,
        synced_until: 64,
        meta_checksum: crc32fast::hash(meta),
    };
    volume.extend_from_slice(&header.encode(seed(&STORE_ID)));
    assert!(volume.windows(4).any(|octets| octets == MAGIC));
    volume.extend_from_slice(meta);
    volume.extend_from_slice(content);
    volume.extend_from_slice(&crc32fast::hash(content).to_le_bytes()[..TRAILER_OCTETS]);
    volume.resize(volume.len().next_multiple_of(8), 0);
}

fn write_older(dir: &Path) {
    let mut volume = new_header(1, STORE_ID, 1).encode().to_vec();
    put_record(&mut volume, 6, 1, b"\x01\x01\0\0", b"");
    put_record(&mut volume, 5, 2, ACCOUNT, b"");
    put_record(&mut volume, 1, 3, ACCEPTED, b"Hi!\r\n");
    put_record(&mut volume, 7, 4, KEPT, b"Ho!\r\n");
    std::fs::create_dir(dir.join("volumes")).unwrap();
    std::fs::write(dir.join("volumes/0000000001.vol"), volume).unwrap();
    let index = rusqlite::Connection::open(dir.join("index.sqlite")).unwrap();
    index.execute_batch("CREATE TABLE store (id BLOB NOT NULL); PRAGMA user_version = 1").unwrap();
}

fn open(dir: &Path) -> EmbeddedStore {
    let settings = Settings { reserve_octets: 0, upkeep_interval: None, ..Settings::default() };
    EmbeddedStore::open(dir, settings, Arc::new(Timestamp::now)).unwrap()
}

#[tokio::test]
async fn its_mail_is_in_the_inbox() {
    let dir = tempfile::tempdir().unwrap();
    write_older(dir.path());
    let store = open(dir.path());
    assert_eq!((store.opening().damage.as_slice(), store.opening().rebuilt.is_some()), (&[][..], true));
    let messages = store.maildrop(AccountId(7)).await.unwrap().messages;
    let expected = [(QueueId(300), "P\r\n", 100, "Hi!\r\n"), (QueueId(301), "", 101, "Ho!\r\n")];
    for (message, (id, prefix, second, content)) in messages.iter().zip(expected) {
        assert_eq!((message.content.id, &message.prefix[..]), (id, prefix.as_bytes()));
        assert_eq!(message.received_at, Timestamp::from_second(second).unwrap());
        assert_eq!((message.folder, message.flags), (FolderId::INBOX, Flags::NONE));
        assert_eq!(message.labels, []);
        assert_eq!(store.read(&message.content, 0, 100).await.unwrap(), content.as_bytes());
    }
    assert_eq!(messages.len(), 2);
    assert_eq!(store.tally().await.unwrap(), Tally { accepted: 1, delivered: 1, ..Tally::default() });
    let shift = MailboxChange::Move { messages: vec![QueueId(300)], folder: FolderId::ARCHIVE };
    store.change_mailbox(AccountId(7), vec![shift]).await.unwrap();
    assert_eq!(store.check().await.unwrap().problems, []);
    store.close().await;
    let store = open(dir.path());
    assert_eq!(store.opening().rebuilt, None);
    let archived = store.mailbox(AccountId(7), MailboxSelection::Folder(FolderId::ARCHIVE)).await.unwrap();
    assert_eq!(archived.messages.len(), 1);
    store.close().await;
}

#[test]
fn mail_for_the_inbox_is_written_as_ever() {
    let fact = Fact::decode(1, ACCEPTED).unwrap();
    assert_eq!((fact.kind(), fact.encode().as_ref()), (1, ACCEPTED));
    // What the older form cannot say is never written in it.
    let fact = Fact::decode(7, KEPT).unwrap();
    assert_eq!(fact.kind(), 12);
    assert_eq!(Fact::decode(12, &fact.encode()), Ok(fact));
}
