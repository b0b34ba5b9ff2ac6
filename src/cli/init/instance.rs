//! Which Sigstore is watched, and which logs of it have to be written down.
//!
//! Rekor v2 logs follow from trust by TUF. Others are configured: a Rekor v1 log may be too large to be read, and of a
//! CT log nobody says which protocol it speaks.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use tokio::time::timeout;
use url::Url;

use super::Args;
use crate::cli::output::Mistake;
use crate::cli::setup;
use crate::http;
use crate::trust::{
    Keeper, ListedKind, ListedLog, RepositorySettings, Settings, SourceSettings, TrustedRoot,
};

/// How long a CT log may take to say what it is.
const PROBE_TIME: Duration = Duration::from_secs(10);

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
    pub(super) kind: &'static str,
    pub(super) url: String,
    pub(super) origin: Option<String>,
}

/// What is aimed at.
pub(super) struct Instance {
    pub(super) source: Source,
    pub(super) logs: Vec<Log>,
    /// CT logs that did not say what they are.
    pub(super) unknown: Vec<String>,
    /// Whether Rekor v1 is too large to be read.
    pub(super) is_guided: bool,
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
            return Self::found(source, listed(repository).await?, false).await;
        }
        if args.staging {
            let listed = listed(RepositorySettings::Staging).await?;
            return Self::found(Source::Staging, listed, true).await;
        }
        if let Some(file) = &args.trusted_root {
            let root = TrustedRoot::from_file(file)
                .map_err(|error| Mistake(format!("{}: {error}", file.display())))?;
            let listed = root.logs();
            let is_public = listed
                .iter()
                .any(|log| log.kind == ListedKind::RekorV1 && log.name == "rekor.sigstore.dev");
            let source = Source::TrustedRoot(written(file, config)?);
            return Self::found(source, listed, is_public).await;
        }
        Ok(Self::public_good())
    }

    /// What is known of the public instance without asking anybody.
    fn public_good() -> Self {
        let log = |name: &str, kind, url: &str| Log {
            name: name.to_owned(),
            kind,
            url: url.to_owned(),
            origin: None,
        };
        Self {
            source: Source::PublicGood,
            logs: vec![
                log("rekor-v1", "rekor-v1", "https://rekor.sigstore.dev"),
                log("ct-2022", "ct-rfc6962", "https://ctfe.sigstore.dev/2022"),
            ],
            unknown: Vec::new(),
            is_guided: true,
        }
    }

    async fn found(
        source: Source,
        listed: Vec<ListedLog>,
        is_guided: bool,
    ) -> anyhow::Result<Self> {
        let now = setup::now();
        // A file names no logs to be followed by themselves.
        let by_itself = !matches!(source, Source::TrustedRoot(_));
        let http = http::Client::default();
        let (mut logs, mut unknown) = (Vec::new(), Vec::new());
        for listed in listed {
            let Some(url) = listed.url else { continue };
            let written = url.as_str().trim_end_matches('/').to_owned();
            let log = |kind, origin| Log {
                name: listed.name.clone(),
                kind,
                url: written.clone(),
                origin,
            };
            match listed.kind {
                ListedKind::RekorV2(origin) if !by_itself => {
                    logs.push(log("rekor-v2", Some(origin.as_str().to_owned())));
                }
                ListedKind::RekorV2(_) | ListedKind::Unusable(_) => {}
                ListedKind::RekorV1 => logs.push(log("rekor-v1", None)),
                // No certificate is put into it any more.
                ListedKind::Ct if listed.ends.is_some_and(|end| end < now) => {}
                ListedKind::Ct => match protocol(&http, &url).await {
                    Some(kind) => logs.push(Log {
                        name: format!("ct-{}", listed.name),
                        ..log(kind, None)
                    }),
                    None => unknown.push(written),
                },
            }
        }
        let has_ct = logs.iter().any(|log| log.kind.starts_with("ct-"));
        Ok(Self {
            source,
            logs,
            unknown,
            is_guided: is_guided && has_ct,
        })
    }

    /// Something that the operator should know.
    pub(super) fn remark(&self) -> Option<String> {
        (!self.unknown.is_empty()).then(|| {
            format!(
                "Not every log of this instance could be asked what it is: {} stand there as comments.",
                self.unknown.len()
            )
        })
    }
}

/// The logs that a repository names, verified as the monitor will.
async fn listed(repository: RepositorySettings) -> anyhow::Result<Vec<ListedLog>> {
    let scratch = tempfile::tempdir().context("a temporary directory cannot be made")?;
    let mut keeper = Keeper::open(Settings {
        source: SourceSettings::Tuf {
            repository,
            cache: scratch.path().join("tuf.json"),
        },
        refresh: Duration::ZERO,
        ignore: Vec::new(),
    })
    .map_err(|error| Mistake(format!("--root: {error}")))?;
    let refreshed = keeper.refresh(&http::Client::default(), setup::now()).await;
    match (refreshed.trust, refreshed.problem) {
        (Some(trust), None) => Ok(trust.logs().to_vec()),
        (_, Some(problem)) => {
            anyhow::bail!("the TUF repository cannot be trusted or reached: {problem}")
        }
        (None, None) => anyhow::bail!("the TUF repository says nothing"),
    }
}

/// Which protocol a CT log speaks; `None` if it cannot be said.
async fn protocol(http: &http::Client, url: &Url) -> Option<&'static str> {
    for (file, kind) in [("ct/v1/get-sth", "ct-rfc6962"), ("checkpoint", "ct-static")] {
        let head = url.join(file).ok()?;
        if matches!(
            timeout(PROBE_TIME, http.get(&head, PROBE_BYTES)).await,
            Ok(Ok(Some(_)))
        ) {
            return Some(kind);
        }
    }
    None
}

/// The path of a file as the configuration has to name it: its name if it lies beside it, else in full.
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
            "{} is no UTF-8, which a configuration has to be",
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
    fn a_file_is_named_from_where_the_configuration_stands() {
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
