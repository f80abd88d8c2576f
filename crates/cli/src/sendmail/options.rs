//! The options of `sendmail` as programs have used them for forty years: single letters, joined or apart, with
//! values joined or apart.

use super::sysexits::{Exit, Failure};
use posta_wire::{EnvelopeId, Notify, ReturnedPart};
use std::path::PathBuf;

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Mode {
    /// Send what is on standard input (-bm).
    #[default]
    Send,
    /// Speak SMTP on standard input and output (-bs).
    Session,
    /// Print what waits (-bp, `mailq`).
    List,
    /// Try to send what waits (-q).
    Flush,
    /// Nothing: there is no table of aliases to be made (-bi, `newaliases`).
    Aliases,
    /// Explain.
    Help,
}

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Options {
    pub(super) mode: Mode,
    /// -f, -r
    pub(super) from: Option<String>,
    /// -F
    pub(super) full_name: Option<String>,
    /// -t
    pub(super) recipients_in_header: bool,
    /// -i, -oi: a line with a dot does not end the message.
    pub(super) ignores_dots: bool,
    /// -N
    pub(super) notify: Option<Notify>,
    /// -R
    pub(super) returned: Option<ReturnedPart>,
    /// -V
    pub(super) envelope_id: Option<EnvelopeId>,
    /// -v: what is said to the server is shown.
    pub(super) verbose: bool,
    /// -odq: into the queue, and no more now.
    pub(super) only_queue: bool,
    /// -C, --config
    pub(super) config: Option<PathBuf>,
    /// --smtp
    pub(super) smtp: Option<String>,
    /// --account
    pub(super) account: Option<String>,
    /// --queue
    pub(super) queue: Option<PathBuf>,
    /// --retry-refused, with -q: those as well that were refused for good.
    pub(super) retries_refused: bool,
    /// --discard
    pub(super) discard: Option<String>,
    pub(super) recipients: Vec<String>,
}

/// Letters that have a value: joined, or else the next argument.
const WITH_VALUE: &str = "bBCDfFhLNoOpRrVX";
/// Letters whose value, if any, is joined to them.
const WITH_JOINED_VALUE: &str = "AdeqM";
/// Letters without one.
const ALONE: &str = "EGIimnstUvwx";

impl Options {
    /// Reads arguments, the program's name not among them.
    pub(super) fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Options, Failure> {
        let mut options = Options::default();
        let mut rest = arguments.into_iter();
        while let Some(argument) = rest.next() {
            if argument == "--" {
                options.recipients.extend(rest);
                break;
            }
            if let Some(long) = argument.strip_prefix("--") {
                options.long(long, &mut rest)?;
            } else if let Some(letters) = argument.strip_prefix('-').filter(|letters| !letters.is_empty()) {
                options.letters(letters, &mut rest)?;
            } else {
                options.recipients.push(argument);
            }
        }
        Ok(options)
    }

    fn long(&mut self, text: &str, rest: &mut impl Iterator<Item = String>) -> Result<(), Failure> {
        let (name, joined) = match text.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (text, None),
        };
        let mut value =
            || joined.clone().or_else(|| rest.next()).ok_or_else(|| usage(format!("--{name} needs a value")));
        match name {
            "smtp" => self.smtp = Some(value()?),
            "account" => self.account = Some(value()?),
            "config" => self.config = Some(value()?.into()),
            "queue" => self.queue = Some(value()?.into()),
            "discard" => self.discard = Some(value()?),
            "retry-refused" => self.retries_refused = true,
            "help" => self.mode = Mode::Help,
            _ => return Err(usage(format!("there is no option --{name}"))),
        }
        Ok(())
    }

    fn letters(&mut self, letters: &str, rest: &mut impl Iterator<Item = String>) -> Result<(), Failure> {
        for (at, letter) in letters.char_indices() {
            let joined = &letters[at + letter.len_utf8()..];
            if ALONE.contains(letter) {
                self.alone(letter);
            } else if WITH_JOINED_VALUE.contains(letter) {
                return self.valued(letter, joined);
            } else if WITH_VALUE.contains(letter) {
                if !joined.is_empty() {
                    return self.valued(letter, joined);
                }
                let value = rest.next().ok_or_else(|| usage(format!("-{letter} needs a value")))?;
                return self.valued(letter, &value);
            } else {
                return Err(usage(format!("there is no option -{letter}")));
            }
        }
        Ok(())
    }

    fn alone(&mut self, letter: char) {
        match letter {
            'i' => self.ignores_dots = true,
            't' => self.recipients_in_header = true,
            'v' => self.verbose = true,
            'I' => self.mode = Mode::Aliases,
            // Of other times: no aliasing, "me too", verified, submission by a gateway, UUCP.
            _ => {}
        }
    }

    fn valued(&mut self, letter: char, value: &str) -> Result<(), Failure> {
        match letter {
            'b' => self.mode = mode(value)?,
            'f' | 'r' => self.from = Some(value.to_owned()),
            'F' => self.full_name = Some(value.to_owned()),
            'C' => self.config = Some(value.into()),
            'N' => {
                let notify = value.parse();
                self.notify = Some(notify.map_err(|_| usage("-N: never, or success, failure and delay"))?);
            }
            'R' => self.returned = Some(value.parse().map_err(|_| usage("-R: hdrs or full"))?),
            'V' => {
                let id = EnvelopeId::encode(value);
                self.envelope_id = Some(id.map_err(|_| usage("-V: an envelope id of printable letters"))?);
            }
            'q' if value.starts_with(|first: char| first.is_ascii_digit()) => {
                return Err(usage(
                    "-q with a time would be a daemon: let cron or a timer call `sendmail -q`",
                ));
            }
            'q' => self.mode = Mode::Flush,
            'o' => self.processing(value),
            'O' => match value.split_once('=') {
                Some((name, "q" | "queueonly")) if name.eq_ignore_ascii_case("DeliveryMode") => {
                    self.only_queue = true;
                }
                Some((name, _)) if name.eq_ignore_ascii_case("IgnoreDots") => self.ignores_dots = true,
                _ => {}
            },
            // -B: what the body is, we see for ourselves. The others shape a daemon, a log or hops.
            _ => {}
        }
        Ok(())
    }

    /// `-oX`: unknown ones are passed over, as everywhere.
    fn processing(&mut self, value: &str) {
        match value {
            "i" => self.ignores_dots = true,
            "dq" => self.only_queue = true,
            _ => {}
        }
    }
}

fn mode(value: &str) -> Result<Mode, Failure> {
    match value {
        "m" | "a" => Ok(Mode::Send),
        "s" => Ok(Mode::Session),
        "p" => Ok(Mode::List),
        "i" => Ok(Mode::Aliases),
        "d" | "D" => Err(usage("-bd: the server is `posta serve`")),
        _ => Err(usage(format!("-b{value} is not done here; -bm, -bs and -bp are"))),
    }
}

fn usage(words: impl std::fmt::Display) -> Failure {
    Failure::new(Exit::Usage, words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options, Failure> {
        Options::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn what_programs_say() {
        let php = parse("-t -i").unwrap();
        assert!(php.recipients_in_header && php.ignores_dots && php.recipients.is_empty());
        let mutt = parse("-oem -oi -f ada@north.example -- bob@south.example").unwrap();
        assert_eq!(
            (mutt.from.as_deref(), mutt.ignores_dots, mutt.recipients_in_header),
            (Some("ada@north.example"), true, false)
        );
        assert_eq!(mutt.recipients, ["bob@south.example"]);
        let cron = parse("-FCronDaemon -i -B8BITMIME -oem root").unwrap();
        assert_eq!(
            (cron.full_name.as_deref(), cron.recipients.as_slice()),
            (Some("CronDaemon"), &["root".to_owned()][..])
        );
        let joined = parse("-tifada@north.example").unwrap();
        assert_eq!(joined.from.as_deref(), Some("ada@north.example"));
        assert!(joined.recipients_in_header && joined.ignores_dots);
        let dsn = parse("-N success,delay -R hdrs -V id7 -O DeliveryMode=q -om x@y.example").unwrap();
        assert_eq!(dsn.notify.map(|notify| notify.to_string()).as_deref(), Some("SUCCESS,DELAY"));
        assert_eq!((dsn.returned, dsn.only_queue), (Some(ReturnedPart::Headers), true));
    }

    #[test]
    fn modes() {
        for (line, expected) in [
            ("", Some(Mode::Send)),
            ("-bm a@b.example", Some(Mode::Send)),
            ("-bs", Some(Mode::Session)),
            ("-bp", Some(Mode::List)),
            ("-q", Some(Mode::Flush)),
            ("-bi", Some(Mode::Aliases)),
            ("-I", Some(Mode::Aliases)),
            ("-q30m", None),
            ("-bd", None),
            ("-bt", None),
            ("-Y", None),
            ("-f", None),
            ("--nonsense", None),
            ("-N sometimes", None),
        ] {
            let parsed = parse(line);
            assert_eq!(parsed.as_ref().ok().map(|options| options.mode), expected, "{line}");
            assert!(parsed.is_ok() || parsed.unwrap_err().exit == Exit::Usage, "{line}");
        }
    }
}
