//! Keys in hardware tokens. They are a feature of the build: to load the module of a token needs a dynamic linker, which a
//! static program does not have.

#[cfg(all(unix, feature = "pkcs11"))]
pub(super) use with::{open, open_for_certificate};
#[cfg(not(all(unix, feature = "pkcs11")))]
pub(super) use without::{open, open_for_certificate};

#[cfg(all(unix, feature = "pkcs11"))]
mod with {
    use anyhow::Context as _;
    use model_signing::pkcs11::{TokenSigner, Uri};

    fn parsed(uri: &str) -> anyhow::Result<Uri> {
        uri.parse().context("--pkcs11-uri")
    }

    /// The key that `uri` names.
    pub(in super::super) fn open(uri: &str) -> anyhow::Result<TokenSigner> {
        Ok(TokenSigner::open(&parsed(uri)?)?)
    }

    /// The key that `uri` names, which must be that of the certificate.
    pub(in super::super) fn open_for_certificate(
        uri: &str,
        certificate: &[u8],
    ) -> anyhow::Result<TokenSigner> {
        Ok(TokenSigner::open_for_certificate(
            &parsed(uri)?,
            certificate,
        )?)
    }
}

#[cfg(not(all(unix, feature = "pkcs11")))]
mod without {
    use model_signing::sign::KeySigner;

    use crate::cli::output::Mistake;

    /// Why not.
    const REASON: &str = if cfg!(unix) {
        "it is static, and cannot load the module of a token"
    } else {
        "it does so on Unix alone"
    };

    /// Always an error: no key can be opened.
    pub(in super::super) fn open(_: &str) -> anyhow::Result<KeySigner> {
        Err(Mistake(format!(
            "this build of modelwatch cannot use hardware tokens: {REASON}; use a build that lists `pkcs11` in `modelwatch version`"
        ))
        .into())
    }

    /// The same.
    pub(in super::super) fn open_for_certificate(uri: &str, _: &[u8]) -> anyhow::Result<KeySigner> {
        open(uri)
    }
}
