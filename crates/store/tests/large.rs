//! A large message needs little memory. In a process of its own: memory is measured for all of it.

use bytes::Bytes;
use posta_address::ReversePath;
use posta_store::embedded::Settings;
use posta_store::{Acceptance, Account, DirectoryChange, EmbeddedStore, Envelope, LocalDelivery, Store};
use posta_wire::ContentFacts;
use std::sync::Arc;

const MESSAGE_OCTETS: usize = 50 * 1024 * 1024;
const MEMORY_OCTETS_MAX: usize = 8 * 1024 * 1024;

/// The most memory that this process has had since [`forget_peak`] (`VmHWM`).
fn peak_octets() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
}

fn forget_peak() {
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
}

#[tokio::test]
async fn fifty_mebioctets_go_through_in_a_few() {
    let dir = tempfile::tempdir().unwrap();
    let settings = Settings { reserve_octets: 0, upkeep_interval: None, ..Settings::default() };
    let store = EmbeddedStore::open(dir.path(), settings, Arc::new(jiff::Timestamp::now)).unwrap();
    let account = store.new_account_id();
    let put = DirectoryChange::PutAccount(Account {
        id: account,
        address: "bob@north.example".parse().unwrap(),
        name: None,
        password_hash: None,
        apop_secret: None,
        credentials: posta_store::Credentials::default(),
        quota_octets: None,
        enabled: true,
        hold_seconds: 0,
    });
    store.change_directory(put).await.unwrap();
    forget_peak();
    let before = peak_octets();

    let mut writer = store.receive().await.unwrap();
    for number in 0..MESSAGE_OCTETS / 8192 {
        writer.write(Bytes::from(vec![number as u8; 8192])).await.unwrap();
    }
    let acceptance = Acceptance {
        envelope: Envelope {
            reverse_path: ReversePath::Null,
            smtputf8: false,
            facts: ContentFacts::default(),
            message_id: None,
            requests: posta_store::Requests::default(),
        },
        accepted_at: jiff::Timestamp::now(),
        deliveries: vec![LocalDelivery::to_inbox(account, Bytes::new())],
        remote: Vec::new(),
        discarded: 0,
        changes: Vec::new(),
    };
    writer.accept(acceptance).await.unwrap();
    let content = store.maildrop(account).await.unwrap().messages[0].content;
    assert_eq!(content.size_octets, MESSAGE_OCTETS as u64);
    let mut offset = 0;
    while offset < MESSAGE_OCTETS {
        let octets = store.read(&content, offset as u64, 65_536).await.unwrap();
        assert!(!octets.is_empty());
        for (at, octet) in octets.iter().enumerate().step_by(4099) {
            assert_eq!(*octet, ((offset + at) / 8192) as u8);
        }
        offset += octets.len();
    }
    let grown = peak_octets() - before;
    assert!(grown < MEMORY_OCTETS_MAX, "{grown} octets");
    store.close().await;
}
