//! What happened to a letter, told in plain words from the records: the engine of `posta explain`.

mod sentence;

pub(crate) use sentence::is_login;
pub use sentence::{advice, log, sentence};

use crate::{Direction, Event, Fate, Query, Reader, Record, limits};
use jiff::{Timestamp, tz::TimeZone};
use posta_address::Mailbox;
use serde::Serialize;
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    io,
    ops::ControlFlow,
};

/// How something went, for colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mood {
    /// A step on the way.
    Plain,
    /// It went well.
    Good,
    /// It waits, or failed for now.
    Waiting,
    /// It failed or was refused.
    Bad,
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// When.
    pub at: Timestamp,
    /// How it went.
    pub mood: Mood,
    /// One sentence.
    pub text: String,
    /// What belongs to it: DNS steps, the peer's words, what can be done.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<String>,
}

/// What happened to one message (one acceptance), or what was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Story {
    /// Its queue id; absent for what never was accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// What the story is about.
    pub title: String,
    /// In the order of time.
    pub lines: Vec<Line>,
    /// How things stand at the end.
    pub mood: Mood,
    /// The same in words.
    pub standing: String,
}

/// All stories that a question brought up, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// The stories.
    pub stories: Vec<Story>,
    /// Whether there are older ones that were left out ([`limits::STORIES_MAX`]).
    pub older_left_out: bool,
}

/// What `text` may mean: a queue id, a `Message-ID`, an address (then perhaps also a `Message-ID`), a
/// peer's IP address. Empty when it is none of these.
pub fn guess(text: &str) -> Vec<Query> {
    let text = text.trim();
    if text.len() == 13 && text.bytes().all(|octet| octet.is_ascii_alphanumeric()) {
        return vec![Query::QueueId(text.to_ascii_lowercase())];
    }
    if let Ok(address) = text.parse() {
        return vec![Query::Peer(address)];
    }
    if !text.contains('@') {
        return Vec::new();
    }
    let mut queries = vec![Query::MessageId(text.to_owned())];
    if let Ok(mailbox) = Mailbox::parse(crate::query::bare(text)) {
        queries.push(Query::Address(mailbox));
    }
    queries
}

/// Tells all that the journal knows about what `queries` name, bounces followed.
pub fn explain(reader: &Reader, queries: &[Query]) -> io::Result<Explanation> {
    // A few events per story: enough records to fill all stories that are told.
    let records_max = limits::STORIES_MAX * 40;
    let mut ids: HashSet<String> = HashSet::new();
    let mut refused: Vec<Record> = Vec::new();
    let mut older_left_out = false;
    for query in queries {
        for record in reader.find(query, Direction::NewestFirst, records_max)? {
            if ids.len() + refused.len() >= limits::STORIES_MAX {
                older_left_out = true;
                break;
            }
            match record.event.queue_id() {
                Some(id) => drop(ids.insert(id.to_owned())),
                None if matches!(record.event, Event::Refused { .. }) && !refused.contains(&record) => {
                    refused.push(record);
                }
                None => {}
            }
        }
        if let Query::QueueId(id) = query {
            ids.insert(id.clone());
        }
    }
    let mut by_id: BTreeMap<String, Vec<Record>> = BTreeMap::new();
    for record in records_of(reader, ids)? {
        if let Some(id) = record.event.queue_id() {
            by_id.entry(id.to_owned()).or_default().push(record);
        }
    }
    let mut stories: Vec<Story> = by_id.into_iter().map(|(id, records)| story_of(id, &records)).collect();
    stories.extend(refused.iter().map(story_of_refusal));
    stories.sort_by_key(|story| story.lines.first().map(|line| line.at));
    Ok(Explanation { stories, older_left_out })
}

/// All records with these ids, and with those of the reports about them, and what those report about.
fn records_of(reader: &Reader, mut ids: HashSet<String>) -> io::Result<Vec<Record>> {
    loop {
        let mut linked: HashSet<String> = HashSet::new();
        let mut found = Vec::new();
        reader.scan(Direction::OldestFirst, |line| {
            if quoted_ids(line).any(|id| ids.contains(id))
                && let Ok(record) = serde_json::from_slice::<Record>(line)
            {
                if let Event::Reported { id, report, .. } = &record.event {
                    linked.extend([id.clone(), report.clone()]);
                }
                if record.event.queue_id().is_some_and(|id| ids.contains(id)) {
                    found.push(record);
                }
            }
            ControlFlow::Continue(())
        })?;
        let known = ids.len();
        if ids.len() < 2 * limits::STORIES_MAX {
            ids.extend(linked);
        }
        if ids.len() == known {
            return Ok(found);
        }
    }
}

/// The values of `"id"` and `"report"` in a line, without parsing it.
fn quoted_ids(line: &[u8]) -> impl Iterator<Item = &str> {
    [b"\"id\":\"".as_slice(), b"\"report\":\"".as_slice()].into_iter().filter_map(|key| {
        let start = memchr::memmem::find(line, key)? + key.len();
        let end = start + memchr::memchr(b'"', &line[start..])?;
        std::str::from_utf8(&line[start..end]).ok()
    })
}

fn line_of(record: &Record) -> Line {
    let (mood, text, details) = sentence(&record.event);
    Line { at: record.at, mood, text, details }
}

fn story_of(id: String, records: &[Record]) -> Story {
    let accepted = records.iter().find_map(|record| match &record.event {
        Event::Accepted { from, to, .. } => Some((from, to)),
        _ => None,
    });
    let title = match accepted {
        Some((from, to)) => {
            let to: Vec<String> = to.iter().take(3).map(ToString::to_string).collect();
            format!("{id}: from {from} to {}{}", to.join(", "), if to.len() == 3 { " …" } else { "" })
        }
        None => format!("{id}: its beginning is no longer in the journal"),
    };
    let (mood, standing) = standing(records, accepted.is_some());
    Story { title, lines: records.iter().map(line_of).collect(), mood, standing, id: Some(id) }
}

/// How things stand: the last fate of each recipient.
fn standing(records: &[Record], accepted: bool) -> (Mood, String) {
    let mut last: HashMap<&Mailbox, Fate> = HashMap::new();
    let mut deleted = false;
    for record in records {
        match &record.event {
            Event::Outcome { to, fate, .. } => drop(last.insert(to, *fate)),
            Event::Operator { id: Some(_), action } if action.starts_with("deleted") => deleted = true,
            _ => {}
        }
    }
    let count = |wanted: Fate| last.values().filter(|fate| **fate == wanted).count();
    let mut parts = Vec::new();
    for (fate, words) in [
        (Fate::Delivered, "delivered"),
        (Fate::Relayed, "handed over to the next host"),
        (Fate::Bounced, "failed, the sender was told"),
        (Fate::Discarded, "dropped by a rule"),
        (Fate::Deferred, "waiting for the next attempt"),
    ] {
        match count(fate) {
            0 => {}
            1 => parts.push(format!("1 recipient {words}")),
            several => parts.push(format!("{several} recipients {words}")),
        }
    }
    let mood = match () {
        () if count(Fate::Bounced) > 0 => Mood::Bad,
        () if count(Fate::Deferred) > 0 => Mood::Waiting,
        () if last.is_empty() => Mood::Waiting,
        () => Mood::Good,
    };
    match (parts.is_empty(), deleted, accepted) {
        (_, true, _) => (Mood::Bad, "the operator deleted it from the queue".into()),
        (false, ..) => (mood, parts.join("; ")),
        (true, _, true) => (Mood::Waiting, "in the queue; no attempt has ended yet".into()),
        (true, _, false) => (Mood::Plain, "nothing more is known of it".into()),
    }
}

fn story_of_refusal(record: &Record) -> Story {
    let (title, standing) = match &record.event {
        Event::Refused { peer, stage, .. } if is_login(stage) => {
            (format!("refused: a login from {peer}"), "nobody was let in")
        }
        Event::Refused { from, to, peer, .. } => {
            let from = from.as_ref().map_or_else(String::new, |from| format!(" from {from}"));
            let to = to.as_ref().map_or_else(String::new, |to| format!(" to {to}"));
            let mail = if from.is_empty() && to.is_empty() { "what it said" } else { "mail" };
            let standing = match mail {
                "mail" => "never accepted: the peer still has it, and its own host tells the sender",
                _ => "nothing was accepted",
            };
            (format!("refused: {mail}{from}{to}, offered by {peer}"), standing)
        }
        _ => ("refused".into(), "nothing was accepted"),
    };
    Story { id: None, title, lines: vec![line_of(record)], mood: Mood::Bad, standing: standing.into() }
}

impl Explanation {
    /// As plain text; times in `zone`.
    pub fn text(&self, zone: &TimeZone) -> String {
        let mut text = String::new();
        for story in &self.stories {
            text.push_str(&format!("{}\n", story.title));
            for line in &story.lines {
                text.push_str(&format!("  {}  {}\n", clock_time(line.at, zone), line.text));
                for detail in &line.details {
                    text.push_str(&format!("      {detail}\n"));
                }
            }
            text.push_str(&format!("  → {}\n\n", story.standing));
        }
        text
    }
}

/// `2026-11-23 18:45:00` in the zone.
pub fn clock_time(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned_datetime(zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

#[cfg(test)]
mod tests;
