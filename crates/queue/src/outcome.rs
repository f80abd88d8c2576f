//! What came of an attempt, for one recipient.

use crate::{here::MaildropRefusal, limits::PEER_WORDS_MAX};
use jiff::Timestamp;
use posta_address::Host;
use posta_dns::RouteError;
use posta_smtp::{
    EnhancedStatus, Reply,
    client::{Failure, Fault, Stage},
};
use posta_store::LocalDelivery;
use std::{fmt, net::SocketAddr};

/// A host that was reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerName {
    /// Its name, as the route has it.
    pub host: Host,
    /// Where it was reached.
    pub remote: SocketAddr,
}

impl fmt::Display for PeerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.host, self.remote)
    }
}

/// What became of one recipient in one attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The next host took responsibility; this is what it said to the final dot.
    Relayed(Reply),
    /// It is one of ours, and goes into its maildrop.
    Delivered(LocalDelivery),
    /// It did not.
    Failed(Obstacle),
}

/// Why a recipient was not relayed. Transient or permanent, the peer's or ours, is in the variant
/// (and in the first digit of the peer's code), never in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Obstacle {
    /// No route.
    Route(RouteError),
    /// No connection could be opened.
    Unreachable {
        /// The last address tried.
        remote: SocketAddr,
        /// In words.
        reason: String,
    },
    /// Not tried, because the destination did not answer a short time ago.
    Suspended {
        /// When it was tried last.
        since: Timestamp,
        /// What happened then.
        reason: String,
    },
    /// The conversation failed, or the peer refused.
    Session(Failure),
    /// The connection was lost (or the peer fell silent) after the final dot: the peer may have the
    /// message, but did not take responsibility. It is sent again: twice is better than never
    /// (RFC 5321 §4.5.3.2.6, §6.1; RFC 1047).
    LostAfterFinalDot {
        /// Whether it was silence rather than a broken connection.
        timed_out: bool,
    },
    /// The message is not to leave TLS (RFC 8689), and there is none, or the host does not prove who it is.
    TlsRequired(String),
    /// The time that its sender gave it is over (RFC 2852 §4.1.3).
    TimeExpired {
        /// It goes back (`R`); else it is tried further (`N`).
        returns: bool,
        /// What stood in the way last, if it was tried.
        last: Option<String>,
    },
    /// A maildrop here does not take it.
    Maildrop(MaildropRefusal),
    /// Our own store failed.
    Store(String),
    /// It waits until its host comes for it (RFC 2645).
    AwaitsTurn,
    /// The operator has it returned.
    ReturnedByOperator,
}

impl From<Failure> for Obstacle {
    fn from(failure: Failure) -> Self {
        match (failure.stage, &failure.fault) {
            (Stage::EndOfData, Fault::ConnectionLost) => Obstacle::LostAfterFinalDot { timed_out: false },
            (Stage::EndOfData, Fault::TimedOut) => Obstacle::LostAfterFinalDot { timed_out: true },
            _ => Obstacle::Session(failure),
        }
    }
}

impl Obstacle {
    /// Whether a later try makes sense.
    pub fn is_transient(&self) -> bool {
        match self {
            Obstacle::Route(error) => error.is_transient(),
            Obstacle::Session(failure) => failure.is_transient(),
            Obstacle::TimeExpired { returns, .. } => !returns,
            Obstacle::Maildrop(refusal) => refusal.status.class == 4,
            Obstacle::Unreachable { .. }
            | Obstacle::Suspended { .. }
            | Obstacle::LostAfterFinalDot { .. }
            | Obstacle::AwaitsTurn
            | Obstacle::Store(_) => true,
            Obstacle::TlsRequired(_) | Obstacle::ReturnedByOperator => false,
        }
    }

    /// Whether another host of the same destination should be tried in the same attempt
    /// (RFC 5321 §5.1). A recipient that a host refused for good is refused; what may have arrived
    /// is not sent twice in one go.
    pub fn is_for_next_host(&self) -> bool {
        match self {
            Obstacle::Unreachable { .. } | Obstacle::TlsRequired(_) => true,
            Obstacle::Session(failure) => match (&failure.fault, failure.stage) {
                (Fault::ContentUnreadable | Fault::ContentMalformed, _) => false,
                (
                    Fault::Refused(_),
                    Stage::Greeting | Stage::Hello | Stage::StartTls | Stage::Authentication,
                ) => true,
                (Fault::Refused(reply), _) => !reply.is_permanent(),
                (Fault::ConnectionLost | Fault::TimedOut | Fault::BadReply(_), _) => true,
                (Fault::TlsMissing | Fault::Tls(_) | Fault::Authentication(_), _) => true,
                // Another exchange may offer what this one lacks.
                (Fault::ExtensionMissing(_) | Fault::TooLarge { .. }, _) => true,
            },
            Obstacle::Route(_)
            | Obstacle::Suspended { .. }
            | Obstacle::LostAfterFinalDot { .. }
            | Obstacle::TimeExpired { .. }
            | Obstacle::Maildrop(_)
            | Obstacle::Store(_)
            | Obstacle::AwaitsTurn
            | Obstacle::ReturnedByOperator => false,
        }
    }

    /// Whether it says something about the host rather than about this message: then other mail
    /// need not try at once.
    pub fn is_of_destination(&self) -> bool {
        match self {
            Obstacle::Route(error) => error.is_transient(),
            Obstacle::Unreachable { .. } => true,
            Obstacle::Session(failure) => {
                matches!(
                    failure.stage,
                    Stage::Greeting | Stage::Hello | Stage::StartTls | Stage::Authentication
                ) && failure.is_transient()
            }
            _ => false,
        }
    }

    /// Whether a connection kept open from before had only been closed meanwhile, as peers may do at
    /// any time (RFC 5321 §3.8): nothing was tried yet.
    pub fn is_stale_connection(&self) -> bool {
        let Obstacle::Session(failure) = self else { return false };
        match &failure.fault {
            Fault::ConnectionLost | Fault::TimedOut => failure.stage == Stage::Mail,
            Fault::Refused(reply) => failure.stage == Stage::Mail && reply.code == 421,
            _ => false,
        }
    }

    /// The peer's reply, if it is one.
    pub fn reply(&self) -> Option<&Reply> {
        match self {
            Obstacle::Session(Failure { fault: Fault::Refused(reply), .. }) => Some(reply),
            _ => None,
        }
    }

    /// The enhanced status for a report (RFC 3463): the peer's, or ours.
    pub fn status(&self) -> EnhancedStatus {
        let ours = EnhancedStatus::new;
        match self {
            Obstacle::Route(error) => {
                let (class, subject, detail) = error.status();
                ours(class, subject, detail)
            }
            Obstacle::Unreachable { .. } | Obstacle::Suspended { .. } => ours(4, 4, 1),
            Obstacle::LostAfterFinalDot { .. } => ours(4, 4, 2),
            // RFC 8689 §4.2.1: encryption needed.
            Obstacle::TlsRequired(_) => ours(5, 7, 10),
            // RFC 2852 §4.1.3: delivery time expired.
            Obstacle::TimeExpired { returns, .. } => ours(if *returns { 5 } else { 4 }, 4, 7),
            Obstacle::Maildrop(refusal) => refusal.status,
            Obstacle::Store(_) => ours(4, 3, 0),
            // X.4.0: other network status.
            Obstacle::AwaitsTurn => ours(4, 4, 0),
            Obstacle::ReturnedByOperator => ours(5, 7, 0),
            Obstacle::Session(failure) => session_status(failure),
        }
    }

    /// In words, on one line, bounded, fit for the journal, the queue's list and reports.
    pub fn words(&self) -> String {
        match self {
            Obstacle::Route(error) => bounded(&error.to_string()),
            Obstacle::Unreachable { remote, reason } => format!("no connection to {remote}: {reason}"),
            Obstacle::Suspended { since, reason } => {
                format!("not tried now: at {} {reason}", since.strftime("%Y-%m-%d %H:%M:%S UTC"))
            }
            Obstacle::LostAfterFinalDot { timed_out: false } => {
                "the connection was lost after the final dot, so nobody knows whether the message arrived"
                    .to_owned()
            }
            Obstacle::LostAfterFinalDot { timed_out: true } => {
                "the host did not answer to the final dot, so nobody knows whether the message arrived"
                    .to_owned()
            }
            Obstacle::TlsRequired(reason) => {
                bounded(&format!("the message may not be sent without verified TLS: {reason}"))
            }
            Obstacle::TimeExpired { last, .. } => {
                let words = "the time by which it was to arrive is over";
                last.as_ref().map_or_else(|| words.to_owned(), |last| bounded(&format!("{words}: {last}")))
            }
            Obstacle::Maildrop(refusal) => bounded(&refusal.reason),
            Obstacle::Store(reason) => bounded(&format!("this host's own store failed: {reason}")),
            Obstacle::AwaitsTurn => "it waits until its host comes for it (ATRN)".to_owned(),
            Obstacle::ReturnedByOperator => "returned by the operator of this host".to_owned(),
            Obstacle::Session(failure) => session_words(failure),
        }
    }
}

/// RFC 3463: a status whose class fits the reply's code is the peer's own; else only the class is
/// known.
fn session_status(failure: &Failure) -> EnhancedStatus {
    match &failure.fault {
        // Whatever the host said: it is asked again (RFC 3463 §3.8: 7.4 security features not supported).
        Fault::Refused(_) if failure.stage == Stage::StartTls => EnhancedStatus::new(4, 7, 4),
        Fault::TlsMissing => EnhancedStatus::new(4, 7, 4),
        // 7.5: cryptographic failure.
        Fault::Tls(_) => EnhancedStatus::new(4, 7, 5),
        // X.7.0, and transient: the message is not to blame for our password.
        Fault::Authentication(_) => EnhancedStatus::new(4, 7, 0),
        Fault::Refused(_) if failure.stage == Stage::Authentication => EnhancedStatus::new(4, 7, 0),
        Fault::Refused(reply) => {
            let class = if reply.is_permanent() { 5 } else { 4 };
            let own = reply.enhanced.filter(|status| status.class == class);
            own.unwrap_or_else(|| match reply.code {
                // RFC 7504 §3, §4, with what RFC 3463 §3.4 and RFC 7505 §4.2 call it: a host, or a domain, that
                // accepts no mail.
                521 => EnhancedStatus::new(5, 3, 2),
                556 => EnhancedStatus::new(5, 1, 10),
                _ => EnhancedStatus::new(class, 0, 0),
            })
        }
        Fault::ConnectionLost | Fault::TimedOut => EnhancedStatus::new(4, 4, 2),
        Fault::BadReply(_) => EnhancedStatus::new(4, 5, 0),
        // RFC 6531 §3.5 names 5.6.7; RFC 6152 §3 (with RFC 3463 §3.7) 5.6.3.
        Fault::ExtensionMissing("SMTPUTF8") => EnhancedStatus::new(5, 6, 7),
        // RFC 3463 §3.7: media not supported.
        Fault::ExtensionMissing("BINARYMIME") => EnhancedStatus::new(5, 6, 1),
        // RFC 8689 §4.2.1.
        Fault::ExtensionMissing("REQUIRETLS") => EnhancedStatus::new(5, 7, 30),
        // RFC 3463 §3.4: system not capable of selected features.
        Fault::ExtensionMissing("DELIVERBY" | "FUTURERELEASE") => EnhancedStatus::new(5, 3, 3),
        Fault::ExtensionMissing(_) => EnhancedStatus::new(5, 6, 3),
        // RFC 1870 §6.1.
        Fault::TooLarge { .. } => EnhancedStatus::new(5, 3, 4),
        Fault::ContentUnreadable => EnhancedStatus::new(4, 3, 0),
        // RFC 5321 §2.3.8.
        Fault::ContentMalformed => EnhancedStatus::new(5, 6, 0),
    }
}

fn session_words(failure: &Failure) -> String {
    let stage = match failure.stage {
        Stage::Greeting => "the greeting",
        Stage::Hello => "EHLO",
        Stage::StartTls => "STARTTLS",
        Stage::Authentication => "AUTH",
        Stage::Request => "ETRN or ATRN",
        Stage::Mail => "MAIL",
        Stage::Recipient => "RCPT",
        Stage::Data => "DATA",
        Stage::Content => "the content",
        Stage::EndOfData => "the final dot",
    };
    match &failure.fault {
        Fault::Refused(reply) => reply_words(reply),
        Fault::ConnectionLost => format!("the connection was lost at {stage}"),
        Fault::TimedOut => format!("no reply to {stage} in time"),
        Fault::TlsMissing => {
            "the host does not offer STARTTLS, and nothing is sent to it in the clear".to_owned()
        }
        Fault::Tls(failure) => bounded(&failure.to_string()),
        Fault::Authentication(why) => bounded(why),
        Fault::BadReply(line) => bounded(&format!("a reply to {stage} that is no SMTP: {line}")),
        Fault::ExtensionMissing("SMTPUTF8") => {
            "the message has internationalized addresses or headers, and the host does not offer SMTPUTF8"
                .to_owned()
        }
        Fault::ExtensionMissing("8BITMIME") => {
            "the message has 8-bit content that cannot be converted, and the host does not offer 8BITMIME"
                .to_owned()
        }
        Fault::ExtensionMissing("BINARYMIME") => {
            "the message has binary content that cannot be converted, and the host does not offer BINARYMIME"
                .to_owned()
        }
        Fault::ExtensionMissing("REQUIRETLS") => {
            "the message may not leave TLS (REQUIRETLS), and the host does not promise that".to_owned()
        }
        Fault::ExtensionMissing("DELIVERBY") => {
            "the message is to arrive in time or come back, and the host does not promise that (DELIVERBY)"
                .to_owned()
        }
        Fault::ExtensionMissing(name) => format!("the host does not offer {name}"),
        Fault::TooLarge { limit_octets } => {
            format!("the message is larger than the {limit_octets} octets that the host takes")
        }
        Fault::ContentUnreadable => "the message could not be read from this host's own store".to_owned(),
        Fault::ContentMalformed => {
            "the message has a NUL, or a CR or LF that is not part of a line end, and must not be sent on"
                .to_owned()
        }
    }
}

/// A reply on one line, bounded, without control characters.
pub(crate) fn reply_words(reply: &Reply) -> String {
    let mut words = reply.code.to_string();
    if let Some(enhanced) = reply.enhanced {
        words.push_str(&format!(" {enhanced}"));
    }
    for line in &reply.lines {
        if words.len() > PEER_WORDS_MAX * 4 {
            break;
        }
        if !line.is_empty() {
            words.push(' ');
            words.push_str(line);
        }
    }
    bounded(&words)
}

fn bounded(words: &str) -> String {
    let clean = words.chars().map(|c| if c.is_control() { ' ' } else { c });
    let mut bounded: String = clean.clone().take(PEER_WORDS_MAX).collect();
    if words.chars().nth(PEER_WORDS_MAX).is_some() {
        bounded.push('…');
    }
    bounded
}

#[cfg(test)]
mod tests {
    use super::*;
    use posta_wire::TlsFailure;

    fn session(stage: Stage, fault: Fault) -> Obstacle {
        Obstacle::from(Failure { stage, fault })
    }

    fn refused(stage: Stage, code: u16) -> Obstacle {
        session(stage, Fault::Refused(Reply::new(code, None, "no")))
    }

    /// obstacle, transient?, next host?, about the destination?, status
    #[test]
    fn classes() {
        let remote = "192.0.2.1:25".parse().unwrap();
        let enhanced = Reply::new(550, EnhancedStatus::new(5, 1, 1), "no such user");
        let contradicting = Reply::new(450, EnhancedStatus::new(5, 1, 1), "later");
        let table = [
            (Obstacle::Unreachable { remote, reason: "refused".into() }, true, true, true, "4.4.1"),
            (Obstacle::Route(RouteError::NullMx("x".into())), false, false, false, "5.1.10"),
            (refused(Stage::Greeting, 554), false, true, false, "5.0.0"),
            (refused(Stage::Greeting, 421), true, true, true, "4.0.0"),
            (refused(Stage::Hello, 550), false, true, false, "5.0.0"),
            (refused(Stage::Mail, 451), true, true, false, "4.0.0"),
            (refused(Stage::Recipient, 550), false, false, false, "5.0.0"),
            (session(Stage::Recipient, Fault::Refused(enhanced)), false, false, false, "5.1.1"),
            (session(Stage::Recipient, Fault::Refused(contradicting)), true, true, false, "4.0.0"),
            (refused(Stage::Recipient, 452), true, true, false, "4.0.0"),
            (refused(Stage::EndOfData, 554), false, false, false, "5.0.0"),
            (session(Stage::Content, Fault::ConnectionLost), true, true, false, "4.4.2"),
            (session(Stage::EndOfData, Fault::ConnectionLost), true, false, false, "4.4.2"),
            (session(Stage::EndOfData, Fault::TimedOut), true, false, false, "4.4.2"),
            (session(Stage::Hello, Fault::TimedOut), true, true, true, "4.4.2"),
            (refused(Stage::StartTls, 554), true, true, true, "4.7.4"),
            (session(Stage::StartTls, Fault::TlsMissing), true, true, true, "4.7.4"),
            (session(Stage::StartTls, Fault::Tls(TlsFailure::TimedOut)), true, true, true, "4.7.5"),
            (session(Stage::Mail, Fault::ExtensionMissing("8BITMIME")), false, true, false, "5.6.3"),
            (session(Stage::Mail, Fault::ExtensionMissing("SMTPUTF8")), false, true, false, "5.6.7"),
            (session(Stage::Mail, Fault::ExtensionMissing("BINARYMIME")), false, true, false, "5.6.1"),
            (session(Stage::Mail, Fault::ExtensionMissing("REQUIRETLS")), false, true, false, "5.7.30"),
            (Obstacle::TlsRequired("no".into()), false, true, false, "5.7.10"),
            // RFC 7504, where the host says no more.
            (refused(Stage::Greeting, 521), false, true, false, "5.3.2"),
            (refused(Stage::Recipient, 556), false, false, false, "5.1.10"),
            (refused(Stage::EndOfData, 556), false, false, false, "5.1.10"),
            (session(Stage::Mail, Fault::TooLarge { limit_octets: 1 }), false, true, false, "5.3.4"),
            (session(Stage::Content, Fault::ContentUnreadable), true, false, false, "4.3.0"),
            (Obstacle::AwaitsTurn, true, false, false, "4.4.0"),
            (Obstacle::ReturnedByOperator, false, false, false, "5.7.0"),
        ];
        for (obstacle, transient, next_host, destination, status) in table {
            assert_eq!(obstacle.is_transient(), transient, "{obstacle:?}");
            assert_eq!(obstacle.is_for_next_host(), next_host, "{obstacle:?}");
            assert_eq!(obstacle.is_of_destination(), destination, "{obstacle:?}");
            assert_eq!(obstacle.status().to_string(), status, "{obstacle:?}");
        }
    }

    #[test]
    fn lost_after_the_final_dot_is_its_own_kind() {
        let lost = session(Stage::EndOfData, Fault::ConnectionLost);
        assert_eq!(lost, Obstacle::LostAfterFinalDot { timed_out: false });
        assert!(!session(Stage::Data, Fault::ConnectionLost).is_stale_connection());
        assert!(session(Stage::Mail, Fault::ConnectionLost).is_stale_connection());
        assert!(refused(Stage::Mail, 421).is_stale_connection());
        assert!(!refused(Stage::Mail, 451).is_stale_connection());
    }

    #[test]
    fn peers_words_are_bounded_and_clean() {
        let mut reply = Reply::new(550, None, "a\u{1b}[31m\u{7}b");
        assert_eq!(reply_words(&reply), "550 a [31m b");
        reply.lines = vec!["ü".repeat(3000).into(); 100];
        assert_eq!(reply_words(&reply).chars().count(), PEER_WORDS_MAX + 1);
    }
}
