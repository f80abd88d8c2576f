//! The answer given while away, with the manners of RFC 3834 and RFC 5230: to people who wrote to this person, once in a
//! while, never to programs, lists or reports, and so that nothing answers it.

use super::arrivals::is_automatic;
use super::documents::{self, VACATION_ANSWERED};
use super::room::Room;
use crate::desk::{DeskError, Vacation};
use crate::reader::{Gist, base_subject};
use jiff::Timestamp;
use posta_address::{Mailbox, ReversePath};
use posta_message::build::NamedMailbox;
use posta_message::{DateTime, HeaderName, HeaderText, Message, MessageBuilder, MessageId, Part};
use posta_store::{MailboxChange, MaildropMessage};
use std::collections::BTreeMap;

/// RFC 5230 §4.1: the same sender isn't answered again for so long: seven days.
const AGAIN_AFTER_SECS: i64 = 7 * 86_400;
/// Senders who are remembered.
const REMEMBERED_MAX: usize = 5000;

/// Local-parts behind which no person is (RFC 5230 §4.6, RFC 3834 §2).
fn is_machine(mailbox: &Mailbox) -> bool {
    let local = mailbox.local_part().as_str().to_ascii_lowercase();
    matches!(
        &*local,
        "mailer-daemon"
            | "listserv"
            | "majordomo"
            | "postmaster"
            | "noreply"
            | "no-reply"
            | "donotreply"
            | "do-not-reply"
            | "root"
    ) || local.ends_with("-request")
        || local.ends_with("-bounces")
        || local.starts_with("owner-")
        || local.ends_with("-relay")
        || local.starts_with("noreply-")
        || local.contains("+bounce")
}

/// Whether the person is away at that moment.
fn is_away(vacation: &Vacation, now: Timestamp) -> bool {
    vacation.enabled
        && vacation.from.is_none_or(|from| from <= now)
        && vacation.until.is_none_or(|until| now < until)
}

/// Who is answered: the reverse-path (RFC 3834 §4), never null.
fn answered(message: &MaildropMessage) -> Option<Mailbox> {
    let prefix = std::str::from_utf8(&message.prefix).ok()?;
    let path = prefix.strip_prefix("Return-Path: <")?.split("\r\n").next()?.strip_suffix('>')?;
    Mailbox::parse(path).ok()
}

impl Room {
    pub(super) async fn answer_while_away(
        &self,
        message: &MaildropMessage,
        octets: &[u8],
        found: &Gist,
        vacation: &Vacation,
    ) -> Result<(), DeskError> {
        let now = self.shared.now();
        if !is_away(vacation, now) || is_automatic(octets) {
            return Ok(());
        }
        let Some(sender) = answered(message).filter(|sender| !is_machine(sender)) else { return Ok(()) };
        let own = self.own_addresses().await?;
        let is_own = |address: &str| own.iter().any(|known| known.eq_ignore_ascii_case(address));
        // RFC 5230 §4.5: only where the person is named as a recipient; a hidden copy may have gone to thousands.
        let is_named = found.to.iter().chain(&found.cc).any(|person| is_own(&person.address));
        if !is_named || is_own(&sender.to_string()) {
            return Ok(());
        }
        if vacation.contacts_only && !self.is_contact(&sender.to_string()).await? {
            return Ok(());
        }
        let mut remembered: BTreeMap<String, i64> = self.document(VACATION_ANSWERED).await?;
        remembered.retain(|_, at| now.as_second() - *at < AGAIN_AFTER_SECS);
        let key = sender.to_string().to_lowercase();
        if remembered.contains_key(&key) || remembered.len() >= REMEMBERED_MAX {
            return Ok(());
        }
        remembered.insert(key, now.as_second());
        // Remembered first: two answers are worse than none.
        let change: MailboxChange = documents::put(VACATION_ANSWERED, &remembered)?;
        self.store().change_mailbox(self.account, vec![change]).await.map_err(super::store_error)?;
        let built = self.answer(octets, found, vacation, sender.clone(), now);
        // RFC 3834 §3.3: from the null reverse-path.
        self.submit_now(ReversePath::Null, vec![sender], &built).await
    }

    fn answer(
        &self,
        octets: &[u8],
        found: &Gist,
        vacation: &Vacation,
        to: Mailbox,
        now: Timestamp,
    ) -> posta_message::BuiltMessage {
        let name = HeaderText::clean(&self.name);
        let from = NamedMailbox { name: (!name.is_empty()).then_some(name), mailbox: self.address.clone() };
        // RFC 3834 §3.1.5, RFC 5230 §4.4.
        let subject = match vacation.subject.trim() {
            "" => format!("Auto: {}", base_subject(&found.subject)),
            subject => subject.to_owned(),
        };
        let mut builder = MessageBuilder::new(from, DateTime::utc(now))
            .to(to)
            .subject(HeaderText::clean(&subject))
            .message_id(self.fresh_message_id(&self.address))
            // RFC 3834 §5.
            .field(HeaderName::of("Auto-Submitted"), HeaderText::clean("auto-replied"))
            .field(HeaderName::of("X-Auto-Response-Suppress"), HeaderText::clean("All"))
            .body(Part::text(vacation.text.clone()));
        let parsed = Message::parse(octets);
        let root = parsed.root();
        if let Some(id) = root.message_id().and_then(|id| MessageId::parse(&id).ok()) {
            let mut references: Vec<MessageId> =
                root.references().iter().filter_map(|id| MessageId::parse(id).ok()).collect();
            let over = references.len().saturating_sub(30);
            references.drain(..over);
            references.push(id.clone());
            builder = builder.in_reply_to(id).references(references);
        }
        builder.build()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machines_are_known() {
        for (address, expected) in [
            ("ada@north.example", false),
            ("MAILER-DAEMON@north.example", true),
            ("list-request@north.example", true),
            ("owner-list@north.example", true),
            ("no-reply@north.example", true),
        ] {
            assert_eq!(is_machine(&Mailbox::parse(address).unwrap()), expected, "{address}");
        }
    }

    #[test]
    fn absence_has_a_beginning_and_an_end() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let vacation = Vacation {
            enabled: true,
            from: Some(at("2026-12-01T00:00:00Z")),
            until: Some(at("2026-12-10T00:00:00Z")),
            ..Vacation::default()
        };
        for (now, expected) in
            [("2026-11-30T00:00:00Z", false), ("2026-12-01T00:00:00Z", true), ("2026-12-10T00:00:00Z", false)]
        {
            assert_eq!(is_away(&vacation, at(now)), expected, "{now}");
        }
    }
}
