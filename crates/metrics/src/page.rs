//! The series of one moment, and their text.
//!
//! Both formats have the same lines for series; they differ in the lines above them, and in their end.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::catalogue::{Kind, Metric};
use crate::histogram::Histogram;

/// How a page is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// `OpenMetrics` 1.0.
    OpenMetrics,
    /// Prometheus' text format 0.0.4.
    Text,
}

impl Format {
    /// What a client gets that accepts this.
    #[must_use]
    pub fn accepted(accept: &str) -> Self {
        if accept.contains("application/openmetrics-text") {
            Self::OpenMetrics
        } else {
            Self::Text
        }
    }

    /// The type of the text.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

/// A value of a series.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Value {
    /// A count.
    Count(u64),
    /// A whole number.
    Whole(i64),
    /// Any number but NaN.
    Number(f64),
}

impl From<u64> for Value {
    fn from(value: u64) -> Self {
        Self::Count(value)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Whole(value)
    }
}

impl From<usize> for Value {
    fn from(value: usize) -> Self {
        Self::Count(u64::try_from(value).unwrap_or(u64::MAX))
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Count(u64::from(value))
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Number(value)
    }
}

/// See the module.
#[derive(Debug, Default)]
pub struct Page {
    families: BTreeMap<&'static str, Family>,
}

#[derive(Debug)]
struct Family {
    metric: &'static Metric,
    /// The lines of its series.
    lines: String,
}

impl Page {
    /// An empty page.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a series: the values of the metric's labels, in their order, and its own. NaN is no value and is left out.
    pub fn add(&mut self, metric: &'static Metric, labels: &[&str], value: impl Into<Value>) {
        let value = value.into();
        if matches!(value, Value::Number(number) if number.is_nan()) {
            return;
        }
        let suffix = match metric.kind {
            Kind::Counter => "_total",
            Kind::Info => "_info",
            Kind::Gauge | Kind::Histogram => "",
        };
        let lines = self.lines(metric);
        begin(lines, metric, suffix, labels, None);
        push(lines, value);
    }

    /// Adds a gauge of states: 1 for the one that holds, 0 for all others. The state is the last label.
    pub fn add_states(
        &mut self,
        metric: &'static Metric,
        labels: &[&str],
        states: &[&str],
        holds: &str,
    ) {
        let mut all = labels.to_vec();
        all.push("");
        let known = states.contains(&holds);
        let more = (!known).then_some(holds);
        for state in states.iter().copied().chain(more) {
            *all.last_mut().expect("pushed above") = state;
            self.add(metric, &all, state == holds);
        }
    }

    /// Adds a series of counts.
    pub fn add_histogram(
        &mut self,
        metric: &'static Metric,
        labels: &[&str],
        histogram: &Histogram,
    ) {
        let lines = self.lines(metric);
        let mut count = 0;
        for (bound, so_far) in histogram.cumulative() {
            count = so_far;
            begin(lines, metric, "_bucket", labels, Some(bound));
            push(lines, so_far.into());
        }
        begin(lines, metric, "_count", labels, None);
        push(lines, count.into());
        begin(lines, metric, "_sum", labels, None);
        push(lines, histogram.sum().into());
    }

    fn lines(&mut self, metric: &'static Metric) -> &mut String {
        let new = || Family {
            metric,
            lines: String::new(),
        };
        &mut self.families.entry(metric.name).or_insert_with(new).lines
    }

    /// The text.
    #[must_use]
    pub fn text(&self, format: Format) -> String {
        let length: usize = self
            .families
            .values()
            .map(|family| family.lines.len() + 300)
            .sum();
        let mut text = String::with_capacity(length);
        for (name, family) in &self.families {
            let metric = family.metric;
            let (kind, suffix) = match (format, metric.kind) {
                (_, Kind::Gauge) => ("gauge", ""),
                (_, Kind::Histogram) => ("histogram", ""),
                (Format::OpenMetrics, Kind::Counter) => ("counter", ""),
                (Format::Text, Kind::Counter) => ("counter", "_total"),
                (Format::OpenMetrics, Kind::Info) => ("info", ""),
                (Format::Text, Kind::Info) => ("gauge", "_info"),
            };
            let help = metric.help;
            text.push_str(&format!("# HELP {name}{suffix} {help}\n"));
            text.push_str(&format!("# TYPE {name}{suffix} {kind}\n"));
            if let (Format::OpenMetrics, Some(unit)) = (format, metric.unit()) {
                text.push_str(&format!("# UNIT {name} {unit}\n"));
            }
            text.push_str(&family.lines);
        }
        if format == Format::OpenMetrics {
            text.push_str("# EOF\n");
        }
        text
    }
}

/// Name and labels of a series.
fn begin(lines: &mut String, metric: &Metric, suffix: &str, labels: &[&str], bound: Option<f64>) {
    debug_assert_eq!(metric.labels.len(), labels.len(), "{}", metric.name);
    lines.push_str(metric.name);
    lines.push_str(suffix);
    let mut separator = '{';
    for (name, value) in metric.labels.iter().zip(labels) {
        lines.push(separator);
        separator = ',';
        lines.push_str(name);
        lines.push_str("=\"");
        escaped(lines, value);
        lines.push('"');
    }
    if let Some(bound) = bound {
        lines.push(separator);
        separator = ',';
        lines.push_str("le=\"");
        if bound.is_infinite() {
            lines.push_str("+Inf");
        } else {
            // Always with a point: that is what OpenMetrics calls canonical.
            write!(lines, "{bound:?}").expect("a text takes everything");
        }
        lines.push('"');
    }
    if separator == ',' {
        lines.push('}');
    }
    lines.push(' ');
}

fn escaped(lines: &mut String, value: &str) {
    for character in value.chars() {
        match character {
            '\\' => lines.push_str("\\\\"),
            '"' => lines.push_str("\\\""),
            '\n' => lines.push_str("\\n"),
            other => lines.push(other),
        }
    }
}

fn push(lines: &mut String, value: Value) {
    match value {
        Value::Count(count) => write!(lines, "{count}"),
        Value::Whole(number) => write!(lines, "{number}"),
        Value::Number(number) if number == f64::INFINITY => write!(lines, "+Inf"),
        Value::Number(number) if number == f64::NEG_INFINITY => write!(lines, "-Inf"),
        Value::Number(number) => write!(lines, "{number}"),
    }
    .expect("a text takes everything");
    lines.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::{gauge, info};

    const LAG: Metric = gauge("t_lag_seconds", &["topic"], "How far behind.");
    const SENT: Metric = crate::catalogue::counter("t_sent_bytes", &[], "What was sent.");
    const TOOK: Metric = crate::catalogue::histogram("t_took_seconds", &["route"], "How long.");
    const WHO: Metric = info("t_worker", &["version"], "Who.");
    const STATE: Metric = gauge("t_state", &["state"], "Which state.");

    static ALL: [Metric; 5] = [LAG, SENT, TOOK, WHO, STATE];

    fn page() -> Page {
        let mut page = Page::new();
        page.add(&ALL[0], &["a\"b\\c\nd"], 1.5);
        page.add(&ALL[0], &["idle"], f64::NAN);
        page.add(&ALL[0], &["never"], f64::INFINITY);
        page.add(&ALL[1], &[], 7_u64);
        let mut took = Histogram::new(&[1.0]);
        took.observe(0.25);
        page.add_histogram(&ALL[2], &["/"], &took);
        page.add(&ALL[3], &["1"], true);
        page.add_states(&ALL[4], &[], &["up", "down"], "new");
        page
    }

    #[test]
    fn openmetrics_has_families_units_and_an_end() {
        let expected = "\
# HELP t_lag_seconds How far behind.
# TYPE t_lag_seconds gauge
# UNIT t_lag_seconds seconds
t_lag_seconds{topic=\"a\\\"b\\\\c\\nd\"} 1.5
t_lag_seconds{topic=\"never\"} +Inf
# HELP t_sent_bytes What was sent.
# TYPE t_sent_bytes counter
# UNIT t_sent_bytes bytes
t_sent_bytes_total 7
# HELP t_state Which state.
# TYPE t_state gauge
t_state{state=\"up\"} 0
t_state{state=\"down\"} 0
t_state{state=\"new\"} 1
# HELP t_took_seconds How long.
# TYPE t_took_seconds histogram
# UNIT t_took_seconds seconds
t_took_seconds_bucket{route=\"/\",le=\"1.0\"} 1
t_took_seconds_bucket{route=\"/\",le=\"+Inf\"} 1
t_took_seconds_count{route=\"/\"} 1
t_took_seconds_sum{route=\"/\"} 0.25
# HELP t_worker Who.
# TYPE t_worker info
t_worker_info{version=\"1\"} 1
# EOF
";
        assert_eq!(page().text(Format::OpenMetrics), expected);
    }

    #[test]
    fn the_text_format_names_counters_by_their_series() {
        let text = page().text(Format::Text);
        assert!(text.contains("# TYPE t_sent_bytes_total counter\nt_sent_bytes_total 7\n"));
        assert!(text.contains("# TYPE t_worker_info gauge\nt_worker_info{version=\"1\"} 1\n"));
        assert!(!text.contains("UNIT") && !text.contains("EOF"));
    }

    #[test]
    fn a_client_gets_what_it_accepts() {
        let prometheus = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
        assert_eq!(Format::accepted(prometheus), Format::OpenMetrics);
        assert_eq!(Format::accepted("*/*"), Format::Text);
        assert_eq!(Format::accepted(""), Format::Text);
    }
}
