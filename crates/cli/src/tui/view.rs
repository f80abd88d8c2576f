//! The screen: one pane on a small terminal, three on a wide one.

use super::app::{App, Composing, Over, Question};
use super::keys::{BINDINGS, Where};
use super::prompt::Prompt;
use super::reading::size;
use super::{letter, text, when};
use posta_ua::desk::{ConversationRow, DraftBody, FolderRole, FolderView};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Position, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Borders, Clear, Paragraph};

/// Cells from which there is a pane for the conversation beside the list.
const WIDE_CELLS: u16 = 110;
/// Cells of the folders' pane.
const FOLDERS_CELLS: u16 = 22;
/// Choices of a prompt that are shown.
const CHOICES_ROWS: u16 = 8;
/// The smallest terminal that anything can be shown on.
const LEAST: (u16, u16) = (20, 5);

fn bar() -> Style {
    Style::default().add_modifier(Modifier::REVERSED)
}

fn faint() -> Style {
    Style::default().add_modifier(Modifier::DIM)
}

fn bold() -> Style {
    Style::default().add_modifier(Modifier::BOLD)
}

/// Whether a terminal of that width has a pane for the conversation.
pub(super) fn is_wide(cells: u16) -> bool {
    cells >= WIDE_CELLS
}

/// Draws everything.
pub(super) fn draw(app: &mut App, frame: &mut Frame<'_>) {
    let area = frame.area();
    if area.width < LEAST.0 || area.height < LEAST.1 {
        frame.render_widget(Paragraph::new("too small"), area);
        return;
    }
    let [top, middle, bottom] =
        Layout::vertical([Constraint::Length(1), Constraint::Min(1), Constraint::Length(1)]).areas(area);
    frame.render_widget(Paragraph::new(top_line(app, top.width as usize)).style(bar()), top);
    draw_middle(app, frame, middle);
    draw_over(app, frame, middle);
    draw_bottom(app, frame, middle, bottom);
}

fn top_line(app: &App, cells: usize) -> String {
    let place = match (&app.list.folder, app.list.search.is_empty()) {
        (_, false) => format!("Search: {}", app.list.search),
        (Some(key), true) => app.folder_name(key),
        (None, true) => "All mail".to_owned(),
    };
    let unread = app.folders.iter().find(|folder| Some(&folder.key) == app.list.folder.as_ref());
    let unread =
        unread.filter(|folder| folder.unread > 0).map(|folder| format!(" · {} unread", folder.unread));
    let left = format!(" {place}{}", unread.unwrap_or_default());
    let right = format!("{} · ? help ", app.owner.address);
    let room = cells.saturating_sub(text::width(&right));
    if room < 16 {
        return text::column(&left, cells);
    }
    format!("{}{right}", text::column(&left, room))
}

fn draw_middle(app: &mut App, frame: &mut Frame<'_>, area: Rect) {
    app.is_wide = is_wide(area.width);
    if !app.is_wide {
        app.list_height = area.height as usize;
        app.reading_height = area.height as usize;
        if app.is_reading {
            let inner = Rect { x: area.x + 1, width: area.width - 2, ..area };
            draw_reading(app, frame, inner);
        } else {
            draw_list(app, frame, area);
        }
        return;
    }
    let [folders, list, reading] = Layout::horizontal([
        Constraint::Length(FOLDERS_CELLS),
        Constraint::Percentage(36),
        Constraint::Min(40),
    ])
    .areas(area);
    draw_folders(app, frame, folders);
    let block = Block::new().borders(Borders::LEFT).border_style(faint());
    let inner = block.inner(list);
    frame.render_widget(block, list);
    app.list_height = inner.height as usize;
    draw_list(app, frame, inner);
    let style = if app.is_reading { Style::default().fg(Color::Cyan) } else { faint() };
    let block = Block::new().borders(Borders::LEFT).border_style(style);
    let mut inner = block.inner(reading);
    frame.render_widget(block, reading);
    inner.x += 1;
    inner.width = inner.width.saturating_sub(1);
    app.reading_height = inner.height as usize;
    draw_reading(app, frame, inner);
}

fn draw_folders(app: &App, frame: &mut Frame<'_>, area: Rect) {
    let cells = area.width as usize;
    let line = |folder: &FolderView| {
        let is_open = app.list.search.is_empty() && app.list.folder.as_ref() == Some(&folder.key);
        // Of drafts all are to be finished; elsewhere what is unread counts.
        let count = if folder.role == Some(FolderRole::Drafts) { folder.messages } else { folder.unread };
        let count = if count > 0 { format!(" {count} ") } else { " ".to_owned() };
        let depth = folder.name.matches('/').count();
        let name = folder.name.rsplit('/').next().unwrap_or_default();
        let name = format!(" {}{name}", "  ".repeat(depth.min(4)));
        let room = cells.saturating_sub(text::width(&count));
        let style = if folder.unread > 0 { bold() } else { Style::default() };
        let style = if is_open { style.patch(bar()) } else { style };
        Line::styled(format!("{}{count}", text::column(&name, room)), style)
    };
    let lines: Vec<Line<'static>> = app.folders.iter().take(area.height as usize).map(line).collect();
    frame.render_widget(Paragraph::new(lines), area);
}

fn draw_list(app: &mut App, frame: &mut Frame<'_>, area: Rect) {
    if app.list.total == 0 {
        draw_empty(app, frame, area);
        return;
    }
    let height = u64::from(area.height);
    let selected = app.list.selected;
    if selected < app.list.top {
        app.list.top = selected;
    } else if selected >= app.list.top + height {
        app.list.top = selected + 1 - height;
    }
    app.list.top = app.list.top.min(app.list.total.saturating_sub(height));
    let cells = area.width as usize;
    let now = app.now();
    let places = app.list.top..(app.list.top + height).min(app.list.total);
    let lines = places.map(|place| {
        let Some(row) = app.row(place) else { return Line::default() };
        let time = when::brief(row.time, &now);
        let line = list_line(row, app.tagged.contains(&row.key), &time, cells);
        match (place == selected, app.is_reading) {
            (true, false) => line.style(bar()),
            (true, true) => line.style(Style::default().add_modifier(Modifier::UNDERLINED)),
            _ => line,
        }
    });
    let lines: Vec<Line<'static>> = lines.collect();
    frame.render_widget(Paragraph::new(lines), area);
}

fn list_line(row: &ConversationRow, is_tagged: bool, time: &str, cells: usize) -> Line<'static> {
    let is_unread = row.unread > 0;
    let base = if is_unread { bold() } else { Style::default() };
    let mark = match () {
        () if is_tagged => "*",
        () if is_unread => "•",
        () if row.is_answered => "↩",
        () => " ",
    };
    let flag = if row.is_flagged { "★" } else { " " };
    let people_cells = if cells >= 70 { 20 } else { 16 };
    let count = if row.messages > 1 { format!(" {}", row.messages) } else { String::new() };
    let people = text::cut(&people(row), people_cells - text::width(&count));
    let people = text::column(&format!("{people}{count}"), people_cells);
    let signs: String = [
        (row.has_draft, "draft "),
        (row.snoozed_until.is_some(), "zz "),
        (row.is_muted, "muted "),
        (row.has_attachment, "@ "),
    ]
    .iter()
    .filter_map(|(is_set, sign)| is_set.then_some(*sign))
    .collect();
    let labels: String = row.labels.iter().map(|label| format!("[{label}] ")).collect();
    let used = 3 + people_cells + 1 + text::width(time) + 2;
    let room = cells.saturating_sub(used);
    let signs = text::cut(&format!("{signs}{labels}"), room / 2);
    let subject = if row.subject.is_empty() { "(no subject)" } else { &row.subject };
    let subject = text::cut(subject, room.saturating_sub(text::width(&signs)));
    let rest = room.saturating_sub(text::width(&signs) + text::width(&subject));
    let snippet = if rest > 6 { format!("  {}", text::cut(&row.snippet, rest - 2)) } else { String::new() };
    let snippet = text::column(&snippet, rest);
    Line::from(vec![
        Span::styled(mark.to_owned(), base.fg(Color::Cyan)),
        Span::styled(format!("{flag} "), Style::default().fg(Color::Yellow)),
        Span::styled(people, base),
        Span::styled(format!(" {signs}"), Style::default().fg(Color::Cyan)),
        Span::styled(subject, base),
        Span::styled(snippet, faint()),
        Span::styled(format!(" {time} "), faint()),
    ])
}

/// Who took part: first names where there are several, as there is little room.
fn people(row: &ConversationRow) -> String {
    let name = |person: &posta_ua::desk::RowPerson, is_one: bool| match (person.me, is_one) {
        (true, _) => "me".to_owned(),
        (false, true) => person.person.shown().to_owned(),
        (false, false) => person.person.shown().split([' ', '@']).next().unwrap_or_default().to_owned(),
    };
    let is_one = row.people.len() == 1;
    row.people.iter().map(|person| name(person, is_one)).collect::<Vec<_>>().join(", ")
}

fn draw_empty(app: &App, frame: &mut Frame<'_>, area: Rect) {
    let role = app.folders.iter().find(|folder| Some(&folder.key) == app.list.folder.as_ref());
    let role = role.and_then(|folder| folder.role).filter(|_| app.list.search.is_empty());
    let words: &[&str] = match (app.list.search.is_empty(), role) {
        (false, _) => &["Nothing was found.", "/ changes the search, q leaves it"],
        (true, Some(FolderRole::Inbox)) => {
            &["The Inbox is empty.", "G looks for new mail, m writes a message, c goes to other folders"]
        }
        (true, Some(FolderRole::Drafts)) => &["There are no drafts.", "m writes a message"],
        (true, Some(FolderRole::Trash)) => &["Trash is empty."],
        (true, Some(FolderRole::Junk)) => &["There is no junk. ! moves a conversation here"],
        _ => &["This folder is empty.", "s moves conversations here"],
    };
    let mut lines: Vec<Line<'static>> = vec![Line::default(); area.height as usize / 3];
    lines.extend(words.iter().enumerate().map(|(at, words)| {
        Line::styled(text::cut(words, area.width as usize), if at == 0 { bold() } else { faint() }).centered()
    }));
    frame.render_widget(Paragraph::new(lines), area);
}

fn draw_reading(app: &mut App, frame: &mut Frame<'_>, area: Rect) {
    let (zone, is_focused) = (app.zone.clone(), app.is_reading);
    let Some(reading) = &mut app.reading else { return };
    let laid = reading.lay(area.width as usize, &zone, is_focused);
    let height = area.height as usize;
    if std::mem::take(&mut reading.follows_focus) {
        let start = laid.starts.get(reading.focused).copied().unwrap_or(0);
        // From the first message one sees the subject above it.
        reading.scroll = if reading.focused == 0 { 0 } else { start.saturating_sub(1) };
    }
    reading.scroll = reading.scroll.min(laid.lines.len().saturating_sub(height));
    // The message that one sees is the one that is meant.
    let top = reading.scroll;
    let is_in_sight = laid.starts.get(reading.focused).is_some_and(|start| {
        *start < top + height && laid.starts.get(reading.focused + 1).is_none_or(|end| *end > top)
    });
    if !is_in_sight {
        let seen = laid.starts.iter().rposition(|start| *start <= top + height / 2);
        reading.focused = seen.unwrap_or(0);
    }
    let lines: Vec<Line<'static>> = laid.lines.into_iter().skip(top).take(height).collect();
    frame.render_widget(Paragraph::new(lines), area);
}

fn draw_over(app: &mut App, frame: &mut Frame<'_>, area: Rect) {
    match &mut app.over {
        Over::Nothing => {}
        Over::Help { scroll } => {
            let lines = help_lines(area.width as usize);
            scrolled(frame, area, lines, scroll);
        }
        Over::Source { lines, scroll } => {
            let cells = area.width as usize;
            // Only what is in sight is made harmless and cut: a source may be long.
            *scroll = (*scroll).min(lines.len().saturating_sub(area.height as usize));
            let seen = lines.iter().skip(*scroll).take(area.height as usize);
            let seen: Vec<Line<'static>> = seen.map(|line| Line::raw(text::cut(line, cells))).collect();
            frame.render_widget(Clear, area);
            frame.render_widget(Paragraph::new(seen), area);
        }
        Over::Attachments { selected } => {
            let selected = *selected;
            draw_attachments(app, selected, frame, area);
        }
        Over::Composing(composing) => {
            let lines = composing_lines(composing, area.width as usize);
            frame.render_widget(Clear, area);
            frame.render_widget(Paragraph::new(lines), area);
        }
    }
}

fn scrolled(frame: &mut Frame<'_>, area: Rect, lines: Vec<Line<'static>>, scroll: &mut usize) {
    *scroll = (*scroll).min(lines.len().saturating_sub(area.height as usize));
    let lines: Vec<Line<'static>> = lines.into_iter().skip(*scroll).take(area.height as usize).collect();
    frame.render_widget(Clear, area);
    frame.render_widget(Paragraph::new(lines), area);
}

fn help_lines(cells: usize) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    for (place, head) in
        [(Where::Both, "Everywhere"), (Where::List, "In the list"), (Where::Reading, "In a conversation")]
    {
        lines.push(Line::styled(format!(" {head}"), bold().fg(Color::Cyan)));
        for binding in BINDINGS.iter().filter(|binding| binding.place == place) {
            let keys = text::column(&format!("   {}", binding.keys.join("  ")), 22);
            lines.push(Line::from(vec![
                Span::styled(keys, bold()),
                Span::raw(text::cut(binding.help, cells.saturating_sub(22))),
            ]));
        }
        lines.push(Line::default());
    }
    lines.push(Line::styled(" Search", bold().fg(Color::Cyan)));
    let words = "words, \"words together\", -not, from: to: subject: body: filename: list: has:attachment \
                 before: after: on: older_than:7d newer_than:2w in: is:unread is:flagged larger:5M label:";
    lines.extend(
        text::folded(words, cells.saturating_sub(4)).into_iter().map(|line| Line::raw(format!("   {line}"))),
    );
    lines
}

fn draw_attachments(app: &App, selected: usize, frame: &mut Frame<'_>, area: Rect) {
    let Some(view) = app.reading.as_ref().and_then(|reading| reading.focused_view()) else { return };
    let cells = area.width as usize;
    let mut lines = vec![
        Line::styled(text::cut(&format!(" Attachments of \"{}\"", view.row.subject), cells), bold()),
        Line::default(),
    ];
    let room = (area.height as usize).saturating_sub(lines.len()).max(1);
    let first = (selected + 1).saturating_sub(room);
    for (at, part) in view.attachments.iter().enumerate().skip(first).take(room) {
        let risk = if part.is_risky { "  (a program)" } else { "" };
        let right = format!("{}  {:>8} ", part.media_type, size(part.size_octets));
        let left = format!(" {:>3} {}{risk}", at + 1, part.name);
        let right = text::cut(&right, cells / 2);
        let left = text::column(&left, cells.saturating_sub(text::width(&right)));
        let style = if at == selected { bar() } else { Style::default() };
        lines.push(Line::styled(format!("{left}{right}"), style));
    }
    frame.render_widget(Clear, area);
    frame.render_widget(Paragraph::new(lines), area);
}

fn composing_hints(cells: usize) -> Vec<Line<'static>> {
    const HINTS: [&str; 8] = [
        "y send",
        "Y send later",
        "e edit",
        "a attach",
        "D detach",
        "R receipt",
        "P keep as draft",
        "q discard",
    ];
    let (mut lines, mut open) = (Vec::new(), String::new());
    for hint in HINTS {
        if text::width(&open) + text::width(hint) + 2 > cells && !open.is_empty() {
            lines.push(Line::styled(std::mem::take(&mut open), bold()));
        }
        open.push_str(&format!(" {hint}  "));
    }
    lines.extend([Line::styled(text::cut(&open, cells), bold()), Line::default()]);
    lines
}

fn composing_lines(composing: &Composing, cells: usize) -> Vec<Line<'static>> {
    let draft = &composing.draft;
    let from = draft.from.as_ref().map(|from| letter::people(std::slice::from_ref(from)));
    let fields = [
        ("From", from.unwrap_or_else(|| "the default identity".into())),
        ("t  To", letter::people(&draft.to)),
        ("c  Cc", letter::people(&draft.cc)),
        ("b  Bcc", letter::people(&draft.bcc)),
        ("s  Subject", draft.subject.clone()),
    ];
    let mut lines = composing_hints(cells);
    for (name, value) in fields {
        let label = if name == "From" { "   From" } else { name };
        lines.push(Line::from(vec![
            Span::styled(text::column(&format!(" {label}"), 13), faint()),
            Span::raw(text::cut(&value, cells.saturating_sub(13))),
        ]));
    }
    for (at, file) in draft.attachments.iter().enumerate() {
        let words = format!("   [{}] {}  {}  {}", at + 1, file.name, file.media_type, size(file.size_octets));
        lines.push(Line::styled(text::cut(&words, cells), Style::default().fg(Color::Cyan)));
    }
    if draft.wants_receipt {
        lines.push(Line::styled("   A receipt is asked for", faint()));
    }
    if let Some(note) = &composing.note {
        lines.push(Line::styled(text::cut(&format!("   {note}"), cells), Style::default().fg(Color::Yellow)));
    }
    lines.push(Line::styled("─".repeat(cells), faint()));
    let (DraftBody::Text(body) | DraftBody::Html(body)) = &draft.body;
    lines.extend(text::folded(body, cells.min(text::LINE_CELLS_MAX)).into_iter().take(500).map(Line::raw));
    lines
}

fn draw_bottom(app: &App, frame: &mut Frame<'_>, middle: Rect, area: Rect) {
    let cells = area.width as usize;
    if let Some(question) = &app.question {
        let words = format!(" {} (y/n)", question_words(question));
        frame.render_widget(Paragraph::new(text::cut(&words, cells)).style(bold()), area);
        return;
    }
    if let Some(prompt) = &app.prompt {
        draw_prompt(prompt, frame, middle, area);
        return;
    }
    let right = match app.list.total {
        0 => String::new(),
        total => format!(" {}/{total} ", app.list.selected + 1),
    };
    let tagged =
        if app.tagged.is_empty() { String::new() } else { format!(" {} tagged ·", app.tagged.len()) };
    let hints = match (&app.over, app.is_reading) {
        (Over::Composing(_), _) => "Nothing has been sent yet: y sends it",
        (Over::Attachments { .. }, _) => "Enter open · s save · A save all · q back",
        (Over::Help { .. } | Over::Source { .. }, _) => "j/k scroll · q back",
        (Over::Nothing, true) => "q back · j/k scroll · n/p message · r reply · d delete · v attachments",
        (Over::Nothing, false) => "Enter read · m write · r reply · d delete · s move · / search · c folder",
    };
    let left = match &app.word {
        Some(word) => format!(" {word}"),
        None => format!("{tagged} {hints}"),
    };
    let room = cells.saturating_sub(text::width(&right));
    let left = text::column(&left, room);
    let style = if app.word.is_some() { bold() } else { faint() };
    let line = Line::from(vec![Span::styled(left, style), Span::styled(right, faint())]);
    frame.render_widget(Paragraph::new(line), area);
}

fn draw_prompt(prompt: &Prompt, frame: &mut Frame<'_>, middle: Rect, area: Rect) {
    let cells = area.width as usize;
    let label = text::cut(&format!(" {}", prompt.wanted.label()), cells / 2);
    let before = prompt.before_cursor();
    let used = text::width(&label);
    let room = cells.saturating_sub(used + 1);
    // The end is what one types at.
    let mut shown = prompt.text();
    let mut at = text::width(&before);
    while at > room {
        let mut characters = shown.chars();
        let Some(first) = characters.next() else { break };
        at -= text::width(&first.to_string()).min(at);
        shown = characters.collect();
    }
    let line = Line::from(vec![Span::styled(label, bold()), Span::raw(text::cut(&shown, room))]);
    frame.render_widget(Paragraph::new(line), area);
    frame.set_cursor_position(Position::new(area.x + (used + at).min(cells - 1) as u16, area.y));
    let rows = (prompt.choices.len() as u16).min(CHOICES_ROWS).min(middle.height);
    if rows == 0 {
        return;
    }
    let chosen = prompt.chosen.unwrap_or(0);
    let first = (chosen + 1).saturating_sub(rows as usize);
    let list = Rect { y: middle.bottom() - rows, height: rows, ..middle };
    let is_chosen =
        |at: usize| prompt.chosen == Some(at) || (prompt.wanted.completes_always() && at == chosen);
    let lines: Vec<Line<'static>> = prompt
        .choices
        .iter()
        .enumerate()
        .skip(first)
        .take(rows as usize)
        .map(|(at, choice)| {
            let style = if is_chosen(at) { bar() } else { Style::default().fg(Color::Cyan) };
            Line::styled(text::column(&format!("   {choice}"), cells), style)
        })
        .collect();
    frame.render_widget(Clear, list);
    frame.render_widget(Paragraph::new(lines), list);
}

fn question_words(question: &Question) -> String {
    match question {
        Question::DiscardDraft => "Throw this draft away?".into(),
        Question::SendWithoutAttachment => {
            "It speaks of an attachment, and there is none. Send it so?".into()
        }
        Question::CreateFolder(name) => format!("There is no folder {name}. Make it?"),
        Question::OpenProgram(_) => "It is a program, or may act like one. Open it all the same?".into(),
    }
}
