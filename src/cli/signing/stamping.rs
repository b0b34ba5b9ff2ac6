//! Timestamps while signing with a key or a certificate: asking authorities, and what is left if none answers.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use bytes::Bytes;
use model_signing::timestamp::{Authorities, MAX_TOKEN_BYTES, Request, attach};
use model_signing::verify::{MAX_SIGNATURE_BYTES, SignatureFile};
use url::Url;

use super::files::{is_standard, read};
use super::messages::say;
use super::system::open_own;
use crate::cli::output::Mistake;
use crate::clock;
use crate::http;

/// Whom to ask for timestamps.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub(super) struct StampingArgs {
    /// Have this timestamp authority (RFC 3161) confirm when the signature was made (repeatable).
    /// The signature can then be verified after the certificate has expired
    #[arg(long, value_name = "URL")]
    tsa_url: Vec<Url>,

    /// Complete the signature that an earlier run left in SIGNATURE.incomplete, because a timestamp
    /// or a log entry was missing. The model is not hashed and not signed again
    #[arg(long)]
    pub(super) resume: bool,
}

impl StampingArgs {
    pub(super) fn urls(&self) -> &[Url] {
        &self.tsa_url
    }

    /// Adds the timestamps that were asked for. If one cannot be had, the signature is left beside its place, and is
    /// completed by `--resume`.
    pub(super) fn add(&self, file: Vec<u8>, signature: &Path) -> anyhow::Result<Vec<u8>> {
        if self.tsa_url.is_empty() {
            return Ok(file);
        }
        self.stamp(&file)
            .map_err(|why| left(signature, &file, why, "has no timestamp yet", ""))
    }

    /// Where an earlier run left a signature, and its bytes. Nothing of them is verified.
    pub(super) fn left(&self, signature: &Path) -> anyhow::Result<(PathBuf, Vec<u8>)> {
        if self.tsa_url.is_empty() || is_standard(signature) {
            return Err(Mistake(
                "--resume needs --tsa-url, and a --signature that is a file".to_owned(),
            )
            .into());
        }
        let place = incomplete(signature);
        let file = read(&place, MAX_SIGNATURE_BYTES)?;
        Ok((place, file))
    }

    /// Adds the timestamps to a signature that was left at `place`.
    pub(super) fn complete(&self, file: &[u8], place: &Path) -> anyhow::Result<Vec<u8>> {
        self.stamp(file)
            .with_context(|| format!("{} stays", place.display()))
    }

    fn stamp(&self, file: &[u8]) -> anyhow::Result<Vec<u8>> {
        let parsed = SignatureFile::parse(file)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("the system gives no threads or timers")?;
        let http = http::Client::default();
        let stamps = runtime.block_on(async {
            let mut stamps = Vec::new();
            let none = Authorities::default();
            for url in &self.tsa_url {
                stamps.push(ask(&http, url, parsed.signature(), &none).await?);
            }
            anyhow::Ok(stamps)
        });
        runtime.shutdown_background();
        Ok(attach(file, &stamps?)?)
    }
}

/// Leaves a signature that lacks something beside its place, for `--resume`, and adds to the reason where it is. `lacks` is
/// what it lacks, and `until` ends the sentence.
pub(super) fn left(
    signature: &Path,
    file: &[u8],
    why: anyhow::Error,
    lacks: &str,
    until: &str,
) -> anyhow::Error {
    if is_standard(signature) {
        return why;
    }
    let place = incomplete(signature);
    let place_shown = place.display();
    match leave(&place, file) {
        Ok(()) => why.context(format!(
            "the signature {lacks} and is left in {place_shown}: the same command with --resume completes it{until}"
        )),
        Err(error) => why.context(format!(
            "the signature {lacks}, and cannot be left in {place_shown}: {error}"
        )),
    }
}

/// Removes what `--resume` has completed. Another process may have completed it meanwhile.
pub(super) fn completed(signature: &Path) -> anyhow::Result<()> {
    let place = incomplete(signature);
    match fs::remove_file(&place) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("{} cannot be removed", place.display()))
        }
        _ => Ok(()),
    }
}

/// Removes what an earlier run left, after a run that signed from the beginning: `--resume` would replace the new signature
/// with the old one.
pub(super) fn superseded(signature: &Path) {
    let place = incomplete(signature);
    let is_file = fs::symlink_metadata(&place).is_ok_and(|there| there.is_file());
    if is_file
        && !is_standard(signature)
        && let Err(error) = fs::remove_file(&place)
    {
        say(&format!(
            "{} is of an earlier signing and cannot be removed: {error}",
            place.display()
        ));
    }
}

pub(super) fn incomplete(signature: &Path) -> PathBuf {
    let mut name = signature.as_os_str().to_owned();
    name.push(".incomplete");
    PathBuf::from(name)
}

/// There is no private key in it.
fn leave(place: &Path, file: &[u8]) -> io::Result<()> {
    let mut left = open_own(place)?;
    left.set_len(0)?;
    left.write_all(file)?;
    left.sync_all()
}

/// A timestamp over `message` by the authority at `url`. It answers this request and is signed by one of `trusted`; if that
/// is empty, by the certificate that comes with it: the verifier decides later whether to trust that.
pub(super) async fn ask(
    http: &http::Client,
    url: &Url,
    message: &[u8],
    trusted: &Authorities,
) -> anyhow::Result<Vec<u8>> {
    let asking = || format!("the timestamp authority {}", http::server_of(url));
    let request = Request::new(message)?;
    let headers = [("content-type", Request::MEDIA_TYPE)];
    let body = Bytes::from(request.der());
    let answer = http
        .submit(url, &headers, body, MAX_TOKEN_BYTES)
        .await
        .with_context(asking)?;
    let now = clock::now().as_second();
    request
        .check(&answer.body, trusted, now)
        .with_context(asking)?;
    Ok(answer.body.to_vec())
}
