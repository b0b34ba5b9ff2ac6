//! Asking an authority for a timestamp (RFC 3161 §2.4.1): bytes to be sent, and what must hold of the answer.

use aws_lc_rs::constant_time::verify_slices_are_equal;

use super::der::{BOOLEAN, INTEGER, OCTET_STRING, SEQUENCE, encode};
use super::signer::{self, SignerCertificate};
use super::token::Token;
use super::{Authorities, Stamped, TimestampError, authority, is_ahead};
use crate::key::Hash;

/// TimeStampReq without the imprint's digest and the nonce: version 1, SHA-256, and the authority's certificate wanted.
const SHA256_IDENTIFIER: &[u8] = &[
    0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00,
];
const NONCE_BYTES: usize = 16;

/// A request for a timestamp over a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    message: Vec<u8>,
    nonce: [u8; NONCE_BYTES],
}

impl Request {
    /// The media type of a request.
    pub const MEDIA_TYPE: &'static str = "application/timestamp-query";

    /// A request for a timestamp over these bytes, with a nonce of its own.
    ///
    /// # Errors
    ///
    /// [`TimestampError::Random`].
    pub fn new(message: &[u8]) -> Result<Self, TimestampError> {
        let mut nonce = [0; NONCE_BYTES];
        aws_lc_rs::rand::fill(&mut nonce).map_err(|_| TimestampError::Random)?;
        // A positive INTEGER in its shortest form: no sign bit, no leading zero.
        nonce[0] = (nonce[0] & 0x3f) | 0x40;
        Ok(Self {
            message: message.to_vec(),
            nonce,
        })
    }

    /// The request in DER.
    pub fn der(&self) -> Vec<u8> {
        let digest = Hash::Sha256.of(&self.message);
        let imprint = [SHA256_IDENTIFIER, &encode(OCTET_STRING, digest.as_ref())].concat();
        let fields = [
            encode(INTEGER, &[1]),
            encode(SEQUENCE, &imprint),
            encode(INTEGER, &self.nonce),
            encode(BOOLEAN, &[0xff]),
        ];
        encode(SEQUENCE, &fields.concat())
    }

    /// That `response` answers this request: it was granted, is over the message, has the nonce, has no time after `now` (the
    /// present, in seconds of Unix time), and is signed by a trusted authority; with no authorities, by the certificate that it
    /// carries: the verifier decides later whether to trust it.
    ///
    /// # Errors
    ///
    /// [`TimestampError`], which names the check that failed.
    pub fn check(
        &self,
        response: &[u8],
        trusted: &Authorities,
        now: i64,
    ) -> Result<Stamped, TimestampError> {
        let token = Token::parse(response)?;
        authority::check_imprint(&token, &self.message)?;
        let nonce = token.info.nonce.unwrap_or_default();
        verify_slices_are_equal(nonce, &self.nonce).map_err(|_| TimestampError::Nonce)?;
        let time = token.info.time;
        // No verifier would count it.
        if is_ahead(time, now) {
            return Err(TimestampError::Ahead { time });
        }
        if !trusted.is_empty() {
            return trusted.verify(response, &self.message);
        }
        let mut carried = token.embedded.iter();
        let signer = carried
            .find_map(|der| {
                SignerCertificate::parse(der).filter(|found| found.is_named_by(&token.signer.id))
            })
            .ok_or(TimestampError::Attributes(
                "the signer's certificate was requested and is missing",
            ))?;
        signer::check_attributes(&token, signer.der)?;
        signer.verify(&token)?;
        signer.check_usage()?;
        if !signer.is_valid_at(time) {
            return Err(TimestampError::NotValid { time });
        }
        Ok(Stamped {
            time,
            authority: signer.shown(),
        })
    }
}
