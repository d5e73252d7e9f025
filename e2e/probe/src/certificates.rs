//! Certificates that must not count, each shown as a member would show an honest one.

use crate::{
    identity::{self, Wallets},
    ledger::{self, say},
    node::{News, Node, PATIENCE},
};
use anyhow::{Context, Result};
use chats_core::{
    certificate::{
        CLOCK_SKEW, DeviceCertificate, MAX_LIFE, MAX_SIGNATURE, SignatureKind, Statement,
    },
    channel::Channel,
    config::Config,
    id::{DeviceKey, DeviceSecret, Wallet},
};
use chats_net::frame;
use serde_json::json;

/// The order of secp256k1, big-endian (SEC 2, section 2.4.1).
const ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe,
    0xba, 0xae, 0xdc, 0xe6, 0xaf, 0x48, 0xa0, 0x3b, 0xbf, 0xd2, 0x5e, 0x8c, 0xd0, 0x36, 0x41, 0x41,
];

/// Shows every member who is there one certificate after the other, and says how each was taken.
pub(crate) async fn run(config: &Config, wallets: &Wallets, wallet: Wallet) -> Result<()> {
    let relay = config.relays.first().context("the configuration names no relay")?;
    let tag = config.community.meet_tag();
    let mut node = Node::start(identity::device()?, relay, tag).await?;
    let honest = wallets.certificate(wallet, &node.secret)?;
    let mut shown = bad(wallets, wallet, &node.secret)?;
    shown.push(("honest", honest.clone()));
    for device in node.listed.clone() {
        for (name, certificate) in &shown {
            show(&mut node, config, device, name, certificate).await?;
        }
    }
    // The very bytes that just counted, from a device that holds another key.
    let mut thief = Node::start(identity::device()?, relay, tag).await?;
    let mut relabelled = honest.statement.clone();
    relabelled.device = thief.secret.device();
    let signature = honest.wallet_signature.clone();
    let relabelled = relabelled.certify(honest.kind, signature, &thief.secret);
    thief.listed.remove(&node.secret.device());
    for device in thief.listed.clone() {
        show(&mut thief, config, device, "replayed", &honest).await?;
        show(&mut thief, config, device, "replayed and relabelled", &relabelled).await?;
    }
    say(json!({ "event": "summary" }));
    Ok(())
}

/// Says hello with a certificate, and what the answer is.
async fn show(
    node: &mut Node,
    config: &Config,
    device: DeviceKey,
    name: &str,
    certificate: &DeviceCertificate,
) -> Result<()> {
    node.dial(device).await?;
    let mut stream = node.open(device, Channel::Hello.protocol()).await?;
    let hello = identity::hello(config, certificate.clone());
    frame::write(&mut stream, &hello, Channel::Hello.max_frame()).await?;
    let answer = node
        .until("an answer to hello", PATIENCE, |news| match news {
            News::Frame(from, Channel::Hello, frame) if *from == device => {
                Some(ledger::kind(frame))
            }
            News::Gone(other) if *other == device => Some("nothing".to_owned()),
            _ => None,
        })
        .await
        .with_context(|| format!("the certificate was {name}"))?;
    say(json!({
        "event": "answer", "device": device.to_string(), "certificate": name, "answer": answer,
    }));
    node.hang_up(device).await
}

fn bad(
    wallets: &Wallets,
    wallet: Wallet,
    secret: &DeviceSecret,
) -> Result<Vec<(&'static str, DeviceCertificate)>> {
    // What the wallet really signed, and only the statement is wrong.
    let signed = |change: &dyn Fn(&mut Statement)| -> Result<DeviceCertificate> {
        let mut statement = wallets.statement(wallet, secret.device())?;
        change(&mut statement);
        let signature = wallets.sign(wallet, &statement)?;
        Ok(statement.certify(SignatureKind::Eip191, signature, secret))
    };
    let honest = || wallets.certificate(wallet, secret);
    // What the device countersigns, and the wallet never signed.
    let countersigned = |change: &dyn Fn(&mut DeviceCertificate)| -> Result<DeviceCertificate> {
        let mut certificate = honest()?;
        change(&mut certificate);
        let DeviceCertificate { statement, kind, wallet_signature, .. } = certificate;
        Ok(statement.certify(kind, wallet_signature, secret))
    };
    let hour = 3600;
    let mut tampered = honest()?;
    tampered.statement.expires += 1;
    Ok(vec![
        (
            "expired",
            signed(&|s| {
                s.issued -= 2 * hour;
                s.expires = s.issued + hour;
            })?,
        ),
        ("not yet", signed(&|s| s.issued += CLOCK_SKEW.as_secs() + hour)?),
        ("too long", signed(&|s| s.expires = s.issued + MAX_LIFE.as_secs() + 1)?),
        ("ends before it begins", signed(&|s| s.expires = s.issued - hour)?),
        ("for ever", signed(&|s| s.expires = u64::MAX)?),
        ("for another registry", signed(&|s| s.registry.contract.0 = [0xee; 20])?),
        ("for another chain", signed(&|s| s.registry.chain += 1)?),
        ("of another version", signed(&|s| s.version += 1)?),
        (
            "from a domain with a line of its own",
            signed(&|s| {
                s.domain = "example.org\nURI: did:key:z6MkEvil".to_owned();
            })?,
        ),
        ("from no domain", signed(&|s| s.domain = String::new())?),
        ("tampered", tampered),
        ("tampered and countersigned", countersigned(&|c| c.statement.expires += 1)?),
        ("of a wallet that did not sign", countersigned(&|c| c.statement.wallet.0 = [0x11; 20])?),
        ("without a signature", countersigned(&|c| c.wallet_signature.clear())?),
        ("with a signature of zeros", countersigned(&|c| c.wallet_signature = vec![0; 65])?),
        (
            "with a signature too long",
            countersigned(&|c| {
                c.wallet_signature = vec![1; MAX_SIGNATURE + 1];
            })?,
        ),
        (
            "with the other of two signatures",
            countersigned(&|c| malleate(&mut c.wallet_signature))?,
        ),
        ("of a smart account", countersigned(&|c| c.kind = SignatureKind::Erc1271)?),
    ])
}

/// Turns an ECDSA signature (r, s, v) into (r, n - s, the other v), which fits the same key.
fn malleate(signature: &mut [u8]) {
    let mut borrow = false;
    for (s, n) in signature.iter_mut().skip(32).take(32).rev().zip(ORDER.iter().rev()) {
        let (difference, one) = n.overflowing_sub(*s);
        let (difference, two) = difference.overflowing_sub(u8::from(borrow));
        (*s, borrow) = (difference, one || two);
    }
    if let Some(v) = signature.last_mut() {
        *v = if *v == 27 { 28 } else { 27 };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_other_signature_is_made_of_the_order_less_s() {
        let mut signature = vec![0; 65];
        signature[63] = 1;
        signature[64] = 27;
        malleate(&mut signature);
        let mut expected = ORDER.to_vec();
        expected[31] -= 1;
        assert_eq!(signature[32..64], expected);
        assert_eq!(signature[64], 28);
    }
}
