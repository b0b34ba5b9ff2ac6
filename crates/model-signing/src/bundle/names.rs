//! Every name that a Sigstore bundle may have (sigstore_bundle.proto, sigstore_common.proto, sigstore_rekor.proto).

use crate::json::Names::{self, List, Object, Value};

pub(super) const BUNDLE: Names = Object(&[
    ("mediaType", Value),
    (
        "verificationMaterial",
        Object(&[
            // The last three are older: the verifier must already have the key.
            (
                "publicKey",
                Object(&[
                    ("hint", Value),
                    ("rawBytes", Value),
                    ("keyDetails", Value),
                    ("validFor", Value),
                ]),
            ),
            (
                "x509CertificateChain",
                Object(&[("certificates", List(&CERTIFICATE))]),
            ),
            ("certificate", CERTIFICATE),
            ("tlogEntries", List(&TLOG_ENTRY)),
            (
                "timestampVerificationData",
                Object(&[(
                    "rfc3161Timestamps",
                    List(&Object(&[("signedTimestamp", Value)])),
                )]),
            ),
        ]),
    ),
    (
        "dsseEnvelope",
        Object(&[
            ("payload", Value),
            ("payloadType", Value),
            (
                "signatures",
                List(&Object(&[("sig", Value), ("keyid", Value)])),
            ),
        ]),
    ),
    (
        "messageSignature",
        Object(&[
            (
                "messageDigest",
                Object(&[("algorithm", Value), ("digest", Value)]),
            ),
            ("signature", Value),
        ]),
    ),
]);

const CERTIFICATE: Names = Object(&[("rawBytes", Value)]);

const TLOG_ENTRY: Names = Object(&[
    ("logIndex", Value),
    ("logId", Object(&[("keyId", Value)])),
    (
        "kindVersion",
        Object(&[("kind", Value), ("version", Value)]),
    ),
    ("integratedTime", Value),
    (
        "inclusionPromise",
        Object(&[("signedEntryTimestamp", Value)]),
    ),
    (
        "inclusionProof",
        Object(&[
            ("logIndex", Value),
            ("rootHash", Value),
            ("treeSize", Value),
            ("hashes", List(&Value)),
            ("checkpoint", Object(&[("envelope", Value)])),
        ]),
    ),
    ("canonicalizedBody", Value),
]);
