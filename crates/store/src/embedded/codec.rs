//! The plain parts that facts are written in: whole numbers as LEB128, texts and octets with their
//! length before them, an absent value as 0 and a present one as 1 and the value.
//!
//! Reading is bounded everywhere: a length never exceeds what is there, a count never exceeds the
//! octets left, so that a damaged record costs nothing but its own refusal.

use crate::limits::TEXT_OCTETS_MAX;
use bytes::Bytes;
use jiff::Timestamp;
use std::str::FromStr;

/// The octets are not what was written; where and why is for the reader of the record to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct Malformed(pub(super) &'static str);

/// Writes.
#[derive(Default)]
pub(super) struct Encoder {
    octets: Vec<u8>,
}

impl Encoder {
    pub(super) fn with_capacity(capacity: usize) -> Self {
        Encoder { octets: Vec::with_capacity(capacity) }
    }

    pub(super) fn finish(self) -> Bytes {
        self.octets.into()
    }

    pub(super) fn u8(&mut self, value: u8) {
        self.octets.push(value);
    }

    pub(super) fn bool(&mut self, value: bool) {
        self.u8(u8::from(value));
    }

    pub(super) fn number(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.octets.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.octets.push(value as u8);
    }

    /// Zigzag: small negative numbers stay short.
    pub(super) fn signed(&mut self, value: i64) {
        self.number((value << 1 ^ value >> 63) as u64);
    }

    pub(super) fn octets(&mut self, value: &[u8]) {
        self.number(value.len() as u64);
        self.octets.extend_from_slice(value);
    }

    /// A text; what exceeds the limit is cut (only words for people can be that long).
    pub(super) fn text(&mut self, value: &str) {
        let mut end = value.len().min(TEXT_OCTETS_MAX);
        while !value.is_char_boundary(end) {
            end -= 1;
        }
        self.octets(&value.as_bytes()[..end]);
    }

    /// The printed form.
    pub(super) fn display(&mut self, value: &impl std::fmt::Display) {
        self.text(&value.to_string());
    }

    pub(super) fn time(&mut self, value: Timestamp) {
        self.signed(value.as_second());
        self.signed(i64::from(value.subsec_nanosecond()));
    }

    pub(super) fn option<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut Self, T)) {
        self.bool(value.is_some());
        if let Some(value) = value {
            write(self, value);
        }
    }

    pub(super) fn list<T>(&mut self, values: &[T], mut write: impl FnMut(&mut Self, &T)) {
        self.number(values.len() as u64);
        for value in values {
            write(self, value);
        }
    }
}

/// Reads.
pub(super) struct Decoder<'a> {
    rest: &'a [u8],
}

impl<'a> Decoder<'a> {
    pub(super) fn new(octets: &'a [u8]) -> Self {
        Decoder { rest: octets }
    }

    /// All must have been read.
    pub(super) fn finish(self) -> Result<(), Malformed> {
        if self.rest.is_empty() { Ok(()) } else { Err(Malformed("octets after the end")) }
    }

    /// Whether all was read.
    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(Malformed("ends too early"))?;
        self.rest = rest;
        Ok(taken)
    }

    pub(super) fn u8(&mut self) -> Result<u8, Malformed> {
        Ok(self.take(1)?[0])
    }

    pub(super) fn bool(&mut self) -> Result<bool, Malformed> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Malformed("neither yes nor no")),
        }
    }

    pub(super) fn number(&mut self) -> Result<u64, Malformed> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let octet = self.u8()?;
            if shift == 63 && octet > 1 {
                break;
            }
            value |= u64::from(octet & 0x7f) << shift;
            if octet & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Malformed("number too large"))
    }

    pub(super) fn number_u32(&mut self) -> Result<u32, Malformed> {
        u32::try_from(self.number()?).map_err(|_| Malformed("number too large"))
    }

    pub(super) fn signed(&mut self) -> Result<i64, Malformed> {
        let value = self.number()?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    pub(super) fn octets(&mut self) -> Result<&'a [u8], Malformed> {
        let length = usize::try_from(self.number()?).map_err(|_| Malformed("length too large"))?;
        self.take(length)
    }

    pub(super) fn text(&mut self) -> Result<&'a str, Malformed> {
        let octets = self.octets()?;
        if octets.len() > TEXT_OCTETS_MAX {
            return Err(Malformed("text too long"));
        }
        std::str::from_utf8(octets).map_err(|_| Malformed("not UTF-8"))
    }

    pub(super) fn string(&mut self) -> Result<String, Malformed> {
        self.text().map(str::to_owned)
    }

    pub(super) fn parsed<T: FromStr>(&mut self) -> Result<T, Malformed> {
        self.text()?.parse().map_err(|_| Malformed("not an address"))
    }

    pub(super) fn time(&mut self) -> Result<Timestamp, Malformed> {
        let second = self.signed()?;
        let nanosecond = i32::try_from(self.signed()?).map_err(|_| Malformed("not a time"))?;
        Timestamp::new(second, nanosecond).map_err(|_| Malformed("not a time"))
    }

    pub(super) fn option<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, Malformed>,
    ) -> Result<Option<T>, Malformed> {
        if self.bool()? { read(self).map(Some) } else { Ok(None) }
    }

    pub(super) fn list<T>(
        &mut self,
        mut read: impl FnMut(&mut Self) -> Result<T, Malformed>,
    ) -> Result<Vec<T>, Malformed> {
        let count = self.number()?;
        // Each element has at least one octet.
        if count > self.rest.len() as u64 {
            return Err(Malformed("count too large"));
        }
        // No room is made ahead for what a damaged count promises.
        let mut values = Vec::with_capacity((count as usize).min(64));
        for _ in 0..count {
            values.push(read(self)?);
        }
        Ok(values)
    }
}
