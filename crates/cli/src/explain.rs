//! `posta explain`: the story of a letter in plain words. Reads the journal's files, so it works
//! whether a server runs or not.

use crate::output::{self, BAD, FAINT, Form, GOOD, STRONG, WAITING, styled};
use anstyle::Style;
use anyhow::{Context, bail};
use jiff::tz::TimeZone;
use posta_journal::{
    Reader,
    story::{self, Explanation, Mood},
};
use std::path::Path;

/// See the module.
#[derive(Debug, clap::Args)]
pub(crate) struct Explain {
    /// A queue id, a Message-ID, an address, or a peer's IP address
    subject: String,
    #[command(flatten)]
    form: Form,
}

impl Explain {
    pub(crate) fn run(&self, data_folder: &Path) -> anyhow::Result<()> {
        let queries = story::guess(&self.subject);
        if queries.is_empty() {
            bail!(
                "`{}` is no queue id (13 letters and digits), Message-ID, address or IP address",
                self.subject
            );
        }
        let journal = data_folder.join("journal");
        let explanation = story::explain(&Reader::new(&journal), &queries)
            .with_context(|| format!("reading the journal in {}", journal.display()))?;
        if self.form.json {
            return output::say_json(&explanation);
        }
        if explanation.stories.is_empty() {
            bail!("the journal knows nothing of {} (it keeps records for a limited time)", self.subject);
        }
        print(&explanation)
    }
}

fn style(mood: Mood) -> Style {
    match mood {
        Mood::Plain => Style::new(),
        Mood::Good => GOOD,
        Mood::Waiting => WAITING,
        Mood::Bad => BAD,
    }
}

fn print(explanation: &Explanation) -> anyhow::Result<()> {
    let zone = TimeZone::system();
    if explanation.older_left_out {
        output::say(styled(FAINT, "(older stories are left out)"))?;
    }
    for (index, told) in explanation.stories.iter().enumerate() {
        if index > 0 {
            output::say("")?;
        }
        output::say(styled(STRONG, &told.title))?;
        for line in &told.lines {
            let time = styled(FAINT, story::clock_time(line.at, &zone));
            output::say(format!("  {time}  {}", styled(style(line.mood), &line.text)))?;
            for detail in &line.details {
                output::say(format!("      {}", styled(FAINT, detail)))?;
            }
        }
        output::say(format!("  → {}", styled(style(told.mood), &told.standing)))?;
    }
    Ok(())
}
