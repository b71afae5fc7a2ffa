//! Which pages of other sites may call, as their browsers ask
//! (<https://fetch.spec.whatwg.org/#http-cors-protocol>).

use std::time::Duration;

use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method};

/// How long a browser may remember an answer: what browsers cut longer ones to.
const MAX_AGE: Duration = Duration::from_secs(7_200);

const ANY: HeaderValue = HeaderValue::from_static("*");
const METHODS: HeaderValue = HeaderValue::from_static("GET, POST");

/// Which pages of other sites may call a server from a browser: see
/// [`Server::cors`](crate::Server::cors).
///
/// An allowed page may send every header, as metadata can have any name, and may read every header
/// of an answer. A page of the server's own origin needs no permission.
///
/// # Examples
///
/// ```
/// use rpc_runtime::{Cors, Server, Wire};
///
/// let cors = Cors::new().allow_origin("https://app.example").allow_credentials();
/// let server = Server::new().accept([Wire::Http]).cors(cors);
/// ```
#[derive(Clone, Debug)]
#[must_use = "it does nothing until a server has it"]
pub struct Cors {
    origins: Vec<String>,
    any_origin: bool,
    credentials: bool,
    max_age: Duration,
}

impl Default for Cors {
    fn default() -> Self {
        Self::new()
    }
}

impl Cors {
    /// Allows no page yet.
    pub fn new() -> Self {
        Self {
            origins: Vec::new(),
            any_origin: false,
            credentials: false,
            max_age: MAX_AGE,
        }
    }

    /// Allows the pages of an origin: scheme, host and, unless it is the scheme's own, port, such as
    /// `https://app.example` or `http://localhost:5173`.
    pub fn allow_origin(mut self, origin: impl Into<String>) -> Self {
        let origin = origin.into();
        self.origins
            .push(origin.trim_end_matches('/').to_ascii_lowercase());
        self
    }

    /// Allows every page of every site, without credentials.
    pub fn allow_any_origin(mut self) -> Self {
        self.any_origin = true;
        self
    }

    /// Lets pages send cookies, certificates and HTTP authentication that the browser has for this
    /// server. A bearer token that the page itself has needs no such permission.
    pub fn allow_credentials(mut self) -> Self {
        self.credentials = true;
        self
    }

    /// Sets how long a browser may remember what is allowed, without asking again; two hours by
    /// default.
    pub fn max_age(mut self, max_age: Duration) -> Self {
        self.max_age = max_age;
        self
    }

    /// Any page could act as whoever looks at it.
    pub(crate) fn check(&self) {
        assert!(
            !(self.any_origin && self.credentials),
            "`allow_credentials` needs the origins that may use them: `allow_origin`"
        );
    }

    /// Returns what to allow a request that came from a page.
    fn allowed(&self, request: &HeaderMap) -> Option<HeaderValue> {
        let origin = request.get(ORIGIN)?;
        if self.any_origin {
            return Some(ANY);
        }
        let is_allowed = |it: &String| it.as_bytes().eq_ignore_ascii_case(origin.as_bytes());
        self.origins.iter().any(is_allowed).then(|| origin.clone())
    }

    /// Says whether a request is the question of a browser, and none of the page.
    pub(super) fn is_preflight(method: &Method, request: &HeaderMap) -> bool {
        method == Method::OPTIONS
            && request.contains_key(ORIGIN)
            && request.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
    }

    /// Returns the headers of the answer to such a question; `None` refuses.
    pub(super) fn preflight(&self, request: &HeaderMap) -> Option<HeaderMap> {
        let mut headers = HeaderMap::new();
        self.put_origin(&mut headers, self.allowed(request)?);
        headers.insert(ACCESS_CONTROL_ALLOW_METHODS, METHODS);
        if let Some(asked) = request.get(ACCESS_CONTROL_REQUEST_HEADERS) {
            headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, asked.clone());
        }
        headers.insert(ACCESS_CONTROL_MAX_AGE, self.max_age.as_secs().into());
        Some(headers)
    }

    /// Returns what a page may be shown of an answer that is not there yet.
    pub(super) fn reader(&self, request: &HeaderMap) -> Reader<'_> {
        Reader {
            cors: self,
            origin: self.allowed(request),
        }
    }

    fn put_origin(&self, headers: &mut HeaderMap, origin: HeaderValue) {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        if self.credentials {
            let credentials = HeaderValue::from_static("true");
            headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, credentials);
        }
    }
}

/// Whoever reads an answer.
pub(super) struct Reader<'a> {
    cors: &'a Cors,
    origin: Option<HeaderValue>,
}

impl Reader<'_> {
    /// Lets the page read an answer, if it may.
    pub(super) fn put(self, headers: &mut HeaderMap) {
        // Caches must not show one origin what another was told.
        headers.append(VARY, HeaderValue::from_static("origin"));
        let Some(origin) = self.origin else {
            return;
        };
        let names: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
        let exposed = HeaderValue::try_from(names.join(", "));
        headers.extend(exposed.map(|it| (ACCESS_CONTROL_EXPOSE_HEADERS, it)));
        self.cors.put_origin(headers, origin);
    }
}
