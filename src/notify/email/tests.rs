#![expect(clippy::unwrap_used, reason = "a broken fixture is a failed test")]

use super::*;
use crate::notify::SecretSource;
use crate::notify::testing::{self, HOSTILE, SmtpSink};

fn settings(port: u16) -> EmailSettings {
    EmailSettings {
        from: "modelwatch <mw@watch.example>".parse().unwrap(),
        to: vec![
            "oncall@corp.example".parse().unwrap(),
            "b@corp.example".parse().unwrap(),
        ],
        smtp: format!("smtp://127.0.0.1:{port}").parse().unwrap(),
        user: None,
        password: None,
        ca_file: None,
    }
}

async fn send(settings: EmailSettings, message: &Message) -> Result<(), NotifyError> {
    Email::new(settings).send(message, testing::NOW).await
}

#[tokio::test]
async fn a_mail_has_text_and_html_and_names_its_alert() {
    let sink = SmtpSink::start(&[]).await;
    send(
        settings(sink.port),
        &testing::alert(vec![testing::signing(138)]),
    )
    .await
    .unwrap();
    let mail = sink.mail();
    for needed in [
        "MAIL FROM:<mw@watch.example>",
        "RCPT TO:<oncall@corp.example>",
        "RCPT TO:<b@corp.example>",
        "Message-ID: <0123456789abcdef.modelwatch@watch.example>",
        "Subject: [modelwatch] critical: falcon-release: somebody signed sha256:138",
        "Date: Sat, 21 Nov 2026 08:53:20 +0000",
        "Auto-Submitted: auto-generated",
        "Content-Type: multipart/alternative",
        "Content-Type: text/plain; charset=utf-8",
        "Content-Type: text/html; charset=utf-8",
        "modelwatch expect add BUNDLE",
    ] {
        assert!(mail.contains(needed), "{needed}: {mail}");
    }
    assert!(!mail.contains("In-Reply-To"), "{mail}");
}

#[tokio::test]
async fn a_resolution_answers_its_alert() {
    let sink = SmtpSink::start(&[]).await;
    let mut message = testing::alert(vec![testing::signing(138)]);
    message.id = "fedcba9876543210".to_owned();
    message.kind = Kind::Resolved;
    send(settings(sink.port), &message).await.unwrap();
    let mail = sink.mail();
    for needed in [
        "Message-ID: <fedcba9876543210.modelwatch@watch.example>",
        "In-Reply-To: <0123456789abcdef.modelwatch@watch.example>",
        "References: <0123456789abcdef.modelwatch@watch.example>",
        "Subject: [modelwatch] resolved: over: falcon-release",
    ] {
        assert!(mail.contains(needed), "{needed}: {mail}");
    }
}

#[tokio::test]
async fn no_string_from_a_log_becomes_a_header_or_a_recipient() {
    let sink = SmtpSink::start(&[]).await;
    for hostile in HOSTILE {
        let message = testing::alert(vec![testing::hostile(hostile)]);
        send(settings(sink.port), &message).await.unwrap();
    }
    let said = sink.said();
    assert!(
        !said.iter().any(|line| line.starts_with("Bcc:")),
        "{said:?}"
    );
    let recipients = said
        .iter()
        .filter(|line| line.starts_with("RCPT TO:"))
        .count();
    assert_eq!(recipients, 2 * HOSTILE.len());
    let subjects = said
        .iter()
        .filter(|line| line.starts_with("Subject:"))
        .count();
    assert_eq!(subjects, HOSTILE.len());
    let bytes = said.iter().flat_map(|line| line.bytes());
    assert_eq!(
        bytes
            .filter(|b| !(0x20..0x7f).contains(b) && *b != b'\t')
            .count(),
        0
    );
    // What looks like an encoded word is not left for a mail program to decode.
    assert!(
        !said
            .iter()
            .any(|line| line.contains("=?utf-8?B?QWxsIGlzIHdlbGw=?="))
    );
}

#[tokio::test]
async fn a_server_that_does_not_offer_starttls_is_told_nothing() {
    let sink = SmtpSink::start(&[]).await;
    let mut settings = settings(sink.port);
    settings.smtp = address::test_url("127.0.0.1", sink.port, SmtpSecurity::StartTls);
    let error = send(settings, &testing::alert(vec![])).await.unwrap_err();
    assert!(!matches!(error, NotifyError::Refused { .. }), "{error}");
    assert!(
        !sink.said().iter().any(|line| line.starts_with("MAIL")),
        "{:?}",
        sink.said()
    );
}

#[tokio::test]
async fn refusals_tell_whose_turn_it_is_and_no_recipients() {
    for (command, answer, operator, about_message) in [
        ("EHLO", "421 busy", false, false),
        ("RCPT", "450 <oncall@corp.example> greylisted", false, false),
        (
            "RCPT",
            "550 <oncall@corp.example> unknown\u{1b}[2J",
            true,
            false,
        ),
        (".", "451 later", false, false),
        (".", "554 spam", false, true),
    ] {
        let script: &'static [(&str, &str)] = Box::leak(Box::new([(command, answer)]));
        let sink = SmtpSink::start(script).await;
        let error = send(settings(sink.port), &testing::alert(vec![]))
            .await
            .unwrap_err();
        let is = (error.needs_operator(), error.is_about_the_message());
        assert_eq!(is, (operator, about_message), "{answer}: {error:?}");
        let text = error.to_string();
        assert!(
            !text.contains("oncall") && !text.contains('\u{1b}'),
            "{text}"
        );
    }
}

#[tokio::test]
async fn a_password_is_used_and_a_missing_one_is_for_the_operator() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("password");
    let script = &[
        ("EHLO", "250-sink\r\n250 AUTH PLAIN"),
        ("AUTH", "235 welcome"),
    ];
    let sink = SmtpSink::start(script).await;
    let mut settings = settings(sink.port);
    settings.user = Some("modelwatch".to_owned());
    settings.password = Some(SecretSource::File(path.clone()));
    let error = send(settings.clone(), &testing::alert(vec![]))
        .await
        .unwrap_err();
    assert!(
        error.needs_operator() && error.to_string().contains("password"),
        "{error}"
    );
    std::fs::write(&path, "s3cret\n").unwrap();
    send(settings, &testing::alert(vec![])).await.unwrap();
    let auth = "AUTH PLAIN AG1vZGVsd2F0Y2gAczNjcmV0";
    assert!(sink.said().contains(&auth.to_owned()), "{:?}", sink.said());
}

#[tokio::test]
async fn a_file_of_authorities_that_holds_none_is_for_the_operator() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ca.pem");
    std::fs::write(&path, "nothing").unwrap();
    for path in [path, "/nonexistent/ca.pem".into()] {
        let mut settings = settings(1);
        settings.smtp = "smtps://mail.invalid".parse().unwrap();
        settings.ca_file = Some(path);
        let error = send(settings, &testing::alert(vec![])).await.unwrap_err();
        assert!(
            error.needs_operator() && error.to_string().contains("ca.pem"),
            "{error}"
        );
    }
}
