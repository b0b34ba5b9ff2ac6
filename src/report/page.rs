//! What is shown to a person, before it is written for a medium.

/// Raw content: every string may hold what a signer wrote, and the medium has to escape it.
pub struct Page {
    /// The first line.
    pub title: String,
    /// The rest.
    pub blocks: Vec<Block>,
}

/// A part of a page.
pub enum Block {
    /// A heading in this program's own words.
    Heading(&'static str),
    /// A paragraph.
    Paragraph(String),
    /// Label and value.
    Facts(Vec<(&'static str, String)>),
    /// A list.
    Items(Vec<String>),
    /// Commands to copy: this program's own words and hexadecimal ids only.
    Commands(Vec<String>),
}
