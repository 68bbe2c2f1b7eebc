//! What is said of a field, as calls on a `Field`.

use proc_macro2::{Literal, TokenStream};
use quote::quote;
use syn::{
    Ident, Token,
    ext::IdentExt,
    parse::{ParseStream, Parser},
};

use crate::items::{self, Content, Item};

/// The calls for a list of items: `.required().default(…)`.
pub(crate) fn calls(items: &[Item]) -> syn::Result<TokenStream> {
    items.iter().map(call).collect()
}

/// The calls for what stands in parentheses.
fn nested(item: &Item) -> syn::Result<TokenStream> {
    calls(&items::inside(item.list()?.clone())?)
}

fn call(item: &Item) -> syn::Result<TokenStream> {
    match &item.content {
        Content::Flag => flag(item),
        Content::Value(tokens) => value(item, tokens),
        Content::List(tokens) => list(item, tokens),
    }
}

fn flag(item: &Item) -> syn::Result<TokenStream> {
    let rule = |variant: &str| {
        let variant = Ident::new(variant, item.name.span());
        quote!(.rule(::towergate_schema::Rule::#variant))
    };
    Ok(match item.name.to_string().as_str() {
        "required" | "nullable" | "set" | "referenceable" | "encrypted" | "unique" | "auto" | "immutable" => {
            let name = &item.name;
            quote!(.#name())
        }
        "is_regex" => rule("IsRegex"),
        "uuid" => rule("Uuid"),
        "timestamp" => rule("Timestamp"),
        "deprecated" => quote!(.deprecated(::core::default::Default::default())),
        _ => return Err(unknown(item)),
    })
}

fn value(item: &Item, tokens: &TokenStream) -> syn::Result<TokenStream> {
    let json = quote!(::towergate_schema::__private::serde_json::json!(#tokens));
    let rule = |variant: &str, argument: TokenStream| {
        let variant = Ident::new(variant, item.name.span());
        quote!(.rule(::towergate_schema::Rule::#variant(#argument)))
    };
    Ok(match item.name.to_string().as_str() {
        "default" => quote!(.default(#json)),
        "eq" => rule("Eq", json),
        "ne" => rule("Ne", json),
        "contains" => rule("Contains", json),
        "gt" => rule("Gt", float(tokens)),
        "len_eq" => rule("LenEq", tokens.clone()),
        "len_min" => rule("LenMin", tokens.clone()),
        "len_max" => rule("LenMax", tokens.clone()),
        "starts_with" => quote!(.starts_with(#tokens)),
        "pattern" => quote!(.pattern(#tokens, ::core::option::Option::None)),
        "not_pattern" => quote!(.not_pattern(#tokens, ::core::option::Option::None)),
        "custom" => quote!(.custom(#tokens)),
        "message" => quote!(.message(#tokens)),
        "description" => quote!(.describe(#tokens)),
        "foreign" => quote!(.foreign(#tokens)),
        "like" => quote!(.like(#tokens())),
        "kind" => {
            let field = kind(tokens.clone())?;
            quote!(.kind(#field.kind))
        }
        "deprecated" => quote!(.deprecated(::towergate_schema::Deprecation::new(#tokens))),
        _ => return Err(unknown(item)),
    })
}

fn list(item: &Item, tokens: &TokenStream) -> syn::Result<TokenStream> {
    Ok(match item.name.to_string().as_str() {
        name @ ("one_of" | "not_one_of") => {
            let method = Ident::new(name, item.name.span());
            let options = items::values(tokens.clone())?;
            quote!(.#method([#(::towergate_schema::__private::serde_json::json!(#options)),*]))
        }
        "between" => {
            let bounds = items::values(tokens.clone())?;
            let [low, high] = bounds.as_slice() else {
                return Err(item.error("takes two numbers"));
            };
            let (low, high) = (float(low), float(high));
            quote!(.between(#low, #high))
        }
        name @ ("pattern" | "not_pattern") => pattern(item, name, tokens.clone())?,
        name @ ("elements" | "keys" | "values") => {
            let (method, inner) = (Ident::new(name, item.name.span()), nested(item)?);
            quote!(.#method(|field| field #inner))
        }
        "mutually_exclusive_subsets" => {
            let groups = items::values(tokens.clone())?;
            quote!(.rule(::towergate_schema::Rule::ExclusiveSubsets(::std::vec![
                #(::towergate_schema::__private::serde_json::json!(#groups).as_array().cloned().unwrap_or_default()),*
            ])))
        }
        "deprecated" => deprecated(tokens.clone())?,
        _ => return Err(unknown(item)),
    })
}

/// `pattern("^[A-Z]+$", shown = "^%u+$", message = "…")`.
fn pattern(item: &Item, name: &str, tokens: TokenStream) -> syn::Result<TokenStream> {
    let parser = |input: ParseStream<'_>| {
        let expression: syn::LitStr = input.parse()?;
        let rest = if input.is_empty() {
            TokenStream::new()
        } else {
            input.parse::<Token![,]>().and_then(|_| input.parse())?
        };
        Ok((expression, rest))
    };
    let (expression, rest) = parser.parse2(tokens)?;
    let (mut message, mut shown) = (quote!(::core::option::Option::None), None);
    for option in items::inside(rest)? {
        let text = option.text()?;
        match option.name.to_string().as_str() {
            "message" => message = quote!(::core::option::Option::Some(#text)),
            "shown" if name == "pattern" => shown = Some(text),
            _ => {
                return Err(option.error("is not known here: `message` and (of `pattern`) `shown` are"));
            }
        }
    }
    let method = Ident::new(name, item.name.span());
    Ok(match shown {
        Some(shown) => quote!(.pattern_as(#expression, #shown, #message)),
        None => quote!(.#method(#expression, #message)),
    })
}

fn deprecated(tokens: TokenStream) -> syn::Result<TokenStream> {
    let (mut message, mut calls) = (quote!(""), TokenStream::new());
    for option in items::inside(tokens)? {
        let value = option.value()?;
        match option.name.to_string().as_str() {
            "message" => message = value.clone(),
            "removal_in_version" => calls.extend(quote!(.removed_in(#value))),
            "old_default" => {
                calls.extend(quote!(.old_default(::towergate_schema::__private::serde_json::json!(#value))));
            }
            _ => {
                return Err(option.error("is not known here: `message`, `removal_in_version` and `old_default` are"));
            }
        }
    }
    Ok(quote!(.deprecated(::towergate_schema::Deprecation::new(#message) #calls)))
}

/// A `Field` from `string`, `array(string)`, `map(string, integer)` and so on.
pub(crate) fn kind(tokens: TokenStream) -> syn::Result<TokenStream> {
    let parser = |input: ParseStream<'_>| {
        let name = input.call(Ident::parse_any)?;
        if input.is_empty() {
            return Ok((name, None));
        }
        let inside;
        syn::parenthesized!(inside in input);
        Ok((name, Some(inside.parse::<TokenStream>()?)))
    };
    let (name, arguments) = parser.parse2(tokens)?;
    let arguments: Vec<_> = match arguments {
        Some(arguments) => items::values(arguments)?.into_iter().map(kind).collect::<syn::Result<_>>()?,
        None => Vec::new(),
    };
    let wrong = || {
        syn::Error::new(name.span(), "expected string, number, integer, boolean, any, array(…), set(…) or map(…, …)")
    };
    let method = match (name.to_string().as_str(), arguments.len()) {
        ("string" | "number" | "integer" | "boolean" | "any", 0) | ("array", 1) | ("map", 2) => name.clone(),
        ("set", 1) => Ident::new("set_of", name.span()),
        _ => return Err(wrong()),
    };
    Ok(quote!(::towergate_schema::Field::#method(#(#arguments),*)))
}

/// A number as an `f64`.
fn float(tokens: &TokenStream) -> TokenStream {
    let text: String = tokens.to_string().chars().filter(|c| !c.is_whitespace() && *c != '_').collect();
    match text.parse::<f64>() {
        Ok(number) if number < 0.0 => {
            let number = Literal::f64_suffixed(-number);
            quote!(-#number)
        }
        Ok(number) => {
            let number = Literal::f64_suffixed(number);
            quote!(#number)
        }
        Err(_) => quote!((#tokens) as f64),
    }
}

fn unknown(item: &Item) -> syn::Error {
    item.error("is not known here, or not written so")
}
