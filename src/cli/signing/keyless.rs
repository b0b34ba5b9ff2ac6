//! `modelwatch verify [sigstore]`: by which identity, and what is reported of a keyless signature.

use std::path::Path;

use anyhow::Context as _;
use jiff::Timestamp;
use model_signing::sigstore::{
    IdentityPattern, LogEntry, OpenedKeyless, PatternError, Policy, Requirement, TimeSource, Trust,
    Verified, VerifiedTime,
};
use model_signing::statement::Statement;
use model_signing::verify::{MAX_SIGNATURE_BYTES, SignatureFile, VerifyError};
use serde_json::{Value, json};

use super::files::read;
use super::messages::{Warnings, say};
use super::trusted::{TrustArgs, Trusted};
use crate::cli::output::Mistake;
use crate::clock;
use crate::identity::Extension;

/// Who must have signed, and what is trusted.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub(super) struct KeylessArgs {
    #[command(flatten)]
    who: IdentityArgs,

    #[command(flatten)]
    pub(super) trust: TrustArgs,
}

/// Who must have signed.
#[derive(Debug, clap::Args)]
#[group(skip)]
struct IdentityArgs {
    /// The signer's identity, exactly: an e-mail address, or the URI of a workflow
    #[arg(long, value_name = "IDENTITY", required_unless_present_any = ["identity_glob", "identity_regex"], conflicts_with_all = ["identity_glob", "identity_regex"])]
    identity: Option<String>,

    /// A pattern for the whole identity: `*` is any run of characters, but no `@` if an `@`
    /// follows in the pattern
    #[arg(long, value_name = "PATTERN", conflicts_with = "identity_regex")]
    identity_glob: Option<String>,

    /// A regular expression for the whole identity
    #[arg(long, value_name = "REGEX")]
    identity_regex: Option<String>,

    /// The identity provider that confirms it, exactly, such as `https://token.actions.githubusercontent.com`
    #[arg(long, value_name = "URL", required = true)]
    identity_provider: Option<String>,

    /// What an extension of the certificate must be (repeatable), such as
    /// source_repository_identifier=463804977
    #[arg(long, value_name = "NAME=VALUE")]
    require: Vec<String>,
}

impl IdentityArgs {
    fn policy(&self) -> anyhow::Result<Policy> {
        let mistake =
            |option: &'static str| move |error: PatternError| Mistake(format!("{option}: {error}"));
        let identity = match (&self.identity, &self.identity_glob, &self.identity_regex) {
            (_, Some(pattern), _) => {
                IdentityPattern::glob(pattern).map_err(mistake("--identity-glob"))?
            }
            (_, _, Some(regex)) => {
                IdentityPattern::regex(regex).map_err(mistake("--identity-regex"))?
            }
            (identity, ..) => IdentityPattern::exact(identity.clone().unwrap_or_default()),
        };
        // An empty issuer would be that of certificates without one.
        let issuer = self.identity_provider.clone();
        let issuer = issuer.filter(|issuer| !issuer.is_empty()).ok_or_else(|| {
            Mistake("--identity-provider: the URL of the identity provider is needed".to_owned())
        })?;
        let require: Result<_, Mistake> = self.require.iter().map(|text| required(text)).collect();
        Ok(Policy {
            identity,
            issuer,
            require: require?,
        })
    }
}

fn required(text: &str) -> Result<Requirement, Mistake> {
    let (name, value) = text
        .split_once('=')
        .ok_or_else(|| Mistake(format!("--require {text:?} is not NAME=VALUE")))?;
    let extension = Extension::from_name(name).ok_or_else(|| {
        let known: Vec<_> = Extension::ALL.iter().map(|known| known.name()).collect();
        Mistake(format!(
            "--require: there is no extension {name:?}; there are {}",
            known.join(", ")
        ))
    })?;
    Ok(Requirement {
        number: extension.number().into(),
        name: name.to_owned(),
        value: value.to_owned(),
    })
}

/// By whom something must be signed, and what is trusted.
pub(super) struct Keyless {
    policy: Policy,
    trusted: Trusted,
}

impl KeylessArgs {
    /// What was signed, by whom it must be, and by whom it was. The signature is read from `place`, and `signature` is its
    /// name in messages.
    pub(super) fn open(
        &self,
        signature: &Path,
        place: &Path,
        warnings: &mut Warnings,
    ) -> anyhow::Result<(Statement, Verified)> {
        let policy = self.who.policy()?;
        let reading = || format!("the signature {}", signature.display());
        let bytes = read(place, MAX_SIGNATURE_BYTES)?;
        let file = SignatureFile::parse(&bytes).with_context(reading)?;
        drop(bytes);
        let trusted = self.trust.load()?;
        let mut keyless = Keyless { policy, trusted };
        let verify = |policy: &Policy, trust: &Trust, now| file.verify_keyless(policy, trust, now);
        let opened = keyless.verify(verify, warnings).with_context(reading)?;
        let statement = Statement::parse(&opened.payload).with_context(reading)?;
        Ok((statement, opened.verified))
    }

    /// Reads the options, and the files that they name.
    pub(super) fn prepare(&self) -> anyhow::Result<Keyless> {
        Ok(Keyless {
            policy: self.who.policy()?,
            trusted: self.trust.load()?,
        })
    }
}

impl Keyless {
    /// Verifies with what is trusted; once more with newer trust if the first time failed at something that it may explain.
    /// `verify` gets the present in seconds of Unix time.
    pub(super) fn verify(
        &mut self,
        verify: impl Fn(&Policy, &Trust, i64) -> Result<OpenedKeyless, VerifyError>,
        warnings: &mut Warnings,
    ) -> anyhow::Result<OpenedKeyless> {
        let now = clock::now().as_second();
        let opened = match verify(&self.policy, self.trusted.trust(), now) {
            Err(VerifyError::Keyless(error))
                if error.check.depends_on_trust() && self.trusted.refresh_for_a_failure() =>
            {
                verify(&self.policy, self.trusted.trust(), now)
            }
            verdict => verdict,
        }?;
        if opened.verified.ignored_timestamps > 0 {
            warnings.warn(format!(
                "timestamps by authorities that are not trusted, which count for nothing: {}",
                opened.verified.ignored_timestamps
            ))?;
        }
        for entry in &opened.verified.entries {
            if !entry.in_key_period {
                warnings.warn(format!(
                    "the trusted root trusts the key of the log {} at another time than that of the signature",
                    entry.origin
                ))?;
            }
        }
        Ok(opened)
    }
}

/// Prints where a signature that was just made is logged, a line for each entry.
pub(super) fn print_entries(verified: &Verified) {
    for entry in &verified.entries {
        let time = entry.time.or_else(|| {
            let first = verified.times.first();
            first.map(|time| time.seconds)
        });
        let time = time.and_then(rfc3339).unwrap_or_default();
        let logged = lookup(entry).unwrap_or_else(|| entry.origin.clone());
        say(&format!("The log entry is {logged} of {time}"));
    }
}

/// The entry as `lookup --index` takes it: the log and the index in it. A Rekor v1 log is its server, because its index counts
/// over all of its trees; a Rekor v2 log is its only tree.
fn lookup(entry: &LogEntry) -> Option<String> {
    let index = entry.log_index?;
    let is_one_tree = index == entry.tree_index && entry.time.is_none();
    if is_one_tree {
        return Some(format!("{}:{index}", entry.origin));
    }
    // `init` names a log after the address in the trusted root. The checkpoints of a Rekor v1 log name a server and a tree
    // (sigstore/rekor, pkg/util/checkpoint.go); that server may have another name than its address.
    let address = entry.log.as_deref().and_then(|url| url.split_once("://"));
    let address = address.map(|(_, rest)| rest.trim_end_matches('/'));
    let server = address.or_else(|| entry.origin.split(" - ").next());
    Some(format!("{}:{index}", server.unwrap_or(&entry.origin)))
}

/// Adds to a report who signed, when, and where it is logged; the certificate is not added.
pub(super) fn describe(verified: &Verified, report: &mut Value) {
    let time = |time: &VerifiedTime| {
        json!({
            "time": rfc3339(time.seconds),
            "source": match time.source {
                TimeSource::Log => "log",
                _ => "timestamp-authority",
            },
        })
    };
    let entry = |entry: &LogEntry| {
        let (kind, version) = &entry.kind;
        json!({
            "log": entry.log,
            "origin": entry.origin,
            "log_index": entry.log_index,
            "tree_index": entry.tree_index,
            "time": entry.time.and_then(rfc3339),
            "lookup": lookup(entry),
            "kind": format!("{kind} {version}"),
        })
    };
    let authorities = |time: &&VerifiedTime| time.source == TimeSource::Authority;
    report["method"] = Value::from("sigstore");
    report["times"] = verified.times.iter().map(time).collect();
    let timestamps = verified.times.iter().filter(authorities);
    report["timestamps"] = timestamps.map(|time| rfc3339(time.seconds)).collect();
    report["log_entries"] = verified.entries.iter().map(entry).collect();
    let first = verified.entries.first();
    report["log_index"] = Value::from(first.and_then(|entry| entry.log_index));
    let Some((_, identity)) = &verified.certificate else {
        return;
    };
    let name = identity.names.first();
    report["identity"] = Value::from(name.map(|name| name.text.clone()));
    report["identity_type"] = Value::from(name.map(|name| name.kind.as_str()));
    report["identity_provider"] = Value::from(identity.issuer.clone());
    report["extensions"] = Extension::ALL
        .iter()
        .filter_map(|extension| {
            let text = identity.extension(extension.number().into())?;
            Some((extension.name().to_owned(), Value::from(text)))
        })
        .collect::<serde_json::Map<_, _>>()
        .into();
}

fn rfc3339(seconds: i64) -> Option<String> {
    Timestamp::from_second(seconds)
        .ok()
        .map(|time| time.to_string())
}
