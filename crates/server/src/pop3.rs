//! Fetching mail: a POP3 session works on a snapshot of its maildrop (RFC 1939), so several clients at
//! once are fine and none is locked out.

use crate::{
    config::Protocol,
    credentials::{Channel, Failed, Login, Service as Wanted, printable},
    host::{Host, Policy},
    limits::CONTENT_READ_OCTETS,
    surrogates::Surrogate,
};
use async_trait::async_trait;
use bytes::Bytes;
use posta_address::Mailbox;
use posta_journal::{Event as Note, SessionKind};
use posta_pop3::{
    apop_digest, digests_equal,
    server::{Answer, Event, LoginFailure, MechanismRefusal, MessageEntry, Question, Session, Unreadable},
};
use posta_runtime::{Admission, Handler, Refusal, Service, drive};
use posta_smtp::server::Authentication;
use posta_store::{
    Account, AccountId, FolderId, MailboxSelection, MaildropMessage, MaildropSnapshot, QueueId, StoreError,
};
use posta_wire::{
    Secret, TlsFacts,
    sasl::{self, Mechanism, prepare, server::Failure},
};
use std::{collections::HashSet, net::SocketAddr, sync::Arc};
use tokio::net::TcpStream;

/// Takes POP3 connections.
pub(crate) struct Pop3Service {
    pub(crate) host: Arc<Host>,
    /// Which of its protocols is spoken at this listener.
    pub(crate) protocol: Protocol,
}

impl Service for Pop3Service {
    fn serve(&self, stream: TcpStream, peer: SocketAddr, admission: Admission) {
        tokio::spawn(converse(self.host.clone(), self.protocol, stream, peer, admission));
    }

    fn refuse(&self, peer: SocketAddr, refusal: Refusal) -> Bytes {
        let reason = match refusal {
            Refusal::TotalConnections => "too busy, try again later",
            Refusal::AddressConnections => "too many connections from you",
            Refusal::Failures => "too many failures from you, try again later",
        };
        // RFC 3206 §4: whether it is worth trying again.
        let reply = format!("-ERR [SYS/TEMP] {reason}");
        self.host.note_turned_away(peer, reply.clone(), format!("{refusal:?}"));
        Bytes::from(reply + "\r\n")
    }
}

/// A whole session. Its future is what an idle connection costs (besides the socket).
async fn converse(
    host: Arc<Host>,
    protocol: Protocol,
    mut stream: TcpStream,
    peer: SocketAddr,
    admission: Admission,
) {
    let stopping = host.stopping();
    let policy = host.policy();
    let transcript = host.transcript(protocol, &stream, peer);
    let tls = policy.tls.clone();
    let mut handler = Pop3Session::new(&host, policy, peer);
    let timestamp = handler.timestamp().await;
    let settings = handler.policy.pop3.clone();
    let now = host.clock.now();
    let mut session = match protocol.is_implicit_tls() {
        true => Session::new_over_tls(settings, timestamp, now),
        false => Session::new(settings, timestamp, now),
    };
    let clock = &*host.clock;
    drive(&mut session, &mut handler, &mut stream, tls.as_ref(), clock, transcript.as_deref(), stopping)
        .await;
    handler.finish();
    drop(admission);
}

/// What a session keeps between its questions.
struct Pop3Session<'a> {
    host: &'a Host,
    policy: Arc<Policy>,
    number: u64,
    peer: SocketAddr,
    tls: Option<Arc<TlsFacts>>,
    /// Boxed: a session that is not logged in has none.
    maildrop: Option<Box<Maildrop>>,
    login: Box<Login>,
    /// The folder that the login name names, if it names one.
    folder: Option<Box<str>>,
    /// The client reads UTF-8 in header sections (RFC 6856 §2.1).
    utf8: bool,
    retrieved: u32,
    end: &'static str,
}

struct Maildrop {
    account: AccountId,
    address: Mailbox,
    snapshot: MaildropSnapshot,
    /// Messages that the client could not read as they are.
    surrogates: HashSet<usize>,
    /// The one that is being sent.
    surrogate: Option<(usize, Surrogate)>,
}

impl<'a> Pop3Session<'a> {
    fn new(host: &'a Host, policy: Arc<Policy>, peer: SocketAddr) -> Self {
        let number = host.next_session();
        Pop3Session {
            host,
            policy,
            number,
            peer,
            tls: None,
            login: Box::default(),
            folder: None,
            utf8: false,
            maildrop: None,
            retrieved: 0,
            end: "peer closed",
        }
    }

    /// The greeting's timestamp: never twice the same (RFC 1939 §7 APOP). Not given where nobody has a
    /// secret: many clients (curl, mpop) take APOP wherever it is offered, and then can't log in.
    async fn timestamp(&self) -> Option<String> {
        let policy = &self.policy;
        if !policy.config.pop3.apop || !self.host.store.has_apop_accounts().await.unwrap_or(false) {
            return None;
        }
        let random = self.host.entropy.next_u64();
        let hostname = policy.config.hostname.to_ascii();
        Some(format!("<{:x}.{random:x}@{hostname}>", self.number))
    }

    fn finish(self) {
        self.host.journal.note(Note::Session {
            kind: SessionKind::Pop3,
            session: self.number,
            peer: self.peer,
            hello: self.maildrop.map(|maildrop| maildrop.address.to_string()),
            tls: self.tls.map(|tls| tls.to_string()),
            messages: self.retrieved,
            end: self.end.into(),
        });
    }

    async fn login(&mut self, user: &str, password: &Secret) -> Answer {
        // RFC 6856 §2.2: prepared as in SASL.
        let Ok(mut name) = prepare::name(user) else {
            return self.wrong(user, "pass", "no name can be like that").await;
        };
        if let Err(error) = self.choose_folder(&mut name).await {
            return self.cannot_look(user, &error);
        }
        match self.host.check_password(&name, password, Wanted::Pop3).await {
            Ok(account) => self.open(user, "pass", Some(account)).await,
            Err(Failed::Wrong(reason)) => self.wrong(user, "pass", reason).await,
            Err(Failed::Unavailable(reason)) => self.cannot_look(user, &reason),
        }
    }

    /// Which folder the client wants, if its name says so; the name is then the user's alone.
    async fn choose_folder(&mut self, name: &mut String) -> Result<(), StoreError> {
        self.folder = Box::pin(self.host.take_folder_name(name)).await?;
        Ok(())
    }

    async fn credentials(&mut self, mut question: Box<sasl::server::Question>) -> Answer {
        match self.host.take_folder_names(&mut question).await {
            Ok(folder) => self.folder = folder,
            Err(error) => {
                self.login.reason = Some(format!("store: {error}"));
                return Answer::Credentials(sasl::server::Answer::Unavailable);
            }
        }
        let channel = Channel { peer: self.peer.ip(), tls: self.tls.as_deref() };
        let answer = self.host.credentials(Wanted::Pop3, channel, &mut self.login, *question);
        Answer::Credentials(answer.await)
    }

    fn channel(&self) -> Channel<'_> {
        Channel { peer: self.peer.ip(), tls: self.tls.as_deref() }
    }

    async fn authentication(&self) -> Authentication {
        self.host.authentication(&self.policy, self.channel()).await
    }

    async fn authenticate(&self, mechanism: Mechanism) -> Answer {
        let Authentication { offered, needs_encryption, .. } = self.authentication().await;
        if offered.contains(mechanism) {
            return Answer::Exchange(Box::new(self.host.exchange(&self.policy, mechanism, self.channel())));
        }
        Answer::NoExchange(match needs_encryption.contains(mechanism) {
            true => MechanismRefusal::NeedsEncryption,
            false => MechanismRefusal::NotOffered,
        })
    }

    async fn authentication_failed(&mut self, failure: Failure) -> Answer {
        let reason = self.login.reason.take().unwrap_or_else(|| failure.to_string());
        let name = std::mem::take(&mut self.login.name);
        match failure {
            Failure::Unavailable | Failure::OutOfTurn => self.cannot_look(&name, &reason),
            _ => self.wrong(&name, "auth", &reason).await,
        }
    }

    async fn apop(&mut self, user: &str, timestamp: &str, digest: &[u8; 16]) -> Answer {
        let Ok(mut name) = prepare::name(user) else {
            return self.wrong(user, "apop", "no name can be like that").await;
        };
        if let Err(error) = self.choose_folder(&mut name).await {
            return self.cannot_look(user, &error);
        }
        let account = match self.host.find_account(&name).await {
            Ok(account) => account,
            Err(error) => return self.cannot_look(user, &error),
        };
        let secret = account.as_ref().and_then(|account| account.apop_secret.as_ref());
        // Computed in any case, so that the time does not tell who has a secret.
        let expected = apop_digest(timestamp, secret.map_or("", Secret::expose));
        if !digests_equal(&expected, digest) || secret.is_none_or(|secret| secret.expose().is_empty()) {
            return self.wrong(user, "apop", "wrong name or digest").await;
        }
        self.open(user, "apop", account).await
    }

    async fn open(&mut self, user: &str, stage: &str, account: Option<Account>) -> Answer {
        let Some(account) = account.filter(|account| account.enabled) else {
            return self.wrong(user, stage, "account disabled").await;
        };
        let folder = match self.host.folder_named(account.id, self.folder.as_deref()).await {
            Ok(Some(folder)) => folder,
            // Part of the name is wrong.
            Ok(None) => return self.wrong(user, stage, "no such folder").await,
            Err(error) => return self.cannot_look(user, &error),
        };
        let delay = self.policy.config.pop3.login_delay.0;
        if let Err(wait) = self.host.logins.admit(account.id, delay, self.host.clock.now()) {
            self.note_refused(stage, "-ERR [LOGIN-DELAY]", format!("too soon ({})", account.address));
            return Answer::Login(Err(LoginFailure::TooSoon { wait_secs: wait.as_secs().max(1) }));
        }
        match Box::pin(self.look_into(account, folder)).await {
            Ok(entries) => Answer::Login(Ok(entries)),
            Err(error @ StoreError::Damaged(_)) => {
                self.note_refused("pass", "-ERR [SYS/PERM]", format!("{error} ({})", printable(user)));
                Answer::Login(Err(LoginFailure::Permanent))
            }
            Err(error) => self.cannot_look(user, &error),
        }
    }

    async fn look_into(
        &mut self,
        account: Account,
        folder: FolderId,
    ) -> Result<Vec<MessageEntry>, StoreError> {
        let snapshot = self.host.store.mailbox(account.id, MailboxSelection::Folder(folder)).await?;
        let mut entries = Vec::with_capacity(snapshot.messages.len());
        let mut surrogates = HashSet::new();
        for (index, message) in snapshot.messages.iter().enumerate() {
            let mut size_octets = message.prefix.len() as u64 + message.content.size_octets;
            if !self.utf8
                && let Some(octets) = self.host.surrogates.size(&*self.host.store, message).await?
            {
                size_octets = octets;
                surrogates.insert(index);
            }
            entries.push(MessageEntry { size_octets, unique_id: message.content.id.to_string() });
        }
        let (account, address) = (account.id, account.address);
        let maildrop = Maildrop { account, address, snapshot, surrogates, surrogate: None };
        self.maildrop = Some(Box::new(maildrop));
        Ok(entries)
    }

    /// Every failure is slow, counted, and noted; what exactly was wrong the peer does not hear.
    async fn wrong(&self, user: &str, stage: &str, reason: &str) -> Answer {
        self.note_refused(stage, "-ERR [AUTH]", format!("{reason} ({})", printable(user)));
        Box::pin(self.host.slow_down(self.peer.ip(), user)).await;
        Answer::Login(Err(LoginFailure::Credentials))
    }

    fn cannot_look(&self, user: &str, reason: &dyn std::fmt::Display) -> Answer {
        self.note_refused("pass", "-ERR [SYS/TEMP]", format!("{reason} ({})", printable(user)));
        Answer::Login(Err(LoginFailure::Temporary))
    }

    fn note_refused(&self, stage: &str, reply: &str, reason: String) {
        self.host.journal.note(Note::Refused {
            session: self.number,
            peer: self.peer.ip().to_canonical(),
            stage: stage.to_owned(),
            from: None,
            to: None,
            message_id: None,
            reply: reply.to_owned(),
            reason,
        });
    }

    /// The next piece: the prefix first, then the content as it lies in the store; or of the surrogate.
    async fn content(&mut self, index: usize, offset: u64) -> Result<Bytes, Unreadable> {
        let maildrop = self.maildrop.as_ref().ok_or(Unreadable::Temporary)?;
        if maildrop.surrogates.contains(&index) {
            return Box::pin(self.surrogate(index, offset)).await;
        }
        self.original(index, offset).await
    }

    async fn original(&self, index: usize, offset: u64) -> Result<Bytes, Unreadable> {
        let maildrop = self.maildrop.as_ref().ok_or(Unreadable::Temporary)?;
        let message = maildrop.snapshot.messages.get(index).ok_or(Unreadable::Temporary)?;
        let prefix_octets = message.prefix.len() as u64;
        if offset < prefix_octets {
            return Ok(message.prefix.slice(offset as usize..));
        }
        let offset = offset - prefix_octets;
        if offset >= message.content.size_octets {
            return Ok(Bytes::new());
        }
        match self.host.store.read(&message.content, offset, CONTENT_READ_OCTETS).await {
            // Less than there should be is damage, not the end.
            Ok(octets) if octets.is_empty() => Err(Unreadable::Permanent),
            Ok(octets) => Ok(octets),
            Err(error) => Err(unreadable(message, &error)),
        }
    }

    async fn surrogate(&mut self, index: usize, offset: u64) -> Result<Bytes, Unreadable> {
        let maildrop = self.maildrop.as_mut().ok_or(Unreadable::Temporary)?;
        let message = maildrop.snapshot.messages.get(index).ok_or(Unreadable::Temporary)?;
        let made = match maildrop.surrogate.take() {
            Some((of, made)) if of == index => Some(made),
            _ => self
                .host
                .surrogates
                .make(&*self.host.store, message)
                .await
                .map_err(|error| unreadable(message, &error))?,
        };
        // It was made before, from the same octets.
        let made = made.ok_or(Unreadable::Temporary)?;
        let head_octets = made.head.len() as u64;
        if offset >= head_octets {
            let at = made.rest_from + (offset - head_octets);
            maildrop.surrogate = made.may_stay().then_some((index, made));
            return self.original(index, at).await;
        }
        let from = offset as usize;
        let piece = made.head.slice(from..made.head.len().min(from + CONTENT_READ_OCTETS));
        maildrop.surrogate = made.may_stay().then_some((index, made));
        Ok(piece)
    }

    /// The UPDATE state (RFC 1939 §6): removed durably, or not at all.
    async fn update(&self, deleted: &[usize]) -> bool {
        let Some(maildrop) = &self.maildrop else { return deleted.is_empty() };
        if deleted.is_empty() {
            return true;
        }
        let messages = &maildrop.snapshot.messages;
        let ids: Vec<QueueId> = deleted
            .iter()
            .filter_map(|index| messages.get(*index))
            .map(|message| message.content.id)
            .collect();
        if let Err(error) = self.host.store.remove_messages(maildrop.account, &ids).await {
            tracing::error!(account = %maildrop.address, %error, "removing messages");
            return false;
        }
        ids.iter().for_each(|id| self.note_fetched(maildrop, *id, true));
        true
    }

    fn note_fetched(&self, maildrop: &Maildrop, id: QueueId, deleted: bool) {
        self.host.journal.note(Note::Fetched {
            session: self.number,
            account: maildrop.address.clone(),
            id: id.to_string(),
            deleted,
        });
    }
}

fn unreadable(message: &MaildropMessage, error: &StoreError) -> Unreadable {
    tracing::error!(id = %message.content.id, %error, "reading a message");
    match error {
        StoreError::Damaged(_) => Unreadable::Permanent,
        _ => Unreadable::Temporary,
    }
}

#[async_trait]
impl Handler<Session> for Pop3Session<'_> {
    async fn answer(&mut self, question: Question) -> Answer {
        match question {
            Question::Login { user, password } => self.login(&user, &password).await,
            Question::Apop { user, timestamp, digest } => self.apop(&user, &timestamp, &digest).await,
            Question::Mechanisms => Answer::Mechanisms(self.authentication().await.offered),
            Question::Authenticate(mechanism) => self.authenticate(mechanism).await,
            Question::Credentials(question) => Box::pin(self.credentials(question)).await,
            Question::Open(_) => {
                let account = self.login.take_account().map(|account| *account);
                let name = std::mem::take(&mut self.login.name);
                self.open(&name, "auth", account).await
            }
            Question::AuthenticationFailed(failure) => self.authentication_failed(failure).await,
            Question::Content { index, offset } => Answer::Content(self.content(index, offset).await),
            Question::Update { deleted } => Answer::Updated(self.update(&deleted).await),
        }
    }

    async fn event(&mut self, event: Event) {
        match event {
            Event::Retrieved { index } => {
                self.retrieved += 1;
                if let Some(maildrop) = &mut self.maildrop {
                    maildrop.surrogate = None;
                }
                if let Some(maildrop) = &self.maildrop
                    && let Some(message) = maildrop.snapshot.messages.get(index)
                {
                    self.note_fetched(maildrop, message.content.id, false);
                }
            }
            Event::Secured(facts) => self.tls = Some(facts),
            Event::Utf8 => self.utf8 = true,
            Event::Ended { reason } => self.end = reason,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Octets of the future that a function gives.
    fn octets_of<F>(_: fn(Arc<Host>, Protocol, TcpStream, SocketAddr, Admission) -> F) -> usize {
        size_of::<F>()
    }

    #[test]
    fn an_idle_session_is_small() {
        let octets = octets_of(converse);
        assert!(octets <= 2048, "an idle session takes {octets} octets");
    }
}
