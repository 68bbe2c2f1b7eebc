//! The three shapes a type may have: record, newtype, choice of names.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{DataEnum, DeriveInput, Fields, FieldsNamed, FieldsUnnamed, Generics, ext::IdentExt, parse_quote};

use crate::{checks, described, documentation, items, rules, serde_names};

/// A struct with named fields.
pub(crate) fn record(input: &DeriveInput, fields: &FieldsNamed) -> syn::Result<TokenStream> {
    let style = serde_names::of(&input.attrs)?.rename_all;
    let fields =
        fields.named.iter().map(|field| record_field(field, style.as_deref())).collect::<syn::Result<Vec<_>>>()?;
    let checks = items::of(&input.attrs)?.iter().map(checks::call).collect::<syn::Result<Vec<_>>>()?;
    let description = documentation(&input.attrs).map(|text| quote!(.describe_as(#text)));
    let name = &input.ident;
    let generics = bounded(&input.generics);
    let (implementation, types, conditions) = generics.split_for_impl();
    Ok(quote! {
        #[automatically_derived]
        impl #implementation ::towergate_schema::RecordSchema for #name #types #conditions {
            fn record() -> ::towergate_schema::Record {
                ::towergate_schema::Record::new() #description #(#fields)* #(#checks)*
            }
        }

        #[automatically_derived]
        impl #implementation ::towergate_schema::Schema for #name #types #conditions {
            fn field() -> ::towergate_schema::Field {
                ::towergate_schema::Field::record(<Self as ::towergate_schema::RecordSchema>::record())
            }
        }
    })
}

fn record_field(field: &syn::Field, style: Option<&str>) -> syn::Result<TokenStream> {
    let serde = serde_names::of(&field.attrs)?;
    let mut items = items::of(&field.attrs)?;
    let skipped = items.iter().any(|item| item.name == "skip");
    if skipped || serde.skip {
        return Ok(TokenStream::new());
    }
    let of_type = &field.ty;
    if serde.flatten {
        return Ok(quote!(.flatten(<#of_type as ::towergate_schema::RecordSchema>::record())));
    }
    let ident = field.ident.as_ref().map(|ident| ident.unraw().to_string()).unwrap_or_default();
    let mut name = serde.rename.unwrap_or_else(|| serde_names::restyle(&ident, style));
    if let Some(position) = items.iter().position(|item| item.name == "name") {
        name = items.remove(position).text()?.value();
    }
    let (description, calls) = (described(&field.attrs), rules::calls(&items)?);
    Ok(quote!(.field(#name, <#of_type as ::towergate_schema::Schema>::field() #description #calls)))
}

/// A struct around one value.
pub(crate) fn newtype(input: &DeriveInput, fields: &FieldsUnnamed) -> syn::Result<TokenStream> {
    let Some(field) = fields.unnamed.first() else {
        return Ok(TokenStream::new());
    };
    let mut items = items::of(&input.attrs)?;
    items.extend(items::of(&field.attrs)?);
    let (of_type, calls) = (&field.ty, rules::calls(&items)?);
    Ok(schema(input, &quote!(<#of_type as ::towergate_schema::Schema>::field() #calls)))
}

/// An enum of plain names.
pub(crate) fn choice(input: &DeriveInput, data: &DataEnum) -> syn::Result<TokenStream> {
    let style = serde_names::of(&input.attrs)?.rename_all;
    let mut names = Vec::new();
    for variant in &data.variants {
        if !matches!(variant.fields, Fields::Unit) {
            return Err(syn::Error::new_spanned(
                variant,
                "Schema needs an enum of plain names, without values in them",
            ));
        }
        let serde = serde_names::of(&variant.attrs)?;
        if !serde.skip {
            let name = variant.ident.unraw().to_string();
            names.push(serde.rename.unwrap_or_else(|| serde_names::restyle(&name, style.as_deref())));
        }
    }
    let calls = rules::calls(&items::of(&input.attrs)?)?;
    Ok(schema(input, &quote!(::towergate_schema::Field::string().one_of([#(#names),*]) #calls)))
}

fn schema(input: &DeriveInput, field: &TokenStream) -> TokenStream {
    let name = &input.ident;
    let generics = bounded(&input.generics);
    let (implementation, types, conditions) = generics.split_for_impl();
    quote! {
        #[automatically_derived]
        impl #implementation ::towergate_schema::Schema for #name #types #conditions {
            fn field() -> ::towergate_schema::Field {
                #field
            }
        }
    }
}

/// Type parameters have schemas of their own.
fn bounded(generics: &Generics) -> Generics {
    let mut generics = generics.clone();
    for parameter in generics.type_params_mut() {
        parameter.bounds.push(parse_quote!(::towergate_schema::Schema));
    }
    generics
}
