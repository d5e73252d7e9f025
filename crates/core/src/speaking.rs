//! Whether somebody speaks, from how loud they are.

use crate::time::{Duration, Time};

/// Louder than this (root mean square, 1 is full scale) is speech.
const ON: f32 = 0.02;
/// Quieter than this is silence; in between, what was stays.
const OFF: f32 = 0.01;
/// How long silence must last: people pause between words.
const HANG: Duration = Duration::from_millis(400);

/// Turns levels into "speaks" and "does not", without flicker.
#[derive(Debug, Clone, Default)]
pub struct Speaking {
    speaks: bool,
    loud: Time,
}

impl Speaking {
    /// Takes the level at `now` and says whether they speak.
    pub fn hear(&mut self, rms: f32, now: Time) -> bool {
        if rms > ON || (self.speaks && rms > OFF) {
            self.speaks = true;
            self.loud = now;
        } else if now.since(self.loud) >= HANG {
            self.speaks = false;
        }
        self.speaks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_between_words_is_not_the_end_of_speech() {
        let mut speaking = Speaking::default();
        let at = |millis: u64| Time(1_000_000 + millis);
        assert!(!speaking.hear(0.015, at(0)), "not loud enough to begin");
        assert!(speaking.hear(0.1, at(50)));
        assert!(speaking.hear(0.015, at(100)), "loud enough to go on");
        assert!(speaking.hear(0.0, at(400)));
        assert!(!speaking.hear(0.0, at(500)));
    }
}
