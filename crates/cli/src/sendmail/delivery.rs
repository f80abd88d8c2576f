//! A message on its way: to the server, or into the queue where that is not to be had.

use super::{
    options::Options,
    queue::{self, Queue},
    route::{Route, queue_folder},
    sysexits::{Exit, Failure},
};
use bytes::Bytes;
use posta_address::{Mailbox, ReversePath};
use posta_message::{Message, MessageId};
use posta_smtp::client::{Failure as SmtpFailure, Fault, Stage};
use posta_ua::{
    Letter, Outcomes, Protocol, SubmitError, Wishes, describe_outcome, describe_smtp, submit_as,
    terminal::harmless_line,
};
use posta_wire::ContentFacts;

/// From whom, to whom, and what is asked of the server.
#[derive(Debug, Clone)]
pub(super) struct Envelope {
    pub(super) reverse_path: ReversePath,
    pub(super) recipients: Vec<Mailbox>,
    pub(super) wishes: Wishes,
}

/// What became of a message for which we take responsibility.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum HandOver {
    /// The server has it.
    Sent,
    /// It waits here.
    Queued { id: String, reason: String },
}

/// What the server said.
#[derive(Debug, Default)]
pub(super) struct Answers {
    /// Those for whom it may take it another time.
    pub(super) later: Vec<Mailbox>,
    /// Those for whom it never will, with words.
    pub(super) refused: Vec<(Mailbox, String)>,
    /// Whether all that was refused was because nobody is there.
    pub(super) only_unknown: bool,
    /// Why later.
    pub(super) reason: String,
    /// Nobody could be talked to.
    pub(super) is_away: bool,
}

/// Sends a message, or keeps it. A failure says that some recipients (or all) will not get it.
pub(super) async fn hand_over(
    options: &Options,
    route: &Route,
    envelope: Envelope,
    octets: Vec<u8>,
) -> Result<HandOver, Failure> {
    let queue = Queue::new(queue_folder(options)?);
    if options.only_queue {
        return keep(options, route, &queue, &envelope, &octets, "as asked for".to_owned());
    }
    let octets = Bytes::from(octets);
    let answers = submit(options, route, &envelope, octets.clone()).await;
    let mut handed = HandOver::Sent;
    if !answers.later.is_empty() {
        let rest = Envelope { recipients: answers.later.clone(), ..envelope.clone() };
        handed = keep(options, route, &queue, &rest, &octets, answers.reason.clone())?;
    }
    if answers.refused.is_empty() {
        return Ok(handed);
    }
    let all = answers.refused.len() == envelope.recipients.len();
    let words: Vec<_> = answers.refused.iter().map(|(mailbox, why)| format!("{mailbox}: {why}")).collect();
    let note = match (&handed, all) {
        (_, true) => "nothing was sent",
        (HandOver::Sent, false) => "sent to the others, but not to these",
        (HandOver::Queued { .. }, false) => "kept for the others, but not for these",
    };
    let exit = if answers.only_unknown { Exit::NoUser } else { Exit::Unavailable };
    Err(Failure::new(exit, format!("{note}: {}", words.join("; "))))
}

/// Tries once.
pub(super) async fn submit(options: &Options, route: &Route, envelope: &Envelope, octets: Bytes) -> Answers {
    let letter = letter(envelope, octets, route);
    let transcript = crate::mail::dialogue::shown_if(options.verbose, Protocol::Smtp);
    let submitted =
        submit_as(&route.outside, &route.endpoint, &letter, route.login.as_ref(), transcript.as_deref())
            .await;
    match submitted {
        Ok(outcomes) => Answers::of(outcomes),
        Err(SubmitError::Session(failure)) if !failure.is_transient() => {
            let why = harmless_line(&describe_smtp(&failure));
            let refused = envelope.recipients.iter().map(|mailbox| (mailbox.clone(), why.clone())).collect();
            Answers { refused, ..Answers::default() }
        }
        Err(error) => Answers {
            later: envelope.recipients.clone(),
            reason: format!("{}: {}", route.endpoint, harmless_line(&error.to_string())),
            is_away: true,
            ..Answers::default()
        },
    }
}

impl Answers {
    fn of(outcomes: Outcomes) -> Answers {
        let mut answers = Answers { only_unknown: true, ..Answers::default() };
        for (mailbox, outcome) in outcomes {
            let words = harmless_line(&describe_outcome(&outcome));
            match &outcome {
                Ok(_) => {}
                Err(failure) if failure.is_transient() => {
                    answers.later.push(mailbox);
                    answers.reason = words;
                }
                Err(failure) => {
                    answers.only_unknown &= is_unknown(failure);
                    answers.refused.push((mailbox, words));
                }
            }
        }
        answers
    }
}

/// RFC 5321 §4.2.3: 550, 551 and 553 to RCPT say that no such mailbox is there.
fn is_unknown(failure: &SmtpFailure) -> bool {
    match &failure.fault {
        Fault::Refused(reply) => failure.stage == Stage::Recipient && matches!(reply.code, 550 | 551 | 553),
        _ => false,
    }
}

fn letter(envelope: &Envelope, octets: Bytes, route: &Route) -> Letter {
    let (facts, _) = ContentFacts::of(&octets);
    let named = Message::parse(&octets).root().message_id().and_then(|id| MessageId::parse(&id).ok());
    let outside = &route.outside;
    let fresh =
        || MessageId::new(outside.entropy.next_u64(), outside.clock.timestamp(), &route.author.domain);
    let addresses_are_ascii =
        envelope.reverse_path.is_ascii() && envelope.recipients.iter().all(Mailbox::is_ascii);
    Letter {
        needs_smtputf8: facts.has_8bit_headers || !addresses_are_ascii,
        octets,
        facts,
        reverse_path: envelope.reverse_path.clone(),
        recipients: envelope.recipients.clone(),
        message_id: named.unwrap_or_else(fresh),
        wishes: envelope.wishes.clone(),
    }
}

fn keep(
    options: &Options,
    route: &Route,
    queue: &Queue,
    envelope: &Envelope,
    octets: &[u8],
    reason: String,
) -> Result<HandOver, Failure> {
    let now = route.outside.clock.timestamp();
    let id = format!("{:011x}{:08x}", now.as_millisecond(), route.outside.entropy.next_u64() as u32);
    let requests = &envelope.wishes.requests;
    let kept = queue::Envelope {
        reverse_path: envelope.reverse_path.clone(),
        recipients: envelope.recipients.clone(),
        smtp: options.smtp.clone(),
        account: options.account.clone(),
        notify: envelope.wishes.notify.map(|notify| notify.to_string()),
        returned: requests.returned.map(|returned| returned.to_string()),
        envelope_id: requests.envelope_id.as_ref().map(ToString::to_string),
        since: now,
        attempts: u32::from(!options.only_queue),
        reason: reason.clone(),
        is_refused: false,
    };
    queue.keep(&id, &kept, octets)?;
    Ok(HandOver::Queued { id, reason })
}

/// How a message of the queue is sent: as it would have been then.
fn as_then(options: &Options, kept: &queue::Envelope) -> (Options, Envelope) {
    let from = kept.reverse_path.mailbox().map(ToString::to_string);
    let options = Options {
        smtp: kept.smtp.clone(),
        account: kept.account.clone(),
        from,
        verbose: options.verbose,
        config: options.config.clone(),
        queue: options.queue.clone(),
        ..Options::default()
    };
    let mut wishes =
        Wishes { notify: kept.notify.as_deref().and_then(|text| text.parse().ok()), ..Wishes::default() };
    wishes.requests.returned = kept.returned.as_deref().and_then(|text| text.parse().ok());
    wishes.requests.envelope_id = kept.envelope_id.as_deref().and_then(|text| text.parse().ok());
    let envelope =
        Envelope { reverse_path: kept.reverse_path.clone(), recipients: kept.recipients.clone(), wishes };
    (options, envelope)
}

/// What came of a walk through the queue.
#[derive(Debug, Default)]
pub(super) struct Flushed {
    pub(super) sent: usize,
    pub(super) left: usize,
    pub(super) refused: Vec<String>,
    /// Another call is at it.
    pub(super) is_busy: bool,
}

/// Tries what waits, at most so many. A server that is away is asked once.
pub(super) async fn flush(options: &Options, most: usize) -> Result<Flushed, Failure> {
    let queue = Queue::new(queue_folder(options)?);
    let failed = |error: std::io::Error| Failure::new(Exit::Io, error);
    let (waiting, broken) = queue.list().map_err(failed)?;
    let mut flushed = Flushed { refused: broken, ..Flushed::default() };
    if waiting.is_empty() {
        return Ok(flushed);
    }
    let Some(_turn) = queue.take_turn().map_err(failed)? else {
        return Ok(Flushed { is_busy: true, left: waiting.len(), ..flushed });
    };
    let mut away = Vec::new();
    let ready = waiting.iter().filter(|waiting| !waiting.envelope.is_refused || options.retries_refused);
    for id in ready.take(most).map(|waiting| &waiting.id) {
        // Another call may have sent it since the list was made.
        let Ok((kept, octets)) = queue.read(id) else { continue };
        let (options, envelope) = as_then(options, &kept);
        let route = Route::find(&options)?;
        if away.contains(&route.endpoint) {
            flushed.left += 1;
            continue;
        }
        let octets = Bytes::from(octets);
        let answers = submit(&options, &route, &envelope, octets.clone()).await;
        if answers.is_away {
            away.push(route.endpoint);
        }
        settle(&queue, id, kept, &octets, answers, &mut flushed).map_err(failed)?;
    }
    Ok(flushed)
}

/// Writes down what the server said, before anything else is done.
fn settle(
    queue: &Queue,
    id: &str,
    mut kept: queue::Envelope,
    octets: &[u8],
    answers: Answers,
    flushed: &mut Flushed,
) -> std::io::Result<()> {
    if answers.later.is_empty() && answers.refused.is_empty() {
        flushed.sent += 1;
        return queue.remove(id);
    }
    let words: Vec<_> = answers.refused.iter().map(|(mailbox, why)| format!("{mailbox}: {why}")).collect();
    // Those who were refused stay with the others: whoever looks sees all that is left.
    kept.is_refused = answers.later.is_empty();
    kept.recipients =
        answers.later.into_iter().chain(answers.refused.into_iter().map(|(to, _)| to)).collect();
    kept.attempts += 1;
    kept.reason = if words.is_empty() { answers.reason } else { words.join("; ") };
    if kept.is_refused {
        flushed.refused.push(format!("{id}: {}", kept.reason));
    } else {
        flushed.left += 1;
    }
    queue.replace(id, &kept, octets)
}
