//! The endpoints of entities: what each place of the table of collections answers.

pub(crate) mod expiry;
mod named;
mod read;
mod write;

use std::sync::Arc;

use axum::{
    extract::Request,
    response::{IntoResponse, Response},
};
use http::{Method, StatusCode};
use serde_json::{Value, json};
use towergate_config::{Catalog, Config, Kind, PluginLookup, Refusal, entities::Entity};

use crate::{
    Admin, ConfigureError,
    answer::{answer, message},
    collections::Place,
    document::Unreadable,
};

pub(crate) use read::of_upstream;

/// Answers a request for a place. `names` are the parameters of its path.
pub(crate) async fn serve(admin: Arc<Admin>, place: Place, names: Vec<String>, request: Request) -> Response {
    let answered = match *request.method() {
        Method::GET | Method::HEAD => read::get(&admin, place, &names, request.uri().query()),
        _ => write::change(admin, place, names, request).await,
    };
    answered.unwrap_or_else(IntoResponse::into_response)
}

/// Why a request is not answered with what was asked for.
#[derive(Debug)]
pub(crate) enum Denied {
    /// In Kong's error object.
    Refused(Refusal),
    /// In a sentence.
    Said(StatusCode, &'static str),
    /// Because of the body.
    Unreadable(Unreadable),
    /// The store does not answer.
    Failed(ConfigureError),
}

impl Denied {
    pub(crate) const NOT_FOUND: Self = Self::Said(StatusCode::NOT_FOUND, "Not found");
}

impl From<Refusal> for Denied {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<Unreadable> for Denied {
    fn from(answer: Unreadable) -> Self {
        Self::Unreadable(answer)
    }
}

impl IntoResponse for Denied {
    fn into_response(self) -> Response {
        match self {
            Self::Refused(refusal) => {
                let status = StatusCode::from_u16(refusal.code.status()).unwrap_or(StatusCode::BAD_REQUEST);
                answer(status, refusal.body())
            }
            Self::Said(status, text) => message(status, text),
            Self::Unreadable(answer) => *answer,
            Self::Failed(error) => {
                tracing::error!("change not made: {error}");
                message(StatusCode::INTERNAL_SERVER_ERROR, "An unexpected error occurred")
            }
        }
    }
}

/// An entity as it is shown: with the old names of a plugin's fields, with the server names of a
/// certificate, with what is left of a credential's time.
pub(crate) fn shown(entity: &dyn Entity, config: &Config, catalog: &dyn Catalog) -> Value {
    let mut shown = entity.to_json();
    let Value::Object(fields) = &mut shown else { return shown };
    match entity.kind() {
        Kind::Plugins => {
            let name = entity.text("name").unwrap_or_default();
            if let (PluginLookup::Known(schema), Some(config)) = (catalog.plugin(name), fields.get_mut("config")) {
                schema.config.show_old_names(config);
            }
        }
        Kind::Certificates => {
            let snis = config.snis.iter().filter(|sni| sni.certificate == entity.id());
            let mut names: Vec<_> = snis.map(|sni| sni.name.as_str()).collect();
            names.sort_unstable();
            fields.insert("snis".to_owned(), json!(names));
        }
        kind if expiry::may_end(kind) => expiry::show(fields),
        _ => {}
    }
    shown
}
