//! How a message came: the hosts that wrote their names on it, and what this host's journal says of it, as
//! far as it is this person's business.

use crate::{app::App, error::ApiError, visitor::Caller};
use axum::http::StatusCode;
use jiff::Timestamp;
use posta_address::Mailbox;
use posta_journal::{
    Direction, Event, Query, Reader, Record,
    story::{Mood, sentence},
};
use posta_message::{
    Message,
    field::received::{Received, parse},
};
use posta_ua::desk::MessageKey;
use serde::Serialize;
use std::collections::BTreeMap;

/// Hosts that are shown.
const HOPS_MAX: usize = 50;
/// Records of the journal that are looked at.
const RECORDS_MAX: usize = 500;
/// Acceptances with the same Message-ID that are told.
const STORIES_MAX: usize = 10;

/// The whole.
#[derive(Debug, Serialize)]
pub(crate) struct Told {
    /// From the first host to the last.
    hops: Vec<Hop>,
    /// What this host did, one acceptance after another.
    stories: Vec<Story>,
}

/// One host that took the message from another, as it says itself. All but the last may be invented.
#[derive(Debug, Serialize, PartialEq, Eq)]
pub(crate) struct Hop {
    from: String,
    by: String,
    /// `ESMTPS`, …
    with: String,
    at: Option<Timestamp>,
    /// Seconds since the hop before.
    took_secs: Option<i64>,
}

/// What this host did with it.
#[derive(Debug, Serialize)]
pub(crate) struct Story {
    id: String,
    lines: Vec<Line>,
}

#[derive(Debug, Serialize)]
struct Line {
    at: Timestamp,
    mood: Mood,
    text: String,
    details: Vec<String>,
}

/// Tells it.
pub(crate) async fn tell(app: &App, caller: &Caller, key: &MessageKey) -> Result<Told, ApiError> {
    let raw = caller.desk.raw(key).await?;
    let message = Message::parse(&raw);
    let root = message.root();
    let hops = hops_of(root.fields().filter(|field| field.is("Received")).map(|field| parse(field.value)));
    let message_id = root.message_id().map(|id| id.to_string());
    let (journal, folder) = (app.host.journal().clone(), app.host.journal_folder());
    let own = caller.account.address.clone();
    let stories = tokio::task::spawn_blocking(move || {
        let Some(message_id) = message_id else { return Ok(Vec::new()) };
        journal.flush();
        stories(&Reader::new(folder), message_id, &own)
    });
    let unavailable =
        || ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "failed", "the journal can't be read");
    let stories = stories.await.map_err(|_| unavailable())?.map_err(|_| unavailable())?;
    Ok(Told { hops, stories })
}

/// Anybody may write any Message-ID into a message, so only what was from or for this person is told.
fn stories(reader: &Reader, message_id: String, own: &Mailbox) -> std::io::Result<Vec<Story>> {
    let accepted = reader.find(&Query::MessageId(message_id), Direction::NewestFirst, STORIES_MAX)?;
    let mut by_id: BTreeMap<String, Vec<Record>> = BTreeMap::new();
    for id in accepted.iter().filter_map(|record| record.event.queue_id()) {
        if !by_id.contains_key(id) {
            let records = reader.find(&Query::QueueId(id.to_owned()), Direction::OldestFirst, RECORDS_MAX)?;
            by_id.insert(id.to_owned(), records);
        }
    }
    let told = by_id.into_iter().filter_map(|(id, records)| {
        let lines: Vec<Line> = own_part(&records, own).iter().map(line_of).collect();
        (!lines.is_empty()).then_some(Story { id, lines })
    });
    Ok(told.collect())
}

/// Of the records about one acceptance, those that this person may see, without the others' names.
fn own_part(records: &[Record], own: &Mailbox) -> Vec<Record> {
    let is_author = records.iter().any(|record| {
        matches!(&record.event, Event::Accepted { from, session: Some(_), .. } if from.mailbox() == Some(own))
    });
    if is_author {
        let is_own =
            |record: &&Record| !matches!(record.event, Event::Fetched { .. } | Event::Operator { .. });
        return records.iter().filter(is_own).cloned().collect();
    }
    let concerns = |event: &Event| matches!(event, Event::Outcome { to, .. } if to == own);
    if !records.iter().any(|record| concerns(&record.event)) {
        return Vec::new();
    }
    let kept = records.iter().filter_map(|record| match &record.event {
        Event::Accepted { id, session, peer, from, to, size_octets, message_id, reason } => {
            let to = to.iter().filter(|path| path.mailbox() == Some(own)).cloned().collect();
            let event = Event::Accepted {
                id: id.clone(),
                session: *session,
                peer: *peer,
                from: from.clone(),
                to,
                size_octets: *size_octets,
                message_id: message_id.clone(),
                reason: reason.clone(),
            };
            Some(Record { at: record.at, event })
        }
        event if concerns(event) => Some(record.clone()),
        Event::Fetched { account, .. } if account == own => Some(record.clone()),
        _ => None,
    });
    kept.collect()
}

fn line_of(record: &Record) -> Line {
    let (mood, text, details) = sentence(&record.event);
    Line { at: record.at, mood, text, details }
}

/// The newest field stands first; the way is told from its beginning.
fn hops_of<'a>(fields: impl Iterator<Item = Received<'a>>) -> Vec<Hop> {
    let mut fields: Vec<Received<'a>> = fields.take(HOPS_MAX).collect();
    fields.reverse();
    let mut before: Option<Timestamp> = None;
    let hop = |field: Received<'a>| {
        let at = field.date.map(|date| date.instant);
        let took_secs = at.zip(before).map(|(at, before)| at.as_second() - before.as_second());
        before = at.or(before);
        let text =
            |clause: Option<std::borrow::Cow<'_, str>>| clause.map(|text| shown(&text)).unwrap_or_default();
        Hop { from: text(field.from), by: text(field.by), with: text(field.with), at, took_secs }
    };
    fields.into_iter().map(hop).collect()
}

/// A stranger's word, short and without what would turn text around.
fn shown(text: &str) -> String {
    let is_plain =
        |c: &char| !c.is_control() && !matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars().filter(is_plain).take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use posta_address::{ForwardPath, ReversePath};
    use posta_journal::Fate;

    fn mailbox(text: &str) -> Mailbox {
        text.parse().expect("a mailbox")
    }

    fn at(event: Event) -> Record {
        Record { at: Timestamp::UNIX_EPOCH, event }
    }

    fn accepted(from: &str, to: &[&str]) -> Record {
        at(Event::Accepted {
            id: "1".into(),
            session: Some(1),
            peer: None,
            from: ReversePath::Mailbox(mailbox(from)),
            to: to.iter().map(|to| ForwardPath::Mailbox(mailbox(to))).collect(),
            size_octets: 1,
            message_id: Some("m@x.example".into()),
            reason: "hosted domain".into(),
        })
    }

    fn delivered(to: &str) -> Record {
        at(Event::Outcome {
            id: "1".into(),
            to: mailbox(to),
            original: None,
            fate: Fate::Delivered,
            host: None,
            detail: "in the maildrop".into(),
            next_attempt_at: None,
        })
    }

    #[test]
    fn others_who_got_it_are_not_named() {
        let records = [
            accepted("eve@far.example", &["alice@north.example", "carol@north.example"]),
            delivered("alice@north.example"),
            delivered("carol@north.example"),
        ];
        let told = format!("{:?}", own_part(&records, &mailbox("alice@north.example")));
        assert!(told.contains("alice") && !told.contains("carol"), "{told}");
        // A Message-ID is no proof that one got it.
        assert!(own_part(&records, &mailbox("mallory@north.example")).is_empty());
        // Who sent it may know all.
        let told = format!("{:?}", own_part(&records, &mailbox("eve@far.example")));
        assert!(told.contains("alice") && told.contains("carol"));
    }

    #[test]
    fn the_way_is_told_from_its_beginning() {
        let message = Message::parse(
            b"Received: from b.example by c.example with ESMTPS; Mon, 23 Nov 2026 12:00:05 +0000\r\n\
              Received: from [10.0.0.1] by b.example with ESMTPSA; Mon, 23 Nov 2026 13:00:02 +0100\r\n\r\n",
        );
        let fields = message.root().fields().filter(|field| field.is("Received"));
        let hops = hops_of(fields.map(|field| parse(field.value)));
        let shown: Vec<_> = hops.iter().map(|hop| (&*hop.by, &*hop.with, hop.took_secs)).collect();
        assert_eq!(shown, [("b.example", "ESMTPSA", None), ("c.example", "ESMTPS", Some(3))]);
    }
}
