//! Where connections come from: an address, or a Unix socket.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
#[cfg(unix)]
use tokio::net::{UnixListener, UnixStream};

use crate::config::Listen;

/// A connection.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// The other end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Peer {
    Address(IpAddr),
    /// A process that may open the socket.
    Socket,
}

/// An open listener.
pub struct Listener {
    kind: Kind,
    address: String,
}

enum Kind {
    Tcp(TcpListener),
    #[cfg(unix)]
    Unix {
        listener: UnixListener,
        /// Removed at the end.
        path: PathBuf,
    },
}

/// Why nothing can be served.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// The system refuses it.
    #[error("cannot listen on {listen}: {source}")]
    System {
        /// Where.
        listen: String,
        /// Why.
        source: io::Error,
    },
    /// Another process listens on the socket.
    #[error("cannot listen on {}: another process does", path.display())]
    InUse {
        /// The socket.
        path: PathBuf,
    },
    /// The path is something else, which is not removed.
    #[error("cannot listen on {}: there is a file that is not a socket", path.display())]
    NotASocket {
        /// The path.
        path: PathBuf,
    },
}

impl Listener {
    /// Begins to listen.
    ///
    /// # Errors
    ///
    /// The address is in use or not of this machine, or the socket cannot be created.
    pub async fn bind(listen: &Listen) -> Result<Self, BindError> {
        let system = |source| BindError::System {
            listen: listen.to_string(),
            source,
        };
        match listen {
            Listen::Tcp(address) => {
                let listener = TcpListener::bind(address).await.map_err(system)?;
                let bound = listener.local_addr().map_err(system)?;
                Ok(Self {
                    kind: Kind::Tcp(listener),
                    address: Listen::Tcp(bound).to_string(),
                })
            }
            #[cfg(unix)]
            Listen::Unix(path) => Ok(Self {
                kind: Kind::Unix {
                    listener: unix(path, system).await?,
                    path: path.clone(),
                },
                address: listen.to_string(),
            }),
            #[cfg(not(unix))]
            Listen::Unix(_) => Err(system(io::ErrorKind::Unsupported.into())),
        }
    }

    /// Where it listens, with the real port.
    pub fn address(&self) -> &str {
        &self.address
    }

    pub(super) async fn accept(&self) -> io::Result<(Box<dyn Stream>, Peer)> {
        match &self.kind {
            Kind::Tcp(listener) => {
                let (stream, address): (_, SocketAddr) = listener.accept().await?;
                let peer = address.ip().to_canonical();
                Ok((Box::new(stream), Peer::Address(peer)))
            }
            #[cfg(unix)]
            Kind::Unix { listener, .. } => {
                let (stream, _) = listener.accept().await?;
                Ok((Box::new(stream), Peer::Socket))
            }
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        #[cfg(unix)]
        if let Kind::Unix { path, .. } = &self.kind {
            // A socket that stays is replaced at the next start.
            let _ = std::fs::remove_file(path);
        }
    }
}

/// A Unix socket for its owner and its group, whatever the umask. It is created under another name: under its own name
/// it never has other permissions.
#[cfg(unix)]
async fn unix(
    path: &Path,
    system: impl Fn(io::Error) -> BindError,
) -> Result<UnixListener, BindError> {
    use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};

    match path.symlink_metadata() {
        Ok(there) if !there.file_type().is_socket() => {
            return Err(BindError::NotASocket {
                path: path.to_owned(),
            });
        }
        // What an ended process has left refuses connections, and may be replaced.
        Ok(_) if UnixStream::connect(path).await.is_ok() => {
            return Err(BindError::InUse {
                path: path.to_owned(),
            });
        }
        _ => {}
    }
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{}", std::process::id()));
    let beside = PathBuf::from(beside);
    let _ = std::fs::remove_file(&beside);
    let listener = UnixListener::bind(&beside).map_err(&system)?;
    let placed = std::fs::set_permissions(&beside, std::fs::Permissions::from_mode(0o660))
        .and_then(|()| std::fs::rename(&beside, path));
    if let Err(error) = placed {
        let _ = std::fs::remove_file(&beside);
        return Err(system(error));
    }
    Ok(listener)
}
