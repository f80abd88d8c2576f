//! A conversation as it is read: its messages as lines, folded and unfolded.

use super::{text, when};
use jiff::tz::TimeZone;
use posta_ua::desk::{
    ConversationView, Desk, DeskError, MessageKey, MessageRow, MessageView, Person, ReadOptions, ReportKind,
    TextBlock, TextBlockKind, Unsubscribe, Warning,
};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};

/// Lines of a quotation that are shown without asking: short ones answer the question of what is meant.
const SHORT_QUOTE_LINES: usize = 3;
/// Messages that are unfolded at once when a conversation is opened.
const UNFOLDED_MAX: usize = 20;
/// Lines of one message that are shown; the source has the rest.
const MESSAGE_LINES_MAX: usize = 20_000;

/// A message of the conversation.
pub(super) struct Opened {
    pub(super) row: MessageRow,
    /// There while it is unfolded, and after.
    pub(super) view: Option<MessageView>,
    pub(super) is_unfolded: bool,
}

/// A conversation that is open.
pub(super) struct Reading {
    pub(super) view: ConversationView,
    pub(super) messages: Vec<Opened>,
    /// The message that is meant by keys.
    pub(super) focused: usize,
    pub(super) scroll: usize,
    pub(super) shows_quotes: bool,
    /// Set when the focused message is to be brought into sight.
    pub(super) follows_focus: bool,
}

/// What is drawn.
pub(super) struct Laid {
    pub(super) lines: Vec<Line<'static>>,
    /// Where each message begins.
    pub(super) starts: Vec<usize>,
}

fn faint() -> Style {
    Style::default().add_modifier(Modifier::DIM)
}

fn bold() -> Style {
    Style::default().add_modifier(Modifier::BOLD)
}

impl Reading {
    /// Opens it with its unread messages and its newest one unfolded.
    pub(super) async fn open(desk: &dyn Desk, view: ConversationView) -> Result<Reading, DeskError> {
        let newest = view.messages.len().saturating_sub(1);
        let first_unread = view.messages.iter().position(|row| !row.is_read);
        let messages = view.messages.iter().cloned();
        let messages = messages.map(|row| Opened { row, view: None, is_unfolded: false }).collect();
        let focused = first_unread.unwrap_or(newest);
        let mut reading =
            Reading { view, messages, focused, scroll: 0, shows_quotes: false, follows_focus: true };
        let unread = (0..reading.messages.len()).filter(|at| !reading.messages[*at].row.is_read);
        let mut wanted: Vec<usize> = unread.take(UNFOLDED_MAX).collect();
        wanted.push(newest);
        for at in wanted {
            reading.unfold(desk, at).await?;
        }
        Ok(reading)
    }

    /// The same conversation, read anew: what was unfolded stays so.
    pub(super) async fn refresh(&mut self, desk: &dyn Desk, view: ConversationView) -> Result<(), DeskError> {
        let focused = self.focused_key();
        let mut old = std::mem::take(&mut self.messages);
        for row in view.messages.iter().cloned() {
            let known = old.iter().position(|opened| opened.row.key == row.key);
            let known = known.map(|at| old.swap_remove(at));
            let (view, is_unfolded) =
                known.map_or((None, !row.is_read), |opened| (opened.view, opened.is_unfolded));
            self.messages.push(Opened { row, view, is_unfolded });
        }
        self.view = view;
        let at = self.messages.iter().position(|opened| Some(&opened.row.key) == focused.as_ref());
        self.focused = at.unwrap_or(self.messages.len().saturating_sub(1));
        for at in 0..self.messages.len() {
            if self.messages[at].is_unfolded {
                self.unfold(desk, at).await?;
            }
        }
        Ok(())
    }

    pub(super) async fn unfold(&mut self, desk: &dyn Desk, at: usize) -> Result<(), DeskError> {
        let Some(opened) = self.messages.get_mut(at) else { return Ok(()) };
        if opened.view.is_none() {
            opened.view = Some(desk.message(&opened.row.key, &ReadOptions::default()).await?);
        }
        opened.is_unfolded = true;
        Ok(())
    }

    pub(super) fn focused_key(&self) -> Option<MessageKey> {
        self.messages.get(self.focused).map(|opened| opened.row.key.clone())
    }

    pub(super) fn focused_view(&self) -> Option<&MessageView> {
        self.messages.get(self.focused).and_then(|opened| opened.view.as_ref())
    }

    /// All as lines of that width.
    pub(super) fn lay(&self, cells: usize, zone: &TimeZone, is_focused: bool) -> Laid {
        let cells = cells.min(text::LINE_CELLS_MAX);
        let mut laid = Laid { lines: Vec::new(), starts: Vec::new() };
        let subject = if self.view.subject.is_empty() { "(no subject)" } else { &self.view.subject };
        for line in text::folded(subject, cells).into_iter().take(4) {
            laid.lines.push(Line::styled(line, bold()));
        }
        if let Some(state) = self.state(zone) {
            laid.lines.push(Line::styled(text::cut(&state, cells), faint()));
        }
        if self.view.older > 0 {
            laid.lines
                .push(Line::styled(format!("{} older messages are not shown", self.view.older), faint()));
        }
        for (at, opened) in self.messages.iter().enumerate() {
            laid.lines.push(Line::default());
            laid.starts.push(laid.lines.len());
            let is_focused = is_focused && at == self.focused && self.messages.len() > 1;
            match opened.view.as_ref().filter(|_| opened.is_unfolded) {
                Some(view) => self.lay_message(&mut laid.lines, view, &opened.row, cells, zone, is_focused),
                None => laid.lines.push(folded_message(&opened.row, cells, zone, is_focused)),
            }
        }
        laid
    }

    fn state(&self, zone: &TimeZone) -> Option<String> {
        let snoozed =
            self.view.snoozed_until.map(|until| format!("snoozed until {}", when::full(until, zone)));
        let muted = self.view.is_muted.then(|| "muted".to_owned());
        let parts: Vec<String> = snoozed.into_iter().chain(muted).collect();
        (!parts.is_empty()).then(|| parts.join(" · "))
    }

    fn lay_message(
        &self,
        lines: &mut Vec<Line<'static>>,
        view: &MessageView,
        row: &MessageRow,
        cells: usize,
        zone: &TimeZone,
        is_focused: bool,
    ) {
        lines.push(title(row, cells, zone, is_focused));
        let mut people = |label: &str, people: &[Person]| {
            if people.is_empty() {
                return;
            }
            let shown: Vec<String> = people.iter().map(addressed).collect();
            lines.push(Line::styled(text::cut(&format!("{label} {}", shown.join(", ")), cells), faint()));
        };
        people("From:", &view.authors);
        people("To:", &view.all_to);
        people("Cc:", &view.cc);
        people("Bcc:", &view.bcc);
        if let Some(list) = &view.list {
            lines.push(Line::styled(text::cut(&format!("List: {list}"), cells), faint()));
        }
        if !row.labels.is_empty() {
            lines
                .push(Line::styled(text::cut(&format!("Labels: {}", row.labels.join(", ")), cells), faint()));
        }
        lay_notes(lines, view, cells);
        lines.push(Line::default());
        let before = lines.len();
        for block in &view.body.text {
            self.lay_block(lines, block, cells);
            if lines.len() - before > MESSAGE_LINES_MAX {
                lines.truncate(before + MESSAGE_LINES_MAX);
                lines.push(Line::styled("… and more: h shows the whole source", faint()));
                break;
            }
        }
        if view.body.is_cut {
            lines.push(Line::styled("… the message is too large to be shown whole", faint()));
        }
        if !view.attachments.is_empty() {
            lines.push(Line::default());
            for (at, part) in view.attachments.iter().enumerate() {
                let risk = if part.is_risky { "  a program: open with care" } else { "" };
                let size = size(part.size_octets);
                let words = format!("[{}] {}  {}  {size}{risk}", at + 1, part.name, part.media_type);
                let style = Style::default().fg(if part.is_risky { Color::Yellow } else { Color::Cyan });
                lines.push(Line::styled(text::cut(&words, cells), style));
            }
            lines.push(Line::styled("v opens or saves them", faint()));
        }
    }

    fn lay_block(&self, lines: &mut Vec<Line<'static>>, block: &TextBlock, cells: usize) {
        let (prefix, style) = match block.kind {
            TextBlockKind::Own => (String::new(), Style::default()),
            TextBlockKind::Attribution | TextBlockKind::Signature => (String::new(), faint()),
            TextBlockKind::Quoted => {
                let colour =
                    [Color::Blue, Color::Green, Color::Magenta][block.depth.saturating_sub(1) as usize % 3];
                ("> ".repeat(block.depth.clamp(1, 8) as usize), Style::default().fg(colour))
            }
        };
        let folded = text::folded(&block.text, cells.saturating_sub(prefix.len()));
        let is_quote = block.kind == TextBlockKind::Quoted;
        if is_quote && !self.shows_quotes && folded.len() > SHORT_QUOTE_LINES {
            lines.push(Line::styled(
                format!("{prefix}… {} quoted lines (T shows them)", folded.len()),
                faint(),
            ));
            return;
        }
        lines.extend(folded.into_iter().map(|line| Line::styled(format!("{prefix}{line}"), style)));
    }
}

/// The line of a message that is folded.
fn folded_message(row: &MessageRow, cells: usize, zone: &TimeZone, is_focused: bool) -> Line<'static> {
    let line = title(row, cells, zone, is_focused);
    let used = line.width();
    let rest = cells.saturating_sub(used + 2);
    let mut spans = line.spans;
    if rest > 8 {
        spans.push(Span::styled(format!("  {}", text::cut(&row.snippet, rest)), faint()));
    }
    Line::from(spans)
}

/// Who and when; the focused one is marked, unread ones are bold.
fn title(row: &MessageRow, cells: usize, zone: &TimeZone, is_focused: bool) -> Line<'static> {
    let mark = if is_focused { "▌ " } else { "─ " };
    let time = when::full(row.time, zone);
    let flags: String = [
        (row.is_flagged, " ★"),
        (row.is_answered, " ↩"),
        (row.is_forwarded, " ↪"),
        (row.draft.is_some(), " draft"),
        (!row.is_read, " new"),
    ]
    .iter()
    .filter_map(|(is_set, sign)| is_set.then_some(*sign))
    .collect();
    let room = cells.saturating_sub(text::width(mark) + text::width(&time) + text::width(&flags) + 2);
    let style = if row.is_read { bold().fg(Color::Cyan) } else { bold().fg(Color::Yellow) };
    Line::from(vec![
        Span::styled(mark, Style::default().fg(Color::Cyan)),
        Span::styled(text::cut(row.from.shown(), room), style),
        Span::styled(format!("  {time}"), faint()),
        Span::styled(flags, Style::default().fg(Color::Yellow)),
    ])
}

fn addressed(person: &Person) -> String {
    if person.name.is_empty() {
        person.address.clone()
    } else {
        format!("{} <{}>", person.name, person.address)
    }
}

/// What there is to be careful about, or to do.
fn lay_notes(lines: &mut Vec<Line<'static>>, view: &MessageView, cells: usize) {
    let mut push = |words: String, style: Style| {
        lines.extend(text::folded(&words, cells).into_iter().map(|line| Line::styled(line, style)));
    };
    let caution = bold().fg(Color::Yellow);
    for warning in &view.warnings {
        push(format!("! {}", warning_words(warning)), caution);
    }
    if let Some(report) = &view.report {
        let colour = match report.kind {
            ReportKind::Failed | ReportKind::Complaint => Color::Red,
            ReportKind::Delayed => Color::Yellow,
            ReportKind::Delivered | ReportKind::Receipt => Color::Green,
        };
        push(report.text.clone(), bold().fg(colour));
        for recipient in &report.recipients {
            push(format!("  {}: {}", recipient.address, recipient.text), Style::default());
        }
    }
    if let Some(invitation) = &view.invitation {
        push(format!("Invitation: {}", invitation.summary), bold());
        let fields =
            [("When", &invitation.when), ("Where", &invitation.location), ("Repeats", &invitation.repeats)];
        for (name, value) in fields.into_iter().filter(|(_, value)| !value.is_empty()) {
            push(format!("  {name}: {value}"), Style::default());
        }
    }
    if view.wants_receipt {
        push("The sender asks for a receipt; Y sends one, nothing is sent without.".into(), faint());
    }
    if let Some(way) = &view.unsubscribe {
        let how = match way {
            Unsubscribe::Page(_) => "U shows the page for getting off this list",
            Unsubscribe::OneClick(_) | Unsubscribe::Mail { .. } => "U gets off this list",
        };
        push(how.into(), faint());
    }
}

fn warning_words(warning: &Warning) -> String {
    match warning {
        Warning::NameIsAnotherAddress { name } => {
            format!("The sender's name looks like an address, and is not theirs: {name}")
        }
        Warning::AnswersGoElsewhere { address } => format!("Answers go to another domain: {address}"),
        Warning::NotFromYou => "It claims to be from you, and you didn't send it from here.".into(),
        Warning::Programs => "It has programs attached.".into(),
        Warning::DeceptiveLinks => "A link in it looks like one to elsewhere.".into(),
    }
}

/// Octets for people.
pub(super) fn size(octets: u64) -> String {
    match octets {
        0..1_000 => format!("{octets} B"),
        1_000..1_000_000 => format!("{} kB", octets / 1_000),
        _ => format!("{}.{} MB", octets / 1_000_000, octets / 100_000 % 10),
    }
}
