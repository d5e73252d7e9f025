//! `/chats/link/1`: the first stream on a direct link, on which both sides prove that they see the
//! same link.
//!
//! A WebRTC link rests on two DTLS certificates, whose fingerprints travelled in signalling. Each
//! side signs, with its device key, both devices, both fingerprints as it sees them, and its role.
//! Whoever stands between the two would have shown each of them another certificate, and cannot
//! sign for either. The dialer opens the stream; a frame is the signature's 64 bytes.
//!
//! The device with the greater key signs first. The other one's signature settles that this link
//! carries the session: of several links between the two, it signs one. Where the first signature is
//! not for what the other one sees, that one says so by an empty frame, which is no signature either.

use crate::frame;
use chats_core::id::{DeviceKey, DeviceSecret, DeviceSignature};
use futures::{AsyncRead, AsyncWrite, AsyncWriteExt};

/// Its libp2p name.
pub(crate) const PROTOCOL: &str = "/chats/link/1";

const CONTEXT: &[u8] = b"community-chats/link/1\0";
const LENGTH: usize = 64;

/// What one side knows of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct View {
    /// The other device.
    pub(crate) theirs: DeviceKey,
    /// SHA-256 of our own DTLS certificate.
    pub(crate) own_certificate: [u8; 32],
    /// SHA-256 of the other side's.
    pub(crate) their_certificate: [u8; 32],
    /// We dialled.
    pub(crate) dialer: bool,
}

/// Why a link is not proven.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProofError {
    /// Somebody stands between the two ends, or the other side lies.
    #[error("the other side does not sign for the certificates of this link")]
    Forged,
    /// The stream failed before that could be told.
    #[error("the proof of the link did not come: {0}")]
    Cut(String),
}

impl View {
    /// What a side signs: the dialer's and the listener's key, their fingerprints in the same
    /// order, and who signs.
    fn text(&self, own: DeviceKey, by_dialer: bool) -> Vec<u8> {
        let ours = (own.0, self.own_certificate);
        let theirs = (self.theirs.0, self.their_certificate);
        let (dialer, listener) = if self.dialer { (ours, theirs) } else { (theirs, ours) };
        let role = [u8::from(!by_dialer)];
        [CONTEXT, &dialer.0, &listener.0, &dialer.1, &listener.1, &role].concat()
    }

    fn sign(&self, secret: &DeviceSecret) -> DeviceSignature {
        secret.sign(&self.text(secret.device(), self.dialer))
    }

    fn check(&self, own: DeviceKey, frame: Option<Vec<u8>>) -> Result<(), ProofError> {
        let frame = frame.ok_or_else(|| ProofError::Cut("the other side ended it".to_owned()))?;
        let signature = <[u8; LENGTH]>::try_from(frame).map_err(|_| ProofError::Forged)?;
        let text = self.text(own, !self.dialer);
        let good = self.theirs.verifies(&text, &DeviceSignature(signature));
        if good { Ok(()) } else { Err(ProofError::Forged) }
    }
}

/// What came of a proof's beginning.
#[derive(Debug)]
pub(crate) enum Heard<S> {
    /// The other side signed. It is for us to settle whether this is the link.
    Asked(S),
    /// Both sides signed: this is the link.
    Settled,
}

/// Proves a link and has it proven, as far as that goes without settling that it is the one: this
/// signs nothing for a side with a greater key that does not sign for the link.
pub(crate) async fn begin<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    secret: DeviceSecret,
    view: View,
) -> Result<Heard<S>, ProofError> {
    let own = secret.device();
    let settles = own < view.theirs;
    if !settles {
        frame::write(&mut stream, &view.sign(&secret).0, LENGTH).await.map_err(cut)?;
    }
    let proven = view.check(own, frame::read(&mut stream, LENGTH).await.map_err(cut)?);
    if settles && matches!(proven, Err(ProofError::Forged)) {
        // So that both learn of an attack. If this does not get there, the other side sees a link
        // that failed.
        let _ = frame::write(&mut stream, &[], LENGTH).await;
        let _ = stream.close().await;
    }
    proven?;
    Ok(if settles { Heard::Asked(stream) } else { Heard::Settled })
}

/// Settles that this is the link.
pub(crate) async fn settle<S: AsyncWrite + Unpin>(
    mut stream: S,
    secret: DeviceSecret,
    view: View,
) -> Result<(), ProofError> {
    frame::write(&mut stream, &view.sign(&secret).0, LENGTH).await.map_err(cut)
}

fn cut(error: frame::FrameError) -> ProofError {
    ProofError::Cut(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::{executor::block_on, io::Cursor};
    use std::pin::Pin;
    use std::task::{Context, Poll};

    const A: [u8; 32] = [0xa; 32];
    const B: [u8; 32] = [0xb; 32];
    const M: [u8; 32] = [0xee; 32];

    fn secrets() -> (DeviceSecret, DeviceSecret) {
        (DeviceSecret::from_seed(&[1; 32]), DeviceSecret::from_seed(&[2; 32]))
    }

    /// Both ends of a link, as each of them sees it.
    fn views(dialer_sees: [u8; 32], listener_sees: [u8; 32]) -> (View, View) {
        let (dialer, listener) = secrets();
        (
            View {
                theirs: listener.device(),
                own_certificate: A,
                their_certificate: dialer_sees,
                dialer: true,
            },
            View {
                theirs: dialer.device(),
                own_certificate: B,
                their_certificate: listener_sees,
                dialer: false,
            },
        )
    }

    /// What one end would read and where it writes to, in one.
    struct Script(Cursor<Vec<u8>>, Vec<u8>);

    impl AsyncRead for Script {
        fn poll_read(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            buf: &mut [u8],
        ) -> Poll<std::io::Result<usize>> {
            Pin::new(&mut self.0).poll_read(cx, buf)
        }
    }

    impl AsyncWrite for Script {
        fn poll_write(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            buf: &[u8],
        ) -> Poll<std::io::Result<usize>> {
            self.1.extend_from_slice(buf);
            Poll::Ready(Ok(buf.len()))
        }
        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
            Poll::Ready(Ok(()))
        }
        fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    fn answer(view: View, secret: DeviceSecret, said: &[u8]) -> Result<Heard<Script>, ProofError> {
        let mut bytes = Vec::new();
        block_on(frame::write(&mut bytes, said, 1000)).unwrap();
        block_on(begin(Script(Cursor::new(bytes), Vec::new()), secret, view))
    }

    #[test]
    fn two_ends_of_one_link_prove_it_to_each_other() {
        let (dialer, listener) = secrets();
        let (by_dialer, by_listener) = views(B, A);
        let to_listener = by_dialer.sign(&dialer).0;
        let to_dialer = by_listener.sign(&listener).0;
        assert!(answer(by_dialer, dialer, &to_dialer).is_ok());
        assert!(answer(by_listener, listener, &to_listener).is_ok());
    }

    #[test]
    fn a_certificate_swapped_on_the_way_is_seen_by_both() {
        let (dialer, listener) = secrets();
        let (by_dialer, by_listener) = views(M, M);
        let to_listener = by_dialer.sign(&dialer).0;
        let to_dialer = by_listener.sign(&listener).0;
        let seen = answer(by_dialer, dialer, &to_dialer);
        assert!(matches!(seen, Err(ProofError::Forged)));
        let seen = answer(by_listener, listener, &to_listener);
        assert!(matches!(seen, Err(ProofError::Forged)));
    }

    #[test]
    fn an_echoed_proof_proves_nothing() {
        let (dialer, _) = secrets();
        let (by_dialer, _) = views(B, A);
        let own = by_dialer.sign(&dialer).0;
        assert!(matches!(answer(by_dialer, dialer, &own), Err(ProofError::Forged)));
    }

    #[test]
    fn nothing_but_the_signature_itself_proves_a_link() {
        let (dialer, listener) = secrets();
        let (by_dialer, by_listener) = views(B, A);
        let signature = by_listener.sign(&listener).0;
        let heard = |said: &[u8]| answer(by_dialer, dialer.clone(), said);
        assert!(heard(&signature).is_ok());
        for bit in 0..LENGTH * 8 {
            let mut said = signature;
            said[bit / 8] ^= 1 << (bit % 8);
            assert!(matches!(heard(&said), Err(ProofError::Forged)), "bit {bit}");
        }
        for length in 0..LENGTH {
            assert!(matches!(heard(&signature[..length]), Err(ProofError::Forged)), "{length}");
        }
        let longer = [signature.as_slice(), &[0; LENGTH]].concat();
        for length in LENGTH + 1..longer.len() {
            assert!(matches!(heard(&longer[..length]), Err(ProofError::Cut(_))), "{length}");
        }
    }

    #[test]
    fn a_stream_that_ends_is_no_attack() {
        let (dialer, _) = secrets();
        let (by_dialer, _) = views(B, A);
        let empty = Script(Cursor::new(Vec::new()), Vec::new());
        let result = block_on(begin(empty, dialer, by_dialer));
        assert!(matches!(result, Err(ProofError::Cut(_))));
    }

    #[test]
    fn the_greater_key_signs_first_and_the_smaller_one_when_it_settles() {
        let (dialer, listener) = secrets();
        let (by_dialer, by_listener) = views(B, A);
        let mut settled = Vec::new();
        for (own, view, other, seen) in [
            (&dialer, by_dialer, &listener, by_listener),
            (&listener, by_listener, &dialer, by_dialer),
        ] {
            let heard = answer(view, own.clone(), &seen.sign(other).0).unwrap();
            match heard {
                Heard::Settled => settled.push(own.device()),
                Heard::Asked(Script(_, said)) => assert!(said.is_empty(), "nothing is settled yet"),
            }
        }
        assert_eq!(settled, [dialer.device().max(listener.device())]);
    }
}
