//! Step two: from facts to a verdict. Pure: no clock, no store, no network; tables test it.
//!
//! Each stage is a list of rules; the first that has something to say decides. [`stages`] gives the
//! list for people to read.

use super::{
    facts::{MessageFacts, PeerFacts, RecipientFacts, SenderFacts},
    replies,
};
use crate::{
    limits::COPIES_MAX,
    recipients::{Expansion, Resolution},
};
use posta_runtime::Refusal;
use posta_smtp::{Delivery, Reply};

/// What was decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Let through; the reason is in plain words.
    Accept {
        /// For the journal.
        reason: String,
    },
    /// Refused.
    Refuse {
        /// What the peer hears.
        reply: Reply,
        /// The rule that decided, and why, for the journal.
        reason: String,
    },
}

/// One rule of a stage.
pub struct Rule<F: 'static> {
    /// Its name.
    pub name: &'static str,
    /// What it says.
    pub meaning: &'static str,
    judge: fn(&F) -> Option<Reply>,
}

/// A stage as people read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stage {
    /// At which point of a session.
    pub name: &'static str,
    /// Names and meanings of its rules, in the order in which they are asked.
    pub rules: Vec<(&'static str, &'static str)>,
}

/// All stages in order.
pub fn stages() -> Vec<Stage> {
    fn stage<F>(name: &'static str, rules: &[Rule<F>]) -> Stage {
        Stage { name, rules: rules.iter().map(|rule| (rule.name, rule.meaning)).collect() }
    }
    vec![
        stage("connect", CONNECTION_RULES),
        stage("mail", SENDER_RULES),
        stage("rcpt", RECIPIENT_RULES),
        stage("end-of-data", MESSAGE_RULES),
    ]
}

const CONNECTION_RULES: &[Rule<Refusal>] = &[
    Rule {
        name: "failures",
        meaning: "an address that failed too often of late is turned away",
        judge: |refusal| (*refusal == Refusal::Failures).then(|| replies::TOO_MANY_FAILURES.reply()),
    },
    Rule {
        name: "connections-per-address",
        meaning: "one address (IPv6: one /64) has a limited number of connections",
        judge: |refusal| {
            (*refusal == Refusal::AddressConnections).then(|| replies::TOO_MANY_CONNECTIONS.reply())
        },
    },
    Rule {
        name: "connections",
        meaning: "all peers together have a limited number of connections",
        judge: |refusal| (*refusal == Refusal::TotalConnections).then(|| replies::SERVER_BUSY.reply()),
    },
];

const SENDER_RULES: &[Rule<SenderFacts>] = &[
    Rule {
        name: "send",
        meaning: "only those whom [smtp] send names may put messages before people's eyes",
        judge: |facts| facts.may_not_send.then(|| replies::REFUSED_BY_POLICY.reply()),
    },
    Rule {
        name: "sender",
        meaning: "who has logged in sends under its own address, a sub-address or an alias of its own",
        judge: |facts| facts.is_anothers.then(|| replies::SENDER_NOT_YOURS.reply()),
    },
    Rule {
        name: "messages-per-hour",
        meaning: "an account may send a limited number of messages within an hour",
        judge: |facts| facts.is_spent.then(|| replies::MESSAGES_SPENT.reply()),
    },
];

const RECIPIENT_RULES: &[Rule<RecipientFacts>] = &[
    Rule {
        name: "directory",
        meaning: "what can't be looked up now is to be tried again later",
        judge: |facts| facts.resolution.is_none().then(|| replies::LOCAL_ERROR.reply()),
    },
    Rule {
        name: "relay",
        meaning: "only the relay networks, and whoever has logged in, may send to domains that are neither hosted \
                  nor relayed here",
        judge: |facts| {
            let elsewhere = matches!(facts.resolution, Some(Resolution::Elsewhere(_)));
            (elsewhere && !facts.may_relay()).then(|| replies::RELAYING_DENIED.reply())
        },
    },
    Rule {
        name: "null-mx",
        meaning: "a domain that says in the DNS that it accepts no mail gets none (RFC 7504 §4, RFC 7505)",
        judge: |facts| facts.accepts_no_mail.then(|| replies::DOMAIN_ACCEPTS_NO_MAIL.reply()),
    },
    Rule {
        name: "unknown",
        meaning: "nobody here has the address",
        judge: |facts| {
            (facts.resolution == Some(Resolution::Unknown)).then(|| replies::MAILBOX_UNKNOWN.reply())
        },
    },
    Rule {
        name: "disabled",
        meaning: "the account was closed by the operator",
        judge: |facts| {
            (facts.resolution == Some(Resolution::Disabled)).then(|| replies::MAILBOX_DISABLED.reply())
        },
    },
    Rule {
        name: "expansion",
        meaning: "an address may stand for a limited number of recipients",
        judge: |facts| {
            (facts.resolution == Some(Resolution::TooMany)).then(|| replies::EXPANSION_TOO_LARGE.reply())
        },
    },
    Rule {
        name: "send-elsewhere",
        meaning: "SEND shows messages to people of this host",
        judge: |facts| {
            let elsewhere = matches!(facts.resolution, Some(Resolution::Elsewhere(_)));
            (elsewhere && facts.delivery == Delivery::Send).then(|| replies::SEND_ELSEWHERE.reply())
        },
    },
    Rule {
        name: "send-several",
        meaning: "SEND shows a message to one person, so that its one reply is true",
        judge: |facts| {
            let several = target_count(facts) != 1;
            (several && facts.delivery == Delivery::Send).then(|| replies::SEND_AMBIGUOUS.reply())
        },
    },
    Rule {
        name: "send-absent",
        meaning: "SEND shows messages to people who are logged in (RFC 821 §3.4)",
        judge: |facts| {
            (!facts.is_there && facts.delivery == Delivery::Send).then(|| replies::NOT_LOGGED_IN.reply())
        },
    },
    Rule {
        name: "recipients-per-hour",
        meaning: "an account may send to a limited number of recipients within an hour",
        judge: |facts| facts.is_spent.then(|| replies::RECIPIENTS_SPENT.reply()),
    },
    Rule {
        name: "recipients",
        meaning: "a transaction has a limited number of recipients and lists",
        judge: |facts| {
            // The first recipient is always taken: nothing smaller than it can be sent.
            let more = facts.recipients_before > 0;
            let over = facts.recipients_before + target_count(facts) > facts.recipients_max;
            (more && over || facts.copies > COPIES_MAX).then(|| replies::TOO_MANY_RECIPIENTS.reply())
        },
    },
    Rule {
        name: "quota-never",
        meaning: "the message is larger than the whole maildrop may be",
        judge: |facts| {
            let only = target_count(facts) == 1 && facts.full.iter().any(|full| full.never_fits);
            only.then(|| replies::QUOTA_EXCEEDED.reply())
        },
    },
    Rule {
        name: "quota",
        meaning: "the maildrop (or one behind an alias; lists pass over theirs) is full for now",
        judge: |facts| {
            let Some(Resolution::Here(Expansion { targets, .. })) = &facts.resolution else { return None };
            let direct = facts.full.iter().any(|full| !targets[full.target].through_list);
            let all = !targets.is_empty() && facts.full.len() == targets.len();
            (direct || all).then(|| replies::MAILBOX_FULL.reply())
        },
    },
];

const MESSAGE_RULES: &[Rule<MessageFacts>] = &[
    Rule {
        name: "loop",
        meaning: "a message that passed very many hosts goes round in circles (RFC 5321 §6.3)",
        judge: |facts| {
            (facts.content.received_fields > facts.hops_max).then(|| replies::ROUTING_LOOP.reply())
        },
    },
    Rule {
        name: "quota-never",
        meaning: "the message is larger than the whole maildrop of every recipient may be",
        judge: |facts| {
            (facts.recipients_with_room == 0 && facts.never_fits).then(|| replies::QUOTA_EXCEEDED.reply())
        },
    },
    Rule {
        name: "quota",
        meaning: "no recipient has room for it now",
        judge: |facts| (facts.recipients_with_room == 0).then(|| replies::MAILBOX_FULL.reply()),
    },
];

fn target_count(facts: &RecipientFacts) -> usize {
    match &facts.resolution {
        Some(Resolution::Here(expansion)) => expansion.targets.len(),
        _ => 1,
    }
}

fn first<F>(rules: &'static [Rule<F>], facts: &F) -> Option<Verdict> {
    rules.iter().find_map(|rule| {
        let reply = (rule.judge)(facts)?;
        Some(Verdict::Refuse { reply, reason: format!("{}: {}", rule.name, rule.meaning) })
    })
}

/// A connection beyond a limit.
pub fn connection(refusal: Refusal) -> Verdict {
    first(CONNECTION_RULES, &refusal).expect("each refusal has its rule")
}

/// MAIL.
pub fn sender(facts: &SenderFacts) -> Verdict {
    first(SENDER_RULES, facts).unwrap_or(Verdict::Accept { reason: String::new() })
}

/// RCPT.
pub fn recipient(facts: &RecipientFacts) -> Verdict {
    first(RECIPIENT_RULES, facts).unwrap_or_else(|| Verdict::Accept { reason: why_accepted(facts) })
}

/// The end of the data.
pub fn message(facts: &MessageFacts) -> Verdict {
    first(MESSAGE_RULES, facts).unwrap_or(Verdict::Accept { reason: String::new() })
}

fn why_accepted(facts: &RecipientFacts) -> String {
    match (&facts.account, &facts.resolution, facts.relay_network) {
        (Some(account), ..) => format!("authenticated as {account}"),
        (None, Some(Resolution::Elsewhere(_)), Some(network)) => format!("relay network {network}"),
        (None, Some(Resolution::Elsewhere(_)), None) => "relayed domain".into(),
        _ => "hosted domain".into(),
    }
}

/// Whether VRFY or EXPN is answered to this peer, or SEND taken from it.
pub fn may_verify(policy: crate::config::VerifyPolicy, peer: &PeerFacts) -> bool {
    use crate::config::VerifyPolicy::{Authenticated, Off, Open, Relay};
    match policy {
        Open => true,
        Authenticated => peer.account.is_some(),
        Relay => peer.relay_network.is_some() || peer.account.is_some(),
        Off => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        reception::facts::Full,
        recipients::{Place, Target},
    };
    use posta_address::Mailbox;
    use posta_store::AccountId;
    use posta_wire::ContentFacts;

    fn mailbox(text: &str) -> Mailbox {
        text.parse().expect("a mailbox")
    }

    fn here(through_list: &[bool]) -> Option<Resolution> {
        let targets = through_list.iter().enumerate().map(|(index, through_list)| Target {
            mailbox: mailbox(&format!("user{index}@north.example")),
            place: Place::Maildrop { account: AccountId(index as u64), quota_octets: Some(1) },
            list_owner: None,
            through_list: *through_list,
        });
        Some(Resolution::Here(Expansion { targets: targets.collect(), ..Expansion::default() }))
    }

    fn facts(resolution: Option<Resolution>) -> RecipientFacts {
        RecipientFacts {
            relay_network: None,
            account: None,
            is_relay_domain: false,
            resolution,
            full: Vec::new(),
            is_spent: false,
            recipients_before: 0,
            recipients_max: 3,
            copies: 1,
            accepts_no_mail: false,
            delivery: Delivery::Mail,
            is_there: false,
        }
    }

    fn send(is_there: bool, resolution: Option<Resolution>) -> RecipientFacts {
        let mut facts = RecipientFacts {
            is_there,
            full: vec![Full { target: 0, never_fits: true }],
            ..facts(resolution)
        };
        facts.deliver_as(Delivery::Send);
        facts
    }

    fn elsewhere() -> Option<Resolution> {
        Some(Resolution::Elsewhere(mailbox("bob@south.example")))
    }

    fn said(verdict: Verdict) -> String {
        match verdict {
            Verdict::Accept { reason } => format!("ok, {reason}"),
            Verdict::Refuse { reply, reason } => {
                let enhanced = reply.enhanced.expect("every refusal has one");
                let rule = reason.split(':').next().expect("a rule").to_owned();
                format!("{} {enhanced} {rule}", reply.code)
            }
        }
    }

    #[test]
    fn recipients() {
        let network = "127.0.0.0/8".parse().ok();
        let full = |target, never_fits| Full { target, never_fits };
        let table: Vec<(RecipientFacts, &str)> = vec![
            (facts(None), "451 4.3.0 directory"),
            (facts(here(&[false])), "ok, hosted domain"),
            (facts(elsewhere()), "550 5.7.1 relay"),
            (RecipientFacts { is_relay_domain: true, ..facts(elsewhere()) }, "ok, relayed domain"),
            (
                RecipientFacts { relay_network: network, ..facts(elsewhere()) },
                "ok, relay network 127.0.0.0/8",
            ),
            (RecipientFacts { relay_network: network, ..facts(here(&[false])) }, "ok, hosted domain"),
            (
                RecipientFacts { relay_network: network, accepts_no_mail: true, ..facts(elsewhere()) },
                "556 5.1.10 null-mx",
            ),
            (RecipientFacts { accepts_no_mail: true, ..facts(elsewhere()) }, "550 5.7.1 relay"),
            (
                RecipientFacts { account: Some(mailbox("alice@north.example")), ..facts(elsewhere()) },
                "ok, authenticated as alice@north.example",
            ),
            (RecipientFacts { is_spent: true, ..facts(here(&[false])) }, "452 4.5.3 recipients-per-hour"),
            (send(true, here(&[false])), "ok, hosted domain"),
            (send(false, here(&[false])), "450 4.2.0 send-absent"),
            (send(true, here(&[false; 2])), "553 5.1.4 send-several"),
            (send(true, elsewhere()), "550 5.7.1 relay"),
            (
                RecipientFacts { relay_network: network, ..send(true, elsewhere()) },
                "550 5.7.1 send-elsewhere",
            ),
            (send(true, Some(Resolution::Unknown)), "550 5.1.1 unknown"),
            (RecipientFacts { recipients_before: 1, ..send(true, here(&[false])) }, "452 4.5.3 recipients"),
            (facts(Some(Resolution::Unknown)), "550 5.1.1 unknown"),
            (facts(Some(Resolution::Disabled)), "550 5.2.1 disabled"),
            (facts(Some(Resolution::TooMany)), "550 5.2.4 expansion"),
            (RecipientFacts { recipients_before: 2, ..facts(here(&[false])) }, "ok, hosted domain"),
            (RecipientFacts { recipients_before: 3, ..facts(here(&[false])) }, "452 4.5.3 recipients"),
            (RecipientFacts { recipients_before: 1, ..facts(here(&[true; 3])) }, "452 4.5.3 recipients"),
            (facts(here(&[true; 9])), "ok, hosted domain"),
            (RecipientFacts { copies: 21, ..facts(here(&[true])) }, "452 4.5.3 recipients"),
            (RecipientFacts { full: vec![full(0, false)], ..facts(here(&[false])) }, "452 4.2.2 quota"),
            (RecipientFacts { full: vec![full(0, true)], ..facts(here(&[false])) }, "552 5.2.2 quota-never"),
            // An alias of two, one of them full: wait until both have room.
            (RecipientFacts { full: vec![full(1, true)], ..facts(here(&[false; 2])) }, "452 4.2.2 quota"),
            // A list passes over those that are full, unless all are.
            (RecipientFacts { full: vec![full(1, false)], ..facts(here(&[true; 2])) }, "ok, hosted domain"),
            (
                RecipientFacts { full: vec![full(0, false), full(1, false)], ..facts(here(&[true; 2])) },
                "452 4.2.2 quota",
            ),
        ];
        for (facts, expected) in table {
            assert_eq!(said(recipient(&facts)), expected, "{facts:?}");
        }
    }

    #[test]
    fn senders() {
        for (is_anothers, is_spent, may_not_send, expected) in [
            (false, false, false, "ok, "),
            (true, true, false, "550 5.7.1 sender"),
            (false, true, false, "451 4.7.1 messages-per-hour"),
            (true, true, true, "550 5.7.1 send"),
        ] {
            assert_eq!(said(sender(&SenderFacts { is_anothers, is_spent, may_not_send })), expected);
        }
    }

    #[test]
    fn messages() {
        let received = |received_fields| ContentFacts { received_fields, ..ContentFacts::default() };
        for (received_fields, recipients_with_room, never_fits, expected) in [
            (0, 1, false, "ok, "),
            (100, 1, false, "ok, "),
            (101, 1, false, "554 5.4.6 loop"),
            (101, 0, false, "554 5.4.6 loop"),
            (1, 0, false, "452 4.2.2 quota"),
            (1, 0, true, "552 5.2.2 quota-never"),
        ] {
            let content = received(received_fields);
            let facts = MessageFacts { content, hops_max: 100, recipients_with_room, never_fits };
            assert_eq!(said(message(&facts)), expected, "{facts:?}");
        }
    }

    #[test]
    fn connections() {
        for (refusal, expected) in [
            (Refusal::Failures, "421 4.7.0 failures"),
            (Refusal::AddressConnections, "421 4.7.0 connections-per-address"),
            (Refusal::TotalConnections, "421 4.3.2 connections"),
        ] {
            assert_eq!(said(connection(refusal)), expected);
        }
    }

    #[test]
    fn the_stages_can_be_read() {
        for stage in stages() {
            let mut names: Vec<_> = stage.rules.iter().map(|(name, _)| name).collect();
            names.sort();
            names.dedup();
            assert_eq!(names.len(), stage.rules.len(), "rules of {} have names of their own", stage.name);
        }
    }
}
