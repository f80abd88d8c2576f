//! A mail transaction on its way: from MAIL to the final dot (RFC 5321 §3.3).

use super::{field_search::FieldSearch, gathered::Gathered, timing::Timing};
use crate::recipients::{Dropped, Expansion, Place, Resolution, Step, Target};
use posta_address::{ForwardPath, Mailbox, ReversePath};
use posta_smtp::{Delivery, server::MailParameters};
use posta_store::{ContentWriter, RecipientRequests, Requests, TlsRequest};
use posta_wire::Notify;
use std::collections::HashSet;

/// What is gathered.
pub(crate) struct Transaction {
    /// Where the message is to appear.
    pub(crate) delivery: Delivery,
    /// What is shown at once, if anything is.
    pub(crate) gathered: Gathered,
    pub(crate) reverse_path: ReversePath,
    pub(crate) parameters: MailParameters,
    /// What it waits for, and by when it is to arrive.
    pub(crate) timing: Timing,
    /// As the envelope has them, accepted ones only.
    pub(crate) recipients: Vec<ForwardPath>,
    /// What was asked for each of them.
    pub(crate) asked: Vec<Asked>,
    /// Final recipients, each once, with the place of the envelope's recipient they came from.
    pub(crate) targets: Vec<(usize, Target)>,
    pub(crate) steps: Vec<Step>,
    pub(crate) dropped: Vec<Dropped>,
    /// Why it may come in, recipient by recipient; most often always the same.
    pub(crate) reasons: Vec<String>,
    pub(crate) message_id: FieldSearch,
    /// `TLS-Required` (RFC 8689 §3).
    pub(crate) tls_required: FieldSearch,
    /// Targets are kept as often as recipients lead to them, until [`Transaction::drop_recipients`].
    pub(crate) keeps_duplicates: bool,
}

/// What was asked for a recipient, and what is true of it.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) requests: RecipientRequests,
    pub(crate) spread: Spread,
}

/// How many a recipient stands for (RFC 3461 §5.2.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spread {
    One,
    Several,
    /// A list with an owner, who hears of failures in the sender's place.
    List,
}

impl Spread {
    fn of(resolution: &Resolution) -> Self {
        match resolution {
            Resolution::Here(Expansion { targets, .. }) => match targets.as_slice() {
                targets if targets.iter().all(|target| target.list_owner.is_some()) => Spread::List,
                [_] => Spread::One,
                _ => Spread::Several,
            },
            _ => Spread::One,
        }
    }
}

/// One message that the transaction becomes. It is one, except where lists have reverse-paths of
/// their own (RFC 5321 §3.9.2).
pub(crate) struct Copy {
    pub(crate) reverse_path: ReversePath,
    pub(crate) writer: Box<dyn ContentWriter>,
    /// Octets of the trace field on top.
    pub(crate) trace_octets: u64,
    pub(crate) trace_longest_line: u64,
}

impl Transaction {
    pub(crate) fn new(reverse_path: ReversePath, parameters: MailParameters) -> Self {
        Transaction {
            delivery: Delivery::Mail,
            gathered: Gathered::default(),
            reverse_path,
            parameters,
            timing: Timing::default(),
            recipients: Vec::new(),
            asked: Vec::new(),
            targets: Vec::new(),
            steps: Vec::new(),
            dropped: Vec::new(),
            reasons: Vec::new(),
            message_id: FieldSearch::new("Message-ID"),
            tls_required: FieldSearch::new("TLS-Required"),
            keeps_duplicates: false,
        }
    }

    /// Takes an accepted recipient with all that it stands for.
    pub(crate) fn add(
        &mut self,
        path: ForwardPath,
        requests: RecipientRequests,
        resolution: Resolution,
        reason: String,
    ) {
        let place = self.recipients.len();
        self.recipients.push(path);
        self.asked.push(Asked { requests, spread: Spread::of(&resolution) });
        if self.reasons.last() != Some(&reason) {
            self.reasons.push(reason);
        }
        match resolution {
            Resolution::Here(Expansion { targets, steps, dropped }) => {
                self.steps.extend(steps);
                self.dropped.extend(dropped);
                self.add_targets(place, targets);
            }
            Resolution::Elsewhere(mailbox) => {
                let target =
                    Target { mailbox, place: Place::Elsewhere, list_owner: None, through_list: false };
                self.add_targets(place, vec![target]);
            }
            Resolution::Unknown | Resolution::Disabled | Resolution::TooMany => {}
        }
    }

    /// Looks at the next piece of the content.
    pub(crate) fn look_at(&mut self, octets: &[u8]) {
        self.message_id.look_at(octets);
        // RFC 8689 §4.1: the parameter counts for more.
        if !self.parameters.require_tls {
            self.tls_required.look_at(octets);
        }
    }

    /// What the sender says of TLS (RFC 8689 §4.1).
    fn tls_request(&self) -> TlsRequest {
        let says_no = || self.tls_required.found().is_some_and(|value| value.eq_ignore_ascii_case("no"));
        match self.parameters.require_tls {
            true => TlsRequest::Required,
            false if says_no() => TlsRequest::Optional,
            false => TlsRequest::None,
        }
    }

    /// Nobody gets a message twice because two addresses lead to the same maildrop.
    fn add_targets(&mut self, place: usize, targets: Vec<Target>) {
        const FEW: usize = 16;
        if self.keeps_duplicates {
            self.targets.extend(targets.into_iter().map(|target| (place, target)));
            return;
        }
        if self.targets.len() + targets.len() <= FEW {
            for target in targets {
                if !self.targets.iter().any(|(_, known)| is_same(known, &target)) {
                    self.targets.push((place, target));
                }
            }
            return;
        }
        let known: HashSet<String> = self.targets.iter().map(|(_, target)| identity(target)).collect();
        let fresh = targets.into_iter().filter(|target| !known.contains(&identity(target)));
        self.targets.extend(fresh.map(|target| (place, target)));
    }

    /// Takes recipients out with all that they alone lead to; the others keep their order. From here on nobody
    /// gets the message twice.
    pub(crate) fn drop_recipients(&mut self, is_dropped: &[bool]) {
        let stays = |place: &usize| !is_dropped.get(*place).copied().unwrap_or(false);
        let places: Vec<usize> = (0..self.recipients.len()).filter(stays).collect();
        self.recipients = places.iter().map(|place| self.recipients[*place].clone()).collect();
        self.asked = places.iter().map(|place| self.asked[*place].clone()).collect();
        self.keeps_duplicates = false;
        for (place, target) in std::mem::take(&mut self.targets) {
            if let Ok(place) = places.binary_search(&place) {
                self.add_targets(place, vec![target]);
            }
        }
    }

    /// What is asked for the message as it goes on: what a list sends is a message of its own
    /// (RFC 3461 §5.2.7.1).
    pub(crate) fn requests_under(&self, reverse_path: &ReversePath) -> Requests {
        // RFC 8689 §4.1, §6: all that it becomes stays inside TLS, or need not.
        let tls = self.tls_request();
        // All that it becomes waits, and has the same rank; a list keeps to nobody's deadline.
        let Timing { release, deadline, priority } = self.timing;
        if *reverse_path != self.reverse_path {
            return Requests { tls, release, priority, ..Requests::default() };
        }
        let MailParameters { returned, envelope_id, .. } = self.parameters.clone();
        Requests { returned, envelope_id, tls, release, deadline, priority }
    }

    /// What is asked for a final recipient elsewhere (RFC 3461 §5.2.7).
    pub(crate) fn requests_for(&self, place: usize, target: &Target) -> RecipientRequests {
        if target.list_owner.is_some() {
            return RecipientRequests::default();
        }
        let Asked { mut requests, spread } = self.asked[place].clone();
        if spread != Spread::One {
            // The report that it was expanded is all that is said of success.
            requests.notify = requests.notify.map(|notify| Notify { success: false, ..notify });
        }
        requests
    }

    /// The reverse-path under which a target's message goes.
    pub(crate) fn reverse_path_for(&self, target: &Target) -> ReversePath {
        match (&self.reverse_path, &target.list_owner) {
            // A report stays a report: nobody is to hear of its failure (RFC 5321 §4.5.5).
            (ReversePath::Null, _) | (_, None) => self.reverse_path.clone(),
            (ReversePath::Mailbox(_), Some(owner)) => ReversePath::Mailbox(owner.clone()),
        }
    }

    /// All reverse-paths under which the message goes, each once; with the envelope's own first
    /// where it is used.
    pub(crate) fn reverse_paths(&self, more: &[Target]) -> Vec<ReversePath> {
        let mut paths: Vec<ReversePath> = Vec::with_capacity(1);
        for target in self.targets.iter().map(|(_, target)| target).chain(more) {
            let path = self.reverse_path_for(target);
            if !paths.contains(&path) {
                paths.push(path);
            }
        }
        if paths.is_empty() {
            paths.push(self.reverse_path.clone());
        }
        paths
    }
}

fn is_same(one: &Target, other: &Target) -> bool {
    match (&one.place, &other.place) {
        (Place::Maildrop { account: one, .. }, Place::Maildrop { account: other, .. }) => one == other,
        (Place::Elsewhere, Place::Elsewhere) => one.mailbox == other.mailbox,
        _ => false,
    }
}

fn identity(target: &Target) -> String {
    match &target.place {
        Place::Maildrop { account, .. } => account.0.to_string(),
        Place::Elsewhere => target.mailbox.to_string(),
    }
}

/// The prefix of a message in a maildrop: who sent it (RFC 5321 §4.4).
pub(crate) fn return_path_prefix(reverse_path: &ReversePath) -> bytes::Bytes {
    format!("Return-Path: {reverse_path}\r\n").into()
}

/// The recipient as the envelope had it, where that differs from the final one.
pub(crate) fn original_if_different(path: &ForwardPath, mailbox: &Mailbox) -> Option<ForwardPath> {
    (path.mailbox() != Some(mailbox)).then(|| path.clone())
}
