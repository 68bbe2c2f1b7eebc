//! Listeners, workers and connections: from an accepted socket to the gateway's stack.
