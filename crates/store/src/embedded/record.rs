//! Records: how a volume is laid out, octet by octet.
//!
//! All numbers are little-endian. A volume (`volumes/0000000001.vol`, numbered from 1, numbers are
//! never used again) begins with a header of 64 octets:
//!
//! | at | octets | what |
//! |---|---|---|
//! | 0 | 8 | `POSTAVOL` |
//! | 8 | 4 | format, now [`FORMAT`]; a volume of an older format is read but not appended to |
//! | 12 | 4 | 0 |
//! | 16 | 8 | the volume's number |
//! | 24 | 16 | the store's id, the same in all its volumes |
//! | 40 | 8 | the sequence number of the first record |
//! | 48 | 12 | 0 |
//! | 60 | 4 | CRC-32 of the 60 octets before |
//!
//! Records follow, each at a multiple of 8:
//!
//! | at | octets | what |
//! |---|---|---|
//! | 0 | 4 | [`MAGIC`] |
//! | 4 | 1 | kind of fact (see `fact`) |
//! | 5 | 3 | 0 |
//! | 8 | 4 | octets of the fact, *m* |
//! | 12 | 4 | octets of the content, *c* |
//! | 16 | 8 | sequence number, one more than the record before |
//! | 24 | 8 | where in this volume the part ended that was synced when this was written |
//! | 32 | 4 | CRC-32 of the fact |
//! | 36 | 4 | 0 |
//! | 40 | 4 | 0 |
//! | 44 | 4 | CRC-32 of the store's id and the 44 octets before |
//! | 48 | m | the fact |
//! | 48+m | c | the content |
//! | 48+m+c | 4 | CRC-32 of the content |
//! | | 0–7 | zeros, up to a multiple of 8 |
//!
//! The content has a checksum of its own, behind it, for three reasons: whoever reads all of it has
//! the checksum in the same read; replay need not read contents; and the blocks of a content that
//! nobody needs are given back (a hole, read as zeros) while its fact stays.
//!
//! The header's checksum covers the store's id, which no stranger knows: when the next whole record is
//! searched behind damage, a message that was made to look like a record is not taken for one.

use super::codec::Malformed;
use crate::limits::{RECORD_CONTENT_OCTETS_MAX, RECORD_META_OCTETS_MAX};

/// The format that is written.
pub(super) const FORMAT: u32 = 1;
/// Octets of a volume's header.
pub(super) const VOLUME_HEADER_OCTETS: usize = 64;
/// Octets of a record's header.
pub(super) const HEADER_OCTETS: usize = 48;
/// Octets of the checksum behind the content.
pub(super) const TRAILER_OCTETS: usize = 4;
/// How every record begins.
pub(super) const MAGIC: [u8; 4] = *b"PRc\x01";

const VOLUME_MAGIC: [u8; 8] = *b"POSTAVOL";

/// A volume's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct VolumeHeader {
    pub(super) format: u32,
    pub(super) number: u64,
    pub(super) store_id: [u8; 16],
    pub(super) first_sequence: u64,
}

impl VolumeHeader {
    pub(super) fn encode(&self) -> [u8; VOLUME_HEADER_OCTETS] {
        let mut octets = [0; VOLUME_HEADER_OCTETS];
        octets[..8].copy_from_slice(&VOLUME_MAGIC);
        octets[8..12].copy_from_slice(&self.format.to_le_bytes());
        octets[16..24].copy_from_slice(&self.number.to_le_bytes());
        octets[24..40].copy_from_slice(&self.store_id);
        octets[40..48].copy_from_slice(&self.first_sequence.to_le_bytes());
        let checksum = crc32fast::hash(&octets[..60]);
        octets[60..].copy_from_slice(&checksum.to_le_bytes());
        octets
    }

    pub(super) fn decode(octets: &[u8; VOLUME_HEADER_OCTETS]) -> Result<Self, Malformed> {
        if octets[..8] != VOLUME_MAGIC {
            return Err(Malformed("it does not begin like a volume"));
        }
        if u32_at(octets, 60) != crc32fast::hash(&octets[..60]) {
            return Err(Malformed("the checksum of its header does not match"));
        }
        let format = u32_at(octets, 8);
        if format == 0 || format > FORMAT {
            return Err(Malformed("it was written by a newer Posta"));
        }
        let mut store_id = [0; 16];
        store_id.copy_from_slice(&octets[24..40]);
        let (number, first_sequence) = (u64_at(octets, 16), u64_at(octets, 40));
        Ok(VolumeHeader { format, number, store_id, first_sequence })
    }
}

/// A record's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) kind: u8,
    pub(super) meta_octets: u32,
    pub(super) content_octets: u32,
    pub(super) sequence: u64,
    pub(super) synced_until: u64,
    pub(super) meta_checksum: u32,
}

impl Header {
    /// `seed`: see [`seed`].
    pub(super) fn encode(&self, seed: u32) -> [u8; HEADER_OCTETS] {
        let mut octets = [0; HEADER_OCTETS];
        octets[..4].copy_from_slice(&MAGIC);
        octets[4] = self.kind;
        octets[8..12].copy_from_slice(&self.meta_octets.to_le_bytes());
        octets[12..16].copy_from_slice(&self.content_octets.to_le_bytes());
        octets[16..24].copy_from_slice(&self.sequence.to_le_bytes());
        octets[24..32].copy_from_slice(&self.synced_until.to_le_bytes());
        octets[32..36].copy_from_slice(&self.meta_checksum.to_le_bytes());
        let checksum = seeded(seed, &octets[..44]);
        octets[44..].copy_from_slice(&checksum.to_le_bytes());
        octets
    }

    pub(super) fn decode(octets: &[u8; HEADER_OCTETS], seed: u32) -> Result<Self, Malformed> {
        if octets[..4] != MAGIC {
            return Err(Malformed("no record begins here"));
        }
        if u32_at(octets, 44) != seeded(seed, &octets[..44]) {
            return Err(Malformed("the checksum of a record's header does not match"));
        }
        let header = Header {
            kind: octets[4],
            meta_octets: u32_at(octets, 8),
            content_octets: u32_at(octets, 12),
            sequence: u64_at(octets, 16),
            synced_until: u64_at(octets, 24),
            meta_checksum: u32_at(octets, 32),
        };
        if header.meta_octets as usize > RECORD_META_OCTETS_MAX
            || header.content_octets as usize > RECORD_CONTENT_OCTETS_MAX
        {
            return Err(Malformed("a record's length exceeds the limit"));
        }
        Ok(header)
    }

    /// Octets from the record's beginning to its content.
    pub(super) fn content_at(&self) -> u64 {
        HEADER_OCTETS as u64 + u64::from(self.meta_octets)
    }

    /// Octets without padding.
    pub(super) fn unpadded(&self) -> u64 {
        self.content_at() + u64::from(self.content_octets) + TRAILER_OCTETS as u64
    }

    /// Octets to the next record.
    pub(super) fn stride(&self) -> u64 {
        self.unpadded().next_multiple_of(8)
    }
}

/// The part of the headers' checksums that comes from the store's id.
pub(super) fn seed(store_id: &[u8; 16]) -> u32 {
    crc32fast::hash(store_id)
}

fn seeded(seed: u32, octets: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new_with_initial(seed);
    hasher.update(octets);
    hasher.finalize()
}

fn u32_at(octets: &[u8], at: usize) -> u32 {
    octets[at..at + 4].iter().rev().fold(0, |value, octet| value << 8 | u32::from(*octet))
}

fn u64_at(octets: &[u8], at: usize) -> u64 {
    octets[at..at + 8].iter().rev().fold(0, |value, octet| value << 8 | u64::from(*octet))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn headers_survive_and_flipped_bits_are_seen(
            kind: u8, meta_octets in 0u32..1000, content_octets in 0u32..1000,
            sequence: u64, synced_until: u64, meta_checksum: u32, seed: u32, bit in 0usize..HEADER_OCTETS * 8,
        ) {
            let header = Header { kind, meta_octets, content_octets, sequence, synced_until, meta_checksum };
            let mut octets = header.encode(seed);
            prop_assert_eq!(Header::decode(&octets, seed), Ok(header));
            octets[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(Header::decode(&octets, seed).is_err());
        }

        #[test]
        fn volume_headers_survive(number: u64, store_id: [u8; 16], first_sequence: u64) {
            let header = VolumeHeader { format: FORMAT, number, store_id, first_sequence };
            prop_assert_eq!(VolumeHeader::decode(&header.encode()), Ok(header));
        }
    }
}
