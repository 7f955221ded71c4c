//! The core driven without brokers: scenes that can be read, and a simulation that cannot be foreseen.

mod bare;
mod copying;
mod halting;
mod late;
mod left_out;
mod placing;
mod scene;
mod silent;
mod simulation;
mod standing;
mod transacting;
mod trouble;
