//! `posta message show`.

use crate::output::say_view;
use jiff::tz::TimeZone;
use posta_ua::View;

pub(super) fn show(raw: &[u8]) -> anyhow::Result<()> {
    Ok(say_view(&View::of(raw, &TimeZone::system()))?)
}
