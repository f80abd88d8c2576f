//! Messages built: what they look like, byte by byte.

use posta_address::{Domain, Host, Mailbox};
use posta_message::report::{Action, DeliveryReport, Diagnostic, MtaName, RecipientReport, Returned, Status};
use posta_message::{Address, DateTime, HeaderName, HeaderText, MediaType, MessageBuilder, MessageId, Part};

fn date() -> DateTime {
    DateTime { instant: "2007-11-18T01:18:49Z".parse().unwrap(), offset: jiff::tz::Offset::constant(-5) }
}

fn text(text: &str) -> HeaderText {
    HeaderText::parse(text).unwrap()
}

fn built(builder: &MessageBuilder<'_>) -> String {
    String::from_utf8(builder.build().octets).unwrap()
}

fn check_lines(message: &str) {
    let mut rest = message;
    while let Some((line, after)) = rest.split_once("\r\n") {
        assert!(!line.contains(['\r', '\n']), "bare line end: {line:?}");
        assert!(line.len() <= 78, "{line:?}");
        rest = after;
    }
    assert_eq!(rest, "");
}

#[test]
fn the_smallest_message() {
    let message = built(&MessageBuilder::new(Address::parse("a@b.example").unwrap(), date()));
    assert_eq!(
        message,
        "From: a@b.example\r\nDate: Sat, 17 Nov 2007 20:18:49 -0500\r\nMIME-Version: 1.0\r\n\
         Content-Type: text/plain; charset=us-ascii\r\n\r\n"
    );
}

#[test]
fn every_known_field() {
    let group = Address::Group {
        name: text("A group"),
        members: vec![
            Mailbox::parse("x@y.example").unwrap().into(),
            Mailbox::parse("z@y.example").unwrap().into(),
        ],
    };
    let message = built(
        &MessageBuilder::new(Address::named("John Q. Public", "jqp@a.example").unwrap(), date())
            .also_from(Address::named("Zoë", "zoe@a.example").unwrap())
            .reply_to(group)
            .to(Address::Group { name: text("undisclosed recipients"), members: vec![] })
            .cc(Address::parse("\"odd one\"@a.example").unwrap())
            .subject(text("Ein Gruß an alle  Welt"))
            .message_id(MessageId::parse("1@a.example").unwrap())
            .in_reply_to(MessageId::parse("0@a.example").unwrap())
            .references(["r1@a.example", "r2@a.example"].map(|id| MessageId::parse(id).unwrap()))
            .field(HeaderName::of("X-Test"), text("=?not?an?encoded?= word"))
            .body(Part::text("Grüße\nFrom here\n.\n")),
    );
    check_lines(&message);
    assert_eq!(
        message,
        "From: \"John Q. Public\" <jqp@a.example>, =?UTF-8?Q?Zo=C3=AB?= <zoe@a.example>\r\n\
         Sender: \"John Q. Public\" <jqp@a.example>\r\n\
         Reply-To: A group: x@y.example, z@y.example;\r\n\
         To: undisclosed recipients:;\r\n\
         Cc: \"odd one\"@a.example\r\n\
         Subject: Ein =?UTF-8?B?R3J1w58=?= an alle  Welt\r\n\
         Date: Sat, 17 Nov 2007 20:18:49 -0500\r\n\
         Message-ID: <1@a.example>\r\n\
         In-Reply-To: <0@a.example>\r\n\
         References: <r1@a.example> <r2@a.example>\r\n\
         X-Test: =?UTF-8?B?PT9ub3Q/YW4/ZW5jb2RlZD89?= word\r\n\
         MIME-Version: 1.0\r\n\
         Content-Type: text/plain; charset=utf-8\r\n\
         Content-Transfer-Encoding: quoted-printable\r\n\
         \r\n\
         Gr=C3=BC=C3=9Fe\r\n=46rom here\r\n=2E\r\n"
    );
}

#[test]
fn long_texts_are_folded_and_never_split_a_character() {
    let subject = "Ελληνικά γράμματα και 漢字かな交じり文 ".repeat(12);
    let name = "Ж".repeat(90);
    let builder = MessageBuilder::new(Address::named(&name, "a@b.example").unwrap(), date())
        .subject(text(subject.trim()))
        .references((0..40).map(|n| MessageId::parse(&format!("reference.number.{n}@host.example")).unwrap()))
        .body(Part::attachment(
            text("ein sehr langer Dateiname, der Umlaute hat: äöü und immer noch weiter geht ☺.txt"),
            MediaType::parse("text/plain").unwrap(),
            &b"plain\r\n"[..],
        ));
    let message = built(&builder);
    check_lines(&message);
    for word in message.split([' ', '\r', '\n', '"']).filter(|word| word.starts_with("=?")) {
        assert!(word.len() <= 75, "{word}");
    }
    assert!(message.contains("filename*0*=utf-8''ein%20sehr"), "{message}");
    assert!(message.contains("name=\"=?UTF-8?"), "{message}");
}

#[test]
fn a_boundary_cannot_occur_in_the_parts() {
    let inner = built(
        &MessageBuilder::new(Address::parse("a@b.example").unwrap(), date())
            .body(Part::mixed(vec![Part::text("one"), Part::text("two")])),
    );
    // The message above, put where its own boundary would be chosen again.
    let outer =
        Part::mixed(vec![Part::text("one"), Part::text("two"), Part::message(inner.clone().into_bytes())]);
    let message = built(&MessageBuilder::new(Address::parse("a@b.example").unwrap(), date()).body(outer));
    let boundary =
        |message: &str| message.split("boundary=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    assert_ne!(boundary(&message), boundary(&inner));
    assert_eq!(message.matches(&format!("--{}", boundary(&message))).count(), 4);
}

#[test]
fn eight_bit_goes_out_only_where_allowed() {
    let builder = MessageBuilder::new(Address::parse("a@b.example").unwrap(), date())
        .subject(text("ä"))
        .body(Part::mixed(vec![Part::text("ä\n")]));
    let ascii = builder.build();
    assert!(ascii.octets.is_ascii() && !ascii.needs_8bitmime && !ascii.needs_smtputf8);
    let eight_bit = builder.clone().allow_8bit().build();
    assert!(eight_bit.needs_8bitmime && !eight_bit.needs_smtputf8);
    assert_eq!(String::from_utf8(eight_bit.octets).unwrap().matches("8bit").count(), 2);
    let utf8 = builder.utf8_header().build();
    assert!(utf8.needs_smtputf8 && !utf8.needs_8bitmime);
    let address = MessageBuilder::new(Address::parse("ä@b.example").unwrap(), date()).build();
    assert!(address.needs_smtputf8);
    let domain = MessageBuilder::new(Address::parse("a@bücher.example").unwrap(), date()).build();
    assert!(!domain.needs_smtputf8 && domain.octets.starts_with(b"From: a@xn--bcher-kva.example\r\n"));
}

fn report(recipient: &str) -> DeliveryReport {
    let mut failed = RecipientReport::new(
        Mailbox::parse(recipient).unwrap(),
        Action::Failed,
        Status::new(5, 1, 1).unwrap(),
    );
    failed.remote_mta = Some(MtaName::dns(&Host::parse("mx.south.example").unwrap()));
    failed.diagnostic_code = Some(Diagnostic::smtp("550-5.1.1 no such user\r\n550 5.1.1 Tschüß"));
    failed.last_attempt_date = Some(date());
    DeliveryReport {
        original_envelope_id: None,
        reporting_mta: Domain::parse("mx.north.example").unwrap().into(),
        received_from_mta: None,
        arrival_date: Some(date()),
        extensions: Vec::new(),
        recipients: vec![failed],
    }
}

#[test]
fn a_delivery_report() {
    let part =
        report("bob@south.example").part("Sorry.\n", Returned::Headers(b"Subject: x\r\nTo: bob\r\n\r\nbody"));
    let message = built(
        &MessageBuilder::new(Address::parse("MAILER-DAEMON@north.example").unwrap(), date()).body(part),
    );
    check_lines(&message);
    assert!(
        message.contains("Content-Type: multipart/report; report-type=delivery-status;\r\n"),
        "{message}"
    );
    let status = "Content-Type: message/delivery-status\r\nContent-Description: Delivery report\r\n\r\n\
        Reporting-MTA: dns; mx.north.example\r\nArrival-Date: Sat, 17 Nov 2007 20:18:49 -0500\r\n\r\n\
        Final-Recipient: rfc822; bob@south.example\r\nAction: failed\r\nStatus: 5.1.1\r\n\
        Remote-MTA: dns; mx.south.example\r\n\
        Diagnostic-Code: smtp; 550-5.1.1 no such user 550 5.1.1 Tsch\\x{FC}\\x{DF}\r\n\
        Last-Attempt-Date: Sat, 17 Nov 2007 20:18:49 -0500\r\n\r\n--";
    assert!(message.contains(status), "{message}");
    assert!(message.contains("text/rfc822-headers\r\n"), "{message}");
    assert!(!message.contains("body"), "{message}");
}

#[test]
fn an_international_delivery_report_is_7bit_too() {
    let report = report("δοκιμή@south.example");
    assert!(report.is_international());
    let part = report.part("Sorry.\n", Returned::Headers("Subject: ü\r\n".as_bytes()));
    let built = MessageBuilder::new(Address::parse("MAILER-DAEMON@north.example").unwrap(), date())
        .body(part)
        .build();
    assert!(!built.needs_8bitmime && !built.needs_smtputf8 && built.octets.is_ascii());
    let message = String::from_utf8(built.octets).unwrap();
    assert!(
        message.contains("Content-Type: message/global-delivery-status\r\nContent-Transfer-Encoding:"),
        "{message}"
    );
    assert!(message.contains("Content-Type: message/global-headers\r\n"), "{message}");
}

#[test]
fn status_codes() {
    for good in ["2.0.0", "4.10.999", "5.1.1"] {
        assert_eq!(good.parse::<Status>().unwrap().to_string(), good);
    }
    for bad in ["", "5", "5.1", "3.1.1", "5.1.1000", "5.1.1.1", "5..1", "5.+1.1", "55.1.1"] {
        assert!(bad.parse::<Status>().is_err(), "{bad:?}");
    }
}
