//! The configuration as text, with its comments. Whatever was given or found is a TOML string in it, never a comment.

use std::fmt::Write as _;

use super::answers::{Answers, Channel};
use super::instance::{Instance, Log, Source};
use crate::log::Protocol;
use crate::watch::toml_string as quoted;

const HEAD: &str = "\
# Written by `modelwatch init`. Every key is described in docs/configuration.md; paths are counted from the directory
# of this file.
#
#   modelwatch check      the configuration, the database, every log
#   modelwatch drill      tests detection and alerts; run it after each change of this file
#   modelwatch monitor    monitors the logs

[store]
url = \"sqlite:modelwatch.db\"

[trust]
";

const HEARTBEAT: &str = "
# A dead man's switch: something outside that raises the alarm when these requests stop coming.
# [heartbeat]
# url_env = \"HEARTBEAT_URL\"
# every = \"1h\"
";

const WATCHES: &str = "
# The signers to look for. Select widely; `shape` describes normal signings, and all others are critical.
# With `hold` a signing in shape waits that long for `modelwatch expect add BUNDLE` before an alert is sent.
";

const MORE_CHANNELS: &str = "
# Another channel; docs/alerts.md describes all types. Secrets stay outside of this file.
# [[channel]]
# name = \"oncall\"
# type = \"email\"
# from = \"modelwatch@example.org\"
# to = [\"oncall@example.org\"]
# smtp = \"smtps://mail.example.org:465\"
# user = \"modelwatch\"
# password_env = \"SMTP_PASSWORD\"
";

pub(super) fn configuration(instance: &Instance, answers: &Answers) -> String {
    let mut text = HEAD.to_owned();
    trust(&mut text, &instance.source);
    // Writing to a String cannot fail.
    let _ = write!(
        text,
        "
[monitor]
# When the daemon makes a pass: every five minutes, UTC.
schedule = \"*/5 * * * *\"
# Where reading begins in a log that was never read: end, beginning, or a date.
start = {}
# From here on an open finding makes `monitor --once` exit with 1.
fail_on = \"high\"
",
        quoted(&answers.start.to_string())
    );
    text.push_str(HEARTBEAT);
    logs(&mut text, instance);
    text.push_str(WATCHES);
    for watch in &answers.watches {
        text.push('\n');
        text.push_str(watch);
    }
    channel(&mut text, &answers.channel);
    text
}

fn trust(text: &mut String, source: &Source) {
    let _ = match source {
        Source::PublicGood => writeln!(
            text,
            "# Sigstore's public instance. Its first root is built in; what follows from it is renewed by itself.\n\
             tuf = \"public-good\""
        ),
        Source::Staging => writeln!(text, "# Sigstore's staging instance.\ntuf = \"staging\""),
        Source::Mirror { url, root } => writeln!(
            text,
            "# The TUF repository of the instance, and the root that it is trusted by.\n\
             tuf = {{ mirror = {}, root = {} }}",
            quoted(url.as_str()),
            quoted(root)
        ),
        Source::TrustedRoot(file) => writeln!(
            text,
            "# A file is not updated: with `tuf`, new logs and authorities are found automatically.\n\
             trusted_root = {}",
            quoted(file)
        ),
    };
}

fn logs(text: &mut String, instance: &Instance) {
    if !matches!(instance.source, Source::TrustedRoot(_)) {
        text.push_str(
            "\n# Rekor v2 logs are followed by themselves, new ones from their first entry: trust names them.\n",
        );
    }
    let ct: Vec<&Log> = instance
        .logs
        .iter()
        .filter(|log| log.protocol.is_ct())
        .collect();
    for log in &instance.logs {
        let is_v1 = log.protocol == Protocol::RekorV1;
        if is_v1 && instance.is_guided {
            text.push_str(
                "\n# Rekor v1, where most clients write, grows faster than one reader may read it. So it is read by way of the\n\
                 # certificate logs, which contain every certificate that was issued to a name, and of its search index.\n\
                 # `modelwatch status` shows what that proves and what it cannot detect.\n",
            );
        } else if is_v1 {
            text.push_str("\n# Rekor v1, read in full.\n");
            if !ct.is_empty() {
                text.push_str(
                    "# If it is too fast for that: mode = \"guided\", and guided_by = [ the names of all certificate logs ].\n",
                );
            }
        } else if log.protocol.is_ct() {
            text.push_str("\n# A certificate log: each certificate for a watched name is a finding of its own.\n");
        } else {
            text.push('\n');
        }
        let _ = write!(
            text,
            "[[log]]\nname = {}\ntype = {}\nurl = {}\n",
            quoted(&log.name),
            quoted(log.protocol.as_str()),
            quoted(&log.url)
        );
        if let Some(origin) = &log.origin {
            let _ = writeln!(text, "origin = {}", quoted(origin));
        }
        if is_v1 && instance.is_guided {
            let names: Vec<_> = ct.iter().map(|log| quoted(&log.name)).collect();
            let _ = write!(
                text,
                "mode = \"guided\"\nguided_by = [{}]\n",
                names.join(", ")
            );
        }
    }
    for url in &instance.unknown {
        // An escaped string has no line end, so what follows it stays a comment.
        let _ = write!(
            text,
            "\n# A certificate log that did not answer, so its type is unknown: ct-rfc6962 or ct-static.\n\
             # [[log]]\n# name = \"ct\"\n# type = \"ct-static\"\n# url = {}\n\
             # origin = \"…\"              # of a ct-static log: the first line of url/checkpoint\n",
            quoted(url)
        );
    }
}

fn channel(text: &mut String, channel: &Channel) {
    text.push_str("\n# Where alerts are sent.\n[[channel]]\n");
    let _ = match channel {
        Channel::Terminal => writeln!(
            text,
            "# On a terminal as text; where standard output is piped or in a file, one JSON line for each alert.\nname = \"terminal\"\ntype = \"stdout\""
        ),
        Channel::Email { to, from, smtp } => writeln!(
            text,
            "name = \"mail\"\ntype = \"email\"\nfrom = {}\nto = [{}]\nsmtp = {}\n\
             # user = \"modelwatch\"\n# password_env = \"SMTP_PASSWORD\"",
            quoted(from),
            quoted(to),
            quoted(smtp)
        ),
        Channel::Webhook(variable) => writeln!(
            text,
            "name = \"webhook\"\ntype = \"webhook\"\nurl_env = {}\n# secret_env = \"WEBHOOK_SECRET\"   # signs each request",
            quoted(variable)
        ),
    };
    text.push_str(MORE_CHANNELS);
}
