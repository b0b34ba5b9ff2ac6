//! Made-up signers for a watch: some that it must select, and near misses that it must not.
//!
//! If the issuer is known, the signer has the form of a real certificate of that issuer; if no such certificate matches
//! the watch, there is none. Otherwise it is made from the watch itself.
//!
//! The expected result of each is computed from the conditions themselves, value by value, without the index of
//! [`Watches`](super::Watches): so the two can be compared.

use std::collections::{BTreeMap, BTreeSet};

use regex_syntax::hir::{Class, Hir, HirKind};

use super::forms::{Forms, Reading};
use super::issued::{self, Asked, Issued};
use super::{Conditions, Glob, SanRegex, Watch};
use crate::identity::Extension;

/// Number of values of a condition that are tried; the others are similar.
const MAX_VALUES: usize = 16;

/// The replacement of a `*`.
const FILLING: &str = "drill";

/// Longest text that is generated for an expression.
const MAX_TEXT_BYTES: usize = 1024;

/// A signer with names as in a certificate, and the expected result of a watch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// Its names.
    pub sans: Vec<String>,
    /// Fulcio's extensions, the issuer among them.
    pub extensions: BTreeMap<Extension, String>,
    /// What kind of example it is, in a few words.
    pub what: String,
    /// Whether the watch has to select it.
    pub selected: bool,
    /// Whether it then is in shape; `None` without a shape.
    pub in_shape: Option<bool>,
}

/// The examples of one watch, and what there can be none of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Samples {
    /// What can be made up.
    pub cases: Vec<Sample>,
    /// Parts of the watch for which no sample can be made, with the reasons.
    pub beyond: Vec<String>,
    /// Parts of the watch that no certificate can meet, and why not.
    pub impossible: Vec<String>,
}

const BY_DIGEST: &str = "a key or certificate cannot be made for a given hash: `modelwatch check watch` compares a real one";
const BY_REGEX: &str =
    "no name could be generated for a san_regex: `modelwatch check watch` compares a real one";
const CONTRADICTION: &str =
    "conditions that exclude each other: no certificate can satisfy all of them";
const OUT_OF_SHAPE: &str = "no signing in shape could be generated; if none can exist, every release will alert as critical";

/// Examples of what this watch has to select and what not.
pub fn samples(watch: &Watch, forms: &Forms) -> Samples {
    let mut made = Samples::default();
    let everything = Conditions::default();
    let alternatives: Vec<&Conditions> = if watch.any.is_empty() {
        vec![&everything]
    } else {
        watch.any.iter().collect()
    };
    let asked = asked(watch);
    for alternative in &alternatives {
        let hits = match hits(watch, alternative, forms, &mut made) {
            Ok(hits) => hits,
            Err(Nothing::Impossible(why)) => {
                made.impossible.push(why);
                continue;
            }
            Err(Nothing::Beyond(why)) => {
                made.beyond.push(why.to_owned());
                continue;
            }
        };
        for (place, hit) in hits.into_iter().enumerate() {
            if !selects(watch, &hit) {
                made.impossible.push(CONTRADICTION.to_owned());
                continue;
            }
            if place == 0 {
                for miss in neighbours(&hit, &asked).filter(|miss| !selects(watch, miss)) {
                    made.push(watch, miss);
                }
            }
            made.push(watch, hit);
        }
    }
    if let Some(shape) = &watch.shape
        && made.cases.iter().any(|case| case.selected)
    {
        match in_shape(watch, &alternatives, shape, forms) {
            Ok(good) => {
                let odd = neighbours(&good, &asked)
                    .filter(|odd| selects(watch, odd) && !fits(shape, odd));
                for odd in odd.take(MAX_VALUES) {
                    made.push(watch, odd);
                }
                made.push(watch, good);
            }
            Err(why) => made.beyond.push(why),
        }
    }
    made.beyond.dedup();
    made.impossible.dedup();
    made
}

/// The extensions in a watch's conditions, and the issuer.
fn asked(watch: &Watch) -> BTreeSet<Extension> {
    let sets = watch.any.iter().chain(&watch.shape);
    sets.chain([&watch.conditions])
        .flat_map(|set| set.extension.keys().chain(set.extension_glob.keys()))
        .copied()
        .chain([Extension::Issuer])
        .collect()
}

/// The samples that one alternative must select. An impossible value among others is reported in `made`.
fn hits(
    watch: &Watch,
    alternative: &Conditions,
    forms: &Forms,
    made: &mut Samples,
) -> Result<Vec<Sample>, Nothing> {
    let own = &watch.conditions;
    if own.names_key() || alternative.names_key() {
        return Err(Nothing::Beyond(BY_DIGEST));
    }
    let issued = |sets: &[Asked<'_>]| issued::issued(sets, forms);
    match issued(&[(own, Reading::Select), (alternative, Reading::Select)]) {
        Ok(first) => {
            let mut hits = vec![as_issued(first, "")];
            for (own, alternative) in others(own, alternative) {
                match issued(&[(&own, Reading::Select), (&alternative, Reading::Select)]) {
                    Ok(other) => hits.push(as_issued(other, ", by another value that it lists")),
                    Err(issued::Nothing::Never { why, .. }) => made.impossible.push(why),
                    Err(_) => {}
                }
            }
            Ok(hits)
        }
        Err(issued::Nothing::Never { why, .. }) => Err(Nothing::Impossible(why)),
        // Only the watch itself is known.
        Err(_) => Ok(Wanted::of(&[own, alternative])?.samples()),
    }
}

fn as_issued(issued: Issued, how: &str) -> Sample {
    Sample {
        what: format!("as {} issues it{how}", issued.provider.name()),
        sans: vec![issued.san],
        extensions: issued.extensions,
        selected: true,
        in_shape: None,
    }
}

/// Both sets, with each list of one of them cut down to one of its further values.
fn others(own: &Conditions, alternative: &Conditions) -> Vec<(Conditions, Conditions)> {
    let of_own = single(own).into_iter();
    let of_own = of_own.map(|own| (own, alternative.clone()));
    let of_alternative = single(alternative).into_iter();
    of_own
        .chain(of_alternative.map(|alternative| (own.clone(), alternative)))
        .collect()
}

/// The set with each of its lists cut down to one of the values after the first.
fn single(set: &Conditions) -> Vec<Conditions> {
    let mut cut = Vec::new();
    let mut with = |change: &dyn Fn(&mut Conditions)| {
        let mut changed = set.clone();
        change(&mut changed);
        cut.push(changed);
    };
    for san in set.san.iter().skip(1).take(MAX_VALUES) {
        with(&|set| set.san = vec![san.clone()]);
    }
    for glob in set.san_glob.iter().skip(1).take(MAX_VALUES) {
        with(&|set| set.san_glob = vec![glob.clone()]);
    }
    for regex in set.san_regex.iter().skip(1).take(MAX_VALUES) {
        with(&|set| set.san_regex = vec![regex.clone()]);
    }
    for issuer in set.issuer.iter().skip(1).take(MAX_VALUES) {
        with(&|set| set.issuer = vec![issuer.clone()]);
    }
    for (extension, values) in &set.extension {
        for value in values.iter().skip(1).take(MAX_VALUES) {
            with(&|set| {
                set.extension.insert(*extension, vec![value.clone()]);
            });
        }
    }
    for (extension, globs) in &set.extension_glob {
        for glob in globs.iter().skip(1).take(MAX_VALUES) {
            with(&|set| {
                set.extension_glob.insert(*extension, vec![glob.clone()]);
            });
        }
    }
    cut
}

impl Samples {
    fn push(&mut self, watch: &Watch, mut sample: Sample) {
        sample.selected = selects(watch, &sample);
        sample.in_shape = match &watch.shape {
            Some(shape) if sample.selected => Some(fits(shape, &sample)),
            _ => None,
        };
        self.cases.push(sample);
    }
}

/// Why there is no sample.
enum Nothing {
    Impossible(String),
    Beyond(&'static str),
}

/// The conditions of several sets together.
struct Wanted {
    /// Of each list, one name.
    names: Vec<Vec<String>>,
    /// Of each extension, one of these values.
    extensions: BTreeMap<Extension, Vec<String>>,
}

impl Wanted {
    fn of(sets: &[&Conditions]) -> Result<Self, Nothing> {
        let mut wanted = Self {
            names: Vec::new(),
            extensions: BTreeMap::new(),
        };
        for set in sets {
            let globs = set.san_glob.iter().map(filled).collect();
            let regexes: Vec<String> = set.san_regex.iter().filter_map(matching).collect();
            if regexes.is_empty() && !set.san_regex.is_empty() {
                return Err(Nothing::Beyond(BY_REGEX));
            }
            wanted.names.extend([set.san.clone(), globs, regexes]);
            let issuers = (!set.issuer.is_empty()).then_some((&Extension::Issuer, &set.issuer));
            for (extension, values) in issuers.into_iter().chain(&set.extension) {
                let allowed = wanted
                    .extensions
                    .entry(*extension)
                    .or_insert_with(|| values.clone());
                allowed.retain(|value| values.contains(value));
                if allowed.is_empty() {
                    return Err(Nothing::Impossible(CONTRADICTION.to_owned()));
                }
            }
        }
        for (extension, globs) in sets.iter().flat_map(|set| &set.extension_glob) {
            let allowed = wanted
                .extensions
                .entry(*extension)
                .or_insert_with(|| globs.iter().map(filled).collect());
            allowed.retain(|value| {
                globs
                    .iter()
                    .any(|glob| glob.matches_folded(&value.to_ascii_lowercase()))
            });
            if allowed.is_empty() {
                return Err(Nothing::Impossible(CONTRADICTION.to_owned()));
            }
        }
        wanted.names.retain(|names| !names.is_empty());
        Ok(wanted)
    }

    /// One example with the first value of everything, then one for each other value.
    fn samples(&self) -> Vec<Sample> {
        let first = |what: &str| Sample {
            sans: self
                .names
                .iter()
                .filter_map(|n| n.first().cloned())
                .collect(),
            extensions: self
                .extensions
                .iter()
                .filter_map(|(extension, values)| Some((*extension, values.first()?.clone())))
                .collect(),
            what: what.to_owned(),
            selected: true,
            in_shape: None,
        };
        let mut samples = vec![first("the signings that it describes")];
        for (place, names) in self.names.iter().enumerate() {
            for name in names.iter().skip(1).take(MAX_VALUES) {
                let mut sample = first("another name that it lists");
                if let Some(san) = sample.sans.get_mut(place) {
                    san.clone_from(name);
                }
                samples.push(sample);
            }
        }
        for (extension, values) in &self.extensions {
            for value in values.iter().skip(1).take(MAX_VALUES) {
                let mut sample = first("another value that it lists");
                sample.extensions.insert(*extension, value.clone());
                samples.push(sample);
            }
        }
        samples
    }
}

/// A signing in shape that the watch selects, or why there is none.
fn in_shape(
    watch: &Watch,
    alternatives: &[&Conditions],
    shape: &Conditions,
    forms: &Forms,
) -> Result<Sample, String> {
    let mut never = None;
    for alternative in alternatives {
        let sets = [
            (&watch.conditions, Reading::Select),
            (*alternative, Reading::Select),
            (shape, Reading::Shape),
        ];
        if sets.iter().any(|(set, _)| set.names_key()) {
            continue;
        }
        match issued::issued(&sets, forms) {
            Ok(issued) => {
                let good = as_issued(issued, ", in shape");
                if selects(watch, &good) && fits(shape, &good) {
                    return Ok(good);
                }
            }
            Err(issued::Nothing::Never { why, .. }) => {
                never.get_or_insert(why);
                continue;
            }
            Err(_) => {}
        }
        if let Some(good) = made_up_in_shape(watch, alternative, shape) {
            return Ok(good);
        }
    }
    Err(match never {
        Some(why) => format!("{OUT_OF_SHAPE}: {why}"),
        None => OUT_OF_SHAPE.to_owned(),
    })
}

fn made_up_in_shape(watch: &Watch, alternative: &Conditions, shape: &Conditions) -> Option<Sample> {
    let wanted = Wanted::of(&[&watch.conditions, alternative, shape]).ok()?;
    // Every name has to fit the shape, so there is only one.
    let mut sample = wanted.samples().into_iter().next()?;
    "in shape".clone_into(&mut sample.what);
    if wanted.names.is_empty() {
        return Some(sample);
    }
    wanted.names.iter().flatten().find_map(|name| {
        sample.sans = vec![name.clone()];
        (selects(watch, &sample) && fits(shape, &sample)).then(|| sample.clone())
    })
}

/// Signers that differ from this one in one property.
fn neighbours(of: &Sample, asked: &BTreeSet<Extension>) -> impl Iterator<Item = Sample> {
    let with = |what: String, change: &dyn Fn(&mut Sample)| {
        let mut changed = of.clone();
        changed.what = what;
        change(&mut changed);
        changed
    };
    let mut near = Vec::new();
    for (place, san) in of.sans.iter().enumerate() {
        for other in misspelt(san) {
            near.push(with("one character of its name is another".into(), &|e| {
                if let Some(san) = e.sans.get_mut(place) {
                    san.clone_from(&other);
                }
            }));
        }
        near.push(with("its name is longer".into(), &|e| {
            e.sans
                .iter_mut()
                .skip(place)
                .take(1)
                .for_each(|san| san.push_str(".example"));
        }));
        near.push(with("without its name".into(), &|e| {
            e.sans.remove(place);
        }));
    }
    let extensions = of.extensions.iter();
    for (extension, value) in extensions.filter(|(extension, _)| asked.contains(extension)) {
        for other in misspelt(value) {
            near.push(with(format!("another {extension}"), &|e| {
                e.extensions.insert(*extension, other.clone());
            }));
        }
        near.push(with(format!("without {extension}"), &|e| {
            e.extensions.remove(extension);
        }));
    }
    near.push(with("another signer".into(), &|e| {
        e.sans = vec!["https://drill.invalid/somebody/else".to_owned()];
        e.extensions = BTreeMap::from([(Extension::Issuer, "https://drill.invalid".to_owned())]);
    }));
    near.into_iter()
}

/// The text with another letter or digit at its first, middle and last place that has one.
fn misspelt(text: &str) -> Vec<String> {
    let places: Vec<(usize, char)> = text
        .char_indices()
        .filter(|(_, character)| character.is_ascii_alphanumeric())
        .collect();
    let mut chosen = vec![0, places.len() / 2, places.len().saturating_sub(1)];
    chosen.dedup();
    chosen
        .into_iter()
        .filter_map(|place| {
            let (at, character) = *places.get(place)?;
            // Neither the same in another case, nor of another class than a pattern would expect.
            let other = match character {
                '0'..='8' => (u8::try_from(character).ok()? + 1) as char,
                '9' => '0',
                'z' => 'a',
                'Z' => 'A',
                letter => (u8::try_from(letter).ok()? + 1) as char,
            };
            let (before, after) = (text.get(..at)?, text.get(at + 1..)?);
            Some(format!("{before}{other}{after}"))
        })
        .collect()
}

fn filled(glob: &Glob) -> String {
    glob.as_str().replace('*', FILLING)
}

/// A text that the expression matches: the first alternative, the fewest repetitions.
fn matching(regex: &SanRegex) -> Option<String> {
    let parsed = regex_syntax::parse(regex.as_str()).ok()?;
    let mut text = String::new();
    write(&parsed, &mut text)?;
    regex.matches(&text).then_some(text)
}

/// The recursion is bounded by the parser's nesting limit.
fn write(hir: &Hir, text: &mut String) -> Option<()> {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => {}
        HirKind::Literal(literal) => text.push_str(std::str::from_utf8(&literal.0).ok()?),
        HirKind::Class(Class::Unicode(class)) => {
            let plain = ('a'..='z')
                .chain('0'..='9')
                .chain('!'..='~')
                .find(|letter| {
                    class
                        .iter()
                        .any(|range| (range.start()..=range.end()).contains(letter))
                });
            text.push(plain.or_else(|| Some(class.iter().next()?.start()))?);
        }
        HirKind::Class(Class::Bytes(_)) => return None,
        HirKind::Repetition(repetition) => {
            for _ in 0..repetition.min {
                write(&repetition.sub, text)?;
                if text.len() > MAX_TEXT_BYTES {
                    return None;
                }
            }
        }
        HirKind::Capture(capture) => write(&capture.sub, text)?,
        HirKind::Concat(parts) => {
            for part in parts {
                write(part, text)?;
            }
        }
        HirKind::Alternation(branches) => write(branches.first()?, text)?,
    }
    (text.len() <= MAX_TEXT_BYTES).then_some(())
}

/// The literal meaning of the watch.
fn selects(watch: &Watch, sample: &Sample) -> bool {
    holds(&watch.conditions, sample)
        && (watch.any.is_empty() || watch.any.iter().any(|set| holds(set, sample)))
}

fn holds(set: &Conditions, sample: &Sample) -> bool {
    let any_name = |fits: &dyn Fn(&str) -> bool| sample.sans.iter().any(|san| fits(san));
    let folded = |glob: &Glob| Glob::new(&glob.as_str().to_ascii_lowercase());
    !set.names_key()
        && (set.san.is_empty()
            || any_name(&|name| set.san.iter().any(|san| san.eq_ignore_ascii_case(name))))
        && (set.san_glob.is_empty()
            || any_name(&|name| {
                let name = name.to_ascii_lowercase();
                set.san_glob.iter().any(|glob| folded(glob).matches(&name))
            }))
        && (set.san_regex.is_empty()
            || any_name(&|name| set.san_regex.iter().any(|regex| regex.matches(name))))
        && extensions_hold(set, sample)
        && set.extension_glob.iter().all(|(extension, globs)| {
            sample.extensions.get(extension).is_some_and(|value| {
                let value = value.to_ascii_lowercase();
                globs.iter().any(|glob| folded(glob).matches(&value))
            })
        })
}

fn fits(shape: &Conditions, sample: &Sample) -> bool {
    let every_name =
        |fits: &dyn Fn(&String) -> bool| !sample.sans.is_empty() && sample.sans.iter().all(fits);
    !shape.names_key()
        && (shape.san.is_empty() || every_name(&|name| shape.san.contains(name)))
        && (shape.san_glob.is_empty()
            || every_name(&|name| shape.san_glob.iter().any(|glob| glob.fits_shape(name))))
        && (shape.san_regex.is_empty()
            || every_name(&|name| shape.san_regex.iter().any(|regex| regex.matches(name))))
        && extensions_hold(shape, sample)
        && shape.extension_glob.iter().all(|(extension, globs)| {
            sample
                .extensions
                .get(extension)
                .is_some_and(|value| globs.iter().any(|glob| glob.fits_shape(value)))
        })
}

fn extensions_hold(set: &Conditions, sample: &Sample) -> bool {
    let one_of = |extension: &Extension, values: &Vec<String>| {
        sample
            .extensions
            .get(extension)
            .is_some_and(|value| values.contains(value))
    };
    (set.issuer.is_empty() || one_of(&Extension::Issuer, &set.issuer))
        && set
            .extension
            .iter()
            .all(|(extension, values)| one_of(extension, values))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::testing::{self, GITHUB, conditions};
    use crate::watch::{Match, Watches};

    /// The result of the compiled watch for a sample, in a realistic certificate.
    fn judged(watch: &Watch, sample: &Sample) -> Option<Match> {
        let sans: Vec<&str> = sample.sans.iter().map(String::as_str).collect();
        let extensions: Vec<(u64, &str)> = sample
            .extensions
            .iter()
            .map(|(extension, value)| (u64::from(extension.number()), value.as_str()))
            .collect();
        let signer = testing::signer(&sans, &extensions);
        let watches = Watches::compile(vec![watch.clone()]).expect("it compiles");
        let mut found = Vec::new();
        watches.matches(&signer, &mut found);
        found.pop()
    }

    fn usual() -> Vec<Watch> {
        let mut repository = testing::watch("repository", conditions());
        repository.any = vec![
            conditions()
                .extension(Extension::SourceRepositoryIdentifier, "77")
                .build(),
            conditions().glob("https://github.com/o/m/*").build(),
        ];
        repository.shape = Some(
            conditions()
                .issuer(GITHUB)
                .glob("https://github.com/o/m/.github/workflows/release.yml@refs/tags/*")
                .extension(Extension::SourceRepositoryIdentifier, "77")
                .build(),
        );
        vec![
            testing::watch(
                "mail",
                conditions()
                    .san("Jane@example.com")
                    .san("joe@example.com")
                    .issuer("https://a")
                    .issuer("https://b"),
            ),
            testing::watch(
                "glob",
                conditions()
                    .glob("https://github.com/o/*/x.yml@*")
                    .issuer(GITHUB),
            ),
            testing::watch(
                "regex",
                conditions().regex(r"https://h/(a|b)[0-9]{2,}\.yml@.+"),
            ),
            testing::watch("issuer", conditions().issuer(GITHUB)),
            repository,
        ]
    }

    #[test]
    fn the_compiled_watch_agrees_with_the_words_on_every_example() {
        for watch in usual() {
            let made = samples(&watch, &Forms::new());
            assert_eq!(
                (&made.beyond, &made.impossible),
                (&vec![], &vec![]),
                "{}",
                watch.name
            );
            for case in &made.cases {
                let found = judged(&watch, case);
                assert_eq!(found.is_some(), case.selected, "{}: {case:?}", watch.name);
                assert_eq!(
                    found.and_then(|f| f.in_shape),
                    case.in_shape,
                    "{}: {case:?}",
                    watch.name
                );
            }
            let count = |selected| {
                made.cases
                    .iter()
                    .filter(|case| case.selected == selected)
                    .count()
            };
            assert!(
                count(true) > 0 && count(false) > 0,
                "{}: {made:?}",
                watch.name
            );
        }
    }

    #[test]
    fn every_value_of_a_list_is_tried_and_each_condition_has_a_near_miss() {
        let made = samples(&usual()[0], &Forms::new());
        for san in ["Jane@example.com", "joe@example.com"] {
            assert!(
                made.cases
                    .iter()
                    .any(|case| case.selected && case.sans == [san])
            );
        }
        for what in [
            "one character of its name is another",
            "another issuer",
            "without issuer",
            "without its name",
        ] {
            assert!(
                made.cases
                    .iter()
                    .any(|case| !case.selected && case.what == what),
                "{what}"
            );
        }
    }

    #[test]
    fn a_shape_has_an_example_in_and_one_out_of_it() {
        let made = samples(&usual()[4], &Forms::new());
        for in_shape in [true, false] {
            assert!(
                made.cases
                    .iter()
                    .any(|case| case.in_shape == Some(in_shape)),
                "{in_shape}"
            );
        }
        let mut strange = usual().remove(0);
        strange.shape = Some(conditions().san("nobody@example.com").build());
        assert_eq!(samples(&strange, &Forms::new()).beyond, [OUT_OF_SHAPE]);
    }

    #[test]
    fn values_that_cannot_be_generated_or_cannot_occur_are_reported() {
        let key = testing::watch("key", conditions().key([7; 32]));
        assert_eq!(samples(&key, &Forms::new()).beyond, [BY_DIGEST]);
        let mut never = testing::watch("never", conditions().issuer("https://a"));
        never.any = vec![conditions().issuer("https://b").build()];
        let made = samples(&never, &Forms::new());
        assert_eq!((made.cases.len(), made.impossible.len()), (0, 1));
        let regex = testing::watch("regex", conditions().regex(r"a\bb"));
        assert_eq!(samples(&regex, &Forms::new()).beyond, [BY_REGEX]);
        let long = testing::watch("long", conditions().regex("(a{90}){90}"));
        assert_eq!(samples(&long, &Forms::new()).beyond, [BY_REGEX]);
    }

    #[test]
    fn a_name_is_misspelt_within_its_letters() {
        assert_eq!(misspelt("ab@c9"), ["bb@c9", "ab@d9", "ab@c0"]);
        assert!(misspelt("@é").is_empty());
    }
}
