//! The entries of a log in parts, by what is known of them.

/// Least width of a part: a gap of one entry among a billion must be seen.
pub(super) const LEAST: u64 = 8;

/// Most parts that are drawn; more are joined to one, as what is worse.
const MOST_PARTS: usize = 40;

/// What is known of a range of entries, or of a stretch of time.
///
/// In the order in which one hides another in a stretch of time: what is worse is seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// A signed checkpoint covers it, and every watch was compared with it.
    Proven,
    /// A stretch of time since the last pass, which is not old: the next pass reads what was logged in it.
    Since,
    /// Read, and no signed checkpoint covers it yet.
    Read,
    /// Before the first position: it was never read.
    NotFollowed,
    /// Read, and some watch was never compared with it.
    NotCompared,
    /// Not read yet.
    Unread,
}

impl Kind {
    pub(super) const fn class(self) -> &'static str {
        match self {
            Self::NotFollowed => "not-followed",
            Self::Proven => "proven",
            Self::NotCompared => "not-compared",
            Self::Read => "read",
            Self::Unread => "unread",
            Self::Since => "since",
        }
    }

    pub(super) const fn text(self) -> &'static str {
        match self {
            Self::NotFollowed => "before the first position: not followed",
            Self::Proven => "proven",
            Self::NotCompared => "read, but not compared with every watch",
            Self::Read => "read, not proven yet",
            Self::Unread => "not read yet",
            Self::Since => "not asked for yet",
        }
    }
}

/// A range of entries, or of time in microseconds: `[from, to)`.
pub(super) type Part = (Kind, u64, u64);

/// The parts of a log from its first entry to its end, in order and without a hole. `gaps`: ranges that were read and never
/// compared with some watch, in any order.
pub(super) fn parts(
    first: u64,
    proven: u64,
    seen: u64,
    head: u64,
    gaps: &[(u64, u64)],
) -> Vec<Part> {
    let (proven, seen) = (proven.max(first), seen.max(proven).max(first));
    let mut cuts = vec![0, first, proven, seen, head.max(seen)];
    cuts.extend(gaps.iter().flat_map(|(from, to)| [*from, *to]));
    let end = head.max(seen);
    cuts.retain(|cut| *cut <= end);
    cuts.sort_unstable();
    cuts.dedup();
    let mut parts: Vec<Part> = Vec::new();
    for (from, to) in cuts.iter().zip(cuts.iter().skip(1)) {
        let is_in_gap = gaps.iter().any(|(begin, end)| begin <= from && to <= end);
        let kind = match *from {
            at if at < first => Kind::NotFollowed,
            at if at < seen && is_in_gap => Kind::NotCompared,
            at if at < proven => Kind::Proven,
            at if at < seen => Kind::Read,
            _ => Kind::Unread,
        };
        match parts.last_mut() {
            Some((before, _, end)) if *before == kind => *end = *to,
            _ => parts.push((kind, *from, *to)),
        }
    }
    parts
}

/// At most [`MOST_PARTS`]: the middle of many gaps is drawn as one.
pub(super) fn few(mut parts: Vec<Part>) -> Vec<Part> {
    if parts.len() > MOST_PARTS {
        let is_gap = |part: &Part| part.0 == Kind::NotCompared;
        let first = parts.iter().position(is_gap);
        let last = parts.iter().rposition(is_gap);
        if let (Some(first), Some(last)) = (first, last)
            && let (Some((_, from, _)), Some((_, _, to))) = (parts.get(first), parts.get(last))
        {
            let joined = (Kind::NotCompared, *from, *to);
            parts.splice(first..=last, [joined]);
        }
    }
    parts
}

/// Where each part is drawn in a drawing of this width: its left side and its width. Together they fill it.
pub(super) fn placed(parts: &[Part], width: u64) -> Vec<(u64, u64)> {
    let entries: u128 = parts
        .iter()
        .map(|(_, from, to)| u128::from(to - from))
        .sum();
    let count = parts.len() as u64;
    let free = u128::from(width.saturating_sub(LEAST * count));
    let mut left = 0;
    let mut before: u128 = 0;
    let mut places = Vec::with_capacity(parts.len());
    for (place, (_, from, to)) in (1..).zip(parts) {
        before += u128::from(to - from);
        let share = (free * before).checked_div(entries).unwrap_or(0);
        let share = u64::try_from(share).unwrap_or(width);
        let right = if place == count {
            width
        } else {
            LEAST * place + share
        };
        places.push((left, right.saturating_sub(left)));
        left = right;
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;
    use Kind::{NotCompared, NotFollowed, Proven, Read, Unread};

    #[test]
    fn the_parts_of_a_log_have_no_hole_and_claim_no_more_than_is_known() {
        for ((first, proven, seen, head), gaps, expected) in [
            ((0, 161, 161, 161), &[][..], &[(Proven, 0, 161)][..]),
            (
                (100, 161, 161, 161),
                &[],
                &[(NotFollowed, 0, 100), (Proven, 100, 161)],
            ),
            (
                (0, 50, 80, 161),
                &[],
                &[(Proven, 0, 50), (Read, 50, 80), (Unread, 80, 161)],
            ),
            ((0, 0, 0, 161), &[], &[(Unread, 0, 161)]),
            ((161, 161, 161, 161), &[], &[(NotFollowed, 0, 161)]),
            ((0, 0, 0, 0), &[], &[]),
            (
                (0, 161, 161, 161),
                &[(20, 30), (0, 10), (25, 40)],
                &[
                    (NotCompared, 0, 10),
                    (Proven, 10, 20),
                    (NotCompared, 20, 40),
                    (Proven, 40, 161),
                ],
            ),
            // A gap beyond what is proven, and one before the first position.
            (
                (10, 50, 80, 80),
                &[(0, 20), (60, 90)],
                &[
                    (NotFollowed, 0, 10),
                    (NotCompared, 10, 20),
                    (Proven, 20, 50),
                    (Read, 50, 60),
                    (NotCompared, 60, 80),
                ],
            ),
            // Numbers that contradict each other: what is read counts.
            ((0, 90, 80, 70), &[], &[(Proven, 0, 90)]),
        ] {
            assert_eq!(
                parts(first, proven, seen, head, gaps),
                expected,
                "{first} {proven} {seen} {head} {gaps:?}"
            );
        }
    }

    #[test]
    fn a_gap_of_one_entry_is_seen_and_the_parts_fill_the_strip() {
        let end = u64::MAX;
        for parts in [
            vec![
                (Proven, 0, 1_000_000_000),
                (NotCompared, 1_000_000_000, 1_000_000_001),
                (Proven, 1_000_000_001, end),
            ],
            vec![(Unread, 0, 1)],
            vec![(Proven, 0, 1), (Unread, 1, end)],
        ] {
            let places = placed(&parts, 1_000);
            assert_eq!(places.len(), parts.len());
            let mut at = 0;
            for (left, width) in places {
                assert_eq!(left, at);
                assert!(width >= LEAST, "{width}");
                at = left + width;
            }
            assert_eq!(at, 1_000);
        }
    }

    #[test]
    fn many_gaps_are_joined_to_one() {
        let gaps: Vec<(u64, u64)> = (0..1_000).map(|n| (n * 10 + 5, n * 10 + 6)).collect();
        let joined = few(parts(0, 20_000, 20_000, 20_000, &gaps));
        assert_eq!(
            joined,
            [
                (Proven, 0, 5),
                (NotCompared, 5, 9_996),
                (Proven, 9_996, 20_000)
            ]
        );
    }
}
