//! What a message is to wait for, and by when it is to arrive: from what was asked for and what its sender has
//! set, to what is kept with it.

use super::replies::{self, Standard};
use crate::{host::Host, limits::HELD_MESSAGES_MAX};
use jiff::{SignedDuration, Timestamp};
use posta_address::Mailbox;
use posta_smtp::{FutureRelease, server::MailParameters};
use posta_store::{AccountId, Deadline, Release};
use posta_wire::{Hold, Priority, seconds_of};
use std::time::Duration;

/// What a message asks of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Timing {
    /// It waits in the queue, for recipients here too.
    pub(crate) release: Option<Release>,
    /// When it is to have arrived.
    pub(crate) deadline: Option<Deadline>,
    /// What goes before others.
    pub(crate) priority: Priority,
}

/// Who sends, as far as time is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Patience {
    pub(crate) account: AccountId,
    /// Seconds that all it sends waits.
    pub(crate) hold_seconds: u32,
}

/// For how long messages are held, as a submission service says in advance (RFC 4865 §3).
pub(crate) fn future_release(longest: Duration, now: Timestamp) -> Option<FutureRelease> {
    let seconds_max = seconds_of(longest);
    let until_max = now.checked_add(SignedDuration::from_secs(seconds_max.into())).ok()?;
    let until_max = Timestamp::from_second(until_max.as_second()).ok()?;
    (seconds_max > 0).then_some(FutureRelease { seconds_max, until_max })
}

/// A refusal, with the rule that decided.
pub(crate) type Refusal = (Standard, String);

/// Whether what is sent by this account waits by itself, and whether more of it may.
pub(crate) async fn patience(
    host: &Host,
    account: Option<&Mailbox>,
    asked: Option<Hold>,
) -> Result<Option<Patience>, Refusal> {
    let Some(address) = account else { return Ok(None) };
    let account = match host.store.account(address).await {
        Ok(Some(account)) => account,
        Ok(None) => return Err((replies::LOCAL_ERROR, "directory: the account is gone".into())),
        Err(error) => return Err((replies::LOCAL_ERROR, format!("directory: {error}"))),
    };
    if asked.is_some() && host.queue().waiting(account.id).len() >= HELD_MESSAGES_MAX {
        return Err((
            replies::HELD_TOO_MANY,
            "held: an account has a limited number of messages that wait".into(),
        ));
    }
    Ok(Some(Patience { account: account.id, hold_seconds: account.hold_seconds }))
}

/// What is kept with the message.
pub(crate) fn judge(
    parameters: &MailParameters,
    patience: Option<Patience>,
    is_trusted: bool,
    now: Timestamp,
) -> Result<Timing, Refusal> {
    let release = patience.and_then(|patience| release(parameters.hold, patience, now));
    let deadline = parameters.deliver_by.map(|by| Deadline { at: by.at(now), terms: by.terms });
    // RFC 4865 §5.2.2.
    if let Some((release, deadline)) = release.zip(deadline)
        && release.at > deadline.at
    {
        return Err((replies::BAD_PARAMETER, "held: beyond the time by which it is to arrive".into()));
    }
    // RFC 6710 §4.1: upgraded priorities only from whoever is known.
    let asked = parameters.priority.unwrap_or_default();
    let priority = if is_trusted { asked } else { asked.min(Priority::default()) };
    Ok(Timing { release, deadline, priority })
}

/// Until when a message waits: until its sender's own hold is over, and the moment that was asked for has come.
pub(crate) fn release(asked: Option<Hold>, patience: Patience, now: Timestamp) -> Option<Release> {
    let Patience { account, hold_seconds } = patience;
    let held = (hold_seconds > 0)
        .then(|| now.checked_add(SignedDuration::from_secs(hold_seconds.into())).unwrap_or(Timestamp::MAX));
    let wanted = asked.map(|asked| asked.release_at(now)).filter(|at| *at > now);
    let at = held.max(wanted)?;
    Some(Release { at, by: Some(account), of: None, asked })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn judgements() {
        let now: Timestamp = "2026-11-23T12:00:00Z".parse().expect("a time");
        let patience = |hold_seconds| Some(Patience { account: AccountId(1), hold_seconds });
        for (hold, by, priority, patience, is_trusted, expected) in [
            (None, None, None, None, false, Ok((None, None, 0))),
            (None, Some("60;R"), Some("3"), None, true, Ok((None, Some(60), 3))),
            // Strangers are not urgent, but may be patient.
            (None, None, Some("3"), None, false, Ok((None, None, 0))),
            (None, None, Some("-3"), None, false, Ok((None, None, -3))),
            (Some("for;60"), Some("60;R"), None, patience(0), true, Ok((Some(60), Some(60), 0))),
            (Some("for;61"), Some("60;R"), None, patience(0), true, Err(501)),
            (Some("until;2026-11-23T12:02:00Z"), Some("60;N"), None, patience(0), true, Err(501)),
            (None, Some("60;R"), None, patience(90), true, Err(501)),
        ] {
            let parameters = MailParameters {
                hold: hold.map(|hold: &str| hold.parse().expect("a hold")),
                deliver_by: by.map(|by: &str| by.parse().expect("a deadline")),
                priority: priority.map(|priority: &str| priority.parse().expect("a priority")),
                ..MailParameters::default()
            };
            let seconds = |at: Timestamp| at.duration_since(now).as_secs();
            let judged = judge(&parameters, patience, is_trusted, now).map(|timing| {
                let release = timing.release.map(|release| seconds(release.at));
                (release, timing.deadline.map(|deadline| seconds(deadline.at)), timing.priority.value())
            });
            assert_eq!(judged.map_err(|(reply, _)| reply.code), expected, "{parameters:?}");
        }
    }

    #[test]
    fn the_later_counts() {
        let now: Timestamp = "2026-11-23T12:00:00Z".parse().expect("a time");
        for (asked, hold_seconds, expected) in [
            (None, 0, None),
            (None, 30, Some("2026-11-23T12:00:30Z")),
            (Some("for;10"), 0, Some("2026-11-23T12:00:10Z")),
            (Some("for;10"), 30, Some("2026-11-23T12:00:30Z")),
            (Some("for;60"), 30, Some("2026-11-23T12:01:00Z")),
            (Some("until;2026-11-23T12:05:00Z"), 30, Some("2026-11-23T12:05:00Z")),
            (Some("until;2026-11-23T11:00:00Z"), 0, None),
            (Some("until;2026-11-23T11:00:00Z"), 1, Some("2026-11-23T12:00:01Z")),
        ] {
            let asked = asked.map(|asked| asked.parse().expect("a hold"));
            let patience = Patience { account: AccountId(1), hold_seconds };
            let at = release(asked, patience, now).map(|release| release.at.to_string());
            assert_eq!(at.as_deref(), expected, "{asked:?} {hold_seconds}");
        }
    }
}
