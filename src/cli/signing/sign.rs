//! `modelwatch sign`: hash a model, sign its manifest, write the signature.

use std::fs;
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use model_signing::MAX_PEM_BYTES;
use model_signing::key::PrivateKey;
use model_signing::pkcs11::{TokenSigner, Uri};
use model_signing::sign::{self, CertificateSigner, KeySigner, Signer};
use model_signing::statement::Statement;
use serde_json::{Value, json};

use super::{Sigstore, Warnings, path, print, read, tree};
use crate::cli::output::{Mistake, Outcome};

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

    /// Where the signature is written; a file that is there is replaced
    #[arg(long, value_name = "PATH", default_value = "model.sig", value_parser = path())]
    signature: PathBuf,

    #[command(flatten)]
    hashing: tree::HashingArgs,

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
    /// The certificate of the key: PEM, the first one of the file
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
        Method::Sigstore(args) => {
            return Err(args.refusal(
                "sign",
                "`key`, `certificate`, `pkcs11-key` and `pkcs11-certificate`",
            ));
        }
    };
    let mut warnings = Warnings::new(common.strict);
    // The key comes before the model: to hash for an hour and then find no key would be the wrong order.
    let signed = signer(method).and_then(|signer| {
        method.spare_inputs(&common.signature)?;
        common.sign(&*signer, &mut warnings)
    });
    let reported = print(|output| match (&signed, common.json) {
        (_, true) => output.json(&report(common, &signed, &warnings)),
        (Ok(_), false) => output.line("Signing succeeded"),
        (Err(_), false) => Ok(()),
    });
    signed?;
    reported.with_context(|| format!("{} was written", common.signature.display()))?;
    Ok(Outcome::Clean)
}

fn signer(method: &Method) -> anyhow::Result<Box<dyn Signer>> {
    Ok(match method {
        Method::Key(args) => Box::new(args.key.signer()?),
        Method::Certificate(args) => Box::new(args.chain.vouch_for(args.key.signer()?)?),
        Method::Pkcs11Key(args) => Box::new(args.token.signer()?),
        Method::Pkcs11Certificate(args) => Box::new(args.chain.vouch_for(args.token.signer()?)?),
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
    /// Answers what the signature says.
    fn sign(&self, signer: &dyn Signer, warnings: &mut Warnings) -> anyhow::Result<Value> {
        let method = self.hashing.method()?;
        let ignored = self.tree.ignored_beside(&self.signature, warnings)?;
        let recorded = ignored.recorded().map_err(|path| {
            anyhow::anyhow!(
                "the path {path:?} to leave out is not UTF-8, so no signature can hold it"
            )
        })?;
        let model = self.tree.open()?;
        let name = model.name()?;
        // Before the model is hashed, which may take an hour.
        model_signing::replaceable(&self.signature)?;
        let manifest = tree::hash(&model, &ignored, method, warnings)?;
        let statement = Statement::new(name, manifest, model.allows_symlinks(), recorded)?;
        let payload = statement.to_json();
        let said = super::verify::signed(&statement);
        // The list of a million files takes as much memory as its JSON does, and that in base64 comes next.
        drop(statement);
        let bundle = sign::bundle(payload.as_bytes(), signer)?;
        model_signing::replace(&self.signature, &bundle)?;
        Ok(said)
    }
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

/// Longest password: nobody has one of a page.
const MAX_PASSWORD_BYTES: usize = 4096;

impl ChainArgs {
    fn vouch_for<S: Signer>(&self, signer: S) -> anyhow::Result<CertificateSigner<S>> {
        let leaf = read(&self.signing_certificate, MAX_PEM_BYTES)?;
        let chain: Vec<_> = self
            .certificate_chain
            .iter()
            .map(|path| read(path, MAX_PEM_BYTES))
            .collect::<Result<_, _>>()?;
        CertificateSigner::new(signer, &leaf, &chain)
            .with_context(|| format!("the certificate {}", self.signing_certificate.display()))
    }
}

impl TokenArgs {
    fn signer(&self) -> anyhow::Result<TokenSigner> {
        let uri: Uri = self.pkcs11_uri.parse().context("--pkcs11-uri")?;
        Ok(TokenSigner::open(&uri)?)
    }
}

fn report(common: &Common, signed: &anyhow::Result<Value>, warnings: &Warnings) -> Value {
    let error = signed.as_ref().err().map(crate::cli::output::causes);
    let written: Option<&Path> = signed.is_ok().then_some(&common.signature);
    let signed = signed.as_ref().ok();
    json!({
        "ok": signed.is_some(),
        "error": error,
        "warnings": warnings.said,
        "signature": written.map(|path| path.display().to_string()),
        "signed": signed,
    })
}
