//! The address of a log, as documents and configurations give it.

use url::Url;

/// The URL of a directory on a server; `None` if it is something else. Without a scheme it means https, as in
/// configurations that people wrote.
pub(super) fn directory(written: &str) -> Option<Url> {
    let written = written.trim();
    let url = if written.contains("://") {
        Url::parse(written)
    } else if written.is_empty() {
        return None;
    } else {
        Url::parse(&format!("https://{}", written.trim_start_matches('/')))
    };
    let mut url = url.ok()?;
    let is_one = matches!(url.scheme(), "https" | "http")
        && url.query().is_none()
        && url.fragment().is_none();
    if is_one && !url.path().ends_with('/') {
        let path = format!("{}/", url.path());
        url.set_path(&path);
    }
    is_one.then_some(url)
}

/// The name of a log from its URL: its host and path, which is the origin of most Rekor v2 logs.
pub(super) fn name_of(url: &Url) -> String {
    let path = url.path().trim_end_matches('/');
    format!("{}{path}", url.host_str().unwrap_or_default())
}

/// The same with the port: two logs of one host are two.
pub(super) fn place_of(url: &Url) -> String {
    let port = url
        .port()
        .map_or_else(String::new, |port| format!(":{port}"));
    format!("{}{port}", name_of(url))
}
