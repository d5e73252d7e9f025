//! The order of signalling.

use crate::codec::{Malformed, signalling::Message};
use crate::sdp::{self, Fingerprint, Unusable};

/// The most candidates taken from one peer. A browser finds some ten.
pub const MAX_CANDIDATES: usize = 64;
/// The longest candidate that is taken, in bytes. Usual are some 200.
pub const MAX_CANDIDATE: usize = 2 * 1024;

/// Why signalling of another peer was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignallingError {
    /// The bytes are no messages of signalling.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// A description came that was not awaited: a second one, or of the wrong kind.
    #[error("a session description came out of turn")]
    OutOfOrder,
    /// The stream ended before the description came.
    #[error("it ended before the session description")]
    EndedEarly,
    /// The description is not one this transport can use.
    #[error("the session description is not usable: {0}")]
    Description(#[from] Unusable),
    /// The browser does not take the description.
    #[error("the browser refuses the session description")]
    Refused,
    /// More than [`MAX_CANDIDATES`] candidates, or one longer than [`MAX_CANDIDATE`].
    #[error("there are more or longer candidates than a browser finds")]
    TooManyCandidates,
}

/// Who opened the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// We did, and so make the offer.
    Offers,
    /// The other peer did, and awaits our answer.
    Answers,
}

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Apply the other peer's description, then these candidates that came before it.
    Describe {
        /// The description, as it came.
        sdp: String,
        /// The certificate that it names.
        fingerprint: Fingerprint,
        /// Candidates to add once the description is applied.
        candidates: Vec<String>,
    },
    /// Add a candidate.
    Candidate(String),
    /// Nothing for now.
    Wait,
}

/// One exchange of signalling, as seen from one end.
#[derive(Debug)]
pub struct Exchange {
    role: Role,
    described: bool,
    seen: usize,
    early: Vec<String>,
}

impl Exchange {
    /// The beginning of an exchange.
    #[must_use]
    pub fn new(role: Role) -> Self {
        Self { role, described: false, seen: 0, early: Vec::new() }
    }

    /// Takes a message of the other peer.
    ///
    /// # Errors
    /// [`SignallingError`] if the message may not come now; the exchange has failed then.
    pub fn receive(&mut self, message: Message) -> Result<Step, SignallingError> {
        let sdp = match (message, self.role) {
            (Message::Candidate(candidate), _) => return self.candidate(candidate),
            (Message::Offer(sdp), Role::Answers) | (Message::Answer(sdp), Role::Offers) => sdp,
            _ => return Err(SignallingError::OutOfOrder),
        };
        if self.described {
            return Err(SignallingError::OutOfOrder);
        }
        let fingerprint = sdp::fingerprint(&sdp)?;
        self.described = true;
        Ok(Step::Describe { sdp, fingerprint, candidates: std::mem::take(&mut self.early) })
    }

    /// The other peer sends no more.
    ///
    /// # Errors
    /// [`SignallingError::EndedEarly`] if the description is missing.
    pub fn end(&self) -> Result<(), SignallingError> {
        if self.described { Ok(()) } else { Err(SignallingError::EndedEarly) }
    }

    fn candidate(&mut self, candidate: String) -> Result<Step, SignallingError> {
        self.seen += 1;
        if self.seen > MAX_CANDIDATES || candidate.len() > MAX_CANDIDATE {
            return Err(SignallingError::TooManyCandidates);
        }
        if self.described {
            return Ok(Step::Candidate(candidate));
        }
        self.early.push(candidate);
        Ok(Step::Wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sdp() -> String {
        let digest = ["07"; 32].join(":");
        format!(
            "v=0\r\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=fingerprint:sha-256 {digest}\r\n"
        )
    }

    fn candidate(text: &str) -> Message {
        Message::Candidate(text.to_owned())
    }

    fn described(candidates: &[&str]) -> Step {
        let candidates = candidates.iter().map(|text| (*text).to_owned()).collect();
        Step::Describe { sdp: sdp(), fingerprint: Fingerprint([7; 32]), candidates }
    }

    #[test]
    fn candidates_wait_for_the_description() {
        let mut exchange = Exchange::new(Role::Answers);
        assert_eq!(exchange.receive(candidate("one")), Ok(Step::Wait));
        assert_eq!(exchange.receive(candidate("two")), Ok(Step::Wait));
        assert_eq!(exchange.receive(Message::Offer(sdp())), Ok(described(&["one", "two"])));
        let three = Ok(Step::Candidate("three".to_owned()));
        assert_eq!(exchange.receive(candidate("three")), three);
    }

    #[test]
    fn a_description_out_of_turn_is_refused() {
        let refused = Err(SignallingError::OutOfOrder);
        let mut offers = Exchange::new(Role::Offers);
        assert_eq!(offers.receive(Message::Offer(sdp())), refused);
        assert_eq!(offers.receive(Message::Answer(sdp())), Ok(described(&[])));
        assert_eq!(offers.receive(Message::Answer(sdp())), refused);
        let mut answers = Exchange::new(Role::Answers);
        assert_eq!(answers.receive(Message::Answer(sdp())), refused);
    }

    #[test]
    fn an_end_without_description_is_an_error() {
        let mut exchange = Exchange::new(Role::Offers);
        assert_eq!(exchange.end(), Err(SignallingError::EndedEarly));
        exchange.receive(Message::Answer(sdp())).unwrap();
        assert_eq!(exchange.end(), Ok(()));
    }

    #[test]
    fn candidates_are_bounded_before_and_after_the_description() {
        let mut exchange = Exchange::new(Role::Answers);
        for _ in 0..MAX_CANDIDATES / 2 {
            exchange.receive(candidate("x")).unwrap();
        }
        exchange.receive(Message::Offer(sdp())).unwrap();
        for _ in 0..MAX_CANDIDATES / 2 {
            exchange.receive(candidate("x")).unwrap();
        }
        assert_eq!(exchange.receive(candidate("x")), Err(SignallingError::TooManyCandidates));
        let mut exchange = Exchange::new(Role::Answers);
        let long = "x".repeat(MAX_CANDIDATE + 1);
        assert_eq!(exchange.receive(candidate(&long)), Err(SignallingError::TooManyCandidates));
    }

    #[test]
    fn a_description_that_is_none_is_refused() {
        let mut exchange = Exchange::new(Role::Answers);
        let refused = Err(SignallingError::Description(Unusable::Media));
        assert_eq!(exchange.receive(Message::Offer(String::new())), refused);
    }
}
