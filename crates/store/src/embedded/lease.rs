//! Leases: what a snapshot of a maildrop still reads is not given back.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// All leases of a store, by the record that their holders had seen last.
#[derive(Debug, Default)]
pub(super) struct Leases {
    held: Mutex<BTreeMap<u64, usize>>,
}

/// Keeps readable what was readable when the record `sequence` was the last.
#[derive(Debug)]
pub(super) struct Lease {
    leases: Arc<Leases>,
    sequence: u64,
}

impl Leases {
    pub(super) fn take(self: &Arc<Self>, sequence: u64) -> Lease {
        *self.held().entry(sequence).or_default() += 1;
        Lease { leases: self.clone(), sequence }
    }

    /// The oldest lease; all that was of no use already then may be given back.
    pub(super) fn oldest(&self) -> u64 {
        self.held().keys().next().copied().unwrap_or(u64::MAX)
    }

    fn held(&self) -> MutexGuard<'_, BTreeMap<u64, usize>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut held = self.leases.held();
        if let Some(count) = held.get_mut(&self.sequence) {
            *count -= 1;
            if *count == 0 {
                held.remove(&self.sequence);
            }
        }
    }
}
