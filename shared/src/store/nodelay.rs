//! Switches Nagle's algorithm off for the connections to Postgres, which sqlx 0.9 leaves on and gives no
//! way to change: a message of more than its 8 KiB buffer then waits 40 ms for the server's delayed
//! acknowledgement (measured: the settle of a 500-key sync took 44 ms for each such statement).
//!
//! sqlx does not show its sockets, so the kernel is asked for duplicates of our own descriptors; a
//! socket's options are those of all its duplicates. Where that is not allowed, nothing happens, and
//! large statements stay slow.

use rustix::net::sockopt::set_tcp_nodelay;
use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};

/// Every TCP socket of this process sends at once from now on.
pub(super) fn send_at_once() {
    let Ok(process) = pidfd_open(getpid(), PidfdFlags::empty()) else {
        return;
    };
    let Ok(entries) = std::fs::read_dir("/proc/self/fd") else {
        return;
    };
    for entry in entries.flatten() {
        let is_socket = std::fs::read_link(entry.path())
            .is_ok_and(|target| target.to_string_lossy().starts_with("socket:"));
        let number = entry.file_name().to_string_lossy().parse();
        if let (true, Ok(number)) = (is_socket, number)
            && let Ok(socket) = pidfd_getfd(&process, number, PidfdGetfdFlags::empty())
        {
            // Sockets of another kind say no.
            let _ = set_tcp_nodelay(&socket, true);
        }
    }
}

#[cfg(test)]
mod tests {
    use rustix::net::sockopt::tcp_nodelay;

    use super::*;

    #[test]
    fn a_connection_sends_at_once() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        assert!(!tcp_nodelay(&stream).unwrap());
        send_at_once();
        assert!(tcp_nodelay(&stream).unwrap());
    }
}
