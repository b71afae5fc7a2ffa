//! What a peer asks for, in texts, and what it is answered.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use bytes::{BufMut, Bytes, BytesMut};
use http::HeaderMap;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::arguments::Named;
use super::batch::all;
use super::dialect::json_rpc::is_ending;
use super::dialect::{Call, Dialect, ReplyTo};
use super::envelope::{Envelope, Unreadable, is_batch, items};
use super::failure::Failure;
use super::subscriptions::{Opening, Subscriptions};
use super::text::{Text, put_value};
use crate::call::{
    Body, ConnectionInfo, Message, Method, MethodKind, MethodTable, Request, Response, deadline_in,
};
use crate::codec::Encoding;
use crate::service::BoxService;
use crate::status::{Code, Status};
use crate::wire::budget::Budget;
use crate::wire::catch_panic::panicked;
use crate::wire::config::{Config, RunningCall, RunningCalls, Served};
use crate::wire::running::{Handling, Kept, Replying, Running};

/// How many texts of streams may wait to be written, each with a few items.
const WAITING: usize = 16;

/// The room that an answer has before it grows: that of most.
const USUAL: usize = 256;

/// What came beside a text, for all its calls.
#[derive(Clone, Default)]
pub(crate) struct Beside {
    pub(crate) metadata: HeaderMap,
    /// When they must have ended, where the caller said so.
    pub(crate) deadline: Option<Instant>,
}

/// A call that the service has, or that needed none.
enum Begun<'a> {
    Answered(Message),
    Open(Open<'a>),
}

/// A call until it is answered.
struct Open<'a> {
    handling: Handling,
    /// Goes on with the stream that it opens, if it opens one: that has the id of the call, and a place too.
    place: Option<RunningCall>,
    stream: Option<StreamPlace<'a>>,
    /// What its name could have meant, where nobody serves it.
    unknown: Option<Box<Named>>,
}

impl Open<'_> {
    fn failure(&self, name: &str, status: Status) -> Failure {
        failure(self.unknown.as_deref(), name, status)
    }
}

/// Says why a call failed; `unknown` is what its name could have meant, where nobody serves it.
fn failure(unknown: Option<&Named>, name: &str, status: Status) -> Failure {
    match unknown {
        Some(named) if status.code() == Code::Unimplemented => named.not_found(name),
        _ => status.into(),
    }
}

/// What has come of a response.
enum Heard {
    Message(Message),
    Stream,
    More(Replying),
}

/// The calls of one connection.
pub(crate) struct Session {
    dialect: &'static Dialect,
    beside: Beside,
    config: Arc<Config>,
    service: BoxService,
    methods: Arc<dyn MethodTable>,
    info: Arc<ConnectionInfo>,
    budget: Arc<Budget>,
    /// The calls of this connection, and those of all together.
    open: Arc<RunningCalls>,
    running: Arc<RunningCalls>,
    is_closing: Arc<AtomicBool>,
    /// Where the peer can be told of more than answers.
    subscriptions: Option<Subscriptions>,
}

impl Session {
    /// The calls of a peer that only takes answers.
    #[cfg(any(test, feature = "http"))]
    pub(crate) fn new(
        dialect: &'static Dialect,
        config: &Arc<Config>,
        served: &Served,
        info: &Arc<ConnectionInfo>,
        budget: &Arc<Budget>,
    ) -> Arc<Self> {
        Arc::new(Self::with(dialect, config, served, info, budget, None))
    }

    /// The calls of a peer that takes the items of streams as well, which come out of the receiver.
    pub(crate) fn subscribing(
        dialect: &'static Dialect,
        config: &Arc<Config>,
        served: &Served,
        info: &Arc<ConnectionInfo>,
        budget: &Arc<Budget>,
    ) -> (Arc<Self>, mpsc::Receiver<Text>) {
        let (sender, texts) = mpsc::channel(WAITING);
        let subscriptions = dialect
            .subscription
            .map(|notification| Subscriptions::new(notification, sender, &config.limits, budget));
        let session = Self::with(dialect, config, served, info, budget, subscriptions);
        (Arc::new(session), texts)
    }

    fn with(
        dialect: &'static Dialect,
        config: &Arc<Config>,
        served: &Served,
        info: &Arc<ConnectionInfo>,
        budget: &Arc<Budget>,
        subscriptions: Option<Subscriptions>,
    ) -> Self {
        let max_calls = usize::try_from(config.limits.max_calls).unwrap_or(usize::MAX);
        Self {
            dialect,
            beside: Beside::default(),
            config: Arc::clone(config),
            service: served.service.clone(),
            methods: Arc::clone(&served.methods),
            info: Arc::clone(info),
            budget: Arc::clone(budget),
            open: RunningCalls::of_connection(max_calls),
            running: Arc::clone(&served.running),
            is_closing: Arc::default(),
            subscriptions,
        }
    }

    /// Says whether a stream is open, or something of one is left in `texts`.
    pub(crate) fn has_subscriptions(&self, texts: &mpsc::Receiver<Text>) -> bool {
        let subscriptions = self.subscriptions.as_ref();
        subscriptions.is_some_and(|it| !it.are_over(texts))
    }

    /// Returns the same session in another dialect.
    pub(super) fn in_dialect(&self, dialect: &'static Dialect) -> Arc<Self> {
        let beside = Beside::default();
        Arc::new(self.varied(dialect, beside))
    }

    /// Returns the same session for calls that something came beside.
    #[cfg(feature = "http")]
    pub(crate) fn with_beside(&self, beside: Beside) -> Arc<Self> {
        Arc::new(self.varied(self.dialect, beside))
    }

    fn varied(&self, dialect: &'static Dialect, beside: Beside) -> Self {
        Self {
            dialect,
            beside,
            config: Arc::clone(&self.config),
            service: self.service.clone(),
            methods: Arc::clone(&self.methods),
            info: Arc::clone(&self.info),
            budget: Arc::clone(&self.budget),
            open: Arc::clone(&self.open),
            running: Arc::clone(&self.running),
            is_closing: Arc::clone(&self.is_closing),
            // What is told without being asked for has no form in every dialect.
            subscriptions: None,
        }
    }

    /// Refuses every call from now on, as a drain does.
    pub(crate) fn close(&self) {
        self.is_closing.store(true, Ordering::Relaxed);
    }

    /// Runs what a text asks for; `None` if nothing is answered to it.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future gives the calls up.
    pub(crate) async fn answer(self: Arc<Self>, text: Bytes) -> Option<Text> {
        let kept = match Kept::come(&self.budget, text.len()) {
            Ok(kept) => kept,
            Err(status) => return self.refuse(&status.into()),
        };
        let out = if self.dialect.has_batches && is_batch(&text) {
            self.batch(&text, &kept).await
        } else {
            let subscriptions = self.subscriptions.as_ref();
            self.item(&text, kept.as_ref(), subscriptions).await
        };
        // A call that goes on, as a stream does, keeps both.
        drop((text, kept));
        match Text::new(out?, &self.budget) {
            Ok(text) => Some(text),
            Err(status) => self.refuse(&status.into()),
        }
    }

    /// Answers to a text that cannot be taken, such as one that is too long.
    pub(crate) fn refuse(&self, failure: &Failure) -> Option<Text> {
        let out = (self.dialect.failure)(None, failure)?;
        Some(Text::uncounted(out, &self.budget))
    }

    async fn batch(self: &Arc<Self>, text: &Bytes, kept: &Option<Kept>) -> Option<BytesMut> {
        let limit = self.config.limits.max_batch;
        let found = match items(text, limit) {
            Ok(found) if found.is_empty() => Err(Failure::NoCall),
            Ok(found) => Ok(found),
            Err(Unreadable::TooMany) => Err(too_many(limit).into()),
            Err(_) => Err(Failure::NoJson),
        };
        let found = match found {
            Ok(found) => found,
            Err(failure) => return (self.dialect.failure)(None, &failure),
        };
        let room = Arc::new(AtomicUsize::new(self.config.limits.max_message));
        let calls = found.iter().map(|item| {
            let (session, room) = (Arc::clone(self), Arc::clone(&room));
            let kept = kept.clone();
            let item = text.slice_ref(item.as_bytes());
            Box::pin(async move {
                let answer = session.item(&item, kept.as_ref(), None).await?;
                session.fitting(answer, &item, &room)
            }) as _
        });
        let answers = all::<Option<BytesMut>>(calls).await;
        let mut out = BytesMut::new();
        for answer in answers.into_iter().flatten().flatten() {
            out.put_u8(if out.is_empty() { b'[' } else { b',' });
            out.unsplit(answer);
        }
        (!out.is_empty()).then(|| {
            out.put_u8(b']');
            out
        })
    }

    /// Keeps the answer to an item if there is room for it beside the others, which wait for each other.
    fn fitting(&self, answer: BytesMut, item: &[u8], room: &AtomicUsize) -> Option<BytesMut> {
        let fits = |left: usize| left.checked_sub(answer.len() + 1);
        if room
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits)
            .is_ok()
        {
            return Some(answer);
        }
        self.failed(item, &too_large(self.config.limits.max_message).into())
    }

    /// Says to the caller of one item that it failed.
    fn failed(&self, item: &[u8], failure: &Failure) -> Option<BytesMut> {
        let envelope = Envelope::read(item).ok();
        let id = envelope.as_ref().and_then(self.dialect.read_id);
        (self.dialect.failure)(id, failure)
    }

    /// Runs one call, which may open a stream where there are `subscriptions`.
    async fn item(
        &self,
        text: &Bytes,
        kept: Option<&Kept>,
        subscriptions: Option<&Subscriptions>,
    ) -> Option<BytesMut> {
        let call = match self.read(text) {
            Ok(call) => call,
            Err(answer) => return answer,
        };
        let answered = match self.begin(&call, (text, kept), subscriptions) {
            Err(failure) => Err(failure),
            Ok(Begun::Answered(message)) => Ok(Some(message)),
            Ok(Begun::Open(mut open)) => {
                let responded = (&mut open.handling).await;
                let heard = responded.and_then(|it| self.hear(&call, &mut open, it, subscriptions));
                let message = match heard {
                    Ok(Heard::Message(message)) => Ok(Some(message)),
                    Ok(Heard::Stream) => Ok(None),
                    // Hardly any answer of one message takes more than a look.
                    Ok(Heard::More(replying)) => Box::pin(replying.only()).await.map(Some),
                    Err(status) => Err(status),
                };
                message.map_err(|status| open.failure(&call.method, status))
            }
        };
        self.answer_call(&call, answered)
    }

    /// Reads a call, or says what is answered to what is none.
    fn read<'a>(&self, text: &'a Bytes) -> Result<Call<'a>, Option<BytesMut>> {
        let envelope = Envelope::read(text).map_err(|unreadable| {
            let failure = match unreadable {
                Unreadable::Syntax => Failure::NoJson,
                _ => Failure::NoCall,
            };
            (self.dialect.failure)(None, &failure)
        })?;
        (self.dialect.read_call)(&envelope).map_err(|failure| {
            let id = (self.dialect.read_id)(&envelope);
            (self.dialect.failure)(id, &failure)
        })
    }

    /// Has the service begin a call.
    fn begin<'a>(
        &self,
        call: &Call<'a>,
        (text, kept): (&Bytes, Option<&Kept>),
        subscriptions: Option<&Subscriptions>,
    ) -> Result<Begun<'a>, Failure> {
        let flat = self.config.json_rpc.service.as_deref();
        let named = Named::find(&*self.methods, flat, &call.method);
        if let Some(subscriptions) = subscriptions.filter(|_| !named.is_known)
            && is_ending(&call.method)
        {
            // Also in a drain, which waits for streams to end.
            let ended = subscriptions.end(call.arguments.params)?;
            let message = self.message(ended.to_string().into());
            return Ok(Begun::Answered(message));
        }
        if self.is_closing.load(Ordering::Relaxed) {
            let status = Status::unavailable("the server is shutting down");
            return Err(status.into_not_started().into());
        }
        let place = self.open.begin()?;
        let counted = self.running.begin()?;
        let stream = place_of_stream(&named.method, subscriptions, call.reply_to)?;
        let (request, deadline) = self.request(named.method.clone(), call, text)?;
        let running = Running::new(deadline, self.config.cancel_grace, counted);
        let running = running.keeping(kept.cloned());
        let unknown = (!named.is_known).then(|| Box::new(named));
        match Handling::start(&self.service, request, running) {
            Ok(handling) => Ok(Begun::Open(Open {
                handling,
                place: Some(place),
                stream,
                unknown,
            })),
            Err(status) => Err(failure(unknown.as_deref(), &call.method, status)),
        }
    }

    /// Takes a response as far as it has come.
    fn hear<'a>(
        &self,
        call: &Call<'a>,
        open: &mut Open<'a>,
        (mut response, running): (Response, Running),
        subscriptions: Option<&Subscriptions>,
    ) -> Result<Heard, Status> {
        let mut replying = Replying::new(response.take_body(), running);
        if let Some((id, subscribed)) = open.stream.take()
            && let (Some(subscriptions), Some(place)) = (subscriptions, open.place.take())
        {
            subscriptions.begin(Opening {
                replying,
                places: (place, subscribed),
                method: &call.method,
                dialect: self.dialect,
                call: id,
            });
            return Ok(Heard::Stream);
        }
        match replying.take_single() {
            Some(message) => replying.end().map(|()| Heard::Message(message)),
            None => Ok(Heard::More(replying)),
        }
    }

    /// Writes the answer to a call; one that opened a stream has none here.
    fn answer_call(
        &self,
        call: &Call<'_>,
        answered: Result<Option<Message>, Failure>,
    ) -> Option<BytesMut> {
        let ReplyTo::Caller(id) = call.reply_to else {
            if let Err(failure) = answered {
                tracing::debug!(method = &*call.method, ?failure, "a notification failed");
            }
            return None;
        };
        // The destructor of a result is the user's own.
        let reply = |message| {
            let written = catch_unwind(AssertUnwindSafe(|| self.reply(id, message)));
            written.unwrap_or_else(|_| Err(panicked("a result").into()))
        };
        match answered.and_then(|it| it.map(reply).transpose()) {
            Ok(out) => out,
            Err(failure) => (self.dialect.failure)(id, &failure),
        }
    }

    fn request(
        &self,
        method: Method,
        call: &Call<'_>,
        text: &Bytes,
    ) -> Result<(Request, Option<Instant>), Status> {
        let usual = method.descriptor().and_then(|it| it.default_timeout());
        let arguments = call.arguments.message(&method, text)?;
        let mut request = Request::new(method, Body::message(self.message(arguments)));
        request.set_encoding(Encoding::JSON);
        let own = call.timeout.or(usual).map(deadline_in);
        let deadline = self.beside.deadline.or(own);
        request.set_deadline(deadline);
        if !self.beside.metadata.is_empty() {
            request.set_metadata(self.beside.metadata.clone().into());
        }
        request.set_connection(Arc::clone(&self.info));
        Ok((request, deadline))
    }

    fn message(&self, text: Bytes) -> Message {
        let limits = self.config.limits.decode_limits();
        Message::with_limits(text, Encoding::JSON, limits)
    }

    fn reply(&self, id: Option<&str>, message: Message) -> Result<BytesMut, Failure> {
        let mut out = BytesMut::with_capacity(USUAL);
        (self.dialect.before_result)(&mut out, id);
        put_value(&mut out, message)?;
        (self.dialect.behind_result)(&mut out, id);
        let out = (self.dialect.finish)(out);
        let limit = self.config.limits.max_message;
        if out.len() > limit {
            return Err(too_large(limit).into());
        }
        Ok(out)
    }
}

/// A place for a stream, and the id of the call that opens it.
type StreamPlace<'a> = (Option<&'a str>, RunningCall);

/// Takes a place for the stream that a call opens, if it opens one.
fn place_of_stream<'a>(
    method: &Method,
    subscriptions: Option<&Subscriptions>,
    reply_to: ReplyTo<'a>,
) -> Result<Option<StreamPlace<'a>>, Status> {
    let kind = method.descriptor().map(|it| it.kind());
    match (kind, subscriptions, reply_to) {
        (None | Some(MethodKind::Unary), ..) => Ok(None),
        (Some(MethodKind::ServerStreaming), Some(them), ReplyTo::Caller(id)) => {
            Ok(Some((id, them.place()?)))
        }
        _ => {
            let text = "a method that streams cannot be called here";
            Err(Status::unimplemented(text))
        }
    }
}

fn too_many(limit: usize) -> Status {
    Status::resource_exhausted(format!(
        "a batch has more items than the server's limit `max_batch` of {limit}"
    ))
}

/// Says that a text is longer than `max_message` allows.
pub(crate) fn too_large(limit: usize) -> Status {
    Status::resource_exhausted(format!(
        "a message is over the server's limit `max_message` of {limit} bytes"
    ))
}
