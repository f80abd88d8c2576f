//! Routing by tables: zone, destination, expected hosts or error, expected questions.

use posta_address::{Domain, Host};
use posta_dns::{OwnHosts, Ports, Route, RouteFailure, ZoneResolver, fixed_route, route};
use std::{
    future::Future,
    pin::pin,
    task::{Context, Poll, Waker},
};

/// The zone of the lecture: mail for cs.vu.nl goes to zephyr, then to top.
const LECTURE: &str = "
cs.vu.nl.         86400 IN MX 1 zephyr.cs.vu.nl.
                  86400 IN MX 2 top.cs.vu.nl.
zephyr.cs.vu.nl.  86400 IN A  130.37.16.112
top.cs.vu.nl.     86400 IN A  130.37.16.6
";

/// A zone resolver never waits, so one poll is enough.
fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("the zone resolver waited"),
    }
}

fn find_as(zone: &str, destination: &str, own: &OwnHosts, seed: usize) -> Result<Route, RouteFailure> {
    let resolver = ZoneResolver::parse(zone).expect("the zone is well-formed");
    let destination: Host = destination.parse().expect("the destination is well-formed");
    let mut random_below = |n: usize| seed % n;
    now(route(&resolver, &destination, own, &Ports::default(), &mut random_below))
}

/// `preference name: address address` per host, or the status and text of the error.
fn describe(found: &Result<Route, RouteFailure>) -> String {
    match found {
        Ok(route) => {
            let hosts = route.hosts.iter().map(|host| {
                let addresses: Vec<String> = host.addresses.iter().map(|a| a.to_string()).collect();
                format!("{} {}: {}", host.preference, host.name, addresses.join(" "))
            });
            hosts.collect::<Vec<_>>().join("\n")
        }
        Err(failure) => {
            let (class, subject, detail) = failure.error.status();
            assert_eq!(failure.error.is_transient(), class == 4);
            format!("{} {class}.{subject}.{detail} {}", failure.error.reply_code(), failure.error)
        }
    }
}

#[track_caller]
fn check(zone: &str, destination: &str, expected: &str) {
    check_as(zone, destination, &OwnHosts::default(), expected);
}

#[track_caller]
fn check_as(zone: &str, destination: &str, own: &OwnHosts, expected: &str) {
    let found = find_as(zone, destination, own, usize::MAX);
    let expected: Vec<&str> = expected.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    assert_eq!(describe(&found), expected.join("\n"), "mail for {destination}");
}

fn own(names: &[&str], endpoints: &[&str]) -> OwnHosts {
    OwnHosts {
        names: names.iter().map(|name| Domain::parse(name).unwrap()).collect(),
        endpoints: endpoints.iter().map(|endpoint| endpoint.parse().unwrap()).collect(),
    }
}

#[test]
fn the_lecture_example() {
    check(LECTURE, "cs.vu.nl", "1 zephyr.cs.vu.nl: 130.37.16.112:25\n2 top.cs.vu.nl: 130.37.16.6:25");
    let route = find_as(LECTURE, "cs.vu.nl", &OwnHosts::default(), 0).unwrap();
    assert_eq!(
        route.steps,
        [
            "CNAME cs.vu.nl? none",
            "MX cs.vu.nl? 1 zephyr.cs.vu.nl, 2 top.cs.vu.nl",
            "A zephyr.cs.vu.nl? 130.37.16.112",
            "AAAA zephyr.cs.vu.nl? none",
            "A top.cs.vu.nl? 130.37.16.6",
            "AAAA top.cs.vu.nl? none",
        ]
    );
}

// RFC 5321 §5.1: implicit MX only when there is no MX record.
#[test]
fn implicit_mx() {
    check("host.example. 60 IN A 192.0.2.1", "host.example", "0 host.example: 192.0.2.1:25");
    check("host.example. 60 IN AAAA 2001:db8::1", "host.example", "0 host.example: [2001:db8::1]:25");
    let unusable = "d.example. 60 IN MX 10 gone.example.\n 60 IN A 192.0.2.9";
    check(unusable, "d.example", "550 5.4.4 no usable mail host: gone.example does not exist in the DNS");
    let silent = "d.example. 60 IN TIMEOUT MX\nd.example. 60 IN A 192.0.2.9";
    check(silent, "d.example", "451 4.4.3 looking up d.example: no answer in time");
    check(
        "sub.d.example. 60 IN A 192.0.2.9",
        "d.example",
        "550 5.4.4 no usable mail host: d.example has no such record",
    );
}

#[test]
fn no_such_domain() {
    check("", "nowhere.example", "550 5.1.2 the domain nowhere.example does not exist");
    check(
        "alias.example. 60 IN CNAME nowhere.example.",
        "alias.example",
        "550 5.1.2 the domain nowhere.example does not exist",
    );
}

#[test]
fn temporary_failures() {
    for fault in ["TIMEOUT", "SERVFAIL"] {
        for record_type in ["CNAME", "MX", ""] {
            let zone = format!("d.example. 60 IN {fault} {record_type}");
            let found = find_as(&zone, "d.example", &OwnHosts::default(), 0);
            assert!(found.unwrap_err().error.is_transient(), "{zone}");
        }
    }
}

// RFC 5321 §5.1: the resulting name is processed as if it were the initial name.
#[test]
fn aliases() {
    let zone =
        format!("{LECTURE}\nmail.example. 60 IN CNAME www.example.\nwww.example. 60 IN CNAME cs.vu.nl.");
    check(&zone, "mail.example", "1 zephyr.cs.vu.nl: 130.37.16.112:25\n2 top.cs.vu.nl: 130.37.16.6:25");
    let circle = "a.example. 60 IN CNAME b.example.\nb.example. 60 IN CNAME a.example.";
    check(circle, "a.example", "550 5.4.4 a.example is an alias that leads nowhere");
    check(
        "a.example. 60 IN CNAME a.example.",
        "a.example",
        "550 5.4.4 a.example is an alias that leads nowhere",
    );
    // Against RFC 2181 §10.3, but in use: the exchange is an alias.
    let exchange =
        "d.example. 60 IN MX 5 mx.example.\nmx.example. 60 IN CNAME h.example.\nh.example. 60 IN A 192.0.2.7";
    check(exchange, "d.example", "5 mx.example: 192.0.2.7:25");
}

// RFC 7505.
#[test]
fn null_mx() {
    check(
        "d.example. 60 IN MX 0 .\n 60 IN A 192.0.2.1",
        "d.example",
        "556 5.1.10 the domain d.example accepts no mail (it has a null MX)",
    );
    // §3: it must stand alone; beside others it means nothing.
    check(
        "d.example. 60 IN MX 0 .\n 60 IN MX 9 h.example.\nh.example. 60 IN A 192.0.2.1",
        "d.example",
        "9 h.example: 192.0.2.1:25",
    );
}

const THREE: &str = "
d.example.   60 IN MX 10 one.example.
             60 IN MX 20 two.example.
             60 IN MX 20 too.example.
             60 IN MX 30 three.example.
one.example.   60 IN A 192.0.2.1
two.example.   60 IN A 192.0.2.2
too.example.   60 IN A 192.0.2.22
three.example. 60 IN A 192.0.2.3
";

// RFC 5321 §5.1: our own preference and everything after it is cut away.
#[test]
fn own_host() {
    check_as(THREE, "d.example", &own(&["two.example"], &[]), "10 one.example: 192.0.2.1:25");
    check_as(THREE, "d.example", &own(&["TOO.example"], &[]), "10 one.example: 192.0.2.1:25");
    check_as(THREE, "d.example", &own(&[], &["192.0.2.22:25"]), "10 one.example: 192.0.2.1:25");
    let loops = "550 5.4.6 mail for d.example would loop back to this host";
    check_as(THREE, "d.example", &own(&["one.example"], &[]), loops);
    check_as(THREE, "d.example", &own(&[], &["192.0.2.1:25"]), loops);
    // Another port is another server.
    let found = find_as(THREE, "d.example", &own(&[], &["192.0.2.1:2525"]), 0).unwrap();
    assert_eq!(found.hosts.len(), 4);
    check_as(
        "d.example. 60 IN A 127.0.0.1",
        "d.example",
        &own(&[], &["0.0.0.0:25"]),
        "550 5.4.6 mail for d.example would loop back to this host",
    );
    // We are the second, and the first cannot be looked up now: it may come back.
    let waiting = "d.example. 60 IN MX 1 one.example.\n 60 IN MX 2 two.example.\none.example. 60 IN SERVFAIL";
    check_as(waiting, "d.example", &own(&["two.example"], &[]), "451 4.4.3 looking up one.example: SERVFAIL");
}

#[test]
fn literals() {
    check("", "[192.0.2.5]", "0 [192.0.2.5]: 192.0.2.5:25");
    check("", "[IPv6:2001:db8::5]", "0 [IPv6:2001:db8::5]: [2001:db8::5]:25");
    check_as(
        "",
        "[127.0.0.1]",
        &own(&[], &["127.0.0.1:25"]),
        "550 5.4.6 mail for [127.0.0.1] would loop back to this host",
    );
}

#[test]
fn exchanges_without_addresses() {
    let one_fails = "
        d.example. 60 IN MX 1 sick.example.\nd.example. 60 IN MX 2 well.example.
        sick.example. 60 IN TIMEOUT\nwell.example. 60 IN A 192.0.2.2";
    let one_fails: String = one_fails.lines().map(|line| format!("{}\n", line.trim())).collect();
    check(&one_fails, "d.example", "2 well.example: 192.0.2.2:25");
    let all_fail = "d.example. 60 IN MX 1 sick.example.\nd.example. 60 IN MX 2 gone.example.\nsick.example. 60 IN TIMEOUT";
    check(all_fail, "d.example", "451 4.4.3 looking up sick.example: no answer in time");
    // No IPv4 address, and whether there is an IPv6 address is not known now.
    let half = "d.example. 60 IN MX 1 h.example.\nh.example. 60 IN SERVFAIL AAAA\nh.example. 60 IN TXT x";
    check(half, "d.example", "451 4.4.3 looking up h.example: SERVFAIL");
    let usable =
        "d.example. 60 IN MX 1 h.example.\nh.example. 60 IN SERVFAIL AAAA\nh.example. 60 IN A 192.0.2.1";
    check(usable, "d.example", "1 h.example: 192.0.2.1:25");
}

#[test]
fn both_families_take_turns() {
    let zone = "h.example. 60 IN A 192.0.2.1\n 60 IN A 192.0.2.2\n 60 IN AAAA 2001:db8::1";
    check(zone, "h.example", "0 h.example: [2001:db8::1]:25 192.0.2.1:25 192.0.2.2:25");
}

// RFC 5321 §5.1: "If there are multiple destinations with the same preference … MUST randomize them".
#[test]
fn equals_are_shuffled() {
    let mut orders = std::collections::BTreeSet::new();
    for seed in 0..24 {
        let route = find_as(THREE, "d.example", &OwnHosts::default(), seed).unwrap();
        let names: Vec<String> = route.hosts.iter().map(|host| host.name.to_string()).collect();
        assert_eq!((names[0].as_str(), names[3].as_str()), ("one.example", "three.example"));
        orders.insert(names[1].clone());
    }
    assert_eq!(orders.into_iter().collect::<Vec<_>>(), ["too.example", "two.example"]);
}

#[test]
fn ports_by_host() {
    let resolver = ZoneResolver::parse(LECTURE).unwrap();
    let ports = Ports { default: 25, by_host: [(Domain::parse("top.cs.vu.nl").unwrap(), 2526)].into() };
    let destination = Host::parse("cs.vu.nl").unwrap();
    let route = now(route(&resolver, &destination, &OwnHosts::default(), &ports, &mut |_| 0)).unwrap();
    assert_eq!(route.hosts[0].addresses[0].port(), 25);
    assert_eq!(route.hosts[1].addresses[0].port(), 2526);
}

/// What a hostile zone offers is bounded.
#[test]
fn too_many_hosts_and_addresses() {
    let mut zone = String::new();
    for host in 0..200 {
        zone += &format!("d.example. 60 IN MX {} h{host}.example.\n", host / 50);
        for address in 0..50 {
            zone += &format!("h{host}.example. 60 IN A 10.0.{host}.{address}\n");
        }
    }
    let route = find_as(&zone, "d.example", &OwnHosts::default(), 3).unwrap();
    assert!(route.hosts.len() <= posta_dns::limits::EXCHANGES_MAX);
    let addresses: usize = route.hosts.iter().map(|host| host.addresses.len()).sum();
    assert_eq!(addresses, posta_dns::limits::ADDRESSES_PER_ROUTE_MAX);
    assert!(route.hosts.iter().all(|host| host.preference == 0));
}

// A smarthost is asked for by its addresses alone.
#[test]
fn fixed_hosts() {
    let zone = "smart.example. 60 IN MX 0 other.example.\nsmart.example. 60 IN A 192.0.2.1";
    let find = |host: &str, port, own: &OwnHosts| {
        let resolver = ZoneResolver::parse(zone).unwrap();
        describe(&now(fixed_route(&resolver, &Host::parse(host).unwrap(), port, own)))
    };
    let nobody = OwnHosts::default();
    assert_eq!(find("smart.example", 587, &nobody), "0 smart.example: 192.0.2.1:587");
    assert_eq!(find("[IPv6:::1]", 2525, &nobody), "0 [IPv6:::1]: [::1]:2525");
    let gone = "550 5.4.4 no usable mail host: gone.example does not exist in the DNS";
    assert_eq!(find("gone.example", 25, &nobody), gone);
    let loops = "550 5.4.6 mail for smart.example would loop back to this host";
    assert_eq!(find("smart.example", 25, &own(&["smart.example"], &["192.0.2.1:25"])), loops);
    assert_eq!(
        find("smart.example", 26, &own(&["smart.example"], &["192.0.2.1:25"])),
        "0 smart.example: 192.0.2.1:26"
    );
}
