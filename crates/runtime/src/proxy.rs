//! The PROXY protocol, versions 1 and 2 (haproxy.org, `proxy-protocol.txt`): what a proxy in front of us says
//! about the connection that it passes on, before anything else.
//!
//! Nothing is guessed: where a header is expected, whoever sends none is not heard (§2 of the document). Only
//! the header's own octets are taken from the stream.

use crate::{
    Stream,
    limits::{PROXY_HEADER_OCTETS_MAX, PROXY_TEXT_OCTETS_MAX, PROXY_TIME_MAX},
};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use thiserror::Error;
use tokio::io::AsyncReadExt;

/// The twelve octets that version 2 begins with; no version 1 does.
const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";

/// What a header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proxied {
    /// The connection is passed on for somebody: its two ends as the proxy sees them.
    For {
        /// Who connected.
        source: SocketAddr,
        /// Where to.
        destination: SocketAddr,
    },
    /// It is the proxy's own (`LOCAL`), or of a kind that it can't tell (`UNKNOWN`): the connection's real ends
    /// count.
    Local,
}

/// Why there is no header.
#[derive(Debug, Error)]
pub enum ProxyError {
    /// What came is none.
    #[error("no PROXY header: {0}")]
    Malformed(&'static str),
    /// It did not come in time.
    #[error("no PROXY header in time")]
    TimedOut,
    /// The connection ended.
    #[error("the connection ended before the PROXY header: {0}")]
    Lost(#[from] std::io::Error),
}

/// Reads the header that a connection must begin with.
pub async fn read_proxy_header(stream: &mut dyn Stream) -> Result<Proxied, ProxyError> {
    match tokio::time::timeout(PROXY_TIME_MAX, read(stream)).await {
        Ok(read) => read,
        Err(_) => Err(ProxyError::TimedOut),
    }
}

async fn read(stream: &mut dyn Stream) -> Result<Proxied, ProxyError> {
    // Both kinds are longer than the signature: "PROXY UNKNOWN" and its line end are 15.
    let mut header = vec![0; SIGNATURE.len()];
    stream.read_exact(&mut header).await?;
    if header == SIGNATURE {
        let mut rest = [0; 4];
        stream.read_exact(&mut rest).await?;
        let length = usize::from(u16::from_be_bytes([rest[2], rest[3]]));
        if length > PROXY_HEADER_OCTETS_MAX {
            return Err(ProxyError::Malformed("it is too long"));
        }
        let mut addresses = vec![0; length];
        stream.read_exact(&mut addresses).await?;
        return binary(rest[0], rest[1], &addresses);
    }
    if !header.starts_with(b"PROXY ") {
        return Err(ProxyError::Malformed("it begins otherwise"));
    }
    while !header.ends_with(b"\r\n") {
        if header.len() >= PROXY_TEXT_OCTETS_MAX {
            return Err(ProxyError::Malformed("the line does not end"));
        }
        header.push(stream.read_u8().await?);
    }
    text(&header[..header.len() - 2])
}

/// Version 1 (§2.1): `PROXY TCP4 source destination port port`.
fn text(line: &[u8]) -> Result<Proxied, ProxyError> {
    let malformed = || ProxyError::Malformed("the line is not as it should be");
    let line = std::str::from_utf8(line).map_err(|_| malformed())?;
    let mut words = line.split(' ').skip(1);
    let family = words.next().ok_or_else(malformed)?;
    if family == "UNKNOWN" {
        // Whatever follows is to be ignored.
        return Ok(Proxied::Local);
    }
    let mut word = || words.next().ok_or_else(malformed);
    let (source, destination) = (address(family, word()?)?, address(family, word()?)?);
    let (source_port, destination_port) = (port(word()?)?, port(word()?)?);
    if words.next().is_some() {
        return Err(malformed());
    }
    Ok(Proxied::For {
        source: SocketAddr::new(source, source_port),
        destination: SocketAddr::new(destination, destination_port),
    })
}

fn address(family: &str, word: &str) -> Result<IpAddr, ProxyError> {
    let address = match family {
        "TCP4" => word.parse::<Ipv4Addr>().ok().map(IpAddr::from),
        "TCP6" => word.parse::<Ipv6Addr>().ok().map(IpAddr::from),
        _ => None,
    };
    address.ok_or(ProxyError::Malformed("an address is none"))
}

fn port(word: &str) -> Result<u16, ProxyError> {
    let is_number =
        word.bytes().all(|octet| octet.is_ascii_digit()) && (word == "0" || !word.starts_with('0'));
    word.parse().ok().filter(|_| is_number).ok_or(ProxyError::Malformed("a port is none"))
}

/// Version 2 (§2.2).
fn binary(version_and_command: u8, family: u8, addresses: &[u8]) -> Result<Proxied, ProxyError> {
    match version_and_command {
        // LOCAL: the addresses must be ignored.
        0x20 => return Ok(Proxied::Local),
        0x21 => {}
        _ => return Err(ProxyError::Malformed("neither LOCAL nor PROXY of version 2")),
    }
    let short = || ProxyError::Malformed("the addresses are too short");
    let port = |at: usize| addresses.get(at..at + 2).map(|port| u16::from_be_bytes([port[0], port[1]]));
    match family {
        // TCP over IPv4. What follows the addresses (TLV) is passed over.
        0x11 => {
            let ip = |at: usize| addresses.get(at..at + 4)?.first_chunk::<4>().map(|ip| Ipv4Addr::from(*ip));
            let end = |ip_at, port_at| Some(SocketAddr::new(IpAddr::V4(ip(ip_at)?), port(port_at)?));
            let (source, destination) = end(0, 8).zip(end(4, 10)).ok_or_else(short)?;
            Ok(Proxied::For { source, destination })
        }
        // TCP over IPv6.
        0x21 => {
            let ip =
                |at: usize| addresses.get(at..at + 16)?.first_chunk::<16>().map(|ip| Ipv6Addr::from(*ip));
            let end = |ip_at, port_at| Some(SocketAddr::new(IpAddr::V6(ip(ip_at)?), port(port_at)?));
            let (source, destination) = end(0, 32).zip(end(16, 34)).ok_or_else(short)?;
            Ok(Proxied::For { source, destination })
        }
        // Unspecified, UDP, Unix sockets: nothing that could be told of a peer.
        _ => Ok(Proxied::Local),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn found(input: &[u8]) -> (String, usize) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        runtime.block_on(async {
            let mut stream = std::io::Cursor::new(input.to_vec());
            let mut duplex = tokio::io::join(&mut stream, tokio::io::sink());
            let said = match read_proxy_header(&mut duplex).await {
                Ok(Proxied::For { source, destination }) => format!("{source} {destination}"),
                Ok(Proxied::Local) => "local".to_owned(),
                Err(error) => error.to_string(),
            };
            (said, stream.position() as usize)
        })
    }

    fn version_2(command: u8, family: u8, addresses: &[u8]) -> Vec<u8> {
        let mut header = SIGNATURE.to_vec();
        header.extend([command, family]);
        header.extend((addresses.len() as u16).to_be_bytes());
        header.extend(addresses);
        header
    }

    #[test]
    fn headers() {
        let v4 = [192, 0, 2, 7, 198, 51, 100, 9, 0xdd, 0xd5, 0, 25];
        let with_tlv = [&v4[..], &[4, 0, 2, 9, 9]].concat();
        let mut v6 = [0_u8; 36];
        (v6[15], v6[31], v6[33], v6[35]) = (1, 2, 77, 25);
        let cases: Vec<(Vec<u8>, &str)> = vec![
            (b"PROXY TCP4 192.0.2.7 198.51.100.9 56789 25\r\n".to_vec(), "192.0.2.7:56789 198.51.100.9:25"),
            (
                b"PROXY TCP6 2001:db8::7 2001:db8::9 1 65535\r\n".to_vec(),
                "[2001:db8::7]:1 [2001:db8::9]:65535",
            ),
            (b"PROXY UNKNOWN\r\n".to_vec(), "local"),
            (b"PROXY UNKNOWN 1 2 3 4\r\n".to_vec(), "local"),
            (version_2(0x21, 0x11, &v4), "192.0.2.7:56789 198.51.100.9:25"),
            (version_2(0x21, 0x11, &with_tlv), "192.0.2.7:56789 198.51.100.9:25"),
            (version_2(0x21, 0x21, &v6), "[::1]:77 [::2]:25"),
            (version_2(0x20, 0x00, &[]), "local"),
            (version_2(0x20, 0x11, &v4), "local"),
            (version_2(0x21, 0x31, &[7; 216]), "local"),
        ];
        for (header, expected) in cases {
            // Not an octet more is taken.
            let input = [&header[..], b"EHLO x\r\n"].concat();
            assert_eq!(found(&input), (expected.to_owned(), header.len()), "{}", header.escape_ascii());
        }
    }

    #[test]
    fn what_is_no_header() {
        let long = [b"PROXY TCP4 ".to_vec(), vec![b'1'; 200]].concat();
        let cases: Vec<(Vec<u8>, &str)> = vec![
            (b"EHLO client.example\r\n".to_vec(), "it begins otherwise"),
            (b"proxy TCP4 192.0.2.7 198.51.100.9 56789 25\r\n".to_vec(), "it begins otherwise"),
            (b"PROXY TCP4 192.0.2.7 198.51.100.9 56789\r\n".to_vec(), "the line is not as it should be"),
            (b"PROXY TCP4 192.0.2.7 198.51.100.9 1 2 3\r\n".to_vec(), "the line is not as it should be"),
            (b"PROXY TCP4 192.0.2.7 2001:db8::9 56789 25\r\n".to_vec(), "an address is none"),
            (b"PROXY UDP4 192.0.2.7 198.51.100.9 56789 25\r\n".to_vec(), "an address is none"),
            (b"PROXY TCP4 192.0.2.7 198.51.100.9 +1 25\r\n".to_vec(), "a port is none"),
            (b"PROXY TCP4 192.0.2.7 198.51.100.9 65536 25\r\n".to_vec(), "a port is none"),
            (long, "the line does not end"),
            (version_2(0x11, 0x11, &[0; 12]), "neither LOCAL nor PROXY of version 2"),
            (version_2(0x21, 0x11, &[0; 11]), "the addresses are too short"),
            (version_2(0x21, 0x21, &[0; 35]), "the addresses are too short"),
            (version_2(0x21, 0x11, &[0; 5000]), "it is too long"),
        ];
        for (header, expected) in cases {
            let (said, _) = found(&header);
            assert_eq!(said, format!("no PROXY header: {expected}"), "{}", header.escape_ascii());
        }
        assert!(found(b"PROXY TCP4").0.starts_with("the connection ended"));
    }

    proptest! {
        #[test]
        fn noise(input in proptest::collection::vec(any::<u8>(), 0..80), binary in any::<bool>()) {
            let prefix: &[u8] = if binary { &SIGNATURE } else { b"PROXY " };
            found(&[prefix, &input].concat());
        }
    }
}
