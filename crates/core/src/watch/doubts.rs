//! Values in a watch that its issuer never writes: valid, and probably a mistake.

use super::forms::{Forms, Pattern, Reading};
use super::issued::{self, Asked};
use super::language::Common;
use super::provider::Provider;
use super::{Watch, meant};
use crate::identity::Extension;

/// Which set of a watch's conditions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Set {
    /// The watch's own set.
    Own,
    /// That one of `any`.
    Any(usize),
    /// Its `shape`.
    Shape,
}

/// A value that cannot occur.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doubt {
    /// The set with the value.
    pub set: Set,
    /// The key of the value: `san_glob`, `extension`.
    pub key: &'static str,
    /// The extension, under `extension` and `extension_glob`.
    pub extension: Option<Extension>,
    /// The problem, in a sentence.
    pub message: String,
    /// The probable correction.
    pub hint: Option<String>,
}

impl Watch {
    /// Every name and every value of an extension that the issuer never writes. Undecidable cases and unknown issuers
    /// are left out.
    pub fn doubts(&self, forms: &Forms) -> Vec<Doubt> {
        let mut doubts = Vec::new();
        let own = (&self.conditions, Reading::Select);
        self.doubt(Set::Own, own, forms, &mut doubts);
        for (place, set) in self.any.iter().enumerate() {
            self.doubt(Set::Any(place), (set, Reading::Select), forms, &mut doubts);
        }
        if let Some(shape) = &self.shape {
            self.doubt(Set::Shape, (shape, Reading::Shape), forms, &mut doubts);
        }
        doubts
    }

    fn doubt(&self, set: Set, asked: Asked<'_>, forms: &Forms, doubts: &mut Vec<Doubt>) {
        let (conditions, reading) = asked;
        let own = (&self.conditions, Reading::Select);
        // An issuer in both that none can be is another mistake.
        let issuers = issued::issuers(&[asked]).or_else(|| issued::issuers(&[own]));
        let by_issuer: Option<Vec<Option<Provider>>> =
            issuers.map(|list| list.into_iter().map(Provider::of_issuer).collect());
        let known = |otherwise: Option<Provider>| -> Vec<Provider> {
            match &by_issuer {
                // With an unknown issuer, every value is possible.
                Some(list) => list
                    .iter()
                    .cloned()
                    .collect::<Option<_>>()
                    .unwrap_or_default(),
                None => otherwise.into_iter().collect(),
            }
        };
        let lists = issued::names(conditions, reading);
        for (key, list) in ["san", "san_glob", "san_regex"].into_iter().zip(&lists) {
            for pattern in list {
                if has_another_warning(*pattern) {
                    continue;
                }
                let providers = known(issued::of_pattern(*pattern));
                let possible =
                    |provider: &Provider| issued::may_be_named(provider, *pattern, reading, forms);
                if let Some(provider) = providers.first()
                    && !providers.iter().any(possible)
                {
                    doubts.push(Doubt {
                        set,
                        key,
                        extension: None,
                        message: issued::unnamed(provider, &[*pattern]),
                        hint: instead(*pattern, &providers),
                    });
                }
            }
        }
        let own_names = issued::names(&self.conditions, reading);
        let names = lists.iter().chain(&own_names).flatten();
        let names = names.copied().find_map(issued::of_pattern);
        let providers = known(issued::of_extensions(&[asked]).or(names));
        let Some(provider) = providers.first() else {
            return;
        };
        for (extension, list) in issued::values(&asked) {
            for pattern in list {
                let possible = |provider: &Provider| match pattern {
                    Pattern::Text { text, .. } => forms.may_hold(provider, extension, text),
                    _ => forms.value_of_all(provider, extension, &[pattern]) != Common::Nothing,
                };
                if !providers.iter().any(possible) {
                    doubts.push(Doubt {
                        set,
                        key: match pattern {
                            Pattern::Text { .. } => "extension",
                            _ => "extension_glob",
                        },
                        extension: Some(extension),
                        message: issued::unwritten(provider, extension, &[pattern]),
                        hint: value_instead(provider, extension, pattern.as_str()),
                    });
                }
            }
        }
    }
}

/// `*` and characters of regular expressions in a full name have another warning.
fn has_another_warning(pattern: Pattern<'_>) -> bool {
    matches!(pattern, Pattern::Text { text, .. } if text.contains(['*', '\\', '^', '[', '|']))
}

fn instead(pattern: Pattern<'_>, providers: &[Provider]) -> Option<String> {
    // If the name belongs to another issuer, only another issuer helps.
    let of_name = issued::of_pattern(pattern);
    if let Some(of_name) = of_name
        && !providers.iter().any(|p| p.kind == of_name.kind)
    {
        let issuer = of_name.issuer()?;
        return Some(format!("its issuer is {issuer}"));
    }
    let meant = meant::instead(pattern.as_str())?;
    Some(format!("did you mean {meant}?"))
}

fn value_instead(provider: &Provider, extension: Extension, written: &str) -> Option<String> {
    use Extension as E;
    let host = &provider.host;
    let plain = written.trim_end_matches('/').trim_end_matches(".git");
    let meant = match extension {
        E::SourceRepositoryUri | E::SourceRepositoryOwnerUri => {
            let path = plain.rsplit_once("://").map_or(plain, |(_, rest)| rest);
            let path = path.trim_start_matches("www.");
            let path = path.strip_prefix(&format!("{host}/")).unwrap_or(path);
            format!("https://{host}/{path}")
        }
        E::GithubWorkflowRepository => {
            let parts: Vec<&str> = plain.rsplitn(3, '/').collect();
            match parts.as_slice() {
                [name, owner, ..] => format!("{owner}/{name}"),
                _ => return None,
            }
        }
        E::SourceRepositoryRef | E::GithubWorkflowRef => format!("refs/heads/{written}"),
        E::BuildConfigUri | E::BuildSignerUri => return meant::instead(written),
        _ => return None,
    };
    (meant != written).then(|| format!("did you mean {meant}?"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::testing::{GITHUB, conditions, watch};

    fn doubts(watch: &Watch) -> Vec<Doubt> {
        watch.doubts(&Forms::new())
    }

    #[test]
    fn a_value_that_cannot_occur_is_named_with_its_place_and_what_was_meant() {
        use Extension as E;
        for (asked, key, hint) in [
            (
                conditions().san("https://github.com/acme/owl"),
                "san",
                Some("did you mean san_glob = \"https://github.com/acme/owl/*\"?"),
            ),
            (
                conditions().san("git@github.com:acme/owl.git"),
                "san",
                Some("did you mean san_glob = \"https://github.com/acme/owl/*\"?"),
            ),
            (
                conditions().san("https://github.com/acme/owl/.github/workflows/r.yml@main"),
                "san",
                Some(
                    "did you mean san_glob = \"https://github.com/acme/owl/.github/workflows/r.yml@*\"?",
                ),
            ),
            (
                conditions().glob("https://buildkite.com/acme/owl/*"),
                "san_glob",
                Some("did you mean san = \"https://buildkite.com/acme/owl\"?"),
            ),
            (
                conditions().regex(r"https://github\.com/acme/[^/]+"),
                "san_regex",
                None,
            ),
            (
                conditions().san("jane@example.com").issuer(GITHUB),
                "san",
                None,
            ),
            (
                conditions()
                    .glob("https://github.com/acme/owl/*")
                    .issuer("https://gitlab.com"),
                "san_glob",
                Some("its issuer is https://token.actions.githubusercontent.com"),
            ),
            (
                conditions().extension(E::SourceRepositoryUri, "https://github.com/acme/owl.git"),
                "extension",
                Some("did you mean https://github.com/acme/owl?"),
            ),
            (
                conditions()
                    .issuer(GITHUB)
                    .extension(E::SourceRepositoryRef, "main"),
                "extension",
                Some("did you mean refs/heads/main?"),
            ),
            (
                conditions()
                    .issuer(GITHUB)
                    .extension(E::GithubWorkflowRepository, "https://github.com/acme/owl"),
                "extension",
                Some("did you mean acme/owl?"),
            ),
            (
                conditions()
                    .glob("https://github.com/acme/*")
                    .extension_glob(E::SourceRepositoryIdentifier, "acme/*"),
                "extension_glob",
                None,
            ),
        ] {
            let found = doubts(&watch("w", asked));
            let [doubt] = found.as_slice() else {
                panic!("{key} {hint:?}: {found:?}")
            };
            assert_eq!((doubt.set, doubt.key), (Set::Own, key), "{doubt:?}");
            assert_eq!(
                doubt.hint.as_deref().filter(|_| hint.is_some()),
                hint,
                "{doubt:?}"
            );
        }
    }

    #[test]
    fn alternatives_and_the_shape_are_looked_at_under_the_issuer_of_the_watch() {
        let mut watch = watch("w", conditions().issuer(GITHUB));
        watch.any = vec![
            conditions().glob("https://github.com/acme/owl/*").build(),
            conditions().san("release@acme.example").build(),
        ];
        watch.shape = Some(
            conditions()
                .glob("https://GitHub.com/acme/owl/.github/workflows/*.yml@refs/tags/*")
                .build(),
        );
        let found: Vec<_> = doubts(&watch).iter().map(|doubt| doubt.set).collect();
        // In a shape case counts.
        assert_eq!(found, [Set::Any(1), Set::Shape]);
    }

    #[test]
    fn what_may_occur_or_is_not_known_is_no_doubt() {
        for asked in [
            conditions()
                .glob("https://github.com/acme/owl/*")
                .issuer(GITHUB),
            conditions().glob("https://github.com/*"),
            conditions().glob("*"),
            conditions().glob("https://*"),
            conditions().san("release@models.harbor.example"),
            conditions().san("RELEASE@MODELS.HARBOR.EXAMPLE"),
            conditions().san("release-bot!login.example.com"),
            conditions().san("builder.example.com").san("192.0.2.7"),
            conditions().san("https://idp.example/users/1"),
            conditions().san("spiffe://acme.example/ns/release"),
            conditions()
                .san("https://github.com/acme/owl")
                .issuer("https://login.example.com"),
            conditions().regex(r"(?i)https://github\.com/acme/.*"),
            conditions().extension(Extension::SourceRepositoryIdentifier, "463804977"),
            conditions().extension(Extension::DeploymentEnvironment, "production"),
            conditions()
                .extension(
                    Extension::SourceRepositoryUri,
                    "https://github.com/acme/owl",
                )
                .issuer("https://oidc.codefresh.io"),
        ] {
            let found = doubts(&watch("w", asked));
            assert_eq!(found, [], "{found:?}");
        }
    }
}
