use super::*;
use crate::fixtures::{self, NOW, REGISTRY, TestWallet};

fn alice() -> (DeviceSecret, DeviceCertificate) {
    let secret = DeviceSecret::from_seed(&[1; 32]);
    let certificate = fixtures::certificate(&TestWallet::new(1), &secret, NOW);
    (secret, certificate)
}

fn check(certificate: &DeviceCertificate, now: Time) -> Result<(), CertificateError> {
    certificate.check(certificate.statement.device, REGISTRY, now)?;
    certificate.check_wallet()
}

#[test]
fn a_certificate_survives_the_wire_and_passes() {
    let (_, certificate) = alice();
    let read = DeviceCertificate::decode(&wire::encode(&certificate));
    assert_eq!(read.as_ref(), Ok(&certificate));
    assert_eq!(check(&certificate, NOW), Ok(()));
}

#[test]
fn the_text_is_what_eip_4361_asks_for() {
    let (_, certificate) = alice();
    let lines: Vec<_> = certificate.statement.text().lines().map(str::to_owned).collect();
    assert_eq!(lines[0], "chats.example wants you to sign in with your Ethereum account:");
    assert_eq!(lines[1], certificate.statement.wallet.to_string());
    assert_eq!((lines[2].as_str(), lines[3].as_str(), lines[4].as_str()), ("", PURPOSE, ""));
    assert!(lines[5].starts_with("URI: did:key:z6Mk"));
    assert_eq!(lines[6], "Version: 1");
    assert_eq!(lines[7], "Chain ID: 42161");
    assert_eq!(lines[8], "Nonce: 09090909090909090909090909090909");
    assert_eq!(lines[9], "Issued At: 2026-01-01T00:00:00Z");
    assert_eq!(lines[10], "Expiration Time: 2026-01-31T00:00:00Z");
    assert_eq!(lines[11], "Resources:");
    assert_eq!(lines[12], format!("- {REGISTRY}"));
    assert_eq!(lines.len(), 13);
}

#[test]
fn every_changed_byte_is_noticed() {
    let (_, certificate) = alice();
    let bytes = wire::encode(&certificate);
    for index in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[index] ^= 1;
        let passes = DeviceCertificate::decode(&changed).is_ok_and(|c| {
            c.check(certificate.statement.device, REGISTRY, NOW).is_ok() && c.check_wallet().is_ok()
        });
        assert!(!passes, "byte {index} of {}", bytes.len());
    }
}

#[test]
fn another_device_cannot_show_it() {
    let (_, certificate) = alice();
    let thief = DeviceSecret::from_seed(&[2; 32]).device();
    assert!(matches!(
        certificate.check(thief, REGISTRY, NOW),
        Err(CertificateError::OtherDevice(_))
    ));
    let mut relabelled = certificate.clone();
    relabelled.statement.device = thief;
    let thief_secret = DeviceSecret::from_seed(&[2; 32]);
    let recertified = relabelled.statement.certify(
        SignatureKind::Eip191,
        certificate.wallet_signature,
        &thief_secret,
    );
    assert_eq!(recertified.check(thief, REGISTRY, NOW), Ok(()));
    assert_eq!(recertified.check_wallet(), Err(CertificateError::WalletSignature));
}

#[test]
fn another_registry_does_not_take_it() {
    let (_, certificate) = alice();
    let other = Registry { chain: REGISTRY.chain + 1, ..REGISTRY };
    assert!(matches!(
        certificate.check(certificate.statement.device, other, NOW),
        Err(CertificateError::OtherRegistry(_))
    ));
}

#[test]
fn it_counts_from_five_minutes_before_its_issue_until_its_expiry() {
    let (_, certificate) = alice();
    let early = Time(NOW.0 - 5 * 60 * 1000);
    assert_eq!(check(&certificate, early), Ok(()));
    assert_eq!(check(&certificate, Time(early.0 - 1000)), Err(CertificateError::NotYet));
    let last = NOW + DEFAULT_LIFE;
    assert_eq!(check(&certificate, Time(last.0 - 1)), Ok(()));
    assert_eq!(check(&certificate, last), Err(CertificateError::Expired));
}

#[test]
fn no_certificate_lasts_longer_than_ninety_days() {
    let secret = DeviceSecret::from_seed(&[1; 32]);
    for (life, fits) in [(MAX_LIFE.as_secs(), true), (MAX_LIFE.as_secs() + 1, false), (0, false)] {
        let wallet = TestWallet::new(1);
        let mut statement = fixtures::statement(&wallet, secret.device(), NOW);
        statement.expires = statement.issued + life;
        let signature = wallet.sign(&statement.text());
        let certificate = statement.certify(SignatureKind::Eip191, signature, &secret);
        assert_eq!(check(&certificate, NOW).is_ok(), fits, "{life}");
    }
}

#[test]
fn a_domain_cannot_smuggle_lines_into_the_text() {
    let secret = DeviceSecret::from_seed(&[1; 32]);
    let wallet = TestWallet::new(1);
    for domain in ["evil.example\nURI: x", "", "Example.org", "user@host", &"a".repeat(254)] {
        let mut statement = fixtures::statement(&wallet, secret.device(), NOW);
        statement.domain = domain.to_owned();
        let signature = wallet.sign(&statement.text());
        let certificate = statement.certify(SignatureKind::Eip191, signature, &secret);
        assert!(matches!(check(&certificate, NOW), Err(CertificateError::Domain(_))), "{domain:?}");
    }
}

#[test]
fn a_cutoff_voids_what_was_issued_before_it() {
    let (_, certificate) = alice();
    let issued = Time::from_secs(certificate.statement.issued);
    assert_eq!(certificate.check_cutoff(Time::default()), Ok(()));
    assert_eq!(certificate.check_cutoff(Time(issued.0 - 1000)), Ok(()));
    assert_eq!(certificate.check_cutoff(issued), Err(CertificateError::CutOff));
}

#[test]
fn the_twin_signature_with_a_high_s_is_refused() {
    let (secret, certificate) = alice();
    let signature = Signature::from_raw(&certificate.wallet_signature).unwrap();
    let order = "0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";
    let order: alloy_primitives::U256 = order.parse().unwrap();
    let twin = Signature::new(signature.r(), order - signature.s(), !signature.v());
    let hash = eip191_hash_message(certificate.statement.text());
    assert_eq!(
        twin.recover_address_from_prehash(&hash).ok(),
        Some(certificate.statement.wallet.address()),
        "the twin does recover the wallet"
    );
    let forged =
        certificate.statement.certify(SignatureKind::Eip191, twin.as_bytes().to_vec(), &secret);
    assert_eq!(forged.check_wallet(), Err(CertificateError::WalletSignature));
}
