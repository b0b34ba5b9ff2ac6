//! Base64, and PEM, which is made of it; decoded with the vector instructions of the processor.
//!
//! Most bytes of a log are base64 in JSON, so decoding them is a large part of what a catch-up costs: the vector
//! instructions (AVX2, NEON) take a tenth of the time. A processor without them decodes byte by byte, with the same
//! result.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::PAD;
use base64::engine::{DecodePaddingMode, GeneralPurposeConfig};

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
type Decoder = base64::engine::Simd;
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
type Decoder = base64::engine::GeneralPurpose;

/// Standard base64 with padding (RFC 4648 §4): one text for each sequence of bytes, anything else is an error.
pub static STANDARD: LazyLock<Decoder> = LazyLock::new(|| decoder(PAD));

/// Base64 as the readers of signatures take it together: Go's `encoding/base64` ignores the spare bits of the last
/// character, and Protobuf's JSON accepts it without padding.
pub static LENIENT: LazyLock<Decoder> = LazyLock::new(|| decoder(LENIENT_CONFIG));

const LENIENT_CONFIG: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_allow_trailing_bits(true)
    .with_decode_padding_mode(DecodePaddingMode::Indifferent);

/// A certificate as PEM with lines of 64 characters (RFC 7468), as Go and OpenSSL write it.
pub fn certificate_pem(der: &[u8]) -> String {
    let base64 = STANDARD.encode(der);
    let mut text = String::with_capacity(base64.len() + base64.len() / 64 + 64);
    text.push_str("-----BEGIN CERTIFICATE-----\n");
    let mut rest = base64.as_str();
    while !rest.is_empty() {
        // Base64 is ASCII: every index is a boundary.
        let (line, after) = rest.split_at(rest.len().min(64));
        text.push_str(line);
        text.push('\n');
        rest = after;
    }
    text.push_str("-----END CERTIFICATE-----\n");
    text
}

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
fn decoder(config: GeneralPurposeConfig) -> Decoder {
    Decoder::standard(config)
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn decoder(config: GeneralPurposeConfig) -> Decoder {
    Decoder::new(&base64::alphabet::STANDARD, config)
}

#[cfg(test)]
mod tests {
    use base64::engine::{GeneralPurpose, general_purpose};
    use base64::{Engine as _, alphabet};
    use proptest::prelude::*;

    use super::*;

    const SCALAR_LENIENT: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT_CONFIG);

    proptest! {
        /// Texts of some hundred characters, most of which are base64: the vector instructions take 32 at a time, and
        /// the rest is decoded byte by byte.
        #[test]
        fn vector_instructions_decode_what_a_scalar_decoder_does(
            bytes in proptest::collection::vec(any::<u8>(), 0..400),
            changed in proptest::option::of((any::<prop::sample::Index>(), any::<u8>())),
            cut in 0..4_usize,
        ) {
            let mut text = general_purpose::STANDARD.encode(bytes).into_bytes();
            text.truncate(text.len().saturating_sub(cut));
            if let Some((place, byte)) = changed && !text.is_empty() {
                let place = place.index(text.len());
                text[place] = byte;
            }
            prop_assert_eq!(STANDARD.decode(&text), general_purpose::STANDARD.decode(&text));
            prop_assert_eq!(LENIENT.decode(&text), SCALAR_LENIENT.decode(&text));
        }
    }
}
