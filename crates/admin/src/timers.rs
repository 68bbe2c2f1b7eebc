//! `GET /timers`: Kong's timers. There are none here: what is done beside requests are tasks.

use axum::response::Response;
use http::StatusCode;
use serde_json::json;

use crate::answer::answer;

pub(crate) async fn show() -> Response {
    answer(
        StatusCode::OK,
        json!({
            "worker": { "id": 0, "count": 1 },
            "stats": {
                "sys": { "total": 0, "runs": 0, "running": 0, "pending": 0, "waiting": 0 },
                "timers": {},
                "flamegraph": { "running": "", "pending": "", "elapsed_time": "" },
            },
        }),
    )
}
