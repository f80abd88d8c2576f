//! A desk on a Posta server, over its JSON interface (`docs/api.json`): for people whose server is one.

mod http;

pub use http::{Address, BadAddress};

use crate::Outside;
use crate::desk::*;
use async_trait::async_trait;
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::{Bytes, BytesMut};
use http::{Answer, Ask, Client, encoded, file_name};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::{Method, Response, StatusCode};
use posta_wire::Secret;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// Octets of one notice.
const NOTICE_OCTETS_MAX: usize = 256 * 1024;
/// How long is waited before news are asked for again.
const AGAIN_AFTER: Duration = Duration::from_secs(5);
const JSON: &str = "application/json";

/// Somebody's desk on a server. Clones are the same.
#[derive(Clone)]
pub struct RemoteDesk {
    inner: Arc<Inner>,
}

struct Inner {
    client: Client,
    /// RFC 7617: the address and an application password.
    authorization: Secret,
}

impl RemoteDesk {
    /// The desk of this person; nothing is said to the server before something is asked.
    pub fn new(outside: Outside, address: Address, user: &str, password: &Secret) -> RemoteDesk {
        let pair = STANDARD.encode(format!("{user}:{}", password.expose()));
        let authorization = Secret::new(format!("Basic {pair}"));
        RemoteDesk { inner: Arc::new(Inner { client: Client::new(outside, address), authorization }) }
    }

    async fn exchange(
        &self,
        method: Method,
        path: String,
        media_type: Option<&str>,
        body: Bytes,
    ) -> Result<Answer, DeskError> {
        let path = format!("/api/v1{path}");
        let authorization = self.inner.authorization.expose();
        let ask = Ask { method, path, authorization, media_type, body };
        let answer = self.inner.client.ask(ask).await.map_err(DeskError::Failed)?;
        if answer.status.is_success() { Ok(answer) } else { Err(refusal(&answer)) }
    }

    async fn get<T: DeserializeOwned>(&self, path: String) -> Result<T, DeskError> {
        read(&self.exchange(Method::GET, path, None, Bytes::new()).await?)
    }

    async fn say<T: DeserializeOwned>(
        &self,
        method: Method,
        path: String,
        body: &(impl Serialize + Sync),
    ) -> Result<T, DeskError> {
        let body = serde_json::to_vec(body).map_err(|error| DeskError::Failed(error.to_string()))?;
        read(&self.exchange(method, path, Some(JSON), Bytes::from(body)).await?)
    }

    async fn put(&self, path: &str, body: &(impl Serialize + Sync)) -> Result<(), DeskError> {
        self.say::<Nothing>(Method::PUT, path.to_owned(), body).await.map(drop)
    }

    async fn delete<T: DeserializeOwned>(&self, path: String) -> Result<T, DeskError> {
        read(&self.exchange(Method::DELETE, path, None, Bytes::new()).await?)
    }

    async fn send_octets<T: DeserializeOwned>(
        &self,
        path: String,
        media_type: &str,
        octets: Bytes,
    ) -> Result<T, DeskError> {
        read(&self.exchange(Method::POST, path, Some(media_type), octets).await?)
    }

    async fn listen(&self) -> Result<Response<Incoming>, String> {
        let authorization = self.inner.authorization.expose();
        let path = "/api/v1/notices".to_owned();
        let ask = Ask { method: Method::GET, path, authorization, media_type: None, body: Bytes::new() };
        self.inner.client.stream(ask).await
    }
}

/// `{}`.
#[derive(Deserialize)]
struct Nothing {}

#[derive(Deserialize)]
struct Key<T> {
    key: T,
}

/// In JSON: `{"error": "not_found", "message": "…"}`.
#[derive(Deserialize)]
struct Refusal {
    error: String,
    message: String,
}

fn read<T: DeserializeOwned>(answer: &Answer) -> Result<T, DeskError> {
    serde_json::from_slice(&answer.body)
        .map_err(|error| DeskError::Failed(format!("the server's answer can't be understood: {error}")))
}

fn refusal(answer: &Answer) -> DeskError {
    let Ok(Refusal { error, message }) = serde_json::from_slice(&answer.body) else {
        return DeskError::Failed(format!("the server said {}", answer.status));
    };
    match (error.as_str(), answer.status) {
        ("not_found", _) => {
            DeskError::NotFound(message.trim_end_matches(" is not there (any more)").to_owned())
        }
        ("conflict", _) => DeskError::Conflict(message),
        ("forbidden", _) => DeskError::Forbidden(message),
        ("invalid", _) => DeskError::Invalid(message),
        (_, StatusCode::UNAUTHORIZED) => DeskError::Forbidden(format!(
            "the server doesn't let us in ({message}); it wants an application password, made by \
             `posta account app-password` or on the page Security"
        )),
        _ => DeskError::Failed(message),
    }
}

fn query_text(query: &ConversationQuery) -> String {
    let mut text = format!("search={}&skip={}&limit={}", encoded(&query.search), query.skip, query.limit);
    if let Some(folder) = &query.folder {
        text.push_str(&format!("&folder={}", encoded(folder.as_str())));
    }
    if let Some(cursor) = &query.cursor {
        text.push_str(&format!("&cursor={}", encoded(cursor.as_str())));
    }
    text
}

/// The name that a kind has in JSON.
fn json_name(value: impl Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

/// Hands on what comes, until nobody listens or the server ends it.
async fn pass_on(response: Response<Incoming>, sender: &mpsc::Sender<Notice>) {
    let (mut body, mut open) = (response.into_body(), BytesMut::new());
    loop {
        let frame = tokio::select! {
            frame = body.frame() => frame,
            () = sender.closed() => return,
        };
        let Some(Ok(frame)) = frame else { return };
        let Ok(data) = frame.into_data() else { continue };
        open.extend_from_slice(&data);
        while let Some(at) = memchr::memchr(b'\n', &open) {
            let line = open.split_to(at + 1);
            let Some(data) = line.strip_prefix(b"data:") else { continue };
            let Ok(notice) = serde_json::from_slice::<Notice>(data) else { continue };
            if sender.send(notice).await.is_err() {
                return;
            }
        }
        if open.len() > NOTICE_OCTETS_MAX {
            return;
        }
    }
}

#[async_trait]
impl Desk for RemoteDesk {
    async fn owner(&self) -> Result<Person, DeskError> {
        self.get("/owner".into()).await
    }

    async fn folders(&self) -> Result<Vec<FolderView>, DeskError> {
        self.get("/folders".into()).await
    }

    async fn labels(&self) -> Result<Vec<(String, u64)>, DeskError> {
        #[derive(Deserialize)]
        struct Label {
            name: String,
            messages: u64,
        }
        let labels: Vec<Label> = self.get("/labels".into()).await?;
        Ok(labels.into_iter().map(|label| (label.name, label.messages)).collect())
    }

    async fn conversations(&self, query: &ConversationQuery) -> Result<ConversationPage, DeskError> {
        self.get(format!("/conversations?{}", query_text(query))).await
    }

    async fn messages(&self, query: &ConversationQuery) -> Result<MessagePage, DeskError> {
        self.get(format!("/messages?{}", query_text(query))).await
    }

    async fn conversation(&self, key: &ConversationKey) -> Result<ConversationView, DeskError> {
        self.get(format!("/conversations/{}", encoded(key.as_str()))).await
    }

    async fn message(&self, key: &MessageKey, options: &ReadOptions) -> Result<MessageView, DeskError> {
        let images = options.remote_images;
        self.get(format!("/messages/{}?remote_images={images}", encoded(key.as_str()))).await
    }

    async fn raw(&self, key: &MessageKey) -> Result<Bytes, DeskError> {
        let path = format!("/messages/{}/raw", encoded(key.as_str()));
        Ok(self.exchange(Method::GET, path, None, Bytes::new()).await?.body)
    }

    async fn part(&self, key: &MessageKey, path: &PartPath) -> Result<PartContent, DeskError> {
        let path = format!("/messages/{}/parts/{}", encoded(key.as_str()), encoded(path.as_str()));
        let answer = self.exchange(Method::GET, path, None, Bytes::new()).await?;
        let name = answer.disposition.as_deref().and_then(file_name).unwrap_or_else(|| "attachment".into());
        let media_type = answer.media_type.unwrap_or_else(|| "application/octet-stream".into());
        Ok(PartContent { name, media_type, octets: answer.body })
    }

    async fn change(&self, change: &Change) -> Result<Done, DeskError> {
        self.say(Method::POST, "/changes".into(), change).await
    }

    async fn undo(&self, undo: &UndoKey) -> Result<Done, DeskError> {
        self.say(Method::POST, "/undo".into(), &serde_json::json!({ "undo": undo })).await
    }

    async fn create_folder(&self, name: &str) -> Result<FolderKey, DeskError> {
        let body = serde_json::json!({ "name": name });
        Ok(self.say::<Key<FolderKey>>(Method::POST, "/folders".into(), &body).await?.key)
    }

    async fn rename_folder(&self, folder: &FolderKey, name: &str) -> Result<(), DeskError> {
        let path = format!("/folders/{}", encoded(folder.as_str()));
        self.put(&path, &serde_json::json!({ "name": name })).await
    }

    async fn remove_folder(&self, folder: &FolderKey) -> Result<(), DeskError> {
        self.delete::<Nothing>(format!("/folders/{}", encoded(folder.as_str()))).await.map(drop)
    }

    /// Of the marks, only whether it is read goes along.
    async fn append(
        &self,
        folder: &FolderKey,
        marks: &MarkView,
        octets: Bytes,
    ) -> Result<MessageKey, DeskError> {
        let path = format!("/messages?folder={}&read={}", encoded(folder.as_str()), marks.is_read);
        Ok(self.send_octets::<Key<MessageKey>>(path, "message/rfc822", octets).await?.key)
    }

    async fn reply_draft(&self, key: &MessageKey, kind: ReplyKind) -> Result<Draft, DeskError> {
        self.get(format!("/messages/{}/reply?kind={}", encoded(key.as_str()), json_name(kind))).await
    }

    async fn draft(&self, key: &DraftKey) -> Result<Draft, DeskError> {
        self.get(format!("/drafts/{}", encoded(key.as_str()))).await
    }

    async fn save_draft(&self, draft: &Draft) -> Result<Saved, DeskError> {
        self.say(Method::POST, "/drafts".into(), draft).await
    }

    async fn discard_draft(&self, key: &DraftKey) -> Result<Done, DeskError> {
        self.delete(format!("/drafts/{}", encoded(key.as_str()))).await
    }

    async fn upload(&self, name: &str, media_type: &str, octets: Bytes) -> Result<UploadKey, DeskError> {
        let path = format!("/uploads?name={}", encoded(name));
        Ok(self.send_octets::<Key<UploadKey>>(path, media_type, octets).await?.key)
    }

    async fn send(&self, key: &DraftKey, options: &SendOptions) -> Result<Sent, DeskError> {
        self.say(Method::POST, format!("/drafts/{}/send", encoded(key.as_str())), options).await
    }

    async fn unsend(&self, key: &OutboxKey) -> Result<DraftKey, DeskError> {
        Ok(self.delete::<Key<DraftKey>>(format!("/outbox/{}", encoded(key.as_str()))).await?.key)
    }

    async fn outbox(&self) -> Result<Vec<OutboxEntry>, DeskError> {
        self.get("/outbox".into()).await
    }

    async fn answer_receipt(&self, key: &MessageKey, consent: bool) -> Result<(), DeskError> {
        let path = format!("/messages/{}/receipt", encoded(key.as_str()));
        let body = serde_json::json!({ "consent": consent });
        self.say::<Nothing>(Method::POST, path, &body).await.map(drop)
    }

    async fn unsubscribe(&self, key: &MessageKey) -> Result<Option<Unsubscribe>, DeskError> {
        #[derive(Deserialize)]
        struct Left {
            left: Option<Unsubscribe>,
        }
        let path = format!("/messages/{}/unsubscribe", encoded(key.as_str()));
        Ok(self.say::<Left>(Method::POST, path, &serde_json::json!({})).await?.left)
    }

    async fn complete_address(&self, typed: &str, limit: u32) -> Result<Vec<Suggestion>, DeskError> {
        self.get(format!("/addresses?typed={}&limit={limit}", encoded(typed))).await
    }

    async fn contacts(&self) -> Result<Vec<Contact>, DeskError> {
        self.get("/contacts".into()).await
    }

    async fn put_contact(&self, contact: &Contact) -> Result<ContactKey, DeskError> {
        Ok(self.say::<Key<ContactKey>>(Method::POST, "/contacts".into(), contact).await?.key)
    }

    async fn remove_contact(&self, key: &ContactKey) -> Result<(), DeskError> {
        self.delete::<Nothing>(format!("/contacts/{}", encoded(key.as_str()))).await.map(drop)
    }

    async fn export_contacts(&self) -> Result<String, DeskError> {
        let answer = self.exchange(Method::GET, "/contacts.vcf".into(), None, Bytes::new()).await?;
        String::from_utf8(answer.body.into()).map_err(|error| DeskError::Failed(error.to_string()))
    }

    async fn import_contacts(&self, vcards: &str) -> Result<u32, DeskError> {
        #[derive(Deserialize)]
        struct Imported {
            people: u32,
        }
        let octets = Bytes::copy_from_slice(vcards.as_bytes());
        Ok(self.send_octets::<Imported>("/contacts.vcf".into(), "text/vcard", octets).await?.people)
    }

    async fn settings(&self) -> Result<Settings, DeskError> {
        self.get("/settings".into()).await
    }

    async fn put_settings(&self, settings: &Settings) -> Result<(), DeskError> {
        self.put("/settings", settings).await
    }

    async fn allow_images(&self, sender: &str, allowed: bool) -> Result<(), DeskError> {
        self.put("/settings/images", &serde_json::json!({ "sender": sender, "allowed": allowed })).await
    }

    async fn identities(&self) -> Result<Vec<Identity>, DeskError> {
        self.get("/identities".into()).await
    }

    async fn put_identities(&self, identities: &[Identity]) -> Result<(), DeskError> {
        self.put("/identities", &identities).await
    }

    async fn rules(&self) -> Result<Vec<Rule>, DeskError> {
        self.get("/rules".into()).await
    }

    async fn put_rules(&self, rules: &[Rule]) -> Result<(), DeskError> {
        self.put("/rules", &rules).await
    }

    async fn vacation(&self) -> Result<Vacation, DeskError> {
        self.get("/vacation".into()).await
    }

    async fn put_vacation(&self, vacation: &Vacation) -> Result<(), DeskError> {
        self.put("/vacation", vacation).await
    }

    async fn fetch_accounts(&self) -> Result<Vec<FetchAccount>, DeskError> {
        self.get("/accounts".into()).await
    }

    async fn put_fetch_account(&self, account: &FetchAccount) -> Result<FetchKey, DeskError> {
        // The type itself never writes its password.
        let mut body = serde_json::to_value(account).map_err(|error| DeskError::Failed(error.to_string()))?;
        if let (Some(fields), Some(password)) = (body.as_object_mut(), &account.password) {
            fields.insert("password".into(), password.clone().into());
        }
        Ok(self.say::<Key<FetchKey>>(Method::POST, "/accounts".into(), &body).await?.key)
    }

    async fn remove_fetch_account(&self, key: &FetchKey) -> Result<(), DeskError> {
        self.delete::<Nothing>(format!("/accounts/{}", encoded(key.as_str()))).await.map(drop)
    }

    async fn fetch_now(&self, key: &FetchKey) -> Result<FetchOutcome, DeskError> {
        let path = format!("/accounts/{}/fetch", encoded(key.as_str()));
        self.say(Method::POST, path, &serde_json::json!({})).await
    }

    async fn notices(&self) -> Result<mpsc::Receiver<Notice>, DeskError> {
        let first = self.listen().await.map_err(DeskError::Failed)?;
        let (sender, receiver) = mpsc::channel(limits::NOTICES_WAITING_MAX);
        let desk = self.clone();
        tokio::spawn(async move {
            pass_on(first, &sender).await;
            while !sender.is_closed() {
                match desk.listen().await {
                    Ok(response) => {
                        // What happened in between was missed.
                        let _ = sender.send(Notice::Everything).await;
                        pass_on(response, &sender).await;
                    }
                    Err(error) => tracing::debug!(%error, "no news from the server"),
                }
                tokio::select! {
                    () = tokio::time::sleep(AGAIN_AFTER) => {}
                    () = sender.closed() => return,
                }
            }
        });
        Ok(receiver)
    }
}
