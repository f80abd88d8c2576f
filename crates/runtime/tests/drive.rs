//! The loop that drives a conversation, with a conversation small enough to see through.

use async_trait::async_trait;
use bytes::Bytes;
use posta_runtime::{Driven, Handler, Link, SystemClock, Transcript, drive};
use posta_wire::{Conversation, Output};
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream},
    sync::watch,
};

/// Asks about each letter, reports each digit, closes at `.`, turns at `~`, says `!` when its time is over.
#[derive(Default)]
struct Letters {
    out: VecDeque<Output<u8, u8>>,
    asking: bool,
    due: Option<Instant>,
}

impl Conversation for Letters {
    type Question = u8;
    type Answer = Bytes;
    type Event = u8;

    fn handle_input(&mut self, input: &[u8], _now: Instant) -> usize {
        for (index, octet) in input.iter().enumerate() {
            if self.asking {
                return index;
            }
            match octet {
                b'.' => self.out.push_back(Output::Close),
                b'~' => self.out.push_back(Output::Turn),
                b'0'..=b'9' => self.out.push_back(Output::Event(*octet)),
                _ => {
                    self.asking = true;
                    self.out.push_back(Output::Ask(*octet));
                }
            }
        }
        input.len()
    }
    fn handle_answer(&mut self, answer: Bytes, _now: Instant) {
        assert!(self.asking, "no question is open");
        self.asking = false;
        self.out.push_back(Output::Send(answer));
    }
    fn handle_closed(&mut self, _now: Instant) {
        self.out.push_back(Output::Event(b'c'));
    }
    fn handle_timeout(&mut self, now: Instant) {
        assert!(self.due.take().is_some_and(|due| due <= now), "too early");
        self.out.push_back(Output::Send(Bytes::from_static(b"!")));
        self.out.push_back(Output::Close);
    }
    fn handle_shutdown(&mut self, _now: Instant) {
        self.out.push_back(Output::Send(Bytes::from_static(b"bye")));
        self.out.push_back(Output::Close);
    }
    fn poll_output(&mut self) -> Option<Output<u8, u8>> {
        self.out.pop_front()
    }
    fn poll_timeout(&self) -> Option<Instant> {
        self.due
    }
}

#[derive(Default)]
struct Answers {
    events: Arc<Mutex<Vec<u8>>>,
}

#[async_trait]
impl Handler<Letters> for Answers {
    async fn answer(&mut self, question: u8) -> Bytes {
        if question == b'w' {
            tokio::task::yield_now().await;
        }
        Bytes::from(vec![question.to_ascii_uppercase()])
    }
    async fn event(&mut self, event: u8) {
        self.events.lock().expect("not poisoned").push(event);
    }
}

#[derive(Default)]
struct Tape(Mutex<String>);
impl Transcript for Tape {
    fn sent(&self, octets: &[u8]) {
        self.0.lock().expect("not poisoned").push_str(&format!("S{}", String::from_utf8_lossy(octets)));
    }
    fn received(&self, octets: &[u8]) {
        self.0.lock().expect("not poisoned").push_str(&format!("C{}", String::from_utf8_lossy(octets)));
    }
    fn closed(&self) {
        self.0.lock().expect("not poisoned").push('#');
    }
}

struct Run {
    peer: DuplexStream,
    stop: watch::Sender<bool>,
    events: Arc<Mutex<Vec<u8>>>,
    tape: Arc<Tape>,
    task: tokio::task::JoinHandle<Driven>,
}

fn run(mut letters: Letters, buffer: usize) -> Run {
    let (peer, mut ours) = tokio::io::duplex(buffer);
    let (stop, stopping) = watch::channel(false);
    let mut answers = Answers::default();
    let events = answers.events.clone();
    let tape = Arc::new(Tape::default());
    let ours_tape = tape.clone();
    let task = tokio::spawn(async move {
        drive(&mut letters, &mut answers, &mut ours, None, &SystemClock, Some(&*ours_tape), stopping).await
    });
    Run { peer, stop, events, tape, task }
}

#[tokio::test]
async fn answers_keep_the_order_of_pipelined_questions() {
    let mut run = run(Letters::default(), 1024);
    run.peer.write_all(b"awb1c2.").await.expect("written");
    let mut said = String::new();
    run.peer.read_to_string(&mut said).await.expect("read");
    assert_eq!(said, "AWBC");
    assert!(matches!(run.task.await, Ok(Driven::Closed)));
    assert_eq!(*run.events.lock().expect("not poisoned"), b"12");
}

#[tokio::test]
async fn a_transcript_has_both_directions_in_order() {
    let mut run = run(Letters::default(), 1024);
    run.peer.write_all(b"a").await.expect("written");
    assert_eq!(run.peer.read_u8().await.expect("read"), b'A');
    run.peer.write_all(b"b.").await.expect("written");
    assert!(matches!(run.task.await, Ok(Driven::Closed)));
    assert_eq!(*run.tape.0.lock().expect("not poisoned"), "CaSACb.SB#");
}

#[tokio::test]
async fn what_the_peer_does_not_take_at_once_is_still_sent_whole() {
    let run = run(Letters::default(), 3);
    let input = b"abcdefghij".repeat(100);
    let expected = String::from_utf8(input.to_ascii_uppercase()).expect("ascii");
    let (mut reader, mut writer) = tokio::io::split(run.peer);
    let sending = tokio::spawn(async move {
        writer.write_all(&input).await.expect("written");
        writer.write_all(b".").await.expect("written");
    });
    let mut said = String::new();
    reader.read_to_string(&mut said).await.expect("read");
    assert_eq!(said, expected);
    sending.await.expect("sent");
    assert!(matches!(run.task.await, Ok(Driven::Closed)));
    drop(run.stop);
}

#[tokio::test]
async fn a_peer_that_goes_is_noticed() {
    let run = run(Letters::default(), 1024);
    drop(run.peer);
    assert!(matches!(run.task.await, Ok(Driven::PeerClosed)));
    assert_eq!(*run.events.lock().expect("not poisoned"), b"c");
}

#[tokio::test]
async fn the_timer_rings() {
    let letters = Letters { due: Some(Instant::now() + Duration::from_millis(20)), ..Letters::default() };
    let mut run = run(letters, 1024);
    let mut said = String::new();
    run.peer.read_to_string(&mut said).await.expect("read");
    assert_eq!(said, "!");
    assert!(matches!(run.task.await, Ok(Driven::Closed)));
}

#[tokio::test]
async fn shutdown_reaches_the_session() {
    let mut run = run(Letters::default(), 1024);
    run.stop.send(true).expect("someone listens");
    let mut said = String::new();
    run.peer.read_to_string(&mut said).await.expect("read");
    assert_eq!(said, "bye");
    assert!(matches!(run.task.await, Ok(Driven::Closed)));
}

#[tokio::test]
async fn a_lost_signal_is_no_signal() {
    let mut run = run(Letters::default(), 1024);
    drop(run.stop);
    run.peer.write_all(b"a.").await.expect("written");
    let mut said = String::new();
    run.peer.read_to_string(&mut said).await.expect("read");
    assert_eq!(said, "A");
}

/// Two conversations over one connection; what ended each.
async fn two_conversations(input: &'static [u8]) -> (String, Vec<String>) {
    let (mut peer, mut ours) = tokio::io::duplex(1024);
    let (_stop, stopping) = watch::channel(false);
    let both = async move {
        let mut link = Link::new(&mut ours, None, &SystemClock, None);
        let mut ends = Vec::new();
        for _ in 0..2 {
            let (mut letters, mut answers) = (Letters::default(), Answers::default());
            let driven = link.drive(&mut letters, &mut answers, stopping.clone()).await;
            ends.push(format!("{driven:?}"));
            if !matches!(driven, Driven::Turned) {
                break;
            }
        }
        ends
    };
    let task = tokio::spawn(both);
    let mut said = String::new();
    for piece in input.split_inclusive(|octet| *octet == b' ') {
        let _ = peer.write_all(piece.trim_ascii_end()).await;
        // What was said is answered before the next is.
        let mut octets = [0; 16];
        let count = peer.read(&mut octets).await.unwrap_or(0);
        said.push_str(&String::from_utf8_lossy(&octets[..count]));
    }
    drop(peer);
    (said, task.await.expect("driven"))
}

#[tokio::test]
async fn after_a_turn_the_connection_carries_another_conversation() {
    let (said, ends) = two_conversations(b"ab~ c.").await;
    assert_eq!((said.as_str(), ends), ("ABC", vec!["Turned".to_owned(), "Closed".to_owned()]));
}

#[tokio::test]
async fn who_speaks_on_while_the_roles_switch_is_not_heard() {
    let (said, ends) = two_conversations(b"a~wb").await;
    assert_eq!(said, "A");
    assert!(ends.len() == 1 && ends[0].contains("before the roles switched"), "{ends:?}");
}
