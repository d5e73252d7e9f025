//! What the contract said about wallets, and for how long that stands.
//!
//! The `Communities` contract is the only authority. The chain is asked elsewhere; the
//! [`AccessBook`] decides whom to ask about, keeps the answers within bounds, and never lets
//! silence stand for a yes: while the chain is out of reach, verdicts already given stand with
//! their age, and nobody new is let in.

use crate::id::Wallet;
use crate::time::{Duration, Time};
use std::collections::{BTreeMap, BTreeSet};

/// A wallet's role in a community, as the contract's `access` returns it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// No seat.
    None,
    /// A seat.
    Member,
    /// May add, remove and ban members.
    Moderator,
    /// The one owner.
    Owner,
    /// Shut out, whatever else would let it in.
    Banned,
}

impl Role {
    /// Reads the contract's number (0, 1, 2, 3, 255), or `None` for any other.
    #[must_use]
    pub const fn from_contract(role: u8) -> Option<Self> {
        Some(match role {
            0 => Self::None,
            1 => Self::Member,
            2 => Self::Moderator,
            3 => Self::Owner,
            255 => Self::Banned,
            _ => return None,
        })
    }

    /// The contract's number.
    #[must_use]
    pub const fn to_contract(self) -> u8 {
        match self {
            Self::None => 0,
            Self::Member => 1,
            Self::Moderator => 2,
            Self::Owner => 3,
            Self::Banned => 255,
        }
    }

    /// Whether the wallet may take part.
    #[must_use]
    pub const fn admits(self) -> bool {
        matches!(self, Self::Member | Self::Moderator | Self::Owner)
    }
}

/// What the contract holds about a wallet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Its role in the community.
    pub role: Role,
    /// Certificates issued at or before this moment are void (`deviceCutoff`); the epoch if the
    /// wallet never set one.
    pub device_cutoff: Time,
}

/// A standing, with where and when it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// What the contract said.
    pub standing: Standing,
    /// The block at which it said so.
    pub block: u64,
    /// How many endpoints agreed on it.
    pub sources: u8,
    /// When we learnt it, by our clock.
    pub at: Time,
}

/// The chain's answer to one [`Batch`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessAnswer {
    /// One standing for each wallet asked about, in that order.
    pub standings: Vec<Standing>,
    /// The block at which all were read.
    pub block: u64,
    /// How many endpoints agreed.
    pub sources: u8,
}

/// Wallets to ask the chain about, in one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// To be named in the answer.
    pub request: u32,
    /// Whom to ask about; never empty, at most [`AccessBook::MAX_BATCH`].
    pub wallets: Vec<Wallet>,
}

/// Verdicts and open questions about wallets.
#[derive(Debug, Default)]
pub struct AccessBook {
    verdicts: BTreeMap<Wallet, Verdict>,
    wanted: BTreeSet<Wallet>,
    in_flight: Option<Batch>,
    last_asked: Option<Time>,
    failures: u32,
    next_request: u32,
    version: u64,
    again_at: Option<Time>,
}

impl AccessBook {
    /// The most wallets asked about in one call.
    pub const MAX_BATCH: usize = 100;
    /// The most verdicts and questions kept; more questions are not taken until some are answered.
    pub const MAX_WALLETS: usize = 4096;
    /// How long a refusal stands before the chain is asked again.
    pub const REFUSAL_STANDS: Duration = Duration::from_secs(60);
    /// How old a seat's verdict may grow before [`Self::refresh`] has it asked for again, since
    /// device cutoffs change without a new version. It stands meanwhile.
    pub const SEAT_STANDS: Duration = Duration::from_secs(600);
    /// How far the block at which roles are read may be behind the one that showed a new version.
    pub const LAG: Duration = Duration::from_secs(20);
    /// The shortest time between two calls; it doubles with each failure, five times at most.
    pub const PACE: Duration = Duration::from_secs(1);

    /// The verdict that stands at `now`, if any.
    #[must_use]
    pub fn verdict(&self, wallet: Wallet, now: Time) -> Option<Verdict> {
        self.verdicts.get(&wallet).copied().filter(|verdict| {
            verdict.standing.role.admits() || now.since(verdict.at) < Self::REFUSAL_STANDS
        })
    }

    /// Puts a wallet on the list of those to ask about. Returns whether it is on it now.
    pub fn want(&mut self, wallet: Wallet) -> bool {
        let asked = self.in_flight.as_ref().is_some_and(|batch| batch.wallets.contains(&wallet));
        if asked || self.wanted.contains(&wallet) {
            return true;
        }
        if self.wanted.len() >= Self::MAX_WALLETS {
            return false;
        }
        self.wanted.insert(wallet);
        true
    }

    /// Asks about a wallet again, whatever is known of it, and without waiting for the pace.
    pub fn recheck(&mut self, wallet: Wallet) {
        (self.failures, self.last_asked) = (0, None);
        self.want(wallet);
    }

    /// Asks again about a wallet that has a seat, if its verdict is old.
    pub fn refresh(&mut self, wallet: Wallet, now: Time) {
        if self.verdicts.get(&wallet).is_some_and(|v| now.since(v.at) >= Self::SEAT_STANDS) {
            self.want(wallet);
        }
    }

    /// The version of the community that was heard of last.
    #[must_use]
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// Hears of a version, by the word of one endpoint. If it is another than before, all seats
    /// are to be asked about again, twice: at once, and when the block that showed the change is
    /// old enough for everyone. Until then the old verdicts stand; refusals do not. Returns
    /// whether it was another.
    ///
    /// A version that is lower counts too: else one endpoint that names too high a number would
    /// keep all later changes from being noticed.
    pub fn hear_version(&mut self, version: u64, now: Time) -> bool {
        let changed = version != self.version;
        if changed {
            self.version = version;
            self.verdicts.retain(|_, verdict| verdict.standing.role.admits());
            self.want_all();
            self.again_at = Some(now + Self::LAG);
        }
        changed
    }

    /// Also those that are being asked about: the answer on its way may be from before.
    fn want_all(&mut self) {
        let asked = self.in_flight.iter().flat_map(|batch| &batch.wallets);
        self.wanted.extend(self.verdicts.keys().chain(asked));
    }

    /// The next call to make at `now`: one at a time, at most one a second.
    pub fn next_batch(&mut self, now: Time) -> Option<Batch> {
        if self.again_at.take_if(|at| *at <= now).is_some() {
            self.want_all();
        }
        let paced = self.last_asked.is_none_or(|last| now.since(last) >= self.pace());
        if self.in_flight.is_some() || self.wanted.is_empty() || !paced {
            return None;
        }
        let wallets: Vec<_> = self.wanted.iter().copied().take(Self::MAX_BATCH).collect();
        for wallet in &wallets {
            self.wanted.remove(wallet);
        }
        self.next_request = self.next_request.wrapping_add(1);
        self.last_asked = Some(now);
        let batch = Batch { request: self.next_request, wallets };
        self.in_flight = Some(batch.clone());
        Some(batch)
    }

    /// When [`Self::next_batch`] may have something again.
    #[must_use]
    pub fn wake_at(&self) -> Option<Time> {
        let waiting = !self.wanted.is_empty() && self.in_flight.is_none();
        let ask = waiting.then(|| self.last_asked.map_or(Time::default(), |l| l + self.pace()));
        [ask, self.again_at].into_iter().flatten().min()
    }

    fn pace(&self) -> Duration {
        Self::PACE * (1 << self.failures.min(5))
    }

    /// Takes the chain's answer, or its failure, to a batch. Returns the wallets that now have a
    /// new verdict. After a failure the wallets are asked about again.
    pub fn answer(&mut self, request: u32, answer: Option<AccessAnswer>, now: Time) -> Vec<Wallet> {
        let Some(batch) = self.in_flight.take_if(|batch| batch.request == request) else {
            return Vec::new();
        };
        let Some(answer) = answer.filter(|answer| answer.standings.len() == batch.wallets.len())
        else {
            self.failures += 1;
            self.wanted.extend(batch.wallets);
            return Vec::new();
        };
        self.failures = 0;
        let AccessAnswer { standings, block, sources } = answer;
        for (wallet, standing) in batch.wallets.iter().zip(standings) {
            if self.verdicts.len() >= Self::MAX_WALLETS && !self.verdicts.contains_key(wallet) {
                self.forget_oldest();
            }
            self.verdicts.insert(*wallet, Verdict { standing, block, sources, at: now });
        }
        batch.wallets
    }

    /// Makes room: refusals go before seats, lest strangers push members out.
    fn forget_oldest(&mut self) {
        let rank = |verdict: &Verdict| (verdict.standing.role.admits(), verdict.at);
        let oldest = self.verdicts.iter().min_by_key(|(_, verdict)| rank(verdict)).map(|(w, _)| *w);
        if let Some(wallet) = oldest {
            self.verdicts.remove(&wallet);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALICE: Wallet = Wallet([1; 20]);
    const BOB: Wallet = Wallet([2; 20]);

    fn answer(roles: &[Role]) -> Option<AccessAnswer> {
        let standing = |role: &Role| Standing { role: *role, device_cutoff: Time::default() };
        Some(AccessAnswer { standings: roles.iter().map(standing).collect(), block: 9, sources: 2 })
    }

    fn book_with(wallet: Wallet, role: Role, now: Time) -> AccessBook {
        let mut book = AccessBook::default();
        book.want(wallet);
        let batch = book.next_batch(now).unwrap();
        assert_eq!(book.answer(batch.request, answer(&[role]), now), [wallet]);
        book
    }

    #[test]
    fn a_refusal_stands_for_a_minute_and_a_seat_until_the_version_rises() {
        let now = Time::from_secs(1000);
        let refused = book_with(ALICE, Role::None, now);
        assert!(refused.verdict(ALICE, now + Duration::from_secs(59)).is_some());
        assert!(refused.verdict(ALICE, now + Duration::from_secs(60)).is_none());
        let mut seated = book_with(ALICE, Role::Member, now);
        let later = now + Duration::from_secs(3600);
        assert!(seated.verdict(ALICE, later).is_some());
        assert_eq!(seated.next_batch(later), None);
        assert!(seated.hear_version(5, later));
        assert!(!seated.hear_version(5, later));
        assert_eq!(seated.next_batch(later).map(|b| b.wallets), Some(vec![ALICE]));
        assert!(seated.verdict(ALICE, later).is_some(), "the old verdict stands until the answer");
    }

    #[test]
    fn a_new_version_is_looked_into_twice_since_roles_are_read_at_older_blocks() {
        let now = Time::from_secs(1000);
        let mut book = book_with(ALICE, Role::Member, now);
        book.hear_version(5, now);
        let first = book.next_batch(now + AccessBook::PACE).unwrap();
        book.answer(first.request, answer(&[Role::Member]), now + AccessBook::PACE);
        let again = book.wake_at().unwrap();
        assert_eq!(again, now + AccessBook::LAG);
        let second = book.next_batch(again).unwrap();
        book.answer(second.request, answer(&[Role::None]), again);
        assert_eq!(book.verdict(ALICE, again).map(|v| v.standing.role), Some(Role::None));
        assert_eq!(book.wake_at(), None);
    }

    #[test]
    fn an_answer_on_its_way_when_the_version_changes_is_asked_for_again() {
        let now = Time::from_secs(1000);
        let mut book = AccessBook::default();
        book.want(ALICE);
        let early = book.next_batch(now).unwrap();
        book.hear_version(5, now);
        book.answer(early.request, answer(&[Role::Member]), now);
        let next = book.next_batch(now + AccessBook::PACE).unwrap();
        assert_eq!(next.wallets, [ALICE]);
    }

    #[test]
    fn one_endpoint_that_names_too_high_a_version_hides_no_later_change() {
        let now = Time::from_secs(1000);
        let mut book = book_with(ALICE, Role::Member, now);
        assert!(book.hear_version(u64::MAX, now));
        assert!(book.hear_version(6, now));
    }

    #[test]
    fn strangers_push_no_member_out_of_the_book() {
        let now = Time::from_secs(1000);
        let mut book = book_with(ALICE, Role::Member, now);
        let mut later = now;
        for number in 0..=AccessBook::MAX_WALLETS as u64 {
            let mut stranger = [7; 20];
            stranger[..8].copy_from_slice(&number.to_be_bytes());
            later = later + AccessBook::PACE;
            book.want(Wallet(stranger));
            let batch = book.next_batch(later).unwrap();
            book.answer(batch.request, answer(&[Role::None]), later);
        }
        assert_eq!(book.verdicts.len(), AccessBook::MAX_WALLETS);
        assert!(book.verdict(ALICE, later).is_some());
    }

    #[test]
    fn questions_travel_together_one_call_a_second() {
        let now = Time::from_secs(1000);
        let mut book = AccessBook::default();
        book.want(ALICE);
        book.want(BOB);
        let batch = book.next_batch(now).unwrap();
        assert_eq!(batch.wallets, [ALICE, BOB]);
        book.want(Wallet([3; 20]));
        assert_eq!(book.next_batch(now + Duration::from_secs(5)), None, "one call at a time");
        book.answer(batch.request, answer(&[Role::Member, Role::None]), now);
        assert_eq!(book.next_batch(now + Duration::from_millis(999)), None);
        assert!(book.next_batch(book.wake_at().unwrap()).is_some());
    }

    #[test]
    fn silence_and_answers_of_the_wrong_length_decide_nothing() {
        let now = Time::from_secs(1000);
        let mut book = AccessBook::default();
        book.want(ALICE);
        let first = book.next_batch(now).unwrap();
        assert!(book.answer(first.request, None, now).is_empty());
        assert_eq!(book.next_batch(now + AccessBook::PACE), None, "slower after a failure");
        let second = book.next_batch(now + AccessBook::PACE * 2).unwrap();
        assert!(book.answer(first.request, answer(&[Role::Owner]), now).is_empty(), "too late");
        assert!(book.answer(second.request, answer(&[Role::Owner, Role::Owner]), now).is_empty());
        assert_eq!(book.verdict(ALICE, now), None);
    }

    #[test]
    fn only_the_contracts_numbers_are_roles() {
        let known: Vec<u8> = (0..=255).filter(|n| Role::from_contract(*n).is_some()).collect();
        assert_eq!(known, [0, 1, 2, 3, 255]);
        for number in known {
            assert_eq!(Role::from_contract(number).map(Role::to_contract), Some(number));
        }
    }
}
