//! One SMTP session: its questions are led through the four steps.

use super::{
    binary::Held,
    commit::{self, Arrived, Hop, Origin},
    completion::{Completion, Missing},
    facts::{MessageFacts, PeerFacts, RecipientFacts, SenderFacts},
    fetching,
    introduction::{Introduced, introduce},
    judge::{self, Verdict},
    lmtp, replies,
    screen::{self, Outcome},
    timing,
    transaction::{Copy, Transaction},
    verify,
};
use crate::{
    config::Protocol,
    credentials::{Channel, Login, Service as Wanted, printable},
    host::{Host, Policy},
};
use async_trait::async_trait;
use bytes::Bytes;
use posta_address::{ForwardPath, Host as PeerHost, Mailbox, ReversePath};
use posta_journal::{Event as Note, SessionKind};
use posta_queue::{PeerName, Turn};
use posta_runtime::{Admission, Driven, Handler, Link, Refusal, Service};
use posta_smtp::{
    Delivery, Introduction, QueueName, Reply, TransmissionType, Turning,
    server::{Answer, Event, Hello, MailParameters, Question, RecipientParameters, Session},
};
use posta_store::{RecipientRequests, StoreError};
use posta_wire::{
    ContentFacts, TlsFacts,
    sasl::{ChannelBindings, Mechanism, server::Failure},
};
use std::{net::SocketAddr, sync::Arc};
use tokio::net::TcpStream;

/// Takes SMTP connections.
pub(crate) struct SmtpService {
    pub(crate) host: Arc<Host>,
    /// Which of its protocols is spoken at this listener.
    pub(crate) protocol: Protocol,
}

impl Service for SmtpService {
    fn serve(&self, stream: TcpStream, peer: SocketAddr, admission: Admission) {
        tokio::spawn(converse(self.host.clone(), self.protocol, stream, peer, admission));
    }

    fn refuse(&self, peer: SocketAddr, refusal: Refusal) -> Bytes {
        let Verdict::Refuse { reply, reason } = judge::connection(refusal) else { return Bytes::new() };
        self.host.note_turned_away(peer, one_line(&reply), reason);
        // RFC 5321 §3.8: 421 may come in place of the greeting; it has one line.
        Bytes::from(format!("{}\r\n", one_line(&reply)))
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
    let (mut settings, now) = (policy.session_settings(protocol).clone(), host.clock.now());
    if policy.config.proxy.xclient.iter().any(|network| network.contains(peer.ip())) {
        let mut trusting = (*settings).clone();
        trusting.extensions.xclient = true;
        settings = Arc::new(trusting);
    }
    let mut session = match protocol.is_implicit_tls() {
        true => Session::new_over_tls(settings, now),
        false => Session::new(settings, now),
    };
    let mut handler = SmtpSession::new(&host, protocol, policy, peer);
    let clock = &*host.clock;
    let mut link = Link::new(&mut stream, tls.as_ref(), clock, transcript.as_deref());
    if let Driven::Turned = link.drive(&mut session, &mut handler, stopping).await {
        // Once in a while: its future is not part of every connection's.
        Box::pin(handler.send_what_waits(&mut link)).await;
    }
    handler.finish();
    drop(admission);
}

/// What a session keeps between its questions.
pub(crate) struct SmtpSession<'a> {
    host: &'a Host,
    policy: Arc<Policy>,
    number: u64,
    peer: SocketAddr,
    protocol: Protocol,
    facts: PeerFacts,
    hello: String,
    extended: bool,
    /// Boxed: an idle session has none.
    transaction: Option<Box<Transaction>>,
    /// Where the content goes, after DATA.
    copies: Vec<Copy>,
    /// Holds what may be binary, until it can be encoded for those here.
    held: Option<Box<Held>>,
    /// Puts right what a user agent left out, after DATA to a submission service.
    completion: Option<Box<Completion>>,
    /// The store refused a piece of the content; said at the final dot.
    content_failed: Option<StoreError>,
    messages: u32,
    /// Whom the client says it is, and TLS says.
    login: Box<Login>,
    /// What a trusted proxy has said of its client; boxed, for it is rare.
    introduced: Option<Box<Introduced>>,
    /// What is sent once the roles have switched.
    turn: Option<Turn>,
    tls: Option<Arc<TlsFacts>>,
    end: &'static str,
}

impl<'a> SmtpSession<'a> {
    pub(crate) fn new(host: &'a Host, protocol: Protocol, policy: Arc<Policy>, peer: SocketAddr) -> Self {
        let facts = PeerFacts::gather(peer.ip(), &policy.config.relay.networks);
        SmtpSession {
            host,
            policy,
            number: host.next_session(),
            peer,
            protocol,
            facts,
            hello: String::new(),
            extended: false,
            transaction: None,
            copies: Vec::new(),
            held: None,
            completion: None,
            content_failed: None,
            messages: 0,
            login: Box::default(),
            introduced: None,
            turn: None,
            tls: None,
            end: "peer closed",
        }
    }

    /// A session over a connection that this host has made, and whose roles have switched.
    pub(crate) fn over_turned(
        host: &'a Host,
        policy: Arc<Policy>,
        peer: SocketAddr,
        tls: Option<Arc<TlsFacts>>,
    ) -> Self {
        SmtpSession { tls, ..SmtpSession::new(host, Protocol::Smtp, policy, peer) }
    }

    /// Messages taken so far.
    pub(crate) fn messages(&self) -> u32 {
        self.messages
    }

    /// HELO or EHLO; that of a proxy which has told its client's does not count.
    fn greeted_by(&mut self, hello: Hello) {
        let told = self.introduced.as_deref();
        self.extended = told.and_then(|told| told.extended).unwrap_or(hello.extended);
        self.hello = told.and_then(|told| told.hello.clone()).unwrap_or(hello.name);
    }

    fn start_queue(&self, name: &QueueName) -> Reply {
        let reply = fetching::start_queue(self.host, &self.policy, &self.facts, name);
        match reply.is_positive() {
            true => reply,
            false => self.refused("etrn", None, reply, "etrn: nobody may start that"),
        }
    }

    fn turn(&mut self, turning: &Turning) -> Reply {
        match fetching::turn(self.host, &self.policy, &self.facts, turning) {
            Ok(turn) => {
                self.turn = Some(turn);
                replies::TURNING.reply()
            }
            Err((reply, reason)) => self.refused("turn", None, reply, reason),
        }
    }

    async fn introduce(&mut self, introduction: Introduction) -> Reply {
        let shown = introduction.to_string();
        let introduced = self.introduced.get_or_insert_default();
        let (facts, peer) = (&mut self.facts, &mut self.peer);
        match introduce(self.host, &self.policy, introduction, introduced, facts, peer).await {
            Ok(()) => {
                tracing::debug!(session = self.number, introduction = shown, "XCLIENT");
                self.hello = String::new();
                *self.login = Login::default();
                self.tls = self.tls.take().map(|facts| Arc::new(of_proxy(&facts)));
                self.policy.session_settings(self.protocol).greeting()
            }
            Err(reply) => self.refused("xclient", None, reply, &format!("XCLIENT{shown}")),
        }
    }

    /// After the roles have switched: what waits goes over the same connection.
    async fn send_what_waits(&mut self, link: &mut Link<'_>) {
        let Some(turn) = self.turn.take() else { return };
        let host =
            PeerHost::parse(&self.hello).unwrap_or_else(|_| PeerHost::Literal(self.facts.address.into()));
        let peer = PeerName { host, remote: self.peer };
        let messages = turn.deliver(link, peer, self.tls.is_some()).await;
        tracing::debug!(session = self.number, messages, "sent after the roles had switched");
    }

    fn channel(&self) -> Channel<'_> {
        Channel { peer: self.facts.address, tls: self.tls.as_deref() }
    }

    fn authenticated(&mut self, mechanism: Mechanism) {
        let Some(account) = self.login.take_account() else { return };
        tracing::debug!(session = self.number, account = %account.address, %mechanism, "authenticated");
        self.facts.account = Some(account.address);
    }

    /// Every failure is slow, counted, and noted; a client that gives up has not failed.
    async fn authentication_failed(&mut self, failure: Failure) {
        let reply = match failure {
            Failure::Refused | Failure::ChannelBinding | Failure::Malformed => replies::CREDENTIALS_INVALID,
            Failure::Unavailable => replies::AUTHENTICATION_UNAVAILABLE,
            _ => return,
        };
        let reason = self.login.reason.take().unwrap_or_else(|| failure.to_string());
        let name = printable(&self.login.name);
        self.note_refused("auth", None, &reply.reply(), &format!("{reason} ({name})"));
        if failure != Failure::Unavailable {
            let name = std::mem::take(&mut self.login.name);
            Box::pin(self.host.slow_down(self.facts.address, &name)).await;
        }
    }

    /// Notes that the session is over.
    pub(crate) fn finish(self) {
        if matches!(self.end, "too many errors") {
            self.host.peers.note_failure(self.facts.address, self.host.clock.now());
        }
        self.host.journal.note(Note::Session {
            kind: SessionKind::Smtp,
            session: self.number,
            peer: self.peer,
            hello: (!self.hello.is_empty()).then_some(self.hello),
            tls: self.tls.map(|tls| tls.to_string()),
            messages: self.messages,
            end: self.end.into(),
        });
    }

    async fn mail(
        &mut self,
        delivery: Delivery,
        reverse_path: ReversePath,
        parameters: Box<MailParameters>,
    ) -> Reply {
        if self.messages >= self.policy.config.smtp.messages_max {
            let reply = replies::TOO_MANY_MESSAGES.reply();
            return self.refused("mail", None, reply, "messages_max: a session has a limited number");
        }
        let directory = self.host.directory(&self.policy);
        let mut facts = match SenderFacts::gather(&directory, &self.facts, &reverse_path).await {
            Ok(facts) => facts,
            Err(error) => {
                let reply = replies::LOCAL_ERROR.reply();
                return self.refused("mail", None, reply, &format!("directory: {error}"));
            }
        };
        if let Some(account) = &self.facts.account {
            let (limits, now) = (&self.policy.config.submission, self.host.clock.now());
            facts.is_spent = !self.host.allowances.allows_message(account, limits, now);
        }
        facts.may_not_send =
            delivery != Delivery::Mail && !judge::may_verify(self.policy.config.smtp.send, &self.facts);
        if let Verdict::Refuse { reply, reason } = judge::sender(&facts) {
            return self.refused("mail", None, reply, &format!("{reason} ({reverse_path})"));
        }
        let keeps_duplicates = self.protocol == Protocol::Lmtp;
        let account = self.facts.account.as_ref().filter(|_| self.protocol.is_submission());
        let patience = timing::patience(self.host, account, parameters.hold).await;
        let is_trusted = self.facts.account.is_some() || self.facts.relay_network.is_some();
        let now = self.host.clock.timestamp();
        let timing = patience.and_then(|patience| timing::judge(&parameters, patience, is_trusted, now));
        let timing = match timing {
            // What is shown at once neither waits nor can be taken back.
            Ok(timing) if delivery != Delivery::Mail => timing::Timing { release: None, ..timing },
            Ok(timing) => timing,
            Err((reply, reason)) => return self.refused("mail", None, reply.reply(), &reason),
        };
        let is_lowered = parameters.priority.is_some_and(|asked| asked != timing.priority);
        let transaction =
            Transaction { delivery, keeps_duplicates, timing, ..Transaction::new(reverse_path, *parameters) };
        self.transaction = Some(Box::new(transaction));
        self.content_failed = None;
        if is_lowered { replies::PRIORITY_LOWERED.reply() } else { replies::SENDER_OK.reply() }
    }

    async fn recipient(&mut self, path: ForwardPath, parameters: RecipientParameters) -> Reply {
        let Some(transaction) = &self.transaction else { return replies::LOCAL_ERROR.reply() };
        let directory = self.host.directory(&self.policy);
        let gathering = RecipientFacts::gather(&directory, &self.facts, &path, &transaction.parameters);
        let (mut facts, error) = gathering.await;
        facts.recipients_before = transaction.targets.len();
        let relayed = &self.policy.config.relay.domains;
        let fetched = &self.policy.config.turn.domains;
        facts.is_relay_domain = path
            .mailbox()
            .and_then(Mailbox::domain)
            .is_some_and(|domain| relayed.contains(domain) || fetched.contains_key(domain));
        if let Some(account) = &self.facts.account {
            let (limits, now) = (&self.policy.config.submission, self.host.clock.now());
            let before = transaction.recipients.len();
            facts.is_spent = !self.host.allowances.allows_recipient(account, before, limits, now);
        }
        facts.recipients_max = self.policy.config.smtp.recipients_max.max(transaction.recipients.len());
        if let Some(crate::recipients::Resolution::Here(expansion)) = &facts.resolution {
            facts.copies = transaction.reverse_paths(&expansion.targets).len();
            facts.is_there = screen::are_there(self.host, &expansion.targets);
        }
        if matches!(facts.resolution, Some(crate::recipients::Resolution::Elsewhere(_)))
            && facts.may_relay()
            && self.policy.config.smtp.null_mx
            && let Some(mailbox) = path.mailbox()
        {
            // Rare for a session's future to hold: boxed.
            facts.accepts_no_mail = Box::pin(self.host.queue().accepts_no_mail(mailbox)).await;
        }
        facts.deliver_as(transaction.delivery);
        match (judge::recipient(&facts), facts.resolution) {
            (Verdict::Accept { reason }, Some(resolution)) => {
                if let Some(transaction) = &mut self.transaction {
                    let RecipientParameters { notify, original } = parameters;
                    transaction.add(path, RecipientRequests { notify, original }, resolution, reason);
                }
                replies::RECIPIENT_OK.reply()
            }
            (Verdict::Accept { .. }, None) => replies::LOCAL_ERROR.reply(),
            (Verdict::Refuse { reply, mut reason }, _) => {
                if let Some(error) = error {
                    reason = format!("{reason}: {error}");
                }
                self.refused("rcpt", Some(path), reply, &reason)
            }
        }
    }

    async fn data(&mut self) -> Reply {
        let Some(transaction) = &self.transaction else { return replies::LOCAL_ERROR.reply() };
        let utf8 = transaction.parameters.smtputf8;
        let with = TransmissionType {
            extended: self.extended,
            utf8,
            tls: self.tls.is_some(),
            authenticated: self.facts.account.is_some(),
            lmtp: self.protocol == Protocol::Lmtp,
        };
        let hop = Hop {
            hello_name: &self.hello,
            peer: self.facts.address,
            client_name: self.introduced.as_ref().and_then(|introduced| introduced.name.as_ref()),
            with,
            tls: self.tls.as_deref(),
        };
        match commit::open(self.host, Some(hop), transaction).await {
            Ok(copies) => {
                self.held = Held::of(transaction, &self.host.binary_memory);
                self.completion = self.missing(&copies).map(Completion::new).map(Box::new);
                self.copies = copies;
                replies::START_CONTENT.reply()
            }
            Err(error) => {
                let reply = replies::store_failed(&error);
                self.refused("data", None, reply, &format!("store: {error}"))
            }
        }
    }

    /// What a submission service adds to a message that lacks it (RFC 6409 §8).
    fn missing(&self, copies: &[Copy]) -> Option<Missing> {
        let account = self.facts.account.as_ref().filter(|_| self.protocol.is_submission())?;
        let sender = self.transaction.as_ref()?.reverse_path.mailbox().unwrap_or(account);
        let id = copies.first()?.writer.id();
        Some(Missing::of(self.host, sender, id, self.utf8()))
    }

    fn utf8(&self) -> bool {
        self.transaction.as_ref().is_some_and(|transaction| transaction.parameters.smtputf8)
    }

    async fn content(&mut self, octets: Bytes) {
        let octets = match &mut self.completion {
            Some(completion) => completion.take(octets),
            None => octets,
        };
        self.keep(octets).await;
    }

    /// Writes what is to be kept.
    async fn keep(&mut self, octets: Bytes) {
        if octets.is_empty() {
            return;
        }
        if let Some(held) = &mut self.held {
            return held.take(&octets);
        }
        let Some(transaction) = &mut self.transaction else { return };
        if self.content_failed.is_some() {
            return;
        }
        transaction.look_at(&octets);
        if transaction.delivery != Delivery::Mail {
            transaction.gathered.take(&octets);
        }
        for copy in &mut self.copies {
            if let Err(error) = copy.writer.write(octets.clone()).await {
                self.content_failed = Some(error);
                return;
            }
        }
    }

    async fn end_of_data(&mut self, mut content: ContentFacts) -> Reply {
        if let Some(mut completion) = self.completion.take() {
            let held = completion.finish();
            self.keep(held).await;
            content = completion.facts();
        }
        if let Some(held) = self.held.take() {
            match Box::pin(held.finish()).await {
                Ok((octets, facts)) => {
                    content = facts;
                    self.keep(octets).await;
                }
                Err(refusal) => {
                    let reason = "binary: what stays here is encoded first";
                    return self.refused("end-of-data", None, refusal.reply(), reason);
                }
            }
        }
        let Some(mut transaction) = self.transaction.take() else { return replies::LOCAL_ERROR.reply() };
        if let Some(error) = self.content_failed.take() {
            return self.commit_failed(transaction, &error);
        }
        if matches!(transaction.delivery, Delivery::Send | Delivery::SendOrMail)
            && let Some(reply) = Box::pin(self.show(&mut transaction, &content)).await
        {
            self.transaction = Some(transaction);
            return reply;
        }
        let room = match commit::make_room(self.host, &mut transaction, content.size_octets).await {
            Ok(room) => room,
            Err(error) => return self.commit_failed(transaction, &error),
        };
        let verdict = judge::message(&MessageFacts {
            content,
            hops_max: self.policy.config.smtp.hops_max,
            recipients_with_room: room.recipients,
            never_fits: room.never_fits,
        });
        if let Verdict::Refuse { reply, reason } = verdict {
            self.transaction = Some(transaction);
            return self.refused("end-of-data", None, reply, &reason);
        }
        let origin = Origin { session: Some(self.number), peer: Some(self.facts.address) };
        let copies = std::mem::take(&mut self.copies);
        let changes = Vec::new();
        let arrived = Arrived { transaction: &transaction, copies, content, origin, changes };
        match commit::commit(self.host, arrived).await {
            Ok(id) => {
                self.messages += 1;
                if let Some(account) = &self.facts.account {
                    let recipients = transaction.recipients.len();
                    self.host.allowances.spend(account, recipients, self.host.clock.now());
                }
                replies::accepted(id)
            }
            Err(error) => self.commit_failed(transaction, &error),
        }
    }

    /// The end of the content in LMTP: who has no room hears so, and the others have their message.
    async fn end_of_data_each(&mut self, content: ContentFacts) -> Answer {
        let Some(transaction) = &mut self.transaction else {
            return Answer::Reply(replies::LOCAL_ERROR.reply());
        };
        let refused = match lmtp::refuse_full(self.host, transaction, content.size_octets).await {
            Ok(refused) => refused,
            Err(error) => {
                let reply = replies::store_failed(&error);
                return Answer::Reply(self.refused("end-of-data", None, reply, &format!("store: {error}")));
            }
        };
        for (path, reply) in refused.iter().filter_map(|(path, reply)| Some((path, reply.as_ref()?))) {
            self.note_refused("end-of-data", Some(path.clone()), reply, "quota: no room in the maildrop");
        }
        let reply = match refused.iter().any(|(_, reply)| reply.is_none()) {
            true => self.end_of_data(content).await,
            // Nobody is left to take it.
            false => replies::LOCAL_ERROR.reply(),
        };
        Answer::Each(
            refused.into_iter().map(|(_, refused)| refused.unwrap_or_else(|| reply.clone())).collect(),
        )
    }

    /// SEND and SOML: before the eyes of whoever is there. What is said if that is the end of it.
    async fn show(&mut self, transaction: &mut Transaction, content: &ContentFacts) -> Option<Reply> {
        let facts = MessageFacts {
            content: *content,
            hops_max: self.policy.config.smtp.hops_max,
            recipients_with_room: transaction.targets.len(),
            never_fits: false,
        };
        if let Verdict::Refuse { reply, reason } = judge::message(&facts) {
            return Some(self.refused("end-of-data", None, reply, &reason));
        }
        let id = self.copies.first()?.writer.id();
        let outcome = screen::show(self.host, transaction, id).await;
        if transaction.delivery != Delivery::Send || transaction.targets.is_empty() {
            return None;
        }
        let (reply, reason) = match outcome {
            Outcome::Shown => (replies::NOT_LOGGED_IN, "send-absent: no session took the message"),
            Outcome::Unshowable => (replies::UNSHOWABLE, "send-partly: only a part of it can be shown"),
        };
        Some(self.refused("end-of-data", None, reply.reply(), reason))
    }

    fn commit_failed(&mut self, transaction: Box<Transaction>, error: &StoreError) -> Reply {
        self.transaction = Some(transaction);
        let reply = replies::store_failed(error);
        self.refused("end-of-data", None, reply, &format!("store: {error}"))
    }

    async fn verify(&mut self, argument: &str) -> Reply {
        if !judge::may_verify(self.policy.config.smtp.vrfy, &self.facts) {
            return replies::CANNOT_VERIFY.reply();
        }
        let directory = self.host.directory(&self.policy);
        verify::verify(&directory, argument).await.unwrap_or_else(|_| replies::LOCAL_ERROR.reply())
    }

    async fn expand(&mut self, argument: &str) -> Reply {
        if !judge::may_verify(self.policy.config.smtp.expn, &self.facts) {
            return replies::REFUSED_BY_POLICY.reply();
        }
        let directory = self.host.directory(&self.policy);
        verify::expand(&directory, argument).await.unwrap_or_else(|_| replies::LOCAL_ERROR.reply())
    }

    fn refused(&self, stage: &str, to: Option<ForwardPath>, reply: Reply, reason: &str) -> Reply {
        self.note_refused(stage, to, &reply, reason);
        reply
    }

    fn note_refused(&self, stage: &str, to: Option<ForwardPath>, reply: &Reply, reason: &str) {
        let (from, message_id) = match &self.transaction {
            Some(transaction) => (Some(transaction.reverse_path.clone()), transaction.message_id.found()),
            None => (None, None),
        };
        self.host.journal.note(Note::Refused {
            session: self.number,
            peer: self.facts.address,
            stage: stage.to_owned(),
            from,
            to,
            message_id,
            reply: one_line(reply),
            reason: reason.to_owned(),
        });
    }
}

#[async_trait]
impl Handler<Session> for SmtpSession<'_> {
    async fn answer(&mut self, question: Question) -> Answer {
        Answer::Reply(match question {
            Question::Greeting if self.protocol == Protocol::NoMail => {
                replies::no_mail(&self.policy.config.hostname)
            }
            Question::Greeting => self.policy.session_settings(self.protocol).greeting(),
            Question::Hello(hello) => {
                let reply = self.policy.smtp.welcome(&hello);
                self.greeted_by(hello);
                let mut authentication = self.host.authentication(&self.policy, self.channel()).await;
                authentication.required = self.protocol.is_submission();
                let (now, longest) =
                    (self.host.clock.timestamp(), self.policy.config.submission.future_release_max);
                authentication.future_release =
                    timing::future_release(longest.0, now).filter(|_| authentication.required);
                return Answer::Welcome(reply, authentication);
            }
            Question::Mail { delivery, reverse_path, parameters } => {
                self.mail(delivery, reverse_path, parameters).await
            }
            Question::Recipient { forward_path, parameters } => {
                self.recipient(forward_path, parameters).await
            }
            Question::Data => self.data().await,
            Question::EndOfData(facts) if self.protocol == Protocol::Lmtp => {
                return self.end_of_data_each(facts).await;
            }
            Question::EndOfData(facts) => self.end_of_data(facts).await,
            Question::Verify(argument) => self.verify(&argument).await,
            Question::Expand(argument) => self.expand(&argument).await,
            Question::StartQueue(name) => self.start_queue(&name),
            Question::Turn(turning) => self.turn(&turning),
            Question::Introduce(introduction) => self.introduce(*introduction).await,
            Question::Authenticate(mechanism) => {
                let exchange = self.host.exchange(&self.policy, mechanism, self.channel());
                return Answer::Exchange(Box::new(exchange));
            }
            Question::Credentials(question) => {
                let channel = Channel { peer: self.facts.address, tls: self.tls.as_deref() };
                let answer = self.host.credentials(Wanted::Smtp, channel, &mut self.login, *question).await;
                return Answer::Credentials(answer);
            }
        })
    }

    async fn event(&mut self, event: Event) {
        match event {
            Event::Content(octets) => self.content(octets).await,
            Event::Aborted { .. } => {
                self.transaction = None;
                self.copies = Vec::new();
                self.completion = None;
                self.held = None;
            }
            Event::Refused { stage, reply } => {
                self.note_refused(stage, None, &reply, "protocol: refused by the session itself");
            }
            Event::Authenticated { mechanism, .. } => self.authenticated(mechanism),
            Event::AuthenticationFailed { failure, .. } => self.authentication_failed(failure).await,
            Event::Secured(facts) => {
                // RFC 3207 §4.2: what was said, and proven, in the clear is forgotten.
                self.facts.account = None;
                *self.login = Login::default();
                self.hello = String::new();
                self.extended = false;
                self.tls = Some(match self.introduced.is_some() {
                    true => Arc::new(of_proxy(&facts)),
                    false => facts,
                });
            }
            Event::Ended { reason } => self.end = reason,
        }
    }
}

/// What TLS with a proxy says of its client: that it goes on inside TLS. Whose certificate it is, and what the
/// channel could be bound to, is the proxy's alone.
fn of_proxy(facts: &TlsFacts) -> TlsFacts {
    TlsFacts { bindings: ChannelBindings::none(), peer: None, ..facts.clone() }
}

/// A reply as the journal keeps it.
fn one_line(reply: &Reply) -> String {
    let text = reply.lines.join(" / ");
    match reply.enhanced {
        Some(enhanced) => format!("{} {enhanced} {text}", reply.code),
        None => format!("{} {text}", reply.code),
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
