//! From a request to its route, by Kong's priority rules, in time that does not grow with the number of routes.
