//! Identity providers, and what Fulcio writes for them: the form of the name, and the extensions.
//!
//! Source: sigstore/fulcio `config/identity/config.yaml` (issuers, and the templates of CI providers) and
//! `pkg/identity` (`email`, `spiffe`, `kubernetes`, `chainguard`). A form here is at least as wide as the real one, so
//! a text that does not match it certainly never occurs.

use url::Url;

use crate::identity::Extension;

/// A segment of a path: printable, neither `/` nor `@`. Go writes all other characters with `%` (net/url `URL.String`).
const SEGMENT: &str = "[!-.0-?A-~]+";

/// Anything printable.
const REST: &str = "[!-~]+";

/// What kind of tokens an issuer gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    GitHub,
    /// Gitea and Forgejo: GitHub's form with their own host.
    Gitea,
    GitLab,
    Buildkite,
    Codefresh,
    CircleCi,
    Buddy,
    Kubernetes,
    Chainguard,
    Email,
    Spiffe,
}

/// An issuer, or a family of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Provider {
    pub(super) kind: Kind,
    /// The host in the names; empty if the kind determines it.
    pub(super) host: String,
    /// Whether the provider is certain, and not guessed from the name of a host that anyone may run.
    pub(super) is_certain: bool,
}

/// The form of a provider's values of one extension.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Never written.
    Absent,
    /// Any text.
    Any,
    /// What this expression matches as a whole.
    Like(String),
}

impl Provider {
    fn certain(kind: Kind, host: &str) -> Self {
        Self {
            kind,
            host: host.to_owned(),
            is_certain: true,
        }
    }

    fn guessed(kind: Kind, host: &str) -> Self {
        Self {
            is_certain: false,
            ..Self::certain(kind, host)
        }
    }

    /// The provider with this issuer in its tokens; `None` if it is unknown.
    pub(super) fn of_issuer(issuer: &str) -> Option<Self> {
        let url = Url::parse(issuer)
            .ok()
            .filter(|url| url.scheme() == "https")?;
        let host = url.host_str()?;
        let path = url.path();
        let kind = match host {
            // An enterprise may have its own issuer below it.
            "token.actions.githubusercontent.com" => {
                return Some(Self::certain(Kind::GitHub, "github.com"));
            }
            "gitlab.com" | "dev.gitlab.org" | "ops.gitlab.net" | "gitlab.archlinux.org" => {
                return (path == "/").then(|| Self::certain(Kind::GitLab, host));
            }
            "accounts.google.com"
            | "login.microsoftonline.com"
            | "oauth2.sigstore.dev"
            | "oauth2.sigstage.dev"
            | "issuer.hello.coop"
            | "sigstore.verify.ibm.com"
            | "auth.eclipse.org" => Kind::Email,
            "github.com" if path == "/login/oauth" => Kind::Email,
            "www.kaggle.com" if path == "/api/v1/models/signing" => Kind::Email,
            "agent.buildkite.com" => Kind::Buildkite,
            "oidc.codefresh.io" => Kind::Codefresh,
            "oidc.circleci.com" => Kind::CircleCi,
            "issuer.enforce.dev" => Kind::Chainguard,
            "container.googleapis.com" => Kind::Kubernetes,
            _ if host.ends_with("oidc.buddyusercontent.com") => Kind::Buddy,
            _ if host.starts_with("oidc.eks.") && host.ends_with(".amazonaws.com") => {
                Kind::Kubernetes
            }
            _ if host.ends_with(".prod-aks.azure.com") => Kind::Kubernetes,
            _ => {
                // GitHub with data residency, and on a self-hosted server (docs.github.com, OpenID Connect reference).
                if let Some(name) = host.strip_prefix("token.actions.")
                    && name.ends_with(".ghe.com")
                {
                    return Some(Self::certain(Kind::GitHub, name));
                }
                return match path {
                    "/_services/token" => Some(Self::guessed(Kind::GitHub, host)),
                    "/api/actions" => Some(Self::guessed(Kind::Gitea, host)),
                    "/" if host.starts_with("gitlab.") => Some(Self::guessed(Kind::GitLab, host)),
                    _ => None,
                };
            }
        };
        Some(Self::certain(kind, ""))
    }

    /// The provider whose names are URIs of this host; `None` if it is unknown.
    pub(super) fn of_host(host: &str) -> Option<Self> {
        let host = host.to_ascii_lowercase();
        let host = host.strip_prefix("www.").unwrap_or(&host);
        let kind = match host {
            "github.com" => return Some(Self::certain(Kind::GitHub, host)),
            "gitlab.com" | "dev.gitlab.org" | "ops.gitlab.net" | "gitlab.archlinux.org" => {
                return Some(Self::certain(Kind::GitLab, host));
            }
            "buildkite.com" => Kind::Buildkite,
            "g.codefresh.io" => Kind::Codefresh,
            "circleci.com" | "app.circleci.com" => Kind::CircleCi,
            "app.buddy.works" | "eu.buddy.works" | "asia.buddy.works" => Kind::Buddy,
            "kubernetes.io" => Kind::Kubernetes,
            "issuer.enforce.dev" => Kind::Chainguard,
            "codeberg.org" | "gitea.com" | "code.forgejo.org" => {
                return Some(Self::guessed(Kind::Gitea, host));
            }
            _ if host.ends_with(".ghe.com") => return Some(Self::certain(Kind::GitHub, host)),
            _ => {
                let guess = |kind| Some(Self::guessed(kind, host));
                return match host.split('.').next() {
                    Some("gitlab") => guess(Kind::GitLab),
                    Some("gitea" | "forgejo") => guess(Kind::Gitea),
                    _ => None,
                };
            }
        };
        Some(Self::certain(kind, ""))
    }

    /// The provider of names that begin with this text, in the form of names, of addresses for cloning, or of a
    /// browser. `whole`: nothing follows.
    pub(super) fn of_beginning(text: &str, whole: bool) -> Option<Self> {
        if let Some((scheme, rest)) = text.split_once("://") {
            if scheme.eq_ignore_ascii_case("spiffe") {
                return Some(Self::certain(Kind::Spiffe, ""));
            }
            let host = match rest.find(['/', ':', '?', '#']) {
                Some(end) => rest.get(..end)?,
                None if whole => rest,
                // It may go on.
                None => return None,
            };
            return Self::of_host(host.rsplit('@').next().unwrap_or(host));
        }
        if let Some((user, rest)) = text.split_once('@') {
            // git@github.com:ORG/REPO
            return match rest.split_once([':', '/']) {
                Some((host, _)) => Self::of_host(host),
                None => (!user.contains('/')).then(|| Self::certain(Kind::Email, "")),
            };
        }
        let (host, _) = text.split_once('/')?;
        Self::of_host(host)
    }

    /// Its name for people.
    pub(super) fn name(&self) -> String {
        let name = match self.kind {
            Kind::GitHub => "GitHub Actions",
            Kind::Gitea => "Gitea or Forgejo Actions",
            Kind::GitLab => "GitLab",
            Kind::Buildkite => "Buildkite",
            Kind::Codefresh => "Codefresh",
            Kind::CircleCi => "CircleCI",
            Kind::Buddy => "Buddy",
            Kind::Kubernetes => "Kubernetes",
            Kind::Chainguard => "Chainguard",
            Kind::Email => "a provider of mail addresses",
            Kind::Spiffe => "a SPIFFE provider",
        };
        match self.host.as_str() {
            "" | "github.com" | "gitlab.com" => name.to_owned(),
            host => format!("{name} at {host}"),
        }
    }

    /// How its names look, for people.
    pub(super) fn sketch(&self) -> String {
        let host = &self.host;
        match self.kind {
            Kind::GitHub => format!("https://{host}/ORG/REPO/.github/workflows/FILE.yml@REF"),
            Kind::Gitea => format!("https://{host}/ORG/REPO/.gitea/workflows/FILE.yml@REF"),
            Kind::GitLab => format!("https://{host}/GROUP/PROJECT//PATH/FILE.yml@REF"),
            Kind::Buildkite => "https://buildkite.com/ORG/PIPELINE".to_owned(),
            Kind::Codefresh => {
                "https://g.codefresh.io/ACCOUNT/PROJECT/PIPELINE:ACCOUNT_ID/PIPELINE_ID".to_owned()
            }
            Kind::CircleCi => {
                "https://circleci.com/api/v2/projects/ID/pipeline-definitions/ID".to_owned()
            }
            Kind::Buddy => {
                "https://app.buddy.works/WORKSPACE/PROJECT/pipelines/pipeline/NUMBER".to_owned()
            }
            Kind::Kubernetes => {
                "https://kubernetes.io/namespaces/NAMESPACE/serviceaccounts/NAME".to_owned()
            }
            Kind::Chainguard => "https://issuer.enforce.dev/SUBJECT".to_owned(),
            Kind::Email => "a mail address".to_owned(),
            Kind::Spiffe => "spiffe://TRUST-DOMAIN/PATH".to_owned(),
        }
    }

    /// The issuer, where there is only one of this kind or host.
    pub(super) fn issuer(&self) -> Option<String> {
        Some(match self.kind {
            Kind::GitHub if self.host == "github.com" => {
                "https://token.actions.githubusercontent.com".to_owned()
            }
            Kind::GitHub if self.host.ends_with(".ghe.com") => {
                format!("https://token.actions.{}", self.host)
            }
            Kind::GitLab => format!("https://{}", self.host),
            Kind::Buildkite => "https://agent.buildkite.com".to_owned(),
            Kind::Codefresh => "https://oidc.codefresh.io".to_owned(),
            Kind::Chainguard => "https://issuer.enforce.dev".to_owned(),
            _ => return None,
        })
    }

    /// What its names match as a whole.
    pub(super) fn names(&self) -> String {
        self.names_from(&format!("refs/{REST}"))
    }

    /// The same, except that of names with a ref, only those of a usual tag or branch. For patterns without a ref, so
    /// that `…/workflows/*.yml` does not mean branches whose name ends in `.yml`.
    pub(super) fn names_of_usual_refs(&self) -> String {
        self.names_from(r"refs/(tags/v1\.0\.0|heads/main)")
    }

    fn names_from(&self, from: &str) -> String {
        let host = regex_syntax::escape(&self.host);
        let (s, rest) = (SEGMENT, REST);
        match self.kind {
            // `job_workflow_ref`: a reusable workflow may be called by a commit. `dynamic/` are GitHub's own workflows.
            Kind::GitHub => format!(
                r"https://{host}/{s}/{s}/(\.github/workflows/{rest}\.ya?ml|dynamic/{rest})@({from}|[0-9a-f]{{40}}|[0-9a-f]{{64}})"
            ),
            Kind::Gitea => {
                format!(r"https://{host}(:[0-9]+)?/{s}/{s}/\.[a-z]+/workflows/{rest}\.ya?ml@{from}")
            }
            // `ci_config_ref_uri`: the project, `//`, any file, and the ref of the pipeline.
            Kind::GitLab => format!("https://{host}(:[0-9]+)?/{s}(/{s})+//{rest}@{from}"),
            Kind::Buildkite => format!("https://buildkite.com/{s}/{s}"),
            // `platform_url` may be another one.
            Kind::Codefresh => format!("https://{s}/{rest}/{rest}:{s}/{s}"),
            Kind::CircleCi => format!("https://{s}/{rest}/projects/{s}/pipeline-definitions/{s}"),
            Kind::Buddy => format!("https://{s}/{s}/{s}/pipelines/pipeline/[0-9]+"),
            Kind::Kubernetes => format!("https://kubernetes.io/namespaces/{s}/serviceaccounts/{s}"),
            Kind::Chainguard => format!("https://issuer.enforce.dev/{rest}"),
            Kind::Email => r"[^@\s:<>]+@[^@\s:/<>]+".to_owned(),
            // SPIFFE-ID §2: no port, no empty segment, nothing after the path.
            Kind::Spiffe => "spiffe://[a-z0-9._-]+(/[A-Za-z0-9._-]+)*".to_owned(),
        }
    }

    /// The form of its values of an extension.
    pub(super) fn extension(&self, extension: Extension) -> Form {
        use Extension as E;
        let like = |expression: &str| Form::Like(expression.to_owned());
        if matches!(extension, E::Issuer | E::TokenSubject) {
            return Form::Any;
        }
        match self.kind {
            Kind::GitHub | Kind::Gitea => self.of_github(extension),
            Kind::GitLab => self.of_gitlab(extension),
            Kind::Buildkite => match extension {
                E::RunInvocationUri => like("https://buildkite.com/[!-~]+/builds/[!-~]+"),
                E::RunnerEnvironment => like("[a-z-]+"),
                E::SourceRepositoryDigest | E::BuildTrigger => Form::Any,
                _ => Form::Absent,
            },
            Kind::Codefresh => match extension {
                E::BuildSignerUri
                | E::RunInvocationUri
                | E::BuildConfigUri
                | E::RunnerEnvironment
                | E::SourceRepositoryUri
                | E::SourceRepositoryRef => Form::Any,
                _ => Form::Absent,
            },
            Kind::CircleCi => match extension {
                E::BuildSignerUri
                | E::BuildConfigUri
                | E::RunInvocationUri
                | E::RunnerEnvironment
                | E::SourceRepositoryUri
                | E::SourceRepositoryRef => Form::Any,
                _ => Form::Absent,
            },
            Kind::Buddy => match extension {
                E::BuildSignerUri
                | E::BuildTrigger
                | E::RunnerEnvironment
                | E::SourceRepositoryUri
                | E::SourceRepositoryDigest
                | E::SourceRepositoryRef
                | E::SourceRepositoryOwnerUri
                | E::RunInvocationUri => Form::Any,
                _ => Form::Absent,
            },
            Kind::Kubernetes | Kind::Chainguard | Kind::Email | Kind::Spiffe => Form::Absent,
        }
    }

    fn of_github(&self, extension: Extension) -> Form {
        use Extension as E;
        let host = regex_syntax::escape(&self.host);
        let (s, rest) = (SEGMENT, REST);
        let like = |expression: String| Form::Like(expression);
        match extension {
            E::BuildSignerUri | E::BuildConfigUri => like(self.names()),
            E::SourceRepositoryUri => like(format!("https://{host}/{s}/{s}")),
            E::SourceRepositoryOwnerUri => like(format!("https://{host}/{s}")),
            E::SourceRepositoryIdentifier | E::SourceRepositoryOwnerIdentifier => {
                like("[0-9]+".to_owned())
            }
            E::SourceRepositoryRef | E::GithubWorkflowRef => like(format!("refs/{rest}")),
            E::BuildSignerDigest
            | E::BuildConfigDigest
            | E::SourceRepositoryDigest
            | E::GithubWorkflowSha => like("[0-9a-f]{40}|[0-9a-f]{64}".to_owned()),
            E::RunnerEnvironment if self.kind == Kind::GitHub => {
                like("github-hosted|self-hosted".to_owned())
            }
            E::BuildTrigger | E::GithubWorkflowTrigger => like("[a-z_]+".to_owned()),
            E::GithubWorkflowRepository => like(format!("{s}/{s}")),
            E::RunInvocationUri => like(format!("https://{host}/{s}/{s}/actions/runs/{rest}")),
            E::SourceRepositoryVisibilityAtSigning => like("[a-z]+".to_owned()),
            _ => Form::Any,
        }
    }

    fn of_gitlab(&self, extension: Extension) -> Form {
        use Extension as E;
        // Fulcio's template contains the host of gitlab.com for every instance, unless configured otherwise.
        let host = format!(
            "(gitlab\\.com|{})(:[0-9]+)?",
            regex_syntax::escape(&self.host)
        );
        let s = SEGMENT;
        let like = |expression: String| Form::Like(expression);
        match extension {
            E::BuildSignerUri | E::BuildConfigUri => like(self.names()),
            E::SourceRepositoryUri => like(format!("https://{host}/{s}(/{s})+")),
            E::SourceRepositoryOwnerUri => like(format!("https://{host}/{s}(/{s})*")),
            E::SourceRepositoryIdentifier | E::SourceRepositoryOwnerIdentifier => {
                like("[0-9]+".to_owned())
            }
            E::SourceRepositoryRef => like("refs/(heads|tags)/[!-~]+".to_owned()),
            E::BuildSignerDigest | E::BuildConfigDigest | E::SourceRepositoryDigest => {
                like("[0-9a-f]{40}|[0-9a-f]{64}".to_owned())
            }
            E::RunnerEnvironment => like("gitlab-hosted|self-hosted".to_owned()),
            E::BuildTrigger => like("[a-z_]+".to_owned()),
            E::RunInvocationUri => like(format!("https://{host}/{s}(/{s})+/-/jobs/[0-9]+")),
            E::SourceRepositoryVisibilityAtSigning => like("public|internal|private".to_owned()),
            E::DeploymentEnvironment => Form::Any,
            _ => Form::Absent,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::forms::{Forms, Reading};

    /// The issuer, names that it writes, and names that it never writes. The first ones are from Fulcio's own tests and
    /// documents (`pkg/identity/*/principal_test.go`, docs/oidc.md), or from the documentation of forges.
    const NAMES: &[(&str, &[&str], &[&str])] = &[
        (
            "https://token.actions.githubusercontent.com",
            &[
                "https://github.com/octo-org/octo-automation/.github/workflows/oidc.yml@refs/heads/main",
                "https://github.com/slsa-framework/g/.github/workflows/x_slsa3.yml@refs/tags/v1.4.0",
                "https://github.com/o/.github/.github/workflows/a.yaml@refs/pull/7/merge",
                "https://github.com/o/r/.github/workflows/a.yml@0123456789abcdef0123456789abcdef01234567",
                "https://github.com/o/r/.github/workflows/a.yml@refs/heads/x.yml@refs/tags/v1",
                "https://github.com/o/r/dynamic/github-code-scanning/codeql@refs/heads/main",
                "https://GitHub.com/O/R/.github/workflows/a.yml@refs/heads/main",
            ],
            &[
                "https://github.com/o/r",
                "https://github.com/o/r/",
                "https://github.com/o/r.git",
                "http://github.com/o/r/.github/workflows/a.yml@refs/heads/main",
                "https://www.github.com/o/r/.github/workflows/a.yml@refs/heads/main",
                "https://github.com/o/r/.github/workflows/a.yml",
                "https://github.com/o/r/.github/workflows/a.yml@main",
                "https://github.com/o/r/.github/workflows/a.yml@v1",
                "https://github.com/o/r/blob/main/.github/workflows/a.yml",
                "https://github.com/o/r@refs/tags/v1",
                "https://github.com/o/r/.github/workflows/é.yml@refs/heads/main",
                "https://gitlab.com/o/r//.gitlab-ci.yml@refs/heads/main",
                "git@github.com:o/r.git",
                "jane@example.com",
            ],
        ),
        (
            "https://token.actions.githubusercontent.com/an-enterprise",
            &["https://github.com/o/r/.github/workflows/a.yml@refs/heads/main"],
            &["https://github.com/o/r"],
        ),
        (
            "https://token.actions.acme.ghe.com",
            &["https://acme.ghe.com/o/r/.github/workflows/a.yml@refs/heads/main"],
            &["https://github.com/o/r/.github/workflows/a.yml@refs/heads/main"],
        ),
        (
            "https://git.acme.example/_services/token",
            &["https://git.acme.example/o/r/.github/workflows/a.yml@refs/tags/1"],
            &["https://git.acme.example/o/r"],
        ),
        (
            "https://forge.acme.example/api/actions",
            &[
                "https://forge.acme.example/o/r/.forgejo/workflows/a.yml@refs/tags/1",
                "https://forge.acme.example/o/r/.gitea/workflows/a.yaml@refs/heads/main",
            ],
            &["https://forge.acme.example/o/r"],
        ),
        (
            "https://gitlab.com",
            &[
                "https://gitlab.com/my-group/my-project//.gitlab-ci.yml@refs/heads/main",
                "https://gitlab.com/a/b/c/p//ci/release.yml@refs/tags/v1",
                "https://gitlab.com/a/p//.gitlab-ci.yml@refs/merge-requests/7/head",
            ],
            &[
                "https://gitlab.com/my-group/my-project",
                "https://gitlab.com/my-group/my-project/.gitlab-ci.yml@refs/heads/main",
                "https://gitlab.com/my-group/my-project//.gitlab-ci.yml",
                "https://gitlab.com/p//.gitlab-ci.yml@refs/heads/main",
                "https://gitlab.example.com/a/p//.gitlab-ci.yml@refs/heads/main",
                "https://github.com/o/r/.github/workflows/a.yml@refs/heads/main",
            ],
        ),
        (
            "https://gitlab.example.com",
            &["https://gitlab.example.com/a/p//.gitlab-ci.yml@refs/heads/main"],
            &["https://gitlab.com/a/p//.gitlab-ci.yml@refs/heads/main"],
        ),
        (
            "https://agent.buildkite.com",
            &["https://buildkite.com/acme-inc/super-duper-app"],
            &[
                "https://buildkite.com/acme-inc",
                "https://buildkite.com/acme-inc/super-duper-app/",
                "https://buildkite.com/acme-inc/super-duper-app/builds/12",
                "https://github.com/acme-inc/super-duper-app",
            ],
        ),
        (
            "https://oidc.codefresh.io",
            &[
                "https://g.codefresh.io/codefresh-account/oidc-test/get-token:628a80b693a15c0f9c13ab75/65e5a53e52853dc51a5b0cc1",
                "https://codefresh.acme.example/a/p/n:1/2",
            ],
            &[
                "https://g.codefresh.io/codefresh-account/oidc-test/get-token",
                "https://github.com/o/r",
            ],
        ),
        (
            "https://oidc.circleci.com/org/5f0c1d7e",
            &["https://circleci.com/api/v2/projects/5f0c1d7e/pipeline-definitions/9a3b7c42"],
            &[
                "https://app.circleci.com/pipelines/github/o/r",
                "https://github.com/o/r",
            ],
        ),
        (
            "https://eu-oidc.buddyusercontent.com",
            &["https://eu.buddy.works/meok/myproject/pipelines/pipeline/45289"],
            &["https://eu.buddy.works/meok/myproject"],
        ),
        (
            "https://oidc.eks.us-west-2.amazonaws.com/id/B02C93B6A2D30341AD01E1B6D48164CB",
            &["https://kubernetes.io/namespaces/default/serviceaccounts/signer"],
            &["system:serviceaccount:default:signer", "jane@example.com"],
        ),
        (
            "https://container.googleapis.com/v1/projects/p/locations/l/clusters/c",
            &["https://kubernetes.io/namespaces/default/serviceaccounts/signer"],
            &["https://kubernetes.io/namespaces/default"],
        ),
        (
            "https://issuer.enforce.dev",
            &["https://issuer.enforce.dev/8a4141a5/a9a7a4ac"],
            &["https://enforce.dev/8a4141a5"],
        ),
        (
            "https://accounts.google.com",
            &[
                "jane@example.com",
                "signer@project.iam.gserviceaccount.com",
                "O'Neil+x@example.com",
            ],
            &[
                "jane",
                "jane@",
                "Jane <jane@example.com>",
                "mailto:jane@example.com",
                "git@github.com:o/r.git",
                "https://github.com/o/r/.github/workflows/a.yml@refs/heads/main",
            ],
        ),
        (
            "https://github.com/login/oauth",
            &[
                "jane@example.com",
                "583231+octocat@users.noreply.github.com",
            ],
            &["octocat", "https://github.com/octocat"],
        ),
        (
            "https://www.kaggle.com/api/v1/models/signing",
            &["jane@example.com"],
            &["https://www.kaggle.com/jane"],
        ),
    ];

    #[test]
    fn each_issuer_writes_names_of_its_own_form_only() {
        let forms = Forms::new();
        for (issuer, written, never) in NAMES {
            let provider = Provider::of_issuer(issuer).unwrap_or_else(|| panic!("{issuer}"));
            for name in *written {
                assert!(
                    forms.may_write(&provider, name, Reading::Select),
                    "{issuer}: {name}"
                );
            }
            for name in *never {
                assert!(
                    !forms.may_write(&provider, name, Reading::Select),
                    "{issuer}: {name}"
                );
            }
            assert!(!provider.sketch().is_empty());
            if let Some(own) = provider.issuer() {
                assert_eq!(
                    Provider::of_issuer(&own).map(|p| p.kind),
                    Some(provider.kind)
                );
            }
        }
    }

    #[test]
    fn what_is_not_known_is_no_provider() {
        for issuer in [
            "",
            "accounts.google.com",
            "http://accounts.google.com",
            "https://login.example.com",
            "https://github.com",
            "https://gitlab.com/oauth",
            "https://www.kaggle.com",
        ] {
            assert_eq!(Provider::of_issuer(issuer), None, "{issuer}");
        }
        for (beginning, whole) in [
            ("https://login.example.com/users/1", true),
            ("https://git", false),
            ("https://github.com", false),
            ("user!domain", true),
            ("", false),
            ("builder.example.com", true),
            ("://", true),
        ] {
            assert_eq!(
                Provider::of_beginning(beginning, whole),
                None,
                "{beginning}"
            );
        }
    }

    #[test]
    fn the_host_determines_the_provider_in_any_spelling() {
        for (beginning, kind) in [
            ("https://github.com/o/r", Kind::GitHub),
            ("http://www.github.com/o/", Kind::GitHub),
            ("HTTPS://GitHub.com/o/", Kind::GitHub),
            ("git@github.com:o/r", Kind::GitHub),
            ("ssh://git@github.com/o/r", Kind::GitHub),
            ("github.com/o/r", Kind::GitHub),
            ("https://acme.ghe.com/o", Kind::GitHub),
            ("https://codeberg.org/o/r", Kind::Gitea),
            ("https://gitea.acme.example/o/r", Kind::Gitea),
            ("https://gitlab.com/g/p", Kind::GitLab),
            ("https://gitlab.acme.example:8443/g/p", Kind::GitLab),
            ("https://buildkite.com/o/p", Kind::Buildkite),
            ("spiffe://acme.example/x", Kind::Spiffe),
            ("jane@example.com", Kind::Email),
        ] {
            let provider = Provider::of_beginning(beginning, true);
            assert_eq!(provider.map(|p| p.kind), Some(kind), "{beginning}");
        }
    }

    #[test]
    fn the_values_of_extensions_have_the_form_of_their_issuer() {
        use Extension as E;
        let forms = Forms::new();
        let github = "https://token.actions.githubusercontent.com";
        for (issuer, extension, written, never) in [
            (
                github,
                E::SourceRepositoryUri,
                "https://github.com/o/r",
                "o/r",
            ),
            (
                github,
                E::SourceRepositoryUri,
                "https://github.com/o/.github",
                "https://github.com/o/r.git",
            ),
            (
                github,
                E::SourceRepositoryUri,
                "https://github.com/O/R",
                "https://github.com/o/r/",
            ),
            (
                github,
                E::SourceRepositoryOwnerUri,
                "https://github.com/o",
                "https://github.com/o/r",
            ),
            (github, E::SourceRepositoryIdentifier, "463804977", "o/r"),
            (github, E::SourceRepositoryRef, "refs/heads/main", "main"),
            (github, E::GithubWorkflowRef, "refs/tags/v1", "v1"),
            (
                github,
                E::GithubWorkflowRepository,
                "o/r",
                "https://github.com/o/r",
            ),
            (github, E::RunnerEnvironment, "github-hosted", "github"),
            (github, E::BuildTrigger, "workflow_dispatch", "Release"),
            (
                github,
                E::BuildConfigUri,
                "https://github.com/o/r/.github/workflows/a.yml@refs/heads/main",
                "https://github.com/o/r/.github/workflows/a.yml",
            ),
            (
                "https://gitlab.com",
                E::SourceRepositoryUri,
                "https://gitlab.com/a/b/p",
                "gitlab.com/a/b/p",
            ),
            (
                "https://gitlab.com",
                E::RunnerEnvironment,
                "gitlab-hosted",
                "github-hosted",
            ),
            (
                "https://gitlab.example.com",
                E::SourceRepositoryUri,
                "https://gitlab.com/a/p",
                "https://github.com/a/p",
            ),
            (
                "https://oidc.codefresh.io",
                E::SourceRepositoryRef,
                "main",
                "",
            ),
        ] {
            let provider = Provider::of_issuer(issuer).unwrap_or_else(|| panic!("{issuer}"));
            assert!(
                forms.may_hold(&provider, extension, written),
                "{issuer}: {written}"
            );
            if !never.is_empty() {
                assert!(
                    !forms.may_hold(&provider, extension, never),
                    "{issuer}: {never}"
                );
            }
        }
        for (issuer, extension) in [
            ("https://accounts.google.com", E::SourceRepositoryUri),
            ("https://gitlab.com", E::GithubWorkflowRef),
            ("https://agent.buildkite.com", E::SourceRepositoryUri),
        ] {
            let provider = Provider::of_issuer(issuer).unwrap_or_else(|| panic!("{issuer}"));
            assert_eq!(provider.extension(extension), Form::Absent, "{issuer}");
        }
    }
}
