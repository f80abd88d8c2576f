//! Mail that is fetched: ETRN has it tried at once (RFC 1985); ATRN and TURN have it sent over the connection
//! on which they were said (RFC 2645, RFC 821 §3.8).

use crate::{
    connection::Connection,
    delivery::hand_back,
    limits::ROUTE_TIME_MAX,
    outcome::PeerName,
    security::Plan,
    service::{Queue, Shared},
    settings::{Destination, NextHop},
};
use posta_address::Domain;
use posta_dns::fixed_route;
use posta_runtime::Link;
use posta_smtp::client::{self, Session};
use std::{net::SocketAddr, sync::Arc};

/// Why there is nothing to be sent over a connection whose roles would switch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoTurn {
    /// Nothing waits.
    NoMail,
    /// It is being sent over another connection.
    Busy,
}

/// What waits for some domains, reserved for one connection until this is dropped.
pub struct Turn {
    shared: Arc<Shared>,
    destinations: Vec<Destination>,
}

impl Queue {
    /// ETRN: tries all that waits for these domains now, and how many messages that are.
    pub fn start_for(&self, is_meant: impl Fn(&Domain) -> bool) -> usize {
        let now = self.shared().clock.timestamp();
        let started = self.shared().with_scheduler(|scheduler| {
            let meant = |destination: &Destination, host: &posta_address::Host| {
                !matches!(destination, Destination::Here | Destination::Turn(_))
                    && matches!(host, posta_address::Host::Domain(domain) if is_meant(domain))
            };
            scheduler.retry_to(now, meant)
        });
        self.shared().pump();
        started
    }

    /// Where a host is that this one asks for mail.
    pub async fn addresses_of(&self, hop: &NextHop) -> Result<Vec<SocketAddr>, String> {
        let (shared, active) = (self.shared(), self.shared().settings());
        let search = fixed_route(shared.resolver.as_ref(), &hop.host, hop.port, &active.settings.own);
        match tokio::time::timeout(ROUTE_TIME_MAX, search).await {
            Ok(Ok(route)) => Ok(route.hosts.into_iter().flat_map(|host| host.addresses).collect()),
            Ok(Err(failure)) => Err(failure.error.to_string()),
            Err(_) => Err(format!("looking up {hop}: no answer in time")),
        }
    }

    /// ATRN, TURN: reserves what waits until its host comes for it.
    pub fn begin_turn(&self, domains: &[Domain]) -> Result<Turn, NoTurn> {
        let now = self.shared().clock.timestamp();
        let destinations: Vec<Destination> = domains.iter().cloned().map(Destination::Turn).collect();
        let waiting = self.shared().with_scheduler(|scheduler| scheduler.reserve(&destinations, now));
        match waiting {
            None => Err(NoTurn::Busy),
            Some(waiting) => {
                let turn = Turn { shared: self.shared().clone(), destinations };
                // Dropped, it gives the reservation back.
                if waiting == 0 { Err(NoTurn::NoMail) } else { Ok(turn) }
            }
        }
    }
}

impl Turn {
    /// Sends it over a connection whose roles have switched; `secured` tells whether it has TLS. Returns how
    /// many messages were sent, or refused for good.
    pub async fn deliver(self, link: &mut Link<'_>, peer: PeerName, secured: bool) -> u32 {
        let (shared, active) = (self.shared.clone(), self.shared.settings());
        let mut destinations = self.destinations.clone();
        let Some(job) = shared.next_turned(&mut destinations).await else { return 0 };
        let settings = client::Settings { authenticates: false, ..(*active.client).clone() };
        let mut session = Session::new_turned(
            Arc::new(settings.with_tls(client::TlsUse::Never)),
            secured,
            shared.clock.now(),
        );
        let mut connection =
            Connection::new(shared.clone(), active, peer.clone(), job, false, Plan::for_turn());
        connection.turned = Some(destinations);
        link.drive(&mut session, &mut connection, shared.stopping()).await;
        let messages = connection.messages;
        let (job, failure) = connection.end();
        if let Some(job) = job {
            hand_back(job, failure, &peer).await;
        }
        messages
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.shared.with_scheduler(|scheduler| scheduler.release_reserved(&self.destinations));
        self.shared.pump();
    }
}
