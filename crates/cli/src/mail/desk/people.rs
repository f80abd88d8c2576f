//! `contacts`: the address book.

use super::Place;
use crate::{
    mail::{DONE, send::read_file},
    output::{GOOD, say, say_json, say_table, styled},
};
use anyhow::Context;
use posta_ua::{
    desk::{Contact, ContactKey, DeskError, limits::VCARD_OCTETS_MAX},
    terminal::harmless_line,
};
use std::path::PathBuf;

/// The address book: list, add, remove, read and write vCards
#[derive(Debug, clap::Args)]
pub(crate) struct Contacts {
    #[command(subcommand)]
    action: Option<Action>,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Who may be meant by what is typed
    Complete { typed: String },
    /// Add somebody
    Add {
        name: String,
        #[arg(required = true)]
        addresses: Vec<String>,
    },
    /// Remove somebody
    Remove { key: String },
    /// Read a file of vCards (RFC 6350, and older ones)
    Import { file: PathBuf },
    /// Write all as vCards to standard output
    Export,
}

impl Contacts {
    pub(crate) async fn run(self) -> anyhow::Result<u8> {
        let (action, json) = (self.action, self.place.json);
        self.place
            .with(async |home| {
                let desk = home.desk();
                match action {
                    None => {
                        let contacts = desk.contacts().await?;
                        if json {
                            say_json(&contacts)?;
                            return Ok(DONE);
                        }
                        let cells = contacts.iter().map(|contact| {
                            let key = contact.key.as_ref().map(ToString::to_string).unwrap_or_default();
                            vec![
                                key,
                                harmless_line(&contact.name),
                                harmless_line(&contact.addresses.join(", ")),
                            ]
                        });
                        say_table(&["Key", "Name", "Addresses"], cells.collect(), "nobody")?;
                    }
                    Some(Action::Complete { typed }) => {
                        let found = desk.complete_address(&typed, 20).await?;
                        if json {
                            say_json(&found)?;
                            return Ok(DONE);
                        }
                        for one in found {
                            // As mutt's query_command reads it.
                            let (address, name) = (&one.person.address, &one.person.name);
                            say(format!("{}\t{}", harmless_line(address), harmless_line(name)))?;
                        }
                    }
                    Some(Action::Add { name, addresses }) => {
                        let key =
                            desk.put_contact(&Contact { name, addresses, ..Contact::default() }).await?;
                        if json { say_json(&key)? } else { say(styled(GOOD, format_args!("added {key}")))? }
                    }
                    Some(Action::Remove { key }) => {
                        let key = ContactKey::new(key);
                        if !desk.contacts().await?.iter().any(|contact| contact.key.as_ref() == Some(&key)) {
                            return Err(DeskError::NotFound(format!("the contact {key}")).into());
                        }
                        desk.remove_contact(&key).await?;
                        say(styled(GOOD, "removed"))?;
                    }
                    Some(Action::Import { file }) => {
                        let octets = read_file(&file, VCARD_OCTETS_MAX as u64)?;
                        let text = String::from_utf8(octets).context("the file is not UTF-8")?;
                        let count = desk.import_contacts(&text).await?;
                        if json { say_json(&count)? } else { say(format!("{count} imported"))? }
                    }
                    Some(Action::Export) => say(desk.export_contacts().await?.trim_end())?,
                }
                Ok(DONE)
            })
            .await
    }
}
