//! The rules of a pass, compiled at the first use.

use std::sync::{Arc, OnceLock};

use super::error::{Mistake, ServiceError};
use crate::judge::Rules;
use crate::trust::Trust;
use crate::watch::{Watch, Watches};

/// Watches and the trusted root, from which the rules are compiled when they are needed.
pub(super) struct LazyRules {
    watches: Arc<[Watch]>,
    trust: Option<Arc<Trust>>,
    compiled: OnceLock<Arc<Rules>>,
}

impl LazyRules {
    /// Without a trusted root.
    pub(super) fn new(watches: &[Watch]) -> Self {
        Self {
            watches: watches.into(),
            trust: None,
            compiled: OnceLock::new(),
        }
    }

    /// The same watches with this trusted root.
    pub(super) fn with_trust(&self, trust: Option<Arc<Trust>>) -> Self {
        Self {
            watches: Arc::clone(&self.watches),
            trust,
            compiled: OnceLock::new(),
        }
    }

    /// The trusted root.
    #[cfg(feature = "web")]
    pub(super) fn trust(&self) -> Option<&Trust> {
        self.trust.as_deref()
    }

    /// The watch with this name.
    #[cfg(feature = "web")]
    pub(super) fn watch(&self, name: &str) -> Option<&Watch> {
        self.watches.iter().find(|watch| watch.name == name)
    }

    /// The rules. They are compiled once, which takes about a second for 10,000 watches.
    ///
    /// # Errors
    ///
    /// Watches that cannot be compiled.
    pub(super) fn compiled(&self) -> Result<Arc<Rules>, ServiceError> {
        if let Some(rules) = self.compiled.get() {
            return Ok(Arc::clone(rules));
        }
        let watches =
            Watches::compile(self.watches.to_vec()).map_err(|error| Mistake(error.to_string()))?;
        let trust = self.trust.as_ref();
        let authorities = trust.map(|trust| trust.root().authorities().clone());
        let document = trust.map(|trust| trust.document().into());
        let rules = Arc::new(Rules::new(watches, authorities).with_trusted_root(document));
        Ok(Arc::clone(self.compiled.get_or_init(|| rules)))
    }
}
