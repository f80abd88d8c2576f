//! Media types to write (RFC 2045 §5.1).

use super::fold::is_token;
use crate::header::HeaderText;
use std::{fmt, str::FromStr};
use thiserror::Error;

/// `type/subtype` with parameters, valid by construction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaType {
    essence: String,
    slash: usize,
    parameters: Vec<(String, HeaderText)>,
}

/// Not `token "/" token`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("not a media type")]
pub struct MediaTypeError;

impl MediaType {
    /// `application/octet-stream`: octets of no known kind.
    pub fn octet_stream() -> Self {
        MediaType::known("application", "octet-stream")
    }

    /// Joins two tokens; for those known when compiling.
    pub(crate) fn known(kind: &str, subtype: &str) -> Self {
        MediaType { essence: format!("{kind}/{subtype}"), slash: kind.len(), parameters: Vec::new() }
    }

    /// Checks `type/subtype`, lower-casing it. Parameters are not read.
    pub fn parse(text: &str) -> Result<Self, MediaTypeError> {
        let (kind, subtype) = text.split_once('/').ok_or(MediaTypeError)?;
        // RFC 6838 §4.2: each at most 127 characters.
        let is_valid = |part: &str| (1..=127).contains(&part.len()) && part.bytes().all(is_token);
        if !is_valid(kind) || !is_valid(subtype) {
            return Err(MediaTypeError);
        }
        Ok(MediaType { essence: text.to_ascii_lowercase(), slash: kind.len(), parameters: Vec::new() })
    }

    /// Adds a parameter, or replaces it. A name that is no token (at most 40 characters) is an error.
    pub fn with_parameter(mut self, name: &str, value: HeaderText) -> Result<Self, MediaTypeError> {
        // `*` and the like have a meaning of their own in names (RFC 2231 §7).
        let is_attribute = |octet: u8| is_token(octet) && !b"*'%".contains(&octet);
        if !(1..=40).contains(&name.len()) || !name.bytes().all(is_attribute) {
            return Err(MediaTypeError);
        }
        self.set(name, value);
        Ok(self)
    }

    pub(crate) fn set(&mut self, name: &str, value: HeaderText) {
        self.parameters.retain(|(present, _)| !present.eq_ignore_ascii_case(name));
        self.parameters.push((name.to_ascii_lowercase(), value));
    }

    /// `type/subtype`, in lower case.
    pub fn essence(&self) -> &str {
        &self.essence
    }

    /// `text`, `image`, `multipart` …
    pub fn kind(&self) -> &str {
        &self.essence[..self.slash]
    }

    /// What stands behind the slash.
    pub fn subtype(&self) -> &str {
        &self.essence[self.slash + 1..]
    }

    /// The parameters in their order.
    pub fn parameters(&self) -> impl Iterator<Item = (&str, &str)> {
        self.parameters.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// One parameter's value.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters().find(|(present, _)| present.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

impl fmt::Display for MediaType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.essence)
    }
}
impl FromStr for MediaType {
    type Err = MediaTypeError;
    fn from_str(text: &str) -> Result<Self, MediaTypeError> {
        MediaType::parse(text)
    }
}
