//! What decides whether an entry holds a registered signing.

/// The common columns of a row `e` of `expected_signing` and a finding `f` with its signer `s`, besides the signature.
macro_rules! same_signing {
    () => {
        concat!(
            "e.digest = f.digest
         AND e.part = CASE WHEN f.kind GLOB 'hashedrekord *' OR f.kind GLOB 'rekord *' THEN 'message'
                           WHEN f.kind GLOB 'dsse *' OR f.kind GLOB 'intoto *' THEN 'payload' END
         AND (e.certificate_sha256 = s.certificate_sha256
              OR (f.tbs_sha256 IS NULL AND s.certificate_sha256 IS NULL
                  AND s.key_sha256 = (SELECT json_extract(k.body, '$.key_sha256') FROM expectation k
                                      WHERE k.number = e.expectation))
              OR (e.tbs_sha256 = f.tbs_sha256 AND f.chain IN ('trusted', 'unknown')
                  AND (EXISTS (SELECT 1 FROM finding o JOIN signer t ON t.key = o.signer
                               WHERE ",
            $crate::store::sqlite::hash_end::same_hash!("o.signature_sha256", "o.signature_end", "e.signature_sha256"),
            "                    AND o.chain = f.chain AND t.certificate_sha256 = e.certificate_sha256)
                       OR EXISTS (SELECT 1 FROM expected_leaf l JOIN finding o ON ",
            $crate::store::sqlite::hash_end::same_hash!("o.registered_as", "o.registered_end", "l.leaf_hash"),
            "                     JOIN signer t ON t.key = o.signer
                                  WHERE l.expectation = e.expectation
                                    AND o.chain = f.chain AND t.certificate_sha256 = e.certificate_sha256))))"
        )
    };
}
pub(super) use same_signing;
