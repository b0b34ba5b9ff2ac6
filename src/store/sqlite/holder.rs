//! The processes that hold a lock on a file, by `proc_locks(5)` and `proc_pid_cmdline(5)` of Linux.

use std::path::Path;

use crate::store::Holder;

/// Most processes that an error names: many may hold a lock for reading.
const MOST: usize = 3;

/// The processes that hold a lock on this file; empty if the system does not list them. It does not list those of other
/// machines and of other PID namespaces.
#[cfg(target_os = "linux")]
pub(super) fn of(file: &Path) -> Vec<Holder> {
    use std::os::unix::fs::MetadataExt as _;
    /// A busy file server has some ten thousand locks, with 60 bytes each.
    const MAX_LOCKS_BYTES: usize = 8 << 20;
    let (Ok(file), Some(locks)) = (
        file.metadata(),
        crate::file::read_head(Path::new("/proc/locks"), MAX_LOCKS_BYTES).ok(),
    ) else {
        return Vec::new();
    };
    let device = (libc::major(file.dev()), libc::minor(file.dev()));
    let mut processes = holders(&String::from_utf8_lossy(&locks), device, file.ino());
    processes.truncate(MOST);
    processes.into_iter().map(described).collect()
}

#[cfg(not(target_os = "linux"))]
pub(super) fn of(_file: &Path) -> Vec<Holder> {
    Vec::new()
}

/// The processes that hold a lock on this inode, by the text of `/proc/locks`:
///
/// ```text
/// 1: FLOCK  ADVISORY  WRITE 4711 08:01:131 0 EOF
/// 1: -> FLOCK  ADVISORY  WRITE 4712 08:01:131 0 EOF     (waits for it)
/// ```
#[cfg(any(target_os = "linux", test))]
fn holders(locks: &str, device: (u32, u32), inode: u64) -> Vec<u32> {
    struct Line<'a> {
        kind: &'a str,
        process: u32,
        device: Option<(u32, u32)>,
    }
    let on_inode: Vec<Line<'_>> = locks
        .lines()
        .filter_map(|line| {
            let mut fields = line.split_ascii_whitespace().skip(1);
            let kind = fields.next().filter(|kind| *kind != "->")?;
            let process = fields.nth(2)?.parse().ok()?;
            let mut file = fields.next()?.splitn(3, ':');
            let hex = |text: Option<&str>| u32::from_str_radix(text?, 16).ok();
            let device = hex(file.next()).zip(hex(file.next()));
            (file.next()?.parse() == Ok(inode)).then_some(Line {
                kind,
                process,
                device,
            })
        })
        .collect();
    // Some file systems (btrfs, overlayfs) show another device there than in `stat`, so only the inode is compared. A
    // lock of another kind than ours conflicts only where the file system converts one into the other (NFS).
    let is_on_device = |line: &&Line<'_>| line.device == Some(device);
    let any_on_device = on_inode.iter().any(|line| is_on_device(&line));
    let of_file: Vec<&Line<'_>> = on_inode
        .iter()
        .filter(|line| !any_on_device || is_on_device(line))
        .collect();
    let any_of_kind = of_file.iter().any(|line| line.kind == "FLOCK");
    let mut processes: Vec<u32> = of_file
        .iter()
        .filter(|line| !any_of_kind || line.kind == "FLOCK")
        .map(|line| line.process)
        .collect();
    processes.sort_unstable();
    processes.dedup();
    processes
}

/// The user and the command of a process.
#[cfg(target_os = "linux")]
fn described(process: u32) -> Holder {
    use std::os::unix::fs::MetadataExt as _;
    /// Longest command that is shown, in characters.
    const MAX_COMMAND_CHARS: usize = 200;
    const MAX_COMMAND_BYTES: usize = 4096;
    let about = Path::new("/proc").join(process.to_string());
    let read = |name: &str| {
        let bytes = crate::file::read_head(&about.join(name), MAX_COMMAND_BYTES).ok()?;
        let text = String::from_utf8_lossy(&bytes).replace('\0', " ");
        let text = text.trim();
        (!text.is_empty()).then(|| crate::escape::truncate(text, MAX_COMMAND_CHARS).into_owned())
    };
    Holder {
        process,
        user: about.metadata().ok().map(|about| about.uid()),
        // The kernel's own processes and those without memory have no arguments, but a name.
        command: read("cmdline").or_else(|| read("comm")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCKS: &str = "\
1: POSIX  ADVISORY  READ  10 fe:02:131 128 128
2: FLOCK  ADVISORY  WRITE 11 fe:02:131 0 EOF
2: -> FLOCK  ADVISORY  WRITE 12 fe:02:131 0 EOF
3: FLOCK  ADVISORY  READ  13 fe:02:132 0 EOF
4: FLOCK  ADVISORY  READ  14 fe:02:132 0 EOF
5: FLOCK  ADVISORY  WRITE 15 00:2b:131 0 EOF
6: POSIX  ADVISORY  WRITE 16 fe:02:133 0 EOF
7: OFDLCK ADVISORY  READ  -1 fe:02:134 0 EOF
8: LEASE  ACTIVE    READ
nonsense
";

    #[test]
    fn the_holder_of_a_lock_has_one_on_that_inode_and_does_not_wait_for_it() {
        let device = (0xfe, 2);
        for (device, inode, expected) in [
            (device, 131, &[11][..]),
            ((0, 0x2b), 131, &[15]),
            // Another device than in `stat`.
            ((0, 0x31), 132, &[13, 14]),
            (device, 133, &[16]),
            // A lock of a file description belongs to no process.
            (device, 134, &[]),
            (device, 999, &[]),
        ] {
            assert_eq!(holders(LOCKS, device, inode), expected, "{inode}");
        }
    }
}
