//! The exchange of descriptions (JSEP, RFC 8829) as a state machine.
//!
//! One of the two sides alone makes offers, and the other asks it to. Perfect negotiation (W3C
//! WebRTC, section 10.7) lets both make them, and has one of two that cross taken back. After that
//! Chromium (156) sometimes never connects, and gives the sound of a connection that stood to
//! WebAudio no more. Candidates that arrive before the description they belong to wait for it,
//! since messages and browsers make no promise about their order.

use crate::media::{Candidate, Description, DescriptionKind};
use std::collections::VecDeque;

/// What to do next, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Ask the media layer for a local description.
    Describe,
    /// Have the media layer look for new paths, which leads to an offer.
    Restart,
    /// Hand it the other side's.
    Apply(Description),
    /// Hand it a candidate.
    AddCandidate(Candidate),
    /// Send a description to the other side.
    SendDescription(Description),
    /// Send a candidate to the other side.
    SendCandidate(Candidate),
    /// Ask the other side for an offer.
    Ask,
}

/// Where the exchange of descriptions stands, after all that was asked of the media layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Nothing is open.
    Stable,
    /// An own offer is being made.
    Offering,
    /// An own offer was sent, its answer is awaited.
    Offered,
    /// The other side's offer is being applied, or answered.
    Answering,
    /// The other side's answer is being applied.
    Settling,
}

/// One side of one media connection.
#[derive(Debug)]
pub struct Negotiation {
    /// Ours is the side that makes offers.
    offers: bool,
    phase: Phase,
    /// The other side was asked for an offer, and none came yet.
    asked: bool,
    /// A description of the other side was applied, so candidates may be added.
    described: bool,
    early: VecDeque<Candidate>,
    received: u16,
    steps: VecDeque<Step>,
}

impl Negotiation {
    /// The most candidates that wait for a description.
    pub const MAX_EARLY: usize = 64;
    /// The most candidates taken from the other side between two of its descriptions.
    pub const MAX_CANDIDATES: u16 = 256;

    /// A connection about which nothing was said yet. Exactly one of the two sides offers.
    #[must_use]
    pub const fn new(offers: bool) -> Self {
        Self {
            offers,
            phase: Phase::Stable,
            asked: false,
            described: false,
            early: VecDeque::new(),
            received: 0,
            steps: VecDeque::new(),
        }
    }

    /// The next thing to do.
    pub fn poll(&mut self) -> Option<Step> {
        self.steps.pop_front()
    }

    /// The connection was begun by our side.
    pub fn begin(&mut self) {
        // The media layer wants its first offer made by itself.
        if !self.offers {
            self.ask();
        }
    }

    /// New paths are to be looked for.
    pub fn renew(&mut self) {
        if self.offers {
            self.steps.push_back(Step::Restart);
        } else {
            self.ask();
        }
    }

    fn ask(&mut self) {
        self.asked = true;
        self.steps.push_back(Step::Ask);
    }

    /// Whether the other side was asked for an offer, and none came yet.
    #[must_use]
    pub const fn asked(&self) -> bool {
        self.asked
    }

    /// The other side asks for an offer. Returns whether one is to be made that is not on its way.
    #[must_use]
    pub fn receive_ask(&self) -> bool {
        let first = self.phase == Phase::Stable && !self.described;
        self.offers && !first && !matches!(self.phase, Phase::Offering | Phase::Offered)
    }

    /// Whether an exchange of descriptions is under way.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.phase != Phase::Stable
    }

    /// The media layer wants an offer made. While an exchange is open this is ignored: the media
    /// layer asks again once it is closed.
    pub fn needed(&mut self) {
        if self.offers && self.phase == Phase::Stable {
            self.phase = Phase::Offering;
            self.steps.push_back(Step::Describe);
        }
    }

    /// The media layer made a description.
    pub fn described(&mut self, description: Description) {
        match description.kind {
            DescriptionKind::Offer if self.phase == Phase::Offering => {
                self.phase = Phase::Offered;
                self.steps.push_back(Step::SendDescription(description));
            }
            DescriptionKind::Answer if self.phase == Phase::Answering => {
                self.phase = Phase::Stable;
                self.steps.push_back(Step::SendDescription(description));
            }
            // Reported for an exchange that is over.
            DescriptionKind::Offer | DescriptionKind::Answer => {}
        }
    }

    /// The media layer found a candidate.
    pub fn found(&mut self, candidate: Candidate) {
        self.steps.push_back(Step::SendCandidate(candidate));
    }

    /// The other side sent a description. Returns whether it was of use.
    pub fn receive(&mut self, description: Description) -> bool {
        match description.kind {
            DescriptionKind::Offer if !self.offers && self.phase == Phase::Stable => {
                (self.phase, self.asked) = (Phase::Answering, false);
            }
            DescriptionKind::Answer if self.phase == Phase::Offered => {
                self.phase = Phase::Settling;
            }
            DescriptionKind::Offer | DescriptionKind::Answer => return false,
        }
        self.described = false;
        self.received = 0;
        self.steps.push_back(Step::Apply(description));
        true
    }

    /// The media layer applied the other side's description.
    pub fn applied(&mut self, kind: DescriptionKind) {
        match kind {
            DescriptionKind::Offer if self.phase == Phase::Answering => {
                self.steps.push_back(Step::Describe);
            }
            DescriptionKind::Answer if self.phase == Phase::Settling => {
                self.phase = Phase::Stable;
            }
            DescriptionKind::Offer | DescriptionKind::Answer => return,
        }
        self.described = true;
        self.steps.extend(self.early.drain(..).map(Step::AddCandidate));
    }

    /// The other side sent a candidate. Returns whether it was of use.
    pub fn receive_candidate(&mut self, candidate: Candidate) -> bool {
        if self.received >= Self::MAX_CANDIDATES {
            return false;
        }
        self.received += 1;
        if self.described {
            self.steps.push_back(Step::AddCandidate(candidate));
            return true;
        }
        if self.early.len() >= Self::MAX_EARLY {
            return false;
        }
        self.early.push_back(candidate);
        true
    }
}

#[cfg(test)]
mod tests;
