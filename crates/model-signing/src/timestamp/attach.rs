//! Putting timestamps into a signature file that was just made.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{MAX_TIMESTAMPS, TimestampError};

/// Where [`crate::sign::bundle`] ends the verification material. All that comes before and after is base64, hex and constants,
/// so it is there once.
const END_OF_MATERIAL: &str = ",\"tlogEntries\":[]},\"dsseEnvelope\":{";

/// Adds timestamps (TimeStampResp in DER) to a signature file as [`crate::sign::bundle`] writes it, without any yet.
///
/// # Errors
///
/// [`TimestampError::Attach`], if the file is another one, or there are more than [`MAX_TIMESTAMPS`].
pub fn attach(file: &[u8], timestamps: &[Vec<u8>]) -> Result<Vec<u8>, TimestampError> {
    let text = std::str::from_utf8(file).map_err(|_| TimestampError::Attach)?;
    let (before, after) = text
        .split_once(END_OF_MATERIAL)
        .ok_or(TimestampError::Attach)?;
    if after.contains(END_OF_MATERIAL) || timestamps.len() > MAX_TIMESTAMPS {
        return Err(TimestampError::Attach);
    }
    let stamps: Vec<String> = timestamps
        .iter()
        .map(|token| format!("{{\"signedTimestamp\":\"{}\"}}", STANDARD.encode(token)))
        .collect();
    let stamps = stamps.join(",");
    Ok(format!(
        "{before},\"tlogEntries\":[],\"timestampVerificationData\":{{\"rfc3161Timestamps\":[{stamps}]}}}},\"dsseEnvelope\":{{{after}"
    )
    .into_bytes())
}
