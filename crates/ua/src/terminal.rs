//! Text from strangers, made harmless for a terminal.
//!
//! A terminal obeys control characters: with them a letter could move the cursor, retitle windows, answer on
//! the user's behalf on some terminals, or make a text look like another one. So none reaches it.

/// The text with everything that a terminal obeys made visible: C0 controls and DEL become their pictures
/// (`␛`), C1 controls and the characters that reorder text become `�`. Line ends and tabs stay.
pub fn harmless(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            // A CR alone would let a line overwrite itself.
            '\r' if characters.peek() == Some(&'\n') => {}
            '\n' | '\t' => out.push(c),
            _ => out.push(visible(c)),
        }
    }
    out
}

/// The same for one line: line ends and tabs become spaces.
pub fn harmless_line(text: &str) -> String {
    let spaced = text.replace("\r\n", " ").replace(['\n', '\t'], " ");
    spaced.chars().map(visible).collect()
}

fn visible(c: char) -> char {
    match c {
        '\0'..='\x1f' => char::from_u32(0x2400 + c as u32).unwrap_or('\u{fffd}'),
        '\x7f' => '\u{2421}',
        '\u{80}'..='\u{9f}' => '\u{fffd}',
        // Bidirectional embeddings, overrides and isolates reorder what follows; line and paragraph
        // separators are line ends to some.
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}' => '\u{fffd}',
        // Tags and other invisible format characters that only hide text.
        '\u{e0000}'..='\u{e007f}' | '\u{fff9}'..='\u{fffb}' => '\u{fffd}',
        _ => c,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_terminal_obeys_is_left() {
        let table = [
            ("plain\r\ntext\n\tindented", "plain\ntext\n\tindented"),
            ("\x1b[2J\x1b]0;title\x07", "␛[2J␛]0;title␇"),
            ("over\rwritten", "over␍written"),
            ("\u{9b}31m", "\u{fffd}31m"),
            ("a\u{202e}txt.exe", "a\u{fffd}txt.exe"),
            ("\x7f\x08", "␡␈"),
            ("Grüße 🙂", "Grüße 🙂"),
        ];
        for (text, expected) in table {
            assert_eq!(harmless(text), expected);
        }
        assert_eq!(harmless_line("a\r\nb\tc\x1b"), "a b c␛");
        let every: String = ('\0'..='\u{ffff}').collect();
        assert!(!harmless_line(&every).chars().any(char::is_control));
    }
}
