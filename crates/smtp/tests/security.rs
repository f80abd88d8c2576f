//! STARTTLS at both ends (RFC 3207): what is said before it, what is forgotten, and what is never heard.

use posta_smtp::{
    Reply, client, replies,
    server::{self, Question},
};
use posta_wire::{Conversation, Output, TlsFacts, TlsFailure, TlsVersion, sasl::ChannelBindings};
use std::{sync::Arc, time::Instant};

fn facts() -> Arc<TlsFacts> {
    Arc::new(TlsFacts {
        version: TlsVersion::V1_3,
        cipher: "TLS_AES_256_GCM_SHA384".into(),
        server_name: None,
        bindings: ChannelBindings::none(),
        peer: None,
    })
}

/// A session with what it said, what it reported, and what it has not taken of its input.
struct Run<C: Conversation> {
    session: C,
    now: Instant,
    said: String,
    events: Vec<String>,
    rest: Vec<u8>,
    wants_tls: bool,
    closed: bool,
    answer: fn(C::Question) -> C::Answer,
}

impl<C: Conversation> Run<C>
where
    C::Event: std::fmt::Debug,
{
    fn new(session: C, now: Instant, answer: fn(C::Question) -> C::Answer) -> Self {
        let (said, events, rest) = (String::new(), Vec::new(), Vec::new());
        let mut run = Run { session, now, said, events, rest, wants_tls: false, closed: false, answer };
        run.drain();
        run
    }

    fn drain(&mut self) {
        while let Some(output) = self.session.poll_output() {
            match output {
                Output::Send(octets) => {
                    assert!(!self.wants_tls, "something is said after TLS was asked for");
                    self.said.push_str(std::str::from_utf8(&octets).expect("text"));
                }
                Output::Ask(question) => self.session.handle_answer((self.answer)(question), self.now),
                Output::Event(event) => self.events.push(format!("{event:?}")),
                Output::StartTls => self.wants_tls = true,
                Output::Turn | Output::Close => self.closed = true,
            }
        }
    }

    /// Hears; gives what is said to it.
    fn hear(&mut self, text: &str) -> String {
        self.rest.extend_from_slice(text.as_bytes());
        while !self.rest.is_empty() && !self.closed {
            let taken = self.session.handle_input(&self.rest, self.now);
            self.rest.drain(..taken);
            self.drain();
            if taken == 0 {
                break;
            }
        }
        std::mem::take(&mut self.said)
    }

    fn secure(&mut self) -> String {
        assert!(std::mem::take(&mut self.wants_tls), "TLS is not asked for");
        assert!(self.rest.is_empty(), "a driver ends this connection");
        self.session.handle_tls(facts(), self.now);
        self.drain();
        std::mem::take(&mut self.said)
    }
}

fn server(starttls: bool) -> Run<server::Session> {
    let mut settings = server::Settings::new("mx.south.example".parse().expect("a domain"));
    settings.extensions.starttls = starttls;
    let now = Instant::now();
    Run::new(server::Session::new(Arc::new(settings), now), now, decide)
}

fn decide(question: Question) -> server::Answer {
    server::Answer::Reply(match question {
        Question::Greeting => Reply::new(220, None, "mx.south.example"),
        Question::Mail { .. } => replies::SENDER_OK.reply(),
        Question::Recipient { .. } => replies::RECIPIENT_OK.reply(),
        _ => Reply::new(250, None, "mx.south.example"),
    })
}

#[test]
fn the_server_forgets_what_was_said_in_the_clear() {
    let mut server = server(true);
    assert!(server.hear("EHLO before.example\r\n").contains("250-STARTTLS\r\n"));
    assert_eq!(server.hear("STARTTLS\r\n"), "220 2.0.0 Ready to start TLS\r\n");
    assert_eq!(server.secure(), "", "nothing is said before the client speaks (RFC 3207 §4.2)");
    assert!(server.session.is_secured() && server.events.iter().any(|event| event.starts_with("Secured")));
    assert!(server.hear("MAIL FROM:<>\r\n").starts_with("503 5.5.1 Say EHLO"), "EHLO is forgotten");
    let offered = server.hear("EHLO inside.example\r\n");
    assert!(offered.starts_with("250-") && !offered.contains("STARTTLS"), "{offered}");
    assert_eq!(server.hear("STARTTLS\r\n"), "503 5.5.1 TLS is on already\r\n");
    assert_eq!(server.hear("MAIL FROM:<>\r\n"), "250 2.1.0 Sender ok\r\n");
}

#[test]
fn starttls_at_the_wrong_time_or_in_the_wrong_form() {
    // Whether it is offered, what is said before, and the reply.
    let table = [
        (false, "", "STARTTLS\r\n", "502 5.5.1 Command not implemented\r\n"),
        (true, "", "STARTTLS\r\n", "220 2.0.0 Ready to start TLS\r\n"),
        (true, "HELO x.example\r\n", "starttls \r\n", "220 2.0.0 Ready to start TLS\r\n"),
        (true, "EHLO x.example\r\n", "STARTTLS now\r\n", "501 5.5.4 No argument goes here\r\n"),
        (
            true,
            "EHLO x.example\r\nMAIL FROM:<>\r\n",
            "STARTTLS\r\n",
            "503 5.5.1 Not within a transaction\r\n",
        ),
    ];
    for (offered, before, command, expected) in table {
        let mut server = server(offered);
        server.hear(before);
        server.said.clear();
        assert_eq!(server.hear(command), expected, "{before}{command}");
        assert_eq!(server.wants_tls, expected.starts_with("220"));
    }
    assert!(!server(false).hear("EHLO x.example\r\n").contains("STARTTLS"));
}

/// CVE-2011-0411: commands put behind STARTTLS must not be taken for commands said inside TLS.
#[test]
fn the_server_hears_nothing_that_is_behind_starttls() {
    let injected = "MAIL FROM:<mallory@x.example>\r\nRCPT TO:<bob@south.example>\r\nDATA\r\n";
    for pieces in [1, 7, 1000] {
        let mut server = server(true);
        server.hear("EHLO x.example\r\n");
        let input = format!("STARTTLS\r\n{injected}");
        let mut said = String::new();
        for piece in input.as_bytes().chunks(pieces) {
            said.push_str(&server.hear(std::str::from_utf8(piece).expect("ASCII")));
        }
        assert_eq!(said, "220 2.0.0 Ready to start TLS\r\n");
        // All of it is still there: this is what the driver ends the connection for.
        assert_eq!(server.rest, injected.as_bytes());
        server.session.handle_tls_failed(TlsFailure::ClearTextBehind, server.now);
        server.wants_tls = false;
        server.drain();
        assert!(server.closed && server.said.is_empty());
        assert_eq!(server.events.last().map(String::as_str), Some("Ended { reason: \"TLS failed\" }"));
    }
}

#[test]
fn half_a_line_before_tls_is_no_part_of_the_first_line_inside() {
    let mut server = server(true);
    server.hear("EHLO x.example\r\nSTARTTLS\r\n");
    server.secure();
    assert!(server.hear("NOOP\r\n").starts_with("250"));
}

#[test]
fn with_implicit_tls_the_greeting_is_inside() {
    let mut settings = server::Settings::new("mx.south.example".parse().expect("a domain"));
    settings.extensions.starttls = true;
    let now = Instant::now();
    let mut server = Run::new(server::Session::new_over_tls(Arc::new(settings), now), now, decide);
    assert!(server.wants_tls && server.said.is_empty());
    assert_eq!(server.hear("EHLO early.example\r\n"), "", "nothing is heard before");
    server.rest.clear();
    assert_eq!(server.secure(), "220 mx.south.example\r\n");
    assert!(!server.hear("EHLO x.example\r\n").contains("STARTTLS"));
}

fn client(tls: client::TlsUse) -> Run<client::Session> {
    let name: posta_address::Domain = "mail.north.example".parse().expect("a domain");
    let settings = client::Settings::new(name).with_tls(tls);
    let now = Instant::now();
    let quit = |_: client::Question| client::Answer::Quit;
    Run::new(client::Session::new(Arc::new(settings), now), now, quit)
}

const GREETING: &str = "220 mx.south.example\r\n";
const OFFER: &str = "250-mx.south.example\r\n250-SIZE 1000\r\n250 STARTTLS\r\n";

#[test]
fn the_client_says_ehlo_again_and_forgets_what_was_offered_in_the_clear() {
    let mut client = client(client::TlsUse::Required);
    assert_eq!(client.hear(GREETING), "EHLO mail.north.example\r\n");
    assert_eq!(client.hear(OFFER), "STARTTLS\r\n");
    assert_eq!(client.hear("220 go ahead\r\n"), "");
    assert_eq!(client.secure(), "EHLO mail.north.example\r\n");
    assert_eq!(client.session.extensions().size, None, "forgotten");
    assert_eq!(client.hear("250-mx.south.example\r\n250 PIPELINING\r\n"), "QUIT\r\n");
    assert!(client.session.extensions().pipelining && client.session.extensions().size.is_none());
    assert_eq!(client.events.len(), 2, "{:?}", client.events);
    assert!(client.events[0].starts_with("Secured") && client.events[1].starts_with("Ready"));
}

#[test]
fn what_the_client_does_where_tls_is_not_to_be_had() {
    use client::TlsUse::{IfOffered, Never, Required};
    const BARE: &str = "250 mx.south.example\r\n";
    // The use, the reply to EHLO, to STARTTLS, what is said last, and whether the session is ready.
    let table = [
        (Never, OFFER, "", "QUIT\r\n", true, ""),
        (IfOffered, BARE, "", "QUIT\r\n", true, ""),
        (Required, BARE, "", "QUIT\r\n", false, "TlsMissing"),
        (IfOffered, OFFER, "454 4.7.0 later\r\n", "QUIT\r\n", true, ""),
        (IfOffered, OFFER, "421 4.3.2 no\r\n", "", false, "Refused"),
        (Required, OFFER, "454 4.7.0 later\r\n", "QUIT\r\n", false, "Refused"),
        (Required, OFFER, "250 what?\r\n", "QUIT\r\n", false, "Refused"),
        (Required, "500 what?\r\n", BARE, "QUIT\r\n", false, "TlsMissing"),
    ];
    for (tls, offer, reply, last, ready, fault) in table {
        let mut client = client(tls);
        client.hear(GREETING);
        let mut said = client.hear(offer);
        if !reply.is_empty() {
            said = client.hear(reply);
        }
        assert_eq!(said, last, "{tls:?} {offer} {reply}");
        assert!(!client.wants_tls);
        let events = client.events.join(" ");
        assert_eq!(events.contains("Ready"), ready, "{tls:?} {offer} {reply}: {events}");
        assert!(events.contains(fault), "{tls:?} {offer} {reply}: {events}");
    }
}

/// The kin of CVE-2011-0411 in the other direction: replies put behind the 220 that begins TLS.
#[test]
fn the_client_hears_nothing_that_is_behind_the_reply_to_starttls() {
    let injected = "250-mx.south.example\r\n250 AUTH PLAIN\r\n";
    for tls in [client::TlsUse::IfOffered, client::TlsUse::Required] {
        let mut client = client(tls);
        client.hear(GREETING);
        client.hear(OFFER);
        assert_eq!(client.hear(&format!("220 go ahead\r\n{injected}")), "");
        assert_eq!(client.rest, injected.as_bytes());
        client.session.handle_tls_failed(TlsFailure::ClearTextBehind, client.now);
        client.wants_tls = false;
        client.drain();
        assert!(client.closed && client.said.is_empty(), "{:?}", client.said);
        assert!(
            client.events.join(" ").contains("StartTls, fault: Tls(ClearTextBehind)"),
            "{:?}",
            client.events
        );
    }
}

#[test]
fn with_implicit_tls_the_client_waits_inside() {
    let mut client = client(client::TlsUse::Implicit);
    assert!(client.wants_tls);
    assert_eq!(client.hear(GREETING), "", "a greeting in the clear is not heard");
    client.rest.clear();
    assert_eq!(client.secure(), "");
    assert_eq!(client.hear(GREETING), "EHLO mail.north.example\r\n");
    assert_eq!(client.hear(OFFER), "QUIT\r\n", "no second TLS inside the first");
}
