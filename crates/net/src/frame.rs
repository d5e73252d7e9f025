//! Frames on a stream: an unsigned varint (multiformats, at most 3 bytes here) with the length,
//! then that many bytes.

use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use std::io;

/// Three groups of 7 bits: no protocol here has frames of 2 MB.
const MAX_PREFIX: u32 = 3;

/// Why a frame could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// The length is beyond what the protocol allows.
    #[error("frame of {length} bytes, at most {max} are allowed")]
    TooLong {
        /// The length that was announced.
        length: usize,
        /// The most that is allowed.
        max: usize,
    },
    /// The length is not a shortest-form varint of at most 3 bytes.
    #[error("malformed frame length")]
    MalformedLength,
    /// The stream broke, perhaps within a frame.
    #[error("stream failed: {0}")]
    Io(#[from] io::Error),
}

/// Reads one frame; `None` if the stream ended before it began.
///
/// # Errors
/// [`FrameError`] if the frame is longer than `max`, malformed, or cut short.
pub async fn read<S: AsyncRead + Unpin>(
    stream: &mut S,
    max: usize,
) -> Result<Option<Vec<u8>>, FrameError> {
    let mut length = 0_usize;
    for group in 0..=MAX_PREFIX {
        let mut byte = [0_u8];
        if stream.read(&mut byte).await? == 0 {
            return if group == 0 {
                Ok(None)
            } else {
                Err(io::Error::from(io::ErrorKind::UnexpectedEof).into())
            };
        }
        let [byte] = byte;
        if group == MAX_PREFIX || (byte == 0 && group > 0) {
            return Err(FrameError::MalformedLength);
        }
        length |= usize::from(byte & 0x7f) << (7 * group);
        if byte & 0x80 == 0 {
            break;
        }
    }
    if length > max {
        return Err(FrameError::TooLong { length, max });
    }
    let mut frame = vec![0; length];
    stream.read_exact(&mut frame).await?;
    Ok(Some(frame))
}

/// Writes one frame and flushes it.
///
/// # Errors
/// [`FrameError`] if `frame` is longer than `max`, or the stream broke.
pub async fn write<S: AsyncWrite + Unpin>(
    stream: &mut S,
    frame: &[u8],
    max: usize,
) -> Result<(), FrameError> {
    if frame.len() > max {
        return Err(FrameError::TooLong { length: frame.len(), max });
    }
    // One write, so that a small frame is one packet on its way.
    let mut bytes = Vec::with_capacity(frame.len() + 3);
    let mut rest = frame.len();
    while rest >= 0x80 {
        bytes.push((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    bytes.push(rest as u8);
    bytes.extend_from_slice(frame);
    stream.write_all(&bytes).await?;
    stream.flush().await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::{executor::block_on, io::Cursor};

    fn read_all(bytes: &[u8], max: usize) -> Result<Option<Vec<u8>>, FrameError> {
        block_on(read(&mut Cursor::new(bytes), max))
    }

    #[test]
    fn frames_come_back_as_they_were_written() {
        for length in [0, 1, 127, 128, 300, 16_384, 32_768] {
            let frame = vec![7; length];
            let mut bytes = Vec::new();
            block_on(write(&mut bytes, &frame, 32_768)).unwrap();
            assert_eq!(read_all(&bytes, 32_768).unwrap(), Some(frame));
        }
    }

    #[test]
    fn the_end_of_the_stream_between_frames_is_no_error() {
        assert_eq!(read_all(&[], 10).unwrap(), None);
    }

    #[test]
    fn a_frame_cut_short_is_an_error() {
        assert!(matches!(read_all(&[5, 1, 2], 10), Err(FrameError::Io(_))));
        assert!(matches!(read_all(&[0x85], 10), Err(FrameError::Io(_))));
    }

    #[test]
    fn a_long_frame_is_refused_before_its_bytes_are_read() {
        let error = read_all(&[0x80, 0x40], 8191).unwrap_err();
        assert!(matches!(error, FrameError::TooLong { length: 8192, max: 8191 }));
        let mut bytes = Vec::new();
        assert!(block_on(write(&mut bytes, &[0; 11], 10)).is_err());
        assert_eq!(bytes, Vec::<u8>::new());
    }

    #[test]
    fn lengths_of_many_bytes_or_not_in_shortest_form_are_refused() {
        for bytes in [&[0x80, 0x00][..], &[0xff, 0xff, 0xff, 0x01], &[0xff; 10]] {
            assert!(matches!(read_all(bytes, usize::MAX), Err(FrameError::MalformedLength)));
        }
    }
}
