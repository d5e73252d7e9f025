//! Meetings that outlive their relays, and what becomes of a pair that is cut, or never linked.

use chats_sim::Scene;

/// Members of whom the first `inside` are in the meeting, hear and have links to each other.
fn meeting(seed: u64, members: usize, inside: usize) -> Scene {
    let mut scene = Scene::new(seed, members);
    for device in 0..inside {
        scene.open(device, true);
    }
    let all: Vec<_> = (0..inside).collect();
    let together = |scene: &Scene| scene.hear_each_other(&all) && scene.are_linked(&all);
    scene.until(60_000, together).unwrap();
    scene
}

#[test]
fn audio_and_hands_go_on_when_all_relays_die() {
    for seed in 0..10 {
        let mut scene = meeting(seed, 4, 4);
        let all = [0, 1, 2, 3];
        scene.kill_relays();
        for minute in 0..5 {
            let hand = minute % 4;
            scene.raise(hand, true);
            let seen = |s: &Scene| all.iter().all(|one| *one == hand || s.sees_hand(*one, hand));
            let took = scene.until(2000, seen).unwrap();
            assert!(took <= 1000, "seed {seed}: a hand took {took} ms");
            scene.raise(hand, false);
            for _ in 0..60 {
                scene.wait(1000).unwrap();
                assert!(scene.hear_each_other(&all), "seed {seed}, minute {minute}");
            }
            assert!(scene.are_linked(&all), "seed {seed}");
        }
    }
}

#[test]
fn with_every_relay_gone_one_who_is_linked_to_one_participant_joins_and_hears_all() {
    for seed in 0..10 {
        let mut scene = meeting(seed, 5, 4);
        for other in 1..4 {
            scene.part(4, other, true);
        }
        scene.open(4, false);
        scene.until(60_000, |scene| scene.are_linked(&[0, 4])).unwrap();
        scene.kill_relays();
        scene.wait(5000).unwrap();
        for other in 1..4 {
            scene.part(4, other, false);
        }
        scene.join(4);
        let all = [0, 1, 2, 3, 4];
        let took = scene.until(60_000, |scene| scene.hear_each_other(&all)).unwrap();
        assert!(took <= 30_000, "seed {seed}: it took {took} ms");
        scene.until(60_000, |scene| scene.are_linked(&all)).unwrap();
    }
}

#[test]
fn a_pair_that_is_cut_is_mended_through_a_third_with_every_relay_gone() {
    for seed in 0..10 {
        let mut scene = meeting(seed, 4, 4);
        let all = [0, 1, 2, 3];
        scene.kill_relays();
        scene.wait(20_000).unwrap();
        scene.cut(1, 2, 12_000);
        scene.until(20_000, |scene| !scene.hear_each_other(&[1, 2])).unwrap();
        assert!(scene.hear_each_other(&[0, 1, 3]) && scene.hear_each_other(&[0, 2, 3]));
        let took = scene.until(60_000, |scene| scene.hear_each_other(&all)).unwrap();
        assert!(took <= 30_000, "seed {seed}: it took {took} ms");
        scene.until(60_000, |scene| scene.are_linked(&all)).unwrap();
    }
}

#[test]
fn a_pair_without_any_way_to_each_other_is_still_shown_to_each_other() {
    for seed in 0..5 {
        let mut scene = meeting(seed, 4, 4);
        scene.part(1, 2, true);
        scene.cut(1, 2, 90_000);
        scene.wait(15_000).unwrap();
        for _ in 0..60 {
            scene.wait(1000).unwrap();
            assert!(scene.shows(1, 2).is_some() && scene.shows(2, 1).is_some(), "seed {seed}");
        }
        scene.part(1, 2, false);
        scene.until(60_000, |scene| scene.hear_each_other(&[0, 1, 2, 3])).unwrap();
    }
}

#[test]
fn devices_that_one_member_makes_up_keep_no_newcomer_out() {
    for seed in 0..5 {
        let mut scene = meeting(seed, 5, 4);
        for other in [0, 2, 3] {
            scene.part(4, other, true);
        }
        scene.open(4, false);
        scene.until(60_000, |scene| scene.are_linked(&[1, 4])).unwrap();
        scene.kill_relays();
        for other in [0, 2, 3] {
            scene.part(4, other, false);
        }
        // The member 3 tells member 0 of ever more devices that are not there.
        for _ in 0..5 {
            scene.make_up(3, 0, 200);
            scene.wait(1000).unwrap();
        }
        scene.join(4);
        scene.until(60_000, |scene| scene.hear_each_other(&[0, 1, 2, 3, 4])).unwrap();
        let dials = scene.made_up_dials(0);
        assert!((1..=16).contains(&dials), "seed {seed}: {dials} of them were dialled");
    }
}

/// Both of a pair that cannot be linked show each other as online and heard, for ten minutes.
fn steady(scene: &mut Scene, seed: u64) {
    let before = scene.circuits(0, 1);
    for second in 0..600 {
        scene.wait(1000).unwrap();
        assert!(scene.are_online(&[0, 1]), "seed {seed}, second {second}");
        assert!(scene.hear_each_other(&[0, 1]), "seed {seed}, second {second}");
    }
    let made = scene.circuits(0, 1) - before;
    assert!((9..=15).contains(&made), "seed {seed}: {made} circuits in ten minutes");
}

#[test]
fn two_without_a_direct_link_show_and_hear_each_other_over_circuits_of_half_a_minute() {
    for seed in 0..10 {
        let mut scene = Scene::new(seed, 2);
        scene.unlink(0, 1);
        scene.open(0, true);
        scene.open(1, true);
        scene.until(60_000, |scene| scene.hear_each_other(&[0, 1])).unwrap();
        steady(&mut scene, seed);
        for hand in [0, 1] {
            scene.raise(hand, true);
            let took = scene.until(5000, |scene| scene.sees_hand(1 - hand, hand)).unwrap();
            assert!(took <= 4000, "seed {seed}: a hand took {took} ms");
            scene.wait(31_000).unwrap();
        }
    }
}

#[test]
fn one_who_is_in_no_meeting_sees_who_is_though_no_direct_link_can_be_made() {
    for seed in 0..10 {
        let mut scene = Scene::new(seed, 2);
        scene.unlink(0, 1);
        scene.open(0, false);
        scene.open(1, false);
        scene.until(60_000, |scene| scene.are_online(&[0, 1])).unwrap();
        for _ in 0..300 {
            scene.wait(1000).unwrap();
            assert!(scene.are_online(&[0, 1]), "seed {seed}");
        }
        let idle = scene.circuits(0, 1);
        assert!((2..=6).contains(&idle), "seed {seed}: {idle} circuits in five idle minutes");
        scene.join(1);
        scene.until(8000, |scene| scene.shows(0, 1).is_some()).unwrap();
        for _ in 0..300 {
            scene.wait(1000).unwrap();
            assert!(scene.shows(0, 1).is_some() && scene.are_online(&[0, 1]), "seed {seed}");
        }
    }
}

#[test]
fn a_pair_without_a_direct_link_is_steady_with_every_relay_gone_if_a_third_carries_circuits() {
    for seed in 0..10 {
        let mut scene = Scene::new(seed, 3);
        scene.unlink(0, 1);
        for device in 0..3 {
            scene.open(device, true);
        }
        scene.until(60_000, |scene| scene.hear_each_other(&[0, 1, 2])).unwrap();
        scene.until(60_000, |s| s.are_linked(&[0, 2]) && s.are_linked(&[1, 2])).unwrap();
        scene.kill_relays();
        scene.wait(5000).unwrap();
        steady(&mut scene, seed);
    }
}
