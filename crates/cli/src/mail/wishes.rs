//! What `posta mail send` asks of the server besides taking the letter.

use anyhow::{Context, bail};
use jiff::{SignedDuration, Timestamp, civil, tz::TimeZone};
use posta_server::config::Period;
use posta_smtp::client::Requests;
use posta_ua::Wishes;
use posta_wire::{ByMode, ByTerms, DeliverBy, Hold, Notify, Priority};

/// Wishes as options.
#[derive(Debug, clap::Args)]
pub(super) struct WishOptions {
    /// Of what to be told: SUCCESS, FAILURE and DELAY with commas, or NEVER (RFC 3461)
    #[arg(long, value_name = "WHAT", value_parser = parse_notify)]
    notify: Option<Notify>,
    /// Send it then, not before: `2h`, `2026-12-24 08:00` or `2026-12-24T08:00:00Z` (RFC 4865)
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// It arrives by then, or comes back: `30m`, or a time as for --at (RFC 2852)
    #[arg(long, value_name = "TIME")]
    by: Option<String>,
    /// It leaves inside verified TLS everywhere, or comes back (RFC 8689)
    #[arg(long)]
    require_tls: bool,
    /// From -9 to 9: what is more urgent goes first (RFC 6710)
    #[arg(long, value_name = "NUMBER", allow_negative_numbers = true, value_parser = parse_priority)]
    priority: Option<Priority>,
}

fn parse_notify(text: &str) -> Result<Notify, String> {
    text.to_ascii_uppercase().parse().map_err(|_| "SUCCESS, FAILURE, DELAY, or NEVER".to_owned())
}

fn parse_priority(text: &str) -> Result<Priority, String> {
    text.parse().map_err(|_| "a number from -9 to 9".to_owned())
}

impl WishOptions {
    /// What is asked, at this moment.
    pub(super) fn wishes(&self, now: Timestamp) -> anyhow::Result<Wishes> {
        let at = self.at.as_deref().map(|text| moment(text, now)).transpose()?;
        let by = self.by.as_deref().map(|text| moment(text, now)).transpose()?;
        if let Some((at, by)) = at.zip(by)
            && at > by
        {
            bail!("it cannot be sent after it has arrived: --at is later than --by");
        }
        let terms = ByTerms { mode: ByMode::Return, trace: false };
        let requests = Requests {
            hold: at.map(Hold::Until),
            deliver_by: by.map(|by| DeliverBy::until(by, terms, now)),
            priority: self.priority,
            require_tls: self.require_tls,
            ..Requests::default()
        };
        Ok(Wishes { notify: self.notify, requests })
    }
}

/// A moment to come, in whole seconds: so long from now, or a time, here or with its offset.
fn moment(text: &str, now: Timestamp) -> anyhow::Result<Timestamp> {
    let at = if let Ok(Period(pause)) = text.parse() {
        now.checked_add(SignedDuration::try_from(pause)?)?
    } else if let Ok(at) = text.parse::<Timestamp>() {
        at
    } else {
        let local: civil::DateTime = text.parse().ok().with_context(|| {
            format!("`{text}` is no time; say `2h`, `2026-12-24 08:00` or `2026-12-24T08:00:00Z`")
        })?;
        TimeZone::system().to_timestamp(local)?
    };
    if at <= now {
        bail!("`{text}` is over");
    }
    // The server is told whole seconds: never less than was asked for.
    let whole = at.as_second() + i64::from(at.subsec_nanosecond() > 0);
    Ok(Timestamp::from_second(whole)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments() {
        let now: Timestamp = "2026-11-23T12:00:00Z".parse().unwrap();
        for (text, expected) in [
            ("30m", Some("2026-11-23T12:30:00Z")),
            ("1d 2h", Some("2026-11-24T14:00:00Z")),
            ("2026-12-24T08:00:00Z", Some("2026-12-24T08:00:00Z")),
            ("2026-12-24T08:00:00.5+01:00", Some("2026-12-24T07:00:01Z")),
            ("2026-11-23T11:00:00Z", None),
            ("0s", None),
            ("soon", None),
            ("", None),
        ] {
            let at = moment(text, now).ok().map(|at| at.to_string());
            assert_eq!(at.as_deref(), expected, "{text}");
        }
    }
}
