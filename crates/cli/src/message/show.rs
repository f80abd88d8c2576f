//! `posta message show`.

use crate::output::{FAINT, STRONG, octets, say, styled};
use jiff::tz::TimeZone;
use posta_ua::View;

/// All texts of a [`View`] are harmless for a terminal.
pub(super) fn show(raw: &[u8]) -> anyhow::Result<()> {
    let view = View::of(raw, &TimeZone::system());
    for (name, value) in &view.fields {
        say(format!("{} {value}", styled(STRONG, format_args!("{:<9}", format!("{name}:")))))?;
    }
    say("")?;
    say(view.text.trim_end_matches('\n'))?;
    if !view.attachments.is_empty() {
        say("")?;
    }
    for attachment in &view.attachments {
        let kind = styled(FAINT, format_args!("({}, {})", attachment.media_type, octets(attachment.octets)));
        say(format!("{} {} {kind}", styled(STRONG, "Attached:"), attachment.name))?;
    }
    Ok(())
}
