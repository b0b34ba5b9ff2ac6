//! DSSE envelopes: a payload, its type, and signatures over both.
//!
//! What is signed is never the envelope but the *pre-authentication encoding* ([`pae`]) of type and payload
//! ([DSSE protocol](https://github.com/secure-systems-lab/dsse/blob/master/protocol.md)). A transparency log
//! that holds such a signing as a plain signature over bytes means these bytes.
//!
//! Nothing here has been verified: reading an envelope is not believing it.

use crate::json::{Document, JsonError, Object};

/// The payload type of in-toto statements, which is what model signatures are.
pub const IN_TOTO_PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

/// Most bytes of JSON that an envelope or a bundle may have: 64 MiB.
///
/// A signature lists every file of its model: the reference implementation writes 22 MB for 100,000 files.
pub const MAX_JSON_BYTES: usize = 64 << 20;

/// Most signatures of one envelope. Sigstore's clients accept a single one; DSSE allows several.
pub const MAX_SIGNATURES: usize = 64;

/// A DSSE envelope as it was received, not verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// What the payload is, a media type or URI: [`IN_TOTO_PAYLOAD_TYPE`] for a model signature.
    pub payload_type: String,
    /// The payload, decoded. These very bytes were signed: hash and verify them, never a form that was written again.
    pub payload: Vec<u8>,
    /// One to [`MAX_SIGNATURES`] signatures.
    pub signatures: Vec<Signature>,
}

/// One signature of an [`Envelope`], over the envelope's [`pae`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// The signature, decoded; not empty.
    pub sig: Vec<u8>,
    /// A name for the key, not signed: a hint for looking it up, and no evidence. Some writers give an empty one.
    pub keyid: Option<String>,
}

/// Why bytes are not a DSSE envelope that this reader accepts.
#[derive(Debug, thiserror::Error)]
#[error("not a DSSE envelope: {0}")]
pub struct EnvelopeError(JsonError);

impl EnvelopeError {
    /// Which rule was broken, and where.
    pub fn reason(&self) -> &JsonError {
        &self.0
    }
}

impl Envelope {
    /// Reads an envelope from its JSON form, at most [`MAX_JSON_BYTES`].
    ///
    /// Fields that DSSE does not define are ignored; those that it does must occur once each, in canonical base64.
    ///
    /// ```
    /// use model_signing::dsse::Envelope;
    ///
    /// let json = br#"{"payloadType":"text/plain","payload":"aGVsbG8=","signatures":[{"sig":"AAEC"}]}"#;
    /// let envelope = Envelope::parse(json)?;
    /// assert_eq!(envelope.payload, b"hello");
    /// assert_eq!(envelope.signatures[0].keyid, None);
    ///
    /// let json = br#"{"payloadType":"text/plain","payload":"aGVsbG8","signatures":[{"sig":"AAEC"}]}"#;
    /// let error = Envelope::parse(json).unwrap_err();
    /// assert!(error.to_string().starts_with("not a DSSE envelope: payload is not canonical base64"));
    /// # Ok::<(), model_signing::dsse::EnvelopeError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`EnvelopeError`], which names the field and the rule.
    pub fn parse(json: &[u8]) -> Result<Self, EnvelopeError> {
        Document::parse(json, MAX_JSON_BYTES)
            .and_then(|document| Self::read(&document.object()?))
            .map_err(EnvelopeError)
    }

    /// The bytes that the signatures of this envelope are over.
    pub fn pae(&self) -> Vec<u8> {
        pae(&self.payload_type, &self.payload)
    }

    pub(crate) fn read(object: &Object<'_>) -> Result<Self, JsonError> {
        Ok(Self {
            payload_type: object.required("payloadType")?.text()?.to_owned(),
            payload: object.required("payload")?.bytes(0..=usize::MAX)?,
            signatures: object
                .required("signatures")?
                .items(1..=MAX_SIGNATURES)?
                .map(|item| Signature::read(&item.object()?))
                .collect::<Result<_, _>>()?,
        })
    }
}

impl Signature {
    fn read(object: &Object<'_>) -> Result<Self, JsonError> {
        Ok(Self {
            sig: object.required("sig")?.bytes(1..=usize::MAX)?,
            keyid: match object.optional("keyid")? {
                Some(keyid) => Some(keyid.text()?.to_owned()),
                None => None,
            },
        })
    }
}

/// The pre-authentication encoding of DSSE, version 1: what a signature in an envelope is over.
///
/// Both lengths are in bytes, so no two pairs of type and payload have the same encoding.
///
/// ```
/// use model_signing::dsse::pae;
///
/// // The test vector of the DSSE protocol.
/// assert_eq!(
///     pae("http://example.com/HelloWorld", b"hello world"),
///     b"DSSEv1 29 http://example.com/HelloWorld 11 hello world",
/// );
/// ```
pub fn pae(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let head = format!(
        "DSSEv1 {} {payload_type} {} ",
        payload_type.len(),
        payload.len()
    );
    [head.as_bytes(), payload].concat()
}
