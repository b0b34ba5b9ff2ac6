//! `modelwatch verify attestation`: are these attestations by whom they must be, and what of the model are they about?

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use model_signing::attestation::{
    Attestation, Coverage, CoverageError, Measured, Mismatch, Provenance, files_to_hash,
    unverified_predicate_type,
};
use model_signing::bundle::{Bundle, MAX_BUNDLE_BYTES, read_collection};
use model_signing::hash::Algorithm;
use model_signing::manifest::Method;
use model_signing::statement::PREDICATE_TYPE;
use serde_json::{Map, Value, json};

use super::attestation_signer::{SignedBy, SignerArgs};
use super::files::{path, read};
use super::messages::{Warnings, few, print};
use super::tree;
use crate::cli::output::{Mistake, Outcome, causes};
use crate::escape;
use crate::file;

/// Most bundles that are verified in one run: each takes some milliseconds.
const MAX_BUNDLES: usize = 10_000;

/// Means standard input. A file of that name is `./-`.
const STANDARD_INPUT: &str = "-";

/// Arguments of `verify attestation`.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub(in crate::cli) struct AttestationArgs {
    #[command(flatten)]
    tree: tree::TreeArgs,

    /// Files of Sigstore bundles: one each, or several as `gh attestation download` writes them.
    /// `-`: standard input. Each of the bundles must verify
    #[arg(value_name = "BUNDLE", required = true, value_parser = path())]
    bundles: Vec<PathBuf>,

    #[command(flatten)]
    signer: SignerArgs,

    /// Use only the attestations of this predicate type, such as `https://slsa.dev/provenance/v1`
    #[arg(long, value_name = "URI")]
    predicate_type: Option<String>,

    /// Accept an attestation that has only the root digest, which covers the contents of all files
    /// and none of their names
    #[arg(long)]
    allow_root_digest: bool,

    /// Every warning is an error, such as one about files that no attestation names
    #[arg(long)]
    strict: bool,

    /// Print a report as one JSON object: every attestation, and which files they name
    #[arg(long)]
    json: bool,
}

/// An attestation that is by whom it must be.
struct Verdict {
    /// The file, and the place in it if it holds several.
    source: String,
    signed_by: SignedBy,
    /// What it is about; `None` as long as that is not known.
    coverage: Option<Coverage>,
    mismatches: Vec<Mismatch>,
}

/// The result of a run, as far as it went.
#[derive(Default)]
struct Run {
    attestations: Vec<Attestation>,
    verdicts: Vec<Verdict>,
    /// Files of the model that no attestation names, in order.
    not_covered: Vec<Arc<str>>,
}

pub(super) fn run(args: &AttestationArgs) -> anyhow::Result<Outcome> {
    let mut warnings = Warnings::new(args.strict);
    let mut run = Run::default();
    let verified = args.verify(&mut run, &mut warnings);
    let reported = print(|output| {
        if args.json {
            return output.json(&run.report(&verified, &warnings));
        }
        if verified.is_ok() {
            output.lines(&run.lines())?;
            output.line("Verification succeeded")?;
        }
        Ok(())
    });
    // The verdict comes first: a failure to print it must not replace it.
    verified?;
    reported?;
    Ok(Outcome::Clean)
}

impl AttestationArgs {
    fn verify(&self, run: &mut Run, warnings: &mut Warnings) -> anyhow::Result<()> {
        let mut signer = self.signer.prepare()?;
        for (source, bundle) in self.bundles()? {
            let verified = signer.verify(bundle, warnings);
            let (payload, signed_by) = verified.with_context(|| source.clone())?;
            let attestation = Attestation::parse(&payload).with_context(|| source.clone())?;
            run.attestations.push(attestation);
            run.verdicts.push(Verdict {
                source,
                signed_by,
                coverage: None,
                mismatches: Vec::new(),
            });
        }
        self.cover(run, warnings)
    }

    /// The bundles of all files that are of the predicate type, with their places.
    fn bundles(&self) -> anyhow::Result<Vec<(String, Bundle)>> {
        let mut bundles = Vec::new();
        let standard = self.bundles.iter().filter(|path| is_standard(path));
        if standard.count() > 1 {
            return Err(
                Mistake("standard input can be read once: give `-` once".to_owned()).into(),
            );
        }
        for path in &self.bundles {
            let (name, bytes) = if is_standard(path) {
                let name = "standard input".to_owned();
                let bytes = file::read_from(io::stdin().lock(), MAX_BUNDLE_BYTES);
                let bytes = bytes.with_context(|| format!("{name} cannot be read"))?;
                (name, bytes)
            } else {
                (path.display().to_string(), read(path, MAX_BUNDLE_BYTES)?)
            };
            for found in read_collection(&bytes).with_context(|| name.clone())? {
                let source = match found.place {
                    Some(place) => format!("{name}, {place}"),
                    None => name.clone(),
                };
                let bundle = found.bundle.with_context(|| source.clone())?;
                if let Some(wanted) = &self.predicate_type
                    && unverified_predicate_type(&bundle).is_some_and(|found| found != *wanted)
                {
                    continue;
                }
                anyhow::ensure!(
                    bundles.len() < MAX_BUNDLES,
                    "more than {MAX_BUNDLES} bundles: verify them in several runs"
                );
                bundles.push((source, bundle));
            }
        }
        match &self.predicate_type {
            Some(wanted) if bundles.is_empty() => {
                anyhow::bail!("no attestation has the predicate type {wanted:?}")
            }
            _ => Ok(bundles),
        }
    }

    /// What of the model the attestations are about.
    fn cover(&self, run: &mut Run, warnings: &mut Warnings) -> anyhow::Result<()> {
        let mut ignored = self.tree.ignored(warnings)?;
        // As a signature in the model leaves out itself.
        for path in self.bundles.iter().filter(|path| !is_standard(path)) {
            self.tree.ignore(&mut ignored, path)?;
        }
        let model = self.tree.open(false)?;
        let listing = model.walk(&ignored)?;
        let method = Method::files(Algorithm::Sha256);
        tree::warn_of_gaps(&model, &listing, method, warnings)?;
        let needed = files_to_hash(&model, &listing, &run.attestations);
        let meter = tree::meter(&needed);
        let progress = |bytes| meter.add(bytes);
        let measured = Measured::new(&model, &listing, &needed, &run.attestations, &progress)?;
        drop(meter);
        for (attestation, verdict) in run.attestations.iter().zip(&mut run.verdicts) {
            let covered = measured.cover(attestation).inspect_err(|error| {
                if let CoverageError::Differs(mismatches) = error {
                    verdict.mismatches.clone_from(mismatches);
                }
            });
            verdict.coverage = Some(covered.with_context(|| verdict.source.clone())?);
        }
        let covered = run.covered();
        let files = listing.files.iter().map(|file| &file.name);
        let mut not_covered: Vec<_> = files
            .filter(|name| !covered.contains(*name))
            .cloned()
            .collect();
        not_covered.sort_unstable();
        let has_names = !covered.is_empty();
        run.not_covered = not_covered;
        for verdict in &run.verdicts {
            let coverage = verdict.coverage.as_ref();
            let missing = coverage.map_or(&[][..], |coverage| &coverage.missing);
            if !missing.is_empty() {
                warnings.warn(format!(
                    "{}: these files are attested, and are not in the model or left out of it: {}",
                    verdict.source,
                    few(missing)
                ))?;
            }
        }
        if has_names {
            if !run.not_covered.is_empty() {
                warnings.warn(format!(
                    "no attestation names these files of the model: {}",
                    few(&run.not_covered)
                ))?;
            }
            return Ok(());
        }
        let is_signature = |attestation: &Attestation| attestation.predicate_type == PREDICATE_TYPE;
        let hint = if run.attestations.iter().any(is_signature) {
            "; it is a signature of a model, whose names `verify sigstore` compares"
        } else {
            ""
        };
        anyhow::ensure!(
            self.allow_root_digest,
            "contents only, names not covered: the attestation is of the root digest of the model alone, which any files \
             with these contents have, whatever their names (--allow-root-digest accepts that){hint}"
        );
        Ok(())
    }
}

fn is_standard(path: &Path) -> bool {
    path == Path::new(STANDARD_INPUT)
}

impl Run {
    /// The files that any attestation names.
    fn covered(&self) -> BTreeSet<Arc<str>> {
        let coverages = self.verdicts.iter().filter_map(|it| it.coverage.as_ref());
        coverages.flat_map(|it| it.files.iter().cloned()).collect()
    }

    fn has_root(&self) -> bool {
        let mut coverages = self.verdicts.iter().filter_map(|it| it.coverage.as_ref());
        coverages.any(|coverage| coverage.has_root)
    }

    /// What a person is shown of a success. All of it is foreign text.
    fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for (attestation, verdict) in self.attestations.iter().zip(&self.verdicts) {
            let mut line = |indent: &str, name: &str, text: &str| {
                lines.push(format!("{indent}{name}: {}", escape::terminal(text)));
            };
            line(
                "",
                &escape::terminal(&verdict.source),
                &attestation.predicate_type,
            );
            line("  ", "signer", &verdict.signed_by.name());
            if let Some(provenance) = &attestation.provenance {
                let absent = "not in the provenance";
                line(
                    "  ",
                    "builder",
                    provenance.builder.as_deref().unwrap_or(absent),
                );
                let source = source_line(provenance);
                line("  ", "source", source.as_deref().unwrap_or(absent));
            }
            let Some(coverage) = &verdict.coverage else {
                continue;
            };
            if coverage.has_root {
                lines.push(
                    "  covers: the root digest of the model: contents only, names not covered"
                        .to_owned(),
                );
            }
            if !coverage.files.is_empty() {
                let files: Vec<_> = coverage.files.iter().collect();
                lines.push(format!("  covers: {}", few(&files)));
            }
            if !coverage.others.is_empty() {
                let others = few(&coverage.others);
                lines.push(format!("  subjects that are not in the model: {others}"));
            }
            if !coverage.not_compared.is_empty() {
                let names: Vec<_> = coverage.not_compared.iter().collect();
                lines.push(format!("  digests that were not compared: {}", few(&names)));
            }
        }
        if !self.not_covered.is_empty() {
            lines.push(format!("not covered by name: {}", few(&self.not_covered)));
        }
        lines
    }

    fn report(&self, verified: &anyhow::Result<()>, warnings: &Warnings) -> Value {
        let attestations = self.attestations.iter().zip(&self.verdicts);
        let attestations = attestations.map(|(attestation, verdict)| verdict.report(attestation));
        json!({
            "ok": verified.is_ok(),
            "error": verified.as_ref().err().map(causes),
            "warnings": warnings.list,
            "attestations": attestations.collect::<Vec<_>>(),
            "covered": self.covered(),
            "not_covered": self.not_covered,
            "root_digest": self.has_root(),
        })
    }
}

/// The source on one line: where it is, and which version.
fn source_line(provenance: &Provenance) -> Option<String> {
    let source = provenance.source.as_ref()?;
    let reference = source.reference.iter().map(|text| format!(" {text}"));
    let digests = source.digests.iter();
    let digests = digests.map(|(name, digest)| format!(" ({name} {digest})"));
    Some(format!(
        "{}{}",
        source.uri,
        reference.chain(digests).collect::<String>()
    ))
}

impl Verdict {
    fn report(&self, attestation: &Attestation) -> Value {
        let mismatch = |mismatch: &Mismatch| {
            json!({
                "name": mismatch.name,
                "function": mismatch.function,
                "attested": mismatch.attested,
                "found": mismatch.found,
            })
        };
        let provenance = attestation.provenance.as_ref();
        let source = provenance.and_then(|provenance| provenance.source.as_ref());
        let source = source.map(|source| {
            let digests = source.digests.iter().cloned();
            let digests: Map<_, _> = digests.map(|(name, hex)| (name, hex.into())).collect();
            json!({"uri": source.uri, "ref": source.reference, "digest": digests})
        });
        let coverage = self.coverage.clone().unwrap_or_default();
        let mut report = json!({
            "bundle": self.source,
            "predicate_type": attestation.predicate_type,
            "builder": provenance.and_then(|provenance| provenance.builder.as_deref()),
            "build_type": provenance.and_then(|provenance| provenance.build_type.as_deref()),
            "source": source,
            "subjects": attestation.subjects.len(),
            "covered": coverage.files,
            "root_digest": coverage.has_root,
            "other_subjects": coverage.others,
            "missing": coverage.missing,
            "not_compared": coverage.not_compared,
            "mismatches": self.mismatches.iter().map(mismatch).collect::<Vec<_>>(),
        });
        self.signed_by.describe(&mut report);
        report
    }
}
