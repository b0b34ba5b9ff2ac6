//! The types of channels: a table with one row for each.

use super::channel_type::ChannelType;
use super::{discord, email, exec, github_issue, pagerduty, slack, stdout, teams, webhook};

/// Every type of channel, in the order in which messages list them.
pub const CHANNEL_TYPES: [ChannelType; 9] = [
    email::TYPE,
    slack::TYPE,
    teams::TYPE,
    discord::TYPE,
    pagerduty::TYPE,
    github_issue::TYPE,
    webhook::TYPE,
    exec::TYPE,
    stdout::TYPE,
];

impl ChannelType {
    /// The one with this value of `type`.
    pub fn named(name: &str) -> Option<Self> {
        CHANNEL_TYPES.into_iter().find(|known| known.name == name)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::notify::channel_type::KeyType;

    #[test]
    fn every_type_has_a_name_of_its_own_and_a_key_is_read_in_one_way() {
        let mut names = std::collections::BTreeSet::new();
        let mut read_as: BTreeMap<&str, KeyType> = BTreeMap::new();
        for of_type in CHANNEL_TYPES {
            assert!(names.insert(of_type.name), "{}", of_type.name);
            for (name, key_type) in of_type.keys {
                let first = *read_as.entry(name).or_insert(*key_type);
                assert_eq!(first, *key_type, "{name} of {}", of_type.name);
            }
        }
    }
}
