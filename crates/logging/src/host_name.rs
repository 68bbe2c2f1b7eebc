//! What this machine is called.

/// The name of this machine, as the system knows it.
pub(crate) fn host_name() -> String {
    let known = std::fs::read_to_string("/proc/sys/kernel/hostname").map(|name| name.trim().to_owned());
    known.ok().filter(|name| !name.is_empty()).unwrap_or_else(|| "localhost".to_owned())
}
