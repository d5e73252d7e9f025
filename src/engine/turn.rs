//! The relays' TURN servers: for those whom no direct path reaches.

use super::Engine;
use chats_core::turn::TurnGrant;
use chats_net::browser;
use chats_web::rtc::IceServer;

impl Engine {
    /// Has media and links use the servers of the configuration and of a grant.
    pub(super) fn use_turn(&self, grant: TurnGrant) {
        let (Some(session), Some(ready)) = (self.session.as_ref(), &self.ready) else { return };
        let mut media: Vec<_> = ready.config.ice.iter().map(|urls| open_server(urls)).collect();
        media.push(IceServer {
            urls: grant.urls,
            username: Some(grant.username),
            credential: Some(grant.credential),
        });
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
