//! Metrics of each kind, by their names.

use prometheus::core::Collector;
use prometheus::{IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};

/// Where they are registered.
#[derive(Clone, Copy)]
pub(super) struct Register<'r>(pub &'r Registry);

impl Register<'_> {
    pub fn add<C: Collector + Clone + 'static>(&self, collector: C) -> prometheus::Result<C> {
        self.0.register(Box::new(collector.clone()))?;
        Ok(collector)
    }

    pub fn counters(
        &self,
        name: &str,
        help: &str,
        by: &[&str],
    ) -> prometheus::Result<IntCounterVec> {
        self.add(IntCounterVec::new(Opts::new(name, help), by)?)
    }

    pub fn gauges(&self, name: &str, help: &str, by: &[&str]) -> prometheus::Result<IntGaugeVec> {
        self.add(IntGaugeVec::new(Opts::new(name, help), by)?)
    }

    /// Counts so far by one label, of which there is no view.
    pub fn counts<L: AsRef<str>>(
        &self,
        (name, help, by): (&str, &str, &str),
        counts: impl IntoIterator<Item = (L, u64)>,
    ) -> prometheus::Result<()> {
        let counters = self.counters(name, help, &[by])?;
        for (label, count) in counts {
            counters.with_label_values(&[label.as_ref()]).inc_by(count);
        }
        Ok(())
    }

    /// One number, as it is now.
    pub fn gauge(&self, name: &str, help: &str, value: u64) -> prometheus::Result<()> {
        self.add(IntGauge::new(name, help)?)?.set(signed(value));
        Ok(())
    }

    pub fn states(&self) -> prometheus::Result<IntGaugeVec> {
        self.gauges(
            "viewcast_upstream_state",
            "How the view stands with its upstream: 1 for the state it is in, with the reason.",
            &["view", "state", "reason"],
        )
    }
}

/// As gauges have it.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
