//! Which of the entries that an index names are fetched next: arithmetic alone.
//!
//! Anybody can log entries under any name, by the hundred thousand. Of a long answer both ends are looked at first, because
//! many indexes answer with the newest entries at the one or at the other, and with them a stretch that moves on from turn to
//! turn: so what is new is mostly found at once, and whatever is there in the end, in memory that does not grow with the answer.

use std::collections::{HashSet, VecDeque};

use crate::source::rekor_v1::EntryId;

/// Ids that are kept of each end.
const END: usize = 500;

/// Ids that are kept of the stretch.
const STRETCH: usize = 1_000;

/// A choice among the ids of an answer that are not known yet.
#[derive(Debug, Clone, Default)]
pub(super) struct Sample {
    /// Where the stretch begins, counted from the first id.
    position: u64,
    total: u64,
    first: Vec<EntryId>,
    stretch: Vec<EntryId>,
    last: VecDeque<EntryId>,
}

impl Sample {
    /// Nothing yet; the stretch begins at this place.
    pub(super) fn from(position: u64) -> Self {
        Self {
            position,
            ..Self::default()
        }
    }

    /// Takes the next id of the answer.
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

    /// The choice, in the order in which it is to be fetched; it begins so many ids further on.
    pub(super) fn chosen(self, skip: u32) -> Chosen {
        let mut known = HashSet::new();
        let mut ids: VecDeque<(EntryId, bool)> = VecDeque::new();
        let mut last = self.last.into_iter().rev();
        let mut first = self.first.into_iter();
        let mut stretch = self.stretch.into_iter();
        let has_stretch = stretch.len() > 0;
        loop {
            // What is in the stretch and at an end as well counts for the stretch, so that it moves on.
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
            // Behind the last id it begins anew.
            position: if has_stretch { self.position } else { 0 },
            ids,
        }
    }
}

/// What is to be fetched of one answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Chosen {
    /// How many ids of the answer are not known.
    pub(super) total: u64,
    /// Where the stretch of the next answer begins.
    pub(super) position: u64,
    ids: VecDeque<(EntryId, bool)>,
}

impl Chosen {
    /// Whether all that was chosen was taken.
    pub(super) fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// Takes the next ids, at most so many. The stretch moves on past those that cannot be read: see [`Self::unread`].
    pub(super) fn take(&mut self, most: usize) -> Vec<(EntryId, bool)> {
        let most = most.min(self.ids.len());
        self.ids.drain(..most).collect()
    }

    /// One that was taken was not asked for after all.
    pub(super) fn put_back(&mut self, id: EntryId, of_stretch: bool) {
        self.ids.push_front((id, of_stretch));
    }

    /// An id that was taken was read: it will be known when the index is asked again.
    pub(super) fn read(&mut self) {
        self.total = self.total.saturating_sub(1);
    }

    /// One that was taken could not be read: it will be among the unknown again, and the stretch goes on behind it.
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
        // Of so many ids one can be read, wherever it is. Each turn takes ten.
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
        // And it begins anew behind the end.
        assert_eq!(chosen(0..2_000, 20_000).position, 0);
    }

    #[test]
    fn memory_is_bounded() {
        let chosen = chosen(0..100_000, 70_000);
        assert!(chosen.ids.len() <= 2 * END + STRETCH);
    }
}
