//! Text as a piece of an address or of a field's value: all but the unreserved characters of RFC 3986 §2.3 as `%XX`.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What isn't unreserved.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The text with nothing in it that means something there.
pub(crate) fn escaped(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

#[cfg(test)]
mod tests {
    use super::escaped;

    #[test]
    fn only_the_unreserved_stay() {
        assert_eq!(escaped("jürgen@north.example"), "j%C3%BCrgen%40north.example");
        assert_eq!(escaped("a/b?c#d%e f~-._"), "a%2Fb%3Fc%23d%25e%20f~-._");
    }
}
