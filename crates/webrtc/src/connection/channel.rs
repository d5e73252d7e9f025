//! One `RTCDataChannel` and the stream on it.

use super::link::Link;
use crate::{
    codec::{
        MAX_MESSAGE,
        frame::{self, Flag},
    },
    js::Subscription,
    state::stream::{self, Farewell},
};
use js_sys::{ArrayBuffer, Uint8Array};
use std::{
    cell::RefCell,
    io,
    rc::{Rc, Weak},
    task::{Context, Poll, Waker},
};
use wasm_bindgen::JsCast;
use web_sys::{Event, MessageEvent, RtcDataChannel, RtcDataChannelState, RtcDataChannelType};

/// Writing waits while the browser holds this many bytes that it has not sent.
const MAX_UNSENT: u32 = 256 * 1024;
/// Writing goes on when it holds no more than this many.
const LOW_UNSENT: u32 = 64 * 1024;

/// A data channel with its handlers. Dropped, it is closed.
pub(crate) struct Channel {
    dc: RtcDataChannel,
    link: Weak<Link>,
    state: RefCell<stream::Stream>,
    reader: RefCell<Option<Waker>>,
    writer: RefCell<Option<Waker>>,
    subscription: RefCell<Option<Subscription>>,
}

impl Channel {
    /// To be called at once when the channel is there, as its messages wait for nobody.
    pub(super) fn new(dc: RtcDataChannel, link: &Rc<Link>) -> Rc<Self> {
        dc.set_binary_type(RtcDataChannelType::Arraybuffer);
        dc.set_buffered_amount_low_threshold(LOW_UNSENT);
        let channel = Rc::new(Self {
            dc,
            link: Rc::downgrade(link),
            state: RefCell::default(),
            reader: RefCell::default(),
            writer: RefCell::default(),
            subscription: RefCell::default(),
        });
        let weak = Rc::downgrade(&channel);
        let events = &["message", "open", "bufferedamountlow", "close", "error"];
        let subscription = Subscription::new(&channel.dc, events, move |event| {
            if let Some(channel) = weak.upgrade() {
                channel.on_event(&event);
            }
        });
        channel.subscription.replace(Some(subscription));
        channel
    }

    fn on_event(&self, event: &Event) {
        if let Some(message) = event.dyn_ref::<MessageEvent>() {
            self.on_message(message);
        } else if matches!(
            self.dc.ready_state(),
            RtcDataChannelState::Closing | RtcDataChannelState::Closed
        ) {
            self.lose();
        } else {
            wake(&self.writer);
        }
    }

    fn on_message(&self, message: &MessageEvent) {
        let bytes = match message.data().dyn_into::<ArrayBuffer>() {
            Ok(buffer) if buffer.byte_length() as usize <= MAX_MESSAGE => {
                Uint8Array::new(&buffer).to_vec()
            }
            // What is no message is taken as what no frame begins with.
            _ => vec![0xff; 10],
        };
        let mut state = self.state.borrow_mut();
        let before = state.unread();
        let mut received = state.receive(&bytes);
        let added = state.unread().saturating_sub(before);
        if self.link.upgrade().is_some_and(|link| link.add_unread(added)) {
            state.overflow();
            received = Err(stream::Fault::Overflow);
        }
        let finished = state.is_finished();
        drop(state);
        match received {
            Ok(true) => self.send_flag(Flag::FinAck),
            Ok(false) => {}
            Err(_) => self.send_flag(Flag::Reset),
        }
        self.wake_all(finished);
    }

    fn wake_all(&self, finished: bool) {
        wake(&self.reader);
        wake(&self.writer);
        if finished && let Some(link) = self.link.upgrade() {
            link.channel_changed();
        }
    }

    /// The channel or its connection is gone.
    pub(super) fn lose(&self) {
        self.state.borrow_mut().lose();
        self.wake_all(true);
    }

    /// Whether nothing is left to be done.
    pub(super) fn is_finished(&self) -> bool {
        self.state.borrow().is_finished()
    }

    fn send(&self, bytes: &[u8]) -> io::Result<()> {
        // A copy: the browser must not get hold of this program's memory.
        let bytes = Uint8Array::from(bytes);
        self.dc
            .send_with_array_buffer_view(&bytes)
            .map_err(|_| io::Error::new(io::ErrorKind::BrokenPipe, "the channel is closed"))
    }

    fn send_flag(&self, flag: Flag) {
        if self.dc.ready_state() == RtcDataChannelState::Open {
            let _ = self.send(&frame::encode_flag(flag));
        }
    }

    pub(super) fn poll_read(&self, cx: &Context<'_>, into: &mut [u8]) -> Poll<io::Result<usize>> {
        let read = self.state.borrow_mut().read(into);
        let Some(read) = read else {
            self.reader.replace(Some(cx.waker().clone()));
            return Poll::Pending;
        };
        if let (Ok(bytes), Some(link)) = (&read, self.link.upgrade()) {
            link.remove_unread(*bytes);
        }
        Poll::Ready(read)
    }

    /// Ready once the channel is open and the browser holds no more than `unsent` bytes.
    fn poll_open(&self, cx: &Context<'_>, unsent: u32) -> Poll<io::Result<()>> {
        match self.dc.ready_state() {
            RtcDataChannelState::Open if self.dc.buffered_amount() < unsent => Poll::Ready(Ok(())),
            RtcDataChannelState::Open | RtcDataChannelState::Connecting => {
                self.writer.replace(Some(cx.waker().clone()));
                Poll::Pending
            }
            _ => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
        }
    }

    pub(super) fn poll_write(&self, cx: &Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.state.borrow().check_write()?;
        std::task::ready!(self.poll_open(cx, MAX_UNSENT))?;
        let (frame, taken) = frame::encode(bytes);
        self.send(&frame)?;
        Poll::Ready(Ok(taken))
    }

    pub(super) fn poll_end(&self, cx: &Context<'_>) -> Poll<io::Result<()>> {
        if !self.state.borrow().check_end()? {
            return Poll::Ready(Ok(()));
        }
        std::task::ready!(self.poll_open(cx, u32::MAX))?;
        self.send(&frame::encode_flag(Flag::Fin))?;
        self.state.borrow_mut().ended();
        Poll::Ready(Ok(()))
    }

    /// Nobody holds the stream any more.
    pub(super) fn drop_handle(self: &Rc<Self>) {
        let mut state = self.state.borrow_mut();
        let unread = state.unread();
        let farewell = state.drop_handle();
        drop(state);
        let link = self.link.upgrade();
        if let Some(link) = &link {
            link.remove_unread(unread);
            // The place is free for another stream.
            link.channel_changed();
        }
        match (farewell, link) {
            (Farewell::Close, _) => {}
            (Farewell::Reset, _) => self.send_flag(Flag::Reset),
            (Farewell::Await { stop_sending }, Some(link)) => {
                if stop_sending {
                    self.send_flag(Flag::StopSending);
                }
                link.linger(Rc::clone(self));
            }
            (Farewell::Await { .. }, None) => {}
        }
    }
}

impl Drop for Channel {
    fn drop(&mut self) {
        self.subscription.replace(None);
        self.dc.close();
    }
}

fn wake(waker: &RefCell<Option<Waker>>) {
    let waker = waker.borrow_mut().take();
    if let Some(waker) = waker {
        waker.wake();
    }
}
