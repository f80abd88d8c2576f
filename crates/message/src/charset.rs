//! Character sets: octets to text.
//!
//! The sets of the WHATWG come from `encoding_rs`, by their labels and by the names that mail has
//! beside these, the code pages of DOS from `oem_cp`. UTF-7, UTF-32 and the 7-bit forms of Chinese and
//! Korean are decoded here.

mod seven_bit;

use encoding_rs::{Encoding, UTF_8, WINDOWS_1252};
use oem_cp::code_table::DECODING_TABLE_CP_MAP;
use std::borrow::Cow;

/// How octets become text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Charset {
    /// `us-ascii`, and what has no charset. Octets over 127 are read as UTF-8 if they are that,
    /// else as windows-1252.
    Ascii,
    /// One that `encoding_rs` has.
    Table(&'static Encoding),
    /// A code page of DOS, by its number: 437, 850 and their like (RFC 1345 has most of them).
    CodePage(u16),
    /// RFC 2152.
    Utf7,
    /// UTF-16 that tells its order, big-endian if it does not (RFC 2781 §4.3).
    Utf16,
    /// UTF-32 in either order.
    Utf32,
    /// RFC 1557.
    Iso2022Kr,
    /// RFC 1843.
    HzGb2312,
}

/// A text, and whether octets in it were not the charset's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decoded<'a> {
    /// The text; what could not be read is U+FFFD.
    pub text: Cow<'a, str>,
    /// Whether all of it could be read.
    pub is_clean: bool,
}

/// Names that mail has and the WHATWG's list has not.
const ALIASES: &[(&str, &str)] = &[
    ("ansi_x3.110-1983", "windows-1252"),
    ("cp932", "shift_jis"),
    ("cp936", "gbk"),
    ("cp949", "euc-kr"),
    ("cp950", "big5"),
    ("cp874", "windows-874"),
    ("cp878", "koi8-r"),
    ("cp21866", "koi8-u"),
    ("cp20866", "koi8-r"),
    ("cp28591", "iso-8859-1"),
    ("cp28592", "iso-8859-2"),
    ("cp28605", "iso-8859-15"),
    ("cp50220", "iso-2022-jp"),
    ("cp51932", "euc-jp"),
    ("cp54936", "gb18030"),
    ("cp65001", "utf-8"),
    ("eucjp", "euc-jp"),
    ("euckr", "euc-kr"),
    ("gb_2312", "gbk"),
    ("iso-2022-jp-1", "iso-2022-jp"),
    ("iso-2022-jp-2", "iso-2022-jp"),
    ("iso-8859-8-e", "iso-8859-8"),
    ("latin-1", "iso-8859-1"),
    ("latin1_general_ci", "iso-8859-1"),
    ("ms936", "gbk"),
    ("ms949", "euc-kr"),
    ("ms950", "big5"),
    ("shift-jis", "shift_jis"),
    ("sjis-win", "shift_jis"),
    ("utf_8", "utf-8"),
    ("utf8mb4", "utf-8"),
    ("utf-8-sig", "utf-8"),
    ("win-1251", "windows-1251"),
    ("x-unknown", "windows-1252"),
];

impl Charset {
    /// Finds a charset by a name out of a message, case and surrounding white space aside.
    pub fn by_name(name: &[u8]) -> Option<Charset> {
        let name = name.trim_ascii();
        if name.eq_ignore_ascii_case(b"utf-8") {
            return Some(Charset::Table(UTF_8));
        }
        if name.eq_ignore_ascii_case(b"us-ascii") {
            return Some(Charset::Ascii);
        }
        if name.len() > 40 {
            return None;
        }
        let lower = std::str::from_utf8(name).ok()?.to_ascii_lowercase();
        match lower.as_str() {
            "ascii" | "ansi_x3.4-1968" | "iso646-us" | "us" | "7bit" | "646" => {
                return Some(Charset::Ascii);
            }
            "utf-7" | "utf7" | "unicode-1-1-utf-7" | "x-unicode-2-0-utf-7" => return Some(Charset::Utf7),
            "utf-16" | "utf16" => return Some(Charset::Utf16),
            "utf-32" | "utf32" | "utf-32be" | "utf-32le" => return Some(Charset::Utf32),
            "iso-2022-kr" | "csiso2022kr" => return Some(Charset::Iso2022Kr),
            "hz-gb-2312" | "hz" => return Some(Charset::HzGb2312),
            _ => {}
        }
        let label =
            ALIASES.iter().find(|(alias, _)| *alias == lower).map_or(lower.as_str(), |(_, label)| label);
        if let Some(encoding) = Encoding::for_label(label.as_bytes()) {
            return Some(Charset::Table(encoding)).filter(|_| encoding != encoding_rs::REPLACEMENT);
        }
        // `cp1252`, `ibm1252`, `windows1252`, `iso8859-15`, `iso_8859_15` …
        for prefix in ["cp", "ibm", "windows", "windows_", "x-windows-", "win"] {
            if let Some(number) = lower.strip_prefix(prefix).filter(|rest| rest.starts_with("125")) {
                return Encoding::for_label(format!("windows-{number}").as_bytes()).map(Charset::Table);
            }
        }
        if let Some(page) = code_page(&lower) {
            return Some(Charset::CodePage(page));
        }
        let compact: String = lower.chars().filter(|c| !matches!(c, '-' | '_')).collect();
        let part = compact.strip_prefix("iso8859")?;
        Encoding::for_label(format!("iso-8859-{part}").as_bytes()).map(Charset::Table)
    }

    /// Whether the text of several runs may be decoded as one run: not where a run can end in
    /// another state than it began.
    pub(crate) fn is_stateless(self) -> bool {
        match self {
            Charset::Table(encoding) => encoding != encoding_rs::ISO_2022_JP,
            Charset::Ascii | Charset::CodePage(_) => true,
            _ => false,
        }
    }

    /// Decodes all of it. Nothing is copied where the octets are the text already.
    pub fn decode<'a>(self, octets: &'a [u8]) -> Decoded<'a> {
        match self {
            Charset::Ascii => decode_unlabelled(octets),
            Charset::Table(encoding) if encoding == UTF_8 => {
                let octets = octets.strip_prefix(b"\xef\xbb\xbf").unwrap_or(octets);
                match simdutf8::basic::from_utf8(octets) {
                    Ok(text) => Decoded { text: Cow::Borrowed(text), is_clean: true },
                    Err(_) => Decoded { text: String::from_utf8_lossy(octets), is_clean: false },
                }
            }
            Charset::Table(encoding) => {
                let (text, had_errors) = encoding.decode_with_bom_removal(octets);
                Decoded { text, is_clean: !had_errors }
            }
            Charset::Utf16 => {
                let encoding = match octets {
                    [0xff, 0xfe, ..] => encoding_rs::UTF_16LE,
                    // Without a mark the order is big-endian; senders that forget the mark and
                    // write the other order are known by where the zeros of ASCII are.
                    [first, 0, ..] if *first != 0 => encoding_rs::UTF_16LE,
                    _ => encoding_rs::UTF_16BE,
                };
                let (text, had_errors) = encoding.decode_with_bom_removal(octets);
                Decoded { text, is_clean: !had_errors }
            }
            Charset::CodePage(page) => decode_page(page, octets),
            Charset::Utf7 => seven_bit::utf7(octets),
            Charset::Utf32 => seven_bit::utf32(octets),
            Charset::Iso2022Kr => seven_bit::iso_2022_kr(octets),
            Charset::HzGb2312 => seven_bit::hz(octets),
        }
    }
}

/// The number of a code page: `cp437`, `IBM850`, `ibm00858`, `850`, `cspc850multilingual`.
fn code_page(lower: &str) -> Option<u16> {
    let number = match lower {
        "cspc8codepage437" => "437",
        "cspc850multilingual" => "850",
        "cspcp852" => "852",
        name => {
            ["cp", "ibm-", "ibm", "dos-"].iter().find_map(|prefix| name.strip_prefix(prefix)).unwrap_or(name)
        }
    };
    number.parse().ok().filter(|page| DECODING_TABLE_CP_MAP.contains_key(page))
}

/// Octets up to 127 are ASCII in all of them.
fn decode_page(page: u16, octets: &[u8]) -> Decoded<'_> {
    let Some(table) = DECODING_TABLE_CP_MAP.get(&page).filter(|_| !octets.is_ascii()) else {
        return decode_unlabelled(octets);
    };
    match table.decode_string_checked(octets) {
        Some(text) => Decoded { text: Cow::Owned(text), is_clean: true },
        None => Decoded { text: Cow::Owned(table.decode_string_lossy(octets)), is_clean: false },
    }
}

/// Octets without a charset: ASCII, else UTF-8 (RFC 6532), else windows-1252, which loses none.
/// `is_clean` tells that they were ASCII or UTF-8.
pub fn decode_unlabelled(octets: &[u8]) -> Decoded<'_> {
    match simdutf8::basic::from_utf8(octets) {
        Ok(text) => Decoded { text: Cow::Borrowed(text), is_clean: true },
        Err(_) => Decoded { text: WINDOWS_1252.decode_without_bom_handling(octets).0, is_clean: false },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, octets: &[u8], expected: &str) {
        let charset = Charset::by_name(name.as_bytes()).unwrap_or_else(|| panic!("{name} unknown"));
        assert_eq!(charset.decode(octets).text, expected, "{name}");
    }

    #[test]
    fn names_and_octets() {
        check("UTF-8", b"gr\xc3\xbc\xc3\x9fe", "grüße");
        check("us-ascii", b"gr\xfc\xdfe", "grüße");
        check("ISO8859-15", b"\xa4", "€");
        check("cp1252", b"\x80", "€");
        check("windows1251", b"\xcf\xf0", "Пр");
        check("iso-2022-jp", b"\x1b$B8!:w\x1b(B", "検索");
        check("cp949", b"\xb0\xa1", "가");
        check("cp437", b"gr\x81\xe1e", "grüße");
        check("IBM850", b"\xb5\x9b", "Áø");
        check("ibm00858", b"\xd5", "€");
        check("857", b"\xd5", "\u{fffd}");
        check("866", b"\x8f\xe0", "Пр");
        check("utf-16", b"\x00a\x00b", "ab");
        check("utf-16", b"\xff\xfea\x00b\x00", "ab");
        check("utf-32", b"\x00\x00\x00a\x00\x01\xf6\x00", "a😀");
        check("utf-7", b"Hi Mom -+Jjo--!", "Hi Mom -☺-!");
        check("utf-7", b"+ZeVnLIqe-", "日本語");
        check("utf-7", b"a+-b +2D3eAA-.", "a+b 😀.");
        check("hz-gb-2312", b"~{<:Ky2;~}.~~", "己所不.~");
        check("iso-2022-kr", b"\x1b$)C\x0e0!\x0fa", "가a");
        assert_eq!(Charset::by_name(b"no-such-thing"), None);
        assert_eq!(Charset::by_name(b""), None);
        assert_eq!(Charset::by_name(b"\xff"), None);
    }
}
