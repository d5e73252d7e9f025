//! What every backend must make a store do. Each check takes an empty place and panics if it finds
//! something else.
//!
//! Whoever has a backend names each check by [`for_each_store_check!`](crate::for_each_store_check)
//! and runs it as a test of its own.

mod changes;
mod damage;
mod format;
mod kit;
mod story;
mod together;

pub use changes::*;
pub use damage::*;
pub use format::*;
pub use kit::{Place, batch_of, ids_of, item_of, open_store};
pub use story::{chapter, chapters};
pub use together::*;

/// Calls a macro with the names of all checks of [`conformance`](crate::store::conformance).
#[macro_export]
macro_rules! for_each_store_check {
    ($callback:ident) => {
        $callback! {
            what_was_committed_is_there_after_a_reopen
            items_come_newest_first_in_pages
            entries_come_in_the_order_of_ids_in_pages
            an_item_that_is_kept_is_not_replaced
            a_state_changes_and_lasts
            what_is_shrunk_keeps_its_entry_and_takes_no_space
            what_is_dropped_is_forgotten_and_may_come_again
            an_entry_alone_is_filled_by_its_item
            sets_and_kinds_of_rows_are_apart
            rows_come_in_the_order_of_their_names_in_pages
            a_batch_that_is_too_large_is_refused_whole
            items_that_come_one_by_one_are_merged
            items_of_all_sizes_fit_into_segments
            a_store_does_what_a_map_does
            a_damaged_row_is_dropped_alone
            a_damaged_row_is_reported_once_it_was_put_right
            what_was_damaged_can_be_kept_again
            no_row_shows_what_is_in_it
            the_same_is_sealed_differently_each_time
            another_key_opens_nothing_and_spoils_nothing
            the_format_s_own_row_heals
            a_newer_format_is_refused_and_spared
            an_older_format_is_brought_up_to_date
            bringing_up_to_date_goes_on_where_it_ended
            a_reader_never_sees_half_a_batch
            a_commit_that_nobody_waits_for_is_whole_or_not_there
        }
    };
}
