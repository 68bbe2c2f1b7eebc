//! An explanation for people.

use std::fmt;

use serde_json::Value;

/// What `POST /explain` answers, as text.
pub(super) struct Explained<'a>(pub(super) &'a Value);

impl fmt::Display for Explained<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = self.0;
        request(f, &all["request"])?;
        let answer = &all["answer"];
        if let Some(status) = answer["status"].as_u64() {
            writeln!(f, "\nAnswer    {status} {}, by the gateway itself", text(&answer["message"]))?;
        }
        route(f, &all["route"])?;
        candidates(f, list(&all["candidates"]))?;
        plugins(f, all)?;
        upstream(f, &all["upstream"])?;
        for note in list(&all["notes"]) {
            writeln!(f, "\nNote      {}", text(note))?;
        }
        Ok(())
    }
}

fn request(f: &mut fmt::Formatter<'_>, request: &Value) -> fmt::Result {
    let query = request["query"].as_str().map_or_else(String::new, |query| format!("?{query}"));
    let (method, scheme, host) = (text(&request["method"]), text(&request["scheme"]), text(&request["host"]));
    writeln!(f, "Request   {method} {scheme}://{host}:{}{}{query}", request["port"], text(&request["path"]))
}

fn route(f: &mut fmt::Formatter<'_>, route: &Value) -> fmt::Result {
    if route.is_null() {
        return writeln!(f, "\nRoute     none matches");
    }
    writeln!(f, "\nRoute     {}", name(route))?;
    for (condition, wanted) in route["conditions"].as_object().into_iter().flatten() {
        writeln!(f, "          {condition}: {}", values(wanted))?;
    }
    if let Some(path) = route["matched_path"].as_str() {
        let stripped = if route["strip_path"] == true { ", which is taken off" } else { "" };
        writeln!(f, "          of the path it matched {path}{stripped}")?;
    }
    Ok(())
}

fn candidates(f: &mut fmt::Formatter<'_>, candidates: &[Value]) -> fmt::Result {
    let mut label = "Compared";
    for candidate in candidates {
        writeln!(
            f,
            "{label:<10}{} ({}): {}",
            text(&candidate["route"]),
            candidate["priority"],
            text(&candidate["why"])
        )?;
        label = "";
    }
    Ok(())
}

fn plugins(f: &mut fmt::Formatter<'_>, all: &Value) -> fmt::Result {
    let running = list(&all["plugins"]);
    let how_many = if running.is_empty() { "none runs" } else { "in the order in which they run" };
    writeln!(f, "\nPlugins   {how_many}")?;
    for (number, plugin) in (1..).zip(running) {
        let instance = plugin["instance_name"].as_str().map_or_else(String::new, |name| format!(" '{name}'"));
        writeln!(
            f,
            "{number:>8}  {}{instance}, for {} (PRIORITY {}, {})",
            text(&plugin["name"]),
            text(&plugin["scope"]),
            plugin["priority"],
            text(&plugin["band"]),
        )?;
        for (field, value) in plugin["set"].as_object().into_iter().flatten() {
            writeln!(f, "            {field}: {}", values(value))?;
        }
    }
    for passed in list(&all["passed_over"]) {
        let (name, scope, why) = (text(&passed["name"]), text(&passed["scope"]), text(&passed["why"]));
        writeln!(f, "       -  {name}, for {scope}, does not apply: {why}")?;
    }
    Ok(())
}

fn upstream(f: &mut fmt::Formatter<'_>, upstream: &Value) -> fmt::Result {
    if upstream.is_null() {
        return Ok(());
    }
    writeln!(f, "\nUpstream  {}", upstream["url"].as_str().unwrap_or("no target takes traffic"))?;
    if let Some(host) = upstream["host_header"].as_str() {
        writeln!(f, "          Host: {host}")?;
    }
    let service = text(&upstream["service"]);
    let Some(entity) = upstream["upstream"].as_str() else {
        return writeln!(f, "          of the service {service}");
    };
    writeln!(f, "          of the service {service}, upstream {entity}, {}", text(&upstream["algorithm"]))?;
    for target in list(&upstream["targets"]) {
        let health = target["health"].as_str().map_or_else(String::new, |health| format!(", {health}"));
        writeln!(f, "          target {}, weight {}{health}", text(&target["target"]), target["weight"])?;
    }
    Ok(())
}

fn name(entity: &Value) -> &str {
    entity["name"].as_str().or_else(|| entity["id"].as_str()).unwrap_or_default()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// Lists of texts without brackets and quotes; all else as JSON.
fn values(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(all) if all.iter().all(Value::is_string) => all.iter().map(text).collect::<Vec<_>>().join(", "),
        value => value.to_string(),
    }
}
