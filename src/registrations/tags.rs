//! Registrations at a URL, or at one URL for each tag that was signed.

use std::collections::HashSet;
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tokio::time::timeout;
use url::Url;

use super::collector::{Collector, Found, MAX_FILE_BYTES};
use super::settings::TagSettings;
use crate::http::{Answer, Client, HttpError};
use crate::store::{RegistrationSources, StoreError};

/// Most tags that are asked for in one reading, the newest first.
const MAX_TAGS: u32 = 100;

/// The share of the time of a reading that one URL may take: a few that hang must not keep all the others from being read.
const SHARE: u32 = 6;

/// Reads the URLs of a source. One that does not answer changes nothing of what it registered. It takes less than `time`.
///
/// Only tags of signings that are open are asked for. What was registered for others stays.
pub(super) async fn read<S>(
    settings: &TagSettings,
    watches: Option<&[String]>,
    store: &S,
    http: &Client,
    time: Duration,
    collector: &mut Collector,
) -> Result<(), StoreError>
where
    S: RegistrationSources + ?Sized,
{
    let tags = if settings.has_tag() {
        store.signed_tags(watches, MAX_TAGS).await?
    } else {
        Vec::new()
    };
    // What was read counts, however much was not: so it ends before the reading of the source is given up.
    fetch(settings, &tags, http, time.mul_f32(0.9), collector).await;
    Ok(())
}

/// Asks for the URL of each of these tags, or for the one URL of a source without them.
async fn fetch(
    settings: &TagSettings,
    tags: &[String],
    http: &Client,
    time: Duration,
    collector: &mut Collector,
) {
    let urls: Vec<Url> = if settings.has_tag() {
        tags.iter().filter_map(|tag| settings.url_of(tag)).collect()
    } else {
        settings.plain_url().into_iter().collect()
    };
    let asked: HashSet<String> = urls.iter().map(Url::to_string).collect();
    collector.keep_all_but(&asked);
    let mut done = 0;
    let all = async {
        for url in &urls {
            ask(settings, url, http, time / SHARE, collector).await;
            done += 1;
        }
    };
    if timeout(time, all).await.is_ok() {
        return;
    }
    let left: Vec<String> = urls.iter().skip(done).map(Url::to_string).collect();
    for file in &left {
        collector.keep_file(file);
    }
    collector.problem(format!(
        "the time for this source was over: {} of {} URLs were not read, from {} on",
        left.len(),
        urls.len(),
        left.first().map_or("", String::as_str)
    ));
}

/// Asks for one URL.
async fn ask(
    settings: &TagSettings,
    url: &Url,
    http: &Client,
    time: Duration,
    collector: &mut Collector,
) {
    let file = url.to_string();
    let answer = http.find_public(url, MAX_FILE_BYTES, &settings.policy, &settings.allow_hosts);
    let problem = match timeout(time, answer).await {
        Ok(Ok(Answer::Found(bytes))) => {
            let found = Found {
                content: hex::encode(Sha256::digest(&bytes)),
                file,
                commit: None,
                author: None,
            };
            if !collector.keep(&found.file, &found.content) {
                collector.add(&found, &bytes);
            }
            return;
        }
        // The release may not be published yet.
        Ok(Ok(Answer::Absent(_))) => return,
        Ok(Err(error @ HttpError::Redirect { .. })) => {
            format!("{error}; `allow_hosts` names hosts that it may lead to by https")
        }
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("{file}: no answer within {} s", time.as_secs()),
    };
    collector.keep_file(&file);
    collector.problem(problem);
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

    use std::io::{BufRead as _, BufReader, Write as _};
    use std::net::TcpListener;
    use std::sync::{Arc, Mutex};
    use std::thread;

    use super::*;
    use crate::expect::Authority;
    use crate::http::AddressPolicy;

    const BUNDLE: &[u8] =
        include_bytes!("../../tests/data/bundles/rekor-v2-hashedrekord-dsse.json");

    /// A server on loopback that publishes the bundle of the tag `v1.0+b` at the path that is this tag in one segment, redirects
    /// `within` there and `elsewhere` to another host, and records every path that it is asked for.
    fn server() -> (u16, Arc<Mutex<Vec<String>>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let asking = Arc::clone(&asked);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
                let first = lines.next().unwrap().unwrap();
                while lines.next().is_some_and(|line| !line.unwrap().is_empty()) {}
                let path = first.split(' ').nth(1).unwrap().to_owned();
                asking.lock().unwrap().push(path.clone());
                let redirect = |to: &str| format!("302 Found\r\nLocation: {to}");
                let (status, body) = match path.as_str() {
                    "/d/v1.0%2Bb/model.sig" => ("200 OK".to_owned(), BUNDLE),
                    "/d/within/model.sig" => (redirect("/d/v1.0%2Bb/model.sig"), &b""[..]),
                    "/d/elsewhere/model.sig" => {
                        (redirect("http://other.example/model.sig"), &b""[..])
                    }
                    _ => ("404 Not Found".to_owned(), &b""[..]),
                };
                let head = format!(
                    "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                    body.len()
                );
                stream.write_all(&[head.as_bytes(), body].concat()).unwrap();
            }
        });
        (port, asked)
    }

    #[tokio::test]
    async fn a_tag_is_asked_for_as_one_segment_and_leads_to_no_other_path_and_no_other_host() {
        let (port, asked) = server();
        let template = format!("http://127.0.0.1:{port}/d/{{tag}}/model.sig");
        let policy = AddressPolicy::allowing(["127.0.0.1"]);
        let settings = TagSettings::new(&template, Vec::new(), policy).unwrap();
        let long = "x".repeat(201);
        let tags: Vec<String> = [
            "v1.0+b",
            ".",
            "..",
            "",
            &long,
            "../../etc/passwd",
            "a/../../b",
            "%2e%2e",
            "x?y#z",
            "@evil.example\\",
            "within",
            "elsewhere",
        ]
        .map(str::to_owned)
        .into();
        let mut collector = Collector::new("tags", Authority::Signer, None, Vec::new());
        let time = Duration::from_hours(1);
        fetch(&settings, &tags, &Client::default(), time, &mut collector).await;
        let asked = asked.lock().unwrap().clone();
        assert_eq!(
            asked,
            [
                "/d/v1.0%2Bb/model.sig",
                "/d/..%2F..%2Fetc%2Fpasswd/model.sig",
                "/d/a%2F..%2F..%2Fb/model.sig",
                "/d/%252e%252e/model.sig",
                "/d/x%3Fy%23z/model.sig",
                "/d/%40evil.example%5C/model.sig",
                "/d/within/model.sig",
                "/d/v1.0%2Bb/model.sig",
                "/d/elsewhere/model.sig",
            ]
        );
        let collected = collector.finish();
        let files: Vec<_> = collected.new.iter().map(|new| new.file.as_str()).collect();
        let url = |tag: &str| format!("http://127.0.0.1:{port}/d/{tag}/model.sig");
        assert_eq!(files, [url("v1.0%2Bb"), url("within")]);
        let [problem] = collected.problems.as_slice() else {
            panic!("{:?}", collected.problems)
        };
        assert!(
            problem.contains("/d/elsewhere/model.sig: redirects to ")
                && problem.contains("other.example")
                && problem.contains("which is not followed; `allow_hosts`"),
            "{problem}"
        );
    }

    /// A server that accepts connections and never answers.
    fn hanging() -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        thread::spawn(move || {
            let open: Vec<_> = listener.incoming().collect();
            drop(open);
        });
        port
    }

    // The clock stands still, and goes on to the next timer whenever nothing else happens: no second is waited for.
    #[tokio::test(start_paused = true)]
    async fn urls_that_hang_take_a_share_of_the_time_each_and_those_that_are_left_are_reported() {
        let port = hanging();
        let template = format!("http://127.0.0.1:{port}/{{tag}}/model.sig");
        let policy = AddressPolicy::allowing(["127.0.0.1"]);
        let settings = TagSettings::new(&template, Vec::new(), policy).unwrap();
        let tags = ["a", "b", "c", "d", "e", "f", "g", "h"].map(str::to_owned);
        let mut collector = Collector::new("tags", Authority::Signer, None, Vec::new());
        let time = Duration::from_mins(1);
        fetch(&settings, &tags, &Client::default(), time, &mut collector).await;
        let problems = collector.finish().problems;
        let (last, hanging) = problems.split_last().unwrap();
        assert!(
            last.starts_with("the time for this source was over: ")
                && last.contains(" of 8 URLs were not read, from http://127.0.0.1:"),
            "{last}"
        );
        assert!(hanging.len() >= 5, "{problems:?}");
        for (problem, tag) in hanging.iter().zip(&tags) {
            assert!(
                problem.ends_with(&format!("/{tag}/model.sig: no answer within 10 s")),
                "{problem}"
            );
        }
    }
}
