//! Plain text divided into own words, quotations and signature.

use super::html::cut;
use crate::desk::{
    TextBlock, TextBlockKind,
    limits::{SNIPPET_CHARS_MAX, TEXT_OCTETS_MAX},
};
use crate::terminal::harmless;

/// Lines that begin a copy of the whole message that is answered, as some agents write it, unquoted.
const ORIGINALS: &[&str] = &[
    "-----Original Message-----",
    "----- Original Message -----",
    "-----Ursprüngliche Nachricht-----",
    "-------- Original Message --------",
    "-------- Forwarded Message --------",
    "---------- Forwarded message ---------",
    "---------- Forwarded message ----------",
    "-----Message d'origine-----",
    "Begin forwarded message:",
    "________________________________",
];
/// Lines before a quotation that may be its attribution.
const ATTRIBUTION_LINES_MAX: usize = 3;

/// Divides a text. Its lines may end with CRLF or LF; characters that mislead a terminal are replaced.
pub fn text_blocks(text: &str) -> Vec<TextBlock> {
    let text = harmless(cut(text, TEXT_OCTETS_MAX));
    let mut blocks: Vec<TextBlock> = Vec::new();
    let (mut in_signature, mut in_original) = (false, false);
    for line in text.split('\n') {
        let line = line.trim_end_matches('\r');
        let (depth, words) = depth_of(line);
        if depth == 0 && !in_original {
            in_signature |= line == "-- " || line == "--";
            in_original |= ORIGINALS.contains(&line.trim());
        }
        let (kind, depth) = match depth {
            _ if in_original => (TextBlockKind::Quoted, depth + 1),
            _ if in_signature => (TextBlockKind::Signature, 0),
            0 => (TextBlockKind::Own, 0),
            depth => (TextBlockKind::Quoted, depth),
        };
        match blocks.last_mut() {
            Some(last) if last.kind == kind && last.depth == depth => {
                last.text.push('\n');
                last.text.push_str(words);
            }
            _ => blocks.push(TextBlock { kind, depth, text: words.to_owned() }),
        }
    }
    split_attributions(blocks)
}

/// How often a line is quoted, and its words.
fn depth_of(line: &str) -> (u32, &str) {
    let (mut depth, mut rest) = (0, line);
    while let Some(behind) = rest.strip_prefix('>') {
        depth += 1;
        rest = behind.strip_prefix(' ').unwrap_or(behind);
        if depth == 100 {
            break;
        }
    }
    // RFC 3676 §4.4: a line of own words that begins with `>` or "From " has a space before it.
    (depth, rest)
}

/// "On Monday Ada wrote:" before a quotation is a block of its own.
fn split_attributions(blocks: Vec<TextBlock>) -> Vec<TextBlock> {
    let mut divided: Vec<TextBlock> = Vec::with_capacity(blocks.len() + 4);
    for block in blocks {
        if block.kind == TextBlockKind::Quoted
            && let Some(last) = divided.last_mut()
            && last.kind == TextBlockKind::Own
            && let Some(attribution) = take_attribution(&mut last.text)
        {
            if last.text.is_empty() {
                divided.pop();
            }
            divided.push(TextBlock { kind: TextBlockKind::Attribution, depth: 0, text: attribution });
        }
        divided.push(block);
    }
    divided.retain(|block| !block.text.is_empty() || block.kind != TextBlockKind::Own);
    divided
}

fn take_attribution(text: &mut String) -> Option<String> {
    let trimmed = text.trim_end();
    if !trimmed.ends_with(':') && !trimmed.ends_with("：") {
        return None;
    }
    let mut start = trimmed.len();
    for _ in 0..ATTRIBUTION_LINES_MAX {
        let before = trimmed[..start].trim_end_matches('\n');
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        if before.len() < start.saturating_sub(1) || trimmed[line_start..before.len()].trim().is_empty() {
            break;
        }
        start = line_start;
        if start == 0 {
            break;
        }
    }
    let attribution = trimmed[start..].to_owned();
    text.truncate(start);
    Some(attribution)
}

/// Only what the author wrote, without quotations and signature; all where there is nothing of the kind.
pub fn own_words(blocks: &[TextBlock]) -> String {
    let own = |block: &&TextBlock| block.kind == TextBlockKind::Own && !block.text.trim().is_empty();
    let mut words: Vec<&str> = blocks.iter().filter(own).map(|block| block.text.as_str()).collect();
    if words.is_empty() {
        words = blocks.iter().map(|block| block.text.as_str()).collect();
    }
    words.join("\n")
}

/// The beginning of the author's own words, on one line.
pub fn snippet(blocks: &[TextBlock]) -> String {
    let own = own_words(blocks);
    let words =
        own.split_whitespace().filter(|word| word.chars().any(|c| c.is_alphanumeric()) || word.len() < 4);
    let mut snippet = String::new();
    let mut chars = 0;
    for word in words {
        if chars > 0 {
            snippet.push(' ');
            chars += 1;
        }
        for c in word.chars() {
            if chars >= SNIPPET_CHARS_MAX {
                return snippet;
            }
            snippet.push(c);
            chars += 1;
        }
    }
    snippet
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(text: &str) -> Vec<(TextBlockKind, u32, String)> {
        text_blocks(text).into_iter().map(|block| (block.kind, block.depth, block.text)).collect()
    }

    #[test]
    fn blocks() {
        use TextBlockKind::*;
        let own = |kind, depth, text: &str| (kind, depth, text.to_owned());
        assert_eq!(
            shape("Yes!\r\n\r\nOn Monday Ada wrote:\r\n> Tea?\r\n>> Or coffee?\r\n>\r\n-- \r\nBob\r\n"),
            [
                own(Own, 0, "Yes!\n\n"),
                own(Attribution, 0, "On Monday Ada wrote:"),
                own(Quoted, 1, "Tea?"),
                own(Quoted, 2, "Or coffee?"),
                own(Quoted, 1, ""),
                own(Signature, 0, "-- \nBob\n"),
            ]
        );
        assert_eq!(
            shape("x\n-----Original Message-----\nFrom: a\n"),
            [own(Own, 0, "x"), own(Quoted, 1, "-----Original Message-----\nFrom: a\n")]
        );
        assert_eq!(shape("a\x1b[31m\u{202e}")[0].2, "a\u{241b}[31m\u{fffd}");
    }

    #[test]
    fn snippets() {
        let of = |text: &str| snippet(&text_blocks(text));
        assert_eq!(of("Dear Bob,\n\n  tea at five?\n-- \nAda"), "Dear Bob, tea at five?");
        assert_eq!(of("On Monday Ada wrote:\n> Tea?\n\nYes!"), "Yes!");
        assert_eq!(of("> only quoted"), "only quoted");
        assert_eq!(of(&"wort ".repeat(100)).chars().count(), SNIPPET_CHARS_MAX);
        assert_eq!(of(""), "");
    }
}
