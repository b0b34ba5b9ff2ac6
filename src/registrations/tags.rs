//! Registrations at a URL, or at one URL for each tag that was signed.

use std::collections::HashSet;

use sha2::{Digest as _, Sha256};
use url::Url;

use super::collector::{Collector, Found, MAX_FILE_BYTES};
use super::settings::TagSettings;
use crate::http::{Answer, Client};
use crate::store::{RegistrationSources, StoreError};

/// Most tags that are asked for in one reading, the newest first.
const MAX_TAGS: u32 = 100;

/// Reads the URLs of a source. One that does not answer changes nothing of what it registered.
///
/// Only tags of signings that are open are asked for. What was registered for others stays.
pub(super) async fn read<S>(
    settings: &TagSettings,
    watches: Option<&[String]>,
    store: &S,
    http: &Client,
    collector: &mut Collector,
) -> Result<(), StoreError>
where
    S: RegistrationSources + ?Sized,
{
    let urls: Vec<Url> = if settings.has_tag() {
        let tags = store.signed_tags(watches, MAX_TAGS).await?;
        tags.iter().filter_map(|tag| settings.url_of(tag)).collect()
    } else {
        settings.plain_url().into_iter().collect()
    };
    let asked: HashSet<String> = urls.iter().map(Url::to_string).collect();
    collector.keep_all_but(&asked);
    for url in urls {
        let file = url.to_string();
        let answer = http.find_public(
            &url,
            MAX_FILE_BYTES,
            &settings.policy,
            &settings.allow_hosts,
        );
        match answer.await {
            Ok(Answer::Found(bytes)) => {
                let found = Found {
                    content: hex::encode(Sha256::digest(&bytes)),
                    file,
                    commit: None,
                    author: None,
                };
                if !collector.keep(&found.file, &found.content) {
                    collector.add(&found, &bytes);
                }
            }
            // The release may not be published yet.
            Ok(Answer::Absent(_)) => {}
            Err(error) => {
                collector.keep_file(&file);
                collector.problem(error.to_string());
            }
        }
    }
    Ok(())
}
