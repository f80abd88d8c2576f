//! `posta mail watch`.

use super::{DONE, identity::Identity};
use crate::{
    configuration::Place,
    output::{FAINT, GOOD, say, say_aside, styled},
};
use anyhow::{Context, bail};
use async_trait::async_trait;
use jiff::tz::TimeZone;
use posta_address::Mailbox;
use posta_server::{
    admin::Watch as Connection,
    presence::{Notice, NoticeKind},
};
use posta_ua::{
    terminal::harmless_line,
    watch::{Feed, FeedError, News, NewsKind, Polling},
};
use std::{path::PathBuf, time::Duration};

/// Watch for messages: each is shown as it comes
///
/// Looks into your maildrop from time to time, wherever it is. With --here, on the machine of the server and for
/// its operator, messages are shown the moment they come, those as well that are sent to be seen at once (SEND,
/// SOML, SAML): whoever watches so is logged in. See docs/historic-verbs.md.
#[derive(Debug, clap::Args)]
pub(super) struct Watch {
    /// Watch at the server that runs on this machine (its configuration: --config)
    #[arg(long, conflicts_with = "every")]
    here: bool,
    /// How often to look
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    every: u64,
    /// End after so many
    #[arg(long, short = 'n', value_name = "COUNT")]
    count: Option<u64>,
    /// Print a line of JSON for each, for programs
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    identity: Identity,
}

/// How long to wait before a connection that was lost is tried again.
const PAUSE: Duration = Duration::from_secs(5);

impl Watch {
    pub(super) async fn run(self, place: &Place) -> anyhow::Result<u8> {
        let mut feed: Box<dyn Feed> = if self.here {
            let user = self.identity.user_name()?.context("whose messages? Say --user ADDRESS")?;
            let address = Mailbox::parse(&user).with_context(|| format!("`{user}` is no address"))?;
            Box::new(Here::open(place.load()?.data_dir, address).await?)
        } else {
            let (outside, endpoint, credentials) = self.identity.maildrop_access()?;
            let mut polling = Polling::new(outside, endpoint, credentials, Duration::from_secs(self.every));
            // What can never work is said at once.
            polling.look().await?;
            Box::new(polling)
        };
        say_aside(styled(GOOD, "Watching; Ctrl-C ends it."));
        self.show(&mut *feed).await
    }

    async fn show(&self, feed: &mut dyn Feed) -> anyhow::Result<u8> {
        let zone = TimeZone::system();
        let mut left = self.count.unwrap_or(u64::MAX);
        let mut was_lost = false;
        while left > 0 {
            let news = match feed.next().await {
                Ok(news) => news,
                Err(error) => {
                    if !std::mem::replace(&mut was_lost, true) {
                        let error = harmless_line(&error.to_string());
                        say_aside(styled(FAINT, format_args!("{error}; trying again")));
                    }
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
            };
            was_lost = false;
            match self.json {
                true => say(serde_json::to_string(&news)?)?,
                false => say(news.shown(&zone))?,
            }
            // What was printed was printed, whatever becomes of the word that it was.
            let _ = feed.shown().await;
            left -= 1;
        }
        Ok(DONE)
    }
}

/// The server of this machine.
struct Here {
    data_dir: PathBuf,
    address: Mailbox,
    connection: Option<Connection>,
}

impl Here {
    async fn open(data_dir: PathBuf, address: Mailbox) -> anyhow::Result<Self> {
        let Some(connection) = Connection::open(&data_dir, &address).await? else {
            bail!("no server runs on {}; `posta serve` starts one", data_dir.display());
        };
        Ok(Here { data_dir, address, connection: Some(connection) })
    }
}

#[async_trait]
impl Feed for Here {
    async fn next(&mut self) -> Result<News, FeedError> {
        let failed = |error: posta_server::admin::AdminError| FeedError(error.to_string());
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => Connection::open(&self.data_dir, &self.address)
                .await
                .map_err(failed)?
                .ok_or_else(|| FeedError("the server does not run".into()))?,
        };
        let connection = self.connection.insert(connection);
        match connection.next().await {
            Ok(notice) => Ok(news(notice)),
            Err(_) => {
                self.connection = None;
                Err(FeedError("the server has gone".into()))
            }
        }
    }

    async fn shown(&mut self) -> Result<(), FeedError> {
        let Some(connection) = &mut self.connection else { return Ok(()) };
        connection.taken().await.map_err(|error| FeedError(error.to_string()))
    }
}

fn news(notice: Notice) -> News {
    News {
        kind: match notice.kind {
            NoticeKind::Message => NewsKind::Message,
            NoticeKind::MessageAndMail => NewsKind::MessageAndMail,
            NoticeKind::Mail => NewsKind::Mail,
        },
        at: notice.at,
        sender: Some(notice.sender.to_string()),
        from: notice.from,
        subject: notice.subject,
        text: notice.text,
        is_partial: notice.is_partial,
    }
}
