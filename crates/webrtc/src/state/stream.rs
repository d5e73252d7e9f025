//! The life of a stream: what arrived and is not read yet, and which halves are open.

use crate::codec::{
    Delimiter, Malformed,
    frame::{self, Flag},
};
use std::{collections::VecDeque, io};

/// The most that is kept of what the other peer sent and nobody read, in bytes. Data channels know
/// no way to make the other end wait, so a stream beyond it is reset.
pub const MAX_UNREAD: usize = 2 * 1024 * 1024;

/// Below this, memory for unread bytes is kept when all is read.
const KEPT: usize = 64 * 1024;

/// Why a stream is reset because of what the other peer sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The bytes are no frames.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// More than [`MAX_UNREAD`] bytes wait to be read.
    #[error("the other end sends faster than this end reads")]
    Overflow,
}

/// The half that we read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reading {
    Open,
    /// `Fin` arrived; what came before may still be read.
    Ended,
    /// We want no more.
    Stopped,
}

/// The half that we write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Writing {
    Open,
    /// The other peer sent `StopSending`.
    Unwanted,
    /// We sent `Fin`.
    Ended,
    /// `FinAck` arrived: the other peer has everything.
    Acknowledged,
}

/// A stream without its channel.
#[derive(Debug)]
pub struct Stream {
    delimiter: Delimiter,
    unread: VecDeque<u8>,
    reading: Reading,
    writing: Writing,
    /// Why neither half works any more.
    broken: Option<Broken>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Broken {
    Reset,
    Lost,
    Fault(Fault),
}

impl Broken {
    fn error(self) -> io::Error {
        match self {
            Self::Reset => io::Error::new(io::ErrorKind::ConnectionReset, "the stream was reset"),
            Self::Lost => {
                let text = "the channel closed before the stream ended";
                io::Error::new(io::ErrorKind::ConnectionAborted, text)
            }
            Self::Fault(fault) => io::Error::new(io::ErrorKind::InvalidData, fault),
        }
    }
}

impl Default for Stream {
    fn default() -> Self {
        Self {
            delimiter: Delimiter::default(),
            unread: VecDeque::new(),
            reading: Reading::Open,
            writing: Writing::Open,
            broken: None,
        }
    }
}

impl Stream {
    /// Takes bytes of the channel; `true` asks to send [`Flag::FinAck`].
    ///
    /// # Errors
    /// [`Fault`]: the stream is broken then, and the other peer is owed [`Flag::Reset`].
    pub fn receive(&mut self, bytes: &[u8]) -> Result<bool, Fault> {
        if self.broken.is_some() {
            return Ok(false);
        }
        self.frames(bytes).inspect_err(|fault| self.broken = Some(Broken::Fault(*fault)))
    }

    fn frames(&mut self, bytes: &[u8]) -> Result<bool, Fault> {
        let mut acknowledge = false;
        self.delimiter.push(bytes);
        while let Some(message) = self.delimiter.next()? {
            let frame = frame::decode(message)?;
            if self.reading == Reading::Open {
                if self.unread.len() + frame.payload.len() > MAX_UNREAD {
                    return Err(Fault::Overflow);
                }
                self.unread.extend(frame.payload);
            }
            match frame.flag {
                // The channel is reliable: one answer to one `Fin` is enough.
                Some(Flag::Fin) if self.reading != Reading::Ended => {
                    acknowledge = true;
                    self.reading = Reading::Ended;
                }
                Some(Flag::StopSending) if self.writing == Writing::Open => {
                    self.writing = Writing::Unwanted;
                }
                Some(Flag::FinAck) if self.writing == Writing::Ended => {
                    self.writing = Writing::Acknowledged;
                }
                Some(Flag::Reset) => {
                    self.breaks(Broken::Reset);
                    return Ok(false);
                }
                _ => {}
            }
        }
        Ok(acknowledge)
    }

    /// The channel closed, or the connection under it. What arrived whole can still be read.
    pub fn lose(&mut self) {
        self.breaks(Broken::Lost);
    }

    /// The other peer's bytes go over the bound of the whole connection.
    pub fn overflow(&mut self) {
        self.breaks(Broken::Fault(Fault::Overflow));
    }

    fn breaks(&mut self, why: Broken) {
        if self.broken.is_none() {
            self.broken = Some(why);
        }
    }

    /// Reads what arrived; `None` if nothing did yet, `Some(Ok(0))` at the end.
    ///
    /// # Errors
    /// Of the kind `ConnectionReset` if the other peer gave the stream up, `ConnectionAborted` if
    /// the channel closed, `InvalidData` after a [`Fault`].
    pub fn read(&mut self, into: &mut [u8]) -> Option<io::Result<usize>> {
        if let Some(why @ (Broken::Reset | Broken::Fault(_))) = self.broken {
            return Some(Err(why.error()));
        }
        if !self.unread.is_empty() {
            let read = io::Read::read(&mut self.unread, into);
            if self.unread.is_empty() && self.unread.capacity() > KEPT {
                self.unread = VecDeque::new();
            }
            return Some(read);
        }
        match (self.reading, self.broken) {
            (Reading::Ended | Reading::Stopped, _) => Some(Ok(0)),
            (Reading::Open, Some(why)) => Some(Err(why.error())),
            (Reading::Open, None) => None,
        }
    }

    /// Whether payload may be sent.
    ///
    /// # Errors
    /// As those of [`Self::read`], and `BrokenPipe` if this half has ended or the other peer wants
    /// no more.
    pub fn check_write(&self) -> io::Result<()> {
        if let Some(why) = self.broken {
            return Err(why.error());
        }
        if self.writing == Writing::Open { Ok(()) } else { Err(io::ErrorKind::BrokenPipe.into()) }
    }

    /// Whether ending this half takes a [`Flag::Fin`], which is then to be followed by
    /// [`Self::ended`].
    ///
    /// # Errors
    /// As those of [`Self::read`], unless the end was acknowledged before.
    pub fn check_end(&self) -> io::Result<bool> {
        match (self.writing, self.broken) {
            (Writing::Acknowledged, _) => Ok(false),
            (_, Some(why)) => Err(why.error()),
            (Writing::Ended, None) => Ok(false),
            (Writing::Open | Writing::Unwanted, None) => Ok(true),
        }
    }

    /// [`Flag::Fin`] was sent.
    pub fn ended(&mut self) {
        self.writing = Writing::Ended;
    }

    /// Nobody will read or write any more. The answer says how the channel ends.
    pub fn drop_handle(&mut self) -> Farewell {
        self.unread = VecDeque::new();
        let unread = self.reading == Reading::Open;
        if unread {
            self.reading = Reading::Stopped;
        }
        match (self.broken, self.writing) {
            (Some(Broken::Fault(_)), _) | (None, Writing::Open | Writing::Unwanted) => {
                self.breaks(Broken::Reset);
                Farewell::Reset
            }
            (Some(_), _) | (None, Writing::Acknowledged) => Farewell::Close,
            (None, Writing::Ended) => Farewell::Await { stop_sending: unread },
        }
    }

    /// Whether the channel of a stream that nobody holds may close: the other peer has all that
    /// was sent, or nothing more can reach it.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.broken.is_some() || self.writing == Writing::Acknowledged
    }

    /// Bytes that arrived and were not read.
    #[must_use]
    pub fn unread(&self) -> usize {
        self.unread.len()
    }
}

/// How a channel ends when nobody holds its stream any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Farewell {
    /// Close it.
    Close,
    /// Send [`Flag::Reset`], then close it.
    Reset,
    /// Close it once [`Stream::is_finished`], or after a while.
    Await {
        /// Send [`Flag::StopSending`] first.
        stop_sending: bool,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::frame::{encode, encode_flag};

    fn read(stream: &mut Stream) -> Option<Result<Vec<u8>, io::ErrorKind>> {
        let mut bytes = vec![0; 100];
        stream.read(&mut bytes).map(|read| {
            let size = read.map_err(|error| error.kind())?;
            bytes.truncate(size);
            Ok(bytes)
        })
    }

    fn receive(stream: &mut Stream, payload: &[u8]) {
        assert_eq!(stream.receive(&encode(payload).0), Ok(false));
    }

    fn flag(stream: &mut Stream, flag: Flag) -> bool {
        stream.receive(&encode_flag(flag)).unwrap()
    }

    #[test]
    fn what_arrived_is_read_before_the_end() {
        let mut stream = Stream::default();
        assert_eq!(read(&mut stream), None);
        receive(&mut stream, b"one");
        receive(&mut stream, b"two");
        assert!(flag(&mut stream, Flag::Fin));
        assert_eq!(read(&mut stream), Some(Ok(b"onetwo".to_vec())));
        assert_eq!(read(&mut stream), Some(Ok(vec![])));
    }

    #[test]
    fn an_end_is_acknowledged_once() {
        let mut stream = Stream::default();
        assert!(flag(&mut stream, Flag::Fin));
        assert!(!flag(&mut stream, Flag::Fin));
    }

    #[test]
    fn an_end_in_the_frame_of_its_payload_is_acknowledged() {
        let mut stream = Stream::default();
        assert_eq!(stream.receive(b"\x07\x08\x00\x12\x03end"), Ok(true));
        assert_eq!(read(&mut stream), Some(Ok(b"end".to_vec())));
        assert_eq!(read(&mut stream), Some(Ok(vec![])));
    }

    #[test]
    fn nothing_is_read_after_the_end() {
        let mut stream = Stream::default();
        flag(&mut stream, Flag::Fin);
        receive(&mut stream, b"late");
        assert_eq!(read(&mut stream), Some(Ok(vec![])));
    }

    #[test]
    fn one_half_may_end_while_the_other_goes_on() {
        let mut stream = Stream::default();
        assert!(stream.check_end().unwrap());
        stream.ended();
        assert_eq!(stream.check_write().unwrap_err().kind(), io::ErrorKind::BrokenPipe);
        receive(&mut stream, b"answer");
        assert_eq!(read(&mut stream), Some(Ok(b"answer".to_vec())));
        let mut other = Stream::default();
        flag(&mut other, Flag::Fin);
        assert!(other.check_write().is_ok());
    }

    #[test]
    fn a_reset_breaks_both_halves_at_once() {
        let mut stream = Stream::default();
        receive(&mut stream, b"lost");
        flag(&mut stream, Flag::Reset);
        assert_eq!(read(&mut stream), Some(Err(io::ErrorKind::ConnectionReset)));
        assert_eq!(stream.check_write().unwrap_err().kind(), io::ErrorKind::ConnectionReset);
        assert_eq!(stream.drop_handle(), Farewell::Close);
    }

    #[test]
    fn a_peer_that_wants_no_more_can_still_be_told_the_end() {
        let mut stream = Stream::default();
        flag(&mut stream, Flag::StopSending);
        assert_eq!(stream.check_write().unwrap_err().kind(), io::ErrorKind::BrokenPipe);
        assert!(stream.check_end().unwrap());
    }

    #[test]
    fn a_channel_that_closes_before_the_end_is_an_error_after_what_arrived() {
        let mut stream = Stream::default();
        receive(&mut stream, b"part");
        stream.lose();
        assert_eq!(read(&mut stream), Some(Ok(b"part".to_vec())));
        assert_eq!(read(&mut stream), Some(Err(io::ErrorKind::ConnectionAborted)));
        let mut ended = Stream::default();
        flag(&mut ended, Flag::Fin);
        ended.lose();
        assert_eq!(read(&mut ended), Some(Ok(vec![])));
    }

    #[test]
    fn more_than_the_bound_unread_breaks_the_stream() {
        let mut stream = Stream::default();
        let (frame, size) = encode(&[1; 16_000]);
        for _ in 0..MAX_UNREAD / size {
            assert_eq!(stream.receive(&frame), Ok(false));
        }
        assert_eq!(stream.receive(&frame), Err(Fault::Overflow));
        assert_eq!(read(&mut stream), Some(Err(io::ErrorKind::InvalidData)));
        assert_eq!(stream.drop_handle(), Farewell::Reset);
    }

    #[test]
    fn bytes_that_are_no_frames_break_the_stream() {
        let mut stream = Stream::default();
        assert_eq!(stream.receive(&[1, 0x80]), Err(Fault::Malformed(Malformed::Field)));
        assert_eq!(stream.receive(&encode(b"more").0), Ok(false));
        assert_eq!(read(&mut stream), Some(Err(io::ErrorKind::InvalidData)));
    }

    #[test]
    fn a_stream_dropped_before_its_end_is_reset() {
        assert_eq!(Stream::default().drop_handle(), Farewell::Reset);
    }

    #[test]
    fn a_stream_dropped_after_its_end_awaits_the_acknowledgement() {
        let mut stream = Stream::default();
        stream.ended();
        assert_eq!(stream.drop_handle(), Farewell::Await { stop_sending: true });
        receive(&mut stream, b"unwanted");
        assert_eq!(stream.unread(), 0);
        assert!(!stream.is_finished());
        flag(&mut stream, Flag::FinAck);
        assert!(stream.is_finished());
        let mut stream = Stream::default();
        flag(&mut stream, Flag::Fin);
        stream.ended();
        assert_eq!(stream.drop_handle(), Farewell::Await { stop_sending: false });
    }

    #[test]
    fn an_acknowledgement_of_nothing_means_nothing() {
        let mut stream = Stream::default();
        flag(&mut stream, Flag::FinAck);
        assert!(stream.check_write().is_ok());
        assert_eq!(stream.drop_handle(), Farewell::Reset);
    }
}
