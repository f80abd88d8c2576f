//! Who is logged in: random tokens in browsers, all else here.
//!
//! Only a hash of each token is kept. A session is bound to the password that opened it: once the password
//! changes, however that comes, the session is over.

use crate::limits::{
    AGENT_CHARS_MAX, CODES_MAX, SECOND_FACTOR_TIME, SESSION_IDLE, SESSION_LIFE, SESSIONS_MAX,
    SESSIONS_PER_ACCOUNT_MAX,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use posta_address::Mailbox;
use posta_runtime::Entropy;
use posta_store::{Account, AccountId};
use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
    time::Instant,
};

/// A token's hash; also what names a session to its owner.
pub(crate) type SessionId = [u8; 32];

/// What is known of a session.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub(crate) account: AccountId,
    pub(crate) address: Mailbox,
    /// What a form or a script of our own pages must show.
    pub(crate) csrf: String,
    /// Where it began.
    pub(crate) peer: IpAddr,
    /// The browser, as it calls itself.
    pub(crate) agent: String,
    pub(crate) began_at: Timestamp,
    /// The second factor is still missing; with it, how many codes were wrong.
    pub(crate) awaits_code: Option<u32>,
    password: [u8; 32],
    began: Instant,
    used: Instant,
}

impl Session {
    fn is_over(&self, now: Instant) -> bool {
        let life = if self.awaits_code.is_some() { SECOND_FACTOR_TIME } else { SESSION_LIFE };
        now.saturating_duration_since(self.began) >= life
            || now.saturating_duration_since(self.used) >= SESSION_IDLE
    }

    /// Whether it may go on with what the account is now.
    pub(crate) fn fits(&self, account: &Account) -> bool {
        account.enabled && account.id == self.account && password_of(account) == self.password
    }
}

/// Where and with what somebody logs in.
pub(crate) struct Beginning {
    pub(crate) peer: IpAddr,
    pub(crate) agent: String,
    pub(crate) at: Timestamp,
    pub(crate) now: Instant,
}

/// All sessions of a host.
#[derive(Default)]
pub(crate) struct Sessions {
    table: Mutex<HashMap<SessionId, Session>>,
}

impl Sessions {
    /// Begins one; what is returned goes into the cookie.
    pub(crate) fn begin(
        &self,
        account: &Account,
        awaits_code: bool,
        beginning: Beginning,
        entropy: &dyn Entropy,
    ) -> String {
        let (token, csrf) = (random(entropy), random(entropy));
        let session = Session {
            account: account.id,
            address: account.address.clone(),
            csrf,
            peer: beginning.peer,
            agent: beginning.agent.chars().take(AGENT_CHARS_MAX).collect(),
            began_at: beginning.at,
            awaits_code: awaits_code.then_some(0),
            password: password_of(account),
            began: beginning.now,
            used: beginning.now,
        };
        let mut table = self.lock();
        make_room(&mut table, account.id, beginning.now);
        table.insert(id_of(&token), session);
        token
    }

    /// The session of a token.
    pub(crate) fn find(&self, token: &str, now: Instant) -> Option<(SessionId, Session)> {
        let id = id_of(token);
        let mut table = self.lock();
        let session = table.get_mut(&id)?;
        if session.is_over(now) {
            table.remove(&id);
            return None;
        }
        session.used = now;
        Some((id, session.clone()))
    }

    /// The second factor was shown. The token changes: the one before might be known to somebody.
    pub(crate) fn complete(&self, id: &SessionId, now: Instant, entropy: &dyn Entropy) -> Option<String> {
        let mut table = self.lock();
        let mut session = table.remove(id)?;
        session.awaits_code = None;
        (session.began, session.used) = (now, now);
        let token = random(entropy);
        table.insert(id_of(&token), session);
        Some(token)
    }

    /// A code was wrong; whether another may be tried.
    pub(crate) fn note_wrong_code(&self, id: &SessionId) -> bool {
        let mut table = self.lock();
        let Some(session) = table.get_mut(id) else { return false };
        let wrong = session.awaits_code.get_or_insert(0);
        *wrong += 1;
        let may_go_on = *wrong < CODES_MAX;
        if !may_go_on {
            table.remove(id);
        }
        may_go_on
    }

    /// Ends one.
    pub(crate) fn end(&self, id: &SessionId) {
        self.lock().remove(id);
    }

    /// Ends all of an account, but for this one.
    pub(crate) fn end_all(&self, account: AccountId, but: Option<&SessionId>) {
        self.lock().retain(|id, session| session.account != account || Some(id) == but);
    }

    /// An account's sessions, the latest first.
    pub(crate) fn of(&self, account: AccountId, now: Instant) -> Vec<(SessionId, Session)> {
        let table = self.lock();
        let own = table.iter().filter(|(_, session)| {
            session.account == account && session.awaits_code.is_none() && !session.is_over(now)
        });
        let mut own: Vec<_> = own.map(|(id, session)| (*id, session.clone())).collect();
        own.sort_by_key(|(_, session)| std::cmp::Reverse(session.used));
        own
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<SessionId, Session>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn make_room(table: &mut HashMap<SessionId, Session>, account: AccountId, now: Instant) {
    let drop_oldest = |table: &mut HashMap<SessionId, Session>, of: Option<AccountId>| {
        let candidates = table.iter().filter(|(_, session)| of.is_none_or(|of| session.account == of));
        if let Some(id) = candidates.min_by_key(|(_, session)| session.used).map(|(id, _)| *id) {
            table.remove(&id);
        }
    };
    if table.len() >= SESSIONS_MAX {
        table.retain(|_, session| !session.is_over(now));
        if table.len() >= SESSIONS_MAX {
            drop_oldest(table, None);
        }
    }
    if table.values().filter(|session| session.account == account).count() >= SESSIONS_PER_ACCOUNT_MAX {
        drop_oldest(table, Some(account));
    }
}

/// 256 random bits as a cookie or a form can carry them.
fn random(entropy: &dyn Entropy) -> String {
    let mut octets = [0; 32];
    entropy.fill(&mut octets);
    URL_SAFE_NO_PAD.encode(octets)
}

fn id_of(token: &str) -> SessionId {
    *blake3::hash(token.as_bytes()).as_bytes()
}

fn password_of(account: &Account) -> [u8; 32] {
    let hash = account.password_hash.as_ref().map_or("", |hash| hash.expose());
    *blake3::hash(hash.as_bytes()).as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use posta_runtime::OsEntropy;
    use posta_store::Credentials;
    use posta_wire::Secret;
    use std::time::Duration;

    fn account(id: u64) -> Account {
        Account {
            id: AccountId(id),
            address: format!("user{id}@north.example").parse().expect("a mailbox"),
            name: None,
            password_hash: Some(Secret::new("hash")),
            apop_secret: None,
            credentials: Credentials::default(),
            quota_octets: None,
            enabled: true,
            hold_seconds: 0,
        }
    }

    fn beginning(now: Instant) -> Beginning {
        Beginning { peer: [127, 0, 0, 1].into(), agent: "a browser".into(), at: Timestamp::UNIX_EPOCH, now }
    }

    #[test]
    fn a_session_ends_by_itself_by_log_out_and_with_the_password() {
        let (sessions, now) = (Sessions::default(), Instant::now());
        let token = sessions.begin(&account(1), false, beginning(now), &OsEntropy);
        let (id, session) = sessions.find(&token, now).expect("there");
        assert!(session.fits(&account(1)) && !session.fits(&account(2)));
        assert!(!session.fits(&Account { password_hash: Some(Secret::new("other")), ..account(1) }));
        assert!(!session.fits(&Account { enabled: false, ..account(1) }));
        assert!(sessions.find("guessed", now).is_none());
        sessions.end(&id);
        assert!(sessions.find(&token, now).is_none());
        let token = sessions.begin(&account(1), false, beginning(now), &OsEntropy);
        assert!(sessions.find(&token, now + SESSION_IDLE).is_none(), "unused");
        let token = sessions.begin(&account(1), false, beginning(now), &OsEntropy);
        let mut later = now;
        while later < now + SESSION_LIFE - Duration::from_hours(24) {
            later += Duration::from_hours(24);
            assert!(sessions.find(&token, later).is_some(), "used each day");
        }
        assert!(sessions.find(&token, now + SESSION_LIFE).is_none(), "for ever is too long");
    }

    #[test]
    fn log_out_everywhere_spares_others() {
        let (sessions, now) = (Sessions::default(), Instant::now());
        let begin = |id| sessions.begin(&account(id), false, beginning(now), &OsEntropy);
        let tokens = [begin(1), begin(1), begin(2)];
        let (here, _) = sessions.find(&tokens[0], now).expect("there");
        sessions.end_all(account(1).id, Some(&here));
        let alive = tokens.map(|token| sessions.find(&token, now).is_some());
        assert_eq!(alive, [true, false, true]);
    }

    #[test]
    fn the_second_factor_is_waited_for_a_while_and_not_guessed() {
        let (sessions, now) = (Sessions::default(), Instant::now());
        let token = sessions.begin(&account(1), true, beginning(now), &OsEntropy);
        assert!(sessions.of(account(1).id, now).is_empty(), "not logged in yet");
        let (id, _) = sessions.find(&token, now).expect("there");
        let fresh = sessions.complete(&id, now, &OsEntropy).expect("complete");
        assert!(sessions.find(&token, now).is_none() && sessions.find(&fresh, now).is_some());
        let token = sessions.begin(&account(1), true, beginning(now), &OsEntropy);
        let (id, _) = sessions.find(&token, now).expect("there");
        let tries: Vec<bool> = (0..CODES_MAX).map(|_| sessions.note_wrong_code(&id)).collect();
        assert_eq!(tries, [true, true, true, true, false]);
        assert!(sessions.find(&token, now).is_none());
        let token = sessions.begin(&account(1), true, beginning(now), &OsEntropy);
        assert!(sessions.find(&token, now + SECOND_FACTOR_TIME).is_none());
    }

    #[test]
    fn sessions_of_an_account_are_bounded() {
        let (sessions, now) = (Sessions::default(), Instant::now());
        let first = sessions.begin(&account(1), false, beginning(now), &OsEntropy);
        for second in 1..=SESSIONS_PER_ACCOUNT_MAX as u64 {
            let later = now + Duration::from_secs(second);
            sessions.begin(&account(1), false, beginning(later), &OsEntropy);
        }
        assert!(sessions.find(&first, now).is_none());
        assert_eq!(sessions.of(account(1).id, now).len(), SESSIONS_PER_ACCOUNT_MAX);
    }
}
