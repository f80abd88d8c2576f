//! An SMTP server's session under any octets, cut into pieces as the first octet says.
#![no_main]

use libfuzzer_sys::fuzz_target;
use posta_smtp::{
    replies,
    server::{Answer, Question, Session, Settings},
};
use posta_wire::{Conversation, Output};
use std::{sync::Arc, time::Instant};

fuzz_target!(|octets: &[u8]| {
    let Some((&size, mut input)) = octets.split_first() else { return };
    let now = Instant::now();
    let settings = Arc::new(Settings::new("mx.south.example".parse().expect("a domain")));
    let mut session = Session::new(settings.clone(), now);
    loop {
        while let Some(output) = session.poll_output() {
            match output {
                Output::Close => return,
                Output::Ask(question) => session.handle_answer(answer(&settings, question), now),
                // Replies are ASCII lines with CRLF (RFC 5321 §4.2).
                Output::Send(reply) => assert!(reply.ends_with(b"\r\n") && reply.is_ascii()),
                Output::Event(_) => {}
            }
        }
        if input.is_empty() {
            session.handle_closed(now);
            while session.poll_output().is_some() {}
            return;
        }
        let taken = session.handle_input(&input[..input.len().min(usize::from(size) + 1)], now);
        input = &input[taken..];
    }
});

fn answer(settings: &Settings, question: Question) -> Answer {
    Answer(match question {
        Question::Greeting => settings.greeting(),
        Question::Hello(hello) => settings.welcome(&hello),
        Question::Data => replies::START_CONTENT.into(),
        _ => replies::OK.into(),
    })
}
