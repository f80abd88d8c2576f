//! What a connection costs in memory while it only waits.

use super::secure::TlsConnector;
use super::smtp::Connection;
use super::subject::Subject;
use super::{runtime, settle};
use crate::peers::process;
use anyhow::Result;

/// Opens connections as far as after EHLO (inside TLS, if there is one) and sees what the server's memory grows by for each.
pub(super) fn octets_per_connection(
    subject: &Subject,
    connections: usize,
    tls: Option<&TlsConnector>,
) -> Result<f64> {
    runtime()?.block_on(async {
        // The first ones may grow what is there once.
        let mut open = Vec::with_capacity(connections);
        for _ in 0..connections.min(10) {
            open.push(Connection::open(subject.smtp(), false, tls).await?);
        }
        settle(subject.pid())?;
        let before = process::memory_octets(subject.pid())?;
        let already = open.len();
        while open.len() < connections {
            open.push(Connection::open(subject.smtp(), false, tls).await?);
        }
        settle(subject.pid())?;
        let after = process::memory_octets(subject.pid())?;
        Ok(after.saturating_sub(before) as f64 / (connections - already).max(1) as f64)
    })
}
