//! Search expressions: from what is typed to terms. Nothing is an error: what cannot be understood is a word.

use crate::desk::limits::{QUERY_OCTETS_MAX, QUERY_TERMS_MAX};
use crate::reader::html::cut;
use jiff::{Timestamp, ToSpan, civil, tz::TimeZone};

/// One condition; all must hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Term {
    pub(super) negated: bool,
    pub(super) test: Test,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Test {
    /// Words that stand together in a column (any, if none); the last may be a beginning.
    Words {
        column: Option<&'static str>,
        words: String,
        is_beginning: bool,
    },
    /// Flag bits: all of these set or not.
    Flags {
        bits: i64,
        set: bool,
    },
    HasAttachment,
    /// A folder by its key or name, as typed.
    In(String),
    Anywhere,
    Label(String),
    /// Came at or after, in microseconds.
    Since(i64),
    /// Came before.
    Before(i64),
    LargerThan(i64),
    SmallerThan(i64),
    Snoozed,
}

/// Reads an expression. `now` and `zone` give relative and civil dates their meaning.
pub(super) fn parse(text: &str, now: Timestamp, zone: &TimeZone) -> Vec<Term> {
    let pieces = pieces(cut(text, QUERY_OCTETS_MAX));
    let last = pieces.len().saturating_sub(1);
    let ends_open = !text.ends_with([' ', '"']);
    let mut terms = Vec::new();
    for (at, piece) in pieces.iter().enumerate().take(QUERY_TERMS_MAX) {
        let (negated, piece) = match piece.strip_prefix('-').filter(|rest| !rest.is_empty()) {
            Some(rest) => (true, rest),
            None => (false, piece.as_str()),
        };
        let is_typing = at == last && ends_open;
        let tests = piece
            .split_once(':')
            .and_then(|(field, value)| field_test(field, value.trim_matches('"'), now, zone));
        match tests {
            Some(tests) => terms.extend(tests.into_iter().map(|test| Term { negated, test })),
            None => terms.extend(
                words(None, piece, is_typing && !piece.contains('"')).map(|test| Term { negated, test }),
            ),
        }
    }
    terms
}

/// Divides at white space outside of quotes.
fn pieces(text: &str) -> Vec<String> {
    let mut pieces = vec![String::new()];
    let mut quoted = false;
    for c in text.chars() {
        quoted ^= c == '"';
        match pieces.last_mut() {
            Some(last) if !c.is_whitespace() || quoted => last.push(c),
            _ => pieces.push(String::new()),
        }
    }
    pieces.retain(|piece| !piece.is_empty());
    pieces
}

fn words(column: Option<&'static str>, text: &str, is_beginning: bool) -> Option<Test> {
    let starred = text.ends_with('*');
    let words = text.replace(['"', '*'], " ").trim().to_owned();
    // What has no letter or digit is no word to the index.
    let has_token = words.chars().any(char::is_alphanumeric);
    // One letter begins half of all words.
    let is_long = words.chars().filter(|c| c.is_alphanumeric()).count() >= 2;
    has_token.then_some(Test::Words { column, words, is_beginning: (is_beginning || starred) && is_long })
}

fn field_test(field: &str, value: &str, now: Timestamp, zone: &TimeZone) -> Option<Vec<Test>> {
    if value.is_empty() {
        return None;
    }
    let column = |name| words(Some(name), value, true).map(|test| vec![test]);
    match field.to_ascii_lowercase().as_str() {
        "from" => column("sender"),
        "to" | "cc" | "bcc" => column("recipients"),
        "subject" => column("subject"),
        "body" => column("body"),
        "filename" | "file" => column("files"),
        "list" => column("list"),
        "has" if matches!(value, "attachment" | "attachments" | "file" | "files") => {
            Some(vec![Test::HasAttachment])
        }
        "in" | "folder" if value == "anywhere" => Some(vec![Test::Anywhere]),
        "in" | "folder" => Some(vec![Test::In(value.to_owned())]),
        "label" | "tag" => Some(vec![Test::Label(value.to_owned())]),
        "is" => is_test(value),
        "before" => Some(vec![Test::Before(day_start(value, 0, zone)?)]),
        "after" | "since" => Some(vec![Test::Since(day_start(value, 0, zone)?)]),
        "on" => Some(vec![Test::Since(day_start(value, 0, zone)?), Test::Before(day_start(value, 1, zone)?)]),
        "older_than" => Some(vec![Test::Before(ago(value, now)?)]),
        "newer_than" => Some(vec![Test::Since(ago(value, now)?)]),
        "larger" => Some(vec![Test::LargerThan(octets(value)?)]),
        "smaller" => Some(vec![Test::SmallerThan(octets(value)?)]),
        _ => None,
    }
}

fn is_test(value: &str) -> Option<Vec<Test>> {
    let flags = |bits, set| Some(vec![Test::Flags { bits, set }]);
    match value.to_ascii_lowercase().as_str() {
        "unread" | "unseen" | "new" => flags(1, false),
        "read" | "seen" => flags(1, true),
        "answered" | "replied" => flags(2, true),
        "unanswered" => flags(2, false),
        "forwarded" => flags(4, true),
        "flagged" | "starred" => flags(8, true),
        "unflagged" => flags(8, false),
        "draft" => flags(16, true),
        "muted" => flags(32, true),
        "snoozed" => Some(vec![Test::Snoozed]),
        _ => None,
    }
}

/// `2026-11-23`, `2026/11/23`, `2026-11`, `2026`: its beginning, or that of `days` later (of the next month, year).
fn day_start(value: &str, later: i8, zone: &TimeZone) -> Option<i64> {
    let mut numbers = value.split(['-', '/', '.']).map(str::parse::<i16>);
    let year = numbers.next()?.ok()?;
    let month = numbers.next().transpose().ok()?;
    let day = numbers.next().transpose().ok()?;
    let narrow = |number: Option<i16>| i8::try_from(number.unwrap_or(1)).ok();
    let date = civil::Date::new(year, narrow(month)?, narrow(day)?).ok()?;
    let date = match (month, day) {
        _ if later == 0 => date,
        (None, _) => date.checked_add(1.year()).ok()?,
        (_, None) => date.checked_add(1.month()).ok()?,
        _ => date.tomorrow().ok()?,
    };
    date.to_zoned_datetime(zone.clone()).ok().map(|start| start.timestamp().as_microsecond())
}

/// `7d`, `2w`, `3m`, `1y` before now.
fn ago(value: &str, now: Timestamp) -> Option<i64> {
    let unit = value.chars().last()?;
    let number: i64 = value.get(..value.len() - unit.len_utf8())?.parse().ok()?;
    let days = match unit.to_ascii_lowercase() {
        'h' => return now.as_microsecond().checked_sub(number.checked_mul(3_600_000_000)?),
        'd' => 1,
        'w' => 7,
        'm' => 30,
        'y' => 365,
        _ => return None,
    };
    now.as_microsecond().checked_sub(number.checked_mul(days)?.checked_mul(86_400_000_000)?)
}

/// `5M`, `10k`, `1.5MB`, `300`.
fn octets(value: &str) -> Option<i64> {
    let lower = value.to_ascii_lowercase();
    let lower = lower.strip_suffix('b').unwrap_or(&lower);
    let (number, factor) = match lower.chars().last()? {
        'k' => (&lower[..lower.len() - 1], 1024.0),
        'm' => (&lower[..lower.len() - 1], 1024.0 * 1024.0),
        'g' => (&lower[..lower.len() - 1], 1024.0 * 1024.0 * 1024.0),
        _ => (lower, 1.0),
    };
    let number: f64 = number.parse().ok()?;
    (number.is_finite() && number >= 0.0).then_some((number * factor) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions() {
        let now: Timestamp = "2026-11-23T12:00:00Z".parse().unwrap();
        let read = |text: &str| {
            let terms = parse(text, now, &TimeZone::UTC);
            terms
                .into_iter()
                .map(|term| format!("{}{:?}", if term.negated { "not " } else { "" }, term.test))
                .collect::<Vec<_>>()
        };
        let word = |words: &str, is_beginning| {
            format!("{:?}", Test::Words { column: None, words: words.into(), is_beginning })
        };
        assert_eq!(read("tea cake"), [word("tea", false), word("cake", true)]);
        assert_eq!(read("tea cake "), [word("tea", false), word("cake", false)]);
        assert_eq!(
            read("\"tea at five\" -ca* x"),
            [word("tea at five", false), format!("not {}", word("ca", true)), word("x", false)]
        );
        assert_eq!(read("is:unread in:sent"), ["Flags { bits: 1, set: false }", "In(\"sent\")"]);
        assert_eq!(
            read("from:ada"),
            ["Words { column: Some(\"sender\"), words: \"ada\", is_beginning: true }"]
        );
        assert_eq!(read("larger:5M smaller:10kb"), ["LargerThan(5242880)", "SmallerThan(10240)"]);
        let micros = |text: &str| text.parse::<Timestamp>().unwrap().as_microsecond();
        assert_eq!(
            read("on:2026-11"),
            [
                format!("Since({})", micros("2026-11-01T00:00:00Z")),
                format!("Before({})", micros("2026-12-01T00:00:00Z"))
            ]
        );
        assert_eq!(read("older_than:1d"), [format!("Before({})", micros("2026-11-22T12:00:00Z"))]);
        // Not understood: words.
        assert_eq!(read("before:yesterday"), [word("before:yesterday", true)]);
        assert_eq!(read("is:odd http://x.example"), [word("is:odd", false), word("http://x.example", true)]);
        for odd in [
            "\"",
            "-",
            "::",
            "*",
            "from:",
            "() OR NOT",
            "older_than:99999999999999999999y",
            "older_than:9223372036854775807y",
            "on:9999-12-31",
            "larger:1e400",
        ] {
            read(odd);
        }
    }
}
