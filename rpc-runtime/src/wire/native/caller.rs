//! Our calls on a connection.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::{BufMut, Bytes, BytesMut};
use tokio::task::AbortHandle;

use super::calls::{OurCall, Sending};
use super::catch_panic::catch_panic;
use super::connection::{Shared, State};
use super::field::{FieldType, put_field, put_metadata, put_timeout, put_varint, put_varint_field};
use super::frame::{Flags, FrameType};
use super::inbox::Inbox;
use super::inbox_body::InboxBody;
use super::outgoing::{Body as OutBody, Parts};
use super::reader::Reader;
use super::sender::{Sender, Side, Stopped, check_length, encode_behind, with_scratch};
use super::turn::{take_place, wait_for_turn};
use crate::call::{Body, BodyFrame, Message, Method, Request, Response};
use crate::codec::Encoding;
use crate::service::Service;
use crate::status::{Code, Phase, Status};
use crate::wire::cork;

/// The longest path of a method.
const MAX_PATH: usize = 512;

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

    /// Returns whether new calls can begin here.
    pub(crate) fn is_open(&self) -> bool {
        self.shared.refusal(&self.shared.state()).is_none()
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
    async fn call(&self, request: Request) -> Result<Response, Status> {
        let shared = &self.shared;
        let result = call(shared, request).await;
        result.map_err(|status| status.at_peer(&shared.peer))
    }

    fn keeps_deadlines(&self) -> bool {
        true
    }
}

async fn call(shared: &Arc<Shared>, mut request: Request) -> Result<Response, Status> {
    let mut body = request.take_body();
    let mut place = match take_place(shared) {
        Some(place) => place,
        None => wait_for_turn(shared, &request).await?,
    };
    let head = match body.take_single() {
        Some(message) => Some(message),
        None if body.has_head() => first_message(&mut body).await?,
        None => None,
    };
    let streams = body.is_stream();
    let encoding = request.encoding().unwrap_or(Encoding::MESSAGE_PACK);
    let mut opened = open(shared, &request, head, streams)?;
    place.0 = None;
    shared.flush_or_wake();
    if streams {
        opened.start_upload(encoding, body);
    }
    let inbox = Arc::clone(&opened.inbox);
    let metadata = poll_fn(|cx| inbox.poll_accepted(cx)).await;
    let metadata = metadata.map_err(|status| status.in_phase(Phase::Reply))?;
    let mut response = if let Some((bytes, trailers)) = inbox.take_whole(&shared.budget) {
        let limits = shared.config.limits.decode_limits();
        let message = Message::with_limits(bytes, encoding, limits);
        let mut response = Response::new(Body::message(message));
        *response.trailers_mut() = trailers;
        response
    } else {
        Response::new(Body::frames(InboxBody {
            shared: Arc::clone(shared),
            inbox,
            encoding,
            call: opened.call,
            ended: false,
            reader: Reader::default(),
            _open: Some(opened),
        }))
    };
    *response.metadata_mut() = metadata;
    response.set_peer(&shared.peer);
    Ok(response)
}

async fn first_message(body: &mut Body) -> Result<Option<Message>, Status> {
    match body.frame().await.transpose()? {
        Some(BodyFrame::Message(message)) => Ok(Some(message)),
        _ => Ok(None),
    }
}

/// Writes the request and enters the call.
fn open(
    shared: &Arc<Shared>,
    request: &Request,
    head: Option<Message>,
    streams: bool,
) -> Result<OpenCall, Status> {
    let encoding = request.encoding().unwrap_or(Encoding::MESSAGE_PACK);
    let opened = with_scratch(|scratch| {
        put_request_fields(scratch, request, encoding);
        let fields = scratch.len();
        check_fields(shared, request, fields)?;
        let large = match head {
            Some(mut message) => encode_behind(&mut message, encoding, scratch)?,
            None => None,
        };
        enter(shared, request, scratch, fields, large, streams)
    });
    opened.map_err(|status| status.in_phase(Phase::Send))
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
}

fn check_fields(shared: &Shared, request: &Request, length: usize) -> Result<(), Status> {
    let limit = shared.config.limits.max_metadata;
    if length > limit.saturating_sub(MAX_PATH) {
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
    scratch: &[u8],
    fields: usize,
    large: Option<Bytes>,
    streams: bool,
) -> Result<OpenCall, Status> {
    let (fields, small) = scratch.split_at_checked(fields).unwrap_or((scratch, &[]));
    let length = large.as_ref().map_or(small.len(), Bytes::len);
    let deadline = request.deadline_instant();
    let expires = request.first_deadline();
    cork::join_batch(shared);
    let inbox = Arc::new(Inbox::new(shared.config.limits.stream_window));
    let mut state = shared.state();
    if let Some(reason) = shared.refusal(&state) {
        return Err(reason);
    }
    check_length(shared, &state, length)?;
    let call = state.next_call;
    state.next_call += 2;
    let method = method_key(request.method());
    let head = request_head(&state, request.method(), method, fields);
    let flags = if streams {
        Flags::BODY
    } else {
        Flags::BODY | Flags::END
    };
    state.outgoing.push(Parts {
        frame_type: FrameType::REQUEST,
        flags,
        call,
        head: &head,
        body: large.map_or(OutBody::Slice(small), OutBody::Shared),
    });
    let sending = Sending::new(state.peer_settings.as_ref());
    state.calls.insert(
        call,
        OurCall {
            inbox: Arc::clone(&inbox),
            sending,
            upload: None,
            expires,
            deadline,
            encoding: request.encoding().unwrap_or(Encoding::MESSAGE_PACK),
            method,
        },
    );
    let driver = if state.sweep_by(expires) {
        state.driver.take()
    } else {
        None
    };
    drop(state);
    if let Some(driver) = driver {
        driver.wake();
    }
    Ok(OpenCall {
        shared: Arc::clone(shared),
        inbox,
        call,
    })
}

/// What names a described method of ours: the address of its service, and its place in it.
fn method_key(method: &Method) -> Option<(usize, usize)> {
    let handle = method.handle()?;
    Some((std::ptr::from_ref(handle.service()).addr(), handle.index()))
}

/// The fields of a request: the method by its number where the peer gave it one, and the rest.
fn request_head(
    state: &State,
    method: &Method,
    key: Option<(usize, usize)>,
    fields: &[u8],
) -> BytesMut {
    let mut name = BytesMut::new();
    match key.and_then(|key| state.method_numbers.get(&key)) {
        Some(number) => put_varint_field(&mut name, FieldType::METHOD_NUMBER, *number),
        None => put_field(&mut name, FieldType::METHOD, method.path().as_bytes()),
    }
    let mut head = BytesMut::with_capacity(10 + name.len() + fields.len());
    put_varint(&mut head, (name.len() + fields.len()) as u64);
    head.put_slice(&name);
    head.put_slice(fields);
    head
}

/// A call of ours on its way. Dropping it gives the call up, if it has not ended.
pub(super) struct OpenCall {
    shared: Arc<Shared>,
    inbox: Arc<Inbox>,
    call: u64,
}

impl OpenCall {
    /// Starts the task that sends the stream; it ends with the call.
    fn start_upload(&mut self, encoding: Encoding, mut body: Body) {
        let sender = Sender {
            shared: Arc::clone(&self.shared),
            call: self.call,
            side: Side::Ours,
            encoding,
        };
        let task = tokio::spawn(async move {
            let sent = catch_panic("the stream of the call", sender.send_all(&mut body)).await;
            match sent.unwrap_or_else(|status| Err(Stopped::Failed(status))) {
                Ok(_) => {
                    sender.end(&http::HeaderMap::new());
                    sender.shared.wake_driver();
                }
                Err(Stopped::Over) => {}
                Err(Stopped::Failed(status)) => fail_upload(&sender, status),
            }
        });
        self.keep_upload(task.abort_handle());
    }

    fn keep_upload(&self, upload: AbortHandle) {
        let mut state = self.shared.state();
        match state.calls.get_mut(&self.call) {
            Some(call) => call.upload = Some(upload),
            None => upload.abort(),
        }
    }
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
        self.shared.cancel(self.call, Code::Cancelled);
        // Also of a call that has ended, whose answer nobody has taken.
        self.inbox.abandon(&self.shared.budget);
    }
}
