//! `modelwatch verify-evidence`: checks a directory of evidence, without configuration, database and network.

use std::path::{Path, PathBuf};

use model_signing::MAX_PEM_BYTES;
use model_signing::key::PublicKey;
use serde_json::json;

use super::output::{Mistake, Outcome, Output};
use crate::escape;
use crate::evidence::{self, Anchor, Checked, DirectoryError, Refused};
use crate::file;
use crate::identity::{Certificate, Chain, Signer};
use crate::service;
use crate::trust::TrustedRoot;

/// Arguments of `verify-evidence`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The directory
    #[arg(value_name = "DIR")]
    directory: PathBuf,
    /// Trust the keys and authorities of this Sigstore trusted root (JSON), instead of those of Sigstore's public instance
    #[arg(long, value_name = "FILE")]
    trusted_root: Option<PathBuf>,
    /// Trust only this key of the log (PEM; repeatable). Certificates are judged by the trusted root all the same
    #[arg(long, value_name = "FILE")]
    log_key: Vec<PathBuf>,
    /// The public key (PEM) of the one who handed the directory out: evidence.sig must be by it, over all other files
    #[arg(long, value_name = "FILE")]
    public_key: Option<PathBuf>,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> anyhow::Result<Outcome> {
    let anchor = args.anchor()?;
    let checked = match evidence::read(&args.directory) {
        Ok(files) => evidence::check(&files, &anchor),
        Err(DirectoryError::File { name, check, why }) => Err(Refused {
            file: name,
            check,
            why,
        }),
        Err(error) => return Err(Mistake(error.to_string()).into()),
    };
    let mut output = Output::new();
    if args.json {
        output.json(&as_json(&checked))?;
    } else {
        print(&mut output, &checked, &args.directory)?;
    }
    output.end()?;
    Ok(match checked {
        Ok(Checked {
            outcome: evidence::Outcome::Holds,
            ..
        }) => Outcome::Clean,
        Ok(_) => Outcome::Unanswered,
        Err(_) => Outcome::No,
    })
}

impl Args {
    fn anchor(&self) -> anyhow::Result<Anchor> {
        let log_keys = self
            .log_key
            .iter()
            .map(|path| service::read_log_key(path, "--log-key"));
        let (name, root) = match &self.trusted_root {
            Some(path) => (
                path.display().to_string(),
                TrustedRoot::from_file(path).map_err(|error| {
                    Mistake(format!("--trusted-root {}: {error}", path.display()))
                })?,
            ),
            None => (
                "the trusted root of Sigstore's public instance in this program".to_owned(),
                TrustedRoot::embedded()?,
            ),
        };
        Ok(Anchor {
            name,
            root,
            log_keys: log_keys.collect::<Result<_, _>>()?,
            public_key: self.public_key.as_deref().map(public_key).transpose()?,
        })
    }
}

fn public_key(path: &Path) -> anyhow::Result<PublicKey> {
    let wrong = |why: String| Mistake(format!("--public-key {}: {why}", path.display()));
    let pem = file::read(path, MAX_PEM_BYTES).map_err(|error| wrong(error.to_string()))?;
    Ok(PublicKey::from_pem(&pem).map_err(|error| wrong(error.to_string()))?)
}

fn print(
    output: &mut Output,
    checked: &Result<Checked, Refused>,
    directory: &Path,
) -> anyhow::Result<()> {
    let shown = directory.display().to_string();
    let shown = escape::terminal(&shown);
    let checked = match checked {
        Ok(checked) => checked,
        Err(refused) => {
            let refused = refused.to_string();
            return output.line(&format!(
                "{shown} does not hold: {}",
                escape::terminal(&refused)
            ));
        }
    };
    for line in &checked.held {
        output.line(&format!("ok       {}", escape::terminal(line)))?;
    }
    let inclusion = &checked.inclusion;
    output.line(&format!(
        "entry    {} of {} ({})",
        inclusion.log_index,
        escape::terminal(&inclusion.origin),
        checked.protocol.title()
    ))?;
    for name in names(checked) {
        output.line(&format!("signer   {}", escape::terminal(&name)))?;
    }
    match &checked.outcome {
        evidence::Outcome::Holds => output.line(&format!("{shown} holds")),
        evidence::Outcome::OnlyItself(doubts) => {
            for doubt in doubts {
                output.line(&format!("unknown  {}", escape::terminal(doubt)))?;
            }
            output.line(&format!(
                "{shown} is consistent, but only this directory vouches for its trust"
            ))
        }
    }
}

fn names(checked: &Checked) -> Vec<String> {
    let signer = checked.signer.iter();
    let mut names: Vec<String> = signer
        .flat_map(Signer::names)
        .map(|san| format!("{} ({})", san.value, san.kind))
        .collect();
    if let Some(signer) = &checked.signer {
        let issuer = signer.certificate().and_then(Certificate::issuer);
        names.extend(issuer.map(|issuer| format!("{issuer} (issuer)")));
        names.push(format!(
            "{} (SHA-256 of the key)",
            hex::encode(signer.key_sha256())
        ));
    }
    names
}

fn as_json(checked: &Result<Checked, Refused>) -> serde_json::Value {
    let checked = match checked {
        Ok(checked) => checked,
        Err(Refused { file, check, why }) => {
            return json!({ "result": "refused", "file": file, "check": check, "why": why });
        }
    };
    let (result, doubts) = match &checked.outcome {
        evidence::Outcome::Holds => ("holds", &[][..]),
        evidence::Outcome::OnlyItself(doubts) => ("only-itself", doubts.as_slice()),
    };
    let inclusion = &checked.inclusion;
    let signer = checked.signer.as_ref();
    let certificate = signer.and_then(Signer::certificate);
    json!({
        "result": result,
        "unknown": doubts,
        "held": checked.held,
        "type": checked.protocol.as_str(),
        "origin": inclusion.origin,
        "index": inclusion.log_index,
        "leaf_hash": inclusion.leaf_hash,
        "tree_size": inclusion.tree_size,
        "san": signer.map(Signer::names),
        "issuer": certificate.and_then(Certificate::issuer),
        "key_sha256": signer.map(|signer| hex::encode(signer.key_sha256())),
        "not_before": certificate.map(Certificate::not_before),
        "chain": checked.chain.map(Chain::as_str),
    })
}
