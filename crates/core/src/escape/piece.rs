//! How single characters are shown.

/// How one character is shown. Each medium is a function of the character and its successor.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Piece {
    Itself(char),
    /// `\u{…}`
    Number(char),
    Instead(&'static str),
}

impl Piece {
    pub(super) fn chars(self) -> usize {
        match self {
            Self::Itself(_) => 1,
            Self::Number(c) => c.escape_unicode().count(),
            Self::Instead(ascii) => ascii.len(),
        }
    }
}

pub(super) fn plain(c: char, _: Option<char>) -> Piece {
    match c {
        '\\' => Piece::Instead(r"\\"),
        c if misleads(c) => Piece::Number(c),
        c => Piece::Itself(c),
    }
}

/// Whether a character is invisible, looks like another one, or changes the text around it.
pub(super) fn misleads(c: char) -> bool {
    c.is_control()
        // Spaces other than the ordinary one, line and paragraph separators, and a letter that looks like a space.
        || (c.is_whitespace() && c != ' ')
        || c == '\u{2800}'
        || matches!(
            c,
            // Default_Ignorable_Code_Point of Unicode: bidirectional controls, zero-width characters,
            // variation selectors, invisible operators and fillers, tags.
            '\u{ad}'
                | '\u{34f}'
                | '\u{61c}'
                | '\u{115f}'..='\u{1160}'
                | '\u{17b4}'..='\u{17b5}'
                | '\u{180b}'..='\u{180f}'
                | '\u{200b}'..='\u{200f}'
                | '\u{202a}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{3164}'
                | '\u{fe00}'..='\u{fe0f}'
                | '\u{feff}'
                | '\u{ffa0}'
                | '\u{fff0}'..='\u{fff8}'
                | '\u{1bca0}'..='\u{1bca3}'
                | '\u{1d173}'..='\u{1d17a}'
                | '\u{e0000}'..='\u{e0fff}'
                // Interlinear annotations, and the object replacement character.
                | '\u{fff9}'..='\u{fffc}'
                // Private use: its look depends on the font.
                | '\u{e000}'..='\u{f8ff}'
                | '\u{f0000}'..='\u{10ffff}'
        )
        // Noncharacters, the last two of each plane and a block in the first.
        || matches!(u32::from(c), 0xfdd0..=0xfdef)
        || u32::from(c) & 0xfffe == 0xfffe
}
