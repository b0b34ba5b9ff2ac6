//! Which Sigstore is watched, and which logs of it have to be written down.
//!
//! Rekor v2 logs follow from a TUF repository. Others are configured: a Rekor v1 log may be too large to be read; no
//! document contains the protocol of a CT log; and if the address of a Rekor v2 log is not its origin, only the log
//! itself has the origin, which its key and log id prove.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use futures_util::StreamExt as _;
use tlog::Origin;
use url::Url;

use super::args::Args;
use super::given::Start;
use crate::cli::output::Mistake;
use crate::clock;
use crate::http::{self, Retry};
use crate::log::{Protocol, open_checkpoint};
use crate::trust::{
    ListedKind, ListedLog, Problem, RepositorySettings, Settings, SourceSettings, Trust,
    TrustUpdater, TrustedRoot,
};

/// How long a CT log may take to answer: the operator waits at a terminal.
const PROBE_RETRY: Retry = Retry {
    tries: 3,
    total: Duration::from_secs(10),
    first_delay: Duration::from_millis(300),
};

/// CT logs that are probed at once.
const PROBES_AT_ONCE: usize = 4;

/// The public Rekor v1: its type is known.
const PUBLIC_REKOR: &str = "rekor.sigstore.dev";

/// A tree head or a checkpoint.
const PROBE_BYTES: usize = 64 * 1024;

/// Where trust comes from, as it is written.
pub(super) enum Source {
    PublicGood,
    Staging,
    Mirror { url: Url, root: String },
    TrustedRoot(String),
}

/// A `[[log]]` to be written.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Log {
    pub(super) name: String,
    pub(super) protocol: Protocol,
    pub(super) url: String,
    pub(super) origin: Option<String>,
}

/// What is aimed at.
pub(super) struct Instance {
    pub(super) source: Source,
    pub(super) logs: Vec<Log>,
    /// CT logs of an unknown type, because they did not answer.
    pub(super) unknown: Vec<String>,
    /// Logs that nothing can be written down for, each with the reason.
    pub(super) unfollowed: Vec<String>,
    /// Whether Rekor v1 is too large to be read.
    pub(super) is_guided: bool,
}

/// The type of a log that was probed.
enum Spoken {
    /// A CT log: its protocol, and its origin where it has one.
    Ct(Protocol, Option<String>),
    /// A Rekor v2 log of this origin, which its key and log id prove.
    RekorV2(Origin),
}

impl Instance {
    pub(super) async fn of(args: &Args, config: &Path) -> anyhow::Result<Self> {
        if let (Some(url), Some(root)) = (&args.tuf_mirror, &args.root) {
            let repository = RepositorySettings::Mirror {
                mirror: url.clone(),
                root: root.clone(),
            };
            let source = Source::Mirror {
                url: url.clone(),
                root: written(root, config)?,
            };
            let trust = trusted(repository).await?;
            return Self::found(source, trust.root(), trust.logs().to_vec(), false).await;
        }
        if args.staging {
            let trust = trusted(RepositorySettings::Staging).await?;
            let listed = trust.logs().to_vec();
            return Self::found(Source::Staging, trust.root(), listed, true).await;
        }
        if let Some(file) = &args.trusted_root {
            let root = TrustedRoot::from_file(file)
                .map_err(|error| Mistake(format!("{}: {error}", file.display())))?;
            let listed = root.logs();
            let is_public = listed
                .iter()
                .any(|log| log.kind == ListedKind::RekorV1 && log.name == PUBLIC_REKOR);
            let source = Source::TrustedRoot(written(file, config)?);
            return Self::found(source, &root, listed, is_public).await;
        }
        Ok(Self::public_good())
    }

    /// What is known of the public instance without a request.
    fn public_good() -> Self {
        let log = |name: &str, protocol, url: &str| Log {
            name: name.to_owned(),
            protocol,
            url: url.to_owned(),
            origin: None,
        };
        Self {
            source: Source::PublicGood,
            logs: vec![
                log("rekor-v1", Protocol::RekorV1, "https://rekor.sigstore.dev"),
                log(
                    "ct-2022",
                    Protocol::CtRfc6962,
                    "https://ctfe.sigstore.dev/2022",
                ),
            ],
            unknown: Vec::new(),
            unfollowed: Vec::new(),
            is_guided: true,
        }
    }

    async fn found(
        source: Source,
        root: &TrustedRoot,
        listed: Vec<ListedLog>,
        is_guided: bool,
    ) -> anyhow::Result<Self> {
        let now = clock::now();
        // The logs that trust names are followed under their origins.
        let named: Vec<String> = listed
            .iter()
            .filter_map(|log| match &log.kind {
                ListedKind::RekorV2(origin) => Some(origin.as_str().to_owned()),
                _ => None,
            })
            .collect();
        // A file names no logs to be followed by themselves.
        let by_itself = !matches!(source, Source::TrustedRoot(_));
        let http = http::Client::new(http::Settings {
            retry: PROBE_RETRY,
            ..http::Settings::default()
        });
        let (mut logs, mut unknown, mut unfollowed) = (Vec::new(), Vec::new(), Vec::new());
        let mut found = futures_util::stream::iter(listed)
            // No certificate is put into one that has ended.
            .filter(|log| {
                let over = log.kind == ListedKind::Ct && log.ends.is_some_and(|end| end < now);
                std::future::ready(!over)
            })
            .map(|log| {
                let http = &http;
                async move {
                    let spoken = match (&log.kind, &log.url) {
                        (ListedKind::Ct, Some(url)) => spoken(http, url).await,
                        // With an ECDSA key a v2 log is listed like a v1 log.
                        (ListedKind::RekorV2Unnamed | ListedKind::RekorV1, Some(url))
                            if log.name != PUBLIC_REKOR =>
                        {
                            tiled(http, url, root).await
                        }
                        _ => None,
                    };
                    (log, spoken)
                }
            })
            .buffered(PROBES_AT_ONCE);
        while let Some((listed, spoken)) = found.next().await {
            let written = listed.url.as_ref().map(|url| {
                let url = url.as_str().trim_end_matches('/');
                url.to_owned()
            });
            let Some(written) = written else {
                unfollowed.extend(nothing_for(&listed));
                continue;
            };
            let log = |protocol, origin: Option<&Origin>| Log {
                name: listed.name.clone(),
                protocol,
                url: written.clone(),
                origin: origin.map(|origin| origin.as_str().to_owned()),
            };
            match (&listed.kind, spoken) {
                (ListedKind::RekorV2(origin), _) if !by_itself => {
                    logs.push(log(Protocol::RekorV2, Some(origin)));
                }
                (_, Some(Spoken::RekorV2(origin))) => logs.push(Log {
                    // As one that trust names is called: its address may be that of a machine with several logs.
                    name: origin.as_str().to_owned(),
                    ..log(Protocol::RekorV2, Some(&origin))
                }),
                (ListedKind::RekorV1, _) => logs.push(log(Protocol::RekorV1, None)),
                (ListedKind::Ct, Some(Spoken::Ct(protocol, origin))) => logs.push(Log {
                    name: format!("ct-{}", listed.name),
                    origin,
                    ..log(protocol, None)
                }),
                (ListedKind::Ct, None) => unknown.push(written),
                _ => unfollowed.extend(nothing_for(&listed)),
            }
        }
        drop(found);
        distinguish(&mut logs, &named);
        if logs.is_empty() && !by_itself && !unfollowed.is_empty() {
            let why = unfollowed.join("; ");
            return Err(
                Mistake(format!("no log of the trusted root can be followed: {why}")).into(),
            );
        }
        let has_ct = logs.iter().any(|log| log.protocol.is_ct());
        Ok(Self {
            source,
            logs,
            unknown,
            unfollowed,
            is_guided: is_guided && has_ct,
        })
    }

    /// Remarks for the operator, a line each.
    pub(super) fn remarks(&self, start: &Start) -> Vec<String> {
        let mut remarks = Vec::new();
        for log in &self.unfollowed {
            remarks.push(format!("Not followed: {log}."));
        }
        if !self.unknown.is_empty() {
            remarks.push(format!(
                "These certificate logs did not answer, so their type is unknown and they are comments in the file: {}.",
                self.unknown.len()
            ));
        }
        if self.is_guided && *start != Start::End {
            remarks.push(
                "Its certificate logs are long, and from then on they are read in full: the first pass may take days. \
                 With start = \"end\" in their sections only new certificates are read."
                    .to_owned(),
            );
        }
        remarks
    }
}

/// The trust of a repository, verified as the monitor verifies it.
async fn trusted(repository: RepositorySettings) -> anyhow::Result<Arc<Trust>> {
    let root = match &repository {
        RepositorySettings::Mirror { root, .. } => root.display().to_string(),
        _ => "that is built in".to_owned(),
    };
    let scratch = tempfile::tempdir().context("a temporary directory cannot be made")?;
    let mut updater = TrustUpdater::open(Settings {
        source: SourceSettings::Tuf {
            repository,
            cache: scratch.path().join("tuf.json"),
        },
        monitor_config: None,
        refresh: Duration::ZERO,
        ignore: Vec::new(),
    })
    .map_err(|error| Mistake(format!("the root {root}: {error}")))?;
    let refreshed = updater
        .refresh(&http::Client::default(), clock::now())
        .await;
    match (refreshed.trust, refreshed.problem) {
        (Some(trust), None) => Ok(trust),
        (_, Some(Problem::Unreachable(why))) => {
            anyhow::bail!("the TUF repository cannot be read, so the logs are unknown: {why}")
        }
        (_, Some(refused @ Problem::Refused { .. })) => {
            anyhow::bail!("the content of the TUF repository cannot be trusted: it is {refused}")
        }
        (None, None) => anyhow::bail!("the TUF repository is empty"),
    }
}

/// The type of a CT log, and its origin where its answer has one; `None` if it does not answer.
async fn spoken(http: &http::Client, url: &Url) -> Option<Spoken> {
    let get = async |file: &str| {
        let head = http.get(&url.join(file).ok()?, PROBE_BYTES).await;
        head.ok().flatten()
    };
    if let Some(head) = get("ct/v1/get-sth").await
        && let Ok(head) = serde_json::from_slice::<serde_json::Value>(&head)
        && head.get("tree_head_signature").is_some()
    {
        return Some(Spoken::Ct(Protocol::CtRfc6962, None));
    }
    // The log claims this origin; its key proves it at each pass.
    let checkpoint = get("checkpoint").await?;
    let origin = first_line(&checkpoint)?;
    Some(Spoken::Ct(
        Protocol::CtStatic,
        Some(origin.as_str().to_owned()),
    ))
}

/// The origin of the Rekor v2 log at that address, by its own word, if a key of the trusted root proves it; `None` if it does
/// not answer, or nothing proves it.
async fn tiled(http: &http::Client, url: &Url, root: &TrustedRoot) -> Option<Spoken> {
    for path in ["api/v2/checkpoint", "checkpoint"] {
        let note = http.get(&url.join(path).ok()?, PROBE_BYTES).await;
        let Ok(Some(note)) = note else { continue };
        let Some(origin) = first_line(&note) else {
            continue;
        };
        let keys = root.log_keys(&origin, Some(url));
        if open_checkpoint(&note, &origin, &keys).is_ok() {
            return Some(Spoken::RekorV2(origin));
        }
    }
    None
}

fn first_line(note: &[u8]) -> Option<Origin> {
    let first = note.split(|byte| *byte == b'\n').next()?;
    Origin::new(std::str::from_utf8(first).ok()?).ok()
}

/// Gives each log a name of its own, which is also none of `taken` unless that is its origin: the monitor refuses a configuration
/// with a name twice.
fn distinguish(logs: &mut [Log], taken: &[String]) {
    let mut used: Vec<String> = Vec::new();
    for log in logs {
        let is_own = log.origin.as_deref() == Some(log.name.as_str());
        let is_free = |name: &String| !used.contains(name) && (is_own || !taken.contains(name));
        if !is_free(&log.name) {
            let mut names = (2..).map(|number: u32| format!("{}-{number}", log.name));
            if let Some(name) = names.find(|name| !used.contains(name) && !taken.contains(name)) {
                log.name = name;
            }
        }
        used.push(log.name.clone());
    }
}

/// Why nothing is written down for a log that is listed; `None` if nothing has to be.
fn nothing_for(log: &ListedLog) -> Option<String> {
    let why = match &log.kind {
        ListedKind::Unusable(why) => why.clone(),
        ListedKind::RekorV2Unnamed => format!(
            "its origin is not its address, and its checkpoint could not be fetched or is not signed by its key: add a [[log]] with type = \"rekor-v2\", url = \"{}\" and as origin the first line of the checkpoint",
            log.url.as_ref().map_or("…", Url::as_str)
        ),
        // It is followed without a [[log]], or it cannot be verified.
        ListedKind::RekorV2(_) | ListedKind::NoKey | ListedKind::RekorV1 | ListedKind::Ct => {
            return None;
        }
    };
    Some(format!("{}: {why}", log.name))
}

/// The path of a file as the configuration has to name it: its name if it is in the same directory, otherwise in full.
fn written(file: &Path, config: &Path) -> anyhow::Result<String> {
    let absolute = |path: &Path| -> anyhow::Result<PathBuf> {
        std::path::absolute(path)
            .map_err(|error| Mistake(format!("{}: {error}", path.display())).into())
    };
    let (file, config) = (absolute(file)?, absolute(config)?);
    let beside = config
        .parent()
        .and_then(|directory| file.strip_prefix(directory).ok());
    let path = beside.unwrap_or(&file);
    match path.to_str() {
        Some(text) => Ok(text.to_owned()),
        None => Err(Mistake(format!(
            "{} is not UTF-8, and a configuration must be",
            path.display()
        ))
        .into()),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    #[test]
    fn the_logs_of_the_public_instance_are_those_of_the_root_that_is_built_in() {
        let json = sigstore_trust_root::SigstoreInstance::PublicGood.embedded_trusted_root_json();
        let root = TrustedRoot::parse(json.as_bytes()).unwrap();
        let now = "2026-11-21T00:00:00Z".parse().unwrap();
        let listed = root.logs().into_iter().filter(|log| match log.kind {
            ListedKind::RekorV1 => true,
            ListedKind::Ct => log.ends.is_none_or(|end| end > now),
            _ => false,
        });
        let mut listed: Vec<_> = listed
            .map(|log| log.url.unwrap().as_str().trim_end_matches('/').to_owned())
            .collect();
        let known = Instance::public_good().logs.into_iter();
        let mut known: Vec<_> = known.map(|log| log.url).collect();
        listed.sort_unstable();
        known.sort_unstable();
        assert_eq!(known, listed);
    }

    #[test]
    fn each_log_has_a_name_of_its_own() {
        let log = |name: &str, origin: Option<&str>| Log {
            name: name.to_owned(),
            protocol: Protocol::RekorV1,
            url: String::new(),
            origin: origin.map(str::to_owned),
        };
        let mut logs = [
            log("a", None),
            log("a", None),
            log("b", None),
            log("b", Some("b")),
            log("a-2", None),
            log("c", Some("c")),
        ];
        distinguish(&mut logs, &["b".to_owned(), "c".to_owned()]);
        let names: Vec<_> = logs.iter().map(|log| log.name.as_str()).collect();
        assert_eq!(names, ["a", "a-2", "b-2", "b", "a-2-2", "c"]);
    }

    #[test]
    fn paths_are_relative_to_the_directory_of_the_configuration() {
        for (file, config, expected) in [
            ("/etc/mw/root.json", "/etc/mw/modelwatch.toml", "root.json"),
            (
                "/etc/mw/tuf/root.json",
                "/etc/mw/modelwatch.toml",
                "tuf/root.json",
            ),
            (
                "/srv/root.json",
                "/etc/mw/modelwatch.toml",
                "/srv/root.json",
            ),
        ] {
            assert_eq!(
                written(Path::new(file), Path::new(config)).unwrap(),
                expected
            );
        }
    }
}
