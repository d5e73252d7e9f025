//! The worker's side: runs the rooms on a store, a clock and timers.

use super::messages::{ToPage, ToWorker};
use super::opening::{self, Opened};
use super::port::{Port, log};
use super::{MAX_BATCH, MAX_UNTAKEN};
use crate::js::Subscription;
use crate::storage::IndexedDb;
use crate::{clock, random};
use chats_core::certificate::DeviceCertificate;
use chats_core::id::Community;
use chats_core::rooms::{Incoming, Input, Keeping, Outgoing, Output, Rooms, View};
use chats_core::store::{Reply, Request, Store, StoreError};
use chats_core::sync::Ticket;
use chats_core::time::Duration;
use futures::channel::mpsc;
use futures::{FutureExt, StreamExt, future, select_biased};
use std::cell::Cell;
use std::rc::Rc;
use wasm_bindgen::JsCast;
use wasm_bindgen_futures::spawn_local;

/// How many requests may wait for the store before the rooms are told nothing new.
const MAX_STORING: usize = 256;

/// How many messages the page may be behind before the rooms are told nothing new.
const MAX_AHEAD: u32 = 64;

/// How long after a store could not be opened it is tried again; twice as long each time, up to
/// [`LONGEST_REST`].
const REST: Duration = Duration::from_secs(1);
const LONGEST_REST: Duration = Duration::from_secs(60);

/// Runs in the worker that this is called in, for as long as that lives.
pub fn run() {
    let page: Port = js_sys::global().unchecked_into();
    // Nothing ends it but the end of the worker.
    std::mem::forget(serve(&page));
}

/// Serves the page at the other end of a port, until what this gives is dropped.
pub fn serve(page: &Port) -> Subscription {
    // The page says no more than this at once, and that it is to begin.
    let (mut sender, inbox) = mpsc::channel(MAX_UNTAKEN + 1);
    let behind = Rc::new(Behind::default());
    let heard = page.listen({
        let (page, behind) = (page.clone(), Rc::clone(&behind));
        move |message| match message {
            ToWorker::AreYouThere => page.say(&ToPage::Here),
            ToWorker::Took => behind.took(),
            message => {
                if sender.try_send(message).is_err() {
                    log("the page says more than the rooms can take");
                }
            }
        }
    });
    page.say(&ToPage::Here);
    let (work, ending) = future::abortable(work(page.clone(), inbox, behind));
    spawn_local(work.map(drop));
    heard.and(Subscription::new(move || ending.abort()))
}

/// How far the page is behind with what the rooms want done.
#[derive(Default)]
struct Behind {
    messages: Cell<u32>,
    waker: futures::task::AtomicWaker,
}

impl Behind {
    fn took(&self) {
        self.messages.set(self.messages.get().saturating_sub(1));
        self.waker.wake();
    }

    /// Waits until it has caught up.
    async fn caught_up(&self) {
        future::poll_fn(|context| {
            self.waker.register(context.waker());
            if self.messages.get() < MAX_AHEAD {
                std::task::Poll::Ready(())
            } else {
                std::task::Poll::Pending
            }
        })
        .await;
    }
}

async fn work(page: Port, mut inbox: mpsc::Receiver<ToWorker>, behind: Rc<Behind>) {
    let Some(ToWorker::Begin { community, certificate }) = inbox.next().await else {
        return log("the page did not say what to begin with");
    };
    let Some(opened) = open(&page, community, &certificate).await else { return };
    let (request, requests) = mpsc::unbounded();
    let (reply, mut replies) = mpsc::unbounded();
    spawn_local(keep(opened.store, requests, reply));
    let seed = random::bytes().into();
    let mut work = Work {
        rooms: Rooms::new(opened.identity, seed, clock::now()),
        page,
        behind,
        request,
        storing: 0,
    };
    work.page.say(&ToPage::Open);
    if opened.anew {
        work.say(0, vec![Outgoing::Show(Box::new(View::Keeping(Keeping::Damaged)))]);
    }
    work.carry_out(0);
    loop {
        work.behind.caught_up().await;
        let wait = work.rooms.wake_at().since(clock::now());
        // The store first: what it has done makes room for more.
        let (input, handled) = select_biased! {
            (ticket, result) = replies.select_next_some() => {
                work.storing -= 1;
                (Input::Stored { ticket, result }, 0)
            }
            incoming = work.incoming(&mut inbox).fuse() => match incoming {
                Some(incoming) => (Input::Incoming(incoming), 1),
                None => return,
            },
            () = clock::sleep(wait).fuse() => (Input::Tick, 0),
        };
        work.rooms.handle(input, clock::now());
        work.carry_out(handled);
    }
}

/// Opens what the rooms need, as often as it takes.
async fn open(
    page: &Port,
    community: Community,
    certificate: &DeviceCertificate,
) -> Option<Opened> {
    let mut rest = REST;
    loop {
        match opening::open(community, certificate).await {
            Ok(opened) => return Some(opened),
            Err(trouble) => {
                page.say(&ToPage::Failing(trouble.reason));
                if !trouble.passes {
                    return None;
                }
            }
        }
        clock::sleep(rest).await;
        rest = (rest * 2).min(LONGEST_REST);
    }
}

type Stored = (Ticket, Result<Reply, StoreError>);

/// Carries out requests one after the other, until nobody can make any.
async fn keep(
    store: Store<IndexedDb>,
    mut requests: mpsc::UnboundedReceiver<(Ticket, Request)>,
    reply: mpsc::UnboundedSender<Stored>,
) {
    while let Some((ticket, request)) = requests.next().await {
        let result = store.serve(request).await;
        if reply.unbounded_send((ticket, result)).is_err() {
            return;
        }
    }
}

struct Work {
    rooms: Rooms,
    page: Port,
    behind: Rc<Behind>,
    request: mpsc::UnboundedSender<(Ticket, Request)>,
    /// How many requests have no reply yet. Those that one input leads to come on top of
    /// [`MAX_STORING`].
    storing: usize,
}

impl Work {
    /// The next thing that the page says, once the store keeps up.
    async fn incoming(&self, inbox: &mut mpsc::Receiver<ToWorker>) -> Option<Incoming> {
        if self.storing >= MAX_STORING {
            return future::pending().await;
        }
        loop {
            match inbox.next().await? {
                ToWorker::Handle(incoming) => return Some(incoming),
                _ => log("the page says what does not belong here"),
            }
        }
    }

    /// Does what the rooms want, which were told so many things.
    fn carry_out(&mut self, mut handled: u32) {
        let mut out = Vec::new();
        while let Some(output) = self.rooms.poll() {
            match output {
                Output::Outgoing(outgoing) => out.push(outgoing),
                Output::Store { ticket, request } => {
                    self.storing += 1;
                    // Whoever carries it out lives as long as this.
                    let _ = self.request.unbounded_send((ticket, request));
                }
            }
            if out.len() >= MAX_BATCH {
                self.say(std::mem::take(&mut handled), std::mem::take(&mut out));
            }
        }
        if handled > 0 || !out.is_empty() {
            self.say(handled, out);
        }
    }

    fn say(&self, handled: u32, out: Vec<Outgoing>) {
        if !out.is_empty() {
            self.behind.messages.set(self.behind.messages.get() + 1);
        }
        self.page.say(&ToPage::Did { handled, out });
    }
}
