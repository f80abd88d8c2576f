//! The charsets that are written with ASCII alone, and UTF-32.

use super::Decoded;
use std::borrow::Cow;

/// RFC 2152: `+` begins modified base64 of UTF-16, any other character ends it.
pub(super) fn utf7(octets: &[u8]) -> Decoded<'_> {
    if !octets.contains(&b'+') && octets.is_ascii() {
        return super::decode_unlabelled(octets);
    }
    let mut text = String::with_capacity(octets.len());
    let mut is_clean = true;
    let mut at = 0;
    while at < octets.len() {
        match octets[at] {
            b'+' if octets.get(at + 1) == Some(&b'-') => {
                text.push('+');
                at += 2;
            }
            b'+' => {
                let run = &octets[at + 1..];
                let length = run.iter().take_while(|octet| sextet(**octet).is_some()).count();
                is_clean &= push_utf16(&run[..length], &mut text);
                at += 1 + length;
                if octets.get(at) == Some(&b'-') {
                    at += 1;
                }
            }
            octet => {
                is_clean &= octet.is_ascii();
                text.push(if octet.is_ascii() { char::from(octet) } else { char::REPLACEMENT_CHARACTER });
                at += 1;
            }
        }
    }
    Decoded { text: Cow::Owned(text), is_clean }
}

fn sextet(octet: u8) -> Option<u32> {
    Some(match octet {
        b'A'..=b'Z' => u32::from(octet - b'A'),
        b'a'..=b'z' => u32::from(octet - b'a') + 26,
        b'0'..=b'9' => u32::from(octet - b'0') + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    })
}

fn push_utf16(base64: &[u8], text: &mut String) -> bool {
    let mut units = Vec::with_capacity(base64.len() * 3 / 8);
    let mut bits = 0u32;
    let mut count = 0;
    for value in base64.iter().filter_map(|octet| sextet(*octet)) {
        bits = (bits << 6 | value) & 0x3f_ffff;
        count += 6;
        if count >= 16 {
            count -= 16;
            units.push((bits >> count) as u16);
        }
    }
    let mut is_clean = true;
    for unit in char::decode_utf16(units) {
        is_clean &= unit.is_ok();
        text.push(unit.unwrap_or(char::REPLACEMENT_CHARACTER));
    }
    is_clean
}

/// Big-endian unless a byte order mark, or the place of the zeros, says otherwise.
pub(super) fn utf32(octets: &[u8]) -> Decoded<'_> {
    let little_endian = match octets {
        [0xff, 0xfe, 0, 0, ..] => true,
        [first, _, 0, 0, ..] => *first != 0,
        _ => false,
    };
    let mut is_clean = octets.len().is_multiple_of(4);
    let mut text = String::with_capacity(octets.len() / 4);
    for (index, group) in octets.chunks_exact(4).enumerate() {
        let group = [group[0], group[1], group[2], group[3]];
        let value = if little_endian { u32::from_le_bytes(group) } else { u32::from_be_bytes(group) };
        match char::from_u32(value) {
            Some('\u{feff}') if index == 0 => {}
            Some(character) => text.push(character),
            None => {
                is_clean = false;
                text.push(char::REPLACEMENT_CHARACTER);
            }
        }
    }
    Decoded { text: Cow::Owned(text), is_clean }
}

/// RFC 1557: SO and SI switch to KS X 1001 and back; with the high bits set that is EUC-KR.
pub(super) fn iso_2022_kr(octets: &[u8]) -> Decoded<'_> {
    let mut euc = Vec::with_capacity(octets.len());
    let mut in_korean = false;
    let mut rest = octets;
    while let Some((&octet, after)) = rest.split_first() {
        rest = after;
        match octet {
            0x1b if after.starts_with(b"$)C") => rest = &after[3..],
            0x0e => in_korean = true,
            0x0f => in_korean = false,
            0x21..=0x7e if in_korean => euc.push(octet | 0x80),
            _ => euc.push(octet),
        }
    }
    let (text, had_errors) = encoding_rs::EUC_KR.decode_without_bom_handling(&euc);
    Decoded { text: Cow::Owned(text.into_owned()), is_clean: !had_errors }
}

/// RFC 1843: `~{` and `~}` switch to GB 2312 and back; with the high bits set that is GBK.
pub(super) fn hz(octets: &[u8]) -> Decoded<'_> {
    let mut gbk = Vec::with_capacity(octets.len());
    let mut in_chinese = false;
    let mut rest = octets;
    while let Some((&octet, after)) = rest.split_first() {
        rest = after;
        match (octet, after.first()) {
            (b'~', Some(b'{')) => (in_chinese, rest) = (true, &after[1..]),
            (b'~', Some(b'}')) => (in_chinese, rest) = (false, &after[1..]),
            (b'~', Some(b'~')) if !in_chinese => {
                gbk.push(b'~');
                rest = &after[1..];
            }
            (b'~', Some(b'\n')) => rest = &after[1..],
            (0x21..=0x7e, _) if in_chinese => gbk.push(octet | 0x80),
            (b'\n', _) => {
                // A line end always ends the Chinese run.
                in_chinese = false;
                gbk.push(octet);
            }
            _ => gbk.push(octet),
        }
    }
    let (text, had_errors) = encoding_rs::GBK.decode_without_bom_handling(&gbk);
    Decoded { text: Cow::Owned(text.into_owned()), is_clean: !had_errors }
}
