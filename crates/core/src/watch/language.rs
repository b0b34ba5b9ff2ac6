//! Whether two patterns have a text in common, and one such text.
//!
//! Globs, regular expressions and the forms of issuers' names are all regular: the automata are run in parallel, and if
//! all can end together there is a text that all of them match.

use std::collections::{HashMap, VecDeque};

use regex_automata::nfa::thompson::{Compiler, Config, NFA, State};
use regex_automata::util::primitives::StateID;
use regex_automata::util::syntax;

use super::{Glob, SanRegex};

/// Memory limit of one automaton, in bytes. Those of names take some kilobytes; if it is exceeded, there is no
/// decision.
const MAX_AUTOMATON_BYTES: usize = 1 << 20;

/// Most places, of all automata together, that are looked at before the question is left open.
const MAX_PLACES: usize = 50_000;

/// The texts that a pattern matches.
pub(super) struct Language(NFA);

/// What several languages have in common.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Common {
    /// This text, among others.
    Text(String),
    /// No text.
    Nothing,
    /// It could not be decided within the limits.
    Unknown,
}

impl Language {
    /// The texts that an expression matches as a whole, in the syntax of the `regex` crate; `None` if that is too
    /// large.
    pub(super) fn of(expression: &str) -> Option<Self> {
        let nfa = Compiler::new()
            .syntax(syntax::Config::new().utf8(false))
            .configure(Config::new().nfa_size_limit(Some(MAX_AUTOMATON_BYTES)))
            .build(expression)
            .ok()?;
        Some(Self(nfa))
    }

    /// The matches of a `san_regex`.
    pub(super) fn of_regex(regex: &SanRegex) -> Option<Self> {
        Self::of(regex.whole())
    }

    /// The matches of a glob, in a shape or in a selection.
    pub(super) fn of_glob(glob: &Glob, in_shape: bool) -> Option<Self> {
        let mut expression = String::from(if in_shape { "(?s-u:" } else { "(?is-u:" });
        let text = glob.as_str();
        let last_at = text.rfind('@').filter(|_| in_shape);
        for (at, character) in text.char_indices() {
            match character {
                '*' if last_at.is_some_and(|last| at < last) => expression.push_str("[^@]*"),
                '*' => expression.push_str(".*"),
                other => expression.push_str(&regex_syntax::escape(other.encode_utf8(&mut [0; 4]))),
            }
        }
        expression.push(')');
        Self::of(&expression)
    }
}

/// A text in all of the languages. Assertions such as `\b` are assumed to be satisfied, so that `Nothing` is certain.
pub(super) fn common(languages: &[&Language]) -> Common {
    let start: Places = languages.iter().map(|l| l.0.start_anchored()).collect();
    // For each state its predecessor, and the byte between them.
    let mut from: HashMap<Places, Option<(Places, Option<u8>)>> = HashMap::new();
    let mut queue = VecDeque::from([start.clone()]);
    from.insert(start, None);
    while let Some(places) = queue.pop_front() {
        if from.len() > MAX_PLACES {
            return Common::Unknown;
        }
        let states: Vec<&State> = languages
            .iter()
            .zip(&places)
            .map(|(language, place)| language.0.state(*place))
            .collect();
        let mut next: Vec<(Places, Option<u8>)> = Vec::new();
        if let Some((which, leads)) = without_a_byte(&states) {
            for to in leads {
                let mut places = places.clone();
                places[which] = to;
                next.push((places, None));
            }
        } else if states.iter().all(|s| matches!(s, State::Match { .. })) {
            return spelled(&from, &places);
        } else {
            steps(&states, &mut next);
        }
        for (to, byte) in next {
            if !from.contains_key(&to) {
                from.insert(to.clone(), Some((places.clone(), byte)));
                queue.push_back(to);
            }
        }
    }
    Common::Nothing
}

/// A state of each automaton.
type Places = Vec<StateID>;

/// The first automaton that continues without a byte, and its next state.
fn without_a_byte(states: &[&State]) -> Option<(usize, Vec<StateID>)> {
    states.iter().enumerate().find_map(|(which, state)| {
        let leads = match state {
            State::Look { next, .. } | State::Capture { next, .. } => vec![*next],
            State::Union { alternates } => alternates.to_vec(),
            State::BinaryUnion { alt1, alt2 } => vec![*alt1, *alt2],
            _ => return None,
        };
        Some((which, leads))
    })
}

/// All steps with one byte that every automaton accepts.
fn steps(states: &[&State], next: &mut Vec<(Places, Option<u8>)>) {
    let mut ways: Vec<(Places, u8, u8)> = vec![(Vec::new(), 0, u8::MAX)];
    for state in states {
        let own: Vec<(u8, u8, StateID)> = match state {
            State::ByteRange { trans } => vec![(trans.start, trans.end, trans.next)],
            State::Sparse(sparse) => sparse
                .transitions
                .iter()
                .map(|trans| (trans.start, trans.end, trans.next))
                .collect(),
            State::Dense(dense) => (0..=u8::MAX)
                .zip(dense.transitions.iter())
                .map(|(byte, to)| (byte, byte, *to))
                .collect(),
            _ => return,
        };
        ways = ways
            .iter()
            .flat_map(|(places, low, high)| {
                own.iter().filter_map(move |(start, end, to)| {
                    let (low, high) = ((*low).max(*start), (*high).min(*end));
                    let places: Places = places.iter().copied().chain([*to]).collect();
                    (low <= high).then_some((places, low, high))
                })
            })
            .collect();
    }
    next.extend(
        ways.into_iter()
            .map(|(places, low, high)| (places, Some(readable(low, high)))),
    );
}

/// A byte of a range, a letter if there is one.
fn readable(low: u8, high: u8) -> u8 {
    let preferred = b"ax1-".iter().copied();
    let mut preferred = preferred.filter(|byte| (low..=high).contains(byte));
    preferred.next().unwrap_or(low)
}

/// The bytes on the way to these places.
fn spelled(from: &HashMap<Places, Option<(Places, Option<u8>)>>, to: &Places) -> Common {
    let mut bytes = Vec::new();
    let mut at = to;
    while let Some(Some((before, byte))) = from.get(at) {
        bytes.extend(byte);
        at = before;
    }
    bytes.reverse();
    match String::from_utf8(bytes) {
        Ok(text) => Common::Text(text),
        Err(_) => Common::Unknown,
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a broken fixture is a failed test")]

    use super::*;

    fn form(expression: &str) -> Language {
        Language::of(expression).unwrap()
    }

    fn glob(text: &str) -> Language {
        Language::of_glob(&Glob::new(text), false).unwrap()
    }

    fn regex(text: &str) -> Language {
        Language::of_regex(&SanRegex::new(text).unwrap()).unwrap()
    }

    #[test]
    fn patterns_have_a_text_in_common_or_certainly_none() {
        let workflow = || form(r"https://h/[!-.0-~]+/[!-.0-~]+/w/[!-~]+\.yml@refs/[!-~]+");
        for (languages, expected) in [
            (vec![workflow(), glob("https://h/o/r/*")], true),
            (vec![workflow(), glob("https://h/o/r")], false),
            (vec![workflow(), glob("https://H/O/*")], true),
            (vec![workflow(), glob("https://h/o/*/x")], true),
            (vec![form("[a-z]+@[a-z]+"), glob("*@*@*")], false),
            (vec![workflow(), regex("https://h/(a|b)/.*")], true),
            (vec![workflow(), regex("https://h/[^/]*")], false),
            (
                vec![workflow(), regex(r"https://h/\w+/\d{2,}/.+@.+\b")],
                true,
            ),
            (vec![workflow(), regex("https://h/é/.*")], false),
            (vec![glob("a*c"), glob("ab*"), glob("*bc")], true),
            (vec![glob("a*c"), glob("ab*"), glob("*d")], false),
            (vec![glob(""), glob("*")], true),
            (vec![glob("a"), glob("")], false),
        ] {
            let all: Vec<&Language> = languages.iter().collect();
            let found = common(&all);
            assert_ne!(found, Common::Unknown);
            assert_eq!(found != Common::Nothing, expected, "{found:?}");
        }
    }

    #[test]
    fn the_text_that_is_found_is_matched_by_all() {
        let wanted = Glob::new("https://h/o*/*@*/v?*");
        let languages = [
            &form("https://h/[a-z]+/[0-9]{3}x@[!-~]+"),
            &Language::of_glob(&wanted, true).unwrap(),
        ];
        let Common::Text(text) = common(&languages) else {
            panic!("there is one")
        };
        assert!(wanted.fits_shape(&text), "{text}");
    }

    #[test]
    fn in_a_shape_case_counts_and_a_star_before_the_at_sign_is_narrower() {
        let strict = |text: &str| Language::of_glob(&Glob::new(text), true).unwrap();
        assert_eq!(common(&[&strict("A*"), &form("a.*")]), Common::Nothing);
        assert_eq!(common(&[&strict("*@b"), &form("a@a@b")]), Common::Nothing);
        assert_ne!(common(&[&glob("*@b"), &form("a@a@b")]), Common::Nothing);
    }

    #[test]
    fn what_is_too_large_is_left_open() {
        assert!(Language::of(r"\w{1000}{100}").is_none());
        let many = form("[ab]*a[ab]{400}");
        let other = form("[ab]*b[ab]{400}c");
        assert_eq!(common(&[&many, &other]), Common::Unknown);
    }
}
