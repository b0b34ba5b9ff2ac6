//! `modelwatch sign`: hash a model, sign its manifest, write the signature.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use model_signing::key::PrivateKey;
use model_signing::pkcs11::{TokenSigner, Uri};
use model_signing::sign::{self, CertificateSigner, KeySigner, Signer};
use model_signing::statement::{NotSignable, Statement};
use model_signing::verify::{SignatureFile, Warning};
use model_signing::walk::{Listed, Listing, Model};
use model_signing::{Destination, MAX_PEM_BYTES};
use serde_json::{Value, json};

use super::files::{is_standard, path, read};
use super::messages::{Warnings, print, shown};
use super::stamping::{self, StampingArgs};
use super::tree;
use crate::cli::output::{Mistake, Outcome};
use crate::clock;

/// What signs.
#[derive(Debug, clap::Subcommand)]
pub(in crate::cli) enum Method {
    /// Sign with a private key
    #[command(args_override_self = true)]
    Key(KeyArgs),
    /// Sign with a private key that a certificate vouches for
    #[command(args_override_self = true)]
    Certificate(CertificateArgs),
    /// Sign with a private key in a hardware token
    #[command(args_override_self = true)]
    Pkcs11Key(Pkcs11KeyArgs),
    /// Sign with a private key in a hardware token that a certificate vouches for
    #[command(args_override_self = true)]
    Pkcs11Certificate(Pkcs11CertificateArgs),
    #[command(hide = true)]
    Sigstore(Sigstore),
}

/// What every method takes.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub(in crate::cli) struct Common {
    #[command(flatten)]
    tree: tree::TreeArgs,

    /// Where the signature is written; a file that is there is replaced. `-`: to standard output
    #[arg(long, value_name = "PATH", default_value = "model.sig", value_parser = path())]
    signature: PathBuf,

    #[command(flatten)]
    hashing: tree::HashingArgs,

    #[command(flatten)]
    stamping: StampingArgs,

    /// Sign nothing if there is anything to warn of
    #[arg(long)]
    strict: bool,

    /// Print a report as one JSON object
    #[arg(long)]
    json: bool,
}

/// Arguments of `sign key`.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub(in crate::cli) struct KeyArgs {
    #[command(flatten)]
    common: Common,

    #[command(flatten)]
    key: PrivateKeyArgs,
}

/// Arguments of `sign certificate`.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub(in crate::cli) struct CertificateArgs {
    #[command(flatten)]
    common: Common,

    #[command(flatten)]
    key: PrivateKeyArgs,

    #[command(flatten)]
    chain: ChainArgs,
}

/// Arguments of `sign pkcs11-key`.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub(in crate::cli) struct Pkcs11KeyArgs {
    #[command(flatten)]
    common: Common,

    #[command(flatten)]
    token: TokenArgs,
}

/// Arguments of `sign pkcs11-certificate`.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub(in crate::cli) struct Pkcs11CertificateArgs {
    #[command(flatten)]
    common: Common,

    #[command(flatten)]
    token: TokenArgs,

    #[command(flatten)]
    chain: ChainArgs,
}

#[derive(Debug, clap::Args)]
#[group(skip)]
struct PrivateKeyArgs {
    /// The private key: PEM, P-256, P-384 or P-521
    #[arg(long, value_name = "FILE", value_parser = path())]
    private_key: PathBuf,

    /// A file with the password of the private key; a line end at its end is not part of it
    #[arg(long, value_name = "FILE", value_parser = path(), conflicts_with = "password_env")]
    password_file: Option<PathBuf>,

    /// The environment variable with the password of the private key
    #[arg(long, value_name = "NAME")]
    password_env: Option<String>,

    /// Taken, as the reference takes it, to be refused with a reason.
    #[arg(long, hide = true, value_name = "TEXT")]
    password: Option<String>,
}

#[derive(Debug, clap::Args)]
#[group(skip)]
struct ChainArgs {
    /// The certificate of the key: PEM, the first one of the file; others in it become part of the
    /// signature
    #[arg(long, value_name = "FILE", value_parser = path())]
    signing_certificate: PathBuf,

    /// Certificates that lead from it to a root: PEM (repeatable). They become part of the signature
    #[arg(long, value_name = "FILE", value_parser = path())]
    certificate_chain: Vec<PathBuf>,
}

#[derive(Debug, clap::Args)]
#[group(skip)]
struct TokenArgs {
    /// The key in the token: `pkcs11:token=…;object=…?module-path=…&pin-source=file:…` (RFC 7512)
    #[arg(long, value_name = "URI")]
    pkcs11_uri: String,
}

pub(super) fn run(method: &Method) -> anyhow::Result<Outcome> {
    let common = match method {
        Method::Key(args) => &args.common,
        Method::Certificate(args) => &args.common,
        Method::Pkcs11Key(args) => &args.common,
        Method::Pkcs11Certificate(args) => &args.common,
        Method::Sigstore(_) => {
            return Err(Sigstore::refusal(
                "sign",
                "`key`, `certificate`, `pkcs11-key` and `pkcs11-certificate`",
            ));
        }
    };
    let mut warnings = Warnings::new(common.strict);
    // The key comes before the model: to hash for an hour and then find no key would be the wrong order.
    let signed = if common.stamping.resume {
        common.resume()
    } else {
        signer(method, &mut warnings).and_then(|signer| {
            method.spare_inputs(&common.signature)?;
            common.sign(&*signer, &mut warnings)
        })
    };
    let to_standard_output = is_standard(&common.signature);
    let reported = print(|output| match (&signed, common.json) {
        (_, true) => output.json(&report(common, &signed, &warnings)),
        // The words of the reference, which scripts may look for.
        (Ok(_), false) if !to_standard_output => output.line("Signing succeeded"),
        _ => Ok(()),
    });
    signed?;
    if to_standard_output {
        let _ = writeln!(io::stderr(), "Signing succeeded");
        return Ok(Outcome::Clean);
    }
    reported.with_context(|| format!("{} was written", common.signature.display()))?;
    let written = shown(&common.signature.display().to_string());
    let _ = writeln!(io::stderr(), "The signature is in {written}");
    Ok(Outcome::Clean)
}

fn signer(method: &Method, warnings: &mut Warnings) -> anyhow::Result<Box<dyn Signer>> {
    Ok(match method {
        Method::Key(args) => Box::new(args.key.signer()?),
        Method::Certificate(args) => {
            let signer = args.key.signer()?;
            Box::new(args.chain.signer(signer, &args.chain.leaf()?, warnings)?)
        }
        Method::Pkcs11Key(args) => Box::new(args.token.signer()?),
        Method::Pkcs11Certificate(args) => {
            let leaf = args.chain.leaf()?;
            let signer = args.token.signer_for(&leaf)?;
            Box::new(args.chain.signer(signer, &leaf, warnings)?)
        }
        Method::Sigstore(_) => unreachable!("was refused before"),
    })
}

impl Method {
    /// The reference replaces whatever `--signature` names. Of these there may be no copy.
    fn spare_inputs(&self, signature: &Path) -> anyhow::Result<()> {
        let (key, chain) = match self {
            Self::Key(args) => (Some(&args.key), None),
            Self::Certificate(args) => (Some(&args.key), Some(&args.chain)),
            Self::Pkcs11Certificate(args) => (None, Some(&args.chain)),
            Self::Pkcs11Key(_) | Self::Sigstore(_) => (None, None),
        };
        let key = key.map(|key| std::iter::once(&key.private_key).chain(&key.password_file));
        let chain = chain.map(|chain| {
            std::iter::once(&chain.signing_certificate).chain(&chain.certificate_chain)
        });
        let mut inputs = key.into_iter().flatten().chain(chain.into_iter().flatten());
        match inputs.find(|input| is_same_file(input, signature)) {
            Some(input) => Err(anyhow::anyhow!(
                "--signature {} would replace what is read to sign: {}",
                signature.display(),
                input.display()
            )),
            None => Ok(()),
        }
    }
}

fn is_same_file(one: &Path, other: &Path) -> bool {
    let (Ok(one), Ok(other)) = (fs::metadata(one), fs::metadata(other)) else {
        return false;
    };
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

impl Common {
    /// Answers what was signed, for the report.
    fn sign(&self, signer: &dyn Signer, warnings: &mut Warnings) -> anyhow::Result<Value> {
        if self.json && is_standard(&self.signature) {
            return Err(Mistake(
                "--json and --signature - both write to standard output: choose one".to_owned(),
            )
            .into());
        }
        let method = self.hashing.method()?;
        let ignored = self.tree.ignored_beside(self.place(), warnings)?;
        let recorded = ignored.recorded().map_err(|path| {
            anyhow::anyhow!(
                "the path {path:?} to leave out is not UTF-8, so no signature can contain it"
            )
        })?;
        let model = self.tree.open(false)?;
        let name = model.name()?;
        // Before the model is hashed, which may take an hour.
        let destination = self.destination(&model)?;
        let listing = model.walk(&ignored)?;
        let is_signed = |file: &Listed| method.shard_bytes().is_none() || file.size > 0;
        if !listing.files.iter().any(is_signed) {
            return Err(NotSignable::NoResources.into());
        }
        tree::refuse_left_over(&model, &listing, &self.signature, |_| false)?;
        tree::warn_of_gaps(&model, &listing, method, warnings)?;
        if let Some(destination) = &destination {
            destination.reserve(expected_bytes(&listing))?;
        }
        let manifest = tree::hash(&model, &listing, method)?;
        let statement = Statement::new(name, manifest, model.allows_symlinks(), recorded)?;
        let payload = statement.to_json();
        let signed = super::verify::signed(&statement);
        // The list of a million files takes as much memory as its JSON does, and that in base64 comes next.
        drop(statement);
        let bundle = sign::bundle(payload.as_bytes(), signer)?;
        let bundle = self.stamping.add(bundle, &self.signature)?;
        match destination {
            Some(destination) => destination.write(&bundle)?,
            None => io::stdout()
                .write_all(&bundle)
                .and_then(|()| io::stdout().flush())
                .context("standard output cannot be written")?,
        }
        Ok(signed)
    }

    /// Completes what an earlier run left. Answers what the signature says.
    fn resume(&self) -> anyhow::Result<Value> {
        let bundle = self.stamping.resume(&self.signature)?;
        // It is what an earlier run has signed: whether the model has changed since is found out when it is verified.
        let file = SignatureFile::parse(&bundle)?;
        let statement = Statement::parse(file.unverified_payload())?;
        let model = self.tree.open(statement.allow_symlinks)?;
        Destination::prepare(&self.signature, model.path())?.write(&bundle)?;
        stamping::completed(&self.signature)?;
        Ok(super::verify::signed(&statement))
    }

    /// Where the signature is a file, if it is one: the shell may have opened one in the model.
    fn place(&self) -> &Path {
        if is_standard(&self.signature) {
            Path::new("/dev/stdout")
        } else {
            &self.signature
        }
    }

    /// `None`: standard output.
    fn destination(&self, model: &Model) -> anyhow::Result<Option<Destination>> {
        if is_standard(&self.signature) {
            return Ok(None);
        }
        Ok(Some(Destination::prepare(&self.signature, model.path())?))
    }
}

/// About how long the signature of these files will be, at least.
fn expected_bytes(listing: &Listing) -> u64 {
    /// What one resource takes in JSON, without its name.
    const RESOURCE_BYTES: usize = 150;
    let names = listing.files.iter().map(|file| file.name.len());
    let json = names.fold(4096, |sum: usize, name| {
        sum.saturating_add(name + RESOURCE_BYTES)
    });
    // In base64.
    (json / 3 * 4) as u64
}

impl PrivateKeyArgs {
    fn signer(&self) -> anyhow::Result<KeySigner> {
        let path = &self.private_key;
        let pem = read(path, MAX_PEM_BYTES)?;
        let password = self.password()?;
        let key = PrivateKey::from_pem(&pem, password.as_deref())
            .with_context(|| format!("the private key {}", path.display()))?;
        Ok(KeySigner::new(key))
    }

    fn password(&self) -> anyhow::Result<Option<Vec<u8>>> {
        // In the reference it has never worked, so no script needs it.
        anyhow::ensure!(
            self.password.is_none(),
            "--password is not taken: what is on a command line, every user of the machine can read; \
             there are --password-file and --password-env"
        );
        if let Some(path) = &self.password_file {
            let mut password = read(path, MAX_PASSWORD_BYTES)?;
            if password.ends_with(b"\n") {
                password.pop();
                if password.ends_with(b"\r") {
                    password.pop();
                }
            }
            return Ok(Some(password));
        }
        let Some(name) = &self.password_env else {
            return Ok(None);
        };
        let password = std::env::var_os(name)
            .ok_or_else(|| Mistake(format!("--password-env: the variable {name} is not set")))?;
        Ok(Some(password.into_vec()))
    }
}

/// Longest password in bytes.
const MAX_PASSWORD_BYTES: usize = 4096;

impl ChainArgs {
    /// The file with the signing certificate. It is read once: a pipe is empty the second time.
    fn leaf(&self) -> anyhow::Result<Vec<u8>> {
        read(&self.signing_certificate, MAX_PEM_BYTES)
    }

    fn signer<S: Signer>(
        &self,
        signer: S,
        leaf: &[u8],
        warnings: &mut Warnings,
    ) -> anyhow::Result<CertificateSigner<S>> {
        let strict = warnings.strict;
        let chain: Vec<_> = self
            .certificate_chain
            .iter()
            .map(|path| read(path, MAX_PEM_BYTES))
            .collect::<Result<_, _>>()?;
        let reading = || format!("the certificate {}", self.signing_certificate.display());
        let signer = CertificateSigner::new(signer, leaf, &chain).with_context(reading)?;
        // What its own verifier would refuse is not signed.
        if signer
            .check(clock::now().as_second(), strict)
            .with_context(reading)?
        {
            warnings.warn(Warning::NoKeyUsage.to_string())?;
        }
        Ok(signer)
    }
}

impl TokenArgs {
    fn signer(&self) -> anyhow::Result<TokenSigner> {
        let uri: Uri = self.pkcs11_uri.parse().context("--pkcs11-uri")?;
        Ok(TokenSigner::open(&uri)?)
    }

    fn signer_for(&self, certificate: &[u8]) -> anyhow::Result<TokenSigner> {
        let uri: Uri = self.pkcs11_uri.parse().context("--pkcs11-uri")?;
        Ok(TokenSigner::open_for_certificate(&uri, certificate)?)
    }
}

fn report(common: &Common, signed: &anyhow::Result<Value>, warnings: &Warnings) -> Value {
    let error = signed.as_ref().err().map(crate::cli::output::causes);
    let written: Option<&Path> = signed.is_ok().then_some(&common.signature);
    let signed = signed.as_ref().ok();
    json!({
        "ok": signed.is_some(),
        "error": error,
        "warnings": warnings.list,
        "signature": written.map(|path| path.display().to_string()),
        "signed": signed,
    })
}

/// The arguments of a method that is not there yet.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Sigstore {
    #[arg(hide = true, allow_hyphen_values = true, trailing_var_arg = true)]
    _rest: Vec<std::ffi::OsString>,
}

impl Sigstore {
    fn refusal(command: &str, methods: &str) -> anyhow::Error {
        Mistake(format!(
            "`{command} sigstore`, which is also what `{command}` is without a method, is not in this version; \
             there are {methods}"
        ))
        .into()
    }
}
