//! An id, a oneshot and a map entry a call; handlers run in the server's connection task.
fn main() {
    harness::run::<floors::mux::Client<false>>();
}
