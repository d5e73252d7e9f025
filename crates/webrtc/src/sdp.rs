//! What is read from session descriptions (RFC 8866). They are never changed.

use std::fmt;

/// The SHA-256 digest of the certificate that one end uses for DTLS (RFC 8122).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint(pub [u8; 32]);

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Why a session description is not one that this transport makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// There is not exactly one media section, for data channels.
    #[error("it describes something other than data channels alone")]
    Media,
    /// There is no fingerprint, or there are several.
    #[error("it does not name exactly one certificate")]
    Certificates,
    /// The fingerprint is not one of SHA-256.
    #[error("its fingerprint is not a SHA-256 digest")]
    Digest,
}

/// The fingerprint in a session description, which must be of data channels alone and name one
/// certificate. Browsers hold a connection to the fingerprints of the description, and with one
/// fingerprint it is known which of them that was.
///
/// # Errors
/// [`Unusable`] says which rule the description breaks.
pub fn fingerprint(sdp: &str) -> Result<Fingerprint, Unusable> {
    let mut media = 0;
    let mut found = None;
    for line in sdp.lines() {
        if let Some(section) = line.strip_prefix("m=") {
            media += 1;
            if media > 1 || !section.starts_with("application ") {
                return Err(Unusable::Media);
            }
        } else if let Some(attribute) = line.strip_prefix("a=fingerprint:") {
            let fingerprint = digest(attribute).ok_or(Unusable::Digest)?;
            if found.is_some_and(|other| other != fingerprint) {
                return Err(Unusable::Certificates);
            }
            found = Some(fingerprint);
        }
    }
    if media == 0 {
        return Err(Unusable::Media);
    }
    found.ok_or(Unusable::Certificates)
}

/// Reads `sha-256 AB:CD:...`.
fn digest(attribute: &str) -> Option<Fingerprint> {
    let (name, digits) = attribute.trim_end().split_once(' ')?;
    if !name.eq_ignore_ascii_case("sha-256") {
        return None;
    }
    let mut parts = digits.split(':');
    let mut bytes = [0; 32];
    for byte in &mut bytes {
        let part = parts.next().filter(|part| part.len() == 2)?;
        // `from_str_radix` takes a sign as well.
        part.bytes().all(|digit| digit.is_ascii_hexdigit()).then_some(())?;
        *byte = u8::from_str_radix(part, 16).ok()?;
    }
    parts.next().is_none().then_some(Fingerprint(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(byte: &str) -> String {
        [byte; 32].join(":")
    }

    fn sdp(lines: &[&str]) -> String {
        let start = ["v=0", "m=application 9 UDP/DTLS/SCTP webrtc-datachannel"];
        start.iter().chain(lines).map(|line| format!("{line}\r\n")).collect()
    }

    #[test]
    fn the_fingerprint_is_found_in_either_case() {
        for line in [
            format!("a=fingerprint:sha-256 {}", hex("AB")),
            format!("a=fingerprint:SHA-256 {}", hex("ab")),
        ] {
            assert_eq!(fingerprint(&sdp(&[&line])), Ok(Fingerprint([0xab; 32])));
        }
    }

    #[test]
    fn one_fingerprint_may_be_said_twice_but_not_two() {
        let one = format!("a=fingerprint:sha-256 {}", hex("01"));
        let other = format!("a=fingerprint:sha-256 {}", hex("02"));
        assert_eq!(fingerprint(&sdp(&[&one, &one])), Ok(Fingerprint([1; 32])));
        assert_eq!(fingerprint(&sdp(&[&one, &other])), Err(Unusable::Certificates));
        assert_eq!(fingerprint(&sdp(&[])), Err(Unusable::Certificates));
    }

    #[test]
    fn another_digest_is_refused() {
        let short = ["01"; 31].join(":");
        let long = ["01"; 33].join(":");
        for rest in [
            format!("sha-1 {}", hex("01")),
            format!("sha-256 {short}"),
            format!("sha-256 {long}"),
            format!("sha-256 {}", hex("+1")),
            "sha-256".to_owned(),
        ] {
            let line = format!("a=fingerprint:{rest}");
            assert_eq!(fingerprint(&sdp(&[&line])), Err(Unusable::Digest), "{line}");
        }
    }

    #[test]
    fn sound_and_pictures_are_refused() {
        let one = format!("a=fingerprint:sha-256 {}", hex("01"));
        let sound = "m=audio 9 UDP/TLS/RTP/SAVPF 111";
        assert_eq!(fingerprint(&sdp(&[&one, sound])), Err(Unusable::Media));
        assert_eq!(fingerprint(&format!("v=0\r\n{one}\r\n{sound}\r\n")), Err(Unusable::Media));
        assert_eq!(fingerprint(&one), Err(Unusable::Media));
    }
}
