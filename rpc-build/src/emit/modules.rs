//! How the files of packages become modules.
//!
//! A package that needs no other is a module wherever it is put. Packages that use each other name each other by their
//! places in one tree, so they are loaded as a tree, of which the files here are the inner nodes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use buffa_codegen::idents::escape_mod_ident;
use proc_macro2::{Ident, Span, TokenStream};
use quote::quote;

use super::names::below;
use super::{OutputFile, print};

/// The stub that holds every package, which no package can be called.
const ALL: &str = "all-packages";

/// The folder of a package's own files.
pub(crate) fn folder(package: &str) -> PathBuf {
    // `a.rs` is the stub of the package `a`.
    let is_stub = package.rsplit('.').next();
    let is_stub = is_stub.is_some_and(|last| last.eq_ignore_ascii_case("rs"));
    PathBuf::from(match package {
        "" => "no-package".to_owned(),
        package if is_stub => format!("{package}-package"),
        package => package.to_owned(),
    })
}

/// The file that is included to have a package's items: what lies around its own files.
pub(crate) fn expand_stub(package: &str, closure: &BTreeSet<String>) -> Vec<OutputFile> {
    let source = format!("the package `{package}`");
    if closure.len() > 1 {
        let segments = package.split('.').filter(|segment| !segment.is_empty());
        let segments: Vec<Ident> = segments.map(module_ident).collect();
        return expand_tree(package, &folder(package), closure, &segments, &source);
    }
    let path = format!("{}/package.rs", folder(package).display());
    let module = expand_module(&path);
    let stub = quote! {
        #module
        mod __package;
        #[allow(unreachable_pub, unused_imports)]
        pub use self::__package::*;
    };
    vec![OutputFile::text(
        format!("{package}.rs"),
        print(stub, &source),
    )]
}

/// The file that is included to have all packages, each in the modules that its name says.
pub(crate) fn expand_all(packages: &BTreeSet<String>) -> Vec<OutputFile> {
    expand_tree(ALL, Path::new(ALL), packages, &[], "all packages")
}

/// A tree of packages, and the stub that shows what is in one of its modules.
fn expand_tree(
    name: &str,
    folder: &Path,
    packages: &BTreeSet<String>,
    shown: &[Ident],
    source: &str,
) -> Vec<OutputFile> {
    let mut nodes = Nodes {
        folder,
        packages,
        source,
        files: Vec::new(),
    };
    let root = nodes.expand_node("", "../", "tree");
    let mut files = nodes.files;
    files.push(OutputFile::text(
        folder.join("tree.rs"),
        print(root, source),
    ));
    let path = format!("{}/tree.rs", folder.display());
    let module = expand_module(&path);
    let stub = quote! {
        #module
        #[doc(hidden)]
        pub mod __schema;
        #[allow(unreachable_pub, unused_imports)]
        pub use self::__schema:: #(#shown::)* *;
    };
    files.push(OutputFile::text(format!("{name}.rs"), print(stub, source)));
    files
}

/// The inner nodes of a tree of packages, and the files for them.
struct Nodes<'a> {
    folder: &'a Path,
    packages: &'a BTreeSet<String>,
    source: &'a str,
    files: Vec<OutputFile>,
}

impl Nodes<'_> {
    /// What is in the module of `name`, which is a package, leads to packages, or both.
    fn expand_node(&mut self, name: &str, up: &str, down: &str) -> TokenStream {
        let own = self.packages.contains(name).then(|| {
            let path = format!("{up}{}/package.rs", folder(name).display());
            quote! { include!(#path); }
        });
        let children = self.children(name);
        let children = children.into_iter().map(|(segment, child)| {
            let ident = module_ident(&segment);
            let module = expand_module(&self.expand_child(&child, up, down));
            quote! {
                #module
                pub mod #ident;
            }
        });
        let children: TokenStream = children.collect();
        quote! { #own #children }
    }

    /// The path of a child's module, as seen from its parent.
    fn expand_child(&mut self, child: &str, up: &str, down: &str) -> String {
        if self.packages.contains(child) && self.children(child).is_empty() {
            return format!("{up}{}/package.rs", folder(child).display());
        }
        let body = self.expand_node(child, "../../", ".");
        let path = self.folder.join(format!("tree/{child}.rs"));
        self.files
            .push(OutputFile::text(path, print(body, self.source)));
        format!("{down}/{child}.rs")
    }

    /// The next segments below a name, and the names that they lead to.
    fn children(&self, name: &str) -> BTreeMap<String, String> {
        let below = below(name, self.packages);
        let segments = below.filter_map(|rest| rest.split('.').next());
        let child = |segment: &str| match name {
            "" => segment.to_owned(),
            name => format!("{name}.{segment}"),
        };
        segments
            .map(|segment| (segment.to_owned(), child(segment)))
            .collect()
    }
}

fn module_ident(segment: &str) -> Ident {
    let escaped = escape_mod_ident(segment);
    match escaped.strip_prefix("r#") {
        Some(raw) => Ident::new_raw(raw, Span::call_site()),
        None => Ident::new(&escaped, Span::call_site()),
    }
}

/// What stands before a module: where it is, and that neither lints nor the formatter are to look at what nobody wrote.
fn expand_module(path: &str) -> TokenStream {
    quote! {
        #[allow(
            bindings_with_variant_name,
            clippy::all,
            clippy::nursery,
            clippy::pedantic,
            clippy::restriction,
            dead_code,
            deprecated,
            missing_debug_implementations,
            missing_docs,
            non_camel_case_types,
            non_snake_case,
            rustdoc::all,
            unreachable_patterns,
            unreachable_pub,
            unused_imports,
            unused_qualifications,
        )]
        #[rustfmt::skip]
        #[path = #path]
    }
}
