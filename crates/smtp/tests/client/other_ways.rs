//! LMTP (RFC 2033), and asking for what waits: ETRN (RFC 1985), ATRN (RFC 2645).

use super::*;
use posta_smtp::{QueueName, Turning, client::Request};

fn lmtp(letters: &[Letter], script: &str) {
    let name: posta_address::Domain = "mail.north.example".parse().expect("a domain");
    check_with(Settings { lmtp: true, ..Settings::new(name) }, letters, script);
}

#[test]
fn lmtp_has_a_reply_for_each_recipient() {
    let to = ["<bob@south.example>", "<nobody@south.example>", "<full@south.example>", "<eve@south.example>"];
    lmtp(
        &[letter("<a@north.example>", &to, PLAIN)],
        "S: 220 mx LMTP
         C: LHLO mail.north.example
         S: 250-mx
         S: 250-CHUNKING
         S: 250 PIPELINING
         ready mx: CHUNKING, PIPELINING
         C: MAIL FROM:<a@north.example>
         C: RCPT TO:<bob@south.example>
         C: RCPT TO:<nobody@south.example>
         C: RCPT TO:<full@south.example>
         C: RCPT TO:<eve@south.example>
         C: DATA
         S: 250 ok
         S: 250 ok
         S: 550 5.1.1 no
         S: 250 ok
         S: 250 ok
         S: 354 go on
         raw: Subject: x\\r\\n\\r\\nbody\\r\\n.\\r\\n
         S: 250 2.6.0 bob has it
         S: 452 4.2.2 full
         S: 250 2.6.0 eve has it
         done ok 250 2.6.0 bob has it | permanent Recipient 550 5.1.1 no | transient EndOfData 452 4.2.2 full | ok 250 2.6.0 eve has it
         C: QUIT
         S: 221 bye
         closed",
    );
}

#[test]
fn what_lmtp_has_said_counts_though_the_rest_is_lost() {
    lmtp(
        &[letter("<>", &["<bob@south.example>", "<eve@south.example>"], PLAIN)],
        "S: 220 mx LMTP
         C: LHLO mail.north.example
         S: 250 mx
         ready mx: 
         C: MAIL FROM:<>
         S: 250 ok
         C: RCPT TO:<bob@south.example>
         S: 250 ok
         C: RCPT TO:<eve@south.example>
         S: 250 ok
         C: DATA
         S: 354 go on
         raw: Subject: x\\r\\n\\r\\nbody\\r\\n.\\r\\n
         S: 250 2.6.0 bob has it
         hang up
         done ok 250 2.6.0 bob has it | transient EndOfData ConnectionLost
         closed",
    );
}

#[test]
fn an_smtp_server_is_noticed() {
    lmtp(
        &[letter("<>", &["<bob@south.example>"], PLAIN)],
        "S: 220 mx ESMTP
         C: LHLO mail.north.example
         S: 502 5.5.1 no such command
         failed permanent Hello 502 5.5.1 no such command
         C: QUIT
         S: 221 bye
         closed",
    );
}

/// What a session that asks for this says and reports, in one line each.
fn ask(request: Request, replies: &[&str]) -> Vec<String> {
    let name: posta_address::Domain = "mail.north.example".parse().expect("a domain");
    let now = Instant::now();
    let mut session = Session::new(Arc::new(Settings::new(name)), now);
    let mut request = Some(request);
    let mut happened = Vec::new();
    for reply in replies {
        session.handle_input(format!("{reply}\r\n").as_bytes(), now);
        while let Some(output) = session.poll_output() {
            match output {
                Output::Send(octets) => happened.push(String::from_utf8_lossy(&octets).trim_end().to_owned()),
                Output::Ask(_) => {
                    session.handle_answer(request.take().map_or(Answer::Quit, Answer::Request), now);
                }
                Output::Event(Event::Requested(said)) => happened.push(outcome(&said)),
                Output::Event(Event::Turned) => happened.push("event: turned".to_owned()),
                Output::Turn => happened.push("turn".to_owned()),
                Output::Close => happened.push("close".to_owned()),
                _ => {}
            }
        }
    }
    happened
}

#[test]
fn requests() {
    let domain = |name: &str| name.parse().expect("a domain");
    let hello = ["220 mx", "250 mx"];
    let said = |request, replies: &[&str]| {
        let said = ask(request, &[&hello, replies].concat());
        said[1..].join(" | ")
    };
    assert_eq!(
        said(
            Request::StartQueue(QueueName::Below(domain("south.example"))),
            &["253 2.0.0 4 messages", "221 bye"]
        ),
        "ETRN @south.example | ok 253 2.0.0 4 messages | QUIT | close"
    );
    let domains = vec![domain("a.example"), domain("b.example")];
    assert_eq!(
        said(Request::Turn(Turning::Authenticated(domains)), &["250 2.0.0 turning"]),
        "ATRN a.example,b.example | ok 250 2.0.0 turning | event: turned | turn"
    );
    assert_eq!(
        said(Request::Turn(Turning::Authenticated(Vec::new())), &["453 4.0.0 no mail", "221 bye"]),
        "ATRN | transient Request 453 4.0.0 no mail | QUIT | close"
    );
    assert_eq!(
        said(Request::Turn(Turning::Historic), &["502 5.5.1 no", "221 bye"]),
        "TURN | permanent Request 502 5.5.1 no | QUIT | close"
    );
}
