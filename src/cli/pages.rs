//! What the help and man pages contain besides the options: examples, and what the exit code means.

mod exit_status;

use clap::Command;

pub(super) use exit_status::exit_status;

/// A use of a command, and what for.
pub(super) struct Example {
    pub(super) why: &'static str,
    /// As it is typed.
    pub(super) line: &'static str,
}

const fn example(why: &'static str, line: &'static str) -> Example {
    Example { why, line }
}

/// The examples of each command, by its words after the program's name.
const EXAMPLES: &[(&str, &[Example])] = &[
    (
        "",
        &[
            example("See an example", "modelwatch demo"),
            example(
                "Write a configuration for the signer of this bundle",
                "modelwatch init --from model.sig",
            ),
            example(
                "Read the logs once, the first time from their end",
                "modelwatch monitor --once --bootstrap",
            ),
        ],
    ),
    (
        "demo",
        &[
            example("Show it", "modelwatch demo"),
            example(
                "Keep its files, to try other commands",
                "modelwatch demo --keep /tmp/demo",
            ),
        ],
    ),
    (
        "init",
        &[
            example(
                "Watch the signer of this bundle, and register it",
                "modelwatch init --from model.sig --register",
            ),
            example(
                "Watch what a repository signs",
                "modelwatch init --identity https://github.com/ORG/REPO",
            ),
            example(
                "Watch a mail address; alerts go by mail",
                "modelwatch init --identity jane@example.org --issuer https://accounts.google.com --notify-email oncall@example.org --smtp smtps://mail.example.org:465",
            ),
            example(
                "Watch a key at another Sigstore instance",
                "modelwatch init --key signing.pub --trusted-root trusted_root.json",
            ),
            example(
                "Watch who signed what GitHub attests",
                "gh attestation download model.bin -R ORG/REPO && modelwatch init --from sha256*.jsonl",
            ),
        ],
    ),
    (
        "monitor",
        &[
            example(
                "The first pass, from the end of the logs",
                "modelwatch monitor --once --bootstrap",
            ),
            example(
                "One pass, for cron and CI: the exit code shows what is open",
                "modelwatch monitor --once",
            ),
            example(
                "As a daemon, on the schedule of the configuration",
                "modelwatch --config /etc/modelwatch/modelwatch.toml monitor",
            ),
        ],
    ),
    (
        "status",
        &[
            example("How far each log was read and proven", "modelwatch status"),
            example(
                "For monitoring: exit code 3 if a log was not proven for two hours",
                "modelwatch status --max-age 2h",
            ),
        ],
    ),
    (
        "serve",
        &[
            example(
                "Metrics for Prometheus at http://127.0.0.1:8399/metrics, of a monitor that runs by cron",
                "modelwatch serve",
            ),
            example(
                "On a socket, for a proxy on this machine",
                "modelwatch serve --listen unix:/run/modelwatch/web.sock",
            ),
        ],
    ),
    (
        "findings",
        &[
            example("What is open", "modelwatch findings list"),
            example(
                "Everything about one finding",
                "modelwatch findings show 9a41c07b",
            ),
        ],
    ),
    (
        "verify-evidence",
        &[
            example(
                "Of an entry in a log of Sigstore's public instance",
                "modelwatch verify-evidence evidence-9a41c07b",
            ),
            example(
                "Of an entry in a Sigstore of your own",
                "modelwatch verify-evidence evidence-9a41c07b --trusted-root trusted_root.json",
            ),
            example(
                "Also that it is by somebody whose key you have",
                "modelwatch verify-evidence evidence-9a41c07b --public-key auditor.pub.pem",
            ),
        ],
    ),
    (
        "findings list",
        &[
            example("What is open", "modelwatch findings list"),
            example(
                "What was found since yesterday, from high on",
                "modelwatch findings list --since 24h --severity high",
            ),
            example(
                "Everything that one identity signed, for a script",
                "modelwatch findings list --all --json --san 'https://github.com/ORG/REPO/*'",
            ),
            example(
                "What waits for its bundle",
                "modelwatch findings list --state held",
            ),
        ],
    ),
    (
        "findings show",
        &[
            example(
                "By the first digits of its id",
                "modelwatch findings show 9a41c07b",
            ),
            example(
                "With its certificate and the log's notes, for a script",
                "modelwatch findings show 9a41c07b --json",
            ),
            example(
                "What proves its entry, as files for a third party",
                "modelwatch findings show 9a41c07b --evidence evidence-9a41c07b",
            ),
        ],
    ),
    (
        "findings ack",
        &[
            example(
                "One finding",
                "modelwatch findings ack 9a41c07b --reason 'test signing by Jane'",
            ),
            example(
                "Each open one of a watch with one verdict",
                "modelwatch findings ack --watch falcon --verdict untrusted-chain --reason 'an impostor, reported'",
            ),
            example(
                "Every open one",
                "modelwatch findings ack --all --reason 'reviewed on Monday'",
            ),
        ],
    ),
    (
        "findings reopen",
        &[
            example(
                "One that was acknowledged by mistake",
                "modelwatch findings reopen 9a41c07b --reason 'it was not Jane'",
            ),
            example(
                "Everything that was acknowledged of one identity",
                "modelwatch findings reopen --identity jane@example.org --reason 'her account was stolen'",
            ),
        ],
    ),
    (
        "findings note",
        &[example(
            "What was found out so far, in another person's name",
            "modelwatch findings note 9a41c07b --reason 'ticket 4711: the run is unknown' --author jane",
        )],
    ),
    (
        "findings history",
        &[
            example(
                "Who did what with it, when and why",
                "modelwatch findings history 9a41c07b",
            ),
            example(
                "For a script",
                "modelwatch findings history 9a41c07b --json",
            ),
        ],
    ),
    (
        "reconcile",
        &[
            example(
                "Everything that was released, compared with everything that was signed",
                "modelwatch reconcile /srv/models",
            ),
            example(
                "The bundles of the last week alone, for a script",
                "modelwatch reconcile --since 168h --no-models --json releases/",
            ),
            example(
                "With a key, and who else signed the same model",
                "modelwatch reconcile falcon-7b --public-key release.pub --remote",
            ),
            example(
                "Register what agrees",
                "modelwatch reconcile --register releases/v1.1.0/model.sig",
            ),
        ],
    ),
    (
        "lookup",
        &[
            example(
                "What was signed under this identity since Monday",
                "modelwatch lookup --identity jane@example.com --since 2026-11-23",
            ),
            example(
                "What else a repository signed, for a script",
                "modelwatch lookup --repository harbor-ml-example/falcon --json",
            ),
            example(
                "The same of identities that nobody watches: the logs are read again",
                "modelwatch lookup --repository harbor-ml-example/falcon --since 168h --scan",
            ),
            example(
                "Whether the signing of a bundle is logged, and where",
                "modelwatch lookup --bundle model.sig",
            ),
            example(
                "Who signed this model",
                "modelwatch lookup --model falcon-7b",
            ),
            example(
                "On a machine without a configuration: what the public log's index knows of a name",
                "modelwatch lookup --remote --identity jane@example.com",
            ),
        ],
    ),
    (
        "backup",
        &[example(
            "Each night, from cron",
            "modelwatch backup /srv/backup/modelwatch-2026-11-30.db",
        )],
    ),
    (
        "expect",
        &[
            example(
                "Register your own signing",
                "modelwatch expect add model.sig",
            ),
            example("See what is registered", "modelwatch expect list"),
        ],
    ),
    (
        "expect add",
        &[
            example(
                "A bundle that your release made",
                "modelwatch expect add model.sig",
            ),
            example(
                "In the job that signs: it stays open until you confirm it",
                "modelwatch expect add --authority signer model.sig",
            ),
            example(
                "Everything that GitHub attests about a file",
                "gh attestation download model.bin -R ORG/REPO && modelwatch expect add sha256*.jsonl",
            ),
            example(
                "From npm, on standard input",
                "curl -fsS https://registry.example/-/npm/v1/attestations/NAME@1.0.0 | modelwatch expect add -",
            ),
        ],
    ),
    (
        "expect list",
        &[
            example("Each with its number", "modelwatch expect list"),
            example("For a script", "modelwatch expect list --json"),
        ],
    ),
    (
        "expect confirm",
        &[
            example(
                "Confirm what a release registered itself",
                "modelwatch expect confirm 7",
            ),
            example(
                "Accept the rewritten branch of an [[expect_from]]",
                "modelwatch expect confirm releases",
            ),
        ],
    ),
    (
        "expect sync",
        &[
            example(
                "Read all sources of registrations now",
                "modelwatch expect sync",
            ),
            example("Read one of them", "modelwatch expect sync releases"),
        ],
    ),
    (
        "expect remove",
        &[example(
            "The one with this number; its findings are open again",
            "modelwatch expect remove 7",
        )],
    ),
    (
        "rescan",
        &[
            example(
                "Compare what was read before with every watch that was added later",
                "modelwatch rescan",
            ),
            example(
                "With one of these watches",
                "modelwatch rescan --watch falcon",
            ),
        ],
    ),
    (
        "check",
        &[
            example(
                "The configuration, the store and every log",
                "modelwatch check",
            ),
            example(
                "Does this watch select that signing?",
                "modelwatch check watch falcon --against model.sig",
            ),
            example("Does an alert arrive?", "modelwatch check notify"),
        ],
    ),
    (
        "check watch",
        &[
            example(
                "With a bundle of yours: exit code 0 if the watch selects it",
                "modelwatch check watch falcon --against model.sig",
            ),
            example(
                "With a public key",
                "modelwatch check watch falcon --against signing.pub",
            ),
        ],
    ),
    (
        "check notify",
        &[
            example("On every channel", "modelwatch check notify"),
            example("On one channel", "modelwatch check notify oncall"),
        ],
    ),
    (
        "drill",
        &[
            example(
                "Inform people first: an alarm marked [DRILL] arrives",
                "modelwatch drill",
            ),
            example("For a script", "modelwatch drill --json"),
        ],
    ),
    (
        "watch",
        &[example(
            "A watch for the signer of this bundle",
            "modelwatch watch suggest model.sig >>modelwatch.toml",
        )],
    ),
    (
        "watch suggest",
        &[
            example(
                "For the signer of this bundle",
                "modelwatch watch suggest model.sig >>modelwatch.toml",
            ),
            example("For a key", "modelwatch watch suggest signing.pub"),
        ],
    ),
    (
        "sign",
        &[example(
            "With a private key",
            "modelwatch sign key MODEL --private-key key.pem --signature model.sig",
        )],
    ),
    (
        "sign sigstore",
        &[
            example(
                "In a release workflow, or with a browser",
                "modelwatch sign MODEL --signature model.sig",
            ),
            example(
                "On the machine of the monitor: the signing registers itself",
                "modelwatch sign MODEL --signature model.sig --register",
            ),
        ],
    ),
    (
        "sign key",
        &[example(
            "A model in a directory",
            "modelwatch sign key MODEL --private-key key.pem --signature model.sig",
        )],
    ),
    (
        "sign certificate",
        &[example(
            "With a key and its certificate",
            "modelwatch sign certificate MODEL --private-key key.pem --signing-certificate cert.pem --certificate-chain chain.pem",
        )],
    ),
    (
        "sign pkcs11-key",
        &[example(
            "With a key in a token",
            "modelwatch sign pkcs11-key MODEL --pkcs11-uri 'pkcs11:token=models;object=release?module-path=/usr/lib/softhsm/libsofthsm2.so'",
        )],
    ),
    (
        "sign pkcs11-certificate",
        &[example(
            "With a key in a token, and its certificate",
            "modelwatch sign pkcs11-certificate MODEL --pkcs11-uri 'pkcs11:token=models;object=release' --signing-certificate cert.pem",
        )],
    ),
    (
        "verify",
        &[example(
            "By a public key",
            "modelwatch verify key MODEL --signature model.sig --public-key key.pub",
        )],
    ),
    (
        "verify key",
        &[
            example(
                "A model in a directory",
                "modelwatch verify key MODEL --signature model.sig --public-key key.pub",
            ),
            example(
                "A model in a registry, by the manifest of its image",
                "modelwatch verify key --oci-manifest manifest.json --signature model.sig --public-key key.pub",
            ),
        ],
    ),
    (
        "verify sigstore",
        &[
            example(
                "By the tags of a release workflow",
                "modelwatch verify MODEL --signature model.sig --identity-glob 'https://github.com/ORG/REPO/.github/workflows/release.yml@refs/tags/*' --identity-provider https://token.actions.githubusercontent.com",
            ),
            example(
                "By a person, in a Sigstore of your own",
                "modelwatch verify sigstore MODEL --signature model.sig --identity jane@example.org --identity-provider https://accounts.example.org --trust-config trust_config.json",
            ),
        ],
    ),
    (
        "verify attestation",
        &[
            example(
                "Everything that GitHub attests about a file",
                "modelwatch verify attestation MODEL sha256:DIGEST.jsonl --identity-glob 'https://github.com/ORG/REPO/.github/workflows/*@refs/tags/*' --identity-provider https://token.actions.githubusercontent.com",
            ),
            example(
                "SLSA provenance alone, with the commit that it must be of",
                "modelwatch verify attestation MODEL attestations.jsonl --identity-glob 'https://github.com/ORG/REPO/.github/workflows/*@refs/tags/*' --identity-provider https://token.actions.githubusercontent.com --predicate-type https://slsa.dev/provenance/v1 --require source_repository_digest=COMMIT",
            ),
            example(
                "By the key of a build service",
                "modelwatch verify attestation MODEL attestation.json --public-key builder.pub",
            ),
        ],
    ),
    (
        "verify certificate",
        &[example(
            "By the root that the signer's certificate leads to",
            "modelwatch verify certificate MODEL --signature model.sig --certificate-chain root.pem",
        )],
    ),
    (
        "digest",
        &[
            example("Of a model in a directory", "modelwatch digest MODEL"),
            example(
                "With every file's hash, for a script",
                "modelwatch digest --json MODEL",
            ),
        ],
    ),
    (
        "completions",
        &[example(
            "For bash",
            "modelwatch completions bash >~/.local/share/bash-completion/completions/modelwatch",
        )],
    ),
    (
        "man",
        &[example(
            "For all users of this machine",
            "modelwatch man /usr/local/share/man/man1",
        )],
    ),
    (
        "version",
        &[example("For a script", "modelwatch version --json")],
    ),
];

/// A command, with examples on its help page and on those of the commands below it. `path` is its words after the
/// program's name.
pub(super) fn with_examples(command: Command, path: &str) -> Command {
    let names: Vec<String> = command
        .get_subcommands()
        .map(|sub| sub.get_name().to_owned())
        .collect();
    let command = names.into_iter().fold(command, |command, name| {
        let below = below(path, &name);
        command.mut_subcommand(name, |sub| with_examples(sub, &below))
    });
    let examples = if cfg!(not(unix)) && path.is_empty() {
        // Those of the program as a whole are of the monitor.
        examples("sign key")
    } else {
        examples(path)
    };
    if examples.is_empty() {
        return command;
    }
    let lines: Vec<String> = examples
        .iter()
        .map(|example| format!("  # {}\n  {}", example.why, example.line))
        .collect();
    command.after_help(format!("Examples:\n{}", lines.join("\n\n")))
}

/// The words of a command below another.
pub(super) fn below(path: &str, name: &str) -> String {
    format!("{path} {name}").trim_start().to_owned()
}

/// The examples of a command.
pub(super) fn examples(path: &str) -> &'static [Example] {
    let found = EXAMPLES.iter().find(|(of, _)| *of == path);
    found.map_or(&[], |(_, examples)| examples)
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use clap::CommandFactory as _;

    use super::exit_status::EXIT_STATUS;
    use super::*;
    use crate::cli::{Cli, signing};

    /// Every command that help shows, by its words.
    fn paths(command: &Command, path: &str, paths: &mut Vec<String>) {
        paths.push(path.to_owned());
        for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
            self::paths(sub, &below(path, sub.get_name()), paths);
        }
    }

    #[test]
    fn every_command_has_an_example_and_every_example_a_command() {
        let mut all = Vec::new();
        paths(&Cli::command(), "", &mut all);
        for path in &all {
            assert!(
                !examples(path).is_empty(),
                "src/cli/pages.rs has no example of `{path}`"
            );
        }
        for (path, _) in EXAMPLES {
            assert!(all.iter().any(|known| known == path), "{path}");
        }
        for (path, _) in EXIT_STATUS {
            assert!(all.iter().any(|known| known == path), "{path}");
        }
    }

    #[test]
    fn every_example_is_understood_and_is_of_its_command() {
        for (path, examples) in EXAMPLES {
            for Example { line, .. } in *examples {
                let from = line.rfind("modelwatch ").unwrap_or_default();
                let end = line.find(" >").unwrap_or(line.len());
                let called = line.get(from..end).unwrap_or_default();
                let words = words(called);
                let arguments = signing::normalize(words.iter().map(OsString::from));
                let command: Vec<_> = arguments
                    .iter()
                    .map(|word| word.to_string_lossy())
                    .collect();
                let command = command.join(" ");
                let parsed = Cli::command().try_get_matches_from(arguments);
                assert!(parsed.is_ok(), "{line}: {:?}", parsed.err());
                assert!(command.contains(path), "{line} is no example of {path}");
            }
        }
    }

    /// As a shell splits them; these lines have no other quotes.
    fn words(line: &str) -> Vec<String> {
        let quoted = line.split('\'').enumerate();
        quoted
            .flat_map(|(number, part)| {
                if number % 2 == 1 {
                    vec![part.to_owned()]
                } else {
                    part.split_whitespace().map(str::to_owned).collect()
                }
            })
            .collect()
    }
}
