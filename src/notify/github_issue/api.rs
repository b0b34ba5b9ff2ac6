//! The requests to GitHub.

use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use crate::http::{AddressPolicy, Client, Kept, Method, PostReply};
use crate::notify::NotifyError;
use crate::notify::reply::{Call, judge, reason};

/// Issues in one answer: the most that GitHub returns.
const PAGE: usize = 100;

/// Answers that are searched for one issue: the newest 1,000 of the account. A new issue is among the first; that of an
/// old alert is found again up to here.
const PAGES: usize = 10;

/// Size of an answer. An issue of ours has at most 60 kB.
const ANSWER_LIMIT_BYTES: usize = 16 * 1024 * 1024;

/// The API of one repository.
pub(super) struct Api<'a> {
    http: &'a Client,
    policy: &'a AddressPolicy,
    base: &'a Url,
    repository: [&'a str; 2],
    token: SecretString,
}

/// The account of the token.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Account {
    id: u64,
    login: String,
}

/// What matters of a repository.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Repository {
    pub(super) private: bool,
    #[serde(default = "yes")]
    pub(super) has_issues: bool,
}

const fn yes() -> bool {
    true
}

/// An issue.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Issue {
    number: u64,
    state: String,
    #[serde(default)]
    body: Option<String>,
    user: Option<Author>,
    #[serde(default)]
    labels: Vec<Label>,
    /// The list of issues contains pull requests too.
    #[serde(default)]
    pull_request: Option<Value>,
}

#[derive(Debug, Clone, Deserialize)]
struct Author {
    id: u64,
}

#[derive(Debug, Clone, Deserialize)]
struct Label {
    name: String,
}

impl Issue {
    pub(super) fn is_open(&self) -> bool {
        self.state == "open"
    }

    pub(super) fn has_label(&self, name: &str) -> bool {
        // GitHub compares the names of labels without regard to case.
        let mut labels = self.labels.iter();
        labels.any(|label| label.name.eq_ignore_ascii_case(name))
    }

    fn is_ours(&self, account: &Account, marker: &str) -> bool {
        self.pull_request.is_none()
            && self.user.as_ref().is_some_and(|user| user.id == account.id)
            && self.body.as_ref().is_some_and(|body| body.contains(marker))
    }
}

impl<'a> Api<'a> {
    pub(super) const fn new(
        http: &'a Client,
        policy: &'a AddressPolicy,
        base: &'a Url,
        repository: [&'a str; 2],
        token: SecretString,
    ) -> Self {
        Self {
            http,
            policy,
            base,
            repository,
            token,
        }
    }

    /// The account that the token belongs to.
    pub(super) async fn account(&self) -> Result<Account, NotifyError> {
        let url = self.url(&["user"])?;
        let reply = self.call(Method::Get, &url, None).await?;
        if reply.status == 403 {
            return Err(NotifyError::Setup {
                what: format!(
                    "{}: the token belongs to no account, so its issues cannot be found again; use a token of a user",
                    reason(&reply)
                ),
            });
        }
        accepted(&reply)
    }

    /// The repository as it is now.
    pub(super) async fn repository(&self) -> Result<Repository, NotifyError> {
        let url = self.url(&["repos", self.repository[0], self.repository[1]])?;
        let reply = self.call(Method::Get, &url, None).await?;
        if reply.status == 404 {
            return Err(NotifyError::Setup {
                what: format!(
                    "the repository {}/{} does not exist, or the token may not see it",
                    self.repository[0], self.repository[1]
                ),
            });
        }
        accepted(&reply)
    }

    /// The issue with this marker that the account opened. `None`: there is none among its newest.
    pub(super) async fn find_issue(
        &self,
        account: &Account,
        label: Option<&str>,
        marker: &str,
    ) -> Result<Option<Issue>, NotifyError> {
        for page in 1..=PAGES {
            let mut url = self.issues(&[])?;
            url.query_pairs_mut()
                .append_pair("state", "all")
                .append_pair("creator", &account.login)
                .append_pair("sort", "created")
                .append_pair("direction", "desc")
                .append_pair("per_page", &PAGE.to_string())
                .append_pair("page", &page.to_string());
            if let Some(label) = label {
                url.query_pairs_mut().append_pair("labels", label);
            }
            let reply = self.call(Method::Get, &url, None).await?;
            let issues: Vec<Issue> = accepted(&reply)?;
            let count = issues.len();
            let mut issues = issues.into_iter();
            if let Some(found) = issues.find(|issue| issue.is_ours(account, marker)) {
                return Ok(Some(found));
            }
            if count < PAGE {
                break;
            }
        }
        Ok(None)
    }

    pub(super) async fn open_issue(
        &self,
        title: &str,
        body: &str,
        labels: &[String],
    ) -> Result<Issue, NotifyError> {
        let content = json!({ "title": title, "body": body, "labels": labels });
        let url = self.issues(&[])?;
        accepted(&self.call(Method::Post, &url, Some(&content)).await?)
    }

    pub(super) async fn comment(&self, issue: &Issue, body: &str) -> Result<(), NotifyError> {
        let url = self.issues(&[&issue.number.to_string(), "comments"])?;
        let content = json!({ "body": body });
        let reply = self.call(Method::Post, &url, Some(&content)).await?;
        judge(&reply)
    }

    pub(super) async fn close(&self, issue: &Issue) -> Result<(), NotifyError> {
        let url = self.issues(&[&issue.number.to_string()])?;
        let content = json!({ "state": "closed", "state_reason": "completed" });
        let reply = self.call(Method::Patch, &url, Some(&content)).await?;
        judge(&reply)
    }

    fn issues(&self, rest: &[&str]) -> Result<Url, NotifyError> {
        let [owner, name] = self.repository;
        let path: Vec<&str> = ["repos", owner, name, "issues"]
            .into_iter()
            .chain(rest.iter().copied())
            .collect();
        self.url(&path)
    }

    fn url(&self, path: &[&str]) -> Result<Url, NotifyError> {
        let mut url = self.base.clone();
        match url.path_segments_mut() {
            Ok(mut segments) => {
                segments.pop_if_empty().extend(path);
            }
            Err(()) => {
                return Err(NotifyError::Setup {
                    what: "api is not the URL of a server".to_owned(),
                });
            }
        }
        Ok(url)
    }

    async fn call(
        &self,
        method: Method,
        url: &Url,
        body: Option<&Value>,
    ) -> Result<PostReply, NotifyError> {
        let token = self.token.expose_secret();
        let authorization = format!("Bearer {token}");
        let mut headers = vec![
            ("accept", "application/vnd.github+json"),
            ("x-github-api-version", "2022-11-28"),
            ("authorization", authorization.as_str()),
        ];
        if body.is_some() {
            headers.push(("content-type", "application/json"));
        }
        let call = Call {
            method,
            url,
            headers: &headers,
            body: body.map(Value::to_string).unwrap_or_default(),
            kept: Kept::WholeOfSuccess(ANSWER_LIMIT_BYTES),
            secrets: &[token],
        };
        let reply = call.send(self.http, self.policy).await?;
        // GitHub limits its rate with 403 as well as with 429.
        let is_limited = reply.status == 403
            && (reply.retry_after.is_some()
                || reply
                    .message
                    .as_ref()
                    .is_some_and(|message| message.to_ascii_lowercase().contains("rate limit")));
        if is_limited {
            return Err(NotifyError::Unavailable {
                reason: reason(&reply),
                retry_after: reply.retry_after,
            });
        }
        Ok(reply)
    }
}

/// The content of a successful answer.
fn accepted<T: for<'de> Deserialize<'de>>(reply: &PostReply) -> Result<T, NotifyError> {
    judge(reply)?;
    serde_json::from_slice(&reply.body).map_err(|_| {
        NotifyError::unavailable(format!(
            "{} answered {} with something else than the API of GitHub",
            reply.name, reply.status
        ))
    })
}
