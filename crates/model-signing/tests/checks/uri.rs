//! What must hold for every text as a PKCS#11 URI. Shared with the fuzz target, which includes it by its path.

use model_signing::pkcs11::Uri;

/// Reads `bytes` as a PKCS#11 URI; no output about it contains its PIN.
pub fn uri(bytes: &[u8]) {
    let Ok(text) = core::str::from_utf8(bytes) else {
        return;
    };
    match text.parse::<Uri>() {
        Ok(uri) => {
            let secret = text
                .split("pin-value=")
                .nth(1)
                .and_then(|rest| rest.split('&').next());
            // A short one may be part of something else.
            let secret = secret.filter(|pin| pin.len() > 12 && !pin.contains('%'));
            let shown = format!("{uri:?}");
            assert!(secret.is_none_or(|pin| !shown.contains(pin)), "{shown}");
        }
        Err(error) => {
            let message = error.to_string();
            assert!(
                message.len() < 1000 && !message.chars().any(char::is_control),
                "{message:?}"
            );
        }
    }
}
