//! Rooms of small and large communities, with every kind of fault.

use chats_sim::rooms::{Config, Report, run};
use std::time::{SystemTime, UNIX_EPOCH};

fn holds(seed: u64, members: usize, minutes: u64) -> Report {
    let report = run(Config { seed, members, minutes, verbose: false });
    let report = report.unwrap_or_else(|broken| panic!("seed {seed}: {broken}"));
    let lost = report.gossip.1 * 100 / report.gossip.0.max(1);
    assert!((10..=30).contains(&lost), "seed {seed}: {lost} % of gossip was lost");
    assert!(report.messages > 10 && report.kills > 0 && report.cuts > 10, "{report:?}");
    report
}

#[test]
fn small_communities_show_the_same_and_lose_nothing() {
    for seed in 0..60 {
        holds(seed, 4, 4);
    }
    for seed in 100..120 {
        holds(seed, 8, 5);
    }
}

#[test]
fn so_do_small_communities_of_seeds_that_nobody_chose() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    let first = u64::try_from(now.as_millis()).expect("in this age");
    for seed in first..first + 20 {
        holds(seed, 5, 4);
    }
}

#[test]
fn the_same_seed_gives_the_same_run_and_another_one_another() {
    let trace = |seed| holds(seed, 4, 4).trace;
    assert_eq!(trace(3), trace(3));
    assert_ne!(trace(3), trace(4));
}
