//! What is measured, and on which servers.

use crate::setting;

/// Bytes of an event beside its filling, about.
pub const ROW_BYTES: u64 = 110;

/// What is of interest.
#[derive(Clone, Copy, PartialEq)]
pub enum What {
    /// Delivering events at a rate that everybody can follow.
    Steady,
    /// Delivering events faster than each can be written by itself.
    Burst,
    /// Memory of subscribers to whom nothing happens.
    Idle,
    /// Letting subscribers in, all at once.
    Join,
    /// How cost grows with subscribers, bytes and the view.
    Growth,
    /// What a setting saves.
    Savings,
    /// What other ways in cost.
    Ways,
}

/// Who serves.
pub struct Server {
    pub name: &'static str,
    /// Arguments of the gateway beside the usual; `None` for a loop.
    pub gateway: Option<&'static [&'static str]>,
    /// Which of the loops it is.
    pub reference: &'static str,
    /// What the subscribers ask for.
    pub encoding: Encoding,
    pub way: Way,
    /// Where they are of interest: times the loop's CPU per event, KiB a subscriber.
    pub goals: Option<(f64, f64)>,
}

/// How streams are compressed.
#[derive(Clone, Copy, PartialEq)]
pub enum Encoding {
    Identity,
    Gzip,
    /// With the view's dictionary.
    Dcz,
}

impl Encoding {
    /// As HTTP names it.
    pub fn word(self) -> &'static str {
        match self {
            Encoding::Identity => "identity",
            Encoding::Gzip => "gzip",
            Encoding::Dcz => "dcz",
        }
    }
}

/// How subscribers come in.
#[derive(Clone, Copy, PartialEq)]
pub enum Way {
    /// With the first request of a connection.
    First,
    /// On a connection that was used before.
    Reused,
    /// For two views at once, with as many rows in all.
    Several,
    /// With TLS.
    Secure,
    /// For two views with TLS.
    SeveralSecure,
    /// With HTTP/2 and TLS, six streams a connection.
    Http2,
}

impl Way {
    pub fn is_secure(self) -> bool {
        matches!(self, Way::Secure | Way::SeveralSecure | Way::Http2)
    }

    pub fn is_several(self) -> bool {
        matches!(self, Way::Several | Way::SeveralSecure)
    }
}

pub struct Case {
    pub name: &'static str,
    pub what: What,
    pub subscribers: usize,
    /// Rows of the base.
    pub rows: u64,
    /// Bytes that fill each row.
    pub pad: u64,
    pub events: u64,
    pub rate: f64,
    /// Events that stay in the view: an event takes the one so many before it
    /// away. 0: all stay.
    pub kept: u64,
    /// The reference first.
    pub servers: Vec<Server>,
}

fn bare_loop(reference: &'static str, name: &'static str) -> Server {
    Server {
        name,
        gateway: None,
        reference,
        encoding: Encoding::Identity,
        way: Way::First,
        goals: None,
    }
}

fn viewcast(name: &'static str, gateway: &'static [&'static str]) -> Server {
    Server {
        name,
        gateway: Some(gateway),
        reference: "",
        encoding: Encoding::Identity,
        way: Way::First,
        goals: None,
    }
}

fn beside(reference: &'static str, name: &'static str) -> Vec<Server> {
    vec![bare_loop(reference, name), viewcast("viewcast", &[])]
}

/// All cases, or those that are chosen.
pub fn all() -> Vec<Case> {
    let mut all = goals();
    all.extend(ways());
    all.extend(growth());
    all.extend(savings());
    let scale: f64 = setting("BENCH_SCALE", 1.0);
    for case in &mut all {
        case.subscribers = (case.subscribers as f64 * scale) as usize;
    }
    let chosen: String = setting("BENCH_CASES", String::new());
    let words: Vec<&str> = chosen.split(',').filter(|word| !word.is_empty()).collect();
    let is_chosen = |case: &Case| words.is_empty() || words.iter().any(|w| case.name.contains(w));
    all.into_iter().filter(is_chosen).collect()
}

/// Those that a goal is set for.
fn goals() -> Vec<Case> {
    let seconds: f64 = setting("BENCH_SECONDS", 5.0);
    let case = |name, what, subscribers, rows, pad, rate: f64, servers| Case {
        name,
        what,
        subscribers,
        rows,
        pad,
        events: (seconds * rate) as u64,
        rate,
        kept: 0,
        servers,
    };
    let bare = || beside("bare", "bare write loop");
    vec![
        case(
            "1,000 x 200 B x 50/s",
            What::Steady,
            1_000,
            10,
            90,
            50.0,
            bare(),
        ),
        case(
            "5,000 x 1 KiB x 10/s",
            What::Steady,
            5_000,
            10,
            914,
            10.0,
            bare(),
        ),
        case(
            "burst 500 x 200 B x 2,000/s",
            What::Burst,
            500,
            10,
            90,
            2e3,
            beside("gathering", "coalescing loop"),
        ),
        case("10,000 idle", What::Idle, 10_000, 10, 90, 0.0, bare()),
        case(
            "1,000 join at once, 256 KiB base",
            What::Join,
            1_000,
            2_000,
            90,
            0.0,
            bare(),
        ),
        case(
            "1,000 join at once, 2 MiB base",
            What::Join,
            1_000,
            16_000,
            90,
            0.0,
            bare(),
        ),
    ]
}

/// The ways in, each beside the loop of its kind.
fn ways() -> Vec<Case> {
    let seconds: f64 = setting("BENCH_SECONDS", 5.0);
    let on = |way, name, cpu, kib| Server {
        way,
        goals: Some((cpu, kib)),
        ..viewcast(name, &[])
    };
    let secure_loop = Server {
        way: Way::Secure,
        ..bare_loop("bare", "bare loop over rustls")
    };
    vec![Case {
        name: "ways in, 1,000 x 200 B x 20/s",
        what: What::Ways,
        subscribers: 1_000,
        rows: 10,
        pad: 90,
        events: (seconds * 20.0) as u64,
        rate: 20.0,
        kept: 0,
        servers: vec![
            bare_loop("bare", "bare write loop"),
            on(Way::First, "first request", 1.10, 1.3),
            on(Way::Reused, "reused connection", 1.15, 1.5),
            on(Way::Several, "two views", 1.26, 2.0),
            secure_loop,
            on(Way::Secure, "TLS", 1.15, 8.0),
            on(Way::SeveralSecure, "TLS, two views", 1.32, 8.7),
            on(Way::Http2, "HTTP/2", 1.5, 4.0),
        ],
    }]
}

/// Subscribers, bytes and rows, each by itself.
fn growth() -> Vec<Case> {
    let sizes = [
        (250, 90, 10),
        (1_000, 90, 10),
        (4_000, 90, 10),
        (1_000, 914, 10),
        (1_000, 9_100, 10),
        (1_000, 36_000, 10),
        (1_000, 90, 10_000),
        (1_000, 90, 1_000_000),
    ];
    let case = |(subscribers, pad, rows)| Case {
        name: "growth",
        what: What::Growth,
        subscribers,
        rows,
        pad,
        events: 20,
        rate: 10.0,
        kept: 0,
        servers: beside("bare", "bare write loop"),
    };
    sizes.map(case).into()
}

/// What conflation and compression save.
fn savings() -> Vec<Case> {
    let seconds: f64 = setting("BENCH_SECONDS", 5.0);
    let case = |name, rows, pad, rate: f64, kept, servers| Case {
        name,
        what: What::Savings,
        subscribers: 500,
        rows,
        pad,
        events: (seconds / 2.0 * rate) as u64,
        rate,
        kept,
        servers,
    };
    let conflation = vec![
        viewcast("viewcast", &[]),
        viewcast("--min-interval 100ms", &["--min-interval", "100ms"]),
        viewcast("--min-interval 1s", &["--min-interval", "1s"]),
    ];
    let gzip = |name, gateway| Server {
        encoding: Encoding::Gzip,
        ..viewcast(name, gateway)
    };
    let packed = || gzip("--compress auto", &["--compress", "auto"]);
    let with_dictionary = || Server {
        encoding: Encoding::Dcz,
        ..viewcast("--compress auto, dictionary", &["--compress", "auto"])
    };
    let each_alone = || Server {
        encoding: Encoding::Gzip,
        ..bare_loop("deflating", "loop, compressing for each")
    };
    let gathered = &["--min-interval", "500ms"];
    let both = &["--min-interval", "500ms", "--compress", "auto"];
    let gathers = vec![
        viewcast("--min-interval 500ms", gathered),
        gzip("--min-interval 500ms --compress auto", both),
    ];
    let compressed = || {
        vec![
            viewcast("viewcast", &[]),
            packed(),
            with_dictionary(),
            each_alone(),
        ]
    };
    vec![
        case(
            "conflation: 20 rows replaced 400 times a second",
            10,
            90,
            400.0,
            20,
            conflation,
        ),
        case(
            "compress: rows of 200 B, 50/s",
            10,
            90,
            50.0,
            0,
            compressed(),
        ),
        case(
            "compress: rows of 1 KiB, 50/s",
            10,
            914,
            50.0,
            0,
            compressed(),
        ),
        case(
            "compress: gathered rows of 200 B, 400/s",
            10,
            90,
            400.0,
            0,
            gathers,
        ),
        case(
            "compress: joining a base of 2 MiB",
            16_000,
            90,
            0.0,
            0,
            compressed(),
        ),
    ]
}
