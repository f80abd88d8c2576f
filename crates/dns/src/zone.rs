//! Zones in memory, written as a small text like a master file (RFC 1035 §5), and a resolver that
//! answers from them.

use crate::{DnsError, MxRecord, Resolver, SrvRecord, limits::ALIASES_MAX};
use async_trait::async_trait;
use posta_address::Domain;
use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
    sync::{PoisonError, RwLock},
};
use thiserror::Error;

/// The types of records that mail has to do with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RecordType {
    /// IPv4 address.
    A,
    /// IPv6 address.
    Aaaa,
    /// Alias.
    Cname,
    /// Mail exchanger.
    Mx,
    /// Text.
    Txt,
    /// Name of an address.
    Ptr,
    /// Where a service is (RFC 2782).
    Srv,
}

impl fmt::Display for RecordType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            RecordType::A => "A",
            RecordType::Aaaa => "AAAA",
            RecordType::Cname => "CNAME",
            RecordType::Mx => "MX",
            RecordType::Txt => "TXT",
            RecordType::Ptr => "PTR",
            RecordType::Srv => "SRV",
        })
    }
}

impl FromStr for RecordType {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        Ok(match text.to_ascii_uppercase().as_str() {
            "A" => RecordType::A,
            "AAAA" => RecordType::Aaaa,
            "CNAME" => RecordType::Cname,
            "MX" => RecordType::Mx,
            "TXT" => RecordType::Txt,
            "PTR" => RecordType::Ptr,
            "SRV" => RecordType::Srv,
            _ => return Err(()),
        })
    }
}

/// A record's data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ZoneData {
    /// IPv4 address.
    A(Ipv4Addr),
    /// IPv6 address.
    Aaaa(Ipv6Addr),
    /// Alias of this name.
    Cname(Domain),
    /// Mail exchanger.
    Mx(MxRecord),
    /// Text: its strings.
    Txt(Vec<String>),
    /// Name of an address.
    Ptr(Domain),
    /// Where a service is.
    Srv(SrvRecord),
}

impl ZoneData {
    /// Its type.
    pub fn record_type(&self) -> RecordType {
        match self {
            ZoneData::A(_) => RecordType::A,
            ZoneData::Aaaa(_) => RecordType::Aaaa,
            ZoneData::Cname(_) => RecordType::Cname,
            ZoneData::Mx(_) => RecordType::Mx,
            ZoneData::Txt(_) => RecordType::Txt,
            ZoneData::Ptr(_) => RecordType::Ptr,
            ZoneData::Srv(_) => RecordType::Srv,
        }
    }
}

impl fmt::Display for ZoneData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ZoneData::A(ip) => ip.fmt(f),
            ZoneData::Aaaa(ip) => ip.fmt(f),
            ZoneData::Cname(name) | ZoneData::Ptr(name) => name.fmt(f),
            ZoneData::Mx(MxRecord { preference, exchange: Some(name) }) => write!(f, "{preference} {name}"),
            ZoneData::Mx(MxRecord { preference, exchange: None }) => write!(f, "{preference} ."),
            ZoneData::Srv(SrvRecord { priority, weight, port, target }) => match target {
                Some(target) => write!(f, "{priority} {weight} {port} {target}"),
                None => write!(f, "{priority} {weight} {port} ."),
            },
            ZoneData::Txt(strings) => write!(f, "{:?}", strings.concat()),
        }
    }
}

/// One record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ZoneRecord {
    /// Whose.
    pub name: Domain,
    /// How long it may be kept, in seconds.
    pub ttl_secs: u32,
    /// What.
    pub data: ZoneData,
}

/// What goes wrong when a name is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// No answer comes.
    Timeout,
    /// SERVFAIL.
    ServFail,
}

/// What a zone says to a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ZoneAnswer {
    /// The aliases followed, then at least one record of the type asked for.
    Found(Vec<ZoneRecord>),
    /// The name (at the end of these aliases) exists without such a record.
    NoRecord(Vec<ZoneRecord>),
    /// The name (at the end of these aliases) does not exist.
    NoSuchName(Vec<ZoneRecord>),
    /// Something is made to go wrong here.
    Fault(Fault),
}

impl fmt::Display for ZoneAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let records = match self {
            ZoneAnswer::Found(records) | ZoneAnswer::NoRecord(records) | ZoneAnswer::NoSuchName(records) => {
                records
            }
            ZoneAnswer::Fault(Fault::Timeout) => return f.write_str("(no answer)"),
            ZoneAnswer::Fault(Fault::ServFail) => return f.write_str("SERVFAIL"),
        };
        for (index, record) in records.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            match &record.data {
                ZoneData::Cname(target) => write!(f, "{comma}alias of {target}")?,
                data => write!(f, "{comma}{data}")?,
            }
        }
        let comma = if records.is_empty() { "" } else { ", " };
        match self {
            ZoneAnswer::NoRecord(_) => write!(f, "{comma}no such record"),
            ZoneAnswer::NoSuchName(_) => write!(f, "{comma}no such name"),
            _ => Ok(()),
        }
    }
}

/// A line of a zone text that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("zone, line {line}: {problem}")]
pub struct ZoneError {
    /// Counted from 1.
    pub line: usize,
    /// In words.
    pub problem: String,
}

/// Records by name. All names are absolute; the final dot may be left out.
///
/// ```text
/// ; a comment
/// cs.vu.nl.         86400 IN MX    1 zephyr.cs.vu.nl.
///                   86400 IN MX    2 top.cs.vu.nl.      ; the name above once more
/// zephyr.cs.vu.nl.  86400 IN A     130.37.16.112
/// nothing.example   60    IN MX    0 .                  ; the null MX
/// broken.example    60    IN SERVFAIL MX                ; only questions for MX fail
/// silent.example    60    IN TIMEOUT                    ; no question is answered
/// ```
#[derive(Debug, Clone, Default)]
pub struct Zone {
    records: BTreeMap<Domain, Vec<ZoneRecord>>,
    /// `None`: whatever the type.
    faults: HashMap<(Domain, Option<RecordType>), Fault>,
}

impl Zone {
    /// Reads a zone text.
    pub fn parse(text: &str) -> Result<Self, ZoneError> {
        let mut zone = Zone::default();
        let mut owner: Option<Domain> = None;
        for (index, line) in text.lines().enumerate() {
            let fail = |problem: String| ZoneError { line: index + 1, problem };
            let words = words(line).map_err(fail)?;
            if words.is_empty() {
                continue;
            }
            let rest = if line.starts_with([' ', '\t']) {
                &words[..]
            } else {
                owner = Some(absolute(&words[0]).map_err(fail)?);
                &words[1..]
            };
            let owner = owner.as_ref().ok_or_else(|| fail("no name to go with".to_owned()))?;
            zone.read_record(owner, rest).map_err(fail)?;
        }
        Ok(zone)
    }

    fn read_record(&mut self, owner: &Domain, words: &[String]) -> Result<(), String> {
        let [ttl, class, record_type, data @ ..] = words else {
            return Err("expected: name TTL IN TYPE data".to_owned());
        };
        let ttl_secs: u32 = ttl.parse().map_err(|_| format!("not a TTL: {ttl}"))?;
        if !class.eq_ignore_ascii_case("IN") {
            return Err(format!("not the class IN: {class}"));
        }
        let fault = match record_type.to_ascii_uppercase().as_str() {
            "TIMEOUT" => Some(Fault::Timeout),
            "SERVFAIL" => Some(Fault::ServFail),
            _ => None,
        };
        if let Some(fault) = fault {
            let only = data.first().map(|word| word.parse().map_err(|()| format!("not a type: {word}")));
            self.faults.insert((owner.clone(), only.transpose()?), fault);
            return Ok(());
        }
        let data = read_data(record_type, data)?;
        self.add(ZoneRecord { name: owner.clone(), ttl_secs, data });
        Ok(())
    }

    /// Adds a record.
    pub fn add(&mut self, record: ZoneRecord) {
        self.records.entry(record.name.clone()).or_default().push(record);
    }

    /// Takes in all that another zone has.
    pub fn extend(&mut self, other: Zone) {
        for (name, records) in other.records {
            self.records.entry(name).or_default().extend(records);
        }
        self.faults.extend(other.faults);
    }

    /// Answers a question, following aliases unless they are what is asked for.
    pub fn look_up(&self, name: &Domain, record_type: RecordType) -> ZoneAnswer {
        let mut name = name.clone();
        let mut answer: Vec<ZoneRecord> = Vec::new();
        loop {
            let fault = self.faults.get(&(name.clone(), Some(record_type)));
            if let Some(fault) = fault.or_else(|| self.faults.get(&(name.clone(), None))) {
                return ZoneAnswer::Fault(*fault);
            }
            let Some(records) = self.records.get(&name) else {
                return if self.has_below(&name) {
                    ZoneAnswer::NoRecord(answer)
                } else {
                    ZoneAnswer::NoSuchName(answer)
                };
            };
            let matching = records.iter().filter(|record| record.data.record_type() == record_type);
            let before = answer.len();
            answer.extend(matching.cloned());
            if answer.len() > before {
                return ZoneAnswer::Found(answer);
            }
            let alias = records.iter().find_map(|record| match &record.data {
                ZoneData::Cname(target) => Some((record, target)),
                _ => None,
            });
            let Some((record, target)) = alias else {
                return ZoneAnswer::NoRecord(answer);
            };
            if answer.len() >= ALIASES_MAX {
                return ZoneAnswer::Fault(Fault::ServFail);
            }
            answer.push(record.clone());
            name = target.clone();
        }
    }

    /// A name without records exists if one below it has some (RFC 8020 §1).
    fn has_below(&self, name: &Domain) -> bool {
        let suffix = format!(".{}", name.to_ascii());
        self.records.keys().any(|known| known.to_ascii().ends_with(&suffix))
    }
}

impl FromStr for Zone {
    type Err = ZoneError;
    fn from_str(text: &str) -> Result<Self, ZoneError> {
        Zone::parse(text)
    }
}

/// Words of a line up to a comment; double quotes hold one together.
fn words(line: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quoted = false;
    for c in line.chars() {
        match c {
            '"' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            _ if quoted => word.get_or_insert_default().push(c),
            ';' => break,
            c if c.is_whitespace() => words.extend(word.take()),
            c => word.get_or_insert_default().push(c),
        }
    }
    if quoted {
        return Err("a quote is not closed".to_owned());
    }
    words.extend(word);
    Ok(words)
}

fn absolute(word: &str) -> Result<Domain, String> {
    Domain::parse(word.strip_suffix('.').unwrap_or(word)).map_err(|error| format!("{word}: {error}"))
}

fn read_data(record_type: &str, data: &[String]) -> Result<ZoneData, String> {
    let kind: RecordType = record_type.parse().map_err(|()| format!("not a type: {record_type}"))?;
    let wrong = || format!("wrong data for {kind}: {}", data.join(" "));
    Ok(match (kind, data) {
        (RecordType::A, [ip]) => ZoneData::A(ip.parse().map_err(|_| wrong())?),
        (RecordType::Aaaa, [ip]) => ZoneData::Aaaa(ip.parse().map_err(|_| wrong())?),
        (RecordType::Cname, [name]) => ZoneData::Cname(absolute(name)?),
        (RecordType::Ptr, [name]) => ZoneData::Ptr(absolute(name)?),
        (RecordType::Mx, [preference, exchange]) => ZoneData::Mx(MxRecord {
            preference: preference.parse().map_err(|_| wrong())?,
            exchange: if exchange == "." { None } else { Some(absolute(exchange)?) },
        }),
        (RecordType::Srv, [priority, weight, port, target]) => {
            let number = |word: &String| word.parse().map_err(|_| wrong());
            ZoneData::Srv(SrvRecord {
                priority: number(priority)?,
                weight: number(weight)?,
                port: number(port)?,
                target: if target == "." { None } else { Some(absolute(target)?) },
            })
        }
        (RecordType::Txt, strings) if !strings.is_empty() => {
            // RFC 1035 §3.3: a character-string has at most 255 octets.
            if strings.iter().any(|string| string.len() > 255) {
                return Err(wrong());
            }
            ZoneData::Txt(strings.to_vec())
        }
        _ => return Err(wrong()),
    })
}

/// Answers from a zone, without any network. The zone can be changed at any time.
#[derive(Debug, Default)]
pub struct ZoneResolver {
    zone: RwLock<Zone>,
}

impl ZoneResolver {
    /// Answers from this zone.
    pub fn new(zone: Zone) -> Self {
        ZoneResolver { zone: RwLock::new(zone) }
    }

    /// Reads the zone from its text.
    pub fn parse(text: &str) -> Result<Self, ZoneError> {
        Zone::parse(text).map(Self::new)
    }

    /// Puts another zone in its place.
    pub fn replace(&self, zone: Zone) {
        *self.zone.write().unwrap_or_else(PoisonError::into_inner) = zone;
    }

    fn ask(&self, name: &Domain, record_type: RecordType) -> Result<Vec<ZoneData>, DnsError> {
        let zone = self.zone.read().unwrap_or_else(PoisonError::into_inner);
        let temporary =
            |reason: &str| DnsError::Temporary { name: name.to_string(), reason: reason.to_owned() };
        match zone.look_up(name, record_type) {
            ZoneAnswer::Found(records) => {
                let wanted = records.into_iter().map(|record| record.data);
                Ok(wanted.filter(|data| data.record_type() == record_type).collect())
            }
            ZoneAnswer::NoRecord(_) => Err(DnsError::NoRecord(name.to_string())),
            ZoneAnswer::NoSuchName(_) => Err(DnsError::NoSuchName(name.to_string())),
            ZoneAnswer::Fault(Fault::Timeout) => Err(temporary("no answer in time")),
            ZoneAnswer::Fault(Fault::ServFail) => Err(temporary("SERVFAIL")),
        }
    }
}

/// The name that an address has in the DNS (RFC 1035 §3.5, RFC 3596 §2.5).
fn reverse_name(address: IpAddr) -> Option<Domain> {
    let text = match address {
        IpAddr::V4(v4) => {
            let [a, b, c, d] = v4.octets();
            format!("{d}.{c}.{b}.{a}.in-addr.arpa")
        }
        IpAddr::V6(v6) => {
            let nibbles = v6.octets().into_iter().rev().flat_map(|octet| [octet & 15, octet >> 4]);
            let labels: Vec<String> = nibbles.map(|nibble| format!("{nibble:x}")).collect();
            format!("{}.ip6.arpa", labels.join("."))
        }
    };
    Domain::parse(&text).ok()
}

#[async_trait]
impl Resolver for ZoneResolver {
    async fn cname(&self, name: &Domain) -> Result<Option<Domain>, DnsError> {
        match self.ask(name, RecordType::Cname) {
            Ok(data) => Ok(data.into_iter().find_map(|data| match data {
                ZoneData::Cname(target) => Some(target),
                _ => None,
            })),
            Err(DnsError::NoRecord(_) | DnsError::NoSuchName(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn mx(&self, name: &Domain) -> Result<Vec<MxRecord>, DnsError> {
        let pick = |data| if let ZoneData::Mx(record) = data { Some(record) } else { None };
        Ok(self.ask(name, RecordType::Mx)?.into_iter().filter_map(pick).collect())
    }

    async fn a(&self, name: &Domain) -> Result<Vec<Ipv4Addr>, DnsError> {
        let pick = |data| if let ZoneData::A(ip) = data { Some(ip) } else { None };
        Ok(self.ask(name, RecordType::A)?.into_iter().filter_map(pick).collect())
    }

    async fn aaaa(&self, name: &Domain) -> Result<Vec<Ipv6Addr>, DnsError> {
        let pick = |data| if let ZoneData::Aaaa(ip) = data { Some(ip) } else { None };
        Ok(self.ask(name, RecordType::Aaaa)?.into_iter().filter_map(pick).collect())
    }

    async fn txt(&self, name: &Domain) -> Result<Vec<Vec<u8>>, DnsError> {
        let pick =
            |data| if let ZoneData::Txt(strings) = data { Some(strings.concat().into_bytes()) } else { None };
        Ok(self.ask(name, RecordType::Txt)?.into_iter().filter_map(pick).collect())
    }

    async fn srv(&self, service: &str, name: &Domain) -> Result<Vec<SrvRecord>, DnsError> {
        let whole = format!("{service}.{name}");
        let name = Domain::parse(&whole).map_err(|_| DnsError::NoSuchName(whole))?;
        let pick = |data| if let ZoneData::Srv(srv) = data { Some(srv) } else { None };
        Ok(self.ask(&name, RecordType::Srv)?.into_iter().filter_map(pick).collect())
    }

    async fn ptr(&self, address: IpAddr) -> Result<Vec<Domain>, DnsError> {
        let name = reverse_name(address).ok_or_else(|| DnsError::NoSuchName(address.to_string()))?;
        let pick = |data| if let ZoneData::Ptr(name) = data { Some(name) } else { None };
        Ok(self.ask(&name, RecordType::Ptr)?.into_iter().filter_map(pick).collect())
    }
}
