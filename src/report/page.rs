//! A page for a person, independent of the medium.

/// Raw content: every string may contain text of a signer, and the code that writes the medium has to escape it.
pub struct Page {
    /// The first line.
    pub title: String,
    /// The rest.
    pub blocks: Vec<Block>,
}

/// A part of a page.
pub enum Block {
    /// A heading with fixed text.
    Heading(&'static str),
    /// A paragraph.
    Paragraph(String),
    /// Label and value.
    Facts(Vec<(&'static str, String)>),
    /// A list.
    Items(Vec<String>),
    /// Commands to copy: only fixed text and hexadecimal ids.
    Commands(Vec<String>),
}
