//! Every setting, declared once: its flag, variable, key, help and default.
//!
//! To add one: here, in `config.rs`, and in `config/viewcast.example.toml`; tests compare them.

use clap::Args;

use crate::limits;

pub use defaults::{DefaultValue, size_text};
pub use setting::{ENVIRONMENT_PREFIX, Setting};

use defaults::{duration, one_per_core, share_of_files, text};

mod defaults;
mod setting;

/// Declares a group of settings: the clap arguments of its flags, and the table
/// that the other layers, the help and the configuration's merge go by.
macro_rules! settings {
    (
        $(#[$about:meta])*
        $group:ident in $module:ident {
            $( $(#[$help:meta])* $key:ident: $kind:ty, $value:literal, $default:expr; )*
        }
    ) => {
        #[allow(rustdoc::bare_urls, rustdoc::broken_intra_doc_links, reason = "a terminal's help")]
        $(#[$about])*
        #[derive(Args, Clone, Default)]
        pub struct $group {
            $( $(#[$help])* #[arg(long, value_name = $value)] pub $key: $kind, )*
        }

        impl $group {
            /// The flags that were given: key and values.
            pub fn given(&self) -> Vec<(&'static str, Vec<String>)> {
                let all = [ $( (stringify!($key), self.$key.iter().cloned().collect::<Vec<_>>()) ),* ];
                all.into_iter().filter(|(_, values)| !values.is_empty()).collect()
            }
        }

        /// The settings of the group, each by its key.
        #[allow(non_upper_case_globals, missing_docs, reason = "a constant here is named as its key")]
        pub mod $module {
            use super::*;
            $( pub const $key: Setting = Setting { key: stringify!($key), default: || $default }; )*

            /// All of them, in the order of the help.
            pub const ALL: &[Setting] = &[ $( $key ),* ];
        }
    };
}

// Behind the macro, which it uses.
mod of_demo;

pub use of_demo::{DemoFlags, demo};

settings! {
    /// Settings of the gateway.
    ServeFlags in serve {
        /// Tail the Materialize at this address (required)
        ///
        /// A postgres URL or a key=value string. The port defaults to 6875, the
        /// user and the database to "materialize"; PGHOST, PGPORT, PGUSER and
        /// PGDATABASE are not looked at. Several hosts, separated by commas,
        /// are tried in order. TLS is asked for by
        /// sslmode (disable, prefer, require, verify-ca, verify-full; default
        /// prefer), sslrootcert, sslcert and sslkey, with libpq's meaning; the
        /// verifying modes trust the machine's CAs unless sslrootcert is given.
        /// Example: postgres://me@db.example.com:6875/materialize?sslmode=verify-full
        upstream: Option<String>, "URL", DefaultValue::None;

        /// Read the upstream's password from this file
        ///
        /// One line of text. The first of these that gives a password wins: the
        /// upstream's address, this file, the variable PGPASSWORD, the password
        /// file that PGPASSFILE names (as libpq has it: host:port:database:
        /// user:password, read by its owner only), ~/.pgpass. Files are read
        /// anew before each connection; what cannot be read leaves the last
        /// password in force.
        /// Example: /run/secrets/materialize
        password_file: Option<String>, "FILE", DefaultValue::None;

        /// Have this command print the upstream's password
        ///
        /// In place of password_file, for tokens that last an hour: it is run by
        /// /bin/sh before connecting, and prints the password as one line of
        /// text within 10 s. What it says on stderr when it fails is logged,
        /// what it prints is not.
        /// Example: vault read -field=token materialize/creds/viewcast
        password_command: Option<String>, "COMMAND", DefaultValue::None;

        /// Compute what is streamed on this cluster
        ///
        /// Set at the start of each connection; without it, the role's default.
        /// Clusters came with Materialize 0.27. Example: quickstart
        cluster: Option<String>, "NAME", DefaultValue::None;

        /// Ask this replica of the cluster
        ///
        /// The relations of mz_introspection need it where a cluster has
        /// several replicas, since each has its own. Example: r1
        cluster_replica: Option<String>, "NAME", DefaultValue::None;

        /// Look for views named without a schema in this one
        ///
        /// Repeat the flag for several or separate them by commas; the first
        /// wins. Without it, the server's search path. Example: --search-path sales
        search_path: Vec<String>, "SCHEMA", DefaultValue::Empty;

        /// Stream this view, as NAME, SCHEMA.NAME or DATABASE.SCHEMA.NAME
        ///
        /// Repeat the flag for several views or separate them by commas; the
        /// first is the default view, also served at /view/stream. At least one
        /// is required, 1024 at the most. As in SQL, a part without double
        /// quotes is folded to lower case, and a part with other characters
        /// than letters, digits and _ needs them; a comma inside double quotes
        /// belongs to the name. SCHEMA.* is all that a schema has: views, materialized
        /// views, tables and sources, those to come included.
        /// Example: --view top10 --view 'public."Big Spenders"'
        view: Vec<String>, "NAME", DefaultValue::None;

        /// Let clients ask for those rows of a view that have some value here
        ///
        /// Without it a view is served whole. VIEW is as --view names it, COLUMN
        /// as it stands in the rows. Repeat the flag for several, or separate
        /// them by commas, as in orders:customer_id,status; 8 of a view at the
        /// most. A column in double quotes may hold a comma.
        /// Example: --filter orders:customer_id
        filter: Vec<String>, "VIEW:COLUMN", DefaultValue::Empty;

        /// Serve HTTP on this IP address and port
        ///
        /// Port 0 picks a free one; the log says which. Streams are served to
        /// whoever reaches the port. Example: 0.0.0.0:8080
        listen: Option<String>, "ADDR:PORT", text(limits::LISTEN_DEFAULT);

        /// Serve everything below this path
        ///
        /// So that one rule of a proxy, which need not rewrite anything, leads
        /// here. The page, its files and the paths that /views and /openapi.json
        /// name are below it; /healthz, /readyz and /metrics are at the root as
        /// well. Example: /live
        base_path: Option<String>, "PATH", DefaultValue::None;

        /// Serve /metrics, /healthz and /readyz on this IP address and port
        ///
        /// For who watches the gateway, and for nobody else: no token is asked
        /// for there, and any host may be named. /metrics is then served there
        /// only. Plain HTTP, also with --tls-cert. Example: 127.0.0.1:9464
        metrics_listen: Option<String>, "ADDR:PORT", DefaultValue::None;

        /// Serve HTTPS with the certificate in this file
        ///
        /// PEM: the server's own certificate first, then those of the
        /// authorities in between. Takes --tls-key. Browsers then use HTTP/2,
        /// and all streams of a page share one connection. Both files are read
        /// anew at SIGHUP. Example: /etc/viewcast/cert.pem
        tls_cert: Option<String>, "FILE", DefaultValue::None;

        /// The private key of the certificate
        ///
        /// PEM, not encrypted: RSA, ECDSA or Ed25519.
        /// Example: /etc/viewcast/key.pem
        tls_key: Option<String>, "FILE", DefaultValue::None;

        /// Answer requests that name this host, beside our own names
        ///
        /// "*" for any. Repeat the flag for several or separate them by commas.
        /// On loopback without tokens only localhost, 127.0.0.1, [::1] and the
        /// listen address may be named unless more are given here, since a page
        /// of somebody else's can have its own name lead to this machine.
        /// Elsewhere all may, unless some are given. /healthz, /readyz and
        /// /metrics answer whatever the host is. Example: viewcast.example.com
        allow_host: Vec<String>, "HOST", DefaultValue::Empty;

        /// Let pages of this origin read
        ///
        /// With credentials, so that cookies count; "*" lets all read, without
        /// credentials. Repeat the flag for several or separate them by commas.
        /// By default only pages of
        /// the gateway's own origin read. Example: https://app.example.com
        allow_origin: Vec<String>, "ORIGIN", DefaultValue::Empty;

        /// Let pages of these origins send this header, too
        ///
        /// A name, the beginning of names with a "*" behind it, or "*" for all.
        /// Repeat the flag for several. What libraries for tracing add
        /// (traceparent, baggage, x-b3-*, sentry-trace and their like) is
        /// always allowed. Example: x-app-version
        allow_header: Vec<String>, "NAME", DefaultValue::Empty;

        /// Ask for access tokens: jwt; by default nobody is asked for one
        ///
        /// With jwt, views are told of only to the bearer of a token (RFC 7519)
        /// whose claim "viewcast.views" lists them. It takes --jwt-issuer,
        /// --jwt-audience, and --jwt-key-file or --jwt-jwks. Example: jwt
        auth: Option<String>, "KIND", DefaultValue::None;

        /// Verify tokens with the key in this file
        ///
        /// A public key as PEM (RS256, ES256 or EdDSA by its kind), or else a
        /// secret of 32 bytes or more (HS256). Read anew at SIGHUP.
        /// Example: /etc/viewcast/issuer.pem
        jwt_key_file: Option<String>, "FILE", DefaultValue::None;

        /// Verify tokens with the key set (JWKS) in this file or at this URL
        ///
        /// https, or http on this machine. Read again every 5 min, and at once
        /// at SIGHUP and when a token names a key that is not in it, but for
        /// that at most every 30 s; while it cannot be read, the last set stays in force.
        /// Example: https://login.example.com/.well-known/jwks.json
        jwt_jwks: Option<String>, "FILE|URL", DefaultValue::None;

        /// Accept tokens of this issuer ("iss") only
        ///
        /// Compared letter by letter. Example: https://login.example.com/
        jwt_issuer: Option<String>, "TEXT", DefaultValue::None;

        /// Accept tokens for this audience ("aud") only
        ///
        /// Example: viewcast
        jwt_audience: Option<String>, "TEXT", DefaultValue::None;

        /// Look for the token in this cookie, where no header has one
        ///
        /// EventSource cannot send headers, but sends cookies. Whoever sets it
        /// should make it HttpOnly, Secure and SameSite=Strict or Lax.
        /// Example: __Host-viewcast
        jwt_cookie: Option<String>, "NAME", text(limits::JWT_COOKIE_DEFAULT);

        /// Look for the token in the query parameter access_token, too
        ///
        /// Addresses end up in logs and histories: for clients that can send
        /// neither headers nor cookies. Example: --allow-url-token
        allow_url_token: Option<String>, "BOOL", text("false");

        /// Log lines of this form: text or json
        ///
        /// json is one object a line: time, level, target, message and what the
        /// line is about. Which lines there are is RUST_LOG's to say.
        /// Example: json
        log_format: Option<String>, "FORMAT", text("text");

        /// Run this many HTTP threads, 1 to 256
        ///
        /// Each keeps its share of the connections. Example: 4
        workers: Option<String>, "N", one_per_core();

        /// Serve at most this many streams at once, 1 to 1000000
        ///
        /// Whoever comes then is told why, and to come back in 10 to 30 s. The
        /// default leaves files for everything else. Example: 5000
        max_connections: Option<String>, "N", share_of_files();

        /// Serve at most this many streams to one client address
        ///
        /// "none", or 1 to 1000000. Behind a proxy all clients have the proxy's
        /// address unless it is named by --trusted-proxy; an IPv6 /64 network
        /// counts as one address. Example: 50
        max_connections_per_address: Option<String>, "N", text("none");

        /// Serve at most this many streams of one view
        ///
        /// "none", or 1 to 1000000. Example: 2000
        max_connections_per_view: Option<String>, "N", text("none");

        /// Serve at most this many windows of one view at once
        ///
        /// A window is the rows of a view that meet some conditions; those who
        /// ask for the same share one. "none", or 1 to 1000000. Example: 5000
        max_windows_per_view: Option<String>, "N", text(&limits::WINDOWS_PER_VIEW_DEFAULT.to_string());

        /// Serve at most this many windows at once to one client address
        ///
        /// "none", or 1 to 1000000. Example: 20
        max_windows_per_address: Option<String>, "N", text("none");

        /// Believe this proxy's X-Forwarded-For and Forwarded headers
        ///
        /// An address or a network; repeat the flag for several or separate them
        /// by commas, 256 at the most. The client is the right-most address
        /// that is not a trusted proxy's. Example: 10.0.0.0/8
        trusted_proxy: Vec<String>, "ADDR", DefaultValue::Empty;

        /// Send an empty delta after this long without a change, 10ms to 1h
        ///
        /// Keep it below the idle timeout of every proxy on the way.
        /// Example: 30s
        heartbeat: Option<String>, "DURATION", duration(limits::HEARTBEAT_DEFAULT);

        /// Close a connection whose peer makes no progress for so long, 1s to 1h
        ///
        /// A peer that is gone without a word, or that never reads. Example: 30s
        stall_timeout: Option<String>, "DURATION", duration(limits::STALL_TIMEOUT_DEFAULT);

        /// Spread the ends of streams at shutdown over this time, 0s to 1h
        ///
        /// So that browsers do not reach the other gateways all at once; a
        /// second signal ends all streams now. Example: 30s
        drain: Option<String>, "DURATION", duration(limits::DRAIN_DEFAULT);
        /// Send at most one delta with changes in this time, 0s to 10s
        ///
        /// The first change after a quiet time goes out at once; those that
        /// follow within the time are sent as one, so a row that changes back
        /// and forth costs nobody anything. A heartbeat that is due, a lost
        /// upstream or a new base does not wait for it. Example: 100ms
        min_interval: Option<String>, "DURATION", duration(limits::MIN_INTERVAL_DEFAULT);

        /// Compress streams for who accepts it: auto or off
        ///
        /// Each event is compressed once for all. gzip saves bytes where rows
        /// repeat themselves within a base or a delta. A delta of one short row
        /// becomes smaller only for browsers that have fetched the view's
        /// dictionary, /{view}/dictionary. Example: auto
        compress: Option<String>, "WHEN", text("off");

        /// Show the SQL of views to who sees all of them: true or false
        ///
        /// At /{view}/sql and on the page. A view of which columns are hidden,
        /// or of which a client sees its own rows, keeps its SQL from them:
        /// names and values in it may tell what is hidden. In the demo it is
        /// shown unless it is switched off. Example: --show-sql
        show_sql: Option<String>, "BOOL", text("false");

        /// What becomes of a view that the role may not read any more: gone or lost
        ///
        /// A server looks at privileges when a stream begins. gone: they are
        /// asked for every 20 s, and what was revoked ends its streams. lost: a
        /// stream goes on after a REVOKE until something cuts it, and what is
        /// held then stays, marked as lost. Example: lost
        revoked: Option<String>, "WHAT", text("gone");

        /// Keep at most this many bytes of deltas per view for resume, 1KiB to 64GiB
        ///
        /// A browser that comes back within what is kept gets only the deltas
        /// it missed; after that, a base. Units: B, KiB, MiB, GiB, kB, MB, GB.
        /// Example: 256MiB
        retention_bytes: Option<String>, "SIZE", text(&size_text(limits::RETENTION_BYTES_DEFAULT));

        /// Keep deltas for resume at most this long, 1s to 7days
        ///
        /// Whichever of age and bytes is reached first counts. Example: 1h
        retention_age: Option<String>, "DURATION", duration(limits::RETENTION_AGE_DEFAULT);

        /// Refuse to serve a view of more bytes of JSON, 1KiB to 512GiB
        ///
        /// Such a view ends its streams with "gone" and is looked at again
        /// later, rather than take the process down. Example: 512MiB
        max_view_bytes: Option<String>, "SIZE", text(&size_text(limits::VIEW_BYTES_MAX_DEFAULT));

        /// Look after the upstream when it was silent this long, 100ms to 1h
        ///
        /// A second connection then asks whether the server lives and the view
        /// is still the same. Example: 30s
        upstream_timeout: Option<String>, "DURATION", duration(limits::UPSTREAM_TIMEOUT_DEFAULT);

        /// Wait at most this long between two attempts to connect, 10ms to 1h
        ///
        /// The waits begin below 100 ms and double with each failure, each
        /// drawn at random up to that. Lower it where an upstream that was
        /// restarted shall be found at once. Example: 2s
        reconnect_max: Option<String>, "DURATION", duration(limits::RECONNECT_MAX_DEFAULT);

        /// Ask the catalog this often what the views' names mean, 100ms to 1h
        ///
        /// One connection asks for all views. Where a name was given to another
        /// relation, that one is served from then on: after ALTER SCHEMA ... SWAP
        /// by one delta; after a rename, or DROP and CREATE, streams end first.
        /// What patterns find follows the same questions. Example: 10s
        catalog_interval: Option<String>, "DURATION", duration(limits::CATALOG_INTERVAL_DEFAULT);

        /// Ask the upstream with this statement: auto, tail or subscribe
        ///
        /// TAIL is what Materialize before 0.27 understands, SUBSCRIBE what
        /// later ones do; auto asks the server for its version.
        dialect: Option<String>, "DIALECT", text("auto");
    }
}

/// Every setting there is, in the order of the help and of reports.
pub fn all() -> impl Iterator<Item = Setting> {
    serve::ALL.iter().chain(demo::ALL).copied()
}
