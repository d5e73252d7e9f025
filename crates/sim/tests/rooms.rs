//! Rooms of small and large communities, with every kind of fault.

use chats_sim::rooms::{Config, Report, run};
use std::time::{SystemTime, UNIX_EPOCH};

fn holds(seed: u64, members: usize, minutes: u64) -> Report {
    let report = run(Config { seed, members, minutes, verbose: false });
    let report = report.unwrap_or_else(|broken| panic!("seed {seed}: {broken}"));
    let faults = &report.faults;
    // One message of gossip in five is lost, give or take five standard deviations.
    let (all, lost) = faults.gossip;
    let off = lost.abs_diff(all / 5);
    assert!(off * off <= 4 * all, "seed {seed}: {lost} of {all} messages of gossip were lost");
    assert_eq!(faults.partitions, 3, "seed {seed}");
    assert!(faults.kills > 0 && faults.cuts > 10, "seed {seed}: {faults}");
    assert!(report.messages > 10 && report.epochs > 0, "seed {seed}: {report:?}");
    report
}

#[test]
fn fifty_members_show_the_same_and_lose_nothing() {
    let report = holds(1, 50, 3);
    let faults = &report.faults;
    assert_eq!(faults.skew, 300_000);
    assert!(report.devices > 50 && faults.full > 0 && faults.revoked > 0, "{report:?}");
    // While the community was apart members lost their seats, did not know and wrote on, the chain
    // took back blocks, and different parts cut the same device off at different ops.
    assert!(faults.removals.1 > 3 && faults.reorgs.1 > 0, "{faults}");
    assert!(report.blind > 3 && report.different_cuts > 0, "{report:?}");
    assert!(report.withheld > 50, "no key was kept from anybody: {report:?}");
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
