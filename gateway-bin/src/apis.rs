//! The Admin API and the Status API on a thread of their own.

use std::{
    fmt::Display,
    net::TcpListener,
    sync::{Arc, mpsc},
    thread,
};

use axum::Router;
use towergate_admin::{Admin, Connections};
use towergate_server::{Listeners, Stats};

/// Serves both for as long as the process lives.
///
/// # Errors
/// When no thread or no event queue can be had.
pub(crate) fn serve(admin_listeners: Listeners, status_listeners: Listeners, admin: Arc<Admin>) -> Result<(), String> {
    let apis = [
        (admin_listeners, towergate_admin::router(admin.clone())),
        (status_listeners, towergate_admin::status_router(admin)),
    ];
    let (ready, started) = mpsc::channel();
    let serving = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let mut tasks = tokio::task::JoinSet::new();
            for (listeners, router) in apis {
                listen(&mut tasks, listeners, &router)?;
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

/// Answers with this router whoever comes.
fn listen(
    tasks: &mut tokio::task::JoinSet<std::io::Result<()>>,
    listeners: Listeners,
    router: &Router,
) -> std::io::Result<()> {
    let sockets: Vec<TcpListener> = listeners.into_workers().into_iter().flatten().collect();
    for socket in sockets {
        let socket = tokio::net::TcpListener::from_std(socket)?;
        tasks.spawn(std::future::IntoFuture::into_future(axum::serve(socket, router.clone())));
    }
    Ok(())
}

/// The proxy's connections and requests, as the Admin API shows them.
pub(crate) fn connections(stats: &Stats) -> Connections {
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
