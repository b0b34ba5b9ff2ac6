//! Private keys as OpenSSL encrypted them before PKCS#8: headers in the PEM block, MD5 over the password.
//!
//! The method is weak, since one MD5 is all that a guess costs; but `openssl ec -aes256` still writes it.

use aes::cipher::block_padding::Pkcs7;
use aes::cipher::{
    BlockCipherDecrypt, BlockModeDecrypt as _, KeyInit, KeyIvInit as _, KeySizeUser,
};
use aes::{Aes128, Aes192, Aes256};
use cbc::Decryptor;
use des::TdesEde3;
use md5::{Digest as _, Md5};
use zeroize::Zeroizing;

use super::{KeyError, shown};

/// Decrypts the contents of a block whose `DEK-Info` header is `method`.
pub(super) fn decrypt(
    method: &[u8],
    password: &[u8],
    contents: &[u8],
) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let text = str::from_utf8(method).unwrap_or_default();
    let (cipher, iv) = text.split_once(',').unwrap_or((text, ""));
    let cipher = match cipher.trim() {
        "AES-128-CBC" => decrypt_with::<Aes128>,
        "AES-192-CBC" => decrypt_with::<Aes192>,
        "AES-256-CBC" => decrypt_with::<Aes256>,
        "DES-EDE3-CBC" => decrypt_with::<TdesEde3>,
        other => {
            return Err(KeyError::UnsupportedCipher {
                cipher: format!("{:?}", shown(other.as_bytes())),
            });
        }
    };
    let iv = bytes(iv.trim()).ok_or(KeyError::Malformed {
        reason: "its DEK-Info header has no initial vector in hex",
    })?;
    cipher(&iv, password, contents)
}

fn decrypt_with<C>(
    iv: &[u8],
    password: &[u8],
    contents: &[u8],
) -> Result<Zeroizing<Vec<u8>>, KeyError>
where
    C: BlockCipherDecrypt + KeySizeUser + KeyInit,
{
    let key = derive(password, iv, C::key_size())?;
    let cipher = Decryptor::<C>::new_from_slices(&key, iv).map_err(|_| wrong_length())?;
    let mut buffer = Zeroizing::new(contents.to_vec());
    let length = cipher
        .decrypt_padded::<Pkcs7>(&mut buffer)
        .map_err(|_| KeyError::WrongPassword)?
        .len();
    buffer.truncate(length);
    Ok(buffer)
}

fn wrong_length() -> KeyError {
    KeyError::Malformed {
        reason: "its initial vector has not the length of its cipher",
    }
}

/// `EVP_BytesToKey` of OpenSSL with MD5 and one round, salted with the beginning of the initial vector.
fn derive(password: &[u8], iv: &[u8], length: usize) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let salt = iv.get(..8).ok_or_else(wrong_length)?;
    let mut key = Zeroizing::new(Vec::with_capacity(length + 16));
    let mut last = Zeroizing::new([0; 16]);
    while key.len() < length {
        let mut hash = Md5::new();
        if !key.is_empty() {
            hash.update(*last);
        }
        hash.update(password);
        hash.update(salt);
        *last = hash.finalize().into();
        key.extend_from_slice(&*last);
    }
    key.truncate(length);
    Ok(key)
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    let pairs = hex.as_bytes().chunks(2);
    let byte = |pair: &[u8]| match pair {
        [high, low] => {
            let digit = |digit: &u8| char::from(*digit).to_digit(16);
            u8::try_from(digit(high)? * 16 + digit(low)?).ok()
        }
        _ => None,
    };
    pairs.map(byte).collect()
}
