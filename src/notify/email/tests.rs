#![expect(clippy::unwrap_used, reason = "a broken fixture is a failed test")]

use std::sync::Arc;

use super::*;
use crate::notify::testing::{self, HANG_UP, HOSTILE, SmtpSink};
use crate::secret::SecretSource;

fn settings(port: u16) -> EmailSettings {
    EmailSettings {
        from: "modelwatch <mw@watch.example>".parse().unwrap(),
        to: vec![
            "oncall@corp.example".parse().unwrap(),
            "b@corp.example".parse().unwrap(),
        ],
        smtp: format!("smtp://127.0.0.1:{port}").parse().unwrap(),
        ehlo: None,
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
    let lines = sink.lines();
    assert!(
        !lines.iter().any(|line| line.starts_with("Bcc:")),
        "{lines:?}"
    );
    let recipients = lines
        .iter()
        .filter(|line| line.starts_with("RCPT TO:"))
        .count();
    assert_eq!(recipients, 2 * HOSTILE.len());
    let subjects = lines
        .iter()
        .filter(|line| line.starts_with("Subject:"))
        .count();
    assert_eq!(subjects, HOSTILE.len());
    let bytes = lines.iter().flat_map(|line| line.bytes());
    assert_eq!(
        bytes
            .filter(|b| !(0x20..0x7f).contains(b) && *b != b'\t')
            .count(),
        0
    );
    // Text that looks like an encoded word is escaped, so that mail programs do not decode it.
    assert!(
        !lines
            .iter()
            .any(|line| line.contains("=?utf-8?B?QWxsIGlzIHdlbGw=?="))
    );
}

#[tokio::test]
async fn nothing_is_sent_to_a_server_that_does_not_offer_starttls() {
    let sink = SmtpSink::start(&[]).await;
    let mut settings = settings(sink.port);
    settings.smtp = address::test_url("127.0.0.1", sink.port, SmtpSecurity::StartTls);
    let error = send(settings, &testing::alert(vec![])).await.unwrap_err();
    assert!(!matches!(error, NotifyError::Refused { .. }), "{error}");
    assert!(
        !sink.lines().iter().any(|line| line.starts_with("MAIL")),
        "{:?}",
        sink.lines()
    );
}

#[tokio::test]
async fn errors_state_whether_to_try_again_and_name_no_recipients() {
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
        let text = error.without_names();
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
    assert!(
        sink.lines().contains(&auth.to_owned()),
        "{:?}",
        sink.lines()
    );
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

/// A sink, the outcome of one attempt, and who has the mail.
async fn attempt(
    script: &[(&'static str, &'static str)],
    to: &[&str],
    reached: &[&str],
) -> (SmtpSink, Result<(), NotifyError>, Vec<String>) {
    let sink = SmtpSink::start(script).await;
    let settings = EmailSettings {
        to: to.iter().map(|to| to.parse().unwrap()).collect(),
        ..settings(sink.port)
    };
    let mut receipt = Receipt {
        reached: reached.iter().map(ToString::to_string).collect(),
        complaint: None,
    };
    let message = testing::alert(vec![testing::signing(138)]);
    let sent = Email::new(settings)
        .send_to_rest(&message, &mut receipt, testing::NOW)
        .await;
    (sink, sent, receipt.reached.into_iter().collect())
}

fn count(sink: &SmtpSink, beginning: &str) -> usize {
    let lines = sink.lines();
    lines.iter().filter(|l| l.starts_with(beginning)).count()
}

const A: &str = "a@corp.example";
const B: &str = "b@corp.example";
const C: &str = "c@corp.example";

#[tokio::test]
async fn one_refused_recipient_does_not_keep_the_mail_from_the_others() {
    let script = [("RCPT TO:<b@", "550 5.1.1 <B@corp.example> no such user")];
    let (sink, sent, reached) = attempt(&script, &[A, B, C], &[]).await;
    let error = sent.unwrap_err();
    assert_eq!(reached, [A, C]);
    assert_eq!(count(&sink, "DATA"), 1);
    assert_eq!(
        error.to_string(),
        format!(
            "smtp://127.0.0.1:{} does not accept mail for b@corp.example (550 5.1.1 <(recipient)> no such user); 2 other recipients have it",
            sink.port
        )
    );
    assert!(!error.without_names().contains('@'), "{error}");
    assert!(error.is_about_the_message() && error.needs_operator());
}

#[tokio::test]
async fn who_has_it_does_not_get_it_again() {
    let (sink, sent, reached) = attempt(&[], &[A, B, B, C], &[A]).await;
    assert!(sent.is_ok());
    assert_eq!(reached, [A, B, C]);
    assert_eq!((count(&sink, "RCPT"), count(&sink, "RCPT TO:<a@")), (2, 0));
    let (sink, sent, _) = attempt(&[], &[A], &[A, B]).await;
    assert!(sent.is_ok());
    assert_eq!(sink.lines(), Vec::<String>::new(), "no recipient is left");
}

#[tokio::test]
async fn after_a_closed_connection_the_other_recipients_are_tried_again() {
    for answer in [HANG_UP, "421 4.7.0 too many errors"] {
        let script: &'static [_] = Box::leak(Box::new([("RCPT TO:<a@", answer)]));
        let (sink, sent, reached) = attempt(script, &[A, B, C], &[]).await;
        let error = sent.unwrap_err();
        assert_eq!(reached, [B, C], "{error}");
        assert_eq!(count(&sink, "DATA"), 1);
        assert!(error.to_string().contains(A), "{error}");
        assert!(!error.needs_operator(), "{error}");
    }
}

#[tokio::test]
async fn recipients_beyond_the_servers_limit_come_in_another_transaction() {
    // The third is one too many, but not alone: then it is the first.
    let script = [(
        "RCPT TO:<c@",
        "452 4.5.3 too many recipients, at most two of them",
    )];
    let (sink, sent, reached) = attempt(&script, &[A, B, C], &[]).await;
    assert_eq!(reached, [A, B]);
    assert_eq!(count(&sink, "RCPT TO:<c@"), 2);
    let error = sent.unwrap_err();
    assert!(error.to_string().contains(C) && !error.needs_operator());
}

#[tokio::test]
async fn a_server_that_refuses_the_mail_of_several_is_given_it_for_each_alone() {
    let script = [(".", "550 5.1.1 unknown user among the recipients")];
    let (sink, sent, reached) = attempt(&script, &[A, B], &[]).await;
    assert!(reached.is_empty());
    assert_eq!(count(&sink, "DATA"), 3);
    // All of them: it is about the mail or the server, not about a recipient.
    assert!(matches!(sent, Err(NotifyError::Denied { .. })), "{sent:?}");
}

#[tokio::test]
async fn a_refused_name_is_followed_by_another() {
    let refusals: [&[(&str, &str)]; 3] = [
        &[("EHLO watch", "504 5.5.2 need fully-qualified hostname")],
        // As Postfix does: it reports this after the first recipient.
        &[(
            "RCPT",
            "450 4.7.1 <watch>: Helo command rejected: Host not found",
        )],
        &[("MAIL", "550 EHLO name is not one of ours")],
    ];
    for (n, script) in refusals.into_iter().enumerate() {
        let sink = SmtpSink::start(script).await;
        let settings = EmailSettings {
            ehlo: Some("watch".parse().unwrap()),
            ..settings(sink.port)
        };
        let sent = send(settings, &testing::alert(vec![])).await;
        let lines = sink.lines();
        let greeted: Vec<_> = lines.iter().filter(|l| l.starts_with("EHLO")).collect();
        assert_eq!(greeted[0], "EHLO watch");
        assert!(
            greeted.len() >= 2 && greeted[1] != "EHLO watch",
            "{lines:?}"
        );
        assert_eq!(sent.is_ok(), n == 0, "{sent:?}");
        let has_address = greeted.iter().any(|l| *l == "EHLO [127.0.0.1]");
        assert!(n == 0 || has_address, "{lines:?}");
    }
}

#[tokio::test]
async fn a_recipient_whose_address_contains_a_command_is_not_taken_for_a_refused_name() {
    let script = [("RCPT TO:<helo@", "550 5.1.1 <helo@corp.example> unknown")];
    let (sink, sent, reached) = attempt(&script, &["helo@corp.example", A], &[]).await;
    assert_eq!(reached, [A]);
    assert_eq!(count(&sink, "EHLO"), 1);
    assert!(sent.unwrap_err().to_string().contains("helo@corp.example"));
}

#[tokio::test]
async fn starttls_that_fails_on_this_machine_is_done_without() {
    let script = [
        ("EHLO", "250-sink\r\n250 STARTTLS"),
        ("STARTTLS", "454 4.7.0 TLS not available"),
    ];
    let (sink, sent, reached) = attempt(&script, &[A], &[]).await;
    assert!(sent.is_ok(), "{sent:?}");
    assert_eq!(reached, [A]);
    assert_eq!((count(&sink, "STARTTLS"), count(&sink, "MAIL")), (1, 1));
}

/// Offers STARTTLS with a self-signed certificate; answers before and under TLS.
async fn tls_sink() -> (u16, tokio::task::JoinHandle<Vec<String>>) {
    use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufStream};
    use tokio_rustls::{TlsAcceptor, rustls};

    /// Answers until the client sends `last`.
    async fn converse<S>(stream: &mut BufStream<S>, lines: &mut Vec<String>, last: &str)
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
                return;
            }
            lines.push(line.trim_end().to_owned());
            let answer = match line.trim_end() {
                "DATA" => "354 go on\r\n",
                line if line.starts_with("EHLO") && last == "STARTTLS" => {
                    "250-sink\r\n250 STARTTLS\r\n"
                }
                line if lines.contains(&"DATA".to_owned()) && line != "." && line != "QUIT" => "",
                _ => "250 ok\r\n",
            };
            stream.write_all(answer.as_bytes()).await.unwrap();
            stream.flush().await.unwrap();
            if line.trim_end() == last {
                return;
            }
        }
    }

    let key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(vec!["elsewhere.example".to_owned()]).unwrap();
    let certificate = params.self_signed(&key).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            key.serialize_der().try_into().unwrap(),
        )
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = tokio::spawn(async move {
        let mut lines = Vec::new();
        let (stream, _) = listener.accept().await.unwrap();
        let mut stream = BufStream::new(stream);
        stream.write_all(b"220 sink\r\n").await.unwrap();
        stream.flush().await.unwrap();
        converse(&mut stream, &mut lines, "STARTTLS").await;
        let stream = acceptor.accept(stream.into_inner()).await.unwrap();
        lines.push("under TLS".to_owned());
        converse(&mut BufStream::new(stream), &mut lines, "QUIT").await;
        lines
    });
    (port, server)
}

#[tokio::test]
async fn starttls_is_used_on_this_machine_too_with_any_certificate() {
    let (port, server) = tls_sink().await;
    send(settings(port), &testing::alert(vec![])).await.unwrap();
    let lines = server.await.unwrap();
    let under_tls = lines.iter().position(|line| line == "under TLS").unwrap();
    let sender = lines.iter().position(|l| l.starts_with("MAIL")).unwrap();
    assert!(under_tls < sender, "{lines:?}");
}

#[tokio::test]
async fn a_self_signed_certificate_is_refused_for_other_machines() {
    let (port, server) = tls_sink().await;
    let mut settings = settings(port);
    settings.smtp = address::test_url("127.0.0.1", port, SmtpSecurity::StartTls);
    let error = send(settings, &testing::alert(vec![])).await.unwrap_err();
    assert!(error.to_string().contains("certificate"), "{error}");
    server.abort();
}

#[tokio::test]
async fn a_port_with_implicit_tls_is_reported() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                // Only a handshake is answered: the server waits for its client.
                let Ok(22) = stream.read_u8().await else {
                    return;
                };
                let handshake_failure = [21, 3, 3, 0, 2, 2, 40];
                stream.write_all(&handshake_failure).await.unwrap();
            });
        }
    });
    let email = Email {
        settings: settings(port),
        max_delay: Duration::from_millis(1),
    };
    let sent = email.send(&testing::alert(vec![]), testing::NOW).await;
    let error = sent.unwrap_err();
    let expected = format!("write smtp = \"smtps://127.0.0.1:{port}\"");
    assert!(error.to_string().ends_with(&expected), "{error}");
    assert!(error.needs_operator());
    server.abort();
    // Detected within 5 seconds, including the connection.
    assert!(greeting::MAX_DELAY * 2 < Duration::from_secs(5));
}

#[tokio::test]
async fn a_server_that_is_slow_to_greet_is_waited_for() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = tokio::spawn(async move {
        let (mut first, _) = listener.accept().await.unwrap();
        // The test for TLS gets the answer of a mail server; then the first connection gets its greeting.
        let (mut probe, _) = listener.accept().await.unwrap();
        probe.write_all(b"220 slow\r\n").await.unwrap();
        first.write_all(b"220 slow\r\n").await.unwrap();
        let mut lines = vec![0; 4];
        first.read_exact(&mut lines).await.unwrap();
        lines
    });
    let email = Email {
        settings: settings(port),
        max_delay: Duration::from_millis(1),
    };
    let sent = email.send(&testing::alert(vec![]), testing::NOW).await;
    assert!(sent.is_err());
    assert_eq!(server.await.unwrap(), b"EHLO");
}

#[tokio::test]
async fn a_port_without_tls_is_reported() {
    let sink = SmtpSink::start(&[]).await;
    let mut settings = settings(sink.port);
    settings.smtp = format!("smtps://127.0.0.1:{}", sink.port).parse().unwrap();
    let error = send(settings, &testing::alert(vec![])).await.unwrap_err();
    let expected = format!("write smtp = \"smtp://127.0.0.1:{}\"", sink.port);
    assert!(error.to_string().ends_with(&expected), "{error}");
}

#[tokio::test]
async fn errors_contain_the_server_and_its_message() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let error = send(settings(port), &testing::alert(vec![])).await;
    let error = error.unwrap_err().to_string();
    assert!(
        error.starts_with(&format!("smtp://127.0.0.1:{port}: Connection refused")),
        "{error}"
    );
    let sink = SmtpSink::start(&[("MAIL", "550-5.7.1 not you\r\n550 5.7.1 never\u{1b}[2J")]).await;
    let error = send(settings(sink.port), &testing::alert(vec![])).await;
    assert_eq!(
        error.unwrap_err().to_string(),
        format!(
            "smtp://127.0.0.1:{} answered 550: 5.7.1 not you never\\u{{1b}}[2J",
            sink.port
        )
    );
}
