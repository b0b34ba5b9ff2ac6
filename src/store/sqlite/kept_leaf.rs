//! A leaf without the certificate in it, which is stored with the signer: one certificate may be in thousands of entries, and in
//! an entry of usual size it is most of the bytes.

use base64::Engine as _;
use memchr::memmem;

use crate::codec::{STANDARD, certificate_pem};

/// How a certificate is written in a leaf.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// It is not: `before` is the whole leaf.
    Whole,
    /// DER: CT logs.
    Der,
    /// Base64 of DER: Rekor v2.
    Base64,
    /// Base64 of PEM: Rekor v1.
    Pem,
}

impl Form {
    const CERTIFICATES: [Self; 3] = [Self::Base64, Self::Pem, Self::Der];

    /// The word in the database.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Whole => "whole",
            Self::Der => "der",
            Self::Base64 => "base64",
            Self::Pem => "pem",
        }
    }

    fn written(self, certificate: &[u8]) -> Vec<u8> {
        match self {
            Self::Whole => Vec::new(),
            Self::Der => certificate.to_vec(),
            Self::Base64 => STANDARD.encode(certificate).into_bytes(),
            Self::Pem => STANDARD.encode(certificate_pem(certificate)).into_bytes(),
        }
    }
}

/// Bytes at the beginning of a certificate that few other places of a leaf have.
const BEGINNING: usize = 64;

/// A leaf in parts.
pub(super) struct Cut<'a> {
    pub(super) before: &'a [u8],
    pub(super) form: Form,
    pub(super) after: &'a [u8],
}

/// Cuts the first place of a certificate out of a leaf.
pub(super) fn cut<'a>(leaf: &'a [u8], certificate: Option<&[u8]>) -> Cut<'a> {
    let found = certificate
        .filter(|certificate| !certificate.is_empty())
        .and_then(|certificate| {
            Form::CERTIFICATES.into_iter().find_map(|form| {
                let written = form.written(certificate);
                // A search prepares tables over all that it looks for: over its beginning alone, it costs a tenth.
                let beginning = written.get(..BEGINNING).unwrap_or(&written);
                memmem::find_iter(leaf, beginning).find_map(|at| {
                    let (before, rest) = leaf.split_at_checked(at)?;
                    let after = rest.strip_prefix(written.as_slice())?;
                    Some(Cut {
                        before,
                        form,
                        after,
                    })
                })
            })
        });
    found.unwrap_or(Cut {
        before: leaf,
        form: Form::Whole,
        after: &[],
    })
}

/// The leaf of its parts; `None`: the form is unknown, or its certificate is gone.
pub(super) fn joined(
    before: &[u8],
    form: &str,
    after: &[u8],
    certificate: Option<&[u8]>,
) -> Option<Vec<u8>> {
    let written = if form == Form::Whole.as_str() {
        Vec::new()
    } else {
        let form = Form::CERTIFICATES
            .into_iter()
            .find(|known| known.as_str() == form)?;
        form.written(certificate?)
    };
    Some([before, &written, after].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leaf_is_the_same_after_it_was_cut_and_joined() {
        let certificate: Vec<u8> = (0..=255).cycle().take(700).collect();
        for form in [Form::Der, Form::Base64, Form::Pem] {
            let leaf = [
                &b"{\"rawBytes\":\""[..],
                &form.written(&certificate),
                b"\"}",
            ]
            .concat();
            let cut = cut(&leaf, Some(&certificate));
            assert_eq!((cut.form, cut.before.len(), cut.after.len()), (form, 13, 2));
            let joined =
                |certificate| joined(cut.before, cut.form.as_str(), cut.after, certificate);
            assert_eq!(joined(Some(&certificate)), Some(leaf.clone()));
            assert_eq!(joined(None), None);
            // What only begins as the certificate does is not it.
            let twice = [&form.written(&certificate)[..BEGINNING + 6], &leaf].concat();
            let cut = super::cut(&twice, Some(&certificate));
            assert_eq!((cut.form, cut.before.len()), (form, 13 + BEGINNING + 6));
        }
        for certificate in [None, Some(&b""[..]), Some(b"another")] {
            let whole = cut(b"a leaf", certificate);
            assert_eq!((whole.form, whole.before), (Form::Whole, &b"a leaf"[..]));
            assert_eq!(
                joined(whole.before, "whole", whole.after, None),
                Some(b"a leaf".to_vec())
            );
        }
        assert_eq!(joined(b"", "other", b"", Some(b"")), None);
    }
}
