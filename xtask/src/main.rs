//! `cargo xtask`: what the project's people run besides cargo itself.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use anyhow::{Result, bail};
use clap::{Parser, Subcommand};
use std::process::ExitCode;
use xtask::{Workspace, bench, fuzz, rfc, tidy};

/// The project's own tools.
#[derive(Parser)]
#[command(name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Check what the compiler doesn't: layers, citations, module docs, licences, leftovers
    Tidy,
    /// Write docs/rfc-index.md: each cited section of each RFC, with the files that cite it
    RfcIndex,
    /// Measure posta beside its peers
    Bench(bench::Options),
    /// Run the fuzz targets of fuzz/
    Fuzz(fuzz::Options),
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    match Arguments::parse().task {
        Task::Tidy => run_tidy(),
        Task::RfcIndex => {
            let workspace = Workspace::load()?;
            let index = rfc::index(&workspace)?;
            let path = workspace.root().join("docs/rfc-index.md");
            std::fs::write(&path, index)?;
            println!("wrote {}", path.display());
            Ok(())
        }
        Task::Bench(options) => bench::run(&options),
        Task::Fuzz(options) => fuzz::run(&options),
    }
}

fn run_tidy() -> Result<()> {
    let workspace = Workspace::load()?;
    let report = tidy::check(&workspace)?;
    for note in &report.notes {
        println!("note: {note}");
    }
    for finding in report.warnings.iter().chain(&report.errors) {
        println!("{finding}");
    }
    println!(
        "tidy: {} files, {} errors, {} warnings",
        workspace.files().len(),
        report.errors.len(),
        report.warnings.len()
    );
    if !report.errors.is_empty() {
        bail!("not tidy");
    }
    Ok(())
}
