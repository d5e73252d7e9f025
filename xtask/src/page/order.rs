//! In which order the functions of a module compress best.
//!
//! Deflate sees 32 KiB back. A function that resembles another costs little when the other stands
//! in that window and its full size when it does not, and generic code gives hundreds of functions
//! that resemble each other. So each function is followed by the one that shares most with what
//! the window holds.

use std::collections::VecDeque;

/// Bytes that must be equal to count as something shared.
const GRAM: usize = 6;

/// What more functions than this share tells nothing about which belong together.
const MOST: usize = 80;

/// Bytes of code that count as being in the window. Less than deflate's: distances near its end
/// cost more bits.
const WINDOW: usize = 20_000;

/// Added to a function's size, so that tiny ones, which share all they have with anything, wait.
const SMALL: u64 = 20;

/// The places of `bodies` in the order they should be written in. The same bodies give the same
/// order on every machine.
pub(super) fn for_deflate(bodies: &[&[u8]]) -> Vec<usize> {
    let shared = Shared::new(bodies);
    let mut by_size: Vec<usize> = (0..bodies.len()).collect();
    by_size.sort_by_key(|&place| std::cmp::Reverse(bodies[place].len()));
    let mut largest = by_size.into_iter();

    let mut window = Window::new(&shared);
    let mut placed = vec![false; bodies.len()];
    // Those not placed yet that share, or shared a while ago, something with the window.
    let mut near: Vec<usize> = Vec::new();
    let mut order = Vec::with_capacity(bodies.len());
    while order.len() < bodies.len() {
        near.retain(|&place| !placed[place] && window.score[place] > 0);
        let best = near.iter().copied().max_by_key(|&place| {
            let (score, size) = (window.score[place], bodies[place].len() as u64);
            // Shared per root of the size: a large function with much in common comes before a
            // small one that is all in common, but does not always win.
            (score * score * 1_000_000 / (size + SMALL), std::cmp::Reverse(place))
        });
        let Some(next) = best.or_else(|| largest.find(|&place| !placed[place])) else { break };
        placed[next] = true;
        order.push(next);
        window.push(next, bodies[next].len(), &mut near);
    }
    order
}

/// Which functions share which runs of [`GRAM`] bytes.
struct Shared {
    /// For each function, the runs it has, by number.
    runs: Vec<Vec<usize>>,
    /// For each run, the functions that have it.
    functions: Vec<Vec<usize>>,
}

impl Shared {
    fn new(bodies: &[&[u8]]) -> Self {
        let mut found = Vec::new();
        for (place, body) in bodies.iter().enumerate() {
            found.extend(body.windows(GRAM).map(|run| (run, place)));
        }
        found.sort_unstable();
        found.dedup();
        let mut shared = Self { runs: vec![Vec::new(); bodies.len()], functions: Vec::new() };
        for same in found.chunk_by(|one, other| one.0 == other.0) {
            if (2..=MOST).contains(&same.len()) {
                for (_, place) in same {
                    shared.runs[*place].push(shared.functions.len());
                }
                shared.functions.push(same.iter().map(|(_, place)| *place).collect());
            }
        }
        shared
    }
}

/// The functions that were placed last.
struct Window<'a> {
    shared: &'a Shared,
    /// With their sizes, the oldest first.
    held: VecDeque<(usize, usize)>,
    size: usize,
    /// How many functions of the window have each run.
    count: Vec<usize>,
    /// How many of each function's runs the window has.
    score: Vec<u64>,
}

impl<'a> Window<'a> {
    fn new(shared: &'a Shared) -> Self {
        let (count, score) = (vec![0; shared.functions.len()], vec![0; shared.runs.len()]);
        Self { shared, held: VecDeque::new(), size: 0, count, score }
    }

    /// Adds a function and lets go of the oldest. Those that begin to share something with the
    /// window are added to `near`.
    fn push(&mut self, place: usize, size: usize, near: &mut Vec<usize>) {
        self.held.push_back((place, size));
        self.size += size;
        for &run in &self.shared.runs[place] {
            self.count[run] += 1;
            if self.count[run] == 1 {
                for &other in &self.shared.functions[run] {
                    if self.score[other] == 0 {
                        near.push(other);
                    }
                    self.score[other] += 1;
                }
            }
        }
        while self.size > WINDOW && self.held.len() > 1 {
            let Some((old, size)) = self.held.pop_front() else { break };
            self.size -= size;
            for &run in &self.shared.runs[old] {
                self.count[run] -= 1;
                if self.count[run] == 0 {
                    for &other in &self.shared.functions[run] {
                        self.score[other] -= 1;
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes that repeat nothing, different for each seed.
    fn noise(seed: u32, length: usize) -> Vec<u8> {
        let mut state = seed.wrapping_mul(2_654_435_761) | 1;
        let next = || {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            state.to_le_bytes()[1]
        };
        std::iter::repeat_with(next).take(length).collect()
    }

    #[test]
    fn what_is_alike_is_brought_together() {
        let bodies: Vec<Vec<u8>> = (0..60)
            .map(|number| [noise(number % 20, 2_000), noise(100 + number, 10)].concat())
            .collect();
        let bodies: Vec<&[u8]> = bodies.iter().map(Vec::as_slice).collect();
        let order = for_deflate(&bodies);
        for three in order.chunks(3) {
            assert!(three.iter().all(|place| place % 20 == three[0] % 20), "{order:?}");
        }
    }

    #[test]
    fn each_function_is_placed_once() {
        let bodies: Vec<Vec<u8>> =
            (0..300).map(|number| noise(number % 7, number as usize % 50)).collect();
        let bodies: Vec<&[u8]> = bodies.iter().map(Vec::as_slice).collect();
        let mut order = for_deflate(&bodies);
        order.sort_unstable();
        assert_eq!(order, (0..300).collect::<Vec<_>>());
    }
}
