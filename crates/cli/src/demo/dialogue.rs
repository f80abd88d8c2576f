//! Cuts the octets of a connection into the lines of a dialogue: who says what, passwords masked, long
//! contents shortened, and the envelope kept for showing it beside the header section.

use std::collections::VecDeque;

/// Octets of a line that are shown; the rest is counted.
const LINE_OCTETS_MAX: usize = 160;
/// Lines of a content's header section that are shown.
const HEADER_LINES_MAX: usize = 60;
/// Lines of one dialogue that are shown.
const DIALOGUE_LINES_MAX: usize = 500;
/// Recipients that the envelope shows.
const RECIPIENTS_MAX: usize = 8;
/// Answers of a POP3 server that may be awaited at once; more are not told apart.
const AWAITED_MAX: usize = 256;

/// Which protocol is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    Smtp,
    Pop3,
}

/// Whose line it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Speaker {
    Client,
    Server,
}

/// One thing to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Shown {
    /// A command or reply.
    Line(Speaker, String),
    /// A line of a content.
    Content(Speaker, String),
    /// What was left out, in words.
    Omitted(Speaker, String),
    /// The content is complete: envelope lines, header lines.
    Letter { envelope: Vec<String>, header: Vec<String> },
}

/// A dialogue so far.
#[derive(Debug)]
pub(crate) struct Dialogue {
    protocol: Protocol,
    /// Lines of a content's body that are shown.
    body_lines_max: usize,
    client: Lines,
    server: Lines,
    /// Who sends a content now.
    content: Option<(Speaker, Content)>,
    envelope: Vec<String>,
    /// POP3: for each command not answered yet, whether its answer has several lines.
    awaited: VecDeque<bool>,
    /// The server challenged the client (AUTH): its next line is no command, and secret.
    response_due: bool,
    shown_lines: usize,
}

/// Octets of one side, up to the next line end. No more than a line's shown part is kept.
#[derive(Debug, Default)]
struct Lines {
    partial: Vec<u8>,
    omitted: usize,
}

impl Lines {
    /// Takes octets up to a line end; gives the line, if one is complete, and what is left.
    fn take<'a>(&mut self, octets: &'a [u8]) -> (Option<String>, &'a [u8]) {
        let (piece, rest, complete) = match octets.iter().position(|octet| *octet == b'\n') {
            Some(at) => (&octets[..at], &octets[at + 1..], true),
            None => (octets, &octets[octets.len()..], false),
        };
        let fits = LINE_OCTETS_MAX.saturating_sub(self.partial.len()).min(piece.len());
        self.partial.extend_from_slice(&piece[..fits]);
        self.omitted += piece.len() - fits;
        if !complete {
            return (None, rest);
        }
        if self.partial.last() == Some(&b'\r') {
            self.partial.pop();
        }
        let mut line = printable(&self.partial);
        if self.omitted > 1 {
            line.push_str(&format!("… ({} octets more)", self.omitted));
        }
        *self = Lines::default();
        (Some(line), rest)
    }
}

/// What a terminal can show without being told what to do.
fn printable(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets)
        .chars()
        .map(|c| if c.is_control() && c != '\t' { '�' } else { c })
        .collect()
}

/// A content on its way.
#[derive(Debug, Default)]
struct Content {
    body_lines_max: usize,
    in_body: bool,
    header_lines: Vec<String>,
    lines: usize,
    /// Lines of base64 in a row, and how many octets of them were left out.
    base64_lines: usize,
    base64_omitted_octets: usize,
    omitted_lines: usize,
}

impl Dialogue {
    pub(crate) fn new(protocol: Protocol, body_lines_max: usize) -> Self {
        Dialogue {
            protocol,
            body_lines_max,
            client: Lines::default(),
            server: Lines::default(),
            content: None,
            envelope: Vec::new(),
            awaited: VecDeque::new(),
            response_due: false,
            shown_lines: 0,
        }
    }

    /// Takes what one side said; gives what is to be shown now.
    pub(crate) fn hear(&mut self, speaker: Speaker, mut octets: &[u8]) -> Vec<Shown> {
        let mut shown = Vec::new();
        while !octets.is_empty() {
            let lines = match speaker {
                Speaker::Client => &mut self.client,
                Speaker::Server => &mut self.server,
            };
            let (line, rest) = lines.take(octets);
            octets = rest;
            if let Some(line) = line {
                self.line(speaker, line, &mut shown);
            }
        }
        self.bounded(speaker, shown)
    }

    fn line(&mut self, speaker: Speaker, line: String, shown: &mut Vec<Shown>) {
        let is_challenge = speaker == Speaker::Server && self.is_challenge(&line);
        match &mut self.content {
            Some((whose, content)) if *whose == speaker => {
                if line != "." {
                    return content.line(speaker, line, shown);
                }
                content.finish(speaker, shown);
                let header = content.summary();
                self.content = None;
                shown.push(Shown::Line(speaker, line));
                if self.protocol == Protocol::Smtp {
                    let envelope = std::mem::take(&mut self.envelope);
                    shown.push(Shown::Letter { envelope, header });
                }
            }
            _ if speaker == Speaker::Client && std::mem::take(&mut self.response_due) => {
                // RFC 4954 §4: a lone asterisk gives up.
                let line = if line == "*" { line } else { "********".to_owned() };
                shown.push(Shown::Line(speaker, line));
            }
            _ if is_challenge => {
                self.response_due = true;
                shown.push(Shown::Line(speaker, line));
            }
            _ if speaker == Speaker::Client => {
                self.command(&line);
                shown.push(Shown::Line(speaker, masked(line)));
            }
            _ => {
                self.reply(&line);
                shown.push(Shown::Line(speaker, line));
            }
        }
    }

    /// RFC 4954 §4, RFC 5034 §4.
    fn is_challenge(&self, line: &str) -> bool {
        match self.protocol {
            Protocol::Smtp => line.starts_with("334"),
            Protocol::Pop3 => line == "+" || line.starts_with("+ "),
        }
    }

    fn command(&mut self, line: &str) {
        let mut words = line.split_ascii_whitespace();
        let verb = words.next().unwrap_or_default().to_ascii_uppercase();
        match (self.protocol, verb.as_str()) {
            (Protocol::Smtp, "MAIL") => self.envelope = vec![line.to_owned()],
            (Protocol::Smtp, "RCPT") if self.envelope.len() <= RECIPIENTS_MAX => {
                self.envelope.push(line.to_owned());
            }
            (Protocol::Smtp, "RSET" | "HELO" | "EHLO") => self.envelope.clear(),
            (Protocol::Smtp, _) => {}
            (Protocol::Pop3, verb) if self.awaited.len() < AWAITED_MAX => {
                // RFC 1939 §5: LIST and UIDL have several lines only without an argument.
                let several = matches!(verb, "RETR" | "TOP" | "CAPA")
                    || matches!(verb, "LIST" | "UIDL") && words.next().is_none();
                self.awaited.push_back(several);
            }
            (Protocol::Pop3, _) => {}
        }
    }

    fn reply(&mut self, line: &str) {
        let content_from = match self.protocol {
            Protocol::Smtp => line.starts_with("354").then_some(Speaker::Client),
            Protocol::Pop3 => {
                let several = self.awaited.pop_front().unwrap_or(false);
                (several && line.starts_with("+OK")).then_some(Speaker::Server)
            }
        };
        let body_lines_max = self.body_lines_max;
        self.content =
            content_from.map(|speaker| (speaker, Content { body_lines_max, ..Content::default() }));
    }

    /// No dialogue fills the screen for ever.
    fn bounded(&mut self, speaker: Speaker, mut shown: Vec<Shown>) -> Vec<Shown> {
        let left = DIALOGUE_LINES_MAX.saturating_sub(self.shown_lines);
        self.shown_lines += shown.len();
        if shown.len() > left {
            shown.truncate(left);
            if left > 0 {
                shown.push(Shown::Omitted(speaker, "… the rest of this dialogue is not shown".into()));
            }
        }
        shown
    }
}

/// Without what nobody may see.
fn masked(line: String) -> String {
    let mut words = line.splitn(3, ' ');
    let verb = words.next().unwrap_or_default();
    match verb.to_ascii_uppercase().as_str() {
        "PASS" => format!("{verb} ********"),
        "AUTH" => format!("{verb} {} ********", words.next().unwrap_or_default()),
        _ => line,
    }
}

impl Content {
    fn line(&mut self, speaker: Speaker, line: String, shown: &mut Vec<Shown>) {
        self.lines += 1;
        if !self.in_body {
            if line.is_empty() {
                self.in_body = true;
                self.finish(speaker, shown);
                self.lines = 0;
                self.omitted_lines = 0;
            }
            return self.header_line(speaker, line, shown);
        }
        if is_base64(&line) {
            self.base64_lines += 1;
            if self.base64_lines > 1 && self.omitted_lines == 0 {
                self.base64_omitted_octets += line.len();
                return;
            }
        } else {
            self.end_base64(speaker, shown);
        }
        if self.lines > self.body_lines_max {
            self.omitted_lines += 1;
        } else {
            shown.push(Shown::Content(speaker, line));
        }
    }

    fn header_line(&mut self, speaker: Speaker, line: String, shown: &mut Vec<Shown>) {
        if self.lines > HEADER_LINES_MAX {
            self.omitted_lines += 1;
            return;
        }
        match self.header_lines.last_mut() {
            Some(field) if line.starts_with([' ', '\t']) => {
                field.push(' ');
                field.push_str(line.trim_start());
            }
            _ => self.header_lines.push(line.clone()),
        }
        shown.push(Shown::Content(speaker, line));
    }

    fn end_base64(&mut self, speaker: Speaker, shown: &mut Vec<Shown>) {
        if self.base64_omitted_octets > 0 {
            let text = format!(
                "… {} more lines of base64, {} octets",
                self.base64_lines - 1,
                self.base64_omitted_octets
            );
            shown.push(Shown::Omitted(speaker, text));
            // They don't count as lines shown.
            self.lines = self.lines.saturating_sub(self.base64_lines - 1);
        }
        self.base64_lines = 0;
        self.base64_omitted_octets = 0;
    }

    fn finish(&mut self, speaker: Speaker, shown: &mut Vec<Shown>) {
        self.end_base64(speaker, shown);
        if self.omitted_lines > 0 {
            shown.push(Shown::Omitted(speaker, format!("… {} more lines", self.omitted_lines)));
        }
    }

    /// The fields that people look at.
    fn summary(&self) -> Vec<String> {
        const FIELDS: [&str; 6] = ["from:", "to:", "cc:", "subject:", "date:", "message-id:"];
        let wanted = |field: &&String| {
            let field = field.to_ascii_lowercase();
            FIELDS.iter().any(|name| field.starts_with(name))
        };
        self.header_lines.iter().filter(wanted).cloned().collect()
    }
}

/// A full line of base64 (RFC 2045 §6.8), not a word that happens to look so.
fn is_base64(line: &str) -> bool {
    line.len() >= 60
        && line.bytes().all(|octet| octet.is_ascii_alphanumeric() || matches!(octet, b'+' | b'/' | b'='))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A dialogue as text: each line of `heard` with its speaker; compared with what is shown.
    #[track_caller]
    fn check(protocol: Protocol, heard: &str, expected: &str) {
        let mut dialogue = Dialogue::new(protocol, 40);
        let mut shown = Vec::new();
        for line in heard.lines().map(|line| line.strip_prefix("        ").unwrap_or(line)) {
            let (speaker, text) = match line.split_at_checked(3) {
                Some(("C: ", text)) => (Speaker::Client, text),
                Some(("S: ", text)) => (Speaker::Server, text),
                _ => continue,
            };
            shown.extend(dialogue.hear(speaker, format!("{text}\r\n").as_bytes()));
        }
        let text: Vec<String> = shown
            .into_iter()
            .map(|shown| match shown {
                Shown::Line(Speaker::Client, text) => format!("C: {text}"),
                Shown::Line(Speaker::Server, text) => format!("S: {text}"),
                Shown::Content(_, text) => format!("| {text}"),
                Shown::Omitted(_, text) => text,
                Shown::Letter { envelope, header } => {
                    format!("[{}] [{}]", envelope.join("; "), header.join("; "))
                }
            })
            .collect();
        let expected: Vec<&str> = expected.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        let text: Vec<&str> = text.iter().map(|line| line.trim()).collect();
        assert_eq!(text, expected, "{}", text.join("\n"));
    }

    #[test]
    fn a_letter_is_content_and_its_envelope_is_kept() {
        let base64 = "QUJD".repeat(19);
        check(
            Protocol::Smtp,
            &format!(
                "S: 220 mx
                C: MAIL FROM:<a@b>
                S: 250 ok
                C: RCPT TO:<c@d>
                S: 250 ok
                C: DATA
                S: 354 go
                C: Subject: a
                C:  b
                C: X-Other: 1
                C: 
                C: MAIL FROM:<not@a.command>
                C: {base64}
                C: {base64}
                C: {base64}
                C: QQ==
                C: .
                S: 250 taken
                C: QUIT"
            )
            .replace("                ", ""),
            &format!(
                "S: 220 mx
                C: MAIL FROM:<a@b>
                S: 250 ok
                C: RCPT TO:<c@d>
                S: 250 ok
                C: DATA
                S: 354 go
                | Subject: a
                |  b
                | X-Other: 1
                |
                | MAIL FROM:<not@a.command>
                | {base64}
                … 2 more lines of base64, 152 octets
                | QQ==
                C: .
                [MAIL FROM:<a@b>; RCPT TO:<c@d>] [Subject: a b]
                S: 250 taken
                C: QUIT"
            ),
        );
    }

    #[test]
    fn what_answers_a_challenge_is_masked() {
        check(
            Protocol::Pop3,
            "S: +OK hello
            C: AUTH SCRAM-SHA-256 c2VjcmV0
            S: + eA==
            C: c2VjcmV0
            S: + 
            C: *
            S: +OK
            C: UIDL
            S: +OK
            S: 1 abc
            S: .
            C: QUIT"
                .replace("            ", "")
                .as_str(),
            "S: +OK hello
            C: AUTH SCRAM-SHA-256 ********
            S: + eA==
            C: ********
            S: + 
            C: *
            S: +OK
            C: UIDL
            S: +OK
            | 1 abc
            S: .
            C: QUIT",
        );
    }

    #[test]
    fn passwords_are_masked_and_answers_of_several_lines_known() {
        check(
            Protocol::Pop3,
            "S: +OK hello
            C: USER bob
            S: +OK
            C: pass my secret word
            S: +OK
            C: LIST 1
            S: +OK 1 100
            C: UIDL
            S: +OK
            S: 1 abc
            S: .
            C: RETR 9
            S: -ERR no such message
            C: QUIT"
                .replace("            ", "")
                .as_str(),
            "S: +OK hello
            C: USER bob
            S: +OK
            C: pass ********
            S: +OK
            C: LIST 1
            S: +OK 1 100
            C: UIDL
            S: +OK
            | 1 abc
            S: .
            C: RETR 9
            S: -ERR no such message
            C: QUIT",
        );
    }

    #[test]
    fn what_is_long_or_strange_stays_harmless() {
        let mut dialogue = Dialogue::new(Protocol::Smtp, 40);
        let shown = dialogue.hear(Speaker::Client, &[b'x'; 100_000]);
        assert!(shown.is_empty() && dialogue.client.partial.len() <= LINE_OCTETS_MAX);
        let shown = dialogue.hear(Speaker::Client, b"\r\n\x1b[2Jboo\xff\r\n");
        let Shown::Line(_, long) = &shown[0] else { panic!("{shown:?}") };
        assert!(long.len() < 200 && long.ends_with("octets more)"), "{long}");
        assert_eq!(shown[1], Shown::Line(Speaker::Client, "�[2Jboo�".into()));
        let shown = dialogue.hear(Speaker::Client, "NOOP\r\n".repeat(1000).as_bytes());
        assert_eq!(shown.len(), DIALOGUE_LINES_MAX - 2 + 1);
        assert!(dialogue.hear(Speaker::Client, b"NOOP\r\n").is_empty());
    }

    #[test]
    fn a_long_body_is_cut() {
        let mut dialogue = Dialogue::new(Protocol::Smtp, 40);
        dialogue.hear(Speaker::Server, b"354 go\r\n");
        let body = format!("\r\n{}.\r\n", "line\r\n".repeat(100));
        let shown = dialogue.hear(Speaker::Client, body.as_bytes());
        assert!(shown.contains(&Shown::Omitted(Speaker::Client, "… 60 more lines".into())), "{shown:?}");
    }
}
