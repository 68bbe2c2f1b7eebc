//! JSON text to tree, exactly as JSON defines it: YAML would read some of it differently.

use super::fields::Fields;
use super::{Key, Limits, Node, Position, SyntaxError, Value, scalar};

type Parsed<T> = Result<T, SyntaxError>;

/// Reads one JSON value with nothing but white space around it.
pub(super) fn parse(text: &str, limits: &Limits) -> Parsed<Node> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = Reader { text, rest: text, line: 1, column: 1, counted: 0, limits };
    let node = reader.value(0)?;
    reader.skip_space();
    if reader.rest.is_empty() {
        Ok(node)
    } else {
        Err(reader.refuse("something follows after the end of the JSON value"))
    }
}

struct Reader<'a> {
    text: &'a str,
    rest: &'a str,
    line: usize,
    /// The column of the byte at `counted`; kept so that a text on one line is counted only once.
    column: usize,
    counted: usize,
    limits: &'a Limits,
}

impl<'a> Reader<'a> {
    fn value(&mut self, depth: usize) -> Parsed<Node> {
        self.skip_space();
        let at = self.here();
        let value = match self.rest.as_bytes().first() {
            Some(b'{') => self.object(deeper(depth, at, self.limits)?)?,
            Some(b'[') => self.array(deeper(depth, at, self.limits)?)?,
            Some(b'"') => Value::String(self.string()?.into()),
            Some(b'-' | b'0'..=b'9') => self.number()?,
            Some(_) => self.word()?,
            None => return Err(self.refuse("the text ends where a value is expected")),
        };
        Ok(Node { at, value })
    }

    fn object(&mut self, depth: usize) -> Parsed<Value> {
        self.eat(1);
        let mut fields = Fields::default();
        if self.close(b'}') {
            return Ok(Value::Map(Vec::new()));
        }
        loop {
            let key = self.key()?;
            let value = self.value(depth)?;
            fields.add(key, value)?;
            if !self.more(b'}', "',' or '}'")? {
                return Ok(Value::Map(fields.finish()));
            }
        }
    }

    fn key(&mut self) -> Parsed<Key> {
        self.skip_space();
        let at = self.here();
        if !self.rest.starts_with('"') {
            return Err(self.refuse("expected a key in double quotes"));
        }
        let name = self.string()?.into();
        self.skip_space();
        if !self.rest.starts_with(':') {
            return Err(self.refuse("expected ':' after the key"));
        }
        self.eat(1);
        Ok(Key { at, name })
    }

    fn array(&mut self, depth: usize) -> Parsed<Value> {
        self.eat(1);
        let mut items = Vec::new();
        if self.close(b']') {
            return Ok(Value::List(items));
        }
        loop {
            items.push(self.value(depth)?);
            if !self.more(b']', "',' or ']'")? {
                return Ok(Value::List(items));
            }
        }
    }

    fn close(&mut self, bracket: u8) -> bool {
        self.skip_space();
        let closed = self.rest.as_bytes().first() == Some(&bracket);
        if closed {
            self.eat(1);
        }
        closed
    }

    fn more(&mut self, bracket: u8, expected: &str) -> Parsed<bool> {
        self.skip_space();
        match self.rest.as_bytes().first() {
            Some(b',') => {
                self.eat(1);
                Ok(true)
            }
            Some(b) if *b == bracket => {
                self.eat(1);
                Ok(false)
            }
            _ => Err(self.refuse(format!("expected {expected}"))),
        }
    }

    fn string(&mut self) -> Parsed<String> {
        self.eat(1);
        let mut text = String::new();
        loop {
            let plain = self.rest.find(|c: char| c == '"' || c == '\\' || c < ' ').unwrap_or(self.rest.len());
            text.push_str(self.rest.get(..plain).unwrap_or_default());
            self.eat(plain);
            match self.rest.as_bytes().first() {
                Some(b'"') => {
                    self.eat(1);
                    return Ok(text);
                }
                Some(b'\\') => text.push(self.escape()?),
                Some(_) => {
                    return Err(
                        self.refuse("a line break or control character inside a text; write it as \\n or \\u00XX")
                    );
                }
                None => return Err(self.refuse("the text ends inside double quotes")),
            }
        }
    }

    fn escape(&mut self) -> Parsed<char> {
        let letter = self.rest.as_bytes().get(1).copied();
        let plain = match letter {
            Some(c @ (b'"' | b'\\' | b'/')) => char::from(c),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode(),
            _ => return Err(self.refuse("not an escape of JSON")),
        };
        self.eat(2);
        Ok(plain)
    }

    /// `\u0041`, or two of them for a character beyond the first 65,536.
    fn unicode(&mut self) -> Parsed<char> {
        let broken = "not a character: \\u takes four hexadecimal digits, and surrogates come in pairs";
        let Some(first) = self.hex4(0) else {
            return Err(self.refuse(broken));
        };
        if let Some(c) = char::from_u32(first) {
            self.eat(6);
            return Ok(c);
        }
        let pair = self.hex4(6).and_then(|second| {
            let in_range = (0xD800..0xDC00).contains(&first) && (0xDC00..0xE000).contains(&second);
            in_range.then(|| 0x1_0000 + ((first & 0x3FF) << 10) + (second & 0x3FF))
        });
        let Some(c) = pair.and_then(char::from_u32) else {
            return Err(self.refuse(broken));
        };
        self.eat(12);
        Ok(c)
    }

    fn hex4(&self, from: usize) -> Option<u32> {
        let escape = self.rest.get(from..from.checked_add(6)?)?;
        let digits = escape.strip_prefix("\\u")?;
        let hex = digits.bytes().all(|b| b.is_ascii_hexdigit());
        hex.then(|| u32::from_str_radix(digits, 16).ok()).flatten()
    }

    fn number(&mut self) -> Parsed<Value> {
        let end = self.rest.find(|c: char| !(c.is_ascii_digit() || "+-.eE".contains(c))).unwrap_or(self.rest.len());
        let word = self.rest.get(..end).unwrap_or_default();
        if !is_json_number(word) {
            return Err(self.refuse(format!("'{word}' is not a number of JSON")));
        }
        let value = match word.parse::<i64>() {
            Ok(whole) => Value::Int(whole),
            Err(_) => scalar::number(word.parse().unwrap_or(f64::INFINITY)),
        };
        self.eat(end);
        Ok(value)
    }

    fn word(&mut self) -> Parsed<Value> {
        for (word, value) in [("true", Value::Bool(true)), ("false", Value::Bool(false)), ("null", Value::Null)] {
            if self.rest.starts_with(word) {
                self.eat(word.len());
                return Ok(value);
            }
        }
        Err(self.refuse("expected a value of JSON"))
    }

    fn skip_space(&mut self) {
        while let Some(b) = self.rest.as_bytes().first() {
            match b {
                b'\n' => {
                    self.eat(1);
                    self.line = self.line.saturating_add(1);
                    self.column = 1;
                    self.counted = self.offset();
                }
                b' ' | b'\t' | b'\r' => self.eat(1),
                _ => return,
            }
        }
    }

    fn eat(&mut self, bytes: usize) {
        self.rest = self.rest.get(bytes..).unwrap_or_default();
    }

    fn offset(&self) -> usize {
        self.text.len().saturating_sub(self.rest.len())
    }

    fn here(&mut self) -> Position {
        let offset = self.offset();
        let passed = self.text.get(self.counted..offset).unwrap_or_default();
        self.column = self.column.saturating_add(passed.chars().count());
        self.counted = offset;
        Position::new(self.line, self.column)
    }

    fn refuse(&mut self, message: impl Into<String>) -> SyntaxError {
        SyntaxError { at: self.here(), message: message.into() }
    }
}

fn deeper(depth: usize, at: Position, limits: &Limits) -> Parsed<usize> {
    let depth = depth.saturating_add(1);
    limits.check_depth(depth, at)?;
    Ok(depth)
}

fn is_json_number(word: &str) -> bool {
    let unsigned = word.strip_prefix('-').unwrap_or(word);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    digits(whole)
        && (whole == "0" || !whole.starts_with('0'))
        && fraction.is_none_or(digits)
        && exponent.is_none_or(|e| digits(e.strip_prefix(['+', '-']).unwrap_or(e)))
}
