//! Servers found by what the DNS says, and under the usual names.

mod support;

use async_trait::async_trait;
use posta_address::Domain;
use posta_runtime::{
    Network, Stream, TcpNetwork,
    tls::{Acceptor, Authority, Identity, TlsEnd, Trust},
};
use posta_ua::{
    Hosts, Outside, Security,
    discovery::{How, ServiceRecord, Services, Wanted, discover},
};
use posta_wire::sasl::{Mechanism, MechanismSet};
use std::{
    collections::HashMap,
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};
use support::{Post, pop3_server, smtp_server};

/// A little internet: who is where, and what the DNS says of services.
#[derive(Clone, Default)]
struct Internet {
    hosts: HashMap<(String, u16), u16>,
    records: HashMap<&'static str, Vec<ServiceRecord>>,
}

#[async_trait]
impl Hosts for Internet {
    async fn addresses(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        match self.hosts.get(&(host.to_owned(), port)) {
            Some(port) => Ok(vec![([192, 0, 2, 1], *port).into()]),
            None => Err(io::Error::new(io::ErrorKind::NotFound, "no such host")),
        }
    }
    fn own_address(&self, _remote: SocketAddr) -> Option<IpAddr> {
        None
    }
}

#[async_trait]
impl Network for Internet {
    async fn connect(&self, remote: SocketAddr) -> io::Result<Box<dyn Stream>> {
        TcpNetwork.connect(([127, 0, 0, 1], remote.port()).into()).await
    }
}

#[async_trait]
impl Services for Internet {
    async fn records(&self, service: &str, _domain: &Domain) -> io::Result<Vec<ServiceRecord>> {
        Ok(self.records.get(service).cloned().unwrap_or_default())
    }
}

struct Scene {
    authority: Authority,
    internet: Internet,
}

impl Scene {
    fn new() -> Scene {
        Scene {
            authority: Authority::new("A test authority").expect("an authority"),
            internet: Internet::default(),
        }
    }

    /// A server with a certificate for `certified`, reached as `host:port`.
    async fn serve(
        &mut self,
        wanted: Wanted,
        host: &str,
        port: u16,
        tls_first: bool,
        certified: Option<&str>,
    ) {
        let tls = certified.map(|name| {
            let (chain, key) = self.authority.issue(&[name.to_owned()]).expect("a certificate");
            let identity = Identity::from_pem(chain.as_bytes(), key.as_bytes()).expect("an identity");
            TlsEnd::Accept(Acceptor::new(vec![identity], None).expect("an acceptor"))
        });
        let mechanisms = [Mechanism::ScramSha256].into_iter().collect::<MechanismSet>();
        let post = Arc::new(Post { tls, tls_first, mechanisms, ..Post::default() });
        let endpoint = match wanted {
            Wanted::Submission => smtp_server(post).await,
            Wanted::Maildrop => pop3_server(post).await,
        };
        self.internet.hosts.insert((host.to_owned(), port), endpoint.port());
    }

    fn announce(&mut self, service: &'static str, priority: u16, target: Option<&str>, port: u16) {
        let target = target.map(str::to_owned);
        let record = ServiceRecord { priority, weight: 0, port, target };
        self.internet.records.entry(service).or_default().push(record);
    }

    async fn discover(&self, wanted: Wanted) -> Vec<String> {
        let outside = Outside {
            network: Arc::new(self.internet.clone()),
            hosts: Arc::new(self.internet.clone()),
            trust: Arc::new(Trust::only(self.authority.pem().as_bytes()).expect("trust")),
            ..Outside::system()
        };
        let domain = Domain::parse("south.example").expect("a domain");
        let discovered = discover(&outside, &self.internet, &domain, wanted).await;
        if discovered.is_denied {
            return vec!["denied".into()];
        }
        let found = discovered.found.map(|found| {
            let how = if found.how == How::Name { "name" } else { "record" };
            let tls = if found.security == Security::Tls { "tls" } else { "starttls" };
            let place = if found.is_elsewhere { " elsewhere" } else { "" };
            format!("{} {tls} {how}{place}", found.endpoint)
        });
        found.into_iter().collect()
    }
}

#[tokio::test]
async fn records_come_before_names_and_tls_before_starttls() {
    let mut scene = Scene::new();
    let (submission, maildrop) = (Wanted::Submission, Wanted::Maildrop);
    assert_eq!(scene.discover(submission).await, [""; 0]);
    // The usual names.
    scene.serve(submission, "mail.south.example", 587, false, Some("mail.south.example")).await;
    assert_eq!(scene.discover(submission).await, ["mail.south.example:587 starttls name"]);
    scene.serve(submission, "smtp.south.example", 465, true, Some("smtp.south.example")).await;
    assert_eq!(scene.discover(submission).await, ["smtp.south.example:465 tls name"]);
    scene.serve(maildrop, "pop.south.example", 995, true, Some("pop.south.example")).await;
    assert_eq!(scene.discover(maildrop).await, ["pop.south.example:995 tls name"]);
    // What is announced comes first: by priority, and what does not answer is passed over.
    scene.serve(submission, "a.south.example", 2587, false, Some("a.south.example")).await;
    scene.announce("_submission._tcp", 20, Some("a.south.example"), 2587);
    scene.announce("_submission._tcp", 10, Some("gone.south.example"), 2587);
    assert_eq!(scene.discover(submission).await, ["a.south.example:2587 starttls record"]);
    scene.serve(submission, "mx.hoster.example", 2465, true, Some("mx.hoster.example")).await;
    scene.announce("_submissions._tcp", 0, Some("mx.hoster.example"), 2465);
    assert_eq!(scene.discover(submission).await, ["mx.hoster.example:2465 tls record elsewhere"]);
    scene.serve(maildrop, "mx.hoster.example", 1995, true, Some("mx.hoster.example")).await;
    scene.announce("_pop3s._tcp", 0, Some("mx.hoster.example"), 1995);
    assert_eq!(scene.discover(maildrop).await, ["mx.hoster.example:1995 tls record elsewhere"]);
}

#[tokio::test]
async fn servers_without_tls_or_with_anothers_certificate_do_not_count() {
    let mut scene = Scene::new();
    scene.serve(Wanted::Submission, "mail.south.example", 587, false, None).await;
    scene.serve(Wanted::Submission, "smtp.south.example", 587, false, Some("mallory.example")).await;
    scene.serve(Wanted::Maildrop, "mail.south.example", 110, false, None).await;
    scene.announce("_pop3s._tcp", 0, Some("mallory.example"), 995);
    scene.serve(Wanted::Maildrop, "mallory.example", 995, true, Some("other.example")).await;
    assert_eq!(scene.discover(Wanted::Submission).await, [""; 0]);
    assert_eq!(scene.discover(Wanted::Maildrop).await, [""; 0]);
}

#[tokio::test]
async fn a_domain_may_say_that_there_is_no_such_service() {
    let mut scene = Scene::new();
    scene.serve(Wanted::Maildrop, "mail.south.example", 995, true, Some("mail.south.example")).await;
    scene.announce("_pop3s._tcp", 0, None, 0);
    assert_eq!(scene.discover(Wanted::Maildrop).await, ["denied"]);
}
