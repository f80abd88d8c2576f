//! `-bs`: SMTP on standard input and output, for programs that would rather talk than pipe (RFC 5321 with our own
//! server session; what it takes goes the way of everything else here).

use super::{
    delivery::{Envelope, HandOver, hand_over},
    letter,
    limits::{MESSAGE_OCTETS_MAX, RECIPIENTS_MAX},
    options::Options,
    route::Route,
    sysexits::{Exit, Failure},
};
use async_trait::async_trait;
use posta_address::{Domain, ForwardPath, LocalPart, Mailbox, ReversePath};
use posta_runtime::{Handler, drive};
use posta_smtp::{
    Reply, replies,
    server::{Answer, Event, Extensions, Question, Session, Settings},
};
use posta_ua::Wishes;
use std::{
    io::{self, Read, Write},
    net::Shutdown,
    os::unix::net::UnixStream,
    sync::Arc,
};

/// Talks until QUIT or the end of input.
pub(super) async fn run(options: &Options, route: &Route) -> Result<(), Failure> {
    let failed = |error: io::Error| Failure::new(Exit::Io, error);
    let (ours, theirs) = UnixStream::pair().map_err(failed)?;
    ours.set_nonblocking(true).map_err(failed)?;
    let speaking = carry(&theirs).map_err(failed)?;
    let mut stream = tokio::net::UnixStream::from_std(ours).map_err(failed)?;
    let settings = Arc::new(settings(route));
    let mut session = Session::new(settings.clone(), route.outside.clock.now());
    let mut handler = Listener { options, route, settings, open: None };
    let (_running, shutdown) = tokio::sync::watch::channel(false);
    let clock = route.outside.clock.clone();
    drive(&mut session, &mut handler, &mut stream, None, &*clock, None, shutdown).await;
    // What was said last is on its way still.
    drop(stream);
    let _ = speaking.join();
    Ok(())
}

/// Octets from standard input into the stream, and from there to standard output.
fn carry(stream: &UnixStream) -> io::Result<std::thread::JoinHandle<()>> {
    let (mut into, mut out) = (stream.try_clone()?, stream.try_clone()?);
    std::thread::Builder::new().name("stdin".into()).spawn(move || {
        // Ends with the process, if nobody closes our input before.
        let _ = io::copy(&mut io::stdin().lock(), &mut into);
        let _ = into.shutdown(Shutdown::Write);
    })?;
    std::thread::Builder::new().name("stdout".into()).spawn(move || {
        let mut buffer = [0; 8192];
        while let Ok(read @ 1..) = out.read(&mut buffer) {
            let mut stdout = io::stdout().lock();
            if stdout.write_all(&buffer[..read]).and_then(|()| stdout.flush()).is_err() {
                return;
            }
        }
    })
}

fn settings(route: &Route) -> Settings {
    let mut settings = Settings::new(route.author.domain.clone());
    settings.limits.content_octets = MESSAGE_OCTETS_MAX as u64;
    settings.limits.recipients = RECIPIENTS_MAX as u32;
    let offered = Extensions::default();
    settings.extensions = Extensions {
        // Where mail goes on, and how, is for the server to say.
        require_tls: false,
        binary_mime: false,
        etrn: false,
        atrn: false,
        turn: false,
        expn: false,
        vrfy: false,
        limits: false,
        ..offered
    };
    settings
}

/// The transaction that is open.
#[derive(Default)]
struct Open {
    envelope: Envelope,
    octets: Vec<u8>,
}

struct Listener<'a> {
    options: &'a Options,
    route: &'a Route,
    settings: Arc<Settings>,
    open: Option<Open>,
}

impl Listener<'_> {
    async fn end_of_data(&mut self) -> Reply {
        let Some(open) = self.open.take() else { return replies::OK.reply() };
        let outside = &self.route.outside;
        let random = outside.entropy.next_u64();
        let completed = letter::complete(&open.octets, &self.route.author, super::date(outside), random);
        let handed = match completed {
            Ok(completed) => hand_over(self.options, self.route, open.envelope, completed.octets).await,
            Err(failure) => Err(failure),
        };
        match handed {
            Ok(HandOver::Sent) => replies::MESSAGE_ACCEPTED.reply(),
            Ok(HandOver::Queued { id, .. }) => {
                replies::MESSAGE_ACCEPTED.with(format!("Kept as {id}, to be sent later"))
            }
            Err(Failure { exit, words }) => {
                let code = if matches!(exit, Exit::TemporaryFailure | Exit::CannotCreate | Exit::Io) {
                    451
                } else {
                    554
                };
                Reply::new(code, None, posta_ua::terminal::harmless_line(&words))
            }
        }
    }
}

#[async_trait]
impl Handler<Session> for Listener<'_> {
    async fn answer(&mut self, question: Question) -> Answer {
        Answer::Reply(match question {
            Question::Greeting => self.settings.greeting(),
            Question::Hello(hello) => self.settings.welcome(&hello),
            Question::Mail { reverse_path, parameters, .. } => {
                let mut wishes = Wishes::default();
                wishes.requests.returned = parameters.returned;
                wishes.requests.envelope_id = parameters.envelope_id.clone();
                let envelope = Envelope { reverse_path, recipients: Vec::new(), wishes };
                self.open = Some(Open { envelope, octets: Vec::new() });
                replies::SENDER_OK.reply()
            }
            Question::Recipient { forward_path, parameters } => {
                let mailbox = match forward_path {
                    ForwardPath::Mailbox(mailbox) => mailbox,
                    // RFC 5321 §4.1.1.3: without a domain, postmaster is ours.
                    _ => postmaster(&self.route.author.domain),
                };
                if let Some(open) = &mut self.open {
                    open.envelope.recipients.push(mailbox);
                    open.envelope.wishes.notify = open.envelope.wishes.notify.or(parameters.notify);
                }
                replies::RECIPIENT_OK.reply()
            }
            Question::Data => replies::START_CONTENT.reply(),
            Question::EndOfData(_) => self.end_of_data().await,
            _ => Reply::new(502, None, "Not here"),
        })
    }

    async fn event(&mut self, event: Event) {
        match (event, &mut self.open) {
            (Event::Content(piece), Some(open)) => open.octets.extend_from_slice(&piece),
            (Event::Aborted { .. }, open) => *open = None,
            _ => {}
        }
    }
}

fn postmaster(domain: &Domain) -> Mailbox {
    match LocalPart::parse("postmaster") {
        Ok(local_part) => Mailbox::new(local_part, domain.clone()),
        Err(_) => unreachable!("a fixed word is a local-part"),
    }
}

impl Default for Envelope {
    fn default() -> Self {
        Envelope { reverse_path: ReversePath::Null, recipients: Vec::new(), wishes: Wishes::default() }
    }
}
