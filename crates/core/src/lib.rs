//! What the gateway knows about one request, and the shapes its plugins take: Context, Guard, Reply, Plan.
