//! `[http]`: how logs, trust, webhooks and heartbeats are reached.

use std::path::Path;

use url::{Host, Url};

use super::context::Context;
use super::keys;
use super::problems::Problems;
use super::reader::{At, Section};
use super::values::{files, secret};
use crate::http::{
    CredentialScheme, CredentialSettings, ProxyChoice, ProxySettings, ProxyUrl, Settings,
};

/// The value of `proxy` for no proxy, whatever the environment contains.
const NO_PROXY: &str = "none";

pub(super) fn read(root: &Section<'_>, context: &Context<'_>, problems: &mut Problems) -> Settings {
    let Some(section) = root.table("http", problems) else {
        return Settings::default();
    };
    section.only("http", &keys::HTTP, problems);
    let proxy = proxy(&section, context, problems);
    let no_proxy = section.has("no_proxy").then(|| {
        if section.is_empty_list("no_proxy") {
            // Every host except the same machine through the proxy, whatever the environment contains.
            return Vec::new();
        }
        let listed = section.strings("no_proxy", problems);
        listed.iter().map(|host| host.value.to_owned()).collect()
    });
    let ca_files = files(&section, "ca_certificates", context, problems);
    let mut credentials: Vec<CredentialSettings> = Vec::new();
    for table in section.tables("credentials", problems) {
        let Some(one) = credential(&table, context, problems) else {
            continue;
        };
        let is_same = |other: &CredentialSettings| {
            (&other.host, other.port, other.scheme) == (&one.host, one.port, one.scheme)
        };
        if credentials.iter().any(is_same) {
            problems.error(
                table.place(),
                format!("there are other credentials for {}", one.host),
                "keep one of them, or give each its port".to_owned(),
            );
        }
        credentials.push(one);
    }
    Settings {
        ca_files,
        proxy: ProxySettings { proxy, no_proxy },
        credentials,
        ..Settings::default()
    }
}

/// `proxy`, `proxy_env` or `proxy_file`: at most one of them.
fn proxy(section: &Section<'_>, context: &Context<'_>, problems: &mut Problems) -> ProxyChoice {
    let written: Vec<&str> = ["proxy", "proxy_env", "proxy_file"]
        .into_iter()
        .filter(|key| section.has(key))
        .collect();
    if let [_, second, ..] = written.as_slice() {
        problems.error(
            &section.place_of(second),
            "the proxy is given twice",
            "keep one of proxy, proxy_env and proxy_file".to_owned(),
        );
        return ProxyChoice::default();
    }
    match written.first() {
        None => ProxyChoice::Environment,
        Some(&"proxy") => {
            let Some(text) = section.string("proxy", problems) else {
                return ProxyChoice::default();
            };
            if text.value == NO_PROXY {
                return ProxyChoice::Direct;
            }
            match text.value.parse::<ProxyUrl>() {
                Ok(url) if url.has_user() => {
                    problems.error(
                        &text.place,
                        "a URL may not contain a user or a password",
                        "put the whole URL into a variable or a file, and write proxy_env or proxy_file"
                            .to_owned(),
                    );
                    ProxyChoice::default()
                }
                Ok(url) => ProxyChoice::Written(url),
                Err(error) => {
                    let hint = format!("or write proxy = {NO_PROXY:?}");
                    problems.error(&text.place, error.to_string(), hint);
                    ProxyChoice::default()
                }
            }
        }
        Some(_) => secret(section, "proxy", context, problems)
            .map_or(ProxyChoice::default(), ProxyChoice::Secret),
    }
}

fn credential(
    table: &Section<'_>,
    context: &Context<'_>,
    problems: &mut Problems,
) -> Option<CredentialSettings> {
    table.only("http.credentials", &keys::HTTP_CREDENTIALS, problems);
    let written = table.required("host", problems);
    let host = written
        .as_ref()
        .and_then(|host| host_and_port(host, problems));
    let port = port(table, host.as_ref().and_then(|(_, port)| *port), problems);
    let scheme = scheme(table, problems);
    let user = table
        .string("user", problems)
        .map(|user| user.value.to_owned());
    let password = secret(table, "password", context, problems);
    let token = secret(table, "token", context, problems);
    let has = |name: &str| table.has(&format!("{name}_env")) || table.has(&format!("{name}_file"));
    let secret = match (has("password"), has("token")) {
        (true, true) => {
            problems.error(
                table.place(),
                "there are a password and a token",
                "keep one of them".to_owned(),
            );
            return None;
        }
        (false, false) => {
            problems.error(
                table.place(),
                "there is neither a password nor a token",
                "give user and password_env or password_file, or token_env or token_file"
                    .to_owned(),
            );
            return None;
        }
        (true, false) if !table.has("user") => {
            problems.error(
                table.place(),
                "there is a password, but no user",
                "give user".to_owned(),
            );
            return None;
        }
        (false, true) if table.has("user") => {
            problems.error(
                &table.place_of("user"),
                "a token is sent without a user",
                "leave user out, or give the token as password_env or password_file".to_owned(),
            );
            return None;
        }
        (true, false) => password?,
        (false, true) => token?,
    };
    if user.as_ref().is_some_and(|user| user.contains(':')) {
        // RFC 7617 section 2: the first colon ends the user.
        problems.error(
            &table.place_of("user"),
            "a user may not contain a colon",
            None,
        );
        return None;
    }
    Some(CredentialSettings {
        host: host?.0,
        port,
        scheme,
        user,
        secret,
    })
}

/// A host as URLs write it, and the port behind it if there is one.
fn host_and_port(written: &At<&str>, problems: &mut Problems) -> Option<(String, Option<u16>)> {
    let url = Url::parse(&format!("https://{}/", written.value)).ok();
    // A parsed URL does not contain the default port of its scheme.
    let default_port = written.value.ends_with(":443").then_some(443);
    let found = url.filter(|url| {
        url.username().is_empty()
            && url.password().is_none()
            && url.path() == "/"
            && url.query().is_none()
            && url.fragment().is_none()
    });
    let host = found.as_ref().and_then(Url::host).map(|host| match host {
        Host::Domain(name) => name.trim_end_matches('.').to_owned(),
        address => address.to_string(),
    });
    if let (Some(host), Some(url)) = (host, found) {
        return Some((host, url.port().or(default_port)));
    }
    problems.error(
        &written.place,
        "is not a host",
        "write its name or address, without scheme, user and path".to_owned(),
    );
    None
}

/// The port in `port` or after the host.
fn port(table: &Section<'_>, behind: Option<u16>, problems: &mut Problems) -> Option<u16> {
    if !table.has("port") {
        return behind;
    }
    let number = table
        .integer("port")
        .and_then(|port| u16::try_from(port).ok());
    match number.filter(|port| *port > 0) {
        Some(port) if behind.is_none_or(|behind| behind == port) => Some(port),
        Some(_) => {
            problems.error(
                &table.place_of("port"),
                "the host contains another port",
                "keep one of them".to_owned(),
            );
            None
        }
        None => {
            problems.error(
                &table.place_of("port"),
                "a port from 1 to 65535 is expected",
                None,
            );
            None
        }
    }
}

fn scheme(table: &Section<'_>, problems: &mut Problems) -> Option<CredentialScheme> {
    let written = table.string("scheme", problems)?;
    match written.value {
        "https" => Some(CredentialScheme::Https),
        "http" => {
            problems.warning(
                &written.place,
                "these credentials are sent unencrypted: anybody on the way can read them",
                "use https".to_owned(),
            );
            Some(CredentialScheme::Http)
        }
        _ => {
            problems.error(
                &written.place,
                "is not a scheme for credentials",
                "write https or http".to_owned(),
            );
            None
        }
    }
}

/// Reports credentials that are not sent although the configuration names their host, because the URL uses http.
pub(super) fn doubts(root: &Section<'_>, settings: &Settings, problems: &mut Problems) {
    let credentials = &settings.credentials;
    if credentials.is_empty() {
        return;
    }
    // Problems of these sections are reported by the code that reads them.
    let mut known = Problems::new(Path::new(""), "");
    let mut sections = root.tables("log", &mut known);
    sections.extend(root.tables("channel", &mut known));
    sections.extend(root.table("heartbeat", &mut known));
    let mut urls: Vec<At<&str>> = sections
        .iter()
        .filter_map(|section| section.string("url", &mut known))
        .collect();
    let trust = root.table("trust", &mut known);
    let repository = trust.and_then(|trust| trust.table("tuf", &mut known));
    urls.extend(repository.and_then(|tuf| tuf.string("mirror", &mut known)));
    for written in urls {
        let Ok(url) = Url::parse(written.value) else {
            continue;
        };
        let is_meant = credentials.iter().any(|one| one.is_host_of(&url));
        let is_sent = credentials.iter().any(|one| one.are_for(&url));
        if is_meant && !is_sent {
            problems.warning(
                &written.place,
                format!(
                    "the credentials for this host are not sent by {}",
                    url.scheme()
                ),
                "write https, or scheme = \"http\" in [[http.credentials]]".to_owned(),
            );
        }
    }
}
