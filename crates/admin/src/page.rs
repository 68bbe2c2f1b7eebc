//! Lists, a page at a time.

use data_encoding::BASE64;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use towergate_config::{Refusal, entities::Entity};
use uuid::Uuid;

use crate::body::pairs;

const USUAL: usize = 100;
const MOST: usize = 1_000;

/// More tags than this are not looked for at once.
const MOST_TAGS: usize = 5;

/// What the query asks of a list.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    pub(crate) size: Option<String>,
    pub(crate) offset: Option<String>,
    pub(crate) tags: Option<String>,
    pub(crate) custom_id: Option<String>,
}

impl Asked {
    /// Of several arguments of a name the first counts.
    pub(crate) fn of(query: Option<&str>) -> Self {
        let mut asked = Self::default();
        for (name, value) in pairs(query.unwrap_or_default().as_bytes()) {
            let place = match name.as_str() {
                "size" => &mut asked.size,
                "offset" => &mut asked.offset,
                "tags" => &mut asked.tags,
                "custom_id" => &mut asked.custom_id,
                _ => continue,
            };
            place.get_or_insert(value);
        }
        asked
    }

    /// How many entities a page has.
    pub(crate) fn size(&self) -> Result<usize, Refusal> {
        let Some(text) = self.size.as_deref().filter(|text| !text.is_empty()) else { return Ok(USUAL) };
        let size: f64 = text.parse().map_err(|_| Refusal::invalid_size("size must be a number"))?;
        let whole = (1..=MOST).contains(&(size as usize)) && size.fract() == 0.0;
        let wrong = || Refusal::invalid_size(&format!("size must be an integer between 1 and {MOST}"));
        if whole { Ok(size as usize) } else { Err(wrong()) }
    }

    /// After which entity the page begins.
    pub(crate) fn last(&self) -> Result<Option<Uuid>, Refusal> {
        let Some(offset) = self.offset.as_deref() else { return Ok(None) };
        let wrong = |why| Refusal::invalid_offset(offset, why);
        let decoded = BASE64.decode(offset.as_bytes()).map_err(|_| wrong("bad base64 encoding"))?;
        let [last]: [Uuid; 1] = serde_json::from_slice(&decoded).map_err(|_| wrong("bad json encoding"))?;
        Ok(Some(last))
    }

    /// Which entities are wanted.
    pub(crate) fn tags(&self) -> Result<Tags, Refusal> {
        let wrong = |why| Refusal::invalid_option("tags", why);
        let Some(text) = &self.tags else { return Ok(Tags::Any) };
        if text.is_empty() {
            return Err(wrong("cannot be null"));
        }
        let separator = if text.contains('/') { '/' } else { ',' };
        let without_last = text.strip_suffix(separator).unwrap_or(text);
        let tags: Vec<String> = without_last.split(separator).map(str::to_owned).collect();
        let is_tag =
            |tag: &String| !tag.is_empty() && tag.bytes().all(|b| matches!(b, b' '..=b'~' | 0x80..) && b != b',');
        if !tags.iter().all(is_tag) {
            return Err(wrong("invalid filter syntax"));
        }
        if tags.len() > MOST_TAGS {
            return Err(wrong("cannot query more than 5 tags"));
        }
        Ok(if separator == '/' { Tags::OneOf(tags) } else { Tags::AllOf(tags) })
    }

    /// The arguments that go with an offset to the next page.
    fn carried(&self) -> String {
        let tags = self.tags.as_ref().map(|tags| format!("&tags={}", escaped(tags))).unwrap_or_default();
        let size = self.size.as_ref().map(|size| format!("&size={}", escaped(size))).unwrap_or_default();
        tags + &size
    }
}

/// Which entities are wanted, by their tags.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Tags {
    Any,
    AllOf(Vec<String>),
    OneOf(Vec<String>),
}

impl Tags {
    pub(crate) fn fit(&self, entity: &dyn Entity) -> bool {
        let has = |tag: &String| entity.tags().contains(tag);
        match self {
            Self::Any => true,
            Self::AllOf(tags) => tags.iter().all(has),
            Self::OneOf(tags) => tags.iter().any(has),
        }
    }
}

/// A page.
pub(crate) struct Page {
    pub(crate) data: Vec<Value>,
    /// What the next page begins with.
    pub(crate) offset: Option<String>,
}

impl Page {
    /// The first of these entities, each as `show` shows it.
    pub(crate) fn of<'a>(
        entities: impl Iterator<Item = &'a dyn Entity>,
        size: usize,
        show: impl Fn(&dyn Entity) -> Value,
    ) -> Self {
        let mut entities = entities.peekable();
        let (mut data, mut last) = (Vec::new(), None);
        while let Some(entity) = entities.next_if(|_| data.len() < size) {
            data.push(show(entity));
            last = Some(entity.id());
        }
        let offset = entities.peek().and(last).map(offset);
        Self { data, offset }
    }

    /// A page of a list by position, as `offset` says.
    pub(crate) fn by_position(data: Vec<Value>, size: usize, asked: &Asked) -> Self {
        let start: usize = asked.offset.as_deref().and_then(|offset| offset.parse().ok()).unwrap_or(0);
        let end = start.saturating_add(size);
        let offset = (end < data.len()).then(|| end.to_string());
        Self { data: data.into_iter().skip(start).take(size).collect(), offset }
    }

    /// Kong's form of it. Only lists that stand alone say their size and tags again.
    pub(crate) fn body(self, path: &str, asked: Option<&Asked>) -> Value {
        let carried = asked.map(Asked::carried).unwrap_or_default();
        let next = self.offset.as_ref().map(|offset| format!("{path}?offset={}{carried}", escaped(offset)));
        let mut body = json!({ "data": self.data, "next": next });
        if let (Some(offset), Value::Object(body)) = (self.offset, &mut body) {
            body.insert("offset".to_owned(), offset.into());
        }
        body
    }
}

fn offset(last: Uuid) -> String {
    BASE64.encode(json!([last]).to_string().as_bytes())
}

/// A text as part of a URL.
pub(crate) fn escaped(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(query: &str) -> Asked {
        Asked::of(Some(query))
    }

    #[test]
    fn tags_are_all_or_one() {
        let all = |tags: &[&str]| Ok(Tags::AllOf(tags.iter().map(|tag| (*tag).to_owned()).collect()));
        let one = |tags: &[&str]| Ok(Tags::OneOf(tags.iter().map(|tag| (*tag).to_owned()).collect()));
        let wrong = |why| Err(Refusal::invalid_option("tags", why));
        for (query, expected) in [
            ("", Ok(Tags::Any)),
            ("tags=a", all(&["a"])),
            ("tags=a,b", all(&["a", "b"])),
            ("tags=a%2Cb+c", all(&["a", "b c"])),
            ("tags=a/b", one(&["a", "b"])),
            ("tags=%C3%A4", all(&["ä"])),
            ("tags=a,", all(&["a"])),
            ("tags=", wrong("cannot be null")),
            ("tags=a,b/c", wrong("invalid filter syntax")),
            ("tags=,a", wrong("invalid filter syntax")),
            ("tags=%07", wrong("invalid filter syntax")),
            ("tags=a,b,c,d,e,f", wrong("cannot query more than 5 tags")),
        ] {
            assert_eq!(asked(query).tags(), expected, "{query}");
        }
    }

    #[test]
    fn sizes_are_between_1_and_1000() {
        let between = "size must be an integer between 1 and 1000";
        for (query, expected) in [
            ("", Ok(100)),
            ("size=1", Ok(1)),
            ("size=1000", Ok(1000)),
            ("size=10.0", Ok(10)),
            ("size=0", Err(between)),
            ("size=1001", Err(between)),
            ("size=-1", Err(between)),
            ("size=1.5", Err(between)),
            ("size=1e300", Err(between)),
            ("size=NaN", Err(between)),
            ("size=x", Err("size must be a number")),
        ] {
            assert_eq!(asked(query).size(), expected.map_err(Refusal::invalid_size), "{query}");
        }
    }

    #[test]
    fn offsets_are_ours() {
        let id = Uuid::from_u128(7);
        assert_eq!(asked(&format!("offset={}", escaped(&offset(id)))).last(), Ok(Some(id)));
        let wrong = asked("offset=x").last().expect_err("a refusal");
        assert_eq!(wrong.message, "'x' is not a valid offset: bad base64 encoding");
    }
}
