//! `posta mail delete`.

use super::{
    DONE,
    identity::Identity,
    selection::{self, Selection, count},
};
use crate::output::{GOOD, say, styled};
use anyhow::Context;
use posta_ua::{Summary, limits};

/// Delete messages from the maildrop
#[derive(Debug, clap::Args)]
pub(super) struct Delete {
    /// Numbers of messages as `list` shows them, or unique-ids (which stay the same when others come and go)
    #[arg(value_name = "N", required = true)]
    messages: Vec<Selection>,
    #[command(flatten)]
    identity: Identity,
}

impl Delete {
    /// All or nothing: the server removes only after QUIT, which is said only when all are marked.
    pub(super) async fn run(self) -> anyhow::Result<u8> {
        let nothing = "nothing was deleted";
        let mut maildrop = self.identity.open_maildrop(limits::SHOWN_OCTETS_MAX).await.context(nothing)?;
        let found = selection::find(&mut maildrop, &self.messages).await.context(nothing)?;
        let mut summaries = Vec::new();
        for listed in &found {
            let header = maildrop.header(listed.number, limits::HEADER_OCTETS_MAX).await.context(nothing)?;
            summaries.push(Summary::of(&header));
            maildrop.delete(listed.number).await.context(nothing)?;
        }
        maildrop.quit().await.context("the server may have deleted some of them or none")?;
        for (listed, summary) in found.iter().zip(summaries) {
            say(format!(
                "{} {}  {}: {}",
                styled(GOOD, "deleted"),
                listed.number,
                summary.from,
                summary.subject
            ))?;
        }
        if found.len() > 1 {
            say(format!("{} deleted", count(found.len())))?;
        }
        Ok(DONE)
    }
}
