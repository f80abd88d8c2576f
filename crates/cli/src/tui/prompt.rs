//! A question on the last line, with an answer that is typed, edited and completed.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use posta_ua::terminal::harmless_line;

/// Characters of an answer.
const ANSWER_CHARS_MAX: usize = 1000;

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wanted {
    Search,
    OpenFolder,
    MoveTo,
    Label,
    Snooze,
    NewTo,
    NewSubject,
    ForwardTo,
    Field(Field),
    Attach,
    SendAt,
    /// Where the attachment of that place is saved.
    SaveAs(usize),
}

/// A field of a draft.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    To,
    Cc,
    Bcc,
    Subject,
}

impl Wanted {
    pub(super) fn label(&self) -> &'static str {
        match self {
            Wanted::Search => "Search: ",
            Wanted::OpenFolder => "Folder: ",
            Wanted::MoveTo => "Move to: ",
            Wanted::Label => "Label (+name -name): ",
            Wanted::Snooze => "Snooze until (3h, tomorrow, fri 9:00, 2026-12-24): ",
            Wanted::NewTo | Wanted::ForwardTo | Wanted::Field(Field::To) => "To: ",
            Wanted::NewSubject | Wanted::Field(Field::Subject) => "Subject: ",
            Wanted::Field(Field::Cc) => "Cc: ",
            Wanted::Field(Field::Bcc) => "Bcc: ",
            Wanted::Attach => "Attach file: ",
            Wanted::SendAt => "Send at (3h, tomorrow 8:00, 2026-12-24 18:30): ",
            Wanted::SaveAs(_) => "Save as: ",
        }
    }

    /// Completions are shown from the first key on.
    pub(super) fn completes_always(&self) -> bool {
        matches!(self, Wanted::OpenFolder | Wanted::MoveTo)
    }
}

/// The question with the answer so far.
#[derive(Debug, Clone)]
pub(super) struct Prompt {
    pub(super) wanted: Wanted,
    text: Vec<char>,
    cursor: usize,
    /// What may be meant; the chosen one is taken by Enter.
    pub(super) choices: Vec<String>,
    pub(super) chosen: Option<usize>,
}

/// What came of a key.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Typed {
    /// Goes on; the text is another one.
    Changed,
    /// Goes on as it was.
    Same,
    /// Completions are asked for.
    Complete,
    Answered(String),
    GivenUp,
}

impl Prompt {
    pub(super) fn new(wanted: Wanted, text: &str) -> Prompt {
        let text: Vec<char> = harmless_line(text).chars().collect();
        let cursor = text.len();
        Prompt { wanted, text, cursor, choices: Vec::new(), chosen: None }
    }

    pub(super) fn text(&self) -> String {
        self.text.iter().collect()
    }

    /// What stands before the cursor.
    pub(super) fn before_cursor(&self) -> String {
        self.text[..self.cursor].iter().collect()
    }

    pub(super) fn set(&mut self, text: &str) {
        self.text = harmless_line(text).chars().take(ANSWER_CHARS_MAX).collect();
        self.cursor = self.text.len();
    }

    pub(super) fn offer(&mut self, choices: Vec<String>) {
        self.chosen = None;
        self.choices = choices;
    }

    /// The next of the choices.
    pub(super) fn turn(&mut self, forward: bool) {
        let count = self.choices.len();
        if count == 0 {
            return;
        }
        self.chosen = Some(match (self.chosen, forward) {
            (None, true) => 0,
            (None, false) => count - 1,
            (Some(at), true) => (at + 1) % count,
            (Some(at), false) => (at + count - 1) % count,
        });
    }

    pub(super) fn key(&mut self, key: KeyEvent) -> Typed {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Esc => Typed::GivenUp,
            KeyCode::Char('c' | 'g') if control => Typed::GivenUp,
            KeyCode::Enter => Typed::Answered(self.text()),
            KeyCode::Tab => Typed::Complete,
            KeyCode::Down => self.turned(true),
            KeyCode::Up | KeyCode::BackTab => self.turned(false),
            KeyCode::Left => self.go(self.cursor.saturating_sub(1)),
            KeyCode::Right => self.go(self.cursor + 1),
            KeyCode::Home => self.go(0),
            KeyCode::End => self.go(usize::MAX),
            KeyCode::Char('a') if control => self.go(0),
            KeyCode::Char('e') if control => self.go(usize::MAX),
            KeyCode::Char('u') if control => self.remove(0),
            KeyCode::Char('w') if control => self.remove(self.word_start()),
            KeyCode::Backspace if self.cursor > 0 => self.remove(self.cursor - 1),
            KeyCode::Delete if self.cursor < self.text.len() => {
                self.text.remove(self.cursor);
                Typed::Changed
            }
            KeyCode::Char(c) if !control && !c.is_control() && self.text.len() < ANSWER_CHARS_MAX => {
                self.text.insert(self.cursor, c);
                self.cursor += 1;
                Typed::Changed
            }
            _ => Typed::Same,
        }
    }

    fn turned(&mut self, forward: bool) -> Typed {
        self.turn(forward);
        Typed::Same
    }

    fn go(&mut self, place: usize) -> Typed {
        self.cursor = place.min(self.text.len());
        Typed::Same
    }

    fn remove(&mut self, from: usize) -> Typed {
        self.text.drain(from..self.cursor);
        self.cursor = from;
        Typed::Changed
    }

    fn word_start(&self) -> usize {
        let end = self.text[..self.cursor].iter().rposition(|c| !c.is_whitespace()).map_or(0, |at| at + 1);
        self.text[..end].iter().rposition(|c| c.is_whitespace()).map_or(0, |at| at + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(prompt: &mut Prompt, keys: &[KeyCode]) {
        for key in keys {
            prompt.key(KeyEvent::new(*key, KeyModifiers::NONE));
        }
    }

    #[test]
    fn answers_are_edited() {
        use KeyCode::{Backspace, Char, Delete, End, Home, Left, Right};
        let mut prompt = Prompt::new(Wanted::Search, "gr\u{1b}ün");
        assert_eq!(prompt.text(), "gr␛ün");
        typed(&mut prompt, &[Left, Left, Backspace, End, Char('e'), Home, Char('x'), Right, Delete]);
        assert_eq!(prompt.text(), "xgüne");
        prompt.set("to the sea");
        prompt.key(KeyEvent::new(Char('w'), KeyModifiers::CONTROL));
        assert_eq!(prompt.text(), "to the ");
        prompt.key(KeyEvent::new(Char('u'), KeyModifiers::CONTROL));
        assert_eq!(prompt.text(), "");
        assert_eq!(prompt.key(KeyEvent::new(Char('c'), KeyModifiers::CONTROL)), Typed::GivenUp);
    }
}
