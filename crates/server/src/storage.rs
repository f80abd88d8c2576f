//! Opening what lies in the data folder.

use crate::{
    admin::{CheckInfo, Maintenance},
    config::Config,
};
use async_trait::async_trait;
use posta_journal::Settings;
use posta_store::{EmbeddedStore, Now, Store, StoreError, embedded};
use std::{path::Path, sync::Arc};

/// An open store.
pub(crate) struct Opened {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) maintenance: Option<Arc<dyn Maintenance>>,
}

/// Opens the embedded store of a data folder, or makes one.
pub(crate) async fn open(data_dir: &Path, now: Now) -> Result<Opened, StoreError> {
    let folder = data_dir.to_owned();
    let opening = move || EmbeddedStore::open(&folder, embedded::Settings::default(), now);
    // Replaying the log may take a while.
    let opened = tokio::task::spawn_blocking(opening).await;
    let store = opened.map_err(|error| StoreError::Failed(error.to_string()))??;
    let opening = store.opening();
    if opening.replayed_records > 0 || opening.cut_octets > 0 || opening.rebuilt.is_some() {
        let (replayed, cut) = (opening.replayed_records, opening.cut_octets);
        tracing::info!(replayed, cut, rebuilt = opening.rebuilt.as_deref(), "the store went on from its log");
    }
    for damage in &opening.damage {
        tracing::error!(?damage, "the store is damaged; see `posta store check`");
    }
    let store = Arc::new(store);
    Ok(Opened { maintenance: Some(store.clone()), store })
}

#[async_trait]
impl Maintenance for EmbeddedStore {
    async fn check(&self) -> Result<CheckInfo, StoreError> {
        let report = EmbeddedStore::check(self).await?;
        let mut lines = vec![format!(
            "{} volumes, {} records, {} contents with {} octets checked",
            report.volumes, report.records, report.contents, report.octets
        )];
        lines.extend(report.problems.iter().map(ToString::to_string));
        Ok(CheckInfo { sound: report.problems.is_empty(), lines })
    }

    async fn rebuild(&self) -> Result<(), StoreError> {
        EmbeddedStore::rebuild(self).await
    }
}

/// Where the journal of a server lies, and its bounds.
pub(crate) fn journal_settings(config: &Config) -> Settings {
    let mut settings = Settings::new(config.data_dir.join("journal"));
    settings.total_octets_max = config.journal.size_max.0;
    settings.age_max = config.journal.age_max.0;
    settings
}
