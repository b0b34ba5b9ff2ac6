//! A person signs in: in a browser of this machine, or by a code that a browser elsewhere shows.

use std::io::{self, BufRead as _, IsTerminal as _, Read as _, Write as _};

use anyhow::Context as _;
use model_signing::sigstore::IdentityToken;
use secrecy::SecretString;
use url::Url;

use crate::http::Client;
use crate::oidc::{Loopback, OUT_OF_BAND, OauthClient, Provider, SignIn};

/// Longest code that is read from standard input.
const MAX_CODE_BYTES: u64 = 8 * 1024;

/// Whether a person can read the question, and answer.
pub(super) fn is_interactive() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// The token of a person who signs in at `issuer`, in a browser if there is one.
pub(super) async fn token(
    http: &Client,
    issuer: &str,
    client: &OauthClient,
    out_of_band: bool,
) -> anyhow::Result<IdentityToken> {
    let provider = Provider::discover(http, issuer)
        .await
        .with_context(|| format!("the identity provider {issuer}"))?;
    if !out_of_band && has_screen(|name| std::env::var_os(name).is_some()) {
        let loopback = Loopback::bind().await?;
        let sign_in = SignIn::new(&provider, client, &loopback.redirect_uri());
        if let Some(code) = by_browser(loopback, &sign_in).await? {
            return Ok(sign_in.token(http, &code).await?);
        }
    }
    let sign_in = SignIn::new(&provider, client, OUT_OF_BAND);
    let code = by_hand(&sign_in)?;
    Ok(sign_in.token(http, &code).await?)
}

/// The code that a browser brings; `None` if none can be opened.
async fn by_browser(
    loopback: Loopback,
    sign_in: &SignIn<'_>,
) -> anyhow::Result<Option<SecretString>> {
    let url = sign_in.url();
    let address = url.to_string();
    // A browser in this terminal is waited for, so it is opened beside.
    let opening = tokio::task::spawn_blocking(move || webbrowser::open(&address));
    let code = loopback.code(sign_in);
    tokio::pin!(code);
    tell(
        "Waiting for the sign-in in the browser. If none opens, open this address on this machine, or stop and give \
         --oauth-force-oob:",
        &url,
    );
    tokio::select! {
        opened = opening => match opened {
            Ok(Ok(())) => {}
            // No browser is the usual case on a server: the other way is shown instead.
            Ok(Err(_)) | Err(_) => return Ok(None),
        },
        code = &mut code => return Ok(Some(code?)),
    }
    Ok(Some(code.await?))
}

/// The code that the person copies from a browser on any machine.
fn by_hand(sign_in: &SignIn<'_>) -> anyhow::Result<SecretString> {
    tell(
        "Open this address in a browser on any machine, and sign in there:",
        &sign_in.url(),
    );
    // The words of the reference, which scripts may look for.
    let _ = write!(io::stderr(), "Enter verification code: ");
    let mut code = String::new();
    io::stdin()
        .lock()
        .take(MAX_CODE_BYTES)
        .read_line(&mut code)
        .context("the verification code on standard input")?;
    anyhow::ensure!(
        !code.trim().is_empty(),
        "no verification code on standard input: give an identity token (--identity-token-file, $SIGSTORE_ID_TOKEN) where \
         no person can sign in"
    );
    Ok(SecretString::from(code.trim()))
}

/// Shows the person what to do with an address; a URL has no character that a terminal interprets.
fn tell(what: &str, url: &Url) {
    // There is no other place for it if standard error is closed.
    let _ = writeln!(io::stderr(), "{what}\n\n\t{url}\n");
}

/// Whether a browser can show anything here.
fn has_screen(is_set: impl Fn(&str) -> bool) -> bool {
    // Elsewhere the system opens the browser itself.
    let is_unix_desktop = cfg!(all(unix, not(target_os = "macos")));
    let screens = ["BROWSER", "DISPLAY", "WAYLAND_DISPLAY", "WSL_DISTRO_NAME"];
    !is_unix_desktop || screens.into_iter().any(is_set)
}
