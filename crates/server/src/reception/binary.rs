//! Binary messages for maildrops of this host (RFC 3030 §3).
//!
//! What reads maildrops reads lines: POP3 has no other form, and a program that takes a bare LF for a line end
//! could be shown an end of the message that is none. So a message that came as BINARYMIME for somebody here
//! is held in memory, and its binary bodies are encoded before it is kept; nothing of them is lost. One that
//! only passes through is kept as it came.

use super::transaction::Transaction;
use crate::{
    limits::{BINARY_OCTETS_MAX, BINARY_TOGETHER_OCTETS_MAX},
    reception::replies,
    recipients::Place,
};
use bytes::{Bytes, BytesMut};
use posta_message::downgrade::to_7bit;
use posta_smtp::{Body, replies::Standard};
use posta_wire::ContentFacts;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What one permit stands for.
const PERMIT_OCTETS: usize = 64 * 1024;

/// Memory for binary messages, shared by all sessions.
pub(crate) fn memory() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(BINARY_TOGETHER_OCTETS_MAX / PERMIT_OCTETS))
}

/// A binary message on its way in.
#[derive(Debug)]
pub(crate) struct Held {
    octets: BytesMut,
    memory: Arc<Semaphore>,
    permits: Option<OwnedSemaphorePermit>,
    room_octets: usize,
    /// It will be refused; nothing more is held.
    refusal: Option<Standard>,
}

impl Held {
    /// To hold what a transaction brings, if it may be binary and is for somebody here.
    pub(crate) fn of(transaction: &Transaction, memory: &Arc<Semaphore>) -> Option<Box<Held>> {
        let is_here = |place: &Place| matches!(place, Place::Maildrop { .. });
        let holds = transaction.parameters.body == Body::Binary
            && transaction.targets.iter().any(|(_, target)| is_here(&target.place));
        holds.then(|| {
            Box::new(Held {
                octets: BytesMut::new(),
                memory: memory.clone(),
                permits: None,
                room_octets: 0,
                refusal: None,
            })
        })
    }

    /// Takes a piece. Nobody waits for memory that others, who wait as well, would have to give back.
    pub(crate) fn take(&mut self, piece: &[u8]) {
        if self.refusal.is_some() {
            return;
        }
        let octets = self.octets.len() + piece.len();
        if octets > BINARY_OCTETS_MAX {
            return self.refuse(replies::BINARY_TOO_LARGE);
        }
        while self.room_octets < octets {
            let Ok(permit) = self.memory.clone().try_acquire_owned() else {
                return self.refuse(replies::BINARY_BUSY);
            };
            match &mut self.permits {
                Some(permits) => permits.merge(permit),
                None => self.permits = Some(permit),
            }
            self.room_octets += PERMIT_OCTETS;
        }
        self.octets.extend_from_slice(piece);
    }

    fn refuse(&mut self, refusal: Standard) {
        (self.octets, self.permits, self.refusal) = (BytesMut::new(), None, Some(refusal));
    }

    /// All of it is here: what is to be kept, with its facts, or why it is refused.
    pub(crate) async fn finish(self: Box<Self>) -> Result<(Bytes, ContentFacts), Standard> {
        let Held { octets, permits, refusal, .. } = *self;
        if let Some(refusal) = refusal {
            return Err(refusal);
        }
        // Some milliseconds for each megabyte: not on a thread that serves sessions.
        let converting = tokio::task::spawn_blocking(move || {
            let (facts, _) = ContentFacts::of(&octets);
            if !facts.is_binary {
                return Some((octets.freeze(), facts));
            }
            let converted = to_7bit(&octets).octets;
            let (facts, _) = ContentFacts::of(&converted);
            (!facts.is_binary).then(|| (Bytes::from(converted.into_owned()), facts))
        });
        let converted = converting.await.map_err(|_| replies::LOCAL_ERROR)?;
        drop(permits);
        converted.ok_or(replies::BINARY_FIXED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipients::{Resolution, Target};
    use posta_smtp::server::MailParameters;
    use posta_store::{AccountId, RecipientRequests};

    const HEADER: &str = "MIME-Version: 1.0\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: binary\r\n\r\n";

    fn transaction(body: Body, is_here: bool) -> Transaction {
        let parameters = MailParameters { body, ..MailParameters::default() };
        let mut transaction = Transaction::new("<a@x.example>".parse().expect("a path"), parameters);
        let mailbox: posta_address::Mailbox = "bob@x.example".parse().expect("a mailbox");
        let resolution = Resolution::Elsewhere(mailbox.clone());
        transaction.add(
            "<bob@x.example>".parse().expect("a path"),
            RecipientRequests::default(),
            resolution,
            String::new(),
        );
        if is_here {
            let place = Place::Maildrop { account: AccountId(1), quota_octets: None };
            transaction.targets[0].1 = Target { mailbox, place, list_owner: None, through_list: false };
        }
        transaction
    }

    async fn converted(pieces: &[&[u8]]) -> Result<String, Standard> {
        let mut held = Held::of(&transaction(Body::Binary, true), &memory()).expect("for somebody here");
        pieces.iter().for_each(|piece| held.take(piece));
        let (octets, facts) = held.finish().await?;
        assert_eq!(facts, ContentFacts::of(&octets).0);
        Ok(String::from_utf8(octets.to_vec()).expect("text"))
    }

    #[test]
    fn only_what_may_be_binary_and_stays_here_is_held() {
        let holds = |body, is_here| Held::of(&transaction(body, is_here), &memory()).is_some();
        assert!(holds(Body::Binary, true));
        assert!(!holds(Body::Binary, false) && !holds(Body::EightBit, true));
    }

    #[tokio::test]
    async fn binary_bodies_are_encoded_and_all_else_stays() {
        let text = converted(&[HEADER.as_bytes(), b"\0\n\r\xff", b".\r\n.\r\n"]).await.expect("converted");
        let encoded = HEADER.replace("binary", "quoted-printable");
        assert_eq!(text, format!("{encoded}=00=0A=0D=FF.\r\n=2E\r\n"));
        let text = converted(&[HEADER.as_bytes(), b"lines\r\n"]).await.expect("as it was");
        assert_eq!(text, format!("{HEADER}lines\r\n"));
    }

    #[tokio::test]
    async fn what_may_not_be_changed_is_refused() {
        let signed =
            "Content-Type: multipart/signed; boundary=a\r\n\r\n--a\r\n\r\n\0\r\n--a\r\n\r\nx\r\n--a--\r\n";
        assert_eq!(converted(&[signed.as_bytes()]).await, Err(replies::BINARY_FIXED));
    }

    #[tokio::test]
    async fn memory_is_bounded() {
        let memory = memory();
        let mut held = Held::of(&transaction(Body::Binary, true), &memory).expect("held");
        let piece = vec![0; PERMIT_OCTETS];
        for _ in 0..BINARY_OCTETS_MAX / PERMIT_OCTETS {
            held.take(&piece);
        }
        let used = BINARY_TOGETHER_OCTETS_MAX - memory.available_permits() * PERMIT_OCTETS;
        assert_eq!(used, BINARY_OCTETS_MAX);
        held.take(b"x");
        assert_eq!(memory.available_permits() * PERMIT_OCTETS, BINARY_TOGETHER_OCTETS_MAX, "given back");
        assert_eq!(held.finish().await.err(), Some(replies::BINARY_TOO_LARGE));

        let _others =
            memory.clone().acquire_many_owned(memory.available_permits() as u32).await.expect("all");
        let mut held = Held::of(&transaction(Body::Binary, true), &memory).expect("held");
        held.take(b"x");
        assert_eq!(held.finish().await.err(), Some(replies::BINARY_BUSY));
    }
}
