//! Scripts, styles and icons of our own, inside the binary. Their address holds a hash of them all, so
//! browsers may keep them for ever.

use axum::{
    extract::Path,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};

const JS: &str = "text/javascript; charset=utf-8";

macro_rules! files {
    ($($name:literal $media_type:expr;)*) => {
        const FILES: &[(&str, &str, &[u8])] =
            &[$(($name, $media_type, include_bytes!(concat!("../assets/", $name)))),*];
    };
}

files! {
    "style.css" "text/css; charset=utf-8";
    "page.css" "text/css; charset=utf-8";
    "icon.svg" "image/svg+xml";
    "app.js" JS;
    "api.js" JS;
    "dom.js" JS;
    "icons.js" JS;
    "list.js" JS;
    "reader.js" JS;
    "compose.js" JS;
    "commands.js" JS;
    "dialogs.js" JS;
    "settings.js" JS;
    "story.js" JS;
}

/// What all of them are, shortly. Hashing them takes some microseconds, so nobody keeps it.
pub(crate) fn version() -> String {
    let mut hasher = blake3::Hasher::new();
    for (name, _, octets) in FILES {
        hasher.update(name.as_bytes());
        hasher.update(&(octets.len() as u64).to_le_bytes());
        hasher.update(octets);
    }
    hasher.finalize().to_hex()[..16].to_owned()
}

/// Serves one.
pub(crate) async fn asset(Path((wanted, name)): Path<(String, String)>) -> Response {
    let Some((_, media_type, octets)) = FILES.iter().find(|(known, _, _)| *known == name) else {
        return (StatusCode::NOT_FOUND, "no such file").into_response();
    };
    // A page of an older version may be open still; it gets what there is, and is not to keep it.
    let keep = if wanted == version() { "public, max-age=31536000, immutable" } else { "no-cache" };
    ([(header::CONTENT_TYPE, *media_type), (header::CACHE_CONTROL, keep)], *octets).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is fetched only when somebody wants to write or to settle something, and the login's style.
    const LATER: &[&str] = &["compose.js", "settings.js", "story.js", "page.css"];

    /// All that a browser must load before the first list is seen, without compression.
    #[test]
    fn the_first_page_is_small() {
        let first = FILES.iter().filter(|(name, _, _)| !LATER.contains(name));
        let octets: usize = first.map(|(_, _, octets)| octets.len()).sum();
        assert!(octets < 98_600, "{octets} octets");
    }

    /// The Content-Security-Policy forbids both, and no page should need them.
    #[test]
    fn scripts_do_without_eval_and_markup_from_strings() {
        for (name, _, octets) in FILES.iter().filter(|(name, _, _)| name.ends_with(".js")) {
            let text = std::str::from_utf8(octets).expect("UTF-8");
            for word in
                ["innerHTML", "outerHTML", "insertAdjacentHTML", "eval(", "new Function", "document.write"]
            {
                assert!(!text.contains(word), "{name} says {word}");
            }
        }
    }
}
