//! `move`, `archive`, `trash`, `flag`, `mark`, `label`, `snooze`: what becomes of messages.

use super::{Chosen, Place, folder, later};
use posta_ua::desk::{Change, FolderKey, FolderRole};

macro_rules! command {
    ($(#[$doc:meta])* $name:ident { $($(#[$attribute:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[derive(Debug, clap::Args)]
        pub(crate) struct $name {
            $($(#[$attribute])* $field: $type,)*
            #[command(flatten)]
            chosen: Chosen,
            #[command(flatten)]
            place: Place,
        }
    };
}

command! {
    /// Move messages into a folder
    Move {
        /// Which folder: its name, or inbox, archive, junk, trash
        #[arg(value_name = "FOLDER")]
        folder: String,
    }
}
command! {
    /// Move messages to Archive
    Archive {}
}
command! {
    /// Move messages to Trash
    Trash {}
}
command! {
    /// Flag messages
    Flag {
        /// Take the flag off
        #[arg(long)]
        off: bool,
    }
}
command! {
    /// Mark messages as read, or as unread
    Mark {
        /// As unread
        #[arg(long)]
        unread: bool,
    }
}
command! {
    /// Put labels on messages, or take them off
    Labels {
        /// Put this label on; can be repeated
        #[arg(long, short, value_name = "LABEL", required_unless_present = "remove")]
        add: Vec<String>,
        /// Take this label off; can be repeated
        #[arg(long, short, value_name = "LABEL")]
        remove: Vec<String>,
    }
}
command! {
    /// Put messages out of sight until a time; they come back to the Inbox then
    Snooze {
        /// Until when: 2h, tomorrow, monday, 18:30, "2026-12-24 18:30"
        #[arg(long, short, value_name = "TIME", required_unless_present = "wake")]
        until: Option<String>,
        /// Bring them back now
        #[arg(long, conflicts_with = "until")]
        wake: bool,
    }
}

/// Carries a change out, on what is chosen.
macro_rules! carry_out {
    ($command:ident, |$desk:ident, $selection:ident| $change:expr) => {
        $command
            .place
            .with(async |home| {
                let $desk = home.desk();
                let $selection = $command.chosen.selection($desk).await?;
                let change = $change;
                $command.place.tell(&$desk.change(&change).await?)
            })
            .await
    };
}

impl Move {
    pub(crate) async fn run(self) -> anyhow::Result<u8> {
        carry_out!(self, |desk, selection| Change::Move {
            selection,
            folder: folder(desk, &self.folder).await?
        })
    }
}

impl Archive {
    pub(crate) async fn run(self) -> anyhow::Result<u8> {
        let folder = FolderKey::of(FolderRole::Archive);
        carry_out!(self, |desk, selection| Change::Move { selection, folder })
    }
}

impl Trash {
    pub(crate) async fn run(self) -> anyhow::Result<u8> {
        let folder = FolderKey::of(FolderRole::Trash);
        carry_out!(self, |desk, selection| Change::Move { selection, folder })
    }
}

impl Flag {
    pub(crate) async fn run(self) -> anyhow::Result<u8> {
        carry_out!(self, |desk, selection| Change::Flag { selection, flagged: !self.off })
    }
}

impl Mark {
    pub(crate) async fn run(self) -> anyhow::Result<u8> {
        carry_out!(self, |desk, selection| Change::Read { selection, read: !self.unread })
    }
}

impl Labels {
    pub(crate) async fn run(self) -> anyhow::Result<u8> {
        let (add, remove) = (self.add.clone(), self.remove.clone());
        carry_out!(self, |desk, selection| Change::Label { selection, add, remove })
    }
}

impl Snooze {
    pub(crate) async fn run(self) -> anyhow::Result<u8> {
        let until = self.until.as_deref().map(later).transpose()?;
        carry_out!(self, |desk, selection| Change::Snooze { selection, until })
    }
}
