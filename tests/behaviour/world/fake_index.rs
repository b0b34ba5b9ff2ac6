//! The search index of a fake Rekor v1 log: a test sets its content, which need not be true.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use serde_json::{Value, json};

/// See the module.
#[derive(Default)]
pub struct FakeIndex {
    /// In the order in which they were filed.
    names: BTreeMap<String, Vec<Value>>,
    filed: HashSet<(String, String)>,
    /// Older than the question for names of any type.
    pub is_old: bool,
    /// Names for which it refuses a query.
    pub refuses: BTreeSet<String>,
    /// Names whose question fails with this status.
    pub fails: BTreeMap<String, u16>,
    /// Names that are never answered.
    pub hangs: BTreeSet<String>,
}

/// The status that means no answer.
pub const HANGS: u16 = 0;

impl FakeIndex {
    /// Files an entry under a name.
    pub fn file(&mut self, name: &str, id: &str) {
        let name = name.to_ascii_lowercase();
        if self.filed.insert((name.clone(), id.to_owned())) {
            self.file_odd(&name, json!(id));
        }
    }

    /// Adds an element that may not be the id of an entry.
    pub fn file_odd(&mut self, name: &str, id: Value) {
        let ids = self.names.entry(name.to_ascii_lowercase()).or_default();
        ids.push(id);
    }

    /// Removes everything.
    pub fn clear(&mut self) {
        self.names.clear();
        self.filed.clear();
    }

    pub fn answer(&self, question: &Value) -> (u16, Value) {
        let refusal = |message: &str| (422, json!({"code": 422, "message": message}));
        if let Some(hash) = question["hash"].as_str() {
            return (
                200,
                json!(self.names.get(hash).cloned().unwrap_or_default()),
            );
        }
        let name = match (question["subject"].as_str(), question["email"].as_str()) {
            (Some(_), _) if self.is_old => return refusal("query in body is required"),
            (Some(subject), _) => subject,
            (None, Some(email)) if email.contains("://") => {
                return refusal("email in body must be of type email");
            }
            (None, Some(email)) => email,
            (None, None) => return refusal("query in body is required"),
        };
        let name = name.to_ascii_lowercase();
        if self.hangs.contains(&name) {
            return (HANGS, Value::Null);
        }
        if let Some(status) = self.fails.get(&name) {
            return (*status, json!({"code": status, "message": "later"}));
        }
        if self.refuses.contains(&name) {
            return refusal("subject in body is not to its liking");
        }
        (
            200,
            json!(self.names.get(&name).cloned().unwrap_or_default()),
        )
    }
}
