//! The response of the search index, parsed while it arrives: a JSON list of entry ids, of any length.
//!
//! Anyone can log entries under any name, and the index returns all of them at once. So a list is never refused because
//! of its length, and an element that is not an id affects only itself.

use std::mem;

use super::entry_id::{EntryId, IdError};
use super::error::NotAnAnswer;

/// Longest element that can be an id, in bytes: 80 digits, each written as `\u0030`, between quotes.
const MAX_ELEMENT_BYTES: usize = 6 * 80 + 2;

/// Reads the list piece by piece, in memory that does not grow with it.
#[derive(Debug, Default)]
pub struct IdReader {
    at: At,
    /// The present element, without white space around it; cut if it is longer than any id.
    element: Vec<u8>,
    in_string: bool,
    /// The last byte was a backslash in a string.
    escaped: bool,
    /// The number of open lists and objects within the present element.
    depth: u32,
    /// Elements so far.
    elements: u64,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum At {
    #[default]
    Start,
    /// In `null`, which servers write for an empty list.
    Null,
    List,
    End,
}

impl IdReader {
    /// Parses the next piece of the response, and adds the ids that end in it to `ids`; an error stands for an element
    /// that is not an id.
    ///
    /// # Errors
    /// Not a JSON list. The earlier ids are valid.
    pub fn feed(
        &mut self,
        piece: &[u8],
        ids: &mut Vec<Result<EntryId, IdError>>,
    ) -> Result<(), NotAnAnswer> {
        for byte in piece {
            match self.at {
                At::Start if is_space(*byte) => {}
                At::Start if *byte == b'[' => self.at = At::List,
                At::Start if *byte == b'n' => {
                    self.at = At::Null;
                    self.element.push(*byte);
                }
                At::Null if !is_space(*byte) && self.element.len() < b"null".len() => {
                    self.element.push(*byte);
                }
                At::List => self.element_byte(*byte, ids)?,
                At::Null | At::End if is_space(*byte) => {}
                At::Start | At::Null | At::End => {
                    return Err(NotAnAnswer("it is not a list of entry ids".to_owned()));
                }
            }
        }
        Ok(())
    }

    /// Ends the answer.
    ///
    /// # Errors
    /// It was cut off.
    pub fn end(&self) -> Result<(), NotAnAnswer> {
        match self.at {
            At::End => Ok(()),
            At::Null if self.element == b"null" => Ok(()),
            At::Start | At::Null | At::List => {
                Err(NotAnAnswer("it ends within the list".to_owned()))
            }
        }
    }

    fn element_byte(
        &mut self,
        byte: u8,
        ids: &mut Vec<Result<EntryId, IdError>>,
    ) -> Result<(), NotAnAnswer> {
        if self.in_string {
            if self.escaped {
                self.escaped = false;
            } else if byte == b'\\' {
                self.escaped = true;
            } else if byte == b'"' {
                self.in_string = false;
            }
            self.keep(byte);
            return Ok(());
        }
        match byte {
            b',' if self.depth == 0 => {
                ids.push(self.element());
                self.elements = self.elements.saturating_add(1);
            }
            b']' if self.depth == 0 => {
                if self.elements > 0 || !self.element.is_empty() {
                    ids.push(self.element());
                }
                self.at = At::End;
            }
            b'[' | b'{' => {
                self.depth = self
                    .depth
                    .checked_add(1)
                    .ok_or_else(|| NotAnAnswer("it is nested too deeply".to_owned()))?;
                self.keep(byte);
            }
            b']' | b'}' => {
                self.depth = self.depth.saturating_sub(1);
                self.keep(byte);
            }
            byte if is_space(byte) => {}
            byte => {
                self.in_string = byte == b'"';
                self.keep(byte);
            }
        }
        Ok(())
    }

    fn keep(&mut self, byte: u8) {
        // One byte more than the longest id marks an element that is too long.
        if self.element.len() <= MAX_ELEMENT_BYTES {
            self.element.push(byte);
        }
    }

    fn element(&mut self) -> Result<EntryId, IdError> {
        let element = mem::take(&mut self.element);
        let text: String = serde_json::from_slice(&element).map_err(|_| IdError)?;
        text.parse()
    }
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u64) -> String {
        format!("{number:080x}")
    }

    /// The ids of a response in pieces of this size, `None` for each element that is not an id.
    fn read(answer: &str, piece: usize) -> Result<Vec<Option<String>>, NotAnAnswer> {
        let mut reader = IdReader::default();
        let mut ids = Vec::new();
        for piece in answer.as_bytes().chunks(piece) {
            reader.feed(piece, &mut ids)?;
        }
        reader.end()?;
        Ok(ids
            .into_iter()
            .map(|id| id.ok().map(|id| id.to_string()))
            .collect())
    }

    #[test]
    fn ids_are_read_however_the_answer_is_cut() {
        let (one, two) = (id(1), id(2));
        let bare = &two[16..];
        let escaped = format!("\\u0030{}", &one[1..]);
        let answer = format!(" [\"{one}\" ,\n\"{bare}\",\"{escaped}\"]\n");
        let expected = vec![Some(one.clone()), Some(bare.to_owned()), Some(one)];
        for piece in [1, 2, 7, 83, 1000] {
            assert_eq!(read(&answer, piece).expect("a list"), expected, "{piece}");
        }
        for empty in ["[]", " [ ] ", "null", " null\n"] {
            assert_eq!(read(empty, 1).expect("a list"), [], "{empty}");
        }
    }

    #[test]
    fn what_is_no_id_makes_itself_unread_and_no_other() {
        let (one, two) = (id(1), id(2));
        let long = "a".repeat(100_000);
        for odd in [
            "null",
            "7",
            "\"\"",
            "\"zz\"",
            "",
            "{\"a\":[1,\"]\",{}]}",
            "[[\"x\\\"],\"]]",
            "\"\\\"\"",
            &format!("\"{long}\""),
            &format!("\"{}\"", &one[1..]),
        ] {
            let answer = format!("[\"{one}\",{odd},\"{two}\"]");
            let expected = vec![Some(one.clone()), None, Some(two.clone())];
            assert_eq!(read(&answer, 5).expect("a list"), expected, "{odd}");
        }
    }

    #[test]
    fn what_is_no_list_is_refused_and_what_came_before_a_cut_is_kept() {
        for bad in ["", "{}", "7", "nil", "nulll", "[", "[\"a\"", "[]]", "[] x"] {
            assert!(read(bad, 1).is_err(), "{bad}");
        }
        let mut reader = IdReader::default();
        let mut ids = Vec::new();
        let cut = format!("[\"{}\",\"{}", id(1), &id(2)[..9]);
        reader.feed(cut.as_bytes(), &mut ids).expect("so far");
        assert_eq!(ids.len(), 1);
        assert!(reader.end().is_err());
    }
}
