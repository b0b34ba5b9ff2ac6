//! From the configuration to the rooms: what every command opens.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tlog::Verifier;

use super::key_files::witness;
use super::logs;
use super::Mistake;
use super::reload;
use super::renewal::Renewal;
use super::discovery::{self, NotFollowed};
use crate::clock::{Clock as _, SystemClock};
use crate::config::{self, Config, LogSettings};
use crate::escape;
use crate::finding::{ChannelRoute, Routes, Severity};
use crate::http;
use crate::monitor::{self, MonitoredLog, Rules, Schedule, TrustReport};
use crate::notify::{Heartbeat, Outbox};
use crate::source::Location;
use crate::store::sqlite::{SqliteStore, StoreLock};
use crate::store::{LogState, Settings, Store, StoreError, WatchKey};
use crate::trust::{self, Ask, Remark, SourceSettings, Trust, TrustState, TrustUpdater};
use crate::watch::{Watch, Watches};

/// A valid configuration, the files that it names, and what follows from both: the logs.
pub struct Setup {
    pub(super) config: Config,
    renewal: Renewal,
    /// What the logs below were made with.
    trust: Option<Arc<Trust>>,
    /// Those of the configuration and those that trust has found.
    settings: Vec<LogSettings>,
    /// The same, ready to be read.
    logs: Vec<MonitoredLog>,
    witnesses: Vec<Verifier>,
    http: http::Client,
    /// SHA-256 of the configuration file, hex, if it was taken.
    fingerprint: Option<String>,
}

/// Whether newer trust is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefreshPolicy {
    /// If what is known is older than the configuration allows.
    IfDue,
    /// In any case.
    Now,
}

impl Setup {
    /// Loads the configuration and the trust it names, as far as that is known without asking anybody; warnings
    /// go to stderr.
    ///
    /// # Errors
    ///
    /// The operator's mistakes: exit 2.
    pub fn load(path: &Path) -> anyhow::Result<Self> {
        let (config, warnings) = config::load(path)?;
        // As one string: stderr has no buffer, and a warning has many parts.
        let warnings = warnings.to_string();
        eprint!("{warnings}");
        Self::of(config)
    }

    /// As [`Self::load`], and asks for newer trust if that is due, or in any case. Nothing may be trusted after it: then
    /// nothing may be read.
    ///
    /// # Errors
    ///
    /// The operator's mistakes: exit 2.
    pub async fn load_and_ask(path: &Path, asking: RefreshPolicy) -> anyhow::Result<Self> {
        let fingerprint = reload::fingerprint(path).ok();
        let (config, warnings) = config::load(path)?;
        // As one string: stderr has no buffer, and a warning has many parts.
        let warnings = warnings.to_string();
        eprint!("{warnings}");
        let mut setup = Self {
            fingerprint,
            ..Self::unarranged(config)?
        };
        let http = setup.http.clone();
        // What is missing on this machine would otherwise look like a server that does not answer.
        let prepared = http.prepare().await;
        prepared.map_err(|error| Mistake(format!("[http]: {error}")))?;
        setup
            .renewal
            .look(&http, asking == RefreshPolicy::Now, now())
            .await;
        if let Err(error) = setup.arrange(false) {
            // The key of a log may have been published since trust was renewed.
            if asking == RefreshPolicy::Now || !setup.ask(&[Ask::Log]) {
                return Err(error);
            }
            setup.renewal.finished().await;
            setup.arrange(false)?;
        }
        Ok(setup)
    }

    /// As [`Self::load`], of a configuration of our own, whose warnings are known.
    pub fn load_ours(path: &Path) -> anyhow::Result<Self> {
        let (config, _) = config::load(path)?;
        Self::of(config)
    }

    fn of(config: Config) -> anyhow::Result<Self> {
        let mut setup = Self::unarranged(config)?;
        setup.arrange(false)?;
        Ok(setup)
    }

    fn unarranged(config: Config) -> anyhow::Result<Self> {
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
            .map(witness)
            .collect::<Result<_, _>>()
            .map_err(|mistake| located(&config, mistake))?;
        let http = http::Client::new(config.http.clone());
        Ok(Self {
            config,
            renewal: Renewal::new(updater),
            trust: None,
            settings: Vec::new(),
            logs: Vec::new(),
            witnesses,
            http,
            fingerprint: None,
        })
    }

    /// Makes the logs anew, from the configuration and what is trusted now. `begun`: some log has a position.
    ///
    /// # Errors
    ///
    /// Configuration and trust do not fit; then everything is as it was.
    fn arrange(&mut self, begun: bool) -> anyhow::Result<()> {
        let trust = self.known().trust;
        let mut settings = discovery::logs(&self.config, trust.as_deref(), begun, now())?;
        if trust.is_none() && self.renewal.is_configured() {
            // Only what needs no trust can be named; nothing is read before there is one.
            settings.retain(|log| !log.public_keys.is_empty());
        }
        let root = trust.as_deref().map(Trust::root);
        self.logs = logs::followed(&settings, root, &self.http)
            .map_err(|mistake| located(&self.config, mistake))?;
        self.settings = settings;
        self.trust = trust;
        Ok(())
    }

    /// As [`Self::arrange`]; the store says whether some log has a position.
    pub async fn arrange_after(&mut self, store: &dyn Store) -> anyhow::Result<()> {
        let begun = begun(store).await?;
        self.arrange(begun)
    }

    /// Takes over newer trust that has come, and begins to look for it if that is due. Answers whether the logs and rules are
    /// to be made anew.
    ///
    /// # Errors
    ///
    /// The store cannot say whether any log has a position.
    pub async fn renew(&mut self, store: &dyn Store) -> Result<bool, StoreError> {
        self.renewal.begin_if_due(&self.http, now()).await;
        self.adopt(store).await
    }

    /// Begins to look for newer trust because of these. Answers whether it did: what was asked for lately is not asked for
    /// again.
    pub fn ask(&mut self, asks: &[Ask]) -> bool {
        self.renewal.ask(asks, &self.http, now())
    }

    /// Waits for the newer trust that is being looked for, without end if none is. Answers as [`Self::renew`]. What has come
    /// when this is dropped is taken over by the next [`Self::renew`].
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn renewed(&mut self, store: &dyn Store) -> Result<bool, StoreError> {
        self.renewal.finished().await;
        self.adopt(store).await
    }

    /// Works with what is trusted now, if it is another trust than before.
    async fn adopt(&mut self, store: &dyn Store) -> Result<bool, StoreError> {
        let (known, before) = (self.known(), self.trust.clone());
        let same = match (&known.trust, &before) {
            (Some(now), Some(before)) => Arc::ptr_eq(now, before),
            (now, before) => now.is_none() && before.is_none(),
        };
        if same {
            return Ok(false);
        }
        match (self.arrange(begun(store).await?), before) {
            (Ok(()), _) => {
                tracing::info!("trust has changed: {} logs are followed", self.logs.len());
                Ok(true)
            }
            (Err(error), Some(before)) => {
                let said = format!("{error:#}");
                tracing::warn!("trust: {}", escape::terminal(&said));
                self.renewal.refuse(before, said);
                Ok(false)
            }
            (Err(_), None) => Ok(false),
        }
    }

    /// # Errors
    ///
    /// A repository is configured, and nothing of it was ever verified.
    pub fn require_trust(&self) -> anyhow::Result<()> {
        let known = self.known();
        if known.trust.is_some() || !self.renewal.is_configured() {
            return Ok(());
        }
        let why = known.problem.map_or_else(
            || "`modelwatch check` asks for one".to_owned(),
            |problem| problem.to_string(),
        );
        anyhow::bail!("there is no trusted root yet, so nothing is read: {why}")
    }

    /// What is trusted now, and what came of asking for newer trust.
    pub fn known(&self) -> TrustState {
        self.renewal.known()
    }

    /// What to open in a firewall, and what helps without: after these logs did not answer. `None`: all did, and trust
    /// too.
    pub fn network_advice(&self, unreached: &[String]) -> Option<String> {
        let mut servers = BTreeSet::new();
        let known = self.known();
        let is_lost = matches!(known.problem, Some(trust::Problem::Unreachable(_)));
        if let Some(SourceSettings::Tuf { repository, .. }) =
            self.trust_settings().map(|settings| &settings.source)
            && is_lost
        {
            servers.insert(repository.server());
        }
        let logs = self.config.logs.iter().chain(&self.settings);
        for log in logs {
            // Without trust none of those that it has the keys of could be asked.
            let is_unreached = unreached.contains(&log.name) || is_lost && known.trust.is_none();
            if let Some(Location::Server(url)) = log.location.as_ref().filter(|_| is_unreached) {
                servers.insert(http::server_of(url));
            }
        }
        if servers.is_empty() {
            return None;
        }
        let servers: Vec<String> = servers.into_iter().collect();
        let instead = if known.trust.is_none() && is_lost {
            ". Where no network is to be had, `modelwatch init --trusted-root FILE` writes a configuration that takes trust from a file"
        } else {
            ""
        };
        Some(format!(
            "to be opened in the firewall, or to be reached through a proxy: {}{instead}",
            escape::terminal(&servers.join(", "))
        ))
    }

    /// The logs of the configuration that cannot be asked before something is trusted, by name.
    pub fn waiting_for_trust(&self) -> Vec<String> {
        let logs = self.config.logs.iter();
        logs.map(|log| log.name.clone())
            .filter(|name| !self.settings.iter().any(|log| log.name == *name))
            .collect()
    }

    /// What was set about trust.
    pub fn trust_settings(&self) -> Option<&trust::Settings> {
        self.config.trust.as_ref()
    }

    /// What somebody should know about trust.
    pub fn trust_report(&self) -> TrustReport {
        discovery::report(
            self.trust_settings(),
            &self.known(),
            &self.settings,
            &self.logs,
            now(),
        )
    }

    /// The logs that trust names and that are not followed.
    pub fn not_followed(&self) -> Vec<NotFollowed<'_>> {
        match (self.trust_settings(), self.trust.as_deref()) {
            (Some(settings), Some(trust)) => {
                discovery::not_followed(settings, trust, &self.settings, &self.logs)
            }
            _ => Vec::new(),
        }
    }

    /// What is wrong with single items of what is trusted.
    pub fn trust_remarks(&self) -> &[Remark] {
        self.trust.as_deref().map_or(&[], Trust::remarks)
    }

    /// The logs, ready to be read; nothing is asked of them yet.
    pub fn logs(&self) -> &[MonitoredLog] {
        &self.logs
    }

    /// What the monitor looks at besides watches. `every_log`: no log was left out on the command line.
    pub fn monitor(&self, every_log: bool) -> monitor::Settings {
        let required = self.settings.iter().filter(|log| log.require_witnesses > 0);
        monitor::Settings {
            witnesses: self.witnesses.clone(),
            required_witnesses: required
                .map(|log| (log.name.clone(), log.require_witnesses))
                .collect(),
            canaries: self.config.canaries.clone(),
            every_log,
            pass_limit: None,
        }
    }

    /// The compiled watches and the authorities.
    ///
    /// # Errors
    ///
    /// Watches that cannot be compiled, and trust that is not there yet: without it an impostor and the owner
    /// would look alike.
    pub fn rules(&self) -> anyhow::Result<Arc<Rules>> {
        self.require_trust()?;
        self.rules_so_far()
    }

    /// As [`Self::rules`], also without trust: for looking at what does not depend on it, never for reading a log.
    ///
    /// # Errors
    ///
    /// Watches that cannot be compiled.
    pub fn rules_so_far(&self) -> anyhow::Result<Arc<Rules>> {
        let watches = Watches::compile(self.config.watches.clone())
            .map_err(|error| Mistake(error.to_string()))?;
        let authorities = self
            .trust
            .as_ref()
            .map(|trust| trust.root().authorities().clone());
        Ok(Arc::new(Rules::new(watches, authorities)))
    }

    pub fn watch_keys(&self) -> Vec<WatchKey> {
        self.config
            .watches
            .iter()
            .map(|watch| WatchKey {
                name: watch.name.clone(),
                conditions: watch.conditions_hash(),
            })
            .collect()
    }

    /// The watch of this name.
    pub fn watch(&self, name: &str) -> Option<&Watch> {
        self.config.watches.iter().find(|watch| watch.name == name)
    }

    /// The names of the watches, to help after a slip.
    pub fn watch_names(&self) -> String {
        let names: Vec<_> = self.config.watches.iter().map(|w| w.name.clone()).collect();
        listed(&names)
    }

    /// The names of the logs, to help after a slip.
    pub fn log_names(&self) -> String {
        let names: Vec<_> = self.logs.iter().map(|log| log.name().to_owned()).collect();
        listed(&names)
    }

    /// The database.
    pub fn database(&self) -> &Path {
        &self.config.database
    }

    /// SHA-256 of the configuration file, hex, if it was taken.
    pub fn fingerprint(&self) -> Option<&str> {
        self.fingerprint.as_deref()
    }

    /// Everything that is followed, looked for and told, in one line.
    pub fn summary(&self) -> String {
        let logs = self.logs.iter().map(|log| log.name().to_owned());
        let watches = self.config.watches.iter().map(|watch| watch.name.clone());
        format!(
            "{}, {}, {}, schedule {}",
            counted("log", logs.collect()),
            counted("watch", watches.collect()),
            counted("channel", self.channel_names()),
            self.config.schedule.as_str()
        )
    }

    /// What was written, with every default.
    pub fn config(&self) -> &Config {
        &self.config
    }

    pub fn http(&self) -> &http::Client {
        &self.http
    }

    pub fn fail_on(&self) -> Severity {
        self.config.fail_on
    }

    pub fn schedule(&self) -> &Schedule {
        &self.config.schedule
    }

    /// Takes the lock that keeps a second monitor off the store.
    pub fn lock(&self) -> Result<StoreLock, StoreError> {
        SqliteStore::lock(&self.settings())
    }

    /// Opens the store, creating it if it is not there.
    pub async fn writer(&self) -> anyhow::Result<Arc<dyn Store>> {
        Ok(Arc::new(SqliteStore::open(self.settings()).await?))
    }

    /// Opens an existing store for reading.
    pub async fn reader(&self) -> anyhow::Result<Arc<dyn Store>> {
        Ok(Arc::new(
            SqliteStore::open_read_only(self.settings()).await?,
        ))
    }

    /// A copy of the store as it stands, in the new file `to`; an empty one if there is no store yet.
    pub async fn copied(&self, to: &Path) -> anyhow::Result<SqliteStore> {
        match SqliteStore::copy(&self.settings(), to).await {
            Ok(()) | Err(StoreError::Absent { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        let settings = Settings {
            path: to.to_owned(),
            ..self.settings()
        };
        Ok(SqliteStore::open(settings).await?)
    }

    /// What is unusual about how others are reached, a line each.
    pub async fn described_http(&self) -> anyhow::Result<Vec<String>> {
        Ok(self.http.described().await?)
    }

    pub fn has_heartbeat(&self) -> bool {
        self.config.heartbeat.is_some()
    }

    pub fn outbox(&self, store: Arc<dyn Store>) -> Outbox {
        Outbox::new(store, &self.config.channels, &self.http)
    }

    pub fn heartbeat(&self, store: Arc<dyn Store>) -> Option<Heartbeat> {
        let settings = self.config.heartbeat.clone()?;
        Some(Heartbeat::new(settings, self.http.clone(), store))
    }

    fn settings(&self) -> Settings {
        Settings {
            path: self.config.database.clone(),
            routes: routes(&self.config),
        }
    }
}

/// A mistake about a key of the configuration, with its file and line.
fn located(config: &Config, Mistake(said): Mistake) -> Mistake {
    Mistake(config.places.locate(&said))
}

/// Which channels are told of what.
pub fn routes(config: &Config) -> Routes {
    let channels = config.channels.iter().map(|channel| ChannelRoute {
        name: channel.name.clone(),
        min_severity: channel.min_severity,
    });
    let by_watch = config
        .watches
        .iter()
        .filter_map(|watch| Some((watch.name.clone(), watch.notify.clone()?)));
    Routes::new(channels.collect(), by_watch.collect())
}

/// Whether any log was read, or its checkpoints were followed.
async fn begun(store: &dyn Store) -> Result<bool, StoreError> {
    let logs = store.logs().await?;
    Ok(logs.iter().any(LogState::is_begun))
}

/// How many there are, and their names.
fn counted(what: &str, names: Vec<String>) -> String {
    /// Names that a line of the log shows.
    const SHOWN: usize = 10;
    let ending = match (names.len(), what) {
        (1, _) => "",
        (_, "watch") => "es",
        _ => "s",
    };
    if names.is_empty() {
        return format!("no {what}{ending}");
    }
    let count = names.len();
    let names = escape::few(names, SHOWN);
    format!("{count} {what}{ending} ({})", escape::terminal(&names))
}

/// Names in a sentence that helps after a slip.
pub fn listed(names: &[String]) -> String {
    if names.is_empty() {
        return "it has none".to_owned();
    }
    let names: Vec<_> = names.iter().map(|name| escape::terminal(name)).collect();
    format!("it has {}", names.join(", "))
}

/// The present moment.
pub fn now() -> Timestamp {
    SystemClock.now()
}

/// A duration on the command line, written as in the configuration.
pub fn duration(written: &str) -> Result<Duration, String> {
    config::parse_duration(written)
        .ok_or_else(|| format!("`{written}` is not a duration such as 45m or 2h"))
}

/// A whole number on the command line.
pub fn number<T: std::str::FromStr>(written: &str) -> Result<T, String> {
    written.parse().map_err(|_| {
        let is_number = !written.is_empty() && written.bytes().all(|byte| byte.is_ascii_digit());
        if is_number {
            "the number is too large".to_owned()
        } else {
            "a whole number in digits is wanted, such as 10".to_owned()
        }
    })
}

/// Opens the configured store for reading.
pub async fn reader(config: &Path) -> anyhow::Result<Arc<dyn Store>> {
    Setup::load(config)?.reader().await
}

/// Opens the configured store for writing.
pub async fn writer(config: &Path) -> anyhow::Result<Arc<dyn Store>> {
    Setup::load(config)?.writer().await
}
