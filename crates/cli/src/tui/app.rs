//! What is on the screen, and how it is kept up with the desk.

use super::prompt::Prompt;
use super::reading::Reading;
use jiff::{ZonedDateTime, tz::TimeZone};
use posta_runtime::Clock;
use posta_ua::desk::{
    ConversationKey, ConversationQuery, ConversationRow, Desk, DeskError, Draft, FolderKey, FolderRole,
    FolderView, Notice, OutboxKey, PartPath, Person, UndoKey,
};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

/// Rows of a list that are held at once; more are fetched as one goes there.
const WINDOW_ROWS: u64 = 200;
/// Ways back that are remembered.
const BACKS_MAX: usize = 30;

/// What the terminal is to do after a key.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    Stay,
    Quit,
    /// Gives this text to the editor, and what comes back to [`App::edited`].
    Edit(String),
    /// Opens a file with the desktop's program.
    Open(PathBuf),
    /// Looks for new mail.
    Fetch,
    Redraw,
}

/// The list in view.
#[derive(Default)]
pub(super) struct List {
    pub(super) folder: Option<FolderKey>,
    pub(super) search: String,
    /// The place of the first row held.
    pub(super) offset: u64,
    pub(super) rows: Vec<ConversationRow>,
    pub(super) total: u64,
    /// The place of the chosen one, in the whole list.
    pub(super) selected: u64,
    /// The place of the first one on the screen.
    pub(super) top: u64,
}

/// A draft that waits for a decision.
pub(super) struct Composing {
    pub(super) draft: Draft,
    /// What was unfamiliar in its header.
    pub(super) note: Option<String>,
}

/// A question that is answered by yes or no.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Question {
    DiscardDraft,
    SendWithoutAttachment,
    CreateFolder(String),
    OpenProgram(usize),
}

/// What lies over the list and the conversation.
pub(super) enum Over {
    Nothing,
    Help { scroll: usize },
    Source { lines: Vec<String>, scroll: usize },
    Attachments { selected: usize },
    Composing(Box<Composing>),
}

/// A way back.
pub(super) enum Back {
    Change(UndoKey),
    Unsend(OutboxKey),
}

/// The whole of it.
pub(super) struct App {
    pub(super) desk: Arc<dyn Desk>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) zone: TimeZone,
    pub(super) owner: Person,
    pub(super) folders: Vec<FolderView>,
    pub(super) list: List,
    pub(super) reading: Option<Reading>,
    /// The keys are the conversation's, not the list's.
    pub(super) is_reading: bool,
    pub(super) over: Over,
    pub(super) prompt: Option<Prompt>,
    pub(super) question: Option<Question>,
    pub(super) tagged: BTreeSet<ConversationKey>,
    /// A word for the person, until the next key.
    pub(super) word: Option<String>,
    pub(super) backs: Vec<Back>,
    /// What is being written before there is a draft of it.
    pub(super) begun: Draft,
    /// Where attachments are saved.
    pub(super) downloads: PathBuf,
    /// Rows and cells of the panes, as last drawn.
    pub(super) list_height: usize,
    pub(super) reading_height: usize,
    /// There is a pane for the conversation beside the list.
    pub(super) is_wide: bool,
}

impl App {
    pub(super) async fn new(
        desk: Arc<dyn Desk>,
        clock: Arc<dyn Clock>,
        zone: TimeZone,
        downloads: PathBuf,
    ) -> Result<App, DeskError> {
        let owner = desk.owner().await?;
        let mut app = App {
            desk,
            clock,
            zone,
            owner,
            folders: Vec::new(),
            list: List { folder: Some(FolderKey::of(FolderRole::Inbox)), ..List::default() },
            reading: None,
            is_reading: false,
            over: Over::Nothing,
            prompt: None,
            question: None,
            tagged: BTreeSet::new(),
            word: None,
            backs: Vec::new(),
            begun: Draft::default(),
            downloads,
            list_height: 20,
            reading_height: 20,
            is_wide: false,
        };
        app.refresh().await?;
        Ok(app)
    }

    pub(super) fn now(&self) -> ZonedDateTime {
        self.clock.timestamp().to_zoned_datetime(self.zone.clone())
    }

    /// Reads folders, list and conversation anew.
    pub(super) async fn refresh(&mut self) -> Result<(), DeskError> {
        self.folders = self.desk.folders().await?;
        self.load_window().await?;
        self.follow_selection(true).await
    }

    /// The rows around the chosen one.
    async fn load_window(&mut self) -> Result<(), DeskError> {
        let offset = (self.list.selected / (WINDOW_ROWS / 2)).saturating_sub(1) * (WINDOW_ROWS / 2);
        let query = ConversationQuery {
            folder: self.list.folder.clone(),
            search: self.list.search.clone(),
            cursor: None,
            skip: offset,
            limit: WINDOW_ROWS as u32,
        };
        let page = self.desk.conversations(&query).await?;
        self.list.offset = offset;
        self.list.rows = page.rows;
        self.list.total = page.total;
        if self.list.selected >= page.total {
            self.list.selected = page.total.saturating_sub(1);
        }
        if page.total > 0 && self.row(self.list.selected).is_none() && offset > 0 {
            return Box::pin(self.load_window()).await;
        }
        Ok(())
    }

    /// The row at that place of the list, if it is held.
    pub(super) fn row(&self, place: u64) -> Option<&ConversationRow> {
        self.list.rows.get(usize::try_from(place.checked_sub(self.list.offset)?).ok()?)
    }

    /// The chosen conversation.
    pub(super) fn chosen(&self) -> Option<&ConversationRow> {
        self.row(self.list.selected)
    }

    /// Chooses the row at that place.
    pub(super) async fn select(&mut self, place: u64) -> Result<(), DeskError> {
        self.list.selected = place.min(self.list.total.saturating_sub(1));
        let last = self.list.offset + self.list.rows.len() as u64;
        let near_end = self.list.selected + WINDOW_ROWS / 4 >= last && last < self.list.total;
        let near_start = self.list.offset > 0 && self.list.selected < self.list.offset + WINDOW_ROWS / 4;
        if near_end || near_start {
            self.load_window().await?;
        }
        self.follow_selection(false).await
    }

    /// Where there is a pane for it, the chosen conversation is shown beside the list.
    pub(super) async fn follow_selection(&mut self, is_refresh: bool) -> Result<(), DeskError> {
        let open = self.reading.as_ref().map(|reading| reading.view.key.clone());
        if self.is_reading {
            // What is read stays, wherever it has gone to in the list.
            if let (Some(key), true) = (open, is_refresh) {
                return self.reload(&key).await;
            }
            return Ok(());
        }
        let chosen = self.chosen().map(|row| row.key.clone()).filter(|_| self.is_wide);
        match chosen {
            None => self.reading = None,
            Some(key) if open.as_ref() == Some(&key) => {
                if is_refresh {
                    self.reload(&key).await?;
                }
            }
            Some(key) => self.show(&key).await?,
        }
        Ok(())
    }

    async fn reload(&mut self, key: &ConversationKey) -> Result<(), DeskError> {
        match self.desk.conversation(key).await {
            Ok(view) if !view.messages.is_empty() => {
                if let Some(reading) = &mut self.reading {
                    reading.refresh(&*self.desk, view).await?;
                }
                Ok(())
            }
            Ok(_) | Err(DeskError::NotFound(_)) => {
                self.reading = None;
                self.is_reading = false;
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    pub(super) async fn show(&mut self, key: &ConversationKey) -> Result<(), DeskError> {
        let view = self.desk.conversation(key).await?;
        self.reading = Some(Reading::open(&*self.desk, view).await?);
        Ok(())
    }

    /// Another list.
    pub(super) async fn open_list(
        &mut self,
        folder: Option<FolderKey>,
        search: String,
    ) -> Result<(), DeskError> {
        self.list = List { folder, search, ..List::default() };
        self.tagged.clear();
        self.is_reading = false;
        self.reading = None;
        self.refresh().await
    }

    pub(super) fn folder_name(&self, key: &FolderKey) -> String {
        let found = self.folders.iter().find(|folder| folder.key == *key);
        found.map_or_else(|| key.to_string(), |folder| folder.name.clone())
    }

    /// News of the desk.
    pub(super) async fn told(&mut self, notice: Notice) {
        if let Notice::NewMail { from, subject, .. } = &notice {
            self.word = Some(format!("New mail from {}: {subject}", from.shown()));
        }
        if !matches!(notice, Notice::Settings) {
            // The same row stays chosen, though others come before it.
            let chosen = self.chosen().map(|row| row.key.clone());
            let refreshed = self.refresh().await;
            self.say_failure(refreshed);
            if let Some(key) = chosen
                && let Some(at) = self.list.rows.iter().position(|row| row.key == key)
                && self.list.selected > 0
            {
                self.list.selected = self.list.offset + at as u64;
            }
        }
    }

    pub(super) fn say(&mut self, words: impl Into<String>) {
        self.word = Some(words.into());
    }

    pub(super) fn say_failure<T>(&mut self, result: Result<T, DeskError>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(error) => {
                self.say(error.to_string());
                None
            }
        }
    }

    /// Remembers a way back.
    pub(super) fn remember(&mut self, back: Back) {
        self.backs.push(back);
        if self.backs.len() > BACKS_MAX {
            self.backs.remove(0);
        }
    }

    /// The file of the focused message at that place.
    pub(super) fn attachment(&self, at: usize) -> Option<(PartPath, String, bool)> {
        let part = self.reading.as_ref()?.focused_view()?.attachments.get(at)?;
        Some((part.path.clone(), part.name.clone(), part.is_risky))
    }
}
