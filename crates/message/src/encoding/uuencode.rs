//! uuencode, read: `x-uuencode` bodies (POSIX.1, uuencode).

/// A file found in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UuFile<'a> {
    /// The name in the `begin` line.
    pub name: &'a [u8],
    /// What it decodes to.
    pub content: Vec<u8>,
    /// Whether all lines and the `end` line were in order.
    pub is_clean: bool,
}

/// Decodes the first file in a text. `None` if there is no `begin` line.
pub fn decode(text: &[u8]) -> Option<UuFile<'_>> {
    let mut lines = text.split(|octet| *octet == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let name = lines.by_ref().find_map(begin_line)?;
    let mut file = UuFile { name, content: Vec::with_capacity(text.len() / 4 * 3), is_clean: true };
    for line in lines {
        if line == b"end" {
            return Some(file);
        }
        if !line.is_empty() {
            decode_line(line, &mut file);
        }
    }
    file.is_clean = false;
    Some(file)
}

/// `begin 644 name`: the mode in octal digits.
fn begin_line(line: &[u8]) -> Option<&[u8]> {
    let rest = line.strip_prefix(b"begin ")?;
    let digits = rest.iter().take_while(|octet| (b'0'..=b'7').contains(*octet)).count();
    if !(3..=4).contains(&digits) || rest.get(digits) != Some(&b' ') {
        return None;
    }
    Some(&rest[digits + 1..])
}

fn decode_line(line: &[u8], file: &mut UuFile<'_>) {
    let value = |octet: u8| (octet.wrapping_sub(b' ')) & 0x3f;
    let length = usize::from(value(line[0]));
    let data = &line[1..];
    file.is_clean &= data.iter().all(|octet| (b' '..=b'`').contains(octet))
        && data.len() >= length.div_ceil(3) * 4 - length.div_ceil(3);
    let start = file.content.len();
    for group in data.chunks(4) {
        // Trailing spaces are lost on the way: what is missing counts as zero.
        let octet = |index: usize| u32::from(group.get(index).map_or(0, |octet| value(*octet)));
        let bits = octet(0) << 18 | octet(1) << 12 | octet(2) << 6 | octet(3);
        file.content.extend_from_slice(&bits.to_be_bytes()[1..]);
    }
    file.content.resize(start + length.min(file.content.len() - start), 0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file() {
        let file = decode(b"see\nbegin 644 cat.txt\n#0V%T\n`\nend\n").unwrap();
        assert_eq!((file.name, &file.content[..], file.is_clean), (&b"cat.txt"[..], &b"Cat"[..], true));
        let file = decode(b"begin 644 two lines.txt\r\n.22!C86YN;W0@<W1A;F0@:70N\r\n").unwrap();
        assert_eq!(file.name, b"two lines.txt");
        assert!(file.content.starts_with(b"I cannot stand") && !file.is_clean);
        assert_eq!(decode(b"begin here\n"), None);
    }
}
