//! Text as one word of a POSIX shell.

use std::fmt::Write as _;

/// For a command that a person copies: a word that the shell reads as this text.
///
/// Text of visible ASCII characters and spaces is quoted only if that is necessary. All other text is written as `$'…'`
/// with the numbers of its bytes, which POSIX.1-2024 defines and bash, zsh and ksh read: a control character that is
/// pasted into a terminal could end the command.
///
/// ```
/// use modelwatch_core::escape::shell_word;
///
/// assert_eq!(shell_word("main:158"), "main:158");
/// assert_eq!(shell_word("it's $(x)"), r"'it'\''s $(x)'");
/// assert_eq!(shell_word("a\nz"), r"$'a\x0az'");
/// assert_eq!(shell_word("a\nb"), r"$'a\x0a\x62'");
/// ```
pub fn shell_word(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.,:/@%+=".contains(&byte);
    if !text.is_empty() && text.bytes().all(is_plain) {
        return text.to_owned();
    }
    if text.bytes().all(|byte| (b' '..0x7f).contains(&byte)) {
        return format!("'{}'", text.replace('\'', r"'\''"));
    }
    let mut word = String::from("$'");
    // A hexadecimal digit after an escape would belong to it.
    let mut after_escape = false;
    for byte in text.bytes() {
        let is_kept = (b' '..0x7f).contains(&byte)
            && !b"'\\".contains(&byte)
            && !(after_escape && byte.is_ascii_hexdigit());
        if is_kept {
            word.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(word, "\\x{byte:02x}");
        }
        after_escape = !is_kept;
    }
    word.push('\'');
    word
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_one_word() {
        for (text, word) in [
            ("main:158", "main:158"),
            ("two words:1", "'two words:1'"),
            ("it's $(x):1", r"'it'\''s $(x):1'"),
            ("*@example.com", "'*@example.com'"),
            ("", "''"),
            ("a\u{1b}[2J", r"$'a\x1b[2J'"),
            ("\nfab", r"$'\x0a\x66\x61\x62'"),
            ("it's\t\\", r"$'it\x27s\x09\x5c'"),
            ("\u{202e}", r"$'\xe2\x80\xae'"),
        ] {
            assert_eq!(shell_word(text), word);
        }
    }
}
