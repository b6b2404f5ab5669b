//! What every process is asked for by Prometheus' usual names, and which build
//! this one is.

use prometheus::{Counter, Gauge, GaugeVec, IntGauge, Opts, Registry};

use crate::process;

/// Adds them. Where the system does not tell, they are not there.
pub fn set(registry: &Registry) -> prometheus::Result<()> {
    let build = Opts::new(
        "viewcast_build_info",
        "Always 1; the labels say which build this is.",
    );
    let build = GaugeVec::new(build, &["version", "commit"])?;
    build
        .with_label_values(&[process::VERSION, process::COMMIT])
        .set(1.0);
    registry.register(Box::new(build))?;
    if let Some(bytes) = process::resident_bytes() {
        let resident = IntGauge::new(
            "process_resident_memory_bytes",
            "Memory of the process that is in RAM, in bytes.",
        )?;
        resident.set(i64::try_from(bytes).unwrap_or(i64::MAX));
        registry.register(Box::new(resident))?;
    }
    let Some(usage) = process::usage() else {
        return Ok(());
    };
    let cpu = Counter::new(
        "process_cpu_seconds_total",
        "Time of processors that the process took, in seconds.",
    )?;
    cpu.inc_by(usage.cpu_seconds);
    registry.register(Box::new(cpu))?;
    let threads = IntGauge::new("process_threads", "Threads of the process.")?;
    threads.set(i64::try_from(usage.threads).unwrap_or(i64::MAX));
    registry.register(Box::new(threads))?;
    let started = Gauge::new(
        "process_start_time_seconds",
        "When the process was started, in seconds since 1970.",
    )?;
    started.set(usage.start_seconds);
    registry.register(Box::new(started))
}
