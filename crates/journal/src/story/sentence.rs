//! One event, one sentence.

use super::Mood;
use crate::{Event, Fate, Record, SessionKind};
use posta_address::{ForwardPath, Mailbox};

/// How it went, what happened in one sentence, and what belongs to it.
pub fn sentence(event: &Event) -> (Mood, String, Vec<String>) {
    match event {
        Event::Session { kind, peer, hello, tls, messages, end, .. } => {
            let protocol = match kind {
                SessionKind::Smtp => "SMTP",
                SessionKind::Pop3 => "POP3",
            };
            let hello = hello.as_ref().map_or_else(String::new, |name| format!(" ({name})"));
            let text =
                format!("{protocol} session with {peer}{hello} ended: {end}; {}", messages_text(*messages));
            (Mood::Plain, text, tls.iter().map(|tls| format!("inside {tls}")).collect())
        }
        Event::Refused { peer, stage, reply, reason, .. } => {
            let text = format!("refused at {} from {peer}: {reason}", stage.to_uppercase());
            let mut details = vec![format!("we said: {reply}")];
            details.extend(advice(stage, reply).map(|advice| format!("what can be done: {advice}")));
            (Mood::Bad, text, details)
        }
        Event::Accepted { .. } => accepted(event),
        Event::Expanded { address, into, rule, .. } => {
            (Mood::Plain, format!("{address} stands for {} ({rule})", list(into)), Vec::new())
        }
        Event::Routed { destination, steps, hosts, .. } => {
            let text = match hosts.as_slice() {
                [] => format!("no host was found for {destination}"),
                hosts => format!("mail for {destination} goes to {}", hosts.join(", then ")),
            };
            (if hosts.is_empty() { Mood::Bad } else { Mood::Plain }, text, steps.clone())
        }
        Event::Secured { host, tls: Some(tls), detail, .. } => {
            (Mood::Plain, format!("the connection to {host} is inside {tls}"), vec![detail.clone()])
        }
        Event::Secured { host, tls: None, detail, .. } => {
            (Mood::Waiting, format!("the connection to {host} is in the clear"), vec![detail.clone()])
        }
        Event::Outcome { .. } => outcome(event),
        Event::Reported { report, to, kind, .. } => {
            let what = if kind == "delay" { "a report of delay" } else { "a report of failure" };
            (Mood::Plain, format!("{what} was made for {to}; it travels as {report}"), Vec::new())
        }
        Event::Fetched { account, deleted: false, .. } => {
            (Mood::Good, format!("fetched by {account}"), Vec::new())
        }
        Event::Fetched { account, deleted: true, .. } => {
            (Mood::Good, format!("removed from the maildrop by {account}"), Vec::new())
        }
        Event::Operator { action, .. } => (Mood::Plain, format!("the operator: {action}"), Vec::new()),
        Event::Guessed { account, failures, peer } => {
            let text = format!("{failures} logins as {account} have failed within an hour");
            (Mood::Bad, text, vec![format!("the last one from {peer}")])
        }
        Event::Lost { events } => {
            let text =
                format!("{events} events came faster than the journal could write them and are not in it");
            (Mood::Waiting, text, Vec::new())
        }
    }
}

fn accepted(event: &Event) -> (Mood, String, Vec<String>) {
    let Event::Accepted { peer, from, to, size_octets, message_id, reason, .. } = event else {
        return (Mood::Plain, String::new(), Vec::new());
    };
    let to: Vec<String> = to.iter().map(ToString::to_string).collect();
    let whence = match peer {
        Some(peer) => format!("accepted from {peer}"),
        None => "made by Posta itself".into(),
    };
    let text = format!("{whence}: {size_octets} octets from {from} to {} ({reason})", to.join(", "));
    let details = message_id.iter().map(|message_id| format!("Message-ID: {message_id}")).collect();
    (Mood::Good, text, details)
}

fn outcome(event: &Event) -> (Mood, String, Vec<String>) {
    let Event::Outcome { to, original, fate, host, detail, next_attempt_at, .. } = event else {
        return (Mood::Plain, String::new(), Vec::new());
    };
    let to = match original {
        Some(ForwardPath::Mailbox(original)) if original != to => format!("{to} (addressed as {original})"),
        Some(ForwardPath::Postmaster) => format!("{to} (addressed as postmaster)"),
        _ => to.to_string(),
    };
    let said = match host {
        Some(host) => format!("{host} said: {detail}"),
        None => detail.clone(),
    };
    // A delivery into a maildrop here needs no words but the sentence itself.
    let is_plain = said.is_empty() || (*fate == Fate::Delivered && host.is_none());
    let details = if is_plain { Vec::new() } else { vec![said] };
    let (mood, text) = match fate {
        Fate::Delivered => (Mood::Good, format!("put into the maildrop of {to}")),
        Fate::Relayed => {
            let host = host.as_deref().unwrap_or("the next host");
            (Mood::Good, format!("handed over for {to}: {host} took responsibility"))
        }
        Fate::Bounced => (Mood::Bad, format!("failed for good for {to}")),
        Fate::Discarded => (Mood::Bad, format!("dropped for {to}")),
        Fate::Deferred => {
            let next = next_attempt_at.map_or_else(String::new, |at| {
                format!("; the next attempt is at {}", at.strftime("%Y-%m-%d %H:%M:%S UTC"))
            });
            (Mood::Waiting, format!("an attempt for {to} failed for now{next}"))
        }
    };
    (mood, text, details)
}

fn messages_text(messages: u32) -> String {
    match messages {
        0 => "no message".into(),
        1 => "1 message".into(),
        several => format!("{several} messages"),
    }
}

fn list(mailboxes: &[Mailbox]) -> String {
    const SHOWN_MAX: usize = 10;
    let mut names: Vec<String> = mailboxes.iter().take(SHOWN_MAX).map(ToString::to_string).collect();
    if mailboxes.len() > SHOWN_MAX {
        names.push(format!("{} more", mailboxes.len() - SHOWN_MAX));
    }
    if names.is_empty() { "nobody".into() } else { names.join(", ") }
}

/// Whether a stage belongs to logging in rather than to a message.
pub(crate) fn is_login(stage: &str) -> bool {
    matches!(stage, "user" | "pass" | "apop" | "auth")
}

/// What the sender (or the operator) can do about a refusal, by the stage and the status of our reply.
/// Prose only: nothing is decided by it.
pub fn advice(stage: &str, reply: &str) -> Option<&'static str> {
    let mut words = reply.split([' ', '-']);
    let code = words.next().unwrap_or_default();
    let status = words.next().filter(|word| word.split('.').count() == 3).unwrap_or_default();
    let subject_detail = status.split_once('.').map_or("", |(_, rest)| rest);
    let advice = match (stage, code, subject_detail) {
        (stage, ..) if is_login(stage) => "check name and password; `posta account password` sets a new one",
        (_, "421", _) => "come back later; the host was stopping or had too many connections",
        (_, _, "1.1") => {
            "nobody here has this address: check its spelling; `posta account add` or `posta alias add` makes it"
        }
        (_, _, "1.2") => {
            "the domain is not served here: check its spelling and its MX records; `posta domain add` makes it local"
        }
        (_, _, "1.3" | "1.7" | "1.8") => {
            "the address is malformed or its domain does not exist: the sending program must be corrected"
        }
        (_, _, "2.1") => "the account is disabled; `posta account enable` lets it receive again",
        (_, _, "2.2") => {
            "the maildrop is full: its owner must fetch and delete mail, or the operator raise its quota"
        }
        (_, _, "2.3" | "3.4") => "the message is larger than allowed: send less, or a link to it",
        (_, _, "3.1" | "3.0") => "the host had a problem of its own; the sender's host will try again",
        (_, _, "4.6") => "the message goes in circles: look at its Received: fields for the hosts concerned",
        (_, _, "5.3") => {
            "too many recipients in one transaction: the sender's host sends the rest in another"
        }
        (_, _, "5.1" | "5.2" | "5.4") => "the sending program broke the protocol; it must be corrected",
        (_, _, "6.0" | "6.1" | "6.7") => {
            "the content breaks a rule of the format (for instance bare line feeds): the sending program must be corrected"
        }
        (_, _, "7.1") => {
            "relaying is only for networks named under [relay]; mail for hosted domains is welcome from everybody"
        }
        (_, _, "7.0") => {
            "too many errors or connections from this address: wait, then correct the sending program"
        }
        (_, code, _) if code.starts_with('4') => "temporary: the sender's host will try again",
        _ => return None,
    };
    Some(advice)
}

/// Hands a record to `tracing`: mail that comes, goes or fails at `info`, the rest at `debug`.
pub fn log(record: &Record) {
    let event = &record.event;
    let level_info = !matches!(event, Event::Session { .. } | Event::Expanded { .. } | Event::Routed { .. });
    // Making the sentence costs more than asking whether anybody wants it.
    if level_info && !tracing::enabled!(target: "posta::mail", tracing::Level::INFO)
        || !level_info && !tracing::enabled!(target: "posta::mail", tracing::Level::DEBUG)
    {
        return;
    }
    let (mood, text, mut details) = sentence(event);
    let id = event.queue_id();
    if matches!(event, Event::Refused { .. }) {
        // Our reply; what can be done about it is for those who ask.
        details.truncate(1);
    }
    let details = if details.is_empty() { None } else { Some(details.join(" | ")) };
    match (mood, level_info) {
        (Mood::Bad | Mood::Waiting, true) => {
            tracing::warn!(target: "posta::mail", id, details, "{text}");
        }
        (_, true) => tracing::info!(target: "posta::mail", id, details, "{text}"),
        (_, false) => tracing::debug!(target: "posta::mail", id, details, "{text}"),
    }
}
