//! Whether the clock of this machine is off.
//!
//! No single source is believed: a server may be wrong, a proxy may cache, and anybody can log certificates.

use jiff::SignedDuration;

use crate::escape::few;
use crate::monitor::clues::{Clue, Teller};

/// What servers and certificates may differ by: queues, caches and the drift of a healthy clock.
const TOLERANCE: SignedDuration = SignedDuration::from_mins(5);

/// How many who told the time are named in one sentence.
const NAMED: usize = 5;

/// What is wrong with our clock, if enough of those who told the time agree on it.
///
/// Two at least, a server among them, and more than the servers that say that we are right. Certificates
/// and signed heads only ever say that we are late: old ones are simply old. And they never suffice, from however many
/// logs they are: anybody can log a dozen certificates of his own making, and a log may date its heads as it likes.
pub(super) fn skew(clues: &[Clue]) -> Option<String> {
    let late: Vec<&Clue> = clues.iter().filter(|c| c.ahead > TOLERANCE).collect();
    let servers = || {
        clues
            .iter()
            .filter(|clue| matches!(clue.teller, Teller::Server(_)))
    };
    let early: Vec<&Clue> = servers().filter(|c| c.ahead < -TOLERANCE).collect();
    let right = servers().filter(|c| c.ahead.abs() <= TOLERANCE).count();
    let (agreeing, word) = if late.len() > early.len() {
        (late, "behind")
    } else {
        (early, "ahead of")
    };
    let by_a_server = agreeing
        .iter()
        .any(|clue| matches!(clue.teller, Teller::Server(_)));
    let believed = agreeing.len() >= 2 && by_a_server;
    if !believed || agreeing.len() <= right {
        return None;
    }
    // The least of what they say is what all of them say.
    let least = agreeing.iter().map(|clue| clue.ahead.abs()).min()?;
    let mut who: Vec<String> = agreeing.iter().map(|clue| named(&clue.teller)).collect();
    who.sort_unstable();
    Some(format!(
        "the clock of this machine is at least {} minutes {word} the time that others tell: {}",
        least.as_mins(),
        few(who, NAMED)
    ))
}

fn named(teller: &Teller) -> String {
    match teller {
        Teller::Server(host) => host.clone(),
        Teller::Head(log) => format!("the newest head of {log}"),
        Teller::Certificates(log) => format!("the newest certificates in {log}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(host: &str, minutes: i64) -> Clue {
        Clue {
            teller: Teller::Server(host.to_owned()),
            ahead: SignedDuration::from_mins(minutes),
        }
    }

    fn head(minutes: i64) -> Clue {
        Clue {
            teller: Teller::Head("ct".to_owned()),
            ahead: SignedDuration::from_mins(minutes),
        }
    }

    fn certificates(minutes: i64) -> Clue {
        certificates_in("main", minutes)
    }

    fn certificates_in(log: &str, minutes: i64) -> Clue {
        Clue {
            teller: Teller::Certificates(log.to_owned()),
            ahead: SignedDuration::from_mins(minutes),
        }
    }

    #[test]
    fn two_who_agree_are_believed_and_one_never() {
        for (clues, said) in [
            (vec![], None),
            (vec![server("a", 60)], None),
            (vec![certificates(60)], None),
            (vec![certificates(60), certificates_in("other", 60)], None),
            (vec![server("a", 5), server("b", 5)], None),
            (vec![server("a", 60), server("b", -60)], None),
            (vec![server("a", 60), server("b", 0)], None),
            // As many say that we are right.
            (
                vec![
                    server("a", 60),
                    server("b", 9),
                    server("c", 0),
                    server("d", 1),
                ],
                None,
            ),
            (vec![head(60), certificates(60)], None),
            (
                vec![head(60), server("a", 60)],
                Some("a, the newest head of ct"),
            ),
            // Old heads and certificates are no news.
            (vec![server("a", -60), head(-60)], None),
            (vec![server("a", -60), certificates(-600)], None),
            (
                vec![server("a", 60), server("b", 9)],
                Some("at least 9 minutes behind the time that others tell: a, b"),
            ),
            (
                vec![server("a", -60), server("b", -9)],
                Some("at least 9 minutes ahead of the time"),
            ),
            (
                vec![server("a", 60), certificates(60)],
                Some("a, the newest certificates in main"),
            ),
            (
                vec![server("a", 60), server("b", 60), server("c", 0)],
                Some("60 minutes behind"),
            ),
        ] {
            let judged = skew(&clues);
            match (&judged, said) {
                (Some(judged), Some(said)) => assert!(judged.contains(said), "{judged}"),
                _ => assert_eq!(judged.as_deref(), said, "{clues:?}"),
            }
        }
    }
}
