//! Messages read and built beside other libraries: time and allocations by the bench program of
//! posta-message, instructions by callgrind.
#![allow(clippy::print_stdout)]

use super::program;
use anyhow::{Context, Result, bail};
use std::path::Path;
use std::process::Command;

pub(super) fn measure() -> Result<()> {
    let program = program::build("posta-message", "messages")?;
    let status = Command::new(&program).status()?;
    if !status.success() {
        bail!("the bench program failed: {status}");
    }
    instructions(&program)
}

/// Instructions for each octet read: unlike times, the same on any day.
fn instructions(program: &Path) -> Result<()> {
    if Command::new("valgrind").arg("--version").output().is_err() {
        println!("\ninstructions: skipped, there is no valgrind");
        return Ok(());
    }
    let listed = Command::new(program).arg("list").output()?;
    println!("\n| reading | | instructions/octet | |");
    println!("|---|---|---|---|");
    let mut ours = 1.0;
    for line in String::from_utf8_lossy(&listed.stdout).lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        let [class, reader, octets] = fields.as_slice() else { bail!("no such line was meant: {line}") };
        let per_octet = count(program, class, reader)? / octets.parse::<f64>()?;
        if *reader == "posta-message" {
            ours = per_octet;
        }
        println!("| {class} | {reader} | {per_octet:.2} | {:.2}x |", per_octet / ours);
    }
    Ok(())
}

/// What reading a class once costs. What comes before and behind is not counted.
fn count(program: &Path, class: &str, reader: &str) -> Result<f64> {
    let ran = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null", "--toggle-collect=messages::pass*"])
        .arg(program)
        .args(["once", class, reader])
        .output()?;
    let words = String::from_utf8_lossy(&ran.stderr);
    let collected = words.lines().find_map(|line| line.split_once("Collected :"));
    let (_, number) = collected.with_context(|| format!("callgrind has counted nothing:\n{words}"))?;
    Ok(number.trim().parse()?)
}
