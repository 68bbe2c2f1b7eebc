//! What was changed, by whom: a line of JSON for each attempt to change something.

use std::{
    fs::OpenOptions,
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::Instant,
};

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use http::Method;
use serde_json::{Value, json};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use uuid::Uuid;

use crate::{
    Admin,
    access::{Caller, Peer, is_write},
};

/// Where changes are noted.
///
/// The file is opened for each line, so that it may be moved away at any time. Neither bodies nor queries
/// are noted, and keys in paths are left out: the log holds no secret.
#[derive(Debug, Clone, Default)]
pub struct AuditLog {
    file: Option<PathBuf>,
}

impl AuditLog {
    /// Notes changes at the end of this file, which is made (for its owner and group alone) if it is missing.
    ///
    /// # Errors
    /// When it cannot be written to.
    pub fn to(file: PathBuf) -> io::Result<Self> {
        if let Some(folder) = file.parent() {
            std::fs::create_dir_all(folder)?;
        }
        open(&file)?;
        Ok(Self { file: Some(file) })
    }

    /// Notes nothing.
    #[must_use]
    pub fn off() -> Self {
        Self::default()
    }

    fn note(&self, entry: &Value) {
        let Some(file) = &self.file else { return };
        let line = format!("{entry}\n");
        let written = open(file).and_then(|mut file| file.write_all(line.as_bytes()));
        if let Err(error) = written {
            tracing::error!(%error, entry = %entry, "a change could not be noted in {}", file.display());
        }
    }
}

fn open(file: &Path) -> io::Result<std::fs::File> {
    OpenOptions::new().append(true).create(true).mode(0o640).open(file)
}

/// Notes each attempt to change something, whether it was allowed or not.
pub(crate) async fn note(State(admin): State<Arc<Admin>>, request: Request, next: Next) -> Response {
    if !is_write(request.method(), request.uri().path()) {
        return next.run(request).await;
    }
    let (started, method, path) = (Instant::now(), request.method().clone(), shown_path(request.uri().path()));
    let peer = request.extensions().get::<Peer>().cloned();
    let response = next.run(request).await;
    let took = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    admin.audit.note(&entry(&method, &path, peer.as_ref(), &response, took));
    response
}

fn entry(method: &Method, path: &str, peer: Option<&Peer>, response: &Response, took: u64) -> Value {
    let caller = response.extensions().get::<Caller>();
    json!({
        "time": OffsetDateTime::now_utc().format(&Rfc3339).unwrap_or_default(),
        "who": caller.and_then(|caller| caller.name.as_deref()),
        "by": caller.map(|caller| caller.by),
        "role": caller.and_then(|caller| caller.name.as_ref().map(|_| caller.role.name())),
        "from": peer.map(|peer| peer.address.to_string()),
        "method": method.as_str(),
        "path": path,
        "status": response.status().as_u16(),
        "milliseconds": took,
    })
}

/// Collections whose members may be named by a secret.
const NAMED_BY_SECRETS: &[&str] = &[
    "key-auth",
    "key-auths",
    "key-auth-enc",
    "key-auths-enc",
    "jwt",
    "jwts",
    "oauth2",
    "oauth2_tokens",
    "hmac-auth",
    "hmac-auths",
    "basic-auth",
    "basic-auths",
    "cache",
];

/// A path of the Admin API as a log may show it: what may be the key of a credential is `*`. An id is none.
///
/// ```
/// # use towergate_admin::shown_path;
/// assert_eq!(shown_path("/consumers/alice/key-auth/hunter2"), "/consumers/alice/key-auth/*");
/// ```
pub fn shown_path(path: &str) -> String {
    let mut told = Vec::new();
    let mut before = "";
    for segment in path.split('/') {
        let may_be_secret =
            NAMED_BY_SECRETS.contains(&before) && !segment.is_empty() && segment.parse::<Uuid>().is_err();
        told.push(if may_be_secret { "*" } else { segment });
        before = segment;
    }
    told.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_in_paths_are_left_out() {
        for (path, told) in [
            ("/config", "/config"),
            ("/consumers/alice/key-auth", "/consumers/alice/key-auth"),
            ("/consumers/alice/key-auth/hunter2", "/consumers/alice/key-auth/*"),
            ("/key-auths/hunter2/consumer", "/key-auths/*/consumer"),
            (
                "/key-auths/5f9b0f2e-9a43-4d3c-8f0e-1f0f3a4b5c6d/consumer",
                "/key-auths/5f9b0f2e-9a43-4d3c-8f0e-1f0f3a4b5c6d/consumer",
            ),
            ("/oauth2_tokens/hunter2", "/oauth2_tokens/*"),
            ("/services/key-auth/routes", "/services/key-auth/*"),
        ] {
            assert_eq!(shown_path(path), told);
        }
    }
}
