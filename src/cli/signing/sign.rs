//! `modelwatch sign`: hash a model, sign its manifest, write the signature.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use model_signing::MAX_PEM_BYTES;
use model_signing::key::PrivateKey;
use model_signing::sign::{self, CertificateSigner, KeySigner, Material, Signer};
use model_signing::statement::Statement;
use model_signing::verify::{SignatureFile, Warning};

use super::common::{Common, Signed, report};
use super::files::{is_same_file, is_standard, path, read};
use super::keyless;
use super::messages::{Warnings, print, say};
use super::sigstore::{self, SigstoreArgs};
use super::stamping;
use super::system;
use super::token;
use crate::cli::output::{Mistake, Outcome, causes};
use crate::clock;

/// What signs.
#[derive(Debug, clap::Subcommand)]
pub(in crate::cli) enum Method {
    /// Sign with a private key
    #[command(args_override_self = true)]
    Key(KeyArgs),
    /// Sign with a private key and its certificate
    #[command(args_override_self = true)]
    Certificate(CertificateArgs),
    /// Sign with a private key in a hardware token
    #[command(args_override_self = true)]
    Pkcs11Key(Pkcs11KeyArgs),
    /// Sign with a private key in a hardware token and its certificate
    #[command(args_override_self = true)]
    Pkcs11Certificate(Pkcs11CertificateArgs),
    /// Sign as an identity, with Sigstore: no key is needed (the default)
    #[command(args_override_self = true)]
    Sigstore(SigstoreArgs),
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

pub(super) fn run(method: &Method, config: &Path) -> anyhow::Result<Outcome> {
    let common = match method {
        Method::Key(args) => &args.common,
        Method::Certificate(args) => &args.common,
        Method::Pkcs11Key(args) => &args.common,
        Method::Pkcs11Certificate(args) => &args.common,
        Method::Sigstore(args) => &args.common,
    };
    let is_keyless = matches!(method, Method::Sigstore(_));
    let registering = common.register.prepare(config, is_keyless)?;
    let mut warnings = Warnings::new(common.strict);
    let signed = sign_by(method, common, &mut warnings);
    if signed.is_ok() && !common.stamping.resume {
        stamping::superseded(&common.signature);
    }
    let registered = match (&registering, &signed) {
        (Some(registering), Ok(signed)) => {
            Some(registering.register(&signed.file, &common.signature))
        }
        _ => None,
    };
    let to_standard_output = is_standard(&common.signature);
    let reported = print(|output| match (&signed, common.json) {
        (_, true) => output.json(&report(common, &signed, registered.as_ref(), &warnings)),
        // The words of the reference, which scripts may look for.
        (Ok(_), false) if !to_standard_output => output.line("Signing succeeded"),
        _ => Ok(()),
    });
    let signed = signed?;
    if let Some(verified) = &signed.verified {
        keyless::print_entries(verified);
    }
    if to_standard_output {
        say("Signing succeeded");
    } else {
        reported.with_context(|| format!("{} was written", common.signature.display()))?;
        say(&format!(
            "The signature is in {}",
            common.signature.display()
        ));
    }
    match registered {
        Some(Err(why)) => {
            say(&format!("error: {}", causes(&why)));
            Ok(Outcome::Unanswered)
        }
        _ => Ok(Outcome::Clean),
    }
}

fn sign_by(method: &Method, common: &Common, warnings: &mut Warnings) -> anyhow::Result<Signed> {
    method.spare_inputs(&common.signature)?;
    spare(common.oci.path(), &common.signature)?;
    if let Method::Sigstore(args) = method {
        return sigstore::sign(args, warnings);
    }
    // The key comes before the model: to hash for an hour and then find no key would be the wrong order.
    if common.stamping.resume {
        resume(method, common, warnings)
    } else {
        signer(method, warnings).and_then(|signer| sign_with(common, &*signer, warnings))
    }
}

/// Signs with a key. Answers what was signed, for the report.
fn sign_with(
    common: &Common,
    signer: &dyn Signer,
    warnings: &mut Warnings,
) -> anyhow::Result<Signed> {
    let (hashing, place) = common.prepare(warnings)?;
    let (payload, statement) = hashing.payload()?;
    let bundle = sign::bundle(payload.as_bytes(), signer)?;
    let file = common.stamping.add(bundle, &common.signature)?;
    place.write(&file)?;
    Ok(Signed {
        statement,
        verified: None,
        file,
    })
}

/// Completes what an earlier run left, if it is what this command would sign as far as that is known without hashing the
/// model: others may have changed the file, and months may have passed. Returns the signed content.
fn resume(method: &Method, common: &Common, warnings: &mut Warnings) -> anyhow::Result<Signed> {
    let (place, left) = common.stamping.left(&common.signature)?;
    let reading = || place.display().to_string();
    let file = SignatureFile::parse(&left).with_context(reading)?;
    anyhow::ensure!(
        method.material(warnings)?.has_signed(&file),
        "{} is no signature by the key and the certificates of this command: it was changed, or is of another signing; \
         sign again, without --resume",
        place.display()
    );
    let statement = Statement::parse(file.unverified_payload()).with_context(reading)?;
    let destination = common.place_of(&statement, warnings)?;
    let bundle = common.stamping.complete(&left, &place)?;
    destination.write(&bundle)?;
    stamping::completed(&common.signature)?;
    Ok(Signed {
        statement: super::verify::signed(&statement),
        verified: None,
        file: bundle,
    })
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
        Method::Sigstore(_) => unreachable!("its key is made while it signs"),
    })
}

impl Method {
    /// What a signature has about the signer. Certificates are those that could be signed with today.
    fn material(&self, warnings: &mut Warnings) -> anyhow::Result<Material> {
        match self {
            Self::Key(args) => Ok(args.key.signer()?.material().clone()),
            Self::Pkcs11Key(args) => Ok(args.token.signer()?.material().clone()),
            Self::Certificate(CertificateArgs { chain, .. })
            | Self::Pkcs11Certificate(Pkcs11CertificateArgs { chain, .. }) => {
                let material = chain.material(&chain.leaf()?)?;
                chain.check(&material, warnings)?;
                Ok(material)
            }
            Self::Sigstore(_) => unreachable!("it completes its signatures itself"),
        }
    }

    /// The reference replaces whatever `--signature` names. Of these there may be no copy.
    fn spare_inputs(&self, signature: &Path) -> anyhow::Result<()> {
        let (key, chain) = match self {
            Self::Sigstore(args) => return spare(args.inputs(), signature),
            Self::Key(args) => (Some(&args.key), None),
            Self::Certificate(args) => (Some(&args.key), Some(&args.chain)),
            Self::Pkcs11Certificate(args) => (None, Some(&args.chain)),
            Self::Pkcs11Key(_) => (None, None),
        };
        let key = key.map(|key| std::iter::once(&key.private_key).chain(&key.password_file));
        let chain = chain.map(|chain| {
            std::iter::once(&chain.signing_certificate).chain(&chain.certificate_chain)
        });
        let inputs = key.into_iter().flatten();
        spare(inputs.chain(chain.into_iter().flatten()), signature)
    }
}

fn spare<'a>(
    inputs: impl IntoIterator<Item = &'a PathBuf>,
    signature: &Path,
) -> anyhow::Result<()> {
    let mut inputs = inputs.into_iter();
    match inputs.find(|input| is_same_file(input, signature)) {
        Some(input) => Err(anyhow::anyhow!(
            "--signature {} would replace what is read to sign: {}",
            signature.display(),
            input.display()
        )),
        None => Ok(()),
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
        let password = system::bytes(password)
            .ok_or_else(|| Mistake(format!("--password-env: the variable {name} is no Unicode")))?;
        Ok(Some(password))
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
        let signer =
            CertificateSigner::of(signer, self.material(leaf)?).with_context(|| self.shown())?;
        self.check(signer.material(), warnings)?;
        Ok(signer)
    }

    /// The certificates that go into a signature.
    fn material(&self, leaf: &[u8]) -> anyhow::Result<Material> {
        let chain: Vec<_> = self
            .certificate_chain
            .iter()
            .map(|path| read(path, MAX_PEM_BYTES))
            .collect::<Result<_, _>>()?;
        Material::of_certificates(leaf, &chain).with_context(|| self.shown())
    }

    /// What its own verifier would refuse is not signed.
    fn check(&self, material: &Material, warnings: &mut Warnings) -> anyhow::Result<()> {
        let lacks_key_usage = material
            .check(clock::now().as_second(), warnings.strict)
            .with_context(|| self.shown())?;
        if lacks_key_usage {
            warnings.warn(Warning::NoKeyUsage.to_string())?;
        }
        Ok(())
    }

    fn shown(&self) -> String {
        format!("the certificate {}", self.signing_certificate.display())
    }
}

impl TokenArgs {
    fn signer(&self) -> anyhow::Result<impl Signer + use<>> {
        token::open(&self.pkcs11_uri)
    }

    fn signer_for(&self, certificate: &[u8]) -> anyhow::Result<impl Signer + use<>> {
        token::open_for_certificate(&self.pkcs11_uri, certificate)
    }
}
