//! Joining, leaving, and who is in.

use crate::stage::{Other, Stage, closed, is_gone, main_meeting, opened, participant, said};
use chats_core::access::Role;
use chats_core::certificate::SignatureKind;
use chats_core::fixtures::{NOW, TestWallet, statement};
use chats_core::hello::HelloMessage;
use chats_core::media::{Link, LinkState, MediaEvent};
use chats_core::node::{Event, Input, JoinRefusal, Output, ParticipantState};
use chats_core::presence::{MeetingMessage, Presence, Session};
use chats_core::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

/// A stage in the meeting with somebody whom it hears.
fn hearing() -> (Stage, Other, Link) {
    let mut stage = Stage::joined();
    let bob = Other::new(2);
    stage.meets(&bob);
    let mut out = stage.attends(&bob, 1);
    out.extend(stage.wait(SECOND * 3));
    let link = opened(&out)[0];
    let state = LinkState::Connected;
    let out = stage.input(Input::Media(MediaEvent::State { link, state }));
    let bob_is = participant(&out, bob.key()).map(|p| p.state);
    assert_eq!(bob_is, Some(ParticipantState::Connected));
    (stage, bob, link)
}

#[test]
fn a_second_device_of_the_same_wallet_is_refused() {
    let mut stage = Stage::admitted();
    let phone = Other::with_device(1, 20);
    stage.meets(&phone);
    stage.attends(&phone, 1);
    let out = stage.join();
    assert!(out.contains(&Output::Event(Event::NotJoined(JoinRefusal::OtherDevice))), "{out:?}");
}

#[test]
fn of_two_devices_of_a_wallet_that_joined_unseen_the_later_one_leaves() {
    let mut stage = Stage::joined();
    let phone = Other::with_device(1, 20);
    stage.meets(&phone);
    let presence = Presence { joined: NOW, ..phone.presence(1, stage.now) };
    let out = stage.says(&phone, presence);
    assert!(out.contains(&Output::Event(Event::NotJoined(JoinRefusal::OtherDevice))), "{out:?}");
    let says = said(&out, phone.key());
    assert!(matches!(&says[..], [MeetingMessage::Presence(p)] if p.presence.leaving), "{says:?}");
}

#[test]
fn the_thirteenth_is_told_that_it_is_full() {
    let mut stage = Stage::admitted();
    for number in 2..=13 {
        let other = Other::new(number);
        stage.meets(&other);
        stage.attends(&other, 1);
    }
    let out = stage.join();
    assert!(out.contains(&Output::Event(Event::NotJoined(JoinRefusal::Full))), "{out:?}");
    let gone = Other::new(13);
    let presence = Presence { leaving: true, ..gone.presence(2, stage.now) };
    stage.says(&gone, presence);
    let out = stage.join();
    assert!(out.iter().any(|o| matches!(o, Output::Event(Event::Joined { .. }))), "{out:?}");
}

#[test]
fn a_reload_replaces_the_old_stay() {
    let (mut stage, bob, _) = hearing();
    let session = Session([9; 8]);
    let presence = Presence { session, ..bob.presence(1, stage.now) };
    let out = stage.says(&bob, presence);
    assert_eq!(closed(&out).len(), 1);
    let bob_is = participant(&out, bob.key()).expect("still there");
    assert_eq!(bob_is.state, ParticipantState::Connecting);
}

#[test]
fn a_reload_counts_even_if_the_clock_was_set_back_meanwhile() {
    let (mut stage, bob, _) = hearing();
    stage.input(Input::Disconnected(bob.key()));
    stage.input(Input::Connected(bob.key()));
    let early = chats_core::time::Time(stage.now.0 - 3_600_000);
    let hello = bob.hello(early);
    stage.hello(&bob, &hello);
    stage.hello(&bob, &HelloMessage::Welcome);
    let session = Session([9; 8]);
    let presence = Presence { session, ..bob.presence(1, early) };
    assert_eq!(closed(&stage.says(&bob, presence)).len(), 1);
}

#[test]
fn a_reload_without_joining_again_is_noticed_soon() {
    let (mut stage, bob, link) = hearing();
    stage.input(Input::Disconnected(bob.key()));
    stage.meets(&bob);
    let state = LinkState::Disconnected;
    let mut out = stage.input(Input::Media(MediaEvent::State { link, state }));
    out.extend(stage.wait(SECOND * 6));
    assert!(is_gone(&out, bob.key()), "{out:?}");
}

#[test]
fn a_lost_role_ends_it_all_even_with_audio_connected() {
    let (mut stage, bob, _) = hearing();
    stage.roles.insert(bob.certificate.statement.wallet, Role::None);
    stage.version += 1;
    let out = stage.wait(SECOND * 70);
    assert!(out.contains(&Output::Disconnect(bob.key())));
    assert_eq!(closed(&out).len(), 1);
    assert!(is_gone(&out, bob.key()));
    assert!(out.contains(&Output::Event(Event::Offline(bob.key()))));
}

#[test]
fn a_lost_role_ends_audio_of_one_whose_network_is_gone() {
    let (mut stage, bob, _) = hearing();
    stage.input(Input::Disconnected(bob.key()));
    stage.roles.insert(bob.certificate.statement.wallet, Role::Banned);
    stage.version += 1;
    let out = stage.wait(SECOND * 70);
    assert_eq!(closed(&out).len(), 1);
    assert!(is_gone(&out, bob.key()));
}

#[test]
fn our_own_lost_role_ends_our_stay() {
    let (mut stage, bob, _) = hearing();
    stage.roles.insert(stage.own.certificate.statement.wallet, Role::None);
    stage.version += 1;
    let out = stage.wait(SECOND * 70);
    assert!(out.contains(&Output::Event(Event::Left)));
    assert!(out.contains(&Output::Disconnect(bob.key())));
    assert_eq!(closed(&out).len(), 1);
}

#[test]
fn the_chains_silence_lets_a_running_meeting_go_on() {
    let (mut stage, bob, _) = hearing();
    stage.chain = false;
    let mut out = Vec::new();
    for sequence in 2..40 {
        out.extend(stage.wait(SECOND * 20));
        out.extend(stage.attends(&bob, sequence));
    }
    assert!(!is_gone(&out, bob.key()));
    assert_eq!(closed(&out), []);
}

#[test]
fn a_certificate_that_expires_in_a_meeting_ends_the_stay() {
    let mut stage = Stage::joined();
    let mut bob = Other::new(2);
    let mut words = statement(&TestWallet::new(2), bob.key(), NOW);
    words.expires = words.issued + 100;
    let signature = TestWallet::new(2).sign(&words.text());
    bob.certificate = words.certify(SignatureKind::Eip191, signature, &bob.secret);
    stage.meets(&bob);
    let mut out = stage.attends(&bob, 1);
    out.extend(stage.wait(SECOND * 3));
    let (link, state) = (opened(&out)[0], LinkState::Connected);
    stage.input(Input::Media(MediaEvent::State { link, state }));
    let out = stage.wait(SECOND * 100);
    assert!(is_gone(&out, bob.key()), "{out:?}");
    assert_eq!(closed(&out), [link]);
}

#[test]
fn our_own_certificates_end_is_told_and_ends_our_stay() {
    let (mut stage, ..) = hearing();
    stage.now = stage.now + SECOND * 31 * 24 * 3600;
    let mut out = stage.input(Input::Tick);
    out.extend(stage.wait(SECOND * 60));
    let told = out.iter().filter(|o| **o == Output::Event(Event::CertificateExpired));
    assert_eq!(told.count(), 1);
    assert!(out.contains(&Output::Event(Event::Left)));
}

#[test]
fn whoever_leaves_is_gone_at_once() {
    let (mut stage, bob, _) = hearing();
    let presence = Presence { leaving: true, ..bob.presence(2, stage.now) };
    let out = stage.says(&bob, presence);
    assert!(is_gone(&out, bob.key()));
    assert_eq!(closed(&out).len(), 1);
}

#[test]
fn whoever_loses_network_and_audio_is_gone_after_five_seconds() {
    let (mut stage, bob, link) = hearing();
    let mut out = stage.input(Input::Disconnected(bob.key()));
    out.extend(stage.wait(SECOND * 60));
    assert!(!is_gone(&out, bob.key()), "audio alone is enough");
    let state = LinkState::Failed;
    let mut out = stage.input(Input::Media(MediaEvent::State { link, state }));
    out.extend(stage.wait(SECOND * 4));
    assert!(!is_gone(&out, bob.key()));
    assert!(is_gone(&stage.wait(SECOND), bob.key()));
}

#[test]
fn whoever_falls_silent_and_leaves_the_relays_is_gone_before_the_network_notices() {
    for listed in [true, false] {
        let (mut stage, bob, link) = hearing();
        stage.input(Input::Arrived { source: 0, device: bob.key() });
        if !listed {
            stage.input(Input::Left(bob.key()));
        }
        let state = LinkState::Disconnected;
        let mut out = stage.input(Input::Media(MediaEvent::State { link, state }));
        out.extend(stage.wait(SECOND * 5));
        assert_eq!(is_gone(&out, bob.key()), !listed);
    }
}

#[test]
fn whoever_falls_silent_and_still_speaks_of_it_stays() {
    let (mut stage, bob, link) = hearing();
    let state = LinkState::Disconnected;
    let mut out = stage.input(Input::Media(MediaEvent::State { link, state }));
    let says = said(&out, bob.key());
    assert!(says.iter().any(|it| matches!(it, MeetingMessage::Presence(_))), "{says:?}");
    let line = "candidate".to_owned();
    let candidate = chats_core::media::Candidate { line, mid: None, line_index: None };
    for _ in 0..5 {
        out.extend(stage.wait(SECOND * 4));
        let body = chats_core::presence::SignalBody::Candidate(candidate.clone());
        out.extend(stage.signals(&bob, 1, body));
    }
    assert!(!is_gone(&out, bob.key()), "{out:?}");
    assert!(is_gone(&stage.wait(SECOND * 5), bob.key()));
}

#[test]
fn whoever_is_silent_is_gone_after_seventy_five_seconds() {
    let mut stage = Stage::joined();
    let bob = Other::new(2);
    stage.meets(&bob);
    stage.attends(&bob, 1);
    assert!(!is_gone(&stage.wait(SECOND * 74), bob.key()));
    assert!(is_gone(&stage.wait(SECOND), bob.key()));
}

#[test]
fn a_newcomer_who_missed_our_leaving_is_told_of_it() {
    let mut stage = Stage::joined();
    let bob = Other::new(2);
    stage.input(Input::Connected(bob.key()));
    stage.input(Input::Leave);
    stage.input(Input::Disconnected(bob.key()));
    let out = stage.meets(&bob);
    let says = said(&out, bob.key());
    assert!(matches!(&says[..], [MeetingMessage::Presence(p)] if p.presence.leaving), "{says:?}");
}

#[test]
fn the_one_who_joined_later_calls_at_once_and_the_other_after_three_seconds() {
    let mut stage = Stage::joined();
    let (early, late) = (Other::new(2), Other::new(3));
    stage.meets(&early);
    let presence = Presence { joined: NOW, ..early.presence(1, stage.now) };
    assert_eq!(opened(&stage.says(&early, presence)).len(), 1);
    stage.meets(&late);
    let out = stage.attends(&late, 1);
    assert_eq!(opened(&out), []);
    assert_eq!(opened(&stage.wait(Duration::from_millis(2999))), []);
    assert_eq!(opened(&stage.wait(Duration::from_millis(1))).len(), 1);
}

#[test]
fn a_call_that_does_not_come_about_is_made_anew_and_given_up_in_the_end() {
    let mut stage = Stage::joined();
    let bob = Other::new(2);
    stage.meets(&bob);
    stage.attends(&bob, 1);
    let mut out = Vec::new();
    for sequence in 2..30 {
        out.extend(stage.wait(SECOND * 20));
        out.extend(stage.attends(&bob, sequence));
    }
    assert_eq!(opened(&out).len(), 6);
    assert_eq!(closed(&out).len(), 6);
    let bob_is = participant(&out, bob.key()).map(|p| p.state);
    assert_eq!(bob_is, Some(ParticipantState::Failed));
    assert_eq!(opened(&stage.input(Input::Retry(bob.key()))).len(), 1);
}

#[test]
fn a_call_broken_again_and_again_is_not_made_anew_at_once_each_time() {
    let mut stage = Stage::joined();
    let bob = Other::new(2);
    stage.meets(&bob);
    let mut out = stage.attends(&bob, 1);
    out.extend(stage.wait(SECOND * 3));
    let mut links = opened(&out);
    assert_eq!(links.len(), 1);
    let link = links.remove(0);
    let reason = "no such thing".to_owned();
    let out = stage.input(Input::Media(MediaEvent::Broken { link, reason }));
    assert_eq!(opened(&out), []);
    assert_eq!(opened(&stage.wait(SECOND)).len(), 1);
}

#[test]
fn a_number_of_a_call_is_not_used_again_within_two_stays() {
    let mut stage = Stage::joined();
    let bob = Other::new(2);
    stage.meets(&bob);
    let early =
        |stage: &Stage, sequence| Presence { joined: NOW, ..bob.presence(sequence, stage.now) };
    let attempt = |out: &[Output]| {
        said(out, bob.key()).into_iter().rev().find_map(|message| match message {
            MeetingMessage::Signal(signal) => Some(signal.attempt),
            MeetingMessage::Presence(_) | MeetingMessage::Hears(_) => None,
        })
    };
    let mut attempts = Vec::new();
    for sequence in 1..4 {
        let presence = early(&stage, sequence);
        let out = stage.says(&bob, presence);
        let link = opened(&out)[0];
        let candidate = chats_core::media::Candidate {
            line: "candidate".to_owned(),
            mid: None,
            line_index: None,
        };
        let event = MediaEvent::LocalCandidate { link, candidate };
        attempts.extend(attempt(&stage.input(Input::Media(event))));
        stage.input(Input::Linked(bob.key()));
        // We lose sight of each other, for so long that we hang up; Bob may not have noticed.
        stage.input(Input::Disconnected(bob.key()));
        assert!(is_gone(&stage.wait(SECOND * 6), bob.key()));
        stage.meets(&bob);
    }
    assert_eq!(attempts, [1, 2, 3]);
}

#[test]
fn muting_is_told_to_all_and_to_the_media_layer() {
    use chats_core::media::MediaCommand;
    let (mut stage, bob, _) = hearing();
    let out = stage.input(Input::SetMuted(true));
    assert!(out.contains(&Output::Media(MediaCommand::Mute(true))));
    let says = said(&out, bob.key());
    assert!(matches!(&says[..], [MeetingMessage::Presence(p)] if p.presence.muted), "{says:?}");
    assert_eq!(stage.input(Input::SetMuted(true)), []);
    let presence = Presence { muted: true, ..bob.presence(2, stage.now) };
    let out = stage.says(&bob, presence);
    assert!(participant(&out, bob.key()).is_some_and(|p| p.muted));
}

#[test]
fn a_raised_hand_is_told_with_its_moment_and_lowered_by_leaving() {
    let (mut stage, bob, _) = hearing();
    let raised = stage.now;
    let out = stage.input(Input::SetHand(true));
    let hands = |out: &[Output]| -> Vec<_> {
        let hand = |message| match message {
            MeetingMessage::Presence(said) => Some(said.presence.hand),
            _ => None,
        };
        said(out, bob.key()).into_iter().filter_map(hand).collect()
    };
    assert_eq!(hands(&out), [Some(raised)]);
    assert_eq!(stage.node.hand(), Some(raised));
    assert_eq!(stage.input(Input::SetHand(true)), [], "it is raised already");
    assert_eq!(hands(&stage.wait(SECOND * 20)), [Some(raised)], "and stays raised");
    assert_eq!(hands(&stage.input(Input::SetHand(false))), [None]);
    stage.input(Input::SetHand(true));
    stage.input(Input::Leave);
    stage.join();
    assert_eq!(stage.node.hand(), None);
}

#[test]
fn the_hand_of_another_is_shown_with_its_moment() {
    let (mut stage, bob, _) = hearing();
    let hand = Some(stage.now);
    let out = stage.says(&bob, Presence { hand, ..bob.presence(2, stage.now) });
    assert_eq!(participant(&out, bob.key()).map(|bob| bob.hand), Some(hand));
    let out = stage.says(&bob, bob.presence(3, stage.now));
    assert_eq!(participant(&out, bob.key()).map(|bob| bob.hand), Some(None));
}

#[test]
fn a_hand_raised_in_the_future_is_ignored() {
    let (mut stage, bob, _) = hearing();
    let hand = Some(stage.now + SECOND);
    let out = stage.says(&bob, Presence { hand, ..bob.presence(2, stage.now) });
    crate::stage::assert_ignored(&out, bob.key());
}

#[test]
fn those_in_other_meetings_are_shown_and_not_called() {
    let mut stage = Stage::joined();
    let bob = Other::new(2);
    stage.meets(&bob);
    let elsewhere = chats_core::id::MeetingName::parse("other").unwrap();
    let presence = Presence { meeting: elsewhere.clone(), ..bob.presence(1, stage.now) };
    let mut out = stage.says(&bob, presence);
    out.extend(stage.wait(SECOND * 10));
    let bob_is = participant(&out, bob.key()).expect("shown");
    assert_eq!((bob_is.state, bob_is.meeting), (ParticipantState::Elsewhere, elsewhere));
    assert_eq!(opened(&out), []);
    assert_ne!(main_meeting().as_str(), "other");
}
