//! Private keys as OpenSSL encrypted them before PKCS#8: headers in the PEM block, MD5 over the password.
//!
//! The method is weak, since one MD5 is all that a guess costs; but `openssl ec -aes256` still writes it.

use aes::cipher::block_padding::Pkcs7;
use aes::cipher::{BlockModeDecrypt as _, KeyIvInit as _};
use aes::{Aes128, Aes192, Aes256};
use cbc::Decryptor;
use md5::{Digest as _, Md5};
use zeroize::Zeroizing;

use super::{KeyError, shown};

/// Decrypts the contents of a block whose `DEK-Info` header is `method`.
pub(super) fn decrypt(
    method: &[u8],
    password: &[u8],
    contents: &[u8],
) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let text = shown(method);
    let (cipher, iv) = text.split_once(',').unwrap_or((&text, ""));
    let key_bytes = match cipher.trim() {
        "AES-128-CBC" => 16,
        "AES-192-CBC" => 24,
        "AES-256-CBC" => 32,
        other => {
            return Err(KeyError::UnsupportedCipher {
                cipher: format!("{other:?}"),
            });
        }
    };
    let iv = initial_vector(iv.trim()).ok_or(KeyError::Malformed {
        reason: "its DEK-Info header has no initial vector of 16 bytes in hex",
    })?;
    let key = derive(password, &iv, key_bytes);
    let mut buffer = Zeroizing::new(contents.to_vec());
    let (key, iv) = (key.as_slice(), iv.as_slice());
    let length = match key_bytes {
        16 => Decryptor::<Aes128>::new_from_slices(key, iv)
            .map(|cipher| cipher.decrypt_padded::<Pkcs7>(&mut buffer).map(<[u8]>::len)),
        24 => Decryptor::<Aes192>::new_from_slices(key, iv)
            .map(|cipher| cipher.decrypt_padded::<Pkcs7>(&mut buffer).map(<[u8]>::len)),
        _ => Decryptor::<Aes256>::new_from_slices(key, iv)
            .map(|cipher| cipher.decrypt_padded::<Pkcs7>(&mut buffer).map(<[u8]>::len)),
    };
    let length = length
        .expect("key and initial vector have the lengths of the cipher")
        .map_err(|_| KeyError::WrongPassword)?;
    buffer.truncate(length);
    Ok(buffer)
}

/// `EVP_BytesToKey` of OpenSSL with MD5 and one round, salted with the first half of the initial vector.
fn derive(password: &[u8], iv: &[u8; 16], length: usize) -> Zeroizing<Vec<u8>> {
    let (salt, _) = iv.split_at(8);
    let mut key = Zeroizing::new(Vec::with_capacity(length + 16));
    let mut last = Zeroizing::new(Vec::new());
    while key.len() < length {
        let mut hash = Md5::new();
        hash.update(&*last);
        hash.update(password);
        hash.update(salt);
        *last = hash.finalize().to_vec();
        key.extend_from_slice(&last);
    }
    key.truncate(length);
    key
}

fn initial_vector(hex: &str) -> Option<[u8; 16]> {
    let mut iv = [0; 16];
    if hex.len() != 32 || !hex.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    for (byte, digits) in iv.iter_mut().zip(hex.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(iv)
}
