//! The signers in a file of the operator's that is no bundle: certificates, or public keys in any usual form.

use anyhow::Context as _;
use x509_parser::pem::Pem;

use crate::identity::{Certificate, Key, Signer, signers_of_pkcs7};

/// Most PEM blocks in one file. A chain of certificates has a few.
const MAX_PEM_BLOCKS: usize = 1000;

/// Every signer in a file, in its order; at least one.
pub(super) fn read(bytes: &[u8]) -> anyhow::Result<Vec<Signer>> {
    let text = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    let text = text.trim_ascii_start();
    // The first octet of a packet has its first bit set (RFC 9580 §4.2), which no text here has.
    let is_pgp = |line: &[u8]| line.starts_with(b"-----BEGIN PGP ");
    if text.first().is_some_and(|byte| byte & 0x80 != 0)
        || text.split(|byte| *byte == b'\n').any(is_pgp)
    {
        return Ok(keys(Key::from_pgp(text)?));
    }
    if let Some(signers) = pem(text)? {
        anyhow::ensure!(
            !signers.is_empty(),
            "contains no certificate and no public key"
        );
        return Ok(signers);
    }
    if let Ok(found) = Key::from_ssh(text) {
        return Ok(keys(found));
    }
    if let Ok(key) = Key::from_minisign(text) {
        return Ok(keys(vec![key]));
    }
    // SEQUENCE: what every certificate and every key in DER begins with.
    anyhow::ensure!(
        bytes.first() == Some(&0x30),
        "neither a Sigstore bundle, nor a certificate, nor a public key in PEM, DER, OpenPGP, SSH or minisign form"
    );
    if let Ok(key) = Key::from_spki(bytes.to_vec()).or_else(|_| Key::from_pkcs1(bytes)) {
        return Ok(keys(vec![key]));
    }
    Ok(vec![certificate(bytes.to_vec())?])
}

/// The signers of every PEM block; `None` if there is no block.
fn pem(text: &[u8]) -> anyhow::Result<Option<Vec<Signer>>> {
    let (mut signers, mut any) = (Vec::new(), false);
    for block in Pem::iter_from_buffer(text) {
        // What follows the last block is no error.
        let Ok(block) = block else { break };
        any = true;
        anyhow::ensure!(
            signers.len() < MAX_PEM_BLOCKS,
            "contains more than {MAX_PEM_BLOCKS} PEM blocks"
        );
        match block.label.as_str() {
            "CERTIFICATE" | "X509 CERTIFICATE" | "TRUSTED CERTIFICATE" => {
                signers.push(certificate(block.contents)?);
            }
            "PUBLIC KEY" => signers.push(Signer::Key(Key::from_spki(block.contents)?)),
            "RSA PUBLIC KEY" => signers.push(Signer::Key(Key::from_pkcs1(&block.contents)?)),
            "PKCS7" | "CMS" => {
                for signer in signers_of_pkcs7(&block.contents)? {
                    signers.push(certificate(signer)?);
                }
            }
            // As `openssl ecparam -genkey` and `openssl x509 -text` write them beside what counts.
            "EC PARAMETERS" | "X509 CRL" => {}
            secret if secret.ends_with("PRIVATE KEY") => anyhow::bail!(
                "contains a `{secret}`, which a monitor must not read: give the public key"
            ),
            other => anyhow::bail!("contains a `{other}`, neither a certificate nor a public key"),
        }
    }
    Ok(any.then_some(signers))
}

/// The signer that a certificate names.
pub(super) fn certificate(der: Vec<u8>) -> anyhow::Result<Signer> {
    let certificate = Certificate::parse(der).context("a certificate that cannot be read")?;
    Ok(Signer::Certificate(Box::new(certificate)))
}

fn keys(keys: Vec<Key>) -> Vec<Signer> {
    keys.into_iter().map(Signer::Key).collect()
}
