//! The logs and rules of a monitor, from the configuration and the trusted root.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use tlog::Verifier;

use super::discovery::{self, NotFollowed};
use super::error::{Mistake, ServiceError};
use super::key_files;
use super::loaded;
use super::logs;
use super::renewal::Renewal;
use super::rules::LazyRules;
use crate::clock;
use crate::config::{self, Config, LogSettings, Problems};
use crate::escape;
use crate::http;
use crate::judge::Rules;
use crate::monitor::{self, LogOutcome, MonitoredLog, TrustReport};
use crate::store::{PassErrorKind, Positions, StoreError, TreeState, WatchKey, WatchSet};
use crate::trust::{
    RefreshReason, Remark, Settings, SourceSettings, Trust, TrustState, TrustUpdater,
};

/// A valid configuration, the trusted root, and what follows from both: the logs to follow and the watches. Both are
/// made again when the trusted root changes.
pub struct Setup {
    pub(super) config: Config,
    pub(super) http: http::Client,
    /// SHA-256 of the configuration that was read, hex.
    pub(super) fingerprint: String,
    witnesses: Vec<Verifier>,
    renewal: Renewal,
    /// The trusted root that the logs and rules below were made with.
    trust: Option<Arc<Trust>>,
    /// The logs of the configuration and those of the trusted root.
    pub(super) settings: Vec<LogSettings>,
    /// The same, ready to be read.
    logs: Vec<MonitoredLog>,
    /// The names of the logs to read; all of them if there is none.
    only: Vec<String>,
    /// Compiled at the first use: most commands need none.
    pub(super) rules: Arc<LazyRules>,
    /// Computed at the first use.
    watch_set: OnceLock<Arc<WatchSet>>,
}

/// Whether to update the trusted root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefreshPolicy {
    /// If the present one is older than the configuration allows.
    IfDue,
    /// In any case.
    Now,
}

impl Setup {
    /// Loads the configuration and its trusted root, as far as that is possible without a request. `warn` gets the
    /// warnings about the configuration.
    ///
    /// # Errors
    ///
    /// Mistakes of the operator.
    pub fn load(path: &Path, warn: fn(&Problems)) -> Result<Self, ServiceError> {
        let mut setup = Self::read(path, warn)?;
        setup.arrange(false)?;
        Ok(setup)
    }

    /// As [`Self::load`], and updates the trusted root. Afterwards there may be none at all; then no log may be read.
    ///
    /// # Errors
    ///
    /// Mistakes of the operator.
    pub async fn load_and_ask(
        path: &Path,
        policy: RefreshPolicy,
        warn: fn(&Problems),
    ) -> Result<Self, ServiceError> {
        let mut setup = Self::read(path, warn)?;
        let http = setup.http.clone();
        // A problem of this machine would otherwise look like a server that does not answer.
        let prepared = http.prepare().await;
        prepared.map_err(|error| Mistake(format!("[http]: {error}")))?;
        setup
            .renewal
            .look(&http, policy == RefreshPolicy::Now, clock::now())
            .await;
        if let Err(error) = setup.arrange(false) {
            // The key of a log may have been published since the last update.
            if policy == RefreshPolicy::Now || !setup.request_refresh(&[RefreshReason::Log]) {
                return Err(error.into());
            }
            setup.renewal.finished().await;
            setup.arrange(false)?;
        }
        Ok(setup)
    }

    /// Without logs.
    fn read(path: &Path, warn: fn(&Problems)) -> Result<Self, ServiceError> {
        // Once: it may be a pipe.
        let text = config::read(path)?;
        let (config, warnings) = config::check(&text, path)?;
        warn(&warnings);
        let updater = match &config.trust {
            Some(settings) => Some(TrustUpdater::open(settings.clone()).map_err(|error| {
                let key = match settings.source {
                    SourceSettings::TrustedRoot(_) => "trusted_root",
                    SourceSettings::ClientTrustConfig(_) => "trust_config",
                    SourceSettings::Tuf { .. } => "tuf",
                };
                located(
                    &config,
                    Mistake(format!("trust.{key}: {}: {error}", settings.source)),
                )
            })?),
            None => None,
        };
        let witnesses = config
            .witnesses
            .iter()
            .map(key_files::of_witness)
            .collect::<Result<_, _>>()
            .map_err(|mistake| located(&config, mistake))?;
        Ok(Self {
            http: http::Client::new(config.http.clone()),
            rules: Arc::new(LazyRules::new(&config.watches)),
            config,
            fingerprint: loaded::sha256(text.as_bytes()),
            witnesses,
            renewal: Renewal::new(updater),
            trust: None,
            settings: Vec::new(),
            logs: Vec::new(),
            only: Vec::new(),
            watch_set: OnceLock::new(),
        })
    }

    /// Reads only the logs with these names from now on; every log if there is no name.
    ///
    /// # Errors
    ///
    /// No log has the name.
    pub fn select(&mut self, only: Vec<String>) -> Result<(), Mistake> {
        let is_unknown = |name: &&String| !self.logs.iter().any(|log| log.name() == name.as_str());
        if let Some(name) = only.iter().find(is_unknown) {
            return Err(Mistake(format!(
                "the configuration has no log named {name}: {}",
                self.log_names()
            )));
        }
        self.only = only;
        Ok(())
    }

    /// Whether no log was left out by [`Self::select`].
    pub(super) fn reads_every_log(&self) -> bool {
        self.only.is_empty()
    }

    /// The selected names.
    pub(super) fn only(&self) -> &[String] {
        &self.only
    }

    /// Makes the logs again, from the configuration and the present trusted root. `begun`: some log has a position.
    ///
    /// # Errors
    ///
    /// Configuration and trusted root contradict each other; then nothing has changed.
    fn arrange(&mut self, begun: bool) -> Result<(), Mistake> {
        let trust = self.known().trust;
        let mut settings = discovery::logs(&self.config, trust.as_deref(), begun, clock::now())?;
        if trust.is_none() && self.renewal.is_configured() {
            // Only logs that do not need the trusted root can be named; nothing is read before there is one.
            settings.retain(|log| !log.public_keys.is_empty());
        }
        let root = trust.as_deref().map(Trust::root);
        self.logs = logs::followed(&settings, root, &self.http)
            .map_err(|mistake| located(&self.config, mistake))?;
        self.settings = settings;
        if !is_same(trust.as_ref(), self.trust.as_ref()) {
            self.rules = Arc::new(self.rules.with_trust(trust.clone()));
        }
        self.trust = trust;
        Ok(())
    }

    /// Makes the logs again. A log of the trusted root without a position begins at its first entry once another log
    /// has a position.
    ///
    /// # Errors
    ///
    /// The store cannot be read, or configuration and trusted root contradict each other.
    pub(super) async fn arrange_after(
        &mut self,
        store: &dyn Positions,
    ) -> Result<(), ServiceError> {
        let begun = begun(store).await?;
        Ok(self.arrange(begun)?)
    }

    /// Uses a newer trusted root that has arrived, and begins an update if it is due. Returns whether logs and rules
    /// have changed. A failed update is no error: the same logs are followed as before, and [`Self::trust_report`] has
    /// the reason.
    ///
    /// # Errors
    ///
    /// The store cannot be read.
    pub(super) async fn renew(&mut self, store: &dyn Positions) -> Result<bool, StoreError> {
        self.renewal.begin_if_due(&self.http, clock::now()).await;
        self.adopt(store).await
    }

    /// Begins an update of the trusted root if it may explain what a pass found: a checkpoint that does not verify, or
    /// a certificate with a watched name without a path to an authority. Returns whether it did.
    pub(super) fn ask_after(
        &mut self,
        outcomes: &[LogOutcome],
        unknown_authorities: BTreeSet<[u8; 20]>,
    ) -> bool {
        let unknown = unknown_authorities.into_iter();
        let mut reasons: Vec<RefreshReason> = unknown.map(RefreshReason::Authority).collect();
        let is_unverifiable = |outcome: &LogOutcome| {
            let error = outcome.error.as_ref();
            error.is_some_and(|error| error.kind == PassErrorKind::UnverifiableCheckpoint)
        };
        if outcomes.iter().any(is_unverifiable) {
            reasons.push(RefreshReason::Checkpoint);
        }
        self.request_refresh(&reasons)
    }

    /// Begins an update of the trusted root for these reasons. Returns whether it did: the same reason does not cause
    /// another update shortly after.
    fn request_refresh(&mut self, reasons: &[RefreshReason]) -> bool {
        self.renewal
            .request_refresh(reasons, &self.http, clock::now())
    }

    /// Waits for the running update, forever if there is none. Returns as [`Self::renew`]. It may be dropped: the next
    /// [`Self::renew`] uses the result.
    ///
    /// # Errors
    ///
    /// As there.
    pub(super) async fn renewed(&mut self, store: &dyn Positions) -> Result<bool, StoreError> {
        self.renewal.finished().await;
        self.adopt(store).await
    }

    /// Uses the present trusted root, if it is another one than before.
    async fn adopt(&mut self, store: &dyn Positions) -> Result<bool, StoreError> {
        let (known, before) = (self.known(), self.trust.clone());
        if is_same(known.trust.as_ref(), before.as_ref()) {
            return Ok(false);
        }
        match (self.arrange(begun(store).await?), before) {
            (Ok(()), _) => {
                tracing::info!("trust has changed: {} logs are followed", self.logs.len());
                Ok(true)
            }
            (Err(mistake), Some(before)) => {
                let why = mistake.to_string();
                tracing::warn!("trust: {}", escape::terminal(&why));
                self.renewal.refuse(before, why);
                Ok(false)
            }
            (Err(_), None) => Ok(false),
        }
    }

    /// # Errors
    ///
    /// A source of trust is configured, and no trusted root from it was ever verified.
    pub fn require_trust(&self) -> Result<(), ServiceError> {
        let known = self.known();
        if known.trust.is_some() || !self.renewal.is_configured() {
            return Ok(());
        }
        let why = known.problem.map_or_else(
            || "`modelwatch check` requests one".to_owned(),
            |problem| problem.to_string(),
        );
        Err(ServiceError::NoTrust { why })
    }

    /// The trusted root, and the result of the last update.
    pub fn known(&self) -> TrustState {
        self.renewal.known()
    }

    /// The logs of the configuration that cannot be read before there is a trusted root.
    pub(super) fn waiting(&self) -> impl Iterator<Item = &LogSettings> {
        let logs = self.config.logs.iter();
        logs.filter(|log| !self.settings.iter().any(|known| known.name == log.name))
    }

    /// Their names.
    pub fn waiting_for_trust(&self) -> Vec<String> {
        self.waiting().map(|log| log.name.clone()).collect()
    }

    /// The settings of the trusted root.
    pub fn trust_settings(&self) -> Option<&Settings> {
        self.config.trust.as_ref()
    }

    /// The problems of the trusted root, for findings.
    pub fn trust_report(&self) -> TrustReport {
        discovery::report(
            self.trust_settings(),
            &self.known(),
            &self.settings,
            &self.logs,
            clock::now(),
        )
    }

    /// The logs of the trusted root that are not followed.
    pub fn not_followed(&self) -> Vec<NotFollowed<'_>> {
        match (self.trust_settings(), self.trust.as_deref()) {
            (Some(settings), Some(trust)) => {
                discovery::not_followed(settings, trust, &self.settings, &self.logs)
            }
            _ => Vec::new(),
        }
    }

    /// The problems of single items of the trusted root.
    pub fn trust_remarks(&self) -> &[Remark] {
        self.trust.as_deref().map_or(&[], Trust::remarks)
    }

    /// The logs of the configuration and of the trusted root, ready to be read. No request was sent yet.
    pub fn logs(&self) -> &[MonitoredLog] {
        &self.logs
    }

    /// The selected ones among them.
    pub(super) fn selected(&self) -> Vec<MonitoredLog> {
        let is_selected = |log: &&MonitoredLog| {
            self.only.is_empty() || self.only.iter().any(|name| name == log.name())
        };
        self.logs.iter().filter(is_selected).cloned().collect()
    }

    /// The settings of the monitor besides logs and watches.
    pub(super) fn monitor(&self) -> monitor::Settings {
        let required = self.settings.iter().filter(|log| log.require_witnesses > 0);
        monitor::Settings {
            witnesses: self.witnesses.clone(),
            required_witnesses: required
                .map(|log| (log.name.clone(), log.require_witnesses))
                .collect(),
            canaries: self.config.canaries.clone(),
            every_log: self.reads_every_log(),
            pass_limit: None,
        }
    }

    /// The names of the logs whose checkpoints need cosignatures of witnesses.
    pub fn witnessed(&self) -> Vec<String> {
        let required = self.settings.iter().filter(|log| log.require_witnesses > 0);
        required.map(|log| log.name.clone()).collect()
    }

    /// The compiled watches and the authorities.
    ///
    /// # Errors
    ///
    /// Watches that cannot be compiled, or no trusted root yet: without it an impostor and the owner would be
    /// indistinguishable.
    pub fn rules(&self) -> Result<Arc<Rules>, ServiceError> {
        self.require_trust()?;
        self.rules_so_far()
    }

    /// As [`Self::rules`], also without a trusted root: only for checks that do not need one, never for reading a log.
    ///
    /// # Errors
    ///
    /// Watches that cannot be compiled.
    pub fn rules_so_far(&self) -> Result<Arc<Rules>, ServiceError> {
        self.rules.compiled()
    }

    /// The watches as the store identifies them.
    pub(super) fn watch_set(&self) -> Arc<WatchSet> {
        let set = || {
            let watches = self.config.watches.iter();
            let keys = watches.map(|watch| WatchKey {
                name: watch.name.clone(),
                conditions: watch.conditions_hash(),
            });
            Arc::new(keys.collect())
        };
        Arc::clone(self.watch_set.get_or_init(set))
    }

    /// The configuration with every default.
    pub fn config(&self) -> &Config {
        &self.config
    }
}

/// Whether both are the same trusted root, or none.
fn is_same(one: Option<&Arc<Trust>>, other: Option<&Arc<Trust>>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => Arc::ptr_eq(one, other),
        (one, other) => one.is_none() && other.is_none(),
    }
}

/// A mistake about a key of the configuration, with its file and line.
fn located(config: &Config, Mistake(message): Mistake) -> Mistake {
    Mistake(config.places.locate(&message))
}

/// Whether any log was read, or its checkpoints were followed.
async fn begun(store: &dyn Positions) -> Result<bool, StoreError> {
    let trees = store.trees().await?;
    Ok(trees.iter().any(TreeState::is_begun))
}
