//! What LMTP does otherwise (RFC 2033): LHLO in place of HELO and EHLO, and one reply for each recipient
//! at the end of the content.

use super::session::{Session, State};
use crate::{
    Reply, Verb,
    replies::{self, Standard},
};

impl Session {
    /// RFC 2033 §4.1: whoever greets in the other protocol has come to the wrong port, and must notice.
    pub(super) fn foreign_hello(&self, verb: Option<Verb>) -> Option<Standard> {
        match (self.settings.lmtp, verb?) {
            (true, Verb::Helo | Verb::Ehlo) => Some(replies::NOT_SMTP_BUT_LMTP),
            (false, Verb::Lhlo) => Some(replies::NOT_IMPLEMENTED),
            _ => None,
        }
    }

    /// How many replies the end of a content gets (RFC 2033 §4.2).
    pub(super) fn replies_to_content(&self, accepted: u32) -> u32 {
        if self.settings.lmtp { accepted } else { 1 }
    }

    /// How many a chunk gets that is refused: the last as many as the content, which may be none
    /// (RFC 2033 §4.3).
    pub(super) fn replies_to_chunk(&self, last: bool) -> u32 {
        match &self.state {
            _ if !last => 1,
            State::Envelope(envelope) => self.replies_to_content(envelope.accepted),
            State::Chunks(chunks) => chunks.replies,
            _ => 1,
        }
    }

    /// Says a reply once less than so often; the last time is left to whoever counts it.
    pub(super) fn say_more(&mut self, replies: u32, reply: &Reply) {
        for _ in 1..replies {
            self.say(reply);
        }
    }

    /// The end of the content, recipient by recipient. The transaction is over; that all were refused
    /// counts as one refusal.
    pub(super) fn each_decided(&mut self, each: &[Reply]) {
        let State::Committing { replies: wanted, .. } = self.state else {
            debug_assert!(false, "nothing is being committed");
            return;
        };
        debug_assert_eq!(each.len(), wanted as usize, "a reply for each recipient");
        let lost = replies::LOCAL_ERROR.reply();
        let each = each.iter().chain(std::iter::repeat(&lost)).take(wanted as usize);
        let (taken, last) = each.fold((false, None), |(taken, before), reply| {
            before.into_iter().for_each(|before| self.say(before));
            (taken || reply.is_positive(), Some(reply))
        });
        let Some(last) = last else { return };
        if taken {
            self.say(last);
            self.idle_commands = 0;
            self.state = State::Ready;
            return;
        }
        self.say_verdict(last);
        self.abort("refused at the end of data");
    }
}
