//! The core driven without brokers: scenes that can be read, and a simulation that cannot be foreseen.

mod copying;
mod halting;
mod scene;
mod simulation;
mod trouble;
