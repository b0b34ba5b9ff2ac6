//! The arguments of `lookup`, as a question.

use std::path::{Path, PathBuf};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use jiff::Timestamp;

use crate::cli::bundles::Given;
use crate::cli::output::Mistake;
use crate::cli::values;
use crate::escape;
use crate::identity::{Certificate, Signer};
use crate::lookup::{self, BundleIs, CertificateIs, DigestIs, Question, Repository, written};
use crate::source::rekor_v1::EntryId;
use crate::watch::Glob;

/// Most signings of one answer: all of them are in memory.
const MAX_LIMIT: usize = 100_000;

/// The heading of the conditions in `--help`.
const CONDITIONS: &str = "Conditions (all that are given must hold)";

/// Arguments of `lookup`.
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag")]
#[command(group = clap::ArgGroup::new("Condition").required(true).multiple(true))]
pub(in crate::cli) struct Args {
    /// A name of the signer, as `san` of a watch compares it: a mail address, the URI of a workflow
    #[arg(long, value_name = "NAME", group = "Condition", help_heading = CONDITIONS, value_parser = written::text)]
    identity: Option<String>,
    /// A pattern for a name of the signer, as `san_glob` of a watch: `*` matches any characters
    #[arg(long, value_name = "GLOB", group = "Condition", help_heading = CONDITIONS, value_parser = written::text)]
    identity_glob: Option<String>,
    /// The OpenID issuer in the certificate, exactly
    #[arg(long, value_name = "URL", group = "Condition", help_heading = CONDITIONS, value_parser = written::text)]
    issuer: Option<String>,
    /// The repository in the certificate: its URI, or OWNER/NAME of one of GitHub
    #[arg(long, value_name = "URI", group = "Condition", help_heading = CONDITIONS, value_parser = Repository::parse)]
    repository: Option<Repository>,
    /// A digest that an entry holds, or that a known statement is about: ALGORITHM:HEX, or the hexadecimal digits
    #[arg(long, value_name = "DIGEST", group = "Condition", help_heading = CONDITIONS, value_parser = DigestIs::parse)]
    digest: Option<DigestIs>,
    /// A model: statements that are known to be about it. No log holds the digest of a model
    #[arg(long, value_name = "PATH", group = "Condition", help_heading = CONDITIONS)]
    model: Option<PathBuf>,
    /// The signing in a bundle: every entry with its signature
    #[arg(long, value_name = "FILE", group = "Condition", help_heading = CONDITIONS)]
    bundle: Option<PathBuf>,
    /// A certificate: a file, or its SHA-256 in hexadecimal digits
    #[arg(long, value_name = "FILE|SHA256", group = "Condition", help_heading = CONDITIONS)]
    certificate: Option<PathBuf>,
    /// A public key in any usual form: a file, or the SHA-256 of its SubjectPublicKeyInfo in hexadecimal digits
    #[arg(long, value_name = "FILE|SHA256", group = "Condition", help_heading = CONDITIONS)]
    key: Option<PathBuf>,
    /// A commit in the certificate, all of its hexadecimal digits
    #[arg(long, value_name = "HEX", group = "Condition", help_heading = CONDITIONS, value_parser = written::commit)]
    commit: Option<String>,
    /// The entry with this index, over all trees of the log
    #[arg(long, value_name = "LOG:N", group = "Condition", help_heading = CONDITIONS, value_parser = written::entry)]
    index: Option<(String, u64)>,
    /// The entry with this id: 80 hexadecimal digits, as Rekor v1 names entries, or the 64 of its leaf hash
    #[arg(long, value_name = "ID", group = "Condition", help_heading = CONDITIONS, value_parser = written::uuid)]
    uuid: Option<EntryId>,
    /// With --model: the files that symlinks lead to are part of the model, as in the cache of Hugging Face
    #[arg(long, requires = "model")]
    allow_symlinks: bool,
    /// Only what was logged since this date or time, or for this long; what has no trusted time is never left out
    #[arg(long, value_name = "WHEN", value_parser = values::moment)]
    since: Option<Timestamp>,
    /// Only what was logged before this date or time; what has no trusted time is never left out
    #[arg(long, value_name = "WHEN", value_parser = values::moment)]
    until: Option<Timestamp>,
    /// Only in this log; may be repeated
    #[arg(long, value_name = "NAME")]
    log: Vec<String>,
    /// Read the followed logs again, every entry, and prove each: also signings that no watch selects
    ///
    /// From the first position of each log, or from --since on. The database is not changed, and a daemon may run at the same
    /// time. If it is interrupted, the same command line goes on where it was.
    #[arg(long)]
    pub(super) scan: bool,
    /// Ask the search index of Rekor v1 logs, and prove each entry that it names; also without configuration and database
    ///
    /// For --identity, --digest, --model, --bundle and --uuid. The index may leave entries out, so "nothing found" is never the
    /// whole answer. The logs and authorities are those of --trusted-root, of the configuration, or of Sigstore's public
    /// instance (by TUF).
    #[arg(long, conflicts_with = "scan")]
    pub(super) remote: bool,
    /// With --remote: a trusted root, in place of that of the configuration
    #[arg(long, value_name = "FILE", requires = "remote")]
    pub(super) trusted_root: Option<PathBuf>,
    /// Show at most this many signings
    #[arg(long, value_name = "N", default_value = "1000", value_parser = limit)]
    limit: usize,
    /// Write what proves each signing that is shown into this new or empty directory, for a third party
    ///
    /// Each of the first 100 signings gets a directory LOG-INDEX in it, which `modelwatch verify-evidence` checks.
    #[arg(long, value_name = "DIR", conflicts_with = "remote")]
    pub(super) evidence: Option<PathBuf>,
    /// One JSON object per line, the last one about how far was looked
    #[arg(long)]
    pub(super) json: bool,
}

fn limit(written: &str) -> Result<usize, String> {
    match values::number(written)? {
        number @ 1..=MAX_LIMIT => Ok(number),
        _ => Err(format!("a number from 1 to {MAX_LIMIT} is wanted")),
    }
}

impl Args {
    /// The question, with what the files hold that it names.
    pub(super) fn question(&self) -> anyhow::Result<Question> {
        if let (Some(since), Some(until)) = (self.since, self.until)
            && since >= until
        {
            return Err(Mistake("--until is not later than --since".to_owned()).into());
        }
        let signer = self.key.as_deref().map(key).transpose()?;
        let (key, canonical_key) =
            signer.map_or_else(Default::default, |key| (key.hashes, key.canonical));
        let certificate = self.certificate.as_deref().map(certificate);
        let bundle = self.bundle.as_deref().map(bundle);
        let model = self.model.as_deref();
        let model = model.map(|path| digests_of_model(path, self.allow_symlinks));
        let digests = self.digest.clone().into_iter();
        Ok(Question {
            identity: self.identity.clone(),
            identity_glob: self.identity_glob.as_deref().map(Glob::new),
            issuer: self.issuer.clone(),
            repository: self.repository.clone(),
            commit: self.commit.clone(),
            key,
            canonical_key,
            certificate: certificate.transpose()?,
            digests: digests.chain(model.transpose()?).collect(),
            bundle: bundle.transpose()?,
            entry: self.index.clone(),
            uuid: self.uuid,
            since: self.since,
            until: self.until,
            logs: self.log.clone(),
            limit: self.limit,
        })
    }
}

/// A hash that was written instead of the name of a file.
fn hash(given: &Path) -> Option<[u8; 32]> {
    written::sha256(given.to_str()?).ok()
}

/// The one signer that a file names.
fn signer(option: &str, path: &Path) -> anyhow::Result<Signer> {
    let given = Given::read(path)?;
    let mut signers = given.signers()?;
    let several = || {
        Mistake(format!(
            "{option} {}: it names several signers, and one is wanted",
            given.name()
        ))
    };
    match (signers.pop(), signers.is_empty()) {
        (Some(named), true) => {
            let place = named.place.clone();
            named
                .signer
                .map_err(|why| Mistake(format!("{}: {why}", given.shown(place.as_deref()))).into())
        }
        _ => Err(several().into()),
    }
}

/// A key that is asked for, by its SHA-256 hashes.
struct KeyIs {
    hashes: Vec<[u8; 32]>,
    /// The hash that every reader computes of it; `None` if a hash was given.
    canonical: Option<[u8; 32]>,
}

fn key(given: &Path) -> anyhow::Result<KeyIs> {
    if let Some(hash) = hash(given) {
        return Ok(KeyIs {
            hashes: vec![hash],
            canonical: None,
        });
    }
    let signer = signer("--key", given)?;
    Ok(KeyIs {
        hashes: signer.key_hashes(),
        canonical: signer.canonical_key_sha256(),
    })
}

fn certificate(given: &Path) -> anyhow::Result<CertificateIs> {
    if let Some(hash) = hash(given) {
        return Ok(CertificateIs {
            hashes: vec![hash],
            logged: None,
        });
    }
    let signer = signer("--certificate", given)?;
    let read: Option<&Certificate> = signer.certificate();
    let read = read.ok_or_else(|| {
        Mistake(format!(
            "--certificate {}: it is a public key, not a certificate",
            given.display()
        ))
    })?;
    Ok(CertificateIs::of(read))
}

fn bundle(path: &Path) -> anyhow::Result<BundleIs> {
    let given = Given::read(path)?;
    let mistake = |why: String| Mistake(format!("--bundle {}: {why}", given.name()));
    let mut bundles = given.bundles()?;
    match (bundles.pop(), bundles.is_empty()) {
        (Some(collected), true) => {
            let bundle = collected
                .bundle
                .map_err(|error| mistake(error.to_string()))?;
            Ok(BundleIs::of(&bundle).map_err(|error| mistake(error.to_string()))?)
        }
        _ => Err(mistake("it holds several bundles, and one is wanted".to_owned()).into()),
    }
}

fn digests_of_model(path: &Path, symlinks: bool) -> anyhow::Result<DigestIs> {
    use std::io::IsTerminal as _;
    let bar = std::io::stderr().is_terminal().then(|| {
        let style = ProgressStyle::with_template("hashing the model  {bytes}  {bytes_per_sec}")
            .expect("the template is fixed and well-formed");
        ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr())
            .with_style(style)
            .with_finish(indicatif::ProgressFinish::AndClear)
    });
    let progress = |bytes: u64| {
        if let Some(bar) = &bar {
            bar.inc(bytes);
        }
    };
    lookup::roots(path, symlinks, &progress).map_err(|error| {
        let why = error.to_string();
        Mistake(format!("--model: {}", escape::without_userinfo(&why))).into()
    })
}
