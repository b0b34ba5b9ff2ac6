//! `[web]`: who may read the metrics and the state of the monitor over HTTP.

use std::net::IpAddr;

use url::Url;

use super::context::Context;
use super::keys;
use super::problems::Problems;
use super::reader::Section;
use super::values::{has_userinfo, secret};
use super::web_settings::{
    Access, DEFAULT_LISTEN, DEFAULT_READY_MAX_AGE, Listen, ProxyAccess, WebSettings,
};

/// Most addresses of proxies.
const MAX_PROXIES: usize = 100;

/// Headers with a meaning of their own, which cannot name a user.
const RESERVED: [&str; 5] = [
    "host",
    "authorization",
    "cookie",
    "x-modelwatch-proxy",
    "content-length",
];

pub(super) fn read(
    root: &Section<'_>,
    context: &Context<'_>,
    problems: &mut Problems,
) -> Option<WebSettings> {
    read_for(cfg!(feature = "web"), root, context, problems)
}

/// `has_server`: this build contains the server.
fn read_for(
    has_server: bool,
    root: &Section<'_>,
    context: &Context<'_>,
    problems: &mut Problems,
) -> Option<WebSettings> {
    let section = root.table("web", problems)?;
    if !has_server {
        problems.error(
            section.place(),
            "this build of modelwatch has no web server",
            "build it with the feature `web`, or remove [web]; [metrics] textfile works without it"
                .to_owned(),
        );
    }
    section.only("web", &keys::WEB, problems);
    let listen = listen(&section, context, problems)?;
    let settings = WebSettings {
        base_url: base_url(&section, problems),
        access: access(&section, &listen, context, problems)?,
        actions: section.boolean("actions", problems).unwrap_or(false),
        ready_max_age: section
            .duration("ready_max_age", problems)
            .unwrap_or(DEFAULT_READY_MAX_AGE),
        listen,
    };
    if let Some(why) = settings.exposure() {
        problems.error(
            &section.place_of("listen"),
            why,
            "listen on 127.0.0.1 or on a Unix socket, or add token_file".to_owned(),
        );
    }
    if settings.actions && settings.access == Access::Open {
        problems.error(
            &section.place_of("actions"),
            "everyone who reaches the page could acknowledge findings",
            "add token_file, or trusted_proxy with user_header".to_owned(),
        );
    }
    let is_remote = matches!(&settings.listen, Listen::Tcp(address) if !address.ip().is_loopback());
    if is_remote && settings.base_url.is_none() && !section.has("base_url") {
        problems.warning(
            &section.place_of("listen"),
            "without base_url only requests for localhost are answered",
            "write base_url = \"https://…\", with the host by which clients reach it".to_owned(),
        );
    }
    Some(settings)
}

fn listen(section: &Section<'_>, context: &Context<'_>, problems: &mut Problems) -> Option<Listen> {
    if !section.has("listen") {
        return Some(Listen::Tcp(DEFAULT_LISTEN));
    }
    let written = section.string("listen", problems)?;
    let listen = Listen::parse(written.value, context.directory);
    if listen.is_none() {
        problems.error(
            &written.place,
            format!("{:?} is not an address to listen on", written.value),
            Listen::FORMS.to_owned(),
        );
    }
    listen
}

fn base_url(section: &Section<'_>, problems: &mut Problems) -> Option<Url> {
    let written = section.string("base_url", problems)?;
    let url = match Url::parse(written.value) {
        Ok(url) if has_userinfo(&url, &written.place, problems) => return None,
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => url,
        _ => {
            problems.error(&written.place, "is not an http or https URL", None);
            return None;
        }
    };
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
        problems.error(
            &written.place,
            "has a path, a query or a fragment: the server needs a host of its own",
            "write https://HOST or https://HOST:PORT".to_owned(),
        );
        return None;
    }
    Some(url)
}

fn access(
    section: &Section<'_>,
    listen: &Listen,
    context: &Context<'_>,
    problems: &mut Problems,
) -> Option<Access> {
    let has_token = section.has("token_env") || section.has("token_file");
    let token = secret(section, "token", context, problems);
    let proxy_secret = secret(section, "proxy_secret", context, problems);
    if !section.has("trusted_proxy") {
        for key in ["user_header", "proxy_secret_env", "proxy_secret_file"] {
            if section.has(key) {
                problems.error(
                    &section.place_of(key),
                    "has a meaning only with trusted_proxy",
                    "add trusted_proxy = [\"ADDRESS\"], or remove it".to_owned(),
                );
            }
        }
        return if has_token {
            token.map(Access::Token)
        } else {
            Some(Access::Open)
        };
    }
    if has_token {
        problems.error(
            &section.place_of("trusted_proxy"),
            "a token is given as well: with trusted_proxy, every request has to come from the proxy",
            "keep one of them".to_owned(),
        );
    }
    let peers = peers(section, problems);
    if matches!(listen, Listen::Unix(_)) {
        problems.warning(
            &section.place_of("trusted_proxy"),
            "connections to a Unix socket have no address: everyone who may open the socket is taken for the proxy",
            None,
        );
    } else if proxy_secret.is_none()
        && !(section.has("proxy_secret_env") || section.has("proxy_secret_file"))
    {
        problems.error(
            &section.place_of("trusted_proxy"),
            "proxy_secret_env or proxy_secret_file is missing: every program on the proxy's machine could pass for it",
            "it may be left out only for a Unix socket".to_owned(),
        );
        return None;
    }
    Some(Access::Proxy(ProxyAccess {
        peers,
        user_header: user_header(section, problems)?,
        secret: proxy_secret,
    }))
}

fn peers(section: &Section<'_>, problems: &mut Problems) -> Vec<IpAddr> {
    let written = section.strings("trusted_proxy", problems);
    if written.len() > MAX_PROXIES {
        let message = format!("more than {MAX_PROXIES} addresses");
        problems.error(&section.place_of("trusted_proxy"), message, None);
    }
    let mut peers = Vec::new();
    for address in written {
        match address.value.parse::<IpAddr>() {
            Ok(peer) => peers.push(peer.to_canonical()),
            Err(_) => problems.error(
                &address.place,
                format!("{:?} is not an IP address", address.value),
                "a name could be made to mean another machine: write addresses".to_owned(),
            ),
        }
    }
    peers
}

fn user_header(section: &Section<'_>, problems: &mut Problems) -> Option<String> {
    let written = section.required("user_header", problems)?;
    let is_name = written.value.len() <= 100
        && written
            .value
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    let lower = written.value.to_ascii_lowercase();
    if !is_name || RESERVED.contains(&lower.as_str()) {
        problems.error(
            &written.place,
            format!("{:?} is not the name of a header for users", written.value),
            "write a name such as X-Forwarded-Email".to_owned(),
        );
        return None;
    }
    Some(lower)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::file::validate;
    use super::*;

    /// The settings of `[web]` with these lines, or the problems.
    fn web(lines: &str) -> Result<(WebSettings, String), String> {
        let log = "[[log]]\ntype = \"rekor-v2\"\nurl = \"file:///log\"\norigin = \"a.example\"\npublic_key = \"k\"\n\
                   [[watch]]\nname = \"w\"\nsan = \"a@example.com\"\n[[channel]]\nname = \"c\"\ntype = \"stdout\"\n";
        let text = format!("{log}[web]\n{lines}\n");
        let (config, problems) = validate(&text, Path::new("/etc/m.toml"), &|_| true);
        let settings = config.map(|config| config.web.expect("there is [web]"));
        settings
            .map(|settings| (settings, problems.to_string()))
            .ok_or_else(|| problems.to_string())
    }

    #[cfg(feature = "web")]
    #[test]
    fn what_other_machines_reach_needs_authentication_and_nothing_is_contradictory() {
        let proxy = "trusted_proxy = [\"10.0.0.7\"]\nuser_header = \"X-User\"";
        let proven = format!("{proxy}\nproxy_secret_env = \"P\"");
        for (lines, error) in [
            (String::new(), None),
            ("listen = \"127.0.0.1:0\"".into(), None),
            ("listen = \"[::1]:8399\"".into(), None),
            ("listen = \"unix:web.sock\"".into(), None),
            (
                "listen = \"0.0.0.0:8399\"".into(),
                Some("web.listen: 0.0.0.0:8399 can be reached from other machines"),
            ),
            (
                "listen = \"[::]:8399\"".into(),
                Some("can be reached from other machines"),
            ),
            (
                "listen = \"localhost:8399\"".into(),
                Some("is not an address to listen on (hint: write an address"),
            ),
            (
                "listen = \"8399\"".into(),
                Some("is not an address to listen on"),
            ),
            (
                "listen = \"unix:\"".into(),
                Some("is not an address to listen on"),
            ),
            (
                "listen = \"0.0.0.0:8399\"\ntoken_env = \"T\"\nbase_url = \"https://w.example\""
                    .into(),
                None,
            ),
            (
                format!("listen = \"0.0.0.0:8399\"\nbase_url = \"https://w.example\"\n{proven}"),
                None,
            ),
            (proven.clone(), None),
            (
                proxy.into(),
                Some("proxy_secret_env or proxy_secret_file is missing"),
            ),
            (format!("listen = \"unix:s\"\n{proxy}"), None),
            (
                format!("{proven}\ntoken_env = \"T\""),
                Some("a token is given as well"),
            ),
            (
                proven.replace("user_header = \"X-User\"", ""),
                Some("user_header is missing"),
            ),
            (
                proven.replace("X-User", "Cookie"),
                Some("is not the name of a header for users"),
            ),
            (
                proven.replace("X-User", "X User"),
                Some("is not the name of a header for users"),
            ),
            (
                proven.replace("10.0.0.7", "proxy.example"),
                Some("is not an IP address (hint: a name could"),
            ),
            (
                proven.replace("[\"10.0.0.7\"]", "[]"),
                Some("an empty list"),
            ),
            (
                "user_header = \"X-User\"".into(),
                Some("web.user_header: has a meaning only with trusted_proxy"),
            ),
            (
                "proxy_secret_file = \"p\"".into(),
                Some("has a meaning only with trusted_proxy"),
            ),
            (
                "actions = true".into(),
                Some("everyone who reaches the page could acknowledge"),
            ),
            ("actions = true\ntoken_env = \"T\"".into(), None),
            (
                "actions = \"yes\"".into(),
                Some("true or false is expected"),
            ),
            (
                "token = \"s3cret\"".into(),
                Some("secrets stay out of this file"),
            ),
            (
                "token_env = \"T\"\ntoken_file = \"t\"".into(),
                Some("token_env is given as well"),
            ),
            (
                "base_url = \"https://w.example/path\"".into(),
                Some("has a path, a query or a fragment"),
            ),
            (
                "base_url = \"ftp://w.example\"".into(),
                Some("is not an http or https URL"),
            ),
            (
                "base_url = \"https://u:p@w.example\"".into(),
                Some("may not contain a user or a password"),
            ),
            ("ready_max_age = \"soon\"".into(), Some("is not a duration")),
            (
                "lisen = \"127.0.0.1:1\"".into(),
                Some("unknown key (hint: did you mean listen?)"),
            ),
        ] {
            match (web(&lines), error) {
                (Ok((_, problems)), None) => {
                    // A socket has no addresses to compare.
                    let is_expected = problems.is_empty() || lines.contains("unix:s\"");
                    assert!(is_expected, "{lines}\n{problems}");
                }
                (Err(problems), Some(error)) => {
                    assert!(problems.contains(error), "{lines}\n{problems}");
                }
                (result, _) => panic!("{lines}\n{result:?}"),
            }
        }
    }

    #[cfg(feature = "web")]
    #[test]
    fn every_setting_has_its_default_and_a_doubt_is_a_warning() {
        let (settings, problems) = web("").expect("valid");
        assert_eq!((settings, problems.as_str()), (WebSettings::default(), ""));
        let (settings, problems) =
            web("listen = \"10.1.2.3:80\"\ntoken_file = \"t\"\nready_max_age = \"30m\"")
                .expect("valid");
        assert_eq!(
            settings.listen,
            Listen::Tcp("10.1.2.3:80".parse().expect("an address"))
        );
        assert_eq!(settings.ready_max_age.as_secs(), 1800);
        assert!(
            problems.contains("warning: web.listen: without base_url only"),
            "{problems}"
        );
        let (settings, _) = web("listen = \"unix:run/s\"").expect("valid");
        assert_eq!(settings.listen, Listen::Unix("/etc/run/s".into()));
    }

    #[test]
    fn a_build_without_the_server_refuses_the_section() {
        let document = toml_edit::Document::parse("[web]").expect("TOML");
        let root = Section::root(document.as_table());
        let mut problems = Problems::new(Path::new("m.toml"), "[web]");
        let context = Context {
            directory: Path::new(""),
            is_file: &|_| true,
        };
        read_for(false, &root, &context, &mut problems);
        let said = problems.to_string();
        assert!(
            said.starts_with("m.toml:1: error: web: this build of modelwatch has no web server"),
            "{said}"
        );
    }
}
