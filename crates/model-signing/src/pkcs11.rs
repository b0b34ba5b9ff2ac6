//! Keys that never leave a hardware token, by PKCS#11.
//!
//! A [`Uri`] names the key; [`TokenSigner`] loads the token's module, logs in, and signs there. Loading a module runs
//! its code in this process: a URI is a program to run.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Info, Pkcs11};
use cryptoki::error::{Error as CryptokiError, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, AttributeType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::{Slot, SlotInfo, TokenInfo};
use cryptoki::types::RawAuthPin;
use pkcs8::ObjectIdentifier;
use pkcs8::der::asn1::{OctetStringRef, UintRef};
use pkcs8::der::{self, Decode as _, Encode as _};
use zeroize::Zeroizing;

use crate::certificate::{self, ChainError};
use crate::key::{Curve, KeyError, PublicKey};
use crate::sign::{Material, SignError, Signer};

mod module;
mod uri;

use uri::PinSource;
pub use uri::{Uri, UriError};

pub use crate::pkcs11_error::{ModuleError, Pkcs11Error};

/// Most private keys that a message lists.
pub const MAX_SHOWN_KEYS: usize = 20;

/// Most bytes of a file with a PIN. Tokens take some 256.
const MAX_PIN_BYTES: u64 = 4096;

/// Signs with a key in a token.
#[derive(Debug)]
pub struct TokenSigner {
    session: Session,
    private: ObjectHandle,
    curve: Curve,
    material: Material,
}

impl TokenSigner {
    /// Loads the module that the URI names, logs in to the token, and finds the key.
    ///
    /// Slots without a token are skipped, and so are tokens that do not answer. A PIN file is read whole; a line feed
    /// at its end is not part of the PIN. Without a PIN, a token with a keypad of its own asks there.
    ///
    /// # Errors
    ///
    /// [`Pkcs11Error`], which names what was not found, or the call that the token refused.
    pub fn open(uri: &Uri) -> Result<Self, Pkcs11Error> {
        Self::find(uri, None)
    }

    /// As [`open`](Self::open), for the key of a certificate: the token need not have its public half.
    ///
    /// `certificate` is a PEM file; the key is that of its first certificate.
    ///
    /// # Errors
    ///
    /// Those of [`open`](Self::open); the certificate cannot be read, or is another key's.
    pub fn open_for_certificate(uri: &Uri, certificate: &[u8]) -> Result<Self, SignError> {
        let certificates = certificate::all_of_pem(certificate)?;
        let leaf = certificates.first().ok_or(ChainError::NoCertificate)?;
        Ok(Self::find(uri, Some(certificate::leaf_key(leaf)?))?)
    }

    fn find(uri: &Uri, certified: Option<PublicKey>) -> Result<Self, Pkcs11Error> {
        let pin = uri.pin.as_ref().map(read_pin).transpose()?;
        let path = module::find(uri)?;
        let module = Pkcs11::new(&path)?;
        match module.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
            // By another signer in this process. It still needs the module, so the module is never finalized.
            Ok(()) | Err(CryptokiError::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => {}
            Err(error) => return Err(error.into()),
        }
        check_library(uri, &module.get_library_info()?, &path)?;
        let (slot, token) = find_token(uri, &module)?;
        let session = module.open_ro_session(slot)?;
        let logged_in = log_in(&session, &token, pin)?;
        let private = find_private_key(&session, uri, logged_in)?;
        let key = match (public_key(&session, uri, private), certified) {
            (Err(Pkcs11Error::NoPublicKey), Some(certified)) => certified,
            (Ok(key), Some(certified)) if key != certified => return Err(Pkcs11Error::OtherKey),
            (found, _) => found?,
        };
        let curve = key.curve().ok_or_else(|| KeyError::NotElliptic {
            algorithm: key.algorithm().to_owned(),
        })?;
        let signer = Self {
            session,
            private,
            curve,
            material: Material::Key(key),
        };
        // Before hours of hashing, and not after them.
        signer.try_out()?;
        Ok(signer)
    }

    /// Signs something that is no statement: does the token sign, and with this key?
    fn try_out(&self) -> Result<(), Pkcs11Error> {
        const MESSAGE: &[u8] = b"model-signing: does this key sign?";
        let signature = self.sign_raw(MESSAGE)?;
        let key = self.material.key();
        key.verify(MESSAGE, &signature)
            .map_err(|_| Pkcs11Error::OtherKey)
    }

    fn sign_raw(&self, message: &[u8]) -> Result<Vec<u8>, Pkcs11Error> {
        // Hashed here: few tokens hash, and a message may be large.
        let digest = self.curve.digest(message);
        let mechanism = Mechanism::Ecdsa;
        let sides = self
            .session
            .sign(&mechanism, self.private, digest.as_ref())?;
        to_der(self.curve, &sides)
    }
}

impl Signer for TokenSigner {
    fn material(&self) -> &Material {
        &self.material
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        Ok(self.sign_raw(message)?)
    }
}

fn read_pin(source: &PinSource) -> Result<Zeroizing<Vec<u8>>, Pkcs11Error> {
    let path = match source {
        PinSource::Value(pin) => return Ok(pin.clone()),
        PinSource::File(path) => path,
    };
    let unreadable = |source| Pkcs11Error::PinFile {
        path: path.clone(),
        source,
    };
    let mut pin = Zeroizing::new(Vec::with_capacity(4096 + 1));
    File::open(path)
        .and_then(|file| file.take(MAX_PIN_BYTES + 1).read_to_end(&mut pin))
        .map_err(unreadable)?;
    if pin.len() as u64 > MAX_PIN_BYTES {
        let too_long = io::Error::new(io::ErrorKind::FileTooLarge, "too long for a PIN");
        return Err(unreadable(too_long));
    }
    // What an editor, or `echo`, has put there.
    for end in [b'\n', b'\r'] {
        if pin.last() == Some(&end) {
            pin.pop();
        }
    }
    Ok(pin)
}

/// Whether an attribute of the URI, if it has it, is that of the module; trailing blanks are padding.
fn fits(wanted: Option<&Vec<u8>>, found: &str) -> bool {
    wanted.is_none_or(|wanted| wanted.trim_ascii_end() == found.trim_ascii_end().as_bytes())
}

fn check_library(uri: &Uri, info: &Info, path: &Path) -> Result<(), Pkcs11Error> {
    let version = info.library_version();
    let fits_version = uri.library.version.is_none_or(|(major, minor)| {
        major == version.major() && minor.is_none_or(|minor| minor == version.minor())
    });
    if fits_version
        && fits(uri.library.manufacturer.as_ref(), info.manufacturer_id())
        && fits(uri.library.description.as_ref(), info.library_description())
    {
        Ok(())
    } else {
        Err(Pkcs11Error::OtherModule {
            path: path.to_owned(),
        })
    }
}

fn find_token(uri: &Uri, module: &Pkcs11) -> Result<(Slot, TokenInfo), Pkcs11Error> {
    let mut present = Vec::new();
    let mut fitting = Vec::new();
    for slot in module.get_slots_with_token()? {
        let wanted = &uri.token;
        let (Ok(slot_info), Ok(token)) = (module.get_slot_info(slot), module.get_token_info(slot))
        else {
            // Pulled out at this moment, or broken: it is not the one that can sign.
            continue;
        };
        // A token that is not initialized holds no keys; SoftHSM always shows one.
        if !token.token_initialized() {
            continue;
        }
        present.push(token.label().to_owned());
        if wanted.slot_id.is_none_or(|id| id == slot.id())
            && fits_slot(wanted, &slot_info)
            && fits_token(wanted, &token)
        {
            fitting.push((slot, token));
        }
    }
    match fitting.len() {
        0 => Err(Pkcs11Error::NoToken { present }),
        1 => fitting.pop().ok_or(Pkcs11Error::NoToken { present }),
        _ => Err(Pkcs11Error::SeveralTokens {
            serials: fitting
                .iter()
                .map(|(_, token)| token.serial_number().to_owned())
                .collect(),
        }),
    }
}

fn fits_slot(wanted: &uri::Token, slot: &SlotInfo) -> bool {
    fits(wanted.slot_description.as_ref(), slot.slot_description())
        && fits(wanted.slot_manufacturer.as_ref(), slot.manufacturer_id())
}

fn fits_token(wanted: &uri::Token, token: &TokenInfo) -> bool {
    fits(wanted.label.as_ref(), token.label())
        && fits(wanted.manufacturer.as_ref(), token.manufacturer_id())
        && fits(wanted.serial.as_ref(), token.serial_number())
        && fits(wanted.model.as_ref(), token.model())
}

/// Logs in if there is a PIN or a keypad; answers whether.
fn log_in(
    session: &Session,
    token: &TokenInfo,
    pin: Option<Zeroizing<Vec<u8>>>,
) -> Result<bool, Pkcs11Error> {
    let outcome = match pin {
        Some(pin) => {
            let pin = RawAuthPin::new(Box::new(pin.to_vec()));
            session.login_with_raw(UserType::User, &pin)
        }
        None if token.login_required() && token.protected_authentication_path() => {
            session.login(UserType::User, None)
        }
        None => return Ok(false),
    };
    match outcome {
        // Another session of this process has.
        Ok(()) | Err(CryptokiError::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => Ok(true),
        Err(CryptokiError::Pkcs11(RvError::PinIncorrect | RvError::PinLenRange, _)) => {
            Err(Pkcs11Error::WrongPin)
        }
        Err(error) => Err(error.into()),
    }
}

fn template(uri: &Uri, class: ObjectClass) -> Vec<Attribute> {
    let mut template = vec![Attribute::Class(class)];
    template.extend(uri.key.label.clone().map(Attribute::Label));
    template.extend(uri.key.id.clone().map(Attribute::Id));
    template
}

fn find_private_key(
    session: &Session,
    uri: &Uri,
    logged_in: bool,
) -> Result<ObjectHandle, Pkcs11Error> {
    match session
        .find_objects(&template(uri, ObjectClass::PRIVATE_KEY))?
        .as_slice()
    {
        [key] => Ok(*key),
        [] => Err(Pkcs11Error::NoKey {
            logged_in,
            present: private_keys(session)?,
        }),
        several => Err(Pkcs11Error::SeveralKeys {
            found: several.len(),
        }),
    }
}

/// The labels and ids of the private keys in the token, as a URI has them, sorted.
fn private_keys(session: &Session) -> Result<Vec<String>, Pkcs11Error> {
    let wanted = [AttributeType::Label, AttributeType::Id];
    let keys = session.find_objects(&[Attribute::Class(ObjectClass::PRIVATE_KEY)])?;
    let mut names = Vec::new();
    for key in keys.into_iter().take(MAX_SHOWN_KEYS) {
        let mut name = Vec::new();
        for attribute in session.get_attributes(key, &wanted)? {
            match attribute {
                Attribute::Label(label) if !label.is_empty() => {
                    name.push(format!("object={}", String::from_utf8_lossy(&label)));
                }
                Attribute::Id(id) if !id.is_empty() => {
                    let mut text = "id=".to_owned();
                    for byte in id {
                        write!(text, "%{byte:02X}").expect("writing to a String does not fail");
                    }
                    name.push(text);
                }
                _ => {}
            }
        }
        names.push(name.join(";"));
    }
    // A token lists its objects in any order.
    names.sort_unstable();
    Ok(names)
}

/// The public half: an object of the same names, or what some tokens keep with the private one.
fn public_key(
    session: &Session,
    uri: &Uri,
    private: ObjectHandle,
) -> Result<PublicKey, Pkcs11Error> {
    let mut objects = session.find_objects(&template(uri, ObjectClass::PUBLIC_KEY))?;
    objects.push(private);
    let wanted = [AttributeType::EcParams, AttributeType::EcPoint];
    for object in objects {
        let (mut parameters, mut point) = (None, None);
        for attribute in session.get_attributes(object, &wanted)? {
            match attribute {
                Attribute::EcParams(der) => parameters = Some(der),
                Attribute::EcPoint(der) => point = Some(der),
                _ => {}
            }
        }
        if let (Some(parameters), Some(point)) = (parameters, point)
            && !point.is_empty()
        {
            return Ok(read_public_key(&parameters, &point)?);
        }
    }
    Err(Pkcs11Error::NoPublicKey)
}

fn read_public_key(parameters: &[u8], point: &[u8]) -> Result<PublicKey, KeyError> {
    let curve = ObjectIdentifier::from_der(parameters).map_err(|_| KeyError::UnsupportedCurve {
        curve: "that the token does not name".to_owned(),
    })?;
    let curve = Curve::from_oid(curve)?;
    // PKCS#11 has the point within an OCTET STRING; some tokens leave that out.
    if let Ok(inner) = <&OctetStringRef>::from_der(point)
        && let Ok(key) = PublicKey::from_point(curve, inner.as_bytes())
    {
        return Ok(key);
    }
    PublicKey::from_point(curve, point)
}

/// ECDSA-Sig-Value in DER, from r and s side by side.
fn to_der(curve: Curve, sides: &[u8]) -> Result<Vec<u8>, Pkcs11Error> {
    let needed = 2 * curve.field_bytes();
    let wrong = || Pkcs11Error::Signature {
        bytes: sides.len(),
        needed,
    };
    if sides.len() != needed {
        return Err(wrong());
    }
    let (r, s) = sides.split_at(needed / 2);
    let numbers = || -> der::Result<Vec<u8>> {
        let mut der = Vec::new();
        let (r, s) = (UintRef::new(r)?, UintRef::new(s)?);
        let length = (r.encoded_len()? + s.encoded_len()?)?;
        der::Header::new(der::Tag::Sequence, length).encode(&mut der)?;
        r.encode(&mut der)?;
        s.encode(&mut der)?;
        Ok(der)
    };
    numbers().map_err(|_| wrong())
}
