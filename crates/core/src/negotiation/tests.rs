use super::*;
use proptest::prelude::*;

fn offer(sdp: &str) -> Description {
    Description { kind: DescriptionKind::Offer, sdp: sdp.to_owned() }
}

fn answer(sdp: &str) -> Description {
    Description { kind: DescriptionKind::Answer, sdp: sdp.to_owned() }
}

fn candidate(line: &str) -> Candidate {
    Candidate { line: line.to_owned(), mid: None, line_index: Some(0) }
}

fn steps(negotiation: &mut Negotiation) -> Vec<Step> {
    std::iter::from_fn(|| negotiation.poll()).collect()
}

#[test]
fn an_offer_is_made_sent_and_settled_by_its_answer() {
    let mut caller = Negotiation::new(true);
    caller.begin();
    caller.needed();
    assert_eq!(steps(&mut caller), [Step::Describe]);
    caller.described(offer("a"));
    assert_eq!(steps(&mut caller), [Step::SendDescription(offer("a"))]);
    assert!(caller.receive(answer("b")));
    assert_eq!(steps(&mut caller), [Step::Apply(answer("b"))]);
    caller.applied(DescriptionKind::Answer);
    caller.needed();
    assert_eq!(steps(&mut caller), [Step::Describe], "a second exchange may begin");
}

#[test]
fn candidates_wait_for_the_description_they_belong_to() {
    let mut callee = Negotiation::new(false);
    assert!(callee.receive_candidate(candidate("early")));
    assert!(callee.receive(offer("a")));
    assert!(callee.receive_candidate(candidate("while applying")));
    assert_eq!(steps(&mut callee), [Step::Apply(offer("a"))]);
    callee.applied(DescriptionKind::Offer);
    assert_eq!(
        steps(&mut callee),
        [
            Step::Describe,
            Step::AddCandidate(candidate("early")),
            Step::AddCandidate(candidate("while applying"))
        ]
    );
}

#[test]
fn the_side_that_makes_no_offers_asks_for_them() {
    let mut asks = Negotiation::new(false);
    asks.begin();
    asks.needed();
    assert_eq!(steps(&mut asks), [Step::Ask]);
    assert!(asks.asked());
    assert!(asks.receive(offer("a")));
    assert!(!asks.asked());
    asks.applied(DescriptionKind::Offer);
    asks.described(answer("b"));
    steps(&mut asks);
    asks.renew();
    assert_eq!(steps(&mut asks), [Step::Ask]);
    assert!(!asks.receive_ask());
}

#[test]
fn an_offer_that_is_on_its_way_serves_who_asks_for_one() {
    let mut offers = Negotiation::new(true);
    assert!(!offers.receive_ask(), "the first one comes by itself");
    offers.needed();
    assert!(!offers.receive_ask());
    offers.described(offer("a"));
    assert!(!offers.receive_ask());
    assert!(offers.receive(answer("b")));
    assert!(offers.receive_ask(), "what the other side wants now is not in its answer");
    offers.applied(DescriptionKind::Answer);
    assert!(offers.receive_ask());
    steps(&mut offers);
    offers.renew();
    assert_eq!(steps(&mut offers), [Step::Restart]);
}

#[test]
fn offers_are_refused_by_who_makes_them_and_one_at_a_time_by_the_other() {
    let mut offers = Negotiation::new(true);
    assert!(!offers.receive(offer("theirs")));
    let mut answers = Negotiation::new(false);
    assert!(answers.receive(offer("a")));
    assert!(!answers.receive(offer("b")));
    answers.applied(DescriptionKind::Offer);
    assert!(!answers.receive(offer("b")));
    answers.described(answer("to a"));
    assert!(answers.receive(offer("b")));
}

#[test]
fn answers_nobody_asked_for_and_floods_of_candidates_are_refused() {
    let mut negotiation = Negotiation::new(true);
    assert!(!negotiation.receive(answer("unasked")));
    let taken = (0..1000).filter(|n| negotiation.receive_candidate(candidate(&n.to_string())));
    assert_eq!(taken.count(), Negotiation::MAX_EARLY);
    assert_eq!(steps(&mut negotiation), []);
}

/// A media layer that does what it is told, in order, one command at a time, and a link that
/// keeps order: enough to run two sides against each other.
#[derive(Default)]
struct Fake {
    commands: VecDeque<Step>,
    remote: Option<Description>,
    pending_offer: bool,
    local: Option<Description>,
    made: u32,
    added: usize,
}

impl Fake {
    fn run_one(&mut self, negotiation: &mut Negotiation) {
        match self.commands.pop_front() {
            Some(Step::Describe) => {
                self.made += 1;
                let sdp = self.made.to_string();
                let description = if self.remote_offer_open() { answer(&sdp) } else { offer(&sdp) };
                self.pending_offer = description.kind == DescriptionKind::Offer;
                self.local = Some(description.clone());
                negotiation.described(description);
            }
            Some(Step::Apply(description)) => {
                assert_eq!(
                    description.kind == DescriptionKind::Answer,
                    self.pending_offer,
                    "an answer without an offer would throw, and no offer is taken back"
                );
                self.pending_offer = false;
                self.local =
                    self.local.take().filter(|_| description.kind == DescriptionKind::Answer);
                let kind = description.kind;
                self.remote = Some(description);
                negotiation.applied(kind);
            }
            Some(Step::Restart) => negotiation.needed(),
            Some(Step::AddCandidate(_)) => {
                assert!(self.remote.is_some(), "a candidate before any description would throw");
                self.added += 1;
            }
            _ => {}
        }
    }

    fn remote_offer_open(&self) -> bool {
        let offered = self.remote.as_ref().is_some_and(|d| d.kind == DescriptionKind::Offer);
        offered && self.local.is_none()
    }
}

proptest! {
    /// However two sides' wishes, commands and messages interleave, both end settled, on one
    /// offer and its answer, and no offer is taken back.
    #[test]
    fn two_sides_always_settle(schedule in proptest::collection::vec(0_u8..6, 0..60)) {
        let mut sides = [
            (Negotiation::new(false), Fake::default(), VecDeque::new()),
            (Negotiation::new(true), Fake::default(), VecDeque::new()),
        ];
        let drain = |sides: &mut [(Negotiation, Fake, VecDeque<Step>); 2], me: usize| {
            while let Some(step) = sides[me].0.poll() {
                match step {
                    Step::SendDescription(_) | Step::SendCandidate(_) | Step::Ask => {
                        sides[1 - me].2.push_back(step);
                    }
                    step => sides[me].1.commands.push_back(step),
                }
            }
        };
        let act = |sides: &mut [(Negotiation, Fake, VecDeque<Step>); 2], action: u8| {
            let me = usize::from(action % 2);
            match action / 2 {
                0 => { sides[me].0.renew(); sides[me].0.found(candidate("c")); }
                1 => { let (negotiation, fake, _) = &mut sides[me]; fake.run_one(negotiation); }
                _ => match sides[me].2.pop_front() {
                    Some(Step::SendDescription(d)) => { sides[me].0.receive(d); }
                    Some(Step::SendCandidate(c)) => { sides[me].0.receive_candidate(c); }
                    Some(Step::Ask) if sides[me].0.receive_ask() => sides[me].0.renew(),
                    _ => {}
                },
            }
            drain(sides, me);
        };
        sides[0].0.begin();
        sides[1].0.needed();
        drain(&mut sides, 0);
        drain(&mut sides, 1);
        for action in schedule { act(&mut sides, action); }
        for _ in 0..200 { for action in 2..6 { act(&mut sides, action); } }
        for (negotiation, fake, _) in &sides {
            prop_assert_eq!(negotiation.phase, Phase::Stable);
            prop_assert!(fake.commands.is_empty());
        }
        let [(_, answers, _), (_, offers, _)] = &sides;
        prop_assert_eq!(&answers.local, &offers.remote);
        prop_assert_eq!(&offers.local, &answers.remote);
    }
}
