//! Who is connected, and who behaves: limits per address and in total.

use crate::limits::{BAN_DOUBLINGS_MAX, BAN_MEMORY_WINDOWS, PEERS_REMEMBERED_MAX};
use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

/// How much one address, and all together, may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeerLimits {
    /// Connections at once, of all peers.
    pub connections_max: usize,
    /// Connections at once of one IPv4 address or one IPv6 /64.
    pub connections_per_address_max: usize,
    /// Failures (wrong passwords, abusive sessions) that one address may have within
    /// `failures_window` before it is turned away: for as long, and for twice as long each time that it
    /// happens again.
    pub failures_per_address_max: u32,
    /// See above.
    pub failures_window: Duration,
}

/// Why a connection is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// All places are taken.
    TotalConnections,
    /// This address has its share already.
    AddressConnections,
    /// This address failed too often of late.
    Failures,
}

/// The peers of one server; shared by its listeners.
#[derive(Debug)]
pub struct Peers {
    limits: Mutex<PeerLimits>,
    connections: AtomicUsize,
    table: Mutex<HashMap<Network, Peer>>,
}

/// What counts as one address: an IPv6 host has a whole /64 at its disposal (RFC 4291 §2.5.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Network {
    V4(u32),
    V6(u64),
}

#[derive(Debug)]
struct Peer {
    connections: usize,
    failures: u32,
    /// How often it was turned away of late: the next time lasts longer.
    bans: u32,
    /// When the window of failures began, or the time of good conduct.
    since: Instant,
}

impl Peers {
    /// With these limits.
    pub fn new(limits: PeerLimits) -> Arc<Self> {
        Arc::new(Peers {
            limits: Mutex::new(limits),
            connections: AtomicUsize::new(0),
            table: Mutex::new(HashMap::new()),
        })
    }

    /// New limits, for connections to come.
    pub fn set_limits(&self, limits: PeerLimits) {
        *self.limits.lock().unwrap_or_else(PoisonError::into_inner) = limits;
    }

    /// The limits that hold now.
    pub fn limits(&self) -> PeerLimits {
        *self.limits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Connections open now.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// Lets a connection in; the place is given back when the admission is dropped.
    pub fn admit(self: &Arc<Self>, address: IpAddr, now: Instant) -> Result<Admission, Refusal> {
        let limits = self.limits();
        let network = Network::of(address);
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        if self.connections() >= limits.connections_max {
            return Err(Refusal::TotalConnections);
        }
        let peer = table.entry(network).or_insert(Peer::new(now));
        peer.forgive(&limits, now);
        if peer.failures >= limits.failures_per_address_max {
            return Err(Refusal::Failures);
        }
        if peer.connections >= limits.connections_per_address_max {
            return Err(Refusal::AddressConnections);
        }
        peer.connections += 1;
        self.connections.fetch_add(1, Ordering::Relaxed);
        Ok(Admission { peers: self.clone(), network: Some(network) })
    }

    /// Lets a proxy's connection in: its address has no share of its own, for it stands for many. Whom it is
    /// passed on for must be [admitted](Self::admit) as soon as that is known.
    pub fn admit_proxy(self: &Arc<Self>) -> Result<Admission, Refusal> {
        let limits = self.limits();
        let _table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        if self.connections() >= limits.connections_max {
            return Err(Refusal::TotalConnections);
        }
        self.connections.fetch_add(1, Ordering::Relaxed);
        Ok(Admission { peers: self.clone(), network: None })
    }

    /// Notes a failure of this address; returns how many it has within the window.
    pub fn note_failure(&self, address: IpAddr, now: Instant) -> u32 {
        let limits = self.limits();
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        if table.len() >= PEERS_REMEMBERED_MAX {
            table.retain(|_, peer| {
                peer.forgive(&limits, now);
                peer.connections > 0 || peer.is_remembered()
            });
            if table.len() >= PEERS_REMEMBERED_MAX {
                // Whoever attacks from so many addresses is not stopped by counting them.
                table.retain(|_, peer| peer.connections > 0);
            }
        }
        let peer = table.entry(Network::of(address)).or_insert(Peer::new(now));
        peer.forgive(&limits, now);
        if peer.failures == 0 {
            peer.since = now;
        }
        peer.failures = peer.failures.saturating_add(1);
        peer.failures
    }

    /// Failures of this address within the window.
    pub fn failures(&self, address: IpAddr, now: Instant) -> u32 {
        let limits = self.limits();
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        table.get_mut(&Network::of(address)).map_or(0, |peer| {
            peer.forgive(&limits, now);
            peer.failures
        })
    }
}

impl Peer {
    fn new(now: Instant) -> Self {
        Peer { connections: 0, failures: 0, bans: 0, since: now }
    }

    /// Whether something is held against it.
    fn is_remembered(&self) -> bool {
        self.failures > 0 || self.bans > 0
    }

    fn forgive(&mut self, limits: &PeerLimits, now: Instant) {
        let is_banned = self.failures >= limits.failures_per_address_max;
        let window = limits.failures_window;
        let (doublings, peace) =
            (self.bans.min(BAN_DOUBLINGS_MAX), window.saturating_mul(BAN_MEMORY_WINDOWS));
        let passed = now.saturating_duration_since(self.since);
        match (self.failures, is_banned) {
            (0, _) if passed >= peace => self.bans = 0,
            (0, _) => {}
            (_, true) if passed >= window.saturating_mul(1 << doublings) => {
                self.failures = 0;
                self.bans = self.bans.saturating_add(1);
                self.since = now;
            }
            (_, false) if passed >= window => {
                self.failures = 0;
                self.since = now;
            }
            _ => {}
        }
    }
}

impl Network {
    fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(v4) => Network::V4(v4.to_bits()),
            IpAddr::V6(v6) => Network::V6((Ipv6Addr::to_bits(v6) >> 64) as u64),
        }
    }
}

/// A place taken by a connection.
#[derive(Debug)]
pub struct Admission {
    peers: Arc<Peers>,
    /// `None` for a proxy.
    network: Option<Network>,
}

impl Drop for Admission {
    fn drop(&mut self) {
        self.peers.connections.fetch_sub(1, Ordering::Relaxed);
        let Some(network) = self.network else { return };
        let mut table = self.peers.table.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(peer) = table.get_mut(&network) {
            peer.connections -= 1;
            if peer.connections == 0 && !peer.is_remembered() {
                table.remove(&network);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: PeerLimits = PeerLimits {
        connections_max: 3,
        connections_per_address_max: 2,
        failures_per_address_max: 2,
        failures_window: Duration::from_secs(60),
    };

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn places_are_counted_per_address_and_in_total() {
        let peers = Peers::new(LIMITS);
        let now = Instant::now();
        let first = peers.admit(ip("192.0.2.1"), now).expect("free");
        let _second = peers.admit(ip("::ffff:192.0.2.1"), now).expect("free");
        assert_eq!(peers.admit(ip("192.0.2.1"), now).unwrap_err(), Refusal::AddressConnections);
        let _third = peers.admit(ip("192.0.2.2"), now).expect("free");
        assert_eq!(peers.admit(ip("192.0.2.3"), now).unwrap_err(), Refusal::TotalConnections);
        drop(first);
        assert!(peers.admit(ip("192.0.2.1"), now).is_ok());
    }

    #[test]
    fn an_ipv6_network_of_64_bits_is_one_peer() {
        let peers = Peers::new(LIMITS);
        let now = Instant::now();
        let _first = peers.admit(ip("2001:db8::1"), now).expect("free");
        let _second = peers.admit(ip("2001:db8::ffff:2"), now).expect("free");
        assert_eq!(peers.admit(ip("2001:db8::3"), now).unwrap_err(), Refusal::AddressConnections);
        assert!(peers.admit(ip("2001:db8:0:1::3"), now).is_ok());
    }

    #[test]
    fn failures_turn_an_address_away_until_the_window_has_passed() {
        let peers = Peers::new(LIMITS);
        let start = Instant::now();
        assert_eq!(peers.note_failure(ip("192.0.2.1"), start), 1);
        assert_eq!(peers.note_failure(ip("192.0.2.1"), start), 2);
        assert_eq!(peers.admit(ip("192.0.2.1"), start).unwrap_err(), Refusal::Failures);
        assert!(peers.admit(ip("192.0.2.2"), start).is_ok());
        let later = start + LIMITS.failures_window;
        assert_eq!(peers.failures(ip("192.0.2.1"), later), 0);
        assert!(peers.admit(ip("192.0.2.1"), later).is_ok());
    }

    #[test]
    fn whoever_is_turned_away_again_is_for_longer() {
        let peers = Peers::new(LIMITS);
        let (guesser, window) = (ip("192.0.2.1"), LIMITS.failures_window);
        let mut now = Instant::now();
        for doublings in [0, 1, 2, 3, 4, 5, 6, 6, 6] {
            (0..LIMITS.failures_per_address_max).for_each(|_| {
                peers.note_failure(guesser, now);
            });
            let long = window * (1 << doublings);
            assert!(peers.admit(guesser, now + long - Duration::from_secs(1)).is_err(), "{doublings}");
            now += long;
            assert!(peers.admit(guesser, now).is_ok(), "{doublings}");
        }
        // After a long peace it begins anew.
        now += window * BAN_MEMORY_WINDOWS;
        assert!(peers.admit(guesser, now).is_ok());
        assert!(peers.table.lock().expect("not poisoned").is_empty());
    }

    #[test]
    fn peers_that_left_in_peace_are_forgotten() {
        let peers = Peers::new(LIMITS);
        let now = Instant::now();
        drop(peers.admit(ip("192.0.2.1"), now));
        // Refused ones leave no trace either.
        let _places = [peers.admit(ip("192.0.2.1"), now), peers.admit(ip("192.0.2.1"), now)];
        assert!(peers.admit(ip("192.0.2.1"), now).is_err());
        drop(_places);
        assert!(peers.table.lock().expect("not poisoned").is_empty());
    }
}
