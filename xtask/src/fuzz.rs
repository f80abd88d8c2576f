//! `cargo xtask fuzz`: the targets of `fuzz/`, built with counters of coverage and run by libFuzzer.
//!
//! The flags are LLVM's own and work on the stable toolchain; no other tool is needed but a C++ compiler.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod seeds;

use crate::Workspace;
use anyhow::{Context, Result, bail};
use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
    slice,
    sync::Mutex,
};

/// How many targets run at a time.
const AT_A_TIME: usize = 2;
/// What a target may need; a parser that needs more for 64 KiB has a fault.
const LIMITS: [&str; 3] = ["-rss_limit_mb=512", "-timeout=10", "-max_len=65536"];
const COVERAGE: &str = "-Cpasses=sancov-module \
    -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares";

/// What is fuzzed, and for how long.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Names of targets (fuzz/README.md); all where none is given
    targets: Vec<String>,
    /// How long each runs
    #[arg(long, default_value_t = 60)]
    seconds: u32,
    /// Where chance begins; the same number tries the same inputs (CI, which must not find something
    /// else each time), without it each run tries others
    #[arg(long, default_value_t = 0)]
    seed: u32,
}

/// Builds and runs the targets, and prints a line for each.
pub fn run(options: &Options) -> Result<()> {
    let workspace = Workspace::load()?;
    let root = workspace.root();
    let known = known_targets(root)?;
    if let Some(unknown) = options.targets.iter().find(|target| !known.contains(target)) {
        bail!("no target {unknown}; there are {}", known.join(", "));
    }
    let targets = if options.targets.is_empty() { known } else { options.targets.clone() };
    let programs = build(root)?;
    println!("fuzz: {} targets, {} s each, {AT_A_TIME} at a time", targets.len(), options.seconds);
    let waiting = Mutex::new(targets.iter());
    let work = || work_off(&waiting, |target| run_target(root, &programs, target, options));
    let failures: Vec<String> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..AT_A_TIME).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("a worker does not panic")).collect()
    });
    if !failures.is_empty() {
        bail!("failed: {}", failures.join(", "));
    }
    Ok(())
}

/// Runs one target after the other while there are any; the names of those that failed.
fn work_off(waiting: &Mutex<slice::Iter<'_, String>>, run: impl Fn(&str) -> Result<String>) -> Vec<String> {
    let next = || waiting.lock().ok()?.next();
    let mut failed = Vec::new();
    while let Some(target) = next() {
        match run(target) {
            Ok(summary) => println!("{target:<14} ok      {summary}"),
            Err(error) => {
                println!("{target:<14} FAILED  {error:#}");
                failed.push(target.clone());
            }
        }
    }
    failed
}

/// A target is a file.
fn known_targets(root: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(root.join("fuzz/fuzz_targets")).context("reading fuzz/fuzz_targets")? {
        let path = entry?.path();
        if let (Some("rs"), Some(name)) =
            (path.extension().and_then(|kind| kind.to_str()), path.file_stem().and_then(|name| name.to_str()))
        {
            names.push(name.to_owned());
        }
    }
    names.sort();
    Ok(names)
}

/// Compiles all targets; returns the folder that they are in.
fn build(root: &Path) -> Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let version = Command::new(&cargo).arg("-vV").output().context("running cargo -vV")?;
    let version = String::from_utf8_lossy(&version.stdout).into_owned();
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).context("cargo names no host")?;
    let folder = root.join("target/fuzz");
    let status = Command::new(&cargo)
        .current_dir(root)
        .args(["build", "--quiet", "--release", "--manifest-path", "fuzz/Cargo.toml", "--target-dir"])
        .arg(&folder)
        // With a target named, the flags are not for build scripts, which have no libFuzzer.
        .args(["--target", host])
        .env("RUSTFLAGS", COVERAGE)
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .status()
        .context("running cargo build")?;
    if !status.success() {
        bail!("the targets don't compile");
    }
    Ok(folder.join(host).join("release"))
}

/// Runs one target; what to say of it, or what it found.
fn run_target(root: &Path, programs: &Path, target: &str, options: &Options) -> Result<String> {
    let folder = root.join("target/fuzz-corpus").join(target);
    for name in ["found", "seeds", "crashes"] {
        fs::create_dir_all(folder.join(name))?;
    }
    seeds::write(root, target, &folder.join("seeds"))?;
    let log_path = folder.join("log");
    let log = File::create(&log_path)?;
    let program = programs.join(target);
    let status = Command::new(&program)
        .args(LIMITS)
        .arg(format!("-max_total_time={}", options.seconds))
        .arg(format!("-seed={}", options.seed))
        .arg("-print_final_stats=1")
        .arg(format!("-artifact_prefix={}/", folder.join("crashes").display()))
        .args([folder.join("found"), folder.join("seeds")])
        .stdout(log.try_clone()?)
        .stderr(log)
        .status()
        .with_context(|| format!("running {}", program.display()))?;
    let log = String::from_utf8_lossy(&fs::read(&log_path)?).into_owned();
    if status.success() {
        return Ok(summary(&log));
    }
    let reason = log.lines().skip_while(|line| !line.contains("panicked at")).take(5).collect::<Vec<_>>();
    let input = log.lines().find_map(|line| line.split_once("Test unit written to ")).map(|(_, path)| path);
    match input {
        Some(input) => bail!("{status}\n{}\n  again: {} {input}", reason.join("\n"), program.display()),
        None => bail!("{status}; see {}", log_path.display()),
    }
}

/// `123456 runs, 2345 edges covered`, from libFuzzer's own words.
fn summary(log: &str) -> String {
    let runs = log
        .lines()
        .find_map(|line| line.strip_prefix("stat::number_of_executed_units:"))
        .map_or("?", str::trim);
    let edges = log
        .lines()
        .filter_map(|line| line.split_once(" cov: "))
        .next_back()
        .and_then(|(_, rest)| rest.split_whitespace().next())
        .unwrap_or("?");
    format!("{runs:>9} runs, {edges:>5} edges covered")
}
