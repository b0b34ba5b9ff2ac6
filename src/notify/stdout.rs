//! Messages on a stream, such as standard output: text on a terminal, one JSON line for a program.

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use jiff::Timestamp;

use super::channel_type::{ChannelSettings, ChannelType, KeyType, Place, Written};
use super::{Lacking, Links, Message, Notifier, NotifyError, Receipt, render};
use crate::http;
use crate::secret::SecretSource;

/// Between two messages in text.
const RULE: &str = "========================================================================";

/// Standard output of this program.
pub(super) const TYPE: ChannelType = ChannelType {
    name: "stdout",
    keys: &[("format", KeyType::Text)],
    read,
};

/// Standard output of this program.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct StdoutSettings {
    /// One JSON line for each message (`true`), or text as in a mail (`false`). `None`: text on a terminal, otherwise
    /// JSON.
    pub(super) as_json: Option<bool>,
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "the table of channel types reads every type with one signature"
)]
fn read(written: &mut Written) -> Option<Arc<dyn ChannelSettings>> {
    let as_json = match written.text("format") {
        Some("text") => Some(false),
        Some("json") => Some(true),
        Some(other) => {
            let message = format!("{other:?} is not a format");
            written.error(
                Place::Key("format"),
                message,
                Some("write text or json; without it, a terminal gets text and a program JSON"),
            );
            None
        }
        None => None,
    };
    Some(Arc::new(StdoutSettings { as_json }))
}

#[async_trait]
impl ChannelSettings for StdoutSettings {
    fn notifier(&self, _http: &http::Client, _: &Links) -> Box<dyn Notifier> {
        let is_terminal = std::io::IsTerminal::is_terminal(&std::io::stdout());
        let form = Form::of(*self, is_terminal);
        Box::new(Stream::new(std::io::stdout(), form))
    }

    fn secrets(&self) -> Vec<SecretSource> {
        Vec::new()
    }

    async fn lacking(&self) -> Vec<Lacking> {
        Vec::new()
    }
}

/// In which form messages are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// As the plain text of a mail.
    Text,
    /// One JSON object a line.
    Json,
}

impl Form {
    /// As it was set, otherwise as it fits who reads.
    pub(super) fn of(settings: StdoutSettings, is_terminal: bool) -> Self {
        if settings.as_json.unwrap_or(!is_terminal) {
            Self::Json
        } else {
            Self::Text
        }
    }

    fn dress(self, message: &Message) -> String {
        match self {
            Self::Json => render::json(message) + "\n",
            Self::Text => format!(
                "{RULE}\n{}\n\n{}\n",
                render::subject(message),
                render::text(message)
            ),
        }
    }
}

/// Writes messages. If the reader closes the stream, the channel fails; if the reader hangs, the channel hangs until
/// the outbox's time is over.
pub(super) struct Stream<W> {
    out: Arc<Mutex<W>>,
    form: Form,
}

impl<W> Stream<W> {
    pub(super) fn new(out: W, form: Form) -> Self {
        Self {
            out: Arc::new(Mutex::new(out)),
            form,
        }
    }
}

#[async_trait]
impl<W: Write + Send + 'static> Notifier for Stream<W> {
    async fn send_to_rest(
        &self,
        message: &Message,
        _: &mut Receipt,
        _now: Timestamp,
    ) -> Result<(), NotifyError> {
        let text = self.form.dress(message);
        let out = self.out.clone();
        // A pipe with a slow reader blocks: this must not affect the other channels.
        let written = tokio::task::spawn_blocking(move || {
            let mut out = out.lock().unwrap_or_else(PoisonError::into_inner);
            out.write_all(text.as_bytes())?;
            // Flushed, because otherwise a line in the buffer might never be written.
            out.flush()
        });
        written
            .await
            .unwrap_or_else(|error| Err(std::io::Error::other(error)))
            .map_err(NotifyError::Output)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a broken fixture is a failed test")]

    use super::*;
    use crate::notify::testing;

    #[tokio::test]
    async fn every_message_is_one_line() {
        let lines = Stream::new(Vec::new(), Form::Json);
        let mut finding = testing::signing(0);
        finding.summary = "two\nlines\u{2028}\u{85}".to_owned();
        lines
            .send(&testing::alert(vec![finding.clone()]), testing::NOW)
            .await
            .unwrap();
        lines
            .send(&testing::alert(vec![finding]), testing::NOW)
            .await
            .unwrap();
        let text = String::from_utf8(lines.out.lock().unwrap().clone()).unwrap();
        assert_eq!(text.matches('\n').count(), 2);
        for line in text.lines() {
            let value: serde_json::Value = serde_json::from_str(line).unwrap();
            assert_eq!(value["summary"], "two\nlines\u{2028}\u{85}");
        }
    }

    #[tokio::test]
    async fn the_text_of_a_mail_is_shown_and_no_markup_in_it_has_an_effect() {
        let stream = Stream::new(Vec::new(), Form::Text);
        for hostile in testing::HOSTILE {
            let message = testing::alert(vec![testing::hostile(hostile)]);
            stream.send(&message, testing::NOW).await.unwrap();
            let text = String::from_utf8(std::mem::take(&mut stream.out.lock().unwrap())).unwrap();
            let mut lines = text.lines();
            assert_eq!(lines.next(), Some(RULE), "{text}");
            let subject = lines.next().unwrap_or_default();
            assert!(subject.starts_with("[modelwatch] critical: "), "{text}");
            assert!(text.contains("\nWhat to do now\n"), "{text}");
            assert!(!text.contains(['\u{1b}', '\r', '\u{202e}']), "{text}");
        }
    }

    #[test]
    fn a_terminal_gets_text_and_a_pipe_json_unless_the_form_is_set() {
        for (as_json, is_terminal, form) in [
            (None, true, Form::Text),
            (None, false, Form::Json),
            (Some(true), true, Form::Json),
            (Some(false), false, Form::Text),
        ] {
            assert_eq!(Form::of(StdoutSettings { as_json }, is_terminal), form);
        }
    }

    #[tokio::test]
    async fn a_reader_that_went_away_is_an_error() {
        let (reader, out) = std::io::pipe().unwrap();
        drop(reader);
        let lines = Stream::new(out, Form::Json);
        let error = lines
            .send(&Message::tests(testing::NOW)[0], testing::NOW)
            .await;
        assert!(matches!(error, Err(NotifyError::Output(_))));
    }
}
