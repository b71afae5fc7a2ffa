//! A call before its answer: what was set on its builder, and how it begins.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use http::HeaderValue;
use tokio::time::{Instant, Sleep, sleep_until};

use super::channel::Channel;
use super::resume::Resumption;
use crate::call::{
    Body, BoxError, Context, Method, MethodHandle, Peer, Request, Response, append_metadata,
    check_encoding, deadline_after, deadline_in,
};
use crate::codec::{Codec, Encoding};
use crate::layer::Retry;
use crate::service::{BoxFuture, BoxService, Service};
use crate::status::{Phase, Status};

/// How long a call may take, and a stream may wait to be accepted, where nobody says otherwise.
pub(crate) const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

/// A call that has not begun.
pub(super) struct OutgoingCall {
    channel: Channel,
    request: Request,
    default_encoding: Encoding,
    check_encoding: fn(Encoding) -> Result<(), Status>,
    timeout: Option<Duration>,
    /// The call's own policy, which counts instead of the channel's.
    retry: Option<Box<Retry>>,
    /// The call that is being served where this one is made; it hands its deadline down.
    parent: Option<Context>,
    /// The first mistake made on the builder.
    mistake: Option<Status>,
}

impl OutgoingCall {
    pub(super) fn new<C: Codec>(channel: Channel, method: impl Into<Method>) -> Box<Self> {
        Box::new(Self {
            channel,
            request: Request::new(method, Body::empty()),
            default_encoding: C::DEFAULT,
            check_encoding: check_encoding::<C>,
            timeout: None,
            retry: None,
            parent: Context::current(),
            mistake: None,
        })
    }

    pub(super) fn request_mut(&mut self) -> &mut Request {
        &mut self.request
    }

    pub(super) fn method(&self) -> &Method {
        self.request.method()
    }

    /// Returns what stays known of the call when it has begun.
    pub(super) fn origin(&self) -> Origin {
        Origin {
            method: self.method().clone(),
            forwards: self.channel.forwards(),
        }
    }

    pub(super) fn set_timeout(&mut self, timeout: Duration) {
        self.timeout = Some(timeout);
    }

    pub(super) fn set_retry(&mut self, retry: Retry) {
        self.retry = Some(Box::new(retry));
    }

    pub(super) fn set_encoding(&mut self, encoding: Encoding) {
        self.request.set_encoding(encoding);
    }

    #[cfg(feature = "http")]
    pub(super) fn set_compressed(&mut self, is_compressed: bool) {
        let extensions = self.request.extensions_mut();
        extensions.insert(crate::call::Compressed(is_compressed));
    }

    pub(super) fn add_metadata(&mut self, name: &str, value: Result<HeaderValue, BoxError>) {
        let added = append_metadata(self.request.metadata_mut(), name, value);
        if let Err(status) = added {
            let status = status.in_phase(Phase::Send);
            self.mistake.get_or_insert(status);
        }
    }

    /// Begins a call that is answered by one message. It always has a deadline.
    pub(super) fn begin(mut self: Box<Self>) -> Result<Running, Status> {
        self.prepare(false)?;
        Ok(self.run())
    }

    /// Begins a call that is answered by a stream: with a deadline if one was asked for, and else a
    /// bound on its acceptance. Returns also how to go on with it when its connection is lost, where its
    /// method says that this can be done.
    pub(super) fn begin_stream(
        mut self: Box<Self>,
    ) -> Result<(Running, Option<Box<Resumption>>), Status> {
        self.prepare(true)?;
        let descriptor = self.method().descriptor();
        let may_resume =
            descriptor.is_some_and(|it| it.is_resumable()) && self.channel.reconnects();
        let resumption =
            may_resume.then(|| Resumption::new(self.channel.service(), &mut self.request));
        Ok((self.run(), resumption))
    }

    fn prepare(&mut self, streams: bool) -> Result<(), Status> {
        if let Some(status) = self.mistake.take() {
            return Err(status);
        }
        let encoding = self.request.encoding().or(self.channel.encoding());
        let encoding = encoding.unwrap_or(self.default_encoding);
        (self.check_encoding)(encoding).map_err(|status| status.in_phase(Phase::Send))?;
        self.request.set_encoding(encoding);
        self.set_deadline(streams)
    }

    fn run(self: Box<Self>) -> Running {
        let Self {
            channel,
            request,
            retry,
            ..
        } = *self;
        match retry {
            None => Running::new(channel.service(), request),
            Some(retry) => Running::new(&channel.service().clone().layer(*retry), request),
        }
    }

    fn set_deadline(&mut self, streams: bool) -> Result<(), Status> {
        let declared = self
            .request
            .method()
            .descriptor()
            .and_then(|it| it.default_timeout());
        let asked = self.timeout.or(declared);
        let default = self.channel.timeout().unwrap_or(DEFAULT_TIMEOUT);
        let own = if streams {
            self.request
                .set_acceptance_deadline(Some(deadline_in(default)));
            asked
        } else {
            Some(asked.unwrap_or(default))
        };
        let inherited = self.parent.as_ref().and_then(Context::deadline_instant);
        let now = Instant::now();
        let own = own.map(|it| deadline_after(now, it));
        let deadline = match (own, inherited) {
            (Some(own), Some(inherited)) => Some(own.min(inherited)),
            (own, inherited) => own.or(inherited),
        };
        self.request.set_deadline(deadline);
        if self.parent.as_ref().is_some_and(Context::is_cancelled) {
            let status = Status::cancelled("the call that this one belongs to was cancelled");
            return Err(status.in_phase(Phase::Send));
        }
        if deadline.is_some_and(|it| it <= now) {
            let status = Status::deadline_exceeded("the deadline passed before the call began");
            return Err(status.in_phase(Phase::Send));
        }
        Ok(())
    }
}

/// A call on its way to a response. Dropping it cancels the call.
pub(super) struct Running {
    future: BoxFuture<'static, Result<Response, Status>>,
    watch: Watch,
}

impl Running {
    pub(super) fn new(service: &BoxService, request: Request) -> Self {
        let watch = if service.keeps_deadlines() {
            Watch::default()
        } else {
            Watch {
                acceptance: request.acceptance_deadline().map(timer),
                end: request.deadline_instant().map(timer),
            }
        };
        Self {
            future: service.start(request),
            watch,
        }
    }

    pub(super) fn poll_response(
        &mut self,
        cx: &mut TaskContext<'_>,
    ) -> Poll<Result<(Response, Watch), Status>> {
        if let Poll::Ready(result) = self.future.as_mut().poll(cx) {
            self.watch.acceptance = None;
            let watch = std::mem::take(&mut self.watch);
            return Poll::Ready(result.map(|response| (response, watch)));
        }
        self.watch.poll_expired(cx).map(Err)
    }
}

/// The timers of a call whose service keeps no deadlines itself.
#[derive(Default)]
pub(super) struct Watch {
    acceptance: Option<Pin<Box<Sleep>>>,
    end: Option<Pin<Box<Sleep>>>,
}

fn timer(deadline: Instant) -> Pin<Box<Sleep>> {
    Box::pin(sleep_until(deadline))
}

impl Watch {
    /// Says so when the deadline has passed, by the clock: a stream that always has an item at hand lets
    /// no timer run out.
    pub(super) fn passed(&self) -> Option<Status> {
        let end = self.end.as_ref()?;
        (end.deadline() <= Instant::now()).then(ended_late)
    }

    /// Ready when a timer has run out.
    pub(super) fn poll_expired(&mut self, cx: &mut TaskContext<'_>) -> Poll<Status> {
        if let Some(timer) = &mut self.end
            && timer.as_mut().poll(cx).is_ready()
        {
            return Poll::Ready(ended_late());
        }
        if let Some(timer) = &mut self.acceptance
            && timer.as_mut().poll(cx).is_ready()
        {
            return Poll::Ready(expired("the stream was not accepted in time"));
        }
        Poll::Pending
    }
}

fn ended_late() -> Status {
    expired("the deadline passed before the call ended")
}

fn expired(message: &'static str) -> Status {
    Status::deadline_exceeded(message).in_phase(Phase::Reply)
}

/// Which method was called, and whether a handler may pass on how the call failed.
#[derive(Clone)]
pub(super) struct Origin {
    pub(super) method: Method,
    forwards: bool,
}

impl Origin {
    /// Adds to a status where it came from.
    pub(super) fn name(&self, status: Status) -> Status {
        let status = name_method(status, &self.method);
        if self.forwards {
            status.forward()
        } else {
            status
        }
    }
}

/// Adds to a status who answered.
pub(super) fn name_peer(status: Status, peer: Option<&Arc<dyn Peer>>) -> Status {
    match peer {
        Some(peer) => status.at_peer(peer.name()),
        None => status,
    }
}

/// Adds to a status which method was called; a path that is static costs nothing.
fn name_method(status: Status, method: &Method) -> Status {
    match method.handle().map(MethodHandle::descriptor) {
        Some(descriptor) => status.in_method(descriptor.path()),
        None => status.in_method(method.path().to_owned()),
    }
}
