//! Our client against our server, mechanism by mechanism, line by line; the RFCs' own examples; hostile
//! lines at both ends.

use super::client::{self, Credentials, Unusable};
use super::limits::{
    ITERATIONS_MIN, LINE_OCTETS_MAX, POP3_AUTH_COMMAND_OCTETS_MAX, RANDOM_OCTETS,
    SMTP_AUTH_COMMAND_OCTETS_MAX,
};
use super::scram::Verifier;
use super::server::{self, Answer, DecoyKey, Failure, Identity, Question, Settings};
use super::*;
use crate::Secret;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;

const NAME: &str = "tim@mail.example";
const PASSWORD: &str = "tanstaaf, tanst\u{e4}f=";
const TOKEN: &str = "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==";

fn settings() -> Settings {
    Settings {
        decoy_iterations: ITERATIONS_MIN,
        oauth_scope: Some("mail \"all\"".into()),
        oauth_configuration: Some("https://id.example/.well-known/openid-configuration".into()),
        ..Settings::new("mx.example", DecoyKey::new([3; 32]))
    }
}

fn bindings() -> ChannelBindings {
    ChannelBindings { exporter: Some([7; 32]), server_end_point: None }
}

fn server(mechanism: Mechanism) -> server::Exchange {
    let bindings = if mechanism.binds_channel() { bindings() } else { ChannelBindings::none() };
    let context = server::Context { random: [9; RANDOM_OCTETS], unix_secs: 1_700_000_000, bindings };
    server::Exchange::new(mechanism, &settings(), context)
}

fn client_context(mechanism: Mechanism) -> client::Context {
    let bindings = if mechanism.binds_channel() { bindings() } else { ChannelBindings::none() };
    client::Context { offered: vec![mechanism], confidential: true, bindings, random: [5; RANDOM_OCTETS] }
}

fn credentials(mechanism: Mechanism, secret: &str, authzid: Option<&str>) -> Credentials {
    let authzid = authzid.map(str::to_owned);
    match mechanism {
        Mechanism::External => Credentials::Certificate { authzid },
        Mechanism::OauthBearer | Mechanism::Xoauth2 => Credentials::Token {
            user: authzid.unwrap_or_else(|| NAME.into()),
            token: Secret::new(secret),
            host: "mx.example".into(),
            port: 587,
        },
        _ => Credentials::Password { authcid: NAME.into(), authzid, password: Secret::new(secret) },
    }
}

fn secret_of(mechanism: Mechanism) -> &'static str {
    if matches!(mechanism, Mechanism::OauthBearer | Mechanism::Xoauth2) { TOKEN } else { PASSWORD }
}

/// The accounts: one, which may also act as `team@mail.example`.
fn look_up(question: Question) -> Answer {
    let may_act_as = |authzid: &Option<String>| {
        authzid.as_deref().is_none_or(|authzid| [NAME, "team@mail.example"].contains(&authzid))
    };
    let known = |authcid: &str, authzid: &Option<String>| authcid == NAME && may_act_as(authzid);
    let accepted = |yes: bool| if yes { Answer::Accepted { authcid: NAME.into() } } else { Answer::Refused };
    match question {
        Question::CheckPassword { authcid, authzid, password } => {
            accepted(known(&authcid, &authzid) && password == Secret::new(PASSWORD))
        }
        Question::SharedSecret { authcid } if authcid == NAME => Answer::SharedSecret(Secret::new(PASSWORD)),
        Question::Verifier { hash, authcid, authzid } if known(&authcid, &authzid) => {
            let password = Secret::new(PASSWORD);
            Answer::Verifier(Verifier::derive(hash, &password, &[8; 16], ITERATIONS_MIN).unwrap())
        }
        Question::CheckToken { token, authzid, host, port } => accepted(
            token == Secret::new(TOKEN)
                && may_act_as(&authzid)
                && host.is_none_or(|host| host == "mx.example")
                && port.is_none_or(|port| port == 587),
        ),
        Question::CheckCertificate { authzid } => accepted(may_act_as(&authzid)),
        Question::SharedSecret { .. } | Question::Verifier { .. } => Answer::Refused,
    }
}

/// How both ends saw it end.
type Outcome = (Result<Identity, Failure>, Result<(), client::Failure>);

/// Runs client against server as sessions would, with room for so long an `AUTH` command.
fn run(mut client: client::Exchange, mut server: server::Exchange, command_max: usize) -> Outcome {
    let command = client.command(command_max);
    let command = command.expose();
    assert!(command.len() + 2 <= command_max || command.split(' ').count() == 2);
    let mut words = command.split(' ');
    assert_eq!(words.next(), Some("AUTH"));
    assert_eq!(words.next(), Some(server.mechanism().name()));
    let mut step = server.begin(words.next().map(str::as_bytes));
    for _ in 0..10 {
        step = match step {
            server::Step::Ask(question) => server.answer(look_up(*question)),
            server::Step::Challenge(text) => match client.challenge(text.as_bytes()) {
                client::Step::Respond(line) => server.respond(line.expose().as_bytes()),
                client::Step::Cancel(_) => server.respond(CANCEL.as_bytes()),
            },
            server::Step::Done(identity) => return (Ok(identity), client.conclude(true)),
            server::Step::Failed(failure) => return (Err(failure), client.conclude(false)),
        };
    }
    panic!("no end in sight")
}

fn attempt(mechanism: Mechanism, credentials: &Credentials, command_max: usize) -> Outcome {
    let client = client::Exchange::new(mechanism, credentials, &client_context(mechanism)).unwrap();
    run(client, server(mechanism), command_max)
}

#[test]
fn client_and_server_agree() {
    for mechanism in Mechanism::ALL {
        // With the initial response in the command, and after an empty challenge.
        for command_max in [SMTP_AUTH_COMMAND_OCTETS_MAX, POP3_AUTH_COMMAND_OCTETS_MAX, 30] {
            let credentials = credentials(mechanism, secret_of(mechanism), None);
            let (identity, believed) = attempt(mechanism, &credentials, command_max);
            let expected = Identity { authcid: NAME.into(), authzid: NAME.into() };
            assert_eq!(identity, Ok(expected), "{mechanism} {command_max}");
            assert_eq!(believed, Ok(()), "{mechanism} {command_max}");
        }
    }
}

#[test]
fn wrong_secrets_are_refused() {
    for mechanism in Mechanism::ALL.into_iter().filter(|mechanism| *mechanism != Mechanism::External) {
        let (identity, believed) =
            attempt(mechanism, &credentials(mechanism, "wrong", None), SMTP_AUTH_COMMAND_OCTETS_MAX);
        assert_eq!(identity, Err(Failure::Refused), "{mechanism}");
        let words = match mechanism {
            Mechanism::OauthBearer => Some(
                r#"{"status":"invalid_token","scope":"mail \"all\"","openid-configuration":"https://id.example/.well-known/openid-configuration"}"#,
            ),
            Mechanism::Xoauth2 => Some(r#"{"status":"401","schemes":"bearer","scope":"mail \"all\""}"#),
            _ => None,
        };
        assert_eq!(believed, Err(client::Failure::Refused(words.map(str::to_owned))), "{mechanism}");
    }
}

#[test]
fn acting_as_another_needs_leave() {
    for mechanism in Mechanism::ALL {
        let context = client_context(mechanism);
        for (authzid, allowed) in [("team@mail.example", true), ("boss,=@mail.example", false)] {
            let credentials = credentials(mechanism, secret_of(mechanism), Some(authzid));
            let client = match client::Exchange::new(mechanism, &credentials, &context) {
                Ok(client) => client,
                Err(error) => {
                    assert_eq!(error, Unusable::OtherCredentials);
                    assert!(matches!(mechanism, Mechanism::Login | Mechanism::CramMd5));
                    continue;
                }
            };
            let (identity, _) = run(client, server(mechanism), SMTP_AUTH_COMMAND_OCTETS_MAX);
            let expected = Identity { authcid: NAME.into(), authzid: authzid.into() };
            assert_eq!(identity, if allowed { Ok(expected) } else { Err(Failure::Refused) }, "{mechanism}");
        }
    }
}

/// What the server asks after this first message.
fn question(mechanism: Mechanism, initial: &[u8]) -> Question {
    match server(mechanism).begin(Some(STANDARD.encode(initial).as_bytes())) {
        server::Step::Ask(question) => *question,
        other => panic!("{other:?}"),
    }
}

/// RFC 4616 §4.
#[test]
fn the_examples_of_rfc_4616() {
    let Question::CheckPassword { authcid, authzid, password } =
        question(Mechanism::Plain, b"\0tim\0tanstaaftanstaaf")
    else {
        panic!("a password")
    };
    assert_eq!((authcid.as_str(), authzid, password.expose()), ("tim", None, "tanstaaftanstaaf"));
    let Question::CheckPassword { authcid, authzid, password } =
        question(Mechanism::Plain, b"Ursel\0Kurt\0xipj3plmq")
    else {
        panic!("a password")
    };
    assert_eq!(
        (authcid.as_str(), authzid.as_deref(), password.expose()),
        ("Kurt", Some("Ursel"), "xipj3plmq")
    );

    let credentials = Credentials::Password {
        authcid: "Kurt".into(),
        authzid: Some("Ursel".into()),
        password: Secret::new("xipj3plmq"),
    };
    let context = client_context(Mechanism::Plain);
    let mut client = client::Exchange::new(Mechanism::Plain, &credentials, &context).unwrap();
    let expected = format!("AUTH PLAIN {}", STANDARD.encode(b"Ursel\0Kurt\0xipj3plmq"));
    assert_eq!(client.command(SMTP_AUTH_COMMAND_OCTETS_MAX).expose(), expected);
}

/// RFC 4954 §4.1: the lines as they stand there.
#[test]
fn the_examples_of_rfc_4954() {
    let mut plain = server(Mechanism::Plain);
    assert!(matches!(plain.begin(None), server::Step::Challenge(text) if text.is_empty()));
    let server::Step::Ask(question) = plain.respond(b"dGVzdAB0ZXN0ADEyMzQ=") else { panic!("a question") };
    assert!(matches!(*question, Question::CheckPassword { authcid, authzid, password }
        if authcid == "test" && authzid.as_deref() == Some("test") && password.expose() == "1234"));
    let mut external = server(Mechanism::External);
    let server::Step::Ask(question) = external.begin(Some(b"=")) else { panic!("a question") };
    assert!(matches!(*question, Question::CheckCertificate { authzid: None }));

    let context = client_context(Mechanism::External);
    let credentials = Credentials::Certificate { authzid: None };
    let mut client = client::Exchange::new(Mechanism::External, &credentials, &context).unwrap();
    assert_eq!(client.command(SMTP_AUTH_COMMAND_OCTETS_MAX).expose(), "AUTH EXTERNAL =");
}

/// RFC 7628 §4.1 and §4.3, whose base64 is theirs.
#[test]
fn the_examples_of_rfc_7628() {
    let line = "bixhPXVzZXJAZXhhbXBsZS5jb20sAWhvc3Q9c2VydmVyLmV4YW1wbGUuY29tAXBvcnQ9NTg3AWF1dGg9QmVhcmVyI\
                HZGOWRmdDRxbVRjMk52YjNSbGNrQmhiSFJoZG1semRHRXVZMjl0Q2c9PQEB";
    let mut bearer = server(Mechanism::OauthBearer);
    let server::Step::Ask(question) = bearer.begin(Some(line.as_bytes())) else { panic!("a question") };
    let Question::CheckToken { token, authzid, host, port } = *question else { panic!("a token") };
    assert_eq!(
        (token.expose(), authzid.as_deref(), host.as_deref(), port),
        (TOKEN, Some("user@example.com"), Some("server.example.com"), Some(587))
    );

    let context = client_context(Mechanism::OauthBearer);
    let credentials = Credentials::Token {
        user: "user@example.com".into(),
        token: Secret::new(TOKEN),
        host: "server.example.com".into(),
        port: 587,
    };
    let mut client = client::Exchange::new(Mechanism::OauthBearer, &credentials, &context).unwrap();
    assert_eq!(client.command(SMTP_AUTH_COMMAND_OCTETS_MAX).expose(), &format!("AUTH OAUTHBEARER {line}"));

    // An empty `auth` asks what is needed; the answer is acknowledged by `AQ==`, then it fails.
    let mut asked = server(Mechanism::OauthBearer);
    let line = "bixhPXVzZXJAZXhhbXBsZS5jb20sAWhvc3Q9c2VydmVyLmV4YW1wbGUuY29tAXBvcnQ9MTQzAWF1dGg9AQE=";
    let server::Step::Challenge(text) = asked.begin(Some(line.as_bytes())) else { panic!("an error") };
    assert!(STANDARD.decode(&text).unwrap().starts_with(b"{\"status\":\"invalid_token\""));
    let client::Step::Respond(dummy) = client.challenge(text.as_bytes()) else { panic!("a response") };
    assert_eq!(dummy.expose(), "AQ==");
    assert!(matches!(asked.respond(b"AQ=="), server::Step::Failed(Failure::Refused)));
    // A server that calls it a success after all is not believed.
    assert!(client.conclude(true).is_err());
}

#[test]
fn login_takes_the_name_with_the_command() {
    let mut login = server(Mechanism::Login);
    let name = STANDARD.encode(NAME);
    let server::Step::Challenge(text) = login.begin(Some(name.as_bytes())) else { panic!("a challenge") };
    assert_eq!(text, "UGFzc3dvcmQ6");
    assert!(matches!(login.respond(STANDARD.encode(PASSWORD).as_bytes()), server::Step::Ask(_)));
    assert!(
        matches!(server(Mechanism::Login).begin(None), server::Step::Challenge(t) if t == "VXNlcm5hbWU6")
    );
}

#[test]
fn hostile_first_responses() {
    use Failure::{Malformed, NotBase64, UnexpectedInitial};
    let raw: &[(Mechanism, &[u8], Failure)] = &[
        (Mechanism::Plain, b"", NotBase64),
        (Mechanism::Plain, b"==", NotBase64),
        (Mechanism::Plain, b"*", NotBase64),
        (Mechanism::Plain, b"\xff", NotBase64),
        (Mechanism::CramMd5, b"=", UnexpectedInitial),
        (Mechanism::CramMd5, b"AAAA", UnexpectedInitial),
        (Mechanism::Plain, b"=", Malformed),
        (Mechanism::Login, b"=", Malformed),
        (Mechanism::ScramSha256, b"=", Malformed),
        (Mechanism::OauthBearer, b"=", Malformed),
        (Mechanism::Xoauth2, b"=", Malformed),
    ];
    for (mechanism, argument, expected) in raw {
        let step = server(*mechanism).begin(Some(argument));
        assert!(
            matches!(step, server::Step::Failed(failure) if failure == *expected),
            "{mechanism} {step:?}"
        );
    }
}

#[test]
fn hostile_first_messages() {
    let long_name = [b"\0".as_slice(), &[b'x'; 513], b"\0secret"].concat();
    let long_password = [b"\0tim\0".as_slice(), &[b'x'; 1025]].concat();
    let cases: &[(Mechanism, &[u8])] = &[
        (Mechanism::Plain, b"tim\0secret"),
        (Mechanism::Plain, b"\0tim"),
        (Mechanism::Plain, b"\0\0secret"),
        (Mechanism::Plain, b"\0tim\0"),
        (Mechanism::Plain, b"\0tim\0se\0cret"),
        (Mechanism::Plain, b"\0tim\0secret\0"),
        (Mechanism::Plain, b"\0t\xffm\0secret"),
        (Mechanism::Plain, b"\0t\nm\0secret"),
        (Mechanism::Plain, b"\xc2\xad\0tim\0secret"),
        (Mechanism::Plain, &long_name),
        (Mechanism::Plain, &long_password),
        (Mechanism::Login, b"\xff"),
        (Mechanism::Login, b"a\0b"),
        (Mechanism::External, b"\xff"),
        (Mechanism::External, b"fr\0ed"),
        (Mechanism::External, b"\xc2\xad"),
        (Mechanism::OauthBearer, b"\x01"),
        (Mechanism::OauthBearer, b"n,,\x01\x01"),
        (Mechanism::OauthBearer, b"n,,\x01auth=Bearer x"),
        (Mechanism::OauthBearer, b"n,,\x01auth=Bearer x\x01"),
        (Mechanism::OauthBearer, b"n,\x01auth=Bearer x\x01\x01"),
        (Mechanism::OauthBearer, b"p=tls-exporter,,\x01auth=Bearer x\x01\x01"),
        (Mechanism::OauthBearer, b"n,user=tim,\x01auth=Bearer x\x01\x01"),
        (Mechanism::OauthBearer, b"n,a==,\x01auth=Bearer x\x01\x01"),
        (Mechanism::OauthBearer, b"n,,\x01auth=Basic x\x01\x01"),
        (Mechanism::OauthBearer, b"n,,\x01auth=Bearer\x01\x01"),
        (Mechanism::OauthBearer, b"n,,\x01auth=Bearer \x01\x01"),
        (Mechanism::OauthBearer, b"n,,\x01auth=Bearer a b\x01\x01"),
        (Mechanism::OauthBearer, b"n,,\x01auth=Bearer x\x01auth=Bearer y\x01\x01"),
        (Mechanism::OauthBearer, b"n,,\x01port=66000\x01auth=Bearer x\x01\x01"),
        (Mechanism::OauthBearer, b"n,,\x01port=\x01auth=Bearer x\x01\x01"),
        (Mechanism::OauthBearer, b"n,,\x01=x\x01auth=Bearer x\x01\x01"),
        (Mechanism::OauthBearer, b"n,,\x01x\x01auth=Bearer x\x01\x01"),
        (Mechanism::OauthBearer, b"n,,\x01host=a\r\nb\x01auth=Bearer x\x01\x01"),
        (Mechanism::Xoauth2, b"user=tim\x01auth=Bearer x\x01"),
        (Mechanism::Xoauth2, b"auth=Bearer x\x01user=tim\x01\x01"),
        (Mechanism::Xoauth2, b"user=\x01auth=Bearer x\x01\x01"),
        (Mechanism::Xoauth2, b"user=tim\x01auth=Basic x\x01\x01"),
        (Mechanism::Xoauth2, b"user=tim\x01auth=Bearer x\x01more=y\x01\x01"),
    ];
    for (mechanism, message) in cases {
        let step = server(*mechanism).begin(Some(STANDARD.encode(message).as_bytes()));
        assert!(
            matches!(step, server::Step::Failed(Failure::Malformed)),
            "{mechanism} {} {step:?}",
            message.escape_ascii()
        );
    }
    for message in ["", "tim", "tim ", "tim B913A602C7EDA7A495B4E6E7334D3890", "tim b913", " "] {
        let mut cram = server(Mechanism::CramMd5);
        assert!(matches!(cram.begin(None), server::Step::Challenge(_)));
        let step = cram.respond(STANDARD.encode(message).as_bytes());
        assert!(matches!(step, server::Step::Failed(Failure::Malformed)), "{message:?} {step:?}");
    }
}

#[test]
fn exchanges_end_once() {
    for mechanism in Mechanism::ALL {
        let begun = || {
            let mut exchange = server(mechanism);
            assert!(matches!(exchange.begin(None), server::Step::Challenge(_)), "{mechanism}");
            exchange
        };
        let mut cancelled = begun();
        assert!(matches!(cancelled.respond(b"*"), server::Step::Failed(Failure::Cancelled)));
        assert!(matches!(cancelled.respond(b""), server::Step::Failed(Failure::OutOfTurn)));
        assert!(matches!(cancelled.begin(None), server::Step::Failed(Failure::OutOfTurn)));
        let long = vec![b'A'; LINE_OCTETS_MAX + 4];
        assert!(matches!(begun().respond(&long), server::Step::Failed(Failure::TooLong)));
        assert!(matches!(begun().too_long(), server::Step::Failed(Failure::TooLong)));
        let unasked = begun().answer(Answer::Accepted { authcid: NAME.into() });
        assert!(matches!(unasked, server::Step::Failed(Failure::OutOfTurn)));
        let unbegun = server(mechanism).answer(Answer::Accepted { authcid: NAME.into() });
        assert!(matches!(unbegun, server::Step::Failed(Failure::OutOfTurn)));
    }
}

/// An answer that doesn't fit its question never lets anybody in.
#[test]
fn misplaced_answers_open_nothing() {
    let mut plain = server(Mechanism::Plain);
    assert!(matches!(plain.begin(Some(b"AHRpbQBzZWNyZXQ=")), server::Step::Ask(_)));
    let step = plain.answer(Answer::SharedSecret(Secret::new("secret")));
    assert!(matches!(step, server::Step::Failed(Failure::Unavailable)));

    let mut cram = server(Mechanism::CramMd5);
    cram.begin(None);
    let response = STANDARD.encode("tim b913a602c7eda7a495b4e6e7334d3890");
    assert!(matches!(cram.respond(response.as_bytes()), server::Step::Ask(_)));
    let step = cram.answer(Answer::Accepted { authcid: "tim".into() });
    assert!(matches!(step, server::Step::Failed(Failure::Unavailable)));
}

#[test]
fn the_strongest_usable_mechanism_is_chosen() {
    use Mechanism::*;
    type Case<'a> = (&'a Credentials, &'a [Mechanism], bool, bool, Result<Mechanism, Unusable>);
    let password = credentials(Plain, PASSWORD, None);
    let token = credentials(OauthBearer, TOKEN, None);
    let cases: &[Case<'_>] = &[
        (&password, &[Plain, ScramSha1, ScramSha256, ScramSha1Plus], true, true, Ok(ScramSha1Plus)),
        (&password, &[Plain, ScramSha1, ScramSha256, ScramSha1Plus], true, false, Ok(ScramSha256)),
        (&password, &[Login, Plain, CramMd5], false, false, Ok(CramMd5)),
        (&password, &[Login, Plain, External, OauthBearer], true, true, Ok(Plain)),
        (&password, &[Login], true, false, Ok(Login)),
        (&password, &[Login, Plain], false, false, Err(Unusable::NotConfidential)),
        (&password, &[], true, false, Err(Unusable::NoMechanism)),
        (&password, &[External, Xoauth2], true, false, Err(Unusable::NoMechanism)),
        (&token, &[Plain, Xoauth2, OauthBearer, External], true, false, Ok(OauthBearer)),
        (&token, &[Xoauth2], false, false, Err(Unusable::NotConfidential)),
    ];
    for (credentials, offered, confidential, bound, expected) in cases {
        let context = client::Context {
            offered: offered.to_vec(),
            confidential: *confidential,
            bindings: if *bound { bindings() } else { ChannelBindings::none() },
            random: [5; RANDOM_OCTETS],
        };
        let chosen = client::Exchange::strongest(credentials, &context).map(|exchange| exchange.mechanism());
        assert_eq!(chosen, *expected, "{offered:?}");
    }
}

#[test]
fn clients_write_no_field_that_ends_another() {
    let make = |user: &str, token: &str, host: &str| {
        let credentials =
            Credentials::Token { user: user.into(), token: Secret::new(token), host: host.into(), port: 1 };
        let context = client_context(Mechanism::OauthBearer);
        client::Exchange::new(Mechanism::OauthBearer, &credentials, &context).map(|_| ())
    };
    assert_eq!(make("tim", "abc", "mx.example"), Ok(()));
    assert_eq!(make("tim", "a\x01b", "mx.example"), Err(Unusable::Unwritable));
    assert_eq!(make("tim", "", "mx.example"), Err(Unusable::Unwritable));
    assert_eq!(make("tim", "abc", "mx\x01auth=x"), Err(Unusable::Unwritable));
    assert!(matches!(make("t\x01m", "abc", "mx"), Err(Unusable::Unprepared(_))));
    let nul = credentials(Mechanism::Plain, "a\0b", None);
    let plain = client::Exchange::new(Mechanism::Plain, &nul, &client_context(Mechanism::Plain));
    assert_eq!(plain.map(|_| ()).unwrap_err(), Unusable::Unwritable);
}

#[test]
fn false_servers_are_not_believed() {
    for mechanism in Mechanism::ALL {
        let secret = secret_of(mechanism);
        let new = || {
            let credentials = credentials(mechanism, secret, None);
            client::Exchange::new(mechanism, &credentials, &client_context(mechanism)).unwrap()
        };
        // Success before the client has said all that it must.
        let mut client = new();
        client.command(12);
        assert!(client.conclude(true).is_err(), "{mechanism}");
        // No base64: cancelled, and it stays so.
        let mut client = new();
        client.command(SMTP_AUTH_COMMAND_OCTETS_MAX);
        assert!(matches!(client.challenge(b"!"), client::Step::Cancel(client::Failure::BadFraming)));
        assert!(matches!(client.challenge(b""), client::Step::Cancel(client::Failure::BadFraming)));
        assert_eq!(client.conclude(true), Err(client::Failure::BadFraming));
        // Challenges without end.
        let mut client = new();
        client.command(SMTP_AUTH_COMMAND_OCTETS_MAX);
        let endless = (0..4).all(|_| matches!(client.challenge(b"PDE+"), client::Step::Respond(_)));
        assert!(!endless, "{mechanism}");
    }
}

#[test]
fn nothing_secret_prints() {
    for mechanism in Mechanism::ALL {
        let secret = "hidden-one";
        let credentials = credentials(mechanism, secret, None);
        let context = client_context(mechanism);
        let mut client = client::Exchange::new(mechanism, &credentials, &context).unwrap();
        let printed = format!("{credentials:?} {context:?} {client:?}");
        let mut holding_back = client::Exchange::new(mechanism, &credentials, &context).unwrap();
        holding_back.command(0);
        let held = format!("{holding_back:?}");
        let octets = format!("{:?}", secret.as_bytes());
        assert!(!held.contains(secret) && !held.contains(octets.trim_matches(['[', ']'])), "{held}");
        let mut exchange = server(mechanism);
        let command = client.command(SMTP_AUTH_COMMAND_OCTETS_MAX);
        let step = exchange.begin(command.expose().split(' ').nth(2).map(str::as_bytes));
        let printed = format!("{printed} {command:?} {step:?} {client:?} {exchange:?}");
        assert!(!printed.contains(secret), "{mechanism}: {printed}");
        // The decoy key and the exporter: octets 3 and 7, many times.
        assert!(!printed.contains("3, 3, 3") && !printed.contains("7, 7, 7"), "{mechanism}: {printed}");
    }
}

fn any_mechanism() -> impl Strategy<Value = Mechanism> {
    proptest::sample::select(Mechanism::ALL.to_vec())
}

fn any_message() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..80),
        any::<String>().prop_map(String::into_bytes),
        "(n|y|p=tls-exporter),(a=[a-z=]{0,4})?,n=[a-z=,]{0,6},r=[!-~]{0,8}".prop_map(String::into_bytes),
        "[a-z]{0,4}\0[a-z]{0,4}\0[a-z]{0,4}".prop_map(String::into_bytes),
        "[nyp],(a=)?[a-z]{0,3},\x01((auth|host|port)=(Bearer )?[a-z0-9]{0,4}\x01){0,3}\x01"
            .prop_map(String::into_bytes),
    ]
}

proptest! {
    /// Lines of anything, and messages of anything in proper lines: both ends go on or fail, and nobody
    /// gets in by it.
    #[test]
    fn any_bytes_are_survived(
        mechanism in any_mechanism(),
        messages in proptest::collection::vec((any::<bool>(), any_message()), 1..6),
    ) {
        let lines: Vec<Vec<u8>> = messages
            .into_iter()
            .map(|(raw, message)| if raw { message } else { STANDARD.encode(message).into_bytes() })
            .collect();
        let mut exchange = server(mechanism);
        let mut step = exchange.begin(Some(&lines[0]));
        for line in &lines {
            if let server::Step::Ask(_) = step {
                let refused = exchange.answer(Answer::Refused);
                prop_assert!(!matches!(refused, server::Step::Done(_)));
            }
            step = exchange.respond(line);
            prop_assert!(!matches!(step, server::Step::Done(_)));
        }
        let credentials = credentials(mechanism, secret_of(mechanism), None);
        let mut client = client::Exchange::new(mechanism, &credentials, &client_context(mechanism)).unwrap();
        client.command(SMTP_AUTH_COMMAND_OCTETS_MAX);
        for line in &lines {
            let _ = client.challenge(line);
        }
        if mechanism.name().starts_with("SCRAM") {
            prop_assert!(client.conclude(true).is_err());
        }
    }

    /// Names and passwords of all kinds come through all mechanisms that take them.
    #[test]
    fn any_name_and_password_come_through(
        mechanism in proptest::sample::select(vec![Mechanism::Plain, Mechanism::Login]),
        name in any::<String>(),
        secret in any::<String>(),
    ) {
        let credentials =
            Credentials::Password { authcid: name.clone(), authzid: None, password: Secret::new(secret.clone()) };
        let Ok(mut client) = client::Exchange::new(mechanism, &credentials, &client_context(mechanism)) else {
            return Ok(());
        };
        let mut exchange = server(mechanism);
        client.command(0);
        let mut step = exchange.begin(None);
        while let server::Step::Challenge(text) = &step {
            let client::Step::Respond(line) = client.challenge(text.as_bytes()) else { panic!("a response") };
            step = exchange.respond(line.expose().as_bytes());
        }
        let server::Step::Ask(question) = step else { panic!("{step:?}") };
        let Question::CheckPassword { authcid, password, .. } = *question else { panic!("{question:?}") };
        prop_assert_eq!(authcid, prepare::name(&name).unwrap());
        prop_assert_eq!(password, prepare::password(&Secret::new(secret)).unwrap());
    }
}
