//! From a request to the method of an implementation that answers it.

use std::future::ready;
use std::sync::Arc;

use super::answers::Target;
use super::in_process;
use super::nearest::{shown, suggestion};
use super::once;
use super::resume;
use super::server_call::ServerCall;
use crate::call::{
    EXPECTED_KIND, Entered, Method, MethodDescriptor, MethodKind, Request, Response,
    ServiceDescriptor,
};
use crate::codec::Codec;
use crate::service::{BoxFuture, Service};
use crate::status::Status;

/// The future of a handler.
#[doc(hidden)]
pub type HandlerFuture = BoxFuture<'static, Result<Response, Status>>;

/// The glue of one method: reads the arguments, calls the implementation, writes the result.
#[doc(hidden)]
pub type MethodHandler<T> = fn(Arc<T>, ServerCall) -> HandlerFuture;

/// What `#[rpc_service]` generates for a server: a table of glue beside the descriptor.
///
/// Every handler is a [`Service`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not serve calls",
    label = "not the server of a service",
    note = "wrap what implements the trait of the service: `GreeterServer::new(..)` for a \
            trait `Greeter`"
)]
pub trait Handler: Send + Sync + 'static {
    /// The implementation of the trait.
    type Target: Send + Sync + 'static;
    /// The codec of arguments and results.
    type Codec: Codec;
    /// The description of the service.
    const SERVICE: &'static ServiceDescriptor;
    /// The glue of each method, in the order of the descriptor.
    #[doc(hidden)]
    const METHODS: &'static [MethodHandler<Self::Target>];

    /// Returns the implementation.
    fn target(&self) -> &Arc<Self::Target>;
}

#[diagnostic::do_not_recommend]
impl<H: Handler> Service for H {
    fn call(&self, request: Request) -> impl Future<Output = Result<Response, Status>> + Send {
        dispatch(self, request)
    }

    fn call_detached(&self, request: Request) -> Result<HandlerFuture, Request> {
        Ok(dispatch(self, request))
    }
}

fn dispatch<H: Handler>(handler: &H, mut request: Request) -> HandlerFuture {
    let index = match method_index(H::SERVICE, request.method()) {
        Ok(index) => index,
        Err(status) => return Box::pin(ready(Err(status))),
    };
    let (Some(run), Some(method)) = (H::METHODS.get(index), H::SERVICE.methods().get(index)) else {
        return Box::pin(ready(Err(Status::internal("the method has no handler"))));
    };
    if let Err(status) = check_kind(&mut request, method.kind()) {
        return Box::pin(ready(Err(status)));
    }
    let target = Arc::clone(handler.target());
    let handle = move |request: Request| {
        in_process::guard(request, |request| {
            let call = ServerCall::new::<H::Codec>(method.args(), request);
            let _entered = Entered::new(call.context());
            run(target, call)
        })
    };
    if method.is_once() {
        let target = Target::of(handler.target());
        return once::dispatch(request, H::Codec::DEFAULT, target, handle);
    }
    if method.is_resumable() {
        return resume::dispatch(request, H::Codec::DEFAULT, handle);
    }
    handle(request)
}

/// Refuses a caller without the description of the method that takes it for another kind: it would
/// read a stream as one value, or send one value as a stream.
pub(super) fn check_kind(request: &mut Request, kind: MethodKind) -> Result<(), Status> {
    if request.metadata().is_empty() {
        return Ok(());
    }
    let Some(expected) = request.metadata_mut().remove(EXPECTED_KIND) else {
        return Ok(());
    };
    let instead = if kind.is_upload() {
        "a call by name cannot send its stream, use a client of the service"
    } else if kind.is_download() && expected == MethodKind::Unary.name() {
        "use `call_stream`"
    } else {
        return Ok(());
    };
    let path = request.method().path();
    Err(Status::unimplemented(format!(
        "`{path}` is a {} method: {instead}",
        kind.name()
    )))
}

/// Finds the method: at once where the caller has the same descriptor, else by name.
fn method_index(service: &'static ServiceDescriptor, method: &Method) -> Result<usize, Status> {
    if let Some(handle) = method.handle()
        && std::ptr::eq(handle.service(), service)
    {
        return Ok(handle.index());
    }
    if method.service() == service.name()
        && let Some(found) = service.find(method.name())
    {
        return Ok(found.index());
    }
    Err(not_found(service, method))
}

fn not_found(service: &'static ServiceDescriptor, method: &Method) -> Status {
    let meant = suggestion(
        method.path(),
        service.methods().iter().map(MethodDescriptor::path),
    );
    Status::unimplemented(if method.service() == service.name() {
        format!(
            "the service `{}` has no method `{}`{meant}",
            service.name(),
            shown(method.name())
        )
    } else {
        format!(
            "this is the service `{}`, it has no method `{}`{meant}",
            service.name(),
            shown(method.path())
        )
    })
}
