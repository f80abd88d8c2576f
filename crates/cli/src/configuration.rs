//! Where the configuration is, and `posta config`.

use crate::output::{self, FAINT, GOOD, STRONG, styled};
use anyhow::{Context, bail};
use posta_server::config::Config;
use std::path::{Path, PathBuf};

/// Where it is looked for, in this order, unless it is named.
const PLACES: [&str; 2] = ["posta.toml", "/etc/posta/posta.toml"];

/// What was said about the place: `--config`, or POSTA_CONFIG.
#[derive(Debug, Clone)]
pub(crate) struct Place(pub(crate) Option<PathBuf>);

impl Place {
    /// The file.
    pub(crate) fn find(&self) -> anyhow::Result<PathBuf> {
        if let Some(path) = &self.0 {
            return Ok(path.clone());
        }
        match PLACES.iter().map(Path::new).find(|path| path.exists()) {
            Some(path) => Ok(path.to_owned()),
            None => bail!(
                "no configuration: looked for {}. `posta setup` writes one; --config FILE or POSTA_CONFIG names one",
                PLACES.join(" and ")
            ),
        }
    }

    /// Reads and checks it.
    pub(crate) fn load(&self) -> anyhow::Result<Config> {
        Ok(Config::load(&self.find()?)?)
    }
}

/// See the module.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum ConfigCommand {
    /// Say whether the configuration is good; if not, file, line, and what is expected
    Check,
    /// Print a configuration to start from: every setting with its meaning and default
    Sample,
    /// Show every setting as it is in effect
    Show,
}

impl ConfigCommand {
    pub(crate) fn run(self, place: &Place) -> anyhow::Result<()> {
        match self {
            ConfigCommand::Sample => output::say(Config::sample().trim_end())?,
            ConfigCommand::Check => {
                let path = place.find()?;
                let config = Config::load(&path)?;
                output::say(styled(GOOD, format!("{} is good", path.display())))?;
                for hint in hints(&config) {
                    output::say(format!("  note: {hint}"))?;
                }
            }
            ConfigCommand::Show => {
                let path = place.find()?;
                // Wrong ones are not shown as if they were in effect.
                let config = Config::load(&path)?;
                show(&path, &config)?;
            }
        }
        Ok(())
    }
}

/// What is allowed, but perhaps not meant.
fn hints(config: &Config) -> Vec<String> {
    let mut hints = Vec::new();
    if config.listeners.is_empty() {
        hints.push("there is no [[listener]]: nobody can connect; only the queue is worked off".into());
    }
    if config.domains.is_empty() {
        hints.push("`domains` is empty: mail is kept only for domains made with `posta domain add`".into());
    }
    if !config.data_dir.exists() {
        hints
            .push(format!("{} does not exist yet; it is made at the first start", config.data_dir.display()));
    }
    let privileged = config.listeners.iter().any(|listener| (1..1024).contains(&listener.address.port()));
    if privileged && config.user.is_none() {
        hints.push("ports below 1024 need root at the start; `user` says who to become afterwards".into());
    }
    hints
}

/// Every setting with its value, and whether it comes from the file or is the default.
fn show(path: &Path, config: &Config) -> anyhow::Result<()> {
    let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    let file: toml::Table = toml::from_str(&text).with_context(|| format!("reading {}", path.display()))?;
    output::say(styled(FAINT, format!("# {}", path.display())))?;
    for (key, value) in file.iter().filter(|(_, value)| !is_section(value)) {
        output::say(format!("{key} = {value}"))?;
    }
    output::say(styled(FAINT, format!("# data_dir is {}", config.data_dir.display())))?;
    for listener in &config.listeners {
        output::say(format!("\n{}", styled(STRONG, "[[listener]]")))?;
        output::say(format!("protocol = \"{}\"\naddress = \"{}\"", listener.protocol, listener.address))?;
    }
    for (name, _, settings) in Config::sections() {
        output::say(format!("\n{}", styled(STRONG, format!("[{name}]"))))?;
        let section = file.get(name).and_then(toml::Value::as_table);
        for setting in settings {
            match (section.and_then(|section| section.get(setting.key)), setting.default) {
                (Some(value), _) => output::say(format!("{} = {value}", setting.key))?,
                (None, Some(default)) => {
                    output::say(format!("{} = {default} {}", setting.key, styled(FAINT, "# default")))?;
                }
                (None, None) => output::say(styled(FAINT, format!("# {} is not set", setting.key)))?,
            }
        }
    }
    Ok(())
}

fn is_section(value: &toml::Value) -> bool {
    value.is_table() || value.as_array().is_some_and(|array| array.iter().any(toml::Value::is_table))
}
