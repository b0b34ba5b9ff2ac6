-- OpenPGP and SSH keys: what their owners know them by. What such a key calls itself is in `signer.san`.
ALTER TABLE signer ADD COLUMN key_fingerprint TEXT; -- as gpg (hex, upper case) or ssh-keygen ('SHA256:…') prints it; NULL: another kind of signer
