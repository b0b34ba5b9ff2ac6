//! All problems of a configuration are reported; and the documented keys are those that are read.

use std::path::Path;

use super::*;
use crate::log::Start;
use crate::watch::Severity;

const GOOD: &str = r#"
[[log]]
type = "rekor-v2"
url = "https://log.example"
origin = "log.example"
public_key = "key.pem"

[[watch]]
name = "mail"
san = "Release@Example.com"

[[channel]]
name = "out"
type = "stdout"
"#;

fn validated(text: &str) -> (Option<Config>, Problems) {
    let there = |path: &Path| !path.ends_with("absent");
    validate(text, Path::new("/etc/mw/modelwatch.toml"), &there)
}

fn problems(text: &str) -> String {
    validated(text).1.to_string()
}

#[test]
fn a_small_configuration_is_valid_without_a_warning_and_has_every_default() {
    let (config, problems) = validated(GOOD);
    let config = config.expect("valid");
    assert_eq!(problems.iter().len(), 0, "{problems}");
    assert_eq!(config.database, Path::new("/etc/mw/modelwatch.db"));
    assert_eq!(config.schedule.as_str(), "* * * * *");
    assert_eq!(config.fail_on, Severity::High);
    let [log] = config.logs.as_slice() else {
        panic!("one log")
    };
    assert_eq!(log.name, "log.example");
    assert_eq!(log.start, Start::End);
    assert_eq!(log.silence_after.map(|time| time.as_secs()), Some(86_400));
    assert_eq!(
        log.public_keys,
        [LogKeySource::File("/etc/mw/key.pem".into())]
    );
    assert_eq!(log.requests_per_minute, None);
    let [watch] = config.watches.as_slice() else {
        panic!("one watch")
    };
    assert_eq!(watch.severity, Severity::High);
    assert_eq!(watch.notify, None);
}

#[test]
fn a_start_may_be_a_date_or_a_timestamp() {
    for (written, meant) in [
        ("2026-01-01", Some("2026-01-01T00:00:00Z")),
        ("2026-01-01T12:30:00Z", Some("2026-01-01T12:30:00Z")),
        ("2026-01-01T12:30:00+02:00", Some("2026-01-01T10:30:00Z")),
        ("2026-01-01T12:30:00", None),
        ("2026-02-30", None),
        ("2026-1-1", None),
        ("2026-W01-1", None),
        ("2026-01-01T12:30:00Z[UTC]", None),
        ("yesterday", None),
    ] {
        let (config, problems) = validated(&format!("{GOOD}\n[monitor]\nstart = \"{written}\""));
        let start = config.map(|config| config.logs[0].start);
        let meant = meant.map(|time| Start::Time(time.parse().expect("a timestamp")));
        assert_eq!(start, meant, "{written}: {problems}");
    }
}

#[test]
fn a_log_that_trust_names_needs_no_url_and_any_other_does() {
    for (trust, kind, valid) in [
        ("tuf = \"public-good\"", "", true),
        ("tuf = \"public-good\"", "type = \"rekor-v2\"", true),
        ("tuf = \"public-good\"", "type = \"rekor-v1\"", false),
        ("tuf = \"public-good\"", "type = \"ct-static\"", false),
        ("trusted_root = \"root.json\"", "type = \"rekor-v2\"", false),
    ] {
        let text =
            format!("[trust]\n{trust}\n[[log]]\nname = \"a\"\norigin = \"log.example\"\n{kind}\n");
        let (config, problems) = validated(&text);
        assert_eq!(config.is_some(), valid, "{text}{problems}");
        assert!(
            valid || problems.to_string().contains("log[a]"),
            "{problems}"
        );
        if let Some(config) = config {
            assert_eq!(config.logs[0].location, None);
        }
    }
}

#[test]
fn standard_output_has_the_form_that_is_set_or_the_one_that_fits_its_reader() {
    for (format, as_json) in [
        ("", Some("None")),
        ("format = \"json\"", Some("Some(true)")),
        ("format = \"text\"", Some("Some(false)")),
        ("format = \"xml\"", None),
        ("format = 1", None),
    ] {
        let stdout = format!("type = \"stdout\"\n{format}");
        let (config, problems) = validated(&GOOD.replace("type = \"stdout\"", &stdout));
        let set = config.map(|config| format!("{:?}", config.channels[0].settings));
        let expected = as_json.map(|form| format!("StdoutSettings {{ as_json: {form} }}"));
        assert_eq!(set, expected, "{format}: {problems}");
    }
}

#[test]
fn a_channel_receives_only_what_it_selects_and_what_nobody_receives_is_a_warning() {
    let channel =
        |keys: &str| GOOD.replace("type = \"stdout\"", &format!("type = \"stdout\"\n{keys}"));
    let other = "\n[[channel]]\nname = \"all\"\ntype = \"stdout\"\n";
    for (text, said) in [
        (
            channel("verdicts = [\"identity-unexpectd\"]"),
            Some("did you mean identity-unexpected?"),
        ),
        (
            channel("verdicts = [\"expected\"]"),
            Some("no alert is sent about expected signings"),
        ),
        (channel("verdicts = []"), Some("an empty list")),
        (
            channel("watches = [\"mial\"]"),
            Some("there is no watch named \"mial\" (hint: did you mean mail?)"),
        ),
        (
            channel("verdicts = [\"identity-unexpected\", \"model-unexpected\"]"),
            Some(
                "no channel receives self-registered, other-predicate, untrusted-chain, unreadable of mail",
            ),
        ),
        (
            channel("verdicts = [\"identity-unexpected\"]"),
            Some("no channel receives missing, log-fault, unverifiable-checkpoint"),
        ),
        (
            channel("min_severity = \"critical\""),
            Some(
                "no channel receives model-unexpected, identity-unexpected, other-predicate of mail",
            ),
        ),
        (
            channel("min_severity = \"critical\""),
            Some("no channel receives missing, unverifiable-checkpoint, unavailable"),
        ),
        (channel("min_severity = \"high\""), None),
        (channel("min_severity = \"critical\"") + other, None),
        (
            channel("verdicts = [\"log-fault\"]\nwatches = [\"mail\"]") + other,
            None,
        ),
        (
            (channel("verdicts = [\"log-fault\"]") + other)
                .replace("san = ", "notify = [\"out\"]\nsan = "),
            Some("no channel receives self-registered, model-unexpected, identity-unexpected"),
        ),
    ] {
        let problems = problems(&text);
        match said {
            Some(said) => assert!(problems.contains(said), "{said}: {problems}"),
            None => assert_eq!(problems, "", "{text}"),
        }
    }
    let text = channel("min_severity = \"high\"\nverdicts = [\"silence\"]\nwatches = [\"mail\"]");
    let config = validated(&text).0.expect("warnings only");
    let selection = &config.channels[0].selection;
    assert_eq!(selection.min_severity, Severity::High);
    assert_eq!(
        selection.verdicts,
        Some([crate::finding::Verdict::Silence].into())
    );
    assert_eq!(selection.watches, Some(["mail".to_owned()].into()));
}

#[test]
fn every_mistake_is_named_at_once_with_its_line() {
    let text = r#"[store]
url = "postgres://db"
[monitor]
schedule = "* * * * * *"
fail_on = "hgih"
[[log]]
name = "a"
type = "rekor-v3"
url = "ftp://x"
origin = "https://x"
[[watch]]
name = "w"
sann = "x"
notify = ["on-call"]
hold = "45"
"#;
    let (config, problems) = validated(text);
    assert!(config.is_none());
    let lines: Vec<usize> = problems
        .iter()
        .filter(|problem| problem.level == Level::Error)
        .map(|problem| problem.line)
        .collect();
    assert_eq!(
        lines,
        [2, 4, 5, 6, 8, 9, 10, 11, 13, 14, 15, 15],
        "{problems}"
    );
    let message = problems.to_string();
    assert!(
        message.contains("/etc/mw/modelwatch.toml:5: error: monitor.fail_on: "),
        "{message}"
    );
    assert!(
        message.contains("watch[w].sann: unknown key (hint: did you mean san?)"),
        "{message}"
    );
}

#[test]
fn what_people_really_get_wrong_in_a_watch_is_caught() {
    for (watch, level, message) in [
        (
            r#"issuer = "https://fulcio.sigstore.dev""#,
            Level::Error,
            "is Fulcio",
        ),
        (
            r#"issuer = "accounts.google.com""#,
            Level::Warning,
            "write https://accounts.google.com",
        ),
        (
            r#"issuer = "https://accounts.google.com/""#,
            Level::Warning,
            "write https://accounts.google.com",
        ),
        (
            r#"issuer = "idp.example""#,
            Level::Warning,
            "did you mean https://idp.example?",
        ),
        (
            r#"san = "https://github.com/o/.*""#,
            Level::Warning,
            "use san_regex",
        ),
        (
            r#"san = "https://github.com/o/*""#,
            Level::Warning,
            "use san_glob",
        ),
        (
            r#"san_glob = "https://github.com/o/.*""#,
            Level::Warning,
            "only * is special",
        ),
        (r#"san_glob = "**""#, Level::Error, "matches every name"),
        (
            r#"san_glob = "https://github.com/*""#,
            Level::Warning,
            "every name of that host",
        ),
        (r#"san_glob = "a@b.c""#, Level::Warning, "contains no *"),
        (r#"san_regex = ".*""#, Level::Error, "matches every name"),
        (
            r#"san_regex = "https://github.com/o/r""#,
            Level::Warning,
            "a dot matches any",
        ),
        (
            r"san_regex = 'https://github\.com/o/*'",
            Level::Warning,
            "any number of slashes",
        ),
        (r#"san_regex = "(""#, Level::Error, "unclosed group"),
        (
            r#"san_regex = "*@b""#,
            Level::Error,
            "did you mean san_glob?",
        ),
        (
            r#"san_glob = "https://github.com/o/r/.github/workflows/x.yml@refs/tags/*""#,
            Level::Warning,
            "a second workflow in https://github.com/o/r is not selected",
        ),
        (
            r#"san = "https://github.com/o/r""#,
            Level::Warning,
            "did you mean san_glob = \\\"https://github.com/o/r/*\\\"?",
        ),
        (
            r#"issuer = "https://token.actions.githubusercontent.com"
any = [ { san_glob = "https://github.com/o/r/*" }, { san = "a@b.c" } ]"#,
            Level::Warning,
            "no certificate is named \"a@b.c\": GitHub Actions writes",
        ),
        (
            r#"san_glob = "https://github.com/o/r/*"
shape = { extension = { source_repository_ref = "main" } }"#,
            Level::Warning,
            "did you mean refs/heads/main?",
        ),
        (
            r#"extension = { build_trigger = "re*" }"#,
            Level::Warning,
            "use extension_glob",
        ),
        (
            r#"extension_glob = { build_trigger = "(?i)re.*" }"#,
            Level::Warning,
            "only * is special",
        ),
        (
            r#"extension_glob = { buildtrigger = "re*" }"#,
            Level::Error,
            "did you mean build_trigger?",
        ),
        (r"extension_glob = {}", Level::Error, "is empty"),
        (
            r#"san_glob = "https://github.com/o/r/*"
shape = { san_regex = 'https://github\.com/o/r/.*\.yml@refs/tags/.*' }"#,
            Level::Warning,
            "the part before @ matches @ too",
        ),
        (
            r#"extension = { source_repository_id = "1" }"#,
            Level::Error,
            "did you mean source_repository_identifier?",
        ),
        (
            r#"extension = { "build-trigger" = "push" }"#,
            Level::Error,
            "did you mean build_trigger?",
        ),
        (
            r"extension = { build_trigger = 1 }",
            Level::Error,
            "a string is expected, not integer",
        ),
        (r"san = []", Level::Error, "an empty list matches nothing"),
        (r#"san = """#, Level::Error, "is empty"),
        (r"any = [ {} ]", Level::Error, "has no conditions"),
        (r"any = []", Level::Error, "an empty list"),
        ("", Level::Error, "has no conditions"),
        (
            r#"san = "a@b"
san_glob = "*@c""#,
            Level::Error,
            "contradicts san",
        ),
        (
            r#"san = "a@b"
hold = "1h""#,
            Level::Error,
            "hold without shape",
        ),
        (
            r#"san = "a@b"
notify = ["ou"]"#,
            Level::Error,
            "did you mean out?",
        ),
        (
            r#"key_sha256 = "AB""#,
            Level::Error,
            "64 hexadecimal digits",
        ),
        (
            r#"san = "a@b"
severity = "warning""#,
            Level::Error,
            "not a severity",
        ),
    ] {
        let rest = GOOD.split_once("[[watch]]").expect("a watch");
        let channel = rest.1.split_once("[[channel]]").expect("a channel").1;
        let text = format!(
            "{}[[watch]]\nname = \"w\"\n{watch}\n[[channel]]{channel}",
            rest.0
        );
        let (config, problems) = validated(&text);
        let matching = problems
            .iter()
            .find(|p| format!("{} {:?}", p.message, p.hint).contains(message));
        let problem = matching.unwrap_or_else(|| panic!("{watch}: {problems}"));
        assert_eq!(problem.level, level, "{watch}: {problems}");
        assert_eq!(
            config.is_none(),
            level == Level::Error,
            "{watch}: {problems}"
        );
    }
}

#[test]
fn a_name_that_cannot_occur_is_reported_with_its_place() {
    let text = format!(
        "{GOOD}\n[[watch]]\nname = \"w\"\nany = [\n  {{ san = \"a@b.c\" }},\n  {{ san = \"https://github.com/o/r\" }},\n]\n\
         [watch.shape]\nissuer = \"https://token.actions.githubusercontent.com\"\n[watch.shape.extension]\n\
         source_repository_ref = \"main\"\n"
    );
    let (config, problems) = validated(&text);
    assert!(config.is_some(), "{problems}");
    let message: Vec<_> = problems
        .iter()
        .map(|p| {
            (
                text.lines().nth(p.line - 1).unwrap_or_default().trim(),
                p.key.as_str(),
            )
        })
        .collect();
    assert_eq!(
        message,
        [
            (
                "{ san = \"https://github.com/o/r\" },",
                "watch[w].any[#2].san"
            ),
            (
                "source_repository_ref = \"main\"",
                "watch[w].shape.extension.source_repository_ref"
            ),
        ],
        "{problems}"
    );
}

#[test]
fn what_is_wrong_with_the_whole_is_caught() {
    let twice = |section: &str| {
        let start = GOOD.find(section).expect("the section");
        let block = GOOD[start..].split("\n\n").next().expect("a block");
        format!("{GOOD}\n{block}\n")
    };
    for (text, message) in [
        (twice("[[log]]"), "another log of the origin"),
        (twice("[[watch]]"), "another watch named"),
        (twice("[[channel]]"), "another channel named"),
        (
            GOOD.replace("public_key = \"key.pem\"", ""),
            "no key for its checkpoints",
        ),
        (
            GOOD.replace("key.pem", "absent"),
            "there is no file /etc/mw/absent",
        ),
        (GOOD.replace("[[log]]", "[log]"), "write [[log]]"),
        (
            GOOD.replace("type = \"stdout\"", "type = \"exec\""),
            "command is missing",
        ),
        (
            GOOD.replace("type = \"stdout\"", "type = \"stdout\"\nurl = \"x\""),
            "no such key",
        ),
        (
            GOOD.replace("type = \"stdout\"", "type = \"stdout\"\nsecret = \"x\""),
            "secret_env or secret_file",
        ),
        (
            format!("{GOOD}\n[heartbeat]\nurl_env = \"https://x\"\nevery = \"1h\""),
            "name of an environment variable",
        ),
        (
            format!("{GOOD}\n[monitor]\nschedule = \"0 0 30 2 *\""),
            "never comes",
        ),
        (
            format!("{GOOD}\n[monitor]\nstart = \"2026-02-30\""),
            "a date (\"2026-01-01\")",
        ),
        ("[[log]".to_owned(), "error"),
        (String::new(), "there is no [[log]]"),
    ] {
        let (config, problems) = validated(&text);
        assert!(config.is_none(), "{text}");
        assert!(
            problems.to_string().contains(message),
            "{message}: {problems}"
        );
    }
    for (text, message) in [
        (
            GOOD.replace("public_key =", "silence_after = \"never\"\npublic_key ="),
            "never be noticed",
        ),
        (
            GOOD.split("[[channel]]").next().expect("text").to_owned(),
            "no alert is sent",
        ),
        (
            format!(
                "{}[[channel]]\nname = \"o\"\ntype = \"stdout\"\n",
                GOOD.split("[[watch]]").next().expect("text")
            ),
            "no signings are searched",
        ),
    ] {
        let (config, problems) = validated(&text);
        assert!(config.is_some(), "{problems}");
        assert!(
            problems.to_string().contains(message),
            "{message}: {problems}"
        );
    }
}

#[test]
fn a_wider_watch_beside_it_covers_a_narrow_one() {
    let narrow = "\n[[watch]]\nname = \"n\"\nsan_glob = \"https://github.com/o/r/.github/workflows/x.yml@*\"\n";
    assert!(problems(&format!("{GOOD}{narrow}")).contains("is not selected"));
    let wide = "\n[[watch]]\nname = \"o\"\nsan_glob = \"https://github.com/o/*\"\n";
    let message = problems(&format!("{GOOD}{narrow}{wide}"));
    assert!(message.is_empty(), "{message}");
}

#[test]
fn more_than_a_hundred_regular_expressions_are_a_warning() {
    use std::fmt::Write as _;
    let mut text = GOOD.to_owned();
    for number in 0..101 {
        write!(
            text,
            "\n[[watch]]\nname = \"w{number}\"\nsan_regex = 'a{number}@b'\n"
        )
        .expect("a String");
    }
    assert!(
        problems(&text).contains("101 regular expressions"),
        "{}",
        problems(&text)
    );
}

#[test]
fn nothing_in_the_file_reaches_the_terminal_as_it_is() {
    let message = problems(&GOOD.replace("\"rekor-v2\"", "\"\\u001b[2J\\u202E\""));
    assert!(!message.contains(['\u{1b}', '\u{202e}']), "{message:?}");
}

const REFERENCE: &str = include_str!("../../docs/configuration.md");
const EXAMPLE: &str = include_str!("../../config/modelwatch.toml");

#[test]
fn the_example_is_valid_without_a_warning() {
    let (config, problems) = validated(EXAMPLE);
    assert!(config.is_some() && problems.iter().len() == 0, "{problems}");
}

/// A block of the reference is a whole configuration, or is completed by the other sections of a valid one.
#[test]
fn every_block_of_the_reference_is_valid() {
    let mut blocks = 0;
    for block in REFERENCE.split("```toml\n").skip(1) {
        let block = block.split("```").next().expect("the block ends");
        let mut text = String::new();
        for section in GOOD.split("\n\n") {
            let header = section.trim().lines().next().expect("a header");
            if !block.contains(header) {
                text.push_str(section);
                text.push_str("\n\n");
            }
        }
        if block.contains("notify = [\"oncall\"]") {
            text.push_str("[[channel]]\nname = \"oncall\"\ntype = \"stdout\"\n");
        }
        text.push_str(block);
        let (config, problems) = validated(&text);
        assert!(config.is_some(), "{block}\n{problems}");
        blocks += 1;
    }
    assert!(blocks >= 7, "{blocks} blocks");
}

/// `## [section]` begins a section of the reference; a row of its tables begins with the key in backticks.
#[test]
fn every_key_is_documented_and_every_documented_key_is_known() {
    let of_channels = keys::of_channels();
    let of_channels: Vec<&str> = of_channels.iter().map(String::as_str).collect();
    for (section, keys) in keys::SECTIONS
        .into_iter()
        .chain([("channel", of_channels.as_slice())])
    {
        let repeated = [
            "log",
            "watch",
            "channel",
            "canary",
            "expect_from",
            "witness",
            "http.credentials",
        ];
        let heading = if repeated.contains(&section) {
            format!("\n## `[[{section}]]`")
        } else {
            format!("\n## `[{section}]`")
        };
        let text = REFERENCE
            .split(&heading)
            .nth(1)
            .expect("a heading for each section");
        let text = text.split("\n## ").next().expect("text");
        let mut documented: Vec<&str> = text
            .lines()
            .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
            .collect();
        let mut known = keys.to_vec();
        documented.sort_unstable();
        known.sort_unstable();
        assert_eq!(documented, known, "[{section}]");
    }
    for extension in crate::identity::Extension::ALL {
        assert!(
            REFERENCE.contains(&format!("`{}`", extension.name())),
            "{extension}"
        );
    }
}

const WATCH: &str = "[[watch]]\nname = \"mail\"\nsan = \"release@example.com\"\n";

#[test]
fn trust_has_exactly_one_source_and_every_mistake_in_it_is_named() {
    for (trust, message) in [
        (r#"tuf = "public""#, "not the name of a repository"),
        ("tuf = 3", "trust.tuf: a table is expected"),
        (
            r#"tuf = { mirror = "https://tuf.example" }"#,
            "trust.tuf: root is missing",
        ),
        (
            r#"tuf = { mirror = "ftp://tuf.example", root = "root.json" }"#,
            "trust.tuf.mirror: is not an http or https URL",
        ),
        (
            r#"tuf = { mirror = "https://tuf.example", root = "absent" }"#,
            "there is no file /etc/mw/absent",
        ),
        (
            r#"tuf = { mirrors = "https://tuf.example", root = "root.json" }"#,
            "trust.tuf.mirrors: unknown key (hint: did you mean mirror?)",
        ),
        (
            "tuf = \"staging\"\ntrusted_root = \"root.json\"",
            "there are two sources of the trusted root",
        ),
        ("", "names no source of the trusted root"),
        (
            "trust_config = \"config.json\"\nrefresh = \"1h\"",
            "trust.refresh: belongs to tuf",
        ),
        ("tuf = \"staging\"\nrefresh = \"soon\"", "is not a duration"),
        (
            "trusted_root = \"root.json\"\nignore = [\"log.example\"]",
            "trust.ignore: a trusted root in a file lists no logs",
        ),
    ] {
        let text = format!("[trust]\n{trust}\n{WATCH}");
        let (config, problems) = validated(&text);
        assert!(config.is_none(), "{trust}");
        assert!(
            problems.to_string().contains(message),
            "{trust}: {problems}"
        );
    }
}

#[test]
fn where_trust_names_the_logs_none_need_be_written_and_one_may_be_read_elsewhere() {
    use crate::trust::{RepositorySettings, SourceSettings};

    let tuf =
        format!("[store]\nurl = \"sqlite:/var/mw.db\"\n[trust]\ntuf = \"public-good\"\n{WATCH}");
    let (config, problems) = validated(&tuf);
    let config = config.unwrap_or_else(|| panic!("{problems}"));
    assert!(config.logs.is_empty());
    let trust = config.trust.expect("it is configured");
    assert_eq!(trust.refresh.as_secs(), 6 * 3600);
    assert_eq!(
        trust.source,
        SourceSettings::Tuf {
            repository: RepositorySettings::PublicGood,
            cache: "/var/mw.tuf.json".into(),
        }
    );
    let log = "[[log]]\norigin = \"log.example\"\nurl = \"https://mirror.example\"\n";
    let (config, problems) = validated(&format!("{tuf}{log}"));
    let config = config.unwrap_or_else(|| panic!("{problems}"));
    assert_eq!(config.logs.len(), 1);

    // A trusted root in a file lists neither logs nor protocols.
    let file = tuf.replace("tuf = \"public-good\"", "trusted_root = \"root.json\"");
    assert!(self::problems(&file).contains("there is no [[log]]"));
    assert!(self::problems(&format!("{file}{log}")).contains("type is missing"));
}

/// A configuration with this `[http]` and a log at this URL.
fn with_http(http: &str, url: &str) -> (Option<Config>, Problems) {
    let log = GOOD.replace("https://log.example", url);
    validated(&format!("[http]\n{http}\n{log}"))
}

#[test]
fn a_url_with_a_user_or_a_password_is_refused_in_every_section_and_never_shown() {
    const URL: &str = "https://bob:s3cret@log.example";
    let channel = "[[channel]]\nname = \"hook\"\ntype = \"webhook\"\n";
    let mail = "[[channel]]\nname = \"mail\"\ntype = \"email\"\nfrom = \"a@b.example\"\nto = \"a@b.example\"\n";
    for (section, place, instead) in [
        (
            format!(
                "[[log]]\nname = \"b\"\ntype = \"rekor-v1\"\nurl = {URL:?}\npublic_key = \"k.pem\"\n"
            ),
            "log[b].url",
            "[[http.credentials]]",
        ),
        (
            format!("[trust]\ntuf = {{ mirror = {URL:?}, root = \"root.json\" }}\n"),
            "trust.tuf.mirror",
            "[[http.credentials]]",
        ),
        (format!("[trust]\ntuf = {URL:?}\n"), "trust.tuf", "mirror ="),
        (
            format!("[heartbeat]\nevery = \"1h\"\nurl = {URL:?}\n"),
            "heartbeat.url",
            "[[http.credentials]]",
        ),
        (
            format!("{channel}url = {URL:?}\n"),
            "channel[hook].url",
            "[[http.credentials]]",
        ),
        (
            format!("{mail}smtp = \"smtps://bob:s3cret@mail.example\"\n"),
            "channel[mail].smtp",
            "password_env",
        ),
        (
            "[http]\nproxy = \"http://bob:s3cret@proxy.example\"\n".to_owned(),
            "http.proxy",
            "proxy_env",
        ),
        (
            "[[http.credentials]]\nhost = \"bob:s3cret@log.example\"\ntoken_env = \"T\"\n"
                .to_owned(),
            "host",
            "without scheme",
        ),
    ] {
        let (config, problems) = validated(&format!("{GOOD}\n{section}"));
        let message = problems.to_string();
        assert!(config.is_none(), "{section}");
        assert!(
            message.contains(place) && message.contains(instead),
            "{message}"
        );
        assert!(
            !message.contains("s3cret") && !message.contains("bob"),
            "{message}"
        );
    }
}

#[test]
fn http_is_what_is_written() {
    use crate::http::{CredentialScheme, ProxyChoice};
    use crate::secret::SecretSource;
    let written = r#"
proxy = "proxy.example:3128"
no_proxy = ["corp.example", "10.0.0.0/8"]
ca_certificates = ["corp-ca.pem", "/etc/ssl/other.pem"]
[[http.credentials]]
host = "Log.example"
user = "bob"
password_env = "LOG_PASSWORD"
[[http.credentials]]
host = "git.example:8443"
token_file = "token"
[[http.credentials]]
host = "[fd00::7]"
port = 443
scheme = "https"
token_env = "T"
"#;
    let (config, problems) = with_http(written, "https://log.example");
    let http = config.unwrap_or_else(|| panic!("{problems}")).http;
    assert_eq!(problems.iter().len(), 0, "{problems}");
    assert!(
        matches!(&http.proxy.proxy, ProxyChoice::Written(url) if url.to_string() == "http://proxy.example:3128")
    );
    assert_eq!(http.proxy.no_proxy.expect("a list").len(), 2);
    assert_eq!(
        http.ca_files,
        [
            Path::new("/etc/mw/corp-ca.pem"),
            Path::new("/etc/ssl/other.pem")
        ]
    );
    let [log, git, address] = http.credentials.as_slice() else {
        panic!("{:?}", http.credentials)
    };
    assert_eq!(
        (log.host.as_str(), log.port, log.scheme),
        ("log.example", None, None)
    );
    assert_eq!(log.user.as_deref(), Some("bob"));
    assert_eq!((git.host.as_str(), git.port), ("git.example", Some(8443)));
    assert_eq!(git.secret, SecretSource::File("/etc/mw/token".into()));
    assert_eq!(
        (address.host.as_str(), address.port),
        ("[fd00::7]", Some(443))
    );
    assert_eq!(address.scheme, Some(CredentialScheme::Https));
    for (written, direct) in [("", false), ("proxy = \"none\"", true)] {
        let http = with_http(written, "https://log.example")
            .0
            .expect("valid")
            .http;
        assert_eq!(http.proxy.proxy == ProxyChoice::Direct, direct);
        assert_eq!(http.proxy.no_proxy, None);
    }
    let http = with_http("no_proxy = []", "https://log.example")
        .0
        .expect("valid")
        .http;
    assert_eq!(http.proxy.no_proxy, Some(Vec::new()));
}

#[test]
fn what_is_wrong_with_http_is_named() {
    let credentials = |rest: &str| format!("[[http.credentials]]\n{rest}");
    for (written, expected) in [
        (
            "proxy = \"socks5://p:1080\"".to_owned(),
            "http.proxy: names a proxy of a kind",
        ),
        (
            "proxy = \"http://p/path\"".to_owned(),
            "http.proxy: is not the URL of a proxy",
        ),
        (
            "proxy = \"http://p\"\nproxy_env = \"P\"".to_owned(),
            "given twice",
        ),
        (
            "ca_certificates = \"absent\"".to_owned(),
            "there is no file",
        ),
        (
            "ca_file = \"ca.pem\"".to_owned(),
            "did you mean ca_certificates",
        ),
        (credentials("token_env = \"T\""), "host is missing"),
        (
            credentials("host = \"https://a.example\"\ntoken_env = \"T\""),
            "is not a host",
        ),
        (
            credentials("host = \"a.example/x\"\ntoken_env = \"T\""),
            "is not a host",
        ),
        (
            credentials("host = \"a.example\""),
            "neither a password nor a token",
        ),
        (
            credentials("host = \"a.example\"\npassword_env = \"P\""),
            "but no user",
        ),
        (
            credentials("host = \"a.example\"\nuser = \"u\"\ntoken_env = \"T\""),
            "a token is sent without a user",
        ),
        (
            credentials(
                "host = \"a.example\"\nuser = \"u\"\npassword_env = \"P\"\ntoken_env = \"T\"",
            ),
            "a password and a token",
        ),
        (
            credentials("host = \"a.example\"\nuser = \"u\"\npassword = \"P\""),
            "secrets stay out of this file",
        ),
        (
            credentials("host = \"a.example\"\nuser = \"u:v\"\npassword_env = \"P\""),
            "a user may not contain a colon",
        ),
        (
            credentials("host = \"a.example\"\nport = 0\ntoken_env = \"T\""),
            "a port from 1 to 65535",
        ),
        (
            credentials("host = \"a.example:1\"\nport = 2\ntoken_env = \"T\""),
            "another port",
        ),
        (
            credentials("host = \"a.example\"\nscheme = \"ftp\"\ntoken_env = \"T\""),
            "is not a scheme",
        ),
        (
            format!(
                "{0}{0}",
                credentials("host = \"a.example\"\ntoken_env = \"T\"\n")
            ),
            "there are other credentials for a.example",
        ),
    ] {
        let (config, problems) = with_http(&written, "https://log.example");
        let message = problems.to_string();
        assert!(
            config.is_none() && message.contains(expected),
            "{written}: {message}"
        );
    }
}

#[test]
fn credentials_that_would_not_be_sent_by_http_are_a_warning() {
    let credentials = "[[http.credentials]]\nhost = \"log.example\"\ntoken_env = \"T\"\n";
    for (more, url, message) in [
        ("", "http://log.example", Some("are not sent by http")),
        (
            "",
            "http://log.example:8080/v2",
            Some("are not sent by http"),
        ),
        ("", "https://log.example", None),
        ("", "http://other.example", None),
        (
            "scheme = \"http\"",
            "http://log.example",
            Some("sent unencrypted"),
        ),
        (
            "scheme = \"http\"",
            "https://log.example",
            Some("are not sent by https"),
        ),
    ] {
        let (config, problems) = with_http(&format!("{credentials}{more}"), url);
        assert!(config.is_some(), "{problems}");
        let shown = problems.to_string();
        assert_eq!(
            message.is_some(),
            problems.iter().len() > 0,
            "{more} {url}: {shown}"
        );
        assert!(shown.contains(message.unwrap_or_default()), "{shown}");
    }
}
