//! Service extensions (RFC 5321 §2.2): what our EHLO reply offers, and what a peer's does.

use crate::{Reply, server, xclient};
use jiff::Timestamp;
use posta_wire::{Hold, sasl::MechanismSet};
use std::{borrow::Cow, fmt};

/// The lines that follow the first in the reply to EHLO.
///
/// HELP stands last, for programs that read up to it.
pub(crate) fn offered(
    settings: &server::Settings,
    secured: bool,
    mechanisms: MechanismSet,
    future_release: Option<FutureRelease>,
) -> Vec<Cow<'static, str>> {
    let extensions = &settings.extensions;
    let mut lines: Vec<Cow<'static, str>> = Vec::with_capacity(12);
    let mut offer = |on: bool, line: Cow<'static, str>| {
        if on {
            lines.push(line);
        }
    };
    offer(extensions.pipelining, "PIPELINING".into());
    if extensions.size {
        offer(true, format!("SIZE {}", settings.limits.content_octets).into());
    }
    offer(extensions.vrfy, "VRFY".into());
    offer(extensions.expn, "EXPN".into());
    // Registered by RFC 1869 §6 for what RFC 821 has as optional.
    for keyword in ["SEND", "SOML", "SAML"] {
        offer(extensions.send && !settings.lmtp, keyword.into());
    }
    offer(extensions.eight_bit_mime, "8BITMIME".into());
    // RFC 6531 §3.1: a server that offers SMTPUTF8 must offer 8BITMIME.
    offer(extensions.smtputf8 && extensions.eight_bit_mime, "SMTPUTF8".into());
    // RFC 3207 §4.2: not once TLS is on.
    offer(extensions.starttls && !secured, "STARTTLS".into());
    // RFC 4954 §3 item 3.
    offer(!mechanisms.is_empty(), format!("AUTH {mechanisms}").into());
    offer(extensions.chunking, "CHUNKING".into());
    // RFC 3030 §3: never without CHUNKING.
    offer(extensions.offers_binary_mime(), "BINARYMIME".into());
    // RFC 8689 §3: inside TLS only.
    offer(extensions.require_tls && secured, "REQUIRETLS".into());
    offer(extensions.dsn, "DSN".into());
    if extensions.limits {
        let limits = OfferedLimits {
            transactions: settings.limits.messages,
            recipients: Some(settings.limits.recipients),
            recipient_domains: None,
        };
        offer(true, format!("LIMITS{limits}").into());
    }
    // RFC 4865 §4.2: a submission service only.
    if let Some(most) = future_release {
        offer(true, format!("FUTURERELEASE {most}").into());
    }
    offer(extensions.deliver_by, deliver_by(settings.limits.deliver_by_seconds_min));
    offer(extensions.priority, "MT-PRIORITY".into());
    offer(extensions.etrn, "ETRN".into());
    offer(extensions.atrn, "ATRN".into());
    offer(extensions.turn, "TURN".into());
    if extensions.xclient {
        offer(true, format!("XCLIENT {}", xclient::ATTRIBUTES).into());
    }
    offer(true, "ENHANCEDSTATUSCODES".into());
    offer(true, "HELP".into());
    lines
}

/// RFC 2852 §2.
fn deliver_by(seconds_min: u32) -> Cow<'static, str> {
    match seconds_min {
        0 => "DELIVERBY".into(),
        seconds => format!("DELIVERBY {seconds}").into(),
    }
}

/// For how long a submission service holds a message: `FUTURERELEASE` (RFC 4865 §3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FutureRelease {
    /// At most so many seconds.
    pub seconds_max: u32,
    /// At most until then.
    pub until_max: Timestamp,
}

impl FutureRelease {
    /// Whether that is not too long.
    pub fn allows(&self, hold: Hold) -> bool {
        match hold {
            Hold::For(seconds) => seconds <= self.seconds_max,
            Hold::Until(at) => at <= self.until_max,
        }
    }

    fn parse<'a>(mut words: impl Iterator<Item = &'a str>) -> Option<Self> {
        let Ok(Hold::For(seconds_max)) = Hold::parse_for(words.next()?) else { return None };
        let Ok(Hold::Until(until_max)) = Hold::parse_until(words.next()?) else { return None };
        Some(FutureRelease { seconds_max, until_max })
    }
}

impl fmt::Display for FutureRelease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:.0}", self.seconds_max, self.until_max)
    }
}

/// What a peer offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PeerExtensions {
    /// PIPELINING (RFC 2920).
    pub pipelining: bool,
    /// SIZE (RFC 1870).
    pub size: Option<SizeOffer>,
    /// 8BITMIME (RFC 6152).
    pub eight_bit_mime: bool,
    /// SMTPUTF8 (RFC 6531).
    pub smtputf8: bool,
    /// STARTTLS (RFC 3207).
    pub starttls: bool,
    /// AUTH (RFC 4954): those of its mechanisms that we know.
    pub mechanisms: MechanismSet,
    /// CHUNKING (RFC 3030).
    pub chunking: bool,
    /// BINARYMIME (RFC 3030 §3).
    pub binary_mime: bool,
    /// REQUIRETLS (RFC 8689).
    pub require_tls: bool,
    /// DSN (RFC 3461).
    pub dsn: bool,
    /// FUTURERELEASE (RFC 4865).
    pub future_release: Option<FutureRelease>,
    /// DELIVERBY (RFC 2852), with the shortest time that it takes with mode R.
    pub deliver_by: Option<u32>,
    /// MT-PRIORITY (RFC 6710).
    pub priority: bool,
    /// LIMITS (RFC 9422).
    pub limits: OfferedLimits,
    /// ENHANCEDSTATUSCODES (RFC 2034).
    pub enhanced_status_codes: bool,
}

/// `SIZE`, perhaps with a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SizeOffer {
    /// The peer's limit, if it has one and tells it (RFC 1870 §4: 0 means none).
    pub limit_octets: Option<u64>,
}

impl PeerExtensions {
    /// Reads the reply to EHLO (RFC 5321 §4.1.1.1); its first line is the host's greeting.
    pub fn parse(reply: &Reply) -> Self {
        let mut extensions = PeerExtensions::default();
        for line in reply.lines.iter().skip(1) {
            let mut words = line.split_ascii_whitespace();
            match words.next().unwrap_or_default().to_ascii_uppercase().as_str() {
                "PIPELINING" => extensions.pipelining = true,
                "SIZE" => {
                    let limit_octets =
                        words.next().and_then(|word| word.parse().ok()).filter(|octets| *octets != 0);
                    extensions.size = Some(SizeOffer { limit_octets });
                }
                "8BITMIME" => extensions.eight_bit_mime = true,
                "SMTPUTF8" => extensions.smtputf8 = true,
                "AUTH" => {
                    let known = words.filter_map(|word| word.parse().ok()).collect();
                    extensions.mechanisms = extensions.mechanisms.union(known);
                }
                // Quirk "AUTH=": what Outlook Express and Exchange of old wrote.
                keyword if keyword.starts_with("AUTH=") => {
                    let first = keyword["AUTH=".len()..].parse();
                    let known = first.into_iter().chain(words.filter_map(|word| word.parse().ok())).collect();
                    extensions.mechanisms = extensions.mechanisms.union(known);
                }
                "STARTTLS" => extensions.starttls = true,
                "CHUNKING" => extensions.chunking = true,
                "BINARYMIME" => extensions.binary_mime = true,
                "REQUIRETLS" => extensions.require_tls = true,
                "FUTURERELEASE" => extensions.future_release = FutureRelease::parse(words),
                "DELIVERBY" => {
                    // RFC 2852 §2: options may follow after a comma; without a number there is no minimum.
                    let minimum = words.next().and_then(|word| word.split(',').next()?.parse().ok());
                    extensions.deliver_by = Some(minimum.unwrap_or(0));
                }
                // RFC 6710 §3: the name of a profile may follow.
                "MT-PRIORITY" => extensions.priority = true,
                "LIMITS" => extensions.limits = OfferedLimits::parse(words),
                "DSN" => extensions.dsn = true,
                "ENHANCEDSTATUSCODES" => extensions.enhanced_status_codes = true,
                _ => {}
            }
        }
        extensions
    }
}

/// What a host lets one client do: `LIMITS` (RFC 9422 §4). What it does not say is `None`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OfferedLimits {
    /// `MAILMAX`: transactions in one session.
    pub transactions: Option<u32>,
    /// `RCPTMAX`: recipients in one transaction.
    pub recipients: Option<u32>,
    /// `RCPTDOMAINMAX`: different domains among the recipients of one transaction.
    pub recipient_domains: Option<u32>,
}

impl OfferedLimits {
    /// Finds them among the lines of a reply to EHLO, as
    /// [`Event::Ready`](crate::client::Event::Ready) has them.
    pub fn find<'a>(extensions: impl IntoIterator<Item = &'a String>) -> Self {
        let of_line = |line: &'a String| {
            let (keyword, arguments) = line.split_once(' ')?;
            keyword.eq_ignore_ascii_case("LIMITS").then(|| Self::parse(arguments.split_ascii_whitespace()))
        };
        extensions.into_iter().find_map(of_line).unwrap_or_default()
    }

    /// Reads `name=value` words; those that are not known, and values that cannot be, are passed over
    /// (RFC 9422 §4).
    fn parse<'a>(words: impl Iterator<Item = &'a str>) -> Self {
        let mut limits = OfferedLimits::default();
        for (name, value) in words.filter_map(|word| word.split_once('=')) {
            let slot = match name.to_ascii_uppercase().as_str() {
                "MAILMAX" => &mut limits.transactions,
                "RCPTMAX" => &mut limits.recipients,
                "RCPTDOMAINMAX" => &mut limits.recipient_domains,
                _ => continue,
            };
            *slot = limit(value);
        }
        limits
    }
}

/// At most six digits, and not 0: a host that takes no recipient at all would have to say so otherwise.
fn limit(value: &str) -> Option<u32> {
    let is_number = value.len() <= 6 && value.bytes().all(|octet| octet.is_ascii_digit());
    value.parse().ok().filter(|limit| is_number && *limit > 0)
}

impl fmt::Display for OfferedLimits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SIX_DIGITS: u32 = 999_999;
        let limits = [
            ("MAILMAX", self.transactions),
            ("RCPTMAX", self.recipients),
            ("RCPTDOMAINMAX", self.recipient_domains),
        ];
        for (name, limit) in limits {
            if let Some(limit) = limit {
                write!(f, " {name}={}", limit.clamp(1, SIX_DIGITS))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits() {
        let cases = [
            ("LIMITS RCPTMAX=100 MAILMAX=50", " MAILMAX=50 RCPTMAX=100"),
            ("limits rcptdomainmax=1", " RCPTDOMAINMAX=1"),
            ("LIMITS NEW=7 RCPTMAX RCPTMAX=x MAILMAX=0", ""),
            ("LIMITS RCPTMAX=1000000 MAILMAX=+5 RCPTDOMAINMAX=999999", " RCPTDOMAINMAX=999999"),
            ("LIMITS", ""),
            ("SIZE 1", ""),
        ];
        for (line, expected) in cases {
            let found = OfferedLimits::find(&[line.to_owned()]);
            assert_eq!(found.to_string(), expected, "{line}");
            let reply = Reply { code: 250, enhanced: None, lines: vec!["mx".into(), line.to_owned().into()] };
            assert_eq!(PeerExtensions::parse(&reply).limits, found, "{line}");
        }
    }
}
