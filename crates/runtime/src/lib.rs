//! Configuration compiled to plans, carried over and swapped atomically under running traffic.
