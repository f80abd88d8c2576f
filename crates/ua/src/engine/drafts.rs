//! Drafts: messages in Drafts, one version at a time.

use super::index::Located;
use super::room::Room;
use super::store_error;
use crate::desk::*;
use crate::desk_fields::{DRAFT_KEY, DRAFT_STATE};
use crate::reader::html::sanitise_own;
use crate::reader::{attachments, part_content};
use crate::{media_type, parse_mailbox};
use bytes::Bytes;
use posta_message::build::NamedMailbox;
use posta_message::{DateTime, HeaderName, HeaderText, MediaType, Message, MessageBuilder, MessageId, Part};
use posta_store::{Filing, Flags, FolderId, MailboxChange, QueueId};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// How long a file handed in waits for its draft, in seconds.
pub(super) const UPLOAD_SECS_MAX: u64 = 24 * 3600;
/// Octets of all files of one person that wait.
const UPLOADS_OCTETS_MAX: u64 = 4 * limits::UPLOAD_OCTETS_MAX as u64;

/// What a draft knows besides its fields.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct DraftState {
    pub(super) source: Option<DraftSource>,
    pub(super) is_html: bool,
    pub(super) wants_receipt: bool,
    /// Recipients that aren't addresses yet: then all are here.
    pub(super) unfinished: Option<[Vec<Person>; 3]>,
}

/// A file with its octets.
#[derive(Debug, Clone)]
pub(super) struct DraftFile {
    pub(super) name: String,
    pub(super) media_type: String,
    pub(super) content_id: Option<String>,
    pub(super) octets: Bytes,
}

fn invalid(words: impl Into<String>) -> DeskError {
    DeskError::Invalid(words.into())
}

/// Refuses what is beyond the limits.
fn check(draft: &Draft) -> Result<(), DeskError> {
    let recipients = draft.to.len() + draft.cc.len() + draft.bcc.len();
    if recipients > limits::DRAFT_RECIPIENTS_MAX {
        return Err(invalid(format!("at most {} recipients", limits::DRAFT_RECIPIENTS_MAX)));
    }
    let people = draft.to.iter().chain(&draft.cc).chain(&draft.bcc).chain(&draft.from);
    if people
        .map(|person| person.name.len() + person.address.len())
        .any(|octets| octets > limits::ADDRESS_TEXT_OCTETS_MAX)
    {
        return Err(invalid("an address is too long"));
    }
    if draft.subject.len() > limits::SUBJECT_OCTETS_MAX {
        return Err(invalid("the subject is too long"));
    }
    let (DraftBody::Text(text) | DraftBody::Html(text)) = &draft.body;
    if text.len() > limits::DRAFT_BODY_OCTETS_MAX {
        return Err(invalid("the text is too long"));
    }
    if draft.attachments.len() > limits::DRAFT_ATTACHMENTS_MAX {
        return Err(invalid(format!("at most {} files", limits::DRAFT_ATTACHMENTS_MAX)));
    }
    Ok(())
}

/// A typed address, if it is one.
pub(super) fn mailbox_of(person: &Person) -> Option<NamedMailbox> {
    // Somebody may type "Ada <ada@north.example>" where only the address belongs.
    let mut named = parse_mailbox(&person.address).ok()?;
    let name = HeaderText::clean(person.name.trim());
    if !name.is_empty() {
        named.name = Some(name);
    }
    Some(named)
}

impl Room {
    pub(super) async fn keep_draft(&self, draft: &Draft) -> Result<Saved, DeskError> {
        check(draft)?;
        self.fresh().await?;
        let before = match &draft.key {
            Some(key) => Some(self.draft_version(key).await?),
            None => None,
        };
        if let (Some(seen), Some(before)) = (&draft.version, &before)
            && *seen != before.row.key
        {
            return Err(DeskError::Conflict("the draft was changed elsewhere meanwhile".to_owned()));
        }
        let key = draft.key.clone().unwrap_or_else(|| DraftKey::new(self.shared.random_name()));
        let files = self.files(draft).await?;
        let octets = self.draft_octets(draft, &key, &files).await?;
        let id = self.file_draft(octets.clone()).await?;
        if let Some(before) = before {
            // From here on both are there for a moment; the index takes the later one.
            self.store().remove_messages(self.account, &[before.id]).await.map_err(store_error)?;
        }
        self.set_stale();
        self.fresh().await?;
        let version = MessageKey::new(id.to_string());
        let attachments = draft_attachments(&octets, &version);
        Ok(Saved { key, version, attachments })
    }

    pub(super) async fn draft_version(&self, key: &DraftKey) -> Result<Located, DeskError> {
        let wanted = key.as_str().to_owned();
        let found = self.ask(move |index| index.draft(&wanted)).await?;
        found.ok_or_else(|| DeskError::NotFound("the draft".to_owned()))
    }

    pub(super) async fn open_draft(&self, key: &DraftKey) -> Result<Draft, DeskError> {
        self.fresh().await?;
        let version = self.draft_version(key).await?;
        let (_, octets) = self.whole(&version.row.key).await?;
        let mut draft = draft_of(&octets, &version.row.key);
        draft.key = Some(key.clone());
        draft.version = Some(version.row.key);
        Ok(draft)
    }

    /// Into Trash; undo brings it back.
    pub(super) async fn throw_draft_away(&self, key: &DraftKey) -> Result<Done, DeskError> {
        self.fresh().await?;
        let version = self.draft_version(key).await?;
        let go = |folder| vec![MailboxChange::Move { messages: vec![version.id], folder }];
        self.perform(go(FolderId::TRASH), go(FolderId::DRAFTS), 1, "draft thrown away".to_owned()).await
    }

    /// The files of a draft, from where each is.
    pub(super) async fn files(&self, draft: &Draft) -> Result<Vec<DraftFile>, DeskError> {
        let mut files = Vec::new();
        let mut octets = 0;
        let mut last: Option<(MessageKey, Bytes)> = None;
        for attachment in &draft.attachments {
            let mut file = match &attachment.octets {
                AttachmentSource::Upload(key) => self.uploaded(key).await?,
                AttachmentSource::Part { message, path } => {
                    let whole = match &last {
                        Some((key, whole)) if key == message => whole.clone(),
                        _ => self.whole(message).await?.1,
                    };
                    last = Some((message.clone(), whole.clone()));
                    let part = part_content(&whole, path)
                        .ok_or_else(|| DeskError::NotFound("the file".to_owned()))?;
                    let media_type = declared_type(&whole, path).unwrap_or(part.media_type);
                    DraftFile { name: part.name, media_type, content_id: None, octets: part.octets }
                }
            };
            if !attachment.name.trim().is_empty() {
                file.name.clone_from(&attachment.name);
            }
            if !attachment.media_type.is_empty() {
                file.media_type.clone_from(&attachment.media_type);
            }
            file.content_id = attachment.content_id.clone().filter(|id| MessageId::parse(id).is_ok());
            octets += file.octets.len();
            if octets > limits::DRAFT_ATTACHMENTS_OCTETS_MAX {
                let megabytes = limits::DRAFT_ATTACHMENTS_OCTETS_MAX / 1024 / 1024;
                return Err(invalid(format!("the files have more than {megabytes} MB together")));
            }
            files.push(file);
        }
        Ok(files)
    }

    /// The message that a draft is kept as.
    async fn draft_octets(
        &self,
        draft: &Draft,
        key: &DraftKey,
        files: &[DraftFile],
    ) -> Result<Bytes, DeskError> {
        let from = self.author(draft).await?;
        let lists = [&draft.to, &draft.cc, &draft.bcc];
        let read = |list: &Vec<Person>| list.iter().map(mailbox_of).collect::<Option<Vec<_>>>();
        let finished: Option<Vec<Vec<NamedMailbox>>> = lists.iter().map(|list| read(list)).collect();
        let state = DraftState {
            source: draft.source.clone(),
            is_html: matches!(draft.body, DraftBody::Html(_)),
            wants_receipt: draft.wants_receipt,
            unfinished: finished.is_none().then(|| lists.map(Clone::clone)),
        };
        let json = serde_json::to_string(&state).map_err(|error| DeskError::Failed(error.to_string()))?;
        let mut builder = MessageBuilder::new(from.0, DateTime::utc(self.shared.now()));
        if let Some(lists) = finished {
            let [to, cc, bcc]: [Vec<NamedMailbox>; 3] = lists.try_into().unwrap_or_default();
            builder = to.into_iter().fold(builder, MessageBuilder::to);
            builder = cc.into_iter().fold(builder, MessageBuilder::cc);
            builder = bcc.into_iter().fold(builder, MessageBuilder::bcc);
        }
        let subject = HeaderText::clean(&draft.subject);
        if !subject.is_empty() {
            builder = builder.subject(subject);
        }
        builder = self.thread_fields(builder, draft.source.as_ref()).await?;
        builder = builder
            .field(HeaderName::of(DRAFT_KEY), HeaderText::clean(key.as_str()))
            .field(HeaderName::of(DRAFT_STATE), HeaderText::clean(&json));
        let html = match &draft.body {
            DraftBody::Html(html) => Some(clean_html(html)?),
            DraftBody::Text(_) => None,
        };
        Ok(Bytes::from(builder.body(body_part(&draft.body, html.as_deref(), files)).build().octets))
    }

    /// `In-Reply-To` and `References` of an answer (RFC 5322 §3.6.4).
    pub(super) async fn thread_fields<'a>(
        &self,
        builder: MessageBuilder<'a>,
        source: Option<&DraftSource>,
    ) -> Result<MessageBuilder<'a>, DeskError> {
        let is_answer = |source: &&DraftSource| {
            matches!(source.kind, ReplyKind::Reply | ReplyKind::ReplyAll | ReplyKind::ReplyList)
        };
        let Some(source) = source.filter(is_answer) else { return Ok(builder) };
        // What is answered may have been deleted meanwhile.
        let Ok((_, octets)) = self.whole(&source.message).await else { return Ok(builder) };
        let message = Message::parse(&octets);
        let root = message.root();
        let Some(id) = root.message_id().and_then(|id| MessageId::parse(&id).ok()) else {
            return Ok(builder);
        };
        let mut references = root.references();
        if references.is_empty() {
            references = root.in_reply_to().into_iter().take(1).collect();
        }
        let mut chain: Vec<MessageId> =
            references.iter().filter_map(|id| MessageId::parse(id).ok()).collect();
        chain.retain(|known| *known != id);
        // The first names the thread; of a long chain the middle may go.
        if chain.len() > 40 {
            chain.drain(1..chain.len() - 39);
        }
        chain.push(id.clone());
        Ok(builder.in_reply_to(id).references(chain))
    }

    /// Who writes: an identity, which must be the person's own.
    pub(super) async fn author(&self, draft: &Draft) -> Result<(NamedMailbox, Identity), DeskError> {
        let identities = self.all_identities().await?;
        let of_address = |person: &Person| {
            identities
                .iter()
                .find(|identity| identity.person.address.eq_ignore_ascii_case(&person.address))
                .cloned()
        };
        let identity = match &draft.from {
            Some(person) => match of_address(person) {
                Some(identity) => identity,
                None => {
                    let named = mailbox_of(person)
                        .ok_or_else(|| invalid(format!("{} is no address", person.address)))?;
                    if !self.may_write_as(&named.mailbox).await? {
                        return Err(DeskError::Forbidden(format!(
                            "{} is not an address of yours",
                            named.mailbox
                        )));
                    }
                    Identity { person: person.clone(), ..Identity::default() }
                }
            },
            None => identities
                .iter()
                .find(|identity| identity.is_default)
                .or(identities.first())
                .cloned()
                .unwrap_or_default(),
        };
        let named = mailbox_of(&identity.person)
            .ok_or_else(|| invalid(format!("{} is no address", identity.person.address)))?;
        Ok((named, identity))
    }

    fn upload_folder(&self) -> PathBuf {
        self.shared.parts.folder.join(format!("{}.uploads", self.account.0))
    }

    pub(super) async fn keep_upload(
        &self,
        name: &str,
        media_type: &str,
        octets: Bytes,
    ) -> Result<UploadKey, DeskError> {
        if octets.len() > limits::UPLOAD_OCTETS_MAX {
            return Err(invalid(format!("at most {} MB", limits::UPLOAD_OCTETS_MAX / 1024 / 1024)));
        }
        let key = self.shared.random_name();
        let (folder, name) = (self.upload_folder(), crate::reader::html::cut(name, 1000).to_owned());
        let guessed = media_type::guess(&name, &octets).essence().to_owned();
        let media_type = MediaType::parse(media_type).map_or(guessed, |known| known.essence().to_owned());
        let path = folder.join(&key);
        let written = tokio::task::spawn_blocking(move || -> std::io::Result<bool> {
            std::fs::create_dir_all(&folder)?;
            let waiting: u64 = std::fs::read_dir(&folder)?
                .filter_map(|entry| entry.ok()?.metadata().ok())
                .map(|data| data.len())
                .sum();
            if waiting + octets.len() as u64 > UPLOADS_OCTETS_MAX {
                return Ok(false);
            }
            let head = serde_json::to_vec(&(name, media_type))?;
            let mut file = (head.len() as u32).to_le_bytes().to_vec();
            file.extend_from_slice(&head);
            file.extend_from_slice(&octets);
            std::fs::write(path, file).map(|()| true)
        });
        match written.await.map_err(|error| DeskError::Failed(error.to_string()))? {
            Ok(true) => Ok(UploadKey::new(key)),
            Ok(false) => Err(invalid("too many files are waiting for their drafts")),
            Err(error) => Err(DeskError::Failed(error.to_string())),
        }
    }

    async fn uploaded(&self, key: &UploadKey) -> Result<DraftFile, DeskError> {
        let missing = || DeskError::NotFound("the file (they are kept for a day)".to_owned());
        if key.as_str().len() != 32 || !key.as_str().bytes().all(|octet| octet.is_ascii_hexdigit()) {
            return Err(missing());
        }
        let path = self.upload_folder().join(key.as_str());
        let read = tokio::task::spawn_blocking(move || std::fs::read(path)).await;
        let file = read.ok().and_then(Result::ok).map(Bytes::from).ok_or_else(missing)?;
        let head = file
            .get(..4)
            .and_then(|octets| octets.try_into().ok())
            .map(u32::from_le_bytes)
            .ok_or_else(missing)? as usize;
        let (name, media_type) =
            file.get(4..4 + head).and_then(|head| serde_json::from_slice(head).ok()).ok_or_else(missing)?;
        Ok(DraftFile { name, media_type, content_id: None, octets: file.slice(4 + head..) })
    }

    /// Throws away files that no draft took in time.
    pub(super) async fn forget_uploads(&self) {
        let folder = self.upload_folder();
        let swept = tokio::task::spawn_blocking(move || {
            let Ok(entries) = std::fs::read_dir(&folder) else { return };
            for entry in entries.flatten() {
                let age =
                    entry.metadata().and_then(|data| data.modified()).ok().and_then(|at| at.elapsed().ok());
                if age.is_some_and(|age| age.as_secs() > UPLOAD_SECS_MAX) {
                    // Another try comes with the next tick.
                    let _ = std::fs::remove_file(entry.path());
                }
            }
        });
        let _ = swept.await;
    }

    /// Puts a message that was sent back as a draft.
    pub(super) async fn restore_draft(
        &self,
        sent: &MessageKey,
        key: &DraftKey,
        state: &DraftState,
    ) -> Result<DraftKey, DeskError> {
        let (_, octets) = self.whole(sent).await?;
        let mut draft = draft_of(&octets, sent);
        draft.source = state.source.clone();
        draft.wants_receipt = state.wants_receipt;
        if !state.is_html
            && let DraftBody::Html(_) = draft.body
        {
            draft.body = DraftBody::Text(Message::parse(&octets).readable_text().replace("\r\n", "\n"));
        }
        let files = self.files(&draft).await?;
        let octets = self.draft_octets(&draft, key, &files).await?;
        self.file_draft(octets).await?;
        let id: QueueId = sent.as_str().parse().map_err(|_| DeskError::NotFound("the message".to_owned()))?;
        self.store().remove_messages(self.account, &[id]).await.map_err(store_error)?;
        self.set_stale();
        self.fresh().await?;
        Ok(key.clone())
    }

    async fn file_draft(&self, octets: Bytes) -> Result<QueueId, DeskError> {
        let filing = Filing {
            account: self.account,
            folder: FolderId::DRAFTS,
            flags: Flags::DRAFT | Flags::SEEN,
            labels: Vec::new(),
            received_at: self.shared.now(),
        };
        self.store().append(filing, octets).await.map_err(store_error)
    }
}

/// The media type as declared: a draft keeps what its author chose.
fn declared_type(octets: &Bytes, path: &PartPath) -> Option<String> {
    let message = Message::parse(octets);
    let found = attachments(&message, &|_| false);
    found.into_iter().find(|part| part.path == *path).map(|part| part.media_type)
}

pub(super) fn clean_html(html: &str) -> Result<String, DeskError> {
    sanitise_own(html).ok_or_else(|| invalid("the text is too large or nested too deeply"))
}

/// The body: text, or text and HTML, with the files.
pub(super) fn body_part<'a>(body: &'a DraftBody, html: Option<&'a str>, files: &'a [DraftFile]) -> Part<'a> {
    let (inline, attached): (Vec<&DraftFile>, Vec<&DraftFile>) = files.iter().partition(|file| {
        file.content_id
            .as_deref()
            .is_some_and(|id| html.is_some_and(|html| html.contains(&format!("cid:{id}"))))
    });
    let words = match (body, html) {
        (DraftBody::Text(text), _) => Part::text(text.as_str()),
        (DraftBody::Html(_), html) => {
            let html = html.unwrap_or_default();
            let mut rich = Part::html(html);
            if !inline.is_empty() {
                let mut parts = vec![rich];
                parts.extend(inline.iter().map(|file| file_part(file)));
                rich = Part::related(parts);
            }
            Part::alternative(vec![Part::text(plain_of(html)), rich])
        }
    };
    if attached.is_empty() {
        return words;
    }
    let mut parts = vec![words];
    parts.extend(attached.into_iter().map(file_part));
    Part::mixed(parts)
}

/// HTML as plain text.
pub(super) fn plain_of(html: &str) -> String {
    let source = format!("Content-Type: text/html; charset=utf-8\r\n\r\n{html}");
    Message::parse(source.as_bytes()).readable_text()
}

fn file_part(file: &DraftFile) -> Part<'_> {
    let name = HeaderText::clean(&file.name);
    let id = file.content_id.as_deref().and_then(|id| MessageId::parse(id).ok());
    if file.media_type == "message/rfc822" && id.is_none() {
        return Part::message(file.octets.as_ref()).with_file_name(name);
    }
    let media_type = MediaType::parse(&file.media_type)
        .ok()
        .filter(|known| !matches!(known.kind(), "multipart" | "message"));
    let mut media_type = media_type.unwrap_or_else(MediaType::octet_stream);
    if media_type.kind() == "text" {
        let charset = if file.octets.is_ascii() {
            Some("us-ascii")
        } else {
            std::str::from_utf8(&file.octets).ok().map(|_| "utf-8")
        };
        media_type = match charset
            .and_then(|charset| media_type.with_parameter("charset", HeaderText::clean(charset)).ok())
        {
            Some(labelled) => labelled,
            None => MediaType::octet_stream(),
        };
    }
    match id {
        Some(id) => Part::inline(id, media_type, file.octets.as_ref()).with_file_name(name),
        None => Part::attachment(name, media_type, file.octets.as_ref()),
    }
}

/// A message read as a draft.
pub(super) fn draft_of(octets: &Bytes, key: &MessageKey) -> Draft {
    let message = Message::parse(octets);
    let root = message.root();
    let state = root.text_field(DRAFT_STATE).and_then(|json| serde_json::from_str::<DraftState>(&json).ok());
    let state =
        state.unwrap_or_else(|| DraftState { is_html: root.html_text().is_some(), ..DraftState::default() });
    let [to, cc, bcc] =
        state.unfinished.unwrap_or_else(|| [&root.to(), &root.cc(), &root.bcc()].map(crate::reader::people));
    let text = || message.readable_text().replace("\r\n", "\n");
    let body = match root.html_text().filter(|_| state.is_html) {
        Some(html) => sanitise_own(&html).map_or_else(|| DraftBody::Text(text()), DraftBody::Html),
        None => DraftBody::Text(text().strip_suffix('\n').map_or_else(text, str::to_owned)),
    };
    Draft {
        key: None,
        version: None,
        from: crate::reader::people(&root.from()).into_iter().next(),
        to,
        cc,
        bcc,
        subject: root.subject().map(|subject| subject.into_owned()).unwrap_or_default(),
        body,
        attachments: draft_attachments(octets, key),
        source: state.source,
        wants_receipt: state.wants_receipt || root.field("Disposition-Notification-To").is_some(),
    }
}

/// The files of a draft, as parts of that version.
pub(super) fn draft_attachments(octets: &Bytes, version: &MessageKey) -> Vec<DraftAttachment> {
    let message = Message::parse(octets);
    let ids = crate::reader::content_ids(&message);
    let found = attachments(&message, &|_| false).into_iter().map(|part| DraftAttachment {
        content_id: ids.iter().find(|(_, path)| path == part.path.as_str()).map(|(id, _)| id.clone()),
        octets: AttachmentSource::Part { message: version.clone(), path: part.path },
        name: part.name,
        media_type: part.media_type,
        size_octets: part.size_octets,
    });
    found.collect()
}
