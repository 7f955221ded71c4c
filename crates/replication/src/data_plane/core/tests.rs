//! The core driven without brokers: scenes that can be read, and a simulation that cannot be foreseen.

mod anew;
mod apart;
mod bare;
mod beside;
mod comparing;
mod copying;
mod halting;
mod lanes;
mod late;
mod left_out;
mod placing;
mod precedence;
mod reading;
mod scene;
mod silent;
mod simulation;
mod standing;
mod transacting;
mod trouble;
mod turns;
