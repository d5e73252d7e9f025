//! What can be said on the meeting channel: the honest form, and what can be wrong with it.

use crate::identity::now;
use chats_core::{
    id::{Community, DeviceSecret, MeetingName},
    media::{Candidate, Description, DescriptionKind},
    presence::{MeetingMessage, Presence, Session, Signal, SignalBody, SignedPresence},
    time::{Duration, Time},
    wire,
};

/// An offer that a browser reads, of a connection that leads nowhere.
pub(crate) const SDP: &str = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n\
    m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\na=sendrecv\r\n\
    a=rtcp-mux\r\na=rtpmap:111 opus/48000/2\r\na=ice-ufrag:abcd\r\n\
    a=ice-pwd:abcdefghijklmnopqrstuvwx\r\na=setup:actpass\r\na=fingerprint:sha-256 \
    00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF\r\n";

/// What the page is to make of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expected {
    /// It counts it as ignored.
    Ignored,
    /// It takes it as what it says, and nobody else is the worse for it.
    Taken,
}

/// Some frames that are sent one after the other.
pub(crate) struct Lie {
    pub(crate) name: &'static str,
    pub(crate) expected: Expected,
    pub(crate) frames: Vec<Vec<u8>>,
}

/// What a liar knows when it speaks to one page.
pub(crate) struct Known<'a> {
    pub(crate) secret: &'a DeviceSecret,
    pub(crate) community: Community,
    /// Its own stay.
    pub(crate) own: Session,
    /// The page's.
    pub(crate) theirs: Session,
    /// A presence that another page signed, if there is one.
    pub(crate) overheard: Option<&'a SignedPresence>,
    /// The number of the last call between the two.
    pub(crate) attempt: u32,
    /// The last sequence number said.
    pub(crate) sequence: u64,
}

/// An honest presence in `main`, without a signature.
pub(crate) fn presence(community: Community, session: Session, sequence: u64) -> Presence {
    let now = now();
    // Names of this form can be read.
    let meeting = MeetingName::parse("main").into_iter().next();
    let Some(meeting) = meeting else { unreachable!("a meeting's name") };
    Presence {
        community,
        meeting,
        session,
        sequence,
        time: now,
        joined: now,
        muted: true,
        leaving: false,
        hand: None,
    }
}

/// A presence as a frame.
pub(crate) fn said(presence: SignedPresence) -> Vec<u8> {
    wire::encode(&MeetingMessage::Presence(presence))
}

/// A description as a frame.
pub(crate) fn offer(from: Session, to: Session, attempt: u32, sdp: &str) -> Vec<u8> {
    describe(DescriptionKind::Offer, from, to, attempt, sdp)
}

fn describe(kind: DescriptionKind, from: Session, to: Session, attempt: u32, sdp: &str) -> Vec<u8> {
    let body = SignalBody::Description(Description { kind, sdp: sdp.to_owned() });
    wire::encode(&MeetingMessage::Signal(Signal { from, to, attempt, body }))
}

/// A candidate as a frame.
pub(crate) fn candidate(from: Session, to: Session, attempt: u32, line: String) -> Vec<u8> {
    let candidate = Candidate { line, mid: Some("0".to_owned()), line_index: Some(0) };
    let body = SignalBody::Candidate(candidate);
    wire::encode(&MeetingMessage::Signal(Signal { from, to, attempt, body }))
}

fn host(number: u32) -> String {
    format!("candidate:1 1 udp 2122260223 127.0.0.1 {} typ host", 1024 + number % 60_000)
}

/// Everything that is wrong in itself, and must change nothing at all.
pub(crate) fn ignored(known: &Known<'_>) -> Vec<Lie> {
    let mut lies = wrong_presence(known);
    lies.extend(wrong_signals(known));
    lies.extend(wrong_bytes(known));
    lies
}

fn lie(name: &'static str, frames: Vec<Vec<u8>>) -> Lie {
    Lie { name, expected: Expected::Ignored, frames }
}

fn wrong_presence(known: &Known<'_>) -> Vec<Lie> {
    let Known { secret, community, own, sequence, .. } = known;
    let honest = || presence(*community, *own, sequence + 1);
    let signed = |change: &dyn Fn(&mut Presence)| {
        let mut presence = honest();
        change(&mut presence);
        vec![said(presence.sign(secret))]
    };
    let other = DeviceSecret::from_seed(&[0x5a; 32]);
    let mut unsigned = honest().sign(secret);
    unsigned.presence.muted = false;
    let two_minutes = Duration::from_secs(120);
    let mut elsewhere = *community;
    elsewhere.registry.chain += 1;
    let mut lies = vec![
        lie("presence signed by another device", vec![said(honest().sign(&other))]),
        lie("presence changed after signing", vec![said(unsigned)]),
        lie(
            "presence two minutes old",
            signed(&|p| {
                p.time = Time(p.time.0 - 120_000);
                p.joined = p.time;
            }),
        ),
        lie("presence two minutes ahead", signed(&|p| p.time = p.time + two_minutes)),
        lie("presence at the end of time", signed(&|p| p.time = Time(u64::MAX))),
        lie("presence joined after it was said", signed(&|p| p.joined = p.time + two_minutes)),
        lie("presence with the last sequence", signed(&|p| p.sequence = *sequence)),
        lie("presence with the first sequence", signed(&|p| p.sequence = 0)),
        lie("presence in another community", signed(&|p| p.community.id += 1)),
        lie("presence in another registry", signed(&|p| p.community = elsewhere)),
    ];
    if let Some(overheard) = known.overheard {
        lies.push(lie("presence of another member", vec![said(overheard.clone())]));
        let mut claimed = overheard.presence.clone();
        claimed.sequence += 1000;
        let signature = claimed.clone().sign(&other).signature;
        let claimed = SignedPresence { presence: claimed, signature };
        lies.push(lie("presence in another member's stay", vec![said(claimed)]));
    }
    lies
}

fn wrong_signals(known: &Known<'_>) -> Vec<Lie> {
    let Known { own, theirs, attempt, .. } = known;
    let next = attempt.saturating_add(1);
    let long = format!("{SDP}a=x:{}\r\n", "x".repeat(16 * 1024 + 1 - SDP.len() - 6));
    let mut wrong = own.0;
    wrong.reverse();
    let answer = |sdp| describe(DescriptionKind::Answer, *own, *theirs, *attempt, sdp);
    vec![
        lie("an SDP of 16 kB and one byte", vec![offer(*own, *theirs, next, &long)]),
        lie("an SDP for a stay that is not theirs", vec![offer(*own, Session(wrong), next, SDP)]),
        lie("an SDP from a stay that is not ours", vec![offer(Session(wrong), *theirs, next, SDP)]),
        lie("an SDP from their own stay", vec![offer(*theirs, *theirs, next, SDP)]),
        lie("an SDP of no attempt", vec![offer(*own, *theirs, 0, SDP)]),
        lie("an answer nobody asked for", vec![answer("v=0\r\n")]),
        lie("a candidate of 1,025 bytes", vec![candidate(*own, *theirs, next, "x".repeat(1025))]),
        lie("a candidate of no attempt", vec![candidate(*own, *theirs, 0, host(1))]),
    ]
}

fn wrong_bytes(known: &Known<'_>) -> Vec<Lie> {
    let honest =
        || said(presence(known.community, known.own, known.sequence + 1).sign(known.secret));
    let name = |name: &[u8]| {
        // The name "main" is the only text in a presence.
        let bytes = honest();
        let at = bytes.windows(5).position(|part| part == b"\x64main").unwrap_or_default();
        let (before, after) = (bytes.get(..at), bytes.get(at + 5..));
        let length = [0x78, u8::try_from(name.len()).unwrap_or(u8::MAX)];
        let head = if name.len() < 24 {
            vec![0x60 | u8::try_from(name.len()).unwrap_or_default()]
        } else {
            length.to_vec()
        };
        [before.unwrap_or_default(), &head, name, after.unwrap_or_default()].concat()
    };
    let cut = (1..honest().len()).step_by(7).map(|at| honest().into_iter().take(at).collect());
    let mut longer = honest();
    longer.push(0);
    let mut twice = honest();
    twice.extend(honest());
    let nested = [vec![0x81; 8_000], vec![0]].concat();
    let tagged = [vec![0xc1; 8_000], vec![0]].concat();
    vec![
        lie("a meeting with capitals", vec![name(b"MAIN")]),
        lie("a meeting without a name", vec![name(b"")]),
        lie("a meeting of 33 letters", vec![name(&[b'a'; 33])]),
        lie("a meeting with markup", vec![name(b"<img src=x onerror=a>")]),
        lie("a meeting with a way up", vec![name(b"../../main")]),
        lie("a meeting with a reversed text", vec![name("\u{202e}niam".as_bytes())]),
        lie("a meeting that is not text", vec![name(&[0xff, 0xfe, 0xfd])]),
        lie("frames cut short", cut.collect()),
        lie("a byte too many", vec![longer]),
        lie("two messages in a frame", vec![twice]),
        lie("an empty frame", vec![Vec::new()]),
        lie("zeros", vec![vec![0; 8 * 1024]]),
        lie("arrays in arrays", vec![nested]),
        lie("tags on tags", vec![tagged]),
        lie("an array without end", vec![vec![0x9f; 1000]]),
        lie("an array of 2^64 - 1", vec![vec![0x9b, 255, 255, 255, 255, 255, 255, 255, 255]]),
        lie("a text of 2^63", vec![vec![0x82, 1, 0x7b, 0x80, 0, 0, 0, 0, 0, 0, 0]]),
        lie("a message of a kind to come", vec![vec![0x82, 7, 0x80]]),
        lie("JSON", vec![br#"{"type":"offer","sdp":"v=0"}"#.to_vec()]),
    ]
}

/// A call's worth of well-formed candidates, over and over.
pub(crate) fn candidates(known: &Known<'_>, attempt: u32, count: u32) -> Vec<Vec<u8>> {
    (0..count).map(|n| candidate(known.own, known.theirs, attempt, host(n))).collect()
}
