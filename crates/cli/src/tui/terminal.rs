//! The terminal itself: taken over and given back, keys read on a thread of their own, programs run in between.

use crossterm::event::{self, Event};
use ratatui::{DefaultTerminal, Frame};
use std::io;
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;

/// How long the thread waits for a key before it looks whether it is still wanted.
const PATIENCE: Duration = Duration::from_millis(50);
/// Octets of a text that an editor gives back.
const TEXT_OCTETS_MAX: u64 = 4 * 1024 * 1024;

/// The terminal while it is ours. It is given back when this is dropped, and on a panic.
pub(super) struct Screen {
    terminal: Option<DefaultTerminal>,
    events: mpsc::Receiver<Event>,
    reader: Arc<Reader>,
}

#[derive(Default)]
struct Reader {
    /// Held while keys are read.
    reading: Mutex<()>,
    /// Another program has the terminal, or is to have it.
    is_paused: AtomicBool,
    is_over: AtomicBool,
}

impl Screen {
    pub(super) fn begin() -> io::Result<Screen> {
        // The hook that this sets gives the terminal back before a panic is told.
        let terminal = ratatui::try_init()?;
        let (sender, events) = mpsc::channel(64);
        let reader = Arc::new(Reader::default());
        let reading = reader.clone();
        std::thread::Builder::new().name("keys".into()).spawn(move || reading.run(&sender))?;
        Ok(Screen { terminal: Some(terminal), events, reader })
    }

    pub(super) fn end(self) {}

    pub(super) fn width(&self) -> io::Result<u16> {
        Ok(crossterm::terminal::size()?.0)
    }

    pub(super) fn draw(&mut self, paint: impl FnOnce(&mut Frame<'_>)) -> io::Result<()> {
        self.terminal()?.draw(paint).map(drop)
    }

    pub(super) fn clear(&mut self) -> io::Result<()> {
        self.terminal()?.clear()
    }

    /// The next key or change of size; `None` when the terminal has gone.
    pub(super) async fn event(&mut self) -> Option<Event> {
        self.events.recv().await
    }

    fn terminal(&mut self) -> io::Result<&mut DefaultTerminal> {
        self.terminal.as_mut().ok_or_else(|| io::Error::other("another program has the terminal"))
    }

    /// Gives the terminal to the person's editor with this text; what the text is after that.
    pub(super) async fn edit(&mut self, text: &str) -> io::Result<String> {
        // Readable by nobody else; editors know the ending.
        let file = tempfile::Builder::new().prefix("posta-").suffix(".eml").tempfile()?;
        std::fs::write(file.path(), text)?;
        let editor = ["VISUAL", "EDITOR"].iter().find_map(|name| std::env::var(name).ok());
        let editor = editor.filter(|editor| !editor.trim().is_empty()).unwrap_or_else(|| "vi".into());
        // As other programs do it: the variable may hold options.
        let mut command = tokio::process::Command::new("sh");
        command.arg("-c").arg(format!("{editor} \"$1\"")).arg("sh").arg(file.path());
        let status = self.lend(command).await?;
        if !status.success() {
            return Err(io::Error::other(format!("{editor}: {status}")));
        }
        let length = std::fs::metadata(file.path())?.len();
        if length > TEXT_OCTETS_MAX {
            return Err(io::Error::other("the text is too long for a message"));
        }
        Ok(String::from_utf8_lossy(&std::fs::read(file.path())?).into_owned())
    }

    /// Opens a file with the desktop's program, which goes on beside us.
    pub(super) async fn open(&mut self, path: &Path) -> io::Result<()> {
        let mut command = tokio::process::Command::new("xdg-open");
        command.arg(path).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().map_err(|error| {
            io::Error::other(format!("xdg-open can't be started ({error}); s saves the file instead"))
        })?;
        tokio::spawn(async move { child.wait().await });
        Ok(())
    }

    /// Lets a program have the terminal until it ends.
    async fn lend(&mut self, mut command: tokio::process::Command) -> io::Result<std::process::ExitStatus> {
        self.reader.is_paused.store(true, Ordering::SeqCst);
        // Once the lock is had, no key is being read; it isn't held over the wait: the flag is enough then.
        drop(self.reader.reading.lock().unwrap_or_else(PoisonError::into_inner));
        self.terminal = None;
        ratatui::try_restore()?;
        let status = command.status().await;
        let terminal = ratatui::try_init();
        self.reader.is_paused.store(false, Ordering::SeqCst);
        self.terminal = Some(terminal?);
        self.clear()?;
        status
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.reader.is_over.store(true, Ordering::SeqCst);
        self.terminal = None;
        ratatui::restore();
    }
}

impl Reader {
    fn run(&self, sender: &mpsc::Sender<Event>) {
        while !self.is_over.load(Ordering::SeqCst) && !sender.is_closed() {
            if self.is_paused.load(Ordering::SeqCst) {
                std::thread::sleep(PATIENCE / 2);
                continue;
            }
            let read = {
                let _reading = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
                if self.is_paused.load(Ordering::SeqCst) {
                    continue;
                }
                match event::poll(PATIENCE) {
                    Ok(true) => event::read().map(Some),
                    Ok(false) => Ok(None),
                    Err(error) => Err(error),
                }
            };
            match read {
                Ok(Some(event)) => {
                    if sender.blocking_send(event).is_err() {
                        return;
                    }
                }
                Ok(None) => {}
                Err(_) => return,
            }
        }
    }
}
