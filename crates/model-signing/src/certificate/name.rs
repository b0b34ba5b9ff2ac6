//! Distinguished names: compared as OpenSSL compares them, and shown to people.

use x509_parser::asn1_rs::Tag;
use x509_parser::prelude::X509Name;

/// Longest name that is shown, in characters.
const SHOWN_CHARS: usize = 120;

/// Whether two names are the same: letter case and runs of spaces do not count, nor does the kind of string.
///
/// A CA may write its name in another way into what it issues than it has it itself. That two names are the same
/// proves nothing: a signature must follow.
pub(super) fn same(a: &X509Name<'_>, b: &X509Name<'_>) -> bool {
    a.as_raw() == b.as_raw() || canonical(a) == canonical(b)
}

type Attribute = (Vec<u8>, Tag, Vec<u8>);

fn canonical(name: &X509Name<'_>) -> Vec<Vec<Attribute>> {
    let set = |rdn: &x509_parser::x509::RelativeDistinguishedName<'_>| {
        let mut attributes: Vec<Attribute> = rdn.iter().map(attribute).collect();
        attributes.sort_by(|a, b| (&a.0, a.1.0, &a.2).cmp(&(&b.0, b.1.0, &b.2)));
        attributes
    };
    name.iter().map(set).collect()
}

fn attribute(attribute: &x509_parser::x509::AttributeTypeAndValue<'_>) -> Attribute {
    let oid = attribute.attr_type().as_bytes().to_vec();
    let value = attribute.attr_value();
    let tag = value.tag();
    match tag {
        // All of them are ASCII or UTF-8, so they can be compared byte by byte.
        Tag::Utf8String | Tag::PrintableString | Tag::Ia5String | Tag::VisibleString => {
            let words = value.data.split(u8::is_ascii_whitespace);
            let words: Vec<_> = words.filter(|word| !word.is_empty()).collect();
            (oid, Tag::Utf8String, words.join(&b' ').to_ascii_lowercase())
        }
        other => (oid, other, value.data.to_vec()),
    }
}

/// A name for a message: short, escaped, in quotes.
pub(super) fn shown(name: &X509Name<'_>) -> String {
    let mut text: String = name.to_string().chars().take(SHOWN_CHARS + 1).collect();
    if text.chars().count() > SHOWN_CHARS {
        text.pop();
        text.push('…');
    }
    format!("{text:?}")
}
