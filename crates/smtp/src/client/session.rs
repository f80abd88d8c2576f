//! The client's session.

use super::{Answer, Event, Question, Settings};
use posta_wire::{Conversation, Output};
use std::{sync::Arc, time::Instant};

/// A client session.
#[derive(Debug)]
pub struct Session {
    settings: Arc<Settings>,
    deadline: Instant,
}

impl Session {
    /// A session whose connection is open; after greeting and EHLO it asks
    /// [`Question::Next`].
    pub fn new(settings: Arc<Settings>, now: Instant) -> Self {
        let deadline = now + settings.time_limits.greeting;
        Session { settings, deadline }
    }
}

impl Conversation for Session {
    type Question = Question;
    type Answer = Answer;
    type Event = Event;

    fn handle_input(&mut self, input: &[u8], _now: Instant) -> usize {
        input.len()
    }
    fn handle_answer(&mut self, _answer: Answer, _now: Instant) {}
    fn handle_closed(&mut self, _now: Instant) {}
    fn handle_timeout(&mut self, _now: Instant) {}
    fn handle_shutdown(&mut self, _now: Instant) {}
    fn poll_output(&mut self) -> Option<Output<Question, Event>> {
        let _ = &self.settings;
        Some(Output::Close)
    }
    fn poll_timeout(&self) -> Option<Instant> {
        Some(self.deadline)
    }
}
