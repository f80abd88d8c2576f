//! Where a domain's servers are: by SRV records (RFC 6186, RFC 8314 §5.1), then under the usual names.
//!
//! Only what is protected by TLS counts, with a certificate for the name that was asked for: whoever stands
//! in between can lead to other names by false answers, but not pass for the right ones.

use crate::{
    Endpoint, Outside, Security,
    limits::{DISCOVERY_RECORDS_MAX, DISCOVERY_WAIT_MAX},
    maildrop::probe_maildrop,
    submit::probe_submission,
};
use async_trait::async_trait;
use posta_address::Domain;
use std::{fmt, io};
use tokio::task::JoinSet;

/// One SRV record (RFC 2782).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceRecord {
    /// Lower is tried first.
    pub priority: u16,
    /// Higher is tried first among those of one priority.
    pub weight: u16,
    /// Where the host listens.
    pub port: u16,
    /// The host; `None`: the service is decidedly not offered.
    pub target: Option<String>,
}

/// What the DNS says of services.
#[async_trait]
pub trait Services: Send + Sync {
    /// The SRV records of a service like `_submissions._tcp`; none where there are none.
    async fn records(&self, service: &str, domain: &Domain) -> io::Result<Vec<ServiceRecord>>;
}

/// What is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// Where letters are submitted.
    Submission,
    /// Where the maildrop is.
    Maildrop,
}

/// How a server was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum How {
    /// By this SRV record.
    Record(&'static str),
    /// Under a name that servers usually have.
    Name,
}

impl fmt::Display for How {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            How::Record(service) => write!(f, "announced by {service}"),
            How::Name => f.write_str("found under its usual name"),
        }
    }
}

/// A server that answered, inside TLS, and proved its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Where it is.
    pub endpoint: Endpoint,
    /// How it is to be spoken to.
    pub security: Security,
    /// How it was found.
    pub how: How,
    /// Its name is not within the domain: RFC 6186 §6 has the user asked whether that is meant.
    pub is_elsewhere: bool,
}

/// What became of looking.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Discovered {
    /// The best there is.
    pub found: Option<Found>,
    /// What was tried before it, or in vain, and what came of it.
    pub failures: Vec<(Endpoint, String)>,
    /// The domain says that it offers no such service (RFC 6186 §3.4).
    pub is_denied: bool,
}

impl Wanted {
    /// RFC 8314 §5.1: TLS from the first octet on is preferred.
    fn services(self) -> [(&'static str, Security); 2] {
        match self {
            Wanted::Submission => {
                [("_submissions._tcp", Security::Tls), ("_submission._tcp", Security::StartTls)]
            }
            Wanted::Maildrop => [("_pop3s._tcp", Security::Tls), ("_pop3._tcp", Security::StartTls)],
        }
    }

    fn names(self) -> [&'static str; 3] {
        match self {
            Wanted::Submission => ["smtp.", "mail.", ""],
            Wanted::Maildrop => ["pop3.", "pop.", "mail."],
        }
    }

    /// Of TLS first, and of STARTTLS or STLS.
    fn ports(self) -> [(u16, Security); 2] {
        match self {
            Wanted::Submission => [(465, Security::Tls), (587, Security::StartTls)],
            Wanted::Maildrop => [(995, Security::Tls), (110, Security::StartTls)],
        }
    }
}

/// Looks for a server of a domain. All candidates are tried at once; the best that answers is taken.
pub async fn discover(
    outside: &Outside,
    services: &dyn Services,
    domain: &Domain,
    wanted: Wanted,
) -> Discovered {
    let (mut candidates, is_denied) = announced(services, domain, wanted).await;
    if is_denied {
        return Discovered { is_denied, ..Discovered::default() };
    }
    candidates.extend(usual(domain, wanted));
    let mut tries = JoinSet::new();
    for (index, candidate) in candidates.iter().enumerate() {
        let outside = Outside { security: candidate.security, ..outside.clone() };
        let endpoint = candidate.endpoint.clone();
        tries.spawn(async move {
            let trying = tokio::time::timeout(DISCOVERY_WAIT_MAX, probe(&outside, &endpoint, wanted));
            (index, trying.await.unwrap_or_else(|_| Err("no answer in time".into())))
        });
    }
    let mut answers: Vec<Option<Result<(), String>>> = candidates.iter().map(|_| None).collect();
    while let Some(tried) = tries.join_next().await {
        let Ok((index, answer)) = tried else { continue };
        answers[index] = Some(answer);
        // What is worse than one that is known to be good needs not be waited for.
        let good = answers.iter().position(|answer| matches!(answer, Some(Ok(()))));
        if good.is_some_and(|good| answers[..good].iter().all(Option::is_some)) {
            break;
        }
    }
    let mut discovered = Discovered::default();
    for (candidate, answer) in candidates.into_iter().zip(answers) {
        match answer {
            Some(Ok(())) => {
                discovered.found = Some(candidate);
                break;
            }
            Some(Err(why)) => discovered.failures.push((candidate.endpoint, why)),
            None => {}
        }
    }
    discovered
}

/// What the SRV records name, best first; whether they say that there is no such service.
async fn announced(services: &dyn Services, domain: &Domain, wanted: Wanted) -> (Vec<Found>, bool) {
    let (mut candidates, mut denials) = (Vec::new(), 0);
    for (service, security) in wanted.services() {
        let mut records = services.records(service, domain).await.unwrap_or_default();
        records.truncate(DISCOVERY_RECORDS_MAX);
        denials += usize::from(!records.is_empty() && records.iter().all(|record| record.target.is_none()));
        // RFC 2782 has equals chosen by chance; for one person it makes no difference.
        records.sort_by_key(|record| (record.priority, std::cmp::Reverse(record.weight)));
        for record in records {
            let Some(host) = record.target else { continue };
            let Ok(endpoint) = Endpoint::parse(&host, record.port) else { continue };
            let is_elsewhere = !is_within(&host, domain);
            candidates.push(Found { endpoint, security, how: How::Record(service), is_elsewhere });
        }
    }
    let is_denied = denials > 0 && candidates.is_empty();
    (candidates, is_denied)
}

fn usual(domain: &Domain, wanted: Wanted) -> Vec<Found> {
    let mut candidates = Vec::new();
    for (port, security) in wanted.ports() {
        for name in wanted.names() {
            if let Ok(endpoint) = Endpoint::parse(&format!("{name}{}", domain.to_ascii()), port) {
                candidates.push(Found { endpoint, security, how: How::Name, is_elsewhere: false });
            }
        }
    }
    candidates
}

fn is_within(host: &str, domain: &Domain) -> bool {
    let (host, domain) = (host.trim_end_matches('.').to_ascii_lowercase(), domain.to_ascii());
    host == domain || host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'))
}

async fn probe(outside: &Outside, endpoint: &Endpoint, wanted: Wanted) -> Result<(), String> {
    match wanted {
        Wanted::Submission => {
            let probed = probe_submission(outside, endpoint, None).await;
            let (_, extensions) = probed.map_err(|error| error.to_string())?;
            let is_auth = |line: &String| line.get(..4).is_some_and(|word| word.eq_ignore_ascii_case("AUTH"));
            match extensions.iter().any(is_auth) {
                true => Ok(()),
                false => Err("nobody can log in there".into()),
            }
        }
        Wanted::Maildrop => probe_maildrop(outside, endpoint).await.map_err(|error| error.to_string()),
    }
}

/// How both servers can be spoken to with one setting; none where they differ in a way that ports don't show.
pub fn common_security(submission: &Found, maildrop: &Found) -> Option<Security> {
    let is_told_by_port = |found: &Found| {
        matches!((found.endpoint.port(), found.security), (465 | 995, Security::Tls))
            || !matches!(found.endpoint.port(), 465 | 995) && found.security == Security::StartTls
    };
    match (submission.security, maildrop.security) {
        (one, other) if one == other => Some(one),
        _ if is_told_by_port(submission) && is_told_by_port(maildrop) => Some(Security::Auto),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(endpoint: &str, security: Security) -> Found {
        let endpoint = endpoint.parse().expect("an endpoint");
        Found { endpoint, security, how: How::Name, is_elsewhere: false }
    }

    #[test]
    fn one_setting_for_two_servers() {
        use Security::{Auto, StartTls, Tls};
        for (one, other, expected) in [
            (("a.example:465", Tls), ("a.example:995", Tls), Some(Tls)),
            (("a.example:1465", Tls), ("a.example:1995", Tls), Some(Tls)),
            (("a.example:587", StartTls), ("a.example:110", StartTls), Some(StartTls)),
            (("a.example:465", Tls), ("a.example:110", StartTls), Some(Auto)),
            (("a.example:1465", Tls), ("a.example:110", StartTls), None),
        ] {
            let (one, other) = (found(one.0, one.1), found(other.0, other.1));
            assert_eq!(common_security(&one, &other), expected, "{one:?} {other:?}");
        }
    }

    #[test]
    fn hosts_of_the_domain_and_others() {
        let domain = Domain::parse("north.example").expect("a domain");
        for (host, within) in [
            ("north.example", true),
            ("mail.North.example.", true),
            ("evilnorth.example", false),
            ("north.example.evil.example", false),
        ] {
            assert_eq!(is_within(host, &domain), within, "{host}");
        }
    }
}
