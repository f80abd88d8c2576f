//! Mechanisms that text dialogues can't show, with a whole server over TCP and our own client's end.

mod fixture;

use posta_server::config::Protocol;
use posta_wire::{
    Secret,
    sasl::{
        ChannelBindings, Mechanism,
        client::{Context, Credentials, Exchange, Step},
    },
};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
};

/// A line at a time.
struct Peer(BufReader<TcpStream>);

impl Peer {
    async fn connect(running: &posta_server::Running, protocol: Protocol) -> Peer {
        let address = running.address(protocol).expect("listens");
        let mut peer = Peer(BufReader::new(TcpStream::connect(address).await.expect("connects")));
        peer.line().await;
        peer
    }

    async fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).await.expect("a line");
        line.trim_end().to_owned()
    }

    async fn say(&mut self, text: &str) -> String {
        self.0.get_mut().write_all(format!("{text}\r\n").as_bytes()).await.expect("sent");
        self.line().await
    }

    /// The server's verdict, and what our end makes of it.
    async fn authenticate(&mut self, mechanism: Mechanism, name: &str, password: &str) -> (String, bool) {
        let credentials =
            Credentials::Password { authcid: name.into(), authzid: None, password: Secret::new(password) };
        let context = Context {
            offered: vec![mechanism],
            confidential: false,
            bindings: ChannelBindings::none(),
            random: *b"a client's nonce!!",
        };
        let mut exchange = Exchange::new(mechanism, &credentials, &context).expect("usable");
        let mut said = exchange.command(500);
        loop {
            let reply = self.say(said.expose()).await;
            let challenge = reply.strip_prefix("334 ").or_else(|| reply.strip_prefix("+ "));
            let Some(challenge) = challenge else {
                let accepted = reply.starts_with("235 ") || reply.starts_with("+OK");
                return (reply, exchange.conclude(accepted).is_ok());
            };
            said = match exchange.challenge(challenge.as_bytes()) {
                Step::Respond(response) => response,
                Step::Cancel(failure) => panic!("{failure}"),
            };
        }
    }
}

const SECRETLY: [Mechanism; 3] = [Mechanism::ScramSha256, Mechanism::ScramSha1, Mechanism::CramMd5];

fn password(mechanism: Mechanism) -> &'static str {
    if mechanism == Mechanism::CramMd5 { fixture::APOP_SECRET } else { fixture::PASSWORD }
}

#[tokio::test(flavor = "multi_thread")]
async fn mechanisms_that_do_not_show_the_password() {
    let running = fixture::start(fixture::config()).await;
    for mechanism in SECRETLY {
        let mut smtp = Peer::connect(&running, Protocol::Smtp).await;
        let mut line = smtp.say("EHLO client.example").await;
        while line.starts_with("250-") {
            line = smtp.line().await;
        }
        let (reply, proven) = smtp.authenticate(mechanism, "carol@north.example", password(mechanism)).await;
        assert!(reply.starts_with("235 2.7.0") && proven, "{mechanism}: {reply}");
        let reply = smtp.say("MAIL FROM:<carol@north.example>").await;
        assert!(reply.starts_with("250"), "{reply}");
        let reply = smtp.say("RCPT TO:<someone@elsewhere.example>").await;
        assert!(reply.starts_with("250"), "{reply}");

        let mut pop3 = Peer::connect(&running, Protocol::Pop3).await;
        let (reply, proven) = pop3.authenticate(mechanism, "carol", password(mechanism)).await;
        assert!(reply.starts_with("+OK maildrop has 2 messages") && proven, "{mechanism}: {reply}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_passwords_and_unknown_names_look_alike() {
    let running = fixture::start(fixture::config()).await;
    for (name, password) in [
        ("carol@north.example", "wrong"),
        ("nobody@north.example", fixture::PASSWORD),
        ("gone@north.example", fixture::PASSWORD),
    ] {
        let mut pop3 = Peer::connect(&running, Protocol::Pop3).await;
        let (reply, proven) = pop3.authenticate(Mechanism::ScramSha256, name, password).await;
        assert_eq!(reply, "-ERR [AUTH] wrong name or password", "{name}");
        assert!(!proven);
    }
}

/// Whoever guesses is slowed down and noted; whoever knows the password comes in at once.
#[tokio::test(flavor = "multi_thread")]
async fn guesses_are_counted_for_the_account_and_lock_nobody_out() {
    let running = fixture::start(fixture::config()).await;
    let mut guessers = Vec::new();
    for number in 0..10 {
        let mut pop3 = Peer::connect(&running, Protocol::Pop3).await;
        let name = if number % 2 == 0 { "carol" } else { "CAROL@north.example" };
        assert!(pop3.say(&format!("USER {name}")).await.starts_with("+OK"));
        // Nobody waits for the answer: it is held back ever longer.
        pop3.0.get_mut().write_all(b"PASS wrong\r\n").await.expect("sent");
        guessers.push(pop3);
    }
    let told = loop {
        let guessed = running.journal().records().into_iter().find_map(|record| match record.event {
            posta_journal::Event::Guessed { account, failures, .. } => Some((account, failures)),
            _ => None,
        });
        match guessed {
            Some(guessed) => break guessed,
            None => tokio::time::sleep(std::time::Duration::from_millis(5)).await,
        }
    };
    assert_eq!(told, ("carol@north.example".to_owned(), 10));
    let mut carol = Peer::connect(&running, Protocol::Pop3).await;
    carol.say("USER carol").await;
    let reply = carol.say(&format!("PASS {}", fixture::PASSWORD)).await;
    assert!(reply.starts_with("+OK"), "{reply}");
}
