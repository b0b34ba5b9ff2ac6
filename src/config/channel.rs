//! `[[channel]]`: where findings are told.

use std::collections::HashMap;
use std::path::PathBuf;
use std::str::FromStr;

use super::problems::Problems;
use super::reader::Section;
use super::values::{file, secret, unique, url};
use super::{Context, keys};
use crate::notify::{
    Channel, ChannelKind, EmailSettings, ExecSettings, MailAddress, StdoutSettings, WebhookSettings,
};
use crate::watch::Severity;

const TYPES: [&str; 4] = ["email", "webhook", "exec", "stdout"];

pub(super) fn read_all(
    root: &Section<'_>,
    context: &Context<'_>,
    problems: &mut Problems,
) -> Vec<Channel> {
    if !root.has("channel") {
        problems.warning(
            root.place(),
            "there is no [[channel]]: findings are recorded, and nobody is told",
            "add one; type = \"stdout\" needs no settings".to_owned(),
        );
    }
    let mut names = HashMap::new();
    let mut channels = Vec::new();
    for section in root.tables("channel", problems) {
        let name = section.required("name", problems).map(|name| name.value);
        let section = match name {
            Some(name) => section.renamed(format!("channel[{name}]")),
            None => section,
        };
        if let Some(name) = name {
            unique(&mut names, name, "channel named", section.place(), problems);
        }
        let min_severity = section.severity("min_severity", problems);
        let kind = kind(&section, context, problems);
        if let (Some(name), Some(kind)) = (name, kind) {
            channels.push(Channel {
                name: name.to_owned(),
                min_severity: min_severity.unwrap_or(Severity::Info),
                kind,
            });
        }
    }
    channels
}

fn kind(
    section: &Section<'_>,
    context: &Context<'_>,
    problems: &mut Problems,
) -> Option<ChannelKind> {
    section.only("channel", &keys::CHANNEL, problems);
    let written = section.required("type", problems)?;
    if !TYPES.contains(&written.value) {
        let hint = match written.value {
            "slack" | "teams" | "mattermost" | "github-issue" => {
                "this version has email, webhook, exec and stdout: a program of yours behind exec can do it"
                    .to_owned()
            }
            other => match keys::nearest(other, TYPES) {
                Some(near) => format!("did you mean {near}?"),
                None => format!("write one of {}", TYPES.join(", ")),
            },
        };
        problems.error(
            &written.place,
            format!("{:?} is no type of channel", written.value),
            hint,
        );
        return None;
    }
    let own = keys::of_channel(written.value);
    let common = ["name", "type", "min_severity"];
    for key in section.keys() {
        if keys::CHANNEL.contains(&key) && !own.contains(&key) && !common.contains(&key) {
            problems.error(
                &section.place_of(key),
                format!("a channel of type {} has no such key", written.value),
                None,
            );
        }
    }
    match written.value {
        "email" => email(section, context, problems).map(ChannelKind::Email),
        "webhook" => webhook(section, context, problems).map(ChannelKind::Webhook),
        "exec" => exec(section, context, problems).map(ChannelKind::Exec),
        _ => Some(ChannelKind::Stdout(stdout(section, problems))),
    }
}

fn email(
    section: &Section<'_>,
    context: &Context<'_>,
    problems: &mut Problems,
) -> Option<EmailSettings> {
    let from = parsed::<MailAddress>(section, "from", problems);
    let smtp = parsed(section, "smtp", problems);
    if !section.has("to") {
        problems.error(section.place(), "to is missing", None);
    }
    let mut to = Vec::new();
    for address in section.strings("to", problems) {
        match address.value.parse() {
            Ok(address) => to.push(address),
            Err(error) => problems.error(&address.place, format!("{error}"), None),
        }
    }
    let user = section
        .string("user", problems)
        .map(|user| user.value.to_owned());
    let password = secret(section, "password", context, problems);
    match (&user, &password) {
        (Some(_), None) => problems.warning(
            &section.place_of("user"),
            "there is a user, but no password",
            "give password_env or password_file".to_owned(),
        ),
        (None, Some(_)) => {
            problems.error(section.place(), "there is a password, but no user", None);
        }
        _ => {}
    }
    let ca_file = file(section, "ca_file", context, problems);
    let ehlo = if section.has("ehlo") {
        parsed(section, "ehlo", problems)
    } else {
        None
    };
    Some(EmailSettings {
        from: from?,
        to,
        smtp: smtp?,
        ehlo,
        user,
        password,
        ca_file,
    })
}

fn parsed<T>(section: &Section<'_>, key: &str, problems: &mut Problems) -> Option<T>
where
    T: FromStr<Err: std::fmt::Display>,
{
    let written = section.required(key, problems)?;
    match written.value.parse() {
        Ok(value) => Some(value),
        Err(error) => {
            problems.error(&written.place, format!("{error}"), None);
            None
        }
    }
}

fn webhook(
    section: &Section<'_>,
    context: &Context<'_>,
    problems: &mut Problems,
) -> Option<WebhookSettings> {
    let secret = secret(section, "secret", context, problems);
    if !section.has("secret_env") && !section.has("secret_file") {
        problems.warning(
            section.place(),
            "the receiver cannot tell these requests from anybody else's: they are not signed",
            "give secret_env or secret_file".to_owned(),
        );
    }
    let allow_private = section.strings("allow_private", problems);
    Some(WebhookSettings {
        url: url(section, context, problems)?,
        secret,
        allow_private: allow_private
            .iter()
            .map(|host| host.value.to_owned())
            .collect(),
    })
}

fn stdout(section: &Section<'_>, problems: &mut Problems) -> StdoutSettings {
    let written = section.string("format", problems);
    let as_json = written.and_then(|written| match written.value {
        "text" => Some(false),
        "json" => Some(true),
        other => {
            problems.error(
                &written.place,
                format!("{other:?} is no form of a message"),
                "write text or json; without it, a terminal gets text and a program JSON"
                    .to_owned(),
            );
            None
        }
    });
    StdoutSettings { as_json }
}

fn exec(
    section: &Section<'_>,
    context: &Context<'_>,
    problems: &mut Problems,
) -> Option<ExecSettings> {
    if !section.has("command") {
        problems.error(
            section.place(),
            "command is missing",
            "write command = [\"program\", \"argument\"]".to_owned(),
        );
    }
    let written = section.strings("command", problems);
    if let [only] = written.as_slice()
        && only.value.contains(' ')
    {
        problems.warning(
            &only.place,
            "no shell is involved: this is the name of one program, spaces included",
            "write [\"program\", \"argument\"], or [\"sh\", \"-c\", \"…\"]".to_owned(),
        );
    }
    let timeout = section.duration("timeout", problems);
    let (program, arguments) = written.split_first()?;
    Some(ExecSettings {
        program: program_path(program.value, context),
        arguments: arguments.iter().map(|word| word.value.to_owned()).collect(),
        timeout: timeout.unwrap_or(ExecSettings::DEFAULT_TIMEOUT),
    })
}

/// The program as it is run: with a `/`, counted from the configuration's directory; without, looked for in the PATH.
///
/// Where the program is started from must not matter: cron starts it in the home directory, systemd in `/`.
fn program_path(written: &str, context: &Context<'_>) -> PathBuf {
    if written.contains('/') {
        context.path(written)
    } else {
        PathBuf::from(written)
    }
}
