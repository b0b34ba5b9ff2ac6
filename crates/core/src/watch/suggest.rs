//! A `[[watch]]` section for a known signer.

use std::fmt::Write as _;

use jiff::SignedDuration;

use crate::identity::{Anomaly, Certificate, Extension, Key, SanType, Signer};

/// Why there is no suggestion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SuggestError {
    /// Neither its names nor its key will occur again.
    #[error(
        "the certificate contains no name, and it is too short-lived for its key to be used again"
    )]
    NobodyNamed,
}

/// A certificate with a shorter validity is issued for one signing: Fulcio's are valid for ten minutes.
const SHORT_LIVED: SignedDuration = SignedDuration::from_hours(24);

/// A commented `[[watch]]` section that selects everything that this signer's repository, address or key signs, and
/// describes a normal signing.
///
/// A workflow is watched by its repository, by number and by address: so a second workflow, another branch or a renamed
/// repository is selected too. The workflow and the kind of ref are the shape; the tag is not, because the next release
/// has another one.
///
/// # Errors
///
/// If no property of the signer will occur again.
pub fn suggest(signer: &Signer) -> Result<String, SuggestError> {
    match signer {
        Signer::Certificate(certificate) => of_certificate(certificate),
        Signer::Key(key) => Ok(of_keys(&[key])),
    }
}

/// The sections for every signer of a file: one for all its keys, and one for each certificate that is not an
/// authority's, unless there is no other.
///
/// # Errors
///
/// If no property of any signer will occur again.
pub fn suggest_all(signers: &[Signer]) -> Result<Vec<String>, SuggestError> {
    let keys: Vec<&Key> = signers.iter().filter_map(Signer::key).collect();
    let (mut blocks, mut unnamed) = (Vec::new(), None);
    if !keys.is_empty() {
        blocks.push(of_keys(&keys));
    }
    let signers = without_authorities(signers.to_vec());
    for certificate in signers.iter().filter_map(Signer::certificate) {
        match of_certificate(certificate) {
            Ok(block) => blocks.push(block),
            Err(error) => unnamed = Some(error),
        }
    }
    match unnamed {
        Some(error) if blocks.is_empty() => Err(error),
        _ => Ok(blocks),
    }
}

/// The same without the certificates of authorities, which follow the leaf in a chain; all of them if there is nothing
/// else.
pub fn without_authorities(signers: Vec<Signer>) -> Vec<Signer> {
    let is_one = |signer: &Signer| signer.certificate().is_some_and(|c| !is_leaf(c));
    if signers.iter().all(is_one) {
        return signers;
    }
    signers
        .into_iter()
        .filter(|signer| !is_one(signer))
        .collect()
}

/// A description of the file's content if it has more than one signer, for the reader of the suggestion.
pub fn several(signers: &[Signer]) -> Option<String> {
    let counted = |count: usize, what: &str| match count {
        0 => None,
        1 => Some(format!("1 {what}")),
        count => Some(format!("{count} {what}s")),
    };
    let certificates = signers.iter().filter_map(Signer::certificate);
    let (leaves, authorities): (Vec<_>, Vec<_>) = certificates.partition(|c| is_leaf(c));
    let keys = signers.iter().filter_map(Signer::key).count();
    let parts = [
        counted(keys, "public key"),
        counted(leaves.len(), "certificate"),
        counted(authorities.len(), "certificate of an authority"),
    ];
    let mut text = format!(
        "The file contains {}.",
        parts
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join(" and ")
    )
    .replace(
        "certificate of an authoritys",
        "certificates of authorities",
    );
    if !leaves.is_empty() && !authorities.is_empty() {
        text.push_str(" Authorities sign certificates, and are not watched here.");
    }
    (signers.len() > 1).then_some(text)
}

fn is_leaf(certificate: &Certificate) -> bool {
    !certificate.anomalies().contains(&Anomaly::Authority)
}

fn of_certificate(certificate: &Certificate) -> Result<String, SuggestError> {
    let repository = certificate.extension(Extension::SourceRepositoryUri);
    let number = certificate.extension(Extension::SourceRepositoryIdentifier);
    if let Some(repository) = repository {
        return Ok(of_workflow(certificate, repository, number));
    }
    if !certificate.sans().is_empty() {
        return Ok(of_names(certificate));
    }
    let lifetime = certificate
        .not_after()
        .duration_since(certificate.not_before());
    if lifetime <= SHORT_LIVED {
        return Err(SuggestError::NobodyNamed);
    }
    Ok(of_hashes(&[(certificate.key_sha256(), None)]))
}

fn of_keys(keys: &[&Key]) -> String {
    let hashes: Vec<_> = keys
        .iter()
        .map(|key| {
            let hash = key.canonical_sha256().unwrap_or_else(|| key.key_sha256());
            // Its names are left out: they are free text, and not part of the watch.
            (hash, key.fingerprint())
        })
        .collect();
    of_hashes(&hashes)
}

/// A watch of keys by their hashes, each with the fingerprint that its owner uses.
fn of_hashes(keys: &[([u8; 32], Option<&str>)]) -> String {
    let first = keys.first().map_or(&[][..], |(hash, _)| &hash[..4]);
    let mut block = Block::new(&format!("key-{}", hex::encode(first)));
    if let [(hash, fingerprint)] = keys {
        block.comment("Everything that is signed with this key.");
        if let Some(fingerprint) = fingerprint {
            block.comment(&format!("Its fingerprint: {fingerprint}"));
        }
        block.pair("key_sha256", &hex::encode(hash));
    } else {
        block.comment("Everything that is signed with one of these keys; of an OpenPGP key, subkeys sign too.");
        block.line("key_sha256 = [");
        let mut known = Vec::new();
        for (hash, fingerprint) in keys.iter().filter(|(hash, _)| {
            let is_new = !known.contains(hash);
            known.push(*hash);
            is_new
        }) {
            let comment = fingerprint.map_or_else(String::new, |f| format!(" # {f}"));
            block.line(&format!("  {},{comment}", quoted(&hex::encode(hash))));
        }
        block.line("]");
    }
    block.finish(false)
}

fn of_names(certificate: &Certificate) -> String {
    let sans: Vec<&str> = certificate
        .sans()
        .iter()
        .map(|san| san.value.as_str())
        .collect();
    let first = certificate.sans().first();
    let name = match first.map(|san| san.kind) {
        Some(SanType::Email) => sans.first().and_then(|san| san.split('@').next()),
        _ => sans.first().copied(),
    };
    let mut block = Block::new(name.unwrap_or_default());
    block.comment("Everything signed under this identity, with any issuer.");
    block.list("san", &sans);
    if let Some(issuer) = certificate.issuer() {
        block.line("");
        block.comment("What is normal: this issuer. Anything else is out of shape and critical.");
        block.line("[watch.shape]");
        block.pair("issuer", issuer);
        pin(&mut block, &caller(certificate));
    }
    block.finish(certificate.issuer().is_some())
}

fn of_workflow(certificate: &Certificate, repository: &str, number: Option<&str>) -> String {
    let name = repository.trim_end_matches('/').rsplit('/').next();
    let mut block = Block::new(name.unwrap_or_default());
    block.comment("Everything that this repository or a workflow in it signs.");
    block.comment(
        "The number stays the same when the repository is renamed; the address is what people trust.",
    );
    block.line("any = [");
    if let Some(number) = number {
        block.line(&format!(
            "  {{ extension = {{ source_repository_identifier = {} }} }},",
            quoted(number)
        ));
    }
    block.line(&format!(
        "  {{ extension = {{ source_repository_uri = {} }} }},",
        quoted(repository)
    ));
    let below = format!("{}/*", repository.trim_end_matches('/'));
    block.line(&format!("  {{ san_glob = {} }},", quoted(&below)));
    for san in certificate.sans() {
        // The name of a pipeline of another provider does not contain the repository, nor do its extensions always.
        if !san.value.contains('@') && !san.value.starts_with(below.trim_end_matches('*')) {
            block.line(&format!("  {{ san = {} }},", quoted(&san.value)));
        }
    }
    block.line("]");
    block.line("");
    block.comment("What is normal: this workflow, on this kind of ref, and the one that called it. Anything else is critical.");
    block.line("[watch.shape]");
    if let Some(issuer) = certificate.issuer() {
        block.pair("issuer", issuer);
    }
    let globs: Vec<String> = certificate
        .sans()
        .iter()
        .map(|san| any_tag(&san.value))
        .collect();
    block.list(
        "san_glob",
        &globs.iter().map(String::as_str).collect::<Vec<_>>(),
    );
    let mut pinned = caller(certificate);
    if let Some(number) = number {
        pinned.insert(
            0,
            (
                Extension::SourceRepositoryIdentifier,
                number.to_owned(),
                Pin::Exact,
            ),
        );
    }
    pin(&mut block, &pinned);
    block.finish(true)
}

/// How a value is pinned.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pin {
    Exact,
    Glob,
}

/// The extensions of the caller, in the form that the next signing will have. The name in a reusable workflow's
/// certificate is that of the workflow that was called; without these, any workflow that calls it would be in shape.
fn caller(certificate: &Certificate) -> Vec<(Extension, String, Pin)> {
    let mut pinned = Vec::new();
    for extension in [Extension::BuildTrigger, Extension::RunnerEnvironment] {
        if let Some(value) = certificate.extension(extension) {
            pinned.push((extension, value.to_owned(), Pin::Exact));
        }
    }
    if let Some(file) = certificate.extension(Extension::BuildConfigUri)
        // With a ref, or the number of a pipeline (Codefresh). Others name a single run (CircleCI).
        && (file.contains("@refs/") || file.contains("/api/pipelines/"))
    {
        pinned.push(open(Extension::BuildConfigUri, file, "@refs/"));
    }
    if let Some(from) = certificate.extension(Extension::SourceRepositoryRef)
        && from.starts_with("refs/")
    {
        pinned.push(open(Extension::SourceRepositoryRef, from, "refs/"));
    }
    pinned
}

fn open(extension: Extension, value: &str, before: &str) -> (Extension, String, Pin) {
    let opened = any_run(value, before);
    let pin = if opened == value {
        Pin::Exact
    } else {
        Pin::Glob
    };
    (extension, opened, pin)
}

/// The tables of a shape that pin these.
fn pin(block: &mut Block, pinned: &[(Extension, String, Pin)]) {
    for (kind, table) in [(Pin::Exact, "extension"), (Pin::Glob, "extension_glob")] {
        let mut of_kind = pinned.iter().filter(|(_, _, pin)| *pin == kind).peekable();
        if of_kind.peek().is_some() {
            block.line("");
            block.line(&format!("[watch.shape.{table}]"));
        }
        for (extension, value, _) in of_kind {
            if *extension == Extension::BuildTrigger {
                block.comment("Drop this line if the workflow is also started in other ways.");
            }
            block.pair(extension.name(), value);
        }
    }
}

/// A workflow's SAN with its tag or pull request left open.
pub(super) fn any_tag(san: &str) -> String {
    any_run(san, "@refs/")
}

/// A text that ends in a ref, with the tag, pull request or merge request replaced by a wildcard. A branch stays:
/// `main` is the same in every release, and a signing from another branch should be examined. `refs` is the beginning
/// of the ref.
fn any_run(text: &str, refs: &str) -> String {
    for kind in ["tags/", "pull/", "merge-requests/"] {
        let kind = format!("{refs}{kind}");
        // The first one: the name of the ref follows, with any characters.
        if let Some((before, _)) = text.split_once(&kind)
            && !before.contains(refs)
        {
            return format!("{before}{kind}*");
        }
    }
    text.to_owned()
}

/// The lines of one block.
pub(super) struct Block {
    text: String,
}

impl Block {
    pub(super) fn new(name: &str) -> Self {
        let mut block = Self {
            text: "[[watch]]\n".to_owned(),
        };
        block.pair("name", &plain(name));
        block
    }

    pub(super) fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    pub(super) fn comment(&mut self, text: &str) {
        self.line(&format!("# {text}"));
    }

    pub(super) fn pair(&mut self, key: &str, value: &str) {
        self.line(&format!("{key} = {}", quoted(value)));
    }

    pub(super) fn list(&mut self, key: &str, values: &[&str]) {
        if let [value] = values {
            self.pair(key, value);
        } else {
            let values: Vec<String> = values.iter().map(|value| quoted(value)).collect();
            self.line(&format!("{key} = [{}]", values.join(", ")));
        }
    }

    /// In TOML, keys of the watch itself must precede its tables, so the optional ones are directly below the name.
    pub(super) fn finish(&self, has_shape: bool) -> String {
        let mut optional = String::from("# severity = \"critical\"   # default: high\n");
        if has_shape {
            optional.push_str(
                "# hold = \"45m\"            # how long a signing in shape waits for its bundle to be registered\n",
            );
        }
        let mut lines = self.text.splitn(3, '\n');
        let (header, name) = (lines.next(), lines.next());
        let mut text = String::new();
        for line in [header, name].into_iter().flatten() {
            text.push_str(line);
            text.push('\n');
        }
        text.push_str(&optional);
        text.push_str(lines.next().unwrap_or_default());
        text
    }
}

/// A name for people and shells: letters, digits, `-` and `_`.
fn plain(name: &str) -> String {
    let mut plain = String::new();
    for character in name.chars().take(60) {
        if character.is_ascii_alphanumeric() || character == '_' {
            plain.push(character.to_ascii_lowercase());
        } else if !plain.ends_with('-') && !plain.is_empty() {
            plain.push('-');
        }
    }
    let plain = plain.trim_end_matches('-');
    if plain.is_empty() {
        "watch".to_owned()
    } else {
        plain.to_owned()
    }
}

/// A TOML basic string. The value comes from a certificate and will be pasted: every character that is not clearly
/// visible is escaped.
pub fn quoted(value: &str) -> String {
    let mut quoted = String::from('"');
    for character in value.chars() {
        match character {
            '"' | '\\' => {
                quoted.push('\\');
                quoted.push(character);
            }
            ' '..='~' => quoted.push(character),
            letter if letter.is_alphanumeric() => quoted.push(letter),
            other => {
                let _ = write!(quoted, "\\U{:08X}", u32::from(other));
            }
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::testing::{GITHUB, signer};

    #[test]
    fn a_workflow_is_watched_by_its_repository_and_never_by_its_tag() {
        let signer = signer(
            &["https://github.com/o/falcon/.github/workflows/release.yml@refs/tags/v1.2"],
            &[
                (8, GITHUB),
                (12, "https://github.com/o/falcon"),
                (15, "4638"),
                (20, "release"),
            ],
        );
        let block = suggest(&signer).expect("a name");
        assert_eq!(
            block,
            r#"[[watch]]
name = "falcon"
# severity = "critical"   # default: high
# hold = "45m"            # how long a signing in shape waits for its bundle to be registered
# Everything that this repository or a workflow in it signs.
# The number stays the same when the repository is renamed; the address is what people trust.
any = [
  { extension = { source_repository_identifier = "4638" } },
  { extension = { source_repository_uri = "https://github.com/o/falcon" } },
  { san_glob = "https://github.com/o/falcon/*" },
]

# What is normal: this workflow, on this kind of ref, and the one that called it. Anything else is critical.
[watch.shape]
issuer = "https://token.actions.githubusercontent.com"
san_glob = "https://github.com/o/falcon/.github/workflows/release.yml@refs/tags/*"

[watch.shape.extension]
source_repository_identifier = "4638"
# Drop this line if the workflow is also started in other ways.
build_trigger = "release"
"#
        );
    }

    #[test]
    fn of_a_reusable_workflow_the_one_that_called_it_is_in_the_shape() {
        const SHARED: &str =
            "https://github.com/o-shared/flows/.github/workflows/sign.yml@refs/tags/v2";
        let signed = |file: &str, from: &str, trigger: &str, runner: &str| {
            let file = format!("https://github.com/o/falcon/.github/workflows/{file}@{from}");
            signer(
                &[SHARED],
                &[
                    (8, GITHUB),
                    (11, runner),
                    (12, "https://github.com/o/falcon"),
                    (14, from),
                    (15, "4638"),
                    (18, &file),
                    (20, trigger),
                ],
            )
        };
        let release = signed("release.yml", "refs/tags/v1", "release", "github-hosted");
        let block = suggest(&release).expect("a name");
        for line in [
            "build_config_uri = \"https://github.com/o/falcon/.github/workflows/release.yml@refs/tags/*\"",
            "source_repository_ref = \"refs/tags/*\"",
            "build_trigger = \"release\"",
            "runner_environment = \"github-hosted\"",
        ] {
            assert!(block.contains(&format!("\n{line}\n")), "{line}: {block}");
        }
        let branch = signed("nightly.yml", "refs/heads/main", "schedule", "self-hosted");
        let block = suggest(&branch).expect("a name");
        let exact = block
            .split("[watch.shape.extension]")
            .nth(1)
            .unwrap_or_default();
        assert!(exact.contains("nightly.yml@refs/heads/main\""), "{block}");
        assert!(
            exact.contains("source_repository_ref = \"refs/heads/main\""),
            "{block}"
        );
        assert!(!block.contains("extension_glob"), "{block}");
    }

    #[test]
    fn a_pipeline_elsewhere_is_watched_by_its_own_name_too() {
        let codefresh = "https://g.codefresh.io/acct/models/sign:628a80b6/65e5a53e";
        let block = suggest(&signer(
            &[codefresh],
            &[
                (8, "https://oidc.codefresh.io"),
                (12, "https://github.com/o/falcon"),
                (14, "v1.0.0"),
                (18, "https://g.codefresh.io/api/pipelines/65e5a53e"),
            ],
        ))
        .expect("a name");
        assert!(
            block.contains(&format!("{{ san = \"{codefresh}\" }},")),
            "{block}"
        );
        assert!(
            block.contains("\nbuild_config_uri = \"https://g.codefresh.io/api"),
            "{block}"
        );
        // A name without its kind: a tag and a branch look the same.
        assert!(!block.contains("source_repository_ref"), "{block}");
        let buildkite = suggest(&signer(
            &["https://buildkite.com/o/falcon"],
            &[
                (8, "https://agent.buildkite.com"),
                (11, "self-hosted"),
                (20, "webhook"),
            ],
        ))
        .expect("a name");
        assert!(
            buildkite.contains("[watch.shape.extension]\n# Drop"),
            "{buildkite}"
        );
        assert!(
            buildkite.contains("runner_environment = \"self-hosted\""),
            "{buildkite}"
        );
    }

    #[test]
    fn only_the_name_of_a_tag_is_left_open_and_never_a_file() {
        for (san, expected) in [
            ("w.yml@refs/tags/v1", "w.yml@refs/tags/*"),
            ("w.yml@refs/tags/@s/p@1", "w.yml@refs/tags/*"),
            ("w.yml@refs/pull/7/merge", "w.yml@refs/pull/*"),
            (
                "w.yml@refs/merge-requests/7/head",
                "w.yml@refs/merge-requests/*",
            ),
            ("w.yml@refs/heads/main", "w.yml@refs/heads/main"),
            (
                "w.yml@refs/heads/x@refs/tags/v1",
                "w.yml@refs/heads/x@refs/tags/v1",
            ),
            (
                "w.yml@0123456789012345678901234567890123456789",
                "w.yml@0123456789012345678901234567890123456789",
            ),
        ] {
            assert_eq!(any_tag(san), expected);
        }
    }

    #[test]
    fn a_person_is_watched_by_address_under_any_issuer() {
        let block = suggest(&signer(
            &["Jane.Doe@example.com"],
            &[(8, "https://accounts.google.com")],
        ))
        .expect("a name");
        assert!(block.contains("name = \"jane-doe\""), "{block}");
        assert!(
            block.contains("\nsan = \"Jane.Doe@example.com\"\n"),
            "{block}"
        );
        assert!(
            block.contains("[watch.shape]\nissuer = \"https://accounts.google.com\"\n"),
            "{block}"
        );
    }

    #[test]
    fn a_certificate_without_names_is_watched_by_its_key() {
        let block = suggest(&signer(&[], &[])).expect("a lasting key");
        assert!(block.contains("\nkey_sha256 = \""), "{block}");
        assert!(!block.contains("hold"), "{block}");
    }

    #[test]
    fn every_key_of_a_file_is_watched_by_one_watch() {
        let keys =
            Key::from_pgp(include_bytes!("../../../../tests/data/keys/one.asc")).expect("keys");
        let signers: Vec<Signer> = keys.iter().cloned().map(Signer::Key).collect();
        let blocks = suggest_all(&signers).expect("keys");
        let [block] = blocks.as_slice() else {
            panic!("one block")
        };
        let parsed: toml_edit::DocumentMut = block.parse().expect("valid TOML");
        let hashes = parsed["watch"][0]["key_sha256"].as_array().expect("a list");
        let hashes: Vec<_> = hashes.iter().filter_map(|hash| hash.as_str()).collect();
        let canonical = keys.iter().filter_map(Key::canonical_sha256);
        assert_eq!(hashes, canonical.map(hex::encode).collect::<Vec<_>>());
        assert!(keys.len() > 1, "{block}");
        for key in &keys {
            assert!(block.contains(key.fingerprint().expect("of version 4")));
        }
        let description = several(&signers).expect("several");
        assert_eq!(
            description,
            format!("The file contains {} public keys.", keys.len())
        );
    }

    #[test]
    fn every_certificate_of_a_file_has_its_watch() {
        let of_name = |san: &str| signer(&[san], &[(8, GITHUB)]);
        let signers = [of_name("jane@example.com"), of_name("joe@example.org")];
        let blocks = suggest_all(&signers).expect("names");
        let names: Vec<_> = blocks
            .iter()
            .filter_map(|block| block.lines().nth(1))
            .collect();
        assert_eq!(names, ["name = \"jane\"", "name = \"joe\""]);
        let description = several(&signers).expect("several");
        assert_eq!(description, "The file contains 2 certificates.");
        assert_eq!(several(&signers[..1]), None);
    }

    #[test]
    fn nothing_in_a_certificate_can_leave_its_string() {
        for hostile in [
            "a\"\n[store]\n#",
            "\\",
            "\u{202e}x",
            "\t\u{7f}\u{0}",
            "é\u{feff}",
        ] {
            let line = quoted(hostile);
            assert!(
                line.chars()
                    .all(|c| c.is_alphanumeric() || (' '..='~').contains(&c)),
                "{line}"
            );
            let parsed: toml_edit::DocumentMut = format!("x = {line}").parse().expect("valid TOML");
            assert_eq!(parsed["x"].as_str(), Some(hostile));
        }
        assert_eq!(plain("\n\"../etc"), "etc");
        assert_eq!(plain("\u{202e}"), "watch");
    }
}
