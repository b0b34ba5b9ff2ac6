//! `findings show ID --evidence DIR` and `lookup --evidence DIR`: what proves an entry, written for a third party.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use model_signing::MAX_PEM_BYTES;
use model_signing::hash::Algorithm;
use model_signing::key::PrivateKey;
use model_signing::manifest::{Manifest, Method, Resource};
use model_signing::sign::{self, KeySigner};
use model_signing::statement::Statement;
use serde_json::Value;
use tlog::{Head, Origin};

use crate::escape;
use crate::evidence::{self, DirectoryError, Files, Package, Proof};
use crate::expect;
use crate::file;
use crate::log::{Protocol, TreeId};
use crate::lookup::Signing;
use crate::monitor::MonitoredLog;
use crate::report::finding::WithHistory;
use crate::service::Setup;
use crate::source::LogSource;
use crate::store::{FindingRecord, KeptEntry, Store, TreeState};

use super::output::Mistake;

/// Longest bundle that is read, in bytes.
const MAX_BUNDLE_BYTES: usize = 4 * 1024 * 1024;

/// An entry whose evidence is written.
struct Subject<'a> {
    /// What it is called in messages.
    what: String,
    origin: &'a str,
    /// The index over all trees of the log.
    index: u64,
    leaf_hash: &'a str,
    /// The content of `finding.json`.
    finding: Value,
    /// What the pass kept that found it.
    kept: Option<KeptEntry>,
}

/// Writes the evidence of a finding into a new or empty directory, signed with a private key if one is given.
pub(super) async fn write(
    setup: &Setup,
    store: &dyn Store,
    record: &FindingRecord,
    directory: &Path,
    private_key: Option<&Path>,
) -> anyhow::Result<Vec<String>> {
    // Before anything is fetched: a wrong key must not cost a request.
    let key = private_key.map(read_key).transpose()?;
    let subject = of_finding(store, record).await?;
    write_subject(setup, store, subject, directory, key).await
}

/// Writes the evidence of a proven signing into a new or empty directory.
pub(super) async fn write_signing(
    setup: &Setup,
    store: &dyn Store,
    signing: &Signing,
    directory: &Path,
) -> anyhow::Result<Vec<String>> {
    let kept = match signing.findings.first() {
        Some(finding) => store.kept_entry(finding.id).await?,
        None => None,
    };
    let subject = Subject {
        what: format!("entry {} of {}", signing.index, signing.log),
        origin: &signing.origin,
        index: signing.index,
        leaf_hash: &signing.leaf_hash,
        finding: serde_json::to_value(signing)?,
        kept,
    };
    write_subject(setup, store, subject, directory, None).await
}

async fn write_subject(
    setup: &Setup,
    store: &dyn Store,
    subject: Subject<'_>,
    directory: &Path,
    key: Option<PrivateKey>,
) -> anyhow::Result<Vec<String>> {
    let what = subject.what.clone();
    let package = package(setup, store, subject).await?;
    let mut files = package
        .files()
        .with_context(|| format!("the evidence of {what}"))?;
    if let Some(key) = key {
        files.insert(
            evidence::SIGNATURE.to_owned(),
            signature(&files, directory, key)?,
        );
    }
    evidence::write(directory, &files).map_err(|error| match error {
        DirectoryError::NotEmpty(_) => Mistake(error.to_string()).into(),
        error => anyhow::Error::new(error),
    })?;
    let shown = directory.display().to_string();
    let mut lines = vec![format!(
        "{shown}: {} files; `modelwatch verify-evidence` checks them",
        files.len()
    )];
    if let Err(why) = &package.bundle {
        lines.push(format!("bundle.json is not there: {why}"));
    }
    if package.trusted_root.is_none() {
        lines.push("trusted_root.json is not there: no trusted root is configured".to_owned());
    }
    Ok(lines
        .iter()
        .map(|line| escape::terminal(line).into_owned())
        .collect())
}

fn read_key(path: &Path) -> anyhow::Result<PrivateKey> {
    let wrong = |why: String| Mistake(format!("--private-key {}: {why}", path.display()));
    let pem = file::read(path, MAX_PEM_BYTES).map_err(|error| wrong(error.to_string()))?;
    Ok(PrivateKey::from_pem(&pem, None).map_err(|error| wrong(error.to_string()))?)
}

/// A signature over all files, as `modelwatch sign key` makes it over the directory.
fn signature(files: &Files, directory: &Path, key: PrivateKey) -> anyhow::Result<Vec<u8>> {
    let resources = files.iter().map(|(name, bytes)| Resource {
        path: name.as_str().into(),
        shard: None,
        digest: Algorithm::Sha256.digest(bytes),
    });
    let manifest = Manifest::new(Method::files(Algorithm::Sha256), resources.collect())?;
    let absolute = std::path::absolute(directory)?;
    let name = absolute
        .file_name()
        .map(|name| name.to_string_lossy().into_owned());
    let ignored = vec![evidence::SIGNATURE.to_owned()];
    let statement = Statement::new(&name.unwrap_or_default(), manifest, false, ignored)?;
    Ok(sign::bundle(
        statement.to_json().as_bytes(),
        &KeySigner::new(key),
    )?)
}

/// The entry of a finding.
async fn of_finding<'a>(
    store: &dyn Store,
    record: &'a FindingRecord,
) -> anyhow::Result<Subject<'a>> {
    let finding = &record.finding;
    let (Some(origin), Some(index), Some(leaf_hash)) =
        (&finding.origin, finding.index, &finding.leaf_hash)
    else {
        return Err(Mistake(format!(
            "the finding {} is not about one entry of a log: what is recorded with it is shown by `findings show` alone",
            finding.id
        ))
        .into());
    };
    anyhow::ensure!(
        finding.proven == Some(true),
        "the entry of the finding {} is not proven yet: its evidence is complete after a pass that proves it",
        finding.id
    );
    Ok(Subject {
        what: format!("the finding {}", finding.id),
        origin,
        index,
        leaf_hash,
        finding: serde_json::to_value(WithHistory::from(record))?,
        kept: store.kept_entry(finding.id).await?,
    })
}

/// Puts together what proves an entry.
async fn package(
    setup: &Setup,
    store: &dyn Store,
    subject: Subject<'_>,
) -> anyhow::Result<Package> {
    let Subject {
        what,
        origin,
        index,
        leaf_hash,
        finding,
        kept,
    } = subject;
    let state = store.tree(&TreeId::new(origin)).await?;
    let state = state.with_context(|| format!("nothing is recorded of the tree {origin}"))?;
    let protocol = store.log(&state.log).await?.and_then(|log| log.protocol);
    let protocol =
        protocol.with_context(|| format!("the type of the log {} is not recorded", state.log))?;
    let local = index
        .checked_sub(state.base)
        .context("the entry lies before its tree")?;
    let (proof, trusted_root) = if let Some(KeptEntry {
        leaf,
        proof: Some((head, hashes)),
        trusted_root,
    }) = kept
    {
        let proof = Proof {
            leaf,
            index: local,
            head,
            hashes,
        };
        (proof, trusted_root)
    } else {
        // No watch found it, the finding is of an earlier version, or its leaf is very long.
        let proof = fetched(setup, &state, local).await.with_context(|| {
            format!("the proof of {what} was not kept, and has to be fetched from its log")
        })?;
        (proof, None)
    };
    anyhow::ensure!(
        tlog::leaf_hash(&proof.leaf).to_hex() == *leaf_hash,
        "the log shows another entry at {index} than the one that was found: its leaf hash was {leaf_hash}"
    );
    let now = || setup.known().trust.map(|trust| trust.document().to_vec());
    Ok(Package {
        protocol,
        origin: Origin::new(origin)?,
        base: state.base,
        proof,
        finding,
        trusted_root: trusted_root.or_else(now),
        bundle: bundle(store, leaf_hash, protocol).await?,
    })
}

/// The entry and its proof, from the log.
async fn fetched(setup: &Setup, state: &TreeState, index: u64) -> anyhow::Result<Proof> {
    let proven = state
        .follower
        .as_ref()
        .and_then(|follower| follower.proven_head.as_ref());
    let heads = proven.into_iter().chain(&state.verified);
    let head: &Head = heads
        .max_by_key(|head| head.size)
        .context("no checkpoint of the tree is recorded")?;
    let source = source(setup.logs(), state).await?;
    Ok(evidence::fetch(&*source, head, index).await?)
}

/// The source of a tree among the configured logs.
async fn source(logs: &[MonitoredLog], state: &TreeState) -> anyhow::Result<Arc<dyn LogSource>> {
    let log = logs.iter().find(|log| log.id() == state.log);
    let server =
        match log.with_context(|| format!("the log {} is not configured any more", state.name))? {
            MonitoredLog::Tree(log) => return Ok(Arc::clone(&log.source)),
            MonitoredLog::RekorV1(log) => log,
            MonitoredLog::Guided(guided) => &guided.log,
        };
    let (trees, error) = server.ask().await;
    let tree = trees.into_iter().find(|tree| tree.shard.id() == state.id);
    match (tree, error) {
        (Some(tree), _) => Ok(tree.source),
        (None, Some(error)) => Err(anyhow::anyhow!(error.message)),
        (None, None) => Err(anyhow::anyhow!(
            "the log does not list the tree {}",
            state.id
        )),
    }
}

/// The bundle that is registered for the signing in an entry, or why there is none to show.
async fn bundle(
    store: &dyn Store,
    leaf_hash: &str,
    protocol: Protocol,
) -> anyhow::Result<Result<Vec<u8>, String>> {
    if protocol.is_ct() {
        return Ok(Err("a certificate log holds no signing".to_owned()));
    }
    let registered = store.registrations().await?;
    let mut of_entry = registered.iter().filter(|registration| {
        let mut hashes = registration.expectation.leaf_hashes.iter();
        hashes.any(|hash| hex::encode(hash) == leaf_hash)
    });
    let Some(registration) = of_entry.next() else {
        return Ok(Err("no bundle is registered for this entry".to_owned()));
    };
    let path = Path::new(&registration.file);
    let gone = |why: String| format!("the registered bundle {}: {why}", registration.file);
    Ok(match file::read_regular(path, MAX_BUNDLE_BYTES) {
        Ok(None) => Err(gone("the file is not there any more".to_owned())),
        Err(error) => Err(gone(error.to_string())),
        Ok(Some(bytes)) => match expect::from_bundle(&bytes) {
            Ok(now) if now.leaf_hashes == registration.expectation.leaf_hashes => Ok(bytes),
            _ => Err(gone("the file has another content now".to_owned())),
        },
    })
}
