//! The parameters of RSA-PSS.

use x509_parser::signature_algorithm::RsaSsaPssParams;
use x509_parser::x509::AlgorithmIdentifier;

/// A hash function of a signature on a certificate.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Digest {
    Sha1,
    Sha224,
    Sha256,
    Sha384,
    Sha512,
}

/// The digest of RSA-PSS, if the mask uses the same one and the salt has its length: the usual form.
pub(crate) fn digest(algorithm: &AlgorithmIdentifier<'_>) -> Option<Digest> {
    let parameters = RsaSsaPssParams::try_from(algorithm.parameters.as_ref()?).ok()?;
    let mask = parameters.mask_gen_algorithm().ok()?;
    let hash = parameters.hash_algorithm_oid().to_id_string();
    let (digest, bytes) = match hash.as_str() {
        "2.16.840.1.101.3.4.2.1" => (Digest::Sha256, 32),
        "2.16.840.1.101.3.4.2.2" => (Digest::Sha384, 48),
        "2.16.840.1.101.3.4.2.3" => (Digest::Sha512, 64),
        _ => return None,
    };
    let usual = mask.mgf.to_id_string() == "1.2.840.113549.1.1.8"
        && mask.hash.to_id_string() == hash
        && parameters.salt_length() == bytes
        && parameters.trailer_field() == 1;
    usual.then_some(digest)
}
