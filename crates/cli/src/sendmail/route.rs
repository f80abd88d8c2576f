//! Who the caller is, and where their mail is submitted.

use super::{
    letter::Author,
    options::Options,
    sysexits::{Exit, Failure},
};
use crate::mail::configuration_folder;
use posta_address::{Domain, Mailbox};
use posta_runtime::tls::Trust;
use posta_server::config::{Config, Protocol};
use posta_ua::{Account, Accounts, Endpoint, Login, Outside, Proof};
use std::{
    fs,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::Arc,
};

/// The server's own configuration, where nothing names another.
const CONFIGURATION: &str = "/etc/posta/posta.toml";
/// Where a server is looked for that nothing tells of (RFC 5321 §4.5.4.2).
const SMTP_PORT: u16 = 25;

/// Where to, and as whom.
pub(super) struct Route {
    pub(super) endpoint: Endpoint,
    pub(super) outside: Outside,
    pub(super) login: Option<Login>,
    pub(super) author: Author,
}

impl Route {
    /// --smtp; else the person's account (named, of that sender, or the default one); else the server that this
    /// machine's configuration describes; else port 25 here.
    pub(super) fn find(options: &Options) -> Result<Route, Failure> {
        let person = Person::current();
        if let Some(account) = account(options)? {
            return Route::by_account(account, options);
        }
        let config = configuration(options)?;
        let domain = config.as_ref().map(own_domain).or_else(machine_domain).map_or_else(localhost, Ok)?;
        let endpoint = match (&options.smtp, &config) {
            (Some(text), _) => parse_endpoint(text)?,
            (None, Some(config)) => listener(config),
            (None, None) => SocketAddr::from((Ipv4Addr::LOCALHOST, SMTP_PORT))
                .to_string()
                .parse()
                .map_err(|error| Failure::new(Exit::Configuration, error))?,
        };
        let mailbox = Mailbox::parse(&format!("{}@{}", person.name, domain.to_ascii()))
            .map_err(|error| Failure::new(Exit::Configuration, format!("who are you? {error}")))?;
        let full_name = person.full_name;
        Ok(Route {
            endpoint,
            outside: Outside::system(),
            login: None,
            author: Author { mailbox, full_name, domain },
        })
    }

    fn by_account(account: Account, options: &Options) -> Result<Route, Failure> {
        let wrong = |error: String| Failure::new(Exit::Configuration, error);
        let folder = configuration_folder().map_err(|error| wrong(error.to_string()))?;
        let secret = account.password(&folder).map_err(|error| wrong(error.to_string()))?;
        let proof = match (account.apop, account.oauth) {
            (true, _) => Proof::SharedSecret,
            (_, true) => Proof::Token,
            _ => Proof::Password,
        };
        let trust =
            Trust::system_and(account.authorities.as_slice()).map_err(|error| wrong(error.to_string()))?;
        let endpoint = match &options.smtp {
            Some(text) => parse_endpoint(text)?,
            None => account.smtp.clone(),
        };
        let domain = account.address.domain().cloned().map_or_else(localhost, Ok)?;
        Ok(Route {
            endpoint,
            outside: Outside { trust: Arc::new(trust), security: account.security, ..Outside::system() },
            login: secret.map(|secret| Login { user: account.user, secret, proof }),
            author: Author { mailbox: account.address, full_name: account.full_name, domain },
        })
    }
}

fn parse_endpoint(text: &str) -> Result<Endpoint, Failure> {
    Endpoint::parse(text, SMTP_PORT).map_err(|error| Failure::new(Exit::Usage, error))
}

/// The account, unless --smtp is said without --account, or there is none.
fn account(options: &Options) -> Result<Option<Account>, Failure> {
    if options.smtp.is_some() && options.account.is_none() {
        return Ok(None);
    }
    let wrong = |error: &dyn std::fmt::Display| Failure::new(Exit::Configuration, error);
    let folder = match configuration_folder() {
        Ok(folder) => folder,
        Err(error) if options.account.is_some() => return Err(wrong(&error)),
        Err(_) => return Ok(None),
    };
    let accounts = Accounts::load(&folder).map_err(|error| wrong(&error))?;
    if accounts.list.is_empty() && options.account.is_none() {
        return Ok(None);
    }
    let sender = options.from.as_deref().map(|from| from.trim_matches(['<', '>']));
    let own = accounts.list.iter().find(|account| Some(account.address.to_string().as_str()) == sender);
    match (own, &options.account) {
        (Some(own), None) => Ok(Some(own.clone())),
        _ => accounts.get(options.account.as_deref()).cloned().map(Some).map_err(|error| wrong(&error)),
    }
}

/// Never from the working folder, which may be anybody's.
fn configuration(options: &Options) -> Result<Option<Config>, Failure> {
    let named = options.config.clone().or_else(|| std::env::var_os("POSTA_CONFIG").map(PathBuf::from));
    let path = match named.filter(|path| !path.as_os_str().is_empty()) {
        Some(path) => path,
        // Not everybody may read how the server is set up.
        None if fs::File::open(CONFIGURATION).is_ok() => CONFIGURATION.into(),
        None => return Ok(None),
    };
    Config::load(&path).map(Some).map_err(|error| Failure::new(Exit::Configuration, error))
}

fn own_domain(config: &Config) -> Domain {
    config.domains.first().unwrap_or(&config.hostname).clone()
}

/// Port 25 of the server first: it takes mail from here without a login.
fn listener(config: &Config) -> Endpoint {
    let of = |protocol: Protocol| {
        let mut listeners = config.listeners.iter();
        listeners
            .find(|listener| listener.protocol == protocol && !listener.proxy && listener.address.port() != 0)
    };
    let found = of(Protocol::Smtp).or_else(|| of(Protocol::Submission)).map(|listener| listener.address);
    let mut address = found.unwrap_or_else(|| (Ipv4Addr::LOCALHOST, SMTP_PORT).into());
    if address.ip().is_unspecified() {
        let local: IpAddr = match address {
            SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        };
        address.set_ip(local);
    }
    match address.to_string().parse() {
        Ok(endpoint) => endpoint,
        Err(_) => unreachable!("a socket address is an endpoint"),
    }
}

/// What the machine calls itself in mail.
fn machine_domain() -> Option<Domain> {
    ["/etc/mailname", "/etc/hostname"].into_iter().find_map(|file| {
        let text = fs::read_to_string(file).ok()?;
        Domain::parse(text.lines().next()?.trim()).ok()
    })
}

fn localhost() -> Result<Domain, Failure> {
    Domain::parse("localhost").map_err(|error| Failure::new(Exit::Configuration, error))
}

/// Whose process this is.
pub(super) struct Person {
    pub(super) name: String,
    pub(super) full_name: Option<String>,
    pub(super) home: Option<PathBuf>,
}

impl Person {
    pub(super) fn current() -> Person {
        let id = rustix::process::getuid().as_raw();
        let text = fs::read_to_string("/etc/passwd").unwrap_or_default();
        Person::of(&text, id).unwrap_or_else(|| Person {
            name: format!("user{id}"),
            full_name: None,
            home: None,
        })
    }

    /// passwd(5): name, password, number, group, comment, home, shell.
    fn of(text: &str, id: u32) -> Option<Person> {
        text.lines().find_map(|line| {
            let fields: Vec<_> = line.split(':').collect();
            let [name, _, number, _, comment, home, ..] = fields[..] else { return None };
            (number == id.to_string()).then(|| {
                // `&` stands for the name, and other things follow commas.
                let full = comment.split(',').next().unwrap_or_default().replace('&', name);
                let home = Some(PathBuf::from(home)).filter(|home| home.is_absolute());
                Person { name: name.to_owned(), full_name: Some(full).filter(|full| !full.is_empty()), home }
            })
        })
    }
}

/// `$XDG_STATE_HOME/posta/outgoing`, or below `~/.local/state`.
pub(super) fn queue_folder(options: &Options) -> Result<PathBuf, Failure> {
    if let Some(folder) = &options.queue {
        return Ok(folder.clone());
    }
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let home = || absolute("HOME").or_else(|| Person::current().home);
    let state = absolute("XDG_STATE_HOME").or_else(|| home().map(|home| home.join(".local/state")));
    let state = state.ok_or_else(|| {
        Failure::new(Exit::Configuration, "you have no home for a queue: say --queue FOLDER")
    })?;
    Ok(state.join(Path::new("posta/outgoing")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people() {
        let text =
            "root:x:0:0:root:/root:/bin/sh\nada:x:1000:1000:& Lovelace,,,:/home/ada:/bin/sh\nhalf:x:7\n";
        let ada = Person::of(text, 1000).unwrap();
        assert_eq!((ada.name.as_str(), ada.full_name.as_deref()), ("ada", Some("ada Lovelace")));
        assert!(Person::of(text, 7).is_none() && Person::of("", 0).is_none());
    }
}
