//! The media seam of the core, carried out with `RTCPeerConnection`.

mod path;
mod peer;

use crate::{
    audio::{Audio, meter::Level, microphone::Microphone},
    js::same,
};
use chats_core::media::{Link, MediaCommand, MediaEvent};
use chats_core::small::SmallMap;
use peer::{Peer, Step};
use std::{
    cell::{Cell, RefCell},
    fmt,
    rc::Rc,
};
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::spawn_local;
use web_sys::{MediaStreamTrack, RtcConfiguration, RtcIceServer};

/// The most links at a time.
pub const MAX_LINKS: usize = 16;

/// A STUN or TURN server (W3C WebRTC, `RTCIceServer`).
#[derive(Clone, PartialEq, Eq)]
pub struct IceServer {
    /// `stun:`, `turn:` or `turns:` URLs.
    pub urls: Vec<String>,
    /// For TURN.
    pub username: Option<String>,
    /// For TURN; not printed.
    pub credential: Option<String>,
}

impl fmt::Debug for IceServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IceServer").field("urls", &self.urls).finish_non_exhaustive()
    }
}

/// All media connections of this page. Closed when dropped.
pub struct Connections(Rc<Inner>);

struct Inner {
    audio: Audio,
    ice: RefCell<Vec<IceServer>>,
    on_event: Box<dyn Fn(MediaEvent)>,
    on_level: Box<dyn Fn(Link, Level)>,
    peers: RefCell<SmallMap<Link, Rc<Peer>>>,
    microphone: RefCell<Option<MediaStreamTrack>>,
    muted: Cell<bool>,
}

impl Connections {
    /// None yet. `on_event` gets what the core wants to know, `on_level` how loud the other side
    /// of a link is, about 20 times a second. Both are called in tasks of their own, never from
    /// within a call of this type.
    #[must_use]
    pub fn new(
        audio: Audio,
        ice: Vec<IceServer>,
        on_event: impl Fn(MediaEvent) + 'static,
        on_level: impl Fn(Link, Level) + 'static,
    ) -> Self {
        Self(Rc::new(Inner {
            audio,
            ice: RefCell::new(ice),
            on_event: Box::new(on_event),
            on_level: Box::new(on_level),
            peers: RefCell::default(),
            microphone: RefCell::default(),
            muted: Cell::new(false),
        }))
    }

    /// Does what the core asks. Commands for one link are carried out strictly in order;
    /// commands for a link that is not open are ignored.
    pub fn execute(&self, command: MediaCommand) {
        match command {
            MediaCommand::Open { link } => self.open(link),
            MediaCommand::Describe { link } => self.push(link, Step::Describe),
            MediaCommand::Apply { link, description } => {
                self.push(link, Step::Apply(description));
            }
            MediaCommand::AddCandidate { link, candidate } => {
                self.push(link, Step::AddCandidate(candidate));
            }
            MediaCommand::RestartIce { link } => self.push(link, Step::RestartIce),
            MediaCommand::Close { link } => self.0.remove(link),
            MediaCommand::Mute(muted) => self.mute(muted),
        }
    }

    /// Sends this microphone on all connections from now on, present and future ones; or silence.
    /// It is muted or not as was last asked for. The caller keeps it alive.
    pub fn set_microphone(&self, microphone: Option<&Microphone>) {
        let track = microphone.map(|microphone| same(microphone.track()));
        if let Some(track) = &track {
            track.set_enabled(!self.0.muted.get());
        }
        *self.0.microphone.borrow_mut() = track;
        let peers: Vec<_> = self.0.peers.borrow().values().cloned().collect();
        for peer in peers {
            match self.0.outgoing() {
                Ok(track) => peer.push(Step::Send(track)),
                Err(reason) => self.0.broken(peer.link, reason),
            }
        }
    }

    /// These STUN and TURN servers from now on. A connection that stands uses them from its next
    /// ICE restart on.
    pub fn set_ice(&self, ice: Vec<IceServer>) {
        *self.0.ice.borrow_mut() = ice;
        let configuration = self.0.configuration();
        for peer in self.0.peers.borrow().values() {
            peer.configure(&configuration);
        }
    }

    fn mute(&self, muted: bool) {
        self.0.muted.set(muted);
        if let Some(track) = self.0.microphone.borrow().as_ref() {
            track.set_enabled(!muted);
        }
    }

    fn open(&self, link: Link) {
        let count = self.0.peers.borrow().len();
        let opened = if self.0.peers.borrow().contains_key(&link) {
            Err("it is open already".to_owned())
        } else if count >= MAX_LINKS {
            Err(format!("{MAX_LINKS} links are open, which is the most"))
        } else {
            self.0.outgoing().and_then(|track| Peer::open(&self.0, link, &track))
        };
        match opened {
            Ok(peer) => {
                self.0.peers.borrow_mut().insert(link, peer);
            }
            Err(reason) => self.0.broken(link, reason),
        }
    }

    fn push(&self, link: Link, step: Step) {
        let peer = self.0.peers.borrow().get(&link).cloned();
        if let Some(peer) = peer {
            peer.push(step);
        }
    }
}

impl Drop for Connections {
    fn drop(&mut self) {
        for peer in self.0.peers.take().into_values() {
            peer.close();
        }
    }
}

impl fmt::Debug for Connections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Connections {{ open: {} }}", self.0.peers.borrow().len())
    }
}

impl Inner {
    /// What to send at present.
    fn outgoing(&self) -> Result<MediaStreamTrack, String> {
        match self.microphone.borrow().as_ref() {
            Some(track) => Ok(same(track)),
            None => self.audio.silence(),
        }
    }

    fn configuration(&self) -> RtcConfiguration {
        let servers = js_sys::Array::new();
        for server in self.ice.borrow().iter() {
            let entry = RtcIceServer::new();
            let urls: js_sys::Array =
                server.urls.iter().map(|url| JsValue::from_str(url)).collect();
            entry.set_urls(&urls);
            if let Some(username) = &server.username {
                entry.set_username(username);
            }
            if let Some(credential) = &server.credential {
                entry.set_credential(credential);
            }
            servers.push(&entry);
        }
        let configuration = RtcConfiguration::new();
        configuration.set_ice_servers(&servers);
        configuration
    }

    fn remove(&self, link: Link) {
        let peer = self.peers.borrow_mut().remove(&link);
        if let Some(peer) = peer {
            peer.close();
        }
    }

    /// Gives a link up and says so, in a task of its own.
    fn broken(self: &Rc<Self>, link: Link, reason: String) {
        self.remove(link);
        let inner = Rc::downgrade(self);
        spawn_local(async move {
            if let Some(inner) = inner.upgrade() {
                (inner.on_event)(MediaEvent::Broken { link, reason });
            }
        });
    }
}
