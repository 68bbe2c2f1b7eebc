//! `GET /plugins/{plugin}/state`: what a running plugin tells of itself.

use std::sync::Arc;

use axum::{extract::State, response::Response};
use http::StatusCode;
use serde_json::{Value, json};
use towergate_config::entities::Plugin;

use crate::{
    Admin,
    answer::{answer, message},
    in_path::InPath,
};

/// The state of the plugin of this id or instance name: `null` where the plugin has none to tell, or is
/// switched off.
pub(crate) async fn show(State(admin): State<Arc<Admin>>, InPath(named): InPath<String>) -> Response {
    let current = admin.control.current();
    let Some(plugin) = current.config.plugins.iter().find(|plugin| is_called(plugin, &named)) else {
        return message(StatusCode::NOT_FOUND, "Not found");
    };
    let state = current.plugin_state(plugin.id).unwrap_or(Value::Null);
    let (id, name, instance_name) = (plugin.id, &plugin.name, &plugin.instance_name);
    answer(StatusCode::OK, json!({ "id": id, "name": name, "instance_name": instance_name, "state": state }))
}

fn is_called(plugin: &Plugin, name: &str) -> bool {
    plugin.instance_name.as_deref() == Some(name) || name.parse() == Ok(plugin.id)
}
