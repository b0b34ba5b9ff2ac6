//! The GeneralNames of a certificate (RFC 5280 §4.2.1.6).

use core::net::{Ipv4Addr, Ipv6Addr};
use std::fmt::Write as _;

use super::der::{self, DerError, Reader};
use super::san::{San, SanType};
use super::{Anomaly, ber, text};

/// Fulcio's otherName, 1.3.6.1.4.1.57264.1.7: a user name.
const FULCIO_USER_NAME: &[u8] = b"\x2b\x06\x01\x04\x01\x83\xbf\x30\x01\x07";
/// `id-on-SmtpUTF8Mailbox`, 1.3.6.1.5.5.7.8.9 (RFC 8398 §3): a mail address that is not all ASCII.
const SMTP_UTF8_MAILBOX: &[u8] = b"\x2b\x06\x01\x05\x05\x07\x08\x09";
/// `id-on-xmppAddr` and `id-on-dnsSRV`, 1.3.6.1.5.5.7.8.5 and .7 (RFC 6120 §13.7.1.4, RFC 4985 §2).
const XMPP_ADDRESS: &[u8] = b"\x2b\x06\x01\x05\x05\x07\x08\x05";
const SRV_NAME: &[u8] = b"\x2b\x06\x01\x05\x05\x07\x08\x07";
/// User principal name of Microsoft's directories, 1.3.6.1.4.1.311.20.2.3.
const USER_PRINCIPAL_NAME: &[u8] = b"\x2b\x06\x01\x04\x01\x82\x37\x14\x02\x03";

/// Reads the extension's value, a SEQUENCE OF GeneralName (RFC 5280 §4.2.1.6).
pub(super) fn parse(
    value: &[u8],
    sans: &mut Vec<San>,
    anomalies: &mut Vec<Anomaly>,
) -> Result<(), DerError> {
    let names = der::only(value, der::SEQUENCE)?;
    let mut reader = Reader::new(names);
    while !reader.is_empty() {
        let name = reader.element()?;
        let content = reader.bytes(&name.content);
        add(name.tag, content, split_other_name, sans, anomalies)?;
    }
    Ok(())
}

/// Adds the GeneralName with that tag and content; `split` finds the type and the value of an otherName.
pub(super) fn add<'a>(
    tag: u8,
    content: &'a [u8],
    split: impl Fn(&'a [u8]) -> Result<(&'a [u8], &'a [u8]), DerError>,
    sans: &mut Vec<San>,
    anomalies: &mut Vec<Anomaly>,
) -> Result<(), DerError> {
    let (kind, text) = match tag {
        OTHER_NAME => {
            let (oid, value) = split(content)?;
            let kind = if oid == SMTP_UTF8_MAILBOX {
                anomalies.push(Anomaly::InternationalMailbox);
                SanType::Email
            } else {
                SanType::OtherName
            };
            (kind, other_name(oid, value))
        }
        EMAIL => (SanType::Email, ascii(content)),
        DNS => (SanType::Dns, ascii(content)),
        URI => (SanType::Uri, ascii(content)),
        IP => (SanType::Ip, ip(content)),
        EMAIL_IN_PARTS => (SanType::Email, Err(in_parts(content))),
        DNS_IN_PARTS => (SanType::Dns, Err(in_parts(content))),
        URI_IN_PARTS => (SanType::Uri, Err(in_parts(content))),
        // A directoryName or an x400Address cannot be watched; its presence is reported.
        _ => {
            anomalies.push(Anomaly::UnknownNameType);
            return Ok(());
        }
    };
    let value = text.unwrap_or_else(|lossy| {
        anomalies.push(Anomaly::NameEncoding(kind));
        lossy
    });
    sans.push(San { kind, value });
    Ok(())
}

const OTHER_NAME: u8 = der::constructed(0);
const EMAIL: u8 = der::primitive(1);
const DNS: u8 = der::primitive(2);
const URI: u8 = der::primitive(6);
const IP: u8 = der::primitive(7);
/// The same strings in parts, which DER does not allow and OpenSSL reads.
const EMAIL_IN_PARTS: u8 = der::constructed(1);
const DNS_IN_PARTS: u8 = der::constructed(2);
const URI_IN_PARTS: u8 = der::constructed(6);

/// The text, or what can be shown of it.
type Text = Result<String, String>;

/// An IA5String. Bytes outside of ASCII are kept if they are UTF-8: they may imitate a watched name.
fn ascii(content: &[u8]) -> Text {
    match std::str::from_utf8(content) {
        Ok(text) if text.is_ascii() => Ok(text.to_owned()),
        _ => Err(String::from_utf8_lossy(content).into_owned()),
    }
}

fn ip(content: &[u8]) -> Text {
    if let Ok(octets) = <[u8; 4]>::try_from(content) {
        Ok(Ipv4Addr::from(octets).to_string())
    } else if let Ok(octets) = <[u8; 16]>::try_from(content) {
        Ok(Ipv6Addr::from(octets).to_string())
    } else {
        Err(hex::encode(content))
    }
}

/// `OtherName ::= SEQUENCE { type-id OBJECT IDENTIFIER, value [0] EXPLICIT ANY }`, its outer tag already read.
fn split_other_name(content: &[u8]) -> Result<(&[u8], &[u8]), DerError> {
    let mut reader = Reader::new(content);
    let oid = reader.expect(der::OID)?;
    let value = reader.expect(der::constructed(0))?;
    reader.end()?;
    Ok((reader.bytes(&oid.content), reader.bytes(&value.content)))
}

fn other_name(oid: &[u8], value: &[u8]) -> Text {
    let tag = match oid {
        FULCIO_USER_NAME | SMTP_UTF8_MAILBOX | XMPP_ADDRESS | USER_PRINCIPAL_NAME => {
            der::UTF8_STRING
        }
        SRV_NAME => text::IA5_STRING,
        _ => return Ok(format!("{}:{}", dotted(oid), hex::encode(value))),
    };
    match text::canonical(value, tag) {
        Some(text) => Ok(text.to_owned()),
        None => Err(text::lenient(value)),
    }
}

/// A string in parts; without parts, as far as it is text.
fn in_parts(content: &[u8]) -> String {
    let (mut joined, mut rest) = (Vec::new(), content);
    while let Some((part, after)) = ber::read(rest) {
        joined.extend(ber::string(&part).unwrap_or_default());
        rest = after;
    }
    if rest.is_empty() {
        String::from_utf8_lossy(&joined).into_owned()
    } else {
        String::from_utf8_lossy(content).into_owned()
    }
}

/// An object identifier in its usual notation; arcs that are too large are hex, so that they cannot look like another
/// identifier.
fn dotted(oid: &[u8]) -> String {
    let mut text = String::new();
    let mut arc = 0u64;
    let mut first = true;
    for (i, byte) in oid.iter().enumerate() {
        if arc >> 57 != 0 || (i + 1 == oid.len() && byte & 0x80 != 0) {
            return hex::encode(oid);
        }
        arc = arc << 7 | u64::from(byte & 0x7f);
        if byte & 0x80 != 0 {
            continue;
        }
        // Writing to a String cannot fail.
        let _ = if first {
            let top = (arc / 40).min(2);
            write!(text, "{top}.{}", arc - top * 40)
        } else {
            write!(text, ".{arc}")
        };
        first = false;
        arc = 0;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: &[u8]) -> Option<(Vec<San>, Vec<Anomaly>)> {
        let (mut sans, mut anomalies) = (Vec::new(), Vec::new());
        parse(value, &mut sans, &mut anomalies).ok()?;
        Some((sans, anomalies))
    }

    #[test]
    fn every_type_of_name_is_read() {
        for (value, kind, text) in [
            (&b"\x30\x05\x81\x03a@b"[..], SanType::Email, "a@b"),
            (b"\x30\x05\x82\x03a.b", SanType::Dns, "a.b"),
            (b"\x30\x05\x86\x03s:p", SanType::Uri, "s:p"),
            (b"\x30\x06\x87\x04\xc0\x00\x02\x07", SanType::Ip, "192.0.2.7"),
            (
                b"\x30\x12\x87\x10\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01",
                SanType::Ip,
                "2001:db8::1",
            ),
            (
                b"\x30\x15\xa0\x13\x06\x0a\x2b\x06\x01\x04\x01\x83\xbf\x30\x01\x07\xa0\x05\x0c\x03u!d",
                SanType::OtherName,
                "u!d",
            ),
            (
                b"\x30\x0c\xa0\x0a\x06\x03\x2a\x03\x04\xa0\x03\x0c\x01x",
                SanType::OtherName,
                "1.2.3.4:0c0178",
            ),
        ] {
            let value_of = |text: &str| San {
                kind,
                value: text.to_owned(),
            };
            assert_eq!(read(value), Some((vec![value_of(text)], vec![])), "{text}");
        }
    }

    #[test]
    fn a_name_in_the_wrong_encoding_is_kept_and_reported() {
        let (sans, anomalies) = read(
            "\u{30}\u{6}\u{86}\u{4}"
                .chars()
                .map(|c| c as u8)
                .chain(*b"a\xc3\xa9b")
                .collect::<Vec<_>>()
                .as_slice(),
        )
        .expect("readable");
        assert_eq!(sans.first().map(|san| san.value.as_str()), Some("aéb"));
        assert_eq!(anomalies, [Anomaly::NameEncoding(SanType::Uri)]);
    }

    #[test]
    fn a_user_name_is_read_in_every_type_of_string() {
        for value in [
            &b"\x0c\x03u!d"[..],
            b"\x13\x03u!d",
            b"\x14\x03u!d",
            b"\x16\x03u!d",
            b"\x1a\x03u!d",
            b"\x1c\x0c\0\0\0u\0\0\0!\0\0\0d",
            b"\x1e\x06\0u\0!\0d",
            b"\x04\x05\x0c\x03u!d",
            b"u!d",
        ] {
            let name = der::encode(der::constructed(0), value);
            let name = [der::encode(der::OID, FULCIO_USER_NAME), name].concat();
            let list = der::encode(der::SEQUENCE, &der::encode(OTHER_NAME, &name));
            let (sans, anomalies) = read(&list).expect("readable");
            assert_eq!(sans[0].kind, SanType::OtherName);
            assert_eq!(sans[0].value, "u!d", "{value:02x?}");
            assert_eq!(anomalies.is_empty(), value[0] == der::UTF8_STRING);
        }
    }

    #[test]
    fn other_names_that_are_texts_are_read_as_such() {
        for (oid, value, kind, expected) in [
            (
                SMTP_UTF8_MAILBOX,
                "\u{c}\u{5}\u{e9}@b.c",
                SanType::Email,
                "\u{e9}@b.c",
            ),
            (
                USER_PRINCIPAL_NAME,
                "\u{c}\u{3}u@d",
                SanType::OtherName,
                "u@d",
            ),
            (XMPP_ADDRESS, "\u{c}\u{3}u@d", SanType::OtherName, "u@d"),
            (SRV_NAME, "\u{16}\u{3}_a.", SanType::OtherName, "_a."),
        ] {
            // The length of the first text is in octets.
            let mut value = value.as_bytes().to_vec();
            value[1] = u8::try_from(value.len() - 2).expect("short");
            let name = der::encode(der::constructed(0), &value);
            let name = [der::encode(der::OID, oid), name].concat();
            let list = der::encode(der::SEQUENCE, &der::encode(OTHER_NAME, &name));
            let (sans, anomalies) = read(&list).expect("readable");
            let value = expected.to_owned();
            assert_eq!(sans, [San { kind, value }]);
            let is_mail = kind == SanType::Email;
            assert_eq!(anomalies.contains(&Anomaly::InternationalMailbox), is_mail);
        }
    }

    #[test]
    fn a_name_in_parts_is_one_name() {
        let list = b"\x30\x0b\xa6\x09\x16\x03s:p\x16\x02/q";
        let (sans, anomalies) = read(list).expect("readable");
        assert_eq!(sans[0].value, "s:p/q");
        assert_eq!(anomalies, [Anomaly::NameEncoding(SanType::Uri)]);
    }

    #[test]
    fn a_directory_name_is_no_identity_and_is_reported() {
        let (sans, anomalies) = read(b"\x30\x04\xa4\x02\x30\x00").expect("readable");
        assert!(sans.is_empty());
        assert_eq!(anomalies, [Anomaly::UnknownNameType]);
    }

    #[test]
    fn a_broken_list_of_names_is_an_error_never_no_name() {
        for value in [
            &b""[..],
            b"\x30\x05\x81\x03a@",
            b"\x30\x03\x81\x03a@b",
            b"\x30\x02\xa0\x00",
        ] {
            assert!(read(value).is_none(), "{value:02x?}");
        }
    }

    #[test]
    fn object_identifiers_are_dotted() {
        for (oid, text) in [
            (&b"\x55\x1d\x11"[..], "2.5.29.17"),
            (b"\x2b\x06\x01", "1.3.6.1"),
            (b"\x88\x37\x03", "2.999.3"),
            (b"\x2b\x86", "2b86"),
            (
                b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
                "ffffffffffffffffff7f",
            ),
        ] {
            assert_eq!(dotted(oid), text);
        }
    }
}
