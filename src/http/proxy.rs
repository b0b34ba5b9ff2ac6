//! The proxy of a request, by the rules of curl.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;

use secrecy::ExposeSecret;
use url::{Host, Url};

use super::address::{is_loopback, plain};
use super::error::HttpError;
use crate::secret::SecretSource;

/// Which proxy requests go through. Requests to this very machine never use one.
#[derive(Clone, Debug, Default)]
pub struct ProxySettings {
    /// Which one.
    pub proxy: ProxyChoice,
    /// Hosts that are reached without it; without a list, those of the variable `no_proxy` or `NO_PROXY`.
    pub no_proxy: Option<Vec<String>>,
}

/// Where the proxy is named.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ProxyChoice {
    /// In the environment: `https_proxy`, `http_proxy` or `all_proxy`, in lower or upper case.
    #[default]
    Environment,
    /// No proxy, whatever the environment contains.
    Direct,
    /// In the configuration, without a password.
    Written(ProxyUrl),
    /// In a variable or file, where it may have a password.
    Secret(SecretSource),
}

/// The URL of an HTTP proxy; it may hold a user and a password, which are never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct ProxyUrl(Url);

/// Not the URL of an HTTP proxy. The error does not contain the value, which may be a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProxyUrlError {
    /// No URL with a host.
    #[error("is not the URL of a proxy, such as http://proxy.example:3128")]
    NotAUrl,
    /// A proxy of another kind.
    #[error("names a proxy of a kind that is not supported: use one of http:// or https://")]
    Scheme,
}

impl ProxyUrl {
    /// Whether it holds a user or a password.
    pub fn has_user(&self) -> bool {
        has_userinfo(&self.0)
    }
}

/// Whether a URL holds a user or a password.
pub(super) fn has_userinfo(url: &Url) -> bool {
    !url.username().is_empty() || url.password().is_some()
}

impl std::str::FromStr for ProxyUrl {
    type Err = ProxyUrlError;

    /// Without a scheme it is an `http://` one, as for curl.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let text = if text.contains("://") {
            Cow::Borrowed(text)
        } else {
            Cow::Owned(format!("http://{text}"))
        };
        let url = Url::parse(&text).map_err(|_| ProxyUrlError::NotAUrl)?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(ProxyUrlError::Scheme);
        }
        if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
            return Err(ProxyUrlError::NotAUrl);
        }
        Ok(Self(url))
    }
}

impl fmt::Display for ProxyUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.origin().ascii_serialization())
    }
}

impl fmt::Debug for ProxyUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ProxyUrl({self})")
    }
}

/// A proxy and what named it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Via {
    proxy: ProxyUrl,
    named_by: String,
}

impl Via {
    pub(super) fn url(&self) -> Url {
        self.proxy.0.clone()
    }
}

impl fmt::Display for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.proxy, self.named_by)
    }
}

/// The proxies of this process, read when it makes its first request.
#[derive(Clone, Debug, Default)]
pub(super) struct Proxies {
    http: Option<Via>,
    https: Option<Via>,
    without: Vec<Without>,
}

impl Proxies {
    /// From `settings`; `variable` reads the environment.
    ///
    /// # Errors
    /// The source of a proxy's URL cannot be read, or contains no such URL. To continue without a proxy would reveal
    /// the requests to others.
    pub(super) async fn of(
        settings: &ProxySettings,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, HttpError> {
        let unusable = |named_by: &str, reason: &dyn fmt::Display| HttpError::Proxy {
            reason: format!("{named_by} {reason}"),
        };
        let listed = match &settings.no_proxy {
            Some(hosts) => hosts.clone(),
            None => ["no_proxy", "NO_PROXY"]
                .into_iter()
                .find_map(&variable)
                .map(|list| list.split([',', ' ', '\t']).map(str::to_owned).collect())
                .unwrap_or_default(),
        };
        let without = listed.iter().filter_map(|host| Without::of(host)).collect();
        let (http, https) = match &settings.proxy {
            ProxyChoice::Direct => (None, None),
            ProxyChoice::Written(proxy) => {
                let via = Via {
                    proxy: proxy.clone(),
                    named_by: "proxy in [http]".to_owned(),
                };
                (Some(via.clone()), Some(via))
            }
            ProxyChoice::Secret(source) => {
                let text = source.read().await.map_err(|error| HttpError::Proxy {
                    reason: error.to_string(),
                })?;
                let named_by = source.to_string();
                let proxy = text
                    .expose_secret()
                    .parse()
                    .map_err(|error| unusable(&named_by, &error))?;
                let via = Via { proxy, named_by };
                (Some(via.clone()), Some(via))
            }
            ProxyChoice::Environment => {
                let from = |names: &[&str]| -> Result<Option<Via>, HttpError> {
                    // An empty variable is none.
                    let found = names.iter().find_map(|name| {
                        let value = variable(name).filter(|value| !value.trim().is_empty())?;
                        Some((*name, value))
                    });
                    let Some((name, value)) = found else {
                        return Ok(None);
                    };
                    let named_by = format!("the environment variable {name}");
                    let proxy = value.parse().map_err(|e| unusable(&named_by, &e))?;
                    Ok(Some(Via { proxy, named_by }))
                };
                // A CGI program has HTTP_PROXY from a header of its client (CVE-2016-5385).
                let http = match variable("REQUEST_METHOD") {
                    Some(_) => from(&["http_proxy", "all_proxy", "ALL_PROXY"])?,
                    None => from(&["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"])?,
                };
                let https = from(&["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"])?;
                (http, https)
            }
        };
        Ok(Self {
            http,
            https,
            without,
        })
    }

    /// The proxy for this URL; `None` if it is reached directly.
    pub(super) fn via(&self, url: &Url) -> Option<&Via> {
        let via = match url.scheme() {
            "https" => self.https.as_ref(),
            _ => self.http.as_ref(),
        }?;
        let direct = is_loopback(url) || self.without.iter().any(|without| without.covers(url));
        (!direct).then_some(via)
    }

    /// The proxies, one line each; empty if there is none.
    pub(super) fn described(&self) -> Vec<String> {
        let listed: Vec<String> = self.without.iter().map(ToString::to_string).collect();
        let except = if listed.is_empty() {
            String::new()
        } else {
            format!(", but not to {}", listed.join(", "))
        };
        match (&self.http, &self.https) {
            (None, None) => Vec::new(),
            (Some(http), Some(https)) if http == https => {
                vec![format!("requests go through the proxy {https}{except}")]
            }
            (http, https) => [("https", https), ("http", http)]
                .into_iter()
                .map(|(scheme, via)| match via {
                    Some(via) => {
                        format!("requests by {scheme} go through the proxy {via}{except}")
                    }
                    None => format!("requests by {scheme} go directly"),
                })
                .collect(),
        }
    }
}

/// Hosts that are reached without the proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Without {
    Everything,
    /// This host and all names below it, at this port or any.
    Domain(String, Option<u16>),
    /// Addresses that begin with these bits.
    Network(IpAddr, u32, Option<u16>),
}

impl Without {
    /// An entry of `no_proxy`; `None` if it names no host.
    fn of(entry: &str) -> Option<Self> {
        let entry = entry.trim();
        if entry == "*" {
            return Some(Self::Everything);
        }
        if let Some((address, bits)) = entry.split_once('/') {
            let address: IpAddr = plain(address).parse().ok()?;
            let bits = bits.parse().ok().filter(|bits| *bits <= width(address))?;
            return Some(Self::Network(address, bits, None));
        }
        // An IPv6 address contains colons.
        let (host, port) = match entry.rsplit_once(':') {
            Some((host, port)) if !host.contains(':') || host.ends_with(']') => {
                (host, port.parse().ok())
            }
            _ => (entry, None),
        };
        let host = plain(host.trim_start_matches("*.").trim_start_matches('.'));
        if host.is_empty() {
            return None;
        }
        Some(match host.parse::<IpAddr>() {
            Ok(address) => Self::Network(address, width(address), port),
            Err(_) => Self::Domain(host, port),
        })
    }

    fn covers(&self, url: &Url) -> bool {
        let is_port =
            |port: &Option<u16>| port.is_none_or(|port| url.port_or_known_default() == Some(port));
        match (self, url.host()) {
            (Self::Everything, _) => true,
            (Self::Domain(domain, port), Some(Host::Domain(host))) => {
                let host = plain(host);
                let below = host.strip_suffix(domain.as_str());
                is_port(port) && below.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
            }
            (Self::Network(network, bits, port), Some(Host::Ipv4(v4))) => {
                is_port(port) && shares(*network, IpAddr::V4(v4), *bits)
            }
            (Self::Network(network, bits, port), Some(Host::Ipv6(v6))) => {
                is_port(port) && shares(*network, IpAddr::V6(v6), *bits)
            }
            _ => false,
        }
    }
}

impl fmt::Display for Without {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Everything => f.write_str("any host"),
            Self::Domain(domain, None) => f.write_str(domain),
            Self::Domain(domain, Some(port)) => write!(f, "{domain}:{port}"),
            Self::Network(address, bits, _) if *bits == width(*address) => address.fmt(f),
            Self::Network(address, bits, _) => write!(f, "{address}/{bits}"),
        }
    }
}

const fn width(address: IpAddr) -> u32 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

/// Whether two addresses of one kind begin with the same bits.
fn shares(a: IpAddr, b: IpAddr, bits: u32) -> bool {
    let differ = match (a, b) {
        (IpAddr::V4(a), IpAddr::V4(b)) => u128::from(a.to_bits() ^ b.to_bits()) << 96,
        (IpAddr::V6(a), IpAddr::V6(b)) => a.to_bits() ^ b.to_bits(),
        _ => return false,
    };
    differ.leading_zeros() >= bits
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    async fn by(variables: &[(&str, &str)]) -> Result<Proxies, HttpError> {
        Proxies::of(&ProxySettings::default(), |name| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        })
        .await
    }

    fn via(proxies: &Proxies, url: &str) -> Option<String> {
        let via = proxies.via(&url.parse().unwrap());
        via.map(|via| via.proxy.to_string())
    }

    #[tokio::test]
    async fn the_environment_names_a_proxy_for_each_scheme_lower_case_first() {
        let (http, https) = ("http://log.example/", "https://log.example/");
        for (variables, expected) in [
            (vec![], [None, None]),
            (
                vec![("HTTPS_PROXY", "http://p:1")],
                [None, Some("http://p:1")],
            ),
            (
                vec![("HTTP_PROXY", "http://p:1")],
                [Some("http://p:1"), None],
            ),
            (
                vec![("https_proxy", "http://a:1"), ("HTTPS_PROXY", "http://b:1")],
                [None, Some("http://a:1")],
            ),
            (
                vec![("https_proxy", ""), ("HTTPS_PROXY", "http://b:1")],
                [None, Some("http://b:1")],
            ),
            (
                vec![("ALL_PROXY", "p:3128"), ("http_proxy", "https://q")],
                [Some("https://q"), Some("http://p:3128")],
            ),
            (
                vec![("HTTP_PROXY", "http://evil:1"), ("REQUEST_METHOD", "GET")],
                [None, None],
            ),
            (
                vec![("https_proxy", "http://bob:s3cret@p:1")],
                [None, Some("http://p:1")],
            ),
        ] {
            let proxies = by(&variables).await.unwrap();
            let found = [via(&proxies, http), via(&proxies, https)];
            assert_eq!(
                found,
                expected.map(|p| p.map(str::to_owned)),
                "{variables:?}"
            );
        }
    }

    #[tokio::test]
    async fn what_names_no_proxy_is_an_error_and_not_shown() {
        for value in [
            "socks5://bob:s3cret@p:1",
            "http://",
            "http://bob:s3cret@p:x",
            "ftp://p",
        ] {
            let error = by(&[("HTTPS_PROXY", value)]).await.unwrap_err().to_string();
            assert!(error.contains("HTTPS_PROXY"), "{error}");
            assert!(
                !error.contains("s3cret") && !error.contains("bob"),
                "{error}"
            );
        }
    }

    #[tokio::test]
    async fn no_proxy_names_domains_addresses_and_networks() {
        let list = "corp.example, .dotted.example,*.star.example 10.0.0.0/8,192.168.1.7,[fd00::]/8,fe80::1,\
                    port.example:8443,bad/99";
        let proxies = by(&[("https_proxy", "http://p:1"), ("NO_PROXY", list)])
            .await
            .unwrap();
        for (host, direct) in [
            ("corp.example", true),
            ("CORP.example.", true),
            ("log.corp.example", true),
            ("notcorp.example", false),
            ("corp.example.evil.example", false),
            ("dotted.example", true),
            ("a.dotted.example", true),
            ("a.star.example", true),
            ("10.1.2.3", true),
            ("11.1.2.3", false),
            ("192.168.1.7", true),
            ("192.168.1.8", false),
            ("[fd12::1]", true),
            ("[fe80::1]", true),
            ("[fe80::2]", false),
            ("port.example:8443", true),
            ("port.example", false),
            ("bad", false),
            // The same machine, whatever the list contains.
            ("localhost", true),
            ("a.localhost:8080", true),
            ("127.8.8.8", true),
            ("[::1]", true),
            ("[::ffff:127.0.0.1]", true),
            ("2130706433", true),
            ("localhost.example", false),
        ] {
            let url = format!("https://{host}/");
            assert_eq!(via(&proxies, &url).is_none(), direct, "{host}");
        }
        let proxies = by(&[("https_proxy", "http://p:1"), ("no_proxy", "*")])
            .await
            .unwrap();
        assert_eq!(via(&proxies, "https://log.example/"), None);
    }

    #[tokio::test]
    async fn the_configuration_comes_before_the_environment() {
        let environment = |name: &str| match name {
            "https_proxy" => Some("http://environment:1".to_owned()),
            "no_proxy" => Some("direct.example".to_owned()),
            _ => None,
        };
        let of = async |proxy, no_proxy| {
            Proxies::of(&ProxySettings { proxy, no_proxy }, environment)
                .await
                .unwrap()
        };
        let url = "https://log.example/";
        assert_eq!(via(&of(ProxyChoice::Direct, None).await, url), None);
        let written = || ProxyChoice::Written("configured:1".parse().unwrap());
        let proxies = of(written(), None).await;
        assert_eq!(via(&proxies, url).as_deref(), Some("http://configured:1"));
        assert_eq!(via(&proxies, "https://direct.example/"), None);
        let proxies = of(written(), Some(Vec::new())).await;
        assert!(via(&proxies, "https://direct.example/").is_some());
        assert_eq!(
            of(written(), None).await.described(),
            [
                "requests go through the proxy http://configured:1 (proxy in [http]), but not to direct.example"
            ]
        );
    }
}
