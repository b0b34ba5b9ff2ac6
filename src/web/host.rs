//! The Host header. A page of an attacker can make a browser send requests to this server, by a name that the attacker
//! lets point to it (DNS rebinding). Such a request has the attacker's name in the Host header, and is refused.

use std::net::IpAddr;

use axum::http::header::{HOST, ORIGIN};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, Uri};
use url::Url;

/// Whether a request is for this server: its one Host header, and its target if that has a host, are a loopback name or
/// the host of `base_url`.
pub(super) fn is_ours(uri: &Uri, headers: &HeaderMap, base_url: Option<&Url>) -> bool {
    let mut hosts = headers.get_all(HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else {
        return false;
    };
    let Ok(host) = host.to_str() else {
        return false;
    };
    let in_target = uri.authority().map(Authority::as_str);
    let mut names = [Some(host), in_target].into_iter().flatten();
    names.all(|name| is_ours_by_name(name, base_url))
}

/// Whether a form or a script of this site sends a request: browsers name the site in `Origin`. Programs do not have to.
pub(super) fn is_from_here(headers: &HeaderMap, base_url: Option<&Url>) -> bool {
    let Some(origin) = headers.get(ORIGIN) else {
        return true;
    };
    let origin = origin
        .to_str()
        .ok()
        .and_then(|origin| Url::parse(origin).ok());
    origin.is_some_and(|origin| {
        let host = origin.host_str();
        host.is_some_and(|host| is_ours_by_name(host, base_url))
    })
}

fn is_ours_by_name(name: &str, base_url: Option<&Url>) -> bool {
    // What precedes an @ is a user, not a host.
    let Some(authority) = name
        .parse::<Authority>()
        .ok()
        .filter(|_| !name.contains('@'))
    else {
        return false;
    };
    let host = authority.host();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    let is_loopback = host.eq_ignore_ascii_case("localhost")
        || address
            .parse::<IpAddr>()
            .is_ok_and(|address| address.to_canonical().is_loopback());
    let ours = base_url.and_then(Url::host_str);
    is_loopback || ours.is_some_and(|ours| ours.eq_ignore_ascii_case(host))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_names_and_the_host_of_the_base_url_are_ours() {
        let url: Url = "https://Watch.example:444".parse().expect("a URL");
        for (host, ours, with_url) in [
            ("localhost", true, true),
            ("LOCALHOST:8399", true, true),
            ("127.0.0.1:8399", true, true),
            ("127.9.9.9", true, true),
            ("[::1]:8399", true, true),
            ("[::ffff:127.0.0.1]", true, true),
            ("watch.example", false, true),
            ("WATCH.example:8399", false, true),
            ("watch.example.", false, false),
            ("evil.example", false, false),
            ("localhost.evil.example", false, false),
            ("127.0.0.1.evil.example", false, false),
            ("127.0.0.1@evil.example", false, false),
            ("evil.example@127.0.0.1", false, false),
            ("10.0.0.1", false, false),
            ("[::]", false, false),
            ("0.0.0.0", false, false),
            ("", false, false),
            ("a b", false, false),
            ("localhost, evil.example", false, false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(HOST, host.parse().expect("a header"));
            let relative = Uri::from_static("/metrics");
            assert_eq!(is_ours(&relative, &headers, None), ours, "{host}");
            assert_eq!(is_ours(&relative, &headers, Some(&url)), with_url, "{host}");
            let absolute = Uri::from_static("http://evil.example/metrics");
            assert!(!is_ours(&absolute, &headers, Some(&url)), "{host}");
        }
        let mut twice = HeaderMap::new();
        assert!(!is_ours(&Uri::from_static("/"), &twice, Some(&url)));
        twice.append(HOST, "localhost".parse().expect("a header"));
        assert!(is_ours(&Uri::from_static("/"), &twice, Some(&url)));
        twice.append(HOST, "localhost".parse().expect("a header"));
        assert!(!is_ours(&Uri::from_static("/"), &twice, Some(&url)));
    }
}
