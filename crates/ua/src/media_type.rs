//! What kind of thing a file is, guessed from its name and its first octets.

use posta_message::MediaType;

/// By the extension of the file's name. What people send; all else is told apart by content.
const BY_EXTENSION: &[(&str, &str)] = &[
    ("7z", "application/x-7z-compressed"),
    ("aac", "audio/aac"),
    ("avi", "video/x-msvideo"),
    ("avif", "image/avif"),
    ("bmp", "image/bmp"),
    ("bz2", "application/x-bzip2"),
    ("c", "text/x-c"),
    ("css", "text/css"),
    ("csv", "text/csv"),
    ("doc", "application/msword"),
    ("docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    ("eml", "message/rfc822"),
    ("epub", "application/epub+zip"),
    ("flac", "audio/flac"),
    ("gif", "image/gif"),
    ("gz", "application/gzip"),
    ("heic", "image/heic"),
    ("htm", "text/html"),
    ("html", "text/html"),
    ("ico", "image/vnd.microsoft.icon"),
    ("ics", "text/calendar"),
    ("jpeg", "image/jpeg"),
    ("jpg", "image/jpeg"),
    ("js", "text/javascript"),
    ("json", "application/json"),
    ("log", "text/plain"),
    ("m4a", "audio/mp4"),
    ("md", "text/markdown"),
    ("mkv", "video/matroska"),
    ("mov", "video/quicktime"),
    ("mp3", "audio/mpeg"),
    ("mp4", "video/mp4"),
    ("odp", "application/vnd.oasis.opendocument.presentation"),
    ("ods", "application/vnd.oasis.opendocument.spreadsheet"),
    ("odt", "application/vnd.oasis.opendocument.text"),
    ("ogg", "audio/ogg"),
    ("opus", "audio/ogg"),
    ("patch", "text/x-diff"),
    ("diff", "text/x-diff"),
    ("pdf", "application/pdf"),
    ("png", "image/png"),
    ("ppt", "application/vnd.ms-powerpoint"),
    ("pptx", "application/vnd.openxmlformats-officedocument.presentationml.presentation"),
    ("ps", "application/postscript"),
    ("rtf", "application/rtf"),
    ("sh", "application/x-sh"),
    ("svg", "image/svg+xml"),
    ("tar", "application/x-tar"),
    ("tif", "image/tiff"),
    ("tiff", "image/tiff"),
    ("toml", "application/toml"),
    ("tsv", "text/tab-separated-values"),
    ("txt", "text/plain"),
    ("vcf", "text/vcard"),
    ("wav", "audio/vnd.wave"),
    ("webm", "video/webm"),
    ("webp", "image/webp"),
    ("xls", "application/vnd.ms-excel"),
    ("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    ("xml", "application/xml"),
    ("xz", "application/x-xz"),
    ("yaml", "application/yaml"),
    ("yml", "application/yaml"),
    ("zip", "application/zip"),
    ("zst", "application/zstd"),
];

/// By the octets a file begins with.
const BY_SIGNATURE: &[(&[u8], &str)] = &[
    (b"%PDF-", "application/pdf"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"PK\x03\x04", "application/zip"),
    (b"\x1f\x8b", "application/gzip"),
    (b"OggS", "audio/ogg"),
    (b"fLaC", "audio/flac"),
    (b"ID3", "audio/mpeg"),
    (b"%!PS", "application/postscript"),
];

/// The media type of a file. A text that is one gets `text/plain`; what cannot be told is
/// `application/octet-stream`, which every agent can save.
pub fn guess(file_name: &str, content: &[u8]) -> MediaType {
    let extension = file_name.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase());
    let by_name = extension.and_then(|extension| lookup(&extension));
    // RFC 2046 §5.2.1: a message must not be encoded; a file that is none cannot be passed off as one.
    let by_name = by_name.filter(|essence| !essence.starts_with("message/"));
    let by_content = || {
        let known = BY_SIGNATURE.iter().find(|(signature, _)| content.starts_with(signature));
        known.map(|(_, essence)| *essence).or_else(|| looks_like_text(content).then_some("text/plain"))
    };
    let essence = match by_name {
        // Text by its name, but not by what is in it: no charset could be named that is true.
        Some(essence) if essence.starts_with("text/") && !looks_like_text(content) => None,
        Some(essence) => Some(essence),
        None => by_content(),
    };
    essence.and_then(|essence| MediaType::parse(essence).ok()).unwrap_or_else(MediaType::octet_stream)
}

fn lookup(extension: &str) -> Option<&'static str> {
    BY_EXTENSION.iter().find(|(known, _)| *known == extension).map(|(_, essence)| *essence)
}

fn looks_like_text(content: &[u8]) -> bool {
    let odd = |octet: &u8| *octet < b' ' && !matches!(octet, b'\t' | b'\n' | b'\r' | b'\x0c');
    !content.iter().any(odd) && std::str::from_utf8(content).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_guessed() {
        let table: &[(&str, &[u8], &str)] = &[
            ("photo.JPG", b"\xff\xd8\xff\xe0", "image/jpeg"),
            ("report.pdf", b"", "application/pdf"),
            ("notes.txt", "Grüße\n".as_bytes(), "text/plain"),
            ("notes.txt", b"\x00\x01\x02", "application/octet-stream"),
            ("latin1.txt", b"Gr\xfc\xdfe", "application/octet-stream"),
            ("README", b"Read me.\n", "text/plain"),
            ("unknown", b"%PDF-1.7", "application/pdf"),
            ("unknown.bin", b"\x00\x01", "application/octet-stream"),
            ("archive.tar.gz", b"\x1f\x8b\x08", "application/gzip"),
            ("letter.eml", b"Subject: x\r\n\r\n", "text/plain"),
            ("page.html", b"<p>", "text/html"),
            ("Übersicht.csv", b"a,b\n", "text/csv"),
        ];
        for (name, content, expected) in table {
            assert_eq!(guess(name, content).essence(), *expected, "{name}");
        }
        for (_, essence) in BY_EXTENSION.iter().map(|pair| (pair.0, pair.1)).chain([("", "text/plain")]) {
            assert!(MediaType::parse(essence).is_ok(), "{essence}");
        }
    }
}
