//! Zone texts; the zone server asked by the real resolver over loopback.

use posta_address::Domain;
use posta_dns::{
    DnsError, DnsExchange, DnsResolver, MxRecord, Resolver, SrvRecord, Zone, ZoneResolver, ZoneServer,
};
use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex},
};

fn name(text: &str) -> Domain {
    Domain::parse(text).unwrap()
}

#[test]
fn texts_that_are_no_zone() {
    let table = [
        ("  60 IN A 192.0.2.1", "zone, line 1: no name to go with"),
        ("a.example. 60 IN A", "zone, line 1: wrong data for A: "),
        ("\n; x\na.example. 60 IN A 1.2.3", "zone, line 3: wrong data for A: 1.2.3"),
        ("a.example. 60 CH A 1.2.3.4", "zone, line 1: not the class IN: CH"),
        ("a.example. soon IN A 1.2.3.4", "zone, line 1: not a TTL: soon"),
        ("a.example. 60 IN HINFO 1 2 3 x.", "zone, line 1: not a type: HINFO"),
        ("a.example. 60 IN SRV 1 2 65536 x.", "zone, line 1: wrong data for SRV: 1 2 65536 x."),
        ("a.example. 60 IN TXT \"open", "zone, line 1: a quote is not closed"),
        ("a..example. 60 IN A 1.2.3.4", "zone, line 1: a..example.: bad domain"),
        ("a.example. 60 IN TIMEOUT HINFO", "zone, line 1: not a type: HINFO"),
        ("a.example. 60", "zone, line 1: expected: name TTL IN TYPE data"),
    ];
    for (text, expected) in table {
        assert_eq!(Zone::parse(text).unwrap_err().to_string(), expected, "{text:?}");
    }
}

const ZONE: &str = r#"
; everything that the tests below ask for
south.example.        300 IN MX    10 mx.south.example.
                      300 IN MX    5  mx2.south.example.
                      300 IN TXT   "v=spf1 " "-all; really"
mx.south.example.     300 IN A     127.0.0.1
                      300 IN AAAA  ::1
mx2.south.example.    300 IN A     127.0.0.2
_pop3s._tcp.south.example. 300 IN SRV 10 1 995 mx.south.example.
                      300 IN SRV   20 1 1995 mx2.south.example.
_pop3._tcp.south.example. 300 IN SRV 0 0 0 .
www.south.example.    300 IN CNAME south.example.
null.example.         300 IN MX    0 .
broken.example.       300 IN SERVFAIL
1.0.0.127.in-addr.arpa. 300 IN PTR mx.south.example.
big.example.          300 IN TXT   "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
xn--mller-kva.example. 300 IN A    192.0.2.80
"#;

/// Everything a resolver can be asked, against the zone above.
async fn check_resolver(resolver: &dyn Resolver) {
    assert_eq!(resolver.cname(&name("www.south.example")).await, Ok(Some(name("south.example"))));
    assert_eq!(resolver.cname(&name("south.example")).await, Ok(None));
    assert_eq!(resolver.cname(&name("gone.example")).await, Ok(None));
    let mut mx = resolver.mx(&name("south.example")).await.unwrap();
    mx.sort_by_key(|record| record.preference);
    let record = |preference, host: &str| MxRecord { preference, exchange: Some(name(host)) };
    assert_eq!(mx, [record(5, "mx2.south.example"), record(10, "mx.south.example")]);
    // Through an alias.
    assert_eq!(resolver.mx(&name("www.south.example")).await.unwrap().len(), 2);
    let null = MxRecord { preference: 0, exchange: None };
    assert_eq!(resolver.mx(&name("null.example")).await, Ok(vec![null]));
    assert_eq!(resolver.a(&name("mx.south.example")).await, Ok(vec![Ipv4Addr::LOCALHOST]));
    assert_eq!(resolver.a(&name("müller.example")).await, Ok(vec![Ipv4Addr::new(192, 0, 2, 80)]));
    assert_eq!(resolver.aaaa(&name("mx.south.example")).await.unwrap()[0].to_string(), "::1");
    assert_eq!(resolver.txt(&name("south.example")).await, Ok(vec![b"v=spf1 -all; really".to_vec()]));
    let mut srv = resolver.srv("_pop3s._tcp", &name("south.example")).await.unwrap();
    srv.sort_by_key(|record| record.priority);
    let first = SrvRecord { priority: 10, weight: 1, port: 995, target: Some(name("mx.south.example")) };
    assert_eq!((srv.len(), &srv[0]), (2, &first));
    let none = SrvRecord { priority: 0, weight: 0, port: 0, target: None };
    assert_eq!(resolver.srv("_pop3._tcp", &name("south.example")).await, Ok(vec![none]));
    // An empty non-terminal and a name without this type exist; others don't.
    let kind = |error: DnsError| match error {
        DnsError::NoSuchName(_) => "no such name",
        DnsError::NoRecord(_) => "no record",
        DnsError::Unusable { .. } => "unusable",
        DnsError::Temporary { .. } => "temporary",
    };
    assert_eq!(resolver.a(&name("south.example")).await.map_err(kind), Err("no record"));
    assert_eq!(resolver.mx(&name("mx.south.example")).await.map_err(kind), Err("no record"));
    assert_eq!(resolver.aaaa(&name("mx2.south.example")).await.map_err(kind), Err("no record"));
    assert_eq!(resolver.a(&name("gone.example")).await.map_err(kind), Err("no such name"));
    assert_eq!(resolver.mx(&name("broken.example")).await.map_err(kind), Err("temporary"));
    assert_eq!(resolver.srv("_imaps._tcp", &name("south.example")).await.map_err(kind), Err("no such name"));
    assert_eq!(resolver.cname(&name("broken.example")).await.map_err(kind), Err("temporary"));
}

#[tokio::test]
async fn zone_resolver() {
    let resolver = ZoneResolver::parse(ZONE).unwrap();
    check_resolver(&resolver).await;
    let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
    assert_eq!(resolver.ptr(address).await, Ok(vec![name("mx.south.example")]));
    resolver.replace(Zone::default());
    assert!(resolver.mx(&name("south.example")).await.is_err());
}

fn loopback() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, 0))
}

#[tokio::test]
async fn server_and_real_resolver() {
    let seen: Arc<Mutex<Vec<DnsExchange>>> = Arc::default();
    let log = seen.clone();
    let observer = Arc::new(move |exchange| log.lock().unwrap().push(exchange));
    let server = ZoneServer::start(loopback(), Zone::parse(ZONE).unwrap(), Some(observer)).await.unwrap();
    let resolver = DnsResolver::with_servers(&[server.address()]).unwrap();
    check_resolver(&resolver).await;
    let texts: Vec<String> =
        seen.lock().unwrap().iter().map(|seen| format!("{}? {}", seen.question, seen.answer)).collect();
    for expected in [
        "MX south.example? 10 mx.south.example, 5 mx2.south.example",
        "CNAME www.south.example? alias of south.example",
        "CNAME south.example? no such record",
        "A gone.example? no such name",
        "MX null.example? 0 .",
        "MX broken.example? SERVFAIL",
    ] {
        assert!(texts.iter().any(|text| text == expected), "{expected} is not in {texts:#?}");
    }
    // The answer is kept for its TTL: asking again asks nobody.
    let count = seen.lock().unwrap().len();
    resolver.mx(&name("south.example")).await.unwrap();
    assert_eq!(seen.lock().unwrap().len(), count);
    server.stop().await;
}

/// An answer too large for UDP comes over TCP.
#[tokio::test]
async fn large_answers_come_over_tcp() {
    let mut zone = String::new();
    for index in 0..200 {
        zone += &format!("many.example. 60 IN TXT \"{index:0>100}\"\n");
    }
    let server = ZoneServer::start(loopback(), Zone::parse(&zone).unwrap(), None).await.unwrap();
    let resolver = DnsResolver::with_servers(&[server.address()]).unwrap();
    assert_eq!(resolver.txt(&name("many.example")).await.unwrap().len(), 200);
    server.stop().await;
}

/// Nobody answers there.
#[tokio::test]
async fn no_server() {
    let socket = std::net::UdpSocket::bind(loopback()).unwrap();
    let address = socket.local_addr().unwrap();
    drop(socket);
    let resolver = DnsResolver::with_patience(&[address], std::time::Duration::from_millis(50)).unwrap();
    let error = resolver.mx(&name("south.example")).await.unwrap_err();
    assert!(error.is_transient(), "{error}");
}

#[tokio::test]
async fn replaced_zone() {
    let server = ZoneServer::start(loopback(), Zone::parse(ZONE).unwrap(), None).await.unwrap();
    let resolver = DnsResolver::with_servers(&[server.address()]).unwrap();
    server.replace(Zone::parse("new.example. 60 IN A 192.0.2.1").unwrap());
    assert!(resolver.a(&name("new.example")).await.is_ok());
    assert!(matches!(resolver.mx(&name("south.example")).await, Err(DnsError::NoSuchName(_))));
    server.stop().await;
}

proptest::proptest! {
    #[test]
    fn any_text_is_a_zone_or_an_error(text in r#"([a-c.@\\" \t;-]|60|IN|MX|A|TXT|1\.2\.3\.4|\n){0,40}"#) {
        let _ = Zone::parse(&text);
    }
}
