//! Tokens of the platform that runs a workflow.
//!
//! The first platform that is there counts, in the order of the reference implementation (Python's `id`): a platform
//! without a token is an error and never a reason to sign under another identity.

use secrecy::SecretString;
use serde_json::json;

use super::environment::Environment;
use super::error::OidcError;
use super::platform::Platform;
use super::{github, gitlab, google, program};
use crate::http::Client;

/// The platform that runs this process.
#[derive(Debug)]
pub struct Ambient(Environment);

impl Ambient {
    /// By the environment of this process.
    pub fn of_process() -> Self {
        Self(Environment::new(
            |name| std::env::var(name).ok(),
            "/sys/class/dmi/id/product_name",
            "https://iamcredentials.googleapis.com/",
        ))
    }

    /// The platform that runs this workflow, by the variables that it sets. Google Cloud sets none; it is found by
    /// [`Self::platform`] alone.
    pub fn workflow(&self) -> Option<Platform> {
        let known = [
            ("GITHUB_ACTIONS", Platform::GitHub),
            ("BUILDKITE", Platform::Buildkite),
            ("GITLAB_CI", Platform::GitLab),
            ("CIRCLECI", Platform::CircleCi),
        ];
        let mut found = known.into_iter().filter(|(name, _)| self.0.is_set(name));
        found.next().map(|(_, platform)| platform)
    }

    /// As [`Self::workflow`], or Google Cloud. Order: GitHub, Google Cloud, Buildkite, GitLab, CircleCI.
    pub fn platform(&self) -> Option<Platform> {
        let workflow = self.workflow();
        if workflow != Some(Platform::GitHub) && google::is_here(&self.0) {
            return Some(Platform::GoogleCloud);
        }
        workflow
    }

    /// Requests a token for `audience` from a platform that is there.
    ///
    /// # Errors
    ///
    /// [`OidcError`]: the platform gives this job no token, or cannot be reached.
    pub async fn token(
        &self,
        platform: Platform,
        audience: &str,
        http: &Client,
    ) -> Result<SecretString, OidcError> {
        match platform {
            Platform::GitHub => github::token(&self.0, audience, http).await,
            Platform::GoogleCloud => google::token(&self.0, audience, http).await,
            Platform::GitLab => gitlab::token(&self.0, audience),
            // buildkite.com/docs/agent/v3/cli-oidc
            Platform::Buildkite => {
                let arguments = ["oidc", "request-token", "--audience", audience];
                program::run(platform, "buildkite-agent", &arguments).await
            }
            // circleci.com/docs/openid-connect-tokens: the issuer without the organization, which the public certificate
            // authority accepts as well.
            Platform::CircleCi => {
                let claims = json!({ "aud": audience }).to_string();
                let arguments = ["run", "oidc", "get", "--root-issuer", "--claims", &claims];
                program::run(platform, "circleci", &arguments).await
            }
        }
    }
}

#[cfg(test)]
mod tests;
