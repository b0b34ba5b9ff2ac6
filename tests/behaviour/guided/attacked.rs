//! Attackers who fill the index, servers that fail for one name or one entry, and forged certificates: each delays only
//! its own name.

use std::time::Duration;

use jiff::SignedDuration;
use modelwatch::monitor::Settings;
use serde_json::json;

use super::{MAIL, RELEASE, World, nothing};
use crate::world::{Anomaly, Issued, issue, issue_for};

fn tag(number: usize) -> String {
    RELEASE.replace("v1", &format!("v{number}"))
}

impl World {
    /// No requests are left: from now on each minute gives 30.
    pub(super) async fn spend_all(&self) {
        self.good().await;
        let spent = self.now() + SignedDuration::from_secs(600);
        self.truly()
            .spend(&self.v1_log().id(), spent, None)
            .await
            .unwrap();
    }

    /// Entries that are really in the log, under these names, with a certificate of an attacker.
    pub(super) fn flood(&mut self, names: &[String], each: usize) {
        let impostor = issue(RELEASE, self.now(), false);
        for name in names {
            for _ in 0..each {
                let leaf = self.signing(&impostor);
                self.v1.log(leaf, name);
            }
        }
    }

    /// Passes a minute apart until this entry is found; returns their number.
    async fn passes_until(&self, index: u64, most: usize) -> usize {
        for pass in 1..=most {
            self.clock.advance(60);
            self.pass(false).await.unwrap();
            if self
                .entries()
                .await
                .iter()
                .any(|(found, _)| *found == index)
            {
                return pass;
            }
        }
        panic!("entry {index} was not found in {most} passes");
    }
}

#[tokio::test]
async fn three_names_that_are_flooded_keep_no_fourth_one_waiting() {
    let mut world = World::new().await;
    world.spend_all().await;
    let flooded = [tag(1), tag(2), tag(3)];
    world.flood(&flooded, 120);
    // The night's certificates are logged, and the thief's among them.
    for name in &flooded {
        world.issue(name);
    }
    let stolen = world.issue(&tag(4));
    let index = world.sign(&stolen, &tag(4));
    for pass in 0..4 {
        world.flood(&flooded, 20);
        world.clock.advance(60);
        world.pass(false).await.unwrap();
        if world
            .entries()
            .await
            .iter()
            .any(|(found, _)| *found == index)
        {
            // Four names, of which each pass queries at least three.
            assert!(pass < 2, "{pass}");
            return;
        }
    }
    panic!("it is never looked up");
}

#[tokio::test]
async fn a_name_under_which_tens_of_thousands_of_entries_are_filed_is_read_from_both_ends() {
    let mut world = World::new().await;
    world.good().await;
    let stolen = world.issue(RELEASE);
    let first = world.sign(&stolen, RELEASE);
    let tree = world.v1.id(0, 3)[..16].to_owned();
    world.v1.index(|index| {
        for number in 0..30_000 {
            index.file(RELEASE, &format!("{tree}ffffff{number:058x}"));
        }
    });
    let last = world.sign(&stolen, RELEASE);
    let outcome = world.pass(false).await.unwrap();
    let found: Vec<u64> = world.entries().await.iter().map(|(at, _)| *at).collect();
    assert_eq!(found, [first, last]);
    // The unread entries are reported, and the pass is not complete.
    assert!(!outcome.proven);
    let message = outcome.error.unwrap().message;
    assert!(message.contains("does not show"), "{message}");
    let tally = world
        .truly()
        .lookup_counts(&world.v1_log().id(), world.now())
        .await;
    assert!(tally.unwrap().unread >= 29_000);
    // Other names are looked up as ever.
    let other = world.issue(&tag(2));
    let index = world.sign(&other, &tag(2));
    world.passes_until(index, 2).await;
}

#[tokio::test]
async fn an_id_of_a_wrong_form_makes_itself_unread_and_no_other() {
    for odd in [
        json!(null),
        json!("zz"),
        json!(7),
        json!(["x"]),
        json!({"a": "b"}),
    ] {
        let mut world = World::new().await;
        world.v1.index(|index| index.file_odd(RELEASE, odd.clone()));
        let certificate = world.issue(RELEASE);
        let index = world.sign(&certificate, RELEASE);
        assert_eq!(world.bad().await, "malformed", "{odd}");
        assert_eq!(
            world.entries().await,
            [(index, "release".to_owned())],
            "{odd}"
        );
    }
}

#[tokio::test]
async fn a_hanging_index_ends_the_pass_in_time_and_each_name_is_looked_up() {
    let mut world = World::new().await;
    world.retry_within = Duration::from_secs(1);
    world.settings = Settings {
        pass_limit: Some(Duration::ZERO),
        ..Settings::default()
    };
    for number in 1..=5 {
        world.issue(&tag(number));
        let name = tag(number).to_ascii_lowercase();
        world.v1.index(|index| index.hangs.insert(name));
    }
    let certificate = world.issue(&tag(6));
    let index = world.sign(&certificate, &tag(6));
    // However little time there is, a pass queries one name. On a busy machine, an index that works may not answer in time either.
    world.passes_until(index, 100).await;
    world.clock.advance(60);
    assert_eq!(world.bad().await, "unavailable");
}

#[tokio::test]
async fn a_name_that_always_fails_is_retried_later_and_keeps_no_other_one_waiting() {
    for status in [429, 503, 500, 400] {
        let mut world = World::new().await;
        world.spend_all().await;
        // They sort before every other.
        for number in 0..4 {
            let name =
                format!("https://github.com/acme/owl/.github/workflows/a{number}.yml@refs/tags/v1");
            world.issue(&name);
            world.v1.index(|index| index.fails.insert(name, status));
        }
        let stolen = world.issue(RELEASE);
        let index = world.sign(&stolen, RELEASE);
        let passes = world.passes_until(index, 3).await;
        assert!(passes <= 2, "{status}: {passes}");
        // Later and later, not at each pass.
        world.v1.count_anew();
        for _ in 0..60 {
            world.clock.advance(60);
            world.pass(false).await.unwrap();
        }
        let asked = world.v1.asked("workflows/a0.yml");
        assert!((1..=10).contains(&asked), "{status}: {asked}");
        // The index works: another name is found at once, and the workflow names are queried.
        let other = world.issue(&tag(2));
        let index = world.sign(&other, &tag(2));
        world.passes_until(index, 1).await;
    }
}

#[tokio::test]
async fn an_entry_that_the_log_fails_at_hides_no_other_entry_and_no_other_name() {
    for status in [429, 503, 400] {
        let mut world = World::new().await;
        world.good().await;
        let certificate = world.issue(RELEASE);
        let mut expected = Vec::new();
        for _ in 0..5 {
            expected.push(world.sign(&certificate, RELEASE));
        }
        let failing = expected.remove(2);
        world.v1.odd(Anomaly::Fails(failing, status));
        let other = world.issue(&tag(2));
        expected.push(world.sign(&other, &tag(2)));
        for _ in 0..120 {
            world.pass(false).await.unwrap();
            world.clock.advance(60);
        }
        let mut found: Vec<u64> = world.entries().await.iter().map(|(at, _)| *at).collect();
        found.sort_unstable();
        assert_eq!(found, expected, "{status}");
        world.v1.heal();
        world.passes_until(failing, 60).await;
    }
}

#[tokio::test]
async fn retries_count_against_the_request_budget() {
    let world = World::new().await;
    world.spend_all().await;
    for number in 0..40 {
        let name = tag(number);
        world.issue(&name);
        let name = name.to_ascii_lowercase();
        world.v1.index(|index| index.fails.insert(name, 503));
    }
    world.v1.count_anew();
    let minutes = 30;
    for _ in 0..minutes {
        world.clock.advance(60);
        world.pass(false).await.unwrap();
    }
    let asked = world.v1.asked("");
    // One in two seconds, and at most one turn more.
    assert!(asked <= minutes * 30 + 12, "{asked}");
}

#[tokio::test]
async fn an_impostor_that_looks_like_a_certificate_settles_nothing() {
    let mut world = World::new().await;
    let key = rcgen::KeyPair::generate().unwrap();
    let stolen = issue_for(RELEASE, world.now(), true, &key);
    world.ct.grow([stolen.logged()]);
    // The same key, names and times, under a CA of the thief; and then the true entry, two hours later.
    let impostor: Issued = issue_for(RELEASE, world.now(), false, &key);
    let false_one = world.sign(&impostor, RELEASE);
    world.good().await;
    assert_eq!(world.reported().await, [""]);
    assert_eq!(world.entries().await.len(), 1);
    for _ in 0..12 {
        world.good_after(600).await;
    }
    let index = world.sign(&stolen, RELEASE);
    for _ in 0..6 {
        world.good_after(600).await;
    }
    let entries: Vec<u64> = world.entries().await.iter().map(|(at, _)| *at).collect();
    assert_eq!(entries, [false_one, index]);
    let output_text = &world.reported().await[0];
    assert!(
        output_text.starts_with(&format!("its signing is entry {index} of v1")),
        "{output_text}"
    );
    assert!(
        output_text.contains(&format!(
            "entry {false_one} of v1 holds another certificate"
        )),
        "{output_text}"
    );
}

#[tokio::test]
async fn a_copy_of_a_certificate_with_an_invalid_signature_settles_nothing() {
    let mut world = World::new().await;
    let stolen = world.issue(RELEASE);
    let spoilt = stolen.spoilt();
    let false_one = world.sign(&spoilt, RELEASE);
    world.good().await;
    assert_eq!(world.entries().await.len(), 1);
    assert_eq!(world.reported().await, [""]);
    let index = world.sign(&stolen, RELEASE);
    for _ in 0..6 {
        world.good_after(600).await;
    }
    let output_text = &world.reported().await[0];
    assert!(
        output_text.starts_with(&format!("its signing is entry {index} of v1")),
        "{output_text}"
    );
    assert!(
        output_text.contains(&format!("entry {false_one} of v1 holds another")),
        "{output_text}"
    );
}

#[tokio::test]
async fn a_guide_that_was_renamed_loses_no_certificate_to_a_pass_without_it() {
    let mut world = World::new().await;
    world.good().await;
    let certificate = world.issue(RELEASE);
    // The CT log alone, under its old name.
    let old = super::log(&world.ct, "old", modelwatch::log::Protocol::CtRfc6962);
    world.pass_over(&[old.into()], false).await.unwrap();
    world.pass_over(&[world.guided()], false).await.unwrap();
    let index = world.sign(&certificate, RELEASE);
    world.good_after(60).await;
    assert_eq!(world.entries().await, [(index, "release".to_owned())]);
}

#[tokio::test]
async fn impostors_do_not_hide_that_the_index_is_silent() {
    let mut world = World::new().await;
    let key = rcgen::KeyPair::generate().unwrap();
    for day in 0..8 {
        for hour in 0..4 {
            let stolen = issue_for(RELEASE, world.now(), true, &key);
            world.ct.grow([stolen.logged()]);
            if day == 0 && hour == 0 {
                let impostor = issue_for(RELEASE, world.now(), false, &key);
                world.sign(&impostor, RELEASE);
            }
            for _ in 0..6 {
                world.clock.advance(3600);
                world.pass(false).await.unwrap();
            }
        }
    }
    assert!(world.open().await.contains(&"index-silent".to_owned()));
}

#[tokio::test]
async fn a_certificate_that_was_found_before_its_ct_log_was_a_guide_is_looked_up() {
    let mut world = World::new().await;
    world.guides = vec!["ct-old".to_owned()];
    // It is followed, but is not in `guided_by` yet.
    world.pass(false).await.unwrap();
    let certificate = world.issue(RELEASE);
    let index = world.sign(&certificate, RELEASE);
    world.pass(false).await.unwrap();
    assert_eq!(world.entries().await, []);
    // As `check` advises.
    world.guides = vec!["ct".to_owned(), "ct-old".to_owned()];
    world
        .v1
        .index(|index| index.hangs.insert(RELEASE.to_ascii_lowercase()));
    world.retry_within = Duration::from_millis(250);
    world.clock.advance(60);
    world.pass(false).await.unwrap();
    world.v1.index(|index| index.hangs.clear());
    world.retry_within = Duration::from_secs(30);
    world.clock.advance(60);
    world.pass(false).await.unwrap();
    assert_eq!(world.entries().await, [(index, "release".to_owned())]);
    assert_eq!(world.reported().await, ["its signing is entry 25 of v1"]);
    assert!(!world.open().await.contains(&"coverage-gap".to_owned()));
}

#[tokio::test]
async fn what_a_new_guide_showed_before_is_a_gap_until_it_is_looked_up() {
    let mut world = World::new().await;
    world.guides = vec!["ct-old".to_owned()];
    world.pass(false).await.unwrap();
    for number in 0..40 {
        world.issue(&tag(number));
    }
    world.pass(false).await.unwrap();
    world.guides = vec!["ct".to_owned(), "ct-old".to_owned()];
    let spent = world.now() + SignedDuration::from_secs(600);
    world
        .truly()
        .spend(&world.v1_log().id(), spent, None)
        .await
        .unwrap();
    world.clock.advance(30);
    world.pass(false).await.unwrap();
    let open = world.open().await;
    assert!(open.contains(&"coverage-gap".to_owned()), "{open:?}");
    for _ in 0..4 {
        world.clock.advance(120);
        world.pass(false).await.unwrap();
    }
    let open = world.open().await;
    assert!(!open.contains(&"coverage-gap".to_owned()), "{open:?}");
}

#[tokio::test]
async fn an_id_that_the_log_does_not_show_delays_no_new_certificate() {
    let mut world = World::new().await;
    world.issue(RELEASE);
    let tree = world.v1.id(0, 3)[..16].to_owned();
    world
        .v1
        .index(|index| index.file(RELEASE, &format!("{tree}{:064x}", 7)));
    for _ in 0..8 {
        world.pass(false).await.unwrap();
        world.clock.advance(1800);
    }
    let stolen = world.issue(RELEASE);
    let index = world.sign(&stolen, RELEASE);
    world.passes_until(index, 1).await;
}

#[tokio::test]
async fn a_flood_that_ends_leaves_nothing_open() {
    let mut world = World::new().await;
    world.spend_all().await;
    world.flood(&[RELEASE.to_owned()], 300);
    let certificate = world.issue(RELEASE);
    world.sign(&certificate, RELEASE);
    world.clock.advance(60);
    assert_eq!(world.bad().await, "unavailable");
    for _ in 0..20 {
        world.clock.advance(60);
        world.pass(false).await.unwrap();
    }
    world.good_after(60).await;
    assert_eq!(world.entries().await.len(), 301);
    assert_eq!(world.open().await, nothing());
    assert_eq!(world.v1.asked(MAIL), 1);
}
