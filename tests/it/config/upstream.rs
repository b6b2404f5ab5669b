//! The upstream's address: TLS and passwords, and what they are refused for.

use tempfile::TempDir;

use super::Given;
use crate::support::tls_front::{Authority, write_secret};

fn given(upstream: &str) -> Given {
    Given::least().flag("upstream", &[upstream])
}

#[test]
fn config_sslmode_is_one_of_libpqs_in_both_forms() {
    for mode in ["disable", "prefer", "require", "verify-ca", "verify-full"] {
        for upstream in [
            format!("postgres://h/d?sslmode={mode}"),
            format!("host=h dbname=d sslmode='{mode}'"),
        ] {
            let (toml, _) = given(&upstream).line("upstream");
            let shown = format!("postgres://materialize@h:6875/d?sslmode={mode}");
            assert_eq!(toml, format!("upstream = \"{shown}\""));
        }
    }
    for mode in ["allow", "hunter2", ""] {
        for upstream in [
            format!("postgres://h/d?sslmode={mode}"),
            format!("host=h sslmode='{mode}'"),
        ] {
            given(&upstream).refused(
                "error: invalid sslmode in --upstream\n\
                 hint: Give disable, prefer, require, verify-ca or verify-full.",
            );
        }
    }
    given("postgres://h/d?sslmode=require&sslrootcert=system").refused(
        "error: invalid sslmode in --upstream for sslrootcert=system\n\
         hint: Use sslmode=verify-full with it.",
    );
    for weak in ["", "&sslmode=prefer", "&sslmode=disable"] {
        given(&format!("postgres://h/d?sslnegotiation=direct{weak}")).refused(
            "error: weak sslmode in --upstream for sslnegotiation=direct\n\
             hint: Use sslmode=require, verify-ca or verify-full with it.",
        );
    }
    let direct = given("host=h sslnegotiation=direct sslmode=require");
    assert!(direct.load().is_ok());
    let of_variable =
        given("postgres://h/d?sslnegotiation=direct").variable("PGSSLMODE", "verify-full");
    assert!(of_variable.load().is_ok());
    given("postgres://h/d?sslcrl=/x").refused(
        "error: parameter \"sslcrl\" of --upstream is not supported\n\
         hint: Leave it out; TLS is ruled by sslmode, sslrootcert, sslcert and sslkey.",
    );
    given("postgres://h/d?sslmode=require&sslcert=/x").refused(
        "error: only one of sslcert and sslkey given in --upstream\nhint: Give both, or none.",
    );
}

#[test]
fn config_file_of_tls_that_is_none_is_refused_by_its_parameter() {
    let directory = tempfile::tempdir().expect("directory");
    let ca = Authority::new("one");
    let signed = ca.sign(&["me"], false);
    let root = ca.write(&directory, "ca.pem").display().to_string();
    let key = write_secret(&directory, "key", &signed.key_pem);
    let key = key.display().to_string();
    let other = ca.sign(&["you"], false);
    let certificate = write_secret(&directory, "crt", &other.pem);
    let certificate = certificate.display().to_string();
    let report = |parameters: &str| {
        let given = given(&format!("postgres://h/d?sslmode=require&{parameters}"));
        let report = given.load().expect_err(parameters).report();
        report.replace(&directory.path().display().to_string(), "")
    };
    assert_eq!(
        report("sslrootcert=/no/such"),
        "error: file /no/such given by sslrootcert of --upstream could not be read: No such file \
         or directory (os error 2)\nhint: Check the path, and that this user may read the file.\n"
    );
    let pem = "\nhint: Give a file of lines between -----BEGIN ...----- and -----END ...-----; a \
         key must not be encrypted.\n";
    assert_eq!(
        report(&format!("sslrootcert={key}")),
        format!(
            "error: file /key given by sslrootcert of --upstream holds no certificate in PEM \
             form{pem}"
        )
    );
    assert_eq!(
        report(&format!("sslcert={certificate}&sslkey={root}")),
        format!(
            "error: file /ca.pem given by sslkey of --upstream holds no private key in PEM \
             form{pem}"
        )
    );
    let mismatch = report(&format!("sslcert={certificate}&sslkey={key}"));
    assert!(
        mismatch.starts_with("error: TLS cannot be set up as --upstream asks: the client's"),
        "{mismatch}"
    );
    let exposed = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    std::fs::set_permissions(&key, exposed).expect("it is ours");
    assert_eq!(
        report(&format!("sslcert={certificate}&sslkey={key}")),
        "error: file /key given by sslkey of --upstream can be read by others than its owner\n\
         hint: Take the others' rights away, e.g. by chmod 0600.\n"
    );
}

#[test]
fn config_password_file_that_is_none_is_refused_by_its_giver() {
    let directory: TempDir = tempfile::tempdir().expect("directory");
    let write = |name: &str, text: &str| {
        let path = write_secret(&directory, name, text);
        path.display().to_string()
    };
    let two = write("two", "a\nhunter2\n");
    let hint = "Write the password, and nothing else, into it, as one line of UTF-8 text.";
    Given::least()
        .flag("password_file", &[&two])
        .refused(&format!(
            "error: file {two} given by --password-file has more than one line\nhint: {hint}"
        ));
    Given::least()
        .variable("VIEWCAST_PASSWORD_FILE", "/no/such")
        .refused(
            "error: file /no/such given by VIEWCAST_PASSWORD_FILE could not be read: No such \
             file or directory (os error 2)\n\
             hint: Check the path, and that this user may read the file.",
        );
    Given::least().variable("PGPASSFILE", "/no/such").refused(
        "error: file /no/such given by PGPASSFILE could not be read: No such file or directory \
         (os error 2)\nhint: Check the path, and that this user may read the file.",
    );
    let exposed = write("exposed", "*:*:*:*:hunter2");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o640);
    std::fs::set_permissions(&exposed, mode).expect("it is ours");
    Given::least()
        .variable("PGPASSFILE", &exposed)
        .refused(&format!(
            "error: file {exposed} given by PGPASSFILE can be read by others than its owner\n\
         hint: Take the others' rights away, e.g. by chmod 0600."
        ));
}

#[test]
fn config_password_of_a_file_is_noted_and_never_shown() {
    let directory = tempfile::tempdir().expect("directory");
    let file = write_secret(&directory, "file", "hunter2\n");
    let file = file.display().to_string();
    let lines = "h2:2:d:u:hunter2\n";
    let passfile = write_secret(&directory, ".pgpass", lines);
    let passfile = passfile.display().to_string();
    let home = directory.path().display().to_string();
    let upstream = "postgres://u@h1:1,h2:2/d";
    for (given, note) in [
        (
            given(upstream).flag("password_file", &[&file]),
            "password_file",
        ),
        (
            given(upstream).variable("PGPASSFILE", &passfile),
            "PGPASSFILE",
        ),
        (given(upstream).variable("HOME", &home), "~/.pgpass"),
        (
            given(&format!("{upstream}?passfile={passfile}")),
            "passfile",
        ),
    ] {
        let (toml, from) = given.line("upstream");
        assert_eq!(from, format!("flag --upstream, password from {note}"));
        let config = given.load().expect("config");
        assert!(!format!("{toml}{config:?}").contains("hunter2"));
    }
    // An address with a password of its own needs no file.
    let own = given("postgres://u:own@h/d").flag("password_file", &[&file]);
    let config = own.load().expect("config");
    assert_eq!(
        config.upstream.postgres().get_password(),
        Some(b"own".as_slice())
    );
}
