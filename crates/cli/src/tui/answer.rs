//! Keys and answers: whom a key concerns, and what comes of prompts and questions.

use super::app::{App, Back, Over, Question, Step};
use super::keys;
use super::prompt::{Field, Prompt, Typed, Wanted};
use super::{letter, when};
use crossterm::event::KeyEvent;
use posta_ua::desk::{DeskError, Draft, SendOptions};
use std::path::{Path, PathBuf};

/// Suggestions for an address.
const SUGGESTIONS: u32 = 8;
/// File names that are suggested.
const FILES_MAX: usize = 8;

impl App {
    /// A key was pressed.
    pub(super) async fn key(&mut self, key: KeyEvent) -> Step {
        self.word = None;
        let name = keys::name(key);
        if let Some(question) = self.question.take() {
            let answered = self.answered_question(question, &name).await;
            return self.say_failure(answered).unwrap_or(Step::Stay);
        }
        if self.prompt.is_some() {
            let done = self.key_in_prompt(key).await;
            return self.say_failure(done).unwrap_or(Step::Stay);
        }
        match &self.over {
            Over::Nothing => match keys::action(&name, self.is_reading) {
                Some(action) => self.act(action).await,
                None if name == "^C" => Step::Quit,
                None => {
                    self.say("That key does nothing here · ? shows those that do");
                    Step::Stay
                }
            },
            Over::Help { .. } | Over::Source { .. } => {
                self.scroll_over(&name);
                Step::Stay
            }
            Over::Attachments { .. } => {
                let done = self.key_in_attachments(&name).await;
                self.say_failure(done).unwrap_or(Step::Stay)
            }
            Over::Composing(_) => {
                let done = self.key_in_composing(&name).await;
                self.say_failure(done).unwrap_or(Step::Stay)
            }
        }
    }

    fn scroll_over(&mut self, name: &str) {
        let page = self.reading_height.saturating_sub(2).max(1);
        let (Over::Help { scroll } | Over::Source { scroll, .. }) = &mut self.over else { return };
        *scroll = match name {
            "j" | "Down" => *scroll + 1,
            "k" | "Up" => scroll.saturating_sub(1),
            "Space" | "PgDn" => *scroll + page,
            "-" | "PgUp" => scroll.saturating_sub(page),
            "=" | "Home" => 0,
            "*" | "End" => usize::MAX / 2,
            _ => {
                self.over = Over::Nothing;
                return;
            }
        };
    }

    async fn key_in_prompt(&mut self, key: KeyEvent) -> Result<Step, DeskError> {
        let Some(prompt) = &mut self.prompt else { return Ok(Step::Stay) };
        match prompt.key(key) {
            Typed::Same => {}
            Typed::GivenUp => self.prompt = None,
            Typed::Changed => {
                let choices = if prompt.wanted.completes_always() {
                    let typed = prompt.text();
                    self.folder_choices(&typed)
                } else {
                    Vec::new()
                };
                if let Some(prompt) = &mut self.prompt {
                    prompt.offer(choices);
                }
            }
            Typed::Complete => self.complete().await?,
            Typed::Answered(text) => {
                let Some(prompt) = self.prompt.take() else { return Ok(Step::Stay) };
                let chosen = prompt.chosen.and_then(|at| prompt.choices.get(at)).cloned();
                if let (Some(chosen), false) = (&chosen, prompt.wanted.completes_always()) {
                    // A suggestion is taken first; Enter once more answers.
                    let mut prompt = prompt;
                    let completed = completed(&prompt, chosen);
                    prompt.set(&completed);
                    prompt.offer(Vec::new());
                    self.prompt = Some(prompt);
                    return Ok(Step::Stay);
                }
                // Of folders, what is listed first is meant.
                let text = match prompt.wanted.completes_always() {
                    true => chosen.or_else(|| prompt.choices.first().cloned()).unwrap_or(text),
                    false => text,
                };
                return self.answered(prompt.wanted, text.trim()).await;
            }
        }
        Ok(Step::Stay)
    }

    /// Suggestions for what stands before the cursor; the next one, where there are some.
    async fn complete(&mut self) -> Result<(), DeskError> {
        let Some(prompt) = &mut self.prompt else { return Ok(()) };
        if !prompt.choices.is_empty() {
            prompt.turn(true);
            return Ok(());
        }
        let (wanted, typed) = (prompt.wanted.clone(), prompt.before_cursor());
        let choices = match wanted {
            Wanted::NewTo | Wanted::ForwardTo | Wanted::Field(Field::To | Field::Cc | Field::Bcc) => {
                let piece = typed.rsplit(',').next().unwrap_or_default().trim();
                let found = self.desk.complete_address(piece, SUGGESTIONS).await?;
                found.into_iter().map(|found| letter::people(&[found.person])).collect()
            }
            Wanted::Attach | Wanted::SaveAs(_) => files(&typed),
            Wanted::Search => SEARCH_FIELDS
                .iter()
                .filter(|field| field.starts_with(typed.rsplit(' ').next().unwrap_or_default()))
                .map(|field| (*field).to_owned())
                .collect(),
            Wanted::Snooze | Wanted::SendAt => ["1h", "3h", "18:00", "tomorrow", "monday", "1w"]
                .iter()
                .map(|time| (*time).to_owned())
                .collect(),
            _ => Vec::new(),
        };
        if let Some(prompt) = &mut self.prompt {
            match choices.as_slice() {
                [only] => {
                    let text = completed(prompt, only);
                    prompt.set(&text);
                }
                _ => {
                    prompt.offer(choices);
                    prompt.turn(true);
                }
            }
        }
        Ok(())
    }

    async fn answered(&mut self, wanted: Wanted, text: &str) -> Result<Step, DeskError> {
        match wanted {
            Wanted::Search => {
                let folder = self.list.folder.clone();
                // A search that names no place looks everywhere; without words, the folder is back.
                let folder = if text.is_empty() { folder.or(Some(inbox())) } else { None };
                self.open_list(folder, text.to_owned()).await?;
                if !text.is_empty() {
                    self.say(format!("{} found · q leaves the search", self.list.total));
                }
            }
            Wanted::OpenFolder => match self.folder_named(text) {
                Some(key) => self.open_list(Some(key), String::new()).await?,
                None => self.say(format!("There is no folder {text}")),
            },
            Wanted::MoveTo => match self.folder_named(text) {
                Some(key) => self.move_into(key).await?,
                None if text.is_empty() => {}
                None => self.question = Some(Question::CreateFolder(text.to_owned())),
            },
            Wanted::Label if !text.is_empty() => self.label(text).await?,
            Wanted::Snooze if !text.is_empty() => self.snooze(text).await?,
            Wanted::NewTo => {
                self.begun.to = letter::read_people(text);
                self.ask(Wanted::NewSubject);
            }
            Wanted::NewSubject => {
                let mut draft = std::mem::take(&mut self.begun);
                draft.subject = text.to_owned();
                return Ok(self.edit(draft));
            }
            Wanted::ForwardTo => {
                let mut draft = std::mem::take(&mut self.begun);
                draft.to = letter::read_people(text);
                return Ok(self.edit(draft));
            }
            Wanted::Field(field) => {
                if let Over::Composing(composing) = &mut self.over {
                    set_field(&mut composing.draft, field, text);
                }
                self.save_draft().await?;
            }
            Wanted::Attach if !text.is_empty() => self.attach(text).await?,
            Wanted::SendAt => match when::later(text, &self.now()) {
                Some(at) => self.send(SendOptions { at: Some(at), ..SendOptions::default() }).await?,
                None => self.say(format!("`{text}` is no time to come")),
            },
            Wanted::SaveAs(at) if !text.is_empty() => self.save_attachment(at, &expanded(text)).await?,
            _ => {}
        }
        Ok(Step::Stay)
    }

    fn folder_named(&self, name: &str) -> Option<posta_ua::desk::FolderKey> {
        let same = |known: &str| known.to_lowercase() == name.to_lowercase();
        self.folders.iter().find(|folder| same(&folder.name)).map(|folder| folder.key.clone())
    }

    async fn answered_question(&mut self, question: Question, name: &str) -> Result<Step, DeskError> {
        let is_yes = matches!(name, "y" | "Y");
        match question {
            Question::DiscardDraft if is_yes => {
                let over = std::mem::replace(&mut self.over, Over::Nothing);
                if let Over::Composing(composing) = over
                    && let Some(key) = composing.draft.key
                {
                    let done = self.desk.discard_draft(&key).await?;
                    if let Some(undo) = done.undo {
                        self.remember(Back::Change(undo));
                    }
                    self.say("The draft is gone · u brings it back");
                    self.refresh().await?;
                }
            }
            Question::SendWithoutAttachment if is_yes => self.send(SendOptions::default()).await?,
            Question::CreateFolder(name) if is_yes => {
                let key = self.desk.create_folder(&name).await?;
                self.move_into(key).await?;
            }
            Question::OpenProgram(at) if is_yes => return self.open_attachment(at).await,
            Question::DiscardDraft => self.say("Still there: P keeps it as a draft"),
            _ => {}
        }
        Ok(Step::Stay)
    }
}

fn inbox() -> posta_ua::desk::FolderKey {
    posta_ua::desk::FolderKey::of(posta_ua::desk::FolderRole::Inbox)
}

fn set_field(draft: &mut Draft, field: Field, text: &str) {
    match field {
        Field::To => draft.to = letter::read_people(text),
        Field::Cc => draft.cc = letter::read_people(text),
        Field::Bcc => draft.bcc = letter::read_people(text),
        Field::Subject => draft.subject = text.to_owned(),
    }
}

/// The fields that a search knows.
const SEARCH_FIELDS: [&str; 18] = [
    "from:",
    "to:",
    "subject:",
    "body:",
    "filename:",
    "list:",
    "has:attachment",
    "before:",
    "after:",
    "on:",
    "older_than:",
    "newer_than:",
    "in:",
    "is:unread",
    "is:flagged",
    "is:answered",
    "larger:",
    "label:",
];

/// The answer with a suggestion in the place of what is half typed.
fn completed(prompt: &Prompt, choice: &str) -> String {
    let text = prompt.text();
    match prompt.wanted {
        Wanted::NewTo | Wanted::ForwardTo | Wanted::Field(_) => match text.rsplit_once(',') {
            Some((before, _)) => format!("{before}, {choice}, "),
            None => format!("{choice}, "),
        },
        Wanted::Search => match text.rsplit_once(' ') {
            Some((before, _)) => format!("{before} {choice}"),
            None => choice.to_owned(),
        },
        _ => choice.to_owned(),
    }
}

/// `~` is the home folder.
pub(super) fn expanded(path: &str) -> PathBuf {
    match (path.strip_prefix("~/"), std::env::var_os("HOME")) {
        (Some(rest), Some(home)) => Path::new(&home).join(rest),
        _ => PathBuf::from(path),
    }
}

/// Files whose names go on from what is typed.
fn files(typed: &str) -> Vec<String> {
    let (folder, begun) = typed.rsplit_once('/').map_or(("", typed), |(folder, begun)| (folder, begun));
    let shown = if folder.is_empty() && !typed.starts_with('/') { "" } else { &typed[..=folder.len()] };
    let place = if shown.is_empty() { PathBuf::from(".") } else { expanded(shown) };
    let Ok(entries) = std::fs::read_dir(place) else { return Vec::new() };
    let mut found: Vec<String> = entries
        .filter_map(Result::ok)
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let fits = name.starts_with(begun) && (!name.starts_with('.') || begun.starts_with('.'));
            let end = if entry.path().is_dir() { "/" } else { "" };
            fits.then(|| format!("{shown}{name}{end}"))
        })
        .collect();
    found.sort();
    found.truncate(FILES_MAX);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_are_completed() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["one.txt", "one.png", "two", ".hidden"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        std::fs::create_dir(folder.path().join("onwards")).unwrap();
        let base = folder.path().to_str().unwrap();
        let found = |typed: &str| -> Vec<String> {
            let cut = |path: String| path.strip_prefix(base).unwrap_or(&path).to_owned();
            files(&format!("{base}{typed}")).into_iter().map(cut).collect()
        };
        assert_eq!(found("/on"), ["/one.png", "/one.txt", "/onwards/"]);
        assert_eq!(found("/").len(), 4);
        assert_eq!(found("/.h"), ["/.hidden"]);
        assert!(found("/nowhere/x").is_empty());
    }

    #[test]
    fn suggestions_take_the_place_of_what_is_half_typed() {
        let table = [
            (
                Wanted::NewTo,
                "ada@north.example, bo",
                "Bob <bob@b.example>",
                "ada@north.example, Bob <bob@b.example>, ",
            ),
            (Wanted::NewTo, "bo", "Bob <bob@b.example>", "Bob <bob@b.example>, "),
            (Wanted::Search, "sea fr", "from:", "sea from:"),
            (Wanted::Attach, "/et", "/etc/", "/etc/"),
        ];
        for (wanted, text, choice, expected) in table {
            assert_eq!(completed(&Prompt::new(wanted, text), choice), expected);
        }
    }
}
