//! A signing beside the last registered one of its watch, field by field.

use crate::finding::Finding;

/// One field of two signings; values are raw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// What is compared, in lower case.
    pub label: &'static str,
    /// The value of the signing; `None`: it has none.
    pub here: Option<String>,
    /// The value of the registered one.
    pub expected: Option<String>,
}

impl Field {
    /// Whether they differ.
    pub fn differs(&self) -> bool {
        self.here != self.expected
    }
}

/// The extensions of a certificate that are compared. Of each the first name that the certificate has counts: the others are
/// older names of the same.
const EXTENSIONS: [(&str, &[&str]); 6] = [
    (
        "workflow",
        &[
            "build_signer_uri",
            "build_config_uri",
            "github_workflow_name",
        ],
    ),
    (
        "repository",
        &["source_repository_uri", "github_workflow_repository"],
    ),
    ("ref", &["source_repository_ref", "github_workflow_ref"]),
    (
        "commit",
        &["source_repository_digest", "github_workflow_sha"],
    ),
    ("trigger", &["build_trigger", "github_workflow_trigger"]),
    ("runner", &["runner_environment"]),
];

/// The fields that one of both has.
pub fn fields(finding: &Finding, expected: &Finding) -> Vec<Field> {
    let mut fields = vec![Field {
        label: "name",
        here: names(finding),
        expected: names(expected),
    }];
    fields.extend(EXTENSIONS.iter().map(|(label, of)| Field {
        label,
        here: extension(finding, of),
        expected: extension(expected, of),
    }));
    fields.push(Field {
        label: "issuer",
        here: finding.issuer.clone(),
        expected: expected.issuer.clone(),
    });
    // The key of a certificate is made for one signing.
    if finding.certificate_sha256.is_none() || expected.certificate_sha256.is_none() {
        fields.push(Field {
            label: "key",
            here: key(finding),
            expected: key(expected),
        });
    }
    fields.retain(|field| field.here.is_some() || field.expected.is_some());
    fields
}

fn names(finding: &Finding) -> Option<String> {
    let names: Vec<&str> = finding.san.iter().map(|san| san.value.as_str()).collect();
    (!names.is_empty()).then(|| names.join(", "))
}

fn extension(finding: &Finding, names: &[&str]) -> Option<String> {
    let mut values = names
        .iter()
        .filter_map(|name| finding.extensions.get(*name));
    values.next().cloned()
}

fn key(finding: &Finding) -> Option<String> {
    let key = finding.key_fingerprint.as_ref();
    key.or(finding.key_sha256.as_ref()).cloned()
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::finding::{FindingId, Severity, Verdict};

    fn signing(extensions: &[(&str, &str)]) -> Finding {
        let id = FindingId::of_signing("w", "log", 1, &[0; 32], 0);
        let mut finding = Finding::new(
            id,
            Verdict::Expected,
            Severity::Info,
            String::new(),
            Timestamp::UNIX_EPOCH,
        );
        finding.extensions = extensions
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        finding
    }

    #[test]
    fn a_field_is_compared_under_its_newer_and_its_older_name() {
        let mut here = signing(&[
            ("build_signer_uri", "https://example/release.yml"),
            ("build_config_uri", "https://example/other.yml"),
            ("source_repository_ref", "refs/tags/v2"),
            ("build_trigger", "workflow_dispatch"),
        ]);
        here.issuer = Some("https://issuer.example".to_owned());
        here.key_sha256 = Some("aa".to_owned());
        let mut expected = signing(&[
            ("build_signer_uri", "https://example/release.yml"),
            ("github_workflow_ref", "refs/tags/v1"),
            ("github_workflow_trigger", "release"),
            ("runner_environment", "github-hosted"),
        ]);
        expected.issuer = here.issuer.clone();
        expected.certificate_sha256 = Some("bb".to_owned());
        let found: Vec<_> = fields(&here, &expected)
            .into_iter()
            .map(|field| (field.label, field.differs(), field.here, field.expected))
            .collect();
        let some = |text: &str| Some(text.to_owned());
        let workflow = some("https://example/release.yml");
        let issuer = some("https://issuer.example");
        assert_eq!(
            found,
            [
                ("workflow", false, workflow.clone(), workflow),
                ("ref", true, some("refs/tags/v2"), some("refs/tags/v1")),
                ("trigger", true, some("workflow_dispatch"), some("release")),
                ("runner", true, None, some("github-hosted")),
                ("issuer", false, issuer.clone(), issuer),
                ("key", true, some("aa"), None),
            ]
        );
        // Certificates have keys of their own.
        here.certificate_sha256 = some("cc");
        let labels = fields(&here, &expected);
        assert!(labels.iter().all(|field| field.label != "key"));
    }
}
