//! A statement as the specification has it, in the layout of the reference: `json.dumps(indent=2)`.

use std::fmt::Write as _;

use super::{PREDICATE_TYPE, STATEMENT_TYPE, Statement};

/// How many bytes one resource takes, without its name, algorithm and digest.
const RESOURCE_BYTES: usize = 83;

impl Statement {
    /// The bytes to sign. Always in the current version of the format, and always the same for the same statement: the
    /// reference's own order of keys changes from run to run, and every reader accepts any.
    pub fn to_json(&self) -> String {
        let resources = self.manifest.resources();
        let method = self.manifest.method();
        let algorithm = method.algorithm().as_str();
        // All but what names with escapes and the numbers of shards take more: for a large model it is moved hardly ever.
        let names: usize = resources.iter().map(|resource| resource.path.len()).sum();
        let each = RESOURCE_BYTES + algorithm.len() + 2 * method.algorithm().digest_bytes();
        let mut out = String::with_capacity(1024 + names + resources.len() * each);
        out.push_str("{\n  \"_type\": ");
        text(&mut out, STATEMENT_TYPE);
        out.push_str(",\n  \"subject\": [\n    {\n      \"name\": ");
        text(&mut out, self.name.as_deref().unwrap_or_default());
        out.push_str(",\n      \"digest\": {\n        \"sha256\": \"");
        display(&mut out, &self.manifest.root());
        out.push_str("\"\n      }\n    }\n  ],\n  \"predicateType\": ");
        text(&mut out, PREDICATE_TYPE);
        out.push_str(",\n  \"predicate\": {\n    \"serialization\": {\n      \"method\": ");
        text(
            &mut out,
            if method.shard_bytes().is_some() {
                "shards"
            } else {
                "files"
            },
        );
        out.push_str(",\n      \"hash_type\": ");
        text(&mut out, method.algorithm().as_str());
        if let Some(bytes) = method.shard_bytes() {
            // The reference implementation writes it with a point, `1000.0`; the specification has an integer.
            out.push_str(",\n      \"shard_size\": ");
            display(&mut out, &bytes);
        }
        out.push_str(",\n      \"allow_symlinks\": ");
        out.push_str(if self.allow_symlinks { "true" } else { "false" });
        if !self.ignored_paths.is_empty() {
            out.push_str(",\n      \"ignore_paths\": [");
            let mut separator = "\n        ";
            for path in &self.ignored_paths {
                out.push_str(separator);
                text(&mut out, path);
                separator = ",\n        ";
            }
            out.push_str("\n      ]");
        }
        out.push_str("\n    },\n    \"resources\": [");
        let mut separator = "\n";
        for resource in resources {
            out.push_str(separator);
            out.push_str("      {\n        \"name\": ");
            text(&mut out, &resource.path);
            if let Some(shard) = resource.shard {
                // Into the string that was just closed.
                out.pop();
                display(&mut out, &format_args!(":{}:{}\"", shard.start, shard.end));
            }
            out.push_str(",\n        \"algorithm\": \"");
            out.push_str(algorithm);
            out.push_str("\",\n        \"digest\": \"");
            display(&mut out, &resource.digest);
            out.push_str("\"\n      }");
            separator = ",\n";
        }
        out.push_str("\n    ]\n  }\n}");
        out
    }
}

fn display(out: &mut String, value: &impl std::fmt::Display) {
    write!(out, "{value}").expect("writing to a String does not fail");
}

/// A JSON string in ASCII, escaped as Python does it.
fn text(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            ' '..='\u{7f}' => out.push(c),
            c => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    display(out, &format_args!("\\u{unit:04x}"));
                }
            }
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a missing value is a failed test")]

    use std::num::NonZeroU64;

    use super::*;
    use crate::hash::Algorithm;
    use crate::manifest::{Manifest, Method, Resource, Shard};

    #[test]
    fn text_is_escaped_as_python_escapes_it() {
        for (plain, escaped) in [
            ("a/b", r#""a/b""#),
            ("q\"\\", r#""q\"\\""#),
            ("\n\r\t\u{8}\u{c}", r#""\n\r\t\b\f""#),
            ("\0\u{1b}", r#""\u0000\u001b""#),
            ("\u{7f}", "\"\u{7f}\""),
            ("\u{80}\u{e9}\u{65e5}", r#""\u0080\u00e9\u65e5""#),
            ("\u{1f600}", r#""\ud83d\ude00""#),
        ] {
            let mut out = String::new();
            text(&mut out, plain);
            assert_eq!(out, escaped, "{plain:?}");
        }
    }

    #[test]
    fn a_statement_has_the_layout_of_the_reference() {
        let resource = |path: &str| Resource {
            path: path.into(),
            shard: None,
            digest: Algorithm::Sha256.digest(path.as_bytes()),
        };
        let method = Method::files(Algorithm::Sha256);
        let manifest = Manifest::new(method, vec![resource("b"), resource("a")]).unwrap();
        let ignored = vec!["model.sig".to_owned(), ".git".to_owned()];
        let statement = Statement::new("falcon", manifest, true, ignored).unwrap();
        assert_eq!(
            statement.to_json(),
            r#"{
  "_type": "https://in-toto.io/Statement/v1",
  "subject": [
    {
      "name": "falcon",
      "digest": {
        "sha256": "e5a01fee14e0ed5c48714f22180f25ad8365b53f9779f79dc4a3d7e93963f94a"
      }
    }
  ],
  "predicateType": "https://model_signing/signature/v1.0",
  "predicate": {
    "serialization": {
      "method": "files",
      "hash_type": "sha256",
      "allow_symlinks": true,
      "ignore_paths": [
        ".git",
        "model.sig"
      ]
    },
    "resources": [
      {
        "name": "a",
        "algorithm": "sha256",
        "digest": "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"
      },
      {
        "name": "b",
        "algorithm": "sha256",
        "digest": "3e23e8160039594a33894f6564e1b1348bbd7a0088d42c4acb73eeaed59c009d"
      }
    ]
  }
}"#
        );
    }

    #[test]
    fn shards_have_the_form_of_the_specification() {
        let method = Method::shards(Algorithm::Blake2b, NonZeroU64::new(1000).unwrap()).unwrap();
        let shard = Resource {
            path: "\u{e9}".into(),
            shard: Some(Shard { start: 0, end: 7 }),
            digest: Algorithm::Blake2b.digest(b""),
        };
        let manifest = Manifest::new(method, vec![shard]).unwrap();
        let json = Statement::new("m", manifest, false, Vec::new())
            .unwrap()
            .to_json();
        for part in [
            r#""method": "shards",
      "hash_type": "blake2b",
      "shard_size": 1000,
      "allow_symlinks": false
    },"#,
            r#""name": "\u00e9:0:7",
        "algorithm": "blake2b","#,
        ] {
            assert!(json.contains(part), "{json}");
        }
    }
}
