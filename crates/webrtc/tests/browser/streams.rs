//! What streams promise.

use crate::{
    lines::{Line, lines},
    nodes::soon,
};
use chats_webrtc::{Error, Stream, codec::frame};
use futures::{
    AsyncReadExt, AsyncWrite, AsyncWriteExt, future::join, future::join_all, future::poll_fn,
};
use js_sys::{Function, Reflect, Uint8Array};
use std::{io, pin::Pin, task::Poll};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_test::wasm_bindgen_test;
use web_sys::RtcDataChannel;

/// Bytes that repeat in no simple way.
fn bytes(size: usize) -> Vec<u8> {
    (0..size as u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

async fn stream(a: &Line, b: &mut Line) -> (Stream, Stream) {
    let at_a = a.open().await;
    (at_a, b.accept().await)
}

/// Sends back all that comes.
async fn echo(mut stream: Stream) {
    let (mut reader, mut writer) = (&mut stream).split();
    futures::io::copy(&mut reader, &mut writer).await.unwrap();
    writer.close().await.unwrap();
}

/// Sends and gets back.
async fn round_trip(mut stream: Stream, payload: &[u8]) -> Vec<u8> {
    let (mut reader, mut writer) = (&mut stream).split();
    let send = async {
        writer.write_all(payload).await.unwrap();
        writer.close().await.unwrap();
    };
    let mut answer = Vec::new();
    let (read, ()) = join(reader.read_to_end(&mut answer), send).await;
    read.unwrap();
    answer
}

#[wasm_bindgen_test]
async fn a_megabyte_comes_back_unharmed_both_ways() {
    let (mut a, mut b) = lines().await;
    let payload = bytes(1_000_000);
    for turn in 0..2 {
        let (here, there) = if turn == 0 { (&a, &mut b) } else { (&b, &mut a) };
        let (mine, theirs) = stream(here, there).await;
        let both = join(round_trip(mine, &payload), echo(theirs));
        let (answer, ()) = soon("the megabyte is back", both).await;
        assert!(answer == payload, "{} bytes came back, or others", answer.len());
    }
}

#[wasm_bindgen_test]
async fn the_half_that_reads_goes_on_when_the_other_has_ended() {
    let (a, mut b) = lines().await;
    let (mut at_a, mut at_b) = stream(&a, &mut b).await;
    at_a.write_all(b"question").await.unwrap();
    at_a.close().await.unwrap();
    assert_eq!(at_a.write(b"more").await.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    let mut question = Vec::new();
    soon("the end", at_b.read_to_end(&mut question)).await.unwrap();
    assert_eq!(question, b"question");
    at_b.write_all(b"answer").await.unwrap();
    at_b.close().await.unwrap();
    let mut answer = Vec::new();
    soon("the end", at_a.read_to_end(&mut answer)).await.unwrap();
    assert_eq!(answer, b"answer");
}

#[wasm_bindgen_test]
async fn what_was_written_before_the_end_arrives_though_the_stream_is_dropped() {
    let (a, mut b) = lines().await;
    let (mut at_a, mut at_b) = stream(&a, &mut b).await;
    let payload = bytes(600_000);
    let send = async {
        at_a.write_all(&payload).await.unwrap();
        at_a.close().await.unwrap();
        drop(at_a);
    };
    let mut read = Vec::new();
    let (done, ()) = soon("all is there", join(at_b.read_to_end(&mut read), send)).await;
    done.unwrap();
    assert!(read == payload, "{} bytes arrived, or others", read.len());
}

#[wasm_bindgen_test]
async fn a_stream_dropped_before_its_end_is_reset_at_the_other_end() {
    let (a, mut b) = lines().await;
    let (mut at_a, mut at_b) = stream(&a, &mut b).await;
    at_a.write_all(b"part").await.unwrap();
    let mut part = [0; 4];
    soon("a part", at_b.read_exact(&mut part)).await.unwrap();
    drop(at_a);
    let read = soon("an error", at_b.read(&mut part)).await;
    assert_eq!(read.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    assert_eq!(at_b.write(b"x").await.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    assert!(a.stands() && b.stands());
}

#[wasm_bindgen_test]
async fn two_hundred_streams_work_at_once() {
    let (a, mut b) = lines().await;
    let mut work = Vec::new();
    for number in 0..200 {
        let (mine, theirs) = stream(&a, &mut b).await;
        work.push(async move {
            let payload = bytes(100 + number);
            let (answer, ()) = join(round_trip(mine, &payload), echo(theirs)).await;
            assert_eq!(answer, payload);
        });
    }
    soon("all are answered", join_all(work)).await;
}

#[wasm_bindgen_test]
async fn places_of_ended_streams_are_used_again() {
    let (a, mut b) = lines().await;
    for number in 0..600 {
        let (mine, theirs) = stream(&a, &mut b).await;
        let payload = bytes(1 + number % 5);
        let (answer, ()) = soon("an answer", join(round_trip(mine, &payload), echo(theirs))).await;
        assert_eq!(answer, payload);
    }
}

/// Opens a channel past the transport.
fn raw_channel(line: &Line) -> Result<RtcDataChannel, JsValue> {
    let create = Reflect::get(&line.pc, &"createDataChannel".into())?;
    Ok(create.unchecked_into::<Function>().call1(&line.pc, &"".into())?.unchecked_into())
}

async fn raw_stream(a: &Line, b: &mut Line) -> (RtcDataChannel, Stream) {
    let channel = raw_channel(a).unwrap();
    let stream = b.accept().await;
    let opened = js_sys::Promise::new(&mut |resolve, _| {
        if channel.ready_state() == web_sys::RtcDataChannelState::Open {
            resolve.call0(&JsValue::NULL).unwrap();
        } else {
            channel.set_onopen(Some(&resolve));
        }
    });
    soon("the channel opens", wasm_bindgen_futures::JsFuture::from(opened)).await.unwrap();
    (channel, stream)
}

#[wasm_bindgen_test]
async fn a_peer_that_floods_with_streams_is_cut_off() {
    let (a, b) = lines().await;
    let opened = (0..10_000).map_while(|_| raw_channel(&a).ok()).count();
    assert!(opened > 300, "the browser opens {opened} only");
    assert!(matches!(b.ended().await, Error::TooManyStreams(_)));
    a.ended().await;
}

#[wasm_bindgen_test]
async fn a_length_and_its_frame_may_come_as_two_messages() {
    let (a, mut b) = lines().await;
    let (channel, mut stream) = raw_stream(&a, &mut b).await;
    let (message, _) = frame::encode(b"in parts");
    let (length, rest) = message.split_at(1);
    channel.send_with_js_u8_array(&Uint8Array::from(length)).unwrap();
    channel.send_with_js_u8_array(&Uint8Array::from(rest)).unwrap();
    let mut read = [0; 8];
    soon("the payload", stream.read_exact(&mut read)).await.unwrap();
    assert_eq!(&read, b"in parts");
}

#[wasm_bindgen_test]
async fn messages_that_are_no_frames_reset_the_stream_alone() {
    let (a, mut b) = lines().await;
    let (text, mut stream) = raw_stream(&a, &mut b).await;
    text.send_with_str("not bytes").unwrap();
    let read = soon("an error", stream.read(&mut [0; 9])).await;
    assert_eq!(read.unwrap_err().kind(), io::ErrorKind::InvalidData);
    let (large, mut stream) = raw_stream(&a, &mut b).await;
    large.send_with_js_u8_array(&Uint8Array::new_with_length(20_000)).unwrap();
    let read = soon("an error", stream.read(&mut [0; 9])).await;
    assert_eq!(read.unwrap_err().kind(), io::ErrorKind::InvalidData);
    let (wrong, mut stream) = raw_stream(&a, &mut b).await;
    wrong.send_with_js_u8_array(&Uint8Array::from(&[2, 0x0b, 0][..])).unwrap();
    let read = soon("an error", stream.read(&mut [0; 9])).await;
    assert_eq!(read.unwrap_err().kind(), io::ErrorKind::InvalidData);
    assert!(a.stands() && b.stands());
}

#[wasm_bindgen_test]
async fn writing_waits_while_the_browser_holds_too_much() {
    let (a, mut b) = lines().await;
    let (mut at_a, at_b) = stream(&a, &mut b).await;
    // Once it has written, the channel is open.
    at_a.write_all(b"open").await.unwrap();
    let chunk = bytes(64 * 1024);
    let written = poll_fn(|cx| {
        let mut written = 0;
        while let Poll::Ready(size) = Pin::new(&mut at_a).poll_write(cx, &chunk) {
            written += size.unwrap();
            assert!(written < 1_000_000, "nothing holds this back");
        }
        Poll::Ready(written)
    })
    .await;
    assert!(written > 100_000, "{written}");
    // It goes on by itself.
    soon("room for more", at_a.write_all(&chunk)).await.unwrap();
    drop(at_b);
}

#[wasm_bindgen_test]
async fn a_peer_that_never_reads_costs_neither_end_more_than_its_bound() {
    let (a, mut b) = lines().await;
    let (mut at_a, mut at_b) = stream(&a, &mut b).await;
    let chunk = bytes(64 * 1024);
    let write = async {
        let mut written = 0;
        loop {
            match at_a.write(&chunk).await {
                Ok(size) => written += size,
                Err(error) => return (written, error.kind()),
            }
        }
    };
    let (written, error) = soon("the other end gives up", write).await;
    assert_eq!(error, io::ErrorKind::ConnectionReset);
    assert!(written > 1_000_000, "{written}");
    assert!(written < 4_000_000, "{written}");
    let read = soon("an error", at_b.read(&mut [0; 9])).await;
    assert_eq!(read.unwrap_err().kind(), io::ErrorKind::InvalidData);
    assert!(a.stands() && b.stands());
}

#[wasm_bindgen_test]
async fn many_streams_that_are_not_read_share_one_bound() {
    let (a, mut b) = lines().await;
    let chunk = bytes(1_000_000);
    let mut streams = Vec::new();
    let mut broken = 0;
    for _ in 0..12 {
        let (mut at_a, at_b) = stream(&a, &mut b).await;
        let written = soon("a megabyte is written", at_a.write_all(&chunk)).await;
        let ended = match written {
            Ok(()) => soon("the end is written", at_a.close()).await,
            failed => failed,
        };
        broken += usize::from(ended.is_err());
        streams.push((at_a, at_b));
    }
    // Writing does not wait for reading, so some of the last may not have heard yet.
    for (_, at_b) in &mut streams {
        let read = soon("bytes or an error", at_b.read(&mut [0; 9])).await;
        broken += usize::from(read.is_err());
    }
    assert!(broken >= 3, "{broken}");
}
