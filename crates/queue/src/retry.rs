//! From an outcome to what happens next (RFC 5321 §4.5.4.1).

use crate::outcome::{Obstacle, Outcome};
use jiff::{SignedDuration, Timestamp};
use posta_smtp::Reply;
use posta_store::{Deadline, LocalDelivery};
use posta_wire::ByMode;
use std::time::Duration;

/// When to try again, when to tell the sender, when to give up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetrySettings {
    /// Pauses after the first, second, … attempt; the last one repeats. RFC 5321 §4.5.4.1: "the
    /// retry interval SHOULD be at least 30 minutes; however, more sophisticated and variable
    /// strategies will be beneficial": most failures are over in minutes (greylisting, restarts), so
    /// the first pauses are short.
    pub pauses: Vec<Duration>,
    /// The sender is told of the delay after this time; `None`: never.
    pub delay_warning: Option<Duration>,
    /// Given up after this time. RFC 5321 §4.5.4.1: "generally needs to be at least 4-5 days".
    pub expiry: Duration,
    /// The same for messages with a null reverse-path; may be shorter (RFC 5321 §4.5.4.1).
    pub expiry_of_reports: Duration,
}

const fn minutes(count: u64) -> Duration {
    Duration::from_secs(count * 60)
}

impl Default for RetrySettings {
    fn default() -> Self {
        RetrySettings {
            pauses: [1, 5, 15, 30, 60, 120, 240].map(minutes).to_vec(),
            delay_warning: Some(minutes(4 * 60)),
            expiry: minutes(5 * 24 * 60),
            expiry_of_reports: minutes(2 * 24 * 60),
        }
    }
}

impl RetrySettings {
    /// The pause after so many attempts (at least one).
    fn pause(&self, attempts: u32) -> Duration {
        let index = (attempts.max(1) - 1) as usize;
        let fallback = minutes(30);
        self.pauses.get(index).or(self.pauses.last()).copied().unwrap_or(fallback)
    }

    /// When a message is given up.
    pub fn expires_at(&self, accepted_at: Timestamp, is_report: bool) -> Timestamp {
        later(accepted_at, if is_report { self.expiry_of_reports } else { self.expiry })
    }
}

/// `at` and then so long; the end of time at the latest.
pub(crate) fn later(at: Timestamp, pause: Duration) -> Timestamp {
    SignedDuration::try_from(pause)
        .ok()
        .and_then(|pause| at.checked_add(pause).ok())
        .unwrap_or(Timestamp::MAX)
}

/// What is known of a recipient, this attempt included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct History {
    /// Attempts, with the one just made.
    pub attempts: u32,
    /// When the message was accepted, or released.
    pub accepted_at: Timestamp,
    /// Whether the sender was told of the delay.
    pub delay_reported: bool,
    /// Whether it is a report itself (null reverse-path).
    pub is_report: bool,
    /// When it is to have arrived (RFC 2852).
    pub deadline: Option<Deadline>,
}

impl History {
    /// When it goes back whatever stands in the way (RFC 2852 §4: mode R).
    fn returns_at(&self) -> Option<Timestamp> {
        self.deadline.filter(|deadline| deadline.terms.mode == ByMode::Return).map(|deadline| deadline.at)
    }
}

/// What happens next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// The next host has it: settled.
    Done(Reply),
    /// Into its maildrop here: settled.
    Deliver(LocalDelivery),
    /// Tried again.
    Again {
        /// Why.
        obstacle: Obstacle,
        /// Not before this.
        at: Timestamp,
        /// The sender is to be told of the delay now.
        tell_delay: bool,
    },
    /// Given up: the sender is told.
    Bounce {
        /// Why.
        obstacle: Obstacle,
        /// Because of its age, not because of a permanent refusal.
        expired: bool,
    },
}

/// Decides about one recipient.
pub fn decide(outcome: Outcome, history: &History, settings: &RetrySettings, now: Timestamp) -> Decision {
    let expires_at = settings.expires_at(history.accepted_at, history.is_report);
    match outcome {
        Outcome::Relayed(reply) => Decision::Done(reply),
        Outcome::Delivered(delivery) => Decision::Deliver(delivery),
        Outcome::Failed(obstacle) if !obstacle.is_transient() => {
            Decision::Bounce { obstacle, expired: false }
        }
        // RFC 2852 §4.1.3: no further attempts.
        Outcome::Failed(obstacle) if history.returns_at().is_some_and(|at| now >= at) => {
            let obstacle = Obstacle::TimeExpired { returns: true, last: Some(obstacle.words()) };
            Decision::Bounce { obstacle, expired: false }
        }
        Outcome::Failed(obstacle) if now >= expires_at => Decision::Bounce { obstacle, expired: true },
        Outcome::Failed(obstacle) => {
            let is_late = history.deadline.is_some_and(|deadline| now >= deadline.at);
            // RFC 2852 §4.1.3: who set a deadline hears of the delay when it has passed.
            let is_long = match history.deadline {
                Some(_) => is_late,
                None => settings.delay_warning.is_some_and(|after| now >= later(history.accepted_at, after)),
            };
            let tell_delay = !history.delay_reported && !history.is_report && is_long;
            let obstacle = match is_late && tell_delay {
                true => Obstacle::TimeExpired { returns: false, last: Some(obstacle.words()) },
                false => obstacle,
            };
            // The last attempt is made when the time is over, not before.
            let next = later(now, settings.pause(history.attempts)).min(expires_at);
            let deadline = history.deadline.map(|deadline| deadline.at).filter(|at| *at > now);
            Decision::Again { obstacle, at: deadline.map_or(next, |at| next.min(at)), tell_delay }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use posta_dns::{DnsError, RouteError};
    use posta_smtp::client::{Failure, Fault, Stage};

    fn at(minute: u64) -> Timestamp {
        later("2026-11-23T12:00:00Z".parse().unwrap(), minutes(minute))
    }

    fn refused(code: u16) -> Outcome {
        let fault = Fault::Refused(Reply::new(code, None, "words that do not matter 550 450"));
        Outcome::Failed(Obstacle::from(Failure { stage: Stage::Recipient, fault }))
    }

    fn failed(stage: Stage, fault: Fault) -> Outcome {
        Outcome::Failed(Obstacle::from(Failure { stage, fault }))
    }

    /// A decision without what it carries on from the outcome.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    enum Next {
        Done,
        Again(Timestamp, bool),
        Bounce { expired: bool },
    }

    /// Checks that the outcome is carried on as it was.
    fn next(outcome: &Outcome, decision: Decision) -> Next {
        match (outcome, decision) {
            (Outcome::Relayed(said), Decision::Done(reply)) if *said == reply => Next::Done,
            (Outcome::Failed(known), Decision::Again { obstacle, at, tell_delay }) if *known == obstacle => {
                Next::Again(at, tell_delay)
            }
            (Outcome::Failed(known), Decision::Bounce { obstacle, expired }) if *known == obstacle => {
                Next::Bounce { expired }
            }
            (outcome, decision) => panic!("{decision:?} does not belong to {outcome:?}"),
        }
    }

    /// outcome, attempts, minutes since acceptance, told of delay?, report? → decision
    #[test]
    fn decisions() {
        const DAY: u64 = 24 * 60;
        let again = |minute, tell_delay| Next::Again(at(minute), tell_delay);
        let refused_for_good = Next::Bounce { expired: false };
        let too_old = Next::Bounce { expired: true };
        let lost = failed(Stage::EndOfData, Fault::ConnectionLost);
        let temporary = DnsError::Temporary { name: "x".into(), reason: "y".into() };
        let table = [
            (Outcome::Relayed(Reply::new(250, None, "ok")), 1, 0, false, false, Next::Done),
            (Outcome::Relayed(Reply::new(250, None, "ok")), 9, 9 * DAY, true, true, Next::Done),
            (refused(550), 1, 0, false, false, refused_for_good),
            (refused(554), 1, 0, false, true, refused_for_good),
            (refused(450), 1, 0, false, false, again(1, false)),
            (refused(450), 2, 1, false, false, again(6, false)),
            (refused(450), 3, 6, false, false, again(21, false)),
            (refused(450), 7, 200, false, false, again(440, false)),
            (refused(450), 40, 1000, true, false, again(1240, false)),
            // the delay is told once, and never of a report
            (refused(450), 7, 239, false, false, again(479, false)),
            (refused(450), 7, 240, false, false, again(480, true)),
            (refused(450), 7, 240, true, false, again(480, false)),
            (refused(450), 7, 240, false, true, again(480, false)),
            // the last attempt comes when the time is over
            (refused(450), 40, 5 * DAY - 10, true, false, again(5 * DAY, false)),
            (refused(450), 41, 5 * DAY, true, false, too_old),
            (refused(450), 41, 5 * DAY + 300, true, false, too_old),
            (refused(450), 20, 2 * DAY, false, true, too_old),
            (refused(450), 20, 2 * DAY, true, false, again(2 * DAY + 240, false)),
            // lost after the final dot: sent again
            (lost, 1, 0, false, false, again(1, false)),
            (failed(Stage::Greeting, Fault::TimedOut), 1, 0, false, false, again(1, false)),
            (failed(Stage::Mail, Fault::ExtensionMissing("8BITMIME")), 1, 0, false, false, refused_for_good),
            (failed(Stage::Mail, Fault::TooLarge { limit_octets: 9 }), 1, 0, false, false, refused_for_good),
            (failed(Stage::Content, Fault::ContentUnreadable), 1, 0, false, false, again(1, false)),
            (
                Outcome::Failed(Obstacle::Route(RouteError::Temporary(temporary))),
                1,
                0,
                false,
                false,
                again(1, false),
            ),
            (
                Outcome::Failed(Obstacle::Route(RouteError::NullMx("x".into()))),
                1,
                0,
                false,
                false,
                refused_for_good,
            ),
            (Outcome::Failed(Obstacle::ReturnedByOperator), 1, 0, false, false, refused_for_good),
        ];
        for (outcome, attempts, minute, delay_reported, is_report, expected) in table {
            let history = History { attempts, accepted_at: at(0), delay_reported, is_report, deadline: None };
            let decision = decide(outcome.clone(), &history, &RetrySettings::default(), at(minute));
            assert_eq!(next(&outcome, decision), expected, "{outcome:?} {history:?} minute {minute}");
        }
    }

    /// mode, minutes until the deadline, minutes since acceptance, told? → decision (RFC 2852 §4.1.3)
    #[test]
    fn deadlines() {
        let again = |minute, tell_delay| Next::Again(at(minute), tell_delay);
        for (terms, deadline, minute, delay_reported, expected) in [
            // The pause never reaches beyond the deadline.
            ("R", 20, 0, false, again(1, false)),
            ("R", 20, 19, false, again(20, false)),
            ("R", 20, 20, false, Next::Bounce { expired: false }),
            ("N", 20, 19, false, again(20, false)),
            ("N", 20, 20, false, again(50, true)),
            ("N", 20, 20, true, again(50, false)),
            // Nobody is warned before.
            ("N", 600, 300, false, again(330, false)),
        ] {
            let attempts = if minute == 0 { 1 } else { 4 };
            let deadline = Some(Deadline { at: at(deadline), terms: terms.parse().unwrap() });
            let history =
                History { attempts, accepted_at: at(0), delay_reported, is_report: false, deadline };
            let next = match decide(refused(450), &history, &RetrySettings::default(), at(minute)) {
                Decision::Again { at, tell_delay, obstacle } => {
                    assert_eq!(obstacle.status().to_string() == "4.4.7", tell_delay);
                    Next::Again(at, tell_delay)
                }
                Decision::Bounce { obstacle, expired } => {
                    assert_eq!(obstacle.status().to_string(), "5.4.7");
                    Next::Bounce { expired }
                }
                other => panic!("{other:?}"),
            };
            assert_eq!(next, expected, "{terms} {minute}");
        }
    }

    #[test]
    fn odd_settings_do_no_harm() {
        let settings = RetrySettings { pauses: vec![], delay_warning: None, ..RetrySettings::default() };
        let history = History {
            attempts: 0,
            accepted_at: at(0),
            delay_reported: false,
            is_report: false,
            deadline: None,
        };
        let decision = next(&refused(450), decide(refused(450), &history, &settings, at(600)));
        assert_eq!(decision, Next::Again(at(630), false));
        assert_eq!(later(Timestamp::MAX, minutes(1)), Timestamp::MAX);
        assert_eq!(later(at(0), Duration::MAX), Timestamp::MAX);
    }
}
