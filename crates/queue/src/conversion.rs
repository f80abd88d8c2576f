//! Contents made 7bit on their way out, for hosts without 8BITMIME (RFC 6152 §3), or without BINARYMIME where
//! they are binary (RFC 3030 §3).
//!
//! This is the one place where the content that leaves is not the content that came. What the store
//! has stays as it is: another host, or a later attempt, may get it unchanged.

use crate::{
    limits::{CONTENT_CHUNK_OCTETS, CONVERTED_OCTETS_MAX, CONVERTED_TOGETHER_OCTETS_MAX},
    service::Shared,
};
use bytes::{Bytes, BytesMut};
use posta_message::downgrade::to_7bit;
use posta_store::{ContentRef, QueueEntry};
use posta_wire::ContentFacts;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What a host takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Taken {
    /// 8BITMIME is offered.
    pub(crate) eight_bit: bool,
    /// BINARYMIME is offered, with all that it needs, and may be used.
    pub(crate) binary: bool,
}

impl Taken {
    /// What the host lacks for a content, if it lacks something.
    pub(crate) fn lacking(self, facts: &ContentFacts) -> Option<&'static str> {
        match () {
            () if facts.is_binary && !self.binary => Some("BINARYMIME"),
            () if facts.has_8bit && !self.eight_bit => Some("8BITMIME"),
            () => None,
        }
    }
}

/// What one permit stands for.
const PERMIT_OCTETS: u64 = 1024;

/// A converted content, in memory as long as it is being sent.
pub(crate) struct Converted {
    pub(crate) octets: Bytes,
    pub(crate) facts: ContentFacts,
    _memory: OwnedSemaphorePermit,
}

/// Memory for conversions, shared by all connections.
pub(crate) fn memory() -> Arc<Semaphore> {
    Arc::new(Semaphore::new((CONVERTED_TOGETHER_OCTETS_MAX / PERMIT_OCTETS) as usize))
}

/// What came of a conversion.
pub(crate) enum Conversion {
    Done(Converted),
    /// It is too large, its 8-bit or binary octets stand where no transfer encoding reaches them (header fields,
    /// the text around parts), or a signature forbids to change it (RFC 1847 §2.1).
    Impossible,
    /// Our own failure, or the queue stops: nothing is known of the content.
    Interrupted,
}

/// The content of an entry as a host takes it.
pub(crate) async fn convert(shared: &Shared, entry: &QueueEntry, taken: Taken) -> Conversion {
    if entry.content.size_octets > CONVERTED_OCTETS_MAX {
        return Conversion::Impossible;
    }
    try_convert(shared, &entry.content, taken).await.unwrap_or(Conversion::Interrupted)
}

async fn try_convert(shared: &Shared, content: &ContentRef, taken: Taken) -> Option<Conversion> {
    let permits = u32::try_from(content.size_octets.div_ceil(PERMIT_OCTETS)).ok()?;
    let mut stopping = shared.stopping();
    let memory = tokio::select! {
        memory = shared.conversions.clone().acquire_many_owned(permits) => memory.ok()?,
        _ = stopping.wait_for(|stopping| *stopping) => return None,
    };
    let octets = read(shared, content).await?;
    // Some milliseconds for each megabyte: not on a thread that serves connections.
    let converting = tokio::task::spawn_blocking(move || {
        let done = to_7bit(&octets);
        let (facts, _) = ContentFacts::of(&done.octets);
        taken.lacking(&facts).is_none().then(|| (Bytes::from(done.octets.into_owned()), facts))
    });
    Some(match converting.await.ok()? {
        Some((octets, facts)) => Conversion::Done(Converted { octets, facts, _memory: memory }),
        None => Conversion::Impossible,
    })
}

async fn read(shared: &Shared, content: &ContentRef) -> Option<BytesMut> {
    let mut octets = BytesMut::with_capacity(usize::try_from(content.size_octets).ok()?);
    while (octets.len() as u64) < content.size_octets {
        match shared.store.read(content, octets.len() as u64, CONTENT_CHUNK_OCTETS).await {
            Ok(chunk) if !chunk.is_empty() => octets.extend_from_slice(&chunk),
            Ok(_) => return None,
            Err(error) => {
                tracing::error!(id = %content.id, %error, "reading a content");
                return None;
            }
        }
    }
    Some(octets)
}
