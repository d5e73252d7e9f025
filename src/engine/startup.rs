//! What must be there before anything else: a fit browser, the configuration, the device.

use crate::model::{Problem, Reading};
use chats_chain::Answer;
use chats_core::certificate::{CertificateError, DeviceCertificate};
use chats_core::config::{Config, ConfigError, RELAY};
use chats_core::id::DeviceSecret;
use chats_net::{Multiaddr, address};
use chats_web::clock;
use chats_web::page::{self, Capability};
use chats_web::storage::{Storage, StorageError};
use chats_web::tab::{self, Hold, TabError};
use std::rc::Rc;

/// All that the engine needs to run.
pub(super) struct Ready {
    pub(super) config: Config,
    pub(super) relays: Vec<Multiaddr>,
    pub(super) storage: Rc<Storage>,
    pub(super) hold: Hold,
    /// Kept from an earlier visit.
    pub(super) device: Option<(DeviceSecret, Box<DeviceCertificate>)>,
}

/// Why it cannot run.
pub(super) enum Stop {
    OtherTab,
    Problem(Problem),
}

impl From<Problem> for Stop {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

/// Gathers everything; `steal` takes the device from another tab.
pub(super) async fn start(steal: bool) -> Result<Ready, Stop> {
    if let Some(capability) = page::missing().first() {
        return Err(lacks(*capability).into());
    }
    let text = page::fetch_text("config.json").await.map_err(|error| Problem {
        title: "The app's settings cannot be loaded.".to_owned(),
        help: format!("{error}. The file config.json belongs beside index.html."),
        retry: true,
    })?;
    let config = Config::parse(&text).map_err(|error| broken_config(error.to_string()))?;
    let relays = relays(&config)?;
    let hold = if steal { tab::steal().await } else { tab::try_hold().await };
    let hold = hold.map_err(|error| match error {
        TabError::InUse => Stop::OtherTab,
        error @ TabError::Unavailable { .. } => Stop::Problem(Problem {
            title: "This browser cannot keep your sign-in safe.".to_owned(),
            help: format!("{error}. Use a recent Chrome, Edge, Firefox or Safari."),
            retry: false,
        }),
    })?;
    let storage = Storage::open().await.map_err(|error| storage_problem(&error))?;
    let device = load_device(&storage, &config).await?;
    Ok(Ready { config, relays, storage: Rc::new(storage), hold, device })
}

/// The device of an earlier visit, if its certificate still counts.
async fn load_device(
    storage: &Storage,
    config: &Config,
) -> Result<Option<(DeviceSecret, Box<DeviceCertificate>)>, Problem> {
    let registry = config.community.registry;
    let secret = match storage.load_device().await {
        Ok(Some(secret)) => secret,
        Ok(None) => return Ok(None),
        Err(StorageError::Corrupt { .. }) => {
            // A device that cannot be read is lost; signing in again makes a new one.
            storage.forget_device().await.map_err(|error| storage_problem(&error))?;
            return Ok(None);
        }
        Err(error) => return Err(storage_problem(&error)),
    };
    let bytes = match storage.load_certificate(&registry.to_string()).await {
        Ok(bytes) => bytes,
        Err(StorageError::Corrupt { .. }) => None,
        Err(error) => return Err(storage_problem(&error)),
    };
    let certificate = bytes.and_then(|bytes| DeviceCertificate::decode(&bytes).ok());
    let Some(certificate) = certificate else { return Ok(None) };
    match certificate.check(secret.device(), registry, clock::now()) {
        Ok(()) if certificate.check_wallet().is_ok() => Ok(Some((secret, Box::new(certificate)))),
        // It would be whole again with the right time.
        Err(CertificateError::NotYet) => Err(clock_behind()),
        _ => Ok(None),
    }
}

fn clock_behind() -> Problem {
    Problem {
        title: "Your clock is behind.".to_owned(),
        help: "It shows an earlier time than when you signed in here. Set it right, then try \
               again: other members could not be told from strangers."
            .to_owned(),
        retry: true,
    }
}

fn relays(config: &Config) -> Result<Vec<Multiaddr>, Problem> {
    let read = |(index, text): (usize, &String)| {
        address::read(text).ok_or_else(|| {
            let error = ConfigError::Key {
                key: format!("relays[{index}]"),
                found: format!("{text:?}"),
                expected: RELAY,
            };
            broken_config(error.to_string())
        })
    };
    let relays = config.relays.iter().enumerate().map(read).collect::<Result<Vec<_>, Problem>>()?;
    let plain = |text: &String| {
        text.contains("/ws/") && !text.contains("/tls/") && !text.contains("/ip4/127.0.0.1/")
    };
    if page::is_https() && config.relays.iter().all(plain) {
        return Err(Problem {
            title: "No relay can be reached from this page.".to_owned(),
            help: "Pages from https may not open ws:// connections. Name at least one relay with \
                   /tls/ws or /wss in \"relays\" of config.json."
                .to_owned(),
            retry: false,
        });
    }
    Ok(relays)
}

fn broken_config(reason: String) -> Problem {
    Problem {
        title: "The app's settings are not right.".to_owned(),
        help: format!("{reason}. Whoever published this page can mend config.json."),
        retry: true,
    }
}

pub(super) fn storage_problem(error: &dyn std::error::Error) -> Problem {
    Problem {
        title: "This browser does not let the page keep anything.".to_owned(),
        help: format!("{error}."),
        retry: true,
    }
}

fn lacks(capability: Capability) -> Problem {
    let (title, help) = match capability {
        Capability::SecureContext => (
            "This page needs a secure connection.",
            "Open it by https:// or on localhost: browsers give the microphone and safe storage \
             to such pages only.",
        ),
        Capability::PeerConnections => (
            "This browser cannot make calls.",
            "It has no WebRTC, or it is turned off. Turn it on, or use a recent Chrome, Edge, \
             Firefox or Safari.",
        ),
        Capability::Storage => (
            "This browser does not let the page keep anything.",
            "It has no IndexedDB, or refuses it in private windows. Use an ordinary window of a \
             recent browser.",
        ),
        Capability::AudioWorklets | Capability::Locks => (
            "This browser is too old for Community Chats.",
            "Use a recent Chrome, Edge, Firefox or Safari.",
        ),
    };
    Problem { title: title.to_owned(), help: help.to_owned(), retry: false }
}

/// Where something was read, for people.
pub(super) fn reading<T>(answer: &Answer<T>) -> Reading {
    Reading {
        block: answer.block,
        sources: u8::try_from(answer.agree).unwrap_or(u8::MAX),
        problems: answer
            .problems
            .iter()
            .map(|(endpoint, problem)| (endpoint.clone(), problem.to_string()))
            .collect(),
    }
}

/// Gives the page the community's colour.
pub(super) fn set_accent(accent: Option<&str>) {
    if let Some(accent) = accent {
        page::set_css_property("--accent", accent);
    }
}
