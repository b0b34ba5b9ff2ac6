"""Writes chains.json and names.json: certificate chains with the verdict of the reference implementation on each.

Needs model-signing 1.1.1 and pyOpenSSL 26.4.0. Keys are thrown away, so another run writes other certificates.
"""

import base64
import datetime
import ipaddress
import json
import pathlib
import sys
import tempfile

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID as Eku
from cryptography.x509.oid import NameOID
from model_signing._signing import sign_certificate, sign_sigstore_pb
from sigstore_models.bundle.v1 import Bundle

PAYLOAD = b'{"predicateType":"https://model_signing/signature/v1.0"}'
P256, P384, P521 = ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()
DIGESTS = {256: hashes.SHA256(), 384: hashes.SHA384(), 521: hashes.SHA512()}


def day(number):
    return datetime.datetime(2026, 1, 1) + datetime.timedelta(days=number)


class Node:
    """A certificate with its key."""

    serial = 1000

    def __init__(self, name, issuer=None, *, key=None, ca=True, length=None, usage=None, eku=None, times=(0, 3650),
                 ids=True, extra=(), digest=hashes.SHA256(), pss=False, issuer_name=None, basic=True, serial=None):
        self.key = key or ec.generate_private_key(P256)
        name = name if isinstance(name, x509.Name) else common_name(name)
        signer = issuer.key if issuer else self.key
        Node.serial += 1
        builder = (x509.CertificateBuilder().subject_name(name).issuer_name(issuer_name or (issuer.name if issuer else name))
                   .public_key(self.key.public_key()).serial_number(serial or Node.serial)
                   .not_valid_before(day(times[0])).not_valid_after(day(times[1])))
        if basic:
            builder = builder.add_extension(x509.BasicConstraints(ca, length), critical=True)
        if usage is None:
            usage = {"key_cert_sign", "crl_sign"} if ca else {"digital_signature"}
        if usage:
            names = ["digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
                     "key_cert_sign", "crl_sign", "encipher_only", "decipher_only"]
            builder = builder.add_extension(x509.KeyUsage(**{name: name in usage for name in names}), critical=True)
        if eku:
            builder = builder.add_extension(x509.ExtendedKeyUsage(eku), critical=False)
        if ids:
            builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()), critical=False)
            if issuer:
                builder = builder.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
        for extension, critical in extra:
            builder = builder.add_extension(extension, critical=critical)
        if isinstance(signer, ed25519.Ed25519PrivateKey):
            digest = None
        pad = padding.PSS(padding.MGF1(digest), digest.digest_size) if pss else None
        self.name, self.certificate = name, builder.sign(signer, digest, rsa_padding=pad)

    @property
    def der(self):
        return self.certificate.public_bytes(serialization.Encoding.DER)

    @property
    def pem(self):
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()


def common_name(text, kind=x509.name._ASN1Type.UTF8String):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text, kind)])


def leaf(issuer, **options):
    return Node("leaf", issuer, ca=False, **options)


def critical(oid):
    return (x509.UnrecognizedExtension(x509.ObjectIdentifier(oid), b"\x05\x00"), True)


def broken(node):
    """The same with another signature."""
    other = Node.__new__(Node)
    der = bytearray(node.der)
    der[-1] ^= 1
    other.key, other.name, other.certificate = node.key, node.name, x509.load_der_x509_certificate(bytes(der))
    return other


def scenarios():
    root = Node("root")
    ca = Node("ca", root)
    end = leaf(ca)
    yield "plain", [end, ca], [root]
    yield "root-in-bundle-too", [end, ca, root], [root]
    yield "root-only-in-bundle", [end, ca, root], [Node("other root")]
    yield "ca-in-the-store", [end], [ca, root]
    yield "ca-in-the-store-without-root", [end, ca, root], [ca]
    yield "leaf-in-the-store-without-root", [end], [end]
    yield "helpers-in-any-order-and-strangers", [end, Node("stranger"), root, ca, ca], [root]
    yield "ca-missing", [end], [root]
    yield "impostor-of-the-root", [end, ca], [Node("root")]
    yield "impostor-of-the-root-without-key-ids", [leaf(Node("ca", Node("root", ids=False), ids=False), ids=False)], [Node("root", ids=False)]
    own = Node("self", ca=False)
    yield "self-signed-trusted", [own], [own]
    yield "self-signed-untrusted", [own], [root]
    yield "self-signed-mimic", [Node("self", ca=False)], [own]
    first, second = Node("twin", ids=False), Node("twin", ids=False)
    signed = leaf(second, ids=False)
    yield "twin-roots-without-key-ids-wrong-first", [signed], [first, second]
    with_ids = Node("twin"), Node("twin")
    yield "twin-roots-with-key-ids-wrong-first", [leaf(with_ids[1])], list(with_ids)
    yield "broken-signature-of-the-ca", [end, broken(ca)], [root]
    yield "broken-signature-of-the-leaf", [broken(end), ca], [root]
    yield "broken-signature-of-the-root-on-itself", [end, ca], [broken(root)]
    cross_root, key = Node("cross root"), ec.generate_private_key(P256)
    wrong, right = Node("cross", cross_root, key=key), Node("cross", root, key=key)
    yield "cross-signed-wrong-first", [leaf(wrong), wrong, right], [root]
    yield "cross-signed-right-first", [leaf(wrong), right, wrong], [root]
    yield "cross-signed-in-the-store-first", [leaf(wrong), wrong], [right, root]

    yield "leaf-expired", [leaf(ca, times=(10, 11)), ca], [root]
    yield "leaf-of-the-future", [leaf(ca, times=(3600, 3700)), ca], [root]
    expired, future = Node("old", root, times=(0, 100)), Node("new", root, times=(100, 200))
    yield "ca-valid-when-the-leaf-began", [leaf(expired, times=(50, 3000)), expired], [root]
    yield "ca-expired-when-the-leaf-began", [leaf(expired, times=(101, 3000)), expired], [root]
    yield "ca-not-yet-valid-when-the-leaf-began", [leaf(future, times=(99, 3000)), future], [root]
    yield "ca-begins-with-the-leaf", [leaf(future, times=(100, 3000)), future], [root]
    old_root = Node("old root", times=(0, 100))
    yield "root-expired-when-the-leaf-began", [leaf(old_root, times=(101, 200))], [old_root]
    renewed = [Node("renewed", root, key=key, times=times) for times in ((0, 100), (100, 3000))]
    yield "expired-and-renewed-ca", [leaf(renewed[0], times=(150, 200)), *renewed], [root]

    no_ca = Node("no ca", root, ca=False, usage=())
    yield "issuer-is-no-ca", [leaf(no_ca), no_ca], [root]
    no_sign = Node("no sign", root, usage={"digital_signature"})
    yield "issuer-without-key-cert-sign", [leaf(no_sign), no_sign], [root]
    no_usage = Node("no usage", root, usage=())
    yield "issuer-without-key-usage", [leaf(no_usage), no_usage], [root]
    no_basic = Node("no basic", root, basic=False)
    yield "issuer-without-basic-constraints", [leaf(no_basic), no_basic], [root]
    root_no_basic = Node("root without", basic=False)
    yield "root-without-basic-constraints-with-key-cert-sign", [leaf(root_no_basic)], [root_no_basic]
    root_nothing = Node("root with nothing", basic=False, usage=())
    yield "root-without-basic-constraints-and-key-usage", [leaf(root_nothing)], [root_nothing]
    root_no_ca = Node("root no ca", ca=False, usage=())
    yield "root-is-no-ca", [leaf(root_no_ca)], [root_no_ca]
    zero = Node("zero", root, length=0)
    below = Node("below", zero)
    yield "path-length-kept", [leaf(zero), zero], [root]
    yield "path-length-exceeded", [leaf(below), below, zero], [root]
    again = Node("zero", zero)
    yield "path-length-with-a-self-issued-ca", [leaf(again), again, zero], [root]
    root_zero = Node("root zero", length=0)
    under = Node("under", root_zero)
    yield "path-length-of-the-root", [leaf(under), under], [root_zero]
    yield "leaf-is-a-ca", [Node("leaf", ca, usage={"digital_signature"}), ca], [root]
    yield "leaf-is-a-ca-below-path-length-zero", [Node("leaf", zero, usage={"digital_signature"}), zero], [root]

    yield "critical-unknown-on-leaf", [leaf(ca, extra=[critical("1.2.3.4")]), ca], [root]
    strange = Node("strange", root, extra=[critical("1.2.3.4")])
    yield "critical-unknown-on-ca", [leaf(strange), strange], [root]
    strange_root = Node("strange root", extra=[critical("1.2.3.4")])
    yield "critical-unknown-on-root", [leaf(strange_root)], [strange_root]
    policies = [(x509.CertificatePolicies([x509.PolicyInformation(x509.ObjectIdentifier("2.5.29.32.0"), None)]), True),
                (x509.PolicyConstraints(0, None), True), (x509.InhibitAnyPolicy(0), True)]
    political = Node("political", root, extra=policies)
    yield "critical-policies-on-ca", [leaf(political), political], [root]
    yield "critical-names-on-leaf", [leaf(ca, extra=[(x509.SubjectAlternativeName([x509.RFC822Name("a@example.com")]), True)]), ca], [root]
    yield "uncritical-unknown", [leaf(ca, extra=[(x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"?"), False)]), ca], [root]
    limits = x509.NameConstraints([x509.DNSName("example.com")], None)
    limited = Node("limited", root, extra=[(limits, True)])
    yield "name-constraints-that-hold", [leaf(limited), limited], [root]
    yield "name-constraints-that-do-not-hold", [leaf(limited, extra=[(x509.SubjectAlternativeName([x509.DNSName("evil.org")]), False)]), limited], [root]

    # x509 has no way to build an identifier that is wrong for its issuer other than by hand.
    wrong_id = x509.AuthorityKeyIdentifier(b"wrong", None, None)
    yield "authority-key-id-of-another", [leaf(ca, ids=False, extra=[(wrong_id, False)]), ca], [root]
    by_serial = x509.AuthorityKeyIdentifier(None, [x509.DirectoryName(root.name)], ca.certificate.serial_number)
    yield "authority-by-serial", [leaf(ca, ids=False, extra=[(by_serial, False)]), ca], [root]
    other_serial = x509.AuthorityKeyIdentifier(None, [x509.DirectoryName(root.name)], 5)
    yield "authority-by-another-serial", [leaf(ca, ids=False, extra=[(other_serial, False)]), ca], [root]
    other_name = x509.AuthorityKeyIdentifier(None, [x509.DirectoryName(ca.name)], ca.certificate.serial_number)
    yield "authority-by-another-name", [leaf(ca, ids=False, extra=[(other_name, False)]), ca], [root]
    for label, name in {
        "case": common_name("CA"), "spaces": common_name("  ca "), "printable": common_name("ca", x509.name._ASN1Type.PrintableString),
        "other": common_name("cb"),
    }.items():
        yield f"issuer-name-in-other-writing-{label}", [leaf(ca, issuer_name=name), ca], [root]

    for label, options in {
        "digital-signature": dict(usage={"digital_signature"}),
        "digital-signature-and-server-auth": dict(usage={"digital_signature"}, eku=[Eku.SERVER_AUTH]),
        "key-encipherment": dict(usage={"key_encipherment"}),
        "key-encipherment-and-code-signing": dict(usage={"key_encipherment"}, eku=[Eku.CODE_SIGNING]),
        "code-signing": dict(usage=(), eku=[Eku.CODE_SIGNING]),
        "any": dict(usage=(), eku=[Eku.ANY_EXTENDED_KEY_USAGE]),
        "none": dict(usage=()),
        "key-cert-sign": dict(usage={"key_cert_sign"}),
    }.items():
        yield f"usage-{label}", [leaf(ca, **options), ca], [root]

    for curve in (P384, P521):
        end = leaf(ca, key=ec.generate_private_key(curve))
        yield f"leaf-{curve.name}", [end, ca], [root]
    for label, key, options in [
        ("p384-sha384", ec.generate_private_key(P384), dict(digest=hashes.SHA384())),
        ("p521-sha512", ec.generate_private_key(P521), dict(digest=hashes.SHA512())),
        ("p256-sha512", ec.generate_private_key(P256), dict(digest=hashes.SHA512())),
        ("p521-sha256", ec.generate_private_key(P521), dict(digest=hashes.SHA256())),
        ("p256-sha224", ec.generate_private_key(P256), dict(digest=hashes.SHA224())),
        ("p256-sha3-256", ec.generate_private_key(P256), dict(digest=hashes.SHA3_256())),
        ("secp256k1", ec.generate_private_key(ec.SECP256K1()), {}),
        ("brainpool", ec.generate_private_key(ec.BrainpoolP256R1()), {}),
        ("rsa-2048-sha256", rsa.generate_private_key(65537, 2048), {}),
        ("rsa-2048-sha384", rsa.generate_private_key(65537, 2048), dict(digest=hashes.SHA384())),
        ("rsa-2048-pss-sha256", rsa.generate_private_key(65537, 2048), dict(pss=True)),
        ("rsa-2048-pss-sha512", rsa.generate_private_key(65537, 2048), dict(pss=True, digest=hashes.SHA512())),
        ("rsa-1024-sha256", rsa.generate_private_key(65537, 1024), {}),
        ("ed25519", ed25519.Ed25519PrivateKey.generate(), {}),
    ]:
        authority = Node(f"ca {label}", root, key=key)
        yield f"ca-{label}", [leaf(authority, **options), authority], [root]
    for label, key in [("rsa", rsa.generate_private_key(65537, 2048)), ("ed25519", ed25519.Ed25519PrivateKey.generate()),
                       ("secp256k1", ec.generate_private_key(ec.SECP256K1())), ("p224", ec.generate_private_key(ec.SECP224R1()))]:
        yield f"leaf-{label}", [leaf(ca, key=key), ca], [root]


def names():
    """A CA that limits names, and signers' certificates with a name in it, at its edge, and outside of it."""
    root = Node("root")
    kinds = {
        "dns": (x509.DNSName, ["example.com", ".example.com", "a.EXAMPLE.com", "xexample.com", "com"],
                ["example.com", ".example.com", ""]),
        "email": (x509.RFC822Name, ["a@example.com", "A@example.com", "b@EXAMPLE.com", "a@sub.example.com", "a@xexample.com"],
                  ["a@example.com", "example.com", ".example.com", "@example.com"]),
        "uri": (x509.UniformResourceIdentifier,
                ["https://example.com/x", "https://a.example.com:8/x", "https://EXAMPLE.com", "https://xexample.com", "https://u@example.com/",
                 "https://[::1]/", "urn:x", "https:///x", "https://example.com:x/", "https://example.com?a@b"],
                ["example.com", ".example.com"]),
        "ip": (lambda text: x509.IPAddress(ipaddress.ip_network(text) if "/" in text else ipaddress.ip_address(text)),
               ["10.1.2.3", "10.2.2.3", "2001:db8::1", "2001:db9::1"], ["10.1.0.0/16", "0.0.0.0/0", "2001:db8::/32"]),
    }
    for kind, (make, values, bases) in kinds.items():
        for base, permits in [*((base, True) for base in bases), (bases[0], False)]:
            limits = x509.NameConstraints(*([[make(base)], None] if permits else [None, [make(base)]]))
            limited = Node("limited", root, extra=[(limits, True)])
            for value in values:
                extra = [(x509.SubjectAlternativeName([make(value)]), False)]
                how = "permitted" if permits else "excluded"
                yield f"{kind} {value!r} {how} {base!r}", [leaf(limited, extra=extra), limited], [root]

    def attributes(*pairs, kind=x509.name._ASN1Type.UTF8String):
        oids = {"C": NameOID.COUNTRY_NAME, "O": NameOID.ORGANIZATION_NAME, "CN": NameOID.COMMON_NAME, "E": NameOID.EMAIL_ADDRESS}
        kinds = {"C": x509.name._ASN1Type.PrintableString, "E": x509.name._ASN1Type.IA5String}
        return x509.Name([x509.NameAttribute(oids[key], text, kinds.get(key, kind)) for key, text in pairs])

    base = attributes(("C", "DE"), ("O", "Example"))
    other_kinds = x509.name._ASN1Type.PrintableString, x509.name._ASN1Type.BMPString
    for permits in (True, False):
        how = "permitted" if permits else "excluded"
        limits = x509.NameConstraints(*([[x509.DirectoryName(base)], None] if permits else [None, [x509.DirectoryName(base)]]))
        limited = Node("limited", root, extra=[(limits, False)])
        for label, subject in {
            "below": attributes(("C", "DE"), ("O", "Example"), ("CN", "x")), "the base": base,
            "other writing": attributes(("C", "DE"), ("O", " exAMPLE ")), "above": attributes(("C", "DE")),
            "other order": attributes(("O", "Example"), ("C", "DE")), "longer": attributes(("C", "DE"), ("O", "Examples")),
            "printable": attributes(("C", "DE"), ("O", "Example"), kind=other_kinds[0]),
            "bmp": attributes(("C", "DE"), ("O", "Example"), kind=other_kinds[1]), "empty": x509.Name([]),
        }.items():
            end = Node(subject, limited, ca=False)
            yield f"directory {label} {how}", [end, limited], [root]
        end = leaf(limited, extra=[(x509.SubjectAlternativeName([x509.DirectoryName(attributes(("C", "FR")))]), False)])
        yield f"directory alternative {how}", [end, limited], [root]

        hosts, mail = ([x509.DNSName("example.com")], [x509.RFC822Name("example.com")])
        by_host, by_mail = (Node("limited", root, extra=[(x509.NameConstraints(*([one, None] if permits else [None, one])), True)])
                            for one in (hosts, mail))
        for text in ("a.example.com", "a.evil.org", "evil", "a b.evil.org", "-.evil.org", "a.-evil.org", "a..org", "*.evil.org", "a_b.evil.org"):
            yield f"common name {text!r} {how}", [Node(text, by_host, ca=False), by_host], [root]
        end = Node("a.evil.org", by_host, ca=False, extra=[(x509.SubjectAlternativeName([x509.DNSName("b.example.com")]), False)])
        yield f"common name beside a host {how}", [end, by_host], [root]
        bmp = common_name("a.evil.org", other_kinds[1])
        yield f"common name in bmp {how}", [Node(bmp, by_host, ca=False), by_host], [root]
        for text in ("a@example.com", "a@evil.org", "nobody"):
            subject = attributes(("CN", "x"), ("E", text))
            yield f"address {text!r} in the subject {how}", [Node(subject, by_mail, ca=False), by_mail], [root]

    mixed = x509.NameConstraints([x509.DNSName("a.com"), x509.DNSName("b.com")], [x509.DNSName("x.b.com")])
    limited = Node("limited", root, extra=[(mixed, True)])
    for text in ("a.com", "b.com", "y.b.com", "x.b.com", "c.com"):
        end = leaf(limited, extra=[(x509.SubjectAlternativeName([x509.DNSName(text)]), False)])
        yield f"mixed {text}", [end, limited], [root]
    hosts = x509.NameConstraints([x509.DNSName("a.com")], None)
    end = lambda issuer, text: leaf(issuer, extra=[(x509.SubjectAlternativeName([x509.DNSName(text)]), False)])
    limited_root = Node("limited root", extra=[(hosts, True)])
    between = Node("between", limited_root)
    for text in ("a.com", "b.com"):
        yield f"limits of the root {text}", [end(between, text), between], [limited_root]
    below = Node("below", limited)
    yield "limits of a CA above", [end(below, "c.com"), below, limited], [root]
    named = Node(common_name("ca.evil.org"), limited, extra=[(x509.SubjectAlternativeName([x509.DNSName("c.com")]), False)])
    yield "limits on a CA", [end(named, "a.com"), named, limited], [root]
    again = Node("limited", limited, extra=[(x509.SubjectAlternativeName([x509.DNSName("c.com")]), False)])
    yield "limits on a self-issued CA", [end(again, "a.com"), again, limited], [root]
    own = Node("own", ca=False, extra=[(hosts, True), (x509.SubjectAlternativeName([x509.DNSName("c.com")]), False)])
    yield "limits of the signer itself", [own], [own]
    for label, name in {
        "other name": x509.OtherName(x509.ObjectIdentifier("1.2.3"), b"\x0c\x01a"), "registered": x509.RegisteredID(x509.ObjectIdentifier("1.2.3")),
        "mailbox": x509.OtherName(x509.ObjectIdentifier("1.3.6.1.5.5.7.8.9"), b"\x0c\x05a@b.c"),
    }.items():
        signer = leaf(limited, extra=[(x509.SubjectAlternativeName([name]), False)])
        yield f"{label} where hosts are limited", [signer, limited], [root]
        strange = Node("strange", root, extra=[(x509.NameConstraints([name], None), True)])
        yield f"{label} limited and not there", [leaf(strange), strange], [root]
        yield f"{label} limited and there", [leaf(strange, extra=[(x509.SubjectAlternativeName([name]), False)]), strange], [root]
    # SEQUENCE { [0] { SEQUENCE { [2] "a.com", [0] 1 } } }: a minimum.
    minimum = bytes.fromhex("300ea00c300a8205") + b"a.com" + bytes.fromhex("800101")
    minimum = x509.UnrecognizedExtension(x509.ObjectIdentifier("2.5.29.30"), minimum)
    odd = Node("odd", root, extra=[(minimum, True)])
    yield "a minimum", [end(odd, "a.com"), odd], [root]


def sign(key):
    message = sign_sigstore_pb.pae(PAYLOAD)
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return key.sign(message, ec.ECDSA(DIGESTS.get(key.curve.key_size, hashes.SHA256())))
    return b"none"


def bundle(chain):
    encode = lambda data: base64.b64encode(data).decode()
    return json.dumps({
        "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
        "verificationMaterial": {"x509CertificateChain": {"certificates": [{"rawBytes": encode(node.der)} for node in chain]},
                                 "tlogEntries": []},
        "dsseEnvelope": {"payload": encode(PAYLOAD), "payloadType": "application/vnd.in-toto+json",
                         "signatures": [{"sig": encode(sign(chain[0].key)), "keyid": ""}]},
    }, separators=(",", ":"))


def verdict(file, store):
    with tempfile.TemporaryDirectory() as directory:
        path = pathlib.Path(directory) / "store.pem"
        path.write_text(store)
        try:
            verifier = sign_certificate.Verifier([path])
            verifier._verify_bundle(Bundle.from_json(file))
            return None
        except Exception as error:
            return f"{type(error).__name__}: {error}".strip()


for written, some in {"chains.json": scenarios, "names.json": names}.items():
    if sys.argv[1:] not in ([], [written]):
        continue
    cases = []
    for name, chain, store in some():
        file, store = bundle(chain), "".join(node.pem for node in store)
        refused = verdict(file, store)
        cases.append({"name": name, "store": store, "file": file, "refused": refused})
        print(f"{name}: {refused or 'accepted'}"[:150])
    pathlib.Path(__file__).with_name(written).write_text(json.dumps(cases, indent=1) + "\n")
