//! `sign [sigstore]`: from each source of an identity token to a signature, and what is refused before a model is hashed.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};
use std::sync::Arc;

use serde_json::{Value, json};

use crate::issuer::{DOCUMENT, Fault, GITHUB, Issuer, REQUEST_TOKEN, TOKEN, basic, browse};
use crate::loopback::Services;
use crate::site::{Printed, Site};

/// Everything secret in these tests has this in it, besides the tokens.
const SECRET: &str = "s3cret";
const SIGN: &str = "sign falcon --signature falcon.sig --trust-config trust.json";

struct Place {
    site: Site,
    services: Arc<Services>,
    issuer: Issuer,
}

impl Place {
    fn new(fault: Option<Fault>) -> Self {
        let (site, services, issuer) = (Site::new(), Services::start(), Issuer::start(fault));
        site.write("falcon/weights.bin", "weights");
        let config = services.trust_config(&["rekor2"], |config| {
            config["signingConfig"]["oidcUrls"][0]["url"] = Value::from(issuer.url.clone());
        });
        site.write("trust.json", &config.to_string());
        Self {
            site,
            services,
            issuer,
        }
    }

    /// A token with these claims, in the file `token`.
    fn token(&self, claims: &Value) -> String {
        let token = self.issuer.token(claims);
        self.site.write("token", &format!("{token}\n"));
        token
    }

    fn command(&self, options: &str, variables: &[(&str, &str)]) -> Command {
        let mut command = self.site.command();
        command
            .args(SIGN.split(' '))
            .args(options.split_whitespace())
            .env("MODELWATCH_LOG", "trace")
            .envs(variables.iter().copied());
        command
    }

    fn sign(&self, options: &str, variables: &[(&str, &str)], code: i32) -> Printed {
        let mut command = self.command(options, variables);
        checked(command.stdin(Stdio::null()).output().unwrap().into(), code)
    }

    /// Signs with a text on standard input.
    fn sign_with(&self, options: &str, input: &str, code: i32) -> Printed {
        let mut command = self.command(options, &[]);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(input.as_bytes())
            .unwrap();
        checked(child.wait_with_output().unwrap().into(), code)
    }

    /// Refused before anything became public, and before it is shown as whom the model would be signed.
    fn refused(&self, options: &str, variables: &[(&str, &str)], reason: &str) {
        let printed = self.sign(options, variables, 1);
        assert!(
            printed.stderr.contains(reason),
            "{reason}: {}",
            printed.stderr
        );
        assert!(!printed.stderr.contains("Signing as"), "{}", printed.stderr);
        assert_eq!(self.services.asked("fulcio"), 0);
        assert!(!self.site.at("falcon.sig").exists());
    }

    /// A program on the `PATH` of the runs; answers that `PATH`.
    fn program(&self, name: &str, script: &str) -> String {
        let path = format!("bin/{name}");
        self.site.write(&path, &format!("#!/bin/sh\n{script}\n"));
        let mode = fs::Permissions::from_mode(0o755);
        fs::set_permissions(self.site.at(&path), mode).unwrap();
        let path = std::env::var("PATH").unwrap();
        format!("{}:{path}", self.site.at("bin").display())
    }
}

/// Neither a secret nor a token is printed, at any level of the log.
fn checked(printed: Printed, code: i32) -> Printed {
    assert_eq!(printed.code, code, "{printed:?}");
    let all = format!("{}{}", printed.stdout, printed.stderr);
    assert!(!all.contains(SECRET), "{all}");
    // Every token begins with its header.
    assert!(!all.contains("eyJhbGciOi"), "{all}");
    printed
}

fn is_signed(place: &Place, printed: &Printed) {
    assert_eq!(printed.stdout, "Signing succeeded\n");
    let line = format!(
        "Signing as owner@falcon.example or CgVvd25lcg, as the certificate authority decides; the identity provider is {}. \
         Both become public.\n",
        place.issuer.url
    );
    assert!(printed.stderr.contains(&line), "{}", printed.stderr);
    let verify = format!(
        "verify falcon --signature falcon.sig --identity owner@falcon.example --identity-provider {} --trust-config trust.json",
        place.issuer.url
    );
    place.site.expect(&verify, 0);
    fs::remove_file(place.site.at("falcon.sig")).unwrap();
}

#[test]
fn a_token_is_taken_from_a_file_the_environment_and_standard_input() {
    let place = Place::new(None);
    let token = place.token(&json!({}));
    for (options, variables) in [
        ("--identity-token-file token", &[][..]),
        ("--identity_token_file token --strict", &[]),
        ("", &[("SIGSTORE_ID_TOKEN", token.as_str())]),
        // The command line comes before the environment.
        (
            "--identity-token-file token",
            &[("SIGSTORE_ID_TOKEN", "x.y.z"), ("GITHUB_ACTIONS", "true")],
        ),
    ] {
        let printed = place.sign(options, variables, 0);
        is_signed(&place, &printed);
    }
    let printed = place.sign_with("--identity-token -", &format!("{token}\n"), 0);
    is_signed(&place, &printed);
    // The token names its own audience.
    place.token(&json!({"aud": ["our-client", "x"]}));
    let printed = place.sign("--identity-token-file token --client-id our-client", &[], 0);
    is_signed(&place, &printed);
    assert!(place.issuer.requests().is_empty());
}

#[test]
fn a_token_on_the_command_line_is_taken_with_a_warning_and_refused_in_strict_mode() {
    let place = Place::new(None);
    let token = place.token(&json!({}));
    let printed = place.sign(&format!("--identity-token {token}"), &[], 0);
    assert!(
        printed
            .stderr
            .contains("warning: --identity-token: every user"),
        "{printed:?}"
    );
    is_signed(&place, &printed);
    let place = Place::new(None);
    let token = place.token(&json!({}));
    place.refused(
        &format!("--identity-token={token} --strict"),
        &[],
        "--identity-token-file",
    );
}

#[test]
fn what_the_authority_would_refuse_is_refused_before_the_model_is_hashed() {
    let place = Place::new(None);
    let now = modelwatch::clock::now().as_second();
    for (claims, reason) in [
        (json!({"exp": now - 1}), "has expired"),
        (json!({"nbf": now + 3600}), "not valid before"),
        (
            json!({"aud": "other"}),
            r#"for the audience "other", and "sigstore" is needed"#,
        ),
        (json!({"aud": null}), "no claim `aud`"),
        (
            json!({"email_verified": false}),
            "has not verified the e-mail address",
        ),
        (json!({"sub": null}), "no claim `sub`"),
    ] {
        let token = place.token(&claims);
        place.refused("--identity-token-file token", &[], reason);
        place.refused("", &[("SIGSTORE_ID_TOKEN", &token)], reason);
    }
    place.site.write("token", "s3cret");
    place.refused(
        "--identity-token-file token",
        &[],
        "the file token: the identity token is not a JWT",
    );
    place.site.write("token", " \n");
    place.refused("--identity-token-file token", &[], "is empty");
    place.site.write("token", &"s3cret".repeat(20_000));
    place.refused("--identity-token-file token", &[], "longer than");
    place.refused("--identity-token-file none", &[], "none");
    place.refused("--identity-token -", &[], "not a JWT");
    place.token(&json!({}));
    place.refused(
        "--identity-token-file token --client-id other",
        &[],
        "--client-id",
    );
}

#[test]
fn a_model_that_cannot_be_hashed_while_the_token_lives_is_refused_at_once() {
    let place = Place::new(None);
    let soon = modelwatch::clock::now().as_second() + 600;
    place.token(&json!({"exp": soon}));
    // Eight tebibytes, without a block on the disk.
    let huge = fs::File::create(place.site.at("falcon/huge.bin")).unwrap();
    huge.set_len(1 << 43).unwrap();
    let printed = place.sign("--identity-token-file token", &[], 1);
    assert!(
        printed.stderr.contains("hashing takes at least"),
        "{}",
        printed.stderr
    );
    assert!(
        printed.stderr.contains("--hash blake3"),
        "{}",
        printed.stderr
    );
    assert_eq!(place.services.asked("fulcio"), 0);
}

#[test]
fn each_platform_gives_its_token_with_and_without_the_option() {
    let place = Place::new(None);
    let token = place.token(&json!({}));
    let url = format!("{}{GITHUB}", place.issuer.url);
    let host = place.issuer.url.strip_prefix("http://").unwrap();
    let path = place.program(
        "buildkite-agent",
        "test \"$*\" = 'oidc request-token --audience sigstore' && cat token",
    );
    place.program(
        "circleci",
        r#"test "$*" = 'run oidc get --root-issuer --claims {"aud":"sigstore"}' && cat token"#,
    );
    let github = [
        ("GITHUB_ACTIONS", "true"),
        ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", REQUEST_TOKEN),
        ("ACTIONS_ID_TOKEN_REQUEST_URL", &url),
    ];
    let gitlab = [("GITLAB_CI", "true"), ("SIGSTORE_ID_TOKEN", &token)];
    let buildkite = [("BUILDKITE", "true"), ("PATH", path.as_str())];
    let circleci = [("CIRCLECI", "true"), ("PATH", path.as_str())];
    for variables in [&github[..], &gitlab, &buildkite, &circleci] {
        for options in [
            "--use-ambient-credentials",
            "--use_ambient_credentials --strict",
            "",
        ] {
            let printed = place.sign(options, variables, 0);
            is_signed(&place, &printed);
        }
    }
    let google = [("GCE_METADATA_HOST", host)];
    let printed = place.sign("--use-ambient-credentials", &google, 0);
    is_signed(&place, &printed);
}

#[test]
fn a_platform_without_a_token_is_an_error_and_never_another_identity() {
    let place = Place::new(None);
    let token = place.token(&json!({}));
    let path = place.program(
        "buildkite-agent",
        "cat token; echo 'no s-e-cret' >&2; exit 7",
    );
    let github = [
        ("GITHUB_ACTIONS", "true"),
        ("BUILDKITE", "true"),
        ("SIGSTORE_ID_TOKEN", &token),
    ];
    place.refused("--use-ambient-credentials", &github, "id-token: write");
    place.refused("", &github[..2], "id-token: write");
    place.refused(
        "",
        &[("GITLAB_CI", "true")],
        "SIGSTORE_ID_TOKEN: {aud: sigstore}",
    );
    let buildkite = [("BUILDKITE", "true"), ("PATH", path.as_str())];
    place.refused("", &buildkite, "ended with exit status: 7: \"no s-e-cret\"");
    place.program("circleci", "yes s3cret | head -c 100000");
    let circleci = [("CIRCLECI", "true"), ("PATH", path.as_str())];
    place.refused("", &circleci, "prints more than 65536 bytes");
    place.program("circleci", "printf '\\377s3cret'");
    place.refused("", &circleci, "printed something else than a token");
    place.refused(
        "",
        &[("CIRCLECI", "true"), ("PATH", "/nonexistent")],
        "cannot be run",
    );
    // Without a platform, a job must not wait for a browser.
    place.refused(
        "--use-ambient-credentials",
        &[("BROWSER", "true")],
        "this is no job of",
    );
    assert!(place.issuer.requests().is_empty());
}

#[test]
fn an_answer_of_a_platform_that_is_no_token_is_refused() {
    for (fault, reason) in [
        (Fault::Status(GITHUB, 401), "answered 401"),
        (Fault::Status(GITHUB, 404), "answered 404"),
        (Fault::Html(GITHUB), "not a JSON object"),
        (Fault::Oversized(GITHUB), "longer than"),
        (Fault::Redirect(GITHUB), "answered 302"),
    ] {
        let place = Place::new(Some(fault));
        let url = format!("{}{GITHUB}", place.issuer.url);
        let variables = [
            ("GITHUB_ACTIONS", "true"),
            ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", REQUEST_TOKEN),
            ("ACTIONS_ID_TOKEN_REQUEST_URL", &url),
        ];
        place.refused("", &variables, reason);
    }
}

/// Signs in with a browser that does what the address shows; the output, and the address.
fn with_browser(place: &Place, options: &str, variables: &[(&str, &str)]) -> (Printed, String) {
    let mut command = place.command(options, &[("BROWSER", "true")]);
    command
        .env_remove("MODELWATCH_LOG")
        .envs(variables.iter().copied());
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let (mut printed, mut address) = (String::new(), String::new());
    while address.is_empty() {
        let start = printed.len();
        if stderr.read_line(&mut printed).unwrap() == 0 {
            break;
        }
        if let Some(line) = printed[start..].strip_prefix('\t') {
            line.trim().clone_into(&mut address);
        }
    }
    if !address.is_empty() {
        // While it waits, the command line is there for every user.
        let line = fs::read_to_string(format!("/proc/{}/cmdline", child.id())).unwrap_or_default();
        assert!(!line.contains(SECRET), "{line}");
        browse(&address);
    }
    stderr.read_to_string(&mut printed).unwrap();
    let output = child.wait_with_output().unwrap();
    let printed = Printed {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: printed,
    };
    (printed, address)
}

#[test]
fn a_person_signs_in_with_the_browser_of_the_signing_configuration() {
    let place = Place::new(None);
    let (printed, address) = with_browser(&place, "--strict", &[]);
    is_signed(&place, &checked(printed, 0));
    assert!(
        address.starts_with(&format!("{}/auth?", place.issuer.url)),
        "{address}"
    );
    assert_eq!(place.issuer.paths(), [DOCUMENT, "/auth", TOKEN]);
    let client = "--client-id our-client --client-secret-env OUR_SECRET --strict";
    let (printed, address) = with_browser(&place, client, &[("OUR_SECRET", "client-s3cret")]);
    is_signed(&place, &checked(printed, 0));
    assert!(
        address.contains("client_id=our-client") && !address.contains(SECRET),
        "{address}"
    );
    let exchange = place.issuer.requests().pop().unwrap();
    assert_eq!(basic(&exchange).unwrap(), "our-client:client-s3cret");
}

#[test]
fn the_browser_of_the_environment_gets_the_address() {
    let place = Place::new(None);
    place.site.write("visited", "");
    let path = place.program("our-browser", "printf '%s' \"$2\" > visited");
    let browser = [
        ("BROWSER", "our-browser --new-window %s"),
        ("PATH", path.as_str()),
    ];
    let (printed, address) = with_browser(&place, "", &browser);
    is_signed(&place, &checked(printed, 0));
    assert_eq!(
        fs::read_to_string(place.site.at("visited")).unwrap(),
        address
    );
}

#[test]
fn a_code_is_read_where_there_is_no_browser() {
    let place = Place::new(None);
    for options in ["--oauth-force-oob", "--oauth_force_oob --strict", ""] {
        let printed = place.sign_with(options, "c0de-s3cret\n", 1);
        // The person has not signed in: the provider has no such sign-in.
        assert!(
            printed.stderr.contains("Enter verification code: "),
            "{}",
            printed.stderr
        );
        assert!(printed.stderr.contains("oob"), "{}", printed.stderr);
    }
    for input in ["", "\n", " \n"] {
        let printed = place.sign_with("--oauth-force-oob", input, 1);
        assert!(
            printed.stderr.contains("no verification code"),
            "{}",
            printed.stderr
        );
    }
    let mut command = place.command("--oauth-force-oob", &[]);
    command.env_remove("MODELWATCH_LOG");
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut printed = String::new();
    let address = loop {
        let start = printed.len();
        stderr.read_line(&mut printed).unwrap();
        if let Some(line) = printed[start..].strip_prefix('\t') {
            break line.trim().to_owned();
        }
    };
    let page = browse(&address);
    let code = format!("  {}\n", page.rsplit(' ').next().unwrap());
    child
        .stdin
        .take()
        .unwrap()
        .write_all(code.as_bytes())
        .unwrap();
    stderr.read_to_string(&mut printed).unwrap();
    let output = child.wait_with_output().unwrap();
    let printed = Printed {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: printed,
    };
    is_signed(&place, &checked(printed, 0));
}

#[test]
fn a_sign_in_that_fails_leaves_nothing_public_and_shows_no_secret() {
    for (fault, reason) in [
        (Fault::OtherState, "`state`"),
        (Fault::OtherNonce, "`nonce` is another one"),
        (
            Fault::OtherIssuerInDocument,
            "has the name \"https://idp.invalid\"",
        ),
        (Fault::Expired, "has expired"),
        (Fault::OtherAudience, "audience"),
        (Fault::NotVerified, "has not verified"),
        (Fault::Denied, "access_denied"),
        (Fault::Status(TOKEN, 429), "answered 429"),
        (Fault::Status(TOKEN, 503), "answered 503"),
        (Fault::Cut(TOKEN), "body cannot be read"),
        (Fault::Oversized(TOKEN), "longer than"),
        (Fault::Redirect(TOKEN), "answered 302"),
    ] {
        let place = Place::new(Some(fault));
        place.site.write("client", "client-s3cret\n");
        let (printed, _) = with_browser(&place, "--client-secret-file client", &[]);
        let printed = checked(printed, 1);
        assert!(
            printed.stderr.contains(reason),
            "{fault:?}: {}",
            printed.stderr
        );
        assert_eq!(place.services.asked("fulcio"), 0, "{fault:?}");
        assert!(!place.site.at("falcon.sig").exists());
    }
}

#[test]
fn the_secret_of_a_client_is_better_in_a_file() {
    let place = Place::new(None);
    let mut command = place.command("--client-secret client-s-e-cret", &[("BROWSER", "true")]);
    let strict = command
        .arg("--strict")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let printed = checked(strict.into(), 1);
    assert!(
        printed.stderr.contains("--client-secret-file"),
        "{}",
        printed.stderr
    );
    assert!(!printed.stderr.contains("s-e-cret"), "{}", printed.stderr);
    for options in [
        "--client-secret a --client-secret-file b",
        "--client-secret-file a --client-secret-env B",
        "--identity-token-file a --identity-token x",
    ] {
        place.sign(options, &[], 2);
    }
    place.refused(
        "--client-secret-env NONE --oauth-force-oob",
        &[],
        "the environment variable NONE is not set",
    );
}

#[test]
fn a_slip_in_a_method_is_answered_with_the_method() {
    let place = Place::new(None);
    for (word, method) in [
        ("kye", "key"),
        ("certifcate", "certificate"),
        ("cert", "certificate"),
        ("sigstor", "sigstore"),
    ] {
        for command in ["sign", "verify"] {
            let printed = place.site.run(&format!("{command} {word} falcon"));
            assert_eq!(printed.code, 2, "{printed:?}");
            let meant = format!("did you mean `modelwatch {command} {method}`?");
            assert!(printed.stderr.contains(&meant), "{printed:?}");
        }
    }
    // A model by such a name.
    place.site.write("kye/weights.bin", "weights");
    place.token(&json!({}));
    let line = SIGN.replace("falcon ", "kye ");
    place
        .site
        .expect(&format!("{line} --identity-token-file token"), 0);
}
