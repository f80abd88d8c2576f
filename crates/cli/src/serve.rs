//! `posta serve`: the server in the foreground; and what can be asked of a running one.

use crate::{
    configuration::Place,
    operator::Operator,
    output::{self, Form, STRONG, styled},
};
use anyhow::Context;
use jiff::Timestamp;
use posta_server::{
    Running, Server, Sockets, World,
    admin::{Request, Response},
    config::Config,
    privileges::{self, Identity},
    web::WebFactory,
};
use posta_ua::Outside;
use std::{
    io::{self, IsTerminal},
    path::Path,
};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// See the module.
#[derive(Debug, clap::Args)]
pub(crate) struct Serve {
    /// How the log on standard error looks
    #[arg(long, value_enum, default_value_t = LogForm::Human)]
    log: LogForm,
    /// What is logged: error, warn, info, debug, trace, or a filter like `info,posta::mail=debug`
    #[arg(long, env = "RUST_LOG", value_name = "FILTER", default_value = "info")]
    log_level: EnvFilter,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum LogForm {
    /// Lines for people.
    Human,
    /// One JSON object per line.
    Json,
}

impl Serve {
    pub(crate) fn run(self, place: &Place) -> anyhow::Result<()> {
        let path = place.find()?;
        let config = Config::load(&path)?;
        start_log(self.log, self.log_level);
        // All of this while there is one thread: what root may do, then root no more.
        let identity = Identity::wanted(&config)?;
        let sockets = Sockets::bind(&config)?;
        privileges::prepare_folder(&config.data_dir, identity)?;
        privileges::raise_file_limit();
        match identity {
            Some(identity) => privileges::give_up_root(identity)?,
            None if rustix::process::geteuid().is_root() => {
                tracing::warn!("running as root; `user` in the configuration names whom to become instead");
            }
            None => {}
        }
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        runtime.block_on(serve(&path, config, sockets))
    }
}

fn start_log(form: LogForm, filter: EnvFilter) {
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    match form {
        LogForm::Json => builder.json().flatten_event(true).init(),
        LogForm::Human => {
            let colours =
                io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|no| no.is_empty());
            builder.with_ansi(colours).with_target(false).init();
        }
    }
}

/// The pages, with the engine behind them that also does what is done without them (rules, absence, snoozing).
pub(crate) fn web() -> WebFactory {
    Box::new(|host| posta_web::serve(host, Outside::system()))
}

/// Serves until told to stop.
async fn serve(path: &Path, config: Config, sockets: Sockets) -> anyhow::Result<()> {
    // Before anything can be heard from us, so that no signal is missed.
    let mut hang_up = signal(SignalKind::hangup())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut grace = config.limits.shutdown_grace.0;
    let hostname = config.hostname.clone();
    let world = World { sockets: Some(sockets), web: Some(web()), ..World::default() };
    let running = Server::start(config, world).await.context("the server could not start")?;
    tracing::info!(%hostname, "posta {} serves", env!("CARGO_PKG_VERSION"));
    let why = loop {
        tokio::select! {
            _ = hang_up.recv() => match Config::load(path) {
                Ok(config) => {
                    grace = config.limits.shutdown_grace.0;
                    reload(&running, config).await;
                }
                // What is in effect stays in effect.
                Err(error) => tracing::error!(%error, "the configuration was not read again"),
            },
            _ = terminate.recv() => break "SIGTERM",
            _ = interrupt.recv() => break "SIGINT",
            () = running.stop_requested() => break "posta stop",
        }
    };
    tracing::info!(why, grace_secs = grace.as_secs(), "stopping: open transactions may finish");
    tokio::select! {
        () = running.shutdown(grace) => tracing::info!("stopped"),
        _ = terminate.recv() => tracing::warn!("told twice: stopping at once"),
        _ = interrupt.recv() => tracing::warn!("told twice: stopping at once"),
    }
    Ok(())
}

async fn reload(running: &Running, config: Config) {
    match running.reload(config).await {
        Ok(restart) if restart.is_empty() => tracing::info!("the configuration was read again"),
        Ok(restart) => {
            let keys = restart.join(", ");
            tracing::warn!(keys, "the configuration was read again; these changes need a restart");
        }
        Err(error) => tracing::error!(%error, "the configuration was not put in effect"),
    }
}

/// Shows a running server.
pub(crate) async fn status(operator: &Operator, form: Form) -> anyhow::Result<()> {
    let status = match operator.ask(Request::Status).await? {
        Response::Status(status) => status,
        other => return Err(Operator::unexpected(&other)),
    };
    if form.json {
        return output::say_json(&status);
    }
    let since = output::distance(status.started_at, Timestamp::now());
    output::say(format!(
        "{} runs posta {}, started {since}",
        styled(STRONG, &status.hostname),
        status.version
    ))?;
    for (protocol, address) in &status.listeners {
        output::say(format!("  {protocol:<5} {address}"))?;
    }
    output::say(format!("  connections open now: {}", status.connections))?;
    output::say(format!("  data folder: {}", operator.config().data_dir.display()))?;
    Ok(())
}
