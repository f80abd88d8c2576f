//! Step one: what has to be known before anything is decided.

use crate::{
    config::Network,
    recipients::{Directory, Expansion, Place, Resolution, Step, Target},
};
use posta_address::{ForwardPath, Mailbox, ReversePath};
use posta_smtp::{Delivery, server::MailParameters};
use posta_store::{Store, StoreError};
use posta_wire::ContentFacts;
use std::net::IpAddr;

/// About the peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerFacts {
    /// Where it is.
    pub address: IpAddr,
    /// The relay network that it belongs to.
    pub relay_network: Option<Network>,
    /// The account that it has proven to be.
    pub account: Option<Mailbox>,
}

impl PeerFacts {
    /// Looks whether the address lies in one of the networks.
    pub fn gather(address: IpAddr, relay_networks: &[Network]) -> Self {
        let address = address.to_canonical();
        let relay_network = relay_networks.iter().find(|network| network.contains(address)).copied();
        PeerFacts { address, relay_network, account: None }
    }
}

/// About the sender of the envelope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SenderFacts {
    /// The client has proven to be somebody of ours, and the address is none of its own.
    pub is_anothers: bool,
    /// It has sent as many messages as it may for now.
    pub is_spent: bool,
    /// It began with SEND, SOML or SAML, which is not for it.
    pub may_not_send: bool,
}

impl SenderFacts {
    /// Looks up whose address it is. One's own are the account's, its sub-addresses, and aliases that it
    /// is a member of; not what a list or a catch-all brings.
    pub async fn gather(
        directory: &Directory<'_>,
        peer: &PeerFacts,
        reverse_path: &ReversePath,
    ) -> Result<Self, StoreError> {
        let (Some(account), Some(mailbox)) = (&peer.account, reverse_path.mailbox()) else {
            return Ok(SenderFacts { is_anothers: false, is_spent: false, may_not_send: false });
        };
        let is_own = match directory.resolve(&ForwardPath::Mailbox(mailbox.clone())).await? {
            Resolution::Here(Expansion { targets, steps, .. }) => {
                let reaches = |target: &Target| target.mailbox == *account && !target.through_list;
                targets.iter().any(reaches) && !steps.iter().any(Step::is_catch_all)
            }
            _ => false,
        };
        Ok(SenderFacts { is_anothers: !is_own, is_spent: false, may_not_send: false })
    }
}

/// About one recipient of the envelope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecipientFacts {
    /// Whether the peer may send to anywhere.
    pub relay_network: Option<Network>,
    /// Whether it has proven to be somebody of ours, who may too.
    pub account: Option<Mailbox>,
    /// Its domain is one that this host relays for.
    pub is_relay_domain: bool,
    /// Its domain, elsewhere, is known to accept no mail.
    pub accepts_no_mail: bool,
    /// Whom it stands for; `None` when that can't be found out now.
    pub resolution: Option<Resolution>,
    /// Of those, who has no room for a message of the announced size.
    pub full: Vec<Full>,
    /// The account has sent to as many recipients as it may for now.
    pub is_spent: bool,
    /// Final recipients that the transaction has already.
    pub recipients_before: usize,
    /// Final recipients that one transaction may have.
    pub recipients_max: usize,
    /// Messages that the transaction would become, because of lists with owners.
    pub copies: usize,
    /// Where the message is to appear.
    pub delivery: Delivery,
    /// All for whom it is have live sessions.
    pub is_there: bool,
}

/// A maildrop without room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full {
    /// The place among the expansion's targets.
    pub target: usize,
    /// Whether the message would not even fit into an empty maildrop.
    pub never_fits: bool,
}

impl RecipientFacts {
    /// Looks up the recipient, then all the quotas concerned.
    pub async fn gather(
        directory: &Directory<'_>,
        peer: &PeerFacts,
        path: &ForwardPath,
        parameters: &MailParameters,
    ) -> (Self, Option<StoreError>) {
        let mut facts = RecipientFacts {
            relay_network: peer.relay_network,
            account: peer.account.clone(),
            is_relay_domain: false,
            accepts_no_mail: false,
            resolution: None,
            full: Vec::new(),
            is_spent: false,
            recipients_before: 0,
            recipients_max: usize::MAX,
            copies: 1,
            delivery: Delivery::Mail,
            is_there: false,
        };
        let resolution = match directory.resolve(path).await {
            Ok(resolution) => resolution,
            Err(error) => return (facts, Some(error)),
        };
        if let Resolution::Here(Expansion { targets, .. }) = &resolution {
            // RFC 1870 §6.1: the announced size lets us refuse before the message is sent.
            match full_maildrops(directory.store, targets, parameters.size_octets.unwrap_or(0)).await {
                Ok(full) => facts.full = full,
                Err(error) => return (facts, Some(error)),
            }
        }
        facts.resolution = Some(resolution);
        (facts, None)
    }

    /// Whether the peer may send to domains that are not hosted here, or to this one at least.
    pub fn may_relay(&self) -> bool {
        self.relay_network.is_some() || self.account.is_some() || self.is_relay_domain
    }

    /// What is other where the message is to be shown at once: whoever sees it needs no room for it, and
    /// SEND is for one person.
    pub fn deliver_as(&mut self, delivery: Delivery) {
        self.delivery = delivery;
        if delivery == Delivery::Send || delivery == Delivery::SendOrMail && self.is_there {
            self.full.clear();
        }
        if delivery == Delivery::Send {
            self.recipients_max = 1;
        }
    }
}

/// Which of these have no room for so many octets more.
pub async fn full_maildrops(
    store: &dyn Store,
    targets: &[Target],
    size_octets: u64,
) -> Result<Vec<Full>, StoreError> {
    let mut full = Vec::new();
    for (index, target) in targets.iter().enumerate() {
        let Place::Maildrop { account, quota_octets: Some(quota) } = target.place else { continue };
        let usage = store.usage(account).await?;
        // A maildrop that is full to the last octet takes no more, even where the size is not known.
        if usage.octets + size_octets.max(1) > quota {
            full.push(Full { target: index, never_fits: size_octets > quota });
        }
    }
    Ok(full)
}

/// About a whole message, once it is here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageFacts {
    /// What was found while it came in.
    pub content: ContentFacts,
    /// `Received:` fields that a message may have.
    pub hops_max: u32,
    /// Recipients that have room for it, or need none.
    pub recipients_with_room: usize,
    /// Whether the message is larger than the quota of every recipient.
    pub never_fits: bool,
}
