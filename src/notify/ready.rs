//! What a channel needs from this machine: looked at before an alert needs it, and without telling anybody.

use std::path::{Path, PathBuf};

use super::email::{self, SmtpSecurity};
use super::webhook;
use super::{Channel, ChannelKind, HeartbeatSettings, NotifyError, SecretSource, UrlSource};

/// Something that a channel or the heartbeat cannot work without, and that is not there.
#[derive(Debug)]
pub struct Lacking {
    /// The key of the configuration that asks for it: `password_env`, `command`.
    pub key: String,
    /// What is wrong with it.
    pub error: NotifyError,
}

impl Lacking {
    fn new(key: impl Into<String>, error: impl Into<NotifyError>) -> Self {
        Self {
            key: key.into(),
            error: error.into(),
        }
    }
}

impl Channel {
    /// What this channel cannot work without and what is not there: variables, files, the program. Nothing is sent, and
    /// no server is asked.
    pub async fn lacking(&self) -> Vec<Lacking> {
        let mut lacking = Vec::new();
        match &self.kind {
            ChannelKind::Email(settings) => {
                if let Some(password) = &settings.password {
                    lacking.extend(secret("password", password).await);
                }
                if let Some(file) = &settings.ca_file
                    && settings.smtp.security() != SmtpSecurity::Loopback
                    && let Err(error) =
                        email::tls::parameters(settings.smtp.host(), Some(file)).await
                {
                    lacking.push(Lacking::new("ca_file", error));
                }
            }
            ChannelKind::Webhook(settings) => {
                lacking.extend(url(&settings.url).await);
                if let Some(source) = &settings.secret
                    && let Err(error) = webhook::signing_key(source).await
                {
                    lacking.push(Lacking::new(key("secret", source), error));
                }
            }
            ChannelKind::Exec(settings) => {
                if let Err(what) = runnable(&settings.program) {
                    lacking.push(Lacking::new("command", NotifyError::Setup { what }));
                }
            }
            ChannelKind::Stdout(_) => {}
        }
        lacking
    }
}

impl HeartbeatSettings {
    /// As [`Channel::lacking`]: where its URL is to come from.
    pub async fn lacking(&self) -> Option<Lacking> {
        url(&self.url).await
    }
}

async fn secret(name: &str, source: &SecretSource) -> Option<Lacking> {
    let error = source.read().await.err()?;
    Some(Lacking::new(key(name, source), error))
}

async fn url(source: &UrlSource) -> Option<Lacking> {
    let error = source.read().await.err()?;
    let key = match source {
        UrlSource::Literal(_) => "url".to_owned(),
        UrlSource::Secret(source) => key("url", source),
    };
    Some(Lacking::new(key, error))
}

/// The key that a secret was given with.
fn key(name: &str, source: &SecretSource) -> String {
    match source {
        SecretSource::Env(_) => format!("{name}_env"),
        SecretSource::File(_) => format!("{name}_file"),
    }
}

/// Whether a program can be started, looked for as the system does: by its path if that has a `/`, else in the
/// directories of `PATH`. It is not started.
fn runnable(program: &Path) -> Result<(), String> {
    if program
        .parent()
        .is_none_or(|parent| !parent.as_os_str().is_empty())
    {
        return executable(program).map_err(|why| format!("{} {why}", program.display()));
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut near = None;
    for directory in std::env::split_paths(&path) {
        let file: PathBuf = directory.join(program);
        match executable(&file) {
            Ok(()) => return Ok(()),
            Err(why) if file.exists() => {
                near.get_or_insert(format!("{} {why}", file.display()));
            }
            Err(_) => {}
        }
    }
    Err(near.unwrap_or_else(|| {
        let program = program.display();
        format!("there is no program `{program}` in the directories of PATH")
    }))
}

fn executable(file: &Path) -> Result<(), String> {
    let metadata = file.metadata().map_err(|error| {
        if error.kind() == std::io::ErrorKind::NotFound {
            "is not there".to_owned()
        } else {
            format!("cannot be looked at: {error}")
        }
    })?;
    if !metadata.is_file() {
        return Err("is no file".to_owned());
    }
    #[cfg(unix)]
    if rustix::fs::access(file, rustix::fs::Access::EXEC_OK).is_err() {
        return Err("is not executable by this user".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a broken fixture is a failed test")]

    use super::*;
    use crate::finding::Severity;
    use crate::notify::{EmailSettings, ExecSettings, StdoutSettings, WebhookSettings};

    const UNSET: &str = "MODELWATCH_NO_SUCH_VARIABLE";

    fn channel(kind: ChannelKind) -> Channel {
        Channel {
            name: "c".to_owned(),
            min_severity: Severity::Info,
            kind,
        }
    }

    fn exec(program: &str) -> Channel {
        channel(ChannelKind::Exec(ExecSettings {
            program: program.into(),
            arguments: Vec::new(),
            timeout: ExecSettings::DEFAULT_TIMEOUT,
        }))
    }

    fn mail(password: Option<SecretSource>, ca_file: Option<PathBuf>) -> Channel {
        channel(ChannelKind::Email(EmailSettings {
            from: "a@b.example".parse().unwrap(),
            to: vec!["c@d.example".parse().unwrap()],
            smtp: "smtps://mail.example:465".parse().unwrap(),
            user: password.as_ref().map(|_| "u".to_owned()),
            password,
            ca_file,
            ehlo: None,
        }))
    }

    async fn keys(channel: &Channel) -> Vec<String> {
        let lacking = channel.lacking().await;
        lacking.into_iter().map(|lacking| lacking.key).collect()
    }

    #[tokio::test]
    async fn each_secret_and_file_that_is_not_there_is_named_by_its_key() {
        let directory = tempfile::tempdir().unwrap();
        let file = |name: &str, content: &str| {
            let path = directory.path().join(name);
            std::fs::write(&path, content).unwrap();
            path
        };
        let env = || SecretSource::Env(UNSET.to_owned());
        let absent = directory.path().join("absent");
        let webhook = |url, secret| {
            channel(ChannelKind::Webhook(WebhookSettings {
                url,
                secret,
                allow_private: Vec::new(),
            }))
        };
        let literal = UrlSource::Literal("https://h.example".parse().unwrap());
        let no_url = SecretSource::File(file("no-url", "hooks.example"));
        let not_base64 = SecretSource::File(file("not-base64", "whsec_???"));
        let folder = SecretSource::File(directory.path().to_owned());
        let empty = SecretSource::File(file("empty", " \n"));
        for (channel, expected) in [
            (mail(Some(env()), None), &["password_env"][..]),
            (
                mail(Some(SecretSource::File(absent.clone())), None),
                &["password_file"],
            ),
            (
                mail(Some(empty), Some(file("ca.pem", "no PEM"))),
                &["password_file", "ca_file"],
            ),
            (
                mail(Some(folder), Some(absent)),
                &["password_file", "ca_file"],
            ),
            (mail(Some(SecretSource::File(file("good", "x"))), None), &[]),
            (
                webhook(UrlSource::Secret(env()), Some(env())),
                &["url_env", "secret_env"],
            ),
            (
                webhook(UrlSource::Secret(no_url), Some(not_base64)),
                &["url_file", "secret_file"],
            ),
            (webhook(literal, None), &[]),
            (channel(ChannelKind::Stdout(StdoutSettings::default())), &[]),
        ] {
            assert_eq!(keys(&channel).await, expected, "{channel:?}");
        }
        let heartbeat = HeartbeatSettings {
            url: UrlSource::Secret(env()),
            every: std::time::Duration::from_secs(1),
        };
        assert_eq!(heartbeat.lacking().await.unwrap().key, "url_env");
    }

    #[tokio::test]
    async fn a_program_has_to_be_there_and_to_be_executable() {
        let directory = tempfile::tempdir().unwrap();
        let plain = directory.path().join("plain");
        std::fs::write(&plain, "#!/bin/sh\n").unwrap();
        for program in ["sh", "/bin/sh"] {
            assert!(keys(&exec(program)).await.is_empty(), "{program}");
        }
        for (program, why) in [
            ("no-such-program-anywhere", "in the directories of PATH"),
            ("/nowhere/program", "is not there"),
            (directory.path().to_str().unwrap(), "is no file"),
            (plain.to_str().unwrap(), "is not executable"),
        ] {
            let lacking = exec(program).lacking().await;
            let [lacking] = lacking.as_slice() else {
                panic!("{program}: {lacking:?}")
            };
            assert_eq!(lacking.key, "command");
            assert!(lacking.error.to_string().contains(why), "{}", lacking.error);
        }
    }
}
