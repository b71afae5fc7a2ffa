//! How the files of packages become modules.
//!
//! A package that needs no other is a module wherever it is put. Packages that use each other name each other by their
//! places in one tree, so they are loaded as a tree, of which the files here are the inner nodes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use buffa_codegen::idents::escape_mod_ident;
use proc_macro2::TokenStream;
use quote::quote;

use super::{OutputFile, print};

/// The stub that holds every package, which no package can be called.
const ALL: &str = "all-packages";

/// The folder of a package's own files.
pub(crate) fn folder(package: &str) -> PathBuf {
    PathBuf::from(match package {
        "" => "no-package",
        package => package,
    })
}

/// The file that is included to have a package's items: what lies around its own files.
pub(crate) fn expand_stub(package: &str, closure: &BTreeSet<String>) -> Vec<OutputFile> {
    if closure.len() > 1 {
        return expand_tree(package, &folder(package), closure);
    }
    let path = format!("{}/package.rs", folder(package).display());
    let allow = expand_allow();
    let stub = quote! {
        #allow
        #[rustfmt::skip]
        #[path = #path]
        mod __package;
        pub use self::__package::*;
    };
    vec![OutputFile::text(
        format!("{package}.rs"),
        print(stub, &format!("the package `{package}`")),
    )]
}

/// The file that is included to have all packages, each in the modules that its name says.
pub(crate) fn expand_all(packages: &BTreeSet<String>) -> Vec<OutputFile> {
    let mut nodes = Nodes::new("all-packages".into(), packages);
    let mut root = nodes.expand_root();
    root.path = format!("{ALL}.rs").into();
    let mut files = vec![root];
    files.append(&mut nodes.files);
    files
}

fn expand_tree(
    package: &str,
    folder: &std::path::Path,
    closure: &BTreeSet<String>,
) -> Vec<OutputFile> {
    let mut nodes = Nodes::new(folder.to_owned(), closure);
    let mut files = vec![nodes.expand_root()];
    files.append(&mut nodes.files);
    let path = format!("{}/tree.rs", folder.display());
    let allow = expand_allow();
    let segments = package
        .split('.')
        .filter(|segment| !segment.is_empty())
        .map(module_ident);
    let stub = quote! {
        #allow
        #[doc(hidden)]
        #[rustfmt::skip]
        #[path = #path]
        pub mod __schema;
        pub use self::__schema:: #(#segments::)* *;
    };
    files.push(OutputFile::text(
        format!("{package}.rs"),
        print(stub, &format!("the package `{package}`")),
    ));
    files
}

/// The inner nodes of a tree of packages, and the files for them.
struct Nodes<'a> {
    folder: PathBuf,
    packages: &'a BTreeSet<String>,
    files: Vec<OutputFile>,
}

impl<'a> Nodes<'a> {
    fn new(folder: PathBuf, packages: &'a BTreeSet<String>) -> Self {
        Self {
            folder,
            packages,
            files: Vec::new(),
        }
    }

    fn expand_root(&mut self) -> OutputFile {
        let is_all = self.folder.as_os_str() == ALL;
        // The root of all packages lies beside the folders of packages, that of one package in its folder.
        let (up, down) = if is_all {
            ("", "all-packages/tree")
        } else {
            ("../", "tree")
        };
        let body = self.expand_node("", up, down);
        let path = self.folder.join("tree.rs");
        OutputFile::text(path, print(body, "several packages"))
    }

    /// What is in the module of `name`, which is a package, leads to packages, or both.
    fn expand_node(&mut self, name: &str, up: &str, down: &str) -> TokenStream {
        let own = self.packages.contains(name).then(|| {
            let path = format!("{up}{}/package.rs", folder(name).display());
            quote! { include!(#path); }
        });
        let allow = expand_allow();
        let children = self.children(name);
        let children = children.into_iter().map(|(segment, child)| {
            let ident = module_ident(&segment);
            let path = self.expand_child(&child, up, down);
            quote! {
                #allow
                #[rustfmt::skip]
                #[path = #path]
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
            .push(OutputFile::text(path, print(body, "several packages")));
        format!("{down}/{child}.rs")
    }

    /// The next segments below a name, and the names that they lead to.
    fn children(&self, name: &str) -> BTreeMap<String, String> {
        let below = self.packages.iter().filter_map(|package| match name {
            "" => Some(package.as_str()).filter(|package| !package.is_empty()),
            name => package.strip_prefix(name)?.strip_prefix('.'),
        });
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

fn module_ident(segment: &str) -> proc_macro2::Ident {
    let escaped = escape_mod_ident(segment);
    match escaped.strip_prefix("r#") {
        Some(raw) => proc_macro2::Ident::new_raw(raw, proc_macro2::Span::call_site()),
        None => proc_macro2::Ident::new(&escaped, proc_macro2::Span::call_site()),
    }
}

/// Lints are about code that people write.
fn expand_allow() -> TokenStream {
    quote! {
        #[allow(
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
            unreachable_pub,
            unused_imports,
            unused_qualifications,
        )]
    }
}
