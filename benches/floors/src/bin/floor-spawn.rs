//! `floor-mux` with a task a handler.
fn main() {
    harness::run::<floors::mux::Client<true>>();
}
