//! The derive macro of towergate-schema. Its attributes are described there.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Data, DeriveInput, Fields, parse_macro_input, spanned::Spanned};

mod checks;
mod items;
mod rules;
mod serde_names;
mod shapes;

/// Derives `Schema` for a struct, a newtype or an enum of plain names, and `RecordSchema` for a struct.
///
/// The attributes are described in the documentation of the `towergate-schema` crate.
#[proc_macro_derive(Schema, attributes(schema))]
pub fn derive_schema(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    expand(&input).unwrap_or_else(|error| error.to_compile_error()).into()
}

fn expand(input: &DeriveInput) -> syn::Result<TokenStream> {
    match &input.data {
        Data::Struct(data) => match &data.fields {
            Fields::Named(fields) => shapes::record(input, fields),
            Fields::Unnamed(fields) if fields.unnamed.len() == 1 => shapes::newtype(input, fields),
            other => Err(syn::Error::new(other.span(), "Schema needs named fields, or exactly one without a name")),
        },
        Data::Enum(data) => shapes::choice(input, data),
        Data::Union(data) => Err(syn::Error::new(data.union_token.span(), "Schema cannot be derived for unions")),
    }
}

/// The documentation comment, its lines joined, its paragraphs kept apart.
fn documentation(attributes: &[syn::Attribute]) -> Option<String> {
    let mut text = String::new();
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("doc")) {
        let syn::Meta::NameValue(meta) = &attribute.meta else {
            continue;
        };
        let syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(line), .. }) = &meta.value else {
            continue;
        };
        let line = line.value();
        match line.trim() {
            "" if text.is_empty() => {}
            "" => text.push_str("\n\n"),
            line => {
                if !text.is_empty() && !text.ends_with('\n') {
                    text.push(' ');
                }
                text.push_str(line);
            }
        }
    }
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// `.describe("…")`, if there is a documentation comment.
fn described(attributes: &[syn::Attribute]) -> TokenStream {
    documentation(attributes).map(|text| quote!(.describe(#text))).unwrap_or_default()
}
