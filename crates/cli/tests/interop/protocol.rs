//! Just enough SMTP and POP3 by hand to load a server and to see what it holds. Everything that goes
//! wrong is an error, for here servers die on purpose.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// No reply takes that long unless something hangs.
const REPLY_WAIT: Duration = Duration::from_mins(2);

/// A connection on which lines come and go.
pub(crate) struct Lines {
    reader: BufReader<TcpStream>,
}

impl Lines {
    fn connect(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(REPLY_WAIT))?;
        Ok(Self { reader: BufReader::with_capacity(64 * 1024, stream) })
    }

    pub(crate) fn write(&mut self, octets: &[u8]) -> io::Result<()> {
        self.reader.get_mut().write_all(octets)
    }

    /// One line with its CRLF.
    fn line(&mut self, line: &mut Vec<u8>) -> io::Result<()> {
        line.clear();
        self.reader.read_until(b'\n', line)?;
        if line.last() == Some(&b'\n') { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }
}

/// An SMTP client that waits for each reply.
pub(crate) struct Smtp {
    lines: Lines,
}

impl Smtp {
    pub(crate) fn connect(address: SocketAddr) -> io::Result<Self> {
        let mut client = Self { lines: Lines::connect(address)? };
        client.expect("2")?;
        client.command("EHLO client.example", "2")?;
        Ok(client)
    }

    /// The last line of the next reply.
    pub(crate) fn reply(&mut self) -> io::Result<String> {
        let mut line = Vec::new();
        loop {
            self.lines.line(&mut line)?;
            if line.get(3) != Some(&b'-') {
                return Ok(String::from_utf8_lossy(&line).trim_end().to_owned());
            }
        }
    }

    fn expect(&mut self, code: &str) -> io::Result<()> {
        let reply = self.reply()?;
        if reply.starts_with(code) { Ok(()) } else { Err(io::Error::other(reply)) }
    }

    pub(crate) fn command(&mut self, command: &str, code: &str) -> io::Result<()> {
        self.lines.write(format!("{command}\r\n").as_bytes())?;
        self.expect(code)
    }

    /// MAIL, RCPT and DATA, up to where the content is asked for.
    pub(crate) fn begin(&mut self, from: &str, to: &[&str]) -> io::Result<()> {
        self.command(&format!("MAIL FROM:<{from}> BODY=8BITMIME"), "250")?;
        for recipient in to {
            self.command(&format!("RCPT TO:<{recipient}>"), "250")?;
        }
        self.command("DATA", "354")
    }

    /// Octets of the content as they go over the wire.
    pub(crate) fn write(&mut self, octets: &[u8]) -> io::Result<()> {
        self.lines.write(octets)
    }

    /// The final dot, and the reply to it.
    pub(crate) fn finish(&mut self) -> io::Result<()> {
        self.lines.write(b".\r\n")?;
        self.expect("250")
    }

    /// A whole transaction; `content` ends with CRLF.
    pub(crate) fn send(&mut self, from: &str, to: &[&str], content: &[u8]) -> io::Result<()> {
        self.begin(from, to)?;
        let mut stuffed = stuffed(content);
        stuffed.extend_from_slice(b".\r\n");
        self.lines.write(&stuffed)?;
        self.expect("250")
    }

    pub(crate) fn quit(mut self) -> io::Result<()> {
        self.command("QUIT", "221")
    }
}

/// With a dot before each line that begins with one (RFC 5321 §4.5.2).
fn stuffed(content: &[u8]) -> Vec<u8> {
    let mut stuffed = Vec::with_capacity(content.len() + 16);
    for line in content.split_inclusive(|octet| *octet == b'\n') {
        if line.starts_with(b".") {
            stuffed.push(b'.');
        }
        stuffed.extend_from_slice(line);
    }
    stuffed
}

/// A POP3 client that waits for each reply.
pub(crate) struct Pop3 {
    lines: Lines,
}

impl Pop3 {
    pub(crate) fn log_in(address: SocketAddr, user: &str, password: &str) -> io::Result<Self> {
        let mut client = Self { lines: Lines::connect(address)? };
        client.reply()?;
        client.command(&format!("USER {user}"))?;
        client.command(&format!("PASS {password}"))?;
        Ok(client)
    }

    fn reply(&mut self) -> io::Result<String> {
        let mut line = Vec::new();
        self.lines.line(&mut line)?;
        let line = String::from_utf8_lossy(&line).trim_end().to_owned();
        if line.starts_with("+OK") { Ok(line) } else { Err(io::Error::other(line)) }
    }

    pub(crate) fn command(&mut self, command: &str) -> io::Result<String> {
        self.lines.write(format!("{command}\r\n").as_bytes())?;
        self.reply()
    }

    /// How many messages there are.
    pub(crate) fn count(&mut self) -> io::Result<usize> {
        let stat = self.command("STAT")?;
        stat.split(' ').nth(1).and_then(|count| count.parse().ok()).ok_or_else(|| io::Error::other(stat))
    }

    /// Gives each line of a message to `each`, dot-stuffing undone.
    pub(crate) fn retrieve_lines(&mut self, number: usize, mut each: impl FnMut(&[u8])) -> io::Result<()> {
        self.command(&format!("RETR {number}"))?;
        let mut line = Vec::new();
        loop {
            self.lines.line(&mut line)?;
            match line.strip_prefix(b".") {
                Some(b"\r\n") => return Ok(()),
                Some(rest) => each(rest),
                None => each(&line),
            }
        }
    }

    pub(crate) fn retrieve(&mut self, number: usize) -> io::Result<Vec<u8>> {
        let mut message = Vec::new();
        self.retrieve_lines(number, |line| message.extend_from_slice(line))?;
        Ok(message)
    }

    pub(crate) fn quit(mut self) -> io::Result<()> {
        self.command("QUIT").map(|_| ())
    }
}

/// All messages of a maildrop.
pub(crate) fn fetch_all(address: SocketAddr, user: &str, password: &str) -> io::Result<Vec<Vec<u8>>> {
    let mut client = Pop3::log_in(address, user, password)?;
    let count = client.count()?;
    let messages = (1..=count).map(|number| client.retrieve(number)).collect::<io::Result<_>>()?;
    client.quit()?;
    Ok(messages)
}

/// Waits until a maildrop holds at least `count` messages; gives how many it holds.
pub(crate) fn wait_for_messages(
    address: SocketAddr,
    user: &str,
    password: &str,
    count: usize,
    wait: Duration,
) -> usize {
    let deadline = std::time::Instant::now() + wait;
    loop {
        let held = Pop3::log_in(address, user, password)
            .and_then(|mut client| {
                let held = client.count()?;
                client.quit()?;
                Ok(held)
            })
            .unwrap_or_else(|error| panic!("{user}: {error}"));
        if held >= count || std::time::Instant::now() > deadline {
            return held;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}
