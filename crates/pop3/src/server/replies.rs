//! All replies of the server: what they say is in [`super::phrases`], what they mean to a program here.

use super::{LoginFailure, MechanismRefusal, Unreadable, maildrop::Missing, phrases::Phrase};
use crate::{Language, Reply, ResponseCode};
use std::fmt::Display;

/// `+OK text`
pub(super) fn ok(language: Language, phrase: Phrase, values: &[&dyn Display]) -> Reply {
    Reply { positive: true, code: None, text: phrase.say(language, values) }
}

/// `-ERR text`
pub(super) fn err(language: Language, phrase: Phrase, values: &[&dyn Display]) -> Reply {
    Reply { positive: false, code: None, text: phrase.say(language, values) }
}

/// `-ERR [code] text`
pub(super) fn coded(
    language: Language,
    code: ResponseCode,
    phrase: Phrase,
    values: &[&dyn Display],
) -> Reply {
    Reply { code: Some(code), ..err(language, phrase, values) }
}

pub(super) fn missing(language: Language, missing: Missing) -> Reply {
    match missing {
        Missing::Deleted(message) => err(language, Phrase::IsDeleted, &[&message]),
        Missing::NeverThere { count } => err(language, Phrase::NoSuchMessage, &[&count]),
    }
}

pub(super) fn mechanism(language: Language, refusal: MechanismRefusal) -> Reply {
    let phrase = match refusal {
        MechanismRefusal::NotOffered => Phrase::MechanismUnknown,
        // RFC 5034 §4: no plaintext without TLS.
        MechanismRefusal::NeedsEncryption => Phrase::EncryptionRequired,
    };
    err(language, phrase, &[])
}

/// RFC 3206 §5: `[AUTH]` only where the credentials are the problem; which of them is not told
/// (RFC 1939 §13).
pub(super) fn login(language: Language, failure: LoginFailure) -> Reply {
    let (code, phrase) = match failure {
        LoginFailure::Credentials => (ResponseCode::Authentication, Phrase::WrongCredentials),
        LoginFailure::Temporary => (ResponseCode::SystemTemporary, Phrase::LoginLater),
        LoginFailure::Permanent => (ResponseCode::SystemPermanent, Phrase::LoginBroken),
        LoginFailure::TooSoon { wait_secs } => {
            return coded(language, ResponseCode::LoginDelay, Phrase::LoginTooSoon, &[&wait_secs]);
        }
    };
    coded(language, code, phrase, &[])
}

pub(super) fn unreadable(language: Language, unreadable: Unreadable) -> Reply {
    match unreadable {
        Unreadable::Temporary => {
            coded(language, ResponseCode::SystemTemporary, Phrase::ContentUnreadable, &[])
        }
        Unreadable::Permanent => coded(language, ResponseCode::SystemPermanent, Phrase::ContentDamaged, &[]),
    }
}
