//! Somebody without a seat who says, again and again, everything that a member could say.

use crate::{
    identity::{self, Wallets},
    ledger::say,
    lies,
    node::{News, Node, PROTOCOLS},
};
use anyhow::{Context, Result};
use chats_core::{
    certificate::{DeviceCertificate, SignatureKind},
    channel::Channel,
    config::Config,
    hello::{Hello, HelloMessage, Refusal},
    id::{DeviceKey, Wallet},
    presence::Session,
    wire,
};
use chats_net::frame;
use futures::{AsyncWriteExt, io::WriteHalf};
use libp2p::Stream;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};
use tokio::time::Instant;

/// Longer than a member takes to let go of one that it refused, and shorter than it waits for a
/// hello.
const ENDING: Duration = Duration::from_millis(1500);

/// Longer than a device waits before it comes back to one that refused it.
const RETURN: Duration = Duration::from_secs(10);

/// What the stranger does on one connection.
const TRICKS: [Trick; 9] = [
    // First, since a device that failed before waits longer until it comes back.
    Trick::Refused,
    Trick::Hello,
    Trick::HelloAndAllElse,
    Trick::Welcome,
    Trick::Protocols,
    Trick::MeetingAlone,
    Trick::OtherCommunity,
    Trick::MembersWallet,
    Trick::StolenCertificate,
];

#[derive(Debug, Clone, Copy)]
enum Trick {
    /// Its own certificate, which is in order.
    Hello,
    /// The same, and everything that follows for a member, without waiting.
    HelloAndAllElse,
    /// Lets itself in.
    Welcome,
    /// Refuses the member, so that this one comes back and introduces itself.
    Refused,
    /// Every protocol there may be.
    Protocols,
    /// Presence and an offer, without a hello.
    MeetingAlone,
    /// Its own certificate, for another community.
    OtherCommunity,
    /// A certificate of a member's wallet, signed by its own.
    MembersWallet,
    /// The certificate that a newcomer showed it, as it is and with its own device in it.
    StolenCertificate,
}

struct Stranger<'a> {
    node: Node,
    config: &'a Config,
    certificate: DeviceCertificate,
    /// A certificate that names a member's wallet.
    forged: DeviceCertificate,
    /// Certificates that newcomers showed.
    stolen: BTreeMap<DeviceKey, DeviceCertificate>,
    /// Newcomers whose hello is to be answered.
    greeted: BTreeSet<DeviceKey>,
}

/// Tries everything for `lasting`.
pub(crate) async fn run(
    config: &Config,
    wallets: &Wallets,
    wallet: Wallet,
    lasting: Duration,
) -> Result<()> {
    let secret = identity::device()?;
    let certificate = wallets.certificate(wallet, &secret)?;
    let statement = wallets.statement(wallets.get(2)?, secret.device())?;
    let signature = wallets.sign(wallet, &statement)?;
    let forged = statement.certify(SignatureKind::Eip191, signature, &secret);
    let relay = config.relays.first().context("the configuration names no relay")?;
    let node = Node::start(secret, relay, config.community.meet_tag()).await?;
    let (stolen, greeted) = (BTreeMap::new(), BTreeSet::new());
    let mut stranger = Stranger { node, config, certificate, forged, stolen, greeted };
    let until = Instant::now() + lasting;
    let mut pause = RETURN;
    let mut tricks = TRICKS.iter().copied().cycle();
    while Instant::now() < until {
        let trick = tricks.next().context("no tricks")?;
        for device in stranger.node.listed.clone() {
            if let Err(error) = stranger.play(device, trick).await {
                say(
                    json!({ "event": "failed", "trick": format!("{trick:?}"), "reason": error.to_string() }),
                );
            }
        }
        // Once: from then on it is busy with us.
        stranger.answer_newcomers(std::mem::take(&mut pause)).await?;
    }
    let seen = stranger.node.seen.iter().map(|(device, seen)| (device.to_string(), seen.to_json()));
    let stolen = stranger.stolen.keys().map(ToString::to_string).collect::<Vec<_>>();
    say(
        json!({ "event": "summary", "devices": seen.collect::<BTreeMap<String, Value>>(), "stolen": stolen }),
    );
    Ok(())
}

impl Stranger<'_> {
    async fn play(&mut self, device: DeviceKey, trick: Trick) -> Result<()> {
        if matches!(trick, Trick::StolenCertificate) && !self.stolen.keys().any(|d| *d != device) {
            return Ok(());
        }
        self.node.dial(device).await?;
        say(
            json!({ "event": "trick", "device": device.to_string(), "trick": format!("{trick:?}") }),
        );
        // The member may end the connection at any moment, which is its right.
        let _ = self.perform(device, trick).await;
        let ended = self.wait(device, ENDING).await?;
        if !ended {
            self.node.hang_up(device).await?;
        }
        Ok(())
    }

    /// Listens until a device's connections are gone; whether they are.
    async fn wait(&mut self, device: DeviceKey, patience: Duration) -> Result<bool> {
        let until = Instant::now() + patience;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match tokio::time::timeout(left, self.node.next()).await {
                Err(_) => return Ok(false),
                Ok(news) => {
                    let news = news?;
                    self.remember(&news);
                    if matches!(news, News::Gone(other) if other == device) {
                        return Ok(true);
                    }
                }
            }
        }
    }

    fn remember(&mut self, news: &News) {
        if let News::Frame(device, Channel::Hello, frame) = news
            && let Ok(HelloMessage::Hello(hello)) = wire::decode("hello", frame)
        {
            self.stolen.insert(*device, hello.certificate);
            self.greeted.insert(*device);
        }
    }

    /// Whoever came to us gets our own hello, a welcome, and a place in the meeting.
    async fn answer_newcomers(&mut self, time: Duration) -> Result<()> {
        let until = Instant::now() + time;
        while let Ok(news) = tokio::time::timeout_at(until, self.node.next()).await {
            self.remember(&news?);
        }
        for device in std::mem::take(&mut self.greeted) {
            let _ = self.perform(device, Trick::HelloAndAllElse).await;
        }
        Ok(())
    }

    async fn perform(&mut self, device: DeviceKey, trick: Trick) -> Result<()> {
        let own = || identity::hello(self.config, self.certificate.clone());
        match trick {
            Trick::Hello => drop(self.greet(device, &[own()]).await?),
            Trick::HelloAndAllElse => {
                let frames = [own(), wire::encode(&HelloMessage::Welcome)];
                let hello = self.greet(device, &frames).await?;
                self.meet(device).await?;
                self.open_everything(device).await;
                drop(hello);
            }
            Trick::Welcome => {
                drop(self.greet(device, &[wire::encode(&HelloMessage::Welcome)]).await?);
            }
            Trick::Refused => {
                let refused = HelloMessage::Refused(Refusal::Undecided);
                drop(self.greet(device, &[wire::encode(&refused)]).await?);
            }
            Trick::Protocols => {
                self.node.listen(Duration::from_millis(200)).await?;
                self.open_everything(device).await;
            }
            Trick::MeetingAlone => self.meet(device).await?,
            Trick::OtherCommunity => {
                let hello = HelloMessage::Hello(Box::new(Hello {
                    certificate: self.certificate.clone(),
                    community: self.config.community.id + 1,
                    version: u64::MAX,
                    time: identity::now(),
                }));
                drop(self.greet(device, &[wire::encode(&hello)]).await?);
            }
            Trick::MembersWallet => {
                let hello = identity::hello(self.config, self.forged.clone());
                drop(self.greet(device, &[hello]).await?);
            }
            Trick::StolenCertificate => {
                let others = self.stolen.iter().find(|(owner, _)| **owner != device);
                let Some((_, stolen)) = others.map(|(d, c)| (*d, c.clone())) else { return Ok(()) };
                let mut statement = stolen.statement.clone();
                statement.device = self.node.secret.device();
                let relabelled = statement.certify(
                    stolen.kind,
                    stolen.wallet_signature.clone(),
                    &self.node.secret,
                );
                drop(self.greet(device, &[identity::hello(self.config, stolen)]).await?);
                if self.wait(device, ENDING).await? {
                    self.node.dial(device).await?;
                    drop(self.greet(device, &[identity::hello(self.config, relabelled)]).await?);
                }
            }
        }
        Ok(())
    }

    /// Says these on the hello channel.
    async fn greet(&mut self, device: DeviceKey, frames: &[Vec<u8>]) -> Result<WriteHalf<Stream>> {
        let mut stream = self.node.open(device, Channel::Hello.protocol()).await?;
        for bytes in frames {
            frame::write(&mut stream, bytes, Channel::Hello.max_frame()).await?;
        }
        Ok(stream)
    }

    /// Presence, signed as it should be, and an offer.
    async fn meet(&mut self, device: DeviceKey) -> Result<()> {
        let mut stream = self.node.open(device, Channel::Meeting.protocol()).await?;
        let own = Session(identity::random()?);
        let presence = lies::presence(self.config.community, own, 1).sign(&self.node.secret);
        let offer = lies::offer(own, Session([0; 8]), 1, lies::SDP);
        for bytes in [lies::said(presence), offer] {
            frame::write(&mut stream, &bytes, Channel::Meeting.max_frame()).await?;
        }
        Ok(())
    }

    /// Asks for every protocol there may be, with something to chew on.
    async fn open_everything(&mut self, device: DeviceKey) {
        let listed = self.node.seen.get(&device).map(|seen| seen.protocols.clone());
        let ours = |name: &String| !name.contains("/hello/") && !name.contains("/meeting/");
        let mut names: BTreeSet<String> = listed.unwrap_or_default();
        names.extend(PROTOCOLS.map(str::to_owned));
        for name in names.into_iter().filter(ours) {
            match self.node.open(device, &name).await {
                Ok(mut stream) => {
                    let _ = stream.write_all(b"\x13hello from outside\n").await;
                    let _ = stream.flush().await;
                    say(
                        json!({ "event": "opened", "device": device.to_string(), "protocol": name }),
                    );
                }
                Err(libp2p_stream::OpenStreamError::UnsupportedProtocol(_)) => {}
                Err(_) => return,
            }
        }
    }
}
