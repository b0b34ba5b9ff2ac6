//! Programs that are started: killed together with what they started.

use tokio::process::Child;

/// A program and the processes that it started, in a process group of their own: killed together when this is dropped, unless
/// it was waited for.
pub struct Group {
    /// The program.
    pub child: Child,
    #[cfg(unix)]
    id: Option<rustix::process::Pid>,
    /// Whether it was waited for.
    pub ended: bool,
}

impl Group {
    /// Of a program that was started with `process_group(0)`.
    pub fn new(child: Child) -> Self {
        Self {
            #[cfg(unix)]
            id: child
                .id()
                .and_then(|id| i32::try_from(id).ok())
                .and_then(rustix::process::Pid::from_raw),
            child,
            ended: false,
        }
    }
}

impl Drop for Group {
    /// While the leader was not waited for, no other process can get its number, and so no other group.
    fn drop(&mut self) {
        #[cfg(unix)]
        if let (false, Some(id)) = (self.ended, self.id) {
            // Fails only if no process is left.
            let _ = rustix::process::kill_process_group(id, rustix::process::Signal::KILL);
        }
    }
}
