#![doc = include_str!("../README.md")]

mod balancer;
mod book;
mod flight;
mod health;
mod lookup;
mod member;
mod names;
mod picker;
mod ring;
mod rules;
mod schedule;
mod state;
mod subject;
mod view;

pub use balancer::{Balancer, Picked};
pub use flight::Flight;
pub use lookup::LookUp;
pub use names::{Address, Answer, Asking, Names};
pub use rules::{Outcome, Rules};
pub use schedule::Schedule;
pub use state::{Report, State, Status};
pub use subject::Subject;
