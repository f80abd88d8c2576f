//! Dates, read: RFC 5322 §3.3, the obsolete forms of §4.3, and what programs write instead.

use super::scan::Cursor;
use crate::date::DateTime;
use jiff::{civil, tz::Offset};

/// A date and how it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParsedDate {
    /// The moment.
    pub date: DateTime,
    /// Whether it was in the form that RFC 5322 §3.3 lets be generated.
    pub is_strict: bool,
}

/// Reads a date. `None` if the value is none.
///
/// Years of two digits up to 49 are of this century, those of 50 to 99, and those of three digits,
/// count from 1900 (RFC 5322 §4.3). Unknown zones are taken for UTC, as the RFC asks.
pub fn parse(value: &[u8]) -> Option<ParsedDate> {
    if let Some(date) = usual(value) {
        return Some(ParsedDate { date, is_strict: true });
    }
    let mut reader = Reader { cursor: Cursor::new(value), is_strict: true };
    let date = reader.date()?;
    Some(ParsedDate { date, is_strict: reader.is_strict })
}

/// The form that nearly all programs write, without comments and folding:
/// `Sat, 17 Nov 2007 20:18:49 -0500`, the weekday and a digit of the day left out or not.
fn usual(value: &[u8]) -> Option<DateTime> {
    let value = value.trim_ascii_start();
    let value = match value {
        [a, b, c, b',', b' ', rest @ ..] if WEEKDAYS.contains(&&[*a, *b, *c][..]) => rest,
        _ => value,
    };
    let (day, value) = match value {
        [ten, one, b' ', rest @ ..] => (digits([*ten, *one])?, rest),
        [one, b' ', rest @ ..] => (digits([*one])?, rest),
        _ => return None,
    };
    let (month, value) = value.split_first_chunk::<4>()?;
    let (year, value) = value.split_first_chunk::<4>()?;
    let ([b' ', h, hh, b':', m, mm, b':', s, ss, b' '], value) = value.split_first_chunk::<10>()? else {
        return None;
    };
    let time = (digits([*h, *hh])?, digits([*m, *mm])?, digits([*s, *ss])?);
    let ([sign, zone @ ..], value) = value.split_first_chunk::<5>()?;
    let zone = digits(*zone)? as i32;
    if month[3] != b' ' || zone % 100 >= 60 || value.first().is_some_and(u8::is_ascii_digit) {
        return None;
    }
    let seconds = zone / 100 * 3600 + zone % 100 * 60;
    let seconds = match sign {
        b'+' => seconds,
        b'-' => -seconds,
        _ => return None,
    };
    let year = i16::try_from(digits(*year)?).ok()?;
    moment(year, month_of(month)?, day, time, Offset::from_seconds(seconds).ok()?)
}

fn digits<const COUNT: usize>(digits: [u8; COUNT]) -> Option<i64> {
    let is_number = digits.iter().all(u8::is_ascii_digit);
    is_number.then(|| digits.iter().fold(0, |value, digit| value * 10 + i64::from(digit - b'0')))
}

struct Reader<'a> {
    cursor: Cursor<'a>,
    is_strict: bool,
}

impl<'a> Reader<'a> {
    fn word(&mut self) -> &'a [u8] {
        self.skip();
        self.cursor.take_while(|octet| octet.is_ascii_alphabetic())
    }

    fn skip(&mut self) {
        self.cursor.skip_cfws();
        // `17-Nov-2007` and `Sat, 17 Nov, 2007` occur.
        while matches!(self.cursor.peek(), Some(b',' | b'-' | b'.')) {
            self.is_strict = false;
            self.cursor.at += 1;
            self.cursor.skip_cfws();
        }
    }

    fn number(&mut self, digits_max: usize) -> Option<(i64, usize)> {
        self.skip();
        let digits = self.cursor.take_while(|octet| octet.is_ascii_digit());
        if digits.is_empty() || digits.len() > digits_max {
            return None;
        }
        let value = digits.iter().fold(0, |value, digit| value * 10 + i64::from(digit - b'0'));
        Some((value, digits.len()))
    }

    fn date(&mut self) -> Option<DateTime> {
        self.cursor.skip_cfws();
        if self.cursor.peek().is_some_and(|octet| octet.is_ascii_digit())
            && self.cursor.rest().get(4) == Some(&b'-')
        {
            return self.iso();
        }
        let mut month = None;
        if self.cursor.peek().is_some_and(|octet| octet.is_ascii_alphabetic()) {
            let name = self.word();
            month = month_of(name);
            let is_weekday = WEEKDAYS.iter().any(|day| name.eq_ignore_ascii_case(day));
            self.is_strict &= month.is_none() && is_weekday;
            self.cursor.skip_cfws();
            let comma = self.cursor.take(b',');
            self.is_strict &= comma;
            self.skip();
            if self.cursor.peek().is_some_and(|octet| octet.is_ascii_alphabetic()) {
                // `Sat Nov 17 20:18:49 2007`, as ctime writes it.
                self.is_strict = false;
                month = Some(month_of(self.word())?);
            }
        }
        let (day, digits) = self.number(3)?;
        self.is_strict &= digits <= 2;
        let month = match month {
            Some(month) => month,
            None => month_of(self.word())?,
        };
        self.day_month_known(day, month)
    }

    /// Year and time come in either order.
    fn day_month_known(&mut self, day: i64, month: i8) -> Option<DateTime> {
        let before = self.cursor.clone();
        let (number, digits) = self.number(4)?;
        if self.cursor.peek() == Some(b':') {
            self.is_strict = false;
            self.cursor = before;
            let time = self.time()?;
            self.skip();
            let zone_first =
                self.cursor.peek().is_some_and(|octet| octet.is_ascii_alphabetic() || octet == b'+');
            let zone = if zone_first { self.zone() } else { None };
            let (year, digits) = self.number(4)?;
            let zone = zone.or_else(|| self.zone()).unwrap_or(Offset::UTC);
            return moment(full_year(year, digits)?, month, day, time, zone);
        }
        self.is_strict &= digits == 4;
        let year = full_year(number, digits)?;
        self.skip();
        if self.cursor.peek().is_none() {
            self.is_strict = false;
            return moment(year, month, day, (0, 0, 0), Offset::UTC);
        }
        let time = self.time()?;
        let zone = self.zone();
        self.is_strict &= zone.is_some();
        moment(year, month, day, time, zone.unwrap_or(Offset::UTC))
    }

    fn time(&mut self) -> Option<(i64, i64, i64)> {
        let (hour, hour_digits) = self.number(2)?;
        self.cursor.skip_cfws();
        // `20.18.49` occurs.
        if !self.cursor.take(b':') && self.cursor.peek() != Some(b'.') {
            return None;
        }
        let (minute, minute_digits) = self.number(2)?;
        self.is_strict &= hour_digits == 2 && minute_digits == 2;
        let before = self.cursor.clone();
        self.cursor.skip_cfws();
        let mut second = 0;
        if matches!(self.cursor.peek(), Some(b':' | b'.')) {
            self.cursor.at += 1;
            let digits;
            (second, digits) = self.number(2)?;
            self.is_strict &= digits == 2;
            if matches!(self.cursor.peek(), Some(b'.')) {
                // Fractions of a second are in no grammar of mail.
                self.is_strict = false;
                self.cursor.at += 1;
                self.cursor.take_while(|octet| octet.is_ascii_digit());
            }
        } else {
            self.cursor = before;
        }
        let mut hour = hour;
        let before = self.cursor.clone();
        self.cursor.skip_cfws();
        let half = self.cursor.take_while(|octet| octet.is_ascii_alphabetic());
        if half.eq_ignore_ascii_case(b"PM") && hour < 12 {
            (hour, self.is_strict) = (hour + 12, false);
        } else if half.eq_ignore_ascii_case(b"AM") {
            (hour, self.is_strict) = (hour % 12, false);
        } else if !half.eq_ignore_ascii_case(b"PM") {
            self.cursor = before;
        }
        Some((hour, minute, second))
    }

    fn zone(&mut self) -> Option<Offset> {
        self.cursor.skip_cfws();
        let name = self.cursor.take_while(|octet| octet.is_ascii_alphabetic());
        let mut known = None;
        if !name.is_empty() {
            self.is_strict = false;
            known = Some(named_zone(name));
            self.cursor.skip_cfws();
        }
        let sign = match self.cursor.peek() {
            Some(b'+') => 1,
            Some(b'-') => -1,
            _ => return known,
        };
        self.cursor.at += 1;
        let digits = self.cursor.take_while(|octet| octet.is_ascii_digit());
        let minutes_after_colon = self.cursor.peek() == Some(b':');
        let number =
            |digits: &[u8]| digits.iter().fold(0, |value, digit| value * 10 + i32::from(digit - b'0'));
        let (hours, minutes) = match digits.len() {
            1 | 2 if minutes_after_colon => {
                self.cursor.at += 1;
                let minutes = self.cursor.take_while(|octet| octet.is_ascii_digit());
                if minutes.len() != 2 {
                    return known;
                }
                (number(digits), number(minutes))
            }
            1 | 2 => (number(digits), 0),
            3 => (number(&digits[..1]), number(&digits[1..])),
            4 => (number(&digits[..2]), number(&digits[2..])),
            _ => return known,
        };
        self.is_strict &= digits.len() == 4 && minutes < 60;
        // The offset counts from UTC whatever name stands before it: `GMT+0100`.
        Offset::from_seconds(sign * (hours * 3600 + minutes * 60)).ok().or(known)
    }

    /// RFC 3339, which some programs write.
    fn iso(&mut self) -> Option<DateTime> {
        self.is_strict = false;
        let (year, _) = self.number(4)?;
        let (month, _) = self.number(2)?;
        let (day, _) = self.number(2)?;
        if matches!(self.cursor.peek(), Some(b'T' | b't')) {
            self.cursor.at += 1;
        }
        let time = self.time().unwrap_or((0, 0, 0));
        let zone = self.zone().unwrap_or(Offset::UTC);
        moment(i16::try_from(year).ok()?, i8::try_from(month).ok()?, day, time, zone)
    }
}

const WEEKDAYS: [&[u8]; 7] = [b"Mon", b"Tue", b"Wed", b"Thu", b"Fri", b"Sat", b"Sun"];

fn month_of(name: &[u8]) -> Option<i8> {
    // Full names and those cut elsewhere (`Sept`) begin with the three letters all the same.
    let name: [u8; 3] = name.get(..3)?.try_into().ok()?;
    let months =
        [b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov", b"dec"];
    let index = months.iter().position(|month| **month == name.map(|octet| octet.to_ascii_lowercase()))?;
    i8::try_from(index + 1).ok()
}

fn full_year(year: i64, digits: usize) -> Option<i16> {
    let year = match digits {
        1 | 2 if year < 50 => year + 2000,
        1..=3 => year + 1900,
        _ => year,
    };
    i16::try_from(year).ok()
}

/// RFC 5322 §4.3: the zones of North America; all other names are of unknown meaning.
fn named_zone(name: &[u8]) -> Offset {
    let hours = match name.to_ascii_uppercase().as_slice() {
        b"EDT" => -4,
        b"EST" | b"CDT" => -5,
        b"CST" | b"MDT" => -6,
        b"MST" | b"PDT" => -7,
        b"PST" => -8,
        _ => 0,
    };
    Offset::constant(hours)
}

fn moment(year: i16, month: i8, day: i64, time: (i64, i64, i64), offset: Offset) -> Option<DateTime> {
    let (hour, minute, second) = time;
    let small = |number: i64| i8::try_from(number).ok();
    // A leap second has no instant of its own here.
    let second = if second == 60 { 59 } else { second };
    let local =
        civil::DateTime::new(year, month, small(day)?, small(hour)?, small(minute)?, small(second)?, 0)
            .ok()?;
    let instant = offset.to_timestamp(local).ok()?;
    Some(DateTime { instant, offset })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The short way reads what the long way reads.
    #[test]
    fn the_usual_form_is_read_alike() {
        let zones = ["+0000", "-0000", "+0530", "-1159", "+0160", "+9999", "+00000", "0000", "GMT"];
        let days = ["Sat, 17", "Sat, 7", "17", "7", "07", "00", "32", "sat, 17", "Sat,17", "Sat , 17"];
        let rest = ["Nov 2007 20:18:49", "nov 2007 23:59:60", "Nov 2007 24:00:00", "Feb 2024 0:00:00"];
        let mut usual_ones = 0;
        let mut compare = |text: &str| {
            let mut reader = Reader { cursor: Cursor::new(text.as_bytes()), is_strict: true };
            let long = reader.date();
            if let Some(short) = usual(text.as_bytes()) {
                assert_eq!((Some(short), true), (long, reader.is_strict), "{text}");
                usual_ones += 1;
            }
        };
        for day in days {
            for rest in rest {
                for zone in zones {
                    compare(&format!(" {day} {rest} {zone}"));
                    compare(&format!("{day} {rest} {zone} (x)\r\n"));
                }
            }
        }
        assert!(usual_ones > 50, "{usual_ones}");
    }

    fn check(value: &str, expected: &str, expected_strict: bool) {
        let parsed = parse(value.as_bytes()).unwrap_or_else(|| panic!("{value:?} is no date"));
        let local = parsed.date.offset.to_datetime(parsed.date.instant);
        assert_eq!(format!("{local}{}", parsed.date.offset), expected, "{value}");
        assert_eq!(parsed.is_strict, expected_strict, "{value}");
    }

    #[test]
    fn examples_of_rfc_5322_appendix_a() {
        check("Fri, 21 Nov 1997 09:55:06 -0600", "1997-11-21T09:55:06-06", true);
        check("Tue, 1 Jul 2003 10:52:37 +0200", "2003-07-01T10:52:37+02", true);
        check(
            "Thu,\r\n      13\r\n        Feb\r\n          1969\r\n      23:32\r\n               -0330 (Newfoundland Time)",
            "1969-02-13T23:32:00-03:30",
            true,
        );
        check("21 Nov 97 09:55:06 GMT", "1997-11-21T09:55:06+00", false);
        check("Fri, 21 Nov 1997 09(comment):   55  :  06 -0600", "1997-11-21T09:55:06-06", true);
    }

    #[test]
    fn forms_in_use() {
        check("Sat Nov 17 20:18:49 2007", "2007-11-17T20:18:49+00", false);
        check("Sat Nov 17 20:18:49 EST 2007", "2007-11-17T20:18:49-05", false);
        check("Sat, 17 Nov 2007 20:18:49 GMT+01:00", "2007-11-17T20:18:49+01", false);
        check("Sat, 17 Nov 2007 20:18:49 Z", "2007-11-17T20:18:49+00", false);
        check("17-Nov-2007 20:18:49 +0100", "2007-11-17T20:18:49+01", false);
        check("17 November 107 8:18 PM PDT", "2007-11-17T20:18:00-07", false);
        check("2007-11-17T20:18:49Z", "2007-11-17T20:18:49+00", false);
        check("2007-11-17 20:18:49 +0530", "2007-11-17T20:18:49+05:30", false);
        check("Sat, 31 Dec 2016 23:59:60 +0000", "2016-12-31T23:59:59+00", true);
        check("1 Jan 49 00:00 +0000", "2049-01-01T00:00:00+00", false);
        check("1 Jan 50 00:00 +0000", "1950-01-01T00:00:00+00", false);
        check("Sat, 17 Nov 2007", "2007-11-17T00:00:00+00", false);
        for bad in ["", "yesterday", "31 Feb 2007 00:00 +0000", "1 Jan 2007 25:00 +0000", "99", "Sat, "] {
            assert_eq!(parse(bad.as_bytes()), None, "{bad:?}");
        }
    }
}
