//! The files of config/ for who starts and watches the gateway, by the programs
//! that read them, and what systemd is told. `make test` installs them.

use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::Command;

use crate::support::gateway::{Gateway, PATIENCE, Process};

const HOME: &str = env!("CARGO_MANIFEST_DIR");

fn run(command: &mut Command) -> String {
    let output = command.current_dir(HOME).output();
    let output = output.unwrap_or_else(|error| {
        panic!("{command:?} does not start ({error}); `make prepare` installs it")
    });
    let said = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    let said = said.concat();
    assert!(output.status.success(), "{command:?}: {said}");
    said
}

#[test]
fn operated_unit_is_one_that_systemd_takes_and_shuts_much_out() {
    let unit = std::fs::read_to_string(Path::new(HOME).join("config/viewcast.service"));
    // It looks for the program.
    let unit = unit.expect("our file").replace(
        "=viewcast ",
        &format!("={} ", env!("CARGO_BIN_EXE_viewcast")),
    );
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("viewcast.service");
    std::fs::write(&path, unit).expect("written");
    let path = path.display().to_string();
    let said = run(Command::new("systemd-analyze").args(["verify", &path]));
    assert!(!said.contains("viewcast.service"), "{said}");
    // From 0, safe, to 100: a service of a bare unit has 96.
    let strict = ["security", "--offline=true", "--threshold=20", &path];
    run(Command::new("systemd-analyze").args(strict));
}

#[test]
fn operated_systemd_is_told_of_the_start_the_life_and_the_end() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("notify");
    let socket = UnixDatagram::bind(&path).expect("a socket");
    socket.set_read_timeout(Some(PATIENCE)).expect("set");
    let heard = || {
        let mut bytes = [0; 256];
        let length = socket.recv(&mut bytes).expect("it is told");
        String::from_utf8_lossy(&bytes[..length]).into_owned()
    };
    let path = path.display().to_string();
    let variables = [("NOTIFY_SOCKET", &*path), ("WATCHDOG_USEC", "100000")];
    let demo = ["demo", "--listen", "127.0.0.1:0", "--drain", "0s"];
    let mut gateway = Gateway::of(Process::start_with(&demo, &variables));
    assert_eq!(heard(), "READY=1");
    for _ in 0..3 {
        assert_eq!(heard(), "WATCHDOG=1");
    }
    gateway.process.signal("TERM");
    while heard() != "STOPPING=1" {}
    assert!(gateway.process.await_exit().success());
}

#[test]
fn operated_kubernetes_files_fit_its_schemas() {
    let strict = ["--strict", "-k", "1.37", "config/kubernetes.yaml"];
    let said = run(Command::new("target/venv/bin/kubernetes-validate").args(strict));
    assert_eq!(said.matches(" passed ").count(), 5, "{said}");
}
