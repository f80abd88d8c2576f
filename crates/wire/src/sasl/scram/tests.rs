//! SCRAM: the RFCs' own exchanges, channel binding, verifiers, hostile messages.

use super::messages::{ClientFinal, ClientFirst, ServerFinal, ServerFirst};
use super::*;
use crate::Secret;
use crate::sasl::client::{self, Mechanics as _, Unusable};
use crate::sasl::limits::{ITERATIONS_MAX, ITERATIONS_MIN, RANDOM_OCTETS, SALT_OCTETS};
use crate::sasl::server::{Answer, DecoyKey, Failure, Identity, Mechanics as _, Question, Settings, Turn};
use crate::sasl::{ChannelBindings, Mechanism};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;

fn settings() -> Settings {
    Settings { decoy_iterations: ITERATIONS_MIN, ..Settings::new("mx.example", DecoyKey::new([3; 32])) }
}

fn context(offered: &[Mechanism], bindings: ChannelBindings) -> client::Context {
    client::Context { offered: offered.to_vec(), confidential: false, bindings, random: [1; RANDOM_OCTETS] }
}

fn exporter(octet: u8) -> ChannelBindings {
    ChannelBindings { exporter: Some([octet; 32]), server_end_point: None }
}

fn end_point() -> ChannelBindings {
    ChannelBindings { exporter: None, server_end_point: Some(vec![5; 32]) }
}

fn challenge(turn: Turn) -> String {
    match turn {
        Turn::Challenge(message) => String::from_utf8(message).unwrap(),
        other => panic!("a challenge is due: {other:?}"),
    }
}

/// An exchange of an RFC, to the letter.
struct Example {
    mechanism: Mechanism,
    client_nonce: &'static str,
    server_nonce: &'static str,
    salt: &'static str,
    messages: [&'static str; 4],
}

const EXAMPLES: [Example; 2] = [
    // RFC 5802 §5.
    Example {
        mechanism: Mechanism::ScramSha1,
        client_nonce: "fyko+d2lbbFgONRv9qkxdawL",
        server_nonce: "3rfcNHYJY1ZVvWVs7j",
        salt: "QSXCR+Q6sek8bf92",
        messages: [
            "n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL",
            "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
            "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
            "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
        ],
    },
    // RFC 7677 §3.
    Example {
        mechanism: Mechanism::ScramSha256,
        client_nonce: "rOprNGfwEbeRWgbNEkqO",
        server_nonce: "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
        salt: "W22ZaJ0SNY7soEsUEjb6gQ==",
        messages: [
            "n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
            "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
            "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
        ],
    },
];

#[test]
fn the_examples_of_the_rfcs() {
    for example in EXAMPLES {
        let [client_first, server_first, client_final, server_final] = example.messages;
        let password = Secret::new("pencil");
        let salt = STANDARD.decode(example.salt).unwrap();
        let hash = Hash::of(example.mechanism).unwrap();
        let verifier = Verifier::derive(hash, &password, &salt, 4096).unwrap();
        let mut server = Server::with_nonce(
            example.mechanism,
            &settings(),
            ChannelBindings::none(),
            example.server_nonce.into(),
        );
        let mut client = Client::with_nonce(
            example.mechanism,
            "user",
            None,
            &password,
            &context(&[example.mechanism], ChannelBindings::none()),
            example.client_nonce.into(),
        )
        .unwrap();

        assert_eq!(client.initial().unwrap(), client_first.as_bytes());
        let Turn::Ask(Question::Verifier { hash: asked, authcid, authzid: None }) =
            server.respond(client_first.as_bytes())
        else {
            panic!("the verifier is wanted")
        };
        assert_eq!((asked, authcid.as_str()), (hash, "user"));
        assert_eq!(challenge(server.answer(Answer::Verifier(verifier))), server_first);
        assert_eq!(client.respond(server_first.as_bytes()).unwrap(), client_final.as_bytes());
        assert_eq!(client.believes_success(), Err(client::Failure::ServerUnproven));
        assert_eq!(challenge(server.respond(client_final.as_bytes())), server_final);
        assert_eq!(client.respond(server_final.as_bytes()).unwrap(), b"");
        assert_eq!(client.believes_success(), Ok(()));
        let Turn::Done(identity) = server.respond(b"") else { panic!("it is done") };
        assert_eq!(identity, Identity { authcid: "user".into(), authzid: "user".into() });
    }
}

/// The flag and the data of RFC 5802 §6: who can bind, what the server can, and how it ends.
#[test]
fn channel_binding_is_checked() {
    let plus = Mechanism::ScramSha256Plus;
    let plain = Mechanism::ScramSha256;
    let none = ChannelBindings::none;
    let cases = [
        ("no TLS", plain, none(), none(), Ok(())),
        ("exporter", plus, exporter(1), exporter(1), Ok(())),
        ("end point", plus, end_point(), end_point(), Ok(())),
        ("another connection", plus, exporter(1), exporter(2), Err(Failure::ChannelBinding)),
        ("a kind the server lacks", plus, end_point(), exporter(1), Err(Failure::ChannelBinding)),
        ("the server can't", plain, exporter(1), none(), Ok(())),
        ("the client can't", plain, none(), exporter(1), Ok(())),
        ("-PLUS taken out of the list", plain, exporter(1), exporter(1), Err(Failure::ChannelBinding)),
    ];
    for (what, mechanism, of_client, of_server, expected) in cases {
        let password = Secret::new("pencil");
        let verifier = Verifier::derive(Hash::Sha256, &password, &[8; SALT_OCTETS], ITERATIONS_MIN).unwrap();
        let mut server = Server::with_nonce(mechanism, &settings(), of_server, "server".into());
        let context = context(&[mechanism], of_client);
        let mut client = Client::new(mechanism, "user", None, &password, &context).unwrap();
        let mut turn = server.respond(&client.initial().unwrap());
        let mut answer = Some(Answer::Verifier(verifier));
        let outcome = loop {
            turn = match turn {
                Turn::Ask(_) => server.answer(answer.take().unwrap()),
                Turn::Challenge(message) => server.respond(&client.respond(&message).unwrap()),
                Turn::Done(_) => break Ok(()),
                Turn::Failed(failure) => break Err(failure),
            };
        };
        assert_eq!(outcome, expected, "{what}");
    }
}

#[test]
fn a_client_that_can_bind_must() {
    let (plus, plain) = (Mechanism::ScramSha1Plus, Mechanism::ScramSha1);
    let new = |mechanism, context: &client::Context| {
        Client::new(mechanism, "user", None, &Secret::new("pencil"), context).map(|_| ())
    };
    assert_eq!(new(plain, &context(&[plus, plain], exporter(1))), Err(Unusable::MustBind));
    assert_eq!(new(plain, &context(&[plus, plain], ChannelBindings::none())), Ok(()));
    assert_eq!(new(plus, &context(&[plus, plain], ChannelBindings::none())), Err(Unusable::NothingToBind));
}

#[test]
fn verifiers_go_through_text() {
    let password = Secret::new("pencil");
    for hash in [Hash::Sha1, Hash::Sha256] {
        let verifier = Verifier::derive(hash, &password, &[8; SALT_OCTETS], ITERATIONS_MIN).unwrap();
        assert_eq!(Verifier::from_text(&verifier.to_text()), Ok(verifier.clone()));
        assert!(verifier.is_of(&password));
        assert!(!verifier.is_of(&Secret::new("Pencil")));
        let printed = format!("{verifier:?}");
        assert_eq!(printed, format!("Verifier({}, 4096 iterations, …)", hash.mechanism_name()));
    }
    // The keys of RFC 7677 §3, as other software computes them.
    let salt = STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
    let verifier = Verifier::derive(Hash::Sha256, &password, &salt, 4096).unwrap();
    assert_eq!(
        verifier.to_text().expose(),
        "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
    );
}

#[test]
fn texts_that_are_no_verifiers() {
    let keys = format!("{}:{}", STANDARD.encode([1; 32]), STANDARD.encode([2; 32]));
    let salt = STANDARD.encode([1; 16]);
    let cases = [
        (format!("SCRAM-SHA-256$4096:{salt}${keys}"), Ok(())),
        (String::new(), Err(BadVerifier::Form)),
        (format!("SCRAM-SHA-256$4096:{salt}${keys}$"), Err(BadVerifier::Form)),
        (format!("SCRAM-SHA-512$4096:{salt}${keys}"), Err(BadVerifier::UnknownHash)),
        (format!("SCRAM-SHA-1$4096:{salt}${keys}"), Err(BadVerifier::Form)),
        (format!("SCRAM-SHA-256$4095:{salt}${keys}"), Err(BadVerifier::Iterations)),
        (format!("SCRAM-SHA-256$1000001:{salt}${keys}"), Err(BadVerifier::Iterations)),
        (format!("SCRAM-SHA-256$99999999999:{salt}${keys}"), Err(BadVerifier::Iterations)),
        (format!("SCRAM-SHA-256$+4096:{salt}${keys}"), Err(BadVerifier::Form)),
        (format!("SCRAM-SHA-256$4096:AQ==${keys}"), Err(BadVerifier::Salt)),
        (format!("SCRAM-SHA-256$4096:{}${keys}", STANDARD.encode([1; 129])), Err(BadVerifier::Salt)),
        (format!("SCRAM-SHA-256$4096:{salt}$AQ==:AQ=="), Err(BadVerifier::Form)),
        (format!("SCRAM-SHA-256$4096:{salt}$"), Err(BadVerifier::Form)),
    ];
    for (text, expected) in cases {
        assert_eq!(Verifier::from_text(&Secret::new(text.clone())).map(|_| ()), expected, "{text}");
    }
    let password = Secret::new("pencil");
    for iterations in [0, ITERATIONS_MIN - 1, ITERATIONS_MAX + 1, u32::MAX] {
        assert_eq!(
            Verifier::derive(Hash::Sha1, &password, &[1; 16], iterations),
            Err(BadVerifier::Iterations)
        );
    }
    assert_eq!(Verifier::derive(Hash::Sha1, &password, &[1; 7], 4096), Err(BadVerifier::Salt));
}

/// A name that doesn't exist must not show: the same salt each time, another for another name, of
/// the length of real ones; and it fails where a wrong password does.
#[test]
fn unknown_names_do_not_show() {
    let first_challenge = |settings: &Settings, name: &str, answer: Answer| {
        let mut server =
            Server::with_nonce(Mechanism::ScramSha256, settings, ChannelBindings::none(), "s".into());
        assert!(matches!(server.respond(format!("n,,n={name},r=c").as_bytes()), Turn::Ask(_)));
        let first = challenge(server.answer(answer));
        let last = server.respond(format!("c=biws,r=cs,p={}", STANDARD.encode([0; 32])).as_bytes());
        assert!(matches!(last, Turn::Failed(Failure::Refused)), "{last:?}");
        first
    };
    let unknown = |name: &str| first_challenge(&settings(), name, Answer::Refused);
    assert_eq!(unknown("tim"), unknown("tim"));
    assert_eq!(unknown("tim"), unknown("Tim"));
    assert_ne!(unknown("tim"), unknown("tom"));
    let other_key = Settings { decoys: DecoyKey::new([4; 32]), ..settings() };
    assert_ne!(unknown("tim"), first_challenge(&other_key, "tim", Answer::Refused));

    let verifier =
        Verifier::derive(Hash::Sha256, &Secret::new("x"), &[8; SALT_OCTETS], ITERATIONS_MIN).unwrap();
    let known = first_challenge(&settings(), "tim", Answer::Verifier(verifier));
    assert_eq!(known.len(), unknown("tim").len());
}

/// The decoy's own keys can't be met: even a client that knew them would be refused.
#[test]
fn a_refusal_stays_one_whatever_the_proof() {
    let decoy = Verifier::decoy(Hash::Sha256, &DecoyKey::new([3; 32]), "tim", ITERATIONS_MIN);
    let other = Verifier::derive(Hash::Sha1, &Secret::new("x"), &[8; SALT_OCTETS], ITERATIONS_MIN).unwrap();
    for (answer, expected) in [
        (Answer::Unavailable, Failure::Unavailable),
        (Answer::Accepted { authcid: "tim".into() }, Failure::Unavailable),
        (Answer::SharedSecret(Secret::new("x")), Failure::Unavailable),
        // A verifier by another hash is our own mistake.
        (Answer::Verifier(other), Failure::Unavailable),
    ] {
        let mut server =
            Server::with_nonce(Mechanism::ScramSha256, &settings(), ChannelBindings::none(), "s".into());
        assert!(matches!(server.respond(b"n,,n=tim,r=c"), Turn::Ask(_)));
        assert!(matches!(server.answer(answer), Turn::Failed(failure) if failure == expected));
    }
    assert!(!decoy.is_of(&Secret::new("")));
}

#[test]
fn hostile_first_messages() {
    let long = format!("n,,n=user,r={}", "x".repeat(257));
    let messages = [
        "",
        ",",
        "n",
        "n,,",
        "n,,n=user",
        "n,,r=abc",
        "n,,n=user,r=",
        "n,,n=,r=abc",
        "n,,r=abc,n=user",
        "n,,m=ext,n=user,r=abc",
        "n,,n=user,r=abc,m=ext",
        "n,,n=user,r=abc,",
        "n,,n=user,r=abc,x",
        "n,,n=user,r=abc,x=",
        "n,,n=user,r=abc,1=x",
        "n,,n=us=er,r=abc",
        "n,,n=us=2cer,r=abc",
        "n,,n=user=,r=abc",
        "n,,n=user,r=a b",
        "n,,n=user,r=a\u{7f}b",
        "n,,n=user,r=\u{e4}",
        "n,,n=us\0er,r=abc",
        "n,,n=\u{7},r=abc",
        "n,,n=\u{ad},r=abc",
        "n,user,n=user,r=abc",
        "n,a=,n=user,r=abc",
        "n,a=\u{ad},n=user,r=abc",
        "x,,n=user,r=abc",
        "N,,n=user,r=abc",
        "p,,n=user,r=abc",
        "p=,,n=user,r=abc",
        "p=tls unique,,n=user,r=abc",
        "y=,,n=user,r=abc",
        &long,
    ];
    for message in messages {
        let mut server =
            Server::with_nonce(Mechanism::ScramSha1, &settings(), ChannelBindings::none(), "s".into());
        let turn = server.respond(message.as_bytes());
        assert!(matches!(turn, Turn::Failed(Failure::Malformed)), "{message:?}: {turn:?}");
    }
    for (message, mechanism, bindings) in [
        ("p=tls-unique,,n=user,r=abc", Mechanism::ScramSha1Plus, exporter(1)),
        ("p=TLS-EXPORTER,,n=user,r=abc", Mechanism::ScramSha1Plus, exporter(1)),
        ("n,,n=user,r=abc", Mechanism::ScramSha1Plus, exporter(1)),
        ("y,,n=user,r=abc", Mechanism::ScramSha1Plus, exporter(1)),
        ("p=tls-exporter,,n=user,r=abc", Mechanism::ScramSha1, exporter(1)),
        ("p=tls-exporter,,n=user,r=abc", Mechanism::ScramSha1Plus, ChannelBindings::none()),
    ] {
        let turn =
            Server::with_nonce(mechanism, &settings(), bindings, "s".into()).respond(message.as_bytes());
        assert!(matches!(turn, Turn::Failed(Failure::ChannelBinding)), "{message:?}: {turn:?}");
    }
}

#[test]
fn hostile_final_messages() {
    use Failure::{ChannelBinding, Malformed, Refused};
    let proof = STANDARD.encode([0; 32]);
    let cases = [
        (String::new(), Malformed),
        ("c=biws,r=cs".into(), Malformed),
        ("c=biws,r=cs,p=!".into(), Malformed),
        (format!("c=biws,p={proof},r=cs"), Malformed),
        (format!("r=cs,c=biws,p={proof}"), Malformed),
        (format!("c=biws,r=cs,m=x,p={proof}"), Malformed),
        (format!("c=biws,r=c,p={proof}"), Malformed),
        (format!("c=biws,r=csx,p={proof}"), Malformed),
        (format!("c=eSws,r=cs,p={proof}"), ChannelBinding),
        (format!("c=,r=cs,p={proof}"), ChannelBinding),
        (format!("c=biws,r=cs,x=y,p={proof}"), Refused),
        (format!("c=biws,r=cs,p={proof}"), Refused),
        // Shorter and longer proofs than the hash.
        ("c=biws,r=cs,p=".into(), Refused),
        ("c=biws,r=cs,p=AA==".into(), Refused),
        (format!("c=biws,r=cs,p={}", STANDARD.encode([0; 64])), Refused),
    ];
    for (message, expected) in cases {
        let verifier =
            Verifier::derive(Hash::Sha256, &Secret::new("x"), &[8; SALT_OCTETS], ITERATIONS_MIN).unwrap();
        let mut server =
            Server::with_nonce(Mechanism::ScramSha256, &settings(), ChannelBindings::none(), "s".into());
        assert!(matches!(server.respond(b"n,,n=tim,r=c"), Turn::Ask(_)));
        challenge(server.answer(Answer::Verifier(verifier)));
        let turn = server.respond(message.as_bytes());
        assert!(matches!(turn, Turn::Failed(failure) if failure == expected), "{message:?}: {turn:?}");
        assert!(matches!(server.respond(b""), Turn::Failed(Failure::OutOfTurn)));
    }
}

#[test]
fn hostile_servers() {
    use client::Failure::{Iterations, Protocol, ServerUnproven};
    let broken = Protocol("server-first-message");
    let long_salt = format!("r=ccs,s={},i=4096", STANDARD.encode([0; 129]));
    let cases = [
        ("", broken.clone()),
        ("r=ccs,s=AAAA", broken.clone()),
        ("s=AAAA,r=ccs,i=4096", broken.clone()),
        ("m=x,r=ccs,s=AAAA,i=4096", broken.clone()),
        ("r=ccs,s=AAAA,i=4096,m=x", broken.clone()),
        ("r=ccs,s=,i=4096", broken.clone()),
        ("r=ccs,s=AAA,i=4096", broken.clone()),
        ("r=ccs,s=AAAA,i=", broken.clone()),
        ("r=ccs,s=AAAA,i=-1", broken.clone()),
        ("r=ccs,s=AAAA,i=04096", broken.clone()),
        ("r=ccs,s=AAAA,i=99999999999999999999999", broken.clone()),
        (&long_salt, broken),
        ("r=ccs,s=AAAA,i=1", Iterations(1)),
        ("r=ccs,s=AAAA,i=4095", Iterations(4095)),
        ("r=ccs,s=AAAA,i=1000001", Iterations(1_000_001)),
        ("r=ccs,s=AAAA,i=4294967296", Iterations(1 << 32)),
        ("r=cc,s=AAAA,i=4096", Protocol("the server's nonce does not extend ours")),
        ("r=xcs,s=AAAA,i=4096", Protocol("the server's nonce does not extend ours")),
        ("v=AAAA", Protocol("server-first-message")),
    ];
    let opened = || {
        let context = context(&[], ChannelBindings::none());
        let password = Secret::new("pencil");
        let mut client =
            Client::with_nonce(Mechanism::ScramSha256, "user", None, &password, &context, "cc".into())
                .unwrap();
        client.initial();
        client
    };
    for (message, expected) in cases {
        let mut client = opened();
        assert_eq!(client.respond(message.as_bytes()), Err(expected), "{message:?}");
        assert_eq!(client.believes_success(), Err(ServerUnproven));
    }
    let finals = [
        ("v=AAAA".to_owned(), ServerUnproven),
        (format!("v={}", STANDARD.encode([0; 32])), ServerUnproven),
        ("v=".into(), ServerUnproven),
        ("e=invalid-proof".into(), client::Failure::Refused(Some("invalid-proof".into()))),
        ("e=\u{1b}[2J".into(), client::Failure::Refused(Some(" [2J".into()))),
        ("".into(), Protocol("server-final-message")),
        ("x=y".into(), Protocol("server-final-message")),
    ];
    for (message, expected) in finals {
        let mut client = opened();
        client.respond(b"r=ccs,s=AAAA,i=4096").unwrap();
        assert_eq!(client.respond(message.as_bytes()), Err(expected), "{message:?}");
        assert_eq!(client.believes_success(), Err(ServerUnproven));
    }
}

proptest! {
    #[test]
    fn saslnames_go_both_ways(name in "[^\0]{1,40}") {
        let written = write_saslname(&name).into_owned();
        prop_assert!(!written.contains(','));
        prop_assert_eq!(read_saslname(&written), Some(name));
    }

    #[test]
    fn what_looks_like_messages_is_read_without_panic(
        message in "([npyaresicvm]=?)?(,?[npyarsicvem]=[a-zA-Z0-9=+/]{0,12}){0,6}"
    ) {
        let _ = ClientFirst::parse(&message);
        let _ = ServerFirst::parse(&message);
        let _ = ClientFinal::parse(&message);
        let _ = ServerFinal::parse(&message);
        let _ = Verifier::from_text(&Secret::new(message));
    }

    #[test]
    fn any_text_is_read_without_panic(message in any::<String>()) {
        let _ = ClientFirst::parse(&message);
        let _ = ServerFirst::parse(&message);
        let _ = ClientFinal::parse(&message);
        let _ = ServerFinal::parse(&message);
    }
}
