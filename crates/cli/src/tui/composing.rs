//! After the editor: to send, to go on, to keep for later; and the files of messages.

use super::answer::expanded;
use super::app::{App, Back, Over, Question, Step};
use super::prompt::{Field, Prompt, Wanted};
use super::{letter, when};
use posta_ua::desk::{
    AttachmentSource, DeskError, DraftAttachment, DraftBody, SendOptions, limits::UPLOAD_OCTETS_MAX,
};
use posta_ua::media_type;
use std::fs::OpenOptions;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

/// Numbers that are tried for a file whose name is taken.
const NAMES_MAX: u32 = 100;

impl App {
    /// What the editor gave back; `None` if it failed. The draft is saved at once, so that nothing is lost.
    pub(super) async fn edited(&mut self, text: Option<String>) {
        let Over::Composing(composing) = &mut self.over else { return };
        let Some(text) = text else {
            self.say("The editor failed; nothing was taken over (set VISUAL or EDITOR)");
            return;
        };
        let unknown = letter::take_text(&mut composing.draft, &text);
        composing.note = (!unknown.is_empty()).then(|| format!("left out: {}", unknown.join(", ")));
        let saved = self.save_draft().await;
        self.say_failure(saved);
    }

    pub(super) async fn save_draft(&mut self) -> Result<(), DeskError> {
        let Over::Composing(composing) = &mut self.over else { return Ok(()) };
        let saved = self.desk.save_draft(&composing.draft).await?;
        composing.draft.key = Some(saved.key);
        composing.draft.version = Some(saved.version);
        composing.draft.attachments = saved.attachments;
        Ok(())
    }

    pub(super) async fn key_in_composing(&mut self, name: &str) -> Result<Step, DeskError> {
        let Over::Composing(composing) = &mut self.over else { return Ok(Step::Stay) };
        let draft = &mut composing.draft;
        let field = |field, text: &str| Some(Prompt::new(Wanted::Field(field), text));
        match name {
            "y" => {
                if draft.attachments.is_empty() && letter::speaks_of_attachment(draft) {
                    self.question = Some(Question::SendWithoutAttachment);
                } else {
                    self.send(SendOptions::default()).await?;
                }
            }
            "Y" => self.ask(Wanted::SendAt),
            "e" | "Enter" => {
                let text = letter::to_text(draft);
                return Ok(Step::Edit(text));
            }
            "t" => self.prompt = field(Field::To, &letter::people(&draft.to)),
            "c" => self.prompt = field(Field::Cc, &letter::people(&draft.cc)),
            "b" => self.prompt = field(Field::Bcc, &letter::people(&draft.bcc)),
            "s" => self.prompt = field(Field::Subject, &draft.subject),
            "a" => self.ask(Wanted::Attach),
            "D" => {
                if draft.attachments.pop().is_none() {
                    self.say("There is no attachment");
                }
                self.save_draft().await?;
            }
            "R" => {
                draft.wants_receipt = !draft.wants_receipt;
                self.save_draft().await?;
            }
            "P" => {
                self.save_draft().await?;
                self.over = Over::Nothing;
                self.say("Kept in Drafts · e goes on with it there");
                self.refresh().await?;
            }
            "q" | "Esc" | "d" => self.question = Some(Question::DiscardDraft),
            _ => self.say("y sends · e edits · P keeps it as a draft · q discards"),
        }
        Ok(Step::Stay)
    }

    pub(super) async fn send(&mut self, options: SendOptions) -> Result<(), DeskError> {
        self.save_draft().await?;
        let Over::Composing(composing) = &self.over else { return Ok(()) };
        let Some(key) = composing.draft.key.clone() else { return Ok(()) };
        let sent = self.desk.send(&key, &options).await?;
        self.over = Over::Nothing;
        let wait = sent.release_at.as_second() - self.now().timestamp().as_second();
        self.say(match (options.at, wait) {
            (Some(at), _) => format!("It leaves {} · u takes it back", when::full(at, &self.zone)),
            (None, 1..) => format!("Sent in {wait} seconds · u takes it back"),
            _ => "Sent".to_owned(),
        });
        self.remember(Back::Unsend(sent.outbox));
        self.refresh().await
    }

    pub(super) async fn attach(&mut self, path: &str) -> Result<(), DeskError> {
        let path = expanded(path);
        let octets = match read_file(&path) {
            Ok(octets) => octets,
            Err(error) => {
                self.say(format!("{}: {error}", path.display()));
                return Ok(());
            }
        };
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let media_type = media_type::guess(&name, &octets).essence().to_owned();
        let size_octets = octets.len() as u64;
        let key = self.desk.upload(&name, &media_type, octets.into()).await?;
        let Over::Composing(composing) = &mut self.over else { return Ok(()) };
        let octets = AttachmentSource::Upload(key);
        let attachment = DraftAttachment { octets, name, media_type, size_octets, content_id: None };
        composing.draft.attachments.push(attachment);
        self.save_draft().await
    }

    pub(super) async fn key_in_attachments(&mut self, name: &str) -> Result<Step, DeskError> {
        let count = self
            .reading
            .as_ref()
            .and_then(|reading| reading.focused_view())
            .map_or(0, |view| view.attachments.len());
        let Over::Attachments { selected } = &mut self.over else { return Ok(Step::Stay) };
        let at = *selected;
        match name {
            "j" | "Down" => *selected = (at + 1).min(count.saturating_sub(1)),
            "k" | "Up" => *selected = at.saturating_sub(1),
            "s" => {
                if let Some((_, name, _)) = self.attachment(at) {
                    let path = self.downloads.join(name);
                    self.prompt = Some(Prompt::new(Wanted::SaveAs(at), &path.display().to_string()));
                }
            }
            "Enter" | "o" => {
                if self.attachment(at).is_some_and(|(_, _, is_risky)| is_risky) {
                    self.question = Some(Question::OpenProgram(at));
                    return Ok(Step::Stay);
                }
                return self.open_attachment(at).await;
            }
            "A" => {
                for at in 0..count {
                    if let Some((_, name, _)) = self.attachment(at) {
                        let path = self.downloads.join(name);
                        self.save_attachment(at, &path).await?;
                    }
                }
                self.say(format!("{count} saved in {}", self.downloads.display()));
            }
            _ => self.over = Over::Nothing,
        }
        Ok(Step::Stay)
    }

    async fn part(&self, at: usize) -> Result<Option<posta_ua::desk::PartContent>, DeskError> {
        let Some((path, _, _)) = self.attachment(at) else { return Ok(None) };
        let Some(key) = self.reading.as_ref().and_then(|reading| reading.focused_key()) else {
            return Ok(None);
        };
        self.desk.part(&key, &path).await.map(Some)
    }

    pub(super) async fn save_attachment(&mut self, at: usize, path: &Path) -> Result<(), DeskError> {
        let Some(part) = self.part(at).await? else { return Ok(()) };
        match write_new(path, &part.octets) {
            Ok(path) => self.say(format!("Saved as {}", path.display())),
            Err(error) => self.say(format!("{}: {error}", path.display())),
        }
        Ok(())
    }

    /// Into a file of its own that nobody else can read, and open that.
    pub(super) async fn open_attachment(&mut self, at: usize) -> Result<Step, DeskError> {
        let Some(part) = self.part(at).await? else { return Ok(Step::Stay) };
        let written = tempfile::Builder::new()
            .prefix("posta-")
            .tempdir()
            .map(|folder| folder.keep())
            .and_then(|folder| write_new(&folder.join(&part.name), &part.octets));
        match written {
            Ok(path) => Ok(Step::Open(path)),
            Err(error) => {
                self.say(format!("It could not be opened: {error}"));
                Ok(Step::Stay)
            }
        }
    }

    /// A draft that came as rich text goes on as plain text: an editor has no other.
    pub(super) fn plain(body: &DraftBody, blocks: &[posta_ua::desk::TextBlock]) -> DraftBody {
        match body {
            DraftBody::Text(text) => DraftBody::Text(text.clone()),
            DraftBody::Html(_) => {
                let quoted = blocks.iter().map(|block| {
                    let mark = ">".repeat(block.depth as usize);
                    let mark = if mark.is_empty() { mark } else { format!("{mark} ") };
                    block.text.lines().map(|line| format!("{mark}{line}\n")).collect::<String>()
                });
                DraftBody::Text(quoted.collect())
            }
        }
    }
}

fn read_file(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut octets = Vec::new();
    std::fs::File::open(path)?.take(UPLOAD_OCTETS_MAX as u64 + 1).read_to_end(&mut octets)?;
    Ok(octets)
}

/// Writes a file under a name that nothing had: `name (2).txt` where it is taken.
fn write_new(path: &Path, octets: &[u8]) -> std::io::Result<PathBuf> {
    for number in 1..=NAMES_MAX {
        let path = numbered(path, number);
        match OpenOptions::new().write(true).create_new(true).open(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
            Ok(mut file) => {
                file.write_all(octets)?;
                file.sync_all()?;
                return Ok(path);
            }
        }
    }
    Err(std::io::Error::from(std::io::ErrorKind::AlreadyExists))
}

fn numbered(path: &Path, number: u32) -> PathBuf {
    if number == 1 {
        return path.to_owned();
    }
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let extension = path.extension().map(|extension| format!(".{}", extension.to_string_lossy()));
    path.with_file_name(format!("{stem} ({number}){}", extension.unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("letter.txt");
        for expected in ["letter.txt", "letter (2).txt", "letter (3).txt"] {
            let written = write_new(&path, expected.as_bytes()).unwrap();
            assert_eq!(written, folder.path().join(expected));
            assert_eq!(std::fs::read_to_string(written).unwrap(), expected);
        }
    }
}
