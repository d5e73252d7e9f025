//! One media connection.

use super::{Inner, path};
use crate::{
    audio::{
        meter::{Heard, Meter},
        playback::Playback,
    },
    clock,
    js::{Subscription, error_text, get},
    page,
};
use chats_core::media::{Candidate, Description, DescriptionKind, Link, LinkState, MediaEvent};
use js_sys::{Array, Promise};
use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    rc::{Rc, Weak},
    time::Duration,
};
use wasm_bindgen::{JsCast, JsValue, prelude::wasm_bindgen};
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{
    EventTarget, MediaStream, MediaStreamTrack, RtcConfiguration, RtcIceCandidateInit,
    RtcPeerConnection, RtcPeerConnectionIceEvent, RtcPeerConnectionState, RtcRtpSender, RtcSdpType,
    RtcSessionDescriptionInit, RtcTrackEvent,
};

/// The most commands that may wait on one link. A browser finds some ten candidates; more than
/// this many waiting means that the other side floods us.
const MAX_STEPS: usize = 256;
/// How often it is looked whether sound comes.
const LISTEN_EVERY: Duration = Duration::from_millis(250);
/// How often in a row nothing new must have come for it to be told. Who says nothing still sends
/// something every 400 ms, of which one may be lost.
const SILENT: u32 = 4;
/// After how many more times it is told again at first, and at last.
const AGAIN: u32 = 24;
const MOST_RARELY: u32 = 240;
/// Set once in the life of the page, when the first sound of anybody else was rendered.
const FIRST_AUDIO: &str = "chats:first-audio";

#[wasm_bindgen]
extern "C" {
    /// The newer methods of `RTCPeerConnection`, which web-sys does not have (W3C WebRTC 1.0,
    /// 4.4.2).
    #[wasm_bindgen(extends = RtcPeerConnection)]
    type Negotiator;

    #[wasm_bindgen(method, catch, js_name = setLocalDescription)]
    fn set_right_description(this: &Negotiator) -> Result<Promise, JsValue>;

    #[wasm_bindgen(method, catch, js_name = setConfiguration)]
    fn configure(this: &Negotiator, configuration: &RtcConfiguration) -> Result<(), JsValue>;

    #[wasm_bindgen(method, catch, js_name = restartIce)]
    fn restart_ice(this: &Negotiator) -> Result<(), JsValue>;

    /// What web-sys does not have of `RTCRtpReceiver` (W3C WebRTC 1.0, 5.3).
    type Receiver;

    #[wasm_bindgen(method, js_name = getSynchronizationSources)]
    fn sources(this: &Receiver) -> Array;
}

/// A command, without its link.
pub(super) enum Step {
    Describe,
    Apply(Description),
    AddCandidate(Candidate),
    RestartIce,
    Send(MediaStreamTrack),
}

pub(super) struct Peer {
    pub(super) link: Link,
    owner: Weak<Inner>,
    connection: RtcPeerConnection,
    sender: RtcRtpSender,
    handlers: RefCell<Vec<Subscription>>,
    steps: RefCell<VecDeque<Step>>,
    working: Cell<bool>,
    closed: Cell<bool>,
    /// It is known when the path changes.
    watching: Cell<bool>,
    receiving: RefCell<Option<(Playback, Meter)>>,
}

impl Peer {
    /// Makes a connection that sends `track`, which leads to [`MediaEvent::NegotiationNeeded`].
    pub(super) fn open(
        owner: &Rc<Inner>,
        link: Link,
        track: &MediaStreamTrack,
    ) -> Result<Rc<Self>, String> {
        let failed = |error: JsValue| error_text(&error);
        let connection =
            RtcPeerConnection::new_with_configuration(&owner.configuration()).map_err(failed)?;
        // `addTrack` rather than `addTransceiver`: only its transceivers are used for the first
        // media section of the other side's offer (RFC 8829, 5.10).
        let stream = MediaStream::new().map_err(failed)?;
        let sender = connection.add_track_0(track, &stream);
        let peer = Rc::new(Self {
            link,
            owner: Rc::downgrade(owner),
            connection,
            sender,
            handlers: RefCell::default(),
            steps: RefCell::default(),
            working: Cell::new(false),
            closed: Cell::new(false),
            watching: Cell::new(false),
            receiving: RefCell::default(),
        });
        *peer.handlers.borrow_mut() = peer.listen();
        Ok(peer)
    }

    /// Lets go of everything. No event follows.
    pub(super) fn close(&self) {
        self.closed.set(true);
        self.steps.borrow_mut().clear();
        self.handlers.borrow_mut().clear();
        self.receiving.borrow_mut().take();
        self.connection.close();
    }

    /// Uses other servers from the next ICE restart on.
    pub(super) fn configure(&self, configuration: &RtcConfiguration) {
        let negotiator: &Negotiator = self.connection.unchecked_ref();
        // It fails only where a policy changes, and none does.
        let _ = negotiator.configure(configuration);
    }

    /// Queues a command, and sees to it that the queue is worked off.
    pub(super) fn push(self: &Rc<Self>, step: Step) {
        if self.steps.borrow().len() >= MAX_STEPS {
            self.broken(format!("more than {MAX_STEPS} commands wait"));
            return;
        }
        self.steps.borrow_mut().push_back(step);
        if !self.working.replace(true) {
            spawn_local(Rc::clone(self).work());
        }
    }

    async fn work(self: Rc<Self>) {
        loop {
            let step = self.steps.borrow_mut().pop_front();
            let Some(step) = step else { break };
            let outcome = self.carry_out(step).await;
            if self.closed.get() {
                break;
            }
            match outcome {
                Ok(Some(event)) => self.emit(event),
                Ok(None) => {}
                Err(error) => self.broken(error_text(&error)),
            }
        }
        self.working.set(false);
    }

    async fn carry_out(&self, step: Step) -> Result<Option<MediaEvent>, JsValue> {
        let link = self.link;
        let negotiator: &Negotiator = self.connection.unchecked_ref();
        match step {
            Step::Describe => {
                JsFuture::from(negotiator.set_right_description()?).await?;
                let description = self.local_description()?;
                Ok(Some(MediaEvent::LocalDescription { link, description }))
            }
            Step::Apply(Description { kind, sdp }) => {
                let init = RtcSessionDescriptionInit::new(match kind {
                    DescriptionKind::Offer => RtcSdpType::Offer,
                    DescriptionKind::Answer => RtcSdpType::Answer,
                });
                init.set_sdp(&sdp);
                JsFuture::from(self.connection.set_remote_description(&init)).await?;
                Ok(Some(MediaEvent::Applied { link, kind }))
            }
            Step::AddCandidate(candidate) => {
                let init = RtcIceCandidateInit::new(&candidate.line);
                init.set_sdp_mid(candidate.mid.as_deref());
                init.set_sdp_m_line_index(candidate.line_index);
                let added =
                    self.connection.add_ice_candidate_with_opt_rtc_ice_candidate_init(Some(&init));
                // One that cannot be used is no loss: there are others, or none would do.
                let _ = JsFuture::from(added).await;
                Ok(None)
            }
            Step::RestartIce => {
                negotiator.restart_ice()?;
                Ok(None)
            }
            Step::Send(track) => {
                JsFuture::from(self.sender.replace_track(Some(&track))).await?;
                Ok(None)
            }
        }
    }

    fn local_description(&self) -> Result<Description, JsValue> {
        let description = self.connection.local_description();
        let description = description.ok_or_else(|| JsValue::from_str("no local description"))?;
        let kind = match description.type_() {
            RtcSdpType::Offer => DescriptionKind::Offer,
            RtcSdpType::Answer => DescriptionKind::Answer,
            _ => return Err(JsValue::from_str("a local description of an unknown kind")),
        };
        let sdp = description.sdp();
        if sdp.len() > Description::MAX_SDP {
            return Err(JsValue::from_str("a local description that is too long to send"));
        }
        Ok(Description { kind, sdp })
    }

    fn listen(self: &Rc<Self>) -> Vec<Subscription> {
        let on = |event, handler: fn(&Rc<Self>, &web_sys::Event)| {
            let peer = Rc::downgrade(self);
            Subscription::listen(&self.connection, event, move |event| {
                if let Some(peer) = peer.upgrade().filter(|peer| !peer.closed.get()) {
                    handler(&peer, event);
                }
            })
        };
        vec![
            on("negotiationneeded", |peer, _| {
                peer.emit(MediaEvent::NegotiationNeeded { link: peer.link });
            }),
            on("icecandidate", |peer, event| peer.on_candidate(event.unchecked_ref())),
            on("connectionstatechange", Self::on_state),
            on("track", |peer, event| peer.on_track(event.unchecked_ref())),
        ]
    }

    fn on_candidate(&self, event: &RtcPeerConnectionIceEvent) {
        let candidate = match event.candidate() {
            None => Candidate { line: String::new(), mid: None, line_index: None },
            Some(candidate) => Candidate {
                line: candidate.candidate(),
                mid: candidate.sdp_mid(),
                line_index: candidate.sdp_m_line_index(),
            },
        };
        // Some browsers mark the end of a generation by an empty line before the null.
        let ends_generation = candidate.line.is_empty() && candidate.mid.is_some();
        if !ends_generation && candidate.line.len() <= Candidate::MAX_LINE {
            self.emit(MediaEvent::LocalCandidate { link: self.link, candidate });
        }
    }

    fn on_state(self: &Rc<Self>, _: &web_sys::Event) {
        let state = match self.connection.connection_state() {
            RtcPeerConnectionState::Connected => {
                self.watch_path();
                spawn_local(Rc::clone(self).tell_path());
                LinkState::Connected
            }
            RtcPeerConnectionState::Disconnected => LinkState::Disconnected,
            RtcPeerConnectionState::Failed => LinkState::Failed,
            RtcPeerConnectionState::Closed => return,
            _ => LinkState::Connecting,
        };
        self.emit(MediaEvent::State { link: self.link, state });
    }

    /// Hears of it when the browser takes another path, which need not change its state. There is
    /// something to listen to once it is connected; where there is nothing, the browser does not
    /// tell.
    fn watch_path(self: &Rc<Self>) {
        let ice = get(&get(&self.sender, "transport"), "iceTransport");
        let Ok(ice) = ice.dyn_into::<EventTarget>() else { return };
        if self.watching.replace(true) {
            return;
        }
        let peer = Rc::downgrade(self);
        let watch = Subscription::listen(&ice, "selectedcandidatepairchange", move |_| {
            if let Some(peer) = peer.upgrade() {
                spawn_local(peer.tell_path());
            }
        });
        self.handlers.borrow_mut().push(watch);
    }

    /// Tells whether the sound goes through a TURN server.
    async fn tell_path(self: Rc<Self>) {
        let relayed = match JsFuture::from(self.connection.get_stats()).await {
            Ok(report) => path::is_relayed(report.unchecked_ref()),
            Err(_) => return,
        };
        if !self.closed.get() {
            self.emit(MediaEvent::Path { link: self.link, relayed });
        }
    }

    fn on_track(self: &Rc<Self>, event: &RtcTrackEvent) {
        let Some(owner) = self.owner.upgrade() else { return };
        let track = event.track();
        if track.kind() != "audio" {
            return;
        }
        let Ok(stream) = MediaStream::new_with_tracks(&Array::of1(&track)) else { return };
        let playback = match Playback::start(&owner.audio, &stream) {
            Ok(playback) => playback,
            Err(reason) => return self.broken(reason),
        };
        let (link, owner_again) = (self.link, self.owner.clone());
        let meter = Meter::start(&owner.audio, &stream, move |heard| match heard {
            Heard::First => page::mark_once(FIRST_AUDIO),
            Heard::Level(level) => {
                if let Some(owner) = owner_again.upgrade() {
                    (owner.on_level)(link, level);
                }
            }
            // The sound does not depend on the meter; whoever prepares `Audio` hears of this.
            Heard::Broken { .. } => {}
        });
        if self.receiving.borrow_mut().replace((playback, meter)).is_none() {
            spawn_local(Self::listen_in(Rc::downgrade(self), event.receiver().unchecked_into()));
        }
    }

    /// Tells when sound stops coming. Browsers change the state of a connection seconds later.
    async fn listen_in(peer: Weak<Self>, receiver: Receiver) {
        let (mut latest, mut silent, mut due) = (None, 0_u32, SILENT);
        loop {
            clock::sleep(LISTEN_EVERY).await;
            let Some(peer) = peer.upgrade().filter(|peer| !peer.closed.get()) else { return };
            // Of each source, when it was last heard; those of long ago are left out.
            let sources = receiver.sources();
            let heard = sources.iter().filter_map(|source| get(&source, "timestamp").as_f64());
            match heard.reduce(f64::max) {
                Some(at) if latest != Some(at) => (latest, silent, due) = (Some(at), 0, SILENT),
                _ => silent = silent.saturating_add(1),
            }
            if latest.is_some() && silent == due {
                due = due.saturating_add(due.clamp(AGAIN, MOST_RARELY));
                peer.emit(MediaEvent::Silent { link: peer.link });
            }
        }
    }

    fn emit(&self, event: MediaEvent) {
        if let Some(owner) = self.owner.upgrade() {
            (owner.on_event)(event);
        }
    }

    fn broken(&self, reason: String) {
        if let Some(owner) = self.owner.upgrade() {
            owner.broken(self.link, reason);
        }
    }
}
