//! Compares the partitions of a group at the same time: each as if it were alone, with questions that go together.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

use super::producers::{Made, Producers};
use super::survey::Survey;
use super::{Readings, new_producer};
use crate::data_plane::core::{EstablishOrder, Established, Index};
use crate::turn::Turns;

/// Partitions of a group that are compared at the same time.
pub(super) const TOGETHER: usize = 64;
/// And of all groups of a process: a worker that takes over many tasks has hundreds of groups.
static COMPARING: Turns = Turns::new(8 * TOGETHER);

/// Establishes all of these; those of which something is not known are tried again.
pub(super) async fn together(
    mut survey: Survey<'_>,
    orders: &[EstablishOrder],
    readings: &[Result<Readings, String>],
) -> Vec<(Index, Established)> {
    let of_source = survey.source.take_questions();
    let of_destination = survey.destination.take_questions();
    let (producers, wanted) = Producers::new();
    let (survey, producers) = (&survey, &producers);
    let compared = async {
        let mut outcomes = Vec::with_capacity(orders.len());
        let groups = orders.chunks(TOGETHER).zip(readings.chunks(TOGETHER));
        for (some, read) in groups {
            let each = some.iter().zip(read).map(|(order, read)| async move {
                let _turn = COMPARING.next().await;
                let outcome = match read {
                    Err(trouble) => Established::Retry(trouble.clone()),
                    Ok(readings) => survey.usable(order, *readings, producers).await,
                };
                (order.index, outcome)
            });
            outcomes.extend(all(each).await);
        }
        outcomes
    };
    // In this order: a request then holds the questions of all that wait.
    tokio::select! {
        biased;
        outcomes = compared => outcomes,
        never = Made::default().hand_out(wanted, || new_producer(&survey.destination)) => match never {},
        never = survey.source.answer(of_source) => match never {},
        never = survey.destination.answer(of_destination) => match never {},
    }
}

/// Runs all of them at once; what they give, in their order.
pub(super) async fn all<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut running: Vec<Running<F>> = futures.map(|one| Running::Yet(Box::pin(one))).collect();
    poll_fn(|context| {
        let mut waits = false;
        for one in &mut running {
            if let Running::Yet(future) = one {
                match future.as_mut().poll(context) {
                    Poll::Ready(outcome) => *one = Running::Done(outcome),
                    Poll::Pending => waits = true,
                }
            }
        }
        match waits {
            true => Poll::Pending,
            false => Poll::Ready(()),
        }
    })
    .await;
    let done = running.into_iter().filter_map(|one| match one {
        Running::Done(outcome) => Some(outcome),
        Running::Yet(_) => None,
    });
    done.collect()
}

/// Boxed: of partitions that are done nothing is kept but the outcome.
enum Running<F: Future> {
    Yet(Pin<Box<F>>),
    Done(F::Output),
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::future::ready;

    use super::*;

    #[tokio::test]
    async fn what_is_run_at_once_waits_at_once_and_comes_in_its_order() {
        let (waiting, most) = (Cell::new(0), Cell::new(0));
        let one = |number: u32| {
            let (waiting, most) = (&waiting, &most);
            async move {
                waiting.set(waiting.get() + 1);
                most.set(most.get().max(waiting.get()));
                for _ in 0..10 - number {
                    tokio::task::yield_now().await;
                }
                waiting.set(waiting.get() - 1);
                number
            }
        };
        assert_eq!(all((0..10).map(one)).await, Vec::from_iter(0..10));
        assert_eq!((waiting.get(), most.get()), (0, 10));
        assert_eq!(all([ready(1)].into_iter()).await, [1]);
        assert!(
            all(std::iter::empty::<Pin<Box<dyn Future<Output = ()>>>>())
                .await
                .is_empty()
        );
    }
}
