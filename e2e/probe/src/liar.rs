//! A member who passes hello as it should, and then abuses the meeting channel.

use crate::{
    identity::{self, Wallets},
    ledger::say,
    lies::{self, Expected, Known, Lie},
    node::{News, Node, PATIENCE},
};
use anyhow::{Context, Result, bail};
use chats_core::{
    certificate::DeviceCertificate,
    channel::Channel,
    config::Config,
    hello::HelloMessage,
    id::{DeviceKey, Wallet},
    presence::{MeetingMessage, Session, SignedPresence},
    wire,
};
use chats_net::frame;
use futures::{AsyncWriteExt, io::WriteHalf};
use libp2p::Stream;
use serde_json::json;
use std::{collections::BTreeMap, time::Duration};
use tokio::time::Instant;

/// How long frames come as fast as the page takes them.
const FULL_SPEED: Duration = Duration::from_secs(1);

struct Liar<'a> {
    node: Node,
    config: &'a Config,
    certificate: DeviceCertificate,
    /// What each page last said of itself.
    stays: BTreeMap<DeviceKey, SignedPresence>,
    /// The number of the last call that each page made to us.
    attempts: BTreeMap<DeviceKey, u32>,
    /// Pages that ended the connection.
    cut: Vec<DeviceKey>,
}

/// A page that we passed, and our place in its meeting.
struct Talk {
    device: DeviceKey,
    hello: WriteHalf<Stream>,
    meeting: WriteHalf<Stream>,
    own: Session,
    theirs: Session,
    sequence: u64,
    attempt: u32,
}

impl<'a> Liar<'a> {
    async fn start(config: &'a Config, wallets: &Wallets, wallet: Wallet) -> Result<Self> {
        let secret = identity::device()?;
        let certificate = wallets.certificate(wallet, &secret)?;
        let relay = config.relays.first().context("the configuration names no relay")?;
        let node = Node::start(secret, relay, config.community.meet_tag()).await?;
        let (stays, attempts) = (BTreeMap::new(), BTreeMap::new());
        Ok(Self { node, config, certificate, stays, attempts, cut: Vec::new() })
    }

    /// Every page that is there, each passed and met.
    async fn talks(&mut self) -> Result<Vec<Talk>> {
        let mut talks = Vec::new();
        for device in self.node.listed.clone() {
            talks.push(self.connect(device).await?);
        }
        if talks.is_empty() {
            bail!("no member is there to lie to");
        }
        Ok(talks)
    }

    async fn until<T>(
        &mut self,
        what: &str,
        mut pick: impl FnMut(&News) -> Option<T>,
    ) -> Result<T> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let next = tokio::time::timeout(left, self.node.next()).await;
            let news = next.with_context(|| format!("not within {PATIENCE:?}: {what}"))??;
            self.remember(&news);
            if let Some(found) = pick(&news) {
                return Ok(found);
            }
        }
    }

    fn remember(&mut self, news: &News) {
        match news {
            News::Gone(device) => self.cut.push(*device),
            News::Frame(device, Channel::Meeting, frame) => {
                match wire::decode::<MeetingMessage>("message", frame) {
                    Ok(MeetingMessage::Presence(signed)) => {
                        self.stays.insert(*device, signed);
                    }
                    Ok(MeetingMessage::Signal(signal)) => {
                        self.attempts.insert(*device, signal.attempt);
                    }
                    Ok(MeetingMessage::Hears(_)) | Err(_) => {}
                }
            }
            _ => {}
        }
    }

    /// Passes hello as an honest device does, and sits down in the meeting.
    async fn connect(&mut self, device: DeviceKey) -> Result<Talk> {
        self.stays.remove(&device);
        self.attempts.remove(&device);
        self.node.dial(device).await?;
        let mut hello = self.node.open(device, Channel::Hello.protocol()).await?;
        let most = Channel::Hello.max_frame();
        let greeting = identity::hello(self.config, self.certificate.clone());
        frame::write(&mut hello, &greeting, most).await?;
        let (mut welcome, mut greeted) = (false, false);
        let refused = self
            .until("hello and welcome", |news| {
                let News::Frame(from, Channel::Hello, frame) = news else { return None };
                match wire::decode::<HelloMessage>("hello", frame) {
                    _ if *from != device => {}
                    Ok(HelloMessage::Welcome) => welcome = true,
                    Ok(HelloMessage::Hello(_)) => greeted = true,
                    Ok(HelloMessage::Refused(refusal)) => return Some(Some(refusal)),
                    Err(_) => {}
                }
                (welcome && greeted).then_some(None)
            })
            .await?;
        if let Some(refusal) = refused {
            bail!("refused by {device}: {refusal:?}");
        }
        frame::write(&mut hello, &wire::encode(&HelloMessage::Welcome), most).await?;
        let meeting = self.node.open(device, Channel::Meeting.protocol()).await?;
        while !self.stays.contains_key(&device) {
            self.until("the page's place in the meeting", |_| Some(())).await?;
        }
        let theirs = self.stays.get(&device).map(|signed| signed.presence.session);
        let theirs = theirs.context("a page without a stay")?;
        let own = Session(identity::random()?);
        let mut talk = Talk { device, hello, meeting, own, theirs, sequence: 0, attempt: 0 };
        self.sit(&mut talk).await?;
        self.cut.retain(|other| *other != device);
        Ok(talk)
    }

    /// Says honestly that we are there.
    async fn sit(&mut self, talk: &mut Talk) -> Result<()> {
        talk.sequence += 1;
        let presence = lies::presence(self.config.community, talk.own, talk.sequence);
        write(&mut talk.meeting, &[lies::said(presence.sign(&self.node.secret))]).await
    }

    /// Takes in what came, up to now.
    async fn catch_up(&mut self, talk: &mut Talk) -> Result<()> {
        self.node.round_trip(talk.device).await?;
        while let Ok(news) = tokio::time::timeout(Duration::ZERO, self.node.next()).await {
            self.remember(&news?);
        }
        let called = self.attempts.get(&talk.device).copied().unwrap_or_default();
        talk.attempt = talk.attempt.max(called);
        Ok(())
    }

    fn known<'b>(&'b self, talk: &Talk) -> Known<'b> {
        Known {
            secret: &self.node.secret,
            community: self.config.community,
            own: talk.own,
            theirs: talk.theirs,
            overheard: self.stays.iter().find(|(other, _)| **other != talk.device).map(|(_, s)| s),
            attempt: talk.attempt,
            sequence: talk.sequence,
        }
    }

    /// Tells one lie; an error if the page ended the connection over it.
    async fn tell(&mut self, talk: &mut Talk, lie: &Lie) -> Result<()> {
        let sent = write(&mut talk.meeting, &lie.frames).await;
        let heard = match sent {
            Ok(()) => self.catch_up(talk).await,
            Err(error) => Err(error),
        };
        let cut = heard.is_err() || self.cut.contains(&talk.device);
        say(json!({
            "event": "lie",
            "device": talk.device.to_string(),
            "name": lie.name,
            "expected": format!("{:?}", lie.expected),
            "frames": lie.frames.len(),
            "cut": cut,
        }));
        heard.with_context(|| format!("cut off after {:?}", lie.name))
    }

    /// Does something after which the page must end the connection, and waits until it has.
    async fn end(&mut self, device: DeviceKey, name: &str) -> Result<()> {
        if !self.cut.contains(&device) {
            self.until(&format!("the end after {name}"), |news| {
                matches!(news, News::Gone(other) if *other == device).then_some(())
            })
            .await?;
        }
        say(json!({ "event": "ended", "device": device.to_string(), "name": name }));
        Ok(())
    }
}

async fn write(stream: &mut WriteHalf<Stream>, frames: &[Vec<u8>]) -> Result<()> {
    let mut bytes = Vec::new();
    for frame in frames {
        frame::write(&mut bytes, frame, Channel::Meeting.max_frame()).await?;
    }
    let sent = async {
        stream.write_all(&bytes).await?;
        stream.flush().await
    };
    tokio::time::timeout(PATIENCE, sent).await.context("the page takes nothing more")??;
    Ok(())
}

/// Lies of every kind, one by one, to every page that is there; then what must end the connection.
pub(crate) async fn run(config: &Config, wallets: &Wallets, wallet: Wallet) -> Result<()> {
    let mut liar = Liar::start(config, wallets, wallet).await?;
    let mut ignored = BTreeMap::<String, usize>::new();
    let mut talks = liar.talks().await?;
    for talk in &mut talks {
        liar.catch_up(talk).await?;
        for lie in lies::ignored(&liar.known(talk)) {
            liar.tell(talk, &lie).await?;
            if lie.expected == Expected::Ignored {
                *ignored.entry(talk.device.to_string()).or_default() += lie.frames.len();
            }
        }
        // Only the last lie's frames may still be on their way; an honest word ends them.
        liar.sit(talk).await?;
        liar.catch_up(talk).await?;
    }
    for talk in talks {
        break_off(&mut liar, talk).await?;
    }
    say(json!({ "event": "summary", "ignored": ignored }));
    Ok(())
}

/// What is no frame, no order of streams and no hello, each on a connection of its own.
async fn break_off(liar: &mut Liar<'_>, mut talk: Talk) -> Result<()> {
    let device = talk.device;
    // 32 kB and one byte: the length alone is too much.
    talk.meeting.write_all(&[0x81, 0x80, 0x02]).await?;
    talk.meeting.flush().await?;
    liar.end(device, "a frame of 32 kB and one byte").await?;
    let mut talk = liar.connect(device).await?;
    talk.meeting.write_all(&[0xff; 5]).await?;
    talk.meeting.flush().await?;
    liar.end(device, "a length without end").await?;
    let mut talk = liar.connect(device).await?;
    talk.meeting.write_all(&[0x20, 0x82]).await?;
    talk.meeting.close().await?;
    liar.end(device, "a frame that breaks off").await?;
    let talk = liar.connect(device).await?;
    let second = liar.node.open(device, Channel::Meeting.protocol()).await;
    liar.end(device, "a second meeting channel").await?;
    drop((second, talk));
    let mut talk = liar.connect(device).await?;
    let greeting = identity::hello(liar.config, liar.certificate.clone());
    frame::write(&mut talk.hello, &greeting, Channel::Hello.max_frame()).await?;
    liar.end(device, "a second hello").await?;
    drop(talk);
    let talk = liar.connect(device).await?;
    for _ in 0..200 {
        if liar.node.open(device, Channel::Hello.protocol()).await.is_err() {
            break;
        }
    }
    liar.end(device, "200 hello channels").await?;
    drop(talk);
    Ok(())
}

/// Well-formed messages, more of them than anybody needs.
pub(crate) async fn flood(config: &Config, wallets: &Wallets, wallet: Wallet) -> Result<()> {
    let mut liar = Liar::start(config, wallets, wallet).await?;
    for device in liar.node.listed.clone() {
        for flood in [garbage_offers, candidates, attempts, stays, full_speed] {
            let mut talk = liar.connect(device).await?;
            let lie = flood(&liar, &mut talk);
            // A page may end this at any time.
            let told = liar.tell(&mut talk, &lie).await;
            if told.is_ok() && lie.name == FAST {
                let until = Instant::now() + FULL_SPEED;
                while Instant::now() < until && write(&mut talk.meeting, &lie.frames).await.is_ok()
                {
                }
            }
            liar.node.hang_up(device).await?;
        }
    }
    say(json!({ "event": "summary" }));
    Ok(())
}

const FAST: &str = "frames at full speed";

fn taken(name: &'static str, frames: Vec<Vec<u8>>) -> Lie {
    Lie { name, expected: Expected::Taken, frames }
}

fn garbage_offers(_: &Liar<'_>, talk: &mut Talk) -> Lie {
    let texts =
        ["", "v=0", "not SDP", "v=0\r\nm=audio 9 X 0\r\n", "\0\0\0", "v=0\r\ns=\u{202e}\r\n"];
    let offers = texts.iter().zip(talk.attempt + 1..);
    let offers = offers.map(|(sdp, attempt)| lies::offer(talk.own, talk.theirs, attempt, sdp));
    taken("offers of garbage", offers.collect())
}

fn candidates(liar: &Liar<'_>, talk: &mut Talk) -> Lie {
    let attempt = talk.attempt + 1;
    let mut frames = vec![lies::offer(talk.own, talk.theirs, attempt, lies::SDP)];
    frames.extend(lies::candidates(&liar.known(talk), attempt, 10_000));
    taken("10,000 candidates", frames)
}

fn attempts(_: &Liar<'_>, talk: &mut Talk) -> Lie {
    let attempts = talk.attempt + 1..talk.attempt + 1001;
    let offer = |attempt| lies::offer(talk.own, talk.theirs, attempt, lies::SDP);
    taken("1,000 attempts", attempts.map(offer).collect())
}

fn stays(liar: &Liar<'_>, talk: &mut Talk) -> Lie {
    let frames = (0..1000_u64).flat_map(|number| {
        let own = Session(number.to_be_bytes());
        let mut presence = lies::presence(liar.config.community, own, 1);
        // Whoever was there first is called; so each stay would have the page call.
        presence.joined.0 -= 3_600_000;
        let said = lies::said(presence.sign(&liar.node.secret));
        [said, lies::offer(own, talk.theirs, 1, lies::SDP)]
    });
    taken("1,000 stays", frames.collect())
}

fn full_speed(liar: &Liar<'_>, talk: &mut Talk) -> Lie {
    let signed = |sequence| {
        let presence = lies::presence(liar.config.community, talk.own, sequence);
        lies::said(presence.sign(&liar.node.secret))
    };
    let mut frames: Vec<_> = (talk.sequence + 1..talk.sequence + 101).map(signed).collect();
    frames.extend(std::iter::repeat_n(vec![0; 64], 100));
    taken(FAST, frames)
}
