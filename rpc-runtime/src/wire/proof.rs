//! Whether a peer has shown that it serves calls.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::call::Response;
use crate::service::BoxFuture;
use crate::status::{Code, Status};

type Call = BoxFuture<'static, Result<Response, Status>>;

/// Whether the peer of a connection has shown that it serves calls, where connecting does not show that:
/// who speaks HTTP/1.1 or JSON-RPC says nothing before being asked.
#[derive(Clone, Default)]
pub(crate) struct Proof(Arc<AtomicBool>);

impl Proof {
    pub(super) fn is_given(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Has a call give it, unless the call ends with its connection.
    pub(super) fn by(&self, call: Call) -> Call {
        if self.is_given() {
            return call;
        }
        let mut asking = Asking {
            proof: self.clone(),
            is_lost: false,
        };
        Box::pin(async move {
            let result = call.await;
            asking.note(&result);
            result
        })
    }
}

/// A call without a proof before it. Who gives it up may end the connection with it, which says nothing
/// against the peer.
struct Asking {
    proof: Proof,
    is_lost: bool,
}

impl Asking {
    fn note(&mut self, result: &Result<Response, Status>) {
        let lost = |it: &Status| it.code() == Code::Unavailable && !it.is_remote();
        self.is_lost = result.as_ref().is_err_and(lost);
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        if !self.is_lost {
            self.proof.0.store(true, Ordering::Relaxed);
        }
    }
}
