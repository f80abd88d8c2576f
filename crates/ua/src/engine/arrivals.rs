//! New mail: muted conversations, rules, the answer while away; then whoever is there is told.

use super::documents::{self, RULES, TREATED, VACATION};
use super::room::Room;
use super::store_error;
use crate::desk::*;
use crate::reader::{Gist, gist};
use bytes::Bytes;
use posta_address::{Mailbox, ReversePath};
use posta_message::{Message, header};
use posta_store::{Flags, FolderId, MailboxChange, MaildropMessage, QueueId};

/// Octets of a message that rules look at.
const LOOKED_AT_OCTETS_MAX: u64 = 1024 * 1024;
/// Octets of a message that a rule forwards.
const FORWARDED_OCTETS_MAX: u64 = 64 * 1024 * 1024;
/// `Delivered-To:` fields and hops beyond which nothing is forwarded any more.
const HOPS_MAX: usize = 30;

/// What rules found to do with a message.
#[derive(Debug, Default, PartialEq, Eq)]
struct Verdict {
    folder: Option<FolderId>,
    labels: Vec<String>,
    read: bool,
    flag: bool,
    forward: Vec<String>,
    discard: bool,
}

impl Room {
    /// Whether new mail here needs somebody though nobody looks: rules, absence, muted conversations.
    pub(super) async fn has_automation(&self) -> bool {
        let rules: Vec<Rule> = self.document(RULES).await.unwrap_or_default();
        let vacation: Vacation = self.document(VACATION).await.unwrap_or_default();
        vacation.enabled || rules.iter().any(|rule| rule.enabled)
    }

    /// Up to which change new mail went through the rules, where the index was made anew; none if that is not known.
    pub(super) async fn treated_until(&self) -> Result<Option<u64>, DeskError> {
        self.document_if_any(TREATED).await
    }

    /// What is there now is not new to rules that are made now.
    pub(super) async fn treated_now(&self) -> Result<MailboxChange, DeskError> {
        self.fresh().await?;
        let mark = self.ask(|index| index.mark()).await?;
        documents::put(TREATED, &mark)
    }

    /// Takes new mail through the rules. Whether anything was changed by that.
    pub(super) async fn treat_arrivals(&self) -> Result<bool, DeskError> {
        let arrivals = self.ask(|index| index.arrivals()).await?;
        if arrivals.is_empty() {
            return Ok(false);
        }
        let rules: Vec<Rule> = self.document(RULES).await?;
        let vacation: Vacation = self.document(VACATION).await?;
        let mut changes = Vec::new();
        let mut told = Vec::new();
        for id in &arrivals {
            let Some(message) = self.store().message(self.account, *id).await.map_err(store_error)? else {
                continue;
            };
            let is_quiet = self.treat(&message, &rules, &vacation, &mut changes).await?;
            if !is_quiet {
                told.push(*id);
            }
        }
        let has_changes = !changes.is_empty();
        if has_changes || rules.iter().any(|rule| rule.enabled) || vacation.enabled {
            let mark = self.ask(|index| index.mark()).await?;
            changes.push(documents::put(TREATED, &mark)?);
            self.store().change_mailbox(self.account, changes).await.map_err(store_error)?;
        }
        let done = arrivals.clone();
        self.ask(move |index| index.treated(&done)).await?;
        self.tell_new_mail(told).await?;
        Ok(has_changes)
    }

    /// One message; whether nobody need be told of it.
    async fn treat(
        &self,
        message: &MaildropMessage,
        rules: &[Rule],
        vacation: &Vacation,
        changes: &mut Vec<MailboxChange>,
    ) -> Result<bool, DeskError> {
        let id = message.content.id;
        let muted = self.ask(move |index| match index.message(id)? {
            Some(found) => {
                let (members, _) = index.thread_messages(found.thread, limits::CONVERSATION_MESSAGES_MAX)?;
                Ok(members.iter().any(|member| member.flags & 32 != 0))
            }
            None => Ok(false),
        });
        if muted.await? {
            changes.push(MailboxChange::Move { messages: vec![id], folder: FolderId::ARCHIVE });
            changes.push(MailboxChange::Flag { messages: vec![id], add: Flags::MUTED, remove: Flags::NONE });
            return Ok(true);
        }
        if !rules.iter().any(|rule| rule.enabled) && !vacation.enabled {
            return Ok(false);
        }
        let Some(octets) = self.read(message, LOOKED_AT_OCTETS_MAX).await? else { return Ok(true) };
        let found = gist(&octets);
        let verdict = judge(rules, &found);
        for address in &verdict.forward {
            // A forward that fails must not hold up the mail; the message itself stays where it is.
            if let Err(error) = self.forward(message, &octets, address).await {
                tracing::warn!(account = self.account.0, %error, "a rule could not forward a message");
            }
        }
        if vacation.enabled
            && !verdict.discard
            && let Err(error) = self.answer_while_away(message, &octets, &found, vacation).await
        {
            tracing::warn!(account = self.account.0, %error, "the answer while away could not be given");
        }
        let is_quiet =
            verdict.discard || verdict.read || verdict.folder.is_some_and(|folder| folder != FolderId::INBOX);
        changes.extend(verdict.changes(id));
        Ok(is_quiet)
    }

    /// The message as it came, to somebody else; never to oneself, never in a circle, never with failures to its author.
    async fn forward(
        &self,
        message: &MaildropMessage,
        beginning: &Bytes,
        address: &str,
    ) -> Result<(), DeskError> {
        let to =
            Mailbox::parse(address).map_err(|error| DeskError::Invalid(format!("{address}: {error}")))?;
        let (section, _) = header::split(beginning);
        let own = self.address.to_string();
        let been_here = header::all(section, "X-Posta-Forwarded-For")
            .any(|value| String::from_utf8_lossy(value).trim().eq_ignore_ascii_case(&own));
        if to == self.address || been_here || header::all(section, "Received").count() > HOPS_MAX {
            return Ok(());
        }
        let Some(octets) = self.read(message, FORWARDED_OCTETS_MAX).await? else { return Ok(()) };
        let mut content = format!("X-Posta-Forwarded-For: {own}\r\n").into_bytes();
        content.extend_from_slice(&octets);
        // A report on a report would go to nobody anyway.
        let from = if message.prefix.starts_with(b"Return-Path: <>") {
            ReversePath::Null
        } else {
            ReversePath::Mailbox(self.address.clone())
        };
        let is_utf8 = !section.is_ascii();
        let built = posta_message::BuiltMessage {
            octets: content,
            needs_8bitmime: !octets.is_ascii(),
            needs_smtputf8: is_utf8,
        };
        self.submit_now(from, vec![to], &built).await
    }

    async fn tell_new_mail(&self, ids: Vec<QueueId>) -> Result<(), DeskError> {
        let found =
            self.ask(move |index| ids.into_iter().map(|id| index.message(id)).collect::<Result<Vec<_>, _>>());
        for message in found.await?.into_iter().flatten() {
            self.tell(&Notice::NewMail {
                message: message.row.key,
                conversation: message.row.conversation,
                from: message.row.from,
                subject: message.row.subject,
                snippet: message.row.snippet,
            });
        }
        Ok(())
    }
}

/// Asks all rules, in order. Pure.
fn judge(rules: &[Rule], found: &Gist) -> Verdict {
    let mut verdict = Verdict::default();
    for rule in rules.iter().filter(|rule| rule.enabled && !rule.conditions.is_empty()) {
        let holds = |condition: &RuleCondition| condition_holds(condition, found);
        let applies =
            if rule.any { rule.conditions.iter().any(holds) } else { rule.conditions.iter().all(holds) };
        if !applies {
            continue;
        }
        for action in &rule.actions {
            match action {
                RuleAction::Move { folder } => verdict.folder = folder.id().or(verdict.folder),
                RuleAction::Label { label } => verdict.labels.push(label.clone()),
                RuleAction::MarkRead => verdict.read = true,
                RuleAction::Flag => verdict.flag = true,
                RuleAction::Forward { address } if !verdict.forward.contains(address) => {
                    verdict.forward.push(address.clone())
                }
                RuleAction::Forward { .. } => {}
                RuleAction::Discard => verdict.discard = true,
            }
        }
        if rule.stop {
            break;
        }
    }
    verdict
}

fn condition_holds(condition: &RuleCondition, found: &Gist) -> bool {
    let value = condition.value.trim().to_lowercase();
    if value.is_empty() {
        return false;
    }
    let people = |list: &mut dyn Iterator<Item = &Person>| {
        list.flat_map(|person| [person.address.to_lowercase(), person.name.to_lowercase()])
            .collect::<Vec<_>>()
    };
    let texts = match condition.field {
        RuleField::From => people(&mut found.authors.iter()),
        RuleField::To => people(&mut found.to.iter().chain(&found.cc)),
        RuleField::Subject => vec![found.subject.to_lowercase()],
        RuleField::List => vec![found.list.to_lowercase()],
        RuleField::Body => vec![found.text.to_lowercase()],
    };
    match condition.test {
        RuleTest::Contains => texts.iter().any(|text| text.contains(&value)),
        RuleTest::ContainsNot => !texts.iter().any(|text| text.contains(&value)),
        RuleTest::Is => texts.contains(&value),
    }
}

impl Verdict {
    fn changes(&self, id: QueueId) -> Vec<MailboxChange> {
        let mut changes = Vec::new();
        let folder = if self.discard { Some(FolderId::TRASH) } else { self.folder };
        if let Some(folder) = folder.filter(|folder| *folder != FolderId::INBOX) {
            changes.push(MailboxChange::Move { messages: vec![id], folder });
        }
        let mut add = Flags::NONE;
        if self.read || self.discard {
            add |= Flags::SEEN;
        }
        if self.flag {
            add |= Flags::FLAGGED;
        }
        if !add.is_empty() {
            changes.push(MailboxChange::Flag { messages: vec![id], add, remove: Flags::NONE });
        }
        let labels: Vec<_> = self.labels.iter().filter_map(|label| label.parse().ok()).collect();
        if !labels.is_empty() {
            changes.push(MailboxChange::Label { messages: vec![id], add: labels, remove: Vec::new() });
        }
        changes
    }
}

/// Whether the header says that no person wrote it, or that it came by a list (RFC 3834 §2, RFC 5230 §4.6).
pub(super) fn is_automatic(octets: &[u8]) -> bool {
    let message = Message::parse(octets);
    let root = message.root();
    let text = |name: &str| root.text_field(name).map(|text| text.trim().to_ascii_lowercase());
    let has = |name: &str| root.field(name).is_some();
    text("Auto-Submitted").is_some_and(|value| !value.starts_with("no"))
        || text("Precedence").is_some_and(|value| matches!(&*value, "bulk" | "list" | "junk"))
        || text("X-Auto-Response-Suppress").is_some_and(|value| {
            value.contains("all") || value.contains("oof") || value.contains("autoreply")
        })
        || [
            "List-Id",
            "List-Help",
            "List-Subscribe",
            "List-Unsubscribe",
            "List-Post",
            "List-Owner",
            "List-Archive",
            "Feedback-ID",
        ]
        .iter()
        .any(|name| has(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(
        conditions: &[(RuleField, RuleTest, &str)],
        any: bool,
        actions: Vec<RuleAction>,
        stop: bool,
    ) -> Rule {
        let conditions = conditions.iter().map(|(field, test, value)| RuleCondition {
            field: *field,
            test: *test,
            value: (*value).into(),
        });
        Rule { name: "r".into(), enabled: true, any, conditions: conditions.collect(), actions, stop }
    }

    #[test]
    fn rules_are_asked_in_order() {
        let found = gist(b"From: Ada <ada@north.example>\r\nTo: team@south.example\r\nSubject: Tea plans\r\nList-Id: <tea.north.example>\r\n\r\nCake!\r\n");
        use {RuleField::*, RuleTest::*};
        let label = |label: &str| vec![RuleAction::Label { label: label.into() }];
        let rules = [
            rule(&[(From, Is, "ADA@north.example"), (Subject, Contains, "tea")], false, label("a"), false),
            rule(&[(From, Is, "bob@south.example"), (Body, Contains, "cake")], true, label("b"), false),
            rule(&[(Subject, ContainsNot, "tea")], false, label("never"), false),
            rule(&[], false, label("never"), false),
            rule(
                &[(List, Contains, "tea.")],
                false,
                vec![RuleAction::Move { folder: FolderKey::new("17") }],
                true,
            ),
            rule(&[(To, Contains, "team")], false, vec![RuleAction::Discard], false),
        ];
        let verdict = judge(&rules, &found);
        assert_eq!(verdict.labels, ["a", "b"]);
        assert_eq!((verdict.folder, verdict.discard), (Some(FolderId(17)), false));
    }

    #[test]
    fn programs_get_no_answer() {
        for (fields, expected) in [
            ("Subject: hi", false),
            ("Auto-Submitted: no", false),
            ("Auto-Submitted: auto-generated", true),
            ("Auto-Submitted: auto-replied; x=y", true),
            ("Precedence: bulk", true),
            ("List-Id: <x.y>", true),
            ("X-Auto-Response-Suppress: OOF, DR", true),
        ] {
            assert_eq!(is_automatic(format!("{fields}\r\n\r\nx").as_bytes()), expected, "{fields}");
        }
    }
}
