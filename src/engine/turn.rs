//! The relays' TURN servers: for those whom no direct path reaches.

use super::{Engine, Happening};
use chats_core::node::Input;
use chats_core::turn::TurnGrant;
use chats_net::browser;
use chats_net::network::Command;
use chats_web::clock;
use chats_web::rtc::IceServer;
use std::time::Duration;

/// How long before a grant expires another one is asked for.
const AHEAD: Duration = Duration::from_secs(5 * 60);
/// How long after a question the next one may be asked.
const PAUSE: Duration = Duration::from_secs(30);

/// What a relay granted.
#[derive(Debug, Default)]
pub(super) struct Turn {
    grant: Option<TurnGrant>,
    /// Counts the questions; a pause or a life that an older one began means nothing.
    asked: u32,
    /// No other question may be asked now.
    waiting: bool,
    /// No relay in use granted the last one.
    unanswered: bool,
}

impl Engine {
    /// Asks for a grant, unless there is one.
    pub(super) fn want_turn(&mut self) {
        let Some(session) = self.session.as_mut() else { return };
        if session.turn.grant.is_some() || session.turn.waiting || session.network.is_none() {
            return;
        }
        session.turn.asked += 1;
        session.turn.waiting = true;
        session.turn.unanswered = false;
        let request = session.turn_request.clone();
        session.command(Command::AskForTurn(request));
        self.turn_due_in(PAUSE);
    }

    /// No relay in use grants anything. Whoever has just come may have none yet.
    pub(super) fn turn_unanswered(&mut self) {
        if let Some(session) = self.session.as_mut() {
            session.turn.unanswered = true;
        }
    }

    /// A relay came into use: it may grant what others did not.
    pub(super) fn turn_may_be_answered(&mut self) {
        let Some(session) = self.session.as_mut() else { return };
        if session.turn.unanswered {
            session.turn.waiting = false;
            self.want_turn();
        }
    }

    fn turn_due_in(&self, wait: Duration) {
        let Some(session) = &self.session else { return };
        let (inbox, number) = (self.inbox.clone(), session.turn.asked);
        wasm_bindgen_futures::spawn_local(async move {
            clock::sleep(wait).await;
            inbox.put(Happening::TurnDue(number));
        });
    }

    /// The pause after a question is over, or a grant soon is.
    pub(super) fn turn_due(&mut self, number: u32) {
        let Some(session) = self.session.as_mut() else { return };
        if session.turn.asked != number {
            return;
        }
        session.turn.waiting = false;
        if session.turn.grant.take().is_some() {
            self.want_turn();
        }
    }

    /// A relay granted its TURN server.
    pub(super) fn turn_answered(&mut self, grant: &TurnGrant) {
        let Some(session) = self.session.as_mut() else { return };
        let life = Duration::from_secs(grant.lasts.into());
        session.turn.grant = Some(grant.clone());
        self.use_servers();
        self.turn_due_in(life.saturating_sub(AHEAD).max(PAUSE));
        // What is allocated ends with the grant before: whoever is reached through it moves over.
        if self.voice.people().any_relayed() {
            self.feed(Input::NetworkChanged);
        }
    }

    /// Has media and links use the servers of the configuration and of the grant.
    fn use_servers(&mut self) {
        let (Some(session), Some(ready)) = (self.session.as_ref(), &self.ready) else { return };
        let mut media: Vec<_> = ready.config.ice.iter().map(|urls| open_server(urls)).collect();
        if let Some(grant) = &session.turn.grant {
            media.push(IceServer {
                urls: grant.urls.clone(),
                username: Some(grant.username.clone()),
                credential: Some(grant.credential.clone()),
            });
        }
        session.ice.replace(media.iter().flat_map(each_url).collect());
        session.connections.set_ice(media);
    }
}

/// A server of the configuration; those take no credentials.
pub(super) fn open_server(urls: &[String]) -> IceServer {
    IceServer { urls: urls.to_vec(), username: None, credential: None }
}

/// The same for direct links, which name one URL at a time.
pub(super) fn each_url(server: &IceServer) -> Vec<browser::IceServer> {
    let credential = server.username.clone().zip(server.credential.clone());
    let one =
        |url: &String| browser::IceServer { url: url.clone(), credential: credential.clone() };
    server.urls.iter().map(one).collect()
}
