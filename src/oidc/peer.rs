//! Whether the program at the other end of a connection on this machine is the user's own.
//!
//! The address of a sign-in is on the command line of the browser, where other users of the machine can read it. One of them
//! could sign in there as himself, and bring the answer: the model would be signed under his name.

use std::net::SocketAddr;

/// Whether another user's program is at the other end. If that cannot be found out, it is not.
pub(super) fn is_another_users(own: SocketAddr, peer: SocketAddr) -> bool {
    #[cfg(target_os = "linux")]
    if let Some(user) = linux::owner(own, peer) {
        // Root forwards connections into containers, and could read the memory of this process as well.
        return user != 0 && user != rustix::process::geteuid().as_raw();
    }
    let _ = (own, peer);
    false
}

#[cfg(target_os = "linux")]
mod linux {
    use std::net::SocketAddr;
    use std::path::Path;

    use crate::file;

    /// A line for each connection of the machine has 150 bytes.
    const MAX_TABLE_BYTES: usize = 8 << 20;

    /// The user whose socket is at the other end (proc(5), `/proc/net/tcp`).
    pub(super) fn owner(own: SocketAddr, peer: SocketAddr) -> Option<u32> {
        ["/proc/net/tcp", "/proc/net/tcp6"]
            .into_iter()
            .filter_map(|table| file::read_text(Path::new(table), MAX_TABLE_BYTES).ok())
            .find_map(|table| owner_in(&table, own, peer))
    }

    /// Both ends are on this machine, so their ports are enough to find the connection.
    pub(super) fn owner_in(table: &str, own: SocketAddr, peer: SocketAddr) -> Option<u32> {
        let port = |address: &str| {
            let (_, port) = address.rsplit_once(':')?;
            u16::from_str_radix(port, 16).ok()
        };
        table.lines().skip(1).find_map(|line| {
            let mut fields = line.split_ascii_whitespace();
            let (local, remote) = (fields.nth(1)?, fields.next()?);
            let is_it = port(local) == Some(peer.port()) && port(remote) == Some(own.port());
            // State, queues, timer and retransmissions come before the user.
            is_it.then(|| fields.nth(4)?.parse().ok()).flatten()
        })
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn the_owner_is_that_of_the_other_end_of_the_connection() {
            let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
                0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1001        0 1 1\n\
                1: 0100007F:1F90 0100007F:C350 01 00000000:00000000 00:00000000 00000000  1001        0 2 1\n\
                2: 0100007F:C350 0100007F:1F90 01 00000000:00000000 02:00000000 00000000  1002        0 3 1\n\
                3: broken\n";
            let at = |port| SocketAddr::from(([127, 0, 0, 1], port));
            assert_eq!(owner_in(table, at(8080), at(50000)), Some(1002));
            assert_eq!(owner_in(table, at(50000), at(8080)), Some(1001));
            assert_eq!(owner_in(table, at(8080), at(50001)), None);
        }

        #[test]
        fn a_connection_of_this_process_is_its_users() {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback");
            let own = listener.local_addr().expect("bound");
            let stream = std::net::TcpStream::connect(own).expect("loopback");
            let peer = stream.local_addr().expect("connected");
            assert_eq!(owner(own, peer), Some(rustix::process::geteuid().as_raw()));
            assert!(!super::super::is_another_users(own, peer));
        }
    }
}
