//! `message/external-body`: a body that lies elsewhere (RFC 2046 §5.2.3).
//!
//! Nothing is ever fetched here, and no reader should without asking: the sender chooses what is named
//! (RFC 2046 §5.2.3.6).

use super::{Entity, Message};
use crate::date::DateTime;
use crate::field::date;
use crate::field::parameter::Parameters;

/// Where a body lies, and the header that it would have here.
#[derive(Debug, Clone)]
pub struct ExternalBody<'m> {
    /// `anon-ftp`, `url` (RFC 2017), `mail-server` …, in lower case; empty if the sender forgot it.
    pub access_type: String,
    /// Octets of the data, decoded.
    pub size_octets: Option<u64>,
    /// Until when it is there.
    pub expiration: Option<DateTime>,
    /// Whether the sender expects it to be overwritten (`permission=read-write`).
    pub is_writable: bool,
    /// All parameters, those of the access type (`name`, `site`, `url` …) among them.
    pub parameters: Parameters<'m>,
    phantom: Message<'m>,
}

impl<'m> Entity<'m> {
    /// What a `message/external-body` refers to; nothing for other types.
    pub fn external_body(&self) -> Option<ExternalBody<'m>> {
        let content_type = self.content_type();
        if content_type.essence != "message/external-body" {
            return None;
        }
        let parameters = content_type.parameters;
        let get = |name| parameters.get(name).unwrap_or_default().trim();
        Some(ExternalBody {
            access_type: get("access-type").to_ascii_lowercase(),
            size_octets: get("size").parse().ok(),
            expiration: date::parse(get("expiration").as_bytes()).map(|parsed| parsed.date),
            is_writable: get("permission").eq_ignore_ascii_case("read-write"),
            phantom: Message::parse(self.raw_body()),
            parameters,
        })
    }
}

impl ExternalBody<'_> {
    /// The entity as it would stand here: its fields (type, `Content-ID`, …) are those of the data, its
    /// body is the phantom body, which only `mail-server` gives a meaning: what to send there.
    pub fn entity(&self) -> Entity<'_> {
        self.phantom.root()
    }

    /// An address from which the data can be had (RFC 2017 §3: folding in it is no part of it), if the
    /// access type has one: `url` itself, `ftp` and `anon-ftp` by their parts.
    pub fn url(&self) -> Option<String> {
        let get = |name| self.parameters.get(name).filter(|value| !value.is_empty());
        match self.access_type.as_str() {
            "url" => Some(get("url")?.chars().filter(|c| !c.is_whitespace()).collect()),
            "ftp" | "anon-ftp" => {
                let directory =
                    get("directory").map(|path| path.trim_matches('/')).filter(|path| !path.is_empty());
                let directory = directory.map(|path| format!("{path}/")).unwrap_or_default();
                Some(format!("ftp://{}/{directory}{}", get("site")?, get("name")?))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(message: &str, check: impl FnOnce(ExternalBody<'_>)) {
        let message = Message::parse(message.as_bytes());
        check(message.root().external_body().expect("it is one"));
    }

    #[test]
    fn examples_of_rfc_2046() {
        // §5.2.3.
        with(
            "Content-type: message/external-body;\r\n access-type=local-file;\r\n name=\"/u/nsb/Me.jpeg\"\r\n\r\n\
             Content-type: image/jpeg\r\nContent-ID: <id42@guppylake.bellcore.com>\r\n\
             Content-Transfer-Encoding: binary\r\n\r\nTHIS IS NOT REALLY THE BODY!\r\n",
            |body| {
                assert_eq!(body.access_type, "local-file");
                assert_eq!(body.parameters.get("name"), Some("/u/nsb/Me.jpeg"));
                assert_eq!(body.entity().media_type(), "image/jpeg");
                assert_eq!(body.entity().content_id().as_deref(), Some("id42@guppylake.bellcore.com"));
                assert_eq!(body.entity().raw_body(), b"THIS IS NOT REALLY THE BODY!\r\n");
                assert_eq!(body.url(), None);
            },
        );
        // §5.2.3.7.
        with(
            "Content-Type: message/external-body; name=\"BodyFormats.ps\";\r\n site=\"thumper.bellcore.com\"; \
             mode=\"image\";\r\n access-type=ANON-FTP; directory=\"pub\";\r\n \
             expiration=\"Fri, 14 Jun 1991 19:13:14 -0400 (EDT)\"\r\n\r\n\
             Content-type: application/postscript\r\nContent-ID: <id42@guppylake.bellcore.com>\r\n\r\n",
            |body| {
                assert_eq!(body.url().as_deref(), Some("ftp://thumper.bellcore.com/pub/BodyFormats.ps"));
                assert_eq!(
                    body.expiration.map(|date| date.instant.to_string()).as_deref(),
                    Some("1991-06-14T23:13:14Z")
                );
                assert!(!body.is_writable && body.size_octets.is_none());
            },
        );
        with(
            "Content-Type: message/external-body; access-type=mail-server;\r\n server=\"listserv@bogus.bitnet\"; size=7\r\n\r\n\
             Content-type: application/postscript\r\n\r\nget RFC-MIME.DOC\r\n",
            |body| {
                assert_eq!(body.entity().raw_body(), b"get RFC-MIME.DOC\r\n");
                assert_eq!(body.size_octets, Some(7));
            },
        );
    }

    #[test]
    fn addresses_and_broken_ones() {
        // RFC 2017 §4.
        with(
            "Content-type: message/external-body; access-type=URL;\r\n URL=\"ftp://ftp.deepdirs.org/1/2/3/4/5/6/7/\r\n 8/9/10/file\"\r\n\r\nContent-type: text/html\r\n\r\n",
            |body| {
                assert_eq!(body.url().as_deref(), Some("ftp://ftp.deepdirs.org/1/2/3/4/5/6/7/8/9/10/file"))
            },
        );
        with("Content-Type: message/external-body\r\n\r\n", |body| {
            assert_eq!((body.access_type.as_str(), body.url()), ("", None));
            assert_eq!(body.entity().media_type(), "text/plain");
        });
        assert!(Message::parse(b"Content-Type: text/plain\r\n\r\n").root().external_body().is_none());
    }
}
