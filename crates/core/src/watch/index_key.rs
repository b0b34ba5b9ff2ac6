//! Anchors: the value under which a watch is indexed, chosen so that few watches share it.
//!
//! Every signing that a watch selects holds at least one of the watch's anchors, so a signing that holds none of
//! them needs no look at the watch.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};

use super::part::Part;
use super::{Conditions, Watch};
use crate::identity::Extension;

/// Something that a signing holds or does not hold, found without looking at the watches one by one.
///
/// The order of the variants is that of preference among equally rare ones.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum IndexKey {
    /// SHA-256 of the key.
    Key([u8; 32]),
    /// SHA-256 of the certificate.
    Certificate([u8; 32]),
    /// A whole SAN in ASCII lower case.
    San(String),
    /// One value of an extension.
    Extension(Extension, String),
    /// A text that a SAN begins with, in ASCII lower case.
    Beginning(String),
    /// A text within a SAN in ASCII lower case.
    Literal(String),
    /// A text within the value of an extension in ASCII lower case.
    ExtensionLiteral(Extension, String),
    /// The OIDC issuer.
    Issuer(String),
}

impl IndexKey {
    const fn rank(&self) -> u8 {
        match self {
            Self::Key(_) | Self::Certificate(_) => 0,
            Self::San(_) => 1,
            Self::Extension(..) => 2,
            Self::Beginning(_) | Self::Literal(_) | Self::ExtensionLiteral(..) => 3,
            Self::Issuer(_) => 4,
        }
    }

    /// Its text in a certificate, except for case.
    fn text(&self) -> Option<&str> {
        match self {
            Self::Key(_) | Self::Certificate(_) => None,
            Self::San(text)
            | Self::Extension(_, text)
            | Self::Beginning(text)
            | Self::Literal(text)
            | Self::ExtensionLiteral(_, text)
            | Self::Issuer(text) => Some(text),
        }
    }

    fn len(&self) -> usize {
        self.text().map_or(usize::MAX, str::len)
    }
}

/// Anchors of which at least one is there if the value matches.
type Any = Vec<IndexKey>;

/// One condition as index keys: for each of its values, the sets that could represent the value.
struct Choice {
    values: Vec<Vec<Any>>,
}

impl Choice {
    fn of(part: Part<'_>) -> Self {
        let single = |index_key: IndexKey| vec![vec![index_key]];
        let values = match part {
            Part::Key(digests) => digests.iter().map(|d| single(IndexKey::Key(*d))).collect(),
            Part::Certificate(digests) => digests
                .iter()
                .map(|digest| single(IndexKey::Certificate(*digest)))
                .collect(),
            Part::San(values) => values
                .iter()
                .map(|value| single(IndexKey::San(value.to_ascii_lowercase())))
                .collect(),
            Part::Extension(extension, values) => values
                .iter()
                .map(|value| single(IndexKey::Extension(extension, value.clone())))
                .collect(),
            Part::Issuer(values) => values
                .iter()
                .map(|value| single(IndexKey::Issuer(value.clone())))
                .collect(),
            Part::SanGlob(globs) => globs
                .iter()
                .map(|glob| {
                    let beginning = glob.beginning().map(str::to_owned);
                    let is_beginning = beginning.is_some();
                    let beginning = beginning.map(IndexKey::Beginning);
                    let others = glob.literals().skip(usize::from(is_beginning));
                    let others = others.map(|piece| IndexKey::Literal(piece.to_owned()));
                    beginning
                        .into_iter()
                        .chain(others)
                        .map(|key| vec![key])
                        .collect()
                })
                .collect(),
            Part::ExtensionGlob(extension, globs) => globs
                .iter()
                .map(|glob| {
                    glob.literals()
                        .map(|piece| vec![IndexKey::ExtensionLiteral(extension, piece.to_owned())])
                        .collect()
                })
                .collect(),
            Part::SanRegex(regexes) => regexes
                .iter()
                .map(|regex| {
                    let literals = |set: &Vec<String>| -> Any {
                        set.iter().cloned().map(IndexKey::Literal).collect()
                    };
                    regex.required().iter().map(literals).collect()
                })
                .collect(),
        };
        Self { values }
    }

    /// The anchors that cost least by `cost`, one set for each value; `None` if a value has none.
    fn best<C: Ord>(&self, cost: impl Fn(&Any) -> C) -> Option<Any> {
        let mut chosen = Vec::new();
        for sets in &self.values {
            chosen.extend(sets.iter().min_by_key(|set| cost(set))?.iter().cloned());
        }
        Some(chosen)
    }
}

/// The conditions of one way to be selected, as anchors.
struct Alternative {
    choices: Vec<Choice>,
}

fn alternatives(watch: &Watch) -> Vec<Alternative> {
    let of = |extra: Option<&Conditions>| Alternative {
        choices: watch
            .conditions
            .parts()
            .chain(extra.into_iter().flat_map(Conditions::parts))
            .map(Choice::of)
            .collect(),
    };
    if watch.any.is_empty() {
        return vec![of(None)];
    }
    watch.any.iter().map(|set| of(Some(set))).collect()
}

/// The anchors of each watch, in the order of the watches; `None` for a watch that has to be compared every time.
pub(super) fn choose(watches: &[Watch]) -> Vec<Option<Vec<IndexKey>>> {
    let all: Vec<Vec<Alternative>> = watches.iter().map(alternatives).collect();
    let mut sharing: HashMap<&IndexKey, usize> = HashMap::new();
    for watch in &all {
        let own: HashSet<&IndexKey> = watch
            .iter()
            .flat_map(|alternative| &alternative.choices)
            .flat_map(|choice| choice.values.iter().flatten().flatten())
            .collect();
        for index_key in own {
            *sharing.entry(index_key).or_default() += 1;
        }
    }
    let cost = |set: &Any| {
        (
            set.iter().map(|index_key| sharing[index_key]).max(),
            set.iter().map(IndexKey::rank).max(),
            Reverse(set.iter().map(IndexKey::len).min()),
        )
    };
    all.iter()
        .map(|watch| {
            let mut index_keys = Vec::new();
            for alternative in watch {
                index_keys.extend(
                    alternative
                        .choices
                        .iter()
                        .filter_map(|choice| choice.best(cost))
                        .min_by_key(|chosen| cost(chosen))?,
                );
            }
            index_keys.sort_unstable();
            index_keys.dedup();
            Some(index_keys)
        })
        .collect()
}

/// Texts of which at least one occurs in the bytes of every certificate that the watch selects: the most specific ones,
/// for a leaf that cannot be parsed. Empty for a watch by digests alone.
pub(super) fn traces(watch: &Watch) -> Vec<String> {
    let cost = |set: &Any| {
        (
            set.iter()
                .any(|index_key| matches!(index_key, IndexKey::Issuer(_))),
            Reverse(set.iter().map(IndexKey::len).min()),
        )
    };
    let mut texts = Vec::new();
    for alternative in alternatives(watch) {
        let specific = alternative
            .choices
            .iter()
            .filter_map(|choice| choice.best(cost))
            .filter(|chosen| {
                chosen
                    .iter()
                    .all(|index_key| index_key.text().is_some_and(|t| !t.is_empty()))
            })
            .min_by_key(|chosen| cost(chosen));
        texts.extend(
            specific
                .into_iter()
                .flatten()
                .filter_map(|index_key| index_key.text().map(str::to_ascii_lowercase)),
        );
    }
    texts.sort_unstable();
    texts.dedup();
    texts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::testing::{conditions, watch};

    #[test]
    fn a_watch_is_indexed_under_what_fewest_others_share() {
        let watches = [
            watch(
                "a",
                conditions().glob("https://h/one/*@refs/tags/*").issuer("i"),
            ),
            watch(
                "b",
                conditions().glob("https://h/two/*@refs/tags/*").issuer("i"),
            ),
            watch(
                "c",
                conditions().glob("https://h/two/*").san("X@y").issuer("i"),
            ),
            watch("d", conditions().issuer("i").regex("(a|b).*")),
            watch("e", conditions().regex(".*")),
            watch("f", conditions().glob("*")),
        ];
        let beginning = |text: &str| Some(vec![IndexKey::Beginning(text.to_owned())]);
        let chosen = choose(&watches);
        assert_eq!(chosen[0], beginning("https://h/one/"));
        // Both pieces are shared by two; the longer one occurs less often.
        assert_eq!(chosen[1], beginning("https://h/two/"));
        assert_eq!(chosen[2], Some(vec![IndexKey::San("x@y".to_owned())]));
        assert_eq!(chosen[3], Some(vec![IndexKey::Issuer("i".to_owned())]));
        assert_eq!(chosen[4], None);
        assert_eq!(chosen[5], None);
    }

    #[test]
    fn every_alternative_and_every_value_has_its_anchor() {
        let mut either = watch("a", conditions().issuer("i"));
        either.any = vec![
            conditions().san("x").san("y").build(),
            conditions().regex("(red|blue)-team").build(),
        ];
        let chosen = choose(&[either]).remove(0).expect("anchored");
        let issuer = IndexKey::Issuer("i".to_owned());
        assert!(!chosen.contains(&issuer), "{chosen:?}");
        assert_eq!(chosen.len(), 3, "{chosen:?}");
    }

    #[test]
    fn the_traces_of_a_watch_are_its_longest_texts_and_the_issuer_only_for_want_of_others() {
        let traces_of = |c: crate::watch::testing::Builder| traces(&watch("w", c));
        assert_eq!(
            traces_of(
                conditions()
                    .glob("https://H/o/*@refs/*")
                    .issuer("https://a-long-issuer")
            ),
            ["https://h/o/"]
        );
        assert_eq!(traces_of(conditions().issuer("https://I")), ["https://i"]);
        assert!(traces_of(conditions().key([7; 32])).is_empty());
    }
}
