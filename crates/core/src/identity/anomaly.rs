//! Anomalies: unusual properties of a certificate that do not invalidate it.

use jiff::SignedDuration;

use super::extension::Extension;
use super::san::SanType;

/// A trait that no certificate of a healthy Fulcio has.
///
/// An anomaly never hides a certificate: a certificate of a trusted CA with an anomaly is more serious than one
/// without. Displayed as a short phrase for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Anomaly {
    /// No name of a known type.
    NoName,
    /// More than one name; Fulcio gives exactly one.
    SeveralNames(usize),
    /// A name of a type that Fulcio does not issue.
    UnusualName(SanType),
    /// A name of a type that is not used for signing (a directory name, …).
    UnknownNameType,
    /// A mail address as an otherName (SmtpUTF8Mailbox, RFC 8398), which Fulcio does not issue.
    InternationalMailbox,
    /// A name that is not in the encoding of its type; the readable part is kept.
    NameEncoding(SanType),
    /// The extension is not in its encoding; the readable part is kept.
    ExtensionEncoding(Extension),
    /// The extension is repeated; both are kept.
    RepeatedExtension(Extension),
    /// The list of names is repeated; both are kept.
    RepeatedNames,
    /// The old and the new issuer extension differ.
    TwoIssuers,
    /// No signed certificate timestamp: the certificate was not submitted to a CT log.
    NoSct,
    /// Signed certificate timestamps of which none verifies: they were forged or reused.
    FalseSct,
    /// Its signed certificate timestamp is by a log that is not in the trusted root.
    UnknownSct,
    /// Its signed certificate timestamp is from outside the time for which the trusted root trusts the log.
    UntimelySct,
    /// The precertificate that a CT log served with this leaf belongs to another certificate, or is not signed by the
    /// CA.
    OtherPrecertificate,
    /// It has the poison of a precertificate, which must never be used.
    Precertificate,
    /// Its extended key usage does not hold code signing.
    NoCodeSigning,
    /// It may issue certificates itself.
    Authority,
    /// Valid for longer than an hour, which is plenty for a certificate of ten minutes.
    LongValidity(SignedDuration),
    /// It ends before it begins.
    EmptyValidity,
    /// Its bytes are not strict DER: other readers may see another certificate in them.
    NotDer,
    /// Its start is outside its CA certificate's validity, or outside the time for which the trusted root trusts that
    /// CA.
    OutsideAuthorityValidity,
}

impl std::fmt::Display for Anomaly {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoName => f.write_str("it has no name of a known type"),
            Self::SeveralNames(count) => write!(f, "it has {count} names"),
            Self::UnusualName(kind) => write!(f, "its name is of type {kind}"),
            Self::UnknownNameType => f.write_str("one of its names is of an unknown type"),
            Self::InternationalMailbox => {
                f.write_str("its mail address is an SmtpUTF8Mailbox, which Fulcio does not issue")
            }
            Self::NameEncoding(kind) => write!(f, "its {kind} name is wrongly encoded"),
            Self::ExtensionEncoding(extension) => write!(f, "its {extension} is wrongly encoded"),
            Self::RepeatedExtension(extension) => write!(f, "its {extension} is repeated"),
            Self::RepeatedNames => f.write_str("its list of names is repeated"),
            Self::TwoIssuers => f.write_str("it has two issuers"),
            Self::NoSct => f.write_str("the certificate contains no SCT"),
            Self::FalseSct => f.write_str("its SCT does not verify"),
            Self::UnknownSct => {
                f.write_str("its SCT is by a log that the trusted root does not contain")
            }
            Self::UntimelySct => f.write_str(
                "its SCT is from outside the time for which the trusted root trusts the log",
            ),
            Self::OtherPrecertificate => f.write_str(
                "the precertificate that the log serves with it is not the one that its CA signed",
            ),
            Self::Precertificate => f.write_str("it is a precertificate"),
            Self::NoCodeSigning => f.write_str("no code-signing usage"),
            Self::Authority => f.write_str("it is a CA certificate"),
            Self::LongValidity(validity) => {
                let hours = validity.as_hours();
                if hours >= 48 {
                    write!(f, "valid for {} days", hours / 24)
                } else {
                    write!(f, "valid for {} minutes", validity.as_mins())
                }
            }
            Self::NotDer => f.write_str("it is not strict DER"),
            Self::EmptyValidity => f.write_str("its validity ends before it begins"),
            Self::OutsideAuthorityValidity => f.write_str("issued outside the validity of its CA"),
        }
    }
}
