//! The choice of the entries of an answer that are fetched next.
//!
//! Anybody can log hundreds of thousands of entries under a name. Many indexes return the newest entries first or last,
//! so both ends of a long answer are fetched first. With them a part in the middle is fetched, which advances with each
//! request. So new entries are mostly found at once, all others later, and the memory does not grow with the answer.

use std::collections::{HashSet, VecDeque};

use crate::source::rekor_v1::EntryId;

/// Ids that are kept from each end.
const END: usize = 500;

/// Ids that are kept from the middle.
const STRETCH: usize = 1_000;

/// A choice among the ids that are not known yet.
#[derive(Debug, Clone, Default)]
pub(super) struct Sample {
    /// Where the middle part begins, counted from the first id.
    position: u64,
    total: u64,
    first: Vec<EntryId>,
    stretch: Vec<EntryId>,
    last: VecDeque<EntryId>,
}

impl Sample {
    /// An empty choice whose middle part begins at this position.
    pub(super) fn from(position: u64) -> Self {
        Self {
            position,
            ..Self::default()
        }
    }

    /// Adds the next id of the answer.
    pub(super) fn add(&mut self, id: EntryId) {
        let place = self.total;
        self.total = self.total.saturating_add(1);
        if self.first.len() < END {
            self.first.push(id);
        }
        if place >= self.position && self.stretch.len() < STRETCH {
            self.stretch.push(id);
        }
        self.last.push_back(id);
        if self.last.len() > END {
            self.last.pop_front();
        }
    }

    /// The choice in the order of fetching, without the first `skip` ids, which are moved to its end.
    pub(super) fn chosen(self, skip: u32) -> Chosen {
        let mut known = HashSet::new();
        let mut ids: VecDeque<(EntryId, bool)> = VecDeque::new();
        let mut last = self.last.into_iter().rev();
        let mut first = self.first.into_iter();
        let mut stretch = self.stretch.into_iter();
        let has_stretch = stretch.len() > 0;
        loop {
            // An id in the middle part and at an end belongs to the middle part, so that this part advances.
            let round = [
                (stretch.next(), true),
                (last.next(), false),
                (first.next(), false),
            ];
            if round.iter().all(|(id, _)| id.is_none()) {
                break;
            }
            for (id, of_stretch) in round {
                if let Some(id) = id.filter(|id| known.insert(*id)) {
                    ids.push_back((id, of_stretch));
                }
            }
        }
        let skip = usize::try_from(skip).unwrap_or(usize::MAX);
        ids.rotate_left(skip.checked_rem(ids.len()).unwrap_or_default());
        Chosen {
            total: self.total,
            // After the last id it begins again.
            position: if has_stretch { self.position } else { 0 },
            ids,
        }
    }
}

/// The entries of one answer that are to be fetched.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Chosen {
    /// Number of ids in the answer that are not known.
    pub(super) total: u64,
    /// Where the middle part of the next answer begins.
    pub(super) position: u64,
    ids: VecDeque<(EntryId, bool)>,
}

impl Chosen {
    /// Whether all chosen ids were taken.
    pub(super) fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// Takes at most `most` ids. The middle part advances past those that cannot be read: see [`Self::unread`].
    pub(super) fn take(&mut self, most: usize) -> Vec<(EntryId, bool)> {
        let most = most.min(self.ids.len());
        self.ids.drain(..most).collect()
    }

    /// Puts back an id that was taken and not requested.
    pub(super) fn put_back(&mut self, id: EntryId, of_stretch: bool) {
        self.ids.push_front((id, of_stretch));
    }

    /// Records that an entry was read: its id will be known when the index is asked again.
    pub(super) fn read(&mut self) {
        self.total = self.total.saturating_sub(1);
    }

    /// Records that an entry could not be read. Its id will be unknown again, and the middle part begins after it.
    pub(super) fn unread(&mut self, of_stretch: bool) {
        if of_stretch {
            self.position = self.position.saturating_add(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u64) -> EntryId {
        format!("{number:064x}").parse().expect("an id")
    }

    fn chosen(ids: impl IntoIterator<Item = u64>, position: u64) -> Chosen {
        let mut sample = Sample::from(position);
        ids.into_iter().for_each(|number| sample.add(id(number)));
        sample.chosen(0)
    }

    fn first_ten(chosen: &mut Chosen) -> Vec<EntryId> {
        chosen.take(10).into_iter().map(|(id, _)| id).collect()
    }

    #[test]
    fn the_newest_ids_are_first_wherever_the_index_puts_them() {
        let mut long = chosen(0..200_001, 0);
        assert_eq!(long.total, 200_001);
        let ten = first_ten(&mut long);
        assert!(
            ten.contains(&id(200_000)) && ten.contains(&id(0)),
            "{ten:?}"
        );
    }

    #[test]
    fn a_short_answer_is_chosen_whole_and_each_id_once() {
        for count in [0, 1, 9, 499, 500, 501, 1_400] {
            let mut chosen = chosen((0..count).chain(0..count), 0);
            let all: Vec<_> = chosen.take(usize::MAX);
            let distinct: HashSet<_> = all.iter().map(|(id, _)| *id).collect();
            assert_eq!(all.len(), distinct.len(), "{count}");
            assert_eq!(distinct.len() as u64, count, "{count}");
            assert!(chosen.is_empty());
        }
    }

    #[test]
    fn what_can_never_be_read_hides_nothing_for_ever() {
        // One of `count` ids can be read. Each request takes ten.
        for (count, one) in [
            (11, 10),
            (61, 60),
            (61, 30),
            (600, 250),
            (600, 599),
            (1_500, 250),
            (1_500, 700),
            (1_500, 1_450),
        ] {
            let mut position = 0;
            let mut turns = 0;
            loop {
                turns += 1;
                assert!(turns < count, "{one} of {count} is never reached");
                let mut chosen = chosen(0..count, position);
                let taken = chosen.take(10);
                if taken.iter().any(|(taken, _)| *taken == id(one)) {
                    break;
                }
                for (_, of_stretch) in taken {
                    chosen.unread(of_stretch);
                }
                position = chosen.position;
            }
        }
        // After the end it begins again.
        assert_eq!(chosen(0..2_000, 20_000).position, 0);
    }

    #[test]
    fn memory_is_bounded() {
        let chosen = chosen(0..100_000, 70_000);
        assert!(chosen.ids.len() <= 2 * END + STRETCH);
    }
}
