use crate::{audio::audio, until};
use chats_core::media::{
    Candidate, Description, DescriptionKind, Link, LinkState, MediaCommand, MediaEvent,
};
use chats_web::{
    audio::microphone::Microphone,
    rtc::{Connections, IceServer, MAX_LINKS},
};
use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};
use wasm_bindgen_test::wasm_bindgen_test;

const LINK: Link = Link(7);

/// One end: its connections and what they reported.
struct End {
    connections: RefCell<Option<Connections>>,
    events: RefCell<Vec<MediaEvent>>,
    peaks: RefCell<Vec<f32>>,
    /// Candidates that came before a description was applied.
    waiting: RefCell<Vec<Candidate>>,
    applied: Cell<bool>,
}

impl End {
    fn ask(&self, command: MediaCommand) {
        self.connections.borrow().as_ref().expect("open").execute(command);
    }

    fn loud(&self) -> bool {
        self.peaks.borrow().iter().any(|peak| *peak > 0.01)
    }

    fn connected(&self) -> bool {
        let connected = MediaEvent::State { link: LINK, state: LinkState::Connected };
        self.events.borrow().contains(&connected)
    }

    fn count(&self, wanted: impl Fn(&MediaEvent) -> bool) -> usize {
        self.events.borrow().iter().filter(|event| wanted(event)).count()
    }

    fn candidate(&self, candidate: Candidate) {
        if self.applied.get() {
            self.ask(MediaCommand::AddCandidate { link: LINK, candidate });
        } else {
            self.waiting.borrow_mut().push(candidate);
        }
    }
}

/// Two ends in one page. What one reports goes to the other, as the core would have it; the first
/// makes the offers.
struct Pair {
    ends: [Rc<End>; 2],
}

impl Pair {
    fn new() -> Self {
        let end = || {
            Rc::new(End {
                connections: RefCell::default(),
                events: RefCell::default(),
                peaks: RefCell::default(),
                waiting: RefCell::default(),
                applied: Cell::new(false),
            })
        };
        let ends = [end(), end()];
        for index in 0..2 {
            let (own, other) = (Rc::clone(&ends[index]), Rc::clone(&ends[1 - index]));
            let levels = Rc::clone(&own);
            let connections = Connections::new(
                audio(),
                Vec::new(),
                {
                    let own = Rc::clone(&own);
                    move |event| {
                        own.events.borrow_mut().push(event.clone());
                        react(&own, &other, index == 0, event);
                    }
                },
                move |link, level| {
                    assert_eq!(link, LINK);
                    levels.peaks.borrow_mut().push(level.peak);
                },
            );
            *own.connections.borrow_mut() = Some(connections);
        }
        Self { ends }
    }

    fn open(&self) {
        for end in &self.ends {
            end.ask(MediaCommand::Open { link: LINK });
        }
    }

    async fn connected(&self) {
        until("both ends connect", || self.ends.iter().all(|end| end.connected())).await;
    }

    fn set_microphone(&self, microphone: Option<&Microphone>) {
        for end in &self.ends {
            end.connections.borrow().as_ref().expect("open").set_microphone(microphone);
        }
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        for end in &self.ends {
            end.connections.take();
        }
    }
}

fn react(own: &Rc<End>, other: &Rc<End>, offers: bool, event: MediaEvent) {
    match event {
        MediaEvent::NegotiationNeeded { .. } if offers => {
            own.ask(MediaCommand::Describe { link: LINK });
        }
        MediaEvent::LocalDescription { description, .. } => {
            other.ask(MediaCommand::Apply { link: LINK, description });
        }
        MediaEvent::Applied { kind, .. } => {
            own.applied.set(true);
            if kind == DescriptionKind::Offer {
                own.ask(MediaCommand::Describe { link: LINK });
            }
            for candidate in own.waiting.take() {
                own.candidate(candidate);
            }
        }
        MediaEvent::LocalCandidate { candidate, .. } => other.candidate(candidate),
        MediaEvent::Broken { reason, .. } => panic!("broken: {reason}"),
        _ => {}
    }
}

/// Connections that talk to nobody, and their events.
fn alone(ice: Vec<IceServer>) -> (Connections, Rc<RefCell<Vec<MediaEvent>>>) {
    let events = Rc::new(RefCell::new(Vec::new()));
    let seen = Rc::clone(&events);
    let on_event = move |event| seen.borrow_mut().push(event);
    (Connections::new(audio(), ice, on_event, |_, _| {}), events)
}

fn broken(events: &RefCell<Vec<MediaEvent>>) -> Option<(Link, String)> {
    events.borrow().iter().find_map(|event| match event {
        MediaEvent::Broken { link, reason } => Some((*link, reason.clone())),
        _ => None,
    })
}

#[wasm_bindgen_test]
async fn two_ends_connect_hear_each_other_and_mark_the_first_sound() {
    let microphone = Microphone::open(None).await.expect("the fake device");
    let pair = Pair::new();
    pair.set_microphone(Some(&microphone));
    pair.open();
    pair.connected().await;
    let told = MediaEvent::Path { link: LINK, relayed: false };
    let direct = || pair.ends.iter().all(|end| end.events.borrow().contains(&told));
    until("both ends know that they are connected directly", direct).await;
    until("both hear the other", || pair.ends.iter().all(|end| end.loud())).await;
    let performance = web_sys::window().and_then(|w| w.performance()).expect("performance");
    assert_eq!(performance.get_entries_by_name("chats:first-audio").length(), 1);
}

#[wasm_bindgen_test]
async fn a_microphone_that_comes_later_is_heard_without_another_offer_and_can_be_muted() {
    let pair = Pair::new();
    pair.open();
    pair.connected().await;
    let described =
        |end: &Rc<End>| end.count(|event| matches!(event, MediaEvent::LocalDescription { .. }));
    let before: Vec<_> = pair.ends.iter().map(described).collect();
    assert!(!pair.ends.iter().any(|end| end.loud()), "heard without a microphone");

    let microphone = Microphone::open(None).await.expect("the fake device");
    pair.set_microphone(Some(&microphone));
    until("both hear the other", || pair.ends.iter().all(|end| end.loud())).await;
    assert_eq!(before, pair.ends.iter().map(described).collect::<Vec<_>>());

    pair.ends[0].ask(MediaCommand::Mute(true));
    // The fake device beeps every second; 40 quiet levels are two seconds.
    until("the muted microphone is not heard", || {
        let peaks = pair.ends[1].peaks.borrow();
        peaks.len() > 40 && peaks.iter().rev().take(40).all(|peak| *peak < 0.001)
    })
    .await;
    let other = Microphone::open(None).await.expect("the fake device");
    pair.ends[0].connections.borrow().as_ref().expect("open").set_microphone(Some(&other));
    assert!(!other.track().enabled(), "another microphone is muted too");
}

#[wasm_bindgen_test]
async fn closing_from_within_a_callback_is_safe_and_nothing_follows() {
    let connections = Rc::new(RefCell::new(None::<Connections>));
    let events = Rc::new(RefCell::new(Vec::new()));
    let (own, seen) = (Rc::clone(&connections), Rc::clone(&events));
    let made = Connections::new(
        audio(),
        Vec::new(),
        move |event| {
            seen.borrow_mut().push(event);
            if let Some(connections) = own.borrow().as_ref() {
                connections.execute(MediaCommand::Describe { link: LINK });
                connections.execute(MediaCommand::Close { link: LINK });
            }
        },
        |_, _| {},
    );
    *connections.borrow_mut() = Some(made);
    let ask = |command| {
        if let Some(connections) = connections.borrow().as_ref() {
            connections.execute(command);
        }
    };
    ask(MediaCommand::Open { link: LINK });
    until("the first event", || !events.borrow().is_empty()).await;
    // Another link goes all the way, so anything late of the first would have come.
    ask(MediaCommand::Open { link: Link(8) });
    until("an event of the next", || events.borrow().len() > 1).await;
    assert_eq!(
        *events.borrow(),
        [
            MediaEvent::NegotiationNeeded { link: LINK },
            MediaEvent::NegotiationNeeded { link: Link(8) }
        ]
    );
    connections.take();
}

#[wasm_bindgen_test]
async fn the_other_side_sees_a_closed_link_go() {
    let pair = Pair::new();
    pair.open();
    pair.connected().await;
    pair.ends[0].ask(MediaCommand::Close { link: LINK });
    let audio_elements = || {
        let document = web_sys::window().and_then(|w| w.document()).expect("document");
        document.query_selector_all("audio").expect("a list").length()
    };
    until("the player of the closed link is taken away", || audio_elements() == 1).await;
    until("the other end notices", || {
        pair.ends[1].count(|event| {
            matches!(event, MediaEvent::State { state, .. }
                if matches!(state, LinkState::Disconnected | LinkState::Failed))
        }) > 0
    })
    .await;
}

#[wasm_bindgen_test]
async fn a_restart_asks_for_another_offer() {
    let pair = Pair::new();
    pair.open();
    pair.connected().await;
    let needed =
        |end: &End| end.count(|event| matches!(event, MediaEvent::NegotiationNeeded { .. }));
    let before = needed(&pair.ends[0]);
    pair.ends[0].ask(MediaCommand::RestartIce { link: LINK });
    until("another offer is wanted", || needed(&pair.ends[0]) > before).await;
}

#[wasm_bindgen_test]
async fn links_are_bounded_and_the_one_too_many_is_named() {
    let (connections, events) = alone(Vec::new());
    for number in 0..=MAX_LINKS {
        connections.execute(MediaCommand::Open { link: Link(number as u32) });
    }
    assert!(broken(&events).is_none(), "told from within the call");
    until("the last one is refused", || broken(&events).is_some()).await;
    let (link, reason) = broken(&events).expect("broken");
    assert_eq!(link, Link(MAX_LINKS as u32));
    assert!(reason.contains("16"), "{reason}");
}

#[wasm_bindgen_test]
async fn nonsense_from_the_other_side_breaks_its_link_alone() {
    let (connections, events) = alone(Vec::new());
    for number in [1, 2] {
        connections.execute(MediaCommand::Open { link: Link(number) });
    }
    let nonsense = Description { kind: DescriptionKind::Offer, sdp: "v=0\r\nnonsense".to_owned() };
    connections.execute(MediaCommand::Apply { link: Link(1), description: nonsense });
    let nonsense = Candidate { line: "candidate:nonsense".to_owned(), mid: None, line_index: None };
    connections.execute(MediaCommand::AddCandidate { link: Link(2), candidate: nonsense });
    connections.execute(MediaCommand::Describe { link: Link(2) });
    until("the first is broken", || broken(&events).is_some()).await;
    assert_eq!(broken(&events).map(|(link, _)| link), Some(Link(1)));
    until("the second goes on", || {
        events
            .borrow()
            .iter()
            .any(|event| matches!(event, MediaEvent::LocalDescription { link: Link(2), .. }))
    })
    .await;
}

#[wasm_bindgen_test]
async fn a_wrong_ice_server_breaks_the_link_with_the_reason() {
    let ice = IceServer { urls: vec!["http://x".to_owned()], username: None, credential: None };
    let (connections, events) = alone(vec![ice]);
    connections.execute(MediaCommand::Open { link: LINK });
    until("it is broken", || broken(&events).is_some()).await;
    let (_, reason) = broken(&events).expect("broken");
    assert!(reason.contains("http"), "{reason}");
}

#[wasm_bindgen_test]
async fn commands_of_a_link_are_carried_out_in_order() {
    let (connections, events) = alone(Vec::new());
    let from = Rc::new(RefCell::new(None));
    let (offering, offer) = {
        let seen = Rc::clone(&from);
        let on_event = move |event| {
            if let MediaEvent::LocalDescription { description, .. } = event {
                *seen.borrow_mut() = Some(description);
            }
        };
        (Connections::new(audio(), Vec::new(), on_event, |_, _| {}), from)
    };
    offering.execute(MediaCommand::Open { link: LINK });
    offering.execute(MediaCommand::Describe { link: LINK });
    until("an offer", || offer.borrow().is_some()).await;
    let description = offer.borrow().clone().expect("an offer");

    connections.execute(MediaCommand::Open { link: LINK });
    connections.execute(MediaCommand::Apply { link: LINK, description });
    connections.execute(MediaCommand::Describe { link: LINK });
    let answer = |event: &MediaEvent| {
        matches!(event, MediaEvent::LocalDescription { description, .. }
            if description.kind == DescriptionKind::Answer)
    };
    until("an answer", || events.borrow().iter().any(answer)).await;
    let order: Vec<bool> = events
        .borrow()
        .iter()
        .filter_map(|event| match event {
            MediaEvent::Applied { .. } => Some(false),
            MediaEvent::LocalDescription { .. } => Some(true),
            _ => None,
        })
        .collect();
    assert_eq!(order, [false, true]);
}
