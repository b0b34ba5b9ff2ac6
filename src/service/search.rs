//! The Rekor v1 logs whose search indexes can be asked, and by what their answers are judged: with a configuration or without.

use std::path::Path;

use super::error::{Mistake, ServiceError};
use super::setup::{RefreshPolicy, Setup};
use crate::config::Problems;
use crate::http;
use crate::identity::Authorities;
use crate::log::Start;
use crate::monitor::{MonitoredLog, RekorV1Log};
use crate::source::rekor_v1::Client;
use crate::trust::{ListedKind, Trust, TrustedRoot};

/// Follows nothing: only its trust is used.
const WITHOUT_CONFIGURATION: &str =
    "[store]\nurl = \"sqlite:none.db\"\n[trust]\ntuf = \"public-good\"\n";

/// What can be asked.
pub struct SearchIndexes {
    /// The logs, each once.
    pub logs: Vec<RekorV1Log>,
    /// The authorities of the trusted root.
    pub authorities: Authorities,
}

/// The Rekor v1 logs of a trusted root in a file.
///
/// # Errors
///
/// It cannot be read, or is no trusted root.
pub async fn of_trusted_root(file: &Path) -> Result<SearchIndexes, ServiceError> {
    let root = TrustedRoot::from_file(file)
        .map_err(|error| Mistake(format!("--trusted-root {}: {error}", file.display())))?;
    let http = http::Client::default();
    prepare(&http).await?;
    Ok(SearchIndexes {
        logs: listed(&root, root.logs().iter(), &http),
        authorities: root.authorities().clone(),
    })
}

/// The Rekor v1 logs of a configuration, and those of its trusted root; without a configuration, those that the TUF repository of
/// Sigstore's public instance names.
///
/// # Errors
///
/// The configuration is wrong, or there is no trusted root.
pub async fn of_configuration(
    config: &Path,
    warn: fn(&Problems),
) -> Result<SearchIndexes, ServiceError> {
    let scratch;
    let setup = if config.exists() {
        Setup::load_and_ask(config, RefreshPolicy::IfDue, warn).await?
    } else {
        let system = ServiceError::system;
        scratch = tempfile::tempdir().map_err(system("no temporary directory can be made"))?;
        let file = scratch.path().join("modelwatch.toml");
        std::fs::write(&file, WITHOUT_CONFIGURATION)
            .map_err(system("a temporary file cannot be written"))?;
        Setup::load_and_ask(&file, RefreshPolicy::Now, |_| ()).await?
    };
    setup.require_trust()?;
    let mut logs: Vec<RekorV1Log> = setup
        .logs()
        .iter()
        .filter_map(|log| match log {
            MonitoredLog::Tree(_) => None,
            MonitoredLog::RekorV1(log) => Some(log.clone()),
            MonitoredLog::Guided(guided) => Some(guided.log.clone()),
        })
        .collect();
    let known = setup.known().trust;
    let root = known.as_deref().map(Trust::root);
    if let (Some(trust), Some(root)) = (known.as_deref(), root) {
        for log in listed(root, trust.logs().iter(), &setup.http) {
            if !logs.iter().any(|known| known.id() == log.id()) {
                logs.push(log);
            }
        }
    }
    let authorities = root.map(|root| root.authorities().clone());
    let authorities = authorities.ok_or_else(|| {
        Mistake(
            "--remote needs a trusted root: give --trusted-root, or [trust] in the configuration"
                .to_owned(),
        )
    })?;
    Ok(SearchIndexes { logs, authorities })
}

async fn prepare(http: &http::Client) -> Result<(), ServiceError> {
    // A problem of this machine would otherwise look like a server that does not answer.
    let prepared = http.prepare().await;
    Ok(prepared.map_err(|error| Mistake(error.to_string()))?)
}

/// The Rekor v1 logs that are listed with an address and keys.
fn listed<'a>(
    root: &TrustedRoot,
    logs: impl Iterator<Item = &'a crate::trust::ListedLog>,
    http: &http::Client,
) -> Vec<RekorV1Log> {
    let logs = logs.filter(|log| log.kind == ListedKind::RekorV1);
    logs.filter_map(|log| {
        let url = log.url.as_ref()?;
        let keys = root.rekor_v1_keys(url);
        let http = match Client::usual_interval(url) {
            Some(limit) => http.rate_limited(http::RateLimit::per_minute(limit)),
            None => http.clone(),
        };
        (!keys.is_empty()).then(|| RekorV1Log {
            name: log.name.clone(),
            server: Client::new(http, url.clone()),
            keys,
            start: Start::End,
            silence_after: None,
            rollback_after: std::time::Duration::ZERO,
        })
    })
    .collect()
}
