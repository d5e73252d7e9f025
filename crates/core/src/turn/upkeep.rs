//! When relays are asked for the use of their TURN servers, and when again.
//!
//! Whoever is in a meeting has a grant at hand, since sound has to find its way within seconds
//! where no direct path leads. It is renewed before it ends: the relay then keeps what was
//! allocated with the one before.

use super::TurnGrant;
use crate::time::{Duration, Time};

/// How long before a grant ends the next one is asked for.
const AHEAD: Duration = Duration::from_secs(5 * 60);
/// How long after a question in vain the next one is put, twice as long after each.
const PAUSE: Duration = Duration::from_secs(30);
/// How often that wait is doubled.
const MAX_DOUBLINGS: u32 = 3;
/// How long an answer may take: several relays are asked, one after the other.
const PATIENCE: Duration = Duration::from_secs(90);

/// What is known of the relays' grants.
#[derive(Debug, Default)]
pub(crate) struct Upkeep {
    /// Once there was a use for a grant, there always is one at hand.
    wanted: bool,
    /// When the last question was put.
    asked: Option<Time>,
    /// It was not answered yet.
    waiting: bool,
    /// A relay came that it may not have reached.
    missed: bool,
    /// When the next one is due.
    next: Time,
    /// How many questions in a row were in vain.
    in_vain: u32,
    /// The servers of the last grant.
    urls: Vec<String>,
}

impl Upkeep {
    /// There is a use for a grant.
    pub(crate) const fn want(&mut self) {
        self.wanted = true;
    }

    /// Whether to put a question now.
    pub(crate) fn ask(&mut self, now: Time) -> bool {
        let due = self.wake_at().is_some_and(|at| at <= now);
        if due {
            (self.asked, self.waiting, self.missed) = (Some(now), true, false);
        }
        due
    }

    /// A relay granted its TURN server. Returns whether it is another one than before.
    pub(crate) fn granted(&mut self, grant: &TurnGrant, now: Time) -> bool {
        let lasts = Duration::from_secs(grant.lasts.into());
        // Nobody is asked without end, however short what is granted.
        self.next = now + lasts.saturating_sub(AHEAD.min(lasts / 2)).max(PAUSE);
        (self.waiting, self.in_vain) = (false, 0);
        let before = std::mem::replace(&mut self.urls, grant.urls.clone());
        before != self.urls
    }

    /// No relay grants anything.
    pub(crate) fn refused(&mut self, now: Time) {
        let pause = PAUSE * 2_u32.pow(self.in_vain.min(MAX_DOUBLINGS));
        self.next = if self.missed { now } else { now + pause };
        self.in_vain = self.in_vain.saturating_add(1);
        self.waiting = false;
    }

    /// A relay came into use. It may grant what others did not; and one that was started anew no
    /// longer knows what it granted before.
    pub(crate) fn relay_came(&mut self, now: Time) {
        let again = self.asked.filter(|_| self.in_vain == 0).map(|asked| asked + PAUSE);
        self.next = self.next.min(again.unwrap_or(now));
        self.missed = true;
    }

    /// When there is something to ask.
    pub(crate) fn wake_at(&self) -> Option<Time> {
        let unanswered = self.asked.filter(|_| self.waiting).map(|asked| asked + PATIENCE);
        self.wanted.then(|| unanswered.unwrap_or(self.next))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::NOW;

    const SECOND: Duration = Duration::from_secs(1);
    const MINUTE: Duration = Duration::from_secs(60);

    fn grant(host: &str, lasts: u32) -> TurnGrant {
        TurnGrant {
            urls: vec![format!("turn:{host}")],
            username: "1767229200:12D3KooWGzBh".to_owned(),
            credential: "dGhpcyBpcyBub3QgYSBzZWNyZXQ=".to_owned(),
            lasts,
        }
    }

    /// One that has put its first question.
    fn asking() -> Upkeep {
        let mut upkeep = Upkeep::default();
        upkeep.want();
        assert!(upkeep.ask(NOW));
        upkeep
    }

    /// When the next question is put, after `from`.
    fn next(upkeep: &mut Upkeep, from: Time) -> Time {
        let at = upkeep.wake_at().unwrap();
        assert!(at > from && !upkeep.ask(Time(at.0 - 1)) && upkeep.ask(at));
        at
    }

    #[test]
    fn nobody_is_asked_before_there_is_a_use_for_it_and_then_at_once_and_once() {
        let mut upkeep = Upkeep::default();
        assert!(upkeep.wake_at().is_none() && !upkeep.ask(NOW));
        upkeep.want();
        assert!(upkeep.ask(NOW) && !upkeep.ask(NOW));
    }

    #[test]
    fn a_grant_is_renewed_five_minutes_before_each_end() {
        let mut upkeep = asking();
        let mut now = NOW;
        for _ in 0..30 {
            upkeep.granted(&grant("a", 3600), now);
            let renewed = next(&mut upkeep, now);
            assert_eq!(renewed.since(now), MINUTE * 55);
            now = renewed;
        }
    }

    #[test]
    fn a_short_grant_is_renewed_at_half_its_time_and_never_without_pause() {
        for (lasts, wait) in [(300, 150), (60, 30), (1, 30)] {
            let mut upkeep = asking();
            upkeep.granted(&grant("a", lasts), NOW);
            assert_eq!(next(&mut upkeep, NOW).since(NOW), SECOND * wait);
        }
    }

    #[test]
    fn a_renewal_in_vain_is_tried_again_while_the_grant_lasts() {
        let mut upkeep = asking();
        upkeep.granted(&grant("a", 3600), NOW);
        let ends = NOW + MINUTE * 60;
        let mut now = next(&mut upkeep, NOW);
        let mut tries = 0;
        while now < ends {
            upkeep.refused(now);
            now = next(&mut upkeep, now);
            tries += 1;
        }
        assert!(tries >= 4, "{tries}");
    }

    #[test]
    fn questions_in_vain_become_rarer_and_never_end() {
        let mut upkeep = asking();
        let mut now = NOW;
        let waits: Vec<_> = (0..6)
            .map(|_| {
                upkeep.refused(now);
                let before = now;
                now = next(&mut upkeep, now);
                now.since(before).as_secs()
            })
            .collect();
        assert_eq!(waits, [30, 60, 120, 240, 240, 240]);
        upkeep.granted(&grant("a", 3600), now);
        now = next(&mut upkeep, now);
        upkeep.refused(now);
        assert_eq!(next(&mut upkeep, now).since(now), PAUSE, "a grant makes up for all");
    }

    #[test]
    fn a_question_that_is_never_answered_is_put_again() {
        let mut upkeep = asking();
        assert_eq!(next(&mut upkeep, NOW).since(NOW), PATIENCE);
    }

    #[test]
    fn a_relay_that_comes_is_asked_at_once_where_others_granted_nothing() {
        let mut upkeep = asking();
        upkeep.refused(NOW);
        let now = NOW + SECOND;
        upkeep.relay_came(now);
        assert!(upkeep.ask(now));
    }

    #[test]
    fn a_relay_that_comes_while_others_are_asked_in_vain_is_asked_at_once() {
        let mut upkeep = asking();
        upkeep.relay_came(NOW);
        assert!(!upkeep.ask(NOW + SECOND), "the others may grant yet");
        upkeep.refused(NOW + SECOND);
        assert!(upkeep.ask(NOW + SECOND));
        upkeep.refused(NOW + SECOND * 2);
        assert!(!upkeep.ask(NOW + SECOND * 3));
    }

    #[test]
    fn a_relay_that_comes_is_asked_soon_where_there_is_a_grant() {
        let mut upkeep = asking();
        upkeep.granted(&grant("a", 3600), NOW);
        upkeep.relay_came(NOW + SECOND);
        assert_eq!(next(&mut upkeep, NOW).since(NOW), PAUSE);
        // One that comes while another is asked changes nothing.
        upkeep.relay_came(NOW + PAUSE);
        assert!(!upkeep.ask(NOW + PAUSE + SECOND));
    }

    #[test]
    fn other_servers_than_before_are_told_from_the_same() {
        let mut upkeep = asking();
        assert!(upkeep.granted(&grant("a", 3600), NOW));
        assert!(!upkeep.granted(&grant("a", 3600), NOW));
        assert!(upkeep.granted(&grant("b", 3600), NOW));
    }
}
