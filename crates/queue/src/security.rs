//! TLS on the way to other hosts (RFC 3207, RFC 7435): how much is demanded of whom, and what is remembered.

use crate::{
    limits::{TLS_HOSTS_REMEMBERED_MAX, TLS_MEMORY},
    outcome::PeerName,
    settings::{Destination, NextHop},
};
use posta_address::{Domain, Host};
use posta_runtime::tls::{Connector, Demand, TlsEnd, Trust};
use posta_smtp::client::{Failure, Fault, Stage, TlsUse};
use posta_store::TlsRequest;
use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// The port where TLS comes first (RFC 8314 §3.3).
const SUBMISSIONS_PORT: u16 = 465;

/// How much TLS is demanded of a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TlsLevel {
    /// None is used.
    None,
    /// Used where it can be had; who the host is, is noted but not demanded. Where it can't be had, mail
    /// goes in the clear (RFC 7435): that is still better than no mail, and no worse than without TLS.
    #[default]
    Opportunistic,
    /// The same, but a host that had TLS before gets nothing in the clear while that is remembered.
    Remember,
    /// Nothing is said to a host that does not prove who it is.
    Verified,
}

/// How much is demanded of whom.
#[derive(Debug, Clone)]
pub struct TlsPolicy {
    /// Of hosts in general.
    pub default: TlsLevel,
    /// Of the smarthost, unless it is on this machine.
    pub smarthost: TlsLevel,
    /// Of the hosts of these domains, or of next hops of these names.
    pub destinations: BTreeMap<Domain, TlsLevel>,
    /// How long it is remembered that a host had TLS.
    pub memory: Duration,
    /// Who vouches for hosts.
    pub trust: Arc<Trust>,
}

impl Default for TlsPolicy {
    /// Opportunistic throughout.
    fn default() -> Self {
        TlsPolicy {
            default: TlsLevel::default(),
            smarthost: TlsLevel::default(),
            destinations: BTreeMap::new(),
            memory: TLS_MEMORY,
            trust: Arc::new(Trust::system()),
        }
    }
}

impl TlsPolicy {
    /// What is demanded for one message (RFC 8689). A sender who asks for verified TLS gets it. One who asks
    /// not to insist on it is heard where only the general rule would insist: what is said of a single
    /// destination, or of the smarthost, is this host's own policy, not the recipient's.
    fn level_for(
        &self,
        destination: &Destination,
        smarthost: Option<&NextHop>,
        asked: TlsRequest,
    ) -> TlsLevel {
        let is_smarthost = matches!(destination, Destination::Fixed(hop) if Some(hop) == smarthost);
        match (asked, self.named(destination)) {
            (TlsRequest::Required, _) => TlsLevel::Verified,
            (TlsRequest::Optional, None) if !is_smarthost && self.default != TlsLevel::None => {
                TlsLevel::Opportunistic
            }
            _ => self.level(destination, smarthost),
        }
    }

    /// What is said of this very destination.
    fn named(&self, destination: &Destination) -> Option<TlsLevel> {
        match destination.host() {
            Some(Host::Domain(domain)) => self.destinations.get(domain).copied(),
            Some(Host::Literal(_)) | None => None,
        }
    }

    fn level(&self, destination: &Destination, smarthost: Option<&NextHop>) -> TlsLevel {
        let is_smarthost = matches!(destination, Destination::Fixed(hop) if Some(hop) == smarthost);
        // What does not leave this machine needs no certificate.
        let is_here =
            matches!(destination.host(), Some(Host::Literal(literal)) if literal.ip().is_loopback());
        self.named(destination).unwrap_or(if is_smarthost && !is_here {
            self.smarthost
        } else {
            self.default
        })
    }
}

/// What a connection to one host is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) tls: TlsUse,
    pub(crate) demand: Demand,
    /// Where TLS fails, mail goes in the clear.
    falls_back: bool,
    /// The host had TLS before.
    pub(crate) is_remembered: bool,
}

impl Plan {
    /// For a connection that would begin now.
    pub(crate) fn new(
        policy: &TlsPolicy,
        destination: &Destination,
        smarthost: Option<&NextHop>,
        is_remembered: bool,
        asked: TlsRequest,
    ) -> Self {
        let level = policy.level_for(destination, smarthost, asked);
        let is_implicit = matches!(destination, Destination::Fixed(hop) if hop.port == SUBMISSIONS_PORT);
        let (tls, demand, falls_back) = match level {
            TlsLevel::None => (TlsUse::Never, Demand::Noted, false),
            TlsLevel::Remember if is_remembered => (TlsUse::Required, Demand::Noted, false),
            TlsLevel::Opportunistic | TlsLevel::Remember => (TlsUse::IfOffered, Demand::Noted, true),
            TlsLevel::Verified => (TlsUse::Required, Demand::Verified, false),
        };
        // A port where TLS comes first knows no falling back to the clear.
        let (tls, falls_back) = match is_implicit && level != TlsLevel::None {
            true => (TlsUse::Implicit, false),
            false => (tls, falls_back),
        };
        Plan { tls, demand, falls_back, is_remembered }
    }

    /// Nothing is said unless the host has proven, inside TLS, who it is.
    pub(crate) fn is_strict(self) -> bool {
        self.demand == Demand::Verified
    }

    /// For a connection that the peer has made, and whose roles have switched: it is as it is.
    pub(crate) fn for_turn() -> Self {
        Plan { tls: TlsUse::Never, demand: Demand::Noted, falls_back: false, is_remembered: false }
    }

    /// The plan after TLS has failed; `None` where nothing may go in the clear, or TLS is not what failed.
    pub(crate) fn after(self, failure: &Failure) -> Option<Self> {
        // However it failed: hosts whose TLS is broken often just hang up.
        let has_failed = failure.stage == Stage::StartTls && failure.fault != Fault::TlsMissing;
        (self.falls_back && has_failed).then_some(Plan { tls: TlsUse::Never, falls_back: false, ..self })
    }

    /// Our end, if TLS may be begun.
    pub(crate) fn end(self, trust: &Arc<Trust>, peer: &PeerName) -> Option<TlsEnd> {
        let name = match &peer.host {
            Host::Domain(domain) => domain.to_ascii().to_owned(),
            Host::Literal(literal) => literal.ip().to_string(),
        };
        let connector = || Connector::new(trust.clone(), &name, peer.remote.ip(), self.demand);
        (self.tls != TlsUse::Never).then(|| TlsEnd::Connect(connector()))
    }
}

/// Hosts that had TLS, and how long that counts. In memory only: a restart forgets.
#[derive(Debug, Default)]
pub(crate) struct TlsMemory(Mutex<HashMap<Host, Instant>>);

impl TlsMemory {
    /// The host had TLS just now.
    pub(crate) fn note(&self, host: &Host, now: Instant, lifetime: Duration) {
        let mut hosts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if hosts.len() >= TLS_HOSTS_REMEMBERED_MAX && !hosts.contains_key(host) {
            hosts.retain(|_, until| *until > now);
            if hosts.len() >= TLS_HOSTS_REMEMBERED_MAX {
                // Those remembered are worth more than newcomers: nobody can push them out.
                return;
            }
        }
        hosts.insert(host.clone(), now + lifetime);
    }

    /// Whether the host had TLS within the lifetime.
    pub(crate) fn has(&self, host: &Host, now: Instant) -> bool {
        let hosts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        hosts.get(host).is_some_and(|until| *until > now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use posta_wire::TlsFailure;

    fn host(name: &str) -> Host {
        Host::parse(name).expect("a host")
    }

    #[test]
    fn plans() {
        use TlsUse::{IfOffered, Implicit, Never, Required};
        let mut policy = TlsPolicy { smarthost: TlsLevel::Verified, ..TlsPolicy::default() };
        for (name, level) in [
            ("none.example", TlsLevel::None),
            ("verified.example", TlsLevel::Verified),
            ("remember.example", TlsLevel::Remember),
        ] {
            policy.destinations.insert(Domain::parse(name).expect("a domain"), level);
        }
        let smarthost: NextHop = "smart.example:587".parse().expect("a hop");
        let fixed = |text: &str| Destination::Fixed(text.parse().expect("a hop"));
        let to = |name: &str| Destination::Host(host(name));
        let (noted, verified) = (Demand::Noted, Demand::Verified);
        // Destination, had TLS before, the use of TLS, the demand, whether it falls back.
        let table = [
            (to("south.example"), false, IfOffered, noted, true),
            (to("south.example"), true, IfOffered, noted, true),
            (to("none.example"), true, Never, noted, false),
            (to("verified.example"), false, Required, verified, false),
            (to("remember.example"), false, IfOffered, noted, true),
            (to("remember.example"), true, Required, noted, false),
            (to("[192.0.2.1]"), false, IfOffered, noted, true),
            (fixed("smart.example:587"), false, Required, verified, false),
            (fixed("other.example:25"), false, IfOffered, noted, true),
            (fixed("other.example:465"), false, Implicit, noted, false),
            (fixed("verified.example:465"), false, Implicit, verified, false),
            (fixed("none.example:465"), false, Never, noted, false),
        ];
        let failed = Failure { stage: Stage::StartTls, fault: Fault::Tls(TlsFailure::TimedOut) };
        let missing = Failure { stage: Stage::StartTls, fault: Fault::TlsMissing };
        for (destination, remembered, tls, demand, falls_back) in table {
            let plan = Plan::new(&policy, &destination, Some(&smarthost), remembered, TlsRequest::None);
            assert_eq!((plan.tls, plan.demand), (tls, demand), "{destination}");
            assert_eq!(
                plan.after(&failed).map(|plan| plan.tls),
                falls_back.then_some(Never),
                "{destination}"
            );
            assert_eq!(plan.after(&missing), None);
            assert_eq!(plan.after(&failed).and_then(|plan| plan.after(&failed)), None, "once only");
        }
        let here: NextHop = "127.0.0.1:2525".parse().expect("a hop");
        let here = (Destination::Fixed(here.clone()), here);
        let plan = Plan::new(&policy, &here.0, Some(&here.1), false, TlsRequest::None);
        assert_eq!((plan.tls, plan.demand), (IfOffered, noted), "on this machine");
    }

    #[test]
    fn what_senders_ask_for() {
        use TlsUse::{IfOffered, Implicit, Never, Required};
        let smarthost: NextHop = "smart.example:587".parse().expect("a hop");
        let mut policy = TlsPolicy { smarthost: TlsLevel::Verified, ..TlsPolicy::default() };
        let named = [("none.example", TlsLevel::None), ("verified.example", TlsLevel::Verified)];
        policy.destinations =
            named.map(|(name, level)| (Domain::parse(name).expect("a domain"), level)).into();
        let to = |name: &str| Destination::Host(host(name));
        let fixed = |text: &str| Destination::Fixed(text.parse().expect("a hop"));
        let (required, optional) = (TlsRequest::Required, TlsRequest::Optional);
        // The general rule, destination, what is asked, the use of TLS, whether the host must prove itself.
        let table = [
            (TlsLevel::Opportunistic, to("south.example"), required, Required, true),
            (TlsLevel::None, to("south.example"), required, Required, true),
            (TlsLevel::Opportunistic, to("none.example"), required, Required, true),
            (TlsLevel::Opportunistic, fixed("other.example:465"), required, Implicit, true),
            (TlsLevel::Opportunistic, fixed("127.0.0.1:25"), required, Required, true),
            (TlsLevel::Remember, to("south.example"), optional, IfOffered, false),
            (TlsLevel::Verified, to("south.example"), optional, IfOffered, false),
            (TlsLevel::None, to("south.example"), optional, Never, false),
            // This host's own policy.
            (TlsLevel::Opportunistic, to("verified.example"), optional, Required, true),
            (TlsLevel::Opportunistic, fixed("smart.example:587"), optional, Required, true),
        ];
        for (default, destination, asked, tls, proven) in table {
            policy.default = default;
            let plan = Plan::new(&policy, &destination, Some(&smarthost), true, asked);
            let demand = if proven { Demand::Verified } else { Demand::Noted };
            assert_eq!((plan.tls, plan.demand), (tls, demand), "{destination} {asked}");
            assert_eq!(plan.falls_back, tls == IfOffered, "{destination} {asked}");
        }
    }

    #[test]
    fn what_is_remembered_is_forgotten_in_time_and_not_pushed_out() {
        let (memory, now, day) = (TlsMemory::default(), Instant::now(), Duration::from_secs(86_400));
        memory.note(&host("mx.example"), now, day);
        assert!(
            memory.has(&host("MX.example"), now + day / 2) && !memory.has(&host("mx.example"), now + day)
        );
        assert!(!memory.has(&host("other.example"), now));
        for number in 0..TLS_HOSTS_REMEMBERED_MAX + 10 {
            memory.note(&host(&format!("h{number}.example")), now, day);
        }
        assert!(memory.has(&host("mx.example"), now));
        memory.note(&host("late.example"), now, day);
        assert!(!memory.has(&host("late.example"), now), "full");
        memory.note(&host("late.example"), now + day, day);
        assert!(memory.has(&host("late.example"), now + day), "those before are over");
    }
}
