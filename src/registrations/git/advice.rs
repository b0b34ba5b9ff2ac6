//! What to do about an error of git or ssh. Their messages are in English, because they run with `LC_ALL=C`.

const CERTIFICATE: &str =
    "; name the authority of the server's certificate in `ca_certificates` of [http]";
const CREDENTIALS: &str = "; [[http.credentials]] gives user and password, or a token, for a host";

/// Parts of messages, and what to do.
const ADVICE: [(&str, &str); 8] = [
    // curl with GnuTLS, and with OpenSSL.
    ("certificate verification failed", CERTIFICATE),
    ("SSL certificate problem", CERTIFICATE),
    ("Authentication failed", CREDENTIALS),
    ("could not read Username", CREDENTIALS),
    (
        "returned error: 30",
        "; a redirect is not followed: write the URL that it leads to",
    ),
    (
        "Host key verification failed",
        "; ask the owner of the server for its host key, and put that one into the known_hosts of the user that runs modelwatch",
    ),
    (
        "Permission denied (",
        "; give the user that runs modelwatch an ssh key without a passphrase that the server accepts",
    ),
    (
        "couldn't find remote ref",
        "; `branch` names the branch to read",
    ),
];

/// What to do about this message, after a semicolon; empty if there is no advice.
pub(super) fn on(message: &str) -> &'static str {
    let mut fitting = ADVICE.iter().filter(|(part, _)| message.contains(part));
    fitting.next().map_or("", |(_, advice)| advice)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As git 2.39 and OpenSSH 9.2 write them.
    #[test]
    fn messages_about_the_setup_have_an_advice_and_others_have_none() {
        for (message, advice) in [
            (
                "fatal: unable to access 'https://h/r.git/': server certificate verification failed. CAfile: /x CRLfile: none",
                "ca_certificates",
            ),
            (
                "fatal: unable to access 'https://h/r.git/': SSL certificate problem: unable to get local issuer certificate",
                "ca_certificates",
            ),
            (
                "fatal: Authentication failed for 'https://h/r.git/'",
                "[[http.credentials]]",
            ),
            (
                "fatal: unable to access 'https://h/r.git/': The requested URL returned error: 302",
                "redirect",
            ),
            (
                "No ED25519 host key is known for [h]:22 and you have requested strict checking.; Host key verification failed.",
                "known_hosts",
            ),
            (
                "git@h: Permission denied (publickey,password).; fatal: Could not read from remote repository.",
                "ssh key",
            ),
            (
                "fatal: couldn't find remote ref refs/heads/main",
                "`branch`",
            ),
        ] {
            assert!(on(message).starts_with("; "), "{message}");
            assert!(on(message).contains(advice), "{message}");
        }
        for message in [
            "fatal: unable to access 'https://h/r.git/': The requested URL returned error: 503",
            "fatal: repository 'https://h/r.git/' not found",
            "ssh: connect to host h port 22: Connection refused",
            "",
        ] {
            assert_eq!(on(message), "", "{message}");
        }
    }
}
