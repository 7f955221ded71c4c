//! Counts of values by size.

/// Bounds for the time that something takes, in seconds.
pub const DURATIONS: &[f64] = &[
    0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0,
];

/// Bounds for the time of answers, in seconds: few, because there are many kinds of requests.
pub const ANSWERS: &[f64] = &[0.005, 0.025, 0.1, 0.5, 1.0, 5.0, 30.0];

/// Bounds for the age of records, in seconds: from a moment to an hour, as what is old is old.
pub const AGES: &[f64] = &[
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0,
];

/// How many values were at most as large as each bound.
#[derive(Clone, PartialEq, Debug)]
pub struct Histogram {
    bounds: &'static [f64],
    /// Per bound, not cumulative; the last is for what is larger than all.
    counts: Vec<u64>,
    sum: f64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self::new(DURATIONS)
    }
}

impl Histogram {
    /// Nothing yet.
    #[must_use]
    pub fn new(bounds: &'static [f64]) -> Self {
        Self {
            bounds,
            counts: vec![0; bounds.len() + 1],
            sum: 0.0,
        }
    }

    /// What somebody else has counted: per bound, not cumulative, and what is larger than all last.
    #[must_use]
    pub fn counted(bounds: &'static [f64], counts: Vec<u64>, sum: f64) -> Self {
        debug_assert_eq!(bounds.len() + 1, counts.len());
        Self {
            bounds,
            counts,
            sum,
        }
    }

    /// Counts a value.
    pub fn observe(&mut self, value: f64) {
        self.observe_many(value, 1);
    }

    /// Counts a value that there is so often.
    pub fn observe_many(&mut self, value: f64, times: u32) {
        let place = self.bounds.partition_point(|bound| *bound < value);
        self.counts[place] += u64::from(times);
        self.sum += value * f64::from(times);
    }

    /// Takes in what another one of the same bounds has counted.
    pub fn add(&mut self, other: &Self) {
        debug_assert_eq!(self.bounds, other.bounds);
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
        self.sum += other.sum;
    }

    /// What was counted since it was as `before`; all of it where it has begun anew since.
    #[must_use]
    pub fn since(&self, before: &Self) -> Self {
        let pairs = || self.counts.iter().zip(&before.counts);
        if pairs().any(|(now, then)| now < then) {
            return self.clone();
        }
        Self {
            bounds: self.bounds,
            counts: pairs().map(|(now, then)| now - then).collect(),
            sum: (self.sum - before.sum).max(0.0),
        }
    }

    /// Their mean, where there are some.
    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        #[expect(clippy::cast_precision_loss, reason = "a mean is as exact as its sum")]
        let count = self.count() as f64;
        (count > 0.0).then(|| self.sum / count)
    }

    /// How many values were counted.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The sum of all values.
    pub(crate) fn sum(&self) -> f64 {
        self.sum
    }

    /// Bounds, infinity the last, each with the number of values up to it.
    pub(crate) fn cumulative(&self) -> impl Iterator<Item = (f64, u64)> {
        let bounds = self.bounds.iter().copied().chain([f64::INFINITY]);
        let mut so_far = 0;
        bounds.zip(&self.counts).map(move |(bound, count)| {
            so_far += count;
            (bound, so_far)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_counts_for_its_bound_and_all_larger_ones() {
        let mut histogram = Histogram::new(&[1.0, 2.0]);
        for value in [0.5, 1.0, 1.5, 3.0] {
            histogram.observe(value);
        }
        let counts: Vec<_> = histogram.cumulative().collect();
        assert_eq!(counts, [(1.0, 2), (2.0, 3), (f64::INFINITY, 4)]);
        assert_eq!(histogram.sum(), 6.0);
    }

    #[test]
    fn what_was_counted_since_is_all_of_it_where_counting_began_anew() {
        let mut before = Histogram::new(&[1.0]);
        before.observe_many(0.5, 3);
        let mut now = before.clone();
        now.observe_many(2.0, 4);
        let more = now.since(&before);
        assert_eq!((more.count(), more.sum()), (4, 8.0));
        let mut anew = Histogram::new(&[1.0]);
        anew.observe(0.25);
        assert_eq!(anew.since(&before), anew);
        before.add(&more);
        assert_eq!(before, now);
    }
}
