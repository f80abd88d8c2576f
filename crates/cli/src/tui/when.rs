//! Times as people say them, and as lists show them.

use jiff::{SignedDuration, Timestamp, ToSpan, ZonedDateTime, civil, tz::TimeZone};

/// The hour at which a day begins where none is said.
const MORNING: i8 = 8;

/// A time to come: `20m`, `3h`, `2d`, `1w`, `tomorrow`, `monday`, `18:30`, `2026-12-24`, `2026-12-24 18:30`, each with a time
/// of the day after it where that makes sense. `None` if it can't be understood, or is past.
pub(crate) fn later(said: &str, now: &ZonedDateTime) -> Option<Timestamp> {
    let said = said.trim().to_lowercase();
    let at = duration(&said).and_then(|duration| now.timestamp().checked_add(duration).ok());
    let at = at.or_else(|| {
        let iso = said.split_once('t').filter(|(day, _)| date(day, now).is_some());
        let (day, time) = said.split_once(' ').or(iso).unzip();
        let (date, time) = match (day, time) {
            (Some(day), Some(time)) => (date(day, now)?, clock_time(time)?),
            _ => match clock_time(&said) {
                Some(time) if now.time() < time => (now.date(), time),
                Some(time) => (now.date().tomorrow().ok()?, time),
                None => (date(&said, now)?, civil::time(MORNING, 0, 0, 0)),
            },
        };
        Some(date.to_datetime(time).to_zoned_datetime(now.time_zone().clone()).ok()?.timestamp())
    })?;
    (at > now.timestamp()).then_some(at)
}

fn duration(said: &str) -> Option<SignedDuration> {
    let unit = said.chars().last()?;
    let count: i64 =
        said.strip_suffix(unit)?.trim().parse().ok().filter(|count| (1..100_000).contains(count))?;
    match unit {
        'm' => Some(SignedDuration::from_mins(count)),
        'h' => Some(SignedDuration::from_hours(count)),
        'd' => Some(SignedDuration::from_hours(count * 24)),
        'w' => Some(SignedDuration::from_hours(count * 24 * 7)),
        _ => None,
    }
}

fn date(said: &str, now: &ZonedDateTime) -> Option<civil::Date> {
    const DAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
    match said {
        "today" => return Some(now.date()),
        "tomorrow" => return now.date().tomorrow().ok(),
        _ => {}
    }
    if said.len() >= 3
        && let Some(day) = DAYS.iter().position(|day| day.starts_with(said))
    {
        let today = i64::from(now.date().weekday().to_monday_zero_offset());
        let ahead = (day as i64 - today - 1).rem_euclid(7) + 1;
        return now.date().checked_add(ahead.days()).ok();
    }
    civil::Date::strptime("%Y-%m-%d", said).ok()
}

fn clock_time(said: &str) -> Option<civil::Time> {
    civil::Time::strptime("%H:%M", said.trim()).ok()
}

/// In a list: the time today, the day this year, else the date.
pub(super) fn brief(at: Timestamp, now: &ZonedDateTime) -> String {
    let at = at.to_zoned_datetime(now.time_zone().clone());
    let form = match () {
        () if at.date() == now.date() => "%H:%M",
        () if at.year() == now.year() => "%b %d",
        () => "%Y-%m-%d",
    };
    at.strftime(form).to_string()
}

/// In full.
pub(super) fn full(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned_datetime(zone.clone()).strftime("%a %Y-%m-%d %H:%M").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_understood() {
        // A Tuesday.
        let now: ZonedDateTime = "2026-11-24T10:00:00+01:00[Europe/Vienna]".parse().unwrap();
        let table = [
            ("20m", Some("2026-11-24T09:20:00Z")),
            ("3h", Some("2026-11-24T12:00:00Z")),
            ("2d", Some("2026-11-26T09:00:00Z")),
            ("1w", Some("2026-12-01T09:00:00Z")),
            ("tomorrow", Some("2026-11-25T07:00:00Z")),
            ("Tomorrow 18:30", Some("2026-11-25T17:30:00Z")),
            ("tuesday", Some("2026-12-01T07:00:00Z")),
            ("fri 9:15", Some("2026-11-27T08:15:00Z")),
            ("18:30", Some("2026-11-24T17:30:00Z")),
            ("9:00", Some("2026-11-25T08:00:00Z")),
            ("2026-12-24", Some("2026-12-24T07:00:00Z")),
            ("2026-12-24 18:30", Some("2026-12-24T17:30:00Z")),
            ("2026-12-24T18:30", Some("2026-12-24T17:30:00Z")),
            ("2025-12-24", None),
            ("today", None),
            ("soon", None),
            ("0d", None),
            ("", None),
        ];
        for (said, expected) in table {
            let at = later(said, &now).map(|at| at.to_string());
            assert_eq!(at.as_deref(), expected, "{said:?}");
        }
        let shown = |at: &str| brief(at.parse().unwrap(), &now);
        assert_eq!(shown("2026-11-24T08:05:00Z"), "09:05");
        assert_eq!(shown("2026-11-23T23:30:00Z"), "00:30");
        assert_eq!(shown("2026-11-02T08:05:00Z"), "Nov 02");
        assert_eq!(shown("2025-11-24T08:05:00Z"), "2025-11-24");
    }
}
