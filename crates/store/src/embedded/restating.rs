//! Restating what an account's mailbox is, when the record that says it is about to go.

use super::fact::Fact;
use super::filing::MailboxState;
use super::log::LogWriter;
use super::rewriting::{Gathered, Rewriting};
use crate::{AccountId, DocumentName, MailboxChange, QueueId, StoreError};
use bytes::Bytes;
use std::collections::BTreeSet;

/// What a record speaks of.
#[derive(Default)]
pub(super) struct Named {
    folders: bool,
    messages: BTreeSet<QueueId>,
    documents: BTreeSet<DocumentName>,
}

impl Named {
    /// By changes.
    pub(super) fn by(changes: &[MailboxChange]) -> Self {
        let mut named = Named { folders: crate::mailbox::changes_folders(changes), ..Named::default() };
        for change in changes {
            match change {
                MailboxChange::Move { messages, .. }
                | MailboxChange::Flag { messages, .. }
                | MailboxChange::Label { messages, .. } => named.messages.extend(messages),
                MailboxChange::PutDocument { name, .. } | MailboxChange::RemoveDocument { name } => {
                    named.documents.insert(name.clone());
                }
                _ => {}
            }
        }
        named
    }

    /// By what was restated before.
    pub(super) fn of(state: &MailboxState) -> Self {
        Named {
            folders: state.folders.is_some(),
            messages: state.marks.iter().map(|(id, _)| *id).collect(),
            documents: state.documents.iter().map(|(name, _)| name.clone()).collect(),
        }
    }
}

impl LogWriter {
    /// What is true now of all that a record of this volume speaks of, as far as no younger record says so.
    pub(super) fn restate_mailbox(
        &mut self,
        account: AccountId,
        named: Named,
        rewriting: &Rewriting,
        gathered: &mut Gathered,
    ) -> Result<(), StoreError> {
        let volume = rewriting.volume;
        let has_older = rewriting.has_older;
        let state = self.core.ask_blocking(|index| {
            let mut state = MailboxState::default();
            if named.folders {
                // All of them, or none: an account that was removed has none.
                let folders = index.folder_rows(account)?;
                state.folders = (has_older || !folders.is_empty()).then_some(folders);
            }
            for id in &named.messages {
                // A content that lies in this volume or a younger one was, or will be, written again with
                // all that is noted on it.
                if index.content(*id)?.is_some_and(|row| row.volume < volume)
                    && let Some(place) = index.place(account, *id)?
                {
                    state.marks.push((*id, place.marks));
                }
            }
            for name in &named.documents {
                match index.document_row(account, name)? {
                    Some((_, at)) if at == volume => {
                        state.documents.push((name.clone(), index.document(account, name)?));
                    }
                    // A younger record has put it.
                    Some(_) => {}
                    None if has_older => state.documents.push((name.clone(), None)),
                    None => {}
                }
            }
            Ok(state)
        })?;
        if !state.is_empty() {
            gathered.add(&Fact::MailboxState { account, state: Box::new(state) }, Bytes::new());
        }
        Ok(())
    }
}
