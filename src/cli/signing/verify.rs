//! `modelwatch verify`: is the signature by whom it must be, and is the model the one that was signed?

use std::io::{self, Write as _};
use std::path::PathBuf;

use anyhow::Context as _;
use model_signing::MAX_PEM_BYTES;
use model_signing::certificate::{TrustStore, fingerprint};
use model_signing::key::PublicKey;
use model_signing::manifest::{Changed, Differences};
use model_signing::model::{self, MismatchError};
use model_signing::statement::{Statement, Version};
use model_signing::verify::{MAX_SIGNATURE_BYTES, Options, SignatureFile, Verifier, Warning};
use model_signing::walk::WalkError;
use serde_json::{Value, json};

use super::{Sigstore, Warnings, path, print, read, tree};
use crate::cli::logging::Level;
use crate::cli::output::{Outcome, causes};
use crate::clock;

/// Whom the signature must be by.
#[derive(Debug, clap::Subcommand)]
pub(in crate::cli) enum Method {
    /// Verify that a key signed the model
    #[command(args_override_self = true)]
    Key(KeyArgs),
    /// Verify that a certificate that leads to a trusted root signed the model
    #[command(args_override_self = true)]
    Certificate(CertificateArgs),
    #[command(hide = true)]
    Sigstore(Sigstore),
}

/// What every method takes.
#[derive(Debug, clap::Args)]
#[group(skip)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an option of the reference's command line"
)]
pub(in crate::cli) struct Common {
    #[command(flatten)]
    tree: tree::TreeArgs,

    /// The signature
    #[arg(long, value_name = "PATH", value_parser = path())]
    signature: PathBuf,

    /// Pass over files that were not signed
    #[arg(long, overrides_with = "no_ignore_unsigned_files")]
    ignore_unsigned_files: bool,

    /// A file that was not signed is an error (the default)
    #[arg(long, overrides_with = "ignore_unsigned_files")]
    no_ignore_unsigned_files: bool,

    /// Refuse what is accepted only because the reference implementation accepts it, such as
    /// expired certificates, and whatever there is to warn of
    #[arg(long)]
    strict: bool,

    /// Print a report as one JSON object: every missing, extra and changed file
    #[arg(long)]
    json: bool,
}

/// Arguments of `verify key`.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub(in crate::cli) struct KeyArgs {
    #[command(flatten)]
    common: Common,

    /// The public key: PEM
    #[arg(long, value_name = "FILE", value_parser = path())]
    public_key: PathBuf,
}

/// Arguments of `verify certificate`.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub(in crate::cli) struct CertificateArgs {
    #[command(flatten)]
    common: Common,

    /// Trusted roots, and certificates that lead to them: PEM (repeatable). Without it, those of
    /// Mozilla
    #[arg(long, value_name = "FILE", value_parser = path())]
    certificate_chain: Vec<PathBuf>,

    /// Print the SHA-256 fingerprints of all certificates to stderr
    #[arg(long)]
    log_fingerprints: bool,
}

pub(super) fn run(method: &Method, level: Option<Level>) -> anyhow::Result<Outcome> {
    let common = match method {
        Method::Key(args) => &args.common,
        Method::Certificate(args) => &args.common,
        Method::Sigstore(args) => {
            return Err(args.refusal("verify", "`key` and `certificate`"));
        }
    };
    let mut warnings = Warnings::new(common.strict);
    let mut statement = None;
    let verified = verifier(method).and_then(|verifier| {
        let fingerprints = matches!(method, Method::Certificate(args) if args.log_fingerprints)
            && level.is_none_or(Level::shows_information);
        let opened = common.open(&verifier, fingerprints, &mut warnings)?;
        common.compare(statement.insert(opened), &mut warnings)
    });
    let reported = print(|output| match (&verified, common.json) {
        (_, true) => output.json(&report(statement.as_ref(), &verified, &warnings)),
        (Ok(()), false) => output.line("Verification succeeded"),
        (Err(_), false) => Ok(()),
    });
    // The verdict comes first: that it could not be told must not stand in its place.
    verified?;
    reported?;
    Ok(Outcome::Clean)
}

fn verifier(method: &Method) -> anyhow::Result<Verifier> {
    Ok(match method {
        Method::Key(args) => {
            let pem = read(&args.public_key, MAX_PEM_BYTES)?;
            let key = PublicKey::from_pem(&pem)
                .with_context(|| format!("the public key {}", args.public_key.display()))?;
            Verifier::Key(key)
        }
        Method::Certificate(args) if args.certificate_chain.is_empty() => {
            let roots = webpki_root_certs::TLS_SERVER_ROOT_CERTS;
            Verifier::Certificates(TrustStore::from_der(
                roots.iter().map(|root| root.to_vec()).collect(),
            )?)
        }
        Method::Certificate(args) => {
            let files: Vec<_> = args
                .certificate_chain
                .iter()
                .map(|path| read(path, MAX_PEM_BYTES))
                .collect::<Result<_, _>>()?;
            let store = TrustStore::from_pem(&files).context("--certificate-chain")?;
            Verifier::Certificates(store)
        }
        Method::Sigstore(_) => unreachable!("was refused before"),
    })
}

impl Common {
    /// What was signed, by whom it must be.
    fn open(
        &self,
        verifier: &Verifier,
        fingerprints: bool,
        warnings: &mut Warnings,
    ) -> anyhow::Result<Statement> {
        let reading = || format!("the signature {}", self.signature.display());
        let bytes = read(&self.signature, MAX_SIGNATURE_BYTES)?;
        let file = SignatureFile::parse(&bytes).with_context(reading)?;
        // It may be as large as all that was decoded from it.
        drop(bytes);
        if fingerprints && let Verifier::Certificates(store) = verifier {
            log_fingerprints(store, file.certificates());
        }
        let options = Options {
            now: clock::now().as_second(),
            strict: self.strict,
        };
        let opened = file.verify(verifier, &options).with_context(reading)?;
        for warning in &opened.warnings {
            if *warning == Warning::NoHint && !self.json && !self.strict {
                // Where the reference says it, and with its words.
                print(|output| output.line(&format!("WARNING: {warning} ")))?;
            } else {
                warnings.warn(warning.to_string())?;
            }
        }
        Statement::parse(&opened.payload).with_context(reading)
    }

    /// Is the model the one that was signed?
    fn compare(&self, statement: &Statement, warnings: &mut Warnings) -> anyhow::Result<()> {
        let options = model::Options {
            ignored: self.tree.ignored_beside(&self.signature, warnings)?,
            ignore_unsigned: self.ignore_unsigned_files,
        };
        let model = self.tree.open()?;
        if model.allows_symlinks() && !statement.allow_symlinks {
            warnings
                .warn("the signer did not allow symlinks, and --allow-symlinks does".to_owned())?;
        }
        let listed = model::list(&model, statement, &options);
        let listing = listed.inspect_err(|error| give_hint(statement, &options, error))?;
        tree::warn_of_gaps(&listing, statement.manifest.method(), warnings)?;
        let meter = tree::meter(&listing);
        let compared = model::compare(&model, &listing, statement, &|bytes| meter.add(bytes));
        drop(meter);
        Ok(compared.inspect_err(|error| give_hint(statement, &options, error))?)
    }
}

/// Says what the verifier may have meant.
fn give_hint(statement: &Statement, options: &model::Options, error: &MismatchError) {
    let hint = match error {
        MismatchError::Walk(WalkError::Symlink { .. }) if statement.allow_symlinks => {
            "the signer allowed symlinks; --allow-symlinks does so here"
        }
        MismatchError::Differs(differences)
            if differences
                .missing
                .iter()
                .any(|name| options.ignored.covers(name)) =>
        {
            "some of the missing files were signed, but are left out here; \
             by default those of git are, and --no-ignore-git-paths takes them in"
        }
        _ => return,
    };
    let _ = writeln!(io::stderr(), "hint: {hint}");
}

fn log_fingerprints(store: &TrustStore, chain: &[Vec<u8>]) {
    let say = |when: &str, der: &[u8]| {
        let _ = writeln!(
            io::stderr(),
            "[{when:^8}] sha256 Fingerprint: {}",
            fingerprint(der)
        );
    };
    for certificate in store.certificates() {
        say("init", certificate);
    }
    // The reference's order: the signer's own certificate is the last.
    for certificate in chain.iter().skip(1).chain(chain.first()) {
        say("verify", certificate);
    }
}

/// What a signature says.
pub(super) fn signed(statement: &Statement) -> Value {
    let method = statement.manifest.method();
    json!({
        "name": statement.name,
        "root": statement.root().to_string(),
        "version": match statement.version() {
            Version::V0_2 => "0.2",
            Version::V1_0 => "1.0",
        },
        "hash": method.algorithm().as_str(),
        "shard_size": method.shard_bytes(),
        "allow_symlinks": statement.allow_symlinks,
        "ignore_paths": statement.ignored_paths,
        "resources": statement.manifest.resources().len(),
    })
}

fn report(
    statement: Option<&Statement>,
    verified: &anyhow::Result<()>,
    warnings: &Warnings,
) -> Value {
    let error = verified.as_ref().err();
    let nothing = Differences::default();
    let differences = match error.and_then(|error| error.downcast_ref()) {
        Some(MismatchError::Differs(differences)) => differences,
        _ => &nothing,
    };
    let changed = |changed: &Changed| {
        json!({
            "name": changed.name,
            "signed": changed.signed.to_string(),
            "found": changed.found.to_string(),
        })
    };
    json!({
        "ok": verified.is_ok(),
        "error": error.map(causes),
        "warnings": warnings.said,
        "signed": statement.map(signed),
        "missing": differences.missing,
        "extra": differences.extra,
        "changed": differences.changed.iter().map(changed).collect::<Vec<_>>(),
    })
}
