//! What an account's folders hold.

use super::{
    desk::{Desk, Refused},
    protocol::FolderInfo,
};
use posta_store::{AccountId, Flags, FolderId, MailboxSelection};
use std::collections::HashMap;

impl Desk {
    /// All folders, the empty ones too: those that everybody has, then the account's own by name.
    pub(super) async fn folder_infos(&self, account: AccountId) -> Result<Vec<FolderInfo>, Refused> {
        let mut held: HashMap<FolderId, (u64, u64, u64)> = HashMap::new();
        for message in self.store.mailbox(account, MailboxSelection::All).await?.messages {
            let (messages, unseen, octets) = held.entry(message.folder).or_default();
            *messages += 1;
            *unseen += u64::from(!message.flags.contains(Flags::SEEN));
            *octets += message.prefix.len() as u64 + message.content.size_octets;
        }
        let folders = self.store.folders(account).await?;
        let info = |folder: posta_store::Folder| {
            let (messages, unseen, octets) = held.get(&folder.id).copied().unwrap_or_default();
            FolderInfo { name: folder.name.to_string(), messages, unseen, octets }
        };
        Ok(folders.into_iter().map(info).collect())
    }
}
