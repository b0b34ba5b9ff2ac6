//! Setting up reqwest: whom to trust, where redirects may lead.

use std::path::Path;
use std::sync::Arc;

use reqwest::redirect::Policy;
use reqwest::{Certificate, ClientBuilder, Proxy};
use url::Url;

use super::address::{AddressPolicy, Guard};
use super::credentials;
use super::error::{HttpError, shown};
use super::proxy::{Proxies, Via};
use super::settings::Settings;
use crate::file;
use crate::outcome::causes;

/// A mirror that moves a file once or twice is plausible, more is a loop.
const REDIRECTS: usize = 5;

/// The file of certificate authorities is read whole. Debian's complete bundle has 220 kB.
const CA_FILE_LIMIT_BYTES: usize = 4 * 1024 * 1024;

/// What all clients of one process share.
#[derive(Debug)]
pub(super) struct Ground {
    pub(super) settings: Settings,
    pub(super) proxies: Arc<Proxies>,
}

/// For reading: redirects within the host. If there is a `guard`, it checks resolved addresses, also the proxy's.
pub(super) fn reading(ground: &Ground, guard: Option<Guard>) -> Result<reqwest::Client, HttpError> {
    redirected(ground, guard, may_follow)
}

/// For reading from a server that others may control: redirects within the host, and by https to the hosts that are
/// named. Each target is checked by the policy.
pub(super) fn reading_public(
    ground: &Ground,
    guard: Option<Guard>,
    policy: &AddressPolicy,
    hosts: &[String],
) -> Result<reqwest::Client, HttpError> {
    let (policy, hosts) = (policy.clone(), hosts.to_vec());
    redirected(ground, guard, move |previous, to| {
        (may_follow(previous, to) || may_leave(previous, to, &hosts))
            && policy.forbids(to).is_none()
    })
}

/// For reading: with the redirects that `is_allowed`, but none after a server that receives credentials.
fn redirected(
    ground: &Ground,
    guard: Option<Guard>,
    is_allowed: impl Fn(&[Url], &Url) -> bool + Send + Sync + 'static,
) -> Result<reqwest::Client, HttpError> {
    let is_allowed = Arc::new(is_allowed);
    build(ground, |builder| {
        let credentials = ground.settings.credentials.clone();
        let is_allowed = Arc::clone(&is_allowed);
        let builder = builder
            .proxy(through(&ground.proxies))
            .redirect(Policy::custom(move |attempt| {
                let was_known = attempt
                    .previous()
                    .iter()
                    .any(|url| credentials::of(&credentials, url).is_some());
                if !was_known && is_allowed(attempt.previous(), attempt.url()) {
                    attempt.follow()
                } else {
                    let to = shown(attempt.url());
                    attempt.error(RefusedRedirect { to })
                }
            }));
        match guard {
            Some(guard) => builder.dns_resolver(guard),
            None => builder,
        }
    })
}

/// For posting to hosts that must have public addresses. Without a proxy, because a proxy resolves names itself.
pub(super) fn posting_public(ground: &Ground) -> Result<reqwest::Client, HttpError> {
    build(ground, |builder| {
        builder
            .redirect(Policy::none())
            .no_proxy()
            .dns_resolver(Guard::Public)
    })
}

/// For posting to hosts that were allowed by name, or that the proxy resolves.
pub(super) fn posting_anywhere(ground: &Ground) -> Result<reqwest::Client, HttpError> {
    build(ground, |builder| {
        builder
            .redirect(Policy::none())
            .proxy(through(&ground.proxies))
    })
}

/// The proxies in the form for reqwest. This rule also keeps reqwest from reading the environment by its own rules.
fn through(proxies: &Arc<Proxies>) -> Proxy {
    let proxies = Arc::clone(proxies);
    Proxy::custom(move |url| proxies.via(url).map(Via::url))
}

/// Transports the refused redirect inside of reqwest's error.
#[derive(Debug, thiserror::Error)]
#[error("redirect to {to} refused")]
pub(super) struct RefusedRedirect {
    pub(super) to: String,
}

/// A log may move a file on its own host. With other targets it could choose the hosts of our requests, and with a
/// target of http an attacker could read and change the response.
fn may_follow(previous: &[Url], to: &Url) -> bool {
    previous.last().is_some_and(|from| {
        previous.len() <= REDIRECTS
            && from.host() == to.host()
            && (to.scheme() == "https" || to.scheme() == from.scheme())
    })
}

/// A redirect to one of these hosts, in lower case, by https.
fn may_leave(previous: &[Url], to: &Url, hosts: &[String]) -> bool {
    let is_named = |host: &str| hosts.iter().any(|named| named.eq_ignore_ascii_case(host));
    previous.len() <= REDIRECTS && to.scheme() == "https" && to.host_str().is_some_and(is_named)
}

/// Builds a client with the machine's certificate authorities; with Mozilla's, which are compiled in, on a machine
/// without any (a container from scratch). `Settings::ca_files` are added in both cases.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the only place that builds clients"
)]
fn build(
    ground: &Ground,
    shape: impl Fn(ClientBuilder) -> ClientBuilder,
) -> Result<reqwest::Client, HttpError> {
    let settings = &ground.settings;
    let builder = || {
        shape(
            reqwest::Client::builder()
                .user_agent(settings.user_agent.as_ref())
                .connect_timeout(settings.connect_timeout)
                // Retries are counted in one place, ours.
                .retry(reqwest::retry::never()),
        )
    };
    // First without the configured authorities: with them, a machine without any would go unnoticed.
    let machine = builder().build();
    let mut additional = Vec::new();
    for path in &settings.ca_files {
        additional.extend(certificates(path)?);
    }
    match machine {
        Ok(client) if additional.is_empty() => Ok(client),
        Ok(_) => builder().tls_certs_merge(additional).build(),
        Err(_) => builder()
            .tls_certs_only(bundled().into_iter().chain(additional))
            .build(),
    }
    .map_err(|e| HttpError::Setup { reason: causes(&e) })
}

fn bundled() -> Vec<Certificate> {
    webpki_root_certs::TLS_SERVER_ROOT_CERTS
        .iter()
        .filter_map(|der| Certificate::from_der(der).ok())
        .collect()
}

fn certificates(path: &Path) -> Result<Vec<Certificate>, HttpError> {
    let unusable = |reason: String| HttpError::CaFile {
        path: path.to_owned(),
        reason,
    };
    let pem = file::read(path, CA_FILE_LIMIT_BYTES).map_err(|e| unusable(e.to_string()))?;
    let certificates = Certificate::from_pem_bundle(&pem).map_err(|e| unusable(causes(&e)))?;
    if certificates.is_empty() {
        return Err(unusable("contains no PEM certificate".to_owned()));
    }
    Ok(certificates)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a broken fixture is a failed test")]

    use super::*;

    #[test]
    fn redirects_stay_on_the_host_and_never_lose_encryption() {
        for (from, to, allowed) in [
            ("https://log.example/a", "https://log.example/b", true),
            ("http://log.example/a", "https://log.example/a", true),
            ("http://log.example/a", "http://log.example/b", true),
            ("https://log.example/a", "https://LOG.example/b", true),
            ("https://log.example/a", "http://log.example/a", false),
            ("https://log.example/a", "https://www.log.example/a", false),
            ("https://log.example/a", "https://example/a", false),
            ("http://127.0.0.1/a", "http://localhost/a", false),
            ("http://log.example/a", "http://169.254.169.254/", false),
            (
                "http://log.example/a",
                "file://log.example/etc/passwd",
                false,
            ),
        ] {
            let (from, to) = (Url::parse(from).unwrap(), Url::parse(to).unwrap());
            assert_eq!(may_follow(&[from], &to), allowed, "{to}");
        }
        let to = |url: &str| Url::parse(url).unwrap();
        let hosts = ["files.example".to_owned()];
        let from = [to("https://log.example/a")];
        assert!(may_leave(&from, &to("https://FILES.example/b"), &hosts));
        for other in [
            "http://files.example/b",
            "https://x.files.example/b",
            "https://example/",
        ] {
            assert!(!may_leave(&from, &to(other), &hosts), "{other}");
        }
        let url = Url::parse("https://log.example/loop").unwrap();
        assert!(may_follow(&vec![url.clone(); REDIRECTS], &url));
        assert!(!may_follow(&vec![url.clone(); REDIRECTS + 1], &url));
    }

    #[test]
    #[expect(
        clippy::disallowed_methods,
        reason = "what the bundled certificates are for"
    )]
    fn a_machine_without_certificate_authorities_can_use_the_bundled_ones() {
        let certificates = bundled();
        assert!(certificates.len() > 50, "{}", certificates.len());
        let client = reqwest::Client::builder().tls_certs_only(certificates);
        assert!(client.build().is_ok());
    }

    #[test]
    fn a_file_of_authorities_is_used_whole_or_refused() {
        let dir = tempfile::tempdir().unwrap();
        let ground = |ca_files| Ground {
            settings: Settings {
                ca_files,
                ..Settings::default()
            },
            proxies: Arc::default(),
        };
        let reading = |ground: &Ground| reading(ground, None);
        let settings = |name: &str, content: &[u8]| {
            let path = dir.path().join(name);
            std::fs::write(&path, content).unwrap();
            ground(vec![path])
        };
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = rcgen::CertificateParams::new(vec!["log.example".to_owned()])
            .and_then(|params| params.self_signed(&key))
            .unwrap();
        assert!(reading(&settings("good", certificate.pem().as_bytes())).is_ok());
        let broken = certificate.pem().replacen("MII", "MIJ", 1);
        for (name, content) in [
            ("empty", &b""[..]),
            ("text", b"no certificate at all"),
            ("broken", broken.as_bytes()),
        ] {
            let refused = reading(&settings(name, content));
            assert!(refused.is_err(), "{name}");
        }
        let missing = ground(vec![dir.path().join("good"), dir.path().join("missing")]);
        assert!(matches!(reading(&missing), Err(HttpError::CaFile { .. })));
    }
}
