//! Checks in advance, without sending anything, whether this machine has everything that a channel needs.

use super::NotifyError;
use crate::secret::{SecretSource, UrlSource};

/// Something that a channel or the heartbeat needs, and that is missing.
#[derive(Debug)]
pub struct Lacking {
    /// The key of the configuration that requires it: `password_env`, `command`.
    pub key: String,
    /// The problem.
    pub error: NotifyError,
}

impl Lacking {
    pub(super) fn new(key: impl Into<String>, error: impl Into<NotifyError>) -> Self {
        Self {
            key: key.into(),
            error: error.into(),
        }
    }

    /// Of a secret: which of its keys the source was given with.
    pub(super) fn of_secret(
        name: &str,
        source: &SecretSource,
        error: impl Into<NotifyError>,
    ) -> Self {
        let key = match source {
            SecretSource::Env(_) => format!("{name}_env"),
            SecretSource::File(_) => format!("{name}_file"),
        };
        Self::new(key, error)
    }

    /// The missing part of a secret.
    pub(super) async fn secret(name: &str, source: &SecretSource) -> Option<Self> {
        let error = source.read().await.err()?;
        Some(Self::of_secret(name, source, error))
    }

    /// The missing part of `url`, `url_env` or `url_file`.
    pub(super) async fn url(source: &UrlSource) -> Option<Self> {
        let error = source.read().await.err()?;
        Some(Self::of_url(source, error))
    }

    /// Of a URL: which of its keys it was given with.
    pub(super) fn of_url(source: &UrlSource, error: impl Into<NotifyError>) -> Self {
        match source.secret() {
            None => Self::new("url", error),
            Some(source) => Self::of_secret("url", source, error),
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a broken fixture is a failed test")]

    use std::path::PathBuf;

    use super::*;
    use crate::notify::HeartbeatSettings;
    use crate::notify::channel_type::ChannelSettings;
    use crate::notify::email::EmailSettings;
    use crate::notify::exec::ExecSettings;
    use crate::notify::stdout::StdoutSettings;
    use crate::notify::webhook::WebhookSettings;

    const UNSET: &str = "MODELWATCH_NO_SUCH_VARIABLE";

    fn exec(program: &str) -> ExecSettings {
        ExecSettings {
            program: program.into(),
            arguments: Vec::new(),
            timeout: ExecSettings::DEFAULT_TIMEOUT,
        }
    }

    fn mail(password: Option<SecretSource>, ca_file: Option<PathBuf>) -> Box<dyn ChannelSettings> {
        Box::new(EmailSettings {
            from: "a@b.example".parse().unwrap(),
            to: vec!["c@d.example".parse().unwrap()],
            smtp: "smtps://mail.example:465".parse().unwrap(),
            user: password.as_ref().map(|_| "u".to_owned()),
            password,
            ca_file,
            ehlo: None,
        })
    }

    async fn keys(channel: &dyn ChannelSettings) -> Vec<String> {
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
        let webhook = |url, secret| -> Box<dyn ChannelSettings> {
            Box::new(WebhookSettings {
                url,
                secret,
                headers: Vec::new(),
                template: None,
                allow_private: Vec::new(),
            })
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
            (Box::new(StdoutSettings::default()), &[]),
        ] {
            assert_eq!(keys(&*channel).await, expected, "{channel:?}");
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
            ("/nowhere/program", "does not exist"),
            (directory.path().to_str().unwrap(), "is not a file"),
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
