//! The checked model of a service: all that the generators know.

use proc_macro2::TokenStream;
use syn::ext::IdentExt as _;
use syn::{Ident, Type, Visibility};

use crate::attr::MethodOptions;
use crate::names::CLIENT_FUNCTIONS;

/// A trait that describes a service.
pub(crate) struct Service {
    pub(crate) vis: Visibility,
    pub(crate) ident: Ident,
    pub(crate) client_ident: Ident,
    pub(crate) server_ident: Ident,
    /// The full name on the wire, such as `math.v1.Math`.
    pub(crate) wire_name: String,
    pub(crate) version: Option<String>,
    pub(crate) fingerprint: Option<u64>,
    /// The constant with the descriptors that the trait was generated from.
    pub(crate) descriptors: Option<syn::Path>,
    pub(crate) carried: Carried,
    /// The path to `rpc_runtime::__private`.
    pub(crate) rt: TokenStream,
    pub(crate) codec: TokenStream,
    /// Whether the user has named the codec.
    pub(crate) has_own_codec: bool,
    /// The option `client_trait`, which also asks for `impl Trait for TraitClient`.
    pub(crate) client_trait: Option<Ident>,
    /// The option `mock`, which also asks for a `TraitMock`.
    pub(crate) mock: Option<Ident>,
    pub(crate) methods: Vec<Method>,
    /// A member of the trait could not be understood, so it is not among `methods`.
    pub(crate) has_losses: bool,
    /// The methods that could not be understood.
    pub(crate) lost_methods: Vec<LostMethod>,
    /// The trait itself is of a form that cannot be served (it is generic), so only the names of
    /// client and server are generated, for the sake of the code that uses them.
    pub(crate) is_hollow: bool,
}

impl Service {
    /// The methods to generate code for: those without a mistake, in a trait that can be served.
    pub(crate) fn sound_methods(&self) -> impl Iterator<Item = &Method> {
        let methods = self.methods.iter();
        methods.filter(|method| !method.is_refused && !self.is_hollow)
    }

    /// The methods that there is no code for, by what calls of them look like. Without those that
    /// share their name with one that there is code for.
    pub(crate) fn refused_methods(&self) -> Vec<LostMethod> {
        let refused = self
            .methods
            .iter()
            .filter(|method| method.is_refused || self.is_hollow);
        let refused = refused.map(|method| LostMethod {
            ident: method.ident.clone(),
            params: TokenStream::new(),
            client_args: method
                .client_args()
                .map(|arg| (arg.kind == ArgKind::Value).then(|| arg.ty.clone()))
                .collect(),
            output: Some(method.output.clone()),
        });
        let mut names: Vec<Ident> = self.sound_methods().map(|it| it.ident.unraw()).collect();
        let mut found = Vec::new();
        for method in refused.chain(self.lost_methods.iter().cloned()) {
            let name = method.ident.unraw();
            if !names.contains(&name) && !CLIENT_FUNCTIONS.iter().any(|it| name == it) {
                names.push(name);
                found.push(method);
            }
        }
        found
    }

    /// Whether there is code for every method of the trait.
    pub(crate) fn is_complete(&self) -> bool {
        !self.has_losses && self.methods.iter().all(|method| !method.is_refused)
    }
}

/// A method of which only parts could be understood.
#[derive(Clone)]
pub(crate) struct LostMethod {
    pub(crate) ident: Ident,
    /// Its type parameters and lifetimes, which no method may have.
    pub(crate) params: TokenStream,
    /// What a client passes: the types of values, where a client could have them at all.
    pub(crate) client_args: Vec<Option<Type>>,
    /// What it returns, if that is sound.
    pub(crate) output: Option<Output>,
}

/// A method whose signature could be understood.
pub(crate) struct Method {
    /// Its place among the items of the trait.
    pub(crate) position: usize,
    pub(crate) ident: Ident,
    /// The name on the wire, without that of the service.
    pub(crate) wire_name: String,
    pub(crate) carried: Carried,
    pub(crate) options: MethodOptions,
    pub(crate) args: Vec<Arg>,
    pub(crate) output: Output,
    /// A rule over several methods was broken here: no code is generated for it.
    pub(crate) is_refused: bool,
}

impl Method {
    /// The arguments that travel as one tuple.
    pub(crate) fn values(&self) -> impl Iterator<Item = &Arg> {
        self.args.iter().filter(|arg| arg.kind == ArgKind::Value)
    }

    /// The argument of type `Streaming<T>`; its `ty` is the `T`.
    pub(crate) fn upload(&self) -> Option<&Arg> {
        self.args.iter().find(|arg| arg.kind == ArgKind::Upload)
    }

    /// Whether the method wants to see the `&Context` of its call.
    pub(crate) fn has_context(&self) -> bool {
        self.args.iter().any(|arg| arg.kind == ArgKind::Context)
    }

    /// The arguments that a client passes, in the order of the user.
    pub(crate) fn client_args(&self) -> impl Iterator<Item = &Arg> {
        self.args.iter().filter(|arg| arg.kind != ArgKind::Context)
    }

    /// The name of its `MethodKind`.
    pub(crate) fn kind(&self) -> &'static str {
        match (self.upload().is_some(), self.output.is_stream()) {
            (false, false) => "Unary",
            (false, true) => "ServerStreaming",
            (true, false) => "ClientStreaming",
            (true, true) => "Bidirectional",
        }
    }
}

/// An argument of a method, except `&self`.
pub(crate) struct Arg {
    pub(crate) ident: Ident,
    /// The type of a value, the item of an upload, or `&Context`.
    pub(crate) ty: Type,
    /// The type as the user wrote it.
    pub(crate) written: Type,
    pub(crate) kind: ArgKind,
}

/// How an argument reaches the method.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ArgKind {
    /// As part of the tuple of arguments.
    Value,
    /// As a stream of messages after it.
    Upload,
    /// Not at all: it is made on the server.
    Context,
}

/// What a method gives back.
#[derive(Clone)]
pub(crate) struct Output {
    /// The returned type, or the item of a returned stream.
    pub(crate) ty: Type,
    /// The whole `impl Stream<..>` of a streaming method.
    pub(crate) stream: Option<Type>,
    /// Whether `ty` is a `Result`, going by its name.
    pub(crate) is_fallible: bool,
}

impl Output {
    pub(crate) fn is_stream(&self) -> bool {
        self.stream.is_some()
    }
}

/// What follows a trait or a method into the items generated from it.
#[derive(Default, Clone)]
pub(crate) struct Carried {
    /// The documentation, as attributes.
    pub(crate) docs: TokenStream,
    /// The documentation, as text.
    pub(crate) doc_text: String,
    /// The `#[cfg(..)]` conditions, as attributes.
    pub(crate) cfgs: TokenStream,
    /// `#[deprecated ..]`, as an attribute.
    pub(crate) deprecated: TokenStream,
    /// An attribute names the lint or says it, maybe on a condition.
    pub(crate) mentions_deprecated: bool,
}
