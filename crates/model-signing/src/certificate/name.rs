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

/// Whether the first parts of a name are all those of `base`; `None` if one of them is a string of a kind that is not
/// compared here, and that OpenSSL might find equal.
pub(super) fn begins_with(name: &X509Name<'_>, base: &X509Name<'_>) -> Option<bool> {
    let (name, base) = (canonical(name), canonical(base));
    let mut tags = name.iter().chain(&base).flatten().map(|(_, tag, _)| tag);
    tags.all(|tag| *tag == Tag::Utf8String)
        .then(|| name.starts_with(&base))
}

pub(super) const COMMON_NAME: &str = "2.5.4.3";
pub(super) const EMAIL_ADDRESS: &str = "1.2.840.113549.1.9.1";

/// Every text of one kind in a name; `None` for one that is no plain text.
pub(super) fn texts<'n>(
    name: &'n X509Name<'_>,
    oid: &'static str,
) -> impl Iterator<Item = Option<&'n str>> {
    name.iter_attributes()
        .filter(move |attribute| attribute.attr_type().to_id_string() == oid)
        .map(move |attribute| {
            let value = attribute.attr_value();
            let is_plain = match value.tag() {
                Tag::Ia5String => true,
                // The only one that e-mail addresses may have.
                Tag::Utf8String | Tag::PrintableString => oid != EMAIL_ADDRESS,
                _ => false,
            };
            is_plain.then(|| str::from_utf8(value.data).ok()).flatten()
        })
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
