#![doc = include_str!("../README.md")]

mod balancer;
mod book;
mod flight;
mod health;
mod limiter;
mod lookup;
mod member;
mod names;
mod outlier;
mod picker;
mod ring;
mod rules;
mod schedule;
mod state;
mod subject;
mod view;
mod wish;

pub use balancer::{Balancer, Picked};
pub use flight::Flight;
pub use limiter::{Full, Permit};
pub use lookup::LookUp;
pub use names::{Address, Answer, Asking, Names};
pub use rules::{Outcome, Rules};
pub use schedule::Schedule;
pub use state::{Report, State, Status};
pub use subject::Subject;
pub use wish::Wish;
