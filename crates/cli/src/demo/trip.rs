//! The trip: Alice writes, two hosts hand on, Bob fetches and reads.

use super::{
    Town, host, letter,
    place::{NORTH, SOUTH},
    stage::NamedNetwork,
};
use crate::output::{BAD, FAINT, GOOD, STRONG, styled};
use anyhow::{Context, bail};
use posta_journal::{
    Reader,
    story::{self, Explanation, Mood},
};
use posta_message::Message;
use posta_pop3::client::{Credentials, LoginMethod};
use posta_ua::{Endpoint, Letter, Maildrop, Outside};
use posta_wire::Secret;
use std::{net::SocketAddr, sync::Arc, time::Duration};

/// How long the hosts may take; on loopback it is milliseconds.
const ARRIVAL_MAX: Duration = Duration::from_secs(30);
/// How long to wait for a dialogue's last words.
const FAREWELL_MAX: Duration = Duration::from_secs(3);
/// Messages that Bob's program looks at.
const MESSAGES_MAX: usize = 50;
/// Octets that Bob's program takes.
const LETTER_OCTETS_MAX: u64 = 1 << 20;

/// Makes the trip; an error says which step failed.
pub(crate) async fn make(town: &Town) -> anyhow::Result<()> {
    let title = |text: &str| format!("\n{}", styled(STRONG, format!("● {text}")));
    let chapter = |text: &str| town.stage.say(&title(text));
    chapter("Alice writes to Bob, and hands the letter to her host by SMTP");
    // Her host is quick: it may be at this before she has hung up.
    town.stage.say_after(title("Her host finds Bob's through the DNS, and hands the letter on by SMTP"));
    let letter = submit(town).await.context("Alice's letter was not taken")?;
    arrive(town, &letter).await.context("the letter did not arrive")?;
    chapter("Bob fetches his mail by POP3");
    let octets = fetch(town, &letter).await.context("Bob could not fetch the letter")?;
    town.stage.end_order();
    chapter("This is what Bob reads");
    for line in letter::read(&octets).context("the letter is not what Alice wrote")? {
        town.stage.say(&format!("   {line}"));
    }
    chapter("And this is what the hosts' journals know of it (posta explain)");
    tell(town, &letter)?;
    audit(town).await
}

async fn submit(town: &Town) -> anyhow::Result<Letter> {
    let outside = outside(town, "Alice's mail program");
    let letter = letter::write(outside.clock.timestamp(), outside.entropy.next_u64())?;
    town.south.arrival.expect(letter.message_id.as_str());
    let outcomes = posta_ua::submit(&outside, &endpoint(town.north.endpoints.smtp)?, &letter, None).await?;
    for (mailbox, outcome) in outcomes {
        if let Err(failure) = outcome {
            bail!("{} was refused: {failure:?}", mailbox);
        }
    }
    Ok(letter)
}

/// Waits until the letter is in both maildrops, and what the hosts had to say to each other is said.
async fn arrive(town: &Town, letter: &Letter) -> anyhow::Result<()> {
    let mut delivered = town.south.arrival.delivered.subscribe();
    let wanted = letter.recipients.len();
    let waiting = delivered.wait_for(|count| *count >= wanted);
    if tokio::time::timeout(ARRIVAL_MAX, waiting).await.is_err() {
        tell(town, letter)?;
        bail!("it is not in the maildrops after {} s", ARRIVAL_MAX.as_secs());
    }
    // Not arriving here in time is no failure: it only looks less tidy.
    let _ = tokio::time::timeout(FAREWELL_MAX, town.stage.silence()).await;
    Ok(())
}

async fn fetch(town: &Town, letter: &Letter) -> anyhow::Result<Vec<u8>> {
    let [bob, _] = &SOUTH.people;
    let outside = outside(town, "Bob's mail program");
    let (user, secret) = (bob.address.to_owned(), Secret::new(bob.password));
    let credentials = Credentials { user, secret, method: LoginMethod::Password };
    let endpoint = endpoint(town.south.endpoints.pop3)?;
    let mut maildrop = Maildrop::open(&outside, &endpoint, credentials, LETTER_OCTETS_MAX, None).await?;
    let listed = maildrop.list().await?;
    let mut found = None;
    // The newest, unless a visitor was quicker, or the folder is an old one.
    let fitting = listed.iter().rev().filter(|message| message.octets <= LETTER_OCTETS_MAX);
    for message in fitting.take(MESSAGES_MAX) {
        let octets = maildrop.read(message.number).await?;
        let wanted = host::bare(letter.message_id.as_str());
        if Message::parse(&octets).root().message_id().as_deref() == Some(wanted) {
            found = Some(octets);
            break;
        }
    }
    maildrop.quit().await?;
    let octets = found.context("it is not in his maildrop")?;
    let _ = tokio::time::timeout(FAREWELL_MAX, town.stage.silence()).await;
    Ok(octets)
}

fn outside(town: &Town, name: &'static str) -> Outside {
    Outside { network: Arc::new(NamedNetwork { stage: Arc::clone(&town.stage), name }), ..Outside::system() }
}

fn endpoint(address: SocketAddr) -> anyhow::Result<Endpoint> {
    Ok(Endpoint::parse(&address.to_string(), address.port())?)
}

/// The stories of both hosts.
fn tell(town: &Town, letter: &Letter) -> anyhow::Result<()> {
    for (organisation, host) in [(&NORTH, &town.north), (&SOUTH, &town.south)] {
        host.journal.flush();
        let queries = story::guess(letter.message_id.as_str());
        let explanation = story::explain(&Reader::new(host.folder.join("data/journal")), &queries)?;
        if explanation.stories.is_empty() {
            bail!("the journal of {} knows nothing of the letter", organisation.host);
        }
        town.stage.say(&format!("   {}:", styled(STRONG, organisation.host)));
        print(town, &explanation);
    }
    Ok(())
}

fn print(town: &Town, explanation: &Explanation) {
    for line in explanation.stories.iter().flat_map(|story| &story.lines) {
        let style = match line.mood {
            Mood::Good => GOOD,
            Mood::Bad | Mood::Waiting => BAD,
            Mood::Plain => anstyle::Style::new(),
        };
        town.stage.say(&format!("     {}", styled(style, &line.text)));
        for detail in &line.details {
            town.stage.say(&format!("       {}", styled(FAINT, detail)));
        }
    }
}

/// Nothing may be lost, here either.
async fn audit(town: &Town) -> anyhow::Result<()> {
    for (organisation, host) in [(&NORTH, &town.north), (&SOUTH, &town.south)] {
        let difference = host.audit().await?;
        if difference != 0 {
            bail!("the audit of {} has a difference of {difference}", organisation.host);
        }
    }
    Ok(())
}
