//! Watches as a person would check them by hand: no index, no compiled matcher, no parsed leaf.

use std::time::Duration;

use modelwatch::finding::Severity;
use modelwatch::identity::Extension;
use modelwatch::watch::{Conditions, Glob, Watch};

use super::who::Who;

/// One condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    San(&'static str),
    Glob(&'static str),
    Issuer(&'static str),
    Repository(&'static str),
}

/// A watch, described independently of the program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spec {
    pub name: &'static str,
    pub selects: Vec<Condition>,
    pub shape: Vec<Condition>,
    pub hold: Option<Duration>,
    pub severity: Severity,
    pub notify: Option<Vec<&'static str>>,
}

impl Condition {
    fn holds(self, who: &Who) -> bool {
        let san = who.san.as_deref().unwrap_or_default().to_ascii_lowercase();
        match self {
            Self::San(wanted) => san == wanted.to_ascii_lowercase(),
            Self::Glob(wanted) => fits(&wanted.to_ascii_lowercase(), &san),
            Self::Issuer(wanted) => who.issuer.as_deref() == Some(wanted),
            Self::Repository(wanted) => who.repository.as_deref() == Some(wanted),
        }
    }
}

/// `*` is anything.
fn fits(glob: &str, text: &str) -> bool {
    match glob.split_once('*') {
        None => glob == text,
        Some((before, after)) => text.strip_prefix(before).is_some_and(|rest| {
            (0..=rest.len())
                .filter(|cut| rest.is_char_boundary(*cut))
                .any(|cut| fits(after, &rest[cut..]))
        }),
    }
}

impl Spec {
    pub fn new(name: &'static str, selects: impl Into<Vec<Condition>>) -> Self {
        Self {
            name,
            selects: selects.into(),
            shape: Vec::new(),
            hold: None,
            severity: Severity::High,
            notify: None,
        }
    }

    pub fn shape(mut self, shape: impl Into<Vec<Condition>>) -> Self {
        self.shape = shape.into();
        self
    }

    pub fn hold(mut self, seconds: u64) -> Self {
        self.hold = Some(Duration::from_secs(seconds));
        self
    }

    pub fn severity(mut self, severity: Severity) -> Self {
        self.severity = severity;
        self
    }

    pub fn notify(mut self, channels: impl Into<Vec<&'static str>>) -> Self {
        self.notify = Some(channels.into());
        self
    }

    pub fn selects(&self, who: &Who) -> bool {
        self.selects.iter().all(|condition| condition.holds(who))
    }

    /// The same as a watch of the program.
    pub fn watch(&self) -> Watch {
        let mut watch = Watch::new(self.name, conditions(&self.selects));
        watch.severity = self.severity;
        watch.shape = (!self.shape.is_empty()).then(|| conditions(&self.shape));
        watch.hold = self.hold;
        watch.notify = self
            .notify
            .as_ref()
            .map(|names| names.iter().map(|name| (*name).to_owned()).collect());
        watch
    }
}

fn conditions(all: &[Condition]) -> Conditions {
    let mut conditions = Conditions::default();
    for condition in all {
        match *condition {
            Condition::San(san) => conditions.san.push(san.to_owned()),
            Condition::Glob(glob) => conditions.san_glob.push(Glob::new(glob)),
            Condition::Issuer(issuer) => conditions.issuer.push(issuer.to_owned()),
            Condition::Repository(id) => conditions
                .extension
                .entry(Extension::SourceRepositoryIdentifier)
                .or_default()
                .push(id.to_owned()),
        }
    }
    conditions
}
