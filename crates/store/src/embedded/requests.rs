//! What senders asked for, inside records: tagged values after a flag that records of before do not have
//! set, so that old records are read as ever, and an older Posta refuses a newer record instead of
//! forgetting what was asked.

use super::codec::{Decoder, Encoder, Malformed};
use crate::{AccountId, Deadline, QueueId, RecipientRequests, Release, Requests, TlsRequest};
use posta_wire::Priority;

/// Set in the octet before which nothing but 0 and 1 was written: tagged values follow.
const HAS_REQUESTS: u8 = 2;

const RETURNED: u64 = 1;
const ENVELOPE_ID: u64 = 2;
const RELEASE_AT: u64 = 10;
const RELEASE_BY: u64 = 11;
const RELEASE_ASKED: u64 = 12;
const DEADLINE_AT: u64 = 13;
const DEADLINE_TERMS: u64 = 14;
const PRIORITY: u64 = 15;
const TLS: u64 = 16;
const RELEASE_OF: u64 = 17;

const NOTIFY: u64 = 1;
const ORIGINAL: u64 = 2;
const MAILDROP: u64 = 10;

/// Tags and values, gathered to be written with their count.
type Tagged = Vec<(u64, String)>;

/// Tags and values as read.
type Values<'a> = Vec<(u64, &'a str)>;

fn put_tagged(to: &mut Encoder, flag: bool, tagged: &Tagged) {
    let has_requests = if tagged.is_empty() { 0 } else { HAS_REQUESTS };
    to.u8(u8::from(flag) | has_requests);
    if !tagged.is_empty() {
        to.list(tagged, |to, (tag, value)| {
            to.number(*tag);
            to.text(value);
        });
    }
}

/// The flag, and the tagged values.
fn tagged<'a>(from: &mut Decoder<'a>) -> Result<(bool, Values<'a>), Malformed> {
    let flags = from.u8()?;
    if flags & !(HAS_REQUESTS | 1) != 0 {
        return Err(Malformed("neither yes nor no"));
    }
    let values = match flags & HAS_REQUESTS {
        0 => Vec::new(),
        _ => from.list(|from| Ok((from.number()?, from.text()?)))?,
    };
    Ok((flags & 1 != 0, values))
}

fn parsed<T: std::str::FromStr>(text: &str) -> Result<T, Malformed> {
    text.parse().map_err(|_| Malformed("not what a sender can ask for"))
}

const UNKNOWN: Malformed = Malformed("a request that is not known");

/// Writes a flag together with what was asked for a message.
pub(super) fn put_requests(to: &mut Encoder, flag: bool, requests: &Requests) {
    let Requests { returned, envelope_id, tls, release, deadline, priority } = requests;
    let mut values = Tagged::new();
    values.extend(returned.map(|returned| (RETURNED, returned.to_string())));
    values.extend(envelope_id.as_ref().map(|id| (ENVELOPE_ID, id.to_string())));
    if let Some(Release { at, by, of, asked }) = release {
        values.push((RELEASE_AT, at.to_string()));
        values.extend(by.map(|account| (RELEASE_BY, account.0.to_string())));
        values.extend(of.map(|id| (RELEASE_OF, id.0.to_string())));
        values.extend(asked.map(|asked| (RELEASE_ASKED, asked.to_string())));
    }
    if let Some(Deadline { at, terms }) = deadline {
        values.push((DEADLINE_AT, at.to_string()));
        values.push((DEADLINE_TERMS, terms.to_string()));
    }
    if *priority != Priority::default() {
        values.push((PRIORITY, priority.to_string()));
    }
    values.extend((*tls != TlsRequest::None).then(|| (TLS, tls.to_string())));
    put_tagged(to, flag, &values);
}

pub(super) fn requests(from: &mut Decoder<'_>) -> Result<(bool, Requests), Malformed> {
    let mut requests = Requests::default();
    let (flag, values) = tagged(from)?;
    let (mut release_at, mut release_by, mut release_of, mut release_asked) = (None, None, None, None);
    let (mut deadline_at, mut deadline_terms) = (None, None);
    for (tag, value) in values {
        match tag {
            RETURNED => requests.returned = Some(parsed(value)?),
            ENVELOPE_ID => requests.envelope_id = Some(parsed(value)?),
            TLS => requests.tls = parsed(value)?,
            RELEASE_AT => release_at = Some(parsed(value)?),
            RELEASE_BY => release_by = Some(AccountId(parsed(value)?)),
            RELEASE_OF => release_of = Some(QueueId(parsed(value)?)),
            RELEASE_ASKED => release_asked = Some(parsed(value)?),
            DEADLINE_AT => deadline_at = Some(parsed(value)?),
            DEADLINE_TERMS => deadline_terms = Some(parsed(value)?),
            PRIORITY => requests.priority = parsed(value)?,
            _ => return Err(UNKNOWN),
        }
    }
    requests.release =
        release_at.map(|at| Release { at, by: release_by, of: release_of, asked: release_asked });
    requests.deadline = deadline_at.zip(deadline_terms).map(|(at, terms)| Deadline { at, terms });
    Ok((flag, requests))
}

/// What is written together of a recipient: what was asked for it, and whose maildrop it is, if one here.
pub(super) type OfRecipient = (RecipientRequests, Option<AccountId>);

/// Writes a flag together with what there is to say of a recipient.
pub(super) fn put_recipient_requests(
    to: &mut Encoder,
    flag: bool,
    requests: &RecipientRequests,
    maildrop: Option<AccountId>,
) {
    let RecipientRequests { notify, original } = requests;
    let mut values = Tagged::new();
    values.extend(notify.map(|notify| (NOTIFY, notify.to_string())));
    values.extend(original.as_ref().map(|original| (ORIGINAL, original.to_string())));
    values.extend(maildrop.map(|account| (MAILDROP, account.0.to_string())));
    put_tagged(to, flag, &values);
}

pub(super) fn recipient_requests(from: &mut Decoder<'_>) -> Result<(bool, OfRecipient), Malformed> {
    let (mut requests, mut maildrop) = OfRecipient::default();
    let (flag, values) = tagged(from)?;
    for (tag, value) in values {
        match tag {
            NOTIFY => requests.notify = Some(parsed(value)?),
            ORIGINAL => requests.original = Some(parsed(value)?),
            MAILDROP => maildrop = Some(AccountId(parsed(value)?)),
            _ => return Err(UNKNOWN),
        }
    }
    Ok((flag, (requests, maildrop)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_requests_nothing_changes() {
        for flag in [false, true] {
            let mut to = Encoder::default();
            put_requests(&mut to, flag, &Requests::default());
            put_recipient_requests(&mut to, flag, &RecipientRequests::default(), None);
            // As it was written before there were any.
            assert_eq!(to.finish().as_ref(), [u8::from(flag), u8::from(flag)]);
        }
    }

    #[test]
    fn requests_come_back() {
        let asked = Requests {
            returned: Some(posta_wire::ReturnedPart::Full),
            envelope_id: Some("QQ+20314159".parse().unwrap()),
            tls: TlsRequest::Required,
            release: Some(Release {
                at: "2027-01-01T00:00:00.123456789Z".parse().unwrap(),
                by: Some(AccountId(7)),
                of: Some(QueueId(8)),
                asked: Some("for;3600".parse().unwrap()),
            }),
            deadline: Some(Deadline {
                at: "2027-01-02T00:00:00Z".parse().unwrap(),
                terms: "NT".parse().unwrap(),
            }),
            priority: "-4".parse().unwrap(),
        };
        let of_recipient = RecipientRequests {
            notify: Some("SUCCESS,DELAY".parse().unwrap()),
            original: Some("utf-8;jörg@x.example".parse().unwrap()),
        };
        let mut to = Encoder::default();
        put_requests(&mut to, true, &asked);
        put_recipient_requests(&mut to, false, &of_recipient, Some(AccountId(7)));
        let octets = to.finish();
        let mut from = Decoder::new(&octets);
        assert_eq!(requests(&mut from), Ok((true, asked)));
        assert_eq!(recipient_requests(&mut from), Ok((false, (of_recipient, Some(AccountId(7))))));
        from.finish().unwrap();
    }

    #[test]
    fn what_is_not_known_is_refused() {
        for octets in [&[4][..], &[2, 1, 99, 0], &[2, 1, 1, 4, b'H', b'A', b'L', b'F']] {
            assert!(requests(&mut Decoder::new(octets)).is_err(), "{octets:?}");
            assert!(recipient_requests(&mut Decoder::new(octets)).is_err(), "{octets:?}");
        }
    }
}
