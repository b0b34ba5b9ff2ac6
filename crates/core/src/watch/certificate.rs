//! The content of a provider's certificates: usual names, and the extensions that belong to a name.

use std::collections::BTreeMap;

use super::provider::{Kind, Provider};
use crate::identity::Extension;

/// A commit, where one has to be named.
const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// Usual names of this provider for the given repository.
pub(super) fn usual_names(
    provider: &Provider,
    beginning: Option<&str>,
    fixed: &BTreeMap<Extension, String>,
) -> Vec<String> {
    let host = &provider.host;
    let own = || -> Option<String> {
        let uri = fixed.get(&Extension::SourceRepositoryUri).cloned();
        let of_github = fixed.get(&Extension::GithubWorkflowRepository);
        let owner = fixed.get(&Extension::SourceRepositoryOwnerUri);
        uri.or_else(|| Some(format!("https://{host}/{}", of_github?)))
            .or_else(|| Some(format!("{}/example", owner?)))
    };
    let begun = || -> Option<String> {
        let rest = beginning?.strip_prefix(&format!("https://{host}/"))?;
        let mut segments = rest.split('/');
        let organisation = segments.next().filter(|s| !s.is_empty())?;
        let repository = segments
            .next()
            .filter(|s| !s.is_empty())
            .unwrap_or("example");
        Some(format!("https://{host}/{organisation}/{repository}"))
    };
    let repository = begun()
        .or_else(own)
        .unwrap_or_else(|| format!("https://{host}/example/example"));
    let refs = ["refs/tags/v1.0.0", "refs/heads/main"];
    match provider.kind {
        Kind::GitHub => workflow_names(&repository, ".github", &refs, beginning),
        Kind::Gitea => [".gitea", ".forgejo", ".github"]
            .iter()
            .flat_map(|directory| workflow_names(&repository, directory, &refs, beginning))
            .collect(),
        Kind::GitLab => {
            let project = beginning
                .and_then(|beginning| beginning.split_once("//"))
                .and_then(|(_, rest)| rest.split_once("//"))
                .map(|(project, _)| format!("https://{project}"));
            let project = project.unwrap_or(repository);
            refs.iter()
                .map(|from| format!("{project}//.gitlab-ci.yml@{from}"))
                .collect()
        }
        Kind::Buildkite => vec!["https://buildkite.com/example/example".to_owned()],
        Kind::Codefresh => vec![
            "https://g.codefresh.io/example/models/sign:628a80b693a15c0f9c13ab75/65e5a53e52853dc51a5b0cc1"
                .to_owned(),
        ],
        Kind::CircleCi => vec![
            "https://circleci.com/api/v2/projects/5f0c1d7e/pipeline-definitions/9a3b7c42".to_owned(),
        ],
        Kind::Buddy => vec!["https://app.buddy.works/example/models/pipelines/pipeline/7".to_owned()],
        Kind::Kubernetes => {
            vec!["https://kubernetes.io/namespaces/default/serviceaccounts/default".to_owned()]
        }
        Kind::Chainguard => vec!["https://issuer.enforce.dev/example".to_owned()],
        Kind::Email => vec!["jane@example.com".to_owned()],
        Kind::Spiffe => vec!["spiffe://example.org/signer".to_owned()],
    }
}

fn workflow_names(
    repository: &str,
    directory: &str,
    refs: &[&str],
    beginning: Option<&str>,
) -> Vec<String> {
    let file = beginning
        .and_then(|beginning| beginning.split_once("/workflows/"))
        .and_then(|(_, file)| file.split_once('@'))
        .map_or("release.yml", |(file, _)| file);
    refs.iter()
        .map(|from| format!("{repository}/{directory}/workflows/{file}@{from}"))
        .collect()
}

/// The extensions of a certificate of this name; `fixed` are those that the conditions spell out.
pub(super) fn certificate(
    provider: &Provider,
    san: &str,
    fixed: &BTreeMap<Extension, String>,
) -> BTreeMap<Extension, String> {
    use Extension as E;
    let mut extensions: BTreeMap<Extension, String> = BTreeMap::new();
    let mut set = |extension, value: &str| {
        extensions.insert(extension, value.to_owned());
    };
    match provider.kind {
        Kind::GitHub | Kind::Gitea | Kind::GitLab => {
            let run = Run::of(provider, san, fixed);
            set(E::BuildSignerUri, san);
            set(E::BuildSignerDigest, COMMIT);
            set(E::SourceRepositoryUri, &run.repository);
            set(E::SourceRepositoryDigest, COMMIT);
            set(E::SourceRepositoryRef, &run.from);
            set(E::SourceRepositoryIdentifier, "463804977");
            set(E::SourceRepositoryOwnerUri, &run.owner);
            set(E::SourceRepositoryOwnerIdentifier, "99999999");
            set(E::BuildConfigUri, &run.file);
            set(E::BuildConfigDigest, COMMIT);
            set(E::BuildTrigger, &run.trigger);
            set(E::SourceRepositoryVisibilityAtSigning, "public");
            if provider.kind == Kind::GitLab {
                set(E::RunnerEnvironment, "gitlab-hosted");
                set(E::RunInvocationUri, &format!("{}/-/jobs/1", run.repository));
            } else {
                set(E::RunnerEnvironment, "github-hosted");
                set(
                    E::RunInvocationUri,
                    &format!("{}/actions/runs/1/attempts/1", run.repository),
                );
                let path = run.repository.splitn(4, '/').nth(3).unwrap_or_default();
                set(E::GithubWorkflowTrigger, &run.trigger);
                set(E::GithubWorkflowSha, COMMIT);
                set(E::GithubWorkflowName, "release");
                set(E::GithubWorkflowRepository, path);
                set(E::GithubWorkflowRef, &run.from);
            }
        }
        Kind::Buildkite => {
            set(E::RunInvocationUri, &format!("{san}/builds/1#0190-example"));
            set(E::RunnerEnvironment, "self-hosted");
            set(E::SourceRepositoryDigest, COMMIT);
            set(E::BuildTrigger, "webhook");
        }
        Kind::Codefresh => {
            let pipeline = san.rsplit('/').next().unwrap_or_default();
            set(
                E::BuildSignerUri,
                "https://g.codefresh.io/build/65e6bcf7c2af1f228fa97f80",
            );
            set(
                E::RunInvocationUri,
                "https://g.codefresh.io/build/65e6bcf7c2af1f228fa97f80",
            );
            set(
                E::BuildConfigUri,
                &format!("https://g.codefresh.io/api/pipelines/{pipeline}"),
            );
        }
        Kind::CircleCi => {
            set(E::BuildSignerUri, san);
            set(
                E::BuildConfigUri,
                "https://circleci.com/api/v2/pipeline/1/config",
            );
        }
        Kind::Buddy => {
            set(E::BuildSignerUri, san);
            set(E::RunnerEnvironment, "platform-hosted");
            set(E::BuildTrigger, "MANUAL");
        }
        Kind::Kubernetes | Kind::Chainguard | Kind::Email | Kind::Spiffe => {}
    }
    extensions.extend(fixed.clone());
    extensions
}

/// The values that a run of a pipeline on a forge has in several extensions.
struct Run {
    repository: String,
    owner: String,
    from: String,
    file: String,
    trigger: String,
}

impl Run {
    fn of(provider: &Provider, san: &str, fixed: &BTreeMap<Extension, String>) -> Self {
        use Extension as E;
        let is_gitlab = provider.kind == Kind::GitLab;
        let repository_of = |name: &str| -> String {
            let cut = if is_gitlab {
                let after = name.find("://").map_or(0, |at| at + 3);
                name.get(after..)
                    .and_then(|rest| rest.find("//"))
                    .map(|at| after + at)
            } else {
                name.match_indices('/').nth(4).map(|(at, _)| at)
            };
            name.get(..cut.unwrap_or(name.len()))
                .unwrap_or(name)
                .to_owned()
        };
        let given = |extension| fixed.get(&extension).cloned();
        let of_github = given(E::GithubWorkflowRepository)
            .map(|path| format!("https://{}/{path}", provider.host));
        let repository = given(E::SourceRepositoryUri)
            .or(of_github)
            .or_else(|| given(E::BuildConfigUri).map(|file| repository_of(&file)))
            .or_else(|| given(E::SourceRepositoryOwnerUri).map(|owner| format!("{owner}/example")))
            .unwrap_or_else(|| repository_of(san));
        let owner = match repository.rsplit_once('/') {
            Some((owner, _)) => owner.to_owned(),
            None => repository.clone(),
        };
        let ref_of = |name: &str| {
            let (_, from) = name.split_once('@')?;
            from.starts_with("refs/").then(|| from.to_owned())
        };
        let from = given(E::SourceRepositoryRef)
            .or_else(|| given(E::GithubWorkflowRef))
            .or_else(|| given(E::BuildConfigUri).and_then(|file| ref_of(&file)))
            .or_else(|| ref_of(san))
            .unwrap_or_else(|| "refs/tags/v1.0.0".to_owned());
        let file = given(E::BuildConfigUri).unwrap_or_else(|| {
            if repository_of(san) == repository {
                match san.split_once('@') {
                    Some((file, _)) => format!("{file}@{from}"),
                    None => san.to_owned(),
                }
            } else if is_gitlab {
                format!("{repository}//.gitlab-ci.yml@{from}")
            } else {
                format!("{repository}/.github/workflows/release.yml@{from}")
            }
        });
        let trigger = given(E::BuildTrigger)
            .or_else(|| given(E::GithubWorkflowTrigger))
            .unwrap_or_else(|| "push".to_owned());
        Self {
            repository,
            owner,
            from,
            file,
            trigger,
        }
    }
}
