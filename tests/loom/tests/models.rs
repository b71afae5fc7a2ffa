//! What tasks share on the hot path, in every order in which they can meet.

use rpc_loom::{bytes, savings, signals};

#[test]
fn a_signal_is_heard_and_reclaimed_in_every_order() {
    signals::who_waits_hears_of_it();
    signals::all_who_wait_hear_of_it();
    signals::who_hears_that_a_connection_is_lost_knows_it();
    signals::a_signal_is_reclaimed_only_where_nobody_gave_it();
}

#[test]
fn attempts_are_counted_in_every_order() {
    savings::an_attempt_is_spent_once();
    savings::what_is_earned_beside_others_counts();
}

#[test]
fn bytes_are_counted_in_every_order() {
    bytes::what_is_held_is_counted_for_all();
    bytes::all_together_stay_within_their_limit();
    bytes::one_connection_stays_within_its_limit();
}
