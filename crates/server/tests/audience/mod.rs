//! People with live sessions, as the dialogues have them.

use posta_server::presence::{LiveSession, Notice};
use std::{collections::HashMap, time::Duration};
use tokio::{sync::mpsc, task::JoinHandle};

/// How long something that is to be shown may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// All who are there, with what they are shown.
#[derive(Default)]
pub(crate) struct Audience {
    people: HashMap<String, Person>,
    last: Option<Notice>,
}

struct Person {
    sessions: Vec<JoinHandle<()>>,
    seen: mpsc::UnboundedReceiver<Notice>,
    see: mpsc::UnboundedSender<Notice>,
}

impl Drop for Person {
    fn drop(&mut self) {
        self.sessions.iter().for_each(JoinHandle::abort);
    }
}

impl Audience {
    /// Somebody is there, and shows all that is offered.
    pub(crate) fn enter(&mut self, address: &str, mut session: LiveSession) {
        let person = self.people.entry(address.to_owned()).or_insert_with(|| {
            let (see, seen) = mpsc::unbounded_channel();
            Person { sessions: Vec::new(), seen, see }
        });
        let see = person.see.clone();
        person.sessions.push(tokio::spawn(async move {
            loop {
                let offered = session.next().await;
                let _ = see.send(offered.notice().clone());
                offered.take();
            }
        }));
    }

    /// All of somebody's sessions end.
    pub(crate) async fn leave(&mut self, address: &str) -> Result<(), String> {
        let mut person = self.people.remove(address).ok_or("is not there")?;
        for session in std::mem::take(&mut person.sessions) {
            session.abort();
            let _ = session.await;
        }
        Ok(())
    }

    /// `ADDRESS: KIND SENDER`, or `ADDRESS: nothing`.
    pub(crate) async fn check(&mut self, rest: &str) -> Result<(), String> {
        let (address, expected) = rest.split_once(": ").ok_or("shown ADDRESS: KIND SENDER")?;
        let person = self.people.get_mut(address).ok_or("is not there")?;
        if expected == "nothing" {
            return match person.seen.try_recv() {
                Ok(notice) => Err(format!("was shown {notice:?}")),
                Err(_) => Ok(()),
            };
        }
        let notice = tokio::time::timeout(PATIENCE, person.seen.recv()).await;
        let notice = notice.map_err(|_| "was shown nothing")?.ok_or("has gone")?;
        let kind = serde_json::to_value(notice.kind).map_err(|error| error.to_string())?;
        let found = format!("{} {}", kind.as_str().unwrap_or_default(), notice.sender);
        if notice.to.to_string() != address {
            return Err(format!("was meant for {}", notice.to));
        }
        self.last = Some(notice);
        if found == expected { Ok(()) } else { Err(format!("was shown {found}")) }
    }

    /// What is in the last notice that was named.
    pub(crate) fn check_words(&self, words: &str) -> Result<(), String> {
        let notice = self.last.as_ref().ok_or("nothing was shown")?;
        let all = format!("{}\n{}\n{}", notice.from, notice.subject, notice.text);
        if all.contains(words) { Ok(()) } else { Err(format!("it says {all:?}")) }
    }
}
