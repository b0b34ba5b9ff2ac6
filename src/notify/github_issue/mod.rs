//! An issue in a repository of GitHub for each alert, closed with its resolution.
//!
//! Sources: <https://docs.github.com/rest/issues/issues>, <https://docs.github.com/rest/issues/comments>,
//! <https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api>.
//!
//! Anyone can open an issue in a public repository, and write a marker of ours into it. So only issues of the token's own
//! account count as found again. An issue in a public repository shows a thief that he was seen: such a repository is
//! refused unless `allow_public` is set.

mod api;
mod body;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use url::Url;

use super::channel_type::{ChannelSettings, ChannelType, KeyType, Place, Written};
use super::message::Kind;
use super::reply::may_have_secrets;
use super::{Lacking, Links, Message, Notifier, NotifyError, Receipt};
use crate::http::{AddressPolicy, Client};
use crate::secret::SecretSource;
use api::{Api, Issue};

const DEFAULT_API: &str = "https://api.github.com";

/// The label of issues, unless the channel names others.
const DEFAULT_LABEL: &str = "modelwatch";

/// Most labels that GitHub shows for an issue are few; a longer list is a mistake.
const MAX_LABELS: usize = 20;

/// An issue in a repository of GitHub.
pub(super) const TYPE: ChannelType = ChannelType {
    name: "github-issue",
    keys: &[
        ("repository", KeyType::Text),
        ("token", KeyType::Secret),
        ("labels", KeyType::Texts),
        ("api", KeyType::Text),
        ("allow_public", KeyType::Boolean),
        ("allow_private", KeyType::Texts),
    ],
    read,
};

/// The settings of a channel.
#[derive(Debug, Clone)]
struct GitHubSettings {
    api: Url,
    owner: String,
    repository: String,
    token: SecretSource,
    labels: Vec<String>,
    allow_public: bool,
    allow_private: Vec<String>,
}

fn read(written: &mut Written) -> Option<Arc<dyn ChannelSettings>> {
    for (key, keys) in [
        ("repository", "repository"),
        ("token", "one of token_env and token_file"),
    ] {
        if !written.has(key) {
            written.error(Place::Channel, format!("{keys} is missing"), None);
        }
    }
    let named = written.text("repository").map(|text| {
        let (owner, name) = text.split_once('/')?;
        (is_name(owner) && is_name(name)).then(|| (owner.to_owned(), name.to_owned()))
    });
    if named == Some(None) {
        written.error(
            Place::Key("repository"),
            "is not a repository of GitHub",
            Some("write OWNER/NAME"),
        );
    }
    let api = match written.parsed::<Url>("api") {
        Some(url) if is_safe(&url) => Some(url),
        Some(_) => {
            written.error(
                Place::Key("api"),
                "is not an https URL without a user: the token would be sent in the clear",
                Some("GitHub Enterprise Server has https://HOST/api/v3"),
            );
            None
        }
        None if written.has("api") => None,
        None => Url::parse(DEFAULT_API).ok(),
    };
    let mut labels = written.texts("labels");
    if labels.len() > MAX_LABELS {
        written.error(
            Place::Key("labels"),
            format!("more than {MAX_LABELS} labels"),
            None,
        );
    }
    if let Some(at) = labels.iter().position(|label| label.contains(',')) {
        written.error(
            Place::Element("labels", at),
            "a label with a comma cannot be searched for",
            None,
        );
        return None;
    }
    if !written.has("labels") {
        labels.push(DEFAULT_LABEL.to_owned());
    }
    let (owner, repository) = named??;
    Some(Arc::new(GitHubSettings {
        api: api?,
        owner,
        repository,
        token: written.secret("token")?,
        labels,
        allow_public: written.boolean("allow_public").unwrap_or(false),
        allow_private: written.texts("allow_private"),
    }))
}

/// A name as GitHub allows it, so that it is one segment of a path.
fn is_name(name: &str) -> bool {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    (1..=100).contains(&name.len()) && name.chars().all(is_allowed) && name != "." && name != ".."
}

fn is_safe(url: &Url) -> bool {
    url.username().is_empty() && url.password().is_none() && may_have_secrets(url)
}

impl GitHubSettings {
    fn issues(&self, http: &Client, links: &Links) -> GitHubIssue {
        GitHubIssue {
            policy: AddressPolicy::allowing(&self.allow_private),
            settings: self.clone(),
            http: http.clone(),
            links: links.clone(),
        }
    }

    fn full_name(&self) -> String {
        format!("{}/{}", self.owner, self.repository)
    }
}

#[async_trait]
impl ChannelSettings for GitHubSettings {
    fn notifier(&self, http: &Client, links: &Links) -> Box<dyn Notifier> {
        Box::new(self.issues(http, links))
    }

    fn secrets(&self) -> Vec<SecretSource> {
        vec![self.token.clone()]
    }

    async fn lacking(&self) -> Vec<Lacking> {
        let token = Lacking::secret("token", &self.token).await;
        token.into_iter().collect()
    }

    async fn refused(&self, http: &Client) -> Vec<Lacking> {
        let issues = self.issues(http, &Links::default());
        let asked = async {
            let api = issues.api().await?;
            issues.check_repository(&api).await?;
            api.account().await.map(drop)
        };
        match asked.await {
            Ok(()) => Vec::new(),
            Err(error @ NotifyError::Setup { .. }) => vec![Lacking::new("repository", error)],
            Err(error) => vec![Lacking::new("api", error)],
        }
    }

    fn repository(&self) -> Option<Url> {
        let mut url = self.api.clone();
        if url.host_str() == Some("api.github.com") {
            url.set_host(Some("github.com")).ok()?;
        }
        url.set_path(&self.full_name());
        Some(url)
    }
}

/// Writes issues.
struct GitHubIssue {
    settings: GitHubSettings,
    policy: AddressPolicy,
    http: Client,
    links: Links,
}

#[async_trait]
impl Notifier for GitHubIssue {
    async fn send_to_rest(
        &self,
        message: &Message,
        receipt: &mut Receipt,
        _: Timestamp,
    ) -> Result<(), NotifyError> {
        let api = self.api().await?;
        self.check_repository(&api).await?;
        let known = self.find(&api, &message.key).await?;
        match message.kind {
            Kind::Acknowledged => Ok(()),
            Kind::Resolved => match known {
                Some(issue) => self.close(&api, &issue, message).await,
                // Somebody has deleted or moved it: there is nothing to close.
                None => Ok(()),
            },
            Kind::Alert | Kind::Digest => {
                if known.is_none() {
                    self.open(&api, message, receipt).await?;
                }
                Ok(())
            }
        }
    }
}

impl GitHubIssue {
    async fn api(&self) -> Result<Api<'_>, NotifyError> {
        let token = self.settings.token.read().await?;
        Ok(Api::new(
            &self.http,
            &self.policy,
            &self.settings.api,
            [&self.settings.owner, &self.settings.repository],
            token,
        ))
    }

    /// Checked before each message: a private repository can be made public at any time.
    async fn check_repository(&self, api: &Api<'_>) -> Result<(), NotifyError> {
        let repository = api.repository().await?;
        let name = self.settings.full_name();
        if !repository.has_issues {
            return Err(NotifyError::Setup {
                what: format!("the repository {name} has no issues: they are switched off"),
            });
        }
        if repository.private || self.settings.allow_public {
            return Ok(());
        }
        Err(NotifyError::Setup {
            what: format!(
                "the repository {name} is public: an issue there shows a thief that he was seen; use a private repository, or set allow_public = true"
            ),
        })
    }

    /// The issue of this alert, if an earlier attempt opened it.
    async fn find(&self, api: &Api<'_>, key: &str) -> Result<Option<Issue>, NotifyError> {
        let account = api.account().await?;
        let marker = body::marker(key);
        let label = self.settings.labels.first().map(String::as_str);
        let labelled = api.find_issue(&account, label, &marker).await?;
        if labelled.is_some() || label.is_none() {
            return Ok(labelled);
        }
        // Somebody may have removed the label, and a token without write access cannot set one.
        api.find_issue(&account, None, &marker).await
    }

    async fn open(
        &self,
        api: &Api<'_>,
        message: &Message,
        receipt: &mut Receipt,
    ) -> Result<Issue, NotifyError> {
        let title = body::title(message);
        let body = body::of(message, &self.links);
        let issue = api.open_issue(&title, &body, &self.settings.labels).await?;
        let missing: Vec<&String> = self
            .settings
            .labels
            .iter()
            .filter(|label| !issue.has_label(label))
            .collect();
        if let Some(label) = missing.first() {
            receipt.complaint = Some(format!(
                "GitHub did not set the label {label} on its issue: the token needs write access to issues"
            ));
        }
        Ok(issue)
    }

    /// Comments and closes. An issue that a person has closed stays as it is.
    async fn close(
        &self,
        api: &Api<'_>,
        issue: &Issue,
        message: &Message,
    ) -> Result<(), NotifyError> {
        if !issue.is_open() {
            return Ok(());
        }
        api.comment(issue, &body::of(message, &self.links)).await?;
        // A crash here: the comment comes twice.
        api.close(issue).await
    }
}
