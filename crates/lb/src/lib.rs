//! Choosing one of several targets.
//!
//! Plain data structures: they know weights and numbers, nothing of requests, names or sockets.
//! What is chosen is the *place* of a target in the list the chooser was made from.
//!
//! Each target gets exactly its share of every lap, and the turns of a heavy target are spread
//! over the lap instead of coming one after the other.
//!
//! ```
//! use towergate_lb::RoundRobin;
//!
//! let targets = ["small:80", "large:80", "retired:80"];
//! let turns = RoundRobin::new([1, 3, 0]);
//! let lap: Vec<_> = (0..4).filter_map(|_| turns.pick()).map(|place| targets[place]).collect();
//! assert_eq!(lap.iter().filter(|target| **target == "large:80").count(), 3);
//! assert!(!lap.contains(&"retired:80"));
//! ```

mod round_robin;

pub use round_robin::RoundRobin;
