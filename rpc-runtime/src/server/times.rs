//! How long a server waits for what. Where "for ever" is meant, as with `Duration::MAX`, it is 30 years.

use std::time::Duration;

use super::age::Age;
use super::server::Server;
use crate::call::FAR_AHEAD;
use crate::wire::config::LONGEST_BUSY_POLL;

impl Server {
    /// Sets how long a client may be silent before it is pinged, and how long it then has to
    /// answer before its connection is closed; 20 seconds each by default. The second time also
    /// bounds how long a client may take no byte of what waits for it.
    ///
    /// Clients of HTTP/1.1, and of JSON on lines and behind lengths, cannot be pinged.
    pub fn keepalive(mut self, interval: Duration, timeout: Duration) -> Self {
        self.config.keepalive_interval = interval.min(FAR_AHEAD);
        self.config.keepalive_timeout = timeout.min(FAR_AHEAD);
        self
    }

    /// Closes a connection that has had no call for so long; by default never, but after a minute over
    /// HTTP/1.1, where a client that is gone cannot be told from one that is silent. It may take a quarter
    /// longer over HTTP. A call lasts until all of its answer was sent.
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.config.idle_timeout = Some(timeout.min(FAR_AHEAD));
        self
    }

    /// Ends each connection in good order once it is so old, give or take a tenth, so that not all of
    /// them end together; never by default. Its client is told, makes new calls on another connection,
    /// and may find another server there: without this, servers that are added behind a balancer of
    /// connections get nothing to do. Calls that are open have `grace` to finish before they are dropped
    /// with the connection; one that was on its way meanwhile was not started, and
    /// [`Retry`](crate::layer::Retry) makes it again, whatever its method does.
    pub fn max_connection_age(mut self, age: Duration, grace: Duration) -> Self {
        self.age = Some(Age { age, grace });
        self
    }

    /// Bounds the time in which a client must introduce itself; 10 seconds by default. The handshake
    /// of TLS comes before that and has as long for itself.
    pub fn handshake_timeout(mut self, timeout: Duration) -> Self {
        self.config.handshake_timeout = timeout.min(FAR_AHEAD);
        self
    }

    /// Bounds the time that one frame may take from its first byte to its last, or the head of a request
    /// over HTTP/1.1; 60 seconds by default.
    pub fn frame_timeout(mut self, timeout: Duration) -> Self {
        self.config.frame_timeout = timeout.min(FAR_AHEAD);
        self
    }

    /// Sets how long a thread stays awake for the next messages of a connection on which several came
    /// at once; 50 microseconds by default, at most a millisecond, and with [`Duration::ZERO`] never.
    ///
    /// To let the thread sleep and wake it again takes about as long, on both sides: where many calls share a
    /// connection they get through faster, with less processor time for each. A connection on
    /// which the wait is in vain tries it less and less often, down to once in 1,024 times; one that has a call
    /// at a time never does. Only the native wire does this.
    pub fn busy_poll(mut self, limit: Duration) -> Self {
        self.config.busy_poll = limit.min(LONGEST_BUSY_POLL);
        self
    }

    /// Sets how long the future of a cancelled handler goes on before it is dropped; 100
    /// milliseconds by default.
    pub fn cancel_grace(mut self, grace: Duration) -> Self {
        self.config.cancel_grace = grace.min(FAR_AHEAD);
        self
    }

    /// Bounds the time that open calls have to finish at a shutdown; 10 seconds by default.
    pub fn shutdown_timeout(mut self, timeout: Duration) -> Self {
        self.shutdown_timeout = timeout.min(FAR_AHEAD);
        self
    }

    /// Sets how long the server serves on after [`shutdown`](super::ShutdownHandle::shutdown) while
    /// health checks say that it is not ready; by default not at all.
    ///
    /// For load balancers and orchestrators, which need a moment to hear of it and send no more: as
    /// long as they take between two looks, and a little more. New connections and calls are accepted
    /// meanwhile. Clients that watch the health are told at once.
    pub fn drain_delay(mut self, delay: Duration) -> Self {
        self.drain_delay = delay.min(FAR_AHEAD);
        self
    }
}
