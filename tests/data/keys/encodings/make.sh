#!/bin/sh
# Makes the files beside it anew, with other keys: one key in every encoding that the tests read, and for each the hash of its
# canonical SubjectPublicKeyInfo. Needs openssl, ssh-keygen, gpg (2.2) and Python's `cryptography`. Private keys stay in a
# directory that is removed at the end.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'gpgconf --homedir "$work/gnupg" --kill all 2>/dev/null; rm -rf "$work"' EXIT
cd "$work"

for curve in prime256v1 secp384r1 secp521r1 secp224r1 secp256k1 brainpoolP256r1 brainpoolP384r1 brainpoolP512r1; do
    openssl ecparam -name $curve -genkey -noout -out $curve.key
    openssl pkey -in $curve.key -pubout -outform DER -out "$here/$curve.der"
    for form in compressed hybrid; do
        openssl ec -in $curve.key -pubout -conv_form $form -outform DER -out "$here/$curve.$form.der" 2>/dev/null
        openssl ec -in $curve.key -pubout -conv_form $form -param_enc explicit -outform DER -out "$here/$curve.$form.explicit.der" 2>/dev/null
    done
done
openssl genrsa -out rsa.key 2048 2>/dev/null
openssl pkey -in rsa.key -pubout -outform DER -out "$here/rsa.der"
openssl rsa -in rsa.key -RSAPublicKey_out -outform DER -out "$here/rsa.pkcs1.der" 2>/dev/null
openssl genpkey -algorithm ed25519 -out ed25519.key
openssl pkey -in ed25519.key -pubout -outform DER -out "$here/ed25519.der"
openssl genpkey -algorithm ed448 -out ed448.key
openssl pkey -in ed448.key -pubout -outform DER -out "$here/ed448.der"
openssl dsaparam -noout -genkey -out dsa.key 1024 2>/dev/null
openssl pkey -in dsa.key -pubout -outform DER -out "$here/dsa.der"

# The same keys for SSH, alone and in certificates of a CA that nobody knows.
ssh-keygen -q -t ed25519 -N '' -C throwaway -f ca
python3 - "$here" <<'PYTHON'
import sys
from pathlib import Path
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key
here = Path(sys.argv[1])
for name in ("prime256v1", "secp384r1", "secp521r1", "rsa", "ed25519", "dsa"):
    key = load_der_public_key((here / f"{name}.der").read_bytes())
    Path(f"{name}.pub").write_bytes(key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH) + b" release@harbor.example\n")
PYTHON
for key in prime256v1 secp384r1 secp521r1 rsa ed25519 dsa; do
    ssh-keygen -q -s ca -I "anything" -n anybody $key.pub
    cp $key.pub "$here/$key.pub"
    cp $key-cert.pub "$here/$key-cert.pub"
done
ssh-keygen -e -m RFC4716 -f ed25519.pub > "$here/ed25519.rfc4716"

# An owner's OpenPGP key with signing subkeys of every kind; and a thief's, with two of these subkeys under it.
export GNUPGHOME="$work/gnupg"
mkdir -m 700 "$GNUPGHOME"
gpg="gpg --batch --quiet --pinentry-mode loopback --passphrase="
$gpg --quick-generate-key 'Owner <owner@harbor.example>' ed25519 cert never
owner=$(gpg --list-keys --with-colons owner | sed -n 's/^fpr:*\([0-9A-F]*\):$/\1/p' | head -1)
for algorithm in ed25519 rsa2048 nistp256/ecdsa nistp384/ecdsa nistp521/ecdsa brainpoolP256r1/ecdsa secp256k1/ecdsa dsa2048; do
    $gpg --quick-add-key "$owner" $algorithm sign never
done
$gpg --quick-add-key "$owner" cv25519 encr never
$gpg --armor --export "$owner" > "$here/owner.asc"
$gpg --export "$owner" > "$here/owner.pgp"
gpg --with-keygrip --list-keys --with-colons "$owner" > owner.list
grip() { sed -n 's/^grp:*\([0-9A-F]*\):$/\1/p' owner.list | sed -n "$1p"; }
$gpg --quick-generate-key 'Thief <thief@harbor.example>' ed25519 default never
thief=$(gpg --list-keys --with-colons thief | sed -n 's/^fpr:*\([0-9A-F]*\):$/\1/p' | head -1)
for number in 2 3; do
    # `Existing key`; its capabilities as offered; it does not expire.
    printf 'addkey\n13\n%s\nq\n0\ny\ny\nsave\n' "$(grip $number)" |
        gpg --quiet --expert --pinentry-mode loopback --passphrase= --command-fd 0 --no-tty --edit-key "$thief" >/dev/null 2>&1
done
$gpg --armor --export "$thief" > "$here/thief.asc"
$gpg --armor --export "$owner" "$thief" > "$here/both.asc"

# Certificates of one key and one TBSCertificate: an ECDSA signature is (r, s) and (r, n - s).
python3 - "$here" <<'PYTHON'
import sys, json, hashlib, datetime, base64, re, subprocess
from pathlib import Path
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key
here = Path(sys.argv[1])
ORDERS = {
    "prime256v1": (ec.SECP256R1(), 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551),
    "secp384r1": (ec.SECP384R1(), 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973),
    "secp521r1": (ec.SECP521R1(), 0x01FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFA51868783BF2F966B7FCC0148F709A5D03BB5C9B8899C47AEBB6FB71E91386409),
}
for name, (curve, order) in ORDERS.items():
    ca = ec.generate_private_key(curve)
    leaf = ec.generate_private_key(ec.SECP256R1())
    uri = "https://github.com/harbor-ml-example/falcon/.github/workflows/release.yml@refs/tags/v1"
    made = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]))
        .issuer_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "harbor")]))
        .public_key(leaf.public_key())
        .serial_number(7)
        .not_valid_before(datetime.datetime(2026, 11, 21, 8))
        .not_valid_after(datetime.datetime(2026, 11, 21, 8, 10))
        .add_extension(x509.SubjectAlternativeName([x509.UniformResourceIdentifier(uri)]), critical=True)
        .sign(ca, hashes.SHA256() if name == "prime256v1" else hashes.SHA384())
    )
    der = made.public_bytes(Encoding.DER)
    (here / f"certificate.{name}.der").write_bytes(der)
    r, s = decode_dss_signature(made.signature)
    other = encode_dss_signature(r, order - s)
    tail = made.signature
    assert der.endswith(tail)
    def length(n):
        return bytes([n]) if n < 128 else (b"\x81" + bytes([n]) if n < 256 else b"\x82" + n.to_bytes(2, "big"))
    bits = b"\x03" + length(len(other) + 1) + b"\0" + other
    old = b"\x03" + length(len(tail) + 1) + b"\0" + tail
    body = der[4:-len(old)] + bits
    twin = b"\x30" + length(len(body)) + body
    x509.load_der_x509_certificate(twin)
    ca.public_key().verify(x509.load_der_x509_certificate(twin).signature, made.tbs_certificate_bytes, ec.ECDSA(made.signature_hash_algorithm))
    (here / f"certificate.{name}.twin.der").write_bytes(twin)

# What each key of the OpenPGP files is as a SubjectPublicKeyInfo, by another reader than the one that is tested.
def packets(data):
    at = 0
    while at < len(data):
        tag = data[at]
        if tag & 0x40:
            kind, first = tag & 0x3F, data[at + 1]
            if first < 192: size, head = first, 2
            elif first < 224: size, head = ((first - 192) << 8) + data[at + 2] + 192, 3
            else: size, head = int.from_bytes(data[at + 2:at + 6], "big"), 6
        else:
            kind, octets = (tag >> 2) & 15, 1 << (tag & 3)
            size, head = int.from_bytes(data[at + 1:at + 1 + octets], "big"), 1 + octets
        yield kind, data[at + head:at + head + size]
        at += head + size

from cryptography.hazmat.primitives.asymmetric import rsa, dsa, ed25519, x25519
CURVES = {
    "2a8648ce3d030107": ec.SECP256R1(), "2b81040022": ec.SECP384R1(), "2b81040023": ec.SECP521R1(),
    "2b8104000a": ec.SECP256K1(), "2b2403030208010107": ec.BrainpoolP256R1(),
}
def spki(body):
    algorithm, rest = body[5], body[6:]
    def mpi():
        nonlocal rest
        octets = (int.from_bytes(rest[:2], "big") + 7) // 8
        number, rest = rest[2:2 + octets], rest[2 + octets:]
        return number
    number = lambda: int.from_bytes(mpi(), "big")
    if algorithm == 1:
        n = number()
        key = rsa.RSAPublicNumbers(number(), n).public_key()
    elif algorithm == 17:
        p, q, g = number(), number(), number()
        key = dsa.DSAPublicNumbers(number(), dsa.DSAParameterNumbers(p, q, g)).public_key()
    else:
        oid, rest = rest[1:1 + rest[0]].hex(), rest[1 + rest[0]:]
        point = mpi()
        if oid == "2b06010401da470f01": key = ed25519.Ed25519PublicKey.from_public_bytes(point[1:])
        elif oid == "2b060104019755010501": key = x25519.X25519PublicKey.from_public_bytes(point[1:])
        else: key = ec.EllipticCurvePublicKey.from_encoded_point(CURVES[oid], point)
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
def keys(data):
    return [hashlib.sha256(spki(body)).hexdigest() for kind, body in packets(data) if kind in (6, 14)]
armoured = (here / "thief.asc").read_text()
thief = base64.b64decode("".join(l for l in armoured.split("\n\n", 1)[1].splitlines() if not l.startswith(("=", "-"))))
canonical = {
    "owner": keys((here / "owner.pgp").read_bytes()),
    "thief": keys(thief),
}
assert canonical["thief"][-2:] == canonical["owner"][1:3]
(here / "openpgp.json").write_text(json.dumps(canonical, indent=1) + "\n")

# A minisign key is an Ed25519 key behind two octets and eight of a key id.
raw = (here / "ed25519.der").read_bytes()[-32:]
line = base64.b64encode(b"Ed" + bytes(range(1, 9)) + raw).decode()
(here / "minisign.pub").write_text(f"untrusted comment: minisign public key 0807060504030201\n{line}\n")
PYTHON
