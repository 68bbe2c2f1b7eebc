//! What Rust types are in Kong's schema language.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    hash::BuildHasher,
    num::{NonZeroU8, NonZeroU16, NonZeroU32, NonZeroU64, NonZeroUsize},
    sync::Arc,
};

use serde_json::{Map, Value};
use uuid::Uuid;

use crate::{
    field::{Bounds, Field, Kind},
    record::Record,
    rule::Rule,
};

/// A Rust type that Kong's schema language can tell of. Derive it.
pub trait Schema {
    /// The type with its rules.
    fn field() -> Field;

    /// The type alone.
    #[must_use]
    fn schema() -> Kind {
        Self::field().kind
    }
}

/// A struct with named fields. Derived together with [`Schema`].
pub trait RecordSchema: Schema {
    /// Its fields and checks. Building it compiles patterns: keep it.
    fn record() -> Record;
}

/// The record of a type: `towergate_schema::record::<KeyAuthConfig>()`.
#[must_use]
pub fn record<T: RecordSchema>() -> Record {
    T::record()
}

macro_rules! plain {
    ($($type:ty => $field:expr;)*) => {
        $(impl Schema for $type {
            fn field() -> Field {
                $field
            }
        })*
    };
}

plain! {
    String => Field::string();
    Box<str> => Field::string();
    Arc<str> => Field::string();
    Cow<'_, str> => Field::string();
    bool => Field::boolean();
    f32 => Field::number();
    f64 => Field::number();
    Uuid => Field::string().rule(Rule::Uuid);
    Value => Field::any();
    Map<String, Value> => Field::map(Field::string(), Field::any());
}

macro_rules! integers {
    ($($type:ty),*) => {
        $(impl Schema for $type {
            fn field() -> Field {
                Field::new(Kind::Integer(Bounds { min: <$type>::MIN as i128, max: <$type>::MAX as i128 }))
            }
        })*
    };
}

integers!(i8, i16, i32, i64, isize, u8, u16, u32, u64, usize);

macro_rules! non_zero {
    ($($type:ty),*) => {
        $(impl Schema for $type {
            fn field() -> Field {
                Field::new(Kind::Integer(Bounds { min: <$type>::MIN.get() as i128, max: <$type>::MAX.get() as i128 }))
            }
        })*
    };
}

non_zero!(NonZeroU8, NonZeroU16, NonZeroU32, NonZeroU64, NonZeroUsize);

/// May be null.
impl<T: Schema> Schema for Option<T> {
    fn field() -> Field {
        T::field().nullable()
    }
}

impl<T: Schema> Schema for Box<T> {
    fn field() -> Field {
        T::field()
    }
}

impl<T: Schema> Schema for Arc<T> {
    fn field() -> Field {
        T::field()
    }
}

impl<T: Schema> Schema for Vec<T> {
    fn field() -> Field {
        Field::array(T::field())
    }
}

impl<T: Schema> Schema for BTreeSet<T> {
    fn field() -> Field {
        Field::set_of(T::field())
    }
}

impl<T: Schema, S: BuildHasher> Schema for HashSet<T, S> {
    fn field() -> Field {
        Field::set_of(T::field())
    }
}

impl<K: Schema, V: Schema> Schema for BTreeMap<K, V> {
    fn field() -> Field {
        Field::map(K::field(), V::field())
    }
}

impl<K: Schema, V: Schema, S: BuildHasher> Schema for HashMap<K, V, S> {
    fn field() -> Field {
        Field::map(K::field(), V::field())
    }
}
