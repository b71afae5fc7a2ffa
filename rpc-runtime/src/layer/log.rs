//! One line in the log for each call.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};

use futures_core::Stream;
use tokio::time::Instant;
use tower_layer::Layer;
use tracing::Level;

use crate::call::{Body, BodyFrame, ConnectionInfo, Method, Request, Response};
use crate::service::Service;
use crate::status::{Code, Status};

/// The target of the events, apart from the name of the module so that filters can rely on it.
macro_rules! target {
    () => {
        "rpc_runtime::call"
    };
}

/// Writes one `tracing` event for each call when it has ended, with its body.
///
/// The target is `rpc_runtime::call`, the fields are `method`, `peer` (who called, or which peer
/// reported the error), `side` (if [set](Self::side)), `code` (`ok`, or the name of a
/// [`Code`]), `duration` and `error`. A call that ended well is logged at level INFO, one that
/// failed at WARN. A call that its caller gave up is `cancelled`, at INFO, because callers leave
/// for good reasons; if its deadline had passed by then, it is `deadline_exceeded`, at WARN.
///
/// Metadata is never logged. If nobody listens to such events, the layer does nothing at all.
///
/// # Examples
///
/// ```
/// use rpc_runtime::Router;
/// use rpc_runtime::layer::Log;
///
/// let router = Router::new()
///     .function("double", |n: i64| async move { n * 2 })
///     .layer(Log::new().side("server"));
/// ```
#[derive(Clone, Copy, Default, Debug)]
pub struct Log {
    side: Option<&'static str>,
}

impl Log {
    /// Makes the layer.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the field `side`, such as `client` or `server`, for processes that are both.
    #[must_use]
    pub fn side(mut self, side: &'static str) -> Self {
        self.side = Some(side);
        self
    }
}

impl<S> Layer<S> for Log {
    type Service = Logged<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Logged { inner, log: *self }
    }
}

/// The service that [`Log`] makes.
#[derive(Clone, Debug)]
pub struct Logged<S> {
    inner: S,
    log: Log,
}

impl<S: Service> Service for Logged<S> {
    async fn call(&self, request: Request) -> Result<Response, Status> {
        if !is_listened_to() {
            return self.inner.call(request).await;
        }
        let mut record = Record::new(self.log.side, &request);
        match self.inner.call(request).await {
            Ok(response) => Ok(record.follow(response)),
            Err(status) => {
                record.outcome = Outcome::Failed(status.clone());
                Err(status)
            }
        }
    }

    fn keeps_deadlines(&self) -> bool {
        self.inner.keeps_deadlines()
    }
}

fn is_listened_to() -> bool {
    tracing::enabled!(target: target!(), Level::WARN)
        || tracing::enabled!(target: target!(), Level::INFO)
}

/// What is known of a call; it is written when it is dropped, which is when the call has ended.
struct Record {
    side: Option<&'static str>,
    method: Method,
    connection: Option<Arc<ConnectionInfo>>,
    start: Instant,
    deadline: Option<Instant>,
    outcome: Outcome,
}

enum Outcome {
    /// Nothing yet; a call that is dropped like this was given up.
    Open,
    Good,
    Failed(Status),
}

impl Record {
    fn new(side: Option<&'static str>, request: &Request) -> Self {
        Self {
            side,
            method: request.method().clone(),
            connection: request.connection().cloned(),
            start: Instant::now(),
            deadline: request.deadline_instant(),
            outcome: Outcome::Open,
        }
    }

    /// Follows the call to its end. Only a stream can still fail.
    fn follow(mut self, mut response: Response) -> Response {
        if response.body().is_stream() {
            let body = response.take_body();
            response.set_body(Body::stream(Watched {
                body,
                record: Some(self),
            }));
        } else {
            self.outcome = Outcome::Good;
            response.on_end(self);
        }
        response
    }

    fn peer(&self) -> Option<&str> {
        self.connection.as_deref().map(ConnectionInfo::peer)
    }

    fn is_late(&self) -> bool {
        self.deadline.is_some_and(|it| it <= Instant::now())
    }

    fn failed(&self, code: Code, status: Option<&Status>) {
        let reporter = status.and_then(Status::peer);
        tracing::warn!(
            target: target!(),
            method = self.method.path(),
            peer = self.peer().or(reporter),
            side = self.side,
            code = code.name(),
            duration = ?self.start.elapsed(),
            error = status.map(tracing::field::display),
            "the call failed"
        );
    }

    fn ended(&self, code: &str, message: &str) {
        tracing::info!(
            target: target!(),
            method = self.method.path(),
            peer = self.peer(),
            side = self.side,
            code,
            duration = ?self.start.elapsed(),
            "{message}"
        );
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        match &self.outcome {
            Outcome::Good => self.ended("ok", "the call ended"),
            Outcome::Failed(status) => self.failed(status.code(), Some(status)),
            Outcome::Open if self.is_late() => self.failed(Code::DeadlineExceeded, None),
            Outcome::Open => self.ended(Code::Cancelled.name(), "the call was given up"),
        }
    }
}

/// A response stream that notes how it ended.
struct Watched {
    body: Body,
    record: Option<Record>,
}

impl Stream for Watched {
    type Item = Result<BodyFrame, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Option<Self::Item>> {
        let frame = std::task::ready!(self.body.poll_frame(cx));
        let outcome = match &frame {
            Some(Ok(_)) => return Poll::Ready(frame),
            Some(Err(status)) => Outcome::Failed(status.clone()),
            None => Outcome::Good,
        };
        if let Some(mut record) = self.record.take() {
            record.outcome = outcome;
        }
        Poll::Ready(frame)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fmt;
    use std::sync::Mutex;
    use std::time::Duration;

    use futures_util::stream;
    use tracing::field::{Field, Visit};
    use tracing::span::{Attributes, Id};
    use tracing::{Event, Metadata, Subscriber};

    use super::*;
    use crate::service::{BoxService, service_fn};

    /// Keeps the events of the layer as lists of their fields.
    #[derive(Clone, Default)]
    struct Recorder(Arc<Mutex<Vec<Fields>>>);

    #[derive(Clone, Default, Debug)]
    struct Fields(BTreeMap<&'static str, String>);

    impl Fields {
        fn field(&self, name: &str) -> &str {
            self.0.get(name).map_or("(absent)", String::as_str)
        }
    }

    impl Visit for Fields {
        fn record_str(&mut self, field: &Field, value: &str) {
            self.0.insert(field.name(), value.to_owned());
        }

        fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
            self.0.insert(field.name(), format!("{value:?}"));
        }
    }

    impl Subscriber for Recorder {
        fn enabled(&self, metadata: &Metadata<'_>) -> bool {
            metadata.target() == target!()
        }

        fn new_span(&self, _: &Attributes<'_>) -> Id {
            Id::from_u64(1)
        }

        fn record(&self, _: &Id, _: &tracing::span::Record<'_>) {}

        fn record_follows_from(&self, _: &Id, _: &Id) {}

        fn event(&self, event: &Event<'_>) {
            let mut fields = Fields::default();
            event.record(&mut fields);
            let level = event.metadata().level().to_string();
            fields.0.insert("level", level);
            self.0.lock().unwrap().push(fields);
        }

        fn enter(&self, _: &Id) {}

        fn exit(&self, _: &Id) {}
    }

    impl Recorder {
        /// Takes the one event that there must be.
        fn only(&self) -> Fields {
            let mut events = std::mem::take(&mut *self.0.lock().unwrap());
            assert_eq!(events.len(), 1, "{events:?}");
            events.remove(0)
        }

        fn is_empty(&self) -> bool {
            self.0.lock().unwrap().is_empty()
        }
    }

    fn request() -> Request {
        let mut request = Request::new(Method::named("m.M/x"), Body::empty());
        let secret = http::HeaderValue::from_static("hunter2");
        request.metadata_mut().insert("password", secret);
        let peer = Arc::from("tcp://192.0.2.7:1");
        let connection = ConnectionInfo::new(peer, http::Extensions::new());
        request.set_connection(Arc::new(connection));
        request
    }

    fn streaming<T>(items: fn() -> T) -> BoxService
    where
        T: Stream<Item = Result<BodyFrame, Status>> + Send + 'static,
    {
        let service = service_fn(move |_| async move { Ok(Response::new(Body::stream(items()))) });
        BoxService::new(service).layer(Log::new().side("server"))
    }

    #[tokio::test(start_paused = true)]
    async fn a_good_call_is_logged_once_with_its_duration() {
        let recorder = Recorder::default();
        let _guard = tracing::subscriber::set_default(recorder.clone());
        let slow = service_fn(|_| async {
            tokio::time::sleep(Duration::from_millis(20)).await;
            Ok(Response::new(Body::empty()))
        });
        let service = BoxService::new(slow).layer(Log::new());
        let response = service.call(request()).await.unwrap();
        assert!(recorder.is_empty(), "the body has not ended");
        drop(response);
        let event = recorder.only();
        assert_eq!(event.field("level"), "INFO");
        assert_eq!(event.field("method"), "m.M/x");
        assert_eq!(event.field("peer"), "tcp://192.0.2.7:1");
        assert_eq!(event.field("code"), "ok");
        assert_eq!(event.field("side"), "(absent)");
        assert!(event.field("duration").starts_with("2"), "{event:?}");
        assert!(!format!("{event:?}").contains("hunter2"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_is_logged_at_its_end() {
        let recorder = Recorder::default();
        let _guard = tracing::subscriber::set_default(recorder.clone());
        let service = streaming(stream::empty);
        let mut response = service.call(request()).await.unwrap();
        assert!(recorder.is_empty());
        assert!(response.body_mut().frame().await.is_none());
        let event = recorder.only();
        assert_eq!(event.field("code"), "ok");
        assert_eq!(event.field("side"), "server");
        drop(response);
        assert!(recorder.is_empty(), "logged twice");
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_is_a_warning_with_its_code() {
        let recorder = Recorder::default();
        let _guard = tracing::subscriber::set_default(recorder.clone());
        let failing = service_fn(|_| async { Err(Status::not_found("no user 7")) });
        let service = BoxService::new(failing).layer(Log::new());
        service.call(request()).await.unwrap_err();
        let event = recorder.only();
        assert_eq!(event.field("level"), "WARN");
        assert_eq!(event.field("code"), "not_found");
        assert_eq!(event.field("error"), "not_found: no user 7");

        let service = streaming(|| stream::iter([Err(Status::data_loss("torn"))]));
        let mut response = service.call(request()).await.unwrap();
        assert!(response.body_mut().frame().await.unwrap().is_err());
        assert_eq!(recorder.only().field("code"), "data_loss");
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_is_dropped_is_cancelled_or_late() {
        let recorder = Recorder::default();
        let _guard = tracing::subscriber::set_default(recorder.clone());
        let service = streaming(stream::pending);
        drop(service.call(request()).await.unwrap());
        let event = recorder.only();
        assert_eq!(event.field("code"), "cancelled");
        assert_eq!(event.field("level"), "INFO");

        let mut late = request();
        late.shorten_timeout(Duration::from_secs(1));
        let response = service.call(late).await.unwrap();
        tokio::time::advance(Duration::from_secs(2)).await;
        drop(response);
        let event = recorder.only();
        assert_eq!(event.field("code"), "deadline_exceeded");
        assert_eq!(event.field("level"), "WARN");

        let stuck = service_fn(|_| std::future::pending());
        let service = BoxService::new(stuck).layer(Log::new());
        let call = tokio::time::timeout(Duration::from_secs(1), service.call(request()));
        assert!(call.await.is_err());
        assert_eq!(recorder.only().field("code"), "cancelled");
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_wrapped_when_nobody_listens() {
        let _guard = tracing::subscriber::set_default(tracing::subscriber::NoSubscriber::new());
        let recorder = Recorder::default();
        let response = streaming(stream::empty).call(request()).await.unwrap();
        let _other = tracing::subscriber::set_default(recorder.clone());
        drop(response);
        assert!(recorder.is_empty());
    }
}
