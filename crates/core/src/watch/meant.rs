//! Converts an operator's description of a signer to the names in certificates.
//!
//! People name a repository by the address in their browser or for cloning; the name in a certificate is that of a
//! workflow in it. A watch for the former would never select the latter.

use super::provider::{Kind, Provider};

/// The signer that an operator means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Meant {
    /// A name as certificates have it.
    Name(String),
    /// Such names, with `*`.
    Names(String),
    /// Everything that a repository signs.
    Repository(Repository),
    /// All signings of the repositories of an owner or a group.
    Owner(Owner),
}

/// A repository of a forge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repository {
    /// `https://HOST/OWNER/NAME`, with the groups of GitLab.
    pub(super) url: String,
    /// The issuer of its certificates, if the host determines it.
    pub(super) provider: Option<Provider>,
    /// The workflow, if given: the text after the repository in a name, up to the `@`.
    pub(super) workflow: Option<String>,
    /// The ref of that workflow.
    pub(super) from: Option<String>,
}

/// An owner or a group of a forge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// `https://HOST/OWNER`.
    pub(super) url: String,
    pub(super) provider: Provider,
}

/// Places of publication that issue no certificates, each with what to give instead.
const NO_ISSUERS: [(&str, &str); 9] = [
    (
        "huggingface.co",
        "Hugging Face issues no certificates: give the repository whose workflow signs, or the mail address of the signer",
    ),
    (
        "hf.co",
        "Hugging Face issues no certificates: give the repository whose workflow signs, or the mail address of the signer",
    ),
    (
        "kaggle.com",
        "Kaggle confirms the mail address of the account: give that, with --issuer https://www.kaggle.com/api/v1/models/signing",
    ),
    (
        "pypi.org",
        "PyPI issues no certificates: give the repository whose workflow publishes",
    ),
    (
        "npmjs.com",
        "npm issues no certificates: give the repository whose workflow publishes",
    ),
    (
        "hub.docker.com",
        "a registry issues no certificates: give the repository whose workflow signs",
    ),
    (
        "ghcr.io",
        "a registry issues no certificates: give the repository whose workflow signs",
    ),
    (
        "quay.io",
        "a registry issues no certificates: give the repository whose workflow signs",
    ),
    (
        "catalog.ngc.nvidia.com",
        "NGC signs with its own certificates: give its certificate with --key",
    ),
];

/// Parses the text of an operator: a name, names with `*`, or the address of a repository, an owner or a pipeline in
/// any form that browsers and git use.
///
/// # Errors
///
/// The text names no signer, every signer, or something that is no name in certificates; in one sentence.
pub fn read(written: &str) -> Result<Meant, String> {
    let text = bare(written);
    if text.chars().all(|character| character == '*') {
        return Err("that names no signer, or every signer".to_owned());
    }
    if let Some(meant) = of_subject(text) {
        return meant;
    }
    let text = text.strip_prefix("git+").unwrap_or(text);
    for (short, host) in [
        ("github:", "github.com"),
        ("gitlab:", "gitlab.com"),
        ("codeberg:", "codeberg.org"),
    ] {
        if let Some(path) = text.strip_prefix(short)
            && !path.starts_with("//")
        {
            return at_host(host, path, text);
        }
    }
    if let Some((scheme, rest)) = text.split_once("://") {
        return match scheme.to_ascii_lowercase().as_str() {
            "https" | "http" | "ssh" | "git" => {
                let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
                let host = host.rsplit('@').next().unwrap_or(host);
                at_host(host, path, text)
            }
            "spiffe" => spiffe(rest, text),
            _ => Err(format!("no certificate is named by a {scheme} URI")),
        };
    }
    if let Some((user, rest)) = text.split_once('@') {
        // As git clones over SSH: git@HOST:PATH.
        if let Some((host, path)) = rest.split_once(':').filter(|(_, path)| path.contains('/')) {
            return at_host(host, path, text);
        }
        return mail(user, rest, text);
    }
    if text.contains('!') {
        return Ok(Meant::Name(text.to_owned()));
    }
    if let Some((host, path)) = text.split_once('/') {
        if Provider::of_host(host).is_some() || NO_ISSUERS.iter().any(|(known, _)| *known == host) {
            return at_host(host, path, text);
        }
        if !path.contains('/') && !host.contains('.') && !text.contains('*') {
            return Err(format!(
                "not a name in certificates: did you mean https://github.com/{text}?"
            ));
        }
    }
    if text.contains('*') {
        return Ok(Meant::Names(text.to_owned()));
    }
    Err(
        "not a name in certificates: a mail address, a repository such as https://github.com/ORG/REPO, a URI, or user!domain"
            .to_owned(),
    )
}

/// Without what surrounds a name in mail programs and documents.
fn bare(written: &str) -> &str {
    let text = written.trim();
    let text = match (text.rfind('<'), text.strip_suffix('>')) {
        // Jane <jane@example.com>
        (Some(start), Some(inner)) => inner.get(start + 1..).unwrap_or(text),
        _ => text,
    };
    let text = text.trim_matches(|quote| quote == '"' || quote == '\'');
    text.strip_prefix("mailto:").unwrap_or(text)
}

/// What tokens call a subject (their `sub`).
fn of_subject(text: &str) -> Option<Result<Meant, String>> {
    let first = |rest: &str| rest.split(':').next().unwrap_or_default().to_owned();
    if let Some(rest) = text.strip_prefix("repo:") {
        return Some(at_host("github.com", &first(rest), text));
    }
    if let Some(rest) = text.strip_prefix("project_path:") {
        return Some(at_host("gitlab.com", &first(rest), text));
    }
    if let Some(rest) = text.strip_prefix("organization:") {
        let mut parts = rest.split(':');
        let organisation = parts.next()?;
        let pipeline = parts.nth(1)?;
        return Some(at_host(
            "buildkite.com",
            &format!("{organisation}/{pipeline}"),
            text,
        ));
    }
    let account = text.strip_prefix("system:serviceaccount:")?;
    let (namespace, name) = account.split_once(':')?;
    Some(Ok(Meant::Name(format!(
        "https://kubernetes.io/namespaces/{namespace}/serviceaccounts/{name}"
    ))))
}

fn mail(user: &str, domain: &str, text: &str) -> Result<Meant, String> {
    let is_word =
        |part: &str| !part.is_empty() && !part.contains(['@', ' ', '/', ':', '<', '>', ',']);
    let user_is_word = !user.is_empty() && !user.contains([' ', ':', '<', '>', ',']);
    let is_odd = domain.starts_with('.') || domain.ends_with('.');
    if !user_is_word || !is_word(domain) || is_odd {
        return Err(format!("{text} is not a mail address"));
    }
    if text.contains('*') {
        return Ok(Meant::Names(text.to_owned()));
    }
    Ok(Meant::Name(text.to_owned()))
}

/// SPIFFE-ID §2.
fn spiffe(rest: &str, text: &str) -> Result<Meant, String> {
    if text.contains('*') {
        return Ok(Meant::Names(text.to_owned()));
    }
    let rest = rest.trim_end_matches('/');
    let is_segment = |segment: &str| {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        !segment.is_empty() && segment.bytes().all(is_plain)
    };
    if rest.split('/').all(is_segment) {
        return Ok(Meant::Name(format!("spiffe://{rest}")));
    }
    Err(
        "not a SPIFFE ID: spiffe://TRUST-DOMAIN/PATH has no port, user, query or empty part"
            .to_owned(),
    )
}

/// The meaning of a path at a host; `text` is the whole input.
fn at_host(host: &str, path: &str, text: &str) -> Result<Meant, String> {
    let lower = host.to_ascii_lowercase();
    let lower = lower.strip_prefix("www.").unwrap_or(&lower);
    let name = lower.split(':').next().unwrap_or(lower);
    if let Some((_, why)) = NO_ISSUERS.iter().find(|(known, _)| *known == name) {
        return Err((*why).to_owned());
    }
    let (host, path) = match name {
        // Where files of GitHub and answers about its repositories are served.
        "raw.githubusercontent.com" | "codeload.github.com" => ("github.com", path.to_owned()),
        "api.github.com" => (
            "github.com",
            path.strip_prefix("repos/").unwrap_or(path).to_owned(),
        ),
        // The port of SSH is not part of a name, that of a server is.
        name if text.starts_with("ssh:") => (name, path.to_owned()),
        _ => (lower, path.to_owned()),
    };
    if path.contains('*') {
        // What leads there is written as certificates have it; the rest is the operator's.
        let is_known = Provider::of_host(host).is_some();
        let names = if is_known {
            format!("https://{host}/{path}")
        } else {
            text.to_owned()
        };
        return Ok(Meant::Names(names));
    }
    let path = path.trim_end_matches('/');
    let provider = Provider::of_host(host);
    match provider {
        Some(provider) => match provider.kind {
            Kind::GitHub | Kind::Gitea => on_github(provider, host, path),
            Kind::GitLab => on_gitlab(provider, host, path),
            Kind::Buildkite => on_buildkite(path),
            Kind::Codefresh => on_codefresh(path),
            _ => Ok(Meant::Name(format!("https://{host}/{path}"))),
        },
        None => elsewhere(host, path, text),
    }
}

/// The segments of a path, without a query or a fragment behind them.
fn segments(path: &str) -> Vec<&str> {
    let path = path.split(['?', '#']).next().unwrap_or_default();
    path.split('/')
        .filter(|segment| !segment.is_empty())
        .collect()
}

fn on_github(provider: Provider, host: &str, path: &str) -> Result<Meant, String> {
    // A ref may contain characters that end a path elsewhere.
    let is_name = path.contains("/workflows/") && path.contains('@');
    let parts = if is_name {
        path.split('/')
            .filter(|segment| !segment.is_empty())
            .collect()
    } else {
        segments(path)
    };
    let (owner, rest) = match parts.as_slice() {
        ["orgs" | "users", owner, ..] => (*owner, &[][..]),
        [owner, rest @ ..] => (*owner, rest),
        [] => return Err(format!("that is every signer at {host}")),
    };
    let [name, rest @ ..] = rest else {
        return Ok(Meant::Owner(Owner {
            url: format!("https://{host}/{owner}"),
            provider,
        }));
    };
    let name = name.strip_suffix(".git").unwrap_or(name);
    let (workflow, from) = workflow_in(rest, &provider);
    Ok(Meant::Repository(Repository {
        url: format!("https://{host}/{owner}/{name}"),
        provider: Some(provider),
        workflow,
        from,
    }))
}

/// The workflow in the rest of a path, and its ref: in a name, or in the address of a file in a browser.
fn workflow_in(rest: &[&str], provider: &Provider) -> (Option<String>, Option<String>) {
    if let ["actions", "workflows", file, ..] = rest {
        let directory = if provider.kind == Kind::GitHub {
            ".github"
        } else {
            return (None, None);
        };
        return (Some(format!("/{directory}/workflows/{file}")), None);
    }
    let place = rest
        .windows(2)
        .position(|pair| matches!(pair, [directory, "workflows"] if directory.starts_with('.')));
    let Some(place) = place else {
        return (None, None);
    };
    let is_name = place == 0;
    let file = rest.get(place..).unwrap_or_default().join("/");
    match file.split_once('@') {
        Some((file, from)) if is_name => (Some(format!("/{file}")), Some(from.to_owned())),
        // The address in a browser has the ref before the path, and a branch with `/` cannot be distinguished from
        // directories.
        _ => (Some(format!("/{file}")), None),
    }
}

fn on_gitlab(provider: Provider, host: &str, path: &str) -> Result<Meant, String> {
    let host_and = |path: &str| format!("https://{host}/{path}");
    // GROUP/PROJECT//PATH/FILE.yml@REF, as certificates have it.
    if let Some((project, file)) = path.split_once("//") {
        let (file, from) = match file.split_once("@refs/") {
            Some((file, from)) => (file, Some(format!("refs/{from}"))),
            None => (file, None),
        };
        return Ok(Meant::Repository(Repository {
            url: host_and(project.trim_matches('/')),
            provider: Some(provider),
            workflow: Some(format!("//{file}")),
            from,
        }));
    }
    // In the address of a project, `/-/` separates the project from the page.
    let (project, shown) = match path.split_once("/-/") {
        Some((project, shown)) => (project, Some(shown)),
        None => (path, None),
    };
    let parts = segments(project);
    let parts = match parts.as_slice() {
        ["groups", rest @ ..] => rest.to_vec(),
        _ => parts,
    };
    match parts.as_slice() {
        [] => Err(format!("that is every signer at {host}")),
        [group] => Ok(Meant::Owner(Owner {
            url: host_and(group),
            provider,
        })),
        _ => {
            let project = parts.join("/");
            let project = project.strip_suffix(".git").unwrap_or(&project);
            // blob/REF/FILE: the ref may contain `/`, so only a file of the usual name at the top is recognised.
            let shown = shown.map(|shown| segments(shown).join("/"));
            let workflow = shown
                .filter(|shown| shown.ends_with("/.gitlab-ci.yml"))
                .map(|_| "//.gitlab-ci.yml".to_owned());
            Ok(Meant::Repository(Repository {
                url: host_and(project),
                provider: Some(provider),
                workflow,
                from: None,
            }))
        }
    }
}

fn on_buildkite(path: &str) -> Result<Meant, String> {
    match segments(path).as_slice() {
        [] => Err("that is every signer at buildkite.com".to_owned()),
        [organisation] | ["organizations", organisation, ..] => Ok(Meant::Names(format!(
            "https://buildkite.com/{organisation}/*"
        ))),
        [organisation, pipeline, ..] => Ok(Meant::Name(format!(
            "https://buildkite.com/{organisation}/{pipeline}"
        ))),
    }
}

fn on_codefresh(path: &str) -> Result<Meant, String> {
    const HOST: &str = "https://g.codefresh.io";
    let parts = segments(path);
    match parts.as_slice() {
        [] => Err("that is every signer at g.codefresh.io".to_owned()),
        [
            "build" | "pipelines" | "projects" | "api" | "account-admin",
            ..,
        ] => Err(
            "not a pipeline: its name is https://g.codefresh.io/ACCOUNT/PROJECT/PIPELINE"
                .to_owned(),
        ),
        _ if path.contains(':') => Ok(Meant::Name(format!("{HOST}/{}", parts.join("/")))),
        [account, project, pipeline] => Ok(Meant::Names(format!(
            "{HOST}/{account}/{project}/{pipeline}:*"
        ))),
        _ => Ok(Meant::Names(format!("{HOST}/{}/*", parts.join("/")))),
    }
}

/// At an unknown host: a self-hosted forge, or a provider whose names are URIs.
fn elsewhere(host: &str, path: &str, text: &str) -> Result<Meant, String> {
    let whole = format!("https://{host}/{path}");
    // The name of a workflow: https://HOST/ORG/REPO/.gitea/workflows/FILE@REF, or https://HOST/GROUP/PROJECT//FILE@REF.
    let repository = |at: usize, rest: &str| {
        let (workflow, from) = match rest.split_once('@') {
            Some((file, from)) => (file.to_owned(), Some(from.to_owned())),
            None => (rest.to_owned(), None),
        };
        Ok(Meant::Repository(Repository {
            url: format!("https://{host}/{}", path.get(..at).unwrap_or(path)),
            provider: None,
            workflow: Some(workflow),
            from,
        }))
    };
    if path.contains('@') {
        let workflows = path.find("/workflows/");
        let directory = workflows.and_then(|at| path.get(..at)?.rfind("/."));
        if let Some(at) = directory.or_else(|| path.find("//")) {
            return repository(at, path.get(at..).unwrap_or_default());
        }
        return Ok(Meant::Name(text.to_owned()));
    }
    let parts = segments(path);
    match parts.as_slice() {
        [] => Err(format!("that is every signer at {host}")),
        // Too short for a repository: as it is written.
        [_] => Ok(Meant::Name(if text.contains("://") {
            text.to_owned()
        } else {
            whole
        })),
        _ => {
            let url = parts.join("/");
            let url = url.strip_suffix(".git").unwrap_or(&url);
            Ok(Meant::Repository(Repository {
                url: format!("https://{host}/{url}"),
                provider: None,
                workflow: None,
                from: None,
            }))
        }
    }
}

/// The replacement of a name or glob that no certificate has, as a line of a watch; `None` if there is none.
pub(super) fn instead(written: &str) -> Option<String> {
    let plain = written.trim_end_matches(['*', '/']);
    // Only the operator knows the meaning of a star in the middle.
    if plain.contains(['*', '\\', '^', '(', '[']) {
        return None;
    }
    let line = |key: &str, value: &str| Some(format!("{key} = {value:?}"));
    let meant = read(plain).ok()?;
    let (key, value) = match &meant {
        Meant::Name(name) => ("san", name.clone()),
        Meant::Names(names) => ("san_glob", names.clone()),
        Meant::Owner(owner) => ("san_glob", format!("{}/*", owner.url)),
        Meant::Repository(Repository {
            url,
            workflow: Some(workflow),
            from,
            ..
        }) => {
            let from = match from.as_deref() {
                Some(from) if from.starts_with("refs/") => from,
                _ => "*",
            };
            let key = if from == "*" { "san_glob" } else { "san" };
            (key, format!("{url}{workflow}@{from}"))
        }
        Meant::Repository(repository) => ("san_glob", format!("{}/*", repository.url)),
    };
    if value == written {
        return None;
    }
    line(key, &value)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The description of what was meant, in a line.
    fn line(written: &str) -> String {
        match read(written) {
            Ok(Meant::Name(name)) => format!("name {name}"),
            Ok(Meant::Names(names)) => format!("names {names}"),
            Ok(Meant::Owner(owner)) => format!("owner {}", owner.url),
            Ok(Meant::Repository(repository)) => {
                let mut line = format!("repository {}", repository.url);
                if let Some(workflow) = repository.workflow {
                    line = format!("{line} {workflow}");
                }
                if let Some(from) = repository.from {
                    line = format!("{line} {from}");
                }
                line
            }
            Err(why) => format!("error {why}"),
        }
    }

    #[test]
    fn a_repository_is_meant_however_its_address_is_written() {
        for written in [
            "https://github.com/ORG/REPO",
            "https://github.com/ORG/REPO/",
            "https://github.com/ORG/REPO.git",
            "https://github.com/ORG/REPO.git/",
            "http://github.com/ORG/REPO",
            "https://www.github.com/ORG/REPO",
            "HTTPS://GitHub.com/ORG/REPO",
            "https://user:secret@github.com/ORG/REPO.git",
            "github.com/ORG/REPO",
            "www.github.com/ORG/REPO",
            "git@github.com:ORG/REPO.git",
            "ssh://git@github.com/ORG/REPO.git",
            "ssh://git@github.com:22/ORG/REPO.git",
            "git://github.com/ORG/REPO.git",
            "git+https://github.com/ORG/REPO.git",
            "git+ssh://git@github.com/ORG/REPO.git",
            "github:ORG/REPO",
            "  https://github.com/ORG/REPO \n",
            "\"https://github.com/ORG/REPO\"",
            "<https://github.com/ORG/REPO>",
            "https://github.com/ORG/REPO/tree/main",
            "https://github.com/ORG/REPO/releases/tag/v1",
            "https://github.com/ORG/REPO?tab=readme-ov-file",
            "https://github.com/ORG/REPO#readme",
            "https://github.com/ORG/REPO/actions",
            "https://github.com/ORG/REPO/actions/runs/123",
            "https://raw.githubusercontent.com/ORG/REPO/main/README.md",
            "https://api.github.com/repos/ORG/REPO",
            "repo:ORG/REPO:ref:refs/heads/main",
        ] {
            assert_eq!(
                line(written),
                "repository https://github.com/ORG/REPO",
                "{written}"
            );
        }
    }

    #[test]
    fn a_watch_for_a_workflow_or_an_owner_selects_its_signings_too() {
        for (written, expected) in [
            (
                "https://github.com/ORG/REPO/blob/main/.github/workflows/x.yml",
                "repository https://github.com/ORG/REPO /.github/workflows/x.yml",
            ),
            (
                "https://github.com/ORG/REPO/blob/feature/a/.github/workflows/x.yml#L10",
                "repository https://github.com/ORG/REPO /.github/workflows/x.yml",
            ),
            (
                "https://github.com/ORG/REPO/actions/workflows/x.yml",
                "repository https://github.com/ORG/REPO /.github/workflows/x.yml",
            ),
            (
                "https://github.com/ORG/REPO/.github/workflows/x.yml@refs/tags/v1",
                "repository https://github.com/ORG/REPO /.github/workflows/x.yml refs/tags/v1",
            ),
            (
                "https://github.com/ORG/.github/.github/workflows/x.yml@refs/heads/a#b",
                "repository https://github.com/ORG/.github /.github/workflows/x.yml refs/heads/a#b",
            ),
            ("https://github.com/ORG", "owner https://github.com/ORG"),
            ("https://github.com/ORG/", "owner https://github.com/ORG"),
            (
                "https://github.com/orgs/ORG/repositories",
                "owner https://github.com/ORG",
            ),
            ("https://gitlab.com/GROUP", "owner https://gitlab.com/GROUP"),
            (
                "https://gitlab.com/groups/GROUP/SUB",
                "repository https://gitlab.com/GROUP/SUB",
            ),
            (
                "https://gitlab.com/GROUP/PROJECT",
                "repository https://gitlab.com/GROUP/PROJECT",
            ),
            (
                "git@gitlab.com:GROUP/SUB/PROJECT.git",
                "repository https://gitlab.com/GROUP/SUB/PROJECT",
            ),
            (
                "gitlab:GROUP/PROJECT",
                "repository https://gitlab.com/GROUP/PROJECT",
            ),
            (
                "https://gitlab.com/GROUP/SUB/PROJECT/-/tree/main",
                "repository https://gitlab.com/GROUP/SUB/PROJECT",
            ),
            (
                "https://gitlab.com/GROUP/PROJECT/-/blob/main/.gitlab-ci.yml",
                "repository https://gitlab.com/GROUP/PROJECT //.gitlab-ci.yml",
            ),
            (
                "https://gitlab.com/GROUP/PROJECT//ci/x.yml@refs/tags/v1",
                "repository https://gitlab.com/GROUP/PROJECT //ci/x.yml refs/tags/v1",
            ),
            (
                "project_path:GROUP/PROJECT:ref_type:branch:ref:main",
                "repository https://gitlab.com/GROUP/PROJECT",
            ),
            (
                "https://gitlab.acme.example/GROUP/PROJECT",
                "repository https://gitlab.acme.example/GROUP/PROJECT",
            ),
            (
                "https://codeberg.org/ORG/REPO.git",
                "repository https://codeberg.org/ORG/REPO",
            ),
            (
                "https://codeberg.org/ORG/REPO/src/branch/main/.forgejo/workflows/x.yml",
                "repository https://codeberg.org/ORG/REPO /.forgejo/workflows/x.yml",
            ),
            (
                "https://git.acme.example/ORG/REPO/.gitea/workflows/x.yml@refs/heads/main",
                "repository https://git.acme.example/ORG/REPO /.gitea/workflows/x.yml refs/heads/main",
            ),
            (
                "https://git.acme.example:3000/ORG/REPO.git",
                "repository https://git.acme.example:3000/ORG/REPO",
            ),
            (
                "git@git.acme.example:ORG/REPO.git",
                "repository https://git.acme.example/ORG/REPO",
            ),
        ] {
            assert_eq!(line(written), expected, "{written}");
        }
    }

    #[test]
    fn names_and_pipelines_are_what_certificates_have() {
        for (written, expected) in [
            ("jane@example.com", "name jane@example.com"),
            ("Jane.Doe@Example.COM", "name Jane.Doe@Example.COM"),
            ("Jane Doe <jane@example.com>", "name jane@example.com"),
            ("mailto:jane@example.com", "name jane@example.com"),
            (
                "signer@p.iam.gserviceaccount.com",
                "name signer@p.iam.gserviceaccount.com",
            ),
            ("*@example.com", "names *@example.com"),
            ("user!domain", "name user!domain"),
            ("https://github.com/o/*", "names https://github.com/o/*"),
            ("http://www.github.com/o/*", "names https://github.com/o/*"),
            ("github.com/o/*", "names https://github.com/o/*"),
            (
                "https://idp.example/users/*",
                "names https://idp.example/users/*",
            ),
            (
                "spiffe://acme.example/ns/x",
                "name spiffe://acme.example/ns/x",
            ),
            (
                "spiffe://acme.example/ns/x/",
                "name spiffe://acme.example/ns/x",
            ),
            ("spiffe://acme.example/*", "names spiffe://acme.example/*"),
            (
                "https://buildkite.com/ORG/PIPELINE",
                "name https://buildkite.com/ORG/PIPELINE",
            ),
            (
                "https://buildkite.com/ORG/PIPELINE/",
                "name https://buildkite.com/ORG/PIPELINE",
            ),
            (
                "https://buildkite.com/ORG/PIPELINE/builds/12#0190",
                "name https://buildkite.com/ORG/PIPELINE",
            ),
            (
                "https://buildkite.com/ORG",
                "names https://buildkite.com/ORG/*",
            ),
            (
                "organization:ORG:pipeline:PIPELINE:ref:refs/heads/main:commit:9f:step:",
                "name https://buildkite.com/ORG/PIPELINE",
            ),
            (
                "https://g.codefresh.io/ACC/PROJ/PIPE",
                "names https://g.codefresh.io/ACC/PROJ/PIPE:*",
            ),
            (
                "https://g.codefresh.io/ACC/PROJ/PIPE:1/2",
                "name https://g.codefresh.io/ACC/PROJ/PIPE:1/2",
            ),
            (
                "https://g.codefresh.io/ACC",
                "names https://g.codefresh.io/ACC/*",
            ),
            (
                "system:serviceaccount:default:signer",
                "name https://kubernetes.io/namespaces/default/serviceaccounts/signer",
            ),
            (
                "https://issuer.enforce.dev/abc",
                "name https://issuer.enforce.dev/abc",
            ),
        ] {
            assert_eq!(line(written), expected, "{written}");
        }
    }

    #[test]
    fn what_no_certificate_is_named_after_is_refused_with_what_to_give() {
        for (written, part) in [
            ("", "no signer, or every signer"),
            ("**", "no signer, or every signer"),
            ("jane", "a mail address, a repository"),
            ("jane@", "is not a mail address"),
            ("@example.com", "is not a mail address"),
            ("jane@example.com, joe@example.com", "is not a mail address"),
            ("jane@a@b", "is not a mail address"),
            ("ORG/REPO", "did you mean https://github.com/ORG/REPO?"),
            ("https://github.com", "every signer at github.com"),
            ("https://github.com/", "every signer at github.com"),
            ("https://gitlab.com/", "every signer at gitlab.com"),
            ("https://idp.example/", "every signer at idp.example"),
            ("ftp://github.com/o/r", "ftp URI"),
            ("spiffe://acme.example:8080/x", "SPIFFE ID"),
            ("spiffe://", "SPIFFE ID"),
            (
                "https://huggingface.co/ORG/MODEL",
                "Hugging Face issues no certificates",
            ),
            (
                "huggingface.co/ORG/MODEL",
                "Hugging Face issues no certificates",
            ),
            (
                "https://www.kaggle.com/models/x/y",
                "mail address of the account",
            ),
            ("https://g.codefresh.io/pipelines/edit/builds", "pipeline"),
        ] {
            let message = line(written);
            assert!(
                message.starts_with("error ") && message.contains(part),
                "{written}: {message}"
            );
        }
    }

    #[test]
    fn nothing_that_is_written_makes_it_panic() {
        for written in [
            "://",
            "a://",
            "https://",
            "https:///",
            "https://@",
            "@",
            "!",
            "/",
            "//",
            ":",
            "git@:",
            "git@h:/",
            "repo:",
            "organization:",
            "organization:a:b",
            "system:serviceaccount:",
            "system:serviceaccount:a:",
            "<",
            ">",
            "<>",
            "é@é",
            "https://é/é/é",
            "https://github.com/é/é",
            "https://github.com/a/b/.github/workflows",
            "https://gitlab.com//",
            "https://gitlab.com/a//",
            "https://gitlab.com/a/-/",
            "https://h/@//",
            "github:",
            "https://github.com/@/workflows/@",
            "https://h/a/workflows/@",
            "spiffe:///",
        ] {
            let _ = read(written);
            let _ = instead(written);
        }
    }
}
