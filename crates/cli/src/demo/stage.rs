//! Where the demo's dialogues are shown, as they happen: numbered, with who talks to whom.

use super::dialogue::{Dialogue, Protocol, Shown, Speaker};
use crate::output::{CLIENT, FAINT, NAMES, SERVER, STRONG, styled};
use async_trait::async_trait;
use posta_dns::DnsExchange;
use posta_message::Message;
use posta_runtime::{Network, Stream, Transcript};
use posta_ua::terminal::harmless_line;
use posta_wire::TlsFacts;
use std::{
    collections::VecDeque,
    io::{self, Write},
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};
use tokio::{net::TcpSocket, sync::watch};

/// How long a dialogue waits for its turn.
const TURN_MAX: Duration = Duration::from_millis(500);
/// How the names of MTAs begin.
pub(crate) const MTA: &str = "the MTA of ";
/// Names of connections' client ends that are kept.
const NAMES_MAX: usize = 1024;
/// Columns of one side of the box that shows envelope and header section.
const BOX_COLUMNS_MAX: usize = 56;
/// Lines of a body that are shown when its author hands it over, and when it is fetched.
const BODY_LINES_MAX: usize = 40;
/// The same when one MTA hands it to another: it was shown before.
const RELAYED_BODY_LINES_MAX: usize = 6;

/// The screen, shared by all dialogues.
pub(crate) struct Stage {
    screen: Mutex<Box<dyn Write + Send>>,
    next_number: AtomicU32,
    /// Who is behind a client's address, the latest last.
    names: Mutex<VecDeque<(SocketAddr, &'static str)>>,
    /// Dialogues that are open.
    open: watch::Sender<usize>,
    /// While the trip is shown: one dialogue after another, so that it can be read.
    orderly: AtomicBool,
    /// What is to be said when the open dialogue has ended.
    later: Mutex<Vec<String>>,
    /// Whoever holds it may open the next dialogue.
    turn: tokio::sync::Mutex<()>,
}

fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Stage {
    pub(crate) fn new(screen: Box<dyn Write + Send>) -> Arc<Self> {
        let (screen, next_number, names) = (Mutex::new(screen), AtomicU32::new(1), Mutex::default());
        Arc::new(Stage {
            screen,
            next_number,
            names,
            open: watch::Sender::new(0),
            orderly: AtomicBool::new(true),
            later: Mutex::default(),
            turn: tokio::sync::Mutex::default(),
        })
    }

    /// From now on all is shown at the moment it happens, several dialogues at a time.
    pub(crate) fn end_order(&self) {
        self.orderly.store(false, Ordering::Relaxed);
        self.say_later();
    }

    /// Prints a line when the next dialogue has ended.
    pub(crate) fn say_after(&self, text: String) {
        lock(&self.later).push(text);
    }

    fn say_later(&self) {
        let later = std::mem::take(&mut *lock(&self.later));
        later.iter().for_each(|text| self.say(text));
    }

    /// Waits until no dialogue is open.
    pub(crate) async fn silence(&self) {
        // The sender is ours: the channel can't be closed meanwhile.
        let _ = self.open.subscribe().wait_for(|count| *count == 0).await;
    }

    /// Prints a line (or several) of its own.
    pub(crate) fn say(&self, text: &str) {
        // A screen that is gone must not stop the mail.
        let mut screen = lock(&self.screen);
        let _ = writeln!(screen, "{text}").and_then(|()| screen.flush());
    }

    /// Shows a question to the DNS with its answer.
    pub(crate) fn dns(&self, exchange: &DnsExchange) {
        let (question, answer) = (&exchange.question, styled(SERVER, &exchange.answer));
        let text = format!("   {} {question} {} {answer}", styled(NAMES, "DNS"), styled(FAINT, "→"));
        if self.orderly.load(Ordering::Relaxed) && *self.open.borrow() > 0 {
            self.say_after(text);
        } else {
            self.say(&text);
        }
    }

    /// Lets one dialogue end before the next begins, as long as order is kept; never for long.
    async fn in_turn<T>(&self, connect: impl Future<Output = T>) -> T {
        if !self.orderly.load(Ordering::Relaxed) {
            return connect.await;
        }
        let _turn = self.turn.lock().await;
        let _ = tokio::time::timeout(TURN_MAX, self.silence()).await;
        let connected = connect.await;
        // The server's end opens the dialogue; the next one must see it open.
        let mut open = self.open.subscribe();
        let _ = tokio::time::timeout(TURN_MAX, open.wait_for(|count| *count > 0)).await;
        connected
    }

    /// Opens a dialogue that the server's end hears.
    pub(crate) fn dialogue(
        self: &Arc<Self>,
        protocol: Protocol,
        server: &str,
        server_address: SocketAddr,
        client: SocketAddr,
    ) -> ServerTranscript {
        let number = self.next_number.fetch_add(1, Ordering::Relaxed);
        let name =
            lock(&self.names).iter().rev().find(|(address, _)| *address == client).map(|(_, name)| *name);
        let protocol_name = match protocol {
            Protocol::Smtp => "SMTP",
            Protocol::Pop3 => "POP3",
        };
        let client = match name {
            Some(name) => styled(STRONG, name),
            None => format!("{} ({client})", styled(STRONG, "a visitor")),
        };
        let server = format!("{} ({server_address})", styled(STRONG, server));
        self.say(&format!("\n── {number} ── {protocol_name}: {client} talks to {server} ──"));
        self.open.send_modify(|count| *count += 1);
        let is_mta = name.is_some_and(|name| name.starts_with(MTA));
        let dialogue = Dialogue::new(protocol, if is_mta { RELAYED_BODY_LINES_MAX } else { BODY_LINES_MAX });
        ServerTranscript { stage: Arc::clone(self), number, dialogue: Mutex::new(dialogue) }
    }

    fn show(&self, number: u32, shown: &[Shown]) {
        let mut text = String::new();
        for shown in shown {
            let gutter = styled(FAINT, format!("{number:>2}"));
            match shown {
                Shown::Line(Speaker::Client, line) => {
                    text.push_str(&format!("{gutter} {} {line}\n", styled(CLIENT, "C:")));
                }
                Shown::Line(Speaker::Server, line) => {
                    text.push_str(&format!("{gutter} {} {line}\n", styled(SERVER, "S:")));
                }
                Shown::Content(speaker, line) => {
                    let (style, letter) = colours(*speaker);
                    text.push_str(&format!("{gutter} {} {line}\n", styled(style, letter)));
                }
                Shown::Omitted(_, line) => text.push_str(&format!("{gutter}    {}\n", styled(FAINT, line))),
                Shown::Letter { envelope, header } => text.push_str(&side_by_side(envelope, header)),
            }
        }
        if !text.is_empty() {
            let mut screen = lock(&self.screen);
            let _ = screen.write_all(text.as_bytes()).and_then(|()| screen.flush());
        }
    }
}

fn colours(speaker: Speaker) -> (anstyle::Style, &'static str) {
    match speaker {
        Speaker::Client => (CLIENT, "C:"),
        Speaker::Server => (SERVER, "S:"),
    }
}

/// A header field as people read it: encoded words decoded (RFC 2047).
fn decoded(field: &str) -> String {
    let Some((name, _)) = field.split_once(':') else { return field.to_owned() };
    let message = Message::parse(field.as_bytes());
    match message.root().text_field(name) {
        Some(text) => format!("{name}: {}", harmless_line(&text)),
        None => field.to_owned(),
    }
}

/// The box that shows what hosts go by beside what people read.
fn side_by_side(envelope: &[String], header: &[String]) -> String {
    const TITLES: (&str, &str) = ("the envelope: what hosts go by", "the header section: what people read");
    let cut = |line: &String| -> String {
        if line.chars().count() <= BOX_COLUMNS_MAX {
            return line.clone();
        }
        line.chars().take(BOX_COLUMNS_MAX - 1).chain(['…']).collect()
    };
    let left: Vec<String> = envelope.iter().map(cut).collect();
    let right: Vec<String> = header.iter().map(|field| cut(&decoded(field))).collect();
    let columns = |lines: &[String], title: &str| {
        lines.iter().map(|line| line.chars().count()).chain([title.chars().count()]).max().unwrap_or(0)
    };
    let (left_columns, right_columns) = (columns(&left, TITLES.0), columns(&right, TITLES.1));
    let rule = |a: &str, b: &str, c: &str| {
        format!("     {a}{}{b}{}{c}\n", "─".repeat(left_columns + 2), "─".repeat(right_columns + 2))
    };
    let row = |left: &str, right: &str, style: anstyle::Style| {
        let pad = |text: &str, columns: usize| " ".repeat(columns - text.chars().count());
        let (left_pad, right_pad) = (pad(left, left_columns), pad(right, right_columns));
        format!("     │ {}{left_pad} │ {}{right_pad} │\n", styled(style, left), styled(style, right))
    };
    let mut text = rule("┌", "┬", "┐");
    text.push_str(&row(TITLES.0, TITLES.1, STRONG));
    for index in 0..left.len().max(right.len()) {
        let at = |lines: &[String]| lines.get(index).cloned().unwrap_or_default();
        text.push_str(&row(&at(&left), &at(&right), anstyle::Style::new()));
    }
    text + &rule("└", "┴", "┘")
}

/// Hears a connection at the server's end and shows it.
pub(crate) struct ServerTranscript {
    stage: Arc<Stage>,
    number: u32,
    dialogue: Mutex<Dialogue>,
}

impl ServerTranscript {
    fn hear(&self, speaker: Speaker, octets: &[u8]) {
        let mut dialogue = lock(&self.dialogue);
        let shown = dialogue.hear(speaker, octets);
        self.stage.show(self.number, &shown);
    }
}

impl Drop for ServerTranscript {
    fn drop(&mut self) {
        self.stage.open.send_modify(|count| *count -= 1);
        self.stage.say_later();
    }
}

impl Transcript for ServerTranscript {
    fn sent(&self, octets: &[u8]) {
        self.hear(Speaker::Server, octets);
    }
    fn received(&self, octets: &[u8]) {
        self.hear(Speaker::Client, octets);
    }
    fn secured(&self, facts: &TlsFacts) {
        let gutter = styled(FAINT, format!("{:>2}", self.number));
        self.stage.say(&format!("{gutter}    {}", styled(FAINT, format!("(from here on inside {facts})"))));
    }
    fn closed(&self) {
        let gutter = styled(FAINT, format!("{:>2}", self.number));
        self.stage.say(&format!("{gutter}    {}", styled(FAINT, "(connection closed)")));
    }
}

/// A network that tells the stage who opens which connection, so that the server's end can name it.
pub(crate) struct NamedNetwork {
    pub(crate) stage: Arc<Stage>,
    pub(crate) name: &'static str,
}

#[async_trait]
impl Network for NamedNetwork {
    async fn connect(&self, remote: SocketAddr) -> io::Result<Box<dyn Stream>> {
        let socket = if remote.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        socket.set_nodelay(true)?;
        if remote.ip().is_loopback() {
            // The name must be known before the other end sees the connection, so the port comes first.
            socket.bind(SocketAddr::new(remote.ip(), 0))?;
            let mut names = lock(&self.stage.names);
            if names.len() == NAMES_MAX {
                names.pop_front();
            }
            names.push_back((socket.local_addr()?, self.name));
        }
        let stream = self.stage.in_turn(socket.connect(remote)).await?;
        Ok(Box::new(stream))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn envelope_and_header_stand_side_by_side() {
        let envelope = vec!["MAIL FROM:<alice@north.example>".into(), "RCPT TO:<bob@south.example>".into()];
        let header = vec![
            "From: Alice <alice@north.example>".into(),
            "x".repeat(100),
            "Subject: =?UTF-8?Q?=C3=A9?=".into(),
        ];
        let plain = anstream::adapter::strip_str(&side_by_side(&envelope, &header)).to_string();
        let columns: Vec<usize> = plain.lines().map(|line| line.chars().count()).collect();
        assert!(columns.iter().all(|count| *count == columns[0]), "{plain}");
        assert_eq!(plain.lines().count(), 6, "{plain}");
        assert!(plain.contains("│ RCPT TO:<bob@south.example>     │ xxx"), "{plain}");
        assert!(plain.contains("│ Subject: é "), "{plain}");
    }
}
