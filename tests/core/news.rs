//! Whatever happens at once, fails, or is stopped: people end up knowing what is the case, and are not told it twice.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use s3_replication_remediator::check::Verdict;
use s3_replication_remediator::notify::alert::Alert;
use s3_replication_remediator::notify::alert_state::{AlertState, CLAIM_TIMEOUT, Step, next_step};

const WORDS: [&str; 4] = ["key", "role", "trust", "bucket"];
const INVOCATIONS: usize = 3;

/// What is wrong, one bit for each word.
type Trouble = u8;

#[derive(Debug, Clone)]
enum Event {
    /// Somebody changes the account.
    Becomes(Trouble),
    /// Time passes.
    Passes(i64),
    /// An invocation begins, or makes its next step.
    Steps(usize),
    /// It is stopped where it is.
    Stops(usize),
    /// From now on the topic refuses, or takes again.
    Mute(bool),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        2 => (0..16_u8).prop_map(Event::Becomes),
        1 => (0..40_i64).prop_map(Event::Passes),
        12 => (0..INVOCATIONS).prop_map(Event::Steps),
        1 => (0..INVOCATIONS).prop_map(Event::Stops),
        1 => any::<bool>().prop_map(Event::Mute),
    ]
}

fn alert(trouble: Trouble) -> Alert {
    let active: BTreeMap<String, &'static str> = WORDS
        .iter()
        .enumerate()
        .filter(|(bit, _)| trouble & (1 << bit) != 0)
        .map(|(_, word)| ((*word).to_owned(), *word))
        .collect();
    Alert {
        verdict: match active.is_empty() {
            true => Verdict::Healthy,
            false => Verdict::Broken,
        },
        active,
        one_off: BTreeMap::new(),
        done: None,
        may_have_repaired: false,
        yields_to_later_looks: true,
        is_complete: true,
        is_not_configured: false,
        failed_objects: 0,
        event_time: None,
    }
}

/// How far an invocation has come.
#[derive(Debug, Clone)]
enum At {
    Looked,
    Read(u64, Step),
    Claimed(u64, AlertState),
    Published(u64, AlertState, bool),
}

#[derive(Debug, Clone)]
struct Invocation {
    began: Timestamp,
    looked: Timestamp,
    saw: Trouble,
    at: At,
}

struct World {
    now: Timestamp,
    trouble: Trouble,
    record: Option<AlertState>,
    version: u64,
    is_mute: bool,
    running: [Option<Invocation>; INVOCATIONS],
    /// What people were told: what, and when that was seen.
    told: Vec<(Trouble, Timestamp)>,
    /// What may cost a message too many.
    mishaps: usize,
}

impl World {
    fn new() -> Self {
        Self {
            now: Timestamp::UNIX_EPOCH,
            trouble: 0,
            record: None,
            version: 0,
            is_mute: false,
            running: [const { None }; INVOCATIONS],
            told: Vec::new(),
            mishaps: 0,
        }
    }

    fn write(&mut self, over: u64, record: AlertState) -> bool {
        let may = over == self.version;
        if may {
            self.version += 1;
            self.record = Some(record);
        }
        may
    }

    fn passes(&mut self, seconds: i64) {
        self.now += SignedDuration::from_secs(seconds);
        for number in 0..INVOCATIONS {
            // Lambda stops what takes too long.
            let began = self.running[number].as_ref().map(|one| one.began);
            if began.is_some_and(|began| self.now.duration_since(began) >= CLAIM_TIMEOUT / 2) {
                self.stops(number);
            }
        }
    }

    fn stops(&mut self, number: usize) {
        if let Some(stopped) = self.running[number].take()
            && matches!(stopped.at, At::Claimed(..) | At::Published(..))
        {
            self.mishaps += 1;
        }
    }

    fn steps(&mut self, number: usize) {
        // No two looks begin at once.
        self.now += SignedDuration::from_millis(1);
        let Some(mut one) = self.running[number].take() else {
            self.running[number] = Some(Invocation {
                began: self.now,
                looked: self.now,
                saw: self.trouble,
                at: At::Looked,
            });
            return;
        };
        one.at = match one.at {
            At::Looked => {
                let remind = Some(SignedDuration::from_hours(24));
                let step = next_step(self.record.as_ref(), &alert(one.saw), one.looked, remind);
                At::Read(self.version, step)
            }
            At::Read(_, Step::Ignore) => return,
            At::Read(_, Step::Wait) => At::Looked,
            At::Read(_, Step::Stale) => {
                one.looked = self.now;
                one.saw = self.trouble;
                At::Looked
            }
            At::Read(version, Step::Save(record)) => {
                if self.write(version, record) {
                    return;
                }
                At::Looked
            }
            At::Read(version, Step::Send(record, _)) => match self.write(version, record.clone()) {
                true => At::Claimed(self.version, record),
                false => At::Looked,
            },
            At::Claimed(version, record) => {
                if !self.is_mute {
                    self.told.push((one.saw, one.looked));
                }
                At::Published(version, record, !self.is_mute)
            }
            At::Published(version, record, is_out) => {
                let settled = if is_out {
                    record.confirmed()
                } else {
                    record.failed()
                };
                if !self.write(version, settled) {
                    self.mishaps += 1;
                }
                return;
            }
        };
        self.running[number] = Some(one);
    }

    fn happens(&mut self, event: &Event) {
        match *event {
            Event::Becomes(trouble) => self.trouble = trouble,
            Event::Passes(seconds) => self.passes(seconds),
            Event::Steps(number) => self.steps(number),
            Event::Stops(number) => self.stops(number),
            Event::Mute(is_mute) => self.is_mute = is_mute,
        }
    }

    /// All end, and one more look is made in peace.
    fn comes_to_rest(&mut self) {
        self.is_mute = false;
        for number in 0..INVOCATIONS {
            self.stops(number);
        }
        self.now += CLAIM_TIMEOUT * 2;
        self.steps(0);
        while self.running[0].is_some() {
            self.steps(0);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn in_the_end_people_know_what_is_the_case_and_were_told_it_twice_only_where_something_was_stopped(
        events in prop::collection::vec(event(), 0..150)
    ) {
        let mut world = World::new();
        for event in &events {
            world.happens(event);
        }
        world.comes_to_rest();
        let last = world.told.last().map_or(0, |(trouble, _)| *trouble);
        prop_assert_eq!(last, world.trouble, "told {:?}", world.told);
        let repeated = world.told.windows(2).filter(|pair| pair[0].0 == pair[1].0).count();
        prop_assert!(repeated <= world.mishaps, "{} mishaps, told {:?}", world.mishaps, world.told);
        if world.mishaps == 0 {
            let is_in_order = world.told.windows(2).all(|pair| pair[0].1 < pair[1].1);
            prop_assert!(is_in_order, "an older look over a later one: {:?}", world.told);
        }
    }

    #[test]
    fn without_mishaps_a_message_is_one_change_of_what_was_seen(
        events in prop::collection::vec(event(), 0..150)
    ) {
        let mut world = World::new();
        for event in events.iter().filter(|event| !matches!(event, Event::Stops(_) | Event::Mute(_) | Event::Passes(_))) {
            world.happens(event);
        }
        let changes = events.iter().filter(|event| matches!(event, Event::Becomes(_))).count();
        let seen: BTreeSet<Trouble> = world.told.iter().map(|(trouble, _)| *trouble).collect();
        // What was so at the beginning may be seen late.
        prop_assert!(seen.len() <= changes + 1);
        prop_assert!(world.told.windows(2).all(|pair| pair[0].0 != pair[1].0), "{:?}", world.told);
    }
}
