//! What the exit codes of the commands mean.

/// An exit code and its meaning.
type Code = (u8, &'static str);

const CODES: &[Code] = &[
    (0, "Yes, clean, done."),
    (1, "The answer is no."),
    (2, "The command or its configuration is wrong."),
    (3, "The question could not be answered."),
];

/// Commands for which an exit code means something else than in [`CODES`].
pub(super) const EXIT_STATUS: &[(&str, &[Code])] = &[
    (
        "monitor",
        &[
            (
                0,
                "With --once: everything was read up to the newest checkpoint and proven, and nothing is open. Without it: the daemon was requested to end.",
            ),
            (
                1,
                "With --once: a security finding of at least fail_on is open, whether found now or long ago.",
            ),
            (
                2,
                "The command or its configuration is wrong, or a log without a position would begin at its end.",
            ),
            (
                3,
                "A log could not be read to its end, a finding about the health of the monitoring is open, an alert that is due is undelivered, or the store could not be used.",
            ),
        ],
    ),
    (
        "status",
        &[
            (
                0,
                "The store could be read; with --max-age, each log was proven within that time.",
            ),
            (2, "The command or its configuration is wrong."),
            (
                3,
                "The store could not be read, or a log was not proven within --max-age.",
            ),
        ],
    ),
    (
        "lookup",
        &[
            (0, "There are such signings, and each entry is proven."),
            (
                1,
                "There is none, and everything that was asked for was looked at.",
            ),
            (2, "The command or its configuration is wrong."),
            (
                3,
                "An entry could not be proven, the evidence of one could not be written, or there is none and not everything was looked at.",
            ),
        ],
    ),
    (
        "expect add",
        &[
            (0, "Each bundle is registered."),
            (1, "A bundle contradicts itself, and none is registered."),
            (
                2,
                "A file is not a bundle, or one of its bundles cannot be registered.",
            ),
            (3, "The store could not be used."),
        ],
    ),
    (
        "reconcile",
        &[
            (0, "All agrees."),
            (1, "There is a discrepancy."),
            (2, "The command or its configuration is wrong."),
            (
                3,
                "There is no discrepancy, and something could not be found out.",
            ),
        ],
    ),
    (
        "check watch",
        &[
            (0, "The watch selects each signer."),
            (1, "It does not select one of them."),
            (
                2,
                "The command or its configuration is wrong, or a bundle names no signer.",
            ),
            (3, "The question could not be answered."),
        ],
    ),
    (
        "drill",
        &[
            (0, "All was shown."),
            (
                1,
                "A test failed: signings would be missed, or a channel did not accept the alarm.",
            ),
            (2, "The command or its configuration is wrong."),
            (3, "Something could not be tested."),
        ],
    ),
    (
        "verify-evidence",
        &[
            (
                0,
                "Everything holds, by trust from outside of the directory.",
            ),
            (
                1,
                "Something does not hold: the file and the check are named.",
            ),
            (2, "The command is wrong, or there is no such directory."),
            (
                3,
                "The files agree with each other, but only the directory itself vouches for its trust.",
            ),
        ],
    ),
    ("sign", SIGNING),
    (
        "verify",
        &[
            (0, "The model is what was signed, by whom it should be."),
            (1, "It is not, or that could not be found out."),
            (2, "The command line makes no sense."),
        ],
    ),
    ("digest", SIGNING),
];

const SIGNING: &[Code] = &[
    (0, "Done."),
    (1, "It could not be done."),
    (2, "The command line makes no sense."),
];

/// What the exit codes of a command mean.
pub(in crate::cli) fn exit_status(path: &str) -> &'static [Code] {
    let whole = EXIT_STATUS.iter().find(|(of, _)| *of == path);
    let first = path.split(' ').next().unwrap_or_default();
    let found = whole.or_else(|| {
        // `sign key` is `sign`; what `check` says is not what `check watch` says.
        let shared = ["sign", "verify"].contains(&first);
        EXIT_STATUS.iter().find(|(of, _)| shared && *of == first)
    });
    found.map_or(CODES, |(_, codes)| codes)
}
