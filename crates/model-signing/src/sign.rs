//! Signing: a payload and a signer in, the bytes of a signature file out.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::bundle::MAX_CERTIFICATES;
use crate::certificate::{self, ChainError, Rules};
use crate::dsse::{self, IN_TOTO_PAYLOAD_TYPE};
use crate::key::{BadSignature, PrivateKey, PublicKey};
use crate::verify::{MAX_SIGNATURE_BYTES, MEDIA_TYPE, SignatureFile};

/// Something that can sign: a key in memory, or one in a hardware token.
pub trait Signer {
    /// What the signature file has about the signer.
    fn material(&self) -> &Material;

    /// Signs `message`, hashed as the curve of the key demands; ECDSA in DER.
    ///
    /// # Errors
    ///
    /// [`SignError`], if the holder of the key does not sign.
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError>;
}

/// What a signature file has about the signer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Material {
    /// A bare key. The file names it by its hint; the verifier must have it.
    Key(PublicKey),
    /// A certificate and those that lead from it to a root.
    Certificates {
        /// The key of the first of them.
        key: PublicKey,
        /// In DER: the signer's own first, then the others in the order that they were given.
        chain: Vec<Vec<u8>>,
    },
}

impl Material {
    /// The key that the signature is by.
    pub fn key(&self) -> &PublicKey {
        match self {
            Self::Key(key) | Self::Certificates { key, .. } => key,
        }
    }

    /// Whether `file` is a signature by this signer over its payload, as [`bundle`] makes one: with the same certificates, or
    /// with the hint at the same key. Certificates are not examined.
    pub fn has_signed(&self, file: &SignatureFile) -> bool {
        let is_named = match self {
            Self::Key(key) => {
                file.certificates().is_empty()
                    && file.public_key_hint() == Some(key.hint().as_str())
            }
            Self::Certificates { chain, .. } => file.certificates() == chain,
        };
        let message = dsse::pae(IN_TOTO_PAYLOAD_TYPE, file.unverified_payload());
        is_named && self.key().verify(&message, file.signature()).is_ok()
    }

    /// The certificates of a signer: the PEM file `certificate`, whose first one is the signer's own, and then those of the
    /// PEM files `chain`, in order. Whether anyone could verify with them is the question of [`check`](Self::check).
    ///
    /// # Errors
    ///
    /// [`SignError::Chain`] and [`SignError::TooManyCertificates`].
    pub fn of_certificates(certificate: &[u8], chain: &[Vec<u8>]) -> Result<Self, SignError> {
        let mut certificates = certificate::all_of_pem(certificate)?;
        let leaf = certificates.first().ok_or(ChainError::NoCertificate)?;
        let key = certificate::leaf_key(leaf)?;
        for file in chain {
            certificates.extend(certificate::all_of_pem(file)?);
        }
        if certificates.len() > MAX_CERTIFICATES {
            return Err(SignError::TooManyCertificates {
                found: certificates.len(),
            });
        }
        Ok(Self::Certificates {
            key,
            chain: certificates,
        })
    }

    /// Checks all that can be checked of certificates without the roots of those who verify: that they are valid at `now` (in
    /// seconds of Unix time) and for signing, that each is issued by the next, and that none is missing in between.
    /// `strict` as in [`Rules`]. Answers whether the signing certificate lacks a key usage.
    ///
    /// # Errors
    ///
    /// [`ChainError`], with which a verifier would refuse the signature.
    pub fn check(&self, now: i64, strict: bool) -> Result<bool, ChainError> {
        let Self::Certificates { chain, .. } = self else {
            return Err(ChainError::NoCertificate);
        };
        let rules = Rules::at_present(now, strict);
        Ok(certificate::check_for_signing(chain, &rules)?.lacks_key_usage)
    }
}

/// Why nothing was signed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignError {
    /// The certificates cannot be read.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// The certificate is another key's.
    #[error("the public key of the signing certificate is not that of the private key")]
    KeyMismatch,
    /// There are more certificates than verifiers read.
    #[error(
        "{found} certificates, more than the {MAX_CERTIFICATES} that a signature file may have"
    )]
    TooManyCertificates {
        /// How many there are.
        found: usize,
    },
    /// A statement so long that no verifier would read the signature file.
    #[error("a statement of {bytes} bytes is too long for a signature file")]
    TooLong {
        /// How many bytes it has.
        bytes: usize,
    },
    /// The cryptographic library failed.
    #[error(transparent)]
    Library(#[from] crate::key::SigningFailed),
    /// What came back is no signature by the key that was to sign: a token with a fault, or with two keys of one name.
    #[error("the signer did not return a signature by its own public key")]
    Untrue(#[from] BadSignature),
    /// The token did not sign.
    #[cfg(all(unix, feature = "pkcs11"))]
    #[error(transparent)]
    Token(#[from] crate::pkcs11_error::Pkcs11Error),
}

/// Signs `payload`, an in-toto statement, and returns the signature file.
///
/// The file is one line of JSON without a line feed, in the order of fields and with the spellings of the reference
/// implementation. The signature has been verified before it is returned: a file that no verifier accepts is worse
/// than none.
///
/// # Errors
///
/// [`SignError`], from the signer.
pub fn bundle(payload: &[u8], signer: &dyn Signer) -> Result<Vec<u8>, SignError> {
    let message = dsse::pae(IN_TOTO_PAYLOAD_TYPE, payload);
    let signature = signer.sign(&message)?;
    let material = signer.material();
    material.key().verify(&message, &signature)?;
    // The next buffer has the size of the payload as well.
    drop(message);
    let base64_bytes = payload.len().div_ceil(3).saturating_mul(4);
    if base64_bytes > MAX_SIGNATURE_BYTES / 2 {
        return Err(SignError::TooLong {
            bytes: payload.len(),
        });
    }
    // Base64, hex and constants need no escapes.
    let mut file = String::with_capacity(base64_bytes + (64 << 10));
    file.push_str("{\"mediaType\":\"");
    file.push_str(MEDIA_TYPE);
    file.push_str("\",\"verificationMaterial\":{");
    push_material(&mut file, material);
    file.push_str(",\"tlogEntries\":[]},\"dsseEnvelope\":{\"payload\":\"");
    STANDARD.encode_string(payload, &mut file);
    file.push_str("\",\"payloadType\":\"");
    file.push_str(IN_TOTO_PAYLOAD_TYPE);
    file.push_str("\",\"signatures\":[{\"sig\":\"");
    STANDARD.encode_string(signature, &mut file);
    file.push_str("\",\"keyid\":\"\"}]}}");
    Ok(file.into_bytes())
}

fn push_material(file: &mut String, material: &Material) {
    match material {
        Material::Key(key) => {
            file.push_str("\"publicKey\":{\"hint\":\"");
            file.push_str(&key.hint());
            file.push_str("\"}");
        }
        // Off-spec: the Sigstore bundle specification requires a single `certificate` in v0.3. The reference writes a
        // chain, and reads nothing else.
        Material::Certificates { chain, .. } => {
            file.push_str("\"x509CertificateChain\":{\"certificates\":[");
            for (index, der) in chain.iter().enumerate() {
                file.push_str(if index == 0 { "" } else { "," });
                file.push_str("{\"rawBytes\":\"");
                STANDARD.encode_string(der, file);
                file.push_str("\"}");
            }
            file.push_str("]}");
        }
    }
}

/// Signs with a private key; the file names the key by its hint.
#[derive(Debug)]
pub struct KeySigner {
    private: PrivateKey,
    material: Material,
}

impl KeySigner {
    /// Signs with that key.
    pub fn new(private: PrivateKey) -> Self {
        let material = Material::Key(private.public().clone());
        Self { private, material }
    }
}

impl Signer for KeySigner {
    fn material(&self) -> &Material {
        &self.material
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        Ok(self.private.sign(message)?)
    }
}

/// Signs with any other signer's key, and names it by a certificate.
#[derive(Debug)]
pub struct CertificateSigner<S> {
    signer: S,
    material: Material,
}

impl<S: Signer> CertificateSigner<S> {
    /// Signs with the key of `signer`, for which the first certificate of the PEM file `certificate` must be. All certificates
    /// go into the signature file: see [`Material::of_certificates`].
    ///
    /// # Errors
    ///
    /// [`SignError::Chain`], [`SignError::TooManyCertificates`] and [`SignError::KeyMismatch`].
    pub fn new(signer: S, certificate: &[u8], chain: &[Vec<u8>]) -> Result<Self, SignError> {
        Self::of(signer, Material::of_certificates(certificate, chain)?)
    }

    /// Signs with the key of `signer`, whose certificates these are.
    ///
    /// # Errors
    ///
    /// [`SignError::KeyMismatch`].
    pub fn of(signer: S, material: Material) -> Result<Self, SignError> {
        if material.key() != signer.material().key() {
            return Err(SignError::KeyMismatch);
        }
        Ok(Self { signer, material })
    }

    /// [`Material::check`] of its certificates.
    ///
    /// # Errors
    ///
    /// [`ChainError`], with which a verifier would refuse the signature.
    pub fn check(&self, now: i64, strict: bool) -> Result<bool, ChainError> {
        self.material.check(now, strict)
    }
}

impl<S: Signer> Signer for CertificateSigner<S> {
    fn material(&self) -> &Material {
        &self.material
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        self.signer.sign(message)
    }
}

impl<S: Signer + ?Sized> Signer for Box<S> {
    fn material(&self) -> &Material {
        (**self).material()
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        (**self).sign(message)
    }
}
