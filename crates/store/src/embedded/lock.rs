//! One process at a time: the lock on the data directory.

use crate::StoreError;
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

/// How often, and after which pauses, a lock that somebody has is asked for again: an operator's command
/// has it for a moment, and so does a child process between its birth and its program.
const WAITS: u32 = 20;
const WAIT: Duration = Duration::from_millis(50);

/// Held until it is dropped, or the process ends in whatever way.
#[derive(Debug)]
pub(super) struct LockFile {
    _file: File,
}

impl LockFile {
    /// Takes the lock, or says who has it.
    pub(super) fn take(path: &Path) -> Result<Self, StoreError> {
        let failed = |error: &dyn std::fmt::Display| {
            StoreError::Failed(format!("the lock {} cannot be taken: {error}", path.display()))
        };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)
            .map_err(|error| failed(&error))?;
        let mut taken = flock(&file, FlockOperation::NonBlockingLockExclusive);
        for _ in 0..WAITS {
            if taken != Err(Errno::WOULDBLOCK) {
                break;
            }
            std::thread::sleep(WAIT);
            taken = flock(&file, FlockOperation::NonBlockingLockExclusive);
        }
        match taken {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => {
                let mut holder = String::new();
                let _ = (&mut file).take(32).read_to_string(&mut holder);
                return Err(StoreError::Failed(format!(
                    "the store is in use by process {} (lock {})",
                    holder.trim(),
                    path.display()
                )));
            }
            Err(error) => return Err(failed(&error)),
        }
        let written = file
            .set_len(0)
            .and_then(|()| file.seek(SeekFrom::Start(0)))
            .and_then(|_| writeln!(file, "{}", std::process::id()));
        written.map_err(|error| failed(&error))?;
        Ok(LockFile { _file: file })
    }
}
