//! Every endpoint and method that an open-source Kong 3.9.3 answers, as its sources make them
//! (`kong/api/endpoints.lua`, `kong/api/routes`, the plugins' `daos.lua` and `api.lua`).

use std::collections::BTreeMap;

use crate::api::Api;

/// Path, name of the parameter, path below a parent, and the parents: field, their path, their parameter.
type Entity = (&'static str, &'static str, &'static str, &'static [(&'static str, &'static str, &'static str)]);

const CERTIFICATE: (&str, &str, &str) = ("client_certificate", "certificates", "certificates");
const CONSUMER: (&str, &str, &str) = ("consumer", "consumers", "consumers");
const ROUTE: (&str, &str, &str) = ("route", "routes", "routes");
const SERVICE: (&str, &str, &str) = ("service", "services", "services");

/// What Kong generates endpoints for.
const ENTITIES: &[Entity] = &[
    ("services", "services", "services", &[CERTIFICATE]),
    ("routes", "routes", "routes", &[SERVICE]),
    ("consumers", "consumers", "consumers", &[]),
    ("plugins", "plugins", "plugins", &[ROUTE, SERVICE, CONSUMER]),
    ("certificates", "certificates", "certificates", &[]),
    ("ca_certificates", "ca_certificates", "ca_certificates", &[]),
    ("snis", "snis", "snis", &[("certificate", "certificates", "certificates")]),
    ("upstreams", "upstreams", "upstreams", &[CERTIFICATE]),
    ("targets", "targets", "targets", &[("upstream", "upstreams", "upstreams")]),
    ("vaults", "vaults", "vaults", &[]),
    ("key-sets", "key_sets", "key-sets", &[]),
    ("keys", "keys", "keys", &[("set", "key-sets", "key_sets")]),
    ("acls", "acls", "acls", &[CONSUMER]),
    ("basic-auths", "basicauth_credentials", "basic-auth", &[CONSUMER]),
    ("hmac-auths", "hmacauth_credentials", "hmac-auth", &[CONSUMER]),
    ("jwts", "jwt_secrets", "jwt", &[CONSUMER]),
    ("key-auths", "keyauth_credentials", "key-auth", &[CONSUMER]),
    ("oauth2", "oauth2_credentials", "oauth2", &[CONSUMER]),
    ("oauth2_tokens", "oauth2_tokens", "oauth2_tokens", &[SERVICE, ("credential", "oauth2", "oauth2_credentials")]),
];

/// What Kong switches off of these, or writes by hand for reading alone.
const NOT: &[&str] = &["/targets", "/targets/{targets}", "/targets/{targets}/upstream", "/snis/{snis}/certificate"];

/// What Kong has beside them.
const OTHERS: &[(&str, &str)] = &[
    ("/", "GET"),
    ("/cache", "DELETE"),
    ("/cache/{key}", "DELETE GET"),
    ("/clustering/data-planes", "GET"),
    ("/clustering/status", "GET"),
    ("/config", "GET POST"),
    ("/debug/cluster/log-level/{level}", "PUT"),
    ("/debug/node/log-level", "GET"),
    ("/debug/node/log-level/{level}", "PUT"),
    ("/endpoints", "GET"),
    // Of filters only what is answered without WebAssembly: that there are none.
    ("/filter-chains", "GET"),
    ("/filter-chains/{filter_chains}", "GET"),
    ("/filter-chains/{filter_chains}/route", "GET"),
    ("/filter-chains/{filter_chains}/service", "GET"),
    ("/metrics", "GET"),
    ("/plugins/enabled", "GET"),
    ("/plugins/schema/{name}", "GET"),
    ("/proxy-cache", "DELETE"),
    ("/proxy-cache/{key}", "DELETE GET"),
    ("/proxy-cache/{plugins}/caches/{key}", "DELETE GET"),
    ("/routes/{routes}/filter-chains", "GET"),
    ("/routes/{routes}/filter-chains/{filter_chains}", "GET"),
    ("/routes/{routes}/filters/all", "GET"),
    ("/routes/{routes}/filters/disabled", "GET"),
    ("/routes/{routes}/filters/enabled", "GET"),
    ("/schemas/filters/{name}", "GET"),
    ("/schemas/plugins/validate", "POST"),
    ("/schemas/plugins/{name}", "GET"),
    ("/schemas/vaults/validate", "POST"),
    ("/schemas/vaults/{name}", "GET"),
    ("/schemas/{name}", "GET"),
    ("/schemas/{name}/validate", "POST"),
    ("/services/{services}/filter-chains", "GET"),
    ("/services/{services}/filter-chains/{filter_chains}", "GET"),
    ("/status", "GET"),
    ("/status/dns", "GET"),
    ("/tags", "GET"),
    ("/tags/{tags}", "GET"),
    ("/timers", "GET"),
    ("/upstreams/{upstreams}/health", "GET"),
    ("/upstreams/{upstreams}/targets/all", "GET"),
    ("/upstreams/{upstreams}/targets/{targets}/healthy", "PUT"),
    ("/upstreams/{upstreams}/targets/{targets}/unhealthy", "PUT"),
    ("/upstreams/{upstreams}/targets/{targets}/{address}/healthy", "PUT"),
    ("/upstreams/{upstreams}/targets/{targets}/{address}/unhealthy", "PUT"),
];

/// What ours has beside Kong's.
const OURS: &[(&str, &str)] = &[
    ("/consumer_groups", "GET POST"),
    ("/consumer_groups/{consumer_groups}", "DELETE GET PATCH PUT"),
    ("/consumer_groups/{consumer_groups}/consumers", "DELETE GET POST"),
    ("/consumer_groups/{consumer_groups}/consumers/{consumers}", "DELETE GET"),
    ("/consumer_groups/{consumer_groups}/plugins", "GET POST"),
    ("/consumer_groups/{consumer_groups}/plugins/{plugins}", "DELETE GET PATCH PUT"),
    ("/consumers/{consumers}/consumer_groups", "DELETE GET POST"),
    ("/consumers/{consumers}/consumer_groups/{consumer_groups}", "DELETE GET"),
    ("/explain", "POST"),
    ("/openapi.json", "GET"),
    ("/plugins/{plugins}/consumer_group", "DELETE GET PATCH PUT"),
    ("/plugins/{plugins}/state", "GET"),
    // Kong's nginx answers it, beside its router.
    ("/robots.txt", "GET"),
];

/// Kong's endpoints, each with its methods.
fn expected() -> BTreeMap<String, &'static str> {
    const LIST: &str = "GET POST";
    const ONE: &str = "DELETE GET PATCH PUT";
    let mut all = BTreeMap::new();
    for (path, name, nested, parents) in ENTITIES {
        all.insert(format!("/{path}"), LIST);
        all.insert(format!("/{path}/{{{name}}}"), ONE);
        for (field, of, parameter) in *parents {
            all.insert(format!("/{path}/{{{name}}}/{field}"), ONE);
            all.insert(format!("/{of}/{{{parameter}}}/{nested}"), LIST);
            all.insert(format!("/{of}/{{{parameter}}}/{nested}/{{{name}}}"), ONE);
        }
    }
    all.retain(|path, _| !NOT.contains(&path.as_str()));
    all.extend(OTHERS.iter().map(|(path, methods)| ((*path).to_owned(), *methods)));
    all
}

/// `sessions`, `acme_storage`, `/acme…` come with the plugins session and acme.
#[tokio::test]
async fn every_endpoint_of_kong_is_there_with_its_methods() {
    let document = Api::new().get("/openapi.json").await.body;
    let methods = |item: &serde_json::Value| {
        let mut methods: Vec<_> = item.as_object().unwrap().keys().map(|key| key.to_uppercase()).collect();
        methods.retain(|method| method != "PARAMETERS");
        methods.sort_unstable();
        methods.join(" ")
    };
    let paths = document["paths"].as_object().expect("paths").iter();
    let found: BTreeMap<_, _> = paths.map(|(path, item)| (path.clone(), methods(item))).collect();
    let mut expected: BTreeMap<_, _> = expected().into_iter().map(|(path, own)| (path, own.to_owned())).collect();
    expected.extend(OURS.iter().map(|(path, methods)| ((*path).to_owned(), (*methods).to_owned())));
    for (path, methods) in &expected {
        assert_eq!(found.get(path), Some(methods), "{path}");
    }
    for path in found.keys() {
        assert!(expected.contains_key(path), "{path} stands in no list: is it Kong's, or ours?");
    }
}
