//! Reading `posta.toml`: what is unknown or wrong is refused, with its place and what is expected.

use super::{Config, Oauth, Period};
use posta_wire::Secret;
use std::{
    fmt,
    ops::Range,
    path::{Path, PathBuf},
};
use toml::de::DeTable;

/// Why a configuration is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// The file.
    pub path: PathBuf,
    /// Line and column, from 1, where the place is known.
    pub place: Option<(usize, usize)>,
    /// What is wrong, and what is expected.
    pub message: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.path.display())?;
        if let Some((line, column)) = self.place {
            write!(f, "{line}:{column}:")?;
        }
        write!(f, " {}", self.message)
    }
}
impl std::error::Error for ConfigError {}

impl Config {
    /// Reads and checks a file. Relative paths are meant from the file's own folder.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|error| ConfigError {
            path: path.to_owned(),
            place: None,
            message: format!("cannot be read: {error}"),
        })?;
        let mut config = Config::parse(&text, path)?;
        config.source = Some(path.to_owned());
        if config.data_dir.is_relative()
            && let Some(folder) = path.parent()
        {
            config.data_dir = folder.join(&config.data_dir);
        }
        if let Some(folder) = path.parent() {
            let tls = &mut config.tls;
            let files =
                tls.certificates.iter_mut().flat_map(|files| [&mut files.certificate, &mut files.key]);
            // What is absolute stays as it is.
            let oauth = &mut config.oauth;
            let others = oauth.keys.iter_mut().chain(&mut oauth.client_secret_file);
            let others = others.chain(&mut config.delivery.smarthost_password_file);
            for file in files.chain(&mut tls.authorities).chain(&mut tls.client_authorities).chain(others) {
                *file = folder.join(&*file);
            }
        }
        let secret =
            |key, file: &Option<PathBuf>| file.as_deref().map(|file| first_line(key, file, path)).transpose();
        config.smarthost_password =
            secret("smarthost_password_file", &config.delivery.smarthost_password_file)?;
        config.oauth_client_secret = secret("client_secret_file", &config.oauth.client_secret_file)?;
        Ok(config)
    }

    /// Reads and checks a text; `path` is for messages only.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        let at = |span: Option<Range<usize>>, message: String| ConfigError {
            path: path.to_owned(),
            place: span.map(|span| place_of(text, span.start)),
            message,
        };
        let config: Config =
            toml::from_str(text).map_err(|error| at(error.span(), message_of(text, &error)))?;
        let complaint = complaints(&config).next();
        match complaint {
            Some(Complaint { key, message }) => Err(at(span_of(text, key), message)),
            None => Ok(config),
        }
    }
}

/// The first line of a file with a secret.
fn first_line(key: &str, file: &Path, path: &Path) -> Result<Secret, ConfigError> {
    let refused = |message: String| ConfigError { path: path.to_owned(), place: None, message };
    let text = std::fs::read_to_string(file)
        .map_err(|error| refused(format!("`{key}`: {}: {error}", file.display())))?;
    match text.lines().next() {
        Some(secret) if !secret.is_empty() => Ok(Secret::new(secret)),
        _ => Err(refused(format!("`{key}`: {} has no first line", file.display()))),
    }
}

/// Something that is well-formed but not allowed.
struct Complaint {
    /// Section and key.
    key: (&'static str, &'static str),
    message: String,
}

/// Rules that the types do not show.
fn complaints(config: &Config) -> impl Iterator<Item = Complaint> + use<> {
    let at_least = |section, key, value: Period, minimum: Period, why| {
        (value < minimum).then(|| Complaint {
            key: (section, key),
            message: format!("`{key}` is {value}; expected at least {minimum} ({why})"),
        })
    };
    let not_zero = |section, key, value: u64| {
        (value == 0)
            .then(|| Complaint { key: (section, key), message: format!("`{key}` is 0; expected 1 or more") })
    };
    let smtp = &config.smtp;
    let delivery = &config.delivery;
    let limits = &config.limits;
    let duplicate = config.listeners.iter().enumerate().find_map(|(index, listener)| {
        let again = config.listeners[..index].iter().any(|other| other.address == listener.address);
        (again && listener.address.port() != 0).then(|| Complaint {
            key: ("", "listener"),
            message: format!("two listeners have the address {}", listener.address),
        })
    });
    let no_pause = delivery.retry_after.is_empty().then(|| Complaint {
        key: ("delivery", "retry_after"),
        message: "`retry_after` is empty; expected at least one pause, like [\"30m\"]".into(),
    });
    let unpaired =
        (delivery.smarthost_user.is_some() != delivery.smarthost_password_file.is_some()).then(|| {
            Complaint {
                key: ("delivery", "smarthost_user"),
                message: "`smarthost_user` and `smarthost_password_file` come together".into(),
            }
        });
    let quick = Period::secs(1);
    let [exclusive, unaddressed, nameless] = oauth_complaints(&config.oauth);
    [
        exclusive,
        unaddressed,
        nameless,
        at_least("oauth", "timeout", config.oauth.timeout, quick, "an answer needs its time"),
        duplicate,
        no_pause,
        unpaired,
        at_least("smtp", "command_timeout", smtp.command_timeout, quick, "RFC 5321 §4.5.3.2.7 asks for 5m"),
        at_least("smtp", "content_timeout", smtp.content_timeout, quick, "RFC 5321 §4.5.3.2.5 asks for 3m"),
        at_least("pop3", "idle_timeout", config.pop3.idle_timeout, Period::minutes(10), "RFC 1939 §3"),
        not_zero("smtp", "recipients_max", smtp.recipients_max as u64),
        not_zero("smtp", "size_max", smtp.size_max.0),
        not_zero("smtp", "errors_max", smtp.errors_max.into()),
        not_zero("smtp", "messages_max", smtp.messages_max.into()),
        not_zero("delivery", "connections", delivery.connections as u64),
        not_zero("delivery", "connections_per_destination", delivery.connections_per_destination as u64),
        not_zero("delivery", "messages_per_connection", delivery.messages_per_connection.into()),
        not_zero("limits", "connections", limits.connections as u64),
        not_zero("limits", "connections_per_address", limits.connections_per_address as u64),
        not_zero("limits", "failures_per_address", limits.failures_per_address.into()),
        not_zero("limits", "password_checks", limits.password_checks as u64),
        not_zero("limits", "expansion_max", limits.expansion_max as u64),
    ]
    .into_iter()
    .flatten()
}

fn oauth_complaints(oauth: &Oauth) -> [Option<Complaint>; 3] {
    let together = |key, wrong: bool, message: &str| {
        wrong.then(|| Complaint { key: ("oauth", key), message: message.to_owned() })
    };
    [
        together(
            "keys",
            oauth.introspection.is_some() && oauth.keys.is_some(),
            "`introspection` and `keys` exclude each other",
        ),
        together(
            "keys",
            oauth.keys.is_some() && oauth.audience.is_none(),
            "`keys` needs an `audience`: what was signed for another program must not open mail",
        ),
        together(
            "client",
            oauth.client.is_some() != oauth.client_secret_file.is_some(),
            "`client` and `client_secret_file` come together",
        ),
    ]
}

/// What is wrong; with the value itself, where the reader's words leave it out.
fn message_of(text: &str, error: &toml::de::Error) -> String {
    const SHOWN_CHARACTERS_MAX: usize = 60;
    let message = error.message();
    let value = error.span().and_then(|span| text.get(span)).unwrap_or_default();
    if message.contains('`') || value.is_empty() || value.contains('\n') {
        return message.to_owned();
    }
    let shown: String = value.chars().take(SHOWN_CHARACTERS_MAX).collect();
    format!("{message}: {shown}")
}

/// Where a key stands in the text.
fn span_of(text: &str, (section, key): (&str, &str)) -> Option<Range<usize>> {
    let document = DeTable::parse(text).ok()?;
    let table = match section {
        "" => document.get_ref(),
        _ => document.get_ref().get(section)?.get_ref().as_table()?,
    };
    table.keys().find(|name| name.get_ref() == key).map(|name| name.span())
}

/// Line and column of an offset, from 1, in characters.
fn place_of(text: &str, offset: usize) -> (usize, usize) {
    let before = &text[..offset.min(text.len())];
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |rest| rest.chars().count()) + 1;
    (line, column)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        Config::parse(text, Path::new("posta.toml")).expect_err(text).to_string()
    }

    #[test]
    fn what_is_wrong_is_refused_with_its_place() {
        let start = "hostname = \"mx.north.example\"\ndata_dir = \"data\"\n";
        for (more, expected) in [
            ("colour = 1", "posta.toml:3:1: unknown field `colour`, expected one of `hostname`, "),
            ("[smtp]\nsize = 1", "posta.toml:4:1: unknown field `size`, expected one of `size_max`, "),
            ("[smtp]\nsize_max = \"big\"", "posta.toml:4:12: `big` is no size; expected one like \"50 MiB\""),
            (
                "[smtp]\nvrfy = \"yes\"",
                "posta.toml:4:8: unknown variant `yes`, expected one of `open`, `authenticated`, `relay`, `off`",
            ),
            (
                "[pop3]\nidle_timeout = \"5m\"",
                "posta.toml:4:1: `idle_timeout` is 5m; expected at least 10m (RFC 1939 §3)",
            ),
            (
                "[relay]\nnetworks = [\n \"10.0.0.1/8\"]",
                "posta.toml:4:12: `10.0.0.1/8` has address bits below",
            ),
            (
                "[[listener]]\nprotocol = \"imap\"",
                "posta.toml:4:12: unknown variant `imap`, expected one of `smtp`, `submission`",
            ),
            ("[[listener]]\nprotocol = \"smtp\"", "posta.toml:3:1: missing field `address`"),
            ("domains = [\"a..b\"]", "posta.toml:3:11: bad domain: [\"a..b\"]"),
            ("[delivery]\nsmarthost = \"a b\"", "posta.toml:4:13: `a b` is no next host: expected host:port"),
            (
                "[delivery]\nsmarthost_user = \"me\"",
                "posta.toml:4:1: `smarthost_user` and `smarthost_password_file` come together",
            ),
            (
                "[oauth]\nintrospection = \"https://id.example/\"\nkeys = \"keys.json\"",
                "posta.toml:5:1: `introspection` and `keys` exclude each other",
            ),
            (
                "[oauth]\nkeys = \"keys.json\"",
                "posta.toml:4:1: `keys` needs an `audience`: what was signed for another program must not open mail",
            ),
            (
                "[oauth]\nclient = \"posta\"",
                "posta.toml:4:1: `client` and `client_secret_file` come together",
            ),
            ("[delivery]\nretry_after = []", "posta.toml:4:1: `retry_after` is empty"),
            ("[limits]\nconnections = 0", "posta.toml:4:1: `connections` is 0; expected 1 or more"),
            ("domains = [", "posta.toml:3:12: "),
        ] {
            let message = refused(&format!("{start}{more}"));
            assert!(message.starts_with(expected), "{more}\n  said:     {message}\n  expected: {expected}");
        }
        assert!(refused("hostname = \"a.example\"").contains("missing field `data_dir`"));
    }

    #[test]
    fn a_whole_configuration_is_read() {
        let text = r#"
            hostname = "mx.north.example"
            data_dir = "/var/lib/posta"
            domains = ["north.example", "müller.example"]
            postmaster = "alice@north.example"
            [[listener]]
            protocol = "smtp"
            address = "[::]:25"
            [[listener]]
            protocol = "pop3"
            address = "127.0.0.1:110"
            [relay]
            networks = ["127.0.0.0/8"]
            [smtp]
            size_max = "10 MiB"
            vrfy = "open"
            [delivery]
            host_ports = { "mx.south.example" = 2526 }
            retry_after = ["1m", "1h 30m"]
        "#;
        let config = Config::parse(text, Path::new("posta.toml")).expect("valid");
        assert_eq!(config.listeners.len(), 2);
        assert_eq!(config.smtp.size_max.0, 10 << 20);
        assert_eq!(config.pop3, super::super::Pop3::default());
        assert_eq!(config.delivery.host_ports.len(), 1);
        assert_eq!(config.delivery.retry_after[1], Period::minutes(90));
    }
}
