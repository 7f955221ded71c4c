//! What has to be done about one link: what is wanted against what runs. Pure.

/// What is wanted of a link.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Wanted {
    /// To run, as of this generation of its configuration.
    Run(u64),
    /// To stand still.
    Rest,
}

/// What runs of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Runs {
    /// Nothing.
    Nothing,
    /// A future of this generation.
    Future(u64),
    /// A future that has been asked to end.
    Ending,
}

/// What to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Action {
    /// Begin a future.
    Start,
    /// Ask it to end.
    Stop,
    /// Nothing, for now.
    Wait,
}

/// One future of a link at a time: what is wanted anew begins when the old one has ended.
pub(crate) fn reconcile(wanted: Wanted, runs: Runs) -> Action {
    match (wanted, runs) {
        (Wanted::Run(_), Runs::Nothing) => Action::Start,
        (Wanted::Run(generation), Runs::Future(running)) if generation == running => Action::Wait,
        (Wanted::Run(_) | Wanted::Rest, Runs::Future(_)) => Action::Stop,
        (Wanted::Rest, Runs::Nothing) | (_, Runs::Ending) => Action::Wait,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_one_future_at_a_time_and_it_is_of_the_wanted_generation() {
        use Action::{Start, Stop, Wait};
        use Runs::{Ending, Future, Nothing};
        for (wanted, runs, action) in [
            (Wanted::Run(2), Nothing, Start),
            (Wanted::Run(2), Future(2), Wait),
            (Wanted::Run(2), Future(1), Stop),
            (Wanted::Run(2), Ending, Wait),
            (Wanted::Rest, Nothing, Wait),
            (Wanted::Rest, Future(2), Stop),
            (Wanted::Rest, Ending, Wait),
        ] {
            assert_eq!(reconcile(wanted, runs), action, "{wanted:?} {runs:?}");
        }
    }
}
