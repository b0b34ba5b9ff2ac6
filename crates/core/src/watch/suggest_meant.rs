//! A `[[watch]]` section for a signer that an operator describes, without a certificate.

use super::forms::{Forms, Pattern, Reading};
use super::meant::{Meant, Owner, Repository};
use super::provider::{Kind, Provider};
use super::suggest::{Block, any_tag, quoted};
use super::{Glob, issued};

/// A commented `[[watch]]` section for a described signer ([`read`](super::read_meant)), and its issuer.
///
/// # Errors
///
/// No certificate of that issuer has such a name; in one sentence, with the probable correction.
pub fn suggest_meant(meant: &Meant, issuer: Option<&str>, forms: &Forms) -> Result<String, String> {
    match meant {
        Meant::Name(name) => {
            let text = Pattern::Text {
                text: name,
                folded: true,
            };
            possible(text, issuer, forms)?;
            Ok(by_name(name, "san", issuer))
        }
        Meant::Names(names) => {
            let glob = Glob::new(names);
            possible(Pattern::Glob(&glob, Reading::Select), issuer, forms)?;
            Ok(by_name(names, "san_glob", issuer))
        }
        Meant::Repository(repository) => {
            let glob = Glob::new(&format!("{}/*", repository.url));
            possible(Pattern::Glob(&glob, Reading::Select), issuer, forms)?;
            Ok(of_repository(repository, issuer))
        }
        Meant::Owner(owner) => {
            let glob = Glob::new(&format!("{}/*", owner.url));
            possible(Pattern::Glob(&glob, Reading::Select), issuer, forms)?;
            Ok(of_owner(owner, issuer))
        }
    }
}

fn possible(pattern: Pattern<'_>, issuer: Option<&str>, forms: &Forms) -> Result<(), String> {
    let provider = match issuer {
        Some(issuer) => Provider::of_issuer(issuer),
        None => issued::of_pattern(pattern),
    };
    match provider.filter(|provider| provider.is_certain) {
        Some(provider) if !issued::may_be_named(&provider, pattern, Reading::Select, forms) => {
            Err(issued::unnamed_but(&provider, &[pattern]))
        }
        _ => Ok(()),
    }
}

fn by_name(name: &str, key: &str, issuer: Option<&str>) -> String {
    let short = match name.split_once('@') {
        Some((user, domain)) if !name.contains("://") => {
            if user == "*" {
                domain
            } else {
                user
            }
        }
        _ => name,
    };
    let mut block = Block::new(short);
    block.comment("Everything signed under this name, with any issuer.");
    block.pair(key, name);
    // Google's service accounts have no other.
    let of_google = name
        .ends_with(".gserviceaccount.com")
        .then_some("https://accounts.google.com");
    block.line("");
    usual_issuer(&mut block, issuer.or(of_google), None)
}

fn of_repository(repository: &Repository, issuer: Option<&str>) -> String {
    let Repository {
        url,
        provider,
        workflow,
        from,
    } = repository;
    let mut block = Block::new(url.rsplit('/').next().unwrap_or_default());
    block.comment("Everything that this repository or a workflow in it signs. The name is that of the workflow that was called, which may");
    block.comment("be another repository's; for whom it ran is in the extension.");
    block.line("any = [");
    let is_gitlab = provider.as_ref().is_some_and(|p| p.kind == Kind::GitLab);
    let below = format!("{url}/*");
    // A group of GitLab's has the address of a project.
    let uris = if is_gitlab {
        vec![url.as_str(), &below]
    } else {
        vec![url.as_str()]
    };
    block.line(&format!(
        "  {{ extension_glob = {{ source_repository_uri = {} }} }},",
        listed(&uris)
    ));
    block.line(&format!("  {{ san_glob = {} }},", quoted(&below)));
    match provider {
        Some(provider) if is_gitlab && provider.host != "gitlab.com" => {
            // Fulcio's public instance writes this host into the extension for every server.
            let elsewhere = url.replacen(&provider.host, "gitlab.com", 1);
            let own = provider.issuer().unwrap_or_default();
            block.line(&format!(
                "  {{ issuer = {}, extension_glob = {{ source_repository_uri = {} }} }},",
                quoted(&own),
                listed(&[&elsewhere, &format!("{elsewhere}/*")])
            ));
        }
        Some(_) => {}
        // An unknown forge: it may be the name itself.
        None => block.line(&format!("  {{ san = {} }},", quoted(url))),
    }
    block.line("]");
    block.line("");
    let usual = provider.as_ref().and_then(Provider::issuer);
    let file = workflow.as_ref().map(|file| {
        let from = from.as_deref().unwrap_or("refs/*");
        any_tag(&format!("{url}{file}@{from}"))
    });
    usual_issuer(&mut block, issuer.or(usual.as_deref()), file.as_deref())
}

fn of_owner(owner: &Owner, issuer: Option<&str>) -> String {
    let Owner { url, provider } = owner;
    let mut block = Block::new(url.rsplit('/').next().unwrap_or_default());
    block.comment("Everything that the repositories of this owner or the workflows in them sign.");
    block.line("any = [");
    let below = format!("{url}/*");
    let uris = if provider.kind == Kind::GitLab {
        vec![url.as_str(), &below]
    } else {
        vec![url.as_str()]
    };
    block.line(&format!(
        "  {{ extension_glob = {{ source_repository_owner_uri = {} }} }},",
        listed(&uris)
    ));
    block.line(&format!("  {{ san_glob = {} }},", quoted(&below)));
    block.line("]");
    block.line("");
    let usual = provider.issuer();
    usual_issuer(&mut block, issuer.or(usual.as_deref()), None)
}

fn listed(values: &[&str]) -> String {
    let values: Vec<String> = values.iter().map(|value| quoted(value)).collect();
    match values.as_slice() {
        [one] => one.clone(),
        several => format!("[{}]", several.join(", ")),
    }
}

/// Ends a section with the known part of the shape: an issuer, and a workflow.
fn usual_issuer(block: &mut Block, issuer: Option<&str>, workflow: Option<&str>) -> String {
    if issuer.is_none() && workflow.is_none() {
        block.comment("What is normal; anything else would be out of shape and critical. A workflow's issuer is the one below.");
        block.comment("[watch.shape]");
        block.comment("issuer = \"https://token.actions.githubusercontent.com\"");
        return block.finish(false);
    }
    let what = match (&issuer, &workflow) {
        (Some(_), None) => "this issuer",
        (None, Some(_)) => "this workflow",
        _ => "this issuer and this workflow",
    };
    block.comment(&format!(
        "What is normal: {what}. Anything else is out of shape and critical."
    ));
    block.line("[watch.shape]");
    if let Some(issuer) = issuer {
        block.pair("issuer", issuer);
    }
    if let Some(workflow) = workflow {
        let key = if workflow.contains('*') {
            "san_glob"
        } else {
            "san"
        };
        block.pair(key, workflow);
    }
    block.finish(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::Extension;
    use crate::watch::testing::{GITHUB, signer};

    fn named(written: &str, issuer: Option<&str>) -> String {
        let meant = crate::watch::read_meant(written).expect("somebody");
        suggest_meant(&meant, issuer, &Forms::new()).expect("a possible name")
    }

    #[test]
    fn the_name_of_a_suggested_watch_distinguishes_it_from_others() {
        for (name, called) in [
            ("jane@example.com", "jane"),
            ("*@example.com", "example-com"),
            ("user!domain", "user-domain"),
        ] {
            let block = named(name, None);
            let line = block.lines().nth(1).unwrap_or_default();
            assert_eq!(line, format!("name = \"{called}\""), "{name}");
        }
    }

    /// The watch of a section, parsed without the checks of the configuration.
    fn watch_of(block: &str) -> crate::watch::Watch {
        use std::collections::BTreeMap;

        use toml_edit::{Item, TableLike};

        use crate::watch::{Conditions, Watch};

        fn strings(item: &Item) -> Vec<String> {
            match item.as_array() {
                Some(list) => list
                    .iter()
                    .filter_map(|v| v.as_str().map(Into::into))
                    .collect(),
                None => item.as_str().map(Into::into).into_iter().collect(),
            }
        }
        fn set(table: &dyn TableLike) -> Conditions {
            let list = |key: &str| table.get(key).map(strings).unwrap_or_default();
            let by_extension = |key: &str| -> BTreeMap<Extension, Vec<String>> {
                let table = table.get(key).and_then(Item::as_table_like);
                let pairs = table.into_iter().flat_map(|table| table.iter());
                pairs
                    .map(|(key, item)| (Extension::from_name(key).expect("known"), strings(item)))
                    .collect()
            };
            let globs = |texts: Vec<String>| texts.iter().map(|text| Glob::new(text)).collect();
            Conditions {
                san: list("san"),
                san_glob: globs(list("san_glob")),
                issuer: list("issuer"),
                extension: by_extension("extension"),
                extension_glob: by_extension("extension_glob")
                    .into_iter()
                    .map(|(extension, texts)| (extension, globs(texts)))
                    .collect(),
                ..Conditions::default()
            }
        }
        let document: toml_edit::DocumentMut = block.parse().expect("TOML");
        let table = document["watch"]
            .as_array_of_tables()
            .and_then(|tables| tables.get(0));
        let table = table.expect("a watch");
        let mut watch = Watch::new("w", set(table));
        if let Some(any) = table.get("any").and_then(|any| any.as_array()) {
            let tables = any.iter().filter_map(|value| value.as_inline_table());
            watch.any = tables.map(|table| set(table)).collect();
        }
        watch.shape = table.get("shape").and_then(Item::as_table_like).map(set);
        watch
    }

    const OWL: &str = "https://github.com/Acme/owl/.github/workflows/release.yml@refs/tags/v1";

    #[test]
    fn a_watch_for_a_repository_selects_what_its_workflows_really_sign() {
        let gitlab = "https://gitlab.com/acme/ml/owl//.gitlab-ci.yml@refs/tags/v1";
        let archlinux = "https://gitlab.archlinux.org/a/owl//.gitlab-ci.yml@refs/heads/main";
        for (written, san, extensions) in [
            ("https://github.com/acme/owl", OWL, &[(8, GITHUB)][..]),
            ("git@github.com:acme/owl.git", OWL, &[(8, GITHUB)]),
            (
                "https://github.com/acme/owl/blob/main/.github/workflows/release.yml",
                OWL,
                &[(8, GITHUB)],
            ),
            ("https://github.com/acme", OWL, &[(8, GITHUB)]),
            (
                OWL,
                "https://github.com/acme/owl/.github/workflows/evil.yml@refs/heads/x",
                &[(8, GITHUB)],
            ),
            // A reusable workflow of another owner, called by this repository.
            (
                "https://github.com/acme/owl",
                "https://github.com/shared/flows/.github/workflows/sign.yml@refs/tags/v2",
                &[(8, GITHUB), (12, "https://github.com/Acme/owl")],
            ),
            (
                "https://github.com/acme",
                "https://github.com/shared/flows/.github/workflows/sign.yml@refs/tags/v2",
                &[(8, GITHUB), (16, "https://github.com/Acme")],
            ),
            (
                "https://gitlab.com/acme/ml/owl",
                gitlab,
                &[(8, "https://gitlab.com")],
            ),
            (
                "https://gitlab.com/acme/ml",
                gitlab,
                &[(8, "https://gitlab.com")],
            ),
            (
                "https://gitlab.com/acme",
                gitlab,
                &[(8, "https://gitlab.com")],
            ),
            (
                "https://gitlab.archlinux.org/a/owl",
                archlinux,
                &[(8, "https://gitlab.archlinux.org")],
            ),
            (
                "https://gitlab.archlinux.org/a/owl",
                "https://gitlab.archlinux.org/shared/ci//sign.yml@refs/heads/main",
                &[
                    (8, "https://gitlab.archlinux.org"),
                    (12, "https://gitlab.com/a/owl"),
                ],
            ),
            (
                "https://buildkite.com/acme/owl/",
                "https://buildkite.com/acme/owl",
                &[(8, "https://agent.buildkite.com")],
            ),
            (
                "https://buildkite.com/acme",
                "https://buildkite.com/acme/owl",
                &[(8, "https://agent.buildkite.com")],
            ),
            (
                "https://g.codefresh.io/acme/models/owl",
                "https://g.codefresh.io/acme/models/owl:628a80b6/65e5a53e",
                &[(8, "https://oidc.codefresh.io")],
            ),
            // Codefresh builds a repository of GitHub's.
            (
                "https://github.com/acme/owl",
                "https://g.codefresh.io/acme/models/owl:628a80b6/65e5a53e",
                &[
                    (8, "https://oidc.codefresh.io"),
                    (12, "https://github.com/acme/owl"),
                ],
            ),
            (
                "https://codeberg.org/acme/owl",
                "https://codeberg.org/acme/owl/.forgejo/workflows/release.yml@refs/tags/v1",
                &[(8, "https://codeberg.org/api/actions")],
            ),
            (
                "https://git.acme.example/ml/owl",
                "https://git.acme.example/ml/owl/.gitea/workflows/release.yml@refs/tags/v1",
                &[(8, "https://git.acme.example/api/actions")],
            ),
            (
                "https://git.acme.example/ml/owl",
                "https://git.acme.example/ml/owl//.gitlab-ci.yml@refs/tags/v1",
                &[(8, "https://git.acme.example")],
            ),
            (
                "https://idp.example/users/1",
                "https://idp.example/users/1",
                &[(8, "https://idp.example")],
            ),
            (
                "Jane.Doe@Example.com",
                "jane.doe@example.com",
                &[(8, "https://accounts.google.com")],
            ),
        ] {
            let block = named(written, None);
            let watch = watch_of(&block);
            let mut found = Vec::new();
            crate::watch::Watches::compile(vec![watch.clone()])
                .expect("valid")
                .matches(&signer(&[san], extensions), &mut found);
            assert_eq!(found.len(), 1, "{written}: {san}\n{block}");
            let forms = Forms::new();
            assert_eq!(watch.doubts(&forms), [], "{block}");
            assert_eq!(watch.ineffective(&forms), None, "{block}");
        }
    }

    #[test]
    fn of_a_workflow_that_is_named_the_others_are_out_of_shape() {
        for (written, glob) in [
            (
                "https://github.com/acme/owl/blob/main/.github/workflows/r.yml",
                "r.yml@refs/*",
            ),
            (
                "https://github.com/acme/owl/.github/workflows/r.yml@refs/tags/v1",
                "r.yml@refs/tags/*",
            ),
        ] {
            let watch = watch_of(&named(written, None));
            let shape = watch.shape.expect("a shape");
            let expected = format!("https://github.com/acme/owl/.github/workflows/{glob}");
            assert_eq!(shape.san_glob, [Glob::new(&expected)], "{written}");
            assert_eq!(shape.issuer, [GITHUB]);
        }
        let google = watch_of(&named("signer@p.iam.gserviceaccount.com", None));
        assert_eq!(
            google.shape.expect("a shape").issuer,
            ["https://accounts.google.com"]
        );
    }

    #[test]
    fn a_name_that_its_issuer_never_writes_is_refused() {
        for (written, issuer, part) in [
            ("jane@example.com", Some(GITHUB), "GitHub Actions writes"),
            (
                "https://github.com/acme/owl",
                Some("https://accounts.google.com"),
                "a mail address",
            ),
            (
                "https://github.com/acme/owl",
                Some("https://gitlab.com"),
                "GROUP/PROJECT//PATH",
            ),
            (
                "https://gitlab.com/acme/owl",
                Some(GITHUB),
                "GitHub Actions writes",
            ),
            (
                "https://github.com/acme/*/release.yml",
                None,
                "GitHub Actions writes",
            ),
            (
                "https://buildkite.com/acme/owl/*",
                None,
                "did you mean san = \"https://buildkite.com/acme/owl\"?",
            ),
            (
                "https://app.circleci.com/pipelines/github/acme/owl",
                None,
                "CircleCI writes",
            ),
            ("https://kubernetes.io/acme", None, "Kubernetes writes"),
        ] {
            let meant = crate::watch::read_meant(written).expect("somebody");
            let message = suggest_meant(&meant, issuer, &Forms::new()).expect_err(written);
            assert!(message.contains(part), "{written}: {message}");
        }
        // Nothing is checked for an unknown issuer.
        let meant = crate::watch::read_meant("https://github.com/acme/owl").expect("somebody");
        let block = suggest_meant(&meant, Some("https://login.example.com"), &Forms::new());
        assert!(
            block
                .expect("possible")
                .contains("issuer = \"https://login.example.com\"")
        );
    }
}
