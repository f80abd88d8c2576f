//! Export and import: mbox files and Maildir folders, with a count and a hash by which both sides can be compared.

use crate::Mbox;
use crate::desk::{ConversationQuery, Desk, DeskError, FolderKey, MarkView, MessageRow};
use bytes::Bytes;
use jiff::Timestamp;
use posta_message::Message;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use tokio::sync::mpsc;

/// Octets of one message that is imported.
const MESSAGE_OCTETS_MAX: usize = 128 * 1024 * 1024;
/// Messages read ahead.
const AHEAD: usize = 4;

/// What was carried over. Two sides hold the same messages if all three are equal: the digest doesn't depend on the order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TransferReport {
    /// Messages.
    pub messages: u64,
    /// Their octets, with CRLF line ends.
    pub octets: u64,
    /// BLAKE3 of the sorted BLAKE3 hashes of all messages, in hexadecimal.
    pub digest: String,
    /// What could not be carried over, in words.
    pub failures: Vec<String>,
}

/// Counts while messages pass.
#[derive(Default)]
struct Count {
    octets: u64,
    hashes: Vec<[u8; 32]>,
    failures: Vec<String>,
}

impl Count {
    fn add(&mut self, octets: &[u8]) {
        let whole = canonical(octets);
        self.octets += whole.len() as u64;
        self.hashes.push(*blake3::hash(&whole).as_bytes());
    }

    fn report(mut self) -> TransferReport {
        self.hashes.sort_unstable();
        let mut hasher = blake3::Hasher::new();
        for hash in &self.hashes {
            hasher.update(hash);
        }
        TransferReport {
            messages: self.hashes.len() as u64,
            octets: self.octets,
            digest: hasher.finalize().to_hex().to_string(),
            failures: self.failures,
        }
    }
}

/// Every line ends with CRLF, the last one too: the form that files with LF give back.
fn canonical(octets: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(octets.len() + octets.len() / 40 + 2);
    for line in octets.split_inclusive(|octet| *octet == b'\n') {
        let line =
            line.strip_suffix(b"\n").map(|line| line.strip_suffix(b"\r").unwrap_or(line)).unwrap_or(line);
        out.extend_from_slice(line);
        out.extend_from_slice(b"\r\n");
    }
    out
}

fn failed(error: impl std::fmt::Display) -> DeskError {
    DeskError::Failed(error.to_string())
}

/// Calls `take` with each message that fits the query.
async fn each_message(
    desk: &dyn Desk,
    query: &ConversationQuery,
    mut take: impl FnMut(&MessageRow, &Bytes) -> io::Result<()> + Send,
) -> Result<TransferReport, DeskError> {
    let mut query = ConversationQuery { limit: 200, cursor: None, skip: 0, ..query.clone() };
    let mut count = Count::default();
    loop {
        let page = desk.messages(&query).await?;
        for row in &page.rows {
            match desk.raw(&row.key).await {
                Ok(octets) => {
                    take(row, &octets).map_err(failed)?;
                    count.add(&octets);
                }
                // Somebody deleted it meanwhile.
                Err(DeskError::NotFound(_)) => {}
                Err(error) => return Err(error),
            }
        }
        match page.next {
            Some(next) => query.cursor = Some(next),
            None => return Ok(count.report()),
        }
    }
}

/// Appends the messages that fit the query to an mbox file.
pub async fn export_mbox(
    desk: &dyn Desk,
    query: &ConversationQuery,
    path: &Path,
) -> Result<TransferReport, DeskError> {
    let mut mbox = Mbox::open(path).map_err(failed)?;
    each_message(desk, query, |row, octets| {
        let at = row.time.strftime("%a %b %e %H:%M:%S %Y").to_string();
        mbox.begin(&row.from.address, &at)?;
        mbox.write(octets)?;
        mbox.finish()
    })
    .await
}

/// Puts the messages that fit the query into a Maildir, with their flags.
pub async fn export_maildir(
    desk: &dyn Desk,
    query: &ConversationQuery,
    folder: &Path,
) -> Result<TransferReport, DeskError> {
    for part in ["tmp", "new", "cur"] {
        std::fs::create_dir_all(folder.join(part)).map_err(failed)?;
    }
    each_message(desk, query, |row, octets| {
        let mut flags = String::new();
        // In the order of their letters, as the format asks for.
        for (is_set, letter) in [
            (row.draft.is_some(), 'D'),
            (row.is_flagged, 'F'),
            (row.is_forwarded, 'P'),
            (row.is_answered, 'R'),
            (row.is_read, 'S'),
        ] {
            if is_set {
                flags.push(letter);
            }
        }
        let name = format!("{}.{}.posta", row.time.as_second(), row.key);
        let temporary = folder.join("tmp").join(&name);
        let mut file = std::fs::File::create(&temporary)?;
        // Maildir has the line ends of the system.
        file.write_all(&with_lf(octets))?;
        file.sync_all()?;
        let place = if flags.is_empty() {
            folder.join("new").join(&name)
        } else {
            folder.join("cur").join(format!("{name}:2,{flags}"))
        };
        std::fs::rename(temporary, place)
    })
    .await
}

fn with_lf(octets: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(octets.len());
    for line in octets.split_inclusive(|octet| *octet == b'\n') {
        match line.strip_suffix(b"\r\n") {
            Some(line) => {
                out.extend_from_slice(line);
                out.push(b'\n');
            }
            None => out.extend_from_slice(line),
        }
    }
    out
}

/// A message from a file, with its marks.
type Found = Result<(MarkView, Vec<u8>), String>;

/// Puts the messages of an mbox file into a folder.
pub async fn import_mbox(
    desk: &dyn Desk,
    folder: &FolderKey,
    path: &Path,
) -> Result<TransferReport, DeskError> {
    let path = path.to_owned();
    import(desk, folder, move |sender| read_mbox(&path, &sender)).await
}

/// Puts the messages of a Maildir into a folder, with their flags.
pub async fn import_maildir(
    desk: &dyn Desk,
    folder: &FolderKey,
    path: &Path,
) -> Result<TransferReport, DeskError> {
    let path = path.to_owned();
    import(desk, folder, move |sender| read_maildir(&path, &sender)).await
}

async fn import(
    desk: &dyn Desk,
    folder: &FolderKey,
    read: impl FnOnce(mpsc::Sender<Found>) -> io::Result<()> + Send + 'static,
) -> Result<TransferReport, DeskError> {
    let (sender, mut receiver) = mpsc::channel(AHEAD);
    let reading = tokio::task::spawn_blocking(move || read(sender));
    let mut count = Count::default();
    while let Some(found) = receiver.recv().await {
        match found {
            Ok((mut marks, octets)) => {
                let octets = canonical(&octets);
                if marks.received_at.is_none() {
                    marks.received_at = Message::parse(&octets).root().date().map(|date| date.instant);
                }
                desk.append(folder, &marks, Bytes::from(octets.clone())).await?;
                count.add(&octets);
            }
            Err(words) => count.failures.push(words),
        }
    }
    reading.await.map_err(failed)?.map_err(failed)?;
    Ok(count.report())
}

/// mboxrd and its relatives: a line "From " after an empty line (or at the beginning) begins a message.
fn read_mbox(path: &Path, sender: &mpsc::Sender<Found>) -> io::Result<()> {
    let mut file = BufReader::with_capacity(256 * 1024, std::fs::File::open(path)?);
    let (mut message, mut line) = (Vec::new(), Vec::new());
    let (mut in_message, mut was_empty, mut too_large) = (false, true, false);
    let mut marks = MarkView::default();
    let send = |message: &mut Vec<u8>, marks: &mut MarkView, too_large: &mut bool| {
        // The empty line before the next "From " is the format's.
        for end in [&b"\r\n\r\n"[..], b"\n\n"] {
            if message.ends_with(end) {
                message.truncate(message.len() - end.len() / 2);
                break;
            }
        }
        let (octets, marks) = (std::mem::take(message), std::mem::take(marks));
        let found = if std::mem::take(too_large) {
            Err("a message is too large".to_owned())
        } else {
            Ok((marks, octets))
        };
        sender.blocking_send(found).is_ok()
    };
    loop {
        line.clear();
        let read = file.by_ref().take(MESSAGE_OCTETS_MAX as u64).read_until(b'\n', &mut line)?;
        let is_start = was_empty && line.starts_with(b"From ");
        if (read == 0 || is_start) && in_message && !send(&mut message, &mut marks, &mut too_large) {
            return Ok(());
        }
        if read == 0 {
            return Ok(());
        }
        if is_start {
            in_message = true;
            marks.is_read = true;
        } else if !in_message {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "it is no mbox: it does not begin with `From `",
            ));
        } else if message.len() + line.len() > MESSAGE_OCTETS_MAX {
            too_large = true;
        } else {
            let quotes = line.iter().take_while(|octet| **octet == b'>').count();
            let is_quoted = quotes > 0 && line[quotes..].starts_with(b"From ");
            message.extend_from_slice(if is_quoted { &line[1..] } else { &line });
        }
        was_empty = matches!(&line[..], b"\n" | b"\r\n");
    }
}

fn read_maildir(folder: &Path, sender: &mpsc::Sender<Found>) -> io::Result<()> {
    let mut files: Vec<PathBuf> = Vec::new();
    for part in ["cur", "new"] {
        for entry in std::fs::read_dir(folder.join(part))? {
            files.push(entry?.path());
        }
    }
    // Names begin with the time of delivery.
    files.sort_by(|one, other| one.file_name().cmp(&other.file_name()));
    for path in files {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if name.starts_with('.') {
            continue;
        }
        let data = std::fs::metadata(&path)?;
        if !data.is_file() || data.len() > MESSAGE_OCTETS_MAX as u64 {
            let _ = sender.blocking_send(Err(format!("{name} is too large or no file")));
            continue;
        }
        let flags = name.rsplit_once(":2,").map(|(_, flags)| flags).unwrap_or_default();
        let seconds = name.split('.').next().and_then(|seconds| seconds.parse().ok());
        let marks = MarkView {
            is_read: flags.contains('S'),
            is_answered: flags.contains('R'),
            is_flagged: flags.contains('F'),
            is_forwarded: flags.contains('P'),
            is_draft: flags.contains('D'),
            labels: Vec::new(),
            received_at: seconds.and_then(|seconds| Timestamp::from_second(seconds).ok()),
        };
        if sender.blocking_send(Ok((marks, std::fs::read(&path)?))).is_err() {
            return Ok(());
        }
    }
    Ok(())
}
