//! Kinds of values in the configuration: how they are written, and how they are read.

use posta_queue::NextHop;
use serde::{Deserialize, Deserializer, de};
use std::{fmt, net::IpAddr, str::FromStr, time::Duration};

/// A number of octets, written like `"50 MiB"`, `"10 KiB"`, `"1 GiB"` or as a bare number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Octets(pub u64);

const OCTET_UNITS: [(&str, u64); 8] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1_000),
    ("B", 1),
];

impl FromStr for Octets {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let expected = || {
            format!("`{text}` is no size; expected one like \"50 MiB\" (B, kB, KiB, MB, MiB, GB, GiB, TiB)")
        };
        let (number, unit) = split_number(text).ok_or_else(expected)?;
        let factor = match unit {
            "" => 1,
            _ => OCTET_UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(expected)?.1,
        };
        number.checked_mul(factor).map(Octets).ok_or_else(expected)
    }
}

impl fmt::Display for Octets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let exact = |(_, factor): &&(&str, u64)| self.0 >= *factor && self.0.is_multiple_of(*factor);
        match OCTET_UNITS.iter().find(exact) {
            Some((unit, factor)) => write!(f, "{} {unit}", self.0 / factor),
            None => write!(f, "{} B", self.0),
        }
    }
}

impl<'de> Deserialize<'de> for Octets {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Octets;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a size like \"50 MiB\", or a number of octets")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Octets, E> {
                text.parse().map_err(E::custom)
            }
            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Octets, E> {
                u64::try_from(number).map(Octets).map_err(|_| E::custom("a size is not negative"))
            }
            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Octets, E> {
                Ok(Octets(number))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

/// A length of time, written like `"90s"`, `"5m"`, `"1h"`, `"5d"`, or several of these: `"1h 30m"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Period(pub Duration);

const PERIOD_UNITS: [(&str, u64); 5] =
    [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

impl Period {
    /// So many seconds.
    pub const fn secs(secs: u64) -> Self {
        Period(Duration::from_secs(secs))
    }
    /// So many minutes.
    pub const fn minutes(minutes: u64) -> Self {
        Period::secs(minutes * 60)
    }
    /// So many hours.
    pub const fn hours(hours: u64) -> Self {
        Period::minutes(hours * 60)
    }
    /// So many days.
    pub const fn days(days: u64) -> Self {
        Period::hours(days * 24)
    }
}

impl FromStr for Period {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let expected = || {
            format!("`{text}` is no length of time; expected one like \"5m\" or \"1h 30m\" (ms, s, m, h, d)")
        };
        let mut total_ms: u64 = 0;
        if text.trim().is_empty() {
            return Err(expected());
        }
        for part in text.split_whitespace() {
            let (number, unit) = split_number(part).ok_or_else(expected)?;
            let (_, factor) = PERIOD_UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(expected)?;
            total_ms = number
                .checked_mul(*factor)
                .and_then(|ms| total_ms.checked_add(ms))
                .filter(|ms| *ms <= PERIOD_MS_MAX)
                .ok_or_else(expected)?;
        }
        Ok(Period(Duration::from_millis(total_ms)))
    }
}

/// A hundred years: enough for everybody, and far from any overflow.
const PERIOD_MS_MAX: u64 = 100 * 365 * 86_400_000;

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0.as_millis() as u64;
        if rest == 0 {
            return f.write_str("0s");
        }
        let mut separator = "";
        for (unit, factor) in PERIOD_UNITS {
            if rest >= factor {
                write!(f, "{separator}{}{unit}", rest / factor)?;
                rest %= factor;
                separator = " ";
            }
        }
        Ok(())
    }
}

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Period;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a length of time like \"5m\" or \"1h 30m\"")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Period, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Visitor)
    }
}

/// `50 MiB` → 50, `MiB`.
fn split_number(text: &str) -> Option<(u64, &str)> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    Some((text[..end].parse().ok()?, text[end..].trim_start()))
}

/// A network in CIDR form (RFC 4632, RFC 4291 §2.3): `192.0.2.0/24`, `2001:db8::/32`; a bare address is
/// a network of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

impl Network {
    /// Whether the address lies in it. An IPv4 address mapped into IPv6 counts as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(self.prefix)).unwrap_or(0);
                network.to_bits() & mask == address.to_bits() & mask
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(self.prefix)).unwrap_or(0);
                network.to_bits() & mask == address.to_bits() & mask
            }
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let expected =
            || format!("`{text}` is no network; expected one like \"192.0.2.0/24\" or \"2001:db8::/32\"");
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| expected())?;
        let bits = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            Some(prefix) => prefix.parse().ok().filter(|prefix| *prefix <= bits).ok_or_else(expected)?,
            None => bits,
        };
        let network = Network { address, prefix };
        let below = match address {
            IpAddr::V4(v4) => v4.to_bits() & !u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0) != 0,
            IpAddr::V6(v6) => {
                v6.to_bits() & !u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0) != 0
            }
        };
        if below {
            return Err(format!(
                "`{text}` has address bits below its prefix; is the prefix meant to be longer?"
            ));
        }
        Ok(network)
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

impl<'de> Deserialize<'de> for Network {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// A host with its port: `mail.example:25`, `192.0.2.1:25`, `[2001:db8::1]:25`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route(pub NextHop);

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<'de> Deserialize<'de> for Route {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse()
            .map(Route)
            .map_err(|error| de::Error::custom(format!("`{text}` is no next host: {error}")))
    }
}

/// The language of POP3's replies, by its tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReplyLanguage(pub posta_pop3::Language);

impl FromStr for ReplyLanguage {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let all = posta_pop3::Language::ALL;
        all.into_iter().find(|language| language.tag() == text).map(ReplyLanguage).ok_or_else(|| {
            let tags = all.map(|language| format!("\"{}\"", language.tag()));
            format!("`{text}` is no language of ours; expected one of {}", tags.join(", "))
        })
    }
}

impl fmt::Display for ReplyLanguage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.tag())
    }
}

impl<'de> Deserialize<'de> for ReplyLanguage {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_and_printed() {
        for (text, octets, printed) in [
            ("50 MiB", 50 << 20, "50 MiB"),
            ("50MiB", 50 << 20, "50 MiB"),
            ("1024", 1024, "1 KiB"),
            ("1500 B", 1500, "1500 B"),
            ("10 MB", 10_000_000, "10 MB"),
        ] {
            let size: Octets = text.parse().expect(text);
            assert_eq!((size.0, size.to_string().as_str()), (octets, printed));
        }
        for text in ["", "MiB", "50 mib", "-1", "99999999999 TiB", "1.5 MiB"] {
            assert!(text.parse::<Octets>().is_err(), "{text}");
        }
    }

    #[test]
    fn lengths_of_time_are_read_and_printed() {
        for (text, millis, printed) in [
            ("5m", 300_000, "5m"),
            ("1h 30m", 5_400_000, "1h 30m"),
            ("90s", 90_000, "1m 30s"),
            ("250ms", 250, "250ms"),
            ("0s", 0, "0s"),
        ] {
            let period: Period = text.parse().expect(text);
            assert_eq!((period.0, period.to_string().as_str()), (Duration::from_millis(millis), printed));
        }
        for text in ["", " ", "5", "5 m", "m", "5 minutes", "99999999999d"] {
            assert!(text.parse::<Period>().is_err(), "{text}");
        }
    }

    #[test]
    fn networks_contain_their_addresses() {
        for (network, address, inside) in [
            ("192.0.2.0/24", "192.0.2.255", true),
            ("192.0.2.0/24", "192.0.3.0", false),
            ("192.0.2.0/24", "::ffff:192.0.2.7", true),
            ("192.0.2.7", "192.0.2.7", true),
            ("192.0.2.7", "192.0.2.8", false),
            ("0.0.0.0/0", "203.0.113.9", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("::/0", "2001:db8::1", true),
            ("2001:db8::/32", "2001:db8:ffff::1", true),
            ("2001:db8::/32", "2001:db9::1", false),
        ] {
            let parsed: Network = network.parse().expect(network);
            assert_eq!(parsed.contains(address.parse().expect(address)), inside, "{network} {address}");
        }
        for text in ["", "192.0.2.1/24", "192.0.2.0/33", "2001:db8::/129", "example.net", "192.0.2.0/x"] {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
    }
}
