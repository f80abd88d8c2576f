//! What keys do to the desk.

use super::app::{App, Back, Composing, Over, Step};
use super::keys::Action;
use super::prompt::{Prompt, Wanted};
use super::when;
use posta_ua::desk::{
    Change, DeskError, Done, Draft, FolderKey, FolderRole, ReadOptions, ReplyKind, Selection, Unsubscribe,
};
use std::time::Duration;

/// Lines of a source that are shown.
const SOURCE_LINES_MAX: usize = 50_000;

impl App {
    /// Does what was asked for; a failure is told on the last line.
    pub(super) async fn act(&mut self, action: Action) -> Step {
        let done = self.perform(action).await;
        self.say_failure(done).unwrap_or(Step::Stay)
    }

    async fn perform(&mut self, action: Action) -> Result<Step, DeskError> {
        match action {
            Action::Quit if !self.list.search.is_empty() => {
                let inbox = self.list.folder.clone().unwrap_or_else(|| FolderKey::of(FolderRole::Inbox));
                self.open_list(Some(inbox), String::new()).await?;
            }
            Action::Quit => return Ok(Step::Quit),
            Action::Redraw => return Ok(Step::Redraw),
            Action::Fetch => return Ok(Step::Fetch),
            Action::Help => self.over = Over::Help { scroll: 0 },
            Action::Search => self.prompt = Some(Prompt::new(Wanted::Search, &self.list.search)),
            Action::Folder => self.ask_folder(Wanted::OpenFolder),
            Action::Save if self.has_selection() => self.ask_folder(Wanted::MoveTo),
            Action::Label if self.has_selection() => self.ask(Wanted::Label),
            Action::Snooze if self.has_selection() => self.ask(Wanted::Snooze),
            Action::Write => {
                self.begun = Draft::default();
                self.ask(Wanted::NewTo);
            }
            Action::Undo => self.go_back().await?,
            Action::Down | Action::Up | Action::PageDown | Action::PageUp | Action::First | Action::Last => {
                self.go(action).await?;
            }
            Action::Tag => self.tag().await?,
            Action::NextUnread => self.next_unread().await?,
            Action::Delete => self.move_to(FolderRole::Trash).await?,
            Action::Archive => self.move_to(FolderRole::Archive).await?,
            Action::Junk => self.move_to(FolderRole::Junk).await?,
            Action::Flag | Action::Read | Action::Mute => self.mark(action).await?,
            Action::Reply => return self.answer(ReplyKind::Reply).await,
            Action::ReplyAll => return self.answer(ReplyKind::ReplyAll).await,
            Action::ReplyList => return self.answer(ReplyKind::ReplyList).await,
            Action::Forward => return self.answer(ReplyKind::Forward).await,
            Action::Again => return self.write_again().await,
            Action::Unsubscribe => self.unsubscribe().await?,
            Action::Open => self.open_chosen().await?,
            _ => self.read_on(action).await?,
        }
        Ok(Step::Stay)
    }

    pub(super) fn ask(&mut self, wanted: Wanted) {
        self.prompt = Some(Prompt::new(wanted, ""));
    }

    fn ask_folder(&mut self, wanted: Wanted) {
        let mut prompt = Prompt::new(wanted, "");
        prompt.offer(self.folder_choices(""));
        self.prompt = Some(prompt);
    }

    pub(super) fn folder_choices(&self, typed: &str) -> Vec<String> {
        let typed = typed.to_lowercase();
        let names = self.folders.iter().map(|folder| folder.name.clone());
        let mut fitting: Vec<String> = names.filter(|name| name.to_lowercase().contains(&typed)).collect();
        // Those that begin so are likelier meant.
        fitting.sort_by_key(|name| !name.to_lowercase().starts_with(&typed));
        fitting
    }

    async fn go(&mut self, action: Action) -> Result<(), DeskError> {
        if self.is_reading {
            let page = self.reading_height.saturating_sub(2).max(1);
            if let Some(reading) = &mut self.reading {
                reading.scroll = match action {
                    Action::Down => reading.scroll + 1,
                    Action::Up => reading.scroll.saturating_sub(1),
                    Action::PageDown => reading.scroll + page,
                    Action::PageUp => reading.scroll.saturating_sub(page),
                    Action::First => 0,
                    // Drawing knows how far that is.
                    _ => usize::MAX / 2,
                };
                reading.follows_focus = false;
            }
            return Ok(());
        }
        let page = self.list_height.saturating_sub(1).max(1) as u64;
        let selected = self.list.selected;
        let place = match action {
            Action::Down => selected + 1,
            Action::Up => selected.saturating_sub(1),
            Action::PageDown => selected + page,
            Action::PageUp => selected.saturating_sub(page),
            Action::First => 0,
            _ => self.list.total.saturating_sub(1),
        };
        self.select(place).await
    }

    async fn next_unread(&mut self) -> Result<(), DeskError> {
        let places = self.list.offset..self.list.offset + self.list.rows.len() as u64;
        let is_unread = |place: &u64| self.row(*place).is_some_and(|row| row.unread > 0);
        let after = places.clone().filter(|place| *place > self.list.selected).find(is_unread);
        let found = after.or_else(|| places.filter(|place| *place < self.list.selected).find(is_unread));
        let Some(place) = found else {
            self.say("No unread conversation here");
            return Ok(());
        };
        self.select(place).await?;
        if self.is_reading { self.open_chosen().await } else { Ok(()) }
    }

    pub(super) async fn open_chosen(&mut self) -> Result<(), DeskError> {
        let Some(row) = self.chosen() else { return Ok(()) };
        let (key, unread) = (row.key.clone(), row.unread);
        self.show(&key).await?;
        self.is_reading = true;
        if unread > 0 {
            // Read by being opened: no way back is remembered for that.
            let selection = Selection::conversation(key);
            self.desk.change(&Change::Read { selection, read: true }).await?;
            self.refresh().await?;
        }
        Ok(())
    }

    /// What is meant: tagged conversations, the one that is read, or the chosen one.
    fn selection(&self) -> Selection {
        let within = self.list.folder.clone();
        let open = self.reading.as_ref().filter(|_| self.is_reading).map(|reading| reading.view.key.clone());
        let conversations = match (open, self.tagged.is_empty()) {
            (Some(key), _) => vec![key],
            (None, false) => self.tagged.iter().cloned().collect(),
            (None, true) => self.chosen().map(|row| row.key.clone()).into_iter().collect(),
        };
        Selection { conversations, messages: Vec::new(), within }
    }

    fn has_selection(&self) -> bool {
        !self.selection().conversations.is_empty()
    }

    async fn tag(&mut self) -> Result<(), DeskError> {
        if let Some(key) = self.chosen().map(|row| row.key.clone()) {
            if !self.tagged.remove(&key) {
                self.tagged.insert(key);
            }
            self.select(self.list.selected + 1).await?;
        }
        Ok(())
    }

    /// Changes what is meant, and says so.
    pub(super) async fn change(&mut self, change: impl FnOnce(Selection) -> Change) -> Result<(), DeskError> {
        let selection = self.selection();
        if selection.conversations.is_empty() {
            return Ok(());
        }
        let done = self.desk.change(&change(selection)).await?;
        self.tagged.clear();
        self.note(done);
        self.refresh().await
    }

    fn note(&mut self, done: Done) {
        let hint = if done.undo.is_some() { " · u undoes" } else { "" };
        self.say(format!("{}{hint}", done.text));
        if let Some(undo) = done.undo {
            self.remember(Back::Change(undo));
        }
    }

    async fn move_to(&mut self, role: FolderRole) -> Result<(), DeskError> {
        let folder = FolderKey::of(role);
        if role == FolderRole::Trash && self.list.folder.as_ref() == Some(&folder) {
            self.say("It is in Trash already; s moves it elsewhere");
            return Ok(());
        }
        self.move_into(folder).await
    }

    pub(super) async fn move_into(&mut self, folder: FolderKey) -> Result<(), DeskError> {
        // What was read has gone elsewhere: back to the list, where the next one is.
        if self.is_reading {
            let selection = self.selection();
            let done = self.desk.change(&Change::Move { selection, folder }).await?;
            self.is_reading = false;
            self.reading = None;
            self.note(done);
            return self.refresh().await;
        }
        self.change(|selection| Change::Move { selection, folder }).await
    }

    async fn mark(&mut self, action: Action) -> Result<(), DeskError> {
        let row = match self.reading.as_ref().filter(|_| self.is_reading) {
            Some(reading) => self.list.rows.iter().find(|row| row.key == reading.view.key),
            None => self.chosen(),
        };
        let (flagged, unread, muted) =
            row.map_or((false, 0, false), |row| (row.is_flagged, row.unread, row.is_muted));
        self.change(|selection| match action {
            Action::Flag => Change::Flag { selection, flagged: !flagged },
            Action::Mute => Change::Mute { selection, muted: !muted },
            _ => Change::Read { selection, read: unread > 0 },
        })
        .await?;
        if action == Action::Read && self.is_reading && unread == 0 {
            self.is_reading = false;
        }
        Ok(())
    }

    async fn go_back(&mut self) -> Result<(), DeskError> {
        match self.backs.pop() {
            None => self.say("There is nothing to undo"),
            Some(Back::Change(undo)) => {
                let done = self.desk.undo(&undo).await?;
                self.say(done.text);
                self.refresh().await?;
            }
            Some(Back::Unsend(outbox)) => {
                let key = self.desk.unsend(&outbox).await?;
                let draft = self.desk.draft(&key).await?;
                self.say("Taken back: nothing was sent");
                self.over = Over::Composing(Box::new(Composing { draft, note: None }));
                self.refresh().await?;
            }
        }
        Ok(())
    }

    /// The message that answers go to: the focused one, or the newest of the chosen conversation.
    fn meant_message(&self) -> Option<posta_ua::desk::MessageKey> {
        match self.reading.as_ref().filter(|_| self.is_reading) {
            Some(reading) => reading.focused_key(),
            None => self.chosen().map(|row| row.latest.clone()),
        }
    }

    async fn answer(&mut self, kind: ReplyKind) -> Result<Step, DeskError> {
        let Some(message) = self.meant_message() else { return Ok(Step::Stay) };
        let draft = self.desk.reply_draft(&message, kind).await?;
        if matches!(kind, ReplyKind::Forward | ReplyKind::ForwardAttached) {
            self.begun = draft;
            self.ask(Wanted::ForwardTo);
            return Ok(Step::Stay);
        }
        Ok(self.edit(draft))
    }

    async fn write_again(&mut self) -> Result<Step, DeskError> {
        let Some(message) = self.meant_message() else { return Ok(Step::Stay) };
        let view = self.desk.message(&message, &ReadOptions::default()).await?;
        let mut draft = match view.row.draft {
            Some(key) => self.desk.draft(&key).await?,
            None => self.desk.reply_draft(&message, ReplyKind::Again).await?,
        };
        draft.body = App::plain(&draft.body, &view.body.text);
        Ok(self.edit(draft))
    }

    /// Into the editor with it.
    pub(super) fn edit(&mut self, draft: Draft) -> Step {
        let text = super::letter::to_text(&draft);
        self.over = Over::Composing(Box::new(Composing { draft, note: None }));
        Step::Edit(text)
    }

    async fn unsubscribe(&mut self) -> Result<(), DeskError> {
        let Some(message) = self.meant_message() else { return Ok(()) };
        match self.desk.unsubscribe(&message).await? {
            None => self.say("You are off this list, or will be soon"),
            Some(Unsubscribe::OneClick(page) | Unsubscribe::Page(page)) => {
                self.say(format!("Open this page to get off the list: {page}"));
            }
            Some(Unsubscribe::Mail { address, .. }) => {
                self.say(format!("Write to {address} to get off the list"));
            }
        }
        Ok(())
    }

    /// Keys of the conversation.
    async fn read_on(&mut self, action: Action) -> Result<(), DeskError> {
        match action {
            Action::Back => {
                self.is_reading = false;
                return self.follow_selection(false).await;
            }
            Action::NextConversation | Action::PreviousConversation => {
                let selected = self.list.selected;
                let place = if action == Action::NextConversation {
                    (selected + 1).min(self.list.total.saturating_sub(1))
                } else {
                    selected.saturating_sub(1)
                };
                if place == selected {
                    self.say("There are no more conversations");
                    return Ok(());
                }
                self.select(place).await?;
                return self.open_chosen().await;
            }
            _ => {}
        }
        let desk = self.desk.clone();
        let Some(reading) = &mut self.reading else { return Ok(()) };
        let last = reading.messages.len().saturating_sub(1);
        match action {
            Action::NextMessage | Action::PreviousMessage => {
                let next = action == Action::NextMessage;
                reading.focused =
                    if next { (reading.focused + 1).min(last) } else { reading.focused.saturating_sub(1) };
                reading.follows_focus = true;
                return reading.unfold(&*desk, reading.focused).await;
            }
            Action::Fold => {
                let at = reading.focused;
                if reading.messages.get(at).is_some_and(|opened| opened.is_unfolded) {
                    reading.messages[at].is_unfolded = false;
                    return Ok(());
                }
                return reading.unfold(&*desk, at).await;
            }
            Action::Quotes => reading.shows_quotes = !reading.shows_quotes,
            Action::Attachments => {
                reading.unfold(&*desk, reading.focused).await?;
                if reading.focused_view().is_some_and(|view| !view.attachments.is_empty()) {
                    self.over = Over::Attachments { selected: 0 };
                } else {
                    self.say("This message has no attachments");
                }
            }
            _ => return self.look_closer(action).await,
        }
        Ok(())
    }

    /// Keys for the focused message.
    async fn look_closer(&mut self, action: Action) -> Result<(), DeskError> {
        let Some(key) = self.meant_message() else { return Ok(()) };
        match action {
            Action::Source => {
                let raw = self.desk.raw(&key).await?;
                let text = String::from_utf8_lossy(&raw);
                let lines = text.lines().take(SOURCE_LINES_MAX).map(str::to_owned).collect();
                self.over = Over::Source { lines, scroll: 0 };
            }
            Action::Images => {
                let from = self.reading.as_ref().and_then(|reading| reading.focused_view());
                if let Some(address) = from.map(|view| view.row.from.address.clone()) {
                    self.desk.allow_images(&address, true).await?;
                    self.say(format!("Remote images of {address} will be shown where images can be"));
                }
            }
            Action::Receipt => {
                self.desk.answer_receipt(&key, true).await?;
                self.say("The receipt is on its way");
                self.refresh().await?;
            }
            _ => {}
        }
        Ok(())
    }

    pub(super) async fn snooze(&mut self, said: &str) -> Result<(), DeskError> {
        let Some(until) = when::later(said, &self.now()) else {
            self.say(format!("`{said}` is no time to come"));
            return Ok(());
        };
        if self.is_reading {
            let selection = self.selection();
            let done = self.desk.change(&Change::Snooze { selection, until: Some(until) }).await?;
            self.is_reading = false;
            self.reading = None;
            self.note(done);
            return self.refresh().await;
        }
        self.change(|selection| Change::Snooze { selection, until: Some(until) }).await
    }

    pub(super) async fn label(&mut self, said: &str) -> Result<(), DeskError> {
        let (mut add, mut remove) = (Vec::new(), Vec::new());
        for word in said.split_whitespace() {
            match word.strip_prefix('-') {
                Some(label) => remove.push(label.to_owned()),
                None => add.push(word.trim_start_matches('+').to_owned()),
            }
        }
        self.change(|selection| Change::Label { selection, add, remove }).await
    }
}

/// How often the clock is looked at though nothing happens, so that times in the list are right.
pub(super) const REDRAW: Duration = Duration::from_secs(30);
