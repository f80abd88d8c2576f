//! A desk with much mail: how long until it is indexed, listed, searched. `cargo xtask bench ua` runs it beside notmuch.
//!
//! `desk FOLDER MESSAGES` writes a Maildir into `FOLDER/mail` and the same mail into a store in `FOLDER/store`, and prints a
//! line for each measurement: name, milliseconds (of the fastest of several), and how many were found.
#![allow(clippy::print_stdout)]

use bytes::Bytes;
use jiff::Timestamp;
use posta_store::embedded::Settings;
use posta_store::{
    Account, AccountId, Credentials, DirectoryChange, EmbeddedStore, Filing, Flags, FolderId, QueueId, Store,
};
use posta_ua::Outside;
use posta_ua::desk::{ConversationQuery, Desk, FolderKey};
use posta_ua::engine::{Engine, Outbox, OutboxError, Parts, Submission};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Times that each question is asked.
const ROUNDS: usize = 7;
/// Messages that are put into the store at once.
const AT_ONCE: usize = 64;
/// Words of the language that the mail is written in.
const VOCABULARY: u64 = 20_000;
/// People who write.
const PEOPLE: u64 = 500;

/// What is asked. The expressions mean the same to notmuch.
const QUESTIONS: &[(&str, &str)] = &[
    ("rare word", "w19999x"),
    ("common word", "w3x"),
    ("two words", "w40x w77x"),
    ("phrase", "\"w2x w3x\""),
    ("beginning", "w199*"),
    ("from", "from:person42"),
    ("subject", "subject:w100x"),
    ("from and word", "from:person7 w12x"),
    ("unread and word", "is:unread w50x"),
];

struct Nowhere;

#[async_trait::async_trait]
impl Outbox for Nowhere {
    async fn submit(&self, _: AccountId, _: Submission) -> Result<QueueId, OutboxError> {
        Err(OutboxError::Refused("nothing is sent here".into()))
    }
    async fn take_back(&self, _: AccountId, _: QueueId) -> Result<bool, OutboxError> {
        Ok(false)
    }
}

/// Numbers that are the same in each run (xorshift).
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A word; the first ones are much the most frequent, as in a language.
    fn word(&mut self) -> u64 {
        let fraction = (self.next() % 1_000_000) as f64 / 1_000_000.0;
        ((VOCABULARY as f64).powf(fraction) as u64).min(VOCABULARY) - 1
    }
}

fn letter(number: u64, dice: &mut Dice) -> String {
    // Four of a conversation on the average.
    let root = number - number % 4 + dice.next() % 2;
    let (from, to) = (dice.next() % PEOPLE, dice.next() % PEOPLE);
    let mut root_dice = Dice(root + 1);
    root_dice.next();
    let subject: Vec<String> = (0..4).map(|_| format!("w{}x", root_dice.word())).collect();
    let subject = subject.join(" ");
    let is_answer = root < number;
    let date = Timestamp::from_second(1_600_000_000 + number as i64 * 600).expect("a time");
    let mut text = format!(
        "From: Person{from} <person{from}@north.example>\r\nTo: person{to}@south.example\r\nSubject: {}{subject}\r\nDate: {}\r\nMessage-ID: <{number}@bench.example>\r\n",
        if is_answer { "Re: " } else { "" },
        posta_message::DateTime::utc(date)
    );
    if is_answer {
        text.push_str(&format!(
            "In-Reply-To: <{root}@bench.example>\r\nReferences: <{root}@bench.example>\r\n"
        ));
    }
    text.push_str("MIME-Version: 1.0\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n");
    for at in 0..80 + dice.next() % 200 {
        text.push_str(&format!("w{}x{}", dice.word(), if at % 12 == 11 { "\r\n" } else { " " }));
    }
    text.push_str("\r\n");
    text
}

async fn fill(store: &EmbeddedStore, account: AccountId, mail: &Path, messages: u64) {
    for part in ["cur", "new", "tmp"] {
        std::fs::create_dir_all(mail.join(part)).expect("a folder");
    }
    let mut dice = Dice(0x2545_f491_4f6c_dd1d);
    let mut waiting = tokio::task::JoinSet::new();
    for number in 0..messages {
        let text = letter(number, &mut dice);
        let is_read = number % 50 != 0;
        let name = if is_read { format!("cur/{number}.bench:2,S") } else { format!("new/{number}.bench") };
        std::fs::write(mail.join(name), text.replace("\r\n", "\n")).expect("a file");
        let filing = Filing {
            account,
            folder: FolderId::INBOX,
            flags: if is_read { Flags::SEEN } else { Flags::NONE },
            labels: Vec::new(),
            received_at: Timestamp::from_second(1_600_000_000 + number as i64 * 600).expect("a time"),
        };
        let store = store.clone();
        waiting.spawn(async move { store.append(filing, Bytes::from(text)).await.expect("kept") });
        if waiting.len() >= AT_ONCE {
            waiting.join_next().await;
        }
    }
    while waiting.join_next().await.is_some() {}
}

fn report(name: &str, time: Duration, found: u64) {
    println!("{name}\t{:.2}\t{found}", time.as_secs_f64() * 1000.0);
}

async fn ask(desk: &dyn Desk, name: &str, query: &ConversationQuery) {
    let (mut best, mut found) = (Duration::MAX, 0);
    for _ in 0..ROUNDS {
        let start = Instant::now();
        let page = desk.conversations(query).await.expect("an answer");
        best = best.min(start.elapsed());
        found = page.total;
    }
    report(name, best, found);
}

async fn measure(folder: &Path, messages: u64) {
    let store = EmbeddedStore::open(&folder.join("store"), Settings::default(), Arc::new(Timestamp::now))
        .expect("a store");
    let account = store.new_account_id();
    let address: posta_address::Mailbox = "ada@north.example".parse().expect("an address");
    let person = Account {
        id: account,
        address: address.clone(),
        name: Some("Ada".into()),
        password_hash: None,
        apop_secret: None,
        credentials: Credentials::default(),
        quota_octets: None,
        enabled: true,
        hold_seconds: 0,
    };
    store.change_directory(DirectoryChange::PutAccount(person)).await.expect("kept");
    fill(&store, account, &folder.join("mail"), messages).await;
    let engine = Engine::new(Parts {
        store: Arc::new(store.clone()),
        folder: folder.join("ua"),
        outside: Outside::system(),
        outbox: Arc::new(Nowhere),
        one_click: None,
    });
    let desk = engine.desk(&address).await.expect("a desk");
    let start = Instant::now();
    desk.folders().await.expect("folders");
    report("index", start.elapsed(), messages);
    let inbox = ConversationQuery { folder: Some(FolderKey::new("inbox")), limit: 50, ..Default::default() };
    ask(&*desk, "list", &inbox).await;
    ask(&*desk, "list, far down", &ConversationQuery { skip: messages / 8, ..inbox.clone() }).await;
    for (name, search) in QUESTIONS {
        ask(
            &*desk,
            name,
            &ConversationQuery { search: format!("{search} "), limit: 50, ..Default::default() },
        )
        .await;
    }
    let page = desk.conversations(&inbox).await.expect("a page");
    let start = Instant::now();
    for row in &page.rows {
        desk.conversation(&row.key).await.expect("a conversation");
    }
    report("conversation", start.elapsed() / page.rows.len().max(1) as u32, 1);
    store.close().await;
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    // `cargo test --benches` runs it without arguments.
    let [folder, messages] = arguments.as_slice() else { return println!("desk FOLDER MESSAGES") };
    let messages = messages.parse().expect("a number");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(measure(Path::new(folder), messages));
}
