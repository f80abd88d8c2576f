//! The load by POP3: many maildrops, every message retrieved.

use super::secure::{Stream, TlsConnector, connected, secured};
use super::subject::{Kind, Subject};
use super::table::{Row, Table};
use super::{Options, runtime, settle, smtp};
use anyhow::{Context, Result, bail};
use std::cell::Cell;
use std::net::SocketAddr;
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Messages in each maildrop, if not said otherwise.
const MESSAGES: usize = 200;

/// What is done in each session after the login.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Visit {
    LoginOnly,
    Retrieve,
    RetrieveAndDelete,
}

/// `cargo xtask bench pop3`.
pub(super) fn measure(options: &Options, binary: &Path) -> Result<()> {
    let mut table = Table::new(&["messages/s", "CPU µs/message (logins apart)", "logins/s", "CPU µs/login"]);
    for round in 0..options.rounds {
        for kind in Kind::for_pop3(options) {
            for connections in &options.connections {
                let rows = measure_one(options, binary, kind, *connections)?;
                for (way, row) in ["RETR", "RETR and DELE"].into_iter().zip(rows) {
                    table.add(&format!("{kind}, {way}, {connections} connections"), round, row);
                }
            }
        }
    }
    table.print();
    Ok(())
}

fn measure_one(options: &Options, binary: &Path, kind: Kind, connections: usize) -> Result<[Row; 2]> {
    let subject = Subject::start(kind, options, binary, None)?;
    let messages = subject.users().len() * options.messages.unwrap_or(MESSAGES);
    smtp::send(&smtp::Load {
        address: subject.smtp(),
        lmtp: subject.speaks_lmtp(),
        tls: None,
        connections: 10,
        messages,
        size_octets: options.size,
        recipients: subject.addresses(),
    })?;
    // The first logins pay for the password's hash, for opening files, for processes started.
    visit_all(&subject, connections, Visit::LoginOnly, None)?;
    let logins = cost_of(&subject, connections, Visit::LoginOnly)?;
    let retrieved = cost_of(&subject, connections, Visit::Retrieve)?;
    let deleted = cost_of(&subject, connections, Visit::RetrieveAndDelete)?;
    if retrieved.messages != messages || deleted.messages != messages {
        bail!("{} and {} of {messages} messages were retrieved", retrieved.messages, deleted.messages);
    }
    subject.verify_delivered(0)?;
    let sessions = subject.users().len() as f64;
    let row = |run: &Run| {
        vec![
            run.messages as f64 / run.elapsed.as_secs_f64(),
            run.cpu_micros.saturating_sub(logins.cpu_micros) as f64 / run.messages as f64,
            sessions / logins.elapsed.as_secs_f64(),
            logins.cpu_micros as f64 / sessions,
        ]
    };
    Ok([row(&retrieved), row(&deleted)])
}

struct Run {
    messages: usize,
    elapsed: Duration,
    cpu_micros: u64,
}

fn cost_of(subject: &Subject, connections: usize, visit: Visit) -> Result<Run> {
    let before = settle(subject.pid())?;
    let start = Instant::now();
    let messages = visit_all(subject, connections, visit, None)?;
    let elapsed = start.elapsed();
    let cost = settle(subject.pid())?.since(before);
    Ok(Run { messages, elapsed, cpu_micros: cost.cpu_micros })
}

/// Visits each maildrop once; gives the number of messages retrieved.
pub(super) fn visit_all(
    subject: &Subject,
    connections: usize,
    visit: Visit,
    tls: Option<&TlsConnector>,
) -> Result<usize> {
    let address = subject.pop3()?;
    let next = Rc::new(Cell::new(0));
    let users: Rc<[(String, String)]> = subject.users().into();
    tokio::task::LocalSet::new().block_on(&runtime()?, async {
        let mut tasks = Vec::new();
        for _ in 0..connections {
            let (next, users, tls) = (Rc::clone(&next), Rc::clone(&users), tls.cloned());
            tasks.push(tokio::task::spawn_local(async move {
                let mut messages = 0;
                while let Some((user, password)) = users.get(next.replace(next.get() + 1)) {
                    messages += visit_one(address, user, password, visit, tls.as_ref()).await?;
                }
                anyhow::Ok(messages)
            }));
        }
        let mut messages = 0;
        for task in tasks {
            messages += task.await.context("a task of the load")??;
        }
        Ok(messages)
    })
}

async fn visit_one(
    address: SocketAddr,
    user: &str,
    password: &str,
    visit: Visit,
    tls: Option<&TlsConnector>,
) -> Result<usize> {
    let mut session = Session { stream: connected(address).await?, input: Vec::with_capacity(64 * 1024) };
    session.line().await?;
    if let Some(tls) = tls {
        session.command("STLS\r\n").await?;
        session.stream = secured(tls, session.stream).await?;
    }
    session.command(&format!("USER {user}\r\n")).await?;
    session.command(&format!("PASS {password}\r\n")).await?;
    let stat = session.command("STAT\r\n").await?;
    let count: usize = stat.split(' ').nth(1).context("STAT without a count")?.parse()?;
    let mut retrieved = 0;
    if visit != Visit::LoginOnly {
        for number in 1..=count {
            session.stream.write_all(format!("RETR {number}\r\n").as_bytes()).await?;
            session.message().await?;
            retrieved += 1;
            if visit == Visit::RetrieveAndDelete {
                session.command(&format!("DELE {number}\r\n")).await?;
            }
        }
    }
    session.command("QUIT\r\n").await?;
    Ok(retrieved)
}

struct Session {
    stream: Box<dyn Stream>,
    input: Vec<u8>,
}

impl Session {
    async fn command(&mut self, command: &str) -> Result<String> {
        self.stream.write_all(command.as_bytes()).await?;
        self.stream.flush().await?;
        self.line().await
    }

    async fn line(&mut self) -> Result<String> {
        self.input.clear();
        while !self.input.ends_with(b"\r\n") {
            self.more().await?;
        }
        self.expect_ok()?;
        Ok(String::from_utf8_lossy(&self.input).trim_end().to_owned())
    }

    async fn message(&mut self) -> Result<()> {
        self.input.clear();
        while !self.input.ends_with(b"\r\n.\r\n") {
            self.more().await?;
            if self.input.starts_with(b"-") {
                break;
            }
        }
        self.expect_ok()
    }

    async fn more(&mut self) -> Result<()> {
        if self.stream.read_buf(&mut self.input).await? == 0 {
            bail!("the server closed the connection");
        }
        Ok(())
    }

    fn expect_ok(&self) -> Result<()> {
        if !self.input.starts_with(b"+OK") {
            bail!("unexpected reply: {}", String::from_utf8_lossy(&self.input).trim_end());
        }
        Ok(())
    }
}
