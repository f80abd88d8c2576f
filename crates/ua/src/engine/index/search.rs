//! From terms to SQL, and the messages that fit, newest first.

use super::expression::{self, Term, Test};
use super::{HIDDEN_SQL, IndexError};
use jiff::{Timestamp, tz::TimeZone};
use rusqlite::types::Value;

/// What a search needs to know besides what was typed.
pub(crate) struct SearchContext<'c> {
    /// Keys and names of folders, in lower case, with their numbers.
    pub(crate) folders: &'c [(String, u32)],
    pub(crate) now: Timestamp,
    pub(crate) zone: TimeZone,
    /// Messages that are snoozed.
    pub(crate) snoozed: Vec<u64>,
}

/// A search as SQL over `message m` (and `words`, if it looks for words).
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) from: &'static str,
    pub(super) conditions: Vec<String>,
    pub(super) values: Vec<Value>,
    /// So few messages are unread that looking a message up among them is quicker than in the table of all.
    few_unread: bool,
    /// Only a folder is asked for, nothing else: lists answer that.
    pub(super) is_plain: bool,
}

impl Plan {
    /// `folder`: only there. Without it, and without an `in:`, Junk and Trash are left out.
    pub(super) fn new(
        search: &str,
        folder: Option<u32>,
        context: &SearchContext<'_>,
        few_unread: bool,
    ) -> Result<Plan, IndexError> {
        let terms = expression::parse(search, context.now, &context.zone);
        let mut plan = Plan {
            from: "message m",
            conditions: Vec::new(),
            values: Vec::new(),
            few_unread,
            is_plain: terms.is_empty(),
        };
        let mut matches: Vec<String> = Vec::new();
        let mut names_folder = folder.is_some();
        for term in &terms {
            match &term.test {
                Test::Words { column, words, is_beginning } if !term.negated => {
                    matches.push(match_text(*column, words, *is_beginning));
                }
                Test::Anywhere => names_folder = true,
                Test::In(name) => {
                    names_folder = true;
                    plan.folder(term.negated, name, context);
                }
                _ => plan.condition(term, context),
            }
        }
        if let Some(folder) = folder {
            let place = plan.value(Value::Integer(i64::from(folder)));
            plan.conditions.push(format!("m.folder = {place}"));
        } else if !names_folder {
            plan.conditions.push(format!("m.folder NOT IN ({HIDDEN_SQL})"));
        }
        if !matches.is_empty() {
            for condition in &mut plan.conditions {
                // Told by the words' own number, a message need not be looked up to be passed over.
                if condition.starts_with("+m.doc IN") {
                    *condition = condition.replacen("+m.doc", "+words.rowid", 1);
                }
            }
            plan.from = "words CROSS JOIN message m ON m.doc = words.rowid";
            let place = plan.value(Value::Text(matches.join(" AND ")));
            plan.conditions.push(format!("words MATCH {place}"));
        }
        Ok(plan)
    }

    /// The column by which it is ordered.
    pub(super) fn order(&self) -> &'static str {
        if self.from.starts_with("words") { "words.rowid" } else { "m.doc" }
    }

    pub(super) fn value(&mut self, value: Value) -> String {
        self.values.push(value);
        format!("?{}", self.values.len())
    }

    fn folder(&mut self, negated: bool, name: &str, context: &SearchContext<'_>) {
        let name = name.to_lowercase();
        let found = context.folders.iter().find(|(known, _)| *known == name);
        // A folder that isn't there has nothing in it.
        let place = self.value(Value::Integer(found.map_or(-1, |(_, number)| i64::from(*number))));
        self.conditions.push(format!("m.folder {} {place}", if negated { "!=" } else { "=" }));
    }

    fn condition(&mut self, term: &Term, context: &SearchContext<'_>) {
        let condition = match &term.test {
            Test::Words { column, words, is_beginning } => {
                let place = self.value(Value::Text(match_text(*column, words, *is_beginning)));
                // Negation is outside: this one is only ever reached negated.
                format!("m.doc IN (SELECT rowid FROM words WHERE words MATCH {place})")
            }
            // The plus keeps SQLite from asking for the words of each unread message instead.
            Test::Flags { bits: 1, set: false } if self.few_unread => {
                "+m.doc IN (SELECT doc FROM message WHERE flags & 1 = 0)".to_owned()
            }
            Test::Flags { bits, set } => format!("m.flags & {bits} {} 0", if *set { "!=" } else { "=" }),
            Test::HasAttachment => "m.files != 0".to_owned(),
            Test::Label(label) => {
                let place = self.value(Value::Text(label.clone()));
                format!("m.doc IN (SELECT doc FROM label WHERE label = {place})")
            }
            // `doc` is 1024 times the time.
            Test::Since(micros) => format!("m.doc >= {}", micros.saturating_mul(1024)),
            Test::Before(micros) => format!("m.doc < {}", micros.saturating_mul(1024)),
            Test::LargerThan(octets) => format!("m.size > {octets}"),
            Test::SmallerThan(octets) => format!("m.size < {octets}"),
            Test::Snoozed => {
                let ids: Vec<String> = context.snoozed.iter().map(|id| (*id as i64).to_string()).collect();
                format!("m.id IN ({})", ids.join(","))
            }
            Test::In(_) | Test::Anywhere => return,
        };
        self.conditions.push(if term.negated { format!("NOT ({condition})") } else { condition });
    }
}

/// An expression of FTS5. Words are quoted, so that none of them is taken for an operator.
fn match_text(column: Option<&str>, words: &str, is_beginning: bool) -> String {
    let column = column.map(|column| format!("{column} : ")).unwrap_or_default();
    format!("{column}\"{}\"{}", words.replace('"', "\"\""), if is_beginning { " *" } else { "" })
}
