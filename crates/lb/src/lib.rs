#![doc = include_str!("../README.md")]

mod round_robin;

pub use round_robin::RoundRobin;
