//! One JSON line per message on a stream, such as our own standard output.

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use jiff::Timestamp;

use super::{Message, Notifier, NotifyError, render};

/// Writes JSON lines. A reader that goes away fails the channel; one that hangs, hangs it until the
/// outbox's time is over.
pub(super) struct Lines<W> {
    out: Arc<Mutex<W>>,
}

impl<W> Lines<W> {
    pub(super) fn new(out: W) -> Self {
        Self {
            out: Arc::new(Mutex::new(out)),
        }
    }
}

#[async_trait]
impl<W: Write + Send + 'static> Notifier for Lines<W> {
    async fn send(&self, message: &Message, _now: Timestamp) -> Result<(), NotifyError> {
        let mut line = render::json(message);
        line.push('\n');
        let out = self.out.clone();
        // A pipe whose reader is slow blocks: not the other channels' business.
        let written = tokio::task::spawn_blocking(move || {
            let mut out = out.lock().unwrap_or_else(PoisonError::into_inner);
            out.write_all(line.as_bytes())?;
            // Flushed, because nobody tells us whether a line in our buffer would ever be read.
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
        let lines = Lines::new(Vec::new());
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
    async fn a_reader_that_went_away_is_an_error() {
        let (reader, out) = std::io::pipe().unwrap();
        drop(reader);
        let lines = Lines::new(out);
        let error = lines.send(&Message::test(testing::NOW), testing::NOW).await;
        assert!(matches!(error, Err(NotifyError::Output(_))));
    }
}
