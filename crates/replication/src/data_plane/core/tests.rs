//! The core driven without brokers: scenes that can be read, and a simulation that cannot be foreseen.

mod copying;
mod halting;
mod left_out;
mod scene;
mod simulation;
mod transacting;
mod trouble;
