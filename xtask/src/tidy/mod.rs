//! What the compiler and clippy don't check, and this project wants to be sure of.

mod extensions;
mod layers;
mod licences;
mod sources;

use crate::{Workspace, rfc};
use anyhow::Result;
use std::fmt;

/// Something that is not as it should be, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// `path` or `path:line`.
    pub place: String,
    /// What is wrong and what is expected.
    pub message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)
    }
}

/// All findings of a run.
#[derive(Debug, Default)]
pub struct Report {
    /// These fail the run.
    pub errors: Vec<Finding>,
    /// These are worth a look.
    pub warnings: Vec<Finding>,
    /// What could not be checked, and why.
    pub notes: Vec<String>,
}

impl Report {
    /// Adds an error.
    pub fn error(&mut self, place: impl Into<String>, message: impl Into<String>) {
        self.errors.push(Finding { place: place.into(), message: message.into() });
    }

    /// Adds a warning.
    pub fn warn(&mut self, place: impl Into<String>, message: impl Into<String>) {
        self.warnings.push(Finding { place: place.into(), message: message.into() });
    }
}

/// Runs every check.
pub fn check(workspace: &Workspace) -> Result<Report> {
    let mut report = Report::default();
    sources::check(workspace, &mut report);
    rfc::check(workspace, &mut report)?;
    extensions::check(workspace, &mut report)?;
    let metadata = layers::cargo_metadata(workspace)?;
    layers::check(&metadata, &mut report)?;
    layers::check_pure_sources(workspace, &mut report);
    licences::check(workspace, &metadata, &mut report)?;
    Ok(report)
}
