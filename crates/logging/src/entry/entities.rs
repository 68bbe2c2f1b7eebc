//! The entities a request belongs to, as Kong's logs show them.

use serde_json::{Map, Value, json};
use towergate_core::{Consumer, Context, Plan};

use super::{
    WORKSPACE_ID,
    json::{Json, name},
};

/// Route and service of one plan, ready to be written: made once by each worker.
struct Ready(Vec<u8>);

/// The fields `route` and `service`, if there are any.
pub(super) fn write(json: &mut Json<'_>, cx: &Context) {
    let Some(plan) = cx.plan().filter(|plan| plan.route.is_some()) else { return };
    let ready = match plan.observed.get(0, || Ready::of(plan, cx)) {
        Some(ready) => ready,
        None => &Ready::of(plan, cx),
    };
    json.next().raw(&ready.0);
}

impl Ready {
    fn of(plan: &Plan, cx: &Context) -> Self {
        let shown = |text: Option<String>| text.and_then(|text| serde_json::from_str(&text).ok());
        let entities = cx.generation().and_then(|generation| generation.entities.as_ref());
        let mut fields = Map::new();
        if let Some(route) = &plan.route {
            let entity = shown(entities.and_then(|entities| entities.route(route.id)));
            let known = || json!({"id": route.id, "name": route.name});
            fields.insert("route".into(), entity.map_or_else(|| logged(known()), logged));
        }
        if let Some(service) = &plan.service {
            let entity = shown(entities.and_then(|entities| entities.service(service.id)));
            let known = || json!({"id": service.id, "name": service.name, "host": service.host, "port": service.port});
            fields.insert("service".into(), entity.map_or_else(|| logged(known()), logged));
        }
        let text = Value::Object(fields).to_string();
        // Without the braces: they become fields of the entry.
        Self(text.get(1..text.len().saturating_sub(1)).unwrap_or_default().into())
    }
}

/// An entity of the Admin API as the log shows it: without what is null, and with its workspace.
fn logged(entity: Value) -> Value {
    let Value::Object(fields) = entity else { return entity };
    let mut fields: Map<_, _> = fields.into_iter().filter(|(_, value)| !value.is_null()).collect();
    fields.insert("ws_id".into(), WORKSPACE_ID.into());
    Value::Object(fields)
}

/// The fields of a consumer.
pub(super) fn consumer(json: &mut Json<'_>, consumer: &Consumer) {
    json.key(name!("id")).id(consumer.id);
    if let Some(username) = &consumer.username {
        json.key(name!("username")).text(username.as_bytes());
    }
    if let Some(custom_id) = &consumer.custom_id {
        json.key(name!("custom_id")).text(custom_id.as_bytes());
    }
    if consumer.created_at > 0 {
        json.key(name!("created_at")).number(consumer.created_at);
    }
    if consumer.updated_at > 0 {
        json.key(name!("updated_at")).number(consumer.updated_at);
    }
    if !consumer.tags.is_empty() {
        json.key(name!("tags")).array(|json| consumer.tags.iter().for_each(|tag| json.next().text(tag.as_bytes())));
    }
    json.key(name!("ws_id")).plain(WORKSPACE_ID.as_bytes());
}
