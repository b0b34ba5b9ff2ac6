//! What the commands about models need of the system, and each system has in another way.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
pub(super) use unix::{bytes, is_same_file, open_own};
#[cfg(windows)]
pub(super) use windows::{bytes, is_same_file, open_own};
