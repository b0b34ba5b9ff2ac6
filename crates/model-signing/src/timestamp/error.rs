//! Why a timestamp proves nothing.

/// Why a timestamp proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TimestampError {
    /// The bytes are no timestamp by RFC 3161.
    #[error("not an RFC 3161 timestamp: {0}")]
    Malformed(String),
    /// Longer than any timestamp.
    #[error("a timestamp of {bytes} bytes, more than {limit}")]
    TooLong {
        /// How long it is.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// A response that was granted, without a token.
    #[error("the timestamp response has no token")]
    NoToken,
    /// The authority refused to sign.
    #[error("the timestamp authority refused: status {status} (RFC 3161 section 2.4.2)")]
    Refused {
        /// PKIStatus.
        status: u8,
    },
    /// It is over other bytes than this signature.
    #[error("the timestamp is over something else than this signature")]
    Imprint,
    /// It uses an algorithm that is not verified here.
    #[error("the timestamp uses {0}, which is not verified here")]
    Unsupported(&'static str),
    /// It answers another request.
    #[error("the timestamp does not have the nonce of the request")]
    Nonce,
    /// Its time is after the present.
    #[error("the timestamp's time, {time} (seconds of Unix time), is after this machine's time")]
    Ahead {
        /// The time, in seconds of Unix time.
        time: i64,
    },
    /// The certificate of the signer is not valid at its time.
    #[error(
        "the certificate of the timestamp's signer is not valid at the timestamp's time, {time} (seconds of Unix time)"
    )]
    NotValid {
        /// The time, in seconds of Unix time.
        time: i64,
    },
    /// No authority that is trusted has made it.
    #[error("the timestamp is by an authority that is not trusted")]
    UnknownAuthority,
    /// What the signer signed is not this token.
    #[error("the signed attributes of the timestamp do not fit it: {0}")]
    Attributes(&'static str),
    /// The signature of the authority is wrong.
    #[error("the signature of the timestamp authority does not verify")]
    Signature,
    /// The certificate of the signer is not one for timestamps.
    #[error("the certificate of the timestamp's signer is not for timestamps: {0}")]
    Usage(&'static str),
    /// There is no way from the signer to a trusted root at that time.
    #[error("the certificate of the timestamp's signer leads to no trusted root: {0}")]
    Path(String),
    /// The authority was not trusted at that time.
    #[error(
        "the timestamp's time, {time}, is outside of the period in which its authority is trusted"
    )]
    OutsidePeriod {
        /// The time, in seconds of Unix time.
        time: i64,
    },
    /// A file that should hold the authorities cannot be used.
    #[error(transparent)]
    Chain(#[from] crate::certificate::ChainError),
    /// Certificates of authorities without a root.
    #[error(
        "no self-signed certificate among those of the timestamp authority, so no way could end at it"
    )]
    NoRoot,
    /// Timestamps cannot be put into a file.
    #[error(
        "not a signature file that was just made by key or certificate, or too many timestamps for one"
    )]
    Attach,
    /// The cryptographic library failed.
    #[error("no random numbers for the nonce")]
    Random,
}

impl From<super::der::Malformed> for TimestampError {
    fn from(malformed: super::der::Malformed) -> Self {
        Self::Malformed(malformed.to_string())
    }
}
