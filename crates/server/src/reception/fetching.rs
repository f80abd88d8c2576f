//! Who comes for mail: ETRN (RFC 1985), ATRN (RFC 2645) and TURN (RFC 821 §3.8).

use super::{facts::PeerFacts, judge, replies};
use crate::host::{Host, Policy};
use posta_address::Domain;
use posta_queue::{NoTurn, Turn};
use posta_smtp::{QueueName, Reply, Turning};

/// ETRN. What waits for the domains that this host relays for may be started by everybody; it goes nowhere
/// but to their own hosts. Anything else only by those who may relay.
pub(crate) fn start_queue(host: &Host, policy: &Policy, facts: &PeerFacts, name: &QueueName) -> Reply {
    if !judge::may_verify(policy.config.smtp.etrn, facts) {
        return replies::QUEUE_NOT_ALLOWED.reply();
    }
    let is_trusted = facts.relay_network.is_some() || facts.account.is_some();
    let relayed = &policy.config.relay.domains;
    if !is_trusted && !relayed.iter().any(|domain| name.contains(domain))
        || matches!(name, QueueName::Named(_))
    {
        return replies::QUEUE_NOT_ALLOWED.reply();
    }
    let is_meant = |domain: &Domain| name.contains(domain) && (is_trusted || relayed.contains(domain));
    match host.queue().start_for(is_meant) {
        0 => replies::QUEUE_EMPTY.with(format!("OK, no messages waiting for node {name}")),
        count => replies::QUEUE_STARTED.with(format!("OK, {count} pending messages for node {name} started")),
    }
}

/// ATRN and TURN, by a client that has proven who it is: reserves what waits for its domains.
pub(crate) fn turn(
    host: &Host,
    policy: &Policy,
    facts: &PeerFacts,
    turning: &Turning,
) -> Result<Turn, (Reply, &'static str)> {
    let refused = |reason| (replies::TURN_REFUSED.reply(), reason);
    let Some(account) = &facts.account else { return Err(refused("turn: nobody has logged in")) };
    let owned = policy.config.turn.domains.iter().filter(|(_, owner)| *owner == account);
    let owned: Vec<Domain> = owned.map(|(domain, _)| domain.clone()).collect();
    let wanted = match turning {
        Turning::Authenticated(domains) if !domains.is_empty() => domains.clone(),
        Turning::Authenticated(_) | Turning::Historic => owned.clone(),
    };
    // RFC 2645 §5.2.1: all of them, or none.
    if wanted.is_empty() || !wanted.iter().all(|domain| owned.contains(domain)) {
        return Err(refused("turn: not the domains of this account"));
    }
    host.queue().begin_turn(&wanted).map_err(|reason| match reason {
        NoTurn::NoMail => (replies::TURN_NO_MAIL.reply(), "turn: nothing waits"),
        NoTurn::Busy => refused("turn: it is being fetched over another connection"),
    })
}
