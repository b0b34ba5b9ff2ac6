//! Is a bundle in the log, where, and is that proven?

use std::collections::HashMap;

use super::followed::Followed;
use super::line::{EntryPlace, Kind, Line};
use super::trusted::{NamedEntry, Verified};
use crate::store::StoredSigning;

/// What is stored of the leaves of bundles, by leaf hash.
pub(super) type Stored = HashMap<String, Vec<StoredSigning>>;

/// The entry that a bundle names, if all that it names is proven to be of this signing; otherwise what is to be reported.
pub(super) async fn check(
    verified: &Verified,
    stored: &Stored,
    followed: &mut Followed<'_>,
) -> Result<EntryPlace, Line> {
    let mut proven = None;
    let mut unanswered = None;
    for entry in &verified.entries {
        match check_one(entry, verified, stored, followed).await {
            Ok(place) => {
                proven.get_or_insert(place);
            }
            // One wrong entry is enough: a bundle that names another signing is not what it seems.
            Err(line) if line.kind.is_some_and(is_discrepancy) => return Err(line),
            Err(line) => {
                unanswered.get_or_insert(line);
            }
        }
    }
    match (proven, unanswered) {
        (Some(place), _) => Ok(place),
        (None, Some(line)) => Err(line),
        (None, None) => Err(Line::new(
            Kind::BundleWithoutEntry,
            "it names no entry of a log",
        )),
    }
}

fn is_discrepancy(kind: Kind) -> bool {
    kind.line_type() == super::line::LineType::Discrepancy
}

async fn check_one(
    entry: &NamedEntry,
    verified: &Verified,
    stored: &Stored,
    followed: &mut Followed<'_>,
) -> Result<EntryPlace, Line> {
    let NamedEntry { origin, tree_index } = entry;
    let Some(tree) = followed.tree(origin) else {
        let why = format!("its log, {origin}, is not followed");
        return Err(Line::new(Kind::LogNotFollowed, why));
    };
    let (proven, is_guided) = (tree.proven(), tree.is_guided);
    let index = tree.base.checked_add(*tree_index);
    let place = EntryPlace {
        log: tree.log.clone(),
        origin: origin.clone(),
        index: index.unwrap_or(*tree_index),
    };
    let at = |kind, why: String| Line::new(kind, why).at(place.clone());
    if followed.is_faulty(origin) {
        let why = format!(
            "{} broke a promise, and that finding is open: what the log shows is no evidence",
            place.log
        );
        return Err(at(Kind::Unread, why));
    }
    let here = |signing: &&StoredSigning| {
        signing.origin == *origin && Some(signing.index) == index && signing.logged_sha256.is_none()
    };
    let of_leaves = verified.leaves.iter().filter_map(|leaf| stored.get(leaf));
    let mut known = of_leaves.flatten().filter(here);
    if known.clone().any(|signing| signing.is_proven) {
        return Ok(place);
    }
    if *tree_index >= proven {
        if let Some(size) = tree.ended_at.filter(|size| tree_index >= size) {
            let why = format!("the log has ended with {size} entries, and does not hold this one");
            return Err(at(Kind::BundleWithoutEntry, why));
        }
        let why = match known.next() {
            Some(_) => "its entry was read, and is not proven yet".to_owned(),
            None => format!("the log is proven up to {proven} entries, and its entry lies behind"),
        };
        let kind = if is_guided {
            Kind::Guided
        } else {
            Kind::Unread
        };
        return Err(at(kind, why));
    }
    match followed.leaf(origin, *tree_index).await {
        Ok((hash, _)) if verified.leaves.contains(&hash.to_hex()) => Ok(place),
        Ok(_) => {
            let why = format!(
                "entry {} of {} is proven, and is not of this signing",
                place.index, place.log
            );
            Err(at(Kind::EntryDiffers, why))
        }
        Err(why) => {
            let kind = if is_guided {
                Kind::Guided
            } else {
                Kind::Unread
            };
            Err(at(kind, format!("its entry could not be proven: {why}")))
        }
    }
}

#[cfg(test)]
mod tests {
    use tlog::{Hash, leaf_hash};

    use super::*;
    use crate::finding::{State, Verdict};

    const ORIGIN: &str = "log.example";

    fn bundle(entries: &[(&str, u64)]) -> Verified {
        let entries = entries.iter();
        Verified {
            signer: None,
            who: "jane".to_owned(),
            statement: None,
            entries: entries
                .map(|(origin, tree_index)| NamedEntry {
                    origin: (*origin).to_owned(),
                    tree_index: *tree_index,
                })
                .collect(),
            leaves: vec![leaf_hash(b"first form").to_hex(), ours().to_hex()],
            expectation: None,
        }
    }

    fn ours() -> Hash {
        leaf_hash(b"ours")
    }

    fn stored(index: u64, is_proven: bool) -> Stored {
        let signing = StoredSigning {
            log: "main".to_owned(),
            origin: ORIGIN.to_owned(),
            index,
            leaf_hash: ours().to_hex(),
            is_proven,
            verdict: Verdict::IdentityUnexpected,
            state: State::Open,
            kind: "hashedrekord 0.0.2".to_owned(),
            digest: None,
            signature_sha256: None,
            tbs_sha256: None,
            logged_sha256: None,
            certificate_sha256: None,
            key_sha256: None,
            chain: None,
            names: "[]".to_owned(),
            issuer: None,
        };
        Stored::from([(ours().to_hex(), vec![signing])])
    }

    async fn kind(
        verified: &Verified,
        stored: &Stored,
        mut followed: Followed<'_>,
    ) -> Option<Kind> {
        match check(verified, stored, &mut followed).await {
            Ok(place) => {
                assert_eq!(place.origin, ORIGIN);
                None
            }
            Err(line) => line.kind,
        }
    }

    #[tokio::test]
    async fn an_entry_counts_if_it_is_proven_at_its_index_and_of_this_signing() {
        let one = bundle(&[(ORIGIN, 7)]);
        let tree = |leaves: &[(u64, Hash)]| Followed::of_one(ORIGIN, (100, 9, false), None, leaves);
        let none = Stored::new();
        assert_eq!(kind(&one, &stored(107, true), tree(&[])).await, None);
        assert_eq!(kind(&one, &none, tree(&[(7, ours())])).await, None);
        // In any form that a log may give to the signing.
        let form = leaf_hash(b"first form");
        assert_eq!(kind(&one, &none, tree(&[(7, form)])).await, None);
        // Stored at another index, or without a proof: the log decides.
        for stored in [stored(7, true), stored(108, true), stored(107, false)] {
            assert_eq!(kind(&one, &stored, tree(&[(7, ours())])).await, None);
            let other = tree(&[(7, leaf_hash(b"another"))]);
            assert_eq!(kind(&one, &stored, other).await, Some(Kind::EntryDiffers));
            assert_eq!(kind(&one, &stored, tree(&[])).await, Some(Kind::Unread));
        }
    }

    #[tokio::test]
    async fn what_the_log_cannot_show_is_unanswered() {
        let one = bundle(&[(ORIGIN, 7)]);
        let none = Stored::new();
        let tree = |size, is_guided| Followed::of_one(ORIGIN, (0, size, is_guided), None, &[]);
        assert_eq!(kind(&one, &none, tree(7, false)).await, Some(Kind::Unread));
        assert_eq!(
            kind(&one, &stored(7, false), tree(7, false)).await,
            Some(Kind::Unread)
        );
        assert_eq!(kind(&one, &none, tree(7, true)).await, Some(Kind::Guided));
        assert_eq!(kind(&one, &none, tree(9, true)).await, Some(Kind::Guided));
        let elsewhere = bundle(&[("other.example", 7)]);
        assert_eq!(
            kind(&elsewhere, &none, tree(9, false)).await,
            Some(Kind::LogNotFollowed)
        );
        let mut faulty = Followed::of_one(ORIGIN, (0, 9, false), None, &[(7, ours())]);
        faulty.break_promise(ORIGIN);
        assert_eq!(
            kind(&one, &stored(7, true), faulty).await,
            Some(Kind::Unread)
        );
    }

    #[tokio::test]
    async fn a_log_that_has_ended_does_not_hold_what_lies_behind_its_end() {
        let one = bundle(&[(ORIGIN, 9)]);
        let ended = Followed::of_one(ORIGIN, (0, 9, false), Some(9), &[]);
        assert_eq!(
            kind(&one, &Stored::new(), ended).await,
            Some(Kind::BundleWithoutEntry)
        );
        let nowhere = bundle(&[]);
        let tree = Followed::of_one(ORIGIN, (0, 9, false), None, &[]);
        assert_eq!(
            kind(&nowhere, &Stored::new(), tree).await,
            Some(Kind::BundleWithoutEntry)
        );
    }

    #[tokio::test]
    async fn one_entry_of_another_signing_is_enough_to_refuse_a_bundle() {
        let two = bundle(&[(ORIGIN, 3), (ORIGIN, 7)]);
        let leaves = [(3, ours()), (7, leaf_hash(b"another"))];
        let tree = Followed::of_one(ORIGIN, (0, 9, false), None, &leaves);
        assert_eq!(
            kind(&two, &Stored::new(), tree).await,
            Some(Kind::EntryDiffers)
        );
        // One of a log that is not followed takes nothing from one that is proven.
        let two = bundle(&[("other.example", 1), (ORIGIN, 3)]);
        let tree = Followed::of_one(ORIGIN, (0, 9, false), None, &leaves);
        assert_eq!(kind(&two, &Stored::new(), tree).await, None);
    }
}
