//! Two servers of a directory: nginx, if it is installed, and one of the benchmark that answers with a delay.

use std::fs;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use super::child::pause;

/// nginx over a directory; it ends with this value.
pub struct Nginx {
    child: Child,
    /// Where it answers.
    pub url: String,
}

impl Nginx {
    /// Starts it. `Ok(None)`: it is not installed.
    pub fn start(directory: &Path, scratch: &Path) -> io::Result<Option<Self>> {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
            .local_addr()?
            .port();
        fs::create_dir_all(scratch)?;
        let configuration = scratch.join("nginx.conf");
        let scratch = scratch.display();
        fs::write(
            &configuration,
            format!(
                "daemon off; worker_processes 1; pid {scratch}/pid; error_log {scratch}/errors;\n\
                 events {{ worker_connections 256; }}\n\
                 http {{ access_log off; sendfile on; keepalive_requests 1000000;\n\
                 server {{ listen 127.0.0.1:{port}; root \"{}\"; }} }}\n",
                directory.display()
            ),
        )?;
        let started = Command::new("nginx")
            .arg("-c")
            .arg(&configuration)
            .stderr(Stdio::null())
            .spawn();
        let child = match started {
            Ok(child) => child,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let nginx = Self {
            child,
            url: format!("http://127.0.0.1:{port}"),
        };
        let deadline = Instant::now() + Duration::from_secs(5);
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            if Instant::now() > deadline {
                return Err(io::Error::other("nginx does not answer"));
            }
            pause(Duration::from_millis(10));
        }
        Ok(Some(nginx))
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // Its master ends the worker on SIGTERM only.
        let _ = rustix::process::kill_process(
            rustix::process::Pid::from_child(&self.child),
            rustix::process::Signal::TERM,
        );
        let _ = self.child.wait();
    }
}

/// Serves a directory, each answer after a delay, with one thread for each connection, until the benchmark ends.
pub struct Late {
    /// Where it answers.
    pub url: String,
    /// The moment of each request.
    pub requests: Receiver<Instant>,
}

impl Late {
    pub fn start(directory: PathBuf, delay: Duration) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let url = format!("http://{}", listener.local_addr()?);
        let (sender, requests) = channel();
        std::thread::spawn(move || {
            for connection in listener.incoming().map_while(Result::ok) {
                let (directory, sender) = (directory.clone(), sender.clone());
                // A client that closes its connection ends only that.
                std::thread::spawn(move || serve(&connection, &directory, delay, &sender));
            }
        });
        Ok(Self { url, requests })
    }
}

fn serve(
    mut connection: &TcpStream,
    directory: &Path,
    delay: Duration,
    requests: &Sender<Instant>,
) -> io::Result<()> {
    connection.set_nodelay(true)?;
    let mut lines = BufReader::new(connection).lines();
    while let Some(request) = lines.next().transpose()? {
        // The receiver may have been dropped.
        let _ = requests.send(Instant::now());
        for header in lines.by_ref() {
            if header?.is_empty() {
                break;
            }
        }
        pause(delay);
        let path = request
            .split(' ')
            .nth(1)
            .unwrap_or("/")
            .trim_start_matches('/');
        match fs::File::open(directory.join(path)) {
            Ok(mut file) => {
                let length = file.metadata()?.len();
                write!(
                    connection,
                    "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n"
                )?;
                io::copy(&mut file, &mut connection)?;
            }
            Err(_) => write!(
                connection,
                "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
            )?,
        }
    }
    Ok(())
}
