//! `modelwatch sign [sigstore]`: where the identity token comes from, and what is checked of it before a model is hashed.

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use clap::builder::{StringValueParser, TypedValueParser};
use model_signing::sigstore::{CertifiedName, DEFAULT_AUDIENCE, IdentityToken, MAX_TOKEN_BYTES};
use secrecy::{ExposeSecret as _, SecretString};

use super::files::path;
use super::lifetime::{Estimate, Order, Prospect};
use super::messages::{Warnings, shown};
use super::sign_in;
use crate::cli::output::Mistake;
use crate::clock;
use crate::file;
use crate::http::Client;
use crate::oidc::{Ambient, OauthClient, Platform};
use crate::secret::SecretSource;

/// The variable of Sigstore's clients with an identity token.
const TOKEN_VARIABLE: &str = "SIGSTORE_ID_TOKEN";

/// Under which identity.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub(super) struct IdentityArgs {
    /// The identity token (a JWT); `-` reads it from standard input. On the command line every
    /// user of the machine can read it: there are --identity-token-file and $SIGSTORE_ID_TOKEN
    #[arg(long, value_name = "TOKEN", value_parser = secret())]
    identity_token: Option<SecretString>,

    /// A file with the identity token
    #[arg(long, value_name = "FILE", value_parser = path(), conflicts_with = "identity_token")]
    identity_token_file: Option<PathBuf>,

    /// Request the identity token from the platform that runs this workflow: GitHub Actions, Google
    /// Cloud, Buildkite, GitLab or CircleCI. Without a token, this is also done where their
    /// variables are, except for Google Cloud
    #[arg(long)]
    use_ambient_credentials: bool,

    /// Open no browser: show the address of the sign-in, and ask for the code that is shown there
    #[arg(long)]
    oauth_force_oob: bool,

    /// The client that is registered with the identity provider; also the audience that the
    /// identity token must have
    #[arg(long, value_name = "ID", default_value = DEFAULT_AUDIENCE)]
    client_id: String,

    /// The client's secret. Better: --client-secret-file or --client-secret-env
    #[arg(long, value_name = "TEXT", value_parser = secret(), conflicts_with_all = ["client_secret_file", "client_secret_env"])]
    client_secret: Option<SecretString>,

    /// A file with the client's secret
    #[arg(long, value_name = "FILE", value_parser = path(), conflicts_with = "client_secret_env")]
    client_secret_file: Option<PathBuf>,

    /// The environment variable with the client's secret
    #[arg(long, value_name = "NAME")]
    client_secret_env: Option<String>,
}

/// Out of `Debug`, and out of every message about the command line.
fn secret() -> impl TypedValueParser<Value = SecretString> {
    StringValueParser::new().map(SecretString::from)
}

/// Where a token comes from.
enum Source<'a> {
    Text(&'a SecretString),
    StandardInput,
    Stored(SecretSource),
    Platform(Ambient, Platform),
    Person,
}

/// An identity token that has been checked, and how to get another one.
pub(super) struct Identity {
    token: IdentityToken,
    renewal: Renewal,
    audience: String,
}

/// Where another token of the same identity comes from.
enum Renewal {
    /// The platform issues one on every request.
    Platform(Ambient, Platform),
    /// A program may have written a new one there, as Kubernetes does.
    File(SecretSource),
    /// There is only the one.
    None,
}

impl IdentityArgs {
    /// Gets the token, checks it, and shows whose it is. `provider` is the identity provider of the signing configuration,
    /// at which a person signs in if there is no token.
    pub(super) fn obtain(
        &self,
        provider: Option<&str>,
        warnings: &mut Warnings,
    ) -> anyhow::Result<Identity> {
        let runtime = runtime()?;
        let obtained = runtime.block_on(self.request(provider, warnings));
        // A browser that is still being opened must not keep the program.
        runtime.shutdown_background();
        let identity = obtained?;
        let provider = identity.token.provider();
        let decides = match identity.token.name() {
            CertifiedName::Undecided { email: Some(_), .. } => {
                ", as the certificate authority decides"
            }
            _ => "",
        };
        let line = format!(
            "Signing as {}{decides}; the identity provider is {provider}. Both become public.",
            identity.token.name()
        );
        let _ = writeln!(io::stderr(), "{}", shown(&line));
        Ok(identity)
    }

    async fn request(
        &self,
        provider: Option<&str>,
        warnings: &mut Warnings,
    ) -> anyhow::Result<Identity> {
        let http = Client::default();
        let mut renewal = Renewal::None;
        let token = match self.source(Ambient::of_process())? {
            Source::Text(token) => {
                warnings.warn(
                    "--identity-token: every user of this machine can read a command line, and sign with the token \
                     until it expires; there are --identity-token-file and $SIGSTORE_ID_TOKEN"
                        .to_owned(),
                )?;
                IdentityToken::parse(token.expose_secret())?
            }
            Source::StandardInput => {
                let text = file::read_from(io::stdin().lock(), MAX_TOKEN_BYTES)
                    .and_then(file::text)
                    .context("the identity token on standard input")?;
                IdentityToken::parse(&text)?
            }
            Source::Stored(stored) => {
                let token = stored_token(&stored).await?;
                if let SecretSource::File(_) = stored {
                    renewal = Renewal::File(stored);
                }
                token
            }
            Source::Platform(ambient, platform) => {
                let token = platform_token(&ambient, platform, &self.client_id, &http).await?;
                if platform.is_renewable() {
                    renewal = Renewal::Platform(ambient, platform);
                }
                token
            }
            Source::Person => {
                let provider = provider.context(
                    "no identity token: the signing configuration names no identity provider to sign in at; there are \
                     --identity-token-file, $SIGSTORE_ID_TOKEN and --use-ambient-credentials",
                )?;
                let client = self.client(warnings).await?;
                sign_in::token(&http, provider, &client, self.oauth_force_oob).await?
            }
        };
        token.check(&self.client_id, clock::now().as_second())?;
        Ok(Identity {
            token,
            renewal,
            audience: self.client_id.clone(),
        })
    }

    /// What is on the command line comes before what is in the environment, and both before a browser.
    fn source(&self, ambient: Ambient) -> anyhow::Result<Source<'_>> {
        if let Some(token) = &self.identity_token {
            return Ok(match token.expose_secret() {
                "-" => Source::StandardInput,
                _ => Source::Text(token),
            });
        }
        if let Some(path) = &self.identity_token_file {
            return Ok(Source::Stored(SecretSource::File(path.clone())));
        }
        if self.use_ambient_credentials
            && let Some(platform) = ambient.platform()
        {
            return Ok(Source::Platform(ambient, platform));
        }
        if self.oauth_force_oob {
            return Ok(Source::Person);
        }
        if std::env::var_os(TOKEN_VARIABLE).is_some_and(|value| !value.is_empty()) {
            let variable = SecretSource::Env(TOKEN_VARIABLE.to_owned());
            return Ok(Source::Stored(variable));
        }
        if let Some(platform) = ambient.workflow() {
            return Ok(Source::Platform(ambient, platform));
        }
        // Off-spec: the reference opens a browser here as well, for which a job would wait.
        anyhow::ensure!(
            !self.use_ambient_credentials || sign_in::is_interactive(),
            "--use-ambient-credentials: this is no job of GitHub Actions, Google Cloud, Buildkite, GitLab or CircleCI, and \
             there is no terminal to sign in at"
        );
        Ok(Source::Person)
    }

    async fn client(&self, warnings: &mut Warnings) -> anyhow::Result<OauthClient> {
        if self.client_id.is_empty() {
            return Err(Mistake("--client-id is empty".to_owned()).into());
        }
        let stored = match (&self.client_secret_file, &self.client_secret_env) {
            (Some(path), _) => Some(SecretSource::File(path.clone())),
            (None, Some(name)) => Some(SecretSource::Env(name.clone())),
            (None, None) => None,
        };
        let secret = match (&self.client_secret, stored) {
            // The reference's default.
            (Some(secret), _) if secret.expose_secret().is_empty() => None,
            (Some(secret), _) => {
                warnings.warn(
                    "--client-secret: every user of this machine can read a command line; there are \
                     --client-secret-file and --client-secret-env"
                        .to_owned(),
                )?;
                Some(secret.clone())
            }
            (None, Some(stored)) => Some(stored.read().await.context("the client's secret")?),
            (None, None) => None,
        };
        Ok(OauthClient {
            id: self.client_id.clone(),
            secret,
        })
    }
}

impl Identity {
    /// The token, as it was checked.
    pub(super) fn token(&self) -> &IdentityToken {
        &self.token
    }

    /// When the certificate is requested, by how long hashing will take. A token that expires before that is an error if it
    /// is certain, and a warning otherwise.
    pub(super) fn order(
        &self,
        estimate: Estimate,
        warnings: &mut Warnings,
    ) -> anyhow::Result<Order> {
        let left = self
            .token
            .expires()
            .saturating_sub(clock::now().as_second());
        let left = Duration::from_secs(u64::try_from(left).unwrap_or(0));
        let is_renewable = matches!(self.renewal, Renewal::Platform(..));
        let advice = "use a token that is valid for longer, the credentials of a platform, which are renewed, or a faster way \
                      to hash (--hash blake3, --shard-size)";
        match estimate.prospect(left, is_renewable) {
            Prospect::Good(order) => Ok(order),
            Prospect::Uncertain(order) => {
                warnings.warn(format!(
                    "the identity token expires in {} s, and a certificate ten minutes after it is issued: the model may not \
                     have been hashed by then; {advice}",
                    left.as_secs()
                ))?;
                Ok(order)
            }
            Prospect::Hopeless => anyhow::bail!(
                "hashing takes at least {} on this machine, but the identity token expires in {} s, and a certificate ten \
                 minutes after it is issued: {advice}",
                estimate.least(),
                left.as_secs()
            ),
        }
    }

    /// A token that is valid now: if this one has expired while the model was hashed, another one of the same identity.
    pub(super) fn renew(&mut self) -> anyhow::Result<()> {
        let now = clock::now().as_second();
        if now.saturating_add(RESERVE_SECONDS) < self.token.expires() {
            return Ok(());
        }
        let runtime = runtime()?;
        let renewed = runtime.block_on(async {
            Ok(match &self.renewal {
                Renewal::Platform(ambient, platform) => {
                    let http = Client::default();
                    Some(platform_token(ambient, *platform, &self.audience, &http).await?)
                }
                Renewal::File(stored) => Some(stored_token(stored).await?),
                Renewal::None => None,
            })
        });
        runtime.shutdown_background();
        let renewed: anyhow::Result<_> = renewed;
        if let Some(token) = renewed.context("a new identity token")? {
            anyhow::ensure!(
                token.name() == self.token.name() && token.provider() == self.token.provider(),
                "the new identity token is for {:?}, and the one before was for {:?}",
                token.name().to_string(),
                self.token.name().to_string()
            );
            self.token = token;
        }
        let checked = self.token.check(&self.audience, clock::now().as_second());
        checked.context("the model has been hashed, and not signed")
    }
}

/// How long a token must still be valid to be sent to the certificate authority, in seconds.
const RESERVE_SECONDS: i64 = 15;

async fn stored_token(stored: &SecretSource) -> anyhow::Result<IdentityToken> {
    let text = stored.read().await.context("the identity token")?;
    IdentityToken::parse(text.expose_secret()).with_context(|| stored.to_string())
}

async fn platform_token(
    ambient: &Ambient,
    platform: Platform,
    audience: &str,
    http: &Client,
) -> anyhow::Result<IdentityToken> {
    let text = ambient.token(platform, audience, http).await?;
    IdentityToken::parse(text.expose_secret()).with_context(|| platform.to_string())
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("the system gives no threads or timers")
}
