//! Why a key in a token cannot be used.

use std::fmt;
use std::io;
use std::path::PathBuf;

use cryptoki::error::Error as CryptokiError;

use crate::key::KeyError;

/// Why a key in a token cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Pkcs11Error {
    /// The module cannot be found.
    #[error(transparent)]
    Module(#[from] ModuleError),
    /// The module is another one than the URI describes.
    #[error("module {} is not the one that the URI describes (library-manufacturer, -description, -version)", .path.display())]
    OtherModule {
        /// Where it is.
        path: PathBuf,
    },
    /// The file with the PIN cannot be read.
    #[error("pin-source {}: {source}", .path.display())]
    PinFile {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// No token fits the URI.
    #[error("no token fits the URI; there are: {}", List(.present))]
    NoToken {
        /// The labels of those that are there.
        present: Vec<String>,
    },
    /// Several tokens fit, and the first may not be the right one.
    #[error("{} tokens fit the URI; add `serial` to it: {}", .serials.len(), List(.serials))]
    SeveralTokens {
        /// Their serial numbers.
        serials: Vec<String>,
    },
    /// The PIN is not the token's. A token counts how often that happens.
    #[error("the token refuses the PIN")]
    WrongPin,
    /// No private key fits the URI.
    #[error("no private key in the token fits the URI{}", Keys(.present, *.logged_in))]
    NoKey {
        /// A PIN was given, and accepted.
        logged_in: bool,
        /// Labels and identifiers of those that are there, at most [`MAX_SHOWN_KEYS`](crate::pkcs11::MAX_SHOWN_KEYS).
        present: Vec<String>,
    },
    /// Several private keys fit, and the first may not be the right one.
    #[error("{found} private keys in the token fit the URI; add `id` to it, or `object`")]
    SeveralKeys {
        /// How many.
        found: usize,
    },
    /// The token has the private key and nothing from which its public half could be known.
    #[error(
        "the token has no public key for the private key; with its certificate, `pkcs11-certificate` needs none"
    )]
    NoPublicKey,
    /// The signatures of the private key do not verify with the public key of the token or of the certificate.
    #[error("the private key in the token is not that of the public key or the certificate")]
    OtherKey,
    /// The key cannot sign models.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// What the token returned is no ECDSA signature.
    #[error("the token returned {bytes} bytes instead of a signature of {needed}")]
    Signature {
        /// How many it returned.
        bytes: usize,
        /// How many a signature by this key has.
        needed: usize,
    },
    /// The module or the token refuses.
    #[error("{}", Brief(.0))]
    Token(CryptokiError),
}

/// Not by `#[from]`, which would make it the cause: with its causes shown, everything would be there twice.
impl From<CryptokiError> for Pkcs11Error {
    fn from(error: CryptokiError) -> Self {
        Self::Token(error)
    }
}

struct List<'a>(&'a [String]);

impl fmt::Display for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("none");
        }
        for (index, text) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            // The label was chosen when the token was initialized.
            write!(f, "{separator}{text:?}")?;
        }
        Ok(())
    }
}

/// The private keys of a token, where none of them fits.
struct Keys<'a>(&'a [String], bool);

impl fmt::Display for Keys<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(present, logged_in) = *self;
        if logged_in || !present.is_empty() {
            write!(f, "; there are: {}", List(present))?;
        }
        if !logged_in {
            f.write_str("; without a PIN, private keys are invisible")?;
        }
        Ok(())
    }
}

/// The name of the function and of the return value, which people look up, and not the paragraph about it.
struct Brief<'a>(&'a CryptokiError);

impl fmt::Display for Brief<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            CryptokiError::Pkcs11(value, function) => write!(f, "C_{function:?}: {value:?}"),
            other => write!(f, "{other}"),
        }
    }
}

/// Why no module can be loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModuleError {
    /// The path of the URI cannot be looked at.
    #[error("module {}: {source}", .path.display())]
    Unreadable {
        /// The path.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The path of the URI is a directory, and the URI has no `module-name` to look for in it.
    #[error("module {} is a directory, and the URI has no `module-name`", .path.display())]
    Directory {
        /// The path.
        path: PathBuf,
    },
    /// No module of that name where modules are.
    #[error("no module {name:?} in {}", Places(.searched))]
    NotFound {
        /// The name of the URI.
        name: String,
        /// Where it was looked for.
        searched: Vec<PathBuf>,
    },
}

struct Places<'a>(&'a [PathBuf]);

impl fmt::Display for Places<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, place) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            write!(f, "{separator}{}", place.display())?;
        }
        Ok(())
    }
}
