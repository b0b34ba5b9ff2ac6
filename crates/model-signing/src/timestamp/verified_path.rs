//! That a path of certificates was verified, kept for the next timestamp of the same authority.

use std::ops::RangeInclusive;
use std::sync::{Arc, OnceLock};

/// The seconds of Unix time at which a path is known to be valid.
///
/// The signatures and the usage of the certificates of a path do not depend on the time: only their periods do. So a path
/// that was verified at one second is valid at each other one, as long as none of the certificates that may be on it becomes
/// valid or invalid in between.
#[derive(Debug, Clone, Default)]
pub(super) struct VerifiedPath(Arc<OnceLock<RangeInclusive<i64>>>);

impl VerifiedPath {
    /// Whether the path is known to be valid at this second.
    pub(super) fn holds_at(&self, time: i64) -> bool {
        self.0.get().is_some_and(|period| period.contains(&time))
    }

    /// Records that the path was verified at `time`. `all` is when every certificate that may be on the path is valid; `None`
    /// if that is not known.
    pub(super) fn record(&self, time: i64, all: Option<RangeInclusive<i64>>) {
        if let Some(all) = all.filter(|all| all.contains(&time)) {
            // Another thread may have recorded the same.
            let _ = self.0.set(all);
        }
    }
}

/// Authorities are equal independently of what was verified with them.
impl PartialEq for VerifiedPath {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for VerifiedPath {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_holds_where_all_its_certificates_are_valid_and_nowhere_before_it_was_verified() {
        let path = VerifiedPath::default();
        assert!(!path.holds_at(5));
        // Verified while a certificate that may be on it was not valid: nothing follows for other seconds.
        path.record(9, Some(3..=7));
        path.record(5, None);
        assert!(!path.holds_at(5));
        path.record(5, Some(3..=7));
        let held: Vec<i64> = (0..10).filter(|time| path.holds_at(*time)).collect();
        assert_eq!(held, [3, 4, 5, 6, 7]);
    }
}
