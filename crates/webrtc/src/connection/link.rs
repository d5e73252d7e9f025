//! One `RTCPeerConnection` and all that hangs on it.

use super::channel::Channel;
use crate::{
    Config, Error,
    codec::signalling::Message,
    js::{PeerConnection, SctpTransport, Subscription},
    sdp::{self, Fingerprint},
    state::exchange::{Role, SignallingError},
};
use js_sys::{Array, JSON};
use std::{
    cell::RefCell,
    collections::VecDeque,
    rc::{Rc, Weak},
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    Event, EventTarget, RtcConfiguration, RtcDataChannelEvent, RtcIceConnectionState, RtcIceServer,
    RtcIceTransportPolicy, RtcPeerConnection, RtcPeerConnectionIceEvent, RtcPeerConnectionState,
    RtcSdpType, RtcSessionDescriptionInit,
};
use web_time::Instant;

/// The most streams that one end may have open at once. Chromium has 1,024 channels for both ends.
const MAX_STREAMS: usize = 256;
/// The most streams that may wait to be taken.
const MAX_WAITING: usize = 128;
/// The most bytes that the other end may have sent without anybody reading them.
const MAX_UNREAD: usize = 8 * 1024 * 1024;
/// How long the network may be away before the connection is given up.
const AWAY: Duration = Duration::from_secs(3);
/// How long a channel waits for the acknowledgement of its end.
const LINGER: Duration = Duration::from_secs(10);
/// The most candidates of our own that are kept for sending.
const MAX_OWN_CANDIDATES: usize = 64;
/// The label of the channel that the specification has made so that there is something to offer.
const INIT: &str = "init";

/// A peer connection with its handlers. Dropped, it is closed.
pub(crate) struct Link {
    pc: PeerConnection,
    state: RefCell<State>,
    subscriptions: RefCell<Vec<Subscription>>,
    alive: Arc<()>,
}

#[derive(Default)]
struct State {
    /// Why there is no connection any more.
    ended: Option<Error>,
    /// Both ends have agreed on keys.
    connected: bool,
    away: Option<Instant>,
    /// What is to be said by signalling, once there is a description to begin with.
    messages: VecDeque<Message>,
    described: bool,
    /// The first channel of the other end that is called "init" has been seen.
    init: bool,
    incoming: VecDeque<Rc<Channel>>,
    /// Channels that the other end opened.
    theirs: Vec<Weak<Channel>>,
    ours: Vec<Weak<Channel>>,
    lingering: Vec<(Instant, Rc<Channel>)>,
    unread: usize,
    waker: Option<Waker>,
}

/// The browser's states of a connection. Not all browsers tell those of DTLS and SCTP.
struct States {
    connection: RtcPeerConnectionState,
    ice: RtcIceConnectionState,
    dtls: Option<String>,
    sctp: Option<String>,
    /// Both ends had agreed on keys before.
    connected: bool,
}

impl States {
    /// Why the connection has ended, if it has.
    fn error(&self) -> Option<Error> {
        use RtcIceConnectionState::{Completed, Connected};
        let has_path = matches!(self.ice, Connected | Completed);
        Some(match (self.dtls.as_deref(), self.connection) {
            (Some("failed"), _) => Error::Untrusted,
            (Some("closed"), _) | (_, RtcPeerConnectionState::Closed) => Error::Closed,
            (_, RtcPeerConnectionState::Failed) if self.connected => Error::Lost,
            // It was DTLS that failed. Chromium may tell its state only afterwards.
            (_, RtcPeerConnectionState::Failed) if has_path => Error::Untrusted,
            (_, RtcPeerConnectionState::Failed) => Error::NoPath,
            _ if self.connected && self.sctp.as_deref() == Some("closed") => Error::Closed,
            _ => return None,
        })
    }
}

impl Link {
    pub(crate) fn new(config: &Config) -> Result<Rc<Self>, Error> {
        let pc = RtcPeerConnection::new_with_configuration(&configuration(config))?;
        let link = Rc::new(Self {
            pc: pc.unchecked_into(),
            state: RefCell::default(),
            subscriptions: RefCell::default(),
            alive: Arc::default(),
        });
        let events =
            &["connectionstatechange", "iceconnectionstatechange", "icecandidate", "datachannel"];
        let weak = Rc::downgrade(&link);
        let subscription = Subscription::new(&link.pc, events, move |event| {
            if let Some(link) = weak.upgrade() {
                link.on_event(&event);
            }
        });
        link.subscriptions.borrow_mut().push(subscription);
        Ok(link)
    }

    pub(crate) fn peer_connection(&self) -> RtcPeerConnection {
        (*self.pc).clone()
    }

    /// Gone once the connection is.
    pub(crate) fn watch(&self) -> std::sync::Weak<()> {
        Arc::downgrade(&self.alive)
    }

    fn on_event(self: &Rc<Self>, event: &Event) {
        if let Some(event) = event.dyn_ref::<RtcDataChannelEvent>() {
            self.on_channel(event);
        } else if let Some(event) = event.dyn_ref::<RtcPeerConnectionIceEvent>() {
            self.on_candidate(event);
        } else {
            self.on_state();
        }
        self.wake();
    }

    fn on_candidate(&self, event: &RtcPeerConnectionIceEvent) {
        let text = match event.candidate() {
            // Firefox marks the end of a generation by an empty one before the last, which is null.
            Some(candidate) if candidate.candidate().is_empty() => return,
            Some(candidate) => JSON::stringify(&candidate.to_json()).ok().map(String::from),
            None => Some("null".to_owned()),
        };
        let mut state = self.state.borrow_mut();
        if state.messages.len() < MAX_OWN_CANDIDATES {
            state.messages.extend(text.map(Message::Candidate));
        }
    }

    fn on_channel(self: &Rc<Self>, event: &RtcDataChannelEvent) {
        let dc = event.channel();
        let mut state = self.state.borrow_mut();
        if !state.init && dc.label() == INIT {
            // Its maker closes it.
            state.init = true;
            return;
        }
        state.theirs.retain(|channel| channel.strong_count() > 0);
        if state.theirs.len() >= MAX_STREAMS || state.incoming.len() >= MAX_WAITING {
            let error = Error::TooManyStreams(state.theirs.len());
            drop(state);
            return self.end(error);
        }
        // Chromium calls a channel of the other end open before its network thread has opened it,
        // and may hear of the two in the wrong order; then it stays "connecting" for good and
        // nothing can be sent. The number is asked of that thread, which has opened the channel
        // when it answers.
        let _ = dc.id();
        let channel = Channel::new(dc, self);
        state.theirs.push(Rc::downgrade(&channel));
        state.incoming.push_back(channel);
    }

    fn on_state(&self) {
        let states = self.states();
        if let Some(error) = states.error() {
            return self.end(error);
        }
        let mut state = self.state.borrow_mut();
        match states.connection {
            RtcPeerConnectionState::Disconnected => {
                state.away.get_or_insert_with(Instant::now);
            }
            RtcPeerConnectionState::Connected => {
                state.away = None;
                // One end may have finished DTLS when the other has not yet looked at its
                // certificate. With SCTP, both have.
                state.connected |= states.sctp.is_none_or(|sctp| sctp == "connected");
            }
            _ => {}
        }
    }

    fn states(&self) -> States {
        let sctp = self.pc.sctp();
        let dtls = sctp.as_ref().and_then(SctpTransport::transport);
        States {
            connection: self.pc.connection_state(),
            ice: self.pc.ice_connection_state(),
            dtls: dtls.map(|dtls| dtls.dtls_state()),
            sctp: sctp.map(|sctp| sctp.sctp_state()),
            connected: self.state.borrow().connected,
        }
    }

    /// Hears of the states of SCTP and DTLS, which exist once there are descriptions.
    fn watch_transports(self: &Rc<Self>) {
        let mut subscriptions = self.subscriptions.borrow_mut();
        let Some(sctp) = self.pc.sctp().filter(|_| subscriptions.len() == 1) else { return };
        let watch = |target: &EventTarget| {
            let weak = Rc::downgrade(self);
            Subscription::new(target, &["statechange"], move |_| {
                if let Some(link) = weak.upgrade() {
                    link.on_state();
                    link.wake();
                }
            })
        };
        subscriptions.push(watch(&sctp));
        subscriptions.extend(sctp.transport().map(|dtls| watch(&dtls)));
    }

    /// Ends the connection for this reason, if it has not ended before.
    pub(crate) fn end(&self, error: Error) {
        let mut state = self.state.borrow_mut();
        if state.ended.is_some() {
            return;
        }
        state.ended = Some(error);
        state.lingering.clear();
        state.incoming.clear();
        let channels = [std::mem::take(&mut state.ours), std::mem::take(&mut state.theirs)];
        drop(state);
        self.subscriptions.borrow_mut().clear();
        for channel in channels.iter().flatten().filter_map(Weak::upgrade) {
            channel.lose();
        }
        self.pc.close();
        self.wake();
    }

    fn wake(&self) {
        let waker = self.state.borrow_mut().waker.take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn register(&self, cx: &Context<'_>) {
        self.state.borrow_mut().waker = Some(cx.waker().clone());
    }

    /// The end of the connection.
    pub(crate) fn poll_end(&self, cx: &Context<'_>) -> Poll<Error> {
        self.register(cx);
        self.state.borrow().ended.clone().map_or(Poll::Pending, Poll::Ready)
    }

    /// The moment at which both ends have agreed on keys.
    pub(crate) fn poll_connected(&self, cx: &Context<'_>) -> Poll<Result<(), Error>> {
        if let Poll::Ready(error) = self.poll_end(cx) {
            return Poll::Ready(Err(error));
        }
        if self.state.borrow().connected { Poll::Ready(Ok(())) } else { Poll::Pending }
    }

    /// The next message to send.
    pub(crate) fn poll_message(&self, cx: &Context<'_>) -> Poll<Message> {
        self.register(cx);
        let mut state = self.state.borrow_mut();
        let message = state.described.then(|| state.messages.pop_front()).flatten();
        message.map_or(Poll::Pending, Poll::Ready)
    }

    /// Makes our description and has it sent.
    pub(crate) async fn describe(
        self: &Rc<Self>,
        message: fn(String) -> Message,
    ) -> Result<(), Error> {
        JsFuture::from(self.pc.describe()?).await?;
        let description = self.pc.local_description().ok_or(Error::Closed)?;
        let mut state = self.state.borrow_mut();
        state.messages.push_front(message(description.sdp()));
        state.described = true;
        drop(state);
        self.wake();
        Ok(())
    }

    /// Takes the description of the other end.
    pub(crate) async fn apply(self: &Rc<Self>, role: Role, sdp: &str) -> Result<(), Error> {
        let description = RtcSessionDescriptionInit::new(match role {
            Role::Offers => RtcSdpType::Answer,
            Role::Answers => RtcSdpType::Offer,
        });
        description.set_sdp(sdp);
        let applied = JsFuture::from(self.pc.set_remote_description(&description)).await;
        applied.map_err(|_| SignallingError::Refused)?;
        self.watch_transports();
        Ok(())
    }

    /// Takes a candidate of the other end. One that the browser cannot use is no loss: there are
    /// others, or none would do.
    pub(crate) async fn add_candidate(&self, candidate: &JsValue) {
        if let Ok(added) = self.pc.add_candidate(candidate) {
            let _ = JsFuture::from(added).await;
        }
    }

    /// The certificate that our description names.
    pub(crate) fn fingerprint(&self) -> Result<Fingerprint, Error> {
        let description = self.pc.local_description().ok_or(Error::Closed)?;
        let unusable = |error: sdp::Unusable| Error::Browser(error.to_string());
        sdp::fingerprint(&description.sdp()).map_err(unusable)
    }

    pub(super) fn poll_inbound(&self, cx: &Context<'_>) -> Poll<Result<Rc<Channel>, Error>> {
        if let Poll::Ready(error) = self.poll_end(cx) {
            return Poll::Ready(Err(error));
        }
        let channel = self.state.borrow_mut().incoming.pop_front();
        channel.map_or(Poll::Pending, |channel| Poll::Ready(Ok(channel)))
    }

    pub(super) fn poll_outbound(
        self: &Rc<Self>,
        cx: &Context<'_>,
    ) -> Poll<Result<Rc<Channel>, Error>> {
        if let Poll::Ready(error) = self.poll_end(cx) {
            return Poll::Ready(Err(error));
        }
        let mut state = self.state.borrow_mut();
        state.ours.retain(|channel| channel.strong_count() > 0);
        if state.ours.len() >= MAX_STREAMS {
            return Poll::Pending;
        }
        // The specification wants an empty label.
        let dc = self.pc.create_channel("")?;
        let channel = Channel::new(dc, self);
        state.ours.push(Rc::downgrade(&channel));
        Poll::Ready(Ok(channel))
    }

    /// Makes the channel without which there would be nothing to offer.
    pub(crate) fn create_init(&self) -> Result<web_sys::RtcDataChannel, Error> {
        Ok(self.pc.create_channel(INIT)?)
    }

    /// Keeps a channel until the other end has acknowledged its end.
    pub(super) fn linger(&self, channel: Rc<Channel>) {
        self.state.borrow_mut().lingering.push((Instant::now() + LINGER, channel));
        self.wake();
    }

    /// Whether a channel awaits the acknowledgement of its end.
    pub(super) fn is_lingering(&self, cx: &Context<'_>) -> bool {
        self.register(cx);
        !self.state.borrow().lingering.is_empty()
    }

    /// Something about a channel has changed that concerns the connection.
    pub(super) fn channel_changed(&self) {
        self.wake();
    }

    /// Does what is due; when something will be again.
    pub(super) fn tick(&self) -> Option<Instant> {
        let now = Instant::now();
        let mut state = self.state.borrow_mut();
        let gone = state
            .lingering
            .extract_if(.., |(until, channel)| *until <= now || channel.is_finished())
            .collect::<Vec<_>>();
        let linger = state.lingering.iter().map(|(until, _)| *until).min();
        let away = state.away.map(|since| since + AWAY);
        drop(state);
        drop(gone);
        if away.is_some_and(|until| until <= now) {
            self.end(Error::Lost);
            return None;
        }
        linger.into_iter().chain(away).min()
    }

    /// Counts bytes that arrived; whether they are too many.
    pub(super) fn add_unread(&self, bytes: usize) -> bool {
        let mut state = self.state.borrow_mut();
        state.unread += bytes;
        state.unread > MAX_UNREAD
    }

    pub(super) fn remove_unread(&self, bytes: usize) {
        let mut state = self.state.borrow_mut();
        state.unread = state.unread.saturating_sub(bytes);
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.end(Error::Closed);
    }
}

fn configuration(config: &Config) -> RtcConfiguration {
    let servers = Array::new();
    for server in config.ice_servers.current() {
        let entry = RtcIceServer::new();
        entry.set_urls(&JsValue::from_str(&server.url));
        if let Some((name, password)) = &server.credential {
            entry.set_username(name);
            entry.set_credential(password);
        }
        servers.push(&entry);
    }
    let result = RtcConfiguration::new();
    result.set_ice_servers(&servers);
    if config.relay_only {
        result.set_ice_transport_policy(RtcIceTransportPolicy::Relay);
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_bindgen_test::wasm_bindgen_test;

    /// Why a connection that fails while it is being made has failed.
    fn failed(ice: RtcIceConnectionState, dtls: Option<&str>) -> Option<Error> {
        let states = States {
            connection: RtcPeerConnectionState::Failed,
            ice,
            dtls: dtls.map(str::to_owned),
            sctp: dtls.map(|_| "connecting".to_owned()),
            connected: false,
        };
        states.error()
    }

    #[wasm_bindgen_test]
    fn what_fails_on_a_path_is_an_attack_whether_or_not_the_browser_has_told_of_dtls() {
        for dtls in [Some("failed"), Some("connecting"), None] {
            let ended = failed(RtcIceConnectionState::Connected, dtls);
            assert_eq!(ended, Some(Error::Untrusted), "{dtls:?}");
        }
    }

    #[wasm_bindgen_test]
    fn what_fails_without_a_path_is_no_attack() {
        for dtls in [Some("new"), Some("connecting"), None] {
            let ended = failed(RtcIceConnectionState::Failed, dtls);
            assert_eq!(ended, Some(Error::NoPath), "{dtls:?}");
        }
    }
}
