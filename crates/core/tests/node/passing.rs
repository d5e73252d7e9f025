//! Who passes hello, who does not, and what the chain's silence means.

use crate::stage::{Other, Stage, hellos, refused};
use chats_core::access::Role;
use chats_core::certificate::{MAX_LIFE, SignatureKind};
use chats_core::channel::Channel;
use chats_core::fixtures::{COMMUNITY, NOW, TestWallet, certificate, statement};
use chats_core::hello::{HelloMessage, Refusal};
use chats_core::id::{Community, Registry};
use chats_core::node::{Event, Input, Output};
use chats_core::time::Duration;

/// Asserts that the hello of `other` is refused for the reason given, in words and deeds.
fn assert_refused(other: &Other, community: Community, reason: Refusal) {
    let mut stage = Stage::admitted();
    stage.input(Input::Connected(other.key()));
    let hello = other.hello_for(community, 0, stage.now);
    let mut out = stage.hello(other, &hello);
    out.extend(stage.wait(Duration::from_secs(2)));
    assert_eq!(refused(&out), [reason]);
    assert_eq!(hellos(&out, other.key()), [HelloMessage::Refused(reason)]);
    assert!(out.contains(&Output::Disconnect(other.key())));
    assert!(!out.contains(&Output::Pass(other.key())));
    assert!(!out.iter().any(|o| matches!(o, Output::Event(Event::Online(..)))));
}

#[test]
fn an_expired_certificate_is_refused() {
    let mut old = Other::new(2);
    let mut said = statement(&TestWallet::new(2), old.key(), NOW);
    (said.issued, said.expires) = (said.issued - 1000, said.issued - 1);
    let signature = TestWallet::new(2).sign(&said.text());
    old.certificate = said.certify(SignatureKind::Eip191, signature, &old.secret);
    assert_refused(&old, COMMUNITY, Refusal::Certificate);
}

#[test]
fn a_certificate_that_lasts_too_long_is_refused() {
    let mut other = Other::new(2);
    let mut said = statement(&TestWallet::new(2), other.key(), NOW);
    said.expires = said.issued + MAX_LIFE.as_secs() + 1;
    let signature = TestWallet::new(2).sign(&said.text());
    other.certificate = said.certify(SignatureKind::Eip191, signature, &other.secret);
    assert_refused(&other, COMMUNITY, Refusal::Certificate);
}

#[test]
fn a_tampered_certificate_is_refused() {
    let mut other = Other::new(2);
    other.certificate.statement.expires += 1;
    assert_refused(&other, COMMUNITY, Refusal::Certificate);
}

#[test]
fn a_certificate_signed_by_another_wallet_is_refused() {
    let mut other = Other::new(2);
    let said = statement(&TestWallet::new(2), other.key(), NOW);
    let signature = TestWallet::new(3).sign(&said.text());
    other.certificate = said.certify(SignatureKind::Eip191, signature, &other.secret);
    assert_refused(&other, COMMUNITY, Refusal::Certificate);
}

#[test]
fn a_certificate_replayed_from_another_device_is_refused() {
    let mut thief = Other::new(3);
    thief.certificate = Other::new(2).certificate;
    assert_refused(&thief, COMMUNITY, Refusal::Certificate);
}

#[test]
fn a_certificate_for_another_registry_is_refused() {
    let mut other = Other::new(2);
    let mut said = statement(&TestWallet::new(2), other.key(), NOW);
    said.registry = Registry { chain: 1, ..said.registry };
    let signature = TestWallet::new(2).sign(&said.text());
    other.certificate = said.certify(SignatureKind::Eip191, signature, &other.secret);
    assert_refused(&other, COMMUNITY, Refusal::Certificate);
}

#[test]
fn a_member_of_another_community_is_refused() {
    let elsewhere = Community { id: 2, ..COMMUNITY };
    assert_refused(&Other::new(2), elsewhere, Refusal::OtherCommunity);
}

#[test]
fn wallets_without_a_seat_and_banned_ones_are_refused() {
    for role in [Role::None, Role::Banned] {
        let bob = Other::new(2);
        let mut stage = Stage::admitted();
        stage.roles.insert(bob.certificate.statement.wallet, role);
        stage.input(Input::Connected(bob.key()));
        let hello = bob.hello(stage.now);
        let mut out = stage.hello(&bob, &hello);
        out.extend(stage.wait(Duration::from_secs(2)));
        assert_eq!(refused(&out), [Refusal::NotAMember]);
        assert!(!out.contains(&Output::Pass(bob.key())));
    }
}

#[test]
fn a_frame_that_is_no_hello_is_refused() {
    let bob = Other::new(2);
    for frame in [vec![], vec![0xff; 40], vec![0; 8192]] {
        let mut stage = Stage::admitted();
        stage.input(Input::Connected(bob.key()));
        let out = stage.frame(&bob, Channel::Hello, frame);
        assert_eq!(refused(&out), [Refusal::Malformed]);
        assert!(out.contains(&Output::Disconnect(bob.key())));
    }
}

#[test]
fn a_second_hello_and_a_welcome_out_of_turn_are_refused() {
    let bob = Other::new(2);
    let mut stage = Stage::admitted();
    stage.meets(&bob);
    let hello = bob.hello(stage.now);
    assert_eq!(refused(&stage.hello(&bob, &hello)), [Refusal::Malformed]);
    let mut stage = Stage::admitted();
    stage.input(Input::Connected(bob.key()));
    assert_eq!(refused(&stage.hello(&bob, &HelloMessage::Welcome)), [Refusal::Malformed]);
}

#[test]
fn the_chains_silence_lets_nobody_in() {
    let bob = Other::new(2);
    let mut stage = Stage::admitted();
    stage.chain = false;
    stage.input(Input::Connected(bob.key()));
    let hello = bob.hello(stage.now);
    let mut out = stage.hello(&bob, &hello);
    let asked = |out: &[Output]| {
        out.iter().rev().find_map(|o| match o {
            Output::CheckAccess(batch) => Some(batch.request),
            _ => None,
        })
    };
    let request = asked(&out).expect("it asks");
    out.extend(stage.input(Input::Access { request, answer: None }));
    out.extend(stage.wait(Duration::from_secs(10)));
    assert!(!out.contains(&Output::Pass(bob.key())));
    assert_eq!(refused(&out), [Refusal::Undecided]);
}

#[test]
fn a_cutoff_ends_connections_of_devices_certified_before_it() {
    use chats_core::access::{AccessAnswer, Standing};
    let bob = Other::new(2);
    let mut stage = Stage::joined();
    stage.meets(&bob);
    stage.attends(&bob, 1);
    stage.chain = false;
    let out = stage.input(Input::Version(7));
    let mut out = [out, stage.wait(Duration::from_secs(2))].concat();
    let batch = out.iter().find_map(|o| match o {
        Output::CheckAccess(batch) => Some(batch.clone()),
        _ => None,
    });
    let batch = batch.expect("everyone is asked about");
    let standing = |wallet: &chats_core::id::Wallet| Standing {
        role: Role::Member,
        device_cutoff: if *wallet == bob.certificate.statement.wallet {
            NOW
        } else {
            Default::default()
        },
    };
    let standings = batch.wallets.iter().map(standing).collect();
    let answer = Some(AccessAnswer { standings, block: 2, sources: 2 });
    out = stage.input(Input::Access { request: batch.request, answer });
    assert_eq!(refused(&out), [Refusal::Certificate]);
    assert!(crate::stage::is_gone(&out, bob.key()), "{out:?}");
}

#[test]
fn certificates_are_judged_by_the_clock_that_is_shown() {
    // Clocks that were years ahead are set right at last.
    let mut stage = Stage::admitted();
    stage.now = stage.now + Duration::from_secs(29 * 24 * 3600);
    stage.input(Input::Tick);
    stage.now = NOW + Duration::from_secs(60);
    stage.input(Input::Tick);
    stage.now = stage.now + Duration::from_secs(2 * 24 * 3600);
    let out = stage.input(Input::Tick);
    assert!(!out.contains(&Output::Event(Event::CertificateExpired)), "{out:?}");
    stage.meets(&Other::new(2));
    let fresh = certificate(&TestWallet::new(3), &Other::new(3).secret, stage.now);
    let mut carol = Other::new(3);
    carol.certificate = fresh;
    stage.meets(&carol);
}
