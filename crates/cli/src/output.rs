//! What commands print: lines, tables, JSON. Colours only where standard output is a terminal that
//! wants them (`NO_COLOR` is respected).

use anstyle::{AnsiColor, Style};
use comfy_table::{ContentArrangement, Table, presets};
use jiff::{Timestamp, tz::TimeZone};
use posta_ua::View;
use serde::Serialize;
use std::{
    fmt::Display,
    io::{self, IsTerminal, Write},
};

pub(crate) const STRONG: Style = Style::new().bold();
pub(crate) const FAINT: Style = Style::new().dimmed();
pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
pub(crate) const WAITING: Style = AnsiColor::Yellow.on_default();
pub(crate) const BAD: Style = AnsiColor::Red.on_default();
pub(crate) const CLIENT: Style = AnsiColor::Cyan.on_default();
pub(crate) const SERVER: Style = AnsiColor::Green.on_default();
pub(crate) const NAMES: Style = AnsiColor::Magenta.on_default();

/// `text` in a style.
pub(crate) fn styled(style: Style, text: impl Display) -> String {
    format!("{style}{text}{style:#}")
}

/// Prints a line.
pub(crate) fn say(text: impl Display) -> io::Result<()> {
    writeln!(anstream::stdout().lock(), "{text}")
}

/// Prints a line to standard error.
pub(crate) fn say_aside(text: impl Display) {
    // Where standard error is gone there is nobody to tell.
    let _ = writeln!(anstream::stderr().lock(), "{text}");
}

/// A message as it is read. All texts of a [`View`] are harmless for a terminal.
pub(crate) fn say_view(view: &View) -> io::Result<()> {
    for (name, value) in &view.fields {
        say(format!("{} {value}", styled(STRONG, format_args!("{:<9}", format!("{name}:")))))?;
    }
    say("")?;
    say(view.text.trim_end_matches('\n'))?;
    if !view.attachments.is_empty() {
        say("")?;
    }
    for attachment in &view.attachments {
        let size = attachment.octets.map(|count| format!(", {}", octets(count))).unwrap_or_default();
        let (word, place) = match &attachment.elsewhere {
            Some(place) => ("Elsewhere:", format!(" {place}")),
            None => ("Attached:", String::new()),
        };
        let kind = styled(FAINT, format_args!("({}{size})", attachment.media_type));
        say(format!("{} {} {kind}{place}", styled(STRONG, word), attachment.name))?;
    }
    Ok(())
}

/// Prints a value as JSON.
pub(crate) fn say_json(value: &impl Serialize) -> anyhow::Result<()> {
    say(serde_json::to_string_pretty(value)?)?;
    Ok(())
}

/// `--json`.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct Form {
    /// Print JSON, for programs.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Prints a table, or `nothing` where there are no rows.
pub(crate) fn say_table(headings: &[&str], rows: Vec<Vec<String>>, nothing: &str) -> io::Result<()> {
    if rows.is_empty() {
        return say(styled(FAINT, nothing));
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(headings.iter().copied()).add_rows(rows);
    // Lines are fitted to a terminal, and left whole for everything else.
    let arrangement =
        if io::stdout().is_terminal() { ContentArrangement::Dynamic } else { ContentArrangement::Disabled };
    table.set_content_arrangement(arrangement);
    for (index, line) in table.lines().enumerate() {
        let line = line.trim_end();
        if index == 0 { say(styled(STRONG, line))? } else { say(line)? }
    }
    Ok(())
}

/// `12 KiB`, or exact where small.
pub(crate) fn octets(count: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if count < 10 * 1024 {
        return format!("{count} B");
    }
    let mut value = count as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

/// In the local time zone.
pub(crate) fn time(at: Timestamp) -> String {
    posta_journal::story::clock_time(at, &TimeZone::system())
}

/// How long ago, or in how long: `3 min ago`, `in 2 h`.
pub(crate) fn distance(at: Timestamp, now: Timestamp) -> String {
    let seconds = at.as_second() - now.as_second();
    let amount = seconds.unsigned_abs();
    let text = match amount {
        0..60 => format!("{amount} s"),
        60..7_200 => format!("{} min", amount / 60),
        7_200..172_800 => format!("{} h", amount / 3600),
        _ => format!("{} d", amount / 86_400),
    };
    if seconds > 0 { format!("in {text}") } else { format!("{text} ago") }
}

/// Octets as people write them: `500000`, `500K`, `20M`, `2G` (powers of 1024); `none` is no limit.
pub(crate) fn parse_octets(text: &str) -> Result<u64, String> {
    let wrong = || format!("`{text}` is no size; write for instance 500K, 200M or 2G");
    let upper = text.trim().to_ascii_uppercase();
    let upper = upper.strip_suffix("IB").or(upper.strip_suffix('B')).unwrap_or(&upper);
    let (digits, shift) = match upper.as_bytes().last() {
        Some(b'K') => (&upper[..upper.len() - 1], 10),
        Some(b'M') => (&upper[..upper.len() - 1], 20),
        Some(b'G') => (&upper[..upper.len() - 1], 30),
        Some(b'T') => (&upper[..upper.len() - 1], 40),
        _ => (upper, 0),
    };
    let count: u64 = digits.trim().parse().map_err(|_| wrong())?;
    count.checked_mul(1 << shift).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_people_write_them() {
        for (text, expected) in [
            ("0", 0),
            ("500", 500),
            ("10k", 10 << 10),
            ("20 MiB", 20 << 20),
            ("2G", 2 << 30),
            ("1TB", 1 << 40),
        ] {
            assert_eq!(parse_octets(text), Ok(expected), "{text}");
        }
        for text in ["", "M", "-1", "1.5G", "99999999T", "ten"] {
            assert!(parse_octets(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_and_distances_read_well() {
        assert_eq!(octets(10_239), "10239 B");
        assert_eq!(octets(10_240), "10.0 KiB");
        assert_eq!(octets(50 << 20), "50.0 MiB");
        let now = Timestamp::from_second(1_800_000_000).expect("a time");
        let at = |offset: i64| Timestamp::from_second(1_800_000_000 + offset).expect("a time");
        assert_eq!(distance(at(-59), now), "59 s ago");
        assert_eq!(distance(at(1800), now), "in 30 min");
        assert_eq!(distance(at(-3 * 86_400), now), "3 d ago");
    }
}
