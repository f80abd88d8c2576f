//! Files of a message: found, named, handed out.

use crate::desk::{AttachmentPart, PartContent, PartPath};
use crate::terminal::harmless_line;
use bytes::Bytes;
use posta_message::{Entity, Message};

/// Files that are listed.
const ATTACHMENTS_MAX: usize = 500;
/// Parts inside one another that a path goes through.
const DEPTH_MAX: usize = 50;

/// Endings of files that a machine runs when they are opened.
const PROGRAMS: &[&str] = &[
    "exe", "com", "bat", "cmd", "scr", "pif", "msi", "msp", "js", "jse", "vbs", "vbe", "wsf", "wsh", "hta",
    "lnk", "jar", "ps1", "psm1", "reg", "cpl", "inf", "iso", "img", "vhd", "vhdx", "app", "dmg", "pkg",
    "command", "sh", "desktop", "deb", "rpm", "apk", "chm", "url", "docm", "xlsm", "pptm", "dotm", "xlam",
    "one", "svg", "html", "htm", "xhtml", "shtml", "mht",
];

/// Types that a browser shows without running anything.
const PREVIEWABLE: &[&str] = &[
    "image/png",
    "image/jpeg",
    "image/gif",
    "image/webp",
    "image/avif",
    "image/bmp",
    "text/plain",
    "text/csv",
    "application/pdf",
    "audio/mpeg",
    "audio/ogg",
    "audio/wav",
    "video/mp4",
    "video/webm",
];

/// All files. `is_shown` says whether a Content-ID is used in the HTML that is shown.
pub fn attachments(message: &Message<'_>, is_shown: &dyn Fn(&str) -> bool) -> Vec<AttachmentPart> {
    let root = message.root();
    let mut places = Vec::new();
    walk(root, String::new(), &mut places);
    let found = message.attachments();
    let parts = found.iter().take(ATTACHMENTS_MAX).filter_map(|attachment| {
        let entity = attachment.entity;
        let (path, _) = places.iter().find(|(_, place)| place.offset() == entity.offset())?;
        let media_type = harmless_line(&entity.media_type());
        let name = harmless_line(&entity.safe_file_name());
        let is_inline = entity.content_id().is_some_and(|id| is_shown(&id));
        Some(AttachmentPart {
            path: PartPath::new(path.as_str()),
            is_previewable: PREVIEWABLE.contains(&media_type.as_str()),
            is_risky: is_program(&name, &media_type),
            size_octets: entity.content().len() as u64,
            name,
            media_type,
            is_inline,
        })
    });
    parts.collect()
}

fn is_program(name: &str, media_type: &str) -> bool {
    let ending = name.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase()).unwrap_or_default();
    let types = [
        "application/x-msdownload",
        "application/x-sh",
        "application/hta",
        "application/javascript",
        "text/javascript",
    ];
    PROGRAMS.contains(&ending.as_str()) || types.contains(&media_type)
}

/// Every entity with its path: `1` is the first part, or the whole where there are none.
fn walk<'m>(entity: Entity<'m>, path: String, places: &mut Vec<(String, Entity<'m>)>) {
    if !entity.is_multipart() {
        let path = if path.is_empty() { "1".to_owned() } else { path };
        places.push((path, entity));
        return;
    }
    if path.split('.').count() > DEPTH_MAX {
        return;
    }
    for (number, part) in entity.parts().enumerate() {
        let below = if path.is_empty() { (number + 1).to_string() } else { format!("{path}.{}", number + 1) };
        walk(part, below, places);
    }
}

/// Content-IDs of pictures, with their paths.
pub fn content_ids(message: &Message<'_>) -> Vec<(String, String)> {
    let mut places = Vec::new();
    walk(message.root(), String::new(), &mut places);
    let images = places.into_iter().filter(|(_, entity)| entity.media_type().starts_with("image/"));
    images
        .filter_map(|(path, entity)| Some((entity.content_id()?.into_owned(), path)))
        .take(ATTACHMENTS_MAX)
        .collect()
}

/// A part, decoded. `0` is the whole message.
pub fn part_content(octets: &Bytes, path: &PartPath) -> Option<PartContent> {
    let message = Message::parse(octets);
    if path.as_str() == "0" {
        let subject = message.root().subject().unwrap_or_default();
        let name = harmless_line(subject.trim()).replace(['/', '\\', ':', '"', '<', '>', '|', '?', '*'], "_");
        let name = if name.trim_matches(['.', '_', ' ']).is_empty() { "message".to_owned() } else { name };
        let name = format!("{}.eml", super::html::cut(name.trim_start_matches(['.', ' ', '-', '~']), 180));
        return Some(PartContent { name, media_type: "message/rfc822".to_owned(), octets: octets.clone() });
    }
    let mut places = Vec::new();
    walk(message.root(), String::new(), &mut places);
    let (_, entity) = places.into_iter().find(|(place, _)| place == path.as_str())?;
    let media_type = entity.media_type().into_owned();
    // What a browser would run in the page's name is handed out as octets.
    let is_harmless = PREVIEWABLE.contains(&media_type.as_str()) || !is_active(&media_type);
    Some(PartContent {
        name: harmless_line(&entity.safe_file_name()),
        media_type: if is_harmless {
            harmless_line(&media_type)
        } else {
            "application/octet-stream".to_owned()
        },
        octets: Bytes::from(entity.content().into_owned()),
    })
}

/// Types that a browser takes for a page or a program.
fn is_active(media_type: &str) -> bool {
    let kinds = ["html", "xml", "svg", "script", "xsl", "flash", "java", "wasm", "multipart", "message"];
    kinds.iter().any(|kind| media_type.contains(kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RAW: &str = "Content-Type: multipart/mixed; boundary=a\r\n\r\n\
        --a\r\nContent-Type: multipart/related; boundary=b\r\n\r\n\
        --b\r\nContent-Type: text/html\r\n\r\n<img src=\"cid:x@y\">\r\n\
        --b\r\nContent-Type: image/png\r\nContent-ID: <x@y>\r\nContent-Transfer-Encoding: base64\r\n\r\niVBORw==\r\n--b--\r\n\
        --a\r\nContent-Type: text/html; name=\"../x.HTML\"\r\nContent-Disposition: attachment\r\n\r\n<script>\r\n\
        --a\r\nContent-Type: application/pdf; name=\"a.pdf\"\r\n\r\nx\r\n--a--\r\n";

    #[test]
    fn paths_names_and_types() {
        let message = Message::parse(RAW.as_bytes());
        let found = attachments(&message, &|id| id == "x@y");
        let shape: Vec<_> = found
            .iter()
            .map(|part| {
                (part.path.as_str(), part.name.as_str(), part.is_inline, part.is_previewable, part.is_risky)
            })
            .collect();
        assert_eq!(
            shape,
            [
                ("1.2", "part.png", true, true, false),
                ("2", "x.HTML", false, false, true),
                ("3", "a.pdf", false, true, false)
            ]
        );
        let octets = Bytes::from_static(RAW.as_bytes());
        let image = part_content(&octets, &PartPath::new("1.2")).unwrap();
        assert_eq!((image.media_type.as_str(), image.octets.as_ref()), ("image/png", &b"\x89PNG"[..]));
        assert_eq!(
            part_content(&octets, &PartPath::new("2")).unwrap().media_type,
            "application/octet-stream"
        );
        assert_eq!(part_content(&octets, &PartPath::new("0")).unwrap().octets, octets);
        assert_eq!(part_content(&octets, &PartPath::new("9.9")), None);
        let plain = Bytes::from_static(b"Subject: ../x\r\n\r\nhello\r\n");
        assert_eq!(part_content(&plain, &PartPath::new("1")).unwrap().octets.as_ref(), b"hello\r\n");
        assert_eq!(part_content(&plain, &PartPath::new("0")).unwrap().name, "_x.eml");
    }
}
