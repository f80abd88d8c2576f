//! RFC 5322 dates, written.

use jiff::{Timestamp, ZonedDateTime, tz::Offset};
use std::fmt::{self, Write};

const WEEKDAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// A date as `Date:`, `Received:` and report fields carry it: `Sat, 17 Nov 2007 20:18:49 -0500`.
///
/// The offset is cut to whole minutes, and the local time shown is the one that belongs to the
/// cut offset, so that the instant stays the same (RFC 5322 §3.3). Years before 1900 are written
/// as they are; the grammar has no other form for them.
pub fn format(timestamp: Timestamp, offset: Offset) -> String {
    let offset = Offset::from_seconds(offset.seconds() / 60 * 60).unwrap_or(Offset::UTC);
    let local = offset.to_datetime(timestamp);
    let weekday = WEEKDAYS[usize::from(local.weekday().to_monday_zero_offset().unsigned_abs()) % 7];
    let month = MONTHS[usize::from(local.month().unsigned_abs()) - 1];
    let minutes = offset.seconds() / 60;
    let sign = if minutes < 0 { '-' } else { '+' };
    let minutes = minutes.unsigned_abs();
    let mut text = String::with_capacity(31);
    let _ = write!(
        text,
        "{weekday}, {} {month} {:04} {:02}:{:02}:{:02} {sign}{:02}{:02}",
        local.day(),
        local.year(),
        local.hour(),
        local.minute(),
        local.second(),
        minutes / 60,
        minutes % 60
    );
    text
}

/// A moment as a message tells it: the instant and the offset from UTC of the clock it was read
/// from (RFC 5322 §3.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DateTime {
    /// The instant.
    pub instant: Timestamp,
    /// Local time minus UTC.
    pub offset: Offset,
}

impl DateTime {
    /// An instant, told in UTC.
    pub fn utc(instant: Timestamp) -> Self {
        DateTime { instant, offset: Offset::UTC }
    }
}

/// By the instant, whatever clock it was read from.
impl PartialOrd for DateTime {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for DateTime {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.instant.cmp(&other.instant).then(self.offset.cmp(&other.offset))
    }
}
impl From<&ZonedDateTime> for DateTime {
    fn from(moment: &ZonedDateTime) -> Self {
        DateTime { instant: moment.timestamp(), offset: moment.offset() }
    }
}
/// The form of RFC 5322, see [`format()`].
impl fmt::Display for DateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&format(self.instant, self.offset))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_offset_is_part_of_the_date() {
        let timestamp: Timestamp = "2007-11-18T01:18:49Z".parse().unwrap();
        assert_eq!(format(timestamp, Offset::constant(-5)), "Sat, 17 Nov 2007 20:18:49 -0500");
        assert_eq!(format(timestamp, Offset::UTC), "Sun, 18 Nov 2007 01:18:49 +0000");
        let nepal = Offset::from_seconds(5 * 3600 + 45 * 60).unwrap();
        assert_eq!(format(timestamp, nepal), "Sun, 18 Nov 2007 07:03:49 +0545");
    }

    #[test]
    fn an_offset_with_seconds_keeps_the_instant() {
        let timestamp: Timestamp = "1900-01-01T00:00:00Z".parse().unwrap();
        let amsterdam = Offset::from_seconds(19 * 60 + 32).unwrap();
        assert_eq!(format(timestamp, amsterdam), "Mon, 1 Jan 1900 00:19:00 +0019");
    }
}
