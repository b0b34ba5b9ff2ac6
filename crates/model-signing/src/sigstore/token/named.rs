//! The name in the certificate that a token will give: the rules of the public certificate authority (Fulcio,
//! `config/identity/config.yaml`).

use std::fmt;

use serde_json::{Map, Value};

use super::claims::email;

/// The name that a certificate will have.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CertifiedName {
    /// An e-mail address.
    Email(String),
    /// A URI: of a workflow or of a service account.
    Uri(String),
    /// The certificate authority decides by its own configuration; it is one of these.
    Undecided {
        /// The claim `sub`.
        subject: String,
        /// The claim `email`.
        email: Option<String>,
    },
}

impl fmt::Display for CertifiedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Email(name) | Self::Uri(name) => f.write_str(name),
            Self::Undecided {
                subject,
                email: None,
            } => f.write_str(subject),
            Self::Undecided {
                subject,
                email: Some(address),
            } => write!(f, "{address} or {subject}"),
        }
    }
}

/// What the tokens of an issuer are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A person or a service account with an e-mail address.
    Email,
    /// A workflow. If its token has an e-mail address, the certificate does not.
    Workflow,
    /// Only a certificate authority that is configured for the issuer can determine it.
    Unknown,
}

impl Kind {
    pub(super) fn of(issuer: &str) -> Self {
        if EMAIL.contains(&issuer) || is_federation(issuer) {
            Self::Email
        } else if template(issuer).is_some() {
            Self::Workflow
        } else {
            Self::Unknown
        }
    }
}

/// Issuers whose tokens are about an e-mail address.
const EMAIL: [&str; 5] = [
    "https://accounts.google.com",
    "https://auth.eclipse.org/auth/realms/foundation-service-accounts",
    "https://issuer.hello.coop",
    "https://sigstore.verify.ibm.com/oauth2",
    "https://www.kaggle.com/api/v1/models/signing",
];

/// Whether an issuer passes on the identities of others, and is not named itself.
pub(super) fn is_federation(issuer: &str) -> bool {
    matches!(
        issuer,
        "https://oauth2.sigstore.dev/auth" | "https://oauth2.sigstage.dev/auth"
    )
}

/// Issuers of workflows, and the name that a certificate has by their claims. An issuer that ends in a slash means all
/// below it.
const WORKFLOWS: [(&str, &str); 11] = [
    (
        "https://token.actions.githubusercontent.com",
        "https://github.com/{job_workflow_ref}",
    ),
    (
        "https://token.actions.githubusercontent.com/",
        "https://github.com/{job_workflow_ref}",
    ),
    ("https://gitlab.com", "https://{ci_config_ref_uri}"),
    ("https://dev.gitlab.org", "https://{ci_config_ref_uri}"),
    (
        "https://gitlab.archlinux.org",
        "https://{ci_config_ref_uri}",
    ),
    ("https://ops.gitlab.net", "https://{ci_config_ref_uri}"),
    (
        "https://agent.buildkite.com",
        "https://buildkite.com/{organization_slug}/{pipeline_slug}",
    ),
    ("https://oidc.circleci.com", CIRCLE),
    ("https://oidc.circleci.com/org/", CIRCLE),
    (
        "https://oidc.codefresh.io",
        "https://g.codefresh.io/{account_name}/{pipeline_name}:{account_id}/{pipeline_id}",
    ),
    (
        "https://oidc.buddyusercontent.com",
        "https://app.buddy.works/{workspace_domain}/{project_name}/pipelines/pipeline/{pipeline_id}",
    ),
];
const CIRCLE: &str = "https://circleci.com/api/v2/projects/{oidc.circleci.com/project-id}/pipeline-definitions/{oidc.circleci.com/pipeline-definition-id}";

fn template(issuer: &str) -> Option<&'static str> {
    let fits = |known: &str| {
        if known.ends_with('/') {
            issuer.starts_with(known)
        } else {
            issuer == known
        }
    };
    let mut fitting = WORKFLOWS.iter().filter(|(known, _)| fits(known));
    fitting.next().map(|(_, template)| *template)
}

pub(super) fn name(issuer: &str, subject: &str, claims: &Map<String, Value>) -> CertifiedName {
    let undecided = || CertifiedName::Undecided {
        subject: subject.to_owned(),
        email: email(claims).map(str::to_owned),
    };
    match (Kind::of(issuer), email(claims)) {
        (Kind::Email, Some(address)) => CertifiedName::Email(address.to_owned()),
        (Kind::Workflow, _) => template(issuer)
            .and_then(|template| filled(template, claims))
            .map_or_else(undecided, CertifiedName::Uri),
        _ => undecided(),
    }
}

/// The template with the claims in it; `None` if one of them is not there.
fn filled(template: &str, claims: &Map<String, Value>) -> Option<String> {
    let mut text = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let (claim, behind) = after.split_once('}')?;
        text.push_str(before);
        match claims.get(claim)? {
            Value::String(value) if !value.is_empty() => text.push_str(value),
            Value::Number(value) => text.push_str(&value.to_string()),
            _ => return None,
        }
        rest = behind;
    }
    text.push_str(rest);
    Some(text)
}
