//! What systemd is told of the process, where it asks (`Type=notify`): that it
//! listens, that it still lives, that it ends. See sd_notify(3).

use std::env;
use std::ffi::OsString;
use std::io;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use actix_web::rt::spawn;
use actix_web::rt::time::sleep;
use log::{debug, warn};

/// The socket of who started this process, if it wants to be told.
pub struct ServiceManager(Option<UnixDatagram>);

impl ServiceManager {
    /// Finds it by the variable that systemd sets, which is no setting of ours.
    pub fn find() -> Self {
        let Some(path) = env::var_os("NOTIFY_SOCKET") else {
            return ServiceManager(None);
        };
        ServiceManager(match connect(path) {
            Ok(socket) => Some(socket),
            Err(error) => {
                warn!("NOTIFY_SOCKET cannot be reached, so systemd is told nothing: {error}");
                None
            }
        })
    }

    /// It listens. From now on it says that it lives as often as it is to: from
    /// the thread that also answers signals, so one that hangs is restarted.
    pub fn listens(&self) {
        self.tell("READY=1");
        let Some(every) = watchdog() else {
            return;
        };
        let socket = self.0.as_ref().map(UnixDatagram::try_clone);
        let Some(Ok(socket)) = socket else {
            return;
        };
        let manager = ServiceManager(Some(socket));
        spawn(async move {
            loop {
                manager.tell("WATCHDOG=1");
                sleep(every).await;
            }
        });
    }

    /// It was told to end, and does so once its streams have.
    pub fn ends(&self) {
        self.tell("STOPPING=1");
    }

    fn tell(&self, what: &str) {
        if let Some(socket) = &self.0
            && let Err(error) = socket.send(what.as_bytes())
        {
            // Who does not listen does what it would without us.
            debug!("systemd was not told {what}: {error}");
        }
    }
}

fn connect(path: OsString) -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    // Nobody is waited for: the loop that tells it has streams to end.
    socket.set_nonblocking(true)?;
    #[cfg(target_os = "linux")]
    if let Some(name) = path.to_str().and_then(|path| path.strip_prefix('@')) {
        use std::os::linux::net::SocketAddrExt as _;
        let address = std::os::unix::net::SocketAddr::from_abstract_name(name)?;
        socket.connect_addr(&address)?;
        return Ok(socket);
    }
    socket.connect(path)?;
    Ok(socket)
}

/// How often to say that it lives: twice in the time after which it is taken for
/// dead, if it is watched.
fn watchdog() -> Option<Duration> {
    let micros = env::var_os("WATCHDOG_USEC")?;
    let micros: u64 = micros.to_str()?.parse().ok()?;
    (micros > 0).then(|| Duration::from_micros(micros / 2))
}
