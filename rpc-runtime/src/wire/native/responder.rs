//! The peer's calls: from a REQUEST frame to the frames of the answer.
//!
//! A handler is polled once in place, by the task that reads the connection. One that is ready at
//! once costs no task and its answer leaves with the others of the same read. What is left waits
//! in a task of its own.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, Waker};

use bytes::{Bytes, BytesMut};
use tokio::time::Instant;

use super::admit::{Load, admit};
use super::answer::answer;
use super::assembly::Payload;
use super::calls::{Held, PeersCall, Sending};
use super::connection::Shared;
use super::field::{CallFields, FieldError, FieldLimits};
use super::frame::{Flags, Frame};
use super::inbox::{Bounds, Fragment, Inbox, compact, too_large};
use super::inbox_body::InboxBody;
use super::numbered::{Found, Numbered};
use super::reply::{Reply, error_frame, started};
use crate::call::{
    Body, Cancellation, Message, Method, MethodTable, Request, Schema, ServiceDescriptor, Turn,
    deadline_after,
};
use crate::codec::Encoding;
use crate::status::{Code, Status};
use crate::wire::catch_panic::{CatchPanic, panicked};
use crate::wire::config::{RunningCall, Served};
use crate::wire::pace::InPlace;

/// About what an entry of metadata takes in a map.
const ENTRY: usize = 128;

/// What the connection's driver keeps for serving.
pub(super) struct Responder {
    shared: Arc<Shared>,
    methods: Numbered,
    /// Frames of calls that ended in place, which are queued together.
    pub(super) frames: BytesMut,
    turns: InPlace,
    /// What the state held when it was last looked at in this read.
    load: Option<Load>,
    /// A signal that was neither given nor kept, for the next call.
    spare: Option<Cancellation>,
}

/// A REQUEST that is in order and may be run.
struct Accepted {
    running: RunningCall,
    held: Option<Held>,
    request: Request,
    reply: Reply,
    /// The method's place among those with a number.
    numbered: Option<usize>,
    upload: Option<Arc<Inbox>>,
    deadline: Option<Instant>,
    cancellation: Cancellation,
}

impl Responder {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            methods: Numbered::default(),
            frames: BytesMut::new(),
            turns: InPlace::default(),
            load: None,
            spare: None,
        }
    }

    /// Returns what the state holds, for which it is looked at once in a read: the lock is the one
    /// that all users of the connection meet at.
    pub(super) fn load(&mut self) -> Load {
        let shared = &self.shared;
        *self
            .load
            .get_or_insert_with(|| Load::of(&shared.state(), &shared.config.limits))
    }

    /// Looks at the state anew for the next REQUEST.
    pub(super) fn look_again(&mut self) {
        self.load = None;
    }

    /// Sends the answers of calls that ended in place so far, ahead of the rest of the read.
    pub(super) fn answer_early(&mut self) {
        self.push_frames();
        self.shared.write_alone();
        self.turns.interrupted();
    }

    /// Queues what ended in place since the last read.
    pub(super) fn end_batch(&mut self) {
        self.turns = InPlace::default();
        self.load = None;
        self.push_frames();
    }

    /// Queues what ended in place so far.
    fn push_frames(&mut self) {
        if !self.frames.is_empty() {
            self.shared.state().outgoing.push_frames(&self.frames);
            self.frames.clear();
        }
    }

    /// Serves one REQUEST. What is wrong with it is told to the peer and harms no other call.
    pub(super) fn request(&mut self, frame: Frame, load: Load) {
        let call = frame.call;
        let shared = Arc::clone(&self.shared);
        let Some(served) = &shared.served else {
            let status = Status::unimplemented("this side of the connection serves nothing");
            return self.refuse(call, status);
        };
        match self.accept(frame, served, load) {
            Ok(accepted) => self.run(accepted, served, load),
            Err(status) => self.refuse(call, status),
        }
    }

    fn refuse(&mut self, call: u64, status: Status) {
        let (shared, frames) = (&self.shared, &mut self.frames);
        let reply = Reply::plain(call, Encoding::MESSAGE_PACK);
        error_frame(shared, frames, reply, status, Flags::NOT_STARTED);
    }

    fn fail(&mut self, reply: Reply, status: Status) {
        let (shared, frames) = (&self.shared, &mut self.frames);
        error_frame(shared, frames, reply, status, Flags::NONE);
    }

    fn accept(&mut self, frame: Frame, served: &Served, load: Load) -> Result<Accepted, Status> {
        let call = frame.call;
        let running = admit(&self.shared, served, load)?;
        check_flags(frame.flags)?;
        let length = frame.payload.len();
        let limits = FieldLimits {
            max_bytes: self.shared.config.limits.max_metadata,
            ..FieldLimits::default()
        };
        let mut fields = CallFields::default();
        let message = fields.read_payload(frame.payload, &limits);
        let message = message.map_err(malformed)?;
        let Found {
            method,
            numbered,
            number,
        } = self.methods.find(&fields, &*served.methods)?;
        let schema = fields.schema.take();
        let service = schema.and_then(|it| self.meet(&method, *it, &*served.methods));
        let mut weight = length + fields.metadata.len() * ENTRY;
        if !frame.flags.contains(Flags::END) {
            weight -= message.len();
        }
        let held = Held::try_new(&self.shared, weight).map_err(Status::from)?;
        let encoding = encoding(&fields)?;
        let cancellation = self.spare.take().unwrap_or_default();
        let deadline = fields
            .timeout
            .map(|it| deadline_after(self.turns.now(), it));
        let (body, upload) = self.body(call, frame.flags, message, encoding)?;
        let mut request = Request::new(method, body);
        request.set_metadata(fields.metadata);
        request.set_encoding(encoding);
        request.set_deadline(deadline);
        request.set_cancellation(cancellation.clone());
        request.set_connection(Arc::clone(&self.shared.info));
        if let Some(attempt) = fields.attempt {
            request.set_attempt(u32::try_from(attempt).unwrap_or(u32::MAX));
        }
        if let Some(resume) = fields.resume {
            resume.note(&mut request)?;
        }
        Ok(Accepted {
            running,
            held,
            request,
            reply: Reply {
                call,
                encoding,
                number,
                service,
            },
            numbered,
            upload,
            deadline,
            cancellation,
        })
    }

    /// Keeps the form in which the peer knows a service that is served here, and returns the service.
    fn meet(
        &self,
        method: &Method,
        schema: Schema,
        methods: &dyn MethodTable,
    ) -> Option<&'static ServiceDescriptor> {
        let service = methods.service(method.service())?;
        self.shared.info.set_peer_schema(service.name(), schema);
        Some(service)
    }

    /// Makes the request's body: whole if the message is, else from an inbox.
    fn body(
        &self,
        call: u64,
        flags: Flags,
        message: Bytes,
        encoding: Encoding,
    ) -> Result<(Body, Option<Arc<Inbox>>), Status> {
        let limits = &self.shared.config.limits;
        let has_message = flags.contains(Flags::BODY);
        if message.len() > limits.max_message {
            let role = self.shared.role;
            return Err(too_large(message.len(), limits.max_message, role));
        }
        if flags.contains(Flags::END) {
            let body = if has_message {
                Body::message(Message::with_limits(
                    message,
                    encoding,
                    limits.decode_limits(),
                ))
            } else {
                Body::empty()
            };
            return Ok((body, None));
        }
        let inbox = Arc::new(Inbox::new(limits.stream_window));
        let body =
            InboxBody::of_peers(Arc::clone(&self.shared), Arc::clone(&inbox), encoding, call);
        let body = Body::frames(body);
        if !has_message {
            return Ok((body, Some(inbox)));
        }
        let fragment = Fragment {
            // Arguments beside a stream may wait with it.
            payload: Payload::Shared(compact(message)),
            more: flags.contains(Flags::MORE),
            counted: false,
        };
        inbox.push(fragment, &bounds(&self.shared))?;
        Ok((body.with_head(), Some(inbox)))
    }

    fn run(&mut self, accepted: Accepted, served: &Served, load: Load) {
        let Accepted {
            running,
            held,
            request,
            reply,
            numbered,
            upload,
            deadline,
            cancellation,
        } = accepted;
        let mut future = match catch_unwind(AssertUnwindSafe(|| served.service.start(request))) {
            Ok(future) => CatchPanic(future),
            Err(_) => {
                upload.as_deref().into_iter().for_each(Inbox::answered);
                return self.fail(reply, panicked("the service"));
            }
        };
        let turn = cancellation.turn();
        if self.may_run_in_place(numbered, load, turn) {
            let rest = self.run_in_place(reply, future, &cancellation);
            self.note_pace(numbered, turn);
            match rest {
                None => {
                    upload.as_deref().into_iter().for_each(Inbox::answered);
                    self.spare = cancellation.reclaim();
                    return;
                }
                Some(rest) => future = rest,
            }
        }
        let entry = PeersCall {
            cancellation,
            task: None,
            upload,
            sending: Sending::default(),
            expires: deadline,
            silenced: false,
            _running: running,
            _held: held,
        };
        self.spawn(reply.call, entry, reply, future);
    }

    /// Polls a handler once, and writes its answer if that is ready. What needs a task comes back.
    fn run_in_place(
        &mut self,
        reply: Reply,
        mut future: CatchPanic,
        cancellation: &Cancellation,
    ) -> Option<CatchPanic> {
        let start = self.frames.len();
        // Destructors of the handler, of its result and of layers run in here as well.
        let polled = catch_unwind(AssertUnwindSafe(|| {
            let mut cx = TaskContext::from_waker(Waker::noop());
            match Pin::new(&mut future).poll(&mut cx) {
                Poll::Pending => Some(future),
                Poll::Ready(result) => {
                    drop(future);
                    let result = result.map_err(|it| started(it, cancellation));
                    let streams = reply.write(&self.shared, &mut self.frames, result)?;
                    Some(CatchPanic(Box::pin(std::future::ready(Ok(streams)))))
                }
            }
        }));
        if self.frames.len() == start {
            // The answer was queued by itself, or is still to come.
            self.look_again();
        }
        polled.unwrap_or_else(|_| {
            self.frames.truncate(start);
            self.fail(reply, panicked("the service"));
            None
        })
    }

    fn may_run_in_place(&mut self, numbered: Option<usize>, load: Load, turn: Turn) -> bool {
        let waiting = self.frames.len() + load.small;
        let has_room = load.room && waiting <= self.shared.config.limits.max_outgoing;
        match turn {
            Turn::Open => self.methods.pace(numbered).is_quick() && has_room && self.turns.begin(),
            Turn::Waits => false,
            // Its answer is there, and must not wait behind handlers for a thread.
            Turn::Refused => has_room,
        }
    }

    /// Notes how long a handler took in place; where none ran, that says nothing of the method.
    fn note_pace(&mut self, numbered: Option<usize>, turn: Turn) {
        if turn == Turn::Open {
            let taken = self.turns.end();
            self.methods.pace(numbered).took(taken);
        } else {
            self.turns.interrupted();
        }
    }

    fn spawn(&mut self, call: u64, mut entry: PeersCall, reply: Reply, future: CatchPanic) {
        self.look_again();
        self.turns.interrupted();
        let mut state = self.shared.state();
        entry.sending = Sending::new(self.shared.peer_settings.get());
        // The task ends by looking for its entry, for which it needs the lock that is held here.
        let task = tokio::spawn(answer(Arc::clone(&self.shared), reply, future));
        entry.task = Some(task.abort_handle());
        let message = entry.upload.as_ref().and_then(|it| it.message_expires());
        // This is the driver, which looks at the next sweep before it sleeps.
        state.sweep_by(entry.expires);
        state.sweep_by(message);
        state.peers_calls.insert(call, entry);
    }
}

fn check_flags(flags: Flags) -> Result<(), Status> {
    let more = flags.contains(Flags::MORE);
    if more && (flags.contains(Flags::END) || !flags.contains(Flags::BODY)) {
        return Err(Status::invalid_argument(
            "a REQUEST with MORE needs BODY and cannot have END",
        ));
    }
    Ok(())
}

/// What a malformed block of fields means for its call.
fn malformed(error: FieldError) -> Status {
    let code = if error.is_unknown() {
        Code::Unimplemented
    } else if error.is_limit() {
        Code::ResourceExhausted
    } else {
        Code::InvalidArgument
    };
    Status::new(code, error.to_string())
}

fn encoding(fields: &CallFields) -> Result<Encoding, Status> {
    let found = match (fields.encoding, &fields.encoding_name) {
        (None, None) => return Ok(Encoding::MESSAGE_PACK),
        (Some(number), None) => {
            let encoding = u8::try_from(number).ok().and_then(Encoding::from_number);
            encoding.ok_or_else(|| format!("number {number}"))
        }
        (None, Some(name)) => {
            Encoding::from_name(name.as_str()).ok_or_else(|| format!("`{}`", name.as_str()))
        }
        (Some(_), Some(_)) => {
            return Err(Status::invalid_argument(
                "a REQUEST has at most one of ENCODING and ENCODING_NAME",
            ));
        }
    };
    found.map_err(|asked| {
        use crate::codec::{Codec, Serde};
        Status::unimplemented(format!(
            "the encoding {asked} is not known here, there are: {}",
            Serde::supported()
        ))
    })
}

pub(super) fn bounds(shared: &Shared) -> Bounds<'_> {
    Bounds {
        role: shared.role,
        max_message: shared.config.limits.max_message,
        message_timeout: shared.config.limits.message_timeout,
        budget: &shared.budget,
    }
}
