//! A POP3 server's session under any octets, cut into pieces as the first octet says.
#![no_main]

use libfuzzer_sys::fuzz_target;
use posta_pop3::server::{Answer, MessageEntry, Question, Session, Settings};
use posta_wire::{Conversation, Output};
use std::{sync::Arc, time::Instant};

const CONTENT: &[u8] = b"Subject: x\r\n\r\n.dot\r\n..\r\nno line end";

fuzz_target!(|octets: &[u8]| {
    let Some((&size, mut input)) = octets.split_first() else { return };
    let now = Instant::now();
    let mut session =
        Session::new(Arc::new(Settings::new("pop.south.example")), Some("<1@x>".to_owned()), now);
    loop {
        while let Some(output) = session.poll_output() {
            match output {
                Output::Close => return,
                Output::Ask(question) => session.handle_answer(answer(question), now),
                Output::Send(_) | Output::Event(_) => {}
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

fn answer(question: Question) -> Answer {
    let entry = |number: u32| MessageEntry {
        size_octets: CONTENT.len() as u64 + 2,
        unique_id: format!("id{number}"),
    };
    match question {
        Question::Login { .. } | Question::Apop { .. } => Answer::Login(Ok(vec![entry(1), entry(2)])),
        Question::Content { offset, .. } => {
            let start = usize::try_from(offset).unwrap_or(usize::MAX).min(CONTENT.len());
            Answer::Content(Some(bytes::Bytes::from_static(&CONTENT[start..])))
        }
        Question::Update { .. } => Answer::Updated(true),
    }
}
