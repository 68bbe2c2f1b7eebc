//! The Admin API on a thread of its own.

use std::{
    fmt::Display,
    net::TcpListener,
    sync::{Arc, mpsc},
    thread,
};

use towergate_admin::{Admin, Connections};
use towergate_config::Settings;
use towergate_runtime::Control;
use towergate_server::{Listeners, Stats};

/// Serves the Admin API for as long as the process lives.
///
/// # Errors
/// When no thread or no event queue can be had.
pub(crate) fn serve(
    listeners: Listeners,
    control: Arc<Control>,
    settings: Arc<Settings>,
    stats: Stats,
) -> Result<(), String> {
    let admin = Admin {
        control,
        node_id: settings.node_id.unwrap_or_else(uuid::Uuid::new_v4),
        settings,
        connections: Box::new(move || connections(&stats)),
    };
    let router = towergate_admin::router(Arc::new(admin));
    let (ready, started) = mpsc::channel();
    let serving = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let sockets: Vec<TcpListener> = listeners.into_workers().into_iter().flatten().collect();
            let mut tasks = tokio::task::JoinSet::new();
            for socket in sockets {
                let socket = tokio::net::TcpListener::from_std(socket)?;
                tasks.spawn(std::future::IntoFuture::into_future(axum::serve(socket, router.clone())));
            }
            let _ = ready.send(());
            while tasks.join_next().await.is_some() {}
            Ok::<_, std::io::Error>(())
        })
    };
    let failed = |error: &dyn Display| format!("cannot start the Admin API: {error}");
    thread::Builder::new().name("admin".into()).spawn(serving).map_err(|error| failed(&error))?;
    started.recv().map_err(|error| failed(&error))
}

fn connections(stats: &Stats) -> Connections {
    let now = stats.snapshot();
    Connections {
        connections_accepted: now.connections_accepted,
        connections_active: now.connections_active,
        connections_handled: now.connections_handled,
        connections_reading: now.connections_reading,
        connections_waiting: now.connections_waiting,
        connections_writing: now.connections_writing,
        total_requests: now.total_requests,
    }
}
