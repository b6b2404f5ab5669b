//! `GET /metrics`: what is counted, as Prometheus text.
//!
//! Names and help are a contract, kept by a golden test and explained in
//! docs/OPERATIONS.md. Everything is looked up and labelled here, when somebody
//! asks; those who count only add.

use actix_web::HttpResponse;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use actix_web::web::Data;
use log::error;
use prometheus::{
    GaugeVec, IntCounter, IntCounterVec, IntGaugeVec, Opts, Registry, TEXT_FORMAT, TextEncoder,
};

use crate::model::upstream::Word;
use crate::process::wall_ms;
use crate::relay::counters::{End, Outcome, StreamTotals};
use crate::relay::shared_view::SharedView;

use super::bearer::Access;
use super::error::HttpError;
use super::gateway::Gateway;
use super::lag::lag_seconds;
use super::refusal::Limit;

mod latency;
mod many_views;
mod process_wide;
mod register;

use latency::Latencies;
use register::{Register, signed};

/// Answers with all metrics. They name every view, so they are granted apart.
pub async fn metrics(gateway: Data<Gateway>, access: Access) -> Result<HttpResponse, HttpError> {
    if !access.may_see_metrics() {
        return Err(HttpError::Forbidden);
    }
    Ok(answer(&gateway, access.may_see_metrics_of_views()))
}

/// The same on a port of its own, which only the operator's monitoring reaches.
pub async fn metrics_of_all(gateway: Data<Gateway>) -> HttpResponse {
    answer(&gateway, true)
}

fn answer(gateway: &Gateway, names_views: bool) -> HttpResponse {
    match render(gateway, names_views) {
        Ok(text) => HttpResponse::Ok()
            .insert_header((CONTENT_TYPE, TEXT_FORMAT))
            .insert_header((CACHE_CONTROL, "no-store"))
            .body(text),
        Err(error) => {
            error!("metrics could not be rendered: {error}");
            HttpResponse::InternalServerError().finish()
        }
    }
}

fn render(gateway: &Gateway, names_views: bool) -> prometheus::Result<String> {
    let registry = Registry::new();
    let views = Views::new(&registry)?;
    let now_ms = wall_ms();
    let sources = gateway.sources.all();
    let mut took = Latencies::default();
    for source in sources.iter().filter(|_| names_views) {
        let totals = source.shared.stream_totals();
        views.set_status(&source.shared, now_ms);
        views.set_counts(&source.shared, &totals);
        took.add(&source.shared.name, &totals);
    }
    let refused = Limit::ALL.map(|limit| (limit.word(), gateway.places.refused(limit)));
    let refusals = (
        "viewcast_refusals_total",
        "Streams refused for a limit, by the limit.",
        "limit",
    );
    Register(&registry).counts(refusals, refused)?;
    let held = IntCounter::new(
        "viewcast_refusals_held_total",
        "Refused streams whose end was held back, since the client never waits.",
    )?;
    Register(&registry).add(held)?.inc_by(gateway.places.held());
    set_answers(&registry, gateway)?;
    many_views::set(&registry, gateway)?;
    process_wide::set(&registry)?;
    set_certificate(&registry, gateway)?;
    let mut families = registry.gather();
    families.extend(took.families());
    TextEncoder::new().encode_to_string(&families)
}

/// When the certificate that browsers see ends; not there without one.
fn set_certificate(registry: &Registry, gateway: &Gateway) -> prometheus::Result<()> {
    let Some(end) = gateway.certificate.as_ref().and_then(|it| it.end()) else {
        return Ok(());
    };
    Register(registry).gauge(
        "viewcast_certificate_end_seconds",
        "When browsers refuse the certificate or one of its chain, in seconds since 1970.",
        end.as_secs(),
    )
}

/// What was answered, and to whom nothing was shown.
fn set_answers(registry: &Registry, gateway: &Gateway) -> prometheus::Result<()> {
    let answers = (
        "viewcast_http_responses_total",
        "Answers by status; a stream is counted when it begins.",
        "status",
    );
    Register(registry).counts(answers, gateway.counts.answers())?;
    let refused = (
        "viewcast_tokens_refused_total",
        "Requests without access, by what is wrong with their token.",
        "reason",
    );
    Register(registry).counts(refused, gateway.counts.no_access())?;
    let reloads = (
        "viewcast_reloads_total",
        "How often the settings were read again at SIGHUP, by what became of it.",
        "result",
    );
    Register(registry).counts(reloads, gateway.counts.reloads())
}

/// The metrics that there is one of for each view.
struct Views {
    rows: IntGaugeVec,
    bytes: IntGaugeVec,
    lag: GaugeVec,
    up: IntGaugeVec,
    state: IntGaugeVec,
    since: GaugeVec,
    subscribers: IntGaugeVec,
    bases: Bases,
    windows: Windows,
    deltas: IntCounterVec,
    reconnects: IntCounterVec,
    failures: Failures,
    frames: IntCounterVec,
    sent: IntCounterVec,
    writes: IntCounterVec,
    compacted: IntCounterVec,
    resumes: IntCounterVec,
    ends: IntCounterVec,
}

/// The metrics of a view's windows.
struct Windows {
    open: IntGaugeVec,
    index_bytes: IntGaugeVec,
    bases: IntCounterVec,
}

impl Windows {
    fn new(register: Register<'_>) -> prometheus::Result<Self> {
        Ok(Windows {
            open: register.gauges(
                "viewcast_windows",
                "Windows of the view that are open, counted on each HTTP thread.",
                &["view"],
            )?,
            index_bytes: register.gauges(
                "viewcast_window_index_bytes",
                "Memory of the indexes that the view's rows are looked up by, in bytes.",
                &["view"],
            )?,
            bases: register.counters(
                "viewcast_window_bases_total",
                "Bases of windows whose rows were looked up, each once for all who waited for it.",
                &["view"],
            )?,
        })
    }

    fn set(&self, shared: &SharedView) {
        let view = &[shared.name.as_str()];
        let open = i64::try_from(shared.windows_open()).unwrap_or(i64::MAX);
        self.open.with_label_values(view).set(open);
        let bytes = signed(shared.status().index_bytes);
        self.index_bytes.with_label_values(view).set(bytes);
        let bases = shared.counters.window_bases();
        self.bases.with_label_values(view).inc_by(bases);
    }
}

/// The metrics of a view's failures.
struct Failures {
    all: IntCounterVec,
    by_reason: IntCounterVec,
}

impl Failures {
    fn new(register: Register<'_>) -> prometheus::Result<Self> {
        Ok(Failures {
            all: register.counters(
                "viewcast_connection_failures_total",
                "Attempts to stream the view that failed, and streams that did.",
                &["view"],
            )?,
            by_reason: register.counters(
                "viewcast_failures_total",
                "The same by reason, of reasons that there were.",
                &["view", "reason"],
            )?,
        })
    }

    fn set(&self, shared: &SharedView) {
        let name = shared.name.as_str();
        let all = self.all.with_label_values(&[name]);
        all.inc_by(shared.counters.failures());
        for (reason, count) in shared.counters.failures_by_reason() {
            let by_reason = self.by_reason.with_label_values(&[name, reason]);
            by_reason.inc_by(count);
        }
    }
}

/// The metrics of a view's bases.
struct Bases {
    held: IntGaugeVec,
    taken: IntCounterVec,
}

impl Bases {
    fn new(register: Register<'_>) -> prometheus::Result<Self> {
        Ok(Bases {
            held: register.gauges(
                "viewcast_bases",
                "States of the view that are held for who reads them, the current one among them.",
                &["view"],
            )?,
            taken: register.counters(
                "viewcast_bases_taken_total",
                "States of the view taken for who joins or asks for its rows.",
                &["view"],
            )?,
        })
    }

    fn set(&self, shared: &SharedView) {
        let view = &[shared.name.as_str()];
        let held = shared.log().map_or(0, |log| log.lock().bases.held());
        let held = i64::try_from(held).unwrap_or(i64::MAX);
        self.held.with_label_values(view).set(held);
        let taken = shared.counters.bases();
        self.taken.with_label_values(view).inc_by(taken);
    }
}

impl Views {
    fn new(registry: &Registry) -> prometheus::Result<Self> {
        let register = Register(registry);
        let gauges = |name, help| register.gauges(name, help, &["view"]);
        let counters = |name, help| register.counters(name, help, &["view"]);
        let lag = Opts::new(
            "viewcast_view_lag_seconds",
            "Wall clock minus the timestamp up to which the view is known, in seconds.",
        );
        Ok(Views {
            rows: gauges(
                "viewcast_view_rows",
                "Rows held of the view, copies counted.",
            )?,
            bytes: gauges("viewcast_view_bytes", "JSON held of the view, in bytes.")?,
            lag: register.add(GaugeVec::new(lag, &["view"])?)?,
            up: gauges(
                "viewcast_upstream_up",
                "Whether the view is loaded and fresh: 1, or 0.",
            )?,
            state: register.states()?,
            since: register.add(GaugeVec::new(
                Opts::new(
                    "viewcast_upstream_state_since_seconds",
                    "Since when the view is in its state, in seconds since 1970.",
                ),
                &["view"],
            )?)?,
            subscribers: gauges("viewcast_subscribers", "Streams that are being served.")?,
            bases: Bases::new(register)?,
            windows: Windows::new(register)?,
            deltas: counters(
                "viewcast_deltas_total",
                "Deltas with changes published, each once for all subscribers.",
            )?,
            reconnects: counters(
                "viewcast_upstream_reconnects_total",
                "Connections to the upstream after the first.",
            )?,
            failures: Failures::new(register)?,
            frames: counters(
                "viewcast_sent_frames_total",
                "Events handed to connections, a base being one.",
            )?,
            sent: counters(
                "viewcast_sent_bytes_total",
                "Bytes of streams handed to connections.",
            )?,
            writes: counters(
                "viewcast_writes_total",
                "Writes to sockets, of streams served without the HTTP stack.",
            )?,
            compacted: counters(
                "viewcast_laggards_compacted_total",
                "Backlogs that a slow subscriber was sent as one delta.",
            )?,
            resumes: register.counters(
                "viewcast_resumes_total",
                "Positions that clients came back with, by what became of them.",
                &["view", "outcome"],
            )?,
            ends: register.counters(
                "viewcast_streams_ended_total",
                "Streams that ended, by reason.",
                &["view", "reason"],
            )?,
        })
    }

    fn set_status(&self, shared: &SharedView, now_ms: u64) {
        let status = shared.status();
        let view = &[shared.name.as_str()];
        self.rows.with_label_values(view).set(signed(status.rows));
        self.bytes.with_label_values(view).set(signed(status.bytes));
        // While the lag is not known, the series is left out: zero would be wrong.
        if let Some(lag) = lag_seconds(&status, now_ms) {
            self.lag.with_label_values(view).set(lag);
        }
        let since = std::time::Duration::from_millis(status.upstream.since_ms());
        self.since.with_label_values(view).set(since.as_secs_f64());
        let up = status.upstream.is_fresh();
        self.up.with_label_values(view).set(i64::from(up));
        for word in Word::ALL {
            let is_so = status.upstream.word() == word;
            let reason = match is_so {
                true => status.upstream.reason_word(),
                false => "",
            };
            let labels = &[shared.name.as_str(), word.text(), reason];
            let state = self.state.with_label_values(labels);
            state.set(i64::from(is_so));
        }
        let subscribers = i64::try_from(shared.subscriber_count()).unwrap_or(i64::MAX);
        self.subscribers.with_label_values(view).set(subscribers);
    }

    fn set_counts(&self, shared: &SharedView, totals: &StreamTotals) {
        let name = shared.name.as_str();
        self.bases.set(shared);
        self.windows.set(shared);
        for (counter, count) in [
            (&self.deltas, shared.counters.deltas()),
            (&self.reconnects, shared.counters.reconnects()),
            (&self.frames, totals.frames),
            (&self.sent, totals.bytes),
            (&self.writes, totals.writes),
            (&self.compacted, totals.compacted),
        ] {
            counter.with_label_values(&[name]).inc_by(count);
        }
        self.failures.set(shared);
        for (outcome, count) in Outcome::ALL.iter().zip(totals.resumes) {
            let labels = &[name, outcome.word()];
            self.resumes.with_label_values(labels).inc_by(count);
        }
        for (end, count) in End::ALL.iter().zip(totals.ends) {
            let labels = &[name, end.word()];
            self.ends.with_label_values(labels).inc_by(count);
        }
    }
}
