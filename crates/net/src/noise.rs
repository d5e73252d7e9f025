//! Noise as libp2p speaks it, with failures in own words.
//!
//! What libp2p says of failures can name hashes of certificates, in whatever alphabet: 10 kB of the
//! page ([`crate::address`]) for something that cannot happen here.

use crate::driver::root_cause;
use futures::{AsyncRead, AsyncWrite, TryFutureExt, future::MapErr};
use libp2p::{
    PeerId,
    core::{
        UpgradeInfo,
        upgrade::{InboundConnectionUpgrade, OutboundConnectionUpgrade},
    },
    identity::Keypair,
    noise,
};

/// The handshake that proves to each side who the other one is.
#[derive(Clone)]
pub(crate) struct Noise(noise::Config);

impl Noise {
    pub(crate) fn new(key: &Keypair) -> Result<Self, NoiseError> {
        Ok(Self(noise::Config::new(key)?))
    }
}

/// Why there is no safe connection.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct NoiseError(String);

impl From<noise::Error> for NoiseError {
    fn from(error: noise::Error) -> Self {
        use noise::Error as Noise;
        Self(match error {
            Noise::Io(error) => root_cause(&error),
            Noise::Noise(error) => root_cause(&error),
            Noise::SigningError(error) => root_cause(&error),
            Noise::UnexpectedKey | Noise::BadSignature | Noise::AuthenticationFailed => {
                "the other side cannot prove who it is".to_owned()
            }
            _ => "the other side's handshake makes no sense".to_owned(),
        })
    }
}

impl UpgradeInfo for Noise {
    type Info = <noise::Config as UpgradeInfo>::Info;
    type InfoIter = <noise::Config as UpgradeInfo>::InfoIter;

    fn protocol_info(&self) -> Self::InfoIter {
        self.0.protocol_info()
    }
}

type Told<F> = MapErr<F, fn(noise::Error) -> NoiseError>;

impl<T: AsyncRead + AsyncWrite + Unpin + Send + 'static> InboundConnectionUpgrade<T> for Noise {
    type Output = (PeerId, noise::Output<T>);
    type Error = NoiseError;
    type Future = Told<<noise::Config as InboundConnectionUpgrade<T>>::Future>;

    fn upgrade_inbound(self, socket: T, info: Self::Info) -> Self::Future {
        self.0.upgrade_inbound(socket, info).map_err(NoiseError::from)
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin + Send + 'static> OutboundConnectionUpgrade<T> for Noise {
    type Output = (PeerId, noise::Output<T>);
    type Error = NoiseError;
    type Future = Told<<noise::Config as OutboundConnectionUpgrade<T>>::Future>;

    fn upgrade_outbound(self, socket: T, info: Self::Info) -> Self::Future {
        self.0.upgrade_outbound(socket, info).map_err(NoiseError::from)
    }
}
