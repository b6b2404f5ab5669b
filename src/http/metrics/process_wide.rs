//! What every process is asked for by Prometheus' usual names, and which build
//! this one is.

use prometheus::{Counter, Gauge, GaugeVec, Opts, Registry};

use super::register::Register;
use crate::process;

/// Adds them. Where the system does not tell, they are not there.
pub fn set(registry: &Registry) -> prometheus::Result<()> {
    let register = Register(registry);
    let build = Opts::new(
        "viewcast_build_info",
        "Always 1; the labels say which build this is.",
    );
    let build = register.add(GaugeVec::new(build, &["version", "commit"])?)?;
    build
        .with_label_values(&[process::VERSION, process::COMMIT])
        .set(1.0);
    if let Some(bytes) = process::resident_bytes() {
        register.gauge(
            "process_resident_memory_bytes",
            "Memory of the process that is in RAM, in bytes.",
            bytes,
        )?;
    }
    let Some(usage) = process::usage() else {
        return Ok(());
    };
    let cpu = register.add(Counter::new(
        "process_cpu_seconds_total",
        "Time of processors that the process took, in seconds.",
    )?)?;
    cpu.inc_by(usage.cpu_seconds);
    register.gauge("process_threads", "Threads of the process.", usage.threads)?;
    let started = register.add(Gauge::new(
        "process_start_time_seconds",
        "When the process was started, in seconds since 1970.",
    )?)?;
    started.set(usage.start_seconds);
    Ok(())
}
