//! From a stream for signalling to a connection.

use crate::{
    Config, Error,
    codec::{
        Delimiter, Malformed,
        signalling::{self, Message},
    },
    connection::{Connection, Link},
    sdp::Fingerprint,
    shared::{Fingerprints, SignallingStream},
    state::exchange::{Exchange, Role, SignallingError, Step},
};
use futures::{
    AsyncReadExt, AsyncWriteExt, FutureExt,
    future::{poll_fn, select},
    io::{ReadHalf, WriteHalf},
};
use futures_timer::Delay;
use js_sys::JSON;
use std::{
    cell::Cell,
    io,
    pin::pin,
    rc::Rc,
    task::{Poll, ready},
    time::Duration,
};
use wasm_bindgen_futures::spawn_local;

/// How long the connection may take once the other end has ended signalling, which it does when
/// the connection stands, or when it gives up.
const GRACE: Duration = Duration::from_secs(5);
/// How long closing the stream may take.
const CLOSING: Duration = Duration::from_secs(5);

/// Makes a connection over `stream`, which is reset if that fails.
pub(crate) async fn run(
    stream: SignallingStream,
    role: Role,
    config: &Config,
) -> Result<(Connection, Rc<Link>), Error> {
    let link = Link::new(config)?;
    let (mut reader, mut writer) = stream.split();
    let init = match role {
        Role::Offers => {
            let init = link.create_init()?;
            link.describe(Message::Offer).await?;
            Some(init)
        }
        Role::Answers => None,
    };
    let remote = Cell::new(None);
    signal(&link, &mut reader, &mut writer, role, &remote).await?;
    if let Some(init) = init {
        init.close();
    }
    // The connection does not wait for this.
    spawn_local(async move {
        select(pin!(writer.close()), Delay::new(CLOSING)).await;
        drop(reader);
    });
    let remote = remote.get().ok_or(SignallingError::EndedEarly)?;
    let fingerprints = Fingerprints { local: link.fingerprint()?, remote };
    Ok((Connection::new(Rc::clone(&link), fingerprints), link))
}

/// Exchanges messages until the connection stands.
async fn signal(
    link: &Rc<Link>,
    reader: &mut ReadHalf<SignallingStream>,
    writer: &mut WriteHalf<SignallingStream>,
    role: Role,
    remote: &Cell<Option<Fingerprint>>,
) -> Result<(), Error> {
    let mut reading = pin!(read(link, reader, role, remote).fuse());
    let mut writing = pin!(write(link, writer).fuse());
    let mut grace: Option<Delay> = None;
    poll_fn(|cx| {
        let mut over = false;
        if let Poll::Ready(read) = reading.as_mut().poll(cx) {
            match read {
                Err(Broken { error, fatal }) if fatal || remote.get().is_none() => {
                    return Poll::Ready(Err(error));
                }
                _ => over = true,
            }
        }
        over |= writing.as_mut().poll(cx).is_ready();
        if let Poll::Ready(connected) = link.poll_connected(cx) {
            return Poll::Ready(connected);
        }
        // All that matters may have been said, so the connection gets a chance.
        if over {
            grace.get_or_insert_with(|| Delay::new(GRACE));
        }
        let Some(grace) = &mut grace else { return Poll::Pending };
        ready!(grace.poll_unpin(cx));
        Poll::Ready(Err(Error::GivenUp))
    })
    .await
}

/// Why reading ended.
struct Broken {
    error: Error,
    /// Not just the stream.
    fatal: bool,
}

impl<E: Into<Error>> From<E> for Broken {
    fn from(error: E) -> Self {
        Self { error: error.into(), fatal: true }
    }
}

async fn read(
    link: &Rc<Link>,
    reader: &mut ReadHalf<SignallingStream>,
    role: Role,
    remote: &Cell<Option<Fingerprint>>,
) -> Result<(), Broken> {
    let mut exchange = Exchange::new(role);
    let mut delimiter = Delimiter::default();
    let mut bytes = vec![0; 2048];
    loop {
        let size = match reader.read(&mut bytes).await {
            Ok(size) => size,
            Err(error) => return Err(Broken { error: lost(&error), fatal: false }),
        };
        if size == 0 {
            let unanswered = role == Role::Offers && !delimiter.is_amid_message();
            return exchange.end().map_err(|error| match unanswered {
                // Some multiplexers show a reset as an end.
                true => Error::Refused.into(),
                false => Broken::from(error),
            });
        }
        delimiter.push(bytes.get(..size).unwrap_or_default());
        while let Some(message) = delimiter.next().map_err(SignallingError::from)? {
            let message = signalling::decode(message).map_err(SignallingError::from)?;
            match exchange.receive(message)? {
                Step::Describe { sdp, fingerprint, candidates } => {
                    link.apply(role, &sdp).await?;
                    remote.set(Some(fingerprint));
                    if role == Role::Answers {
                        link.describe(Message::Answer).await?;
                    }
                    for candidate in candidates {
                        add(link, &candidate).await?;
                    }
                }
                Step::Candidate(candidate) => add(link, &candidate).await?,
                Step::Wait => {}
            }
        }
    }
}

async fn add(link: &Link, candidate: &str) -> Result<(), Error> {
    let candidate =
        JSON::parse(candidate).map_err(|_| SignallingError::Malformed(Malformed::Text))?;
    link.add_candidate(&candidate).await;
    Ok(())
}

async fn write(link: &Link, writer: &mut WriteHalf<SignallingStream>) -> io::Result<()> {
    loop {
        let message = poll_fn(|cx| link.poll_message(cx)).await;
        let bytes = signalling::encode(&message).map_err(io::Error::other)?;
        writer.write_all(&bytes).await?;
        writer.flush().await?;
    }
}

/// Before the description has come, the other end resets the stream if it does not want us.
fn lost(error: &io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::ConnectionReset => Error::Refused,
        _ => Error::Unreachable(error.to_string()),
    }
}
