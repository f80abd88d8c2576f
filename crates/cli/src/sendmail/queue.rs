//! The person's own small queue: what the server could not take yet. Each message is one file, the envelope as a line
//! of JSON before it; a file is whole and on the disk before it has its name, and goes away only when the server has
//! taken the message.

use super::{
    limits::{ENVELOPE_OCTETS_MAX, QUEUE_MESSAGES_MAX, QUEUE_OCTETS_MAX},
    sysexits::{Exit, Failure},
};
use jiff::Timestamp;
use posta_address::{Mailbox, ReversePath};
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, File},
    io::{self, BufRead, BufReader, Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

/// The end of the names of files that hold a message.
const EXTENSION: &str = "letter";

/// What is known of a message besides its octets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Envelope {
    pub(super) reverse_path: ReversePath,
    /// Those who haven't got it yet.
    pub(super) recipients: Vec<Mailbox>,
    /// As in the call's options.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) smtp: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) account: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) notify: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) returned: Option<String>,
    /// In xtext.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) envelope_id: Option<String>,
    pub(super) since: Timestamp,
    pub(super) attempts: u32,
    /// What the last attempt came to, in words.
    pub(super) reason: String,
    /// The server will not have it: it stays for its sender to decide.
    #[serde(default)]
    pub(super) is_refused: bool,
}

/// A message in the queue.
pub(super) struct Waiting {
    pub(super) id: String,
    pub(super) envelope: Envelope,
    pub(super) size_octets: u64,
}

/// The folder.
pub(super) struct Queue {
    folder: PathBuf,
}

/// While it lives, nobody else sends what waits.
pub(super) struct Turn(#[expect(dead_code, reason = "held open for its lock")] File);

impl Queue {
    /// The queue in this folder, which is made with the first message.
    pub(super) fn new(folder: PathBuf) -> Queue {
        Queue { folder }
    }

    /// Keeps a message; durable when it returns.
    pub(super) fn keep(&self, id: &str, envelope: &Envelope, octets: &[u8]) -> Result<(), Failure> {
        let failed = |error: io::Error| {
            Failure::new(Exit::CannotCreate, format!("{}: {error}", self.folder.display()))
        };
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.folder).map_err(failed)?;
        let (count, total) = self.extent().map_err(failed)?;
        if count >= QUEUE_MESSAGES_MAX || total + octets.len() as u64 > QUEUE_OCTETS_MAX {
            let words = format!("the queue is full ({count} messages); see `posta sendmail -bp`");
            return Err(Failure::new(Exit::TemporaryFailure, words));
        }
        self.write(id, envelope, octets).map_err(failed)
    }

    /// The next version of what is there.
    pub(super) fn replace(&self, id: &str, envelope: &Envelope, octets: &[u8]) -> io::Result<()> {
        self.write(id, envelope, octets)
    }

    fn write(&self, id: &str, envelope: &Envelope, octets: &[u8]) -> io::Result<()> {
        let temporary = self.folder.join(format!("{id}.new"));
        let mut file =
            fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
        let mut line = serde_json::to_vec(envelope)?;
        line.push(b'\n');
        file.write_all(&line)?;
        file.write_all(octets)?;
        file.sync_all()?;
        fs::rename(temporary, self.path(id))?;
        self.sync()
    }

    /// A message that is done with.
    pub(super) fn remove(&self, id: &str) -> io::Result<()> {
        fs::remove_file(self.path(id))?;
        self.sync()
    }

    /// All messages, the oldest first. Files that can't be read are told by name.
    pub(super) fn list(&self) -> io::Result<(Vec<Waiting>, Vec<String>)> {
        let (mut waiting, mut broken) = (Vec::new(), Vec::new());
        for id in self.ids()? {
            match self.open(&id) {
                Ok((envelope, _, size_octets)) => waiting.push(Waiting { id, envelope, size_octets }),
                // Sent meanwhile.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => broken.push(format!("{}: {error}", self.path(&id).display())),
            }
        }
        Ok((waiting, broken))
    }

    /// A message with its octets.
    pub(super) fn read(&self, id: &str) -> io::Result<(Envelope, Vec<u8>)> {
        let (envelope, mut file, _) = self.open(id)?;
        let mut octets = Vec::new();
        file.read_to_end(&mut octets)?;
        Ok((envelope, octets))
    }

    /// Whether such a message may be there; ids are names of files.
    pub(super) fn has(&self, id: &str) -> bool {
        !id.is_empty() && id.bytes().all(|octet| octet.is_ascii_alphanumeric()) && self.path(id).exists()
    }

    /// Waits for nobody: `None` while another call sends.
    pub(super) fn take_turn(&self) -> io::Result<Option<Turn>> {
        let path = self.folder.join("lock");
        let file = fs::OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(Turn(file))),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn open(&self, id: &str) -> io::Result<(Envelope, BufReader<File>, u64)> {
        let file = File::open(self.path(id))?;
        let size = file.metadata()?.len();
        let mut file = BufReader::new(file);
        let mut line = Vec::new();
        file.by_ref().take(ENVELOPE_OCTETS_MAX as u64).read_until(b'\n', &mut line)?;
        let envelope = serde_json::from_slice(&line)?;
        Ok((envelope, file, size - line.len() as u64))
    }

    /// Names begin with the time, so their order is that of arrival.
    fn ids(&self) -> io::Result<Vec<String>> {
        let entries = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut ids = Vec::new();
        for entry in entries {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == EXTENSION)
                && let Some(id) = path.file_stem().and_then(|stem| stem.to_str())
            {
                ids.push(id.to_owned());
            }
        }
        ids.sort();
        Ok(ids)
    }

    /// Messages and octets.
    fn extent(&self) -> io::Result<(usize, u64)> {
        let ids = self.ids()?;
        let sizes = ids.iter().filter_map(|id| fs::metadata(self.path(id)).ok());
        Ok((ids.len(), sizes.map(|data| data.len()).sum()))
    }

    fn path(&self, id: &str) -> PathBuf {
        self.folder.join(id).with_extension(EXTENSION)
    }

    /// A new name, or a name that is gone, is on the disk.
    fn sync(&self) -> io::Result<()> {
        File::open(Path::new(&self.folder))?.sync_all()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn envelope() -> Envelope {
        Envelope {
            reverse_path: ReversePath::Null,
            recipients: vec!["bob@south.example".parse().unwrap()],
            smtp: Some("127.0.0.1:25".into()),
            account: None,
            notify: None,
            returned: None,
            envelope_id: None,
            since: "2026-11-24T00:00:00Z".parse().unwrap(),
            attempts: 1,
            reason: "nobody is there".into(),
            is_refused: false,
        }
    }

    #[test]
    fn what_is_kept_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let queue = Queue::new(folder.path().join("outgoing"));
        assert!(queue.list().unwrap().0.is_empty(), "a queue that was never used is empty");
        queue.keep("02b", &envelope(), b"Subject: x\r\n\r\n\n").unwrap();
        queue.keep("01a", &envelope(), b"").unwrap();
        let (waiting, broken) = queue.list().unwrap();
        let ids: Vec<_> = waiting.iter().map(|waiting| (waiting.id.as_str(), waiting.size_octets)).collect();
        assert_eq!((ids, broken.len()), (vec![("01a", 0), ("02b", 15)], 0));
        assert_eq!(queue.read("02b").unwrap(), (envelope(), b"Subject: x\r\n\r\n\n".to_vec()));
        let turn = queue.take_turn().unwrap();
        assert!(turn.is_some() && queue.take_turn().unwrap().is_none(), "one sends at a time");
        queue.remove("02b").unwrap();
        assert!(!queue.has("02b") && queue.has("01a") && !queue.has("../01a"));
    }

    #[test]
    fn a_file_that_is_no_message_hides_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let queue = Queue::new(folder.path().to_owned());
        queue.keep("02b", &envelope(), b"x").unwrap();
        fs::write(folder.path().join("01a.letter"), "{half").unwrap();
        fs::write(folder.path().join("03c.new"), "").unwrap();
        let (waiting, broken) = queue.list().unwrap();
        assert_eq!((waiting.len(), broken.len()), (1, 1));
    }
}
