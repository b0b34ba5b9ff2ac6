//! SLSA provenance: the builder and the source, as the signer claims them.

use serde::Deserialize;
use serde_json::Value;

use crate::json::Members;

/// <https://slsa.dev/spec/v0.2/provenance>
const V0_2: &str = "https://slsa.dev/provenance/v0.2";
/// <https://slsa.dev/spec/v1.0/provenance>
const V1: &str = "https://slsa.dev/provenance/v1";

/// What SLSA provenance claims of a build. Foreign text: escape it before it is shown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Provenance {
    /// The builder: a URI. The signer makes this claim, and may or may not be the builder.
    pub builder: Option<String>,
    /// By which kind of build: a URI.
    pub build_type: Option<String>,
    /// From what.
    pub source: Option<Source>,
}

/// What something was built from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Source {
    /// Where it is: a URI.
    pub uri: String,
    /// The branch or tag, where it is not part of the URI.
    pub reference: Option<String>,
    /// Which version of it: names of hash functions with digests, as they were written.
    pub digests: Vec<(String, String)>,
}

impl Provenance {
    /// The provenance in a statement; `None` if its predicate is of another type.
    pub(super) fn read(
        predicate_type: &str,
        statement: &[u8],
    ) -> Result<Option<Self>, serde_json::Error> {
        Ok(match predicate_type {
            V0_2 => Some(
                serde_json::from_slice::<Statement<V0_2Predicate>>(statement)?
                    .predicate
                    .read(),
            ),
            V1 => Some(
                serde_json::from_slice::<Statement<V1Predicate>>(statement)?
                    .predicate
                    .read(),
            ),
            _ => None,
        })
    }
}

#[derive(Deserialize)]
struct Statement<P> {
    predicate: P,
}

#[derive(Deserialize)]
struct Builder {
    id: Option<String>,
}

#[derive(Deserialize)]
struct Material {
    uri: Option<String>,
    digest: Option<Members>,
}

impl Material {
    fn source(self) -> Option<Source> {
        Some(Source {
            uri: self.uri?,
            reference: None,
            digests: self.digest.unwrap_or_default().0,
        })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct V0_2Predicate {
    builder: Option<Builder>,
    build_type: Option<String>,
    invocation: Option<Invocation>,
    materials: Option<Vec<Material>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Invocation {
    config_source: Option<Material>,
}

impl V0_2Predicate {
    /// The source is what the build's configuration came from, or else the first material.
    fn read(self) -> Provenance {
        let config = self
            .invocation
            .and_then(|invocation| invocation.config_source);
        let mut materials = self.materials.into_iter().flatten();
        Provenance {
            builder: self.builder.and_then(|builder| builder.id),
            build_type: self.build_type,
            source: config
                .and_then(Material::source)
                .or_else(|| materials.find_map(Material::source)),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct V1Predicate {
    build_definition: Option<BuildDefinition>,
    run_details: Option<RunDetails>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BuildDefinition {
    build_type: Option<String>,
    /// Each build type has its own.
    external_parameters: Option<ExternalParameters>,
    resolved_dependencies: Option<Vec<Material>>,
}

/// The names that the build types of GitHub and slsa-github-generator give to the source.
#[derive(Deserialize)]
struct ExternalParameters {
    workflow: Option<Value>,
    source: Option<Value>,
}

#[derive(Deserialize)]
struct RunDetails {
    builder: Option<Builder>,
}

impl V1Predicate {
    /// The source is the repository of the workflow that was run, with the digest of the dependency at the same place; or
    /// what the parameters call `source`; or else the first dependency.
    fn read(self) -> Provenance {
        let mut provenance = Provenance {
            builder: self.run_details.and_then(|details| details.builder?.id),
            ..Provenance::default()
        };
        let Some(definition) = self.build_definition else {
            return provenance;
        };
        provenance.build_type = definition.build_type;
        let dependencies = definition.resolved_dependencies.into_iter().flatten();
        let mut dependencies: Vec<Source> = dependencies.filter_map(Material::source).collect();
        let named = definition
            .external_parameters
            .and_then(ExternalParameters::source);
        provenance.source = match named {
            Some(mut named) => {
                if named.digests.is_empty()
                    && let Some(same) = dependencies.iter().find(|it| is_of(&it.uri, &named.uri))
                {
                    named.digests.clone_from(&same.digests);
                }
                Some(named)
            }
            None if dependencies.is_empty() => None,
            None => Some(dependencies.swap_remove(0)),
        };
        provenance
    }
}

impl ExternalParameters {
    fn source(self) -> Option<Source> {
        let text = |value: &Value, name: &str| Some(value.get(name)?.as_str()?.to_owned());
        if let Some(workflow) = &self.workflow
            && let Some(uri) = text(workflow, "repository")
        {
            return Some(Source {
                uri,
                reference: text(workflow, "ref"),
                digests: Vec::new(),
            });
        }
        match self.source? {
            Value::String(uri) => Some(Source {
                uri,
                ..Source::default()
            }),
            material => serde_json::from_value::<Material>(material).ok()?.source(),
        }
    }
}

/// Whether a dependency, `git+https://github.com/o/r@refs/tags/v1`, is of that repository.
fn is_of(dependency: &str, repository: &str) -> bool {
    let plain = dependency.strip_prefix("git+").unwrap_or(dependency);
    let rest = plain.strip_prefix(repository);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('@'))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a missing value is a failed test")]

    use serde_json::json;

    use super::*;

    fn read(predicate_type: &str, predicate: &Value) -> Option<Provenance> {
        let statement = json!({"predicate": predicate}).to_string();
        Provenance::read(predicate_type, statement.as_bytes()).unwrap()
    }

    #[expect(
        clippy::unnecessary_wraps,
        reason = "it is compared with what may be absent"
    )]
    fn source(uri: &str, reference: Option<&str>, digests: &[(&str, &str)]) -> Option<Source> {
        let digests = digests.iter();
        Some(Source {
            uri: uri.to_owned(),
            reference: reference.map(str::to_owned),
            digests: digests
                .map(|(name, hex)| ((*name).to_owned(), (*hex).to_owned()))
                .collect(),
        })
    }

    #[test]
    fn builder_and_source_are_read_from_both_versions_of_slsa() {
        // As slsa-github-generator writes it.
        let v0_2 = json!({
            "builder": {"id": "https://github.com/b/.github/workflows/w.yml@refs/tags/v2"},
            "buildType": "https://github.com/slsa-framework/slsa-github-generator/generic@v1",
            "invocation": {"configSource": {
                "uri": "git+https://github.com/o/r@refs/tags/v1",
                "digest": {"sha1": "ab"},
                "entryPoint": ".github/workflows/release.yml",
            }},
            "materials": [{"uri": "git+https://github.com/other"}],
        });
        let found = read(V0_2, &v0_2).unwrap();
        assert_eq!(
            found.builder.as_deref(),
            Some("https://github.com/b/.github/workflows/w.yml@refs/tags/v2")
        );
        assert_eq!(
            found.build_type.as_deref(),
            Some("https://github.com/slsa-framework/slsa-github-generator/generic@v1")
        );
        assert_eq!(
            found.source,
            source(
                "git+https://github.com/o/r@refs/tags/v1",
                None,
                &[("sha1", "ab")]
            )
        );
        let mut materials = v0_2;
        materials["invocation"] = json!({});
        let found = read(V0_2, &materials).unwrap();
        assert_eq!(
            found.source,
            source("git+https://github.com/other", None, &[])
        );

        // As GitHub's attestations have it.
        let mut v1 = json!({
            "buildDefinition": {
                "buildType": "https://actions.github.io/buildtypes/workflow/v1",
                "externalParameters": {"workflow": {
                    "ref": "refs/tags/v1", "repository": "https://github.com/o/r", "path": ".github/workflows/w.yml",
                }},
                "internalParameters": {"github": {}},
                "resolvedDependencies": [
                    {"uri": "git+https://github.com/o/r2@refs/tags/v1", "digest": {"gitCommit": "00"}},
                    {"uri": "git+https://github.com/o/r@refs/tags/v1", "digest": {"gitCommit": "cd"}},
                ],
            },
            "runDetails": {"builder": {"id": "https://github.com/o/r/.github/workflows/w.yml@refs/tags/v1"}},
        });
        let found = read(V1, &v1).unwrap();
        assert_eq!(
            found.builder.as_deref(),
            Some("https://github.com/o/r/.github/workflows/w.yml@refs/tags/v1")
        );
        assert_eq!(
            found.source,
            source(
                "https://github.com/o/r",
                Some("refs/tags/v1"),
                &[("gitCommit", "cd")]
            )
        );

        for (parameters, expected) in [
            (
                json!({"source": "git+https://h/r"}),
                source("git+https://h/r", None, &[]),
            ),
            (
                json!({"source": {"uri": "git+https://h/r", "digest": {"sha1": "ef"}}}),
                source("git+https://h/r", None, &[("sha1", "ef")]),
            ),
            (
                json!({"anything": [1]}),
                source(
                    "git+https://github.com/o/r2@refs/tags/v1",
                    None,
                    &[("gitCommit", "00")],
                ),
            ),
        ] {
            v1["buildDefinition"]["externalParameters"] = parameters;
            assert_eq!(read(V1, &v1).unwrap().source, expected);
        }
        assert_eq!(read(V1, &json!({})), Some(Provenance::default()));
        assert_eq!(
            read("https://slsa.dev/verification_summary/v1", &json!(7)),
            None
        );
    }

    #[test]
    fn a_predicate_that_is_no_provenance_under_its_name_is_an_error() {
        for predicate in [
            json!(7),
            json!({"runDetails": {"builder": "x"}}),
            json!(null),
        ] {
            let statement = json!({"predicate": predicate}).to_string();
            assert!(
                Provenance::read(V1, statement.as_bytes()).is_err(),
                "{predicate}"
            );
        }
        let twice = br#"{"predicate": {"builder": {"id": "a"}, "builder": {"id": "b"}}}"#;
        assert!(Provenance::read(V0_2, twice).is_err());
    }
}
