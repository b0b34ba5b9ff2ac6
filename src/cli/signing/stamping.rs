//! Timestamps while signing with a key or a certificate: asking authorities, and what is left if none answers.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use model_signing::timestamp::{Authorities, Request, attach};
use model_signing::verify::{MAX_SIGNATURE_BYTES, SignatureFile};
use url::Url;

use super::files::{is_standard, read};
use crate::cli::output::Mistake;
use crate::http::{self, AddressPolicy};

/// How long one answer may take.
const TIME_LIMIT: Duration = Duration::from_secs(10);
/// How often an authority is asked that is busy or cannot be reached, and how long after the first time; twice that
/// after the second.
const TRIES: u32 = 3;
const PAUSE: Duration = Duration::from_secs(1);

/// Whom to ask for timestamps.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub(super) struct StampingArgs {
    /// Have this timestamp authority (RFC 3161) confirm when the signature was made (repeatable).
    /// So it can be verified after the certificate has expired
    #[arg(long, value_name = "URL")]
    tsa_url: Vec<Url>,

    /// Complete the signature that an earlier run left in SIGNATURE.incomplete, because no
    /// timestamp could be had. The model is not hashed again, and no key is used
    #[arg(long)]
    pub(super) resume: bool,
}

impl StampingArgs {
    /// Adds the timestamps that were asked for. If one cannot be had, the signature is left beside its place, and is
    /// completed by `--resume`.
    pub(super) fn add(&self, file: Vec<u8>, signature: &Path) -> anyhow::Result<Vec<u8>> {
        if self.tsa_url.is_empty() {
            return Ok(file);
        }
        self.stamp(&file).map_err(|why| {
            if is_standard(signature) {
                return why;
            }
            let place = incomplete(signature);
            match leave(&place, &file) {
                Ok(()) => why.context(format!(
                    "the signature has no timestamp yet and is left in {}: the same command with --resume completes it",
                    place.display()
                )),
                Err(error) => why.context(format!(
                    "the signature has no timestamp, and cannot be left in {}: {error}",
                    place.display()
                )),
            }
        })
    }

    /// The signature that an earlier run left, completed.
    pub(super) fn resume(&self, signature: &Path) -> anyhow::Result<Vec<u8>> {
        if self.tsa_url.is_empty() || is_standard(signature) {
            return Err(Mistake(
                "--resume needs --tsa-url, and a --signature that is a file".to_owned(),
            )
            .into());
        }
        let place = incomplete(signature);
        let file = read(&place, MAX_SIGNATURE_BYTES)?;
        self.stamp(&file)
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
            for url in &self.tsa_url {
                stamps.push(ask(&http, url, parsed.signature()).await?);
            }
            anyhow::Ok(stamps)
        });
        runtime.shutdown_background();
        Ok(attach(file, &stamps?)?)
    }
}

/// Removes what `--resume` has completed.
pub(super) fn completed(signature: &Path) -> anyhow::Result<()> {
    let place = incomplete(signature);
    fs::remove_file(&place).with_context(|| format!("{} cannot be removed", place.display()))
}

fn incomplete(signature: &Path) -> PathBuf {
    let mut name = signature.as_os_str().to_owned();
    name.push(".incomplete");
    PathBuf::from(name)
}

/// The owner's alone: it is not yet what its owner wanted to publish. There is no private key in it.
fn leave(place: &Path, file: &[u8]) -> std::io::Result<()> {
    let mut left = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(place)?;
    left.write_all(file)?;
    left.sync_all()
}

/// A timestamp over `message` by the authority at `url`. It answers this request and is signed by the
/// certificate that comes with it; the verifier decides later whether to trust that.
async fn ask(http: &http::Client, url: &Url, message: &[u8]) -> anyhow::Result<Vec<u8>> {
    let asking = || format!("the timestamp authority {}", http::server_of(url));
    let request = Request::new(message)?;
    // The signer has chosen it: it may be a server of the signer's own network.
    let policy = AddressPolicy::allowing(url.host_str().map(str::to_owned));
    let headers = [("content-type", Request::MEDIA_TYPE)];
    let mut pause = PAUSE;
    for attempt in 1..=TRIES {
        let body = Bytes::from(request.der());
        let reply = http.post(url, &headers, body, TIME_LIMIT, &policy).await;
        let why = match reply {
            Ok(reply) if reply.status == 200 || reply.status == 201 => {
                request
                    .check(&reply.body, &Authorities::default())
                    .with_context(asking)?;
                return Ok(reply.body.to_vec());
            }
            Ok(reply) => {
                let said = reply.message.unwrap_or_default();
                let why = anyhow::anyhow!("{} answers {} {said}", asking(), reply.status);
                if reply.status != 429 && reply.status < 500 {
                    return Err(why);
                }
                pause = pause.max(reply.retry_after.unwrap_or_default().min(TIME_LIMIT));
                why
            }
            Err(error) => anyhow::Error::from(error).context(asking()),
        };
        if attempt == TRIES {
            return Err(why);
        }
        tokio::time::sleep(pause).await;
        pause *= 2;
    }
    unreachable!("the last try returns")
}
