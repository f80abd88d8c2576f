//! Messages read and built by this crate and by others, in one run, doing the same work.
//!
//! `cargo xtask bench message` runs it and adds the instructions; by itself:
//! `cargo bench -p posta-message [CLASS]`. `once CLASS READER` reads a class one time, for a program that
//! counts what [`pass`] does.
#![allow(clippy::print_stdout)]

mod building;
mod classes;
mod readers;

use building::{BUILDERS, Letter};
use classes::{Class, classes};
use readers::{READERS, Reader};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;
use std::hint::black_box;
use std::time::{Duration, Instant};

/// Counts allocations; what that costs is a few nanoseconds each, for all alike.
#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// How long each reader is given for a class.
const RUN: Duration = Duration::from_millis(1200);
/// Rounds in which the readers take turns; the best of each counts.
const ROUNDS: u32 = 5;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|one| !one.starts_with('-')).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["once", class, reader] => once(class, reader),
        ["list"] => list(),
        [] => {
            reading(None);
            building();
        }
        ["building", ..] => building(),
        [wanted, ..] => reading(Some(wanted)),
    }
}

/// Once through all messages.
#[inline(never)]
fn pass(messages: &[Vec<u8>], read: Reader) {
    for message in messages {
        black_box(read(black_box(message)));
    }
}

fn once(class: &str, reader: &str) {
    let (_, read) = READERS.iter().find(|(name, _)| *name == reader).expect("a reader of the list");
    for class in classes(Some(class)) {
        pass(&class.messages, *read);
    }
}

/// The classes that are there, with their octets, and the readers.
fn list() {
    for class in classes(None) {
        for (reader, _) in READERS {
            println!("{}\t{reader}\t{}", class.name, class.octets());
        }
    }
}

fn reading(wanted: Option<&str>) {
    println!("| reading | | MB/s | | messages/s | allocations/message |");
    println!("|---|---|---|---|---|---|");
    for class in classes(wanted) {
        let mut best = READERS.map(|_| Duration::MAX);
        for _ in 0..ROUNDS {
            for ((_, read), best) in READERS.iter().zip(&mut best) {
                *best = (*best).min(time(|| pass(&class.messages, *read)));
            }
        }
        show(&class, &best);
    }
}

fn show(class: &Class, best: &[Duration]) {
    let count = class.messages.len() as f64;
    for ((name, read), time) in READERS.iter().zip(best) {
        let allocations = allocations(|| pass(&class.messages, *read)) as f64 / count;
        let seconds = time.as_secs_f64();
        println!(
            "| {} | {name} | {:.0} | {:.2}x | {:.0} | {allocations:.1} |",
            class.name,
            class.octets() as f64 / 1e6 / seconds,
            seconds / best[0].as_secs_f64(),
            count / seconds,
        );
    }
}

/// The mean time of doing something, over a share of the run.
fn time(mut work: impl FnMut()) -> Duration {
    let start = Instant::now();
    let mut passes = 0;
    while passes == 0 || start.elapsed() < RUN / ROUNDS {
        work();
        passes += 1;
    }
    start.elapsed() / passes
}

/// Allocations, and reallocations of what was allocated.
fn allocations(work: impl FnOnce()) -> usize {
    let region = Region::new(ALLOCATOR);
    work();
    let change = region.change();
    change.allocations + change.reallocations
}

fn building() {
    let letter = Letter::new();
    let mut best = BUILDERS.map(|_| Duration::MAX);
    for _ in 0..ROUNDS {
        for ((_, build), best) in BUILDERS.iter().zip(&mut best) {
            *best = (*best).min(time(|| drop(black_box(build(black_box(&letter))))));
        }
    }
    println!("\n| building | microseconds | | allocations |");
    println!("|---|---|---|---|");
    for ((name, build), time) in BUILDERS.iter().zip(best) {
        let allocations = allocations(|| drop(black_box(build(&letter))));
        let (micros, ratio) = (time.as_secs_f64() * 1e6, time.as_secs_f64() / best[0].as_secs_f64());
        println!("| {name} | {micros:.0} | {ratio:.2}x | {allocations} |");
    }
}
