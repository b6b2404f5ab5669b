//! How long deltas take, as histograms of Prometheus.

use prometheus::proto::{Bucket, Histogram, LabelPair, Metric, MetricFamily, MetricType};

use crate::limits::LATENCY_BOUNDS;
use crate::relay::counters::StreamTotals;
use crate::relay::latency::LatencyTotals;

/// The histograms of views.
#[derive(Default)]
pub struct Latencies {
    delivery: Vec<Metric>,
    age: Vec<Metric>,
}

impl Latencies {
    /// Adds those of a view.
    pub fn add(&mut self, view: &str, totals: &StreamTotals) {
        self.delivery.push(metric(view, &totals.delivery));
        self.age.push(metric(view, &totals.age));
    }

    /// All of them; none where there is no view.
    pub fn families(self) -> Vec<MetricFamily> {
        let all = [
            (
                "viewcast_delivery_seconds",
                "From the upstream's line that closes a delta to the last write of it to the \
                 sockets of one HTTP thread.",
                self.delivery,
            ),
            (
                "viewcast_delta_age_seconds",
                "From a delta's timestamp to the last write of it to the sockets of one HTTP \
                 thread.",
                self.age,
            ),
        ];
        let shown = all.into_iter().filter(|(.., metrics)| !metrics.is_empty());
        shown.map(family).collect()
    }
}

fn family((name, help, metrics): (&str, &str, Vec<Metric>)) -> MetricFamily {
    let mut family = MetricFamily::default();
    family.set_name(name.to_owned());
    family.set_help(help.to_owned());
    family.set_field_type(MetricType::HISTOGRAM);
    family.set_metric(metrics);
    family
}

fn metric(view: &str, totals: &LatencyTotals) -> Metric {
    let mut count = 0_u64;
    let mut buckets = Vec::new();
    // The last one is for all that took longer, which every histogram has unsaid.
    for (bound, times) in LATENCY_BOUNDS.iter().zip(&totals.buckets) {
        count = count.saturating_add(*times);
        let mut bucket = Bucket::default();
        bucket.set_upper_bound(bound.as_secs_f64());
        bucket.set_cumulative_count(count);
        buckets.push(bucket);
    }
    let mut histogram = Histogram::default();
    histogram.set_bucket(buckets);
    histogram.set_sample_count(totals.buckets.iter().sum());
    let sum = std::time::Duration::from_micros(totals.sum_us);
    histogram.set_sample_sum(sum.as_secs_f64());
    let mut label = LabelPair::default();
    label.set_name("view".to_owned());
    label.set_value(view.to_owned());
    let mut metric = Metric::from_label(vec![label]);
    metric.set_histogram(histogram);
    metric
}
