//! The envelope: MAIL, RCPT, DATA, and RSET where one is needed (RFC 5321 §3.3, RFC 2920 §3.1).

use super::{
    Event, Failure, Fault, Recipient, RecipientOutcome, Requests, Stage, Transaction,
    session::{Session, State},
};
use crate::{
    Body, Command, MailParameters, PeerExtensions, RecipientParameters, Reply, limits::PIPELINED_COMMANDS_MAX,
};
use posta_address::ReversePath;
use posta_wire::{ByMode, DeliverBy};
use std::{fmt::Write, time::Instant};

/// A transaction on its way.
#[derive(Debug)]
pub(super) struct Delivery {
    pub(super) transaction: Transaction,
    /// What is settled; the rest waits for the final dot.
    outcomes: Vec<Option<RecipientOutcome>>,
    parameters: MailParameters,
    /// The host offers DSN.
    dsn: bool,
    /// The content goes in chunks, with BDAT in place of DATA (RFC 3030).
    chunking: bool,
    steps: Vec<Step>,
    /// How many steps have been sent, and how many of these replied to.
    sent: usize,
    replied: usize,
    mail_accepted: bool,
    accepted: usize,
}

/// A command of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Reset,
    Mail,
    /// RCPT for the recipient of this index.
    Recipient(usize),
    Data,
}

impl Step {
    fn stage(self) -> Stage {
        match self {
            Step::Reset | Step::Mail => Stage::Mail,
            Step::Recipient(_) => Stage::Recipient,
            Step::Data => Stage::Data,
        }
    }
}

impl Delivery {
    /// Finds out how the host can be given the message; a failure counts for all recipients.
    fn prepare(transaction: Transaction, extensions: &PeerExtensions, reset: bool) -> Self {
        let mut delivery = Delivery {
            outcomes: vec![None; transaction.recipients.len()],
            parameters: MailParameters::default(),
            dsn: extensions.dsn,
            chunking: extensions.chunking,
            steps: Vec::with_capacity(transaction.recipients.len() + 3),
            sent: 0,
            replied: 0,
            mail_accepted: false,
            accepted: 0,
            transaction,
        };
        match parameters_for(&delivery.transaction, extensions) {
            Ok(parameters) => delivery.parameters = parameters,
            Err(fault) => {
                delivery.settle_open(Err(Failure { stage: Stage::Mail, fault }));
                return delivery;
            }
        }
        delivery.steps.extend(reset.then_some(Step::Reset));
        delivery.steps.push(Step::Mail);
        for (index, recipient) in delivery.transaction.recipients.iter().enumerate() {
            if !delivery.parameters.smtputf8 && recipient.path.to_ascii().is_none() {
                let fault = Fault::ExtensionMissing("SMTPUTF8");
                delivery.outcomes[index] = Some(Err(Failure { stage: Stage::Recipient, fault }));
            } else {
                delivery.steps.push(Step::Recipient(index));
            }
        }
        if !delivery.chunking {
            delivery.steps.push(Step::Data);
        }
        delivery
    }

    fn settle_open(&mut self, outcome: RecipientOutcome) {
        for slot in self.outcomes.iter_mut().filter(|slot| slot.is_none()) {
            *slot = Some(outcome.clone());
        }
    }

    /// The content goes as BINARYMIME (RFC 3030 §3): any octets, in chunks.
    pub(super) fn is_binary(&self) -> bool {
        self.parameters.body == Body::Binary
    }

    /// The outcome of the first recipient that has none; whether there are more (RFC 2033 §4.2).
    pub(super) fn settle_next(&mut self, outcome: RecipientOutcome) -> bool {
        if let Some(slot) = self.outcomes.iter_mut().find(|slot| slot.is_none()) {
            *slot = Some(outcome);
        }
        self.is_open()
    }

    /// Whether there is still somebody to send to.
    fn is_open(&self) -> bool {
        self.outcomes.iter().any(Option::is_none)
    }

    /// Where the reply that is waited for belongs.
    pub(super) fn stage(&self) -> Stage {
        self.steps.get(self.replied).map_or(Stage::Data, |step| step.stage())
    }

    /// The transaction is over; recipients that nothing was said of yet get this outcome.
    pub(super) fn done(mut self: Box<Self>, outcome: RecipientOutcome) -> Event {
        self.settle_open(outcome);
        Event::Done(self.outcomes.into_iter().flatten().collect())
    }

    fn command(&self, step: Step) -> Command {
        let smtputf8 = self.parameters.smtputf8;
        match step {
            Step::Reset => Command::Rset,
            Step::Data => Command::Data,
            Step::Mail => {
                let path = &self.transaction.reverse_path;
                // Where SMTPUTF8 is not used, `prepare` has seen that there is an ASCII form.
                let ascii = if smtputf8 { None } else { path.to_ascii() };
                let reverse_path = ascii.unwrap_or_else(|| path.clone());
                Command::Mail {
                    delivery: crate::Delivery::Mail,
                    reverse_path,
                    parameters: self.parameters.clone(),
                }
            }
            Step::Recipient(index) => {
                let Recipient { path, parameters } = &self.transaction.recipients[index];
                let ascii = if smtputf8 { None } else { path.to_ascii() };
                let forward_path = ascii.unwrap_or_else(|| path.clone());
                Command::Rcpt { forward_path, parameters: self.recipient_parameters(parameters) }
            }
        }
    }

    /// RFC 3461 §5.2.1, §5.2.2: all as it came, or nothing.
    fn recipient_parameters(&self, asked: &RecipientParameters) -> RecipientParameters {
        if !self.dsn {
            return RecipientParameters::default();
        }
        let original = asked.original.as_ref();
        let original = original.map(|original| match self.parameters.smtputf8 {
            true => original.clone(),
            false => original.to_ascii(),
        });
        RecipientParameters { notify: asked.notify, original }
    }

    /// The commands that can be sent now, in wire form; empty when there is nothing more to be had by
    /// sending any.
    fn next_commands(&mut self, pipelining: bool) -> String {
        let group = if pipelining { PIPELINED_COMMANDS_MAX } else { 1 };
        let mut wire = String::new();
        for step in &self.steps[self.sent..self.steps.len().min(self.sent + group)] {
            // With a refused MAIL, or all recipients refused, there is no point in going on.
            let mail_refused = !self.mail_accepted && self.replied_to(Step::Mail);
            let nobody_left = *step == Step::Data && wire.is_empty() && self.accepted == 0;
            if mail_refused || nobody_left {
                break;
            }
            let _ = write!(wire, "{}\r\n", self.command(*step));
            self.sent += 1;
        }
        wire
    }

    fn replied_to(&self, step: Step) -> bool {
        self.steps[..self.replied].contains(&step)
    }
}

/// What MAIL must say, or what the host lacks.
fn parameters_for(transaction: &Transaction, extensions: &PeerExtensions) -> Result<MailParameters, Fault> {
    let facts = &transaction.facts;
    if let Some(limit_octets) = extensions.size.and_then(|size| size.limit_octets)
        && facts.size_octets > limit_octets
    {
        return Err(Fault::TooLarge { limit_octets });
    }
    // RFC 6531 §3.2: SMTPUTF8 is needed for addresses with a non-ASCII local-part (domains have
    // A-labels) and for header sections that hold UTF-8; a message that came with SMTPUTF8 but has
    // neither can go anywhere.
    let header_needs_utf8 = transaction.smtputf8 && facts.has_8bit_headers;
    let sender_needs_utf8 = transaction.reverse_path.to_ascii().is_none();
    if (header_needs_utf8 || sender_needs_utf8) && !extensions.smtputf8 {
        return Err(Fault::ExtensionMissing("SMTPUTF8"));
    }
    // RFC 6152 §3: eight-bit content goes only to hosts that offer 8BITMIME (and those with SMTPUTF8
    // must offer it too, RFC 6531 §3.1).
    if facts.has_8bit && !extensions.eight_bit_mime {
        return Err(Fault::ExtensionMissing("8BITMIME"));
    }
    // RFC 3030 §3: binary data must not be sent to any other host, under any circumstances.
    if facts.is_binary && !extensions.binary_mime {
        return Err(Fault::ExtensionMissing("BINARYMIME"));
    }
    let recipient_needs_utf8 =
        transaction.recipients.iter().any(|recipient| recipient.path.to_ascii().is_none());
    let Requests { returned, envelope_id, hold, deliver_by, priority, require_tls } = &transaction.requests;
    if let Some(lacking) = lacking_promise(&transaction.requests, extensions) {
        return Err(Fault::ExtensionMissing(lacking));
    }
    // RFC 8689 §4.2.1: what is to stay inside TLS goes to hosts that promise to keep it there; but for reports
    // the promise is only asked for (§5).
    if *require_tls && !extensions.require_tls && transaction.reverse_path != ReversePath::Null {
        return Err(Fault::ExtensionMissing("REQUIRETLS"));
    }
    Ok(MailParameters {
        returned: returned.filter(|_| extensions.dsn),
        envelope_id: envelope_id.clone().filter(|_| extensions.dsn),
        size_octets: extensions.size.map(|_| facts.size_octets),
        body: match (facts.is_binary, facts.has_8bit) {
            (true, _) => Body::Binary,
            (false, true) => Body::EightBit,
            (false, false) => Body::SevenBit,
        },
        smtputf8: extensions.smtputf8 && (header_needs_utf8 || sender_needs_utf8 || recipient_needs_utf8),
        // What RFC 4954 §5 lets a trusted host say of others we never say: nobody has asked us to.
        submitter: None,
        require_tls: *require_tls && extensions.require_tls,
        hold: *hold,
        deliver_by: deliver_by.filter(|_| extensions.deliver_by.is_some()),
        priority: priority.filter(|_| extensions.priority),
    })
}

/// What the message asks of time that the host does not promise (RFC 4865 §4.1, RFC 2852 §4.1.4.1).
fn lacking_promise(requests: &Requests, extensions: &PeerExtensions) -> Option<&'static str> {
    let is_held = |hold| extensions.future_release.is_some_and(|most| most.allows(hold));
    let is_returned = |by: &DeliverBy| by.terms.mode == ByMode::Return;
    let is_kept =
        |by: DeliverBy| extensions.deliver_by.is_some_and(|least| i64::from(least) <= by.seconds.into());
    if requests.hold.is_some_and(|hold| !is_held(hold)) {
        return Some("FUTURERELEASE");
    }
    requests.deliver_by.filter(is_returned).filter(|by| !is_kept(*by)).map(|_| "DELIVERBY")
}

impl Session {
    pub(super) fn begin(&mut self, transaction: Transaction, now: Instant) {
        let delivery = Delivery::prepare(transaction, &self.extensions, self.reset_needed);
        self.state = State::Envelope(Box::new(delivery));
        self.go_on(now);
    }

    /// Sends what can be sent; without anything to send the transaction is over.
    fn go_on(&mut self, now: Instant) {
        let pipelining = self.settings.pipelining && self.extensions.pipelining;
        let State::Envelope(delivery) = &mut self.state else { return };
        let commands = if delivery.is_open() { delivery.next_commands(pipelining) } else { String::new() };
        if commands.is_empty() {
            return self.envelope_is_over(now);
        }
        self.send(commands);
        self.wait_for_reply(now);
    }

    /// Nothing more is to be said before the content: with BDAT it comes at once.
    fn envelope_is_over(&mut self, now: Instant) {
        match std::mem::replace(&mut self.state, State::Choosing) {
            State::Envelope(delivery) if delivery.chunking && delivery.is_open() => {
                self.begin_chunks(delivery, now);
            }
            state => {
                self.state = state;
                self.give_up(now);
            }
        }
    }

    /// RFC 5321 §4.5.3.2.
    fn wait_for_reply(&mut self, now: Instant) {
        let State::Envelope(delivery) = &self.state else { return };
        let limits = &self.settings.time_limits;
        let limit = match delivery.stage() {
            Stage::Recipient => limits.recipient,
            Stage::Data => limits.data,
            _ => limits.mail,
        };
        self.wait(limit, now);
    }

    /// Every recipient has been refused; the server may still hold an open transaction.
    fn give_up(&mut self, now: Instant) {
        let State::Envelope(delivery) = std::mem::replace(&mut self.state, State::Choosing) else { return };
        self.reset_needed = delivery.mail_accepted || self.reset_needed && delivery.replied == 0;
        let failure = Failure { stage: delivery.stage(), fault: Fault::ConnectionLost };
        debug_assert!(!delivery.is_open(), "an outcome for everybody");
        self.report(delivery.done(Err(failure)));
        self.choose(now);
    }

    pub(super) fn envelope_replied(&mut self, reply: Reply, now: Instant) {
        let State::Envelope(delivery) = &mut self.state else { return };
        // After 421 the server closes; what it has accepted so far is gone (RFC 5321 §3.8).
        if reply.code == 421 {
            return self.fail(Fault::Refused(reply));
        }
        let step = delivery.steps[delivery.replied];
        if reply.code / 100 == 3 && step != Step::Data {
            return self.fail_with_odd_reply(&reply);
        }
        delivery.replied += 1;
        let failure = |stage| Err(Failure { stage, fault: Fault::Refused(reply.clone()) });
        match step {
            // RFC 5321 §4.1.1.5 knows no other reply.
            Step::Reset if !reply.is_positive() => return self.fail_with_odd_reply(&reply),
            Step::Reset => self.reset_needed = false,
            Step::Mail if reply.is_positive() => delivery.mail_accepted = true,
            Step::Mail => delivery.settle_open(failure(Stage::Mail)),
            // If MAIL was refused, the recipients have their outcomes already; what the server says to
            // the pipelined rest is an echo of that.
            Step::Recipient(_) if !delivery.mail_accepted => {}
            Step::Recipient(_) if reply.is_positive() => delivery.accepted += 1,
            Step::Recipient(index) => delivery.outcomes[index] = Some(failure(Stage::Recipient)),
            Step::Data => return self.data_replied(reply, now),
        }
        if delivery.replied == delivery.sent {
            self.go_on(now);
        } else {
            self.wait_for_reply(now);
        }
    }

    fn data_replied(&mut self, reply: Reply, now: Instant) {
        let State::Envelope(delivery) = &mut self.state else { return };
        if reply.is_positive() || reply.code / 100 == 3 && reply.code != 354 {
            return self.fail_with_odd_reply(&reply);
        }
        if reply.code != 354 {
            delivery.settle_open(Err(Failure { stage: Stage::Data, fault: Fault::Refused(reply) }));
            return self.give_up(now);
        }
        match std::mem::replace(&mut self.state, State::Choosing) {
            // RFC 2033 §4.2: this cannot be, and nobody knows how many replies would come.
            State::Envelope(delivery) if delivery.accepted == 0 && self.settings.lmtp => {
                self.state = State::Envelope(delivery);
                self.fail_with_odd_reply(&reply);
            }
            State::Envelope(delivery) if delivery.accepted == 0 => self.withdraw(delivery, now),
            State::Envelope(delivery) => self.begin_content(delivery, now),
            other => self.state = other,
        }
    }

    /// RFC 2920 §3.1: a server may say 354 to a pipelined DATA although it accepted nobody; it then
    /// gets an empty content.
    fn withdraw(&mut self, delivery: Box<Delivery>, now: Instant) {
        self.send(&b".\r\n"[..]);
        self.state = State::Withdrawing(delivery);
        self.wait(self.settings.time_limits.end_of_data, now);
    }

    /// Whatever the server says to the empty content, the transaction is over.
    pub(super) fn withdrawn(&mut self, reply: Reply, now: Instant) {
        let closing = reply.code == 421;
        if closing {
            return self.fail(Fault::Refused(reply));
        }
        let State::Withdrawing(delivery) = std::mem::replace(&mut self.state, State::Choosing) else {
            return;
        };
        self.reset_needed = false;
        self.report(delivery.done(Err(Failure { stage: Stage::Data, fault: Fault::Refused(reply) })));
        self.choose(now);
    }
}
