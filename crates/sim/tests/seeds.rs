//! Seeds that must hold: small and large groups, with every kind of fault.

use chats_sim::{Config, run};

fn holds(seeds: std::ops::Range<u64>, nodes: usize) {
    for seed in seeds {
        let report = run(Config { seed, nodes, minutes: 3, verbose: false });
        let report = report.unwrap_or_else(|broken| panic!("seed {seed}: {broken}"));
        assert!(report.connected > 0 && report.faults > 20, "seed {seed} was idle: {report:?}");
    }
}

#[test]
fn two_devices_find_back_to_each_other_after_every_fault() {
    holds(0..40, 2);
}

#[test]
fn a_small_group_keeps_strangers_second_devices_and_the_banned_out() {
    holds(0..30, 6);
}

#[test]
fn twelve_devices_see_and_hear_each_other_in_the_end() {
    holds(0..10, 12);
}

#[test]
fn of_more_than_twelve_the_first_twelve_speak() {
    holds(0..5, 16);
}

#[test]
fn the_same_seed_gives_the_same_run_and_another_one_another() {
    let trace = |seed| run(Config { seed, nodes: 5, minutes: 1, verbose: false }).map(|r| r.trace);
    assert_eq!(trace(3), trace(3));
    assert_ne!(trace(3), trace(4));
}
