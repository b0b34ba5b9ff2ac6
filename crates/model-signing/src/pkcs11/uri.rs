//! PKCS#11 URIs (RFC 7512): which key, in which token, by which module, with which PIN.

use std::ffi::OsString;
use std::fmt;
use std::os::unix::ffi::OsStringExt as _;
use std::path::PathBuf;

use zeroize::Zeroizing;

/// Longest URI in bytes. The longest attributes that a token can have amount to a few hundred.
const MAX_URI_BYTES: usize = 16 << 10;

/// Why a text is no PKCS#11 URI, or none by which a key can be found.
///
/// No message shows a value of the URI other than that which is wrong, since one of them may be a PIN.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UriError {
    /// It does not begin with `pkcs11:`.
    #[error("it does not begin with `pkcs11:`")]
    Scheme,
    /// Too long.
    #[error("it has {bytes} bytes, more than {MAX_URI_BYTES}")]
    TooLong {
        /// How many it has.
        bytes: usize,
    },
    /// A part between two separators without a `=`.
    #[error("part {number} of it has no `=`")]
    NoValue {
        /// Which part, from 1.
        number: usize,
    },
    /// A percent sign that is not followed by two hexadecimal digits.
    #[error("the value of `{attribute}` has a percent sign without two hexadecimal digits")]
    Escape {
        /// The attribute.
        attribute: String,
    },
    /// An attribute that is there twice.
    #[error("`{attribute}` is there twice")]
    Repeated {
        /// The attribute.
        attribute: String,
    },
    /// An attribute of the path that the standard does not have: to ignore it might select another key.
    #[error("`{attribute}` is not an attribute of a PKCS#11 URI{}", if *.in_query { " before the question mark" } else { "" })]
    Unknown {
        /// The attribute, shortened.
        attribute: String,
        /// It is one that belongs after the question mark.
        in_query: bool,
    },
    /// A value that its attribute cannot have.
    #[error("`{attribute}` is {found:?}, not {needed}")]
    Value {
        /// The attribute.
        attribute: &'static str,
        /// The value, shortened.
        found: String,
        /// What it has to be.
        needed: &'static str,
    },
    /// Two sources for one PIN.
    #[error("it has both `pin-value` and `pin-source`")]
    TwoPins,
    /// Nothing that names a key.
    #[error("it names no key: neither `object` nor `id`")]
    NoKey,
    /// Nothing that names a token.
    #[error(
        "it names no token: none of `token`, `serial`, `manufacturer`, `model`, `slot-id`, `slot-description`, `slot-manufacturer`"
    )]
    NoToken,
    /// Nothing that names a module.
    #[error("it names no module: neither `module-path` nor `module-name`")]
    NoModule,
}

/// A PKCS#11 URI that names a key, a token and a module.
///
/// ```
/// use model_signing::pkcs11::Uri;
///
/// let uri = "pkcs11:token=release;object=signing%20key?module-name=softhsm2&pin-source=/etc/release.pin".parse::<Uri>()?;
/// let error = "pkcs11:token=release;objet=key?module-name=softhsm2".parse::<Uri>().unwrap_err();
/// assert_eq!(error.to_string(), "`objet` is not an attribute of a PKCS#11 URI");
/// # Ok::<(), model_signing::pkcs11::UriError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Uri {
    pub(super) library: Library,
    pub(super) token: Token,
    pub(super) key: Key,
    pub(super) module_path: Option<PathBuf>,
    pub(super) module_name: Option<String>,
    pub(super) pin: Option<PinSource>,
}

/// What the URI has about the module itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Library {
    pub(super) manufacturer: Option<Vec<u8>>,
    pub(super) description: Option<Vec<u8>>,
    /// Major, and minor if it is given.
    pub(super) version: Option<(u8, Option<u8>)>,
}

/// What the URI has about the token and its slot.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) label: Option<Vec<u8>>,
    pub(super) manufacturer: Option<Vec<u8>>,
    pub(super) serial: Option<Vec<u8>>,
    pub(super) model: Option<Vec<u8>>,
    pub(super) slot_id: Option<u64>,
    pub(super) slot_description: Option<Vec<u8>>,
    pub(super) slot_manufacturer: Option<Vec<u8>>,
}

/// What the URI has about the key. At least one of them is given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) label: Option<Vec<u8>>,
    pub(super) id: Option<Vec<u8>>,
}

#[derive(Clone, PartialEq, Eq)]
pub(super) enum PinSource {
    Value(Zeroizing<Vec<u8>>),
    File(PathBuf),
}

impl fmt::Debug for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Uri")
            .field("token", &self.token)
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

impl std::str::FromStr for Uri {
    type Err = UriError;

    fn from_str(text: &str) -> Result<Self, UriError> {
        if text.len() > MAX_URI_BYTES {
            return Err(UriError::TooLong { bytes: text.len() });
        }
        let (scheme, rest) = text.split_once(':').ok_or(UriError::Scheme)?;
        if !scheme.eq_ignore_ascii_case("pkcs11") {
            return Err(UriError::Scheme);
        }
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (mut path, mut query) = (Attributes::of(path, ';')?, Attributes::of(query, '&')?);
        let uri = Self {
            library: Library {
                manufacturer: path.take("library-manufacturer"),
                description: path.take("library-description"),
                version: path
                    .take("library-version")
                    .map(|value| version(&value))
                    .transpose()?,
            },
            token: Token {
                label: path.take("token"),
                manufacturer: path.take("manufacturer"),
                serial: path.take("serial"),
                model: path.take("model"),
                slot_id: path
                    .take("slot-id")
                    .map(|value| slot_id(&value))
                    .transpose()?,
                slot_description: path.take("slot-description"),
                slot_manufacturer: path.take("slot-manufacturer"),
            },
            key: Key {
                label: path.take("object"),
                id: path.take("id"),
            },
            module_path: query.take("module-path").map(module_path).transpose()?,
            module_name: query.take("module-name").map(module_name).transpose()?,
            pin: pin(query.take("pin-value"), query.take("pin-source"))?,
        };
        check_type(path.take("type"))?;
        // RFC 7512 section 2.3 reserves these for vendors. No specification gives other names in the query a meaning.
        if let Some((name, _)) = path.0.iter().find(|(name, _)| !name.starts_with("x-")) {
            return Err(UriError::Unknown {
                attribute: excerpt(name.as_bytes()),
                in_query: ["pin-value", "pin-source", "module-name", "module-path"]
                    .contains(&name.as_str()),
            });
        }
        if uri.key == Key::default() {
            return Err(UriError::NoKey);
        }
        if uri.token == Token::default() {
            return Err(UriError::NoToken);
        }
        if uri.module_path.is_none() && uri.module_name.is_none() {
            return Err(UriError::NoModule);
        }
        Ok(uri)
    }
}

/// Names and decoded values, those that have not been taken yet.
struct Attributes(Vec<(String, Zeroizing<Vec<u8>>)>);

impl Attributes {
    fn of(text: &str, separator: char) -> Result<Self, UriError> {
        let mut attributes: Vec<(String, Zeroizing<Vec<u8>>)> = Vec::new();
        if text.is_empty() {
            return Ok(Self(attributes));
        }
        for (index, part) in text.split(separator).enumerate() {
            let (name, value) = part
                .split_once('=')
                .ok_or(UriError::NoValue { number: index + 1 })?;
            let attribute = || excerpt(name.as_bytes());
            if attributes.iter().any(|(earlier, _)| earlier == name) {
                return Err(UriError::Repeated {
                    attribute: attribute(),
                });
            }
            let value = decode(value).ok_or_else(|| UriError::Escape {
                attribute: attribute(),
            })?;
            attributes.push((name.to_owned(), value));
        }
        Ok(Self(attributes))
    }

    fn take(&mut self, name: &str) -> Option<Vec<u8>> {
        let index = self.0.iter().position(|(key, _)| key == name)?;
        let (_, value) = self.0.swap_remove(index);
        Some(value.to_vec())
    }
}

fn decode(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let mut value = Zeroizing::new(Vec::with_capacity(text.len()));
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let mut digit = || char::from(bytes.next()?).to_digit(16);
            let escaped = digit()? * 16 + digit()?;
            value.push(u8::try_from(escaped).ok()?);
        } else {
            value.push(byte);
        }
    }
    Some(value)
}

fn wrong(attribute: &'static str, value: &[u8], needed: &'static str) -> UriError {
    UriError::Value {
        attribute,
        found: excerpt(value),
        needed,
    }
}

fn version(value: &[u8]) -> Result<(u8, Option<u8>), UriError> {
    let read = |text: &str| match text.split_once('.') {
        Some((major, minor)) => Some((number(major)?, Some(number(minor)?))),
        None => Some((number(text)?, None)),
    };
    let version = std::str::from_utf8(value).ok().and_then(read);
    version.ok_or_else(|| wrong("library-version", value, "a version like 3 or 2.6"))
}

fn slot_id(value: &[u8]) -> Result<u64, UriError> {
    let id = std::str::from_utf8(value).ok().and_then(number);
    id.ok_or_else(|| wrong("slot-id", value, "the number of a slot"))
}

fn number<N: std::str::FromStr>(digits: &str) -> Option<N> {
    let plain = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
    plain.then(|| digits.parse().ok())?
}

/// The type is not used: a private key is looked for, whatever object of that name the URI was copied from.
fn check_type(value: Option<Vec<u8>>) -> Result<(), UriError> {
    match value {
        Some(value)
            if ![
                &b"private"[..],
                b"public",
                b"cert",
                b"secret-key",
                b"data",
                b"",
            ]
            .contains(&value.as_slice()) =>
        {
            Err(wrong(
                "type",
                &value,
                "one of private, public, cert, secret-key and data",
            ))
        }
        _ => Ok(()),
    }
}

/// A relative path would load any file of that name from the current directory of the signer.
fn module_path(value: Vec<u8>) -> Result<PathBuf, UriError> {
    match value.first() {
        Some(b'/') if !value.contains(&0) => Ok(OsString::from_vec(value).into()),
        _ => Err(wrong("module-path", &value, "an absolute path")),
    }
}

fn module_name(value: Vec<u8>) -> Result<String, UriError> {
    let name = String::from_utf8(value).unwrap_or_default();
    if name.is_empty() || name.contains(['/', '\0']) {
        return Err(wrong(
            "module-name",
            name.as_bytes(),
            "the name of a module, without a path",
        ));
    }
    Ok(name)
}

fn pin(value: Option<Vec<u8>>, source: Option<Vec<u8>>) -> Result<Option<PinSource>, UriError> {
    let source = match (value, source) {
        (Some(_), Some(_)) => return Err(UriError::TwoPins),
        (Some(value), None) => return Ok(Some(PinSource::Value(Zeroizing::new(value)))),
        (None, None) => return Ok(None),
        (None, Some(source)) => source,
    };
    // `file:/path`, `file:///path`, or the path alone; not `|command`, which RFC 7512 also has.
    let path = source.strip_prefix(b"file:").unwrap_or(&source);
    let path = match path.strip_prefix(b"//") {
        Some(rest) if rest.starts_with(b"/") => rest,
        _ => path,
    };
    if !path.starts_with(b"/") || path.starts_with(b"//") || path.contains(&0) {
        let needed = "an absolute path or a file: URI";
        return Err(wrong("pin-source", &source, needed));
    }
    Ok(Some(PinSource::File(
        OsString::from_vec(path.to_vec()).into(),
    )))
}

fn excerpt(text: &[u8]) -> String {
    String::from_utf8_lossy(text)
        .chars()
        .take(60)
        .collect::<String>()
        .escape_debug()
        .to_string()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

    use super::*;

    #[test]
    fn every_attribute_of_the_standard_is_read() {
        let uri: Uri = "pkcs11:library-manufacturer=Snake%20Oil;library-description=Soft;library-version=2.40;\
             token=T%c3%bc;manufacturer=M;serial=DECC;model=v1;slot-id=327;slot-description=D;slot-manufacturer=S;\
             object=my%3bkey;id=%69%95%3E%00%ff;type=private;x-vendor=1\
             ?module-path=/usr/lib/p11.so&module-name=p11&pin-value=%31+%32&x-y=2&unknown=3"
            .parse()
            .unwrap();
        assert_eq!(uri.library.version, Some((2, Some(40))));
        assert_eq!(uri.library.manufacturer.as_deref(), Some(&b"Snake Oil"[..]));
        assert_eq!(uri.token.label.as_deref(), Some("Tü".as_bytes()));
        assert_eq!(uri.token.slot_id, Some(327));
        assert_eq!(uri.key.label.as_deref(), Some(&b"my;key"[..]));
        assert_eq!(
            uri.key.id.as_deref(),
            Some(&[0x69, 0x95, 0x3e, 0, 0xff][..])
        );
        assert_eq!(uri.module_name.as_deref(), Some("p11"));
        assert!(uri.pin == Some(PinSource::Value(Zeroizing::new(b"1+2".to_vec()))));
        assert!(!format!("{uri:?}").contains("1+2"));
    }

    #[test]
    fn the_error_names_the_problem_of_a_uri() {
        let value = |attribute, found: &str, needed| UriError::Value {
            attribute,
            found: found.to_owned(),
            needed,
        };
        let named = |attribute: &str| attribute.to_owned();
        for (text, error) in [
            ("x:y", UriError::Scheme),
            ("", UriError::Scheme),
            ("pkcs11:", UriError::NoKey),
            ("pkcs11:token=t;", UriError::NoValue { number: 2 }),
            (
                "pkcs11:token=t;object=o?pin-value",
                UriError::NoValue { number: 1 },
            ),
            (
                "pkcs11:token=a;token=b",
                UriError::Repeated {
                    attribute: named("token"),
                },
            ),
            (
                "pkcs11:token=t?module-path=/a&module-path=/b",
                UriError::Repeated {
                    attribute: named("module-path"),
                },
            ),
            (
                "pkcs11:token=%zz",
                UriError::Escape {
                    attribute: named("token"),
                },
            ),
            (
                "pkcs11:token=%4",
                UriError::Escape {
                    attribute: named("token"),
                },
            ),
            (
                "pkcs11:tokan=t",
                UriError::Unknown {
                    attribute: named("tokan"),
                    in_query: false,
                },
            ),
            (
                "pkcs11:Token=t",
                UriError::Unknown {
                    attribute: named("Token"),
                    in_query: false,
                },
            ),
            (
                "pkcs11:module-path=/a",
                UriError::Unknown {
                    attribute: named("module-path"),
                    in_query: true,
                },
            ),
            ("pkcs11:object=o?module-name=m", UriError::NoToken),
            ("pkcs11:token=t?module-name=m", UriError::NoKey),
            ("pkcs11:token=t;object=o", UriError::NoModule),
            (
                "pkcs11:slot-id=x",
                value("slot-id", "x", "the number of a slot"),
            ),
            (
                "pkcs11:slot-id=-1",
                value("slot-id", "-1", "the number of a slot"),
            ),
            (
                "pkcs11:library-version=1.2.3",
                value("library-version", "1.2.3", "a version like 3 or 2.6"),
            ),
            (
                "pkcs11:library-version=256",
                value("library-version", "256", "a version like 3 or 2.6"),
            ),
            (
                "pkcs11:type=x",
                value(
                    "type",
                    "x",
                    "one of private, public, cert, secret-key and data",
                ),
            ),
            (
                "pkcs11:?module-path=x.so",
                value("module-path", "x.so", "an absolute path"),
            ),
            (
                "pkcs11:?module-name=../x",
                value(
                    "module-name",
                    "../x",
                    "the name of a module, without a path",
                ),
            ),
            (
                "pkcs11:?pin-source=pin",
                value("pin-source", "pin", "an absolute path or a file: URI"),
            ),
            (
                "pkcs11:?pin-source=file:pin",
                value("pin-source", "file:pin", "an absolute path or a file: URI"),
            ),
            (
                "pkcs11:?pin-source=https://x",
                value("pin-source", "https://x", "an absolute path or a file: URI"),
            ),
            (
                "pkcs11:?pin-source=%7c/bin/pin",
                value("pin-source", "|/bin/pin", "an absolute path or a file: URI"),
            ),
            ("pkcs11:?pin-source=/a&pin-value=1", UriError::TwoPins),
        ] {
            assert_eq!(text.parse::<Uri>().unwrap_err(), error, "{text}");
        }
        let long = format!("pkcs11:token={}", "t".repeat(MAX_URI_BYTES));
        assert_eq!(
            long.parse::<Uri>().unwrap_err(),
            UriError::TooLong { bytes: long.len() }
        );
    }

    #[test]
    fn a_pin_file_is_a_path_or_a_file_uri() {
        for source in [
            "/etc/pin",
            "file:/etc/pin",
            "file:///etc/pin",
            "%2fetc%2fpin",
        ] {
            let uri = format!("pkcs11:token=t;object=o?module-name=m&pin-source={source}");
            let uri: Uri = uri.parse().unwrap();
            assert!(
                uri.pin == Some(PinSource::File("/etc/pin".into())),
                "{source}"
            );
        }
    }
}
