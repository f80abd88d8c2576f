//! Messages shown as they come: what a terminal that stays (`posta mail watch`) shows.
//!
//! Where they come from is a [`Feed`]: the server of this machine, which also shows what is sent to be seen at
//! once, or a maildrop anywhere that is looked into from time to time ([`Polling`]).

use crate::{
    ConnectError, Endpoint, Maildrop, MaildropError, Outside, Summary,
    limits::{HEADER_OCTETS_MAX, SHOWN_OCTETS_MAX},
    terminal::{harmless, harmless_line},
};
use async_trait::async_trait;
use jiff::{Timestamp, tz::TimeZone};
use posta_pop3::client::Credentials;
use serde::Serialize;
use std::{
    collections::{HashSet, VecDeque},
    fmt::Write,
    time::Duration,
};
use thiserror::Error;

/// Something to show. Its texts may be as a stranger wrote them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct News {
    /// What it is.
    pub kind: NewsKind,
    /// When it came.
    pub at: Timestamp,
    /// The envelope's sender, as far as known; `<>` for a report.
    pub sender: Option<String>,
    /// The author as the message has it; empty where it has none.
    pub from: String,
    /// Decoded; empty where there is none.
    pub subject: String,
    /// The text, or its beginning.
    pub text: String,
    /// There is more than `text`.
    pub is_partial: bool,
}

/// What it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum NewsKind {
    /// Sent to be seen at once, and kept nowhere.
    Message,
    /// Likewise, and in the maildrop as well.
    MessageAndMail,
    /// Mail has come into the maildrop.
    Mail,
}

/// Lines that are shown of mail, which can be read at leisure.
const MAIL_LINES_MAX: usize = 5;

impl News {
    /// As a terminal shows it: nothing in it is obeyed.
    pub fn shown(&self, zone: &TimeZone) -> String {
        let kind = match self.kind {
            NewsKind::Message => "Message from",
            NewsKind::MessageAndMail => "Message (kept as mail) from",
            NewsKind::Mail => "Mail from",
        };
        let sender = self.sender.as_deref().map(harmless_line);
        let author = match (self.from.is_empty(), &sender) {
            (false, Some(sender)) if !self.from.contains(sender.trim_matches(['<', '>'])) => {
                format!("{} (sent by {sender})", harmless_line(&self.from))
            }
            (false, _) => harmless_line(&self.from),
            (true, Some(sender)) => sender.clone(),
            (true, None) => "somebody".to_owned(),
        };
        let at = self.at.to_zoned_datetime(zone.clone()).strftime("%H:%M:%S").to_string();
        let mut shown = format!("{at}  {kind} {author}");
        if !self.subject.is_empty() {
            let _ = write!(shown, "\n    Subject: {}", harmless_line(&self.subject));
        }
        let text = harmless(&self.text);
        let lines_max = if self.kind == NewsKind::Mail { MAIL_LINES_MAX } else { usize::MAX };
        let lines = text.trim_end().lines();
        let is_cut = lines.clone().nth(lines_max).is_some();
        for line in lines.take(lines_max) {
            let _ = write!(shown, "\n    {line}");
        }
        if is_cut || self.is_partial && self.kind != NewsKind::Message {
            shown.push_str("\n    … (`posta mail read` shows it whole)");
        }
        shown
    }
}

/// Why nothing comes any more. Trying again may help.
#[derive(Debug, Error)]
#[error("{0}")]
pub struct FeedError(pub String);

impl From<MaildropError> for FeedError {
    fn from(error: MaildropError) -> Self {
        FeedError(error.to_string())
    }
}

impl From<ConnectError> for FeedError {
    fn from(error: ConnectError) -> Self {
        FeedError(error.to_string())
    }
}

/// Where news come from.
#[async_trait]
pub trait Feed: Send {
    /// Waits for the next.
    async fn next(&mut self) -> Result<News, FeedError>;
    /// What came last is on the screen.
    async fn shown(&mut self) -> Result<(), FeedError>;
}

/// A maildrop that is looked into from time to time: new mail, from anywhere.
pub struct Polling {
    outside: Outside,
    endpoint: Endpoint,
    credentials: Credentials,
    pause: Duration,
    /// What was there when it was last looked into; none before the first time.
    known: Option<HashSet<String>>,
    found: VecDeque<News>,
}

impl Polling {
    /// Looks into it every `pause`. What is there already is no news.
    pub fn new(outside: Outside, endpoint: Endpoint, credentials: Credentials, pause: Duration) -> Self {
        Polling { outside, endpoint, credentials, pause, known: None, found: VecDeque::new() }
    }

    /// Looks into the maildrop, and remembers what is new.
    pub async fn look(&mut self) -> Result<(), FeedError> {
        let credentials = self.credentials.clone();
        let mut maildrop =
            Maildrop::open(&self.outside, &self.endpoint, credentials, SHOWN_OCTETS_MAX, None).await?;
        let mut there = HashSet::new();
        for listed in maildrop.list().await? {
            // A server without UIDL tells only how many there are.
            let id = listed.unique_id.clone().unwrap_or_else(|| listed.number.to_string());
            if self.known.as_ref().is_some_and(|known| !known.contains(&id)) {
                let header = maildrop.header(listed.number, HEADER_OCTETS_MAX).await?;
                let at = self.outside.clock.timestamp();
                self.found.push_back(news(&Summary::of(&header), at));
            }
            there.insert(id);
        }
        maildrop.quit().await?;
        self.known = Some(there);
        Ok(())
    }
}

fn news(summary: &Summary, at: Timestamp) -> News {
    let from = match summary.from == summary.from_address {
        true => summary.from.clone(),
        false => format!("{} <{}>", summary.from, summary.from_address),
    };
    News {
        kind: NewsKind::Mail,
        at,
        sender: None,
        from,
        subject: summary.subject.clone(),
        text: String::new(),
        is_partial: true,
    }
}

#[async_trait]
impl Feed for Polling {
    async fn next(&mut self) -> Result<News, FeedError> {
        loop {
            if let Some(news) = self.found.pop_front() {
                return Ok(news);
            }
            tokio::time::sleep(self.pause).await;
            self.look().await?;
        }
    }

    async fn shown(&mut self) -> Result<(), FeedError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn news(kind: NewsKind, from: &str, subject: &str, text: &str) -> News {
        News {
            kind,
            at: Timestamp::UNIX_EPOCH,
            sender: Some("<ada@north.example>".into()),
            from: from.into(),
            subject: subject.into(),
            text: text.into(),
            is_partial: false,
        }
    }

    #[test]
    fn what_a_terminal_shows() {
        let long = "1\r\n2\r\n3\r\n4\r\n5\r\n6\r\n";
        let table = [
            (
                news(NewsKind::Message, "Ada <ada@north.example>", "Lunch?", "Now.\r\nAt five.\r\n"),
                "00:00:00  Message from Ada <ada@north.example>\n    Subject: Lunch?\n    Now.\n    At five.",
            ),
            (
                news(NewsKind::Message, "", "", "\u{1b}]0;owned\u{7}\u{1b}[2J"),
                "00:00:00  Message from <ada@north.example>\n    ␛]0;owned␇␛[2J",
            ),
            (
                news(
                    NewsKind::MessageAndMail,
                    "Bob\r\n00:00:01  Message from <boss@north.example>",
                    "a\nb",
                    "",
                ),
                "00:00:00  Message (kept as mail) from Bob 00:00:01  Message from <boss@north.example> \
                 (sent by <ada@north.example>)\n    Subject: a b",
            ),
            (
                news(NewsKind::Mail, "ada@north.example", "", long),
                "00:00:00  Mail from ada@north.example\n    1\n    2\n    3\n    4\n    5\n    \
                 … (`posta mail read` shows it whole)",
            ),
        ];
        for (news, expected) in table {
            assert_eq!(news.shown(&TimeZone::UTC), expected);
        }
    }
}
