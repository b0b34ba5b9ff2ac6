//! Signed notes: text and the signatures of several keys over it (C2SP signed-note).
//!
//! A log's checkpoint, cosigned by a witness (the example of C2SP tlog-cosignature):
//!
//! ```text
//! example.com/behind-the-sofa
//! 20852163
//! CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=
//!
//! — example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
//! — witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==
//! ```
//!
//! Use nothing of a note before [`Note::verify`], which returns [`Verified`].

mod checked;
mod foreign;
mod key;
mod name;
pub mod tree_head;

pub use foreign::{ForeignAlgorithm, ForeignKey};
pub use key::{Verifier, Vkey};
pub use name::{KeyError, KeyId, KeyName};

use alloc::string::String;
use alloc::vec::Vec;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use checked::Checked;

use crate::excerpt::excerpt;

/// Longest accepted note, in bytes.
///
/// A verifier must accept 16 signatures, and a post-quantum one has nearly 5 kB (C2SP signed-note, "Format"): 16 of
/// them take 107 kB in base64; the rest is for key names and text.
pub const MAX_NOTE_BYTES: usize = 128 * 1024;

/// Most signatures in a note, as in Go's `sumdb/note`; well above the 16 that a verifier must accept.
pub const MAX_SIGNATURES: usize = 100;

/// A note that was split into text and signatures, and not verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note<'a> {
    text: &'a str,
    signatures: Vec<SignatureLine<'a>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct SignatureLine<'a> {
    name: &'a str,
    id: KeyId,
    signature: Vec<u8>,
}

/// Why a note was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoteError {
    /// Longer than [`MAX_NOTE_BYTES`].
    #[error("a note has at most {MAX_NOTE_BYTES} bytes, found {0}")]
    TooLong(usize),
    /// Not UTF-8.
    #[error("the note is not UTF-8 from byte {0} on")]
    NotUtf8(usize),
    /// A control character other than newline.
    #[error("the note contains the control character U+{:04X}", u32::from(*.0))]
    ControlCharacter(char),
    /// No blank line between text and signatures, or nothing before it.
    #[error("not a signed note: there is no text followed by a blank line")]
    NoSeparator,
    /// No signature line, or the last one does not end.
    #[error("not a signed note: no complete signature line follows the text")]
    NoSignatures,
    /// More than [`MAX_SIGNATURES`].
    #[error("a note has at most {MAX_SIGNATURES} signatures, found {0}")]
    TooManySignatures(usize),
    /// A line that is not a signature: em dash, key name, base64 of a key id and a signature.
    #[error("signature line {0} is malformed")]
    MalformedSignature(usize),
    /// A signature with the name and id of a known key that does not verify over this text.
    #[error("the signature of {name} ({id}) does not verify")]
    BadSignature {
        /// The key's name.
        name: KeyName,
        /// The key's id.
        id: KeyId,
    },
    /// No signature of any of the log's keys.
    #[error("{0}")]
    NotSigned(Unsigned),
}

/// Who signed a note that none of the log's keys has signed, and whose signature was looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsigned {
    /// Under which names and key ids there are signatures; the first few.
    pub found: Vec<(String, KeyId)>,
    /// How many signatures there are.
    pub count: usize,
    /// The expected keys, each with the reason why it cannot be used, if any; the first few. Keys of witnesses are not
    /// among them.
    pub wanted: Vec<(KeyName, KeyId, Option<String>)>,
}

/// How many keys are named in one sentence.
const NAMED_KEYS: usize = 5;

/// A signature of at least this length, in bytes, is of no supported algorithm: RSA with 8,192 bits has 1,024, and a
/// tree head 12 more; ML-DSA-44 has 2,420 (FIPS 204, table 2).
const FUTURE_SIGNATURE_BYTES: usize = 1_100;

impl core::fmt::Display for Unsigned {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("no signature of a known key of the log: the note is signed by ")?;
        for (at, (name, id)) in self.found.iter().enumerate() {
            let comma = if at > 0 { ", " } else { "" };
            write!(f, "{comma}{name} ({id})")?;
        }
        let more = self.count.saturating_sub(self.found.len());
        if more > 0 {
            write!(f, " and {more} more")?;
        }
        if self.wanted.is_empty() {
            return f.write_str(", and no key of the log is known");
        }
        f.write_str(", the known keys are ")?;
        for (at, (name, id, unusable)) in self.wanted.iter().enumerate() {
            let comma = if at > 0 { ", " } else { "" };
            write!(f, "{comma}{name} ({id})")?;
            if let Some(why) = unusable {
                write!(f, ", which cannot be used: {why}")?;
            }
        }
        Ok(())
    }
}

/// A note's text, and the known keys that signed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified<'a> {
    text: &'a str,
    signers: Vec<KeyName>,
    cosignatures: Vec<Cosignature>,
    timestamp: Option<u64>,
}

/// A witness's statement that this was the largest consistent tree head it had seen of this log (C2SP tlog-cosignature).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cosignature {
    /// Name of the witness's key.
    pub name: KeyName,
    /// When it signed, by its own clock, in seconds since the Unix epoch; at most 2^63 - 1.
    pub time: u64,
}

/// The cosignatures of witnesses under a note.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cosigned {
    /// Those whose cosignature is valid, one for each, with the latest time it signed.
    pub valid: Vec<Cosignature>,
    /// Witnesses with signatures of which none verifies: they are over another text, or were changed on the way.
    pub contradicting: Vec<KeyName>,
}

impl<'a> Note<'a> {
    /// Splits a note into its text and its signatures, without any verification.
    ///
    /// Signatures by any algorithm are kept; [`verify`](Self::verify) decides which ones count.
    ///
    /// # Errors
    /// Every [`NoteError`] but the last two.
    pub fn parse(raw: &'a [u8]) -> Result<Self, NoteError> {
        if raw.len() > MAX_NOTE_BYTES {
            return Err(NoteError::TooLong(raw.len()));
        }
        let note =
            core::str::from_utf8(raw).map_err(|error| NoteError::NotUtf8(error.valid_up_to()))?;
        if let Some(control) = note.chars().find(|&c| c < ' ' && c != '\n') {
            return Err(NoteError::ControlCharacter(control));
        }
        // At the last blank line, not the first: a text may contain blank lines. With the first one, an attacker could
        // hide a part of the signed text.
        let blank = note.rfind("\n\n").ok_or(NoteError::NoSeparator)?;
        let (text, rest) = note
            .split_at_checked(blank + 1)
            .ok_or(NoteError::NoSeparator)?;
        let lines = rest
            .strip_prefix('\n')
            .and_then(|lines| lines.strip_suffix('\n'))
            .ok_or(NoteError::NoSignatures)?;
        let count = lines.split('\n').count();
        if count > MAX_SIGNATURES {
            return Err(NoteError::TooManySignatures(count));
        }
        let signatures = lines
            .split('\n')
            .enumerate()
            .map(|(at, line)| {
                SignatureLine::parse(line).ok_or(NoteError::MalformedSignature(at + 1))
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { text, signatures })
    }

    /// The keys named in its signature lines, unverified. Each name is cut for display.
    pub fn keys(&self) -> Vec<(String, KeyId)> {
        let lines = self.signatures.iter();
        lines.map(|line| (excerpt(line.name), line.id)).collect()
    }

    /// Signatures in the name of one of these log keys by a key that is not among them: the log signs with a key that
    /// cannot be checked here. Each is listed once. Keys of witnesses do not count, nor do signatures under other
    /// names, because anyone may add those. Nor do signatures that are too long for any supported algorithm: see
    /// [`unsupported`](Self::unsupported).
    pub fn unknown(&self, verifiers: &[Verifier]) -> Vec<(KeyName, KeyId)> {
        self.of_other_keys(verifiers, |line| !line.is_of_the_future())
    }

    /// Like [`unknown`](Self::unknown), but only signatures that are too long for any supported algorithm: the log also
    /// signs with ML-DSA, for example.
    pub fn unsupported(&self, verifiers: &[Verifier]) -> Vec<(KeyName, KeyId)> {
        self.of_other_keys(verifiers, SignatureLine::is_of_the_future)
    }

    /// Whether a signature line has the name and id of this key.
    pub fn has_signature_of(&self, key: &Verifier) -> bool {
        let mut lines = self.signatures.iter();
        lines.any(|line| line.name == key.name().as_str() && line.id == key.id())
    }

    fn of_other_keys(
        &self,
        verifiers: &[Verifier],
        is_meant: impl Fn(&SignatureLine<'a>) -> bool,
    ) -> Vec<(KeyName, KeyId)> {
        let mut unknown: Vec<(KeyName, KeyId)> = Vec::new();
        for line in self.signatures.iter().filter(|line| is_meant(line)) {
            let mut of_name = verifiers
                .iter()
                .filter(|key| key.name().as_str() == line.name && !key.is_witness())
                .peekable();
            let Some(&named) = of_name.peek() else {
                continue;
            };
            let found = (named.name().clone(), line.id);
            if of_name.all(|key| key.id() != line.id) && !unknown.contains(&found) {
                unknown.push(found);
            }
        }
        unknown
    }

    /// The cosignatures of these witnesses, whatever the other signatures are. Unlike in [`verify`](Self::verify), a
    /// cosignature that does not verify does not invalidate the note: it does not come from the log, and anyone between
    /// the log and the reader could have written it.
    pub fn cosigned(&self, witnesses: &[Verifier]) -> Cosigned {
        let mut cosigned = Cosigned::default();
        for witness in witnesses.iter().filter(|key| key.is_witness()) {
            let name = witness.name().as_str();
            let mut lines = self
                .signatures
                .iter()
                .filter(|line| line.name == name && line.id == witness.id())
                .peekable();
            if lines.peek().is_none() {
                continue;
            }
            let latest = lines
                .filter_map(|line| match witness.check(self.text, &line.signature) {
                    Some(Checked::Cosigned { time }) => Some(time),
                    Some(Checked::Log | Checked::Head { .. }) | None => None,
                })
                .max();
            match latest {
                Some(time) => cosigned.valid.push(Cosignature {
                    name: witness.name().clone(),
                    time,
                }),
                None => cosigned.contradicting.push(witness.name().clone()),
            }
        }
        cosigned
    }

    /// Verifies the signatures of the known keys, and ignores all others.
    ///
    /// At least one of the log's own keys must have signed; cosignatures of witnesses are not enough. A signature with
    /// the name and id of a known key that is not valid invalidates the note (C2SP signed-note, "Signatures"); one by a
    /// key that cannot be used does not.
    ///
    /// # Errors
    /// [`NoteError::BadSignature`], [`NoteError::NotSigned`].
    pub fn verify(&self, verifiers: &[Verifier]) -> Result<Verified<'a>, NoteError> {
        let mut verified = Verified {
            text: self.text,
            signers: Vec::new(),
            cosignatures: Vec::new(),
            timestamp: None,
        };
        for line in &self.signatures {
            // Two known keys with the same name and id are possible in theory; the signature may be by either.
            let mut known = verifiers
                .iter()
                .filter(|key| key.name().as_str() == line.name && key.id() == line.id)
                .filter(|key| key.why_unusable().is_none())
                .peekable();
            let Some(&first) = known.peek() else { continue };
            let name = first.name().clone();
            match known.find_map(|key| key.check(self.text, &line.signature)) {
                None => return Err(NoteError::BadSignature { name, id: line.id }),
                Some(Checked::Log) => verified.add_signer(name),
                Some(Checked::Head { timestamp }) => {
                    verified.timestamp = verified.timestamp.max(Some(timestamp));
                    verified.add_signer(name);
                }
                Some(Checked::Cosigned { time }) => verified.add_cosignature(name, time),
            }
        }
        if verified.signers.is_empty() {
            Err(NoteError::NotSigned(self.unsigned(verifiers)))
        } else {
            Ok(verified)
        }
    }
}

impl Note<'_> {
    fn unsigned(&self, verifiers: &[Verifier]) -> Unsigned {
        let found = self.signatures.iter().take(NAMED_KEYS);
        let wanted = verifiers.iter().filter(|key| !key.is_witness());
        Unsigned {
            found: found.map(|line| (excerpt(line.name), line.id)).collect(),
            count: self.signatures.len(),
            wanted: wanted
                .take(NAMED_KEYS)
                .map(|key| {
                    let why = key.why_unusable().map(String::from);
                    (key.name().clone(), key.id(), why)
                })
                .collect(),
        }
    }
}

impl<'a> SignatureLine<'a> {
    fn is_of_the_future(&self) -> bool {
        self.signature.len() >= FUTURE_SIGNATURE_BYTES
    }

    fn parse(line: &'a str) -> Option<Self> {
        let (name, encoded) = line.strip_prefix("— ")?.split_once(' ')?;
        if !KeyName::is_valid(name) {
            return None;
        }
        let bytes = STANDARD.decode(encoded).ok()?;
        let (id, signature) = bytes.split_first_chunk()?;
        if signature.is_empty() {
            return None;
        }
        Some(Self {
            name,
            id: KeyId::new(*id),
            signature: signature.to_vec(),
        })
    }
}

impl<'a> Verified<'a> {
    /// The signed text, final newline included.
    pub const fn text(&self) -> &'a str {
        self.text
    }

    /// Names of the log's keys that signed; at least one.
    pub fn signers(&self) -> &[KeyName] {
        &self.signers
    }

    /// Valid cosignatures of known witnesses, one for each, with the latest time of its signatures.
    pub fn cosignatures(&self) -> &[Cosignature] {
        &self.cosignatures
    }

    fn add_signer(&mut self, name: KeyName) {
        if !self.signers.contains(&name) {
            self.signers.push(name);
        }
    }

    /// One cosignature for each witness, so that a repeated line does not count as a second witness.
    fn add_cosignature(&mut self, name: KeyName, time: u64) {
        match self
            .cosignatures
            .iter_mut()
            .find(|known| known.name == name)
        {
            Some(known) => known.time = known.time.max(time),
            None => self.cosignatures.push(Cosignature { name, time }),
        }
    }

    /// When a certificate transparency log signed, by its own clock, in milliseconds since the Unix epoch; `None` for
    /// other logs.
    pub const fn timestamp(&self) -> Option<u64> {
        self.timestamp
    }

    pub(crate) fn into_cosignatures(self) -> Vec<Cosignature> {
        self.cosignatures
    }
}

#[cfg(test)]
mod tests;
