//! Fetched mail in files: one `.eml` per message, or one mbox (RFC 4155).
//!
//! A message counts as kept only when its octets are durable; only then may it be deleted at the server.

use std::{
    fs, io,
    io::{BufWriter, Read, Seek, SeekFrom, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

/// A folder of `.eml` files: each message exactly as it came, named by its unique-id.
#[derive(Debug)]
pub struct EmlFolder {
    path: PathBuf,
}

/// A message being written into a folder. Dropping it leaves nothing behind.
#[derive(Debug)]
pub struct EmlWriter {
    file: Option<BufWriter<fs::File>>,
    temporary: PathBuf,
    target: PathBuf,
}

impl EmlFolder {
    /// The folder, made where it is missing (for the user alone).
    pub fn open(path: &Path) -> io::Result<EmlFolder> {
        fs::DirBuilder::new().recursive(true).create(path)?;
        Ok(EmlFolder { path: path.to_owned() })
    }

    /// Where a message of this name and size is kept already.
    pub fn find(&self, name: &str, octets: u64) -> Option<PathBuf> {
        let path = self.path.join(file_name(name));
        let metadata = fs::metadata(&path).ok()?;
        (metadata.is_file() && metadata.len() == octets).then_some(path)
    }

    /// Begins a message. What has the same name but is another message stays; the new one gets a number.
    pub fn create(&self, name: &str) -> io::Result<EmlWriter> {
        let base = file_name(name);
        let stem = base.strip_suffix(".eml").unwrap_or(&base).to_owned();
        let mut target = self.path.join(&base);
        for number in 2..10_000 {
            if !target.exists() {
                break;
            }
            target = self.path.join(format!("{stem}-{number}.eml"));
        }
        let temporary = target.with_extension("eml.part");
        match fs::remove_file(&temporary) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
        Ok(EmlWriter { file: Some(BufWriter::with_capacity(64 * 1024, file)), temporary, target })
    }
}

impl EmlWriter {
    /// Appends.
    pub fn write(&mut self, octets: &[u8]) -> io::Result<()> {
        match &mut self.file {
            Some(file) => file.write_all(octets),
            None => Err(io::Error::other("the file is closed")),
        }
    }

    /// Makes it durable and gives it its name.
    pub fn finish(mut self) -> io::Result<PathBuf> {
        let Some(file) = self.file.take() else { return Err(io::Error::other("the file is closed")) };
        file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
        // `hard_link` fails where the name was taken meanwhile; `rename` would overwrite it.
        fs::hard_link(&self.temporary, &self.target)?;
        if let Some(folder) = self.target.parent() {
            fs::File::open(folder)?.sync_all()?;
        }
        Ok(self.target.clone())
    }
}

impl Drop for EmlWriter {
    fn drop(&mut self) {
        // Finished or not: this name is not needed any more. Failing leaves a `.part` file at worst.
        let _ = fs::remove_file(&self.temporary);
    }
}

/// A file name that is one: what the server gave has no say over folders.
fn file_name(name: &str) -> String {
    let mut safe = String::with_capacity(name.len() + 4);
    for octet in name.bytes() {
        if octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_' | b'.') && !safe.is_empty() {
            safe.push(char::from(octet));
        } else {
            safe.push_str(&format!("%{octet:02x}"));
        }
    }
    safe + ".eml"
}

/// An mbox file: messages one after another, with LF line ends, `From ` lines between them and quoted where
/// they occur within (the form "mboxrd", from which the original can be had back).
#[derive(Debug)]
pub struct Mbox {
    file: BufWriter<fs::File>,
    /// Octets that are whole messages; what is behind is cut off after a failure.
    whole_octets: u64,
    line: Vec<u8>,
}

impl Mbox {
    /// Opens or makes the file; new messages are appended.
    pub fn open(path: &Path) -> io::Result<Mbox> {
        let mut options = fs::OpenOptions::new();
        let mut file = options.read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
        let mut start = [0; 5];
        let read = file.read(&mut start)?;
        if read > 0 && &start != b"From " {
            let words = format!("{} is no mbox: it does not begin with `From `", path.display());
            return Err(io::Error::new(io::ErrorKind::InvalidData, words));
        }
        let whole_octets = file.seek(SeekFrom::End(0))?;
        Ok(Mbox { file: BufWriter::with_capacity(64 * 1024, file), whole_octets, line: Vec::new() })
    }

    /// Begins a message: who sent it (`MAILER-DAEMON` where nobody is told) and when, as asctime has it.
    pub fn begin(&mut self, sender: &str, asctime: &str) -> io::Result<()> {
        let clean = |text: &str| text.replace(|c: char| c.is_control() || c == '\n', " ");
        let sender =
            if sender.is_empty() { "MAILER-DAEMON".to_owned() } else { clean(sender).replace(' ', "_") };
        writeln!(self.file, "From {sender} {}", clean(asctime))
    }

    /// Appends octets of the message in wire form.
    pub fn write(&mut self, octets: &[u8]) -> io::Result<()> {
        for part in octets.split_inclusive(|octet| *octet == b'\n') {
            self.line.extend_from_slice(part);
            // A line longer than this is no `From ` line any more; it may go in parts.
            if part.ends_with(b"\n") || self.line.len() > 64 * 1024 {
                self.write_line()?;
            }
        }
        Ok(())
    }

    fn write_line(&mut self) -> io::Result<()> {
        let mut line = std::mem::take(&mut self.line);
        if line.ends_with(b"\r\n") {
            line.truncate(line.len() - 2);
            line.push(b'\n');
        }
        let quotes = line.iter().take_while(|octet| **octet == b'>').count();
        if line[quotes..].starts_with(b"From ") {
            self.file.write_all(b">")?;
        }
        self.file.write_all(&line)?;
        line.clear();
        self.line = line;
        Ok(())
    }

    /// Ends the message and makes it durable.
    pub fn finish(&mut self) -> io::Result<()> {
        if !self.line.is_empty() {
            self.line.push(b'\n');
            self.write_line()?;
        }
        self.file.write_all(b"\n")?;
        self.file.flush()?;
        self.file.get_ref().sync_all()?;
        self.whole_octets = self.file.get_mut().stream_position()?;
        Ok(())
    }

    /// Takes a half-written message back.
    pub fn abandon(self) -> io::Result<()> {
        let (file, _) = self.file.into_parts();
        file.set_len(self.whole_octets)?;
        file.sync_all()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eml_files_are_what_came() {
        let folder = tempfile::tempdir().unwrap();
        let mail = EmlFolder::open(&folder.path().join("mail")).unwrap();
        let mut writer = mail.create("0dqzt4x9h2k3m").unwrap();
        writer.write(b"Subject: x\r\n").unwrap();
        writer.write(b"\r\nbody\r\n").unwrap();
        let path = writer.finish().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"Subject: x\r\n\r\nbody\r\n");
        assert_eq!(mail.find("0dqzt4x9h2k3m", 20), Some(path));
        assert_eq!(mail.find("0dqzt4x9h2k3m", 21), None);
        // The same name again is another file, and a dropped one is none.
        drop(mail.create("0dqzt4x9h2k3m").unwrap());
        let path = mail.create("0dqzt4x9h2k3m").unwrap().finish().unwrap();
        assert!(path.ends_with("0dqzt4x9h2k3m-2.eml"), "{}", path.display());
        assert_eq!(fs::read_dir(folder.path().join("mail")).unwrap().count(), 2);
    }

    #[test]
    fn names_from_the_server_stay_in_the_folder() {
        let table = [
            ("abc", "abc.eml"),
            ("../../etc/x", "%2e.%2f..%2fetc%2fx.eml"),
            (".", "%2e.eml"),
            ("-rf", "%2drf.eml"),
            ("a:b", "a%3ab.eml"),
        ];
        for (name, expected) in table {
            assert_eq!(file_name(name), expected);
        }
    }

    #[test]
    fn mbox_quotes_and_appends() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mail.mbox");
        let mut mbox = Mbox::open(&path).unwrap();
        mbox.begin("ada@north.example", "Sat Nov 17 20:18:49 2007").unwrap();
        mbox.write(b"Subject: x\r\n\r\nFrom here\r").unwrap();
        mbox.write(b"\n>From there\r\nfrom\r\nno end").unwrap();
        mbox.finish().unwrap();
        drop(mbox);
        let mut mbox = Mbox::open(&path).unwrap();
        mbox.begin("", "Sat Nov 17 20:18:49 2007").unwrap();
        mbox.write(b"Subject: y\r\n\r\n").unwrap();
        mbox.finish().unwrap();
        mbox.begin("lost", "x").unwrap();
        mbox.write(&[b'x'; 100_000]).unwrap();
        mbox.abandon().unwrap();
        let expected = "From ada@north.example Sat Nov 17 20:18:49 2007\nSubject: x\n\n>From here\n>>From there\nfrom\nno end\n\nFrom MAILER-DAEMON Sat Nov 17 20:18:49 2007\nSubject: y\n\n\n";
        assert_eq!(fs::read_to_string(&path).unwrap(), expected);
        fs::write(&path, "something else").unwrap();
        assert!(Mbox::open(&path).is_err());
    }
}
