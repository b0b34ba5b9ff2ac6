#!/usr/bin/env python3
"""Verifies a directory of evidence about one entry of a Rekor log, without modelwatch.

    python3 verify_evidence.py DIR (--trusted-root FILE | --log-key FILE [--trusted-root FILE])

It is written from the formats: RFC 6962 (leaf hash, inclusion proof), C2SP signed-note and tlog-checkpoint, the bodies of
Rekor v1 and v2 entries, the Sigstore trusted root, and docs/evidence.md for the names of the files. It needs the package
`cryptography` and nothing else. The present time does not matter.

Exit code 0: everything holds by the given trust. 1: something does not: the file and the check are printed. 2: the command
is wrong. 3: the given trust does not know the log or the authority.
"""

import argparse, base64, binascii, datetime, hashlib, json, os, re, stat, sys  # noqa: E401

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding

MANIFEST, SIGNATURE = "evidence.json", "evidence.sig"
REQUIRED = {MANIFEST, "README.md", "checkpoint.txt", "finding.json", "inclusion.json", "leaf"}
OPTIONAL = {"bundle.json", "certificate.pem", "chain.pem", "trusted_root.json", SIGNATURE}
MAX_LEAF, MAX_OTHER = 32 << 20, 4 << 20
ED25519 = bytes.fromhex("302a300506032b6570032100")  # what is before the 32 bytes of such a key in DER (RFC 8410)

class Refused(Exception):
    """A check that failed: the file, the check, why."""
    def __init__(self, file, check, why):
        super().__init__(f"{file}: {check}: {why}")

class Unknown(Exception): pass  # the given trust does not decide

sha256 = lambda data: hashlib.sha256(data).digest()

spki = lambda key: key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)

def read_directory(path):
    files = {}
    for entry in os.scandir(path):
        if entry.name not in REQUIRED | OPTIONAL:
            raise Refused(entry.name, "listed", "no file of the format has this name")
        if not stat.S_ISREG(entry.stat(follow_symlinks=False).st_mode):
            raise Refused(entry.name, "type", "it is not a regular file")
        limit = MAX_LEAF if entry.name == "leaf" else MAX_OTHER
        with open(entry.path, "rb") as file:
            files[entry.name] = file.read(limit + 1)
        if len(files[entry.name]) > limit:
            raise Refused(entry.name, "size", f"it is longer than {limit} bytes")
    return files

def parse_json(files, name):
    try:
        return json.loads(files[name].decode("utf-8"))
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        raise Refused(name, "format", error) from None

def check_list(files):
    for name in sorted(REQUIRED - set(files)):
        raise Refused(name, "listed", "the file is missing")
    manifest = parse_json(files, MANIFEST)
    # One spelling only: a changed byte must not pass as white space or as a repeated key.
    spelled = (json.dumps(manifest, indent=2, ensure_ascii=False) + "\n").encode()
    if not isinstance(manifest, dict) or set(manifest) != {"format", "log_type", "files"} or spelled != files[MANIFEST]:
        raise Refused(MANIFEST, "format", "it is not the object of the format")
    if manifest["log_type"] in ("ct-rfc6962", "ct-static"):
        raise Unknown("it is about a certificate log, and this program reads Rekor logs alone")
    if manifest["format"] != 1 or manifest["log_type"] not in ("rekor-v1", "rekor-v2"):
        raise Refused(MANIFEST, "format", "it has another format, or names no type of log")
    listed = manifest["files"]
    if not isinstance(listed, dict):
        raise Refused(MANIFEST, "format", "it has no list of files")
    for name, expected in listed.items():
        if name not in files or name in (MANIFEST, SIGNATURE):
            raise Refused(name, "listed", f"{MANIFEST} lists it, and it is missing")
        if sha256(files[name]).hex() != expected:
            raise Refused(name, "sha256", f"its SHA-256 is not the one in {MANIFEST}")
    for name in files:
        if name not in listed and name not in (MANIFEST, SIGNATURE):
            raise Refused(name, "listed", f"{MANIFEST} does not list it")
    return manifest["log_type"]

def root_of(leaf_hash, index, size, path):
    """The root that an inclusion proof leads to (RFC 9162, section 2.1.3.2)."""
    if not 0 <= index < size:
        raise ValueError("the index is not below the size of the tree")
    node, last, result = index, size - 1, leaf_hash
    for sibling in path:
        if last == 0:
            raise ValueError("the proof is too long")
        if node & 1 or node == last:
            result = sha256(b"\x01" + sibling + result)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            result = sha256(b"\x01" + result + sibling)
        node, last = node >> 1, last >> 1
    if last != 0:
        raise ValueError("the proof is too short")
    return result

def check_inclusion(files, log_type):
    proof = parse_json(files, "inclusion.json")
    try:
        if set(proof) != {"origin", "log_index", "tree_index", "tree_size", "leaf_hash", "root_hash", "hashes"}:
            raise ValueError("it has other fields")
        index, size, log_index = proof["tree_index"], proof["tree_size"], proof["log_index"]
        if not all(type(number) is int and number >= 0 for number in (index, size, log_index)):
            raise ValueError("a number is not a number")
        path = [hash_of_hex(text) for text in proof["hashes"]]
        root = hash_of_hex(proof["root_hash"])
        hash_of_hex(proof["leaf_hash"])
        if log_index < index or (log_type == "rekor-v2" and log_index != index):
            raise ValueError("log_index and tree_index do not belong together")
    except (ValueError, TypeError) as error:
        raise Refused("inclusion.json", "format", error) from None
    leaf_hash = sha256(b"\x00" + files["leaf"])
    if leaf_hash.hex() != proof["leaf_hash"]:
        raise Refused("leaf", "leaf-hash", "its leaf hash is not the one in inclusion.json")
    try:
        computed = root_of(leaf_hash, index, size, path)
    except ValueError as error:
        raise Refused("inclusion.json", "inclusion", error) from None
    if computed != root:
        raise Refused("inclusion.json", "inclusion", "the proof does not lead to the root")
    return proof, root

def hash_of_hex(text):
    if not isinstance(text, str) or not re.fullmatch("[0-9a-f]{64}", text):
        raise ValueError("a hash is not 32 bytes in lower-case hex")
    return bytes.fromhex(text)

def verify(key, signature, message):
    """Whether a key made a signature as logs make them."""
    try:
        if isinstance(key, ed25519.Ed25519PublicKey):
            key.verify(signature, message)
        elif isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, message, ec.ECDSA(hashes.SHA256()))
        else:
            key.verify(signature, message, padding.PKCS1v15(), hashes.SHA256())  # RSA; any other key has no such method
    except (InvalidSignature, AttributeError, TypeError):
        return False
    return True

def check_checkpoint(note, proof, root, log_type, keys):
    """`keys`: of the log, in DER. Rekor v2 signs as C2SP signed-note demands; the key id of a v1 log hashes the key alone."""
    head, separator, tail = note.rpartition(b"\n\n")
    text = head + b"\n"
    try:
        if not separator or not tail.endswith(b"\n"):
            raise IndexError
        lines = text.decode("utf-8").split("\n")
        origin, size, stated_root = lines[0], lines[1], base64.b64decode(lines[2], validate=True)
        signatures = tail.decode("utf-8")[:-1].split("\n")
    except (UnicodeDecodeError, IndexError, binascii.Error):
        raise Refused("checkpoint.txt", "format", "it is not a checkpoint") from None
    if (origin, size, stated_root) != (proof["origin"], str(proof["tree_size"]), root):
        raise Refused("checkpoint.txt", "root", "origin, size and root are not those of inclusion.json")
    name = origin.rpartition(" - ")[0] if log_type == "rekor-v1" else origin
    for line in signatures:
        match = re.fullmatch("\u2014 ([^ +]+) ([A-Za-z0-9+/]+=*)", line)
        if match is None or match[1] != name:
            continue
        try:
            raw = base64.b64decode(match[2], validate=True)
        except binascii.Error:
            continue
        for der in keys:
            if raw[:4] == key_id(name, der, log_type) and verify(serialization.load_der_public_key(der), raw[4:], text):
                return
    raise Refused("checkpoint.txt", "signature", f"no given key of {name} signed it")

def key_id(name, der, log_type):  # of Rekor v1, and of ECDSA keys of C2SP signed-note, the key alone is hashed
    return (named_id(name, der) if log_type == "rekor-v2" and der.startswith(ED25519) else sha256(der))[:4]

def named_id(name, der):
    """The id of a v2 log with this Ed25519 key in a trusted root; with its first bytes, the key id of C2SP signed-note."""
    return sha256(name.encode() + b"\n\x01" + der[len(ED25519):])

def load_root(data, name):
    try:
        root = json.loads(data.decode("utf-8"))
        id_of = lambda log, field: base64.b64decode(log.get(field, {}).get("keyId", ""))
        logs = [(log.get("baseUrl", ""), base64.b64decode(log["publicKey"]["rawBytes"]),
                 (id_of(log, "logId"), id_of(log, "checkpointKeyId"))) for log in root.get("tlogs", [])]
        authorities = []
        for authority in root.get("certificateAuthorities", []):
            chain = [base64.b64decode(c["rawBytes"]) for c in authority["certChain"]["certificates"]]
            period = authority.get("validFor", {})
            authorities.append((chain, moment(period.get("start")), moment(period.get("end"))))
        return logs, authorities
    except (UnicodeDecodeError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise Refused(name, "format", f"it is not a trusted root: {error!r}") from None

def moment(text):
    text = text and re.sub(r"(\.\d{6})\d+", r"\1", text).replace("Z", "+00:00")  # RFC 3339 allows more than `datetime`
    return None if text is None else datetime.datetime.fromisoformat(text)

def log_keys(logs, origin, log_type):
    """The keys that a root has for a log: at its name or, for v2, with its id; of a v1 log, whose name may be a mirror's, else all."""
    name = origin.rpartition(" - ")[0] if log_type == "rekor-v1" else origin
    host = lambda url: re.sub("^[a-z]+://", "", url).rstrip("/")
    is_id = lambda der, one: len(one) >= 4 and der.startswith(ED25519) and named_id(name, der).startswith(one)
    there = [der for url, der, ids in logs if host(url) == name or log_type == "rekor-v2" and any(is_id(der, one) for one in ids)]
    return there or ([der for _, der, _ in logs] if log_type == "rekor-v1" else [])

def signings(leaf):
    """(certificate in DER or None, key in DER, digest) of every signature in a Rekor entry of the usual kinds."""
    try:
        body = json.loads(leaf.decode("utf-8"))
        return body["kind"], body["apiVersion"], list(signings_of(body["kind"], body["apiVersion"], body["spec"]))
    except (UnicodeDecodeError, ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
        raise Unknown(f"leaf: the entry is of a form that this program does not read: {error!r}") from None

def signings_of(kind, version, spec):
    if version == "0.0.2" and kind in ("hashedrekord", "dsse"):
        inner = spec.get("hashedRekordV002") or spec.get("dsseV002")
        data = inner.get("data") or inner.get("payloadHash")
        digest = digest_of(data["algorithm"].replace("SHA2_", "sha"), base64.b64decode(data["digest"]).hex())
        for signature in [inner["signature"]] if "signature" in inner else inner["signatures"]:
            verifier = signature["verifier"]
            if "x509Certificate" in verifier:
                yield of_certificate(base64.b64decode(verifier["x509Certificate"]["rawBytes"]), digest)
            else:
                yield None, base64.b64decode(verifier["publicKey"]["rawBytes"]), digest
    elif kind == "hashedrekord":
        value = spec["data"]["hash"]
        yield of_pem(spec["signature"]["publicKey"]["content"], digest_of(value["algorithm"], value["value"]))
    elif kind == "dsse":
        value = spec["payloadHash"]
        for signature in spec["signatures"]:
            yield of_pem(signature["verifier"], digest_of(value["algorithm"], value["value"]))
    elif kind == "intoto":
        content = spec["content"]
        value = content["payloadHash"] if version == "0.0.2" else content.get("payloadHash") or content["hash"]
        digest = digest_of(value["algorithm"], value["value"])
        if version == "0.0.2":
            for signature in content["envelope"]["signatures"]:
                yield of_pem(signature["publicKey"], digest)
        else:
            yield of_pem(spec["publicKey"], digest)
    else:
        raise KeyError(kind)

def digest_of(algorithm, value):
    return f"{algorithm.lower().replace('_', '')}:{value.lower()}"

def of_pem(text, digest):
    data = base64.b64decode(text)
    if b"BEGIN CERTIFICATE" in data:
        return of_certificate(x509.load_pem_x509_certificates(data)[0].public_bytes(serialization.Encoding.DER), digest)
    return None, spki(serialization.load_pem_public_key(data)), digest

def of_certificate(der, digest):
    return der, spki(x509.load_der_x509_certificate(der).public_key()), digest

def names_of(certificate):
    """The subject alternative names as finding.json has them: (type, value)."""
    names = [n for e in certificate.extensions if isinstance(e.value, x509.SubjectAlternativeName) for n in e.value]
    types = {x509.RFC822Name: "email", x509.UniformResourceIdentifier: "uri", x509.DNSName: "dns", x509.IPAddress: "ip"}
    found = set()
    for name in names:
        if isinstance(name, x509.OtherName):
            fulcio = name.type_id.dotted_string == "1.3.6.1.4.1.57264.1.7"
            value = name.value[2:].decode("utf-8") if fulcio else f"{name.type_id.dotted_string}:{name.value.hex()}"
            found.add(("othername", value))
        elif type(name) in types:
            found.add((types[type(name)], str(name.value)))
    return found

def issuer_of(certificate):
    """The OIDC issuer: Fulcio's extension 8 (a DER UTF8String), or the older 1 (plain bytes)."""
    found = {extension.oid.dotted_string: extension.value for extension in certificate.extensions}
    if "1.3.6.1.4.1.57264.1.8" in found:
        raw = found["1.3.6.1.4.1.57264.1.8"].value
        return raw[2 if raw[1] < 0x80 else 2 + (raw[1] & 0x7F):].decode("utf-8")
    return found["1.3.6.1.4.1.57264.1.1"].value.decode("utf-8") if "1.3.6.1.4.1.57264.1.1" in found else None

def check_finding(finding, proof, leaf):
    for field, expected in (("origin", proof["origin"]), ("index", proof["log_index"]), ("leaf_hash", proof["leaf_hash"])):
        if finding.get(field) != expected:
            raise Refused("finding.json", "place", f"{field} is not that of inclusion.json")
    kind, version, found = signings(leaf)
    if finding.get("kind") != f"{kind} {version}":
        raise Refused("finding.json", "entry", "kind is not that of the leaf")
    why = "it names no signer of the leaf"
    for der, key, digest in (one for one in found if finding.get("key_sha256") == sha256(one[1]).hex()):
        certificate = None if der is None else x509.load_der_x509_certificate(der)
        claimed = {(name["type"], name["value"]) for name in finding.get("san", [])}
        start = None if certificate is None else certificate.not_valid_before_utc
        for field, agrees in (
            ("digest", finding.get("digest") == digest),
            ("certificate_sha256", finding.get("certificate_sha256") == (der and sha256(der).hex())),
            ("san", certificate is None or claimed == names_of(certificate)),
            ("issuer", finding.get("issuer") == (certificate and issuer_of(certificate))),
            ("not_before", moment(finding.get("not_before")) == start),
        ):
            if not agrees:
                why = f"{field} is not what the leaf holds"
                break
        else:
            return certificate
    raise Refused("finding.json", "entry", why)

def check_certificate(files, certificate, finding, authorities):
    if certificate is None:
        if "certificate.pem" in files or "chain.pem" in files:
            raise Refused("certificate.pem", "certificate", "the leaf has no certificate")
        return "the entry was signed with a key alone"
    der = certificate.public_bytes(serialization.Encoding.DER)
    if pem_certificates(files, "certificate.pem") != [der]:
        raise Refused("certificate.pem", "certificate", "it is not the one in the leaf")
    below = certificate
    for above in pem_certificates(files, "chain.pem") if "chain.pem" in files else []:
        above = x509.load_der_x509_certificate(above)
        if not issued(below, above):
            raise Refused("chain.pem", "certificate", "a certificate was not issued by the next one")
        below = above
    when = certificate.not_valid_before_utc
    listed = [(x509.load_der_x509_certificate(c), start, end) for chain, start, end in authorities for c in chain]
    above = [(ca, start, end) for ca, start, end in listed if issued(certificate, ca)]
    if not above:
        if finding.get("chain") == "trusted":
            raise Unknown("certificate.pem: the given trusted root has no authority that issued the certificate")
        return "no authority of the given trusted root issued the certificate: anyone can make one with any name"
    for ca, start, end in above:
        if (start is None or start <= when) and (end is None or when <= end):
            if ca.not_valid_before_utc <= when <= ca.not_valid_after_utc:
                return f"an authority of the given trusted root issued the certificate at {when.isoformat()}"
    raise Refused("certificate.pem", "authority", f"the authority that issued it was not trusted at {when.isoformat()}")

def pem_certificates(files, name):
    if name not in files:
        raise Refused(name, "listed", "the file is missing")
    try:
        found = x509.load_pem_x509_certificates(files[name])
    except ValueError as error:
        raise Refused(name, "format", error) from None
    return [certificate.public_bytes(serialization.Encoding.DER) for certificate in found]

def issued(below, above):
    try:
        below.verify_directly_issued_by(above)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True

read = lambda path: open(path, "rb").read(MAX_OTHER)

def say(text, to=sys.stdout):  # names are an attacker's
    print("".join(c if c.isprintable() else ascii(c)[1:-1] for c in text), file=to)

def verify_directory(options):
    files = read_directory(options.directory)
    log_type = check_list(files)
    say(f"ok       {len(files) - 1} files have the hashes of {MANIFEST}")
    proof, root = check_inclusion(files, log_type)
    say(f"ok       the leaf is number {proof['tree_index']} of a tree of {proof['tree_size']} with the root {root.hex()}")
    logs, authorities = load_root(read(options.trusted_root), options.trusted_root) if options.trusted_root else ([], [])
    key = spki(serialization.load_pem_public_key(read(options.log_key))) if options.log_key else None
    keys = [key] if key else log_keys(logs, proof["origin"], log_type)
    if not keys:
        raise Unknown(f"checkpoint.txt: the given trust has no key of {proof['origin']}")
    check_checkpoint(files["checkpoint.txt"], proof, root, log_type, keys)
    say(f"ok       a given key of {proof['origin']} signed that root")
    finding = parse_json(files, "finding.json")
    try:
        certificate = check_finding(finding, proof, files["leaf"])
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise Refused("finding.json", "format", repr(error)) from None
    say("ok       finding.json has the place, names and digest of the leaf")
    say("ok       " + check_certificate(files, certificate, finding, authorities))
    for name in sorted({"bundle.json", "trusted_root.json", SIGNATURE} & set(files)):
        say(f"not checked: what is in {name}: `modelwatch verify-evidence` does, {SIGNATURE} with --public-key")

def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("directory", metavar="DIR")
    parser.add_argument("--trusted-root", metavar="FILE")
    parser.add_argument("--log-key", metavar="FILE")
    options = parser.parse_args()
    if not (options.trusted_root or options.log_key):
        parser.error("trust from elsewhere is needed: --trusted-root or --log-key")
    try:
        verify_directory(options)
    except Refused as refused:
        say(f"does not hold: {refused}")
        return 1
    except Unknown as unknown:
        say(f"unknown  {unknown}")
        return 3
    except (OSError, ValueError, UnsupportedAlgorithm) as error:
        say(f"error: {error}", sys.stderr)
        return 2
    say(f"{options.directory} holds")
    return 0

if __name__ == "__main__":
    sys.exit(main())
