//! The load by SMTP (and LMTP, to fill Dovecot), and what it measures.

use super::content::Content;
use super::secure::{Stream, TlsConnector, connected, secured};
use super::subject::{Kind, Subject};
use super::table::{Row, Table};
use super::{Options, idle, runtime, settle};
use crate::peers::process;
use anyhow::{Context, Result, bail};
use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// What to send, to where.
pub(super) struct Load {
    pub(super) address: SocketAddr,
    /// LMTP greets with LHLO; all else is the same for one recipient.
    pub(super) lmtp: bool,
    /// Inside TLS, after STARTTLS.
    pub(super) tls: Option<TlsConnector>,
    pub(super) connections: usize,
    pub(super) messages: usize,
    pub(super) size_octets: usize,
    /// Taken in turn, one for each message.
    pub(super) recipients: Vec<String>,
}

/// What was seen while sending.
pub(super) struct Sent {
    pub(super) elapsed: Duration,
    /// From MAIL to the reply after the final dot, sorted.
    pub(super) latencies: Vec<Duration>,
    /// What the load itself has cost.
    pub(super) own_cpu_micros: u64,
}

impl Sent {
    /// The latency that this part (0 to 1) of the messages didn't exceed.
    pub(super) fn latency_millis(&self, part: f64) -> f64 {
        let index = (self.latencies.len().saturating_sub(1) as f64 * part).round() as usize;
        self.latencies.get(index).map_or(0.0, |latency| latency.as_secs_f64() * 1000.0)
    }
}

const SENDER: &str = "load@load.example";

/// Sends all messages; fails at the first refusal.
pub(super) fn send(load: &Load) -> Result<Sent> {
    let cpu_before = process::own_cpu_micros();
    let next = Rc::new(Cell::new(0));
    let latencies = Rc::new(RefCell::new(Vec::with_capacity(load.messages)));
    let tasks = tokio::task::LocalSet::new();
    let start = Instant::now();
    let finished = tasks.block_on(&runtime()?, async {
        let mut connections = Vec::new();
        for _ in 0..load.connections {
            let recipients = load.recipients.clone();
            let (next, latencies) = (Rc::clone(&next), Rc::clone(&latencies));
            let (address, lmtp, messages, size) = (load.address, load.lmtp, load.messages, load.size_octets);
            let tls = load.tls.clone();
            connections.push(tokio::task::spawn_local(async move {
                let mut connection = Connection::open(address, lmtp, tls.as_ref()).await?;
                let mut content = Content::new(size, SENDER, &recipients[0]);
                loop {
                    let number = next.get();
                    if number >= messages {
                        break;
                    }
                    next.set(number + 1);
                    let start = Instant::now();
                    connection
                        .transact(&recipients[number % recipients.len()], content.numbered(number))
                        .await?;
                    latencies.borrow_mut().push(start.elapsed());
                }
                connection.quit().await
            }));
        }
        for connection in connections {
            connection.await.context("a task of the load")??;
        }
        anyhow::Ok(())
    });
    finished?;
    let elapsed = start.elapsed();
    let mut latencies = latencies.take();
    latencies.sort_unstable();
    Ok(Sent { elapsed, latencies, own_cpu_micros: process::own_cpu_micros() - cpu_before })
}

/// A client that says one command at a time.
pub(super) struct Connection {
    stream: Box<dyn Stream>,
    input: Vec<u8>,
}

impl Connection {
    /// Connects, reads the greeting, says EHLO (or LHLO); with TLS, STARTTLS and EHLO again.
    pub(super) async fn open(address: SocketAddr, lmtp: bool, tls: Option<&TlsConnector>) -> Result<Self> {
        let mut connection = Self { stream: connected(address).await?, input: Vec::with_capacity(1024) };
        connection.reply(b'2').await?;
        let hello: &[u8] = if lmtp { b"LHLO load.example\r\n" } else { b"EHLO load.example\r\n" };
        connection.command(hello, b'2').await?;
        if let Some(tls) = tls {
            connection.command(b"STARTTLS\r\n", b'2').await?;
            connection.stream = secured(tls, connection.stream).await?;
            connection.command(hello, b'2').await?;
        }
        Ok(connection)
    }

    /// Says goodbye.
    pub(super) async fn quit(mut self) -> Result<()> {
        self.command(b"QUIT\r\n", b'2').await
    }

    async fn transact(&mut self, recipient: &str, content: &[u8]) -> Result<()> {
        self.command(format!("MAIL FROM:<{SENDER}>\r\n").as_bytes(), b'2').await?;
        self.command(format!("RCPT TO:<{recipient}>\r\n").as_bytes(), b'2').await?;
        self.command(b"DATA\r\n", b'3').await?;
        self.command(content, b'2').await
    }

    async fn command(&mut self, octets: &[u8], expected: u8) -> Result<()> {
        self.stream.write_all(octets).await?;
        self.stream.flush().await?;
        self.reply(expected).await
    }

    async fn reply(&mut self, expected: u8) -> Result<()> {
        self.input.clear();
        while !is_complete(&self.input) {
            if self.stream.read_buf(&mut self.input).await? == 0 {
                bail!("the server closed the connection after {:?}", String::from_utf8_lossy(&self.input));
            }
        }
        if self.input[0] != expected {
            bail!("unexpected reply: {}", String::from_utf8_lossy(&self.input).trim_end());
        }
        Ok(())
    }
}

/// Whether the last line of a reply (digits and a blank) has come.
fn is_complete(input: &[u8]) -> bool {
    let Some(lines) = input.strip_suffix(b"\r\n") else { return false };
    let last = lines.rsplit(|octet| *octet == b'\n').next().unwrap_or_default();
    last.len() >= 3 && last.get(3).is_none_or(|octet| *octet == b' ')
}

/// `cargo xtask bench smtp`.
pub(super) fn measure(options: &Options, binary: &Path) -> Result<()> {
    let mut table =
        Table::new(&["messages/s", "CPU µs/message", "p50 ms", "p99 ms", "written/mail", "load's CPU µs"]);
    for round in 0..options.rounds {
        for kind in Kind::for_mail(options) {
            let subject = Subject::start(kind, options, binary, None)?;
            let mut delivered = 0;
            for connections in &options.connections {
                let messages = options.messages.unwrap_or_else(|| kind.messages(*connections));
                let load = Load {
                    address: subject.smtp(),
                    lmtp: false,
                    tls: None,
                    connections: *connections,
                    messages,
                    size_octets: options.size,
                    recipients: subject.addresses(),
                };
                let row = measure_one(&subject, &load, &mut delivered)?;
                table.add(&format!("{kind}, {connections} connections"), round, row);
            }
            if options.linger && kind == Kind::Posta && round + 1 == options.rounds {
                subject.linger()?;
            }
        }
    }
    if options.idle > 0 {
        for kind in Kind::for_mail(options) {
            // A fresh one: after a load there is memory left over that idle connections would hide in.
            let subject = Subject::start(kind, options, binary, None)?;
            let octets = idle::octets_per_connection(&subject, kind.idle_connections(options.idle), None)?;
            table.note(format!("{kind}: {:.1} KiB for each idle connection", octets / 1024.0));
        }
    }
    table.print();
    Ok(())
}

fn measure_one(subject: &Subject, load: &Load, delivered: &mut usize) -> Result<Row> {
    let before = settle(subject.pid())?;
    let start = Instant::now();
    let sent = send(load)?;
    *delivered += load.messages;
    subject.wait_until_delivered(*delivered)?;
    let elapsed = start.elapsed();
    let cost = settle(subject.pid())?.since(before);
    subject.verify_delivered(*delivered)?;
    let messages = load.messages as f64;
    Ok(vec![
        messages / elapsed.as_secs_f64(),
        cost.cpu_micros as f64 / messages,
        sent.latency_millis(0.5),
        sent.latency_millis(0.99),
        cost.written_octets as f64
            / messages
            / Content::new(load.size_octets, SENDER, "").size_octets() as f64,
        sent.own_cpu_micros as f64 / messages,
    ])
}
