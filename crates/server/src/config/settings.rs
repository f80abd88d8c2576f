//! All settings, each described and given its default once: the reader, the sample and the manual come
//! from here.

use super::{Network, Octets, Period, ReplyLanguage, Route};
use posta_address::{Domain, Mailbox};
use posta_wire::Secret;
use serde::Deserialize;
use std::{collections::BTreeMap, fmt, net::SocketAddr, path::PathBuf};

/// One setting as the sample shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// Its key.
    pub key: &'static str,
    /// What it means, line by line.
    pub description: &'static [&'static str],
    /// Its default in TOML; `None` where there is none.
    pub default: Option<String>,
}

/// How a default is written in TOML.
trait ToToml {
    /// A section of its own, which is shown as one.
    const IS_SECTION: bool = false;
    fn to_toml(&self) -> Option<String>;
}

macro_rules! to_toml_quoted {
    ($($type:ty),*) => {$(
        impl ToToml for $type {
            fn to_toml(&self) -> Option<String> {
                Some(format!("{:?}", self.to_string()))
            }
        }
    )*};
}
macro_rules! to_toml_bare {
    ($($type:ty),*) => {$(
        impl ToToml for $type {
            fn to_toml(&self) -> Option<String> {
                Some(self.to_string())
            }
        }
    )*};
}
to_toml_quoted!(
    Mailbox,
    String,
    Domain,
    Octets,
    Period,
    Network,
    Route,
    SocketAddr,
    VerifyPolicy,
    Leniency,
    TlsLevel,
    ReplyLanguage
);
impl ToToml for PathBuf {
    fn to_toml(&self) -> Option<String> {
        Some(format!("{:?}", self.display().to_string()))
    }
}
impl ToToml for CertificateFiles {
    /// There are none by default.
    fn to_toml(&self) -> Option<String> {
        None
    }
}
to_toml_bare!(u16, u32, usize, bool);

impl<T: ToToml> ToToml for Option<T> {
    fn to_toml(&self) -> Option<String> {
        self.as_ref().and_then(ToToml::to_toml)
    }
}
impl<T: ToToml> ToToml for Vec<T> {
    fn to_toml(&self) -> Option<String> {
        let items: Vec<String> = self.iter().filter_map(ToToml::to_toml).collect();
        Some(format!("[{}]", items.join(", ")))
    }
}
impl<V: ToToml> ToToml for BTreeMap<Domain, V> {
    fn to_toml(&self) -> Option<String> {
        let items: Vec<String> = self
            .iter()
            .filter_map(|(key, value)| Some(format!("\"{key}\" = {}", value.to_toml()?)))
            .collect();
        Some(if items.is_empty() { "{}".into() } else { format!("{{ {} }}", items.join(", ")) })
    }
}

fn is_section<T: ToToml>(_: &T) -> bool {
    T::IS_SECTION
}
impl ToToml for DeliveryTls {
    const IS_SECTION: bool = true;
    fn to_toml(&self) -> Option<String> {
        None
    }
}

/// A section of the configuration: the struct, its defaults and its description in one.
macro_rules! section {
    (
        $(#[doc = $about:literal])*
        $name:ident {
            $( $(#[doc = $doc:literal])* $field:ident : $type:ty = $default:expr ),* $(,)?
        }
    ) => {
        $(#[doc = $about])*
        #[derive(Debug, Clone, PartialEq, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct $name {
            $( $(#[doc = $doc])* pub $field: $type, )*
        }
        impl Default for $name {
            fn default() -> Self {
                $name { $( $field: $default, )* }
            }
        }
        impl $name {
            /// What the section is about.
            pub const ABOUT: &'static [&'static str] = &[$($about),*];

            /// Its settings with their defaults.
            pub fn settings() -> Vec<Setting> {
                let defaults = $name::default();
                let all = [$( (is_section(&defaults.$field), Setting {
                    key: stringify!($field),
                    description: &[$($doc),*],
                    default: defaults.$field.to_toml(),
                }) ),*];
                all.into_iter().filter(|(is_section, _)| !is_section).map(|(_, setting)| setting).collect()
            }
        }
    };
}

section! {
    /// Who may send mail to domains that are not hosted here. Mail for hosted domains is taken from
    /// everybody.
    Relay {
        /// Domains that are hosted elsewhere, for which mail is taken from everybody and sent on: as a backup
        /// of their own hosts, or through a route of [delivery].
        domains: Vec<Domain> = Vec::new(),
        /// Networks whose hosts may send to anywhere, for instance ["127.0.0.0/8", "2001:db8::/32"].
        /// With none, this server is no relay.
        networks: Vec<Network> = Vec::new(),
    }
}

section! {
    /// Receiving mail (RFC 5321).
    Smtp {
        /// Largest message. Announced with SIZE (RFC 1870).
        size_max: Octets = Octets(50 << 20),
        /// Recipients of one transaction (RFC 5321 §4.5.3.1.8 asks for at least 100).
        recipients_max: usize = 1000,
        /// Messages of one session.
        messages_max: u32 = 10_000,
        /// How long a client may be silent between commands (RFC 5321 §4.5.3.2.7: at least 5m).
        command_timeout: Period = Period::minutes(5),
        /// How long a client may be silent while it sends a message (RFC 5321 §4.5.3.2.5: 3m).
        content_timeout: Period = Period::minutes(5),
        /// How long a session may last in all.
        session_timeout: Period = Period::hours(6),
        /// Wrong commands of one session before it is ended.
        errors_max: u32 = 20,
        /// Received fields of a message before it is taken for a loop (RFC 5321 §6.3: at least 100).
        hops_max: u32 = 100,
        /// Whether VRFY answers: "open", "authenticated" (to whoever has logged in), "relay" (to them and to the
        /// networks of [relay]) or "off" (252 to all).
        vrfy: VerifyPolicy = VerifyPolicy::Relay,
        /// Whether EXPN answers: "open", "authenticated", "relay" or "off".
        expn: VerifyPolicy = VerifyPolicy::Relay,
        /// Who may put messages before the eyes of people who are logged in, with SEND, SOML and SAML (RFC 821
        /// §3.4): "open", "authenticated", "relay" or "off".
        send: VerifyPolicy = VerifyPolicy::Off,
        /// Whether ETRN (RFC 1985) has waiting mail sent: "open" (for the domains of [relay]), "relay" (only to
        /// the networks of [relay], and whoever has logged in) or "off". Those may name any domain.
        etrn: VerifyPolicy = VerifyPolicy::Open,
        /// Offer CHUNKING (RFC 3030): contents may come in chunks, with BDAT in place of DATA.
        chunking: bool = true,
        /// Offer BINARYMIME (RFC 3030 §3), together with CHUNKING: bodies of any octets. For those here they are
        /// encoded before they are kept; signed ones, which nobody may change, are then refused.
        binarymime: bool = true,
        /// Offer REQUIRETLS (RFC 8689) inside TLS: senders may ask that a message leaves TLS nowhere. It then
        /// goes only to hosts that prove who they are and offer the same, or comes back.
        requiretls: bool = true,
        /// Refuse recipients elsewhere with 556 (RFC 7504) whose domain says in the DNS, by a null MX (RFC 7505),
        /// that it accepts no mail. Without it they come back later.
        null_mx: bool = true,
        /// Offer LIMITS (RFC 9422): say in advance how many recipients and messages are taken.
        limits: bool = true,
        /// Offer DSN (RFC 3461): senders may ask to be told of delivery, or not to be told of failure.
        dsn: bool = true,
        /// Offer DELIVERBY (RFC 2852): senders may say by when a message is to arrive, and whether it then comes
        /// back or they are told of the delay.
        deliverby: bool = true,
        /// With mode R, at least so much time must be left.
        deliverby_min: Period = Period::secs(0),
        /// Offer MT-PRIORITY (RFC 6710): what is more urgent is sent on first. From hosts that are neither in the
        /// networks of [relay] nor logged in, nothing is more urgent than other mail.
        mt_priority: bool = true,
        /// Line feeds or carriage returns alone in a message: "refuse" them, as RFC 5321 §2.3.8 asks and
        /// as is needed against smuggling, or "accept" them as they are from very old clients.
        bare_newlines: Leniency = Leniency::Refuse,
        /// HELO or EHLO without a name: "refuse" (RFC 5321 §4.1.1.1) or "accept".
        hello_without_name: Leniency = Leniency::Refuse,
    }
}

section! {
    /// Who somebody is (RFC 4954, RFC 5034).
    Auth {
        /// Let passwords pass without TLS (PLAIN, LOGIN) where the client is this very machine.
        plaintext_on_loopback: bool = false,
        /// Offer CRAM-MD5, as soon as an account has a shared secret (`posta account apop`).
        cram_md5: bool = true,
    }
}

section! {
    /// Logging in with the tokens of an authorization server (RFC 6750): OAUTHBEARER (RFC 7628) and XOAUTH2,
    /// inside TLS only. They are offered where one of `introspection` and `keys` is set.
    Oauth {
        /// Where tokens are asked about (RFC 7662): an https URL, or http on this machine.
        introspection: Option<String> = None,
        /// The name to ask with, if the authorization server wants one.
        client: Option<String> = None,
        /// The file with the secret that belongs to it, on its first line.
        client_secret_file: Option<PathBuf> = None,
        /// How long an answer may take.
        timeout: Period = Period::secs(5),
        /// Tokens are JWTs (RFC 7519): the file with the public keys that sign them, a JWK set or one in PEM.
        keys: Option<PathBuf> = None,
        /// The claim that names the account.
        claim: String = "email".into(),
        /// Who must have issued the token (`iss`).
        issuer: Option<String> = None,
        /// Whom it must be for (`aud`); `keys` needs it.
        audience: Option<String> = None,
        /// The scope that it must have; clients are told of it.
        scope: Option<String> = None,
        /// Where clients find how to get a token: the https URL of an OpenID configuration.
        configuration: Option<String> = None,
    }
}

section! {
    /// Taking mail from our own users (RFC 6409).
    Submission {
        /// Messages of one account within an hour; 0 sets no limit.
        messages_per_hour: u32 = 1000,
        /// Recipients of one account within an hour; 0 sets no limit.
        recipients_per_hour: u32 = 10_000,
        /// Offer FUTURERELEASE (RFC 4865): messages may be held for so long before they are sent; "0s" for not
        /// at all.
        future_release_max: Period = Period::days(31),
    }
}

section! {
    /// Proxies in front of this host, which speak for others. What they say is believed: in policy, in the
    /// journal, in `Received:`.
    Proxy {
        /// Networks of load balancers, which begin each connection with a PROXY header (version 1 or 2) at the
        /// listeners that have `proxy = true`.
        networks: Vec<Network> = Vec::new(),
        /// Networks of filters, which may say XCLIENT.
        xclient: Vec<Network> = Vec::new(),
    }
}

section! {
    /// Mail that waits until its host comes for it (RFC 2645), with ATRN.
    Turn {
        /// Domains, each with the account that may fetch its mail: { "customer.example" =
        /// "customer@north.example" }. Mail for them is taken from everybody, and waits.
        domains: BTreeMap<Domain, Mailbox> = BTreeMap::new(),
        /// The same accounts may say TURN (RFC 821 §3.8) as well.
        historic: bool = false,
    }
}

section! {
    /// Fetching mail (RFC 1939).
    Pop3 {
        /// How long a client may be silent (RFC 1939 §3: at least 10m).
        idle_timeout: Period = Period::minutes(10),
        /// Offer APOP, as soon as an account has a shared secret (`posta account apop`).
        apop: bool = true,
        /// Commands that fail before a session is ended.
        errors_max: u32 = 20,
        /// How long an account waits between two logins (RFC 2449 §6.5); "0s" lets it come at once.
        login_delay: Period = Period::secs(0),
        /// The language that clients get who leave the choice to us (RFC 6856 §3.2, `LANG *`): "en", "de",
        /// "fr", "it" or "es".
        language: ReplyLanguage = ReplyLanguage::default(),
    }
}

section! {
    /// TLS: STARTTLS and STLS (RFC 3207, RFC 2595), and the listeners "submissions" and "pop3s".
    Tls {
        /// Certificates with their keys, PEM files; relative ones are meant from this file's folder. The one
        /// for the name that a client asks for is shown, else the first; they are read again on SIGHUP:
        /// [{ certificate = "mx.pem", key = "mx.key" }]. Without any, the host makes one itself and keeps it
        /// in its data folder; nobody vouches for it.
        certificates: Vec<CertificateFiles> = Vec::new(),
        /// Authorities (a PEM file) whose certificates clients may show, for AUTH EXTERNAL.
        client_authorities: Option<PathBuf> = None,
        /// Authorities (PEM files) that are trusted besides the system's when other hosts are verified.
        authorities: Vec<PathBuf> = Vec::new(),
    }
}

section! {
    /// Sending mail on (RFC 5321 §4.5.4, §5).
    Delivery {
        /// Port of other hosts' SMTP servers.
        port: u16 = 25,
        /// Ports of single hosts by name, for laboratories: { "mx.south.example" = 2526 }.
        host_ports: BTreeMap<Domain, u16> = BTreeMap::new(),
        /// Send everything through this host, like "smarthost.example:587".
        smarthost: Option<Route> = None,
        /// The name to log in to it with (RFC 4954); then nothing is sent to it otherwise.
        smarthost_user: Option<String> = None,
        /// The file with the password, on its first line. It is shown only inside verified TLS, or on this
        /// machine.
        smarthost_password_file: Option<PathBuf> = None,
        /// Hosts for single domains, in place of the DNS: { "south.example" = "10.0.0.7:25" }; with
        /// "lmtp:10.0.0.7:24" it is spoken to in LMTP (RFC 2033).
        routes: BTreeMap<Domain, Route> = BTreeMap::new(),
        /// Pauses between attempts; the last one repeats (RFC 5321 §4.5.4.1: at least 30m in general, but
        /// most failures are over in minutes).
        retry_after: Vec<Period> = vec![
            Period::minutes(1), Period::minutes(5), Period::minutes(15), Period::minutes(30), Period::hours(1),
            Period::hours(2), Period::hours(4),
        ],
        /// When to give up and report the failure (RFC 5321 §4.5.4.1: 4 to 5 days at least).
        expire_after: Period = Period::days(5),
        /// The same for reports, whose failure is reported to nobody.
        expire_reports_after: Period = Period::days(2),
        /// When to tell the sender that it takes long; "0s" turns this off.
        warn_after: Period = Period::hours(4),
        /// Connections to all destinations at once.
        connections: usize = posta_queue::limits::CONNECTIONS_MAX,
        /// Connections to one destination at once.
        connections_per_destination: usize = posta_queue::limits::CONNECTIONS_PER_DESTINATION_MAX,
        /// Messages over one connection.
        messages_per_connection: u32 = posta_queue::limits::MESSAGES_PER_CONNECTION_MAX,
        /// Send contents in chunks (BDAT) to hosts that offer CHUNKING (RFC 3030). Without it binary contents
        /// are encoded, for every host.
        chunking: bool = true,
        /// How long to wait for a connection.
        connect_timeout: Period = Period(posta_queue::limits::CONNECT_TIME_MAX),
        /// How long a connection is kept for more mail to the same destination.
        idle_timeout: Period = Period(posta_queue::limits::IDLE_CONNECTION_MAX),
        /// See [`DeliveryTls`].
        tls: DeliveryTls = DeliveryTls::default(),
    }
}

section! {
    /// TLS on the way to other hosts: "none"; "opportunistic", which uses what can be had and else sends in
    /// the clear (RFC 7435); "remember", which is the same, but never sends in the clear to a host that had
    /// TLS a short time ago; or "verified", which sends nothing to a host that does not prove who it is.
    DeliveryTls {
        /// For hosts in general.
        default: TlsLevel = TlsLevel::Opportunistic,
        /// For the smarthost, unless it is on this machine.
        smarthost: TlsLevel = TlsLevel::Verified,
        /// For the hosts of single domains, or next hops of these names: { "south.example" = "verified" }.
        destinations: BTreeMap<Domain, TlsLevel> = BTreeMap::new(),
        /// How long "remember" remembers; a restart forgets.
        memory: Period = Period(posta_queue::limits::TLS_MEMORY),
    }
}

section! {
    /// What strangers may use up.
    Limits {
        /// Connections at once, all together.
        connections: usize = 20_000,
        /// Connections at once of one address (IPv6: of one /64).
        connections_per_address: usize = 100,
        /// Failures (wrong passwords, abusive sessions) of one address before it is turned away…
        failures_per_address: u32 = 50,
        /// … for this long, and for twice as long each time that it happens again within a day (of 10m).
        failures_window: Period = Period::minutes(10),
        /// Passwords checked at once; each takes some 20 MiB and a processor for some 20 ms.
        password_checks: usize = 2,
        /// How long open transactions may go on when the server stops.
        shutdown_grace: Period = Period::secs(30),
        /// Recipients that one address may expand to through aliases and lists.
        expansion_max: usize = 10_000,
    }
}

section! {
    /// The journal of everything decided, which `posta explain` reads.
    Journal {
        /// Most that it may take on disk; the oldest goes first.
        size_max: Octets = Octets(512 << 20),
        /// How long it is kept.
        age_max: Period = Period::days(30),
    }
}

section! {
    /// Looking up names.
    Dns {
        /// Name servers as "ip:port"; with none, the system's own are used.
        servers: Vec<SocketAddr> = Vec::new(),
        /// How long one look-up may take.
        timeout: Period = Period::secs(5),
    }
}

/// To whom VRFY, EXPN or SEND is of use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum VerifyPolicy {
    /// To everybody.
    Open,
    /// To whoever has logged in.
    Authenticated,
    /// To them and to the relay networks.
    Relay,
    /// To nobody.
    Off,
}
impl fmt::Display for VerifyPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            VerifyPolicy::Open => "open",
            VerifyPolicy::Authenticated => "authenticated",
            VerifyPolicy::Relay => "relay",
            VerifyPolicy::Off => "off",
        })
    }
}

/// What to do with something that is wrong but known to occur.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Leniency {
    /// Insist on the standard.
    Refuse,
    /// Let it through.
    Accept,
}
impl fmt::Display for Leniency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Leniency::Refuse => "refuse",
            Leniency::Accept => "accept",
        })
    }
}

/// How much TLS is demanded of another host; see [`posta_queue::TlsLevel`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TlsLevel {
    /// None is used.
    None,
    /// What can be had.
    Opportunistic,
    /// What can be had, and never less than a short time ago.
    Remember,
    /// Nothing is said to a host that does not prove who it is.
    Verified,
}
impl fmt::Display for TlsLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TlsLevel::None => "none",
            TlsLevel::Opportunistic => "opportunistic",
            TlsLevel::Remember => "remember",
            TlsLevel::Verified => "verified",
        })
    }
}
impl From<TlsLevel> for posta_queue::TlsLevel {
    fn from(level: TlsLevel) -> Self {
        match level {
            TlsLevel::None => posta_queue::TlsLevel::None,
            TlsLevel::Opportunistic => posta_queue::TlsLevel::Opportunistic,
            TlsLevel::Remember => posta_queue::TlsLevel::Remember,
            TlsLevel::Verified => posta_queue::TlsLevel::Verified,
        }
    }
}

/// Which protocol a listener speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    /// RFC 5321.
    Smtp,
    /// RFC 6409: mail from this host's own users.
    Submission,
    /// The same inside TLS from the first octet on (RFC 8314 §3.3).
    Submissions,
    /// RFC 2033: each recipient has its own reply.
    Lmtp,
    /// RFC 7504 §3: this host never accepts mail, and says so with 521 to everybody.
    NoMail,
    /// RFC 1939.
    Pop3,
    /// The same inside TLS from the first octet on (RFC 8314 §3.2).
    Pop3s,
    /// RFC 9112: pages and their interface, for this machine or behind a proxy that has TLS.
    Http,
    /// The same inside TLS.
    Https,
}
impl Protocol {
    /// Whether it takes mail from our own users only (RFC 6409).
    pub fn is_submission(self) -> bool {
        matches!(self, Protocol::Submission | Protocol::Submissions)
    }

    /// Whether TLS comes before all else.
    pub fn is_implicit_tls(self) -> bool {
        matches!(self, Protocol::Submissions | Protocol::Pop3s | Protocol::Https)
    }
}
impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Protocol::Smtp => "smtp",
            Protocol::Submission => "submission",
            Protocol::Submissions => "submissions",
            Protocol::Lmtp => "lmtp",
            Protocol::NoMail => "no-mail",
            Protocol::Pop3 => "pop3",
            Protocol::Pop3s => "pop3s",
            Protocol::Http => "http",
            Protocol::Https => "https",
        })
    }
}

/// A certificate and its key.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CertificateFiles {
    /// PEM: the host's certificate first, then those that lead to its authority.
    pub certificate: PathBuf,
    /// PEM.
    pub key: PathBuf,
}

/// A place where peers connect to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listener {
    /// What is spoken there.
    pub protocol: Protocol,
    /// Where; port 0 takes a free one.
    pub address: SocketAddr,
    /// Each connection begins with a PROXY header, from one of `proxy.networks`; others are not heard.
    #[serde(default)]
    pub proxy: bool,
}

/// The whole configuration, as it stands in `posta.toml`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The name by which this host is known to others; it greets with it and stands in `Received:`.
    pub hostname: Domain,
    /// The folder where everything is kept.
    pub data_dir: PathBuf,
    /// Domains whose mail is kept here; more can be added with `posta domain add`.
    #[serde(default)]
    pub domains: Vec<Domain>,
    /// Who reads mail to postmaster where no account or alias of that name exists.
    #[serde(default)]
    pub postmaster: Option<Mailbox>,
    /// User to become after binding, when started as root: a name or a number.
    #[serde(default)]
    pub user: Option<String>,
    /// Group to become; by default the user's own.
    #[serde(default)]
    pub group: Option<String>,
    /// What stands in `delivery.smarthost_password_file`.
    #[serde(skip)]
    pub smarthost_password: Option<Secret>,
    /// What stands in `oauth.client_secret_file`.
    #[serde(skip)]
    pub oauth_client_secret: Option<Secret>,
    /// The file it came from.
    #[serde(skip)]
    pub source: Option<PathBuf>,
    /// Where peers connect to.
    #[serde(default, rename = "listener")]
    pub listeners: Vec<Listener>,
    /// See [`Relay`].
    #[serde(default)]
    pub relay: Relay,
    /// See [`Smtp`].
    #[serde(default)]
    pub smtp: Smtp,
    /// See [`Auth`].
    #[serde(default)]
    pub auth: Auth,
    /// See [`Oauth`].
    #[serde(default)]
    pub oauth: Oauth,
    /// See [`Submission`].
    #[serde(default)]
    pub submission: Submission,
    /// See [`Proxy`].
    #[serde(default)]
    pub proxy: Proxy,
    /// See [`Turn`].
    #[serde(default)]
    pub turn: Turn,
    /// See [`Pop3`].
    #[serde(default)]
    pub pop3: Pop3,
    /// See [`Tls`].
    #[serde(default)]
    pub tls: Tls,
    /// See [`Delivery`].
    #[serde(default)]
    pub delivery: Delivery,
    /// See [`Limits`].
    #[serde(default)]
    pub limits: Limits,
    /// See [`Journal`].
    #[serde(default)]
    pub journal: Journal,
    /// See [`Dns`].
    #[serde(default)]
    pub dns: Dns,
}

impl Config {
    /// A configuration with the defaults for all but the two settings that have none.
    pub fn new(hostname: Domain, data_dir: impl Into<PathBuf>) -> Self {
        Config {
            hostname,
            data_dir: data_dir.into(),
            domains: Vec::new(),
            postmaster: None,
            user: None,
            group: None,
            smarthost_password: None,
            oauth_client_secret: None,
            source: None,
            listeners: Vec::new(),
            relay: Relay::default(),
            smtp: Smtp::default(),
            auth: Auth::default(),
            oauth: Oauth::default(),
            submission: Submission::default(),
            proxy: Proxy::default(),
            turn: Turn::default(),
            pop3: Pop3::default(),
            tls: Tls::default(),
            delivery: Delivery::default(),
            limits: Limits::default(),
            journal: Journal::default(),
            dns: Dns::default(),
        }
    }
}
