//! What is said of a whole record, as calls on a `Record`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{LitStr, Token, ext::IdentExt, parse::ParseStream, parse::Parser};

use crate::{
    items::{self, Content, Item},
    rules,
};

/// The calls for one item.
pub(crate) fn call(item: &Item) -> syn::Result<TokenStream> {
    match item.name.to_string().as_str() {
        "owner" => {
            let checks = items::inside(item.list()?.clone())?.iter().map(check).collect::<syn::Result<Vec<_>>>()?;
            Ok(quote!(#(.owner_check(#checks))*))
        }
        "shorthand" => shorthand(item, "path"),
        "shorthand_fn" => shorthand(item, "expand"),
        "description" => {
            let text = item.value()?;
            Ok(quote!(.describe_as(#text)))
        }
        _ => {
            let check = check(item)?;
            Ok(quote!(.check(#check)))
        }
    }
}

/// A `Check`.
fn check(item: &Item) -> syn::Result<TokenStream> {
    let name = &item.name;
    match name.to_string().as_str() {
        "at_least_one_of" | "only_one_of" | "distinct" | "mutually_required" | "mutually_exclusive" => {
            let fields = items::texts(item.list()?.clone())?;
            Ok(quote!(::towergate_schema::Check::#name(&[#(#fields),*])))
        }
        "mutually_exclusive_sets" => {
            let sets = items::values(item.list()?.clone())?;
            let [first, second] = sets.as_slice() else { return Err(item.error("takes two lists: ([…], […])")) };
            Ok(quote!(::towergate_schema::Check::mutually_exclusive_sets(&#first, &#second)))
        }
        "conditional" => conditional(item),
        "conditional_at_least_one_of" => conditional_at_least_one_of(item),
        "custom" => custom(item),
        _ => Err(item.error(
            "is not known here: at_least_one_of, only_one_of, distinct, mutually_required, mutually_exclusive, \
             mutually_exclusive_sets, conditional, conditional_at_least_one_of, custom, owner, shorthand and \
             shorthand_fn are",
        )),
    }
}

/// The parts of a conditional check.
#[derive(Default)]
struct Parts {
    if_field: Option<LitStr>,
    if_match: TokenStream,
    then_field: Option<LitStr>,
    then_match: TokenStream,
    then: Vec<LitStr>,
    message: TokenStream,
}

fn parts(item: &Item) -> syn::Result<Parts> {
    let mut parts = Parts::default();
    for part in items::inside(item.list()?.clone())? {
        match part.name.to_string().as_str() {
            "if_field" => parts.if_field = Some(part.text()?),
            "then_field" => parts.then_field = Some(part.text()?),
            "if_match" => parts.if_match = rules::calls(&items::inside(part.list()?.clone())?)?,
            "then_match" => parts.then_match = rules::calls(&items::inside(part.list()?.clone())?)?,
            "then_at_least_one_of" => parts.then = items::texts(part.list()?.clone())?,
            "then_err" => {
                let text = part.text()?;
                parts.message = quote!(.with_message(#text));
            }
            _ => {
                return Err(part.error(
                    "is not known here: if_field, if_match, then_field, then_match, then_at_least_one_of and \
                     then_err are",
                ));
            }
        }
    }
    Ok(parts)
}

fn conditional(item: &Item) -> syn::Result<TokenStream> {
    let Parts { if_field, if_match, then_field, then_match, message, .. } = parts(item)?;
    let if_field = if_field.ok_or_else(|| item.error("needs `if_field`"))?;
    let then_field = then_field.ok_or_else(|| item.error("needs `then_field`"))?;
    let any = quote!(::towergate_schema::Field::any());
    Ok(quote!(
        ::towergate_schema::Check::conditional(#if_field, #any #if_match, #then_field, #any #then_match) #message
    ))
}

fn conditional_at_least_one_of(item: &Item) -> syn::Result<TokenStream> {
    let Parts { if_field, if_match, then, message, .. } = parts(item)?;
    let if_field = if_field.ok_or_else(|| item.error("needs `if_field`"))?;
    let any = quote!(::towergate_schema::Field::any());
    Ok(quote!(
        ::towergate_schema::Check::conditional_at_least_one_of(#if_field, #any #if_match, &[#(#then),*]) #message
    ))
}

/// `custom = path` or `custom(fields("a", "b"), check = path)`.
fn custom(item: &Item) -> syn::Result<TokenStream> {
    if let Content::Value(path) = &item.content {
        return Ok(quote!(::towergate_schema::Check::custom(&[], #path)));
    }
    let (mut fields, mut check) = (Vec::new(), None);
    for part in items::inside(item.list()?.clone())? {
        match part.name.to_string().as_str() {
            "fields" => fields = items::texts(part.list()?.clone())?,
            "check" => check = Some(part.value()?.clone()),
            _ => return Err(part.error("is not known here: `fields(…)` and `check = …` are")),
        }
    }
    let check = check.ok_or_else(|| item.error("needs `check = …`"))?;
    Ok(quote!(::towergate_schema::Check::custom(&[#(#fields),*], #check)))
}

/// `shorthand("redis_host", path = "redis.host", kind = string, …)`.
fn shorthand(item: &Item, target: &str) -> syn::Result<TokenStream> {
    let parser = |input: ParseStream<'_>| {
        let name: LitStr = input.parse()?;
        input.parse::<Token![,]>()?;
        let _ = input.fork().call(syn::Ident::parse_any)?;
        Ok((name, input.parse::<TokenStream>()?))
    };
    let (name, rest) = parser.parse2(item.list()?.clone())?;
    let (mut goes_to, mut field, mut calls) = (None, None, Vec::new());
    for part in items::inside(rest)? {
        match part.name.to_string().as_str() {
            other if other == target => goes_to = Some(part.value()?.clone()),
            "kind" => field = Some(rules::kind(part.value()?.clone())?),
            _ => calls.push(part),
        }
    }
    let goes_to = goes_to.ok_or_else(|| item.error(&format!("needs `{target} = …`")))?;
    let field = field.ok_or_else(|| item.error("needs `kind = …`"))?;
    let calls = rules::calls(&calls)?;
    let constructor = syn::Ident::new(if target == "path" { "moved" } else { "expanded" }, item.name.span());
    Ok(match target {
        "path" => {
            quote!(.shorthand(::towergate_schema::Shorthand::#constructor(#name, #goes_to, #field #calls)))
        }
        _ => {
            quote!(.shorthand(::towergate_schema::Shorthand::#constructor(#name, #field #calls, #goes_to)))
        }
    })
}
