//! The way off a list that a message offers (RFC 2369 §3.2, RFC 8058).

use super::html::percent_decoded;
use crate::desk::Unsubscribe;
use posta_message::{Entity, field::list};

/// Octets of an address that is followed.
const URL_OCTETS_MAX: usize = 4 * 1024;

/// The best way: one click, else a message, else a page.
pub fn unsubscribe_way(root: Entity<'_>) -> Option<Unsubscribe> {
    let field = root.field("List-Unsubscribe")?;
    let urls = list::urls(field.value);
    let urls = || {
        urls.iter().filter(|url| {
            url.len() <= URL_OCTETS_MAX && url.is_ascii() && !url.contains(|c: char| c.is_control())
        })
    };
    let starts = |url: &str, scheme: &str| {
        url.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    };
    // RFC 8058 §3.1: exactly this value, and an https address.
    let promised = root.field("List-Unsubscribe-Post").is_some_and(|field| list::is_one_click(field.value));
    let https = urls().find(|url| starts(url, "https://"));
    if let Some(url) = https.filter(|_| promised) {
        return Some(Unsubscribe::OneClick(url.to_string()));
    }
    if let Some(url) = urls().find(|url| starts(url, "mailto:")) {
        return mail(&url[7..]);
    }
    let page = https.or_else(|| urls().find(|url| starts(url, "http://")));
    page.map(|url| Unsubscribe::Page(url.to_string()))
}

/// RFC 6068: the address and the subject; other fields are not the list's to choose.
fn mail(rest: &str) -> Option<Unsubscribe> {
    let (address, query) = rest.split_once('?').unwrap_or((rest, ""));
    let address = percent_decoded(address);
    posta_address::Mailbox::parse(&address).ok()?;
    let subject = query.split('&').find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        name.eq_ignore_ascii_case("subject").then(|| percent_decoded(value))
    });
    let subject = subject.filter(|subject| !subject.contains(|c: char| c.is_control()));
    Some(Unsubscribe::Mail { address, subject: subject.unwrap_or_else(|| "unsubscribe".to_owned()) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use posta_message::Message;

    #[test]
    fn the_best_way() {
        let way =
            |fields: &str| unsubscribe_way(Message::parse(format!("{fields}\r\n\r\n").as_bytes()).root());
        let click = "List-Unsubscribe: <mailto:l@x.example>, <https://x.example/u?1>\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click";
        assert_eq!(way(click), Some(Unsubscribe::OneClick("https://x.example/u?1".into())));
        assert_eq!(
            way(
                "List-Unsubscribe: <mailto:l@x.example?subject=off%20please&bcc=all@y.example>, <http://x.example/u>"
            ),
            Some(Unsubscribe::Mail { address: "l@x.example".into(), subject: "off please".into() })
        );
        assert_eq!(
            way("List-Unsubscribe: <http://x.example/u>"),
            Some(Unsubscribe::Page("http://x.example/u".into()))
        );
        let in_the_clear =
            "List-Unsubscribe: <http://x.example/u>\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click";
        assert_eq!(way(in_the_clear), Some(Unsubscribe::Page("http://x.example/u".into())));
        assert_eq!(way("List-Unsubscribe: <javascript:alert(1)>"), None);
        assert_eq!(way("Subject: x"), None);
    }
}
