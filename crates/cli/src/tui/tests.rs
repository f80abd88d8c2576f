//! The screens, drawn on a terminal of cells: keys go in, what is seen comes out.

use super::app::{App, Over, Step};
use super::view;
use async_trait::async_trait;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use jiff::{Timestamp, tz::TimeZone};
use posta_runtime::Clock;
use posta_store::{
    Account, AccountId, Credentials, DirectoryChange, Filing, Flags, FolderId, MemoryStore, QueueId, Store,
};
use posta_ua::Outside;
use posta_ua::engine::{Engine, Outbox, OutboxError, Parts, Submission};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

/// A message as it lies in a store.
fn octets(text: &str) -> Vec<u8> {
    text.replace('\n', "\r\n").into_bytes()
}

/// A clock that stands still, but for a millisecond at each look.
struct StillClock(AtomicI64);

impl Clock for StillClock {
    fn now(&self) -> Instant {
        Instant::now()
    }
    fn timestamp(&self) -> Timestamp {
        Timestamp::from_millisecond(self.0.fetch_add(1, Ordering::SeqCst)).unwrap()
    }
}

#[derive(Default)]
struct Remembering {
    sent: Mutex<Vec<Submission>>,
    next: AtomicU64,
}

#[async_trait]
impl Outbox for Remembering {
    async fn submit(&self, _: AccountId, submission: Submission) -> Result<QueueId, OutboxError> {
        self.sent.lock().unwrap().push(submission);
        Ok(QueueId(self.next.fetch_add(1, Ordering::SeqCst) + 1))
    }
    async fn take_back(&self, _: AccountId, _: QueueId) -> Result<bool, OutboxError> {
        self.sent.lock().unwrap().pop();
        Ok(true)
    }
}

struct Place {
    store: MemoryStore,
    clock: Arc<StillClock>,
    account: AccountId,
    out: Arc<Remembering>,
    app: App,
    terminal: Terminal<TestBackend>,
    dir: tempfile::TempDir,
}

const OWN: &str = "bob@south.example";

impl Place {
    async fn new(cells: u16, rows: u16) -> Place {
        let start: Timestamp = "2026-11-24T09:00:00Z".parse().unwrap();
        let clock = Arc::new(StillClock(AtomicI64::new(start.as_millisecond())));
        let ticking = clock.clone();
        let store = MemoryStore::new(Arc::new(move || ticking.timestamp()));
        let account = store.new_account_id();
        let bob = Account {
            id: account,
            address: OWN.parse().unwrap(),
            name: Some("Bob".into()),
            password_hash: None,
            apop_secret: None,
            credentials: Credentials::default(),
            quota_octets: None,
            enabled: true,
            hold_seconds: 0,
        };
        store.change_directory(DirectoryChange::PutAccount(bob)).await.unwrap();
        let (out, dir) = (Arc::new(Remembering::default()), tempfile::tempdir().unwrap());
        let engine = Engine::new(Parts {
            store: Arc::new(store.clone()),
            folder: dir.path().join("ua"),
            outside: Outside { clock: clock.clone(), ..Outside::system() },
            outbox: out.clone(),
            one_click: None,
        });
        let desk = engine.desk(&OWN.parse().unwrap()).await.unwrap();
        let downloads = dir.path().to_owned();
        let mut app = App::new(desk, clock.clone(), TimeZone::UTC, downloads).await.unwrap();
        app.is_wide = view::is_wide(cells);
        let terminal = Terminal::new(TestBackend::new(cells, rows)).unwrap();
        Place { store, clock, account, out, app, terminal, dir }
    }

    /// Mail that came some minutes ago.
    async fn letter(&mut self, minutes: i64, from: &str, subject: &str, rest: &str) {
        let received_at = self.clock.timestamp() - jiff::SignedDuration::from_mins(minutes);
        let raw = format!("From: {from}\nTo: Bob <{OWN}>\nSubject: {subject}\n{rest}");
        let filing = Filing {
            account: self.account,
            folder: FolderId::INBOX,
            flags: Flags::NONE,
            labels: Vec::new(),
            received_at,
        };
        self.store.append(filing, octets(&raw).into()).await.unwrap();
        self.app.refresh().await.unwrap();
    }

    async fn some_mail(&mut self) {
        self.letter(
            3000,
            "Carl Müller <carl@west.example>",
            "Bergtour am Samstag",
            "Message-ID: <tour1@west.example>\nContent-Type: text/plain; charset=utf-8\n\nWir gehen um sechs los. Kommst du mit?\n",
        )
        .await;
        self.letter(
            120,
            "Ada Löv <ada@north.example>",
            "The engine",
            "Message-ID: <e1@north.example>\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n\
             --b\nContent-Type: text/plain\n\nHere is the drawing.\n\n-- \nAda\n\
             --b\nContent-Type: image/png; name=drawing.png\nContent-Disposition: attachment; filename=drawing.png\n\nPNG\n--b--\n",
        )
        .await;
        self.letter(
            60,
            "Carl Müller <carl@west.example>",
            "Re: The engine",
            "Message-ID: <e2@west.example>\nIn-Reply-To: <e1@north.example>\nReferences: <e1@north.example>\n\n\
             Very fine. Will it be built?\n\nAda wrote:\n> Here is the drawing.\n> It has cogs,\n> and a mill,\n> and a store.\n",
        )
        .await;
    }

    async fn keys(&mut self, keys: &str) -> Step {
        let mut step = Step::Stay;
        for key in keys.split(' ') {
            let (code, modifiers) = match key {
                "Enter" => (KeyCode::Enter, KeyModifiers::NONE),
                "Tab" => (KeyCode::Tab, KeyModifiers::NONE),
                "Esc" => (KeyCode::Esc, KeyModifiers::NONE),
                "Space" => (KeyCode::Char(' '), KeyModifiers::NONE),
                "End" => (KeyCode::End, KeyModifiers::NONE),
                "^U" => (KeyCode::Char('u'), KeyModifiers::CONTROL),
                key => (KeyCode::Char(key.chars().next().unwrap()), KeyModifiers::NONE),
            };
            step = self.app.key(KeyEvent::new(code, modifiers)).await;
        }
        step
    }

    async fn typed(&mut self, text: &str) -> Step {
        for c in text.chars() {
            self.app.key(KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE)).await;
        }
        self.keys("Enter").await
    }

    fn seen(&mut self) -> String {
        self.terminal.draw(|frame| view::draw(&mut self.app, frame)).unwrap();
        let buffer = self.terminal.backend().buffer();
        let rows = (0..buffer.area.height).map(|y| {
            let mut row = String::new();
            let mut x = 0;
            while x < buffer.area.width {
                let symbol = buffer[(x, y)].symbol();
                row.push_str(symbol);
                x += super::text::width(symbol).max(1) as u16;
            }
            row.trim_end().to_owned()
        });
        rows.collect::<Vec<_>>().join("\n")
    }

    fn word(&self) -> &str {
        self.app.word.as_deref().unwrap_or_default()
    }
}

#[tokio::test]
async fn an_empty_inbox_says_what_to_do() {
    let mut place = Place::new(80, 12).await;
    insta::assert_snapshot!("empty", place.seen());
    for (keys, expected) in [("d", ""), ("r", ""), ("Enter", ""), ("j", ""), ("u", "nothing to undo")] {
        assert_eq!(place.keys(keys).await, Step::Stay);
        assert!(place.word().contains(expected), "{keys}: {}", place.word());
    }
    place.keys("/").await;
    place.typed("nothing").await;
    assert!(place.seen().contains("Nothing was found."));
}

#[tokio::test]
async fn a_list_and_a_conversation() {
    let mut place = Place::new(80, 24).await;
    place.some_mail().await;
    insta::assert_snapshot!("list", place.seen());
    place.keys("Enter").await;
    insta::assert_snapshot!("conversation", place.seen());
    place.keys("T End").await;
    assert!(place.seen().contains("> and a mill,"));
    place.keys("q").await;
    assert!(!place.seen().contains('•') || place.seen().matches('•').count() == 1, "read by being opened");
}

#[tokio::test]
async fn three_panes_where_there_is_room() {
    let mut place = Place::new(140, 24).await;
    place.some_mail().await;
    insta::assert_snapshot!("wide", place.seen());
    place.keys("j").await;
    assert!(place.seen().contains("Kommst du mit?"), "the other one is shown beside the list");
}

#[tokio::test]
async fn any_size_is_drawn() {
    for (cells, rows) in [(1, 1), (20, 5), (40, 10), (80, 24), (111, 8), (300, 90)] {
        let mut place = Place::new(cells, rows).await;
        place.some_mail().await;
        for keys in ["Enter", "?", "Esc", "v", "Esc", "h", "End", "Esc", "q", "s", "Esc", "/", "Esc"] {
            place.keys(keys).await;
            place.seen();
        }
    }
}

/// RFC 5322 lets anybody write anything.
#[tokio::test]
async fn hostile_text_stays_text() {
    let mut place = Place::new(80, 24).await;
    place
        .letter(
            5,
            "\"\x1b]0;owned\x07 \u{202e}evil\" <x@bad.example>",
            "\x1b[2J\x1b[31mred \u{9b}5m \u{202e}gpj.exe",
            "MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n\n\x1b[2J\x1b]52;c;ZXZpbA==\x07\x08\x08\rover\nnext\u{2066}\u{85}line\n",
        )
        .await;
    let smear = format!("s{}", "\u{301}".repeat(300));
    place.letter(6, "a@bad.example", &smear, "\nx\n").await;
    for keys in ["Esc", "Enter", "h", "Esc", "r", "Esc", "y", "q"] {
        let seen = place.seen();
        let bad = |c: char| {
            c.is_control() && c != '\n' || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        };
        assert!(!seen.contains(bad), "{keys}: {seen:?}");
        assert!(seen.chars().filter(|c| *c == '\u{301}').count() < 20, "{seen}");
        place.keys(keys).await;
    }
    place.keys("Esc n q Enter").await;
    insta::assert_snapshot!("hostile", place.seen());
}

#[tokio::test]
async fn wide_and_right_to_left_letters() {
    let mut place = Place::new(80, 14).await;
    let plain = "MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n\n";
    let japanese = format!(
        "{plain}日本語の本文はとても長いので、端末の幅で折り返されなければなりません。それでも読みやすいままであるべきです。\n"
    );
    place.letter(5, "山田太郎 <yamada@east.example>", "件名はここにあります", &japanese).await;
    let hebrew = format!("{plain}שלום לכולם, זו הודעה בעברית.\n");
    place.letter(6, "דוד <david@east.example>", "שלום עולם", &hebrew).await;
    place.letter(7, "Zoë 🙂 <zoe@west.example>", "e\u{301}moji 👩‍👩‍👧 family", "\nx\n").await;
    insta::assert_snapshot!("letters", place.seen());
    place.keys("Enter").await;
    insta::assert_snapshot!("letters_read", place.seen());
}

#[tokio::test]
async fn changes_are_undone() {
    let mut place = Place::new(80, 24).await;
    place.some_mail().await;
    place.keys("d").await;
    assert_eq!(place.app.list.total, 1);
    assert!(place.word().contains("u undoes"), "{}", place.word());
    place.keys("u").await;
    assert_eq!(place.app.list.total, 2);
    place.keys("F").await;
    assert!(place.seen().contains('★'));
    place.keys("t t").await;
    assert_eq!(place.app.tagged.len(), 2);
    place.keys("a").await;
    assert_eq!((place.app.list.total, place.app.tagged.len()), (0, 0));
    place.keys("u").await;
    assert_eq!(place.app.list.total, 2);
    place.keys("z").await;
    place.typed("yesterday").await;
    assert!(place.word().contains("no time to come"), "{}", place.word());
    place.keys("z").await;
    place.typed("tomorrow").await;
    assert_eq!(place.app.list.total, 1, "{}", place.word());
}

#[tokio::test]
async fn moving_completes_folders_and_makes_new_ones() {
    let mut place = Place::new(80, 24).await;
    place.some_mail().await;
    place.keys("s a r").await;
    insta::assert_snapshot!("moving", place.seen());
    place.keys("Enter").await;
    assert_eq!(place.app.list.total, 1);
    place.keys("s").await;
    place.typed("Plans/Summer").await;
    assert!(place.seen().contains("There is no folder Plans/Summer. Make it? (y/n)"));
    place.keys("y").await;
    assert_eq!(place.app.list.total, 0);
    place.keys("c").await;
    place.typed("summer").await;
    assert_eq!(place.app.list.total, 1);
    assert!(place.seen().starts_with(" Plans/Summer"), "{}", place.seen());
}

#[tokio::test]
async fn searching() {
    let mut place = Place::new(80, 24).await;
    place.some_mail().await;
    place.keys("/").await;
    place.typed("from:carl engine").await;
    assert_eq!(place.app.list.total, 1);
    assert!(place.seen().contains("Search: from:carl engine"));
    assert_eq!(place.keys("q").await, Step::Stay);
    assert_eq!(place.app.list.total, 2);
    assert_eq!(place.keys("q").await, Step::Quit);
    place.keys("/ h a s Tab").await;
    assert!(place.seen().contains("has:attachment"));
}

#[tokio::test]
async fn a_letter_is_written_sent_and_taken_back() {
    let mut place = Place::new(80, 24).await;
    place.some_mail().await;
    place.keys("m c a r l Tab").await;
    assert!(place.seen().contains("Carl Müller <carl@west.example>,") || place.seen().contains("To: carl"));
    place.keys("Esc m").await;
    place.typed("carl@west.example").await;
    let Step::Edit(text) = place.typed("Hello").await else { panic!("an editor is wanted") };
    assert!(text.starts_with("To: carl@west.example\nCc: \nSubject: Hello\n\n"), "{text}");
    let text = format!("{text}I have attached the plan.\n");
    place.app.edited(Some(text)).await;
    insta::assert_snapshot!("composing", place.seen());
    place.keys("y").await;
    assert!(place.seen().contains("It speaks of an attachment, and there is none."));
    place.keys("n a").await;
    let plan = place.dir.path().join("plan.txt");
    std::fs::write(&plan, "The plan").unwrap();
    place.typed(plan.to_str().unwrap()).await;
    assert!(place.seen().contains("plan.txt  text/plain"), "{}", place.seen());
    place.keys("y").await;
    assert!(place.word().contains("u takes it back"), "{}", place.word());
    let sent = place.out.sent.lock().unwrap().remove(0);
    assert_eq!(sent.recipients[0].to_string(), "carl@west.example");
    let text = String::from_utf8_lossy(&sent.content).into_owned();
    assert!(text.contains("Subject: Hello\r\n") && text.contains("filename=plan.txt"), "{text}");
    place.keys("u").await;
    assert!(matches!(place.app.over, Over::Composing(_)), "it is a draft again");
    place.keys("q y").await;
    assert!(matches!(place.app.over, Over::Nothing));
    assert!(place.word().contains("The draft is gone"), "{}", place.word());
}

#[tokio::test]
async fn answering() {
    let mut place = Place::new(80, 24).await;
    place.some_mail().await;
    let Step::Edit(text) = place.keys("r").await else { panic!("an editor is wanted") };
    assert!(text.contains("Subject: Re: The engine\n"), "{text}");
    assert!(text.contains("> Very fine. Will it be built?"), "{text}");
    place.app.edited(Some(text.replace("\n\n", "\n\nIt will.\n\n"))).await;
    place.keys("P").await;
    assert!(place.word().contains("Kept in Drafts"), "{}", place.word());
    place.keys("c").await;
    place.typed("Drafts").await;
    let Step::Edit(text) = place.keys("e").await else { panic!("an editor is wanted") };
    assert!(text.contains("It will."), "{text}");
    place.app.edited(None).await;
    assert!(place.word().contains("editor failed"), "{}", place.word());
    place.keys("y").await;
    let sent = place.out.sent.lock().unwrap().remove(0);
    let text = String::from_utf8_lossy(&sent.content).into_owned();
    assert!(text.contains("In-Reply-To: <e2@west.example>"), "{text}");
}

#[tokio::test]
async fn attachments_are_saved() {
    let mut place = Place::new(80, 24).await;
    place.some_mail().await;
    place.keys("Enter v").await;
    insta::assert_snapshot!("attachments", place.seen());
    place.keys("s Enter").await;
    assert!(place.word().contains("Saved as"), "{}", place.word());
    assert_eq!(std::fs::read_to_string(place.dir.path().join("drawing.png")).unwrap(), "PNG");
    let Step::Open(path) = place.keys("Enter").await else { panic!("a file to open") };
    assert_eq!(path.file_name().unwrap(), "drawing.png");
    std::fs::remove_dir_all(path.parent().unwrap()).unwrap();
}

#[tokio::test]
async fn new_mail_is_told_of_and_does_not_move_the_choice() {
    let mut place = Place::new(80, 24).await;
    place.some_mail().await;
    place.keys("j").await;
    let before = place.app.chosen().unwrap().subject.clone();
    place.letter(0, "Dora <dora@east.example>", "Fresh", "\nx\n").await;
    place.app.list.selected = 1;
    let notice = posta_ua::desk::Notice::NewMail {
        message: posta_ua::desk::MessageKey::new("1"),
        conversation: posta_ua::desk::ConversationKey::new("1"),
        from: posta_ua::desk::Person::new("Dora\x1b[2J", "dora@east.example"),
        subject: "Fresh".into(),
        snippet: String::new(),
    };
    place.app.told(notice).await;
    assert!(place.seen().contains("New mail from Dora␛[2J: Fresh"), "{}", place.seen());
    assert_eq!(place.app.list.total, 3);
    place.keys("j").await;
    assert_eq!(place.app.chosen().unwrap().subject, before);
}

#[tokio::test]
async fn thousands_are_gone_through() {
    let mut place = Place::new(80, 24).await;
    for number in 0..1200 {
        let filing = Filing {
            account: place.account,
            folder: FolderId::INBOX,
            flags: Flags::SEEN,
            labels: Vec::new(),
            received_at: place.clock.timestamp(),
        };
        let raw = format!("From: x@bad.example\nSubject: number {number}\n\nx\n");
        place.store.append(filing, octets(&raw).into()).await.unwrap();
    }
    place.app.refresh().await.unwrap();
    place.seen();
    assert!(place.seen().contains("number 1199"));
    place.keys("End").await;
    assert!(place.seen().contains("number 0 ") && place.seen().contains("1200/1200"), "{}", place.seen());
    for _ in 0..30 {
        place.keys("-").await;
        place.seen();
    }
    let selected = place.app.list.selected;
    assert!(selected < 600 && place.app.chosen().is_some());
    assert_eq!(place.app.chosen().unwrap().subject, format!("number {}", 1199 - selected));
}

#[tokio::test]
async fn help_has_every_key() {
    let mut place = Place::new(80, 80).await;
    place.keys("?").await;
    let seen = place.seen();
    for binding in super::keys::BINDINGS {
        assert!(seen.contains(binding.help), "{}", binding.help);
    }
}
