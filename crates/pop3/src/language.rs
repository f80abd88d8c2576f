//! The languages that the server's words are written in (RFC 6856 §3).

/// A language; all of them have all texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub enum Language {
    /// `en`: where nobody asks for another.
    #[default]
    English,
    /// `de`
    German,
    /// `fr`
    French,
    /// `it`
    Italian,
    /// `es`
    Spanish,
}

impl Language {
    /// All, in the order in which they are listed.
    pub const ALL: [Language; 5] =
        [Language::English, Language::German, Language::French, Language::Italian, Language::Spanish];

    /// Its tag (RFC 5646).
    pub fn tag(self) -> &'static str {
        match self {
            Language::English => "en",
            Language::German => "de",
            Language::French => "fr",
            Language::Italian => "it",
            Language::Spanish => "es",
        }
    }

    /// Its name in itself.
    pub fn name(self) -> &'static str {
        match self {
            Language::English => "English",
            Language::German => "Deutsch",
            Language::French => "Français",
            Language::Italian => "Italiano",
            Language::Spanish => "Español",
        }
    }

    /// The language for a range like `de` or `de-CH`: what is not there in the special form is there in
    /// the general one (RFC 4647 §3.4).
    pub fn matching(range: &str) -> Option<Language> {
        let primary = range.split('-').next().unwrap_or_default();
        Language::ALL.into_iter().find(|language| language.tag().eq_ignore_ascii_case(primary))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_find_their_language() {
        for (range, expected) in [
            ("de", Some(Language::German)),
            ("DE-at", Some(Language::German)),
            ("en", Some(Language::English)),
            ("mul", None),
            ("", None),
            ("d", None),
        ] {
            assert_eq!(Language::matching(range), expected, "{range}");
        }
    }
}
