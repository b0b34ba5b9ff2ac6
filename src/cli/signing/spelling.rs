//! The command line of the reference: both spellings of its options, and the method that it assumes.

use std::ffi::OsString;
use std::path::Path;

/// The options of the program that take a value and may stand before the command.
const WITH_VALUE: [&str; 3] = ["--config", "--log-format", "--log-level"];

/// The option that stands where the model does.
const IN_PLACE_OF_A_MODEL: &str = "--oci-manifest";

/// What may follow `sign`; for any other word the reference inserts `sigstore`.
const SIGN: [&str; 6] = [
    "sigstore",
    "key",
    "certificate",
    "pkcs11-key",
    "pkcs11-certificate",
    "help",
];

/// What may follow `verify`. Of the methods of hardware tokens there is only the answer that they are none.
const VERIFY: [&str; 7] = [
    "sigstore",
    "attestation",
    "key",
    "certificate",
    "pkcs11-key",
    "pkcs11-certificate",
    "help",
];

/// Rewrites the arguments of `sign`, `verify` and `digest` as clap knows them; those of other commands stay.
///
/// Releases of the reference want `--private_key`, its development version takes `--private-key` as well.
pub(in crate::cli) fn normalize(arguments: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = arguments.into_iter().collect();
    let Some(command) = command_of(&arguments) else {
        return arguments;
    };
    let methods = methods_of(&arguments, command);
    for argument in arguments
        .iter_mut()
        .skip(1)
        .take_while(|argument| *argument != "--")
    {
        if let Some(spelled) = argument.to_str().and_then(hyphenated) {
            *argument = spelled.into();
        }
    }
    if let Some(word) = arguments.get(command + 1).and_then(|word| word.to_str())
        && !methods.is_empty()
        && (!word.starts_with('-') || word.split('=').next() == Some(IN_PLACE_OF_A_MODEL))
        && !methods.contains(&word)
        && nearest(word, methods).is_none()
    {
        arguments.insert(command + 1, "sigstore".into());
    }
    arguments
}

/// The answer to a method with a slip in it, which names the method that was meant.
pub(in crate::cli) fn slip(arguments: &[OsString]) -> Option<String> {
    let command = command_of(arguments)?;
    let methods = methods_of(arguments, command);
    let word = arguments.get(command + 1)?.to_str()?;
    if methods.contains(&word) {
        return None;
    }
    let meant = nearest(word, methods)?;
    let command = arguments.get(command)?.to_str()?;
    Some(format!(
        "{word:?} is no method, and no model is there by this name: did you mean `modelwatch {command} {meant}`?"
    ))
}

fn methods_of(arguments: &[OsString], command: usize) -> &'static [&'static str] {
    match arguments.get(command).and_then(|word| word.to_str()) {
        Some("sign") => &SIGN,
        Some("verify") => &VERIFY,
        _ => &[],
    }
}

/// The method that a word more likely means than a model (`kye`, `KEY`, `cert`): nothing is there by that name.
fn nearest(word: &str, methods: &[&'static str]) -> Option<&'static str> {
    /// `pk`, `c` and the like are too short to mean a method.
    const ABBREVIATION: usize = 3;
    let lower = word.to_lowercase().replace('_', "-");
    let sorted = |word: &str| {
        let mut letters: Vec<char> = word.chars().collect();
        letters.sort_unstable();
        letters
    };
    let distance = |method: &&&'static str| {
        let edits = if method.len() <= 4 { 1 } else { 2 };
        match strsim::levenshtein(&lower, method) {
            few if few <= edits => Some(few),
            _ if sorted(&lower) == sorted(method) => Some(1),
            _ if lower.len() >= ABBREVIATION && method.starts_with(&lower) => Some(edits),
            _ => None,
        }
    };
    let near = methods.iter().filter(|method| distance(method).is_some());
    let (nearest, _) = near
        .map(|method| (*method, distance(&method)))
        .min_by_key(|(_, distance)| *distance)?;
    // With a separator it is a path, even if no file is there.
    let is_model =
        word.contains(std::path::is_separator) || Path::new(word).symlink_metadata().is_ok();
    (!is_model).then_some(nearest)
}

/// Where the command is, if it is `sign`, `verify` or `digest`.
pub(super) fn command_of(arguments: &[OsString]) -> Option<usize> {
    let (at, command) = command(arguments)?;
    matches!(command, "sign" | "verify" | "digest").then_some(at)
}

/// The word that is the command, and where it is.
pub(in crate::cli) fn command(arguments: &[OsString]) -> Option<(usize, &str)> {
    let mut is_value = false;
    for (at, argument) in arguments.iter().enumerate().skip(1) {
        if std::mem::take(&mut is_value) {
            continue;
        }
        let argument = argument.to_str()?;
        if argument.starts_with('-') {
            is_value = WITH_VALUE.contains(&argument.replace('_', "-").as_str());
            continue;
        }
        return Some((at, argument));
    }
    None
}

/// The same option with hyphens in its name, if it has underscores there. What follows `=` is a value.
fn hyphenated(argument: &str) -> Option<String> {
    let option = argument.strip_prefix("--")?;
    let (name, value) = option
        .find('=')
        .map_or((option, ""), |at| option.split_at(at));
    name.contains('_')
        .then(|| format!("--{}{value}", name.replace('_', "-")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normalized(line: &str) -> String {
        let words = line.split(' ').map(OsString::from);
        let words: Vec<_> = normalize(words)
            .into_iter()
            .map(|word| word.to_string_lossy().into_owned())
            .collect();
        words.join(" ")
    }

    #[test]
    fn options_are_taken_in_both_spellings_and_values_as_they_are() {
        for (written, meant) in [
            (
                "modelwatch sign key my_model --private_key my_key --signature=a_b",
                "modelwatch sign key my_model --private-key my_key --signature=a_b",
            ),
            (
                "modelwatch verify key m --no-ignore_unsigned_files --ignore_paths=a_b",
                "modelwatch verify key m --no-ignore-unsigned-files --ignore-paths=a_b",
            ),
            (
                "modelwatch --log_level debug digest my_model",
                "modelwatch --log-level debug digest my_model",
            ),
            (
                "modelwatch --config sign digest --ignore_paths a_b -- --odd_model",
                "modelwatch --config sign digest --ignore-paths a_b -- --odd_model",
            ),
            // Other commands have one spelling.
            (
                "modelwatch status --max_age 2h",
                "modelwatch status --max_age 2h",
            ),
            (
                "modelwatch expect add sign --a_b",
                "modelwatch expect add sign --a_b",
            ),
        ] {
            assert_eq!(normalized(written), meant);
        }
    }

    #[test]
    fn a_slip_is_answered_with_the_nearest_method() {
        for (written, meant) in [
            ("modelwatch sign kye m", Some("`modelwatch sign key`")),
            (
                "modelwatch --log-level debug verify KEY m",
                Some("`modelwatch verify key`"),
            ),
            (
                "modelwatch sign cert m",
                Some("`modelwatch sign certificate`"),
            ),
            (
                "modelwatch sign pkcs11_key m",
                Some("`modelwatch sign pkcs11-key`"),
            ),
            (
                "modelwatch sign sigstroe m",
                Some("`modelwatch sign sigstore`"),
            ),
            (
                "modelwatch verify atestation m",
                Some("`modelwatch verify attestation`"),
            ),
            ("modelwatch sign atestation m", None),
            ("modelwatch sign key m", None),
            ("modelwatch sign src", None),
            ("modelwatch sign ./kye", None),
            ("modelwatch sign --help", None),
            ("modelwatch sign", None),
            ("modelwatch digest kye", None),
            ("modelwatch status kye", None),
        ] {
            let words: Vec<_> = written.split(' ').map(OsString::from).collect();
            let answer = slip(&words);
            match (&answer, meant) {
                (Some(answer), Some(meant)) => {
                    assert!(answer.contains(meant), "{written}: {answer}");
                }
                (answer, meant) => assert_eq!(answer.as_deref(), meant, "{written}"),
            }
        }
    }

    #[test]
    fn the_method_that_is_assumed_is_inserted() {
        for (written, meant) in [
            ("modelwatch sign m", "modelwatch sign sigstore m"),
            (
                "modelwatch verify ./key --x",
                "modelwatch verify sigstore ./key --x",
            ),
            // A slip: the answer names the method that was meant.
            ("modelwatch sign kye m", "modelwatch sign kye m"),
            (
                "modelwatch sign pkcs11_key m",
                "modelwatch sign pkcs11_key m",
            ),
            (
                "modelwatch verify certifcate m",
                "modelwatch verify certifcate m",
            ),
            ("modelwatch sign sigstor m", "modelwatch sign sigstor m"),
            ("modelwatch sign KEY m", "modelwatch sign KEY m"),
            ("modelwatch sign cert m", "modelwatch sign cert m"),
            ("modelwatch verify PKCS11 m", "modelwatch verify PKCS11 m"),
            (
                "modelwatch sign keyless m",
                "modelwatch sign sigstore keyless m",
            ),
            // A model may be called nearly so, if it is there.
            ("modelwatch sign src", "modelwatch sign sigstore src"),
            ("modelwatch sign ./kye", "modelwatch sign sigstore ./kye"),
            (
                "modelwatch sign falcon-7b",
                "modelwatch sign sigstore falcon-7b",
            ),
            ("modelwatch sign ab", "modelwatch sign sigstore ab"),
            (
                "modelwatch sign pkcs11-key m",
                "modelwatch sign pkcs11-key m",
            ),
            ("modelwatch sign sigstore m", "modelwatch sign sigstore m"),
            ("modelwatch sign --help", "modelwatch sign --help"),
            ("modelwatch sign", "modelwatch sign"),
            ("modelwatch digest key", "modelwatch digest key"),
            (
                "modelwatch verify attestation m b",
                "modelwatch verify attestation m b",
            ),
            (
                "modelwatch verify --oci-manifest f",
                "modelwatch verify sigstore --oci-manifest f",
            ),
            (
                "modelwatch sign --oci-manifest=f",
                "modelwatch sign sigstore --oci-manifest=f",
            ),
            (
                "modelwatch verify ./attestation",
                "modelwatch verify sigstore ./attestation",
            ),
            (
                "modelwatch sign attestation",
                "modelwatch sign sigstore attestation",
            ),
        ] {
            assert_eq!(normalized(written), meant);
        }
    }
}
