//! What the targets of sessions share: a session driven by given octets that come in given pieces.

use posta_wire::{Conversation, Output, TlsFailure};
use std::time::Instant;

/// Splits the last three octets off an input: choices, and the sizes of pieces. They stand at the end
/// so that what is before them is what it looks like.
pub fn split_choices(octets: &[u8]) -> Option<(&[u8], u8, Pieces)> {
    let (input, &[choices, first, second]) = octets.split_last_chunk()?;
    Some((input, choices, Pieces([usize::from(first) + 1, usize::from(second) + 1])))
}

/// Two sizes in octets that take turns.
#[derive(Debug, Clone, Copy)]
pub struct Pieces([usize; 2]);

impl Pieces {
    /// All at once.
    pub const WHOLE: Pieces = Pieces([usize::MAX; 2]);

    /// The size of the next piece.
    pub fn next_octets(&mut self) -> usize {
        self.0.swap(0, 1);
        self.0[1]
    }

    /// An input in these pieces.
    pub fn cut(mut self, mut input: &[u8]) -> Vec<&[u8]> {
        let mut pieces = Vec::new();
        while !input.is_empty() {
            let (piece, rest) = input.split_at(self.next_octets().min(input.len()));
            pieces.push(piece);
            input = rest;
        }
        pieces
    }
}

/// Who carries out what a session wants, and remembers it.
pub trait Driver<S: Conversation> {
    /// Answers a question.
    fn answer(&mut self, question: S::Question) -> S::Answer;
    /// Takes note.
    fn event(&mut self, event: S::Event);
    /// Takes what is sent to the peer.
    fn send(&mut self, octets: &[u8]);
}

/// Runs a session over all of the input, which the peer's end of the connection follows, as
/// `Conversation` asks its drivers to.
pub fn drive<S: Conversation>(
    mut session: S,
    driver: &mut impl Driver<S>,
    mut input: &[u8],
    mut pieces: Pieces,
    now: Instant,
) {
    let mut idle_rounds = 0;
    loop {
        let mut is_quiet = true;
        while let Some(output) = session.poll_output() {
            is_quiet = false;
            match output {
                Output::Send(octets) => {
                    assert!(!octets.is_empty(), "something is sent that is nothing");
                    driver.send(&octets);
                }
                Output::Ask(question) => {
                    let answer = driver.answer(question);
                    session.handle_answer(answer, now);
                }
                Output::Event(event) => driver.event(event),
                Output::StartTls => session.handle_tls_failed(TlsFailure::NotConfigured, now),
                Output::Turn | Output::Close => {
                    assert!(session.poll_output().is_none(), "something comes after the end");
                    assert!(session.poll_timeout().is_none(), "something is waited for after the end");
                    return;
                }
            }
        }
        if input.is_empty() {
            session.handle_closed(now);
            assert!(idle_rounds < 3, "the peer is gone, and the session does not end");
            idle_rounds += 1;
            continue;
        }
        let offered = &input[..pieces.next_octets().min(input.len())];
        let taken = session.handle_input(offered, now);
        assert!(taken <= offered.len(), "more is taken than was offered");
        idle_rounds = if taken == 0 && is_quiet { idle_rounds + 1 } else { 0 };
        assert!(idle_rounds < 2, "the session takes nothing and wants nothing");
        input = &input[taken..];
        if input.is_empty() {
            idle_rounds = 0;
        }
    }
}
