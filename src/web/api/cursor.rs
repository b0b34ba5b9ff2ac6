//! Cursors: where the next page of a list begins. Programs must not interpret them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A cursor of this list that continues after this place.
pub(in crate::web) fn encode(list: &str, place: &impl Serialize) -> Option<String> {
    let json = serde_json::to_vec(&(list, place)).ok()?;
    Some(URL_SAFE_NO_PAD.encode(json))
}

/// The place in a cursor of this list; `None` if it is not one.
pub(super) fn decode<T: DeserializeOwned>(list: &str, cursor: &str) -> Option<T> {
    let json = URL_SAFE_NO_PAD.decode(cursor).ok()?;
    let (of, place): (String, T) = serde_json::from_slice(&json).ok()?;
    (of == list).then_some(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_by_its_own_list_alone() {
        let place = (Some("main".to_owned()), 7_u64);
        let cursor = encode("findings", &place).expect("a cursor");
        assert!(
            cursor
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
        );
        assert_eq!(decode("findings", &cursor), Some(place.clone()));
        for (list, cursor) in [
            ("logs", cursor.as_str()),
            ("findings", ""),
            ("findings", "%"),
            ("findings", &cursor[1..]),
            ("findings", &cursor[..cursor.len() - 4]),
            ("findings", &format!("{cursor}AAAA")),
        ] {
            assert_eq!(
                decode::<(Option<String>, u64)>(list, cursor),
                None,
                "{list} {cursor}"
            );
        }
    }
}
