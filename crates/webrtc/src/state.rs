//! What may happen when: the order of signalling, and the life of a stream. Neither knows a
//! browser or a clock.

pub mod exchange;
pub mod stream;
