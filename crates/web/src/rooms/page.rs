//! The page's side: starts the worker, keeps it busy, starts it again when it fails.

use super::desk::Desk;
use super::messages::{ToPage, ToWorker};
use super::port::{Port, log};
use crate::clock;
use crate::js::{Subscription, error_text, get};
use crate::page::{is_online, on_online};
use chats_core::certificate::DeviceCertificate;
use chats_core::id::Community;
use chats_core::rooms::{Incoming, Keeping, Outgoing, View};
use chats_core::time::{Duration, Time};
use futures::Stream;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll, Waker};
use wasm_bindgen::JsCast;
use wasm_bindgen_futures::spawn_local;
use web_sys::Worker;

/// How long a worker that failed is left alone before another is started; twice as long each time,
/// up to [`LONGEST_REST`].
const REST: Duration = Duration::from_secs(1);
const LONGEST_REST: Duration = Duration::from_secs(60);

/// A worker that ran for so long had begun well.
const WELL: Duration = Duration::from_secs(60);

/// How often the worker is asked whether it is there.
const ROUND: Duration = Duration::from_secs(5);

/// It has failed when it said nothing for so many rounds. Counted in rounds and not by the clock:
/// a machine that slept finds all its timers late.
const SILENT_ROUNDS: u32 = 3;

/// The same while its module is being fetched.
const LOADING_ROUNDS: u32 = 24;

/// How often other tasks have their turn before anything is shown, when something was handed to the
/// network: the network's own, that of the link, and one between them. Drawing takes longer than
/// all of these.
const TURNS: u32 = 3;

/// The name of the `meta` element that says where the worker's script is.
const ELEMENT: &str = "meta[name=rooms-worker]";

/// The rooms of a community, as the page has them. Gives what they want done. The worker ends when
/// this is dropped.
pub struct RoomsWorker(Rc<RefCell<Inner>>);

/// How the worker does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// Whether it works.
    pub state: State,
    /// How often one had to be started again.
    pub restarts: u32,
}

/// Whether the worker works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// It was not wanted yet.
    Idle,
    /// It is being fetched, or opens what is kept.
    Starting,
    /// The rooms are told what happens.
    Running,
    /// They are not: why, for people. It is tried again.
    Failing(String),
}

struct Inner {
    begin: ToWorker,
    desk: Desk,
    running: Option<Running>,
    /// Counts workers; what an older one says means nothing.
    number: u32,
    /// How many failed, one right after the other.
    failed: u32,
    /// Whether the next one is started once there is a network to fetch its program by.
    offline: bool,
    network: Option<Subscription>,
    /// What the rooms want done; `None` marks the end of a message of the worker. No more than the
    /// worker sends without being told that they were taken.
    out: VecDeque<Option<Outgoing>>,
    /// How many turns what is to be shown still waits.
    turns: u32,
    waker: Option<Waker>,
    this: Weak<RefCell<Self>>,
}

struct Running {
    worker: Worker,
    port: Port,
    since: Time,
    /// Whether it has said anything.
    loaded: bool,
    /// Whether its store is open.
    open: bool,
    /// For how many rounds it has said nothing.
    silent: u32,
    _events: Subscription,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.worker.terminate();
    }
}

impl RoomsWorker {
    /// The rooms of the device of this browser, which has this certificate. Nothing is loaded
    /// before [`Self::start`].
    #[must_use]
    pub fn new(community: Community, certificate: Box<DeviceCertificate>) -> Self {
        Self(Rc::new_cyclic(|this| {
            RefCell::new(Inner {
                begin: ToWorker::Begin { community, certificate },
                desk: Desk::shut("Messages are not loaded yet. Wait a moment and try again."),
                running: None,
                number: 0,
                failed: 0,
                offline: false,
                network: None,
                out: VecDeque::new(),
                turns: 0,
                waker: None,
                this: this.clone(),
            })
        }))
    }

    /// Starts the worker if none was.
    pub fn start(&self) {
        let mut inner = self.0.borrow_mut();
        if inner.number == 0 {
            inner.desk.open();
            let this = inner.this.clone();
            inner.network = Some(on_online(move |online| {
                let Some(inner) = this.upgrade().filter(|_| online) else { return };
                let mut inner = inner.borrow_mut();
                if inner.offline {
                    inner.launch();
                }
            }));
            inner.launch();
        }
    }

    /// Tells the rooms something.
    pub fn tell(&self, incoming: Incoming) {
        self.0.borrow_mut().tell(incoming);
    }

    /// How the worker does.
    #[must_use]
    pub fn health(&self) -> Health {
        let inner = self.0.borrow();
        let state = match (inner.number, inner.desk.reason()) {
            (0, _) => State::Idle,
            (_, Some(reason)) => State::Failing(reason.to_owned()),
            _ if inner.running.as_ref().is_some_and(|running| running.open) => State::Running,
            _ => State::Starting,
        };
        Health { state, restarts: inner.number.saturating_sub(1) }
    }
}

impl Stream for RoomsWorker {
    type Item = Outgoing;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Outgoing>> {
        let mut inner = self.0.borrow_mut();
        let shows = |out: &Outgoing| matches!(out, Outgoing::Show(_) | Outgoing::Done { .. });
        if inner.turns > 0 && inner.out.front().and_then(Option::as_ref).is_some_and(shows) {
            inner.turns -= 1;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        loop {
            match inner.out.pop_front() {
                Some(Some(outgoing)) => {
                    if let Outgoing::Publish { .. } | Outgoing::Send { .. } = outgoing {
                        inner.turns = TURNS;
                    }
                    return Poll::Ready(Some(outgoing));
                }
                Some(None) => inner.say(&ToWorker::Took),
                None => break,
            }
        }
        inner.waker = Some(context.waker().clone());
        Poll::Pending
    }
}

impl fmt::Debug for RoomsWorker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RoomsWorker({:?})", self.health())
    }
}

impl Inner {
    fn launch(&mut self) {
        self.number += 1;
        self.offline = false;
        let worker =
            script().and_then(|script| Worker::new(&script).map_err(|error| error_text(&error)));
        let worker = match worker {
            Ok(worker) => worker,
            Err(reason) => return self.fail(&reason),
        };
        let port: Port = worker.clone().unchecked_into();
        let (this, number) = (self.this.clone(), self.number);
        let heard = port.listen(move |message| {
            with(&this, number, |inner| inner.heard(message));
        });
        let this = self.this.clone();
        let broke = Subscription::listen(&worker, "error", move |event| {
            let reason = get(event, "message").as_string();
            let reason = reason.unwrap_or_else(|| "its program was not loaded".to_owned());
            with(&this, number, |inner| inner.fail(&reason));
        });
        self.running = Some(Running {
            worker,
            port,
            since: clock::now(),
            loaded: false,
            open: false,
            silent: 0,
            _events: heard.and(broke),
        });
        let this = self.this.clone();
        spawn_local(async move {
            loop {
                clock::sleep(ROUND).await;
                if with(&this, number, Self::watch).is_none() {
                    return;
                }
            }
        });
    }

    /// Takes the worker's word.
    fn heard(&mut self, message: ToPage) {
        let Some(running) = self.running.as_mut() else { return };
        running.silent = 0;
        match message {
            ToPage::Here => {
                if !std::mem::replace(&mut running.loaded, true) {
                    let begin = self.begin.clone();
                    self.say(&begin);
                }
            }
            ToPage::Open => {
                running.open = true;
                if self.desk.reason().is_some() {
                    self.desk.open();
                    self.show(Keeping::Good);
                }
                self.hand_over();
            }
            ToPage::Failing(reason) => self.close(reason),
            ToPage::Did { handled, out } => {
                self.desk.taken(handled);
                if !out.is_empty() {
                    let desk = &mut self.desk;
                    self.out.extend(out.into_iter().filter(|out| desk.note(out)).map(Some));
                    self.out.push_back(None);
                    self.wake();
                }
                self.hand_over();
            }
        }
    }

    fn tell(&mut self, incoming: Incoming) {
        if let Some(answer) = self.desk.put(incoming) {
            self.out.push_back(Some(answer));
            self.wake();
        }
        self.hand_over();
        if self.desk.is_overrun() {
            self.fail("it fell too far behind");
        }
    }

    /// Says as much as the worker takes.
    fn hand_over(&mut self) {
        let Some(running) = self.running.as_ref().filter(|running| running.open) else { return };
        while let Some(incoming) = self.desk.next() {
            running.port.say(&ToWorker::Handle(incoming));
        }
    }

    fn say(&self, message: &ToWorker) {
        if let Some(running) = &self.running {
            running.port.say(message);
        }
    }

    /// A round has passed.
    fn watch(&mut self) {
        let Some(running) = self.running.as_mut() else { return };
        running.silent += 1;
        let most = if running.loaded { SILENT_ROUNDS } else { LOADING_ROUNDS };
        if running.silent > most {
            return self.fail("it does not answer");
        }
        self.say(&ToWorker::AreYouThere);
    }

    /// The worker is of no use any more: ends it, and starts another one after a while.
    fn fail(&mut self, reason: &str) {
        let loaded = self.running.as_ref().is_some_and(|running| running.loaded);
        if !loaded && !is_online() {
            self.running = None;
            self.offline = true;
            return self.close("You're offline. Messages are loaded when you're back.".to_owned());
        }
        log(&format!("the worker of the rooms failed and is started again: {reason}"));
        let ran = self.running.take().map(|running| clock::now().since(running.since));
        self.failed = if ran.is_some_and(|ran| ran >= WELL) { 1 } else { self.failed + 1 };
        // Ends of messages mean nothing to the next one.
        self.out.retain(Option::is_some);
        self.close("Messages stopped working for a moment. They are started again.".to_owned());
        let rest = REST.saturating_mul(1 << (self.failed - 1).min(6)).min(LONGEST_REST);
        let (this, number) = (self.this.clone(), self.number);
        spawn_local(async move {
            clock::sleep(rest).await;
            with(&this, number, Self::launch);
        });
    }

    /// Nothing is taken for now.
    fn close(&mut self, reason: String) {
        if let Some(running) = self.running.as_mut() {
            running.open = false;
        }
        let answers = self.desk.close(reason.clone());
        self.out.extend(answers.into_iter().map(Some));
        self.show(Keeping::Failing(reason));
    }

    fn show(&mut self, keeping: Keeping) {
        self.out.push_back(Some(Outgoing::Show(Box::new(View::Keeping(keeping)))));
        self.wake();
    }

    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

/// Lets something happen to the page's side, if it is still about the worker of this number.
fn with<T>(
    this: &Weak<RefCell<Inner>>,
    number: u32,
    happen: impl FnOnce(&mut Inner) -> T,
) -> Option<T> {
    let inner = this.upgrade()?;
    let mut inner = inner.borrow_mut();
    (inner.number == number).then(|| happen(&mut inner))
}

/// Where the worker's script is, as the page says.
fn script() -> Result<String, String> {
    let document = crate::js::window().document();
    let element = document.and_then(|document| document.query_selector(ELEMENT).ok().flatten());
    let content = element.and_then(|element| element.get_attribute("content"));
    content.ok_or_else(|| "the page does not say where its program is".to_owned())
}
