//! Many services and functions under one roof.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::future::ready;
use std::sync::{Arc, OnceLock};

use tower_layer::Layer;

use super::dispatch::{Handler, HandlerFuture};
use super::function::{self, Callable, Function};
use super::nearest::{shown, suggestion};
use crate::call::{Method, MethodError, MethodTable, Request, Response, ServiceDescriptor};
use crate::codec::{Encodes, EncodesArgs, Serde};
use crate::service::{BoxService, Service};
use crate::status::Status;

/// Sends each request to the service or the function that it names.
///
/// A router is a [`Service`]: a client can call it in process, a [`Server`](crate::Server) serves
/// it.
///
/// A call of something that is not served fails with
/// [`Code::Unimplemented`](crate::Code::Unimplemented), and is told the name that it nearly hit. A
/// [`layer`](Self::layer) that refuses callers does so before they are told anything.
///
/// # Examples
///
/// ```
/// use rpc_runtime::{Channel, Router};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), rpc_runtime::Status> {
/// let router = Router::new()
///     .function("hello", |name: String| async move { format!("Hello, {name}!") })
///     .try_function("half", |n: i64| async move {
///         if n % 2 == 0 { Ok(n / 2) } else { Err(rpc_runtime::Status::invalid_argument("odd")) }
///     });
/// let channel = Channel::new(router);
/// assert_eq!(channel.call::<_, String>("hello", ("Alice",)).await?, "Hello, Alice!");
/// assert!(channel.call::<_, i64>("half", (3,)).await.is_err());
/// # Ok(()) }
/// ```
#[derive(Clone, Default)]
pub struct Router {
    routes: HashMap<Arc<str>, Route>,
    services: Vec<&'static ServiceDescriptor>,
    /// The functions, with what stands for the names of their arguments.
    functions: Vec<(Arc<str>, &'static [&'static str])>,
    /// The services that were added here, to be found without their names.
    added: Vec<(&'static ServiceDescriptor, BoxService)>,
    fallback: Option<BoxService>,
    layers: Vec<Wrap>,
    /// The layers around the rest, made by the first call.
    layered: OnceLock<BoxService>,
}

type Wrap = Arc<dyn Fn(BoxService) -> BoxService + Send + Sync>;

#[derive(Clone)]
struct Route {
    method: Method,
    target: Target,
}

#[derive(Clone)]
enum Target {
    Service(BoxService),
    Function(Arc<dyn Callable>),
}

impl Router {
    /// Makes a router that serves nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Serves every method of a service: `router.add(MathServer::new(Calculator))`.
    ///
    /// # Panics
    ///
    /// Panics if a method of the same path is served already.
    #[must_use]
    #[allow(
        clippy::should_implement_trait,
        reason = "nobody adds routers with a plus sign"
    )]
    pub fn add<H: Handler>(mut self, service: H) -> Self {
        let service = BoxService::new(service);
        for method in H::SERVICE.methods() {
            // The name is one of the descriptor's own, so it is found.
            if let Some(handle) = H::SERVICE.find(method.name()) {
                self.route(Method::from(handle), Target::Service(service.clone()));
            }
        }
        self.services.push(H::SERVICE);
        self.added.push((H::SERVICE, service));
        self
    }

    /// Serves an async function or closure by name. Arguments are matched by position.
    ///
    /// # Panics
    ///
    /// Panics if the name is served already.
    #[must_use]
    pub fn function<F, A, T>(mut self, name: &str, function: F) -> Self
    where
        F: Function<A, T>,
        A: Send + 'static,
        T: Send + 'static,
        Serde: EncodesArgs<A> + Encodes<T>,
    {
        self.functions.push((name.into(), function.names()));
        let target = Target::Function(Arc::new(function::plain::<F, A, T>(function)));
        self.route(Method::named(name), target);
        self
    }

    /// Serves an async function or closure that returns a `Result`.
    ///
    /// An error type of its own crosses the wire typed, with
    /// [`Code::Unknown`](crate::Code::Unknown).
    ///
    /// # Panics
    ///
    /// Panics if the name is served already.
    #[must_use]
    pub fn try_function<F, A, T, E>(mut self, name: &str, function: F) -> Self
    where
        F: Function<A, Result<T, E>>,
        A: Send + 'static,
        T: Send + 'static,
        E: MethodError<Serde> + Send + 'static,
        Serde: EncodesArgs<A> + Encodes<T>,
    {
        self.functions.push((name.into(), function.names()));
        let target = Target::Function(Arc::new(function::fallible::<F, A, T, E>(function)));
        self.route(Method::named(name), target);
        self
    }

    /// Sends what nothing else serves to another service, such as a
    /// [`Channel`](crate::Channel) to the server behind a gateway.
    #[must_use]
    pub fn fallback(mut self, service: impl Service) -> Self {
        self.fallback = Some(BoxService::new(service));
        self.layered = OnceLock::new();
        self
    }

    /// Puts a layer around every call that comes to this router, also for what is added later, and
    /// for what it does not serve. The layer that is added last sees a request first.
    ///
    /// To put a layer around one service only, give it a router of its own and
    /// [`merge`](Self::merge) that.
    #[must_use]
    pub fn layer<L>(mut self, layer: L) -> Self
    where
        L: Layer<BoxService> + Send + Sync + 'static,
        L::Service: Service,
    {
        self.layers
            .push(Arc::new(move |service| service.layer(&layer)));
        self.layered = OnceLock::new();
        self
    }

    /// Serves what another router serves as well, behind that router's own layers.
    ///
    /// # Panics
    ///
    /// Panics if both serve the same path, or both have a fallback.
    #[must_use]
    pub fn merge(mut self, other: Self) -> Self {
        let behind_layers = (!other.layers.is_empty()).then(|| BoxService::new(other.clone()));
        for route in other.routes.into_values() {
            let target = behind_layers.clone().map_or(route.target, Target::Service);
            self.route(route.method, target);
        }
        self.services.extend(other.services);
        self.functions.extend(other.functions);
        match behind_layers.clone() {
            None => self.added.extend(other.added),
            Some(layered) => {
                let added = other.added.into_iter().map(|(it, _)| (it, layered.clone()));
                self.added.extend(added);
            }
        }
        if let Some(fallback) = other.fallback {
            assert!(self.fallback.is_none(), "both routers have a fallback");
            self.fallback = Some(behind_layers.unwrap_or(fallback));
        }
        self
    }

    /// Returns the descriptions of the services, in the order in which they were added.
    pub fn services(&self) -> &[&'static ServiceDescriptor] {
        &self.services
    }

    /// Returns the functions by name, each with what stands for the names of its arguments.
    #[cfg(feature = "jsonrpc")]
    pub(super) fn functions(&self) -> Vec<(&str, &'static [&'static str])> {
        let functions = self.functions.iter();
        let mut functions: Vec<_> = functions.map(|(name, args)| (&**name, *args)).collect();
        functions.sort_unstable();
        functions
    }

    fn route(&mut self, method: Method, target: Target) {
        self.layered = OnceLock::new();
        match self.routes.entry(Arc::from(method.path())) {
            Entry::Vacant(entry) => {
                entry.insert(Route { method, target });
            }
            Entry::Occupied(entry) => panic!("`{}` is served already", entry.key()),
        }
    }

    fn dispatch(&self, request: Request) -> HandlerFuture {
        if self.layers.is_empty() {
            return self.dispatch_inside(request);
        }
        let layered = self.layered.get_or_init(|| {
            let inside = Self {
                layers: Vec::new(),
                layered: OnceLock::new(),
                ..self.clone()
            };
            let inside = BoxService::new(inside);
            self.layers
                .iter()
                .fold(inside, |service, wrap| wrap(service))
        });
        layered.start(request)
    }

    fn dispatch_inside(&self, request: Request) -> HandlerFuture {
        if let Some(handle) = request.method().handle() {
            let mut added = self.added.iter();
            if let Some((_, service)) = added.find(|(it, _)| std::ptr::eq(*it, handle.service())) {
                return service.start(request);
            }
        }
        match self.routes.get(request.method().path()) {
            Some(route) => match &route.target {
                Target::Service(service) => service.start(request),
                Target::Function(function) => function.call(request),
            },
            None => match &self.fallback {
                Some(service) => service.start(request),
                None => Box::pin(ready(Err(self.not_found(request.method())))),
            },
        }
    }

    fn not_found(&self, method: &Method) -> Status {
        let path = shown(method.path());
        let meant = suggestion(method.path(), self.routes.keys().map(|it| &**it));
        Status::unimplemented(match method.service() {
            "" => format!("no function `{path}` is served here{meant}"),
            service if self.services.iter().any(|it| it.name() == service) => format!(
                "the service `{service}` has no method `{}`{meant}",
                shown(method.name())
            ),
            service => format!(
                "no service `{}` is served here (for `{path}`){meant}",
                shown(service)
            ),
        })
    }
}

impl Service for Router {
    fn call(&self, request: Request) -> impl Future<Output = Result<Response, Status>> + Send {
        self.dispatch(request)
    }

    fn call_detached(&self, request: Request) -> Result<HandlerFuture, Request> {
        Ok(self.dispatch(request))
    }
}

impl MethodTable for Router {
    fn resolve(&self, path: &str) -> Option<Method> {
        self.routes.get(path).map(|route| route.method.clone())
    }

    #[cfg(feature = "jsonrpc")]
    fn find(&self, name: &str) -> Vec<Method> {
        let found = self.services.iter().filter_map(|it| it.find(name));
        found.map(Method::from).collect()
    }

    fn service(&self, name: &str) -> Option<&'static ServiceDescriptor> {
        self.services.iter().copied().find(|it| it.name() == name)
    }
}

impl fmt::Debug for Router {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut paths: Vec<_> = self.routes.keys().collect();
        paths.sort();
        f.debug_struct("Router")
            .field("routes", &paths)
            .finish_non_exhaustive()
    }
}
