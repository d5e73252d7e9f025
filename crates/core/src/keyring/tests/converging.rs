//! Whatever the order in which things arrive, and whoever was away meanwhile, all end in the same
//! state.

use super::*;
use proptest::prelude::*;

const COUNT: u8 = 5;

#[derive(Debug, Clone)]
enum Step {
    /// A wallet gets a role.
    Change(u8, u8),
    /// A member makes an epoch if one is due for it, or for no reason.
    Make(u8, bool),
    /// A wallet revokes its device.
    Revoke(u8),
    /// A wallet voids its certificates.
    CutOff(u8),
    /// A wallet vouches for its device again, which has a new prekey.
    Renew(u8),
    /// Days go by.
    Wait(u32),
    /// A member hears nothing of the others and they nothing of it, or all of it again.
    Away(u8, bool),
    /// The first vouches for an op of the second.
    Head(u8, u8, u8),
    /// A member asks for all keys.
    Ask(u8),
    /// The first gives the second what it asked for.
    Give(u8, u8),
}

fn step() -> impl Strategy<Value = Step> {
    let who = || 1..=COUNT;
    prop_oneof![
        3 => (2..=COUNT, prop::sample::select(vec![0, 1, 2, 255])).prop_map(|(a, b)| Step::Change(a, b)),
        8 => (who(), any::<bool>()).prop_map(|(by, due)| Step::Make(by, due)),
        1 => who().prop_map(Step::Revoke),
        1 => who().prop_map(Step::CutOff),
        3 => who().prop_map(Step::Renew),
        2 => (1..12_u32).prop_map(Step::Wait),
        3 => (who(), any::<bool>()).prop_map(|(who, away)| Step::Away(who, away)),
        2 => (who(), who(), any::<u8>()).prop_map(|(a, b, op)| Step::Head(a, b, op)),
        2 => who().prop_map(Step::Ask),
        4 => (who(), who()).prop_map(|(a, b)| Step::Give(a, b)),
    ]
}

/// A town in which some are away. What they say and what they miss is told when they are back.
struct Story {
    town: Town,
    away: SmallSet<u8>,
    /// By each: how many of the items it has heard, besides its own.
    unsaid: Vec<Vec<ControlItem>>,
    cutoffs: Vec<(Wallet, Time)>,
    /// The state of the seats after each change.
    seats: Vec<Seats>,
}

impl Story {
    fn new() -> Self {
        let town = Town::with_room(COUNT, ROOM);
        let seats = vec![Seats::default(), town.seats.clone()];
        Self {
            town,
            away: SmallSet::new(),
            unsaid: vec![Vec::new(); 5],
            cutoffs: Vec::new(),
            seats,
        }
    }

    /// `by` says something to itself, and to those who are there if it is.
    fn say(&mut self, by: u8, items: Vec<ControlItem>) {
        let (here, tag) = (!self.away.contains(&by), self.town.tag());
        for item in items {
            assert_eq!(item.check(COMMUNITY, self.town.now), Ok(()));
            for (member, number) in self.town.members.iter_mut().zip(1..) {
                if number == by || (here && !self.away.contains(&number)) {
                    member.hear(&item, tag);
                } else if here {
                    self.unsaid[usize::from(number) - 1].push(item.clone());
                }
            }
            if here {
                self.town.items.push(item);
            } else {
                self.unsaid[usize::from(by) - 1].push(item);
            }
        }
        self.town.settle();
    }

    /// Back among the others, a member hears what it missed and says what it kept.
    fn back(&mut self, number: u8) {
        if !self.away.remove(&number) {
            return;
        }
        let kept = std::mem::take(&mut self.unsaid[usize::from(number) - 1]);
        let known: Vec<_> = self.town.items.iter().map(ControlItem::id).collect();
        let (missed, own): (Vec<_>, Vec<_>) =
            kept.into_iter().partition(|item| known.contains(&item.id()));
        let tag = self.town.tag();
        for item in missed {
            self.town.member(number).hear(&item, tag);
        }
        self.say(number, own);
    }

    fn take(&mut self, step: &Step) {
        match *step {
            Step::Change(account, kind) => {
                let (old, town) = (self.town.seats.newest(), &mut self.town);
                if town.seats.role(wallet(account), old).map(|it| it.to_contract()) != Some(kind) {
                    town.change(account, kind);
                    self.seats.push(self.town.seats.clone());
                }
            }
            Step::Make(by, anyway) => {
                if (anyway || self.town.due(by).is_some())
                    && let Ok(new) = self.town.try_make(by, &mut |_| Vec::new())
                {
                    let keyring = self.town.member(by).keyring.as_mut().unwrap();
                    keyring.restore(new.epoch, new.secret);
                    self.say(by, new.items);
                    assert_eq!(self.town.due(by), None, "one epoch is enough");
                    assert_eq!(self.town.sending(by), Some(new.epoch));
                }
            }
            Step::Revoke(by) => {
                let (now, wallet_of) = (Time::from_secs(self.town.now.secs()), TestWallet::new(by));
                let (wallet, device) = (wallet_of.address(), device(by));
                let signature = wallet_of.sign(&Revoke::text(wallet, device, now));
                let signature = signature.try_into().unwrap();
                let revoke = Revoke { wallet, device, time: now, signature };
                self.say(by, vec![ControlItem::Revoke(revoke)]);
            }
            Step::CutOff(by) => {
                let cutoff = self.town.now;
                for member in &mut self.town.members {
                    member.devices.cutoff(wallet(by), cutoff);
                }
                self.cutoffs.push((wallet(by), cutoff));
                self.town.settle();
            }
            Step::Renew(by) => {
                let (certificate, time) = (self.town.certificate(by, by), self.town.now);
                let member = self.town.member(by);
                let (device, key) = (member.secret.device(), member.prekeys[0].public());
                let prekey = Prekey { device, key, time, signature: UNSIGNED }.sign(&member.secret);
                self.say(by, vec![certificate, ControlItem::Prekey(prekey)]);
            }
            Step::Wait(days) => self.town.wait(DAY * days),
            Step::Away(who, true) => drop(self.away.insert(who)),
            Step::Away(who, false) => self.back(who),
            Step::Head(holder, cut, op) if holder != cut => {
                let (room_tag, time) = (self.town.tag(), self.town.now);
                let head = OpId::of(Hlc::at(NOW), &[op]);
                let (community, cut, by) = (COMMUNITY, device(cut), device(holder));
                let item = CutHead {
                    community,
                    room_tag,
                    cut,
                    head,
                    holder: by,
                    time,
                    signature: UNSIGNED,
                };
                let item = item.sign(&self.town.member(holder).secret);
                self.say(holder, vec![ControlItem::CutHead(item)]);
            }
            Step::Head(..) => {}
            Step::Ask(by) => {
                let (room_tag, time) = (self.town.tag(), self.town.now);
                let (device, wanted, signature) = (device(by), Vec::new(), UNSIGNED);
                let request =
                    KeyRequest { community: COMMUNITY, room_tag, device, wanted, time, signature };
                let request = request.sign(&self.town.member(by).secret);
                self.say(by, vec![ControlItem::Request(request)]);
            }
            Step::Give(by, to) => {
                let Town { seats, now, members, random: count, .. } = &mut self.town;
                let member = &members[usize::from(by) - 1];
                let (keyring, view) = (member.keyring.as_ref().unwrap(), member.view(seats, *now));
                let grant = keyring.grant(device(to), &member.secret, view, &mut random(count));
                if let Some(grant) = grant {
                    self.say(by, vec![ControlItem::Grant(grant)]);
                }
            }
        }
    }
}

/// All that a keyring decides.
fn decisions(member: &Member, seats: &Seats, now: Time) -> impl PartialEq + std::fmt::Debug {
    let (ring, view) = (member.keyring.as_ref().unwrap(), member.view(seats, now));
    let cuts: Vec<_> = (1..=COUNT).map(|number| ring.cut(device(number)).cloned()).collect();
    (
        ring.records().map(|(id, _, state)| (id, state)).collect::<Vec<_>>(),
        (ring.sending().map(|record| record.epoch), ring.due(view, 0)),
        (cuts, ring.settled.uncovered.clone(), ring.settled.doubted.clone()),
        ring.secrets().map(|(epoch, secret)| (epoch, *secret.bytes())).collect::<Vec<_>>(),
        (ring.kind(), ring.policy(), ring.room().cloned()),
        (ring.bad().collect::<Vec<_>>(), ring.missing().collect::<Vec<_>>()),
        ring.asking(view).collect::<Vec<_>>(),
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_order_of_arrival_ends_in_the_same_state(
        steps in prop::collection::vec(step(), 1..30),
        seed in any::<u64>(),
        observer in 1..=COUNT,
    ) {
        let mut story = Story::new();
        for step in &steps {
            story.take(step);
        }
        (1..=COUNT).for_each(|number| story.back(number));
        let Story { town, cutoffs, seats, .. } = &story;

        // Who hears all in another order, some of it twice, settling now and then with what it
        // knows of the chain until then.
        let heard = |shuffled: bool| {
            let mut member = Member::new(observer);
            let mut own = Member::new(observer);
            own.keyring = None;
            let mut order: Vec<_> = (0..town.items.len()).collect();
            let mut draw = seed;
            let mut next = |below: usize| {
                draw = draw.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                usize::try_from(draw >> 33).unwrap() % below.max(1)
            };
            if shuffled {
                for place in (1..order.len()).rev() {
                    order.swap(place, next(place + 1));
                }
                let again: Vec<_> = order.iter().copied().filter(|_| next(3) == 0).collect();
                order.extend(again);
            }
            for index in order {
                member.hear(&town.items[index], town.tag());
                if shuffled && next(4) == 0 {
                    member.settle(&seats[next(seats.len())], NOW);
                }
            }
            for (wallet, cutoff) in cutoffs {
                member.devices.cutoff(*wallet, *cutoff);
            }
            member.settle(&town.seats, town.now);
            member.settle(&town.seats, town.now);
            member
        };
        let (one, other) = (heard(false), heard(true));
        prop_assert_eq!(
            decisions(&one, &town.seats, town.now),
            decisions(&other, &town.seats, town.now)
        );

        // All who were there to the end decide the same about records and ops.
        let public = |member: &Member| {
            let ring = member.keyring.as_ref().unwrap();
            let cuts: Vec<_> = (1..=COUNT).map(|number| ring.cut(device(number)).cloned()).collect();
            let states = ring.records().map(|(id, _, state)| (id, state)).collect::<Vec<_>>();
            (cuts, states, ring.settled.uncovered.clone())
        };
        for member in &town.members {
            if member.keyring.as_ref().unwrap().room().is_some() {
                prop_assert_eq!(public(&one), public(member));
            }
        }

        // Nobody who was removed is on a page of a later epoch.
        for (_, record, _) in town.ring(1).records() {
            for device in town.wrapped(record.epoch) {
                let wallet = town.members[0].devices.wallet(device).unwrap();
                prop_assert!(town.seats.admits(wallet, record.version));
            }
        }

        // All who can open the highest one send under it.
        let best = town.members.iter().filter_map(|it| it.keyring.as_ref()?.sending());
        if let Some(best) = best.max_by_key(|it| (it.position(), std::cmp::Reverse(it.epoch))) {
            for member in &town.members {
                let ring = member.keyring.as_ref().unwrap();
                if ring.keys(best.epoch).is_some() {
                    prop_assert_eq!(ring.sending().map(|it| it.epoch), Some(best.epoch));
                }
            }
        }
    }
}
