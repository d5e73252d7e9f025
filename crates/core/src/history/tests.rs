use super::*;
use crate::hlc::Hlc;
use proptest::prelude::*;

const EPOCH: EpochId = EpochId([1; 16]);
const LATER: EpochId = EpochId([2; 16]);

fn device(number: u8) -> DeviceKey {
    DeviceKey([number; 32])
}

fn id(time: u64, tail: u8) -> OpId {
    OpId::of(Hlc::at(Time(time)), &[tail])
}

fn fact(writer: u8, sequence: u64, previous: Option<OpId>) -> Fact {
    Fact { device: device(writer), sequence, previous, epoch: EPOCH, content_type: 1 }
}

/// One device writes `count` ops in a row, a millisecond apart.
fn run(writer: u8, count: u64) -> Vec<(OpId, Fact)> {
    let mut ops = Vec::<(OpId, Fact)>::new();
    for sequence in 0..count {
        let previous = ops.last().map(|(id, _)| *id);
        ops.push((id(sequence + 1, writer), fact(writer, sequence, previous)));
    }
    ops
}

fn history(ops: &[(OpId, Fact)]) -> History {
    let mut history = History::default();
    for (id, fact) in ops {
        assert!(history.add(*id, fact, &[]));
    }
    history
}

/// Device n is of wallet n and has a seat unless its number is over 100.
#[derive(Default)]
struct Known {
    cut: Option<(DeviceKey, Cut)>,
}

impl Judge for Known {
    fn position(&self, epoch: EpochId) -> Option<Position> {
        match epoch {
            EPOCH => Some(Position { version: 1, generation: 1 }),
            LATER => Some(Position { version: 2, generation: 1 }),
            _ => None,
        }
    }

    fn cut(&self, device: DeviceKey) -> Option<Cut> {
        self.cut.clone().filter(|(cut, _)| *cut == device).map(|(_, cut)| cut)
    }

    fn wallet(&self, device: DeviceKey, at: Time) -> Option<Wallet> {
        (at < Time(1000)).then_some(Wallet([device.0[0]; 20]))
    }

    fn role(&self, wallet: Wallet, _: u64) -> Role {
        if wallet.0[0] > 100 { Role::None } else { Role::Member }
    }
}

fn counting(history: &History, judge: &Known) -> Vec<OpId> {
    let counts = |(id, verdict)| matches!(verdict, Verdict::Counts { .. }).then_some(id);
    history.judge(history.ids(), judge).filter_map(counts).collect()
}

fn verdict_of(history: &History, id: OpId, judge: &Known) -> Option<Verdict> {
    history.judge([id].into_iter(), judge).next().map(|(_, verdict)| verdict)
}

#[test]
fn an_op_that_the_next_one_of_its_device_names_is_vouched_for() {
    let ops = run(1, 3);
    let mut history = History::default();
    let (last, fact) = &ops[2];
    history.add(*last, fact, &[]);
    assert!(history.vouched(ops[1].0, device(1), 1));
    assert!(!history.vouched(ops[1].0, device(2), 1), "only its own device can vouch for it");
    assert!(!history.vouched(ops[0].0, device(1), 0), "what vouches is not held yet");
    assert!(!history.vouched(ops[1].0, device(1), 0), "the numbers must follow each other");
}

#[test]
fn the_next_op_follows_the_last() {
    let ops = run(1, 3);
    assert_eq!(history(&ops).next_of(device(1)), (3, Some(ops[2].0)));
    assert_eq!(history(&ops).next_of(device(2)), (0, None));
}

#[test]
fn two_ops_after_the_same_one_are_a_fork() {
    let mut ops = run(1, 2);
    assert_eq!(history(&ops).forked().count(), 0);
    ops.push((id(9, 9), fact(1, 1, Some(ops[0].0))));
    let history = history(&ops);
    assert_eq!(history.forked().collect::<Vec<_>>(), [device(1)]);
    assert_eq!(history.last_beyond(device(1), &[], &|_| true), [ops[2].0, ops[1].0]);
}

#[test]
fn the_last_that_count_are_found_although_what_does_not_count_follows_them() {
    let ops = run(1, 5);
    let history = history(&ops);
    let last = |heads: &[OpId], upto: usize| {
        history.last_beyond(device(1), heads, &|id| id <= ops[upto].0)
    };
    assert_eq!(last(&[], 4), [ops[4].0]);
    assert_eq!(last(&[], 2), [ops[2].0]);
    assert_eq!(last(&[ops[1].0], 2), [ops[2].0]);
    assert_eq!(last(&[ops[3].0], 2), []);
    assert_eq!(history.last_beyond(device(2), &[], &|_| true), []);
    assert_eq!(history.last_beyond(device(1), &[], &|_| false), []);
}

#[test]
fn two_first_ops_are_a_fork() {
    let ops = [(id(1, 1), fact(1, 0, None)), (id(2, 2), fact(1, 0, None))];
    assert_eq!(history(&ops).forked().count(), 1);
}

#[test]
fn another_device_cannot_make_it_look_as_if_one_had_forked() {
    let mut ops = run(1, 2);
    ops.insert(0, (id(9, 9), fact(2, 1, Some(ops[0].0))));
    assert_eq!(history(&ops).forked().count(), 0);
}

#[test]
fn heads_are_what_no_other_names() {
    let mut history = history(&run(1, 3));
    let other = id(50, 2);
    history.add(other, &fact(2, 0, None), &[run(1, 3)[2].0]);
    assert_eq!(history.heads(), [other]);
    history.add(id(60, 3), &fact(3, 0, None), &[]);
    assert_eq!(history.heads(), [other, id(60, 3)]);
}

#[test]
fn a_parent_that_arrives_late_is_no_head() {
    let mut history = History::default();
    let (parent, child) = (id(1, 1), id(2, 2));
    history.add(child, &fact(2, 0, None), &[parent]);
    history.add(parent, &fact(1, 0, None), &[]);
    assert_eq!(history.heads(), [child]);
}

#[test]
fn who_has_no_seat_or_certificate_or_epoch_does_not_count() {
    let judged = |fact: Fact, time| {
        let id = id(time, 1);
        verdict_of(&history(&[(id, fact)]), id, &Known::default()).unwrap()
    };
    let author = Wallet([1; 20]);
    assert_eq!(judged(fact(1, 0, None), 1), Verdict::Counts { author, role: Role::Member });
    assert_eq!(judged(fact(101, 0, None), 1), Verdict::Refused(Reason::NoSeat));
    assert_eq!(judged(fact(1, 0, None), 1000), Verdict::Refused(Reason::NoCertificate));
    let nowhere = Fact { epoch: EpochId([9; 16]), ..fact(1, 0, None) };
    assert_eq!(judged(nowhere, 1), Verdict::Refused(Reason::UnknownEpoch));
}

#[test]
fn a_cut_leaves_what_its_heads_reach_and_takes_the_rest() {
    let mut ops = run(1, 4);
    ops.extend(run(2, 2));
    // Written after its wallet came back.
    ops.push((id(90, 1), Fact { epoch: LATER, ..fact(1, 4, Some(ops[3].0)) }));
    let history = history(&ops);
    let cut = |version, heads| {
        let position = Position { version, generation: 1 };
        Known { cut: Some((device(1), Cut { position, heads })) }
    };
    let mut expected = vec![ops[0].0, ops[1].0, ops[4].0, ops[5].0];
    expected.sort_unstable();
    assert_eq!(counting(&history, &cut(3, vec![ops[1].0])), expected);
    expected.push(ops[6].0);
    assert_eq!(counting(&history, &cut(2, vec![ops[1].0])), expected, "the cut is of older epochs");
}

proptest! {
    #[test]
    fn any_order_of_arrival_ends_in_the_same_state(
        shuffled in Just({
            let mut ops = run(1, 6);
            ops.extend(run(2, 6));
            let fork = (id(40, 40), fact(2, 3, Some(ops[8].0)));
            ops.push(fork);
            ops.into_iter().enumerate().collect::<Vec<_>>()
        }).prop_shuffle(),
    ) {
        let straight = {
            let mut ops = shuffled.clone();
            ops.sort_by_key(|(index, _)| *index);
            ops
        };
        let parents_of = |index: usize| -> Vec<OpId> {
            straight.iter().take(index).map(|(_, (id, _))| *id).rev().step_by(3).collect()
        };
        let built = |ops: &[(usize, (OpId, Fact))]| {
            let mut history = History::default();
            for (index, (id, fact)) in ops.iter().chain(ops) {
                history.add(*id, fact, &parents_of(*index));
            }
            history
        };
        let (one, other) = (built(&straight), built(&shuffled));
        prop_assert!(one.ids().eq(other.ids()));
        prop_assert_eq!(one.heads(), other.heads());
        prop_assert_eq!(one.forked().collect::<Vec<_>>(), other.forked().collect::<Vec<_>>());
        for writer in [1, 2] {
            prop_assert_eq!(one.next_of(device(writer)), other.next_of(device(writer)));
            let last = |it: &History| it.last_beyond(device(writer), &[], &|_| true);
            prop_assert_eq!(last(&one), last(&other));
        }
        let cut = Cut {
            position: Position { version: 2, generation: 1 },
            heads: vec![straight[2].1.0, straight[12].1.0],
        };
        let judge = Known { cut: Some((device(2), cut)) };
        prop_assert_eq!(counting(&one, &judge), counting(&other, &judge));
    }
}
