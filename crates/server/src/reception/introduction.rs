//! XCLIENT: a trusted proxy says for whom it speaks; from then on the session is that client's.

use super::{facts::PeerFacts, judge, replies};
use crate::host::{Host, Policy};
use posta_address::{Domain, Mailbox};
use posta_runtime::Admission;
use posta_smtp::{Given, Introduction, Reply};
use std::net::SocketAddr;

/// What is known of a client by its proxy.
#[derive(Debug, Default)]
pub(crate) struct Introduced {
    /// Its name in the DNS, for `Received:`.
    pub(crate) name: Option<Domain>,
    /// What it called itself; the proxy's own EHLO does not count.
    pub(crate) hello: Option<String>,
    /// Whether it said EHLO.
    pub(crate) extended: Option<bool>,
    /// Its place among the connections, as if it had connected itself.
    pub(crate) admission: Option<Admission>,
}

/// Takes what the proxy says. What the proxy itself may do does not pass on to the client: only its own
/// address and its own account count.
pub(crate) async fn introduce(
    host: &Host,
    policy: &Policy,
    introduction: Introduction,
    introduced: &mut Introduced,
    facts: &mut PeerFacts,
    peer: &mut SocketAddr,
) -> Result<(), Reply> {
    let account = match introduction.login {
        None | Some(Given::Unavailable) => None,
        Some(Given::Is(name)) => Some(account_named(host, &name).await?),
    };
    match introduction.address {
        None => facts.account = None,
        // Nobody knows who it is: then it may do what strangers may.
        Some(Given::Unavailable) => {
            *facts = PeerFacts { relay_network: None, account: None, ..facts.clone() }
        }
        Some(Given::Is(address)) => {
            let admitted = host.peers.admit(address, host.clock.now());
            introduced.admission = Some(admitted.map_err(|refusal| match judge::connection(refusal) {
                judge::Verdict::Refuse { reply, .. } => reply,
                judge::Verdict::Accept { .. } => replies::LOCAL_ERROR.reply(),
            })?);
            *facts = PeerFacts::gather(address, &policy.config.relay.networks);
            peer.set_ip(address);
        }
    }
    facts.account = account;
    if let Some(port) = introduction.port {
        peer.set_port(port.value().unwrap_or(0));
    }
    if let Some(name) = introduction.name {
        introduced.name = name.value();
    }
    if let Some(hello) = introduction.hello {
        introduced.hello = hello.value();
    }
    introduced.extended = introduction.extended.or(introduced.extended);
    Ok(())
}

async fn account_named(host: &Host, name: &str) -> Result<Mailbox, Reply> {
    let Ok(mailbox) = name.parse::<Mailbox>() else { return Err(replies::REFUSED_BY_POLICY.reply()) };
    match host.store.account(&mailbox).await {
        Ok(Some(account)) if account.enabled => Ok(account.address),
        Ok(_) => Err(replies::REFUSED_BY_POLICY.reply()),
        Err(_) => Err(replies::LOCAL_ERROR.reply()),
    }
}
