//! What keys do; the help page is this table.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// What can be asked for by a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Down,
    Up,
    PageDown,
    PageUp,
    First,
    Last,
    NextUnread,
    Open,
    Back,
    NextMessage,
    PreviousMessage,
    NextConversation,
    PreviousConversation,
    Fold,
    Quotes,
    Source,
    Attachments,
    Images,
    Receipt,
    Tag,
    Delete,
    Undo,
    Save,
    Archive,
    Junk,
    Flag,
    Read,
    Mute,
    Snooze,
    Label,
    Unsubscribe,
    Write,
    Reply,
    ReplyAll,
    ReplyList,
    Forward,
    Again,
    Search,
    Folder,
    Fetch,
    Redraw,
    Help,
    Quit,
}

/// Where a key does something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Where {
    Both,
    List,
    Reading,
}

/// A line of the table.
pub(super) struct Binding {
    pub(super) keys: &'static [&'static str],
    pub(super) action: Action,
    pub(super) place: Where,
    pub(super) help: &'static str,
}

const fn both(keys: &'static [&'static str], action: Action, help: &'static str) -> Binding {
    Binding { keys, action, place: Where::Both, help }
}

const fn list(keys: &'static [&'static str], action: Action, help: &'static str) -> Binding {
    Binding { keys, action, place: Where::List, help }
}

const fn reading(keys: &'static [&'static str], action: Action, help: &'static str) -> Binding {
    Binding { keys, action, place: Where::Reading, help }
}

/// Keys are mutt's where mutt has them.
pub(super) const BINDINGS: &[Binding] = &[
    both(&["j", "Down"], Action::Down, "down"),
    both(&["k", "Up"], Action::Up, "up"),
    both(&["Space", "PgDn", "^F"], Action::PageDown, "a page down"),
    both(&["-", "PgUp", "^B"], Action::PageUp, "a page up"),
    both(&["=", "Home"], Action::First, "to the beginning"),
    both(&["*", "End"], Action::Last, "to the end"),
    both(&["Tab"], Action::NextUnread, "next unread conversation"),
    list(&["Enter", "Right"], Action::Open, "read the conversation"),
    reading(&["q", "i", "Left", "Esc"], Action::Back, "back to the list"),
    reading(&["n", "Right"], Action::NextMessage, "next message of the conversation"),
    reading(&["p"], Action::PreviousMessage, "message before"),
    reading(&["]", "J"], Action::NextConversation, "next conversation"),
    reading(&["[", "K"], Action::PreviousConversation, "conversation before"),
    reading(&["Enter", "o"], Action::Fold, "fold or unfold the message"),
    reading(&["T"], Action::Quotes, "show or hide quoted text"),
    reading(&["v"], Action::Attachments, "attachments: open, save"),
    reading(&["h"], Action::Source, "the message as it came"),
    reading(&["H"], Action::Images, "say always yes to this sender's remote images"),
    reading(&["Y"], Action::Receipt, "send the receipt that is asked for"),
    both(&["m"], Action::Write, "write a new message"),
    both(&["r"], Action::Reply, "reply"),
    both(&["g"], Action::ReplyAll, "reply to all (group)"),
    both(&["L"], Action::ReplyList, "reply to the list"),
    both(&["f"], Action::Forward, "forward"),
    both(&["e"], Action::Again, "write anew from this; in Drafts: go on writing"),
    both(&["d", "Delete"], Action::Delete, "delete (to Trash)"),
    both(&["u", "^Z"], Action::Undo, "undo, or take back what was sent"),
    both(&["s"], Action::Save, "move to a folder"),
    both(&["a"], Action::Archive, "archive"),
    both(&["!"], Action::Junk, "junk"),
    both(&["F"], Action::Flag, "flag, or no longer"),
    both(&["N"], Action::Read, "unread, or read"),
    both(&["z"], Action::Snooze, "snooze until a time"),
    both(&["M"], Action::Mute, "mute, or no longer"),
    both(&["l"], Action::Label, "label: +name, -name"),
    both(&["U"], Action::Unsubscribe, "off this mailing list"),
    list(&["t"], Action::Tag, "tag; what follows is done to all that are tagged"),
    both(&["/"], Action::Search, "search"),
    both(&["c", "y"], Action::Folder, "change the folder"),
    both(&["G", "$"], Action::Fetch, "look for new mail now"),
    both(&["^L"], Action::Redraw, "draw anew"),
    both(&["?"], Action::Help, "this help"),
    list(&["q", "x"], Action::Quit, "leave a search, or quit"),
];

/// A key by its name in the table.
pub(super) fn name(key: KeyEvent) -> String {
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    match key.code {
        KeyCode::Char(' ') => "Space".into(),
        KeyCode::Char(c) if control => format!("^{}", c.to_ascii_uppercase()),
        KeyCode::Char(c) => c.to_string(),
        KeyCode::Up => "Up".into(),
        KeyCode::Down => "Down".into(),
        KeyCode::Left => "Left".into(),
        KeyCode::Right => "Right".into(),
        KeyCode::PageUp => "PgUp".into(),
        KeyCode::PageDown => "PgDn".into(),
        KeyCode::Home => "Home".into(),
        KeyCode::End => "End".into(),
        KeyCode::Enter => "Enter".into(),
        KeyCode::Tab => "Tab".into(),
        KeyCode::BackTab => "BackTab".into(),
        KeyCode::Esc => "Esc".into(),
        KeyCode::Backspace => "Backspace".into(),
        KeyCode::Delete => "Delete".into(),
        _ => String::new(),
    }
}

/// What a key does there.
pub(super) fn action(name: &str, is_reading: bool) -> Option<Action> {
    let here = |place: Where| match place {
        Where::Both => true,
        Where::List => !is_reading,
        Where::Reading => is_reading,
    };
    BINDINGS
        .iter()
        .find(|binding| here(binding.place) && binding.keys.contains(&name))
        .map(|found| found.action)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_does_two_things() {
        for is_reading in [false, true] {
            let here = |binding: &&Binding| {
                binding.place == Where::Both || (binding.place == Where::Reading) == is_reading
            };
            let mut keys: Vec<&str> =
                BINDINGS.iter().filter(here).flat_map(|binding| binding.keys).copied().collect();
            let all = keys.len();
            keys.sort_unstable();
            keys.dedup();
            assert_eq!(keys.len(), all);
        }
    }
}
