//! Opening what lies in the data folder.

use crate::{admin::Check, config::Config};
use posta_journal::Settings;
use posta_store::{Now, Store, StoreError};
use std::{path::Path, sync::Arc};

/// An open store.
pub(crate) struct Opened {
    pub(crate) store: Arc<dyn Store>,
    /// Compares its two halves.
    pub(crate) check: Option<Check>,
}

/// Opens the embedded store of a data folder, or makes one.
pub(crate) async fn open(data_dir: &Path, now: Now) -> Result<Opened, StoreError> {
    let _ = (data_dir, now);
    Err(StoreError::Failed("no embedded store".into()))
}

/// Where the journal of a server lies, and its bounds.
pub(crate) fn journal_settings(config: &Config) -> Settings {
    let mut settings = Settings::new(config.data_dir.join("journal"));
    settings.total_octets_max = config.journal.size_max.0;
    settings.age_max = config.journal.age_max.0;
    settings
}
