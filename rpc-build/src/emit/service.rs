//! The services of a package: descriptors into a model whose names are Rust's, and what is wrong with our options.

use std::collections::BTreeSet;

use buffa_descriptor::generated::descriptor::{
    FileDescriptorProto, MethodDescriptorProto, ServiceDescriptorProto,
};
use proc_macro2::Ident;

use super::comments::Comments;
use super::errors::resolve_error;
use super::options::{
    ERROR, Idempotency, ONCE, Options, PRIORITY, RESUMABLE, SINCE, TIMEOUT, is_timeout, is_version,
    rust_priority,
};
use super::plan::{Plan, TypeIndex, package_of};
use crate::diagnostic::Diagnostic;
use crate::ident;
use crate::schema::{Locations, Schema};

/// A service, ready to be written.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) ident: Ident,
    /// The full name on the wire.
    pub(crate) wire_name: String,
    pub(crate) comment: String,
    pub(crate) deprecated: bool,
    pub(crate) methods: Vec<Method>,
}

/// One method. Types are named as in descriptors, with a dot first.
#[derive(Debug)]
pub(crate) struct Method {
    pub(crate) ident: Ident,
    pub(crate) wire_name: String,
    pub(crate) comment: String,
    pub(crate) options: Options,
    pub(crate) input: String,
    pub(crate) output: String,
    pub(crate) error: Option<String>,
    pub(crate) takes_stream: bool,
    pub(crate) returns_stream: bool,
}

/// Reads the services of one file.
pub(crate) struct Reader<'a> {
    file: &'a FileDescriptorProto,
    types: &'a TypeIndex<'a>,
    plan: &'a Plan,
    comments: Comments,
    locations: Locations,
    errors: &'a mut Vec<Diagnostic>,
}

/// Where the parts of a file's descriptor are.
const SERVICE: i32 = 6;
const METHOD: i32 = 2;
const METHOD_OPTIONS: i32 = 4;

impl<'a> Reader<'a> {
    pub(crate) fn new(
        schema: &Schema,
        file: &'a FileDescriptorProto,
        types: &'a TypeIndex<'a>,
        plan: &'a Plan,
        errors: &'a mut Vec<Diagnostic>,
    ) -> Self {
        let name = file.name.as_deref().unwrap_or_default();
        Self {
            file,
            types,
            plan,
            comments: Comments::new(file),
            locations: schema.locations(name),
            errors,
        }
    }

    /// The services of the file. `taken` are the names of the package's types.
    pub(crate) fn services(&mut self, taken: &mut BTreeSet<String>) -> Vec<Service> {
        let services = self.file.service.iter().zip(0..);
        services
            .map(|(service, index)| self.service(service, index, taken))
            .collect()
    }

    fn service(
        &mut self,
        service: &ServiceDescriptorProto,
        index: i32,
        taken: &mut BTreeSet<String>,
    ) -> Service {
        let name = service.name.as_deref().unwrap_or_default();
        let wire_name = match self.file.package.as_deref() {
            None | Some("") => name.to_owned(),
            Some(package) => format!("{package}.{name}"),
        };
        let path = [SERVICE, index];
        let mut method_names = BTreeSet::new();
        let methods = service.method.iter().zip(0..);
        let methods = methods
            .map(|(method, at)| {
                self.method(
                    method,
                    &[path[0], path[1], METHOD, at],
                    &wire_name,
                    &mut method_names,
                )
            })
            .collect();
        Service {
            ident: ident::service_ident(name, taken),
            comment: self.comments.text(&path),
            deprecated: service
                .options
                .as_option()
                .and_then(|it| it.deprecated)
                .unwrap_or_default(),
            methods,
            wire_name,
        }
    }

    fn method(
        &mut self,
        method: &MethodDescriptorProto,
        path: &[i32; 4],
        scope: &str,
        taken: &mut BTreeSet<String>,
    ) -> Method {
        let name = method.name.as_deref().unwrap_or_default();
        let options = Options::of(method);
        let takes_stream = method.client_streaming.unwrap_or_default();
        let returns_stream = method.server_streaming.unwrap_or_default();
        self.check_options(&options, path);
        self.check_priority(&options, path);
        self.check_once(&options, takes_stream || returns_stream, path);
        self.check_resumable(&options, returns_stream && !takes_stream, path);
        let error = options
            .error
            .as_deref()
            .and_then(|error| self.error_type(error, scope, path));
        Method {
            ident: ident::method_ident(name, taken),
            wire_name: name.to_owned(),
            comment: self.comments.text(path),
            input: method.input_type.clone().unwrap_or_default(),
            output: method.output_type.clone().unwrap_or_default(),
            takes_stream,
            returns_stream,
            error,
            options,
        }
    }

    /// The rules of `#[rpc(..)]`, so that a mistake is shown where it was made.
    fn check_options(&mut self, options: &Options, path: &[i32; 4]) {
        if let Some(timeout) = options.timeout.as_deref().filter(|text| !is_timeout(text)) {
            let message = format!("the timeout `{timeout}` cannot be read");
            self.report(
                path,
                TIMEOUT,
                message,
                "write a whole number above zero and a unit: `500ms`, `30s`, `5m` or `1h`",
            );
        }
        if let Some(since) = options.since.as_deref().filter(|text| !is_version(text)) {
            let message = format!("the version `{since}` cannot be read");
            self.report(
                path,
                SINCE,
                message,
                "write numbers with dots between them, as in `1.2`",
            );
        }
    }

    fn check_priority(&mut self, options: &Options, path: &[i32; 4]) {
        let Some(priority) = options.priority.as_deref() else {
            return;
        };
        if rust_priority(priority).is_none() {
            let message = format!("there is no priority `{priority}`");
            let help = "write one of `LOW`, `NORMAL`, `HIGH`";
            self.report(path, PRIORITY, message, help);
        }
    }

    /// An answer that is kept is one message, and keeping it says that running twice is not the same.
    fn check_once(&mut self, options: &Options, streams: bool, path: &[i32; 4]) {
        if !options.once {
            return;
        }
        if streams {
            let message =
                "`once` keeps the answer for calls that are made again, which a stream is not";
            self.report(path, ONCE, message.to_owned(), "remove it");
        }
        if options.idempotency != Idempotency::Unknown {
            let message = "`once` is for methods that must not run twice, `idempotency_level` says that this \
                           one may";
            self.report(path, ONCE, message.to_owned(), "remove one of them");
        }
    }

    /// What is kept and given again is a stream of ours; what was read of a caller's is gone.
    fn check_resumable(&mut self, options: &Options, is_download: bool, path: &[i32; 4]) {
        if options.resumable && !is_download {
            let message = "`resumable` lets callers go on with a stream that the method returns, and it can take \
                           none";
            self.report(path, RESUMABLE, message.to_owned(), "remove it");
        }
    }

    fn error_type(&mut self, error: &str, scope: &str, path: &[i32; 4]) -> Option<String> {
        let Some(found) = resolve_error(error, scope, self.types) else {
            let message = format!("there is no message `{error}` for the method to fail with");
            let help = "name a message that the file declares or imports, as a field would";
            self.report(path, ERROR, message, help);
            return None;
        };
        let package = self.types.file_of(&found).map(package_of);
        if !package.is_some_and(|package| self.plan.contains_key(package)) {
            let message = format!("`{error}` is generated elsewhere, where no error is made of it");
            let help = "declare a message of your own, which may have this one as a field";
            self.report(path, ERROR, message, help);
        }
        Some(found)
    }

    fn report(&mut self, method: &[i32; 4], option: i32, message: String, help: &str) {
        let path = [&method[..], &[METHOD_OPTIONS, option]].concat();
        let diagnostic = Diagnostic::error(message)
            .at(self.locations.span(&path), "")
            .help(help);
        self.errors.push(diagnostic);
    }
}
