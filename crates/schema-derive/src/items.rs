//! Reading `#[schema(…)]`: a list of `name`, `name = value` and `name(…)`.

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::{
    Attribute, Ident, LitStr, Token,
    ext::IdentExt,
    parse::{Parse, ParseStream, Parser},
    punctuated::Punctuated,
};

/// One item.
pub(crate) struct Item {
    pub(crate) name: Ident,
    pub(crate) content: Content,
}

/// What follows its name.
pub(crate) enum Content {
    /// Nothing.
    Flag,
    /// `= value`.
    Value(TokenStream),
    /// `(…)`.
    List(TokenStream),
}

/// The items of all `#[schema(…)]` of something.
pub(crate) fn of(attributes: &[Attribute]) -> syn::Result<Vec<Item>> {
    let mut items = Vec::new();
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("schema")) {
        items.extend(attribute.parse_args_with(Punctuated::<Item, Token![,]>::parse_terminated)?);
    }
    Ok(items)
}

/// The items inside parentheses.
pub(crate) fn inside(tokens: TokenStream) -> syn::Result<Vec<Item>> {
    Ok(Punctuated::<Item, Token![,]>::parse_terminated.parse2(tokens)?.into_iter().collect())
}

impl Parse for Item {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let name = input.call(Ident::parse_any)?;
        let content = if input.peek(Token![=]) {
            input.parse::<Token![=]>()?;
            Content::Value(until_comma(input)?)
        } else if input.peek(syn::token::Paren) {
            let inside;
            syn::parenthesized!(inside in input);
            Content::List(inside.parse()?)
        } else {
            Content::Flag
        };
        Ok(Self { name, content })
    }
}

fn until_comma(input: ParseStream<'_>) -> syn::Result<TokenStream> {
    let mut tokens = TokenStream::new();
    while !input.is_empty() && !input.peek(Token![,]) {
        input.parse::<TokenTree>()?.to_tokens(&mut tokens);
    }
    if tokens.is_empty() { Err(input.error("expected a value")) } else { Ok(tokens) }
}

/// Values between commas.
pub(crate) fn values(tokens: TokenStream) -> syn::Result<Vec<TokenStream>> {
    let parser = |input: ParseStream<'_>| Punctuated::<_, Token![,]>::parse_terminated_with(input, until_comma);
    Ok(parser.parse2(tokens)?.into_iter().collect())
}

/// Texts between commas.
pub(crate) fn texts(tokens: TokenStream) -> syn::Result<Vec<LitStr>> {
    Ok(Punctuated::<LitStr, Token![,]>::parse_terminated.parse2(tokens)?.into_iter().collect())
}

impl Item {
    /// The value after `=`.
    pub(crate) fn value(&self) -> syn::Result<&TokenStream> {
        match &self.content {
            Content::Value(tokens) => Ok(tokens),
            _ => Err(self.error("is written with a value: `name = value`")),
        }
    }

    /// What is inside the parentheses.
    pub(crate) fn list(&self) -> syn::Result<&TokenStream> {
        match &self.content {
            Content::List(tokens) => Ok(tokens),
            _ => Err(self.error("is written with parentheses: `name(…)`")),
        }
    }

    /// The text after `=`.
    pub(crate) fn text(&self) -> syn::Result<LitStr> {
        syn::parse2(self.value()?.clone())
    }

    /// Something wrong with this item.
    pub(crate) fn error(&self, message: &str) -> syn::Error {
        syn::Error::new(self.name.span(), format!("`{}` {message}", self.name))
    }
}
