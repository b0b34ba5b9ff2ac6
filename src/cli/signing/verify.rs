//! `modelwatch verify`: is the signature by whom it must be, and is the model the one that was signed?

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use model_signing::certificate::{TrustStore, ValidAt, fingerprint};
use model_signing::manifest::{Changed, Differences};
use model_signing::model::{self, MismatchError};
use model_signing::statement::{Statement, Version};
use model_signing::verify::{MAX_SIGNATURE_BYTES, Options, SignatureFile, Verifier, Warning};
use serde_json::{Value, json};

use super::attestation::{self, AttestationArgs};
use super::files::{path, read};
use super::messages::{Warnings, print};
use super::oci::{self, OciArgs};
use super::report::{SignerReport, certificate_report};
use super::signer::{ChainArgs, at_times, public_key};
use super::stamps::{StampArgs, proven_times};
use super::{keyless, tree};
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
    /// Verify that an identity signed the model, with Sigstore: no key is needed (the default)
    #[command(args_override_self = true)]
    Sigstore(SigstoreArgs),
    /// Verify that attestations by an identity, a key or a certificate are about the model: SLSA
    /// provenance, or any other in-toto statement that names its files
    #[command(args_override_self = true)]
    Attestation(AttestationArgs),
}

/// What every method takes.
#[derive(Debug, clap::Args)]
#[group(skip)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an option of the reference's command line"
)]
#[command(mut_arg("model", |model| model.required(false).required_unless_present("oci_manifest")))]
pub(in crate::cli) struct Common {
    #[command(flatten)]
    tree: tree::TreeArgs,

    #[command(flatten)]
    oci: OciArgs,

    /// The signature. `-`: from standard input
    #[arg(long, value_name = "PATH", value_parser = path())]
    signature: PathBuf,

    /// Ignore files that were not signed
    #[arg(long, overrides_with = "no_ignore_unsigned_files")]
    ignore_unsigned_files: bool,

    /// A file that was not signed is an error (the default)
    #[arg(long, overrides_with = "ignore_unsigned_files")]
    no_ignore_unsigned_files: bool,

    /// Refuse what is accepted only because the reference implementation accepts it, such as
    /// SHA-1 in a chain. Every warning is an error
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

    #[command(flatten)]
    stamps: StampArgs,
}

/// Arguments of `verify certificate`.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub(in crate::cli) struct CertificateArgs {
    #[command(flatten)]
    common: Common,

    #[command(flatten)]
    chain: ChainArgs,

    /// Print the SHA-256 fingerprints of all certificates to stderr
    #[arg(long)]
    log_fingerprints: bool,

    #[command(flatten)]
    stamps: StampArgs,
}

/// Arguments of `verify sigstore`.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub(in crate::cli) struct SigstoreArgs {
    #[command(flatten)]
    common: Common,

    #[command(flatten)]
    keyless: keyless::KeylessArgs,
}

impl Method {
    /// When the certificates must be valid.
    fn valid_at(&self) -> ValidAt {
        match self {
            Self::Certificate(args) => args.chain.valid_at(),
            _ => ValidAt::Present,
        }
    }

    /// Whose timestamps count.
    fn stamps(&self) -> Option<&StampArgs> {
        match self {
            Self::Key(args) => Some(&args.stamps),
            Self::Certificate(args) => Some(&args.stamps),
            Self::Sigstore(_) | Self::Attestation(_) => None,
        }
    }
}

pub(super) fn run(method: &Method, level: Option<Level>) -> anyhow::Result<Outcome> {
    let common = match method {
        Method::Key(args) => &args.common,
        Method::Certificate(args) => &args.common,
        Method::Sigstore(args) => &args.common,
        Method::Attestation(args) => return attestation::run(args),
    };
    let mut warnings = Warnings::new(common.strict);
    let mut statement = None;
    let mut signer = SignerReport::default();
    let mut keyless = None;
    let verified = verifier(method).and_then(|verifier| {
        let Some(verifier) = verifier else {
            let Method::Sigstore(args) = method else {
                unreachable!("only a keyless signature has no verifier that is made before")
            };
            let opened = args
                .keyless
                .open(&common.signature, common.place(), &mut warnings);
            let (opened, verified) = opened?;
            keyless = Some(verified);
            return common.compare(statement.insert(opened), &mut warnings);
        };
        let fingerprints = matches!(method, Method::Certificate(args) if args.log_fingerprints)
            && level.is_none_or(Level::shows_information);
        let options = Options {
            now: clock::now().as_second(),
            valid_at: method.valid_at(),
            strict: common.strict,
        };
        let opened = common.open(
            &verifier,
            options,
            method.stamps(),
            fingerprints,
            &mut signer,
            &mut warnings,
        )?;
        common.compare(statement.insert(opened), &mut warnings)
    });
    let reported = print(|output| match (&verified, common.json) {
        (_, true) => {
            let mut report = report(statement.as_ref(), &signer, &verified, &warnings);
            if let Some(keyless) = &keyless {
                keyless::describe(keyless, &mut report);
                let der = keyless.certificate.as_ref().map(|(der, _)| der.as_slice());
                report["certificate"] = Value::from(der.and_then(certificate_report));
            }
            output.json(&report)
        }
        (Ok(()), false) => output.line("Verification succeeded"),
        (Err(_), false) => Ok(()),
    });
    // The verdict comes first: a failure to print it must not replace it.
    verified?;
    reported?;
    Ok(Outcome::Clean)
}

/// The signer of a key or a certificate on the command line; `None` for an identity.
fn verifier(method: &Method) -> anyhow::Result<Option<Verifier>> {
    Ok(Some(match method {
        Method::Key(args) => Verifier::Key(public_key(&args.public_key)?),
        Method::Certificate(args) => Verifier::Certificates(args.chain.trusted()?),
        Method::Sigstore(_) | Method::Attestation(_) => return Ok(None),
    }))
}

impl Common {
    /// What was signed, by whom it must be.
    fn open(
        &self,
        verifier: &Verifier,
        mut options: Options,
        stamps: Option<&StampArgs>,
        fingerprints: bool,
        signer: &mut SignerReport,
        warnings: &mut Warnings,
    ) -> anyhow::Result<Statement> {
        let reading = || format!("the signature {}", self.signature.display());
        let bytes = read(self.place(), MAX_SIGNATURE_BYTES)?;
        let file = SignatureFile::parse(&bytes).with_context(reading)?;
        // It may be as large as all that was decoded from it.
        drop(bytes);
        if fingerprints && let Verifier::Certificates(store) = verifier {
            log_fingerprints(store, file.certificates());
        }
        let leaf = file.certificates().first().cloned();
        let stamped = match stamps {
            Some(stamps) => proven_times(&stamps.authorities()?, &file, options.now, warnings)?,
            None => Vec::new(),
        };
        options.valid_at = at_times(options.valid_at, &stamped);
        let opened = file.verify(verifier, &options).with_context(reading)?;
        *signer = SignerReport::new(&opened.key, leaf.as_deref(), &stamped);
        for warning in &opened.warnings {
            if *warning == Warning::NoHint && !self.json && !self.strict {
                // Where the reference prints it, and with its words.
                print(|output| output.line(&format!("WARNING: {warning} ")))?;
            } else {
                warnings.warn(warning.to_string())?;
            }
        }
        Statement::parse(&opened.payload).with_context(reading)
    }

    /// Where the signature is a file, if it is one: the shell may have opened one in the model.
    fn place(&self) -> &Path {
        if self.signature == Path::new("-") {
            Path::new("/dev/stdin")
        } else {
            &self.signature
        }
    }

    /// Is the model the one that was signed?
    fn compare(&self, statement: &Statement, warnings: &mut Warnings) -> anyhow::Result<()> {
        if let Some(image) = self.oci.load()? {
            let options = model::Options {
                ignored: oci::ignored(&self.tree),
                ignore_unsigned: self.ignore_unsigned_files,
            };
            let compared = image.manifest.compare(statement, &options);
            compared.inspect_err(|error| give_hint(&options, error))?;
            return oci::warn_of_gaps(&image, &statement.manifest, warnings);
        }
        let options = model::Options {
            ignored: self.tree.ignored_beside(self.place(), warnings)?,
            ignore_unsigned: self.ignore_unsigned_files,
        };
        let model = self.tree.open(statement.allow_symlinks)?;
        if self.tree.allows_symlinks() && !statement.allow_symlinks {
            warnings
                .warn("the signer did not allow symlinks, and --allow-symlinks does".to_owned())?;
        }
        let listed = model::list(&model, statement, &options);
        let listing = listed.inspect_err(|error| give_hint(&options, error))?;
        tree::refuse_left_over(&model, &listing, &self.signature, |name| {
            let mut signed = statement.manifest.resources().iter();
            signed.any(|resource| &*resource.path == name)
        })?;
        tree::warn_of_gaps(&model, &listing, statement.manifest.method(), warnings)?;
        let meter = tree::meter(&listing);
        let compared = model::compare(&model, &listing, statement, &|bytes| meter.add(bytes));
        drop(meter);
        Ok(compared.inspect_err(|error| give_hint(&options, error))?)
    }
}

/// Prints what the user may have meant.
fn give_hint(options: &model::Options, error: &MismatchError) {
    let hint = match error {
        MismatchError::Differs(differences)
            if differences
                .missing
                .iter()
                .any(|name| options.ignored.covers(name)) =>
        {
            "some of the missing files were signed, but are left out here; by default those of git are, and --no-ignore-git-paths includes them"
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

/// What was signed, as a report has it.
pub(super) fn signed(statement: &Statement) -> Value {
    let method = statement.manifest.method();
    json!({
        "name": statement.name,
        "root": statement.root().to_string(),
        "version": match statement.version() {
            Version::V0_2 => "0.2".to_owned(),
            Version::V1 { minor } => format!("1.{minor}"),
        },
        "hash": method.algorithm().as_str(),
        "shard_size": method.shard_bytes(),
        "allow_symlinks": statement.allow_symlinks,
        "ignore_paths": statement.ignored_paths,
        "resources": statement.manifest.resources().len(),
    })
}

/// The keys are always there; those that a keyless signature has a value for, [`keyless::describe`] sets.
fn report(
    statement: Option<&Statement>,
    signer: &SignerReport,
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
        "warnings": warnings.list,
        "method": signer.method,
        "identity": null,
        "key": signer.key,
        "certificate": signer.certificate,
        "timestamps": signer.timestamps,
        "log_index": null,
        "signed": statement.map(signed),
        "missing": differences.missing,
        "extra": differences.extra,
        "changed": differences.changed.iter().map(changed).collect::<Vec<_>>(),
    })
}
