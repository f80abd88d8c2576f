//! Relaying, measured against a sink of our own: an SMTP server that takes everything and keeps nothing.

use super::content::Content;
use super::subject::{Kind, Subject};
use super::table::{Row, Table};
use super::{Options, SETTLE_MAX, runtime, settle, smtp};
use anyhow::{Result, bail};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// `cargo xtask bench relay`.
pub(super) fn measure(options: &Options, binary: &Path) -> Result<()> {
    let mut table = Table::new(&["messages/s", "CPU µs/message", "p99 ms to 250", "written/mail"]);
    let sink = Sink::start()?;
    for round in 0..options.rounds {
        for kind in Kind::for_mail(options) {
            let subject = Subject::start(kind, options, binary, Some(sink.address))?;
            for connections in &options.connections {
                let messages = options.messages.unwrap_or_else(|| kind.messages(*connections) / 2);
                let row = measure_one(options, &subject, &sink, *connections, messages)?;
                table.add(&format!("{kind}, {connections} connections"), round, row);
            }
            if options.linger && kind == Kind::Posta && round + 1 == options.rounds {
                subject.linger()?;
            }
        }
    }
    table.print();
    Ok(())
}

fn measure_one(
    options: &Options,
    subject: &Subject,
    sink: &Sink,
    connections: usize,
    messages: usize,
) -> Result<Row> {
    let before = settle(subject.pid())?;
    let received_before = sink.received();
    let start = Instant::now();
    let sent = smtp::send(&smtp::Load {
        address: subject.smtp(),
        lmtp: false,
        tls: None,
        connections,
        messages,
        size_octets: options.size,
        recipients: (0..super::USERS).map(|number| format!("user{number}@sink.example")).collect(),
    })?;
    while sink.received() < received_before + messages {
        if start.elapsed() > sent.elapsed + SETTLE_MAX {
            bail!("only {} of {messages} were relayed", sink.received() - received_before);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let elapsed = start.elapsed();
    let cost = settle(subject.pid())?.since(before);
    let messages_sent = messages as f64;
    if sink.received() != received_before + messages {
        bail!("{} messages reached the sink, {messages} were sent", sink.received() - received_before);
    }
    let size = Content::new(options.size, "", "").size_octets() as f64;
    Ok(vec![
        messages_sent / elapsed.as_secs_f64(),
        cost.cpu_micros as f64 / messages_sent,
        sent.latency_millis(0.99),
        cost.written_octets as f64 / messages_sent / size,
    ])
}

/// A running sink, on a thread of its own, until the process ends.
struct Sink {
    address: SocketAddr,
    received: Arc<AtomicUsize>,
}

impl Sink {
    fn start() -> Result<Self> {
        let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let received = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&received);
        let runtime = runtime()?;
        std::thread::spawn(move || {
            runtime.block_on(async move {
                let listener = TcpListener::from_std(listener)?;
                loop {
                    let (stream, _) = listener.accept().await?;
                    let counter = Arc::clone(&counter);
                    // A broken connection is the sender's to notice; the count shows it here.
                    tokio::spawn(async move { converse(stream, &counter).await.ok() });
                }
                #[allow(unreachable_code)]
                std::io::Result::Ok(())
            })
        });
        Ok(Self { address, received })
    }

    fn received(&self) -> usize {
        self.received.load(Ordering::Relaxed)
    }
}

async fn converse(mut stream: TcpStream, received: &AtomicUsize) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    stream.write_all(b"220 sink.example ESMTP\r\n").await?;
    let mut input = Vec::with_capacity(32 * 1024);
    let mut output = Vec::new();
    let mut in_content = false;
    loop {
        if stream.read_buf(&mut input).await? == 0 {
            return Ok(());
        }
        let mut used = 0;
        loop {
            let rest = &input[used..];
            if in_content {
                // A final dot that is the first line of the content doesn't occur in this load.
                let Some(end) = find(rest, b"\r\n.\r\n") else {
                    // What might be a part of the end stays.
                    used += rest.len().saturating_sub(4);
                    break;
                };
                used += end + 5;
                in_content = false;
                received.fetch_add(1, Ordering::Relaxed);
                output.extend_from_slice(b"250 2.0.0 taken\r\n");
            } else {
                let Some(end) = find(rest, b"\r\n") else { break };
                let verb = rest[..end.min(4)].to_ascii_uppercase();
                used += end + 2;
                in_content = verb == b"DATA";
                output.extend_from_slice(match verb.as_slice() {
                    b"EHLO" => b"250-sink.example\r\n250-PIPELINING\r\n250-SIZE 0\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n",
                    b"DATA" => b"354 go on\r\n",
                    b"QUIT" => b"221 bye\r\n",
                    _ => b"250 ok\r\n",
                });
            }
        }
        input.drain(..used);
        if !output.is_empty() {
            stream.write_all(&output).await?;
            output.clear();
        }
    }
}

fn find(text: &[u8], pattern: &[u8]) -> Option<usize> {
    text.windows(pattern.len()).position(|window| window == pattern)
}
