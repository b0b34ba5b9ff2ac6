//! Values that several sections share: files, URLs, secrets and unique names.

use std::collections::HashMap;
use std::path::PathBuf;

use url::Url;

use super::context::Context;
use super::place::Place;
use super::problems::Problems;
use super::reader::{At, Section};
use crate::secret::{SecretSource, UrlSource};

/// The path of a file that has to be there.
pub(super) fn file(
    section: &Section<'_>,
    key: &str,
    context: &Context<'_>,
    problems: &mut Problems,
) -> Option<PathBuf> {
    let written = section.string(key, problems)?;
    existing(&written, context, problems)
}

/// One file, or a list of them.
pub(super) fn files(
    section: &Section<'_>,
    key: &str,
    context: &Context<'_>,
    problems: &mut Problems,
) -> Vec<PathBuf> {
    section
        .strings(key, problems)
        .iter()
        .filter_map(|written| existing(written, context, problems))
        .collect()
}

/// The path, if the file exists.
pub(super) fn existing(
    written: &At<&str>,
    context: &Context<'_>,
    problems: &mut Problems,
) -> Option<PathBuf> {
    let path = context.path(written.value);
    if !(context.is_file)(&path) {
        problems.error(
            &written.place,
            format!("there is no file {}", path.display()),
            "relative paths start at the directory of the configuration file".to_owned(),
        );
        return None;
    }
    problems.note(&written.place);
    Some(path)
}

/// `url`, `url_env` or `url_file`: exactly one of them.
pub(super) fn url(
    section: &Section<'_>,
    context: &Context<'_>,
    problems: &mut Problems,
) -> Option<UrlSource> {
    let written: Vec<&str> = ["url", "url_env", "url_file"]
        .into_iter()
        .filter(|key| section.has(key))
        .collect();
    match written.as_slice() {
        ["url"] => {
            let url = section.string("url", problems)?;
            match Url::parse(url.value) {
                Ok(parsed) if has_userinfo(&parsed, &url.place, problems) => None,
                Ok(parsed) if matches!(parsed.scheme(), "https" | "http") => {
                    Some(UrlSource::Literal(parsed))
                }
                _ => {
                    problems.error(&url.place, "is not an http or https URL", None);
                    None
                }
            }
        }
        [_] => secret(section, "url", context, problems).map(UrlSource::Secret),
        [] => {
            problems.error(
                section.place(),
                "one of url, url_env and url_file is missing",
                None,
            );
            None
        }
        [_, second, ..] => {
            problems.error(
                &section.place_of(second),
                "the URL is given twice",
                "keep one of url, url_env and url_file".to_owned(),
            );
            None
        }
    }
}

/// Whether a URL contains a user or a password, which is an error: URLs are displayed, compared and stored.
pub(super) fn has_userinfo(url: &Url, place: &Place, problems: &mut Problems) -> bool {
    let has = !url.username().is_empty() || url.password().is_some();
    if has {
        problems.error(
            place,
            "a URL may not contain a user or a password",
            format!(
                "use [[http.credentials]] with host = {:?}",
                url.host_str().unwrap_or_default()
            ),
        );
    }
    has
}

/// `NAME_env` or `NAME_file`, at most one of them. Neither variable nor file has to exist yet: a broken channel must
/// not prevent the monitor from starting.
pub(super) fn secret(
    section: &Section<'_>,
    name: &str,
    context: &Context<'_>,
    problems: &mut Problems,
) -> Option<SecretSource> {
    let (env, file) = (format!("{name}_env"), format!("{name}_file"));
    if section.has(&env) && section.has(&file) {
        problems.error(
            &section.place_of(&file),
            format!("{env} is given as well"),
            "keep one of them".to_owned(),
        );
        return None;
    }
    if let Some(written) = section.string(&env, problems) {
        return variable(&written, problems).map(SecretSource::Env);
    }
    let path = section.string(&file, problems)?;
    Some(SecretSource::File(context.path(path.value)))
}

fn variable(written: &At<&str>, problems: &mut Problems) -> Option<String> {
    let mut characters = written.value.chars();
    if characters.all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return Some(written.value.to_owned());
    }
    // The value is not repeated: it may be the secret itself.
    problems.error(
        &written.place,
        "is not the name of an environment variable",
        "write the variable's name here and put the secret into the variable".to_owned(),
    );
    None
}

/// A table of names, each with an environment variable.
pub(super) fn variables(
    section: &Section<'_>,
    key: &str,
    problems: &mut Problems,
) -> Option<Vec<(String, String)>> {
    let table = section.table(key, problems)?;
    let mut variables = Vec::new();
    for name in table.keys() {
        let written = table.string(name, problems)?;
        variables.push((name.to_owned(), variable(&written, problems)?));
    }
    Some(variables)
}

/// Reports a name that was used before. Findings, alerts and the command line use names as references.
pub(super) fn unique(
    seen: &mut HashMap<String, usize>,
    name: &str,
    what: &str,
    place: &Place,
    problems: &mut Problems,
) {
    let count = seen.entry(name.to_owned()).or_default();
    *count += 1;
    if *count > 1 {
        problems.error(place, format!("there is another {what} {name:?}"), None);
    }
}
