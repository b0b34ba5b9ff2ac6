//! The bundles: each is verified, looked up, and compared with the model beside it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use model_signing::bundle::{Bundle, Content};
use sha2::{Digest as _, Sha256};

use super::entries::{self, Stored};
use super::error::ReconcileError;
use super::files::{self, BundleFile, BundleFiles, Strict};
use super::followed::Followed;
use super::line::{EntryPlace, Kind, Line, LineType};
use super::model;
use super::remote;
use super::signings::Explained;
use super::trusted::Verified;
use super::world::{Question, World, is_selected};
use crate::expect::Expectation;
use crate::store::StoreError;

/// How often progress is reported, in files.
const STEP: u64 = 16;

/// Leaf hashes that the store is asked for at once.
const ASKED: usize = 2_000;

/// All bundles of a question.
pub(super) struct Bundles {
    checked: Vec<Checked>,
    /// Lines that are about no bundle that could be read.
    unreadable: Vec<Line>,
}

/// What was found out about one bundle.
struct Checked {
    /// As it was named.
    shown: String,
    /// As it is recorded.
    file: String,
    /// The model that was compared.
    model: Option<String>,
    /// What is not as it should be. Nothing: all agrees.
    problems: Vec<Line>,
    /// If it verifies.
    verified: Option<Verified>,
    /// Whether its method has a log.
    is_logged: bool,
    /// Whether a watch selects its signer, or the user trusts its key or certificate.
    is_ours: bool,
    entry: Option<EntryPlace>,
    /// Of a model signature: its root digests, SHA-256 in hex.
    roots: BTreeSet<String>,
}

impl Bundles {
    /// Reads and verifies all bundles, and compares the models.
    pub(super) fn read(
        question: &Question,
        world: &World<'_>,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Self, ReconcileError> {
        let listed = BundleFiles::find(&question.paths)?;
        let mut bundles = Self {
            checked: Vec::new(),
            unreadable: listed
                .problems
                .iter()
                .map(|(path, why)| Line {
                    bundle: Some(path.clone()),
                    ..Line::new(Kind::Unreadable, why.clone())
                })
                .collect(),
        };
        let (in_directory, signatures) = (listed.by_directory(), listed.ordered());
        let mut known = HashMap::new();
        let of = listed.files.len() as u64;
        for (file, done) in listed.files.iter().zip(0..) {
            if done % STEP == 0 {
                progress(done, of);
            }
            let directory = file.path.parent().unwrap_or(Path::new(""));
            let is_alone = in_directory.get(directory) == Some(&1);
            for item in files::read(file) {
                let shown = placed(&file.path.display().to_string(), item.place.as_deref());
                let bundle = match item.bundle {
                    Ok(bundle) => bundle,
                    Err(why) => {
                        bundles.unreadable.push(Line {
                            bundle: Some(shown),
                            ..Line::new(Kind::Unreadable, why)
                        });
                        continue;
                    }
                };
                let mut checked = Checked::of(&bundle, item.strict.as_ref(), world);
                if let Some(first) = known.insert(signing_of(&bundle), shown.clone()) {
                    let why = format!("the same signing is in {first}");
                    checked
                        .problems
                        .push(Line::new(Kind::BundleDuplicated, why));
                    // The first one stays the one that others are compared with.
                    known.insert(signing_of(&bundle), first);
                }
                if !question.no_models {
                    checked.compare_model(file, &bundle, is_alone, &signatures);
                }
                // It may have a million files.
                if let Some(verified) = &mut checked.verified {
                    verified.statement = None;
                }
                let absolute =
                    std::path::absolute(&file.path).unwrap_or_else(|_| file.path.clone());
                checked.file = placed(&absolute.display().to_string(), item.place.as_deref());
                checked.shown = shown;
                bundles.checked.push(checked);
            }
        }
        progress(of, of);
        Ok(bundles)
    }

    /// Looks up what each bundle names, in the store and, where that does not have it, in the log.
    pub(super) async fn check_entries(
        &mut self,
        world: &World<'_>,
        followed: &mut Followed<'_>,
    ) -> Result<(), StoreError> {
        let verified = self
            .checked
            .iter()
            .filter_map(|checked| checked.verified.as_ref());
        let leaves: Vec<String> = verified
            .flat_map(|verified| verified.leaves.clone())
            .collect();
        let mut stored = Stored::new();
        for group in leaves.chunks(ASKED) {
            for signing in world.store.signings_of_leaves(group).await? {
                stored
                    .entry(signing.leaf_hash.clone())
                    .or_default()
                    .push(signing);
            }
        }
        for checked in &mut self.checked {
            let Some(verified) = &checked.verified else {
                continue;
            };
            if !checked.is_logged {
                continue;
            }
            match entries::check(verified, &stored, followed).await {
                Ok(place) => checked.entry = Some(place),
                Err(line) => {
                    checked.entry.clone_from(&line.entry);
                    checked.problems.push(line);
                }
            }
        }
        self.judge_strangers();
        Ok(())
    }

    /// What bundles by identities that no watch selects are: another's signature of a model of ours, or of no known signer.
    fn judge_strangers(&mut self) {
        let mut ours: BTreeMap<String, String> = BTreeMap::new();
        for checked in self.checked.iter().filter(|checked| checked.is_ours) {
            for root in &checked.roots {
                ours.entry(root.clone())
                    .or_insert_with(|| checked.shown.clone());
            }
        }
        for checked in &mut self.checked {
            let Some(verified) = &checked.verified else {
                continue;
            };
            if checked.is_ours {
                continue;
            }
            let same = checked.roots.iter().find_map(|root| ours.get(root));
            checked.problems.push(match same {
                Some(other) => Line::new(
                    Kind::SameModelOtherIdentity,
                    format!(
                        "{} signed the same model as {other}, and no watch selects that identity",
                        verified.who
                    ),
                ),
                None => Line::new(
                    Kind::NoTrust,
                    format!(
                        "it verifies as signed by {}, and no watch selects that identity: `modelwatch watch suggest` writes one",
                        verified.who
                    ),
                ),
            });
        }
    }

    /// Asks the search index of Rekor v1 who else signed the models.
    pub(super) async fn ask_the_index(&mut self, world: &World<'_>, followed: &mut Followed<'_>) {
        let mut models: BTreeMap<&BTreeSet<String>, Vec<&Checked>> = BTreeMap::new();
        for checked in &self.checked {
            if checked.is_ours && !checked.roots.is_empty() && checked.verified.is_some() {
                models.entry(&checked.roots).or_default().push(checked);
            }
        }
        let mut found = Vec::new();
        for (roots, of_model) in models {
            let verified = || {
                of_model
                    .iter()
                    .filter_map(|checked| checked.verified.as_ref())
            };
            let leaves: BTreeSet<String> =
                verified().flat_map(|v| v.leaves.iter().cloned()).collect();
            let Some(first) = of_model.first() else {
                continue;
            };
            let model = remote::Model {
                roots,
                leaves: &leaves,
                bundle: &first.shown,
                directory: first.model.as_deref(),
            };
            found.extend(remote::ask(&model, followed, world.rules).await);
        }
        self.unreadable.extend(found);
    }

    /// The signings that the bundles explain, and what may be registered of them.
    pub(super) fn explained(&self) -> (Explained, Vec<(String, Expectation)>) {
        let mut explained = Explained::default();
        let mut agreed = Vec::new();
        for checked in &self.checked {
            let Some(verified) = &checked.verified else {
                continue;
            };
            match &verified.expectation {
                Some(expectation) => explained.add(expectation),
                None => explained.add_leaves(&verified.leaves),
            }
            if let (true, Some(expectation)) = (checked.problems.is_empty(), &verified.expectation)
            {
                agreed.push((checked.file.clone(), expectation.clone()));
            }
        }
        (explained, agreed)
    }

    /// The lines, in the order of the files.
    pub(super) fn into_lines(self) -> impl Iterator<Item = Line> {
        let checked = self.checked.into_iter().flat_map(Checked::into_lines);
        checked.chain(self.unreadable)
    }
}

impl Checked {
    fn of(bundle: &Bundle, strict: Option<&Strict>, world: &World<'_>) -> Self {
        let mut checked = Self {
            shown: String::new(),
            file: String::new(),
            model: None,
            problems: Vec::new(),
            verified: None,
            is_logged: true,
            is_ours: true,
            entry: None,
            roots: BTreeSet::new(),
        };
        match world.trusted.verify(bundle, strict) {
            Ok(verified) => {
                checked.is_logged = !bundle.tlog_entries().is_empty();
                if let Some(signer) = &verified.signer {
                    checked.is_ours = is_selected(signer, world.rules);
                }
                if let Some(statement) = &verified.statement {
                    let manifest = &statement.manifest;
                    let roots = [
                        statement.root(),
                        manifest.root(),
                        manifest.root_path_order(),
                    ];
                    checked.roots = roots.iter().map(ToString::to_string).collect();
                }
                checked.verified = Some(verified);
            }
            Err(refusal) => checked.problems.push(Line::new(refusal.kind, refusal.why)),
        }
        checked
    }

    /// Compares the model beside a bundle that verifies: of another one nothing in it counts.
    fn compare_model(
        &mut self,
        file: &BundleFile,
        bundle: &Bundle,
        is_alone: bool,
        signatures: &BTreeSet<&Path>,
    ) {
        let Some(verified) = &self.verified else {
            return;
        };
        let statement = verified.statement.as_ref();
        let Some(path) = model::beside(file, bundle, is_alone, statement) else {
            return;
        };
        let compared = match statement {
            Some(statement) => Some(model::compare(&path, statement, &file.path, signatures)),
            None => model::compare_file(&path, bundle),
        };
        let Some(compared) = compared else {
            return;
        };
        self.model = Some(shown_path(&path));
        if let Err(problem) = compared {
            self.problems.push(Line {
                files: problem.files,
                ..Line::new(problem.kind, problem.why)
            });
        }
    }

    fn into_lines(self) -> Vec<Line> {
        let mut lines = self.problems;
        if lines.is_empty() {
            let who = self
                .verified
                .as_ref()
                .map_or("", |verified| verified.who.as_str());
            let beside = match &self.model {
                Some(_) => "; the model is what was signed",
                None => "; no model was compared",
            };
            lines.push(match &self.entry {
                Some(place) => Line::agreed(format!(
                    "signed by {who}; entry {} of {} is proven{beside}",
                    place.index, place.log
                )),
                None => Line::new(
                    Kind::NotLoggedByDesign,
                    format!("signed by {who}, which leaves no entry in a log{beside}"),
                ),
            });
        }
        for line in &mut lines {
            line.bundle = Some(self.shown.clone());
            line.model.clone_from(&self.model);
            if line.entry.is_none() {
                line.entry.clone_from(&self.entry);
            }
            debug_assert!(
                line.line_type != LineType::Agreed || line.kind.is_some() || line.entry.is_some()
            );
        }
        lines
    }
}

/// What is the same in two files with the same signing: certificate or key, and what was signed.
fn signing_of(bundle: &Bundle) -> [u8; 32] {
    let mut hash = Sha256::new();
    let mut part = |bytes: &[u8]| {
        hash.update((bytes.len() as u64).to_be_bytes());
        hash.update(bytes);
    };
    part(bundle.leaf_certificate().unwrap_or_default());
    match bundle.content() {
        Content::Dsse(envelope) => {
            part(envelope.payload_type.as_bytes());
            part(&envelope.payload);
            for signature in &envelope.signatures {
                part(&signature.sig);
            }
        }
        Content::Message {
            digest, signature, ..
        } => {
            part(digest);
            part(signature);
        }
    }
    hash.finalize().into()
}

fn placed(file: &str, place: Option<&str>) -> String {
    place.map_or_else(|| file.to_owned(), |place| format!("{file} ({place})"))
}

fn shown_path(path: &Path) -> String {
    if path.as_os_str().is_empty() {
        ".".to_owned()
    } else {
        path.display().to_string()
    }
}
