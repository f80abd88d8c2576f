//! What a sender asks of the time a message takes: to be held (RFC 4865), to arrive by a moment
//! (RFC 2852), to go before others (RFC 6710).

use jiff::{SignedDuration, Timestamp};
use std::{fmt, str::FromStr, time::Duration};

/// Largest number of seconds that `HOLDFOR=` and `BY=` can say: nine digits (RFC 4865 §3, RFC 2852 §4).
pub const SECONDS_MAX: u32 = 999_999_999;

/// The text is not what it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a time, priority or deadline as SMTP writes it")]
pub struct BadTiming;

/// How long a message is to be held before it is released: `HOLDFOR=` or `HOLDUNTIL=` (RFC 4865 §3).
///
/// Its text is that of `Future-Release-Request:` in reports: `for;3600`, `until;2027-01-01T00:00:00Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    /// So many seconds from now, at least one.
    For(u32),
    /// Until that moment, in whole seconds.
    Until(Timestamp),
}

impl Hold {
    /// The value of `HOLDFOR=`: one to nine digits, more than 0.
    pub fn parse_for(text: &str) -> Result<Self, BadTiming> {
        match digits(text)? {
            0 => Err(BadTiming),
            seconds => Ok(Hold::For(seconds)),
        }
    }

    /// The value of `HOLDUNTIL=`: a date-time of RFC 3339 in UTC (`Internet-style-date-time-UTC`).
    pub fn parse_until(text: &str) -> Result<Self, BadTiming> {
        let shape = |(at, octet): (usize, u8)| match at {
            4 | 7 => octet == b'-',
            10 => octet == b'T',
            13 | 16 => octet == b':',
            _ => octet.is_ascii_digit(),
        };
        let (whole, rest) = text.split_at_checked(19).ok_or(BadTiming)?;
        let fraction = rest.strip_suffix('Z').ok_or(BadTiming)?;
        let fraction_is_good = match fraction.strip_prefix('.') {
            Some(digits) => (1..=9).contains(&digits.len()) && digits.bytes().all(|at| at.is_ascii_digit()),
            None => fraction.is_empty(),
        };
        if !whole.bytes().enumerate().all(shape) || !fraction_is_good {
            return Err(BadTiming);
        }
        text.parse().map(Hold::Until).map_err(|_| BadTiming)
    }

    /// When that is over.
    pub fn release_at(self, now: Timestamp) -> Timestamp {
        match self {
            Hold::For(seconds) => {
                now.checked_add(SignedDuration::from_secs(seconds.into())).unwrap_or(Timestamp::MAX)
            }
            Hold::Until(at) => at,
        }
    }

    /// As the parameter of MAIL is written.
    pub fn parameter(self) -> String {
        match self {
            Hold::For(seconds) => format!("HOLDFOR={seconds}"),
            Hold::Until(at) => format!("HOLDUNTIL={at}"),
        }
    }
}

impl fmt::Display for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Hold::For(seconds) => write!(f, "for;{seconds}"),
            Hold::Until(at) => write!(f, "until;{at}"),
        }
    }
}

impl FromStr for Hold {
    type Err = BadTiming;

    fn from_str(text: &str) -> Result<Self, BadTiming> {
        match text.split_once(';').ok_or(BadTiming)? {
            ("for", seconds) => Hold::parse_for(seconds),
            ("until", at) => Hold::parse_until(at),
            _ => Err(BadTiming),
        }
    }
}

/// What happens to a message that has not arrived by its deadline (RFC 2852 §4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ByMode {
    /// `R`: it goes back.
    Return,
    /// `N`: its sender is told, and it is tried further.
    Notify,
}

/// How a deadline is to be kept: mode and trace of `BY=`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ByTerms {
    /// What happens when it has passed.
    pub mode: ByMode,
    /// `T`: the sender is told of each host on the way.
    pub trace: bool,
}

impl fmt::Display for ByTerms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.mode {
            ByMode::Return => "R",
            ByMode::Notify => "N",
        })?;
        f.write_str(if self.trace { "T" } else { "" })
    }
}

impl FromStr for ByTerms {
    type Err = BadTiming;

    fn from_str(text: &str) -> Result<Self, BadTiming> {
        let (mode, trace) = match text.to_ascii_uppercase().as_str() {
            "R" => (ByMode::Return, false),
            "RT" => (ByMode::Return, true),
            "N" => (ByMode::Notify, false),
            "NT" => (ByMode::Notify, true),
            _ => return Err(BadTiming),
        };
        Ok(ByTerms { mode, trace })
    }
}

/// The value of `BY=`: how many seconds are left, and what then (RFC 2852 §4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeliverBy {
    /// Seconds left, at most [`SECONDS_MAX`]; negative where the deadline has passed. With
    /// [`ByMode::Return`] more than 0.
    pub seconds: i32,
    /// How it is to be kept.
    pub terms: ByTerms,
}

impl DeliverBy {
    /// What is left at `now` of the time until `at`; rounded down, so that nobody gets more than there is.
    pub fn until(at: Timestamp, terms: ByTerms, now: Timestamp) -> Self {
        let most = i64::from(SECONDS_MAX);
        // Truncation rounds towards 0, which is up for what has passed.
        let left = at.duration_since(now);
        let seconds = left.as_secs() - i64::from(left.subsec_nanos() < 0);
        DeliverBy { seconds: seconds.clamp(-most, most) as i32, terms }
    }

    /// The moment that is meant.
    pub fn at(self, now: Timestamp) -> Timestamp {
        let seconds = SignedDuration::from_secs(self.seconds.into());
        now.checked_add(seconds).unwrap_or(if self.seconds < 0 { Timestamp::MIN } else { Timestamp::MAX })
    }
}

impl fmt::Display for DeliverBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{};{}", self.seconds, self.terms)
    }
}

impl FromStr for DeliverBy {
    type Err = BadTiming;

    fn from_str(text: &str) -> Result<Self, BadTiming> {
        let (time, terms) = text.split_once(';').ok_or(BadTiming)?;
        let terms: ByTerms = terms.parse()?;
        let (sign, time) = match time.as_bytes().first() {
            Some(b'-') => (-1, &time[1..]),
            Some(b'+') => (1, &time[1..]),
            _ => (1, time),
        };
        let seconds = sign * digits(time)? as i32;
        // RFC 2852 §4: with R, a time that has passed is an error of syntax.
        if terms.mode == ByMode::Return && seconds <= 0 {
            return Err(BadTiming);
        }
        Ok(DeliverBy { seconds, terms })
    }
}

/// The value of `MT-PRIORITY=`: -9 to 9, what is larger goes first; 0 is what all mail has (RFC 6710 §4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Priority(i8);

impl Priority {
    /// The largest.
    pub const MAX: Priority = Priority(9);

    /// -9 to 9.
    pub fn new(value: i8) -> Option<Self> {
        (-9..=9).contains(&value).then_some(Priority(value))
    }

    /// The number.
    pub fn value(self) -> i8 {
        self.0
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Priority {
    type Err = BadTiming;

    /// RFC 6710 §5: `["-"] NZDIGIT / "0"`.
    fn from_str(text: &str) -> Result<Self, BadTiming> {
        match text.as_bytes() {
            [b'0'..=b'9'] | [b'-', b'1'..=b'9'] => text.parse().map(Priority).map_err(|_| BadTiming),
            _ => Err(BadTiming),
        }
    }
}

/// How long something may be put off at most.
pub fn seconds_of(duration: Duration) -> u32 {
    u32::try_from(duration.as_secs()).unwrap_or(SECONDS_MAX).min(SECONDS_MAX)
}

/// One to nine digits.
fn digits(text: &str) -> Result<u32, BadTiming> {
    if text.is_empty() || text.len() > 9 || !text.bytes().all(|octet| octet.is_ascii_digit()) {
        return Err(BadTiming);
    }
    text.parse().map_err(|_| BadTiming)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    #[test]
    fn holds() {
        for (text, expected) in [
            ("1", Some("for;1")),
            ("999999999", Some("for;999999999")),
            ("0", None),
            ("1000000000", None),
            ("-1", None),
            ("+1", None),
            ("", None),
        ] {
            assert_eq!(
                Hold::parse_for(text).ok().map(|hold| hold.to_string()).as_deref(),
                expected,
                "{text}"
            );
        }
        for (text, is_good) in [
            ("2027-01-01T00:00:00Z", true),
            ("2027-01-01T00:00:00.25Z", true),
            ("2027-02-30T00:00:00Z", false),
            ("2027-01-01T00:00:00+01:00", false),
            ("2027-01-01T00:00:00", false),
            ("2027-01-01t00:00:00z", false),
            ("2027-01-01 00:00:00Z", false),
            ("2027-01-01T00:00:00.Z", false),
            ("2027-01-01", false),
            ("", false),
        ] {
            assert_eq!(Hold::parse_until(text).is_ok(), is_good, "{text}");
        }
        for text in ["for;3600", "until;2027-01-01T00:00:00Z"] {
            let hold: Hold = text.parse().expect("a hold");
            assert_eq!(hold.to_string(), text);
        }
        let now = at("2026-11-23T12:00:00Z");
        assert_eq!(Hold::For(60).release_at(now), at("2026-11-23T12:01:00Z"));
        assert_eq!(Hold::For(SECONDS_MAX).release_at(Timestamp::MAX), Timestamp::MAX);
    }

    #[test]
    fn deadlines() {
        for (text, expected) in [
            ("120;R", Some("120;R")),
            ("+120;rt", Some("120;RT")),
            ("-999999999;N", Some("-999999999;N")),
            ("0;NT", Some("0;NT")),
            ("0;R", None),
            ("-1;R", None),
            ("1000000000;N", None),
            ("120", None),
            ("120;", None),
            ("120;X", None),
            ("120;RR", None),
            (";R", None),
            ("+-1;N", None),
        ] {
            let read = text.parse::<DeliverBy>().ok().map(|by| by.to_string());
            assert_eq!(read.as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn nobody_gets_more_time_than_there_is() {
        let terms = ByTerms { mode: ByMode::Notify, trace: false };
        let deadline = at("2026-11-23T12:00:10Z");
        for (now, left) in [
            ("2026-11-23T12:00:00Z", 10),
            ("2026-11-23T12:00:00.5Z", 9),
            ("2026-11-23T12:00:10Z", 0),
            ("2026-11-23T12:00:10.5Z", -1),
            ("2026-11-23T12:00:12Z", -2),
        ] {
            assert_eq!(DeliverBy::until(deadline, terms, at(now)).seconds, left, "{now}");
        }
        assert_eq!(DeliverBy::until(Timestamp::MAX, terms, Timestamp::MIN).seconds, SECONDS_MAX as i32);
        let by = DeliverBy { seconds: 10, terms };
        assert_eq!(by.at(at("2026-11-23T12:00:00Z")), deadline);
        assert_eq!(by.at(Timestamp::MAX), Timestamp::MAX);
    }

    #[test]
    fn priorities() {
        for (text, value) in [("9", Some(9)), ("0", Some(0)), ("-9", Some(-9)), ("-0", None), ("+1", None)] {
            assert_eq!(text.parse::<Priority>().ok().map(Priority::value), value, "{text}");
        }
        for text in ["10", "-10", "", "a", "1 "] {
            assert_eq!(text.parse::<Priority>(), Err(BadTiming), "{text}");
        }
        assert_eq!(Priority::new(10), None);
    }
}
