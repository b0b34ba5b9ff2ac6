//! Texts that a name may begin with, found by one binary search whatever their number.
//!
//! Most globs spell out how a name begins: the forge, the owner, the repository. An automaton for so many long texts does not
//! fit into the processor's caches, and reads each name byte by byte.

use std::collections::BTreeMap;

/// Texts, each with the watches that look for it.
#[derive(Debug, Default)]
pub(super) struct Beginnings(Vec<Beginning>);

/// One text. All of them are in the order of their bytes.
#[derive(Debug)]
struct Beginning {
    text: Vec<u8>,
    watches: Vec<usize>,
    /// The place of the longest other text that this one begins with.
    shorter: Option<usize>,
}

impl Beginnings {
    pub(super) fn new(texts: impl IntoIterator<Item = (Vec<u8>, usize)>) -> Self {
        let mut ordered: BTreeMap<Vec<u8>, Vec<usize>> = BTreeMap::new();
        for (text, watch) in texts {
            ordered.entry(text).or_default().push(watch);
        }
        let mut list: Vec<Beginning> = Vec::with_capacity(ordered.len());
        for (text, watches) in ordered {
            let before = list.len().checked_sub(1);
            let shorter = chain(&list, before).find(|(_, other)| text.starts_with(&other.text));
            list.push(Beginning {
                shorter: shorter.map(|(place, _)| place),
                text,
                watches,
            });
        }
        Self(list)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Gives the watches of every text that the name begins with.
    pub(super) fn of(&self, name: &[u8], give: &mut dyn FnMut(&[usize])) {
        // In the order of bytes, whatever lies between a name and a text that it begins with begins with that text too. So
        // each such text is the last one that does not come after the name, or one that this one begins with.
        let after = self
            .0
            .partition_point(|other| other.text.as_slice() <= name);
        for (_, text) in chain(&self.0, after.checked_sub(1)) {
            if name.starts_with(&text.text) {
                give(&text.watches);
            }
        }
    }
}

/// The text at a place, and all that it begins with, from the longest to the shortest.
fn chain(list: &[Beginning], place: Option<usize>) -> impl Iterator<Item = (usize, &Beginning)> {
    let at = |place: usize| Some((place, list.get(place)?));
    std::iter::successors(place.and_then(at), move |(_, text)| {
        text.shorter.and_then(at)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn found(texts: &[&str], name: &str) -> Vec<usize> {
        let texts = texts.iter().enumerate();
        let texts = texts.map(|(watch, text)| (text.as_bytes().to_vec(), watch));
        let mut found = Vec::new();
        let mut give = |watches: &[usize]| found.extend_from_slice(watches);
        Beginnings::new(texts).of(name.as_bytes(), &mut give);
        found.sort_unstable();
        found
    }

    #[test]
    fn every_text_that_a_name_begins_with_is_found() {
        let texts = ["a/b/", "a/", "a/b/c", "b", "a/", "a/bb", ""];
        for (name, expected) in [
            ("a/b/c/d", &[0, 1, 2, 4, 6][..]),
            ("a/b/c", &[0, 1, 2, 4, 6]),
            ("a/b", &[1, 4, 6]),
            ("a/ba", &[1, 4, 6]),
            ("a/bz", &[1, 4, 6]),
            ("a", &[6]),
            ("b", &[3, 6]),
            ("c", &[6]),
        ] {
            assert_eq!(found(&texts, name), expected, "{name}");
        }
        assert_eq!(found(&[], "a"), [0; 0]);
    }

    proptest! {
        #[test]
        fn the_search_finds_as_many_as_a_comparison_with_each(
            texts in proptest::collection::vec("[ab]{0,5}", 0..20),
            name in "[ab]{0,8}",
        ) {
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            let expected: Vec<usize> = texts
                .iter()
                .enumerate()
                .filter(|(_, text)| name.starts_with(**text))
                .map(|(watch, _)| watch)
                .collect();
            prop_assert_eq!(found(&texts, &name), expected);
        }
    }
}
