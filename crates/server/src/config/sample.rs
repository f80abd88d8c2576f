//! The sample configuration, written from the settings' own descriptions.

use super::{
    Auth, Config, Delivery, DeliveryTls, Dns, Journal, Limits, Oauth, Pop3, Proxy, Relay, Setting, Smtp,
    Submission, Tls, Turn,
};
use std::fmt::Write;

/// What stands above the sections: these settings have no defaults that fit everybody.
const TOP: &str = r#"# Configuration of Posta. What is commented out has the value shown by default.

# The name by which this host is known to others; it greets with it and stands in `Received:`.
hostname = "mx.example.org"

# The folder where everything is kept. A relative one is meant from this file's folder.
data_dir = "/var/lib/posta"

# Domains whose mail is kept here; more can be added with `posta domain add`.
domains = ["example.org"]

# Who reads mail to postmaster where no account or alias of that name exists.
# postmaster = "alice@example.org"

# User (and group) to become after binding, when started as root: a name or a number.
# user = "posta"
# group = "posta"

# Where peers connect to, each with its protocol: "smtp" (usual port: 25), "submission" (587),
# "submissions" (465), "lmtp" (24), "no-mail" (25, where nobody is to
# send mail: 521 to all), "pop3" (110), "pop3s" (995), "https" (443: webmail) or "http" (the same
# without TLS: for this machine, or behind a proxy). Port 0 takes a free one.
[[listener]]
protocol = "smtp"
address = "0.0.0.0:25"

[[listener]]
protocol = "pop3"
address = "127.0.0.1:110"
"#;

/// A section: its name, what it is about, its settings.
pub type Section = (&'static str, &'static [&'static str], Vec<Setting>);

impl Config {
    /// All sections in the order in which the sample shows them.
    pub fn sections() -> Vec<Section> {
        vec![
            ("relay", Relay::ABOUT, Relay::settings()),
            ("smtp", Smtp::ABOUT, Smtp::settings()),
            ("auth", Auth::ABOUT, Auth::settings()),
            ("oauth", Oauth::ABOUT, Oauth::settings()),
            ("submission", Submission::ABOUT, Submission::settings()),
            ("proxy", Proxy::ABOUT, Proxy::settings()),
            ("turn", Turn::ABOUT, Turn::settings()),
            ("pop3", Pop3::ABOUT, Pop3::settings()),
            ("tls", Tls::ABOUT, Tls::settings()),
            ("delivery", Delivery::ABOUT, Delivery::settings()),
            ("delivery.tls", DeliveryTls::ABOUT, DeliveryTls::settings()),
            ("limits", Limits::ABOUT, Limits::settings()),
            ("journal", Journal::ABOUT, Journal::settings()),
            ("dns", Dns::ABOUT, Dns::settings()),
        ]
    }

    /// A configuration to start from: every setting with its meaning and its default.
    pub fn sample() -> String {
        let mut text = TOP.to_owned();
        for (name, about, settings) in Config::sections() {
            text.push('\n');
            for line in about {
                let _ = writeln!(text, "#{line}");
            }
            let _ = writeln!(text, "[{name}]");
            for setting in settings {
                for line in setting.description {
                    let _ = writeln!(text, "#{line}");
                }
                let default = setting.default.as_deref().unwrap_or("\"…\"");
                let _ = writeln!(text, "# {} = {default}", setting.key);
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn the_sample_is_valid_as_it_stands() {
        let config = Config::parse(&Config::sample(), Path::new("sample")).expect("valid");
        assert_eq!((config.smtp, config.limits), (Smtp::default(), Limits::default()));
    }

    #[test]
    fn the_defaults_that_the_sample_shows_are_the_defaults() {
        let uncommented: String = Config::sample()
            .lines()
            .filter(|line| !line.contains("\"…\""))
            .map(|line| match line.strip_prefix("# ") {
                Some(rest) if rest.split_once(" = ").is_some_and(|(key, _)| !key.contains(' ')) => rest,
                _ => line,
            })
            .flat_map(|line| [line, "\n"])
            .collect();
        let config = Config::parse(&uncommented, Path::new("sample")).expect(&uncommented);
        assert_eq!(config.user.as_deref(), Some("posta"), "lines were uncommented");
        assert_eq!(config.relay, Relay::default());
        assert_eq!(config.smtp, Smtp::default());
        assert_eq!(config.proxy, Proxy::default());
        assert_eq!(config.turn, Turn::default());
        assert_eq!(config.pop3, Pop3::default());
        assert_eq!(config.tls, Tls::default());
        assert_eq!(config.oauth, Oauth::default());
        assert_eq!(config.delivery, Delivery::default());
        assert_eq!(config.limits, Limits::default());
        assert_eq!(config.journal, Journal::default());
        assert_eq!(config.dns, Dns::default());
    }

    #[test]
    fn every_setting_is_described() {
        for (section, about, settings) in Config::sections() {
            assert!(!about.is_empty(), "{section}");
            for setting in settings {
                assert!(!setting.description.is_empty(), "{section}.{}", setting.key);
            }
        }
    }
}
