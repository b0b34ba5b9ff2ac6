//! One set of conditions: in a watch itself, in its `any`, in its `shape`.

use std::collections::BTreeMap;

use super::problems::Problems;
use super::reader::{At, Section};
use super::{keys, lints};
use crate::identity::Extension;
use crate::watch::{Conditions, Glob, SanRegex};

/// Reads the conditions of a table and reports doubtful ones; the caller reads the table's other keys.
pub(super) fn read(section: &Section<'_>, problems: &mut Problems) -> Conditions {
    let owned = |values: Vec<At<&str>>| -> Vec<String> {
        values
            .into_iter()
            .map(|value| value.value.to_owned())
            .collect()
    };
    let sans = section.strings("san", problems);
    for san in &sans {
        lints::on_san(san, problems);
    }
    let mut globs = Vec::new();
    for written in section.strings("san_glob", problems) {
        let glob = Glob::new(written.value);
        if glob.matches_everything() {
            problems.error(&written.place, "matches every name", None);
            continue;
        }
        lints::on_glob(&written, problems);
        globs.push(glob);
    }
    let mut regexes = Vec::new();
    for written in section.strings("san_regex", problems) {
        match SanRegex::new(written.value) {
            Ok(regex) => {
                lints::on_regex(&written, &regex, problems);
                regexes.push(regex);
            }
            Err(error) => {
                let glob = written.value.starts_with('*');
                let hint = glob.then(|| "did you mean san_glob?".to_owned());
                problems.error(&written.place, error.to_string(), hint);
            }
        }
    }
    let issuers = section.strings("issuer", problems);
    for issuer in &issuers {
        lints::on_issuer(issuer, problems);
    }
    let conditions = Conditions {
        san: owned(sans),
        san_glob: globs,
        san_regex: regexes,
        issuer: owned(issuers),
        extension: extensions(section, problems),
        extension_glob: extension_globs(section, problems),
        key_sha256: digests(section, "key_sha256", problems),
        certificate_sha256: digests(section, "certificate_sha256", problems),
    };
    lints::on_names_together(section, &conditions, problems);
    conditions
}

/// Whether the operator wrote a condition, even a wrong one: then "no conditions" would mislead.
pub(super) fn written(section: &Section<'_>) -> bool {
    keys::CONDITIONS.iter().any(|key| section.has(key))
}

fn extensions(section: &Section<'_>, problems: &mut Problems) -> BTreeMap<Extension, Vec<String>> {
    let mut extensions = BTreeMap::new();
    let Some(table) = section.table("extension", problems) else {
        return extensions;
    };
    for (extension, values) in by_extension(&table, problems) {
        for value in &values {
            if extension == Extension::Issuer {
                lints::on_issuer(value, problems);
            }
            lints::on_extension(value, problems);
        }
        let values = values.into_iter().map(|value| value.value.to_owned());
        extensions.insert(extension, values.collect());
    }
    extensions
}

fn extension_globs(
    section: &Section<'_>,
    problems: &mut Problems,
) -> BTreeMap<Extension, Vec<Glob>> {
    let mut extensions = BTreeMap::new();
    let Some(table) = section.table("extension_glob", problems) else {
        return extensions;
    };
    for (extension, values) in by_extension(&table, problems) {
        let mut globs = Vec::new();
        for value in &values {
            lints::on_extension_glob(value, problems);
            globs.push(Glob::new(value.value));
        }
        extensions.insert(extension, globs);
    }
    extensions
}

/// The values of each extension that a table names.
fn by_extension<'a>(
    table: &Section<'a>,
    problems: &mut Problems,
) -> Vec<(Extension, Vec<At<&'a str>>)> {
    if table.keys().next().is_none() {
        problems.error(table.place(), "is empty", None);
    }
    let mut extensions = Vec::new();
    for key in table.keys() {
        let Some(extension) = Extension::from_name(key) else {
            let near = keys::nearest(key, Extension::ALL.map(Extension::name));
            problems.error(
                &table.place_of(key),
                "is not an extension of Fulcio's certificates",
                near.map(|near| format!("did you mean {near}?")),
            );
            continue;
        };
        extensions.push((extension, table.strings(key, problems)));
    }
    extensions
}

fn digests(section: &Section<'_>, key: &str, problems: &mut Problems) -> Vec<[u8; 32]> {
    let mut digests = Vec::new();
    for written in section.strings(key, problems) {
        let text = written.value;
        let mut digest = [0; 32];
        let lower = !text.bytes().any(|byte| byte.is_ascii_uppercase());
        if lower && hex::decode_to_slice(text, &mut digest).is_ok() {
            digests.push(digest);
            continue;
        }
        let plain: String = text
            .trim_start_matches("sha256:")
            .chars()
            .filter(|c| *c != ':' && *c != ' ')
            .collect();
        let hint = if plain.len() == 64 && plain.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            format!("write {}", plain.to_ascii_lowercase())
        } else if plain.len() == 40 {
            "this looks like a SHA-1 fingerprint; use SHA-256".to_owned()
        } else if key == "key_sha256" {
            "openssl pkey -pubin -in key.pem -outform DER | sha256sum".to_owned()
        } else {
            "openssl x509 -in certificate.pem -outform DER | sha256sum".to_owned()
        };
        problems.error(
            &written.place,
            "is not a SHA-256 as 64 hexadecimal digits in lower case",
            hint,
        );
    }
    digests
}
