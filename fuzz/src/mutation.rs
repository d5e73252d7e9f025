//! Changes inputs at random, from a seed: what libFuzzer does, without its knowledge of which code
//! an input reaches, and with any compiler.

/// The longest input that is made, in bytes.
const MAX_LENGTH: usize = 20_000;
/// The most changes to one input.
const MAX_CHANGES: u64 = 8;
/// Numbers that lie at the edges of how CBOR and others write lengths.
const EDGES: [u8; 14] =
    [0, 1, 0x17, 0x18, 0x19, 0x1a, 0x1b, 0x3f, 0x40, 0x7f, 0x80, 0x9f, 0xf6, 0xff];

/// Random numbers (splitmix64): the same ones for the same seed, on every machine.
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    /// The dice of the input of this number, of this decoder, in a run with this seed.
    #[must_use]
    pub fn new(seed: u64, decoder: &str, number: u64) -> Self {
        let mut dice = Self(seed);
        for byte in decoder.bytes().chain(number.to_be_bytes()) {
            dice.0 = dice.next() ^ u64::from(byte);
        }
        dice
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`, or 0 if there is none.
    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % (end as u64).max(1)).unwrap_or_default()
    }

    fn byte(&mut self) -> u8 {
        let [byte, ..] = self.next().to_le_bytes();
        byte
    }

    fn pick<'a, T>(&mut self, of: &'a [T]) -> Option<&'a T> {
        of.get(self.below(of.len()))
    }
}

/// An input that nobody has tried: one of the known ones, changed.
#[must_use]
pub fn input(dice: &mut Dice, known: &[Vec<u8>]) -> Vec<u8> {
    let mut input = dice.pick(known).cloned().unwrap_or_default();
    // One change is the likeliest.
    let changes = (dice.next() % (MAX_CHANGES * MAX_CHANGES)).isqrt();
    for _ in 0..MAX_CHANGES - changes {
        let other = dice.pick(known).map(Vec::as_slice).unwrap_or_default();
        change(dice, &mut input, other);
    }
    input.truncate(MAX_LENGTH);
    input
}

fn change(dice: &mut Dice, input: &mut Vec<u8>, other: &[u8]) {
    let at = dice.below(input.len() + 1);
    let longest = if dice.next().is_multiple_of(4) { 256 } else { 8 };
    let length = 1 + dice.below(longest);
    let end = (at + length).min(input.len());
    match dice.next() % 10 {
        0 => flip(input, at, 1 << (dice.next() % 8)),
        1 => flip(input, at, dice.byte()),
        2 => set(input, at, dice.pick(&EDGES).copied().unwrap_or_default()),
        // A number a little greater or less.
        3 => {
            let by = dice.byte() % 9;
            let value = input.get(at).map_or(0, |byte| byte.wrapping_add(by).wrapping_sub(4));
            set(input, at, value);
        }
        4 => drop(input.drain(at..end)),
        5 => input.truncate(at),
        6 => {
            let new: Vec<u8> = (0..length).map(|_| dice.byte()).collect();
            input.splice(at..at, new);
        }
        // The same once more.
        7 => {
            let copy = input.get(at..end).unwrap_or_default().to_vec();
            input.splice(at..at, copy);
        }
        // A piece of another one, put in or over what is there.
        8 => {
            let from = dice.below(other.len());
            let piece = other.iter().skip(from).take(length).copied().collect::<Vec<_>>();
            let over = if dice.next().is_multiple_of(2) { at } else { end };
            input.splice(at..over, piece);
        }
        // This one up to here, the other one from somewhere on.
        _ => {
            let from = dice.below(other.len());
            input.truncate(at);
            input.extend(other.iter().skip(from));
        }
    }
}

fn flip(input: &mut [u8], at: usize, bits: u8) {
    input.get_mut(at).into_iter().for_each(|byte| *byte ^= bits);
}

fn set(input: &mut [u8], at: usize, value: u8) {
    input.get_mut(at).into_iter().for_each(|byte| *byte = value);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_makes_the_same_inputs_and_others_make_others() {
        let known = [b"one".to_vec(), vec![7; 300], Vec::new()];
        let all = |seed: u64, decoder: &str| -> Vec<_> {
            (0..500).map(|number| input(&mut Dice::new(seed, decoder, number), &known)).collect()
        };
        assert_eq!(all(1, "op"), all(1, "op"));
        assert_ne!(all(1, "op"), all(2, "op"));
        assert_ne!(all(1, "op"), all(1, "sync"));
        let mut different = all(1, "op");
        different.sort();
        different.dedup();
        assert!(different.len() > 300, "only {} different inputs of 500", different.len());
        assert!(different.iter().all(|input| input.len() <= MAX_LENGTH));
    }
}
