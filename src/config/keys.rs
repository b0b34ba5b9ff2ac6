//! Every key there is.

use crate::notify::{CHANNEL_TYPES, ChannelType};

/// The sections of the configuration, each with its keys, except `[[channel]]`, whose keys are [`of_channels`].
#[cfg(test)]
pub(super) const SECTIONS: [(&str, &[&str]); 13] = [
    ("store", &STORE),
    ("trust", &TRUST),
    ("monitor", &MONITOR),
    ("heartbeat", &HEARTBEAT),
    ("http", &HTTP),
    ("http.credentials", &HTTP_CREDENTIALS),
    ("log", &LOG),
    ("watch", &WATCH),
    ("canary", &CANARY),
    ("expect_from", &EXPECT_FROM),
    ("witness", &WITNESS),
    ("web", &WEB),
    ("metrics", &METRICS),
];

pub(super) const TOP: [&str; 13] = [
    "store",
    "trust",
    "monitor",
    "heartbeat",
    "http",
    "log",
    "watch",
    "channel",
    "canary",
    "expect_from",
    "witness",
    "web",
    "metrics",
];

pub(super) const STORE: [&str; 1] = ["url"];

pub(super) const TRUST: [&str; 7] = [
    "tuf",
    "trusted_root",
    "trust_config",
    "monitor_config",
    "cache",
    "refresh",
    "ignore",
];

/// A repository without a predefined name.
pub(super) const TUF: [&str; 2] = ["mirror", "root"];

pub(super) const MONITOR: [&str; 3] = ["schedule", "start", "fail_on"];

pub(super) const HEARTBEAT: [&str; 4] = ["url", "url_env", "url_file", "every"];

pub(super) const HTTP: [&str; 6] = [
    "proxy",
    "proxy_env",
    "proxy_file",
    "no_proxy",
    "ca_certificates",
    "credentials",
];

pub(super) const HTTP_CREDENTIALS: [&str; 8] = [
    "host",
    "port",
    "scheme",
    "user",
    "password_env",
    "password_file",
    "token_env",
    "token_file",
];

pub(super) const CANARY: [&str; 2] = ["watch", "every"];

pub(super) const EXPECT_FROM: [&str; 12] = [
    "name",
    "git",
    "dir",
    "url",
    "branch",
    "path",
    "authority",
    "allowed_signers",
    "watch",
    "every",
    "allow_hosts",
    "allow_private",
];

pub(super) const WITNESS: [&str; 2] = ["name", "public_key"];

pub(super) const WEB: [&str; 10] = [
    "listen",
    "base_url",
    "token_env",
    "token_file",
    "trusted_proxy",
    "user_header",
    "proxy_secret_env",
    "proxy_secret_file",
    "actions",
    "ready_max_age",
];

pub(super) const METRICS: [&str; 1] = ["textfile"];

pub(super) const LOG: [&str; 12] = [
    "name",
    "type",
    "url",
    "mode",
    "guided_by",
    "origin",
    "public_key",
    "start",
    "silence_after",
    "rollback_after",
    "require_witnesses",
    "requests_per_minute",
];

/// One set of conditions: in a watch itself, in each table of its `any`, and in its `shape`.
pub(super) const CONDITIONS: [&str; 8] = [
    "san",
    "san_glob",
    "san_regex",
    "issuer",
    "extension",
    "extension_glob",
    "key_sha256",
    "certificate_sha256",
];

pub(super) const WATCH: [&str; 15] = [
    "name",
    "severity",
    "notify",
    "any",
    "shape",
    "hold",
    "expected",
    "san",
    "san_glob",
    "san_regex",
    "issuer",
    "extension",
    "extension_glob",
    "key_sha256",
    "certificate_sha256",
];

/// The keys that a channel of every type has.
pub(super) const EVERY_CHANNEL: [&str; 6] = [
    "name",
    "type",
    "min_severity",
    "verdicts",
    "watches",
    "quiet_hours",
];

pub(super) const QUIET_HOURS: [&str; 4] = ["from", "to", "zone", "except"];

/// The keys of channels of any type, each once.
pub(super) fn of_channels() -> Vec<String> {
    let mut keys: Vec<String> = EVERY_CHANNEL.map(ToOwned::to_owned).to_vec();
    for key in CHANNEL_TYPES.iter().flat_map(ChannelType::written_keys) {
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    keys
}

/// The element of a list that a mistyped one was most likely meant to be.
pub(super) fn nearest<'a>(
    written: &str,
    words: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    // Keys are short; a much longer text is not compared.
    if written.len() > 100 {
        return None;
    }
    let written = written.to_lowercase().replace('-', "_");
    words
        .into_iter()
        .map(|word| {
            // An abbreviation is nearer than another word that happens to be as long.
            let abbreviated = written.len() >= 4 && word.starts_with(&written);
            let likeness = if abbreviated {
                1.0
            } else {
                strsim::jaro_winkler(&written, word)
            };
            (likeness, word)
        })
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, word)| word)
}

/// Keys of later versions, and places of secrets: mistakes with an answer of their own instead of a similar key.
pub(super) fn special(section: &str, key: &str) -> Option<&'static str> {
    match (section, key) {
        ("channel", "password") => {
            Some("secrets stay out of this file: use password_env or password_file")
        }
        ("channel", "headers") => {
            Some("secrets stay out of this file: use headers_env = { \"NAME\" = \"VARIABLE\" }")
        }
        ("channel", "token" | "routing_key") => {
            Some("secrets stay out of this file: use its _env or _file")
        }
        ("channel", "secret") => {
            Some("secrets stay out of this file: use secret_env or secret_file")
        }
        ("http.credentials", "password" | "token") => Some(
            "secrets stay out of this file: use password_env, password_file, token_env or token_file",
        ),
        ("web", "token" | "proxy_secret") => Some(
            "secrets stay out of this file: use token_env, token_file, proxy_secret_env or proxy_secret_file",
        ),
        ("http", "ca_file") => Some("did you mean ca_certificates?"),
        ("", "canaries") => Some("did you mean [[canary]]?"),
        ("", "witnesses") => Some("did you mean [[witness]]?"),
        ("log", "witnesses") => Some("did you mean require_witnesses?"),
        (_, "regex" | "san_re") => Some("did you mean san_regex?"),
        (_, "extension_regex") => Some("did you mean extension_glob?"),
        (_, "glob") => Some("did you mean san_glob?"),
        (_, "identity" | "subject" | "email") => Some("did you mean san?"),
        _ => None,
    }
}
