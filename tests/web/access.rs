//! Who is answered: a token, a session, a proxy.

use std::fs;

use crate::site::{FREE_PORT, Site};

#[test]
fn a_token_opens_the_metrics_and_nothing_else_does() {
    let site = Site::new("[web]\ntoken_file = \"token\"");
    fs::write(site.path("token"), "s3cret-t0ken\n").unwrap();
    let server = site.serve(&FREE_PORT);
    for (headers, status) in [
        (&[][..], 401),
        (&["Authorization: Bearer s3cret-t0ken"], 200),
        (&["authorization: bearer s3cret-t0ken"], 200),
        (&["Authorization: Bearer s3cret-t0kem"], 401),
        (&["Authorization: Bearer "], 401),
        (&["Authorization: Bearer s3cret-t0ken-and-more"], 401),
        (&["Authorization: Basic czNjcmV0LXQwa2Vu"], 401),
        (&["Cookie: modelwatch_session=s3cret-t0ken"], 401),
        (&["X-Forwarded-Email: jane@example.com"], 401),
        (&["Accept: text/html"], 303),
    ] {
        let answer = server.get("/metrics", headers);
        assert_eq!(answer.status, status, "{headers:?}");
        if status == 401 {
            assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
        }
    }
    // Probes need no token, and learn no name.
    for path in ["/healthz", "/readyz"] {
        assert_eq!(server.get(path, &[]).status, 200, "{path}");
    }
    // A rotated token needs no restart; one that cannot be read opens nothing.
    fs::write(site.path("token"), "rotated").unwrap();
    assert_eq!(
        server
            .get("/metrics", &["Authorization: Bearer s3cret-t0ken"])
            .status,
        401
    );
    assert_eq!(
        server
            .get("/metrics", &["Authorization: Bearer rotated"])
            .status,
        200
    );
    for broken in [Some(""), None] {
        match broken {
            Some(text) => fs::write(site.path("token"), text).unwrap(),
            None => fs::remove_file(site.path("token")).unwrap(),
        }
        for sent in ["Authorization: Bearer rotated", "Authorization: Bearer "] {
            let answer = server.get("/metrics", &[sent]);
            assert_eq!(answer.status, 503, "{broken:?}");
            assert!(!answer.body.contains("token"), "{}", answer.body);
        }
    }
}

#[test]
fn a_person_signs_in_with_the_token_and_gets_a_session() {
    let site = Site::new("[web]\nbase_url = \"https://watch.example\"\ntoken_file = \"token\"");
    fs::write(site.path("token"), "s3cret&t=0ken").unwrap();
    let server = site.serve(&FREE_PORT);
    let form = server.get("/login", &[]);
    assert_eq!(form.status, 200);
    assert!(
        form.body
            .contains("<form method=\"post\" action=\"/login\">")
    );

    let right = "token=s3cret%26t%3D0ken";
    for (headers, body, status) in [
        (&[][..], "token=wrong", 403),
        (&[], "", 403),
        (&[], "tokens=s3cret%26t%3D0ken", 403),
        (&["Origin: https://attacker.example"], right, 403),
        (&["Origin: null"], right, 403),
        (&["Origin: https://watch.example"], right, 303),
        (&[], right, 303),
    ] {
        let answer = server.post("/login", headers, body);
        assert_eq!(answer.status, status, "{headers:?} {body}");
        assert_eq!(answer.header("set-cookie").is_some(), status == 303);
    }
    let answer = server.post("/login", &[], right);
    assert_eq!(answer.header("location"), Some("/"));
    // It leads back to a page of this server, and to no other one.
    for (to, location) in [
        ("%2Ffindings%2F00ff%3Fa%3Db", "/findings/00ff?a=b"),
        ("%2F%2Fattacker.example", "/"),
        ("https%3A%2F%2Fattacker.example", "/"),
    ] {
        let there = server.post("/login", &[], &format!("{right}&to={to}"));
        assert_eq!(there.header("location"), Some(location));
        let form = server.get(&format!("/login?to={to}"), &[]).body;
        let link = format!("<a href=\"{location}\">");
        assert_eq!(form.contains(&link), location != "/", "{form}");
        assert!(!form.contains("attacker"), "{form}");
    }
    let cookie = answer.header("set-cookie").unwrap();
    for part in ["; HttpOnly", "; SameSite=Strict", "; Secure", "; Path=/"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    assert!(!cookie.contains("s3cret"));
    let session = format!("Cookie: {}", cookie.split(';').next().unwrap());
    assert_eq!(server.get("/metrics", &[&session]).status, 200);
    // A wrong token is wrong, whatever the session.
    let wrong = server.get("/metrics", &[&session, "Authorization: Bearer x"]);
    assert_eq!(wrong.status, 401);
    fs::write(site.path("token"), "another").unwrap();
    assert_eq!(server.get("/metrics", &[&session]).status, 401);
}

#[test]
fn with_a_proxy_every_request_has_to_come_from_it_and_name_its_user() {
    let web = "[web]\ntrusted_proxy = [\"127.0.0.1\"]\nuser_header = \"X-Forwarded-Email\"\nproxy_secret_file = \"proxy\"";
    let site = Site::new(web);
    fs::write(site.path("proxy"), "pr0xy").unwrap();
    let server = site.serve(&FREE_PORT);
    let (secret, user) = (
        "X-Modelwatch-Proxy: pr0xy",
        "X-Forwarded-Email: jane@example.com",
    );
    for (headers, status) in [
        (&[secret, user][..], 200),
        (&[user], 403),
        (&[secret], 403),
        (&["X-Modelwatch-Proxy: wrong", user], 403),
        (&[secret, "X-Forwarded-Email: "], 403),
        // The client's own header beside that of the proxy.
        (&[secret, user, "X-Forwarded-Email: root@example.com"], 403),
        (&["X-Modelwatch-Proxy: guess", secret, user], 403),
        (&["Accept: text/html"], 403),
    ] {
        assert_eq!(
            server.get("/metrics", headers).status,
            status,
            "{headers:?}"
        );
    }
    assert_eq!(server.get("/healthz", &[]).status, 200);
    assert_eq!(server.get("/login", &[]).status, 404);
    drop(server);

    site.configure(&web.replace("127.0.0.1", "127.0.0.9"));
    let server = site.serve(&FREE_PORT);
    assert_eq!(server.get("/metrics", &[secret, user]).status, 403);
    drop(server);

    // On a socket its permissions decide who is the proxy.
    let on_socket = "[web]\nlisten = \"unix:s\"\ntrusted_proxy = [\"127.0.0.1\"]\nuser_header = \"X-Forwarded-Email\"";
    site.configure(on_socket);
    let server = site.serve(&["serve"]);
    assert_eq!(server.get("/metrics", &[user]).status, 200);
    assert_eq!(server.get("/metrics", &[]).status, 403);
}
