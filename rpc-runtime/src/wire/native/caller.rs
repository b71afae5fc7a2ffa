//! Our calls on a connection.

use std::future::{Future, ready};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context as TaskContext, Poll, Waker, ready as ready_or_pending};

use bytes::BytesMut;
use tokio::task::AbortHandle;

use super::call_fields::put_timeout;
use super::calls::{OurCall, Sending};
use super::connection::Shared;
use super::field::{
    FieldType, field_start, put_field, put_metadata, put_varint_field, varint, varint_field,
};
use super::frame::{Flags, FrameType};
use super::inbox::{Accepted, Inbox};
use super::inbox_body::InboxBody;
use super::outgoing::{Body as OutBody, Parts};
use super::reader::Reader;
use super::resume::put_resume;
use super::room::Wanted;
use super::schema::put_schema;
use super::sender::{Sender, Side, Stopped, check_length, encode_behind, with_scratch};
use super::turn::{Place, introduced, take_place, wait_for_turn};
use crate::call::{Body, BodyFrame, Message, MethodHandle, Request, Response, ResumeOut, Schema};
use crate::codec::Encoding;
use crate::service::{ResponseFuture, Service};
use crate::status::{Code, Phase, Status};
use crate::wire::catch_panic::catch_panic;
use crate::wire::cork;

/// The longest path of a method.
const MAX_PATH: usize = 512;

/// What a request keeps of its fields for its method and the schema of that.
const METHOD_FIELDS: usize = MAX_PATH + 64;

/// The most methods of the peer whose numbers are kept.
pub(super) const MAX_METHOD_NUMBERS: usize = 4 << 10;

/// A handle to begin calls with. The connection closes when the last one is gone and its calls
/// have ended.
pub(crate) struct Connection {
    shared: Arc<Shared>,
}

impl Connection {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        shared.handles.fetch_add(1, Ordering::AcqRel);
        Self { shared }
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Waits until the peer has introduced itself; fails with the reason if the connection is closed
    /// before that.
    pub(crate) async fn introduced(&self) -> Result<(), Status> {
        introduced(&self.shared).await
    }

    /// Returns whether new calls can begin here.
    pub(crate) fn is_open(&self) -> bool {
        !self.shared.refuses.load(Ordering::Acquire)
    }

    /// Returns the calls that are on their way.
    pub(crate) fn calls(&self) -> usize {
        self.shared.state().calls.len()
    }
}

impl Clone for Connection {
    fn clone(&self) -> Self {
        Self::new(Arc::clone(&self.shared))
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.shared.handle_dropped();
    }
}

impl Service for Connection {
    fn call(&self, request: Request) -> impl Future<Output = Result<Response, Status>> + Send {
        self.start(request)
    }

    fn call_detached(&self, request: Request) -> Result<ResponseFuture, Request> {
        Ok(self.start(request))
    }

    fn keeps_deadlines(&self) -> bool {
        true
    }
}

impl Connection {
    /// Begins a call: at once, if its request is one message and there is a place and room for it.
    pub(crate) fn start(&self, mut request: Request) -> ResponseFuture {
        let shared = &self.shared;
        if let Some(mut message) = request.body_mut().take_single() {
            if let Some(place) = take_place(shared) {
                match open(shared, &request, Some(&mut message), false, place) {
                    Ok(opened) => return Box::pin(Responding(Some(opened))),
                    Err(Refused::Failed(status)) => {
                        let status = status.in_phase(Phase::Send).at_peer(&shared.peer);
                        return Box::pin(ready(Err(status)));
                    }
                    Err(Refused::NoRoom(_)) => {}
                }
            }
            request.set_body(Body::message(message));
        }
        let shared = Arc::clone(shared);
        Box::pin(async move {
            let result = wait_and_call(&shared, request).await;
            result.map_err(|status| status.at_peer(&shared.peer))
        })
    }
}

async fn wait_and_call(shared: &Arc<Shared>, mut request: Request) -> Result<Response, Status> {
    let mut body = request.take_body();
    let mut head = body.take_single();
    let streams = body.is_stream();
    let mut place = wait_for_turn(shared, &request, Wanted::Any).await?;
    if head.is_none() && body.has_head() {
        head = first_message(&mut body).await?;
    }
    let opened = loop {
        match open(shared, &request, head.as_mut(), streams, place) {
            Ok(opened) => break opened,
            Err(Refused::Failed(status)) => return Err(status.in_phase(Phase::Send)),
            // Others were faster.
            Err(Refused::NoRoom(wanted)) => place = wait_for_turn(shared, &request, wanted).await?,
        }
    };
    if streams {
        opened.start_upload(shared, body);
    }
    Responding(Some(opened)).await
}

async fn first_message(body: &mut Body) -> Result<Option<Message>, Status> {
    match body.frame().await.transpose()? {
        Some(BodyFrame::Message(message)) => Ok(Some(message)),
        _ => Ok(None),
    }
}

/// Why a call did not begin.
enum Refused {
    Failed(Status),
    /// The connection has more to write than it takes; the call may wait for that.
    NoRoom(Wanted),
}

impl From<Status> for Refused {
    fn from(status: Status) -> Self {
        Self::Failed(status)
    }
}

/// Writes the request and enters the call.
fn open(
    shared: &Arc<Shared>,
    request: &Request,
    head: Option<&mut Message>,
    streams: bool,
    place: Place<'_>,
) -> Result<OpenCall, Refused> {
    let encoding = request.encoding().unwrap_or(Encoding::MESSAGE_PACK);
    with_scratch(|scratch| {
        put_request_fields(scratch, request, encoding);
        let fields = scratch.len();
        check_fields(shared, request, fields)?;
        let large = match head {
            Some(message) => encode_behind(message, encoding, scratch)?,
            None => None,
        };
        let (fields, small) = scratch.split_at_checked(fields).unwrap_or((scratch, &[]));
        let body = large.map_or(OutBody::Slice(small), OutBody::Shared);
        enter(shared, request, fields, body, streams, place)
    })
}

/// Writes all fields but the method, which is known only under the lock.
fn put_request_fields(out: &mut BytesMut, request: &Request, encoding: Encoding) {
    if let Some(remaining) = request.remaining() {
        put_timeout(out, remaining);
    }
    match encoding.number() {
        Some(number) => put_varint_field(out, FieldType::ENCODING, number.into()),
        None => put_field(out, FieldType::ENCODING_NAME, encoding.name().as_bytes()),
    }
    put_metadata(out, request.metadata());
    let attempt = request.attempt();
    if attempt > 1 {
        put_varint_field(out, FieldType::ATTEMPT, attempt.into());
    }
    if let Some(ResumeOut(resume)) = request.extensions().get() {
        put_resume(out, resume);
    }
}

fn check_fields(shared: &Shared, request: &Request, length: usize) -> Result<(), Status> {
    let limit = shared.config.limits.max_metadata;
    if length > limit.saturating_sub(METHOD_FIELDS) {
        return Err(Status::resource_exhausted(format!(
            "{length} bytes of metadata are over the limit `max_metadata` of {limit} bytes"
        )));
    }
    let path = request.method().path().len();
    if path > MAX_PATH {
        return Err(Status::invalid_argument(format!(
            "a method's path of {path} bytes is longer than {} bytes",
            MAX_PATH
        )));
    }
    Ok(())
}

/// Appends the request under the lock, where its number and its method's number are known.
fn enter(
    shared: &Arc<Shared>,
    request: &Request,
    fields: &[u8],
    body: OutBody<'_>,
    streams: bool,
    place: Place<'_>,
) -> Result<OpenCall, Refused> {
    let deadline = request.deadline_instant();
    let expires = request.first_deadline();
    let encoding = request.encoding().unwrap_or(Encoding::MESSAGE_PACK);
    let method = request.method().handle();
    cork::join_batch(shared);
    let inbox = Arc::new(Inbox::new(shared.config.limits.stream_window));
    let mut state = shared.state();
    if let Some(reason) = shared.refusal(&state) {
        return Err(reason.into());
    }
    let wanted = body.wants();
    if !wanted.fits(&state.outgoing, &shared.config.limits) {
        return Err(Refused::NoRoom(wanted));
    }
    check_length(shared, body.len())?;
    let call = state.next_call;
    state.next_call += 2;
    let flags = if streams {
        Flags::BODY
    } else {
        Flags::BODY | Flags::END
    };
    let number = method.and_then(|it| state.method_numbers.get(&method_key(it)));
    let mut schema = BytesMut::new();
    let (name, path) = match number {
        Some(number) => (varint_field(FieldType::METHOD_NUMBER, *number), ""),
        None => {
            let path = request.method().path();
            if let Some(method) = method {
                put_schema(&mut schema, &Schema::of(method.service()));
            }
            (field_start(FieldType::METHOD, path.len()), path)
        }
    };
    let block = varint((name.len() + path.len() + schema.len() + fields.len()) as u64);
    state.outgoing.push(Parts {
        frame_type: FrameType::REQUEST,
        flags,
        call,
        head: &[&block, &name, path.as_bytes(), &schema, fields],
        body,
    });
    let sending = Sending::new(shared.peer_settings.get());
    state.calls.insert(
        call,
        OurCall {
            inbox: Arc::clone(&inbox),
            accepted: false,
            sending,
            upload: None,
            expires,
            deadline,
            encoding,
            method,
        },
    );
    place.keep();
    // Before the flush, which may take the driver's waker for itself.
    let sweeper = if state.sweep_by(expires) {
        state.driver.take()
    } else {
        None
    };
    let flush = state.flush(shared);
    drop(state);
    sweeper.into_iter().for_each(Waker::wake);
    shared.finish_flush(flush);
    Ok(OpenCall {
        shared: Some(Arc::clone(shared)),
        inbox,
        encoding,
        call,
    })
}

/// What names a described method of ours: the address of its service, and its place in it.
pub(super) fn method_key(method: MethodHandle) -> (usize, usize) {
    (std::ptr::from_ref(method.service()).addr(), method.index())
}

/// A call of ours on its way. Dropping it gives the call up, if it has not ended.
pub(super) struct OpenCall {
    /// Until the whole reply was taken, when nothing is left to give up.
    shared: Option<Arc<Shared>>,
    inbox: Arc<Inbox>,
    encoding: Encoding,
    call: u64,
}

impl OpenCall {
    /// Starts the task that sends the stream; it ends with the call.
    fn start_upload(&self, shared: &Arc<Shared>, mut body: Body) {
        let mut sender = Sender {
            shared: Arc::clone(shared),
            call: self.call,
            side: Side::Ours,
            encoding: self.encoding,
            wants: Wanted::Any,
        };
        let task = tokio::spawn(async move {
            let sent = catch_panic("the stream of the call", sender.send_all(&mut body)).await;
            match sent.unwrap_or_else(|status| Err(Stopped::Failed(status))) {
                Ok(_) => {
                    sender.end(&http::HeaderMap::new());
                    sender.shared.wake_driver();
                }
                Err(Stopped::Over) => {}
                Err(Stopped::Failed(status) | Stopped::Unsendable(status)) => {
                    fail_upload(&sender, status);
                }
            }
        });
        self.keep_upload(shared, task.abort_handle());
    }

    fn response(mut self, accepted: Accepted) -> Result<Response, Status> {
        let shared = self.shared.take().ok_or_else(polled_again)?;
        let mut response = if let Some((bytes, trailers)) = accepted.whole {
            let limits = shared.config.limits.decode_limits();
            let message = Message::with_limits(bytes, self.encoding, limits);
            let mut response = Response::new(Body::message(message));
            response.set_trailers(trailers);
            response
        } else {
            self.shared = Some(Arc::clone(&shared));
            let granted = self.inbox.take_granted();
            let mut response = Response::new(Body::frames(InboxBody {
                shared: Arc::clone(&shared),
                inbox: Arc::clone(&self.inbox),
                encoding: self.encoding,
                call: self.call,
                ended: false,
                reader: Reader::default(),
                _open: Some(self),
            }));
            if let Some(granted) = granted {
                response.extensions_mut().insert(*granted);
            }
            response
        };
        response.set_metadata(accepted.metadata);
        response.set_peer(shared);
        Ok(response)
    }

    fn keep_upload(&self, shared: &Shared, upload: AbortHandle) {
        let mut state = shared.state();
        match state.calls.get_mut(&self.call) {
            Some(call) => call.upload = Some(upload),
            None => upload.abort(),
        }
    }
}

/// The future of a call on its way: its response, which may be all of the reply.
struct Responding(Option<OpenCall>);

impl Future for Responding {
    type Output = Result<Response, Status>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let polled = match &self.0 {
            Some(OpenCall {
                shared: Some(shared),
                inbox,
                ..
            }) => {
                let polled = inbox.poll_accepted(cx, &shared.budget);
                polled.map_err(|status| status.in_phase(Phase::Reply).at_peer(&shared.peer))
            }
            _ => Poll::Ready(Err(polled_again())),
        };
        let accepted = ready_or_pending!(polled);
        let opened = self.0.take();
        Poll::Ready(accepted.and_then(|it| opened.ok_or_else(polled_again)?.response(it)))
    }
}

fn polled_again() -> Status {
    Status::internal("a call was polled after its end")
}

/// The user's stream failed: the call fails with that status, and the peer hears of a cancel.
fn fail_upload(sender: &Sender, status: Status) {
    let shared = &sender.shared;
    let mut state = shared.state();
    let Some(mut call) = shared.remove_call(&mut state, sender.call) else {
        return;
    };
    state.push_cancel(sender.call, Code::Cancelled);
    drop(state);
    // This task is the upload; it ends by itself.
    call.upload = None;
    call.finish(Err(status.in_phase(Phase::Send)));
    shared.flush_or_wake();
}

impl Drop for OpenCall {
    fn drop(&mut self) {
        let Some(shared) = &self.shared else {
            return;
        };
        shared.cancel(self.call, Code::Cancelled);
        // Also of a call that has ended, whose answer nobody has taken.
        self.inbox.abandon(&shared.budget);
    }
}
