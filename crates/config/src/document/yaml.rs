//! YAML text to tree. The only file that knows the YAML library.
//!
//! The library's events say where each value stands and whether it was quoted; aliases, merge
//! keys, duplicate keys and the bounds are handled here.

use std::collections::HashMap;

use granit_parser::{Event, Parser, ScalarStyle, ScanError, Span, StrInput, Tag};

use super::fields::Fields;
use super::{Key, Limits, Node, Position, SyntaxError, Value, scalar};

type Parsed<T> = Result<T, SyntaxError>;

/// Reads one YAML document. An empty text is `null`.
pub(super) fn parse(text: &str, limits: &Limits) -> Parsed<Node> {
    let options = granit_parser::options! {
        block_nesting_limit: limits.max_depth.saturating_add(1),
        flow_nesting_limit: limits.max_depth.saturating_add(1),
        emit_comments: false,
    };
    let mut builder = Builder {
        events: Parser::new_from_str_with_options(text, options),
        limits,
        anchors: HashMap::new(),
        alias_values_left: limits.alias_budget(text.len()),
        depth: 0,
    };
    builder.stream()
}

struct Builder<'a> {
    events: Parser<'a, StrInput<'a>>,
    limits: &'a Limits,
    /// Finished anchored values with their weight. One that is still being read is not here yet,
    /// so that nothing can contain itself.
    anchors: HashMap<usize, (Node, usize)>,
    alias_values_left: usize,
    depth: usize,
}

impl<'a> Builder<'a> {
    fn stream(&mut self) -> Parsed<Node> {
        let mut document = None;
        loop {
            let (event, at) = self.next()?;
            match event {
                Event::StreamEnd => break,
                Event::StreamStart | Event::DocumentStart(..) | Event::DocumentEnd => {}
                event => {
                    let node = self.node(event, at)?;
                    match document {
                        None => document = Some(node),
                        Some(_) if node.is_null() => {}
                        Some(_) => {
                            return Err(refuse(at, "a second YAML document begins here; put everything into one"));
                        }
                    }
                }
            }
        }
        Ok(document.unwrap_or(Node { at: Position::new(1, 1), value: Value::Null }))
    }

    fn next(&mut self) -> Parsed<(Event<'a>, Position)> {
        match self.events.next_event() {
            Some(Ok((event, span))) => Ok((event, start(&span))),
            Some(Err(error)) => Err(self.explain(&error)),
            None => Ok((Event::StreamEnd, Position::default())),
        }
    }

    fn explain(&self, error: &ScanError) -> SyntaxError {
        use granit_parser::ErrorKind;
        let at = Position::new(error.marker().line(), error.marker().col().saturating_add(1));
        match error.kind() {
            ErrorKind::RecursionLimitExceeded => {
                refuse(at, format!("nested more than {} levels deep", self.limits.max_depth))
            }
            kind => refuse(at, kind.to_string()),
        }
    }

    fn node(&mut self, event: Event<'a>, at: Position) -> Parsed<Node> {
        match event {
            Event::Scalar(word, style, anchor, tag) => {
                let value = scalar_value(&word, style, tag.as_deref(), at)?;
                Ok(self.remember(anchor, Node { at, value }))
            }
            Event::SequenceStart(_, anchor, _) => {
                let value = self.nested(at, Self::list)?;
                Ok(self.remember(anchor, Node { at, value }))
            }
            Event::MappingStart(_, anchor, _) => {
                let value = self.nested(at, Self::map)?;
                Ok(self.remember(anchor, Node { at, value }))
            }
            Event::Alias(anchor) => self.alias(anchor, at),
            _ => Err(refuse(at, "expected a value")),
        }
    }

    fn nested(&mut self, at: Position, read: fn(&mut Self) -> Parsed<Value>) -> Parsed<Value> {
        self.depth = self.depth.saturating_add(1);
        self.limits.check_depth(self.depth, at)?;
        let value = read(self)?;
        self.depth = self.depth.saturating_sub(1);
        Ok(value)
    }

    fn list(&mut self) -> Parsed<Value> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(Value::List(items)),
                (event, at) => items.push(self.node(event, at)?),
            }
        }
    }

    fn map(&mut self) -> Parsed<Value> {
        let mut fields = Fields::default();
        let mut merged = Vec::new();
        loop {
            let (event, at) = self.next()?;
            if event == Event::MappingEnd {
                return Ok(Value::Map(fields.merge(merged)?));
            }
            let key = self.key(event, at)?;
            let (event, at) = self.next()?;
            let value = self.node(event, at)?;
            match &*key.name {
                "<<" => merged.push(value),
                _ => fields.add(key, value)?,
            }
        }
    }

    fn key(&mut self, event: Event<'a>, at: Position) -> Parsed<Key> {
        match event {
            Event::Scalar(word, _, anchor, _) => {
                self.remember(anchor, Node { at, value: Value::String((&*word).into()) });
                Ok(Key { at, name: (&*word).into() })
            }
            Event::Alias(anchor) => match self.alias(anchor, at)?.value {
                Value::String(name) => Ok(Key { at, name }),
                _ => Err(refuse(at, "a key must be a plain text")),
            },
            _ => Err(refuse(at, "a key must be a plain text, not a list or a mapping")),
        }
    }

    fn remember(&mut self, anchor: usize, node: Node) -> Node {
        if anchor != 0 {
            let weight = weight(&node);
            self.anchors.insert(anchor, (node.clone(), weight));
        }
        node
    }

    fn alias(&mut self, anchor: usize, at: Position) -> Parsed<Node> {
        let Some((node, weight)) = self.anchors.get(&anchor) else {
            return Err(refuse(at, "this alias stands inside the value it refers to"));
        };
        self.alias_values_left = self.alias_values_left.checked_sub(*weight).ok_or_else(|| {
            refuse(at, "the aliases of this text expand to far more values than it has itself; write the values out")
        })?;
        Ok(node.clone())
    }
}

fn scalar_value(word: &str, style: ScalarStyle, tag: Option<&Tag>, at: Position) -> Parsed<Value> {
    if let Some(tag) = tag.and_then(Tag::core_suffix) {
        return scalar::tagged(tag, word).ok_or_else(|| refuse(at, format!("'{word}' is not a value of type !!{tag}")));
    }
    Ok(match style {
        ScalarStyle::Plain => scalar::plain(word),
        _ => Value::String(word.into()),
    })
}

/// How much a copy of `node` costs: one for each value and for every 32 bytes of text.
fn weight(node: &Node) -> usize {
    let own = match &node.value {
        Value::String(text) => text.len() / 32,
        Value::List(items) => items.iter().map(weight).fold(0, usize::saturating_add),
        Value::Map(fields) => fields
            .iter()
            .map(|(key, value)| weight(value).saturating_add(key.name.len() / 32))
            .fold(0, usize::saturating_add),
        _ => 0,
    };
    own.saturating_add(1)
}

fn start(span: &Span) -> Position {
    Position::new(span.start.line(), span.start.col().saturating_add(1))
}

fn refuse(at: Position, message: impl Into<String>) -> SyntaxError {
    SyntaxError { at, message: message.into() }
}
