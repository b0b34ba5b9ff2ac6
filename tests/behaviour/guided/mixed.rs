//! Floods, refusals, ids of absent entries and thefts in a random order: each name gets its turn, requests stay within
//! their rate, and each theft is found in time.

use std::collections::BTreeMap;

use fastrand::Rng;
use jiff::{SignedDuration, Timestamp};

use super::{MAIL, RELEASE, World};
use crate::world::issue;

/// Passes of one run, a minute apart.
const PASSES: u64 = 130;

/// Names that sign.
const NAMES: u32 = 12;

/// The documented bound: of the names that are due, three are queried in each pass, of which every fourth may be any.
const ASKED_WITHIN: u64 = 2 + (NAMES as u64 + 1) * 4 / 9;

/// The documented bound for an entry that is in the log and in the index.
const FOUND_WITHIN: SignedDuration = SignedDuration::from_hours(1);

struct Theft {
    name: String,
    index: u64,
    /// Since when the log and its index have it, and the index answers for its name.
    ready: Timestamp,
}

/// The events, and the expected results.
struct Play {
    world: World,
    random: Rng,
    /// Names that are not answered, and until which pass.
    refused: BTreeMap<String, u64>,
    /// Certificates that are not signed with yet, and the pass in which they are.
    planned: Vec<(crate::world::Issued, String, u64)>,
    thefts: Vec<Theft>,
    /// Names with a new certificate, and in which pass it came.
    waiting: BTreeMap<String, u64>,
}

fn name(number: u32) -> String {
    RELEASE
        .replace("v1", &format!("v{number}"))
        .to_ascii_lowercase()
}

impl Play {
    fn name(&mut self) -> String {
        name(self.random.u32(0..NAMES))
    }

    fn happen(&mut self, pass: u64) {
        let any = self.name();
        match self.random.u32(0..10) {
            0 | 1 => self.world.flood(&[any], 3),
            2 => {
                let status = [400, 429, 503][self.random.usize(0..3)];
                let until = pass + self.random.u64(1..20);
                self.world
                    .v1
                    .index(|index| index.fails.insert(any.clone(), status));
                self.refused.insert(any, until);
            }
            3 => {
                let nothing = format!("{:016x}{:064x}", 101, self.random.u64(..));
                self.world.v1.index(|index| index.file(&any, &nothing));
            }
            4..=6 => {
                let certificate = self.world.issue(&any);
                self.waiting.insert(any.clone(), pass);
                let later = pass + self.random.u64(0..9);
                self.planned.push((certificate, any, later));
            }
            _ => {}
        }
        let now = self.world.now();
        for (name, _) in self.refused.extract_if(.., |_, until| *until <= pass) {
            self.world.v1.index(|index| index.fails.remove(&name));
            for theft in self.thefts.iter_mut().filter(|theft| theft.name == name) {
                theft.ready = theft.ready.max(now);
            }
        }
        for (certificate, name, _) in self.planned.extract_if(.., |(_, _, at)| *at <= pass) {
            let index = self.world.sign(&certificate, &name);
            let ready = now;
            self.thefts.push(Theft { name, index, ready });
        }
    }

    async fn check(&mut self, pass: u64) {
        let now = self.world.now();
        let entries = self.world.entries().await;
        self.thefts
            .retain(|theft| !entries.iter().any(|(found, _)| *found == theft.index));
        for theft in &self.thefts {
            let is_refused = self.refused.contains_key(&theft.name);
            let late = now.duration_since(theft.ready);
            assert!(
                is_refused || late <= FOUND_WITHIN,
                "{} {late:?}",
                theft.name
            );
        }
        let asked = |name: &str| self.world.v1.asked(name) > 0;
        self.waiting.retain(|name, _| !asked(name));
        for (name, since) in &self.waiting {
            assert!(
                pass - since <= ASKED_WITHIN,
                "{name} waits since {since}, now {pass}"
            );
        }
    }
}

#[tokio::test]
async fn in_any_mix_each_name_is_looked_up_and_each_theft_is_found_in_time() {
    for seed in 0..3 {
        let world = World::new().await;
        world.spend_all().await;
        let mut play = Play {
            world,
            random: Rng::with_seed(seed),
            refused: BTreeMap::new(),
            planned: Vec::new(),
            thefts: Vec::new(),
            waiting: BTreeMap::new(),
        };
        let impostor = issue(MAIL, play.world.now(), false);
        play.world.sign(&impostor, MAIL);
        let mut requests = 0;
        for pass in 0..PASSES {
            play.happen(pass);
            play.world.v1.count_anew();
            play.world.clock.advance(60);
            play.world.pass(false).await.unwrap();
            requests += play.world.v1.asked("");
            play.check(pass).await;
            // One in two seconds, retries included, and at most one turn more.
            assert!(
                requests as u64 <= 30 * (pass + 1) + 12,
                "{requests} in {pass}"
            );
        }
        assert!(!play.world.entries().await.is_empty(), "{seed}");
    }
}
