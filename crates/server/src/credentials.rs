//! Who a client is: SASL's questions and the other logins answered from the accounts.
//!
//! Whatever is wrong, the peer hears the same, after the same pause; the journal knows better.

use crate::{
    host::{Host, Policy},
    limits::{APP_PASSWORD_USE_NOTED_EVERY, GUESS_PAUSE_MAX, LOGIN_FAILURE_PAUSE, LOGIN_FAILURE_PAUSE_MAX},
    passwords::verifier,
    tokens::TokenFault,
};
use posta_address::{LocalPart, Mailbox};
use posta_journal::Event as Note;
use posta_smtp::server::Authentication;
use posta_store::{Account, AppPassword, AppPasswordScope, DirectoryChange, StoreError};
use posta_wire::{
    Secret, TlsFacts,
    sasl::{
        ChannelBindings, Mechanism, MechanismSet,
        limits::RANDOM_OCTETS,
        server::{Answer, Context, DecoyKey, Exchange, Question, Settings},
    },
};
use std::{net::IpAddr, path::Path, time::Duration};

/// What a login is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Service {
    /// Sending mail.
    Smtp,
    /// Fetching mail.
    Pop3,
    /// A program at the pages' interface: it can do everything, so its password must open everything.
    Web,
}

impl Service {
    fn is_open_to(self, scope: AppPasswordScope) -> bool {
        match scope {
            AppPasswordScope::All => true,
            AppPasswordScope::Smtp => self == Service::Smtp,
            AppPasswordScope::Pop3 => self == Service::Pop3,
        }
    }
}

/// Why a login failed.
#[derive(Debug)]
pub(crate) enum Failed {
    /// Wrong, in these words for the journal.
    Wrong(&'static str),
    /// It can't be found out now.
    Unavailable(String),
}

impl From<StoreError> for Failed {
    fn from(error: StoreError) -> Self {
        Failed::Unavailable(format!("store: {error}"))
    }
}

/// What is known of a connection.
#[derive(Clone, Copy)]
pub(crate) struct Channel<'a> {
    pub(crate) peer: IpAddr,
    pub(crate) tls: Option<&'a TlsFacts>,
}

impl Channel<'_> {
    /// Whether passwords may pass as they are.
    pub(crate) fn is_confidential(&self, policy: &Policy) -> bool {
        self.tls.is_some()
            || policy.config.auth.plaintext_on_loopback && self.peer.to_canonical().is_loopback()
    }

    fn bindings(&self) -> ChannelBindings {
        self.tls.map(|facts| facts.bindings.clone()).unwrap_or_default()
    }
}

/// The login of one session, from its first question to its outcome.
#[derive(Debug, Default)]
pub(crate) struct Login {
    /// Whose name was said last, for the journal.
    pub(crate) name: String,
    /// The account that it names. Proven only once the exchange is done.
    candidate: Option<Box<Account>>,
    /// Why it was refused, for the journal.
    pub(crate) reason: Option<String>,
}

impl Login {
    /// The account, once the exchange is done.
    pub(crate) fn take_account(&mut self) -> Option<Box<Account>> {
        self.candidate.take()
    }
}

/// Mechanisms.
impl Host {
    /// What is offered to a client.
    pub(crate) async fn authentication(&self, policy: &Policy, channel: Channel<'_>) -> Authentication {
        let bindings = channel.bindings();
        let has_secrets =
            policy.config.auth.cram_md5 && self.store.has_apop_accounts().await.unwrap_or(false);
        let certificate = channel.tls.and_then(|facts| facts.peer.as_ref());
        let certified = certificate.is_some_and(|peer| peer.verified.is_ok() && !peer.mailboxes.is_empty());
        let usable: MechanismSet = Mechanism::ALL
            .into_iter()
            .filter(|mechanism| match mechanism {
                Mechanism::External => certified,
                Mechanism::ScramSha1Plus | Mechanism::ScramSha256Plus => !bindings.is_empty(),
                // Clients that take it wherever it is offered must not find that it never works.
                Mechanism::CramMd5 => has_secrets,
                // RFC 7628 §3: never without TLS, not even on this machine.
                Mechanism::OauthBearer | Mechanism::Xoauth2 => {
                    policy.tokens.is_some() && channel.tls.is_some()
                }
                Mechanism::ScramSha1 | Mechanism::ScramSha256 | Mechanism::Plain | Mechanism::Login => true,
            })
            .collect();
        // RFC 4954 §4: no plaintext mechanism without TLS.
        let confidential = channel.is_confidential(policy);
        Authentication {
            offered: usable.filter(|mechanism| confidential || !mechanism.is_plaintext()),
            needs_encryption: usable.filter(|mechanism| !confidential && mechanism.is_plaintext()),
            required: false,
            future_release: None,
        }
    }

    /// Begins an exchange.
    pub(crate) fn exchange(&self, policy: &Policy, mechanism: Mechanism, channel: Channel<'_>) -> Exchange {
        let mut settings = Settings::new(policy.config.hostname.to_ascii(), self.decoys.clone());
        settings.oauth_scope.clone_from(&policy.config.oauth.scope);
        settings.oauth_configuration.clone_from(&policy.config.oauth.configuration);
        let mut random = [0; RANDOM_OCTETS];
        self.entropy.fill(&mut random);
        let unix_secs = u64::try_from(self.clock.timestamp().as_second()).unwrap_or_default();
        Exchange::new(mechanism, &settings, Context { random, unix_secs, bindings: channel.bindings() })
    }
}

/// Questions.
impl Host {
    /// Answers what an exchange asks.
    pub(crate) async fn credentials(
        &self,
        service: Service,
        channel: Channel<'_>,
        login: &mut Login,
        question: Question,
    ) -> Answer {
        login.candidate = None;
        login.reason = None;
        match self.find_credentials(service, channel, login, question).await {
            Ok(answer) => answer,
            Err(Failed::Wrong(reason)) => {
                login.reason = Some(reason.to_owned());
                Answer::Refused
            }
            Err(Failed::Unavailable(reason)) => {
                login.reason = Some(reason);
                Answer::Unavailable
            }
        }
    }

    async fn find_credentials(
        &self,
        service: Service,
        channel: Channel<'_>,
        login: &mut Login,
        question: Question,
    ) -> Result<Answer, Failed> {
        let (account, answer) = match question {
            Question::CheckPassword { authcid, authzid, password } => {
                login.name.clone_from(&authcid);
                let account = self.check_password(&authcid, &password, service).await?;
                self.check_authzid(&account, authzid.as_deref()).await?;
                (account, Answer::Accepted { authcid })
            }
            Question::SharedSecret { authcid } => {
                login.name.clone_from(&authcid);
                let account = self.open_account(&authcid).await?;
                let secret = account.apop_secret.clone().ok_or(Failed::Wrong("no shared secret"))?;
                (account, Answer::SharedSecret(secret))
            }
            Question::Verifier { hash, authcid, authzid } => {
                login.name.clone_from(&authcid);
                let account = self.open_account(&authcid).await?;
                self.check_authzid(&account, authzid.as_deref()).await?;
                let verifier = verifier(&account, hash).ok_or(Failed::Wrong("no SCRAM verifier"))?;
                (account, Answer::Verifier(verifier))
            }
            Question::CheckCertificate { authzid } => {
                let account = self.certified_account(channel).await?;
                login.name = account.address.to_string();
                self.check_authzid(&account, authzid.as_deref()).await?;
                let authcid = account.address.to_string();
                (account, Answer::Accepted { authcid })
            }
            Question::CheckToken { token, authzid, host, port: _ } => {
                login.name = authzid.clone().unwrap_or_default();
                let account = Box::pin(self.token_account(channel, &token, host.as_deref())).await?;
                login.name = account.address.to_string();
                self.check_authzid(&account, authzid.as_deref()).await?;
                let authcid = account.address.to_string();
                (account, Answer::Accepted { authcid })
            }
        };
        login.candidate = Some(Box::new(account));
        Ok(answer)
    }

    /// By a name and a password as they are: PLAIN, LOGIN, and POP3's USER and PASS.
    pub(crate) async fn check_password(
        &self,
        name: &str,
        password: &Secret,
        service: Service,
    ) -> Result<Account, Failed> {
        let account = self.find_account(name).await?;
        if let Some(account) = &account
            && let Some(found) = find_app_password(account, password, service)
        {
            if !account.enabled {
                return Err(Failed::Wrong("account disabled"));
            }
            self.note_use(account, found).await;
            return Ok(account.clone());
        }
        self.verify_password(account, password).await
    }

    async fn verify_password(&self, account: Option<Account>, password: &Secret) -> Result<Account, Failed> {
        let verified = self.passwords.verify(account.as_ref(), password, self.clock.now()).await;
        match (verified, account) {
            (Ok(true), Some(account)) if account.enabled => Ok(account),
            (Ok(true), Some(_)) => Err(Failed::Wrong("account disabled")),
            (Ok(_), _) => Err(Failed::Wrong("wrong name or password")),
            (Err(error), _) => Err(Failed::Unavailable(error.to_string())),
        }
    }

    /// The account's own password, not one of a program: pages ask for it, and for a second factor.
    pub(crate) async fn check_own_password(&self, name: &str, password: &Secret) -> Result<Account, Failed> {
        let account = self.find_account(name).await?;
        self.verify_password(account, password).await
    }

    /// An application password for this service, and no other.
    pub(crate) async fn check_app_password(
        &self,
        name: &str,
        password: &Secret,
        service: Service,
    ) -> Result<Account, Failed> {
        let account = self.find_account(name).await?.ok_or(Failed::Wrong("unknown name"))?;
        let found = find_app_password(&account, password, service)
            .ok_or(Failed::Wrong("no such application password"))?;
        if !account.enabled {
            return Err(Failed::Wrong("account disabled"));
        }
        self.note_use(&account, found).await;
        Ok(account)
    }

    /// An account that may log in.
    async fn open_account(&self, name: &str) -> Result<Account, Failed> {
        let account = self.find_account(name).await?.ok_or(Failed::Wrong("unknown name"))?;
        if account.enabled { Ok(account) } else { Err(Failed::Wrong("account disabled")) }
    }

    /// Whom the client's certificate names.
    async fn certified_account(&self, channel: Channel<'_>) -> Result<Account, Failed> {
        let certificate = channel.tls.and_then(|facts| facts.peer.as_ref());
        let certificate = certificate.filter(|certificate| certificate.verified.is_ok());
        for mailbox in certificate.into_iter().flat_map(|certificate| &certificate.mailboxes) {
            if let Ok(mailbox) = Mailbox::parse(mailbox)
                && let Some(account) = self.store.account(&mailbox).await?
                && account.enabled
            {
                return Ok(account);
            }
        }
        Err(Failed::Wrong("the certificate names nobody here"))
    }

    /// Whose token it is.
    async fn token_account(
        &self,
        channel: Channel<'_>,
        token: &Secret,
        host: Option<&str>,
    ) -> Result<Account, Failed> {
        // RFC 7628 §3.2: what is known otherwise must match. The port may be another where something
        // stands in between.
        let named = channel.tls.and_then(|facts| facts.server_name.as_deref());
        if named.zip(host).is_some_and(|(named, host)| !named.eq_ignore_ascii_case(host)) {
            return Err(Failed::Wrong("the token was meant for another host"));
        }
        let policy = self.policy();
        let tokens = policy.tokens.as_ref().ok_or(Failed::Wrong("tokens are not taken here"))?;
        let name = tokens.check(token).await.map_err(|fault| match fault {
            TokenFault::Refused(reason) => Failed::Wrong(reason),
            TokenFault::Unavailable(reason) => Failed::Unavailable(reason),
        })?;
        self.open_account(&name).await
    }

    /// Nobody acts as somebody else here: the other name must be one's own.
    async fn check_authzid(&self, account: &Account, authzid: Option<&str>) -> Result<(), Failed> {
        let Some(authzid) = authzid else { return Ok(()) };
        let other = self.find_account(authzid).await?;
        match other {
            Some(other) if other.id == account.id => Ok(()),
            _ => Err(Failed::Wrong("may not act as another")),
        }
    }

    /// By full address; by local-part alone where that is unique among the hosted domains.
    pub(crate) async fn find_account(&self, name: &str) -> Result<Option<Account>, StoreError> {
        if let Ok(mailbox) = Mailbox::parse(name) {
            return self.store.account(&mailbox).await;
        }
        let Ok(local_part) = LocalPart::from_unquoted(name) else { return Ok(None) };
        let mut found = None;
        for settings in self.store.domains().await? {
            let mailbox = Mailbox::new(local_part.clone(), settings.domain);
            let account = self.store.account(&mailbox).await?;
            if found.is_some() && account.is_some() {
                return Ok(None);
            }
            found = found.or(account);
        }
        Ok(found)
    }

    /// Counts a failed login and holds the answer back: the longer, the more often the address failed, or
    /// anybody with this name. Whoever has the right password never waits.
    pub(crate) async fn slow_down(&self, peer: IpAddr, name: &str) {
        let (peer, now) = (peer.to_canonical(), self.clock.now());
        let failures = self.peers.note_failure(peer, now);
        let account = self.find_account(name).await.ok().flatten();
        let name = account.map_or_else(|| printable(name), |account| account.address.to_string());
        let guessed = self.guesses.note(&name, now);
        if guessed.tell {
            self.journal.note(Note::Guessed { account: name, failures: guessed.failures, peer });
        }
        let pause = pause_after(failures, LOGIN_FAILURE_PAUSE_MAX);
        tokio::time::sleep(pause.max(pause_after(guessed.failures, GUESS_PAUSE_MAX))).await;
    }

    /// Keeps when an application password was used, to the hour: not every login is worth a write.
    async fn note_use(&self, account: &Account, index: usize) {
        let now = self.clock.timestamp();
        let Some(used) = account.credentials.app_passwords.get(index) else { return };
        let is_recent = used.last_used_at.is_some_and(|before| {
            now.duration_since(before)
                < jiff::SignedDuration::from_secs(APP_PASSWORD_USE_NOTED_EVERY.as_secs() as i64)
        });
        if is_recent {
            return;
        }
        let _turn = self.passwords.changing_account.lock().await;
        // Read again: it may have been revoked meanwhile.
        let Ok(Some(mut account)) = self.store.account(&account.address).await else { return };
        let Some(same) = account.credentials.app_passwords.iter_mut().find(|other| other.hash == used.hash)
        else {
            return;
        };
        same.last_used_at = Some(now);
        if let Err(error) = self.store.change_directory(DirectoryChange::PutAccount(account)).await {
            tracing::warn!(%error, "noting the use of an application password");
        }
    }
}

/// Doubles with each failure.
fn pause_after(failures: u32, pause_max: Duration) -> Duration {
    LOGIN_FAILURE_PAUSE.saturating_mul(1 << failures.saturating_sub(1).min(8)).min(pause_max)
}

/// The place of the application password that this is.
fn find_app_password(account: &Account, password: &Secret, service: Service) -> Option<usize> {
    let passwords = &account.credentials.app_passwords;
    if passwords.is_empty() {
        return None;
    }
    let hash = hash_app_password(password);
    let fits = |known: &AppPassword| known.hash == hash && service.is_open_to(known.scope);
    passwords.iter().position(fits)
}

/// What is kept of an application password. Spaces, dashes and case are for people.
pub(crate) fn hash_app_password(password: &Secret) -> Secret {
    let letters: String = password
        .expose()
        .chars()
        .filter(|c| !matches!(c, ' ' | '-'))
        .map(|c| c.to_ascii_lowercase())
        .collect();
    Secret::new(blake3::hash(letters.as_bytes()).to_hex().to_string())
}

/// A new application password: a hundred random bits in five groups of letters and digits.
pub(crate) fn new_app_password(entropy: &dyn posta_runtime::Entropy) -> Secret {
    /// RFC 4648 §6, lower-case.
    const LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let mut random = [0; 20];
    entropy.fill(&mut random);
    let groups: Vec<String> = random
        .chunks(4)
        .map(|group| group.iter().map(|octet| char::from(LETTERS[usize::from(octet % 32)])).collect())
        .collect();
    Secret::new(groups.join("-"))
}

/// The key for made-up salts: made once, and kept as long as the accounts are.
pub(crate) fn decoy_key(data_dir: &Path, entropy: &dyn posta_runtime::Entropy) -> std::io::Result<DecoyKey> {
    use std::{io::Write, os::unix::fs::OpenOptionsExt};
    let mut octets = [0; 32];
    let path = data_dir.join("decoy.key");
    match std::fs::read(&path) {
        Ok(kept) if kept.len() == octets.len() => octets.copy_from_slice(&kept),
        Ok(_) => return Err(std::io::Error::other(format!("{}: not 32 octets", path.display()))),
        Err(_) if !data_dir.is_dir() => entropy.fill(&mut octets),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            entropy.fill(&mut octets);
            let fresh = data_dir.join("decoy.key.new");
            let mut options = std::fs::OpenOptions::new();
            let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
            file.write_all(&octets)?;
            file.sync_all()?;
            std::fs::rename(&fresh, &path)?;
        }
        Err(error) => return Err(error),
    }
    Ok(DecoyKey::new(octets))
}

/// What a stranger typed, as the journal keeps it.
pub(crate) fn printable(text: &str) -> String {
    text.chars().take(100).map(|c| if c.is_control() { '?' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use posta_runtime::OsEntropy;

    #[test]
    fn application_passwords_are_found_however_they_are_written() {
        let password = new_app_password(&OsEntropy);
        assert_eq!(password.expose().len(), 24);
        assert_ne!(password, new_app_password(&OsEntropy));
        let hash = hash_app_password(&password);
        let shouted = Secret::new(password.expose().to_uppercase().replace('-', " "));
        assert_eq!(hash_app_password(&shouted), hash);
        assert_ne!(hash_app_password(&Secret::new("x")), hash);
    }

    #[test]
    fn scopes_open_what_they_say() {
        for (scope, smtp, pop3) in [
            (AppPasswordScope::All, true, true),
            (AppPasswordScope::Smtp, true, false),
            (AppPasswordScope::Pop3, false, true),
        ] {
            assert_eq!(Service::Smtp.is_open_to(scope), smtp);
            assert_eq!(Service::Pop3.is_open_to(scope), pop3);
        }
    }

    #[test]
    fn pauses_grow_to_a_limit() {
        let pauses: Vec<u64> =
            [1, 2, 3, 5, 100].map(|failures| pause_after(failures, LOGIN_FAILURE_PAUSE_MAX).as_secs()).into();
        assert_eq!(pauses, [1, 2, 4, 8, 8]);
        assert_eq!(pause_after(100, GUESS_PAUSE_MAX), GUESS_PAUSE_MAX);
    }

    #[test]
    fn the_key_of_made_up_salts_is_kept() {
        let folder = tempfile::tempdir().expect("a folder");
        decoy_key(folder.path(), &OsEntropy).expect("made");
        let kept = std::fs::read(folder.path().join("decoy.key")).expect("kept");
        decoy_key(folder.path(), &OsEntropy).expect("read");
        assert_eq!(std::fs::read(folder.path().join("decoy.key")).expect("kept"), kept);
        std::fs::write(folder.path().join("decoy.key"), b"short").expect("written");
        assert!(decoy_key(folder.path(), &OsEntropy).is_err());
    }
}
