//! Our own voice: the microphone, how loud it is, and what a reload is to remember.

use super::people::People;
use super::{Engine, Happening, Inbox};
use crate::model::{MeetingStage, MicrophoneChoice, MicrophoneStatus, Model, Problem};
use chats_core::node::Input;
use chats_web::audio::Audio;
use chats_web::audio::meter::{Heard, Meter};
use chats_web::audio::microphone::{self, Microphone, MicrophoneError, MicrophoneInfo};
use chats_web::{Subscription, page};
use leptos::prelude::*;

/// What a reload remembers while a meeting goes on; the tab forgets it when it is closed.
const MEETING: &str = "meeting";
const MUTED: &str = "muted";

/// The microphone and everything that listens to it.
pub(super) struct Voice {
    model: Model,
    inbox: Inbox,
    audio: Audio,
    people: People,
    /// Counts attempts to open; what an older one reports means nothing.
    attempt: u32,
    open: Option<Open>,
    /// The microphone failed while it was heard; once it is back, so is the voice.
    silenced: bool,
    devices: Option<Subscription>,
}

struct Open {
    microphone: Microphone,
    _meter: Meter,
    _ended: Subscription,
}

impl Voice {
    pub(super) fn new(model: Model, inbox: &Inbox) -> Self {
        let people = People::new(model);
        let inbox = inbox.clone();
        Self {
            model,
            inbox,
            audio: Audio::new(),
            people,
            attempt: 0,
            open: None,
            silenced: false,
            devices: None,
        }
    }

    pub(super) const fn audio(&self) -> &Audio {
        &self.audio
    }

    pub(super) const fn people(&self) -> &People {
        &self.people
    }

    pub(super) fn microphone(&self) -> Option<&Microphone> {
        self.open.as_ref().map(|open| &open.microphone)
    }

    /// Asks for the microphone of this id; empty for the default.
    pub(super) fn open(&mut self, id: String) {
        self.attempt += 1;
        let attempt = self.attempt;
        self.model.microphone.set(MicrophoneStatus::Asking);
        self.model.microphone_id.set(id.clone());
        let (inbox, audio) = (self.inbox.clone(), self.audio.clone());
        wasm_bindgen_futures::spawn_local(async move {
            // The meter tells by itself if it cannot work.
            let prepared = audio.prepare();
            let opened = Microphone::open(Some(id.as_str()).filter(|id| !id.is_empty()));
            let (_, opened) = futures::join!(prepared, opened);
            inbox.put(Happening::Microphone(attempt, opened));
        });
    }

    pub(super) fn close(&mut self) {
        self.attempt += 1;
        self.open = None;
        self.model.level.set(0.0);
        self.model.microphone.set(MicrophoneStatus::Off);
    }

    fn opened(&mut self, attempt: u32, result: Result<Microphone, MicrophoneError>) {
        if attempt != self.attempt {
            return;
        }
        match result {
            Ok(microphone) => {
                let (level, people) = (self.model.level, self.people.clone());
                let meter = Meter::start(&self.audio, microphone.stream(), move |heard| {
                    if let Heard::Level(heard) = heard {
                        level.set(heard.rms);
                        people.heard_own(heard);
                    }
                });
                let inbox = self.inbox.clone();
                let ended = microphone.on_ended(move || inbox.put(Happening::Unplugged));
                self.model.microphone_id.set(microphone.id());
                self.model.microphone.set(MicrophoneStatus::Live);
                self.open = Some(Open { microphone, _meter: meter, _ended: ended });
            }
            Err(error) => {
                self.open = None;
                self.model.level.set(0.0);
                self.model.microphone.set(MicrophoneStatus::Problem(microphone_problem(&error)));
            }
        }
        self.look_around();
    }

    /// Lists the microphones now and whenever one is plugged in or out.
    fn look_around(&mut self) {
        let inbox = self.inbox.clone();
        let list = move || {
            let inbox = inbox.clone();
            wasm_bindgen_futures::spawn_local(async move {
                if let Ok(list) = microphone::microphones().await {
                    inbox.put(Happening::Microphones(list));
                }
            });
        };
        list();
        if self.devices.is_none() {
            self.devices = microphone::on_devices(list).ok();
        }
    }

    pub(super) fn list(&self, list: Vec<MicrophoneInfo>) {
        let named = list.into_iter().filter(|info| !info.id.is_empty());
        let choice = |info: MicrophoneInfo| MicrophoneChoice { id: info.id, label: info.label };
        self.model.microphones.set(named.map(choice).collect());
    }
}

impl Engine {
    pub(super) fn microphone_opened(
        &mut self,
        attempt: u32,
        result: Result<Microphone, MicrophoneError>,
    ) {
        self.voice.opened(attempt, result);
        self.send_voice();
        self.mute_without_microphone();
    }

    pub(super) fn set_muted(&mut self, muted: bool) {
        self.voice.silenced = false;
        self.model.muted.set(muted);
        remember_muted(muted);
        self.voice.people().mute_own(muted);
        self.feed(Input::SetMuted(muted));
    }

    /// Whoever cannot be heard is shown so to everyone, for as long as that is so.
    fn mute_without_microphone(&mut self) {
        let joined = matches!(self.model.meeting.get_untracked(), MeetingStage::In(_));
        match self.model.microphone.get_untracked() {
            MicrophoneStatus::Problem(_) if joined && !self.model.muted.get_untracked() => {
                self.set_muted(true);
                self.voice.silenced = true;
            }
            MicrophoneStatus::Live if self.voice.silenced => self.set_muted(false),
            _ => {}
        }
    }

    pub(super) fn microphone_unplugged(&mut self) {
        if self.voice.microphone().is_some_and(Microphone::is_live) {
            return;
        }
        self.voice.open = None;
        self.send_voice();
        let problem = microphone_problem(&MicrophoneError::Missing);
        let title = "The microphone is gone.".to_owned();
        self.model.level.set(0.0);
        self.model.microphone.set(MicrophoneStatus::Problem(Problem { title, ..problem }));
        self.mute_without_microphone();
        // The system may have another one.
        self.voice.look_around();
    }
}

fn microphone_problem(error: &MicrophoneError) -> Problem {
    let (title, help) = match error {
        MicrophoneError::Denied => (
            "The microphone is not allowed.",
            "Allow it for this page beside the address, then try again. You can also join and \
             only listen."
                .to_owned(),
        ),
        MicrophoneError::Missing => (
            "No microphone was found.",
            "Plug one in or choose another, then try again. You can also join and only listen."
                .to_owned(),
        ),
        MicrophoneError::Busy => (
            "The microphone cannot be opened.",
            "Close other programs that use it, then try again. You can also join and only listen."
                .to_owned(),
        ),
        error => ("The microphone does not work.", format!("{error}. You can still listen.")),
    };
    Problem { title: title.to_owned(), help, retry: true }
}

pub(super) fn remember_meeting(meeting: &str, muted: bool) {
    page::set_session_flag(MEETING, Some(meeting));
    remember_muted(muted);
}

pub(super) fn remember_muted(muted: bool) {
    page::set_session_flag(MUTED, muted.then_some("yes"));
}

pub(super) fn forget_meeting() {
    page::set_session_flag(MEETING, None);
    page::set_session_flag(MUTED, None);
}

/// The meeting that this tab was in before it was reloaded, and whether muted.
pub(super) fn remembered_meeting() -> Option<(String, bool)> {
    page::session_flag(MEETING).map(|meeting| (meeting, page::session_flag(MUTED).is_some()))
}
