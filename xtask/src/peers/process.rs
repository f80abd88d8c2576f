//! What a server's processes have cost, from `/proc`.

use anyhow::{Context, Result};
use std::collections::{BTreeMap, BTreeSet};

/// Sums over a process and all its descendants, those that have ended included.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cost {
    /// User and system time, microseconds.
    pub cpu_micros: u64,
    /// Octets that it caused to be written to disks.
    pub written_octets: u64,
}

impl Cost {
    /// What came on top of an earlier reading.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        Self {
            cpu_micros: self.cpu_micros.saturating_sub(earlier.cpu_micros),
            written_octets: self.written_octets.saturating_sub(earlier.written_octets),
        }
    }
}

/// Reads the cost so far of the tree of processes under `root`.
pub fn cost(root: u32) -> Result<Cost> {
    let ticks_per_second = rustix::param::clock_ticks_per_second();
    let mut sum = Cost::default();
    for pid in tree(root)? {
        // A process may end between the listing and the reading; its parent then has its sums.
        let Some(fields) = stat(pid) else { continue };
        // proc(5): utime, stime, cutime, cstime are fields 14-17; `fields` begins at 3.
        let ticks: u64 = (11..15).filter_map(|index| fields.get(index)?.parse::<u64>().ok()).sum();
        sum.cpu_micros += ticks * 1_000_000 / ticks_per_second;
        sum.written_octets += value(&format!("/proc/{pid}/io"), "write_bytes:").unwrap_or(0);
    }
    Ok(sum)
}

/// Proportional set size of the tree of processes under `root`, octets.
pub fn memory_octets(root: u32) -> Result<u64> {
    let pids = tree(root)?;
    Ok(pids.iter().filter_map(|pid| value(&format!("/proc/{pid}/smaps_rollup"), "Pss:")).sum::<u64>() * 1024)
}

/// Resident set size of one process, octets.
pub fn resident_octets(pid: u32) -> Result<u64> {
    let kib = value(&format!("/proc/{pid}/status"), "VmRSS:").context("no such process")?;
    Ok(kib * 1024)
}

/// The highest that its resident set size ever was, octets.
pub fn resident_peak_octets(pid: u32) -> Result<u64> {
    let kib = value(&format!("/proc/{pid}/status"), "VmHWM:").context("no such process")?;
    Ok(kib * 1024)
}

/// CPU time of this very process (the load generator), microseconds.
#[must_use]
pub fn own_cpu_micros() -> u64 {
    cost_of_self().unwrap_or(0)
}

fn cost_of_self() -> Option<u64> {
    let fields = stat(std::process::id())?;
    let ticks: u64 = (11..13).filter_map(|index| fields.get(index)?.parse::<u64>().ok()).sum();
    Some(ticks * 1_000_000 / rustix::param::clock_ticks_per_second())
}

/// Fields of `/proc/PID/stat` from the third on (the second may hold blanks).
fn stat(pid: u32) -> Option<Vec<String>> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = text.rsplit_once(')')?;
    Some(rest.split_whitespace().map(str::to_owned).collect())
}

fn value(path: &str, key: &str) -> Option<u64> {
    let text = std::fs::read_to_string(path).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    line.split_whitespace().next()?.parse().ok()
}

fn tree(root: u32) -> Result<BTreeSet<u32>> {
    let mut children: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for entry in std::fs::read_dir("/proc")? {
        let Ok(pid) = entry?.file_name().to_string_lossy().parse::<u32>() else { continue };
        if let Some(parent) = stat(pid).and_then(|fields| fields.get(1)?.parse().ok()) {
            children.entry(parent).or_default().push(pid);
        }
    }
    let mut found = BTreeSet::from([root]);
    let mut open = vec![root];
    while let Some(pid) = open.pop() {
        for child in children.get(&pid).into_iter().flatten() {
            if found.insert(*child) {
                open.push(*child);
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_cost_is_seen() {
        let before = cost(std::process::id()).expect("proc is there");
        assert!(memory_octets(std::process::id()).expect("proc is there") > 100_000);
        assert!(cost(std::process::id()).expect("proc is there").cpu_micros >= before.cpu_micros);
    }
}
