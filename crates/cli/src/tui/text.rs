//! Text in cells: what a stranger wrote is made harmless, cut and folded by its width on a terminal.

use posta_ua::terminal::{harmless, harmless_line};
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// Characters of one cluster: marks piled up beyond that only smear over other lines.
const CLUSTER_CHARS_MAX: usize = 8;
/// Cells of a line of words, where there is room for more: longer ones tire the eye.
pub(super) const LINE_CELLS_MAX: usize = 100;

/// Cells that the text takes.
pub(super) fn width(text: &str) -> usize {
    text.width()
}

/// One line of somebody's text, harmless, at most that wide; `…` where something was cut off.
pub(super) fn cut(text: &str, cells: usize) -> String {
    let line = harmless_line(text);
    if line.is_ascii() && line.len() <= cells {
        return line;
    }
    let (mut kept, mut used) = (String::with_capacity(line.len()), 0);
    let mut clusters = line.graphemes(true).map(tame).peekable();
    while let Some(cluster) = clusters.next() {
        let wide = cluster.width();
        let is_last = clusters.peek().is_none();
        if used + wide > cells || (used + wide == cells && !is_last) {
            if used < cells {
                kept.push('…');
            }
            return kept;
        }
        kept.push_str(&cluster);
        used += wide;
    }
    kept
}

/// The same, filled up with spaces to exactly that width.
pub(super) fn column(text: &str, cells: usize) -> String {
    let mut kept = cut(text, cells);
    let missing = cells.saturating_sub(kept.width());
    kept.extend(std::iter::repeat_n(' ', missing));
    kept
}

/// Somebody's text in lines of at most that many cells, broken between words where that can be.
pub(super) fn folded(text: &str, cells: usize) -> Vec<String> {
    let cells = cells.max(8);
    let text = harmless(text).replace('\t', "    ");
    text.strip_suffix('\n')
        .unwrap_or(&text)
        .split('\n')
        .flat_map(|line| folded_line(line.trim_end(), cells))
        .collect()
}

fn folded_line(line: &str, cells: usize) -> Vec<String> {
    let (mut lines, mut open, mut used) = (Vec::new(), String::new(), 0);
    for word in line.split_word_bounds() {
        let wide = word.width();
        if used + wide > cells && used > 0 {
            lines.push(std::mem::take(&mut open).trim_end().to_owned());
            used = 0;
            if word.chars().all(char::is_whitespace) {
                continue;
            }
        }
        for cluster in word.graphemes(true).map(tame) {
            let wide = cluster.width();
            if used + wide > cells {
                lines.push(std::mem::take(&mut open));
                used = 0;
            }
            open.push_str(&cluster);
            used += wide;
        }
    }
    lines.push(open);
    lines
}

fn tame(cluster: &str) -> String {
    cluster.chars().take(CLUSTER_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_by_cells() {
        let table = [
            ("short", 10, "short"),
            ("exactly ten", 11, "exactly ten"),
            ("too long for it", 8, "too lon…"),
            ("日本語の件名", 7, "日本語…"),
            ("日本", 4, "日本"),
            ("e\u{301}e\u{301}e\u{301}", 3, "e\u{301}e\u{301}e\u{301}"),
            ("\x1b[31mred\r\nx", 20, "␛[31mred x"),
            ("", 3, ""),
            ("xy", 0, ""),
        ];
        for (text, cells, expected) in table {
            assert_eq!(cut(text, cells), expected, "{text:?}");
            assert!(cut(text, cells).width() <= cells);
        }
        let smear = format!("a{}", "\u{301}".repeat(500));
        assert_eq!(cut(&smear, 1).chars().count(), CLUSTER_CHARS_MAX);
        assert_eq!(column("日", 4), "日  ");
    }

    #[test]
    fn text_is_folded_between_words() {
        let table: [(&str, &[&str]); 5] = [
            ("one two three", &["one two", "three"]),
            ("a\n\nb\n", &["a", "", "b"]),
            ("abcdefghijklm", &["abcdefgh", "ijklm"]),
            ("日本語日本語", &["日本語日", "本語"]),
            ("\ttab", &["    tab"]),
        ];
        for (text, expected) in table {
            assert_eq!(folded(text, 8), expected, "{text:?}");
        }
    }
}
