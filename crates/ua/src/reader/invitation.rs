//! Calendar invitations as text: the first event of an iCalendar object (RFC 5545, RFC 5546), read for people.

use super::html::cut;
use crate::desk::{Invitation, Person};
use crate::terminal::{harmless, harmless_line};
use jiff::{Timestamp, civil, tz::TimeZone};
use posta_message::Message;

/// Octets of a calendar that are read.
const CALENDAR_OCTETS_MAX: usize = 256 * 1024;
/// People who are listed.
const ATTENDEES_MAX: usize = 200;
/// Characters of a description.
const DESCRIPTION_OCTETS_MAX: usize = 16 * 1024;

/// The invitation in a message.
pub fn invitation(message: &Message<'_>) -> Option<Invitation> {
    let entity = message.entities().find(|entity| entity.media_type() == "text/calendar")?;
    let mut found = read(&entity.text())?;
    if found.method.is_empty() {
        found.method =
            entity.content_type().parameters.get("method").unwrap_or_default().to_ascii_uppercase();
    }
    Some(found)
}

/// A line, unfolded: name, parameters, value.
struct Property<'t> {
    name: String,
    parameters: Vec<(String, &'t str)>,
    value: &'t str,
}

fn property(line: &str) -> Option<Property<'_>> {
    let (mut quoted, mut marks) = (false, Vec::new());
    let colon = line.char_indices().find_map(|(at, c)| {
        quoted ^= c == '"';
        if c == ';' && !quoted {
            marks.push(at);
        }
        (c == ':' && !quoted).then_some(at)
    })?;
    let name_end = marks.first().copied().unwrap_or(colon);
    let ends = marks.iter().skip(1).copied().chain([colon]);
    let parameters = marks.iter().zip(ends).filter_map(|(start, end)| {
        let (name, value) = line.get(start + 1..end)?.split_once('=')?;
        Some((name.to_ascii_uppercase(), value.trim_matches('"')))
    });
    Some(Property {
        name: line[..name_end].to_ascii_uppercase(),
        parameters: parameters.collect(),
        value: &line[colon + 1..],
    })
}

impl Property<'_> {
    fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(known, _)| known == name).map(|(_, value)| *value)
    }

    /// RFC 5545 §3.3.11.
    fn text(&self) -> String {
        let mut text = String::new();
        let mut chars = self.value.chars();
        while let Some(c) = chars.next() {
            match c {
                '\\' => match chars.next() {
                    Some('n' | 'N') => text.push('\n'),
                    Some(other) => text.push(other),
                    None => {}
                },
                _ => text.push(c),
            }
        }
        text
    }

    fn person(&self) -> Option<Person> {
        let address = self.value.trim();
        let address = address
            .get(..7)
            .filter(|scheme| scheme.eq_ignore_ascii_case("mailto:"))
            .map(|_| &address[7..])?;
        Some(Person {
            name: harmless_line(self.parameter("CN").unwrap_or_default()),
            address: harmless_line(address),
        })
    }
}

fn read(text: &str) -> Option<Invitation> {
    let text = cut(text, CALENDAR_OCTETS_MAX).replace("\r\n", "\n");
    // RFC 5545 §3.1: folded lines.
    let unfolded = text.replace("\n ", "").replace("\n\t", "");
    let mut found = Invitation::default();
    let (mut in_event, mut seen_event, mut depth) = (false, false, 0usize);
    let (mut start, mut end) = (None, None);
    for property in unfolded.lines().filter_map(property) {
        match (&*property.name, property.value.trim().to_ascii_uppercase().as_str()) {
            ("BEGIN", "VEVENT") if !seen_event => (in_event, seen_event) = (true, true),
            ("END", "VEVENT") => in_event = false,
            // An alarm inside the event has properties of its own.
            ("BEGIN", _) if in_event => depth += 1,
            ("END", _) if in_event => depth = depth.saturating_sub(1),
            ("METHOD", method) if !in_event => found.method = harmless_line(cut(method, 40)),
            ("DTSTART", _) if in_event && depth == 0 => start = moment(&property),
            ("DTEND", _) if in_event && depth == 0 => end = moment(&property),
            _ if in_event && depth == 0 => take(&mut found, &property),
            _ => {}
        }
    }
    if !seen_event {
        return None;
    }
    found.when = words(start.as_ref(), end.as_ref());
    found.start = start.as_ref().and_then(Moment::instant);
    found.end = end.as_ref().and_then(Moment::instant);
    Some(found)
}

fn take(found: &mut Invitation, property: &Property<'_>) {
    match &*property.name {
        "SUMMARY" => found.summary = harmless_line(cut(&property.text(), 1000)),
        "LOCATION" => found.location = harmless_line(cut(&property.text(), 1000)),
        "DESCRIPTION" => found.description = harmless(cut(&property.text(), DESCRIPTION_OCTETS_MAX)),
        "ORGANIZER" => found.organizer = property.person(),
        "ATTENDEE" if found.attendees.len() < ATTENDEES_MAX => found.attendees.extend(property.person()),
        "RRULE" => found.repeats = repetition(property.value),
        _ => {}
    }
}

/// A date, or a time with what is known of its zone.
enum Moment {
    Day(civil::Date),
    Time(civil::DateTime, Option<TimeZone>, String),
}

impl Moment {
    fn instant(&self) -> Option<Timestamp> {
        match self {
            Moment::Day(_) => None,
            Moment::Time(time, zone, _) => {
                time.to_zoned_datetime(zone.clone()?).ok().map(|zoned| zoned.timestamp())
            }
        }
    }
}

/// RFC 5545 §3.3.4, §3.3.5.
fn moment(property: &Property<'_>) -> Option<Moment> {
    let value = property.value.trim();
    let digits: Vec<i16> =
        value.bytes().filter(u8::is_ascii_digit).map(|digit| i16::from(digit - b'0')).collect();
    let number = |from: usize, to: usize| {
        digits
            .get(from..to)
            .map(|part| part.iter().fold(0i16, |sum, digit| sum.wrapping_mul(10).wrapping_add(*digit)))
    };
    let small = |from| number(from, from + 2).and_then(|number| i8::try_from(number).ok());
    let date = civil::Date::new(number(0, 4)?, small(4)?, small(6)?).ok()?;
    let Some(hour) = small(8) else { return Some(Moment::Day(date)) };
    let time = civil::Time::new(hour, small(10)?, small(12).unwrap_or(0).min(59), 0).ok()?;
    let (zone, name) = match property.parameter("TZID") {
        _ if value.ends_with('Z') => (Some(TimeZone::UTC), "UTC".to_owned()),
        Some(name) => (TimeZone::get(name).ok(), harmless_line(cut(name, 60))),
        None => (None, String::new()),
    };
    Some(Moment::Time(date.to_datetime(time), zone, name))
}

fn words(start: Option<&Moment>, end: Option<&Moment>) -> String {
    match (start, end) {
        (Some(Moment::Day(first)), Some(Moment::Day(behind))) => {
            // RFC 5545 §3.6.1: the end is not part of it.
            let last = behind.yesterday().ok().filter(|last| last > first);
            last.map_or_else(|| first.to_string(), |last| format!("{first} – {last}"))
        }
        (Some(Moment::Day(day)), _) => day.to_string(),
        (Some(Moment::Time(from, _, zone)), end) => {
            let mut text = from.strftime("%Y-%m-%d %H:%M").to_string();
            if let Some(Moment::Time(to, _, end_zone)) = end {
                let form = if to.date() == from.date() { "%H:%M" } else { "%Y-%m-%d %H:%M" };
                text.push_str(&format!("–{}", to.strftime(form)));
                if end_zone != zone {
                    text.push_str(&format!(" ({end_zone})"));
                }
            }
            if !zone.is_empty() {
                text.push_str(&format!(" ({zone})"));
            }
            text
        }
        (None, _) => String::new(),
    }
}

/// `FREQ=WEEKLY;COUNT=10` as `weekly, 10 times`.
fn repetition(rule: &str) -> String {
    let get = |name: &str| {
        rule.split(';').find_map(|pair| {
            pair.split_once('=').filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
        })
    };
    let every = get("INTERVAL").and_then(|interval| interval.parse::<u32>().ok()).unwrap_or(1);
    let (adverb, noun) = match get("FREQ").unwrap_or_default().to_ascii_uppercase().as_str() {
        "DAILY" => ("daily", "days"),
        "WEEKLY" => ("weekly", "weeks"),
        "MONTHLY" => ("monthly", "months"),
        "YEARLY" => ("yearly", "years"),
        "HOURLY" => ("hourly", "hours"),
        _ => return "again".to_owned(),
    };
    let mut text = if every > 1 { format!("every {every} {noun}") } else { adverb.to_owned() };
    if let Some(days) = get("BYDAY") {
        text.push_str(&format!(" on {}", harmless_line(cut(days, 60)).replace(',', ", ")));
    }
    if let Some(count) = get("COUNT").and_then(|count| count.parse::<u32>().ok()) {
        text.push_str(&format!(", {count} times"));
    }
    if let Some(until) = get("UNTIL").filter(|until| until.len() >= 8 && until.is_ascii()) {
        text.push_str(&format!(
            ", until {}-{}-{}",
            harmless_line(&until[..4]),
            harmless_line(&until[4..6]),
            harmless_line(&until[6..8])
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invitation_is_read() {
        let raw = "Content-Type: text/calendar; method=REQUEST\r\n\r\nBEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nBEGIN:VEVENT\r\n\
            DTSTART;TZID=Europe/Vienna:20261224T180000\r\nDTEND;TZID=Europe/Vienna:20261224T200000\r\n\
            SUMMARY:Tea\\, with\r\n  cake\r\nLOCATION:Kitchen\r\nDESCRIPTION:Bring\\nyourself\r\n\
            ORGANIZER;CN=\"Löv, Ada\":mailto:ada@north.example\r\nATTENDEE;PARTSTAT=NEEDS-ACTION;CN=Bob:MAILTO:bob@south.example\r\n\
            RRULE:FREQ=WEEKLY;INTERVAL=2;COUNT=10\r\nBEGIN:VALARM\r\nDESCRIPTION:no\r\nEND:VALARM\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";
        let found = invitation(&Message::parse(raw.as_bytes())).unwrap();
        assert_eq!((found.method.as_str(), found.summary.as_str()), ("REQUEST", "Tea, with cake"));
        assert_eq!(found.when, "2026-12-24 18:00–20:00 (Europe/Vienna)");
        assert_eq!(found.description, "Bring\nyourself");
        assert_eq!(found.organizer, Some(Person::new("Löv, Ada", "ada@north.example")));
        assert_eq!(found.attendees, [Person::new("Bob", "bob@south.example")]);
        assert_eq!(found.repeats, "every 2 weeks, 10 times");
    }

    #[test]
    fn whole_days_and_nonsense() {
        let read = |lines: &str| read(&format!("BEGIN:VEVENT\n{lines}\nEND:VEVENT\n"));
        assert_eq!(
            read("DTSTART;VALUE=DATE:20261224\nDTEND;VALUE=DATE:20261227").unwrap().when,
            "2026-12-24 – 2026-12-26"
        );
        assert_eq!(
            read("DTSTART:20261224T100000Z").unwrap().start,
            Some("2026-12-24T10:00:00Z".parse().unwrap())
        );
        for odd in [
            "DTSTART:",
            "DTSTART:99999999T999999Z",
            "DTSTART;TZID=",
            "RRULE:UNTIL=ää1234567",
            "ATTENDEE:x",
            ";;:=",
            "DTSTART:2026ä",
        ] {
            assert!(read(odd).is_some(), "{odd}");
        }
        assert!(super::read("hello").is_none());
    }
}
