//! `[trust]`: certificate authorities, keys of logs, and the list of logs.

use std::path::{Path, PathBuf};
use std::time::Duration;

use url::Url;

use super::context::Context;
use super::keys;
use super::problems::Problems;
use super::reader::Section;
use super::values::{file, has_userinfo};
use crate::trust::{RepositorySettings, Settings, SourceSettings};

/// The repository of the public instance is signed again every few days; a file in it changes every few months.
const DEFAULT_REFRESH: Duration = Duration::from_hours(6);

/// The values of `[trust]`, and whether they are present even if they are wrong: then other sections need not report an
/// absent one.
pub(super) struct Trust {
    pub(super) settings: Option<Settings>,
    /// Something gives keys.
    pub(super) gives_keys: bool,
    /// Something lists the logs.
    pub(super) discovers: bool,
}

pub(super) fn read(
    root: &Section<'_>,
    database: Option<&Path>,
    context: &Context<'_>,
    problems: &mut Problems,
) -> Trust {
    let Some(section) = root.table("trust", problems) else {
        return Trust {
            settings: None,
            gives_keys: false,
            discovers: false,
        };
    };
    section.only("trust", &keys::TRUST, problems);
    let discovers = ["tuf", "trust_config", "monitor_config"]
        .iter()
        .any(|key| section.has(key));
    let source = source(&section, database, context, problems);
    let refresh = if section.has("refresh") {
        section.duration("refresh", problems)
    } else {
        Some(DEFAULT_REFRESH)
    };
    for key in ["cache", "refresh"] {
        if section.has(key) && !section.has("tuf") {
            problems.error(
                &section.place_of(key),
                "belongs to tuf, which is not given",
                "a file is read again before each pass".to_owned(),
            );
        }
    }
    let monitor_config = if section.has("monitor_config") {
        file(&section, "monitor_config", context, problems)
    } else {
        None
    };
    if section.has("monitor_config") && section.has("tuf") {
        problems.error(
            &section.place_of("monitor_config"),
            "belongs to trusted_root or trust_config, and tuf is given",
            "a repository has its own monitor_config.json, which is read automatically".to_owned(),
        );
    }
    if section.has("ignore") && !discovers {
        problems.error(
            &section.place_of("ignore"),
            "a trusted root in a file lists no logs to follow, so none need be ignored",
            None,
        );
    }
    let ignore = section.strings("ignore", problems);
    let settings = source.zip(refresh).map(|(source, refresh)| Settings {
        source,
        monitor_config,
        refresh,
        ignore: ignore.into_iter().map(|at| at.value.to_owned()).collect(),
    });
    Trust {
        settings,
        gives_keys: discovers || section.has("trusted_root"),
        discovers,
    }
}

/// Exactly one of three.
fn source(
    section: &Section<'_>,
    database: Option<&Path>,
    context: &Context<'_>,
    problems: &mut Problems,
) -> Option<SourceSettings> {
    let written: Vec<&str> = ["trusted_root", "trust_config", "tuf"]
        .into_iter()
        .filter(|key| section.has(key))
        .collect();
    match written.as_slice() {
        ["trusted_root"] => {
            file(section, "trusted_root", context, problems).map(SourceSettings::TrustedRoot)
        }
        ["trust_config"] => {
            file(section, "trust_config", context, problems).map(SourceSettings::ClientTrustConfig)
        }
        [_] => {
            let repository = repository(section, context, problems);
            let cache = cache(section, database, context, problems);
            Some(SourceSettings::Tuf {
                repository: repository?,
                cache: cache?,
            })
        }
        [] => {
            problems.error(
                section.place(),
                "names no source of the trusted root",
                "write tuf = \"public-good\", or give trusted_root or trust_config".to_owned(),
            );
            None
        }
        [_, second, ..] => {
            problems.error(
                &section.place_of(second),
                "there are two sources of the trusted root",
                "keep one of tuf, trusted_root and trust_config".to_owned(),
            );
            None
        }
    }
}

fn repository(
    section: &Section<'_>,
    context: &Context<'_>,
    problems: &mut Problems,
) -> Option<RepositorySettings> {
    if !section.is_string("tuf") {
        let table = section
            .table("tuf", problems)?
            .renamed("trust.tuf".to_owned());
        return mirror(&table, context, problems);
    }
    let written = section.string("tuf", problems)?;
    match written.value {
        "public-good" => Some(RepositorySettings::PublicGood),
        "staging" => Some(RepositorySettings::Staging),
        other => {
            problems.error(
                &written.place,
                format!("{other:?} is not the name of a repository"),
                "write \"public-good\", \"staging\" or { mirror = \"https://…\", root = \"root.json\" }"
                    .to_owned(),
            );
            None
        }
    }
}

fn mirror(
    table: &Section<'_>,
    context: &Context<'_>,
    problems: &mut Problems,
) -> Option<RepositorySettings> {
    table.only("trust.tuf", &keys::TUF, problems);
    let mirror = table.required("mirror", problems).and_then(|written| {
        let url = Url::parse(written.value).ok();
        if url
            .as_ref()
            .is_some_and(|url| has_userinfo(url, &written.place, problems))
        {
            return None;
        }
        let url = url
            .filter(|url| matches!(url.scheme(), "https" | "http"))
            .filter(|url| url.query().is_none() && url.fragment().is_none());
        if url.is_none() {
            let message = "is not an http or https URL of a directory";
            problems.error(&written.place, message, None);
        }
        url
    });
    if !table.has("root") {
        problems.error(
            table.place(),
            "root is missing: without it nothing from a mirror could be verified",
            "give the repository's first root.json, from a trusted source".to_owned(),
        );
    }
    let root = file(table, "root", context, problems);
    Some(RepositorySettings::Mirror {
        mirror: mirror?,
        root: root?,
    })
}

/// Beside the database unless configured: a backup needs both.
fn cache(
    section: &Section<'_>,
    database: Option<&Path>,
    context: &Context<'_>,
    problems: &mut Problems,
) -> Option<PathBuf> {
    if section.has("cache") {
        let written = section.string("cache", problems)?;
        return Some(context.path(written.value));
    }
    Some(database?.with_extension("tuf.json"))
}
