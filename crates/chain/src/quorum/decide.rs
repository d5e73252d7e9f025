//! Which of several answers counts.

use super::Problem;
use alloy_primitives::Bytes;
use chats_core::time::Time;

/// What an endpoint may validly say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome<T> {
    /// The contract returned something well-formed.
    Value(T),
    /// The contract reverted with this error.
    Reverted(Bytes),
    /// The contract returned nothing, as an address without code does.
    Nothing,
}

/// The endpoints that say the same, and the block time by the word of the first.
struct Camp<T> {
    outcome: Outcome<T>,
    timestamp: Time,
    names: Vec<String>,
}

/// The outcome that more endpoints than any other, and at least `need`, agree on, its block's
/// time, and how many agree. Those that said something else are added to `problems`; all, if
/// nothing is decided.
pub(super) fn decide<T: PartialEq>(
    outcomes: Vec<(String, (Outcome<T>, Time))>,
    need: usize,
    problems: &mut Vec<(String, Problem)>,
) -> Option<((Outcome<T>, Time), usize)> {
    let mut camps: Vec<Camp<T>> = Vec::new();
    for (name, (outcome, timestamp)) in outcomes {
        match camps.iter_mut().find(|camp| camp.outcome == outcome) {
            Some(camp) => camp.names.push(name),
            None => camps.push(Camp { outcome, timestamp, names: vec![name] }),
        }
    }
    let most = camps.iter().map(|camp| camp.names.len()).max().unwrap_or_default();
    let ahead = camps.iter().filter(|camp| camp.names.len() == most).count() == 1;
    // One answer that too few gave is contradicted by nobody.
    let contradicted = camps.len() > 1;
    let mut winner = None;
    for Camp { outcome, timestamp, names } in camps {
        if ahead && most >= need && names.len() == most {
            winner = Some(((outcome, timestamp), most));
        } else if contradicted {
            problems.extend(names.into_iter().map(|name| (name, Problem::Differs)));
        }
    }
    winner
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(said: &[u8], need: usize) -> (Option<(u8, usize)>, Vec<String>) {
        let outcomes = said.iter().enumerate();
        let outcomes = outcomes.map(|(i, v)| (i.to_string(), (Outcome::Value(*v), Time(0))));
        let mut problems = Vec::new();
        let winner =
            decide(outcomes.collect(), need, &mut problems).map(|((outcome, _), agree)| {
                let Outcome::Value(value) = outcome else { unreachable!("only values went in") };
                (value, agree)
            });
        (winner, problems.into_iter().map(|(name, _)| name).collect())
    }

    #[test]
    fn the_most_said_wins_and_the_others_are_named() {
        assert_eq!(run(&[1, 2, 1], 2), (Some((1, 2)), vec!["1".to_owned()]));
        assert_eq!(run(&[2, 1, 1, 2, 1], 2).0, Some((1, 3)));
        assert_eq!(run(&[7], 1), (Some((7, 1)), vec![]));
    }

    #[test]
    fn a_draw_decides_nothing_and_names_all() {
        let (winner, named) = run(&[1, 1, 2, 2], 2);
        assert_eq!((winner, named.len()), (None, 4));
        assert_eq!(run(&[1, 2], 2).0, None);
    }

    #[test]
    fn one_where_two_are_needed_decides_nothing_and_accuses_nobody() {
        assert_eq!(run(&[1], 2), (None, vec![]));
    }

    #[test]
    fn a_revert_and_a_value_are_not_the_same() {
        let said = vec![
            ("a".to_owned(), (Outcome::Value(1), Time(0))),
            ("b".to_owned(), (Outcome::Reverted(Bytes::new()), Time(0))),
        ];
        assert_eq!(decide(said, 2, &mut Vec::new()), None);
    }
}
