//! `posta tui`: a person's mail on the whole terminal.

mod act;
mod answer;
mod app;
mod composing;
mod keys;
mod letter;
mod prompt;
mod reading;
mod terminal;
#[cfg(test)]
mod tests;
mod text;
mod view;
pub(crate) mod when;

use crate::mail::home_place;
use anyhow::Context;
use app::{App, Step};
use crossterm::event::{Event, KeyEventKind};
use jiff::tz::TimeZone;
use posta_ua::desk::Notice;
use posta_ua::home::{self, Home};
use posta_ua::{Outside, terminal::harmless_line};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use terminal::Screen;
use tokio::sync::mpsc;

/// How often new mail is looked for.
const FETCH_EVERY: Duration = Duration::from_secs(60);

/// Read and write mail on the whole terminal
///
/// The account is one that `posta mail setup` made. Mail is fetched into your own data folder, and stays on the server as
/// well; what you write leaves by the account's submission server, and waits where that can't be reached.
#[derive(Debug, clap::Args)]
pub(crate) struct Tui {
    /// The account of that name (else the default one)
    #[arg(long, value_name = "NAME")]
    account: Option<String>,
}

impl Tui {
    pub(crate) async fn run(self) -> anyhow::Result<ExitCode> {
        let place = home_place(self.account)?;
        let mut home = home::open(&place, Outside::system()).await?;
        home.stay(FETCH_EVERY);
        let shown = show(&home).await;
        home.close().await;
        shown.map(|()| ExitCode::SUCCESS)
    }
}

async fn show(home: &Home) -> anyhow::Result<()> {
    let downloads = std::env::var_os("HOME").map(|home| PathBuf::from(home).join("Downloads"));
    let downloads = downloads.filter(|folder| folder.is_dir()).unwrap_or_else(|| PathBuf::from("."));
    let clock = Outside::system().clock;
    let desk = home.desk().clone();
    let mut app = App::new(desk, clock, TimeZone::system(), downloads).await?;
    let mut screen = Screen::begin().context("the terminal can't be used")?;
    let done = turn(&mut app, &mut screen, home).await;
    screen.end();
    done
}

/// One thing after another: keys, news, what was fetched.
async fn turn(app: &mut App, screen: &mut Screen, home: &Home) -> anyhow::Result<()> {
    let mut notices = app.desk.notices().await?;
    let (fetched_sender, mut fetched) = mpsc::channel::<Result<u32, String>>(4);
    let mut ending = signals()?;
    // What goes wrong with the first look is told; later ones are quiet, as one may be on the way.
    let (first, sender) = (home.fetching(), fetched_sender.clone());
    tokio::spawn(async move {
        if let Err(error) = first.await {
            let _ = sender.send(Err(error)).await;
        }
    });
    lay_out(app, screen.width().is_ok_and(view::is_wide)).await;
    loop {
        screen.draw(|frame| view::draw(app, frame))?;
        let step = tokio::select! {
            event = screen.event() => match event {
                Some(Event::Key(key)) if key.kind != KeyEventKind::Release => app.key(key).await,
                Some(Event::Resize(cells, _)) => {
                    lay_out(app, view::is_wide(cells)).await;
                    Step::Stay
                }
                Some(_) => Step::Stay,
                None => return Ok(()),
            },
            notice = notices.recv() => {
                match notice {
                    Some(notice) => app.told(notice).await,
                    // Too slow to be told of each thing: look at everything.
                    None => {
                        notices = app.desk.notices().await?;
                        app.told(Notice::Everything).await;
                    }
                }
                Step::Stay
            }
            Some(done) = fetched.recv() => {
                app.say(match done {
                    Ok(0) => "No new mail".to_owned(),
                    Ok(1) => "1 new message".to_owned(),
                    Ok(count) => format!("{count} new messages"),
                    Err(error) => format!("No mail could be fetched: {error}"),
                });
                Step::Stay
            }
            () = tokio::time::sleep(act::REDRAW) => {
                tell_unsent(app, home).await;
                Step::Stay
            }
            _ = ending.recv() => return Ok(()),
        };
        match step {
            Step::Stay => {}
            Step::Quit => return Ok(()),
            Step::Redraw => screen.clear()?,
            Step::Edit(text) => edit(app, screen, &text).await,
            Step::Open(path) => {
                if let Err(error) = screen.open(&path).await {
                    app.say(format!("{}: {}", path.display(), harmless_line(&error.to_string())));
                }
            }
            Step::Fetch => {
                app.say("Looking for new mail …");
                let (fetching, sender) = (home.fetching(), fetched_sender.clone());
                tokio::spawn(async move {
                    let done = fetching.await.map(|fetched| fetched.messages);
                    let _ = sender.send(done).await;
                });
            }
        }
    }
}

/// In three panes or in one; what is selected is read where there is room.
async fn lay_out(app: &mut App, is_wide: bool) {
    app.is_wide = is_wide;
    let followed = app.follow_selection(false).await;
    app.say_failure(followed);
}

async fn edit(app: &mut App, screen: &mut Screen, text: &str) {
    let text = screen.edit(text).await;
    if let Err(error) = &text {
        tracing::debug!(%error, "the editor failed");
    }
    app.edited(text.ok()).await;
}

/// What could not be sent yet, and why.
async fn tell_unsent(app: &mut App, home: &Home) {
    let Ok(failures) = home.send_failures().await else { return };
    if let Some(failure) = failures.first() {
        let again = when::brief(failure.next_attempt_at, &app.now());
        app.say(format!("Not sent to {} yet, again at {again}: {}", failure.recipient, failure.reason));
    }
}

/// SIGTERM and SIGHUP end it as `q` does, the terminal put right.
fn signals() -> anyhow::Result<mpsc::Receiver<()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let (sender, receiver) = mpsc::channel(1);
    for kind in [SignalKind::terminate(), SignalKind::hangup()] {
        let (mut signal, sender) = (signal(kind)?, sender.clone());
        tokio::spawn(async move {
            signal.recv().await;
            let _ = sender.send(()).await;
        });
    }
    Ok(receiver)
}
