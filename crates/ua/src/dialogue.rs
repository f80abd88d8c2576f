//! A dialogue shown as it happens: `C:` and `S:` lines, secrets masked, long contents shortened.

use crate::{
    limits::{DIALOGUE_CONTENT_LINES_MAX, DIALOGUE_LINE_OCTETS_MAX},
    terminal::harmless_line,
};
use posta_runtime::Transcript;
use std::sync::Mutex;

/// Which protocol is spoken: it decides where contents begin and what is secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// SMTP.
    Smtp,
    /// POP3.
    Pop3,
}

/// Who said a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speaker {
    /// The client, that is, we.
    Client,
    /// The server.
    Server,
}

/// What is shown of a secret.
const MASK: &str = "********";

/// Where the lines go.
type Show = Box<dyn Fn(Speaker, &str) + Send + Sync>;

/// Sees the octets of a connection and hands on lines fit for a terminal.
pub struct Dialogue {
    protocol: Protocol,
    show: Show,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    client: Lines,
    server: Lines,
    /// A content is passing, from this side; how many of its lines have passed.
    content: Option<(Speaker, usize)>,
    /// The server challenged us (AUTH): our next line is no command, and secret.
    response_due: bool,
    /// POP3: RETR or TOP was said, and its reply is awaited.
    content_asked: bool,
}

/// An unfinished line of one side.
#[derive(Default)]
struct Lines {
    partial: Vec<u8>,
}

impl Lines {
    /// Takes octets; the lines that ended.
    fn take(&mut self, octets: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        for part in octets.split_inclusive(|octet| *octet == b'\n') {
            let room = DIALOGUE_LINE_OCTETS_MAX.saturating_sub(self.partial.len());
            let text = part.strip_suffix(b"\n").unwrap_or(part);
            self.partial.extend_from_slice(&text[..text.len().min(room)]);
            if part.ends_with(b"\n") {
                let line = std::mem::take(&mut self.partial);
                let line = line.strip_suffix(b"\r").unwrap_or(&line);
                lines.push(String::from_utf8_lossy(line).into_owned());
            }
        }
        lines
    }
}

impl Dialogue {
    /// Shows each line by calling `show`.
    pub fn new(protocol: Protocol, show: impl Fn(Speaker, &str) + Send + Sync + 'static) -> Dialogue {
        Dialogue { protocol, show: Box::new(show), state: Mutex::default() }
    }

    fn pass(&self, speaker: Speaker, octets: &[u8]) {
        // A thread that panicked while showing spoils nothing here.
        let mut state = self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let lines = match speaker {
            Speaker::Client => state.client.take(octets),
            Speaker::Server => state.server.take(octets),
        };
        for line in lines {
            self.line(&mut state, speaker, &line);
        }
    }

    fn line(&self, state: &mut State, speaker: Speaker, line: &str) {
        if let Some((side, passed)) = &mut state.content
            && *side == speaker
        {
            if line != "." {
                *passed += 1;
                if *passed <= DIALOGUE_CONTENT_LINES_MAX {
                    (self.show)(speaker, &harmless_line(line));
                }
                return;
            }
            let more = passed.saturating_sub(DIALOGUE_CONTENT_LINES_MAX);
            if more > 0 {
                (self.show)(speaker, &format!("[… {more} more lines]"));
            }
            state.content = None;
        }
        if speaker == Speaker::Client && std::mem::take(&mut state.response_due) {
            // RFC 4954 §4: a lone asterisk gives up.
            return (self.show)(speaker, if line == "*" { line } else { MASK });
        }
        (self.show)(speaker, &harmless_line(&self.masked(speaker, line)));
        if speaker == Speaker::Server && self.is_challenge(line) {
            state.response_due = true;
            return;
        }
        self.follow(state, speaker, line);
    }

    /// RFC 4954 §4, RFC 5034 §4.
    fn is_challenge(&self, line: &str) -> bool {
        match self.protocol {
            Protocol::Smtp => line.starts_with("334"),
            Protocol::Pop3 => line == "+" || line.starts_with("+ "),
        }
    }

    /// Notes where a content begins.
    fn follow(&self, state: &mut State, speaker: Speaker, line: &str) {
        match (self.protocol, speaker) {
            (Protocol::Smtp, Speaker::Server) if line.starts_with("354") => {
                state.content = Some((Speaker::Client, 0));
            }
            (Protocol::Pop3, Speaker::Client) => {
                let keyword = line.split(' ').next().unwrap_or_default();
                state.content_asked = ["RETR", "TOP"].iter().any(|name| keyword.eq_ignore_ascii_case(name));
            }
            (Protocol::Pop3, Speaker::Server) if std::mem::take(&mut state.content_asked) => {
                state.content = line.starts_with("+OK").then_some((Speaker::Server, 0));
            }
            _ => {}
        }
    }

    /// The line without what must not be seen: passwords, and digests, which let passwords be guessed.
    fn masked(&self, speaker: Speaker, line: &str) -> String {
        let (keyword, argument) = line.split_once(' ').unwrap_or((line, ""));
        let is = |name: &str| speaker == Speaker::Client && keyword.eq_ignore_ascii_case(name);
        if is("PASS") {
            return format!("{keyword} {MASK}");
        }
        if is("APOP") || is("AUTH") {
            let shown = argument.split(' ').next().unwrap_or_default();
            return format!("{keyword} {shown} {MASK}");
        }
        line.to_owned()
    }
}

impl Transcript for Dialogue {
    fn sent(&self, octets: &[u8]) {
        self.pass(Speaker::Client, octets);
    }

    fn received(&self, octets: &[u8]) {
        self.pass(Speaker::Server, octets);
    }

    fn closed(&self) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn shown(protocol: Protocol, said: &[(Speaker, &str)]) -> Vec<String> {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let sink = lines.clone();
        let dialogue = Dialogue::new(protocol, move |speaker, line| {
            let letter = if speaker == Speaker::Client { 'C' } else { 'S' };
            sink.lock().unwrap().push(format!("{letter}: {line}"));
        });
        for (speaker, octets) in said {
            // In two pieces, as the network may cut them.
            let (head, tail) = octets.as_bytes().split_at(octets.len() / 2);
            dialogue.pass(*speaker, head);
            dialogue.pass(*speaker, tail);
        }
        lines.lock().unwrap().clone()
    }

    #[test]
    fn secrets_are_masked() {
        let said = [
            (Speaker::Server, "+OK ready <1@x>\r\n"),
            (Speaker::Client, "USER mrose\r\npass sword fish\r\n"),
            (Speaker::Client, "APOP mrose c4c9334bac560ecc979e58001b3e22fb\r\n"),
            (Speaker::Server, "-ERR \x1b[2J\r\n"),
        ];
        let expected = [
            "S: +OK ready <1@x>",
            "C: USER mrose",
            "C: pass ********",
            "C: APOP mrose ********",
            "S: -ERR ␛[2J",
        ];
        assert_eq!(shown(Protocol::Pop3, &said), expected);
    }

    #[test]
    fn what_answers_a_challenge_is_masked() {
        for (protocol, challenge, verdict) in
            [(Protocol::Smtp, "334 ", "235 yes"), (Protocol::Pop3, "+ ", "+OK yes")]
        {
            let said = [
                (Speaker::Client, "AUTH PLAIN c2VjcmV0\r\n".to_owned()),
                (Speaker::Server, format!("{challenge}\r\n")),
                (Speaker::Client, "c2VjcmV0\r\n".to_owned()),
                (Speaker::Server, format!("{challenge}eA==\r\n")),
                (Speaker::Client, "*\r\n".to_owned()),
                (Speaker::Server, format!("{verdict}\r\n")),
                (Speaker::Client, "NOOP\r\n".to_owned()),
            ];
            let said: Vec<_> = said.iter().map(|(speaker, line)| (*speaker, line.as_str())).collect();
            let expected = [
                "C: AUTH PLAIN ********".to_owned(),
                format!("S: {challenge}"),
                "C: ********".to_owned(),
                format!("S: {challenge}eA=="),
                "C: *".to_owned(),
                format!("S: {verdict}"),
                "C: NOOP".to_owned(),
            ];
            assert_eq!(shown(protocol, &said), expected);
        }
    }

    #[test]
    fn long_contents_are_shortened() {
        let content = format!("{}.\r\n", "PASS is a word\r\n".repeat(100));
        let said = [
            (Speaker::Client, "DATA\r\n"),
            (Speaker::Server, "354 go on\r\n"),
            (Speaker::Client, content.as_str()),
            (Speaker::Server, "250 taken\r\n"),
        ];
        let lines = shown(Protocol::Smtp, &said);
        assert_eq!(lines.len(), 2 + DIALOGUE_CONTENT_LINES_MAX + 3);
        assert_eq!(lines[2], "C: PASS is a word", "a content is not masked");
        assert_eq!(lines[lines.len() - 3], "C: [… 70 more lines]");
        assert_eq!(lines[lines.len() - 2], "C: .");

        let said = [
            (Speaker::Client, "RETR 1\r\n"),
            (Speaker::Server, "+OK 1600 octets\r\n"),
            (Speaker::Server, content.as_str()),
            (Speaker::Client, "QUIT\r\n"),
        ];
        let lines = shown(Protocol::Pop3, &said);
        assert_eq!(lines.len(), 2 + DIALOGUE_CONTENT_LINES_MAX + 3);
        assert_eq!(lines.last().map(String::as_str), Some("C: QUIT"));
    }
}
