//! Plays the dialogues of `tests/dialogs/server` with a whole server over TCP: what sessions alone
//! can't show (directory, relaying, maildrops, trace fields). `DIALOG=part-of-a-name` plays some of them.
//!
//! ```text
//! # RFC 5321 §3.3: title           the first line
//! setting KEY = VALUE              of [smtp] or [pop3] (or auth.KEY, submission.KEY, relay.KEY, proxy.KEY, turn.KEY of those); before the first line of the dialogue
//! relay NETWORK                    a relay network
//! hello                            greeting and EHLO, looked at no further
//! C: text                          sent with CR LF; \r \n \xNN \\ are escapes
//! C~: text                         sent without CR LF
//! C*N: text                        sent N times
//! S: pattern                       the next line; * stands for anything
//! S... pattern                     lines up to one that fits
//! pipeline                         what the client says up to the next S goes out in one piece
//! repeat N … end                   with {n} counting from 1
//! pause                            lets the server have what was sent, by itself
//! hang up                          the client goes
//! closed                           the server closes
//! reconnect                        the client comes again
//! shutdown                         the server begins to stop
//! maildrop ADDRESS: N              how many messages more than at the start (or less: -1); of the last one:
//!   return-path PATH               its Return-Path
//!   received PATTERN               our Received field, unfolded
//!   not-received PATTERN           what must not fit it
//!   holds TEXT, lacks TEXT         what is, or is not, within a line of the rest
//!   | line                         all that follows the trace fields, line by line
//! queue: N                         entries in the queue
//! discarded: N                     recipients whose message was shown, or dropped by another rule
//! logs-in ADDRESS                  has a live session from here on (several, if it comes again)
//! leaves ADDRESS                   has none any more
//! shown ADDRESS: KIND SENDER       what its sessions were shown next (message, message-and-mail, mail), or `nothing`;
//!   says TEXT                      what is in its author, subject or text
//! ```

mod audience;
mod fixture;

use audience::Audience;

use posta_server::{
    Running,
    config::{Config, Protocol},
};
use posta_store::Store;
use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
};

/// Nothing here takes long; whoever waits longer waits in vain.
const PATIENCE: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dialogues_with_a_whole_server() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/dialogs/server");
    let wanted = std::env::var("DIALOG").unwrap_or_default();
    let mut files: Vec<PathBuf> = std::fs::read_dir(&folder)
        .expect("tests/dialogs/server")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.to_string_lossy().contains(&wanted))
        .collect();
    files.sort();
    let mut failures = Vec::new();
    for path in &files {
        let text = std::fs::read_to_string(path).expect("a dialogue");
        if let Err(failure) = play(path, &text).await {
            failures.push(format!("{}: {failure}", path.file_name().unwrap_or_default().display()));
        }
    }
    assert!(!files.is_empty(), "no dialogue in {}", folder.display());
    assert!(failures.is_empty(), "{} of {} failed:\n{}", failures.len(), files.len(), failures.join("\n"));
}

type Played<T = ()> = Result<T, String>;

async fn play(path: &Path, text: &str) -> Played {
    let protocol = match path.extension().and_then(|extension| extension.to_str()) {
        Some("smtp") => Protocol::Smtp,
        Some("submission") => Protocol::Submission,
        Some("lmtp") => Protocol::Lmtp,
        Some("no-mail") => Protocol::NoMail,
        Some("pop3") => Protocol::Pop3,
        other => return Err(format!("{other:?} is no protocol")),
    };
    let lines: Script = text.lines().enumerate().map(|(number, line)| (number + 1, line)).collect();
    let (settings, script) = split(&lines)?;
    let server = fixture::start(configure(protocol, &settings)?).await;
    let mut player = Player::new(server, protocol).await?;
    let played = player.run(&script).await;
    if let Some(server) = player.server.take() {
        drop(player.stream);
        server.shutdown(Duration::from_secs(5)).await;
    }
    played
}

/// Lines with their numbers.
type Script<'a> = Vec<(usize, &'a str)>;

/// Title and settings apart from the script.
fn split<'a>(lines: &[(usize, &'a str)]) -> Played<(Vec<&'a str>, Script<'a>)> {
    let (_, title) = lines.first().ok_or("empty")?;
    if !title.starts_with("# RFC ") || !title.contains(": ") {
        return Err("the first line names the RFC's section: `# RFC 5321 §3.3: title`".into());
    }
    let is_setting = |line: &str| line.starts_with("setting ") || line.starts_with("relay ");
    let rest = lines[1..].iter().copied().filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    let (settings, script): (Script, Script) = rest.partition(|(_, line)| is_setting(line));
    Ok((settings.into_iter().map(|(_, line)| line).collect(), script))
}

/// Other sections of which a dialogue may set something.
const OTHER_SECTIONS: [&str; 3] = ["relay", "proxy", "turn"];

fn configure(protocol: Protocol, settings: &[&str]) -> Played<Config> {
    let mut config = fixture::config();
    let mut section = String::new();
    let mut auth = String::new();
    let mut submission = String::new();
    let mut others: std::collections::BTreeMap<&str, String> = std::collections::BTreeMap::new();
    for line in settings {
        if let Some(network) = line.strip_prefix("relay ") {
            config.relay.networks.push(network.parse()?);
        } else if let Some(setting) = line.strip_prefix("setting submission.") {
            submission += &format!("{setting}\n");
        } else if let Some(setting) = OTHER_SECTIONS.iter().find_map(|name| {
            let rest = line.strip_prefix("setting ")?.strip_prefix(name)?;
            rest.starts_with('.').then(|| (name, format!("{}\n", &rest[1..])))
        }) {
            *others.entry(setting.0).or_default() += &setting.1;
        } else if let Some(setting) = line.strip_prefix("setting auth.") {
            auth += &format!("{setting}\n");
        } else if let Some(setting) = line.strip_prefix("setting ") {
            section += &format!("{setting}\n");
        }
    }
    let table = if protocol == Protocol::Pop3 { "pop3" } else { "smtp" };
    let others: String = others.iter().map(|(name, settings)| format!("[{name}]\n{settings}")).collect();
    // Read by the real reader, so that a wrong setting is noticed.
    let text = format!(
        "hostname = \"x\"\ndata_dir = \"x\"\n[{table}]\n{section}[auth]\n{auth}[submission]\n{submission}{others}"
    );
    let read = Config::parse(&text, Path::new("settings")).map_err(|error| error.to_string())?;
    let (vrfy, expn) = (config.smtp.vrfy, config.smtp.expn);
    config.smtp = read.smtp;
    config.pop3 = read.pop3;
    config.auth = read.auth;
    config.submission = read.submission;
    config.relay.domains = read.relay.domains;
    (config.proxy, config.turn) = (read.proxy, read.turn);
    if !config.proxy.networks.is_empty() {
        config.listeners.iter_mut().for_each(|listener| listener.proxy = true);
    }
    if !section.contains("vrfy") {
        config.smtp.vrfy = vrfy;
    }
    if !section.contains("expn") {
        config.smtp.expn = expn;
    }
    Ok(config)
}

struct Player {
    server: Option<Running>,
    store: Arc<dyn Store>,
    /// Messages in each maildrop at the start.
    before: HashMap<String, usize>,
    stream: Option<BufReader<TcpStream>>,
    address: std::net::SocketAddr,
    /// What a pipeline has gathered.
    gathered: Option<Vec<u8>>,
    /// The last message of the maildrop named last: trace fields, then the rest.
    message: Option<Message>,
    audience: Audience,
}

async fn connect(address: std::net::SocketAddr) -> Played<BufReader<TcpStream>> {
    let stream = TcpStream::connect(address).await.map_err(|error| error.to_string())?;
    stream.set_nodelay(true).map_err(|error| error.to_string())?;
    Ok(BufReader::new(stream))
}

struct Message {
    return_path: String,
    received: String,
    /// Lines that the dialogue has not named yet.
    rest: Vec<Vec<u8>>,
    named: bool,
}

impl Player {
    async fn new(server: Running, protocol: Protocol) -> Played<Self> {
        let address = server.address(protocol).ok_or("no listener")?;
        let store = server.store().clone();
        let mut before = HashMap::new();
        for account in store.accounts().await.map_err(|error| error.to_string())? {
            let snapshot = store.maildrop(account.id).await.map_err(|error| error.to_string())?;
            before.insert(account.address.to_string(), snapshot.messages.len());
        }
        let stream = Some(connect(address).await?);
        Ok(Player {
            server: Some(server),
            store,
            before,
            stream,
            address,
            gathered: None,
            message: None,
            audience: Audience::default(),
        })
    }

    async fn run(&mut self, script: &[(usize, &str)]) -> Played {
        let mut at = 0;
        while at < script.len() {
            let (number, line) = script[at];
            at += 1;
            if let Some(count) = line.strip_prefix("repeat ") {
                let count: usize = count.parse().map_err(|_| format!("line {number}: a number"))?;
                let length = script[at..].iter().position(|(_, line)| *line == "end");
                let length = length.ok_or_else(|| format!("line {number}: no end"))?;
                for round in 1..=count {
                    for (number, line) in &script[at..at + length] {
                        let line = line.replace("{n}", &round.to_string());
                        self.step(&line).await.map_err(|error| format!("line {number}: {line}: {error}"))?;
                    }
                }
                at += length + 1;
                continue;
            }
            self.step(line).await.map_err(|error| format!("line {number}: {line}: {error}"))?;
        }
        self.end_message()
    }

    async fn step(&mut self, line: &str) -> Played {
        if let Some(text) = line.strip_prefix('|') {
            return self.check_line(text.strip_prefix(' ').unwrap_or(text));
        }
        if let Some(rest) = line.strip_prefix("C*") {
            let (count, text) = rest.split_once(':').ok_or("C*N: text")?;
            let count: usize = count.parse().map_err(|_| "a number")?;
            let mut octets = unescape(text.strip_prefix(' ').unwrap_or(text));
            octets.extend_from_slice(b"\r\n");
            return self.send(&octets.repeat(count)).await;
        }
        let (verb, rest) =
            match line.split_once(": ").or_else(|| line.strip_suffix(':').map(|verb| (verb, ""))) {
                Some((verb @ ("C" | "C~" | "S"), rest)) => (verb, rest),
                _ => line.split_once(' ').unwrap_or((line, "")),
            };
        match verb {
            "C" => {
                let mut octets = unescape(rest);
                octets.extend_from_slice(b"\r\n");
                self.send(&octets).await
            }
            "C~" => self.send(&unescape(rest)).await,
            "S" => {
                self.flush().await?;
                let said = self.read_line().await?;
                expect(rest, &said)
            }
            "S..." => self.read_until(rest).await,
            "hello" => {
                self.read_until("220 *").await?;
                self.send(b"EHLO client.example\r\n").await?;
                self.read_until("250 *").await
            }
            "pipeline" => {
                self.flush().await?;
                self.gathered = Some(Vec::new());
                Ok(())
            }
            "pause" => self.pause().await,
            "hang" => self.hang_up().await,
            "closed" => self.expect_end().await,
            "reconnect" => self.reconnect().await,
            "shutdown" => self.shutdown().await,
            "maildrop" => self.open_maildrop(rest).await,
            "return-path" => {
                let message = self.message.as_ref().ok_or("no message")?;
                expect(
                    &format!("Return-Path: {}", String::from_utf8_lossy(&unescape(rest))),
                    &message.return_path,
                )
            }
            "received" => {
                let message = self.message.as_ref().ok_or("no message")?;
                expect(&format!("Received: {rest}"), &message.received)
            }
            "not-received" => {
                let message = self.message.as_ref().ok_or("no message")?;
                match fits(rest, &message.received) {
                    true => Err(format!("{} fits", message.received)),
                    false => Ok(()),
                }
            }
            "holds" | "lacks" => self.check_part(rest, verb == "holds"),
            "discarded:" => {
                let tally = self.store.tally().await.map_err(|error| error.to_string())?;
                expect(rest, &tally.discarded.to_string())
            }
            "queue:" => {
                let entries = self.store.queue().await.map_err(|error| error.to_string())?;
                expect(rest, &entries.len().to_string())
            }
            _ => self.attend(verb, rest).await,
        }
    }
}

/// The connection.
impl Player {
    async fn send(&mut self, octets: &[u8]) -> Played {
        if let Some(gathered) = &mut self.gathered {
            gathered.extend_from_slice(octets);
            return Ok(());
        }
        let stream = self.stream.as_mut().ok_or("hung up")?;
        stream.write_all(octets).await.map_err(|error| error.to_string())
    }

    async fn hang_up(&mut self) -> Played {
        self.flush().await?;
        self.stream = None;
        Ok(())
    }

    async fn reconnect(&mut self) -> Played {
        self.stream = Some(connect(self.address).await?);
        Ok(())
    }

    async fn flush(&mut self) -> Played {
        match self.gathered.take() {
            Some(gathered) => self.send(&gathered).await,
            None => Ok(()),
        }
    }

    /// Each piece arrives by itself: the socket has no delay, and the server gets the processor.
    async fn pause(&mut self) -> Played {
        self.flush().await?;
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
        Ok(())
    }

    async fn read_line(&mut self) -> Played<String> {
        let stream = self.stream.as_mut().ok_or("hung up")?;
        let mut line = Vec::new();
        let read = tokio::time::timeout(PATIENCE, stream.read_until(b'\n', &mut line)).await;
        let count = read.map_err(|_| "the server says nothing")?.map_err(|error| error.to_string())?;
        if count == 0 {
            return Err("the server closed".into());
        }
        let line = line.strip_suffix(b"\r\n").ok_or("a line without CR LF")?;
        Ok(String::from_utf8_lossy(line).into_owned())
    }

    async fn read_until(&mut self, pattern: &str) -> Played {
        self.flush().await?;
        loop {
            let line = self.read_line().await.map_err(|error| format!("{pattern}: {error}"))?;
            if fits(pattern, &line) {
                return Ok(());
            }
        }
    }

    async fn expect_end(&mut self) -> Played {
        self.flush().await?;
        let stream = self.stream.as_mut().ok_or("hung up")?;
        let mut rest = Vec::new();
        let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut rest)).await;
        read.map_err(|_| "the server does not close")?.map_err(|error| error.to_string())?;
        if rest.is_empty() { Ok(()) } else { Err(format!("the server says {}", rest.escape_ascii())) }
    }

    /// Begins, and goes on in the background until the session has ended.
    async fn shutdown(&mut self) -> Played {
        let server = self.server.take().ok_or("stopped already")?;
        tokio::spawn(server.shutdown(PATIENCE));
        self.pause().await
    }
}

/// Those who are there.
impl Player {
    async fn attend(&mut self, verb: &str, rest: &str) -> Played {
        match verb {
            "logs-in" => self.log_in(rest).await,
            "leaves" => self.audience.leave(rest).await,
            "shown" => self.audience.check(rest).await,
            "says" => self.audience.check_words(rest),
            _ => Err("no such step".into()),
        }
    }

    async fn log_in(&mut self, address: &str) -> Played {
        let account = self.store.account(&fixture::mailbox(address)).await;
        let account = account.map_err(|error| error.to_string())?.ok_or("nobody of that name")?;
        let server = self.server.as_ref().ok_or("stopped already")?;
        let session = server.presence().enter(account.id).map_err(|error| error.to_string())?;
        self.audience.enter(address, session);
        Ok(())
    }
}

/// The store.
impl Player {
    async fn open_maildrop(&mut self, rest: &str) -> Played {
        self.end_message()?;
        let (address, count) = rest.rsplit_once(": ").ok_or("maildrop ADDRESS: N")?;
        let wanted: i64 = count.parse().map_err(|_| "a number")?;
        let store = self.store.clone();
        let account = store.account(&fixture::mailbox(address)).await.map_err(|error| error.to_string())?;
        let account = account.ok_or("nobody of that name")?;
        let snapshot = store.maildrop(account.id).await.map_err(|error| error.to_string())?;
        let before = self.before.get(&account.address.to_string()).copied().unwrap_or(0);
        let more = snapshot.messages.len() as i64 - before as i64;
        if more != wanted {
            return Err(format!("there are {more}"));
        }
        self.message = None;
        if wanted > 0
            && let Some(last) = snapshot.messages.last()
        {
            self.message = Some(Message::read(&fixture::read_message(&*store, last).await)?);
        }
        Ok(())
    }

    fn check_line(&mut self, text: &str) -> Played {
        let message = self.message.as_mut().ok_or("no message")?;
        message.named = true;
        if message.rest.is_empty() {
            return Err("the message ends before this line".into());
        }
        let line = message.rest.remove(0);
        let expected = unescape(text);
        if line == expected {
            return Ok(());
        }
        Err(format!("the message has {}", line.escape_ascii()))
    }

    /// Whether a text is within a line of the rest.
    fn check_part(&self, text: &str, expected: bool) -> Played {
        let message = self.message.as_ref().ok_or("no message")?;
        let part = unescape(text);
        let is_there = message.rest.iter().any(|line| line.windows(part.len()).any(|octets| octets == part));
        match is_there == expected {
            true => Ok(()),
            false => Err(format!("the message is {}", message.rest.join(&b'\n').escape_ascii())),
        }
    }

    /// Whoever names a message's lines names all.
    fn end_message(&mut self) -> Played {
        match &self.message {
            Some(message) if message.named && !message.rest.is_empty() => {
                Err(format!("the message goes on: {}", message.rest[0].escape_ascii()))
            }
            _ => Ok(()),
        }
    }
}

impl Message {
    /// Takes `Return-Path:` and the first `Received:` off.
    fn read(octets: &[u8]) -> Played<Self> {
        let octets = octets.strip_suffix(b"\r\n").ok_or("the message does not end in CR LF")?;
        let text = octets.to_vec();
        let mut lines: Vec<Vec<u8>> = Vec::new();
        let mut rest = &text[..];
        while let Some(at) = rest.windows(2).position(|pair| pair == b"\r\n") {
            lines.push(rest[..at].to_vec());
            rest = &rest[at + 2..];
        }
        lines.push(rest.to_vec());
        let return_path = String::from_utf8_lossy(&lines.remove(0)).into_owned();
        let mut received = String::new();
        if lines.first().is_some_and(|line| line.starts_with(b"Received: ")) {
            received = String::from_utf8_lossy(&lines.remove(0)).into_owned();
            while lines.first().is_some_and(|line| line.starts_with(b" ") || line.starts_with(b"\t")) {
                received += " ";
                received += String::from_utf8_lossy(&lines.remove(0)).trim_start();
            }
        }
        Ok(Message { return_path, received, rest: lines, named: false })
    }
}

fn expect(pattern: &str, said: &str) -> Played {
    if fits(pattern, said) { Ok(()) } else { Err(format!("but it is `{said}`")) }
}

/// `*` stands for anything.
fn fits(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

/// `\r`, `\n`, `\xNN`, `\\`; any other backslash stands for itself.
fn unescape(text: &str) -> Vec<u8> {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((octet, more)) = rest.split_first() {
        rest = more;
        if *octet != b'\\' {
            octets.push(*octet);
            continue;
        }
        match rest {
            [b'r', more @ ..] => (octets.push(b'\r'), rest = more).1,
            [b'n', more @ ..] => (octets.push(b'\n'), rest = more).1,
            [b'\\', more @ ..] => (octets.push(b'\\'), rest = more).1,
            [b'x', high, low, more @ ..] => {
                let digits = String::from_utf8_lossy(&[*high, *low]).into_owned();
                octets.push(u8::from_str_radix(&digits, 16).expect("two hexadecimal digits"));
                rest = more;
            }
            _ => octets.push(b'\\'),
        }
    }
    octets
}
